"""What a web server runs: `gunicorn outcomes_site.wsgi`."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "outcomes_site.settings")

application = get_wsgi_application()

# The pages are read in now, not by whoever asks first. What is here by now stays as long as the
# process: the collector would walk its two hundred thousand objects again and again, a tenth of
# a second each time, in the middle of somebody's page.
get_resolver().url_patterns  # noqa: B018  # a property that reads
gc.collect()
gc.freeze()
