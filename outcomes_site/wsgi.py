"""What a web server runs: `gunicorn outcomes_site.wsgi`."""

import gc
import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.template.loader import get_template
from django.urls import reverse
from django.utils import translation

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "outcomes_site.settings")

application = get_wsgi_application()


def read_in() -> None:
    """Pages, their templates, words and addresses in each language: not by whoever asks first."""
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            reverse("today")
    for folder in map(Path, settings.TEMPLATES[0]["DIRS"]):
        for path in folder.rglob("*.html"):
            get_template(path.relative_to(folder).as_posix())


# What is here by now stays as long as the process: the collector would walk its two hundred
# thousand objects again and again, a tenth of a second each time, in the middle of somebody's page.
read_in()
gc.collect()
gc.freeze()
