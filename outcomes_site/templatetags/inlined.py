"""`{% inlined "css/client.css" %}`: a joined file within the page, known by its hash."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe

from outcomes_site.joined import text_of

register = template.Library()


@register.simple_tag
def inlined(name: str) -> SafeString:
    """The file's text; it holds no end of a style or script element (tests/entry)."""
    return mark_safe(text_of(name))
