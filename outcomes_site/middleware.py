"""Headers of every answer (nothing is stored, framed or loaded from elsewhere); its language."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

from outcomes_site.joined import hash_of

# The one hash is of Plotly's empty style element.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'{script}; "
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='{style}; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'{form_action}; "
    "base-uri 'none'; frame-ancestors 'none'"
)
PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"


def content_security_policy(*, brings_along: bool = False) -> str:
    """Forms stay here; one leads to the clinic's own sign-in service, where there is one.

    `brings_along`: the one page whose style and script stand within it, known by their hashes.
    """
    there = "".join(f" {origin}" for origin in settings.SSO["origins"]) if settings.SSO else ""
    return CONTENT_SECURITY_POLICY.format(
        form_action=there,
        script=f" {hash_of('js/client.js')}" if brings_along else "",
        style=f" {hash_of('css/client.css')}" if brings_along else "",
    )


class SecurityHeaders:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers["Content-Security-Policy"] = content_security_policy(
            brings_along=getattr(response, "brings_along", False)
        )
        response.headers["Permissions-Policy"] = PERMISSIONS_POLICY
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if not request.path.startswith("/static/"):
            response.headers["Cache-Control"] = "no-store"
        return response


class RespondentsLanguage(LocaleMiddleware):
    """Pages before respondents follow their device; all others are in English, dates and all.

    What the catalogues hold is said to respondents. A colleague whose browser prefers another
    language would read pages that are half of one and half of the other.
    """

    PLACES = ("/m/", "/hand-over/", "/tablet/")

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(self.PLACES):
            super().process_request(request)
        else:
            translation.activate(settings.LANGUAGE_CODE)
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE
