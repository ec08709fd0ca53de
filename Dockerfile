# The site's image: web, worker, beat and migrations are the same image with other commands.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=outcomes_site.settings \
    ENVIRONMENT=production \
    OUTCOMES_BOOTSTRAP=off \
    XDG_CACHE_HOME=/tmp/cache

# Text in PDFs; the subsetter makes them small and quick.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /site

COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes --no-deps --requirement requirements.lock

COPY . .
RUN python manage.py collectstatic --no-input \
    && useradd --system --uid 10001 --no-create-home outcomes \
    && install -d -o outcomes -m 700 /var/lib/outcomes

USER outcomes
EXPOSE 8000

CMD ["gunicorn", "outcomes_site.wsgi", "--bind", "0.0.0.0:8000", "--workers", "4", "--threads", "2", "--worker-tmp-dir", "/dev/shm", "--config", "python:outcomes_site.serving", "--no-control-socket", "--forwarded-allow-ips", "*"]
