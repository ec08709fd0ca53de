"""Single sign-on by OpenID Connect: the clinic's own sign-in service says who somebody is.

Off unless the settings name a provider (`SSO_ISSUER` and what belongs to it). Nobody gets an
account by it: whoever comes is matched to an account by the provider's own number for them (the
subject), which an administrator linked or the first sign-in by a verified address did. What the
person may do stays with our role grants.

allauth carries the steps of the protocol (state, PKCE, the exchange of the code); here is what it
leaves open: a nonce, the ID token's signature and claims whatever way it came, whose account it
is, and whether the provider's second factor counts.
"""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import requests
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from sessions_app import audit, policies
from sessions_app.context import ANONYMOUS
from sessions_app.models import User

SIGNED_WITH = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
CLOCKS_MAY_DIFFER = 60  # seconds
KNOWN_FOR = 3600  # seconds for which the provider's own description is remembered
_described: dict[str, tuple[float, dict[str, Any]]] = {}
AGAIN = "again"  # the process that shows who sits at a sign-in of before


class Refused(Exception):
    """The provider's answer lets nobody in; `why` is a code that the page turns into words."""

    def __init__(self, why: str, subject: str = "") -> None:
        super().__init__(why)
        self.why, self.subject = why, subject


class Away(Exception):
    """The provider doesn't answer, or not as OpenID Connect says."""


@dataclass(frozen=True)
class Answer:
    """What the provider said of whoever signed in there, once it was checked."""

    claims: dict[str, Any]
    again: bool
    began: float  # when we sent them there
    next: str

    @property
    def subject(self) -> str:
        return str(self.claims["sub"])

    @property
    def fresh(self) -> bool:
        """Whether the person signed in there for this, not some hours ago."""
        at = self.claims.get("auth_time")
        return isinstance(at, int | float) and at >= self.began - CLOCKS_MAY_DIFFER

    @property
    def second_factor(self) -> bool:
        """Whether a second factor was shown there, and the clinic's policy says that it counts."""
        how = self.claims.get("amr")
        shown = "mfa" in how if isinstance(how, list) else False
        shown = shown or self.claims.get("acr") in settings.SSO["acr"]
        return shown and bool(policies.get("provider_second_factor"))


class Adapter(OpenIDConnectOAuth2Adapter):
    """The provider's addresses, held to what the settings say of it."""

    def get_provider(self) -> Provider:
        return Provider(self.request, app=_app())

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return request.build_absolute_uri(reverse("single_sign_on_back"))

    @property
    def openid_config(self) -> dict[str, Any]:
        return description()


class Provider(OpenIDConnectProvider):
    oauth2_adapter_class = Adapter


def _app() -> SocialApp:
    """The provider as allauth wants it; never stored."""
    known = settings.SSO
    return SocialApp(
        provider=Provider.id,
        provider_id=known["issuer"],
        name=known["name"],
        client_id=known["client_id"],
        secret=known["client_secret"],
        settings={"server_url": known["issuer"], "oauth_pkce_enabled": True},
    )


def _ask(url: str, **more: Any) -> dict[str, Any]:
    try:
        with get_adapter().get_requests_session() as session:
            answer = session.get(url, **more)
            answer.raise_for_status()
            found = answer.json()
    except (requests.RequestException, ValueError) as problem:
        raise Away(type(problem).__name__) from problem
    if not isinstance(found, dict):
        raise Away("no object")
    return found


def description() -> dict[str, Any]:
    """The provider's own description: its issuer is the configured one, its addresses are safe."""
    issuer = settings.SSO["issuer"]
    until, found = _described.get(issuer, (0.0, {}))
    if until < time.time():
        found = _ask(issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise Away("another issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            address = urlsplit(str(found.get(name, "")))
            if address.scheme != "https" and not settings.SSO["plain_http"]:
                raise Away(f"{name} without https")
            if not address.hostname:
                raise Away(f"no {name}")
        _described[issuer] = (time.time() + KNOWN_FOR, found)
    return found


def begin(request: HttpRequest, *, to: str, again: bool = False) -> HttpResponse:
    """Send the browser to the provider, `again` to show who sits there; to a page here after it."""
    nonce = secrets.token_urlsafe(32)
    asked = {"nonce": nonce} | ({"prompt": "login", "max_age": "0"} if again else {})
    try:
        return Provider(request, app=_app()).redirect(
            request,
            process=AGAIN if again else "login",
            next_url=to if url_has_allowed_host_and_scheme(to, None) else "/",
            auth_params=asked,
            scope=["openid", "email"],
            nonce=nonce,
            began=time.time(),
        )
    except Away:
        return away(request)


def away(request: HttpRequest) -> HttpResponse:
    context = {"why": "away", "provider": settings.SSO["name"]}
    return render(request, "people/single_sign_on.html", context, status=503)


def finish(request: HttpRequest) -> Answer:
    """What came back, checked: state, code, signature, claims; raises `Refused` or `Away`."""
    provider = Provider(request, app=_app())
    state = statekit.unstash_state(
        request, provider_id=provider.sub_id, state_id=request.GET.get("state", "")
    )
    if state is None:
        raise Refused("unasked")
    if "error" in request.GET or "code" not in request.GET:
        raise Refused("turned down" if request.GET.get("error") == "access_denied" else "no answer")
    if request.GET.get("iss", settings.SSO["issuer"]) != settings.SSO["issuer"]:
        raise Refused("no answer")
    adapter = Adapter(request, provider.sub_id)
    try:
        tokens = adapter.get_access_token_data(
            request,
            provider.app,
            adapter.get_client(request, provider.app),
            pkce_code_verifier=state["pkce_code_verifier"],
        )
    except OAuth2Error:
        raise Refused("no answer") from None
    except (requests.RequestException, ValueError) as problem:
        raise Away(type(problem).__name__) from problem
    claims = _checked(str(tokens.get("id_token", "")), state["nonce"])
    if "email" not in claims and "userinfo_endpoint" in description():
        asked = {"Authorization": f"Bearer {tokens['access_token']}"}
        more = _ask(description()["userinfo_endpoint"], headers=asked)
        if more.get("sub") == claims["sub"]:
            claims |= {name: more[name] for name in ("email", "email_verified") if name in more}
    return Answer(claims, state["process"] == AGAIN, state["began"], state.get("next") or "/")


def _checked(token: str, nonce: str) -> dict[str, Any]:
    """The ID token's claims: signed by the provider, for us, now, and for this very sign-in."""
    ours = settings.SSO["client_id"]
    try:
        keys = jwt.PyJWKSet.from_dict(_ask(description()["jwks_uri"])).keys
        wanted = jwt.get_unverified_header(token).get("kid")
        found = [key for key in keys if key.key_id == wanted] or (keys[:1] if not wanted else [])
        if not found:
            raise Refused("not signed")
        claims: dict[str, Any] = jwt.decode(
            token,
            found[0],
            algorithms=SIGNED_WITH,
            audience=ours,
            issuer=settings.SSO["issuer"],
            leeway=CLOCKS_MAY_DIFFER,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except (jwt.PyJWTError, TypeError, ValueError):
        raise Refused("not signed") from None
    for_others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if for_others else ours) != ours:
        raise Refused("not signed")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise Refused("unasked")
    return claims


def person_of(request: HttpRequest, answer: Answer) -> User:
    """Whose account it is; raises `Refused` for nobody's, a closed one, one that has to wait.

    The first sign-in by a verified address links the provider's number to the account: from then
    on that number alone counts, and an address that passes to somebody else opens nothing.
    """
    link = SocialAccount.objects.filter(provider=settings.SSO["issuer"], uid=answer.subject)
    found = link.select_related("user").first()
    user = found.user if found else _by_address(answer)
    if not user.is_active:
        raise Refused("closed")
    if not AxesProxyHandler.is_allowed(request, {"username": user.email}):
        raise Refused("waits")
    if found is None:
        SocialAccount.objects.create(
            user=user, provider=settings.SSO["issuer"], uid=answer.subject, extra_data={}
        )
        audit.record("single sign-on linked", subject_kind="user", subject=user.public_id,
                     by=ANONYMOUS, how="address")  # fmt: skip
    return user


def _by_address(answer: Answer) -> User:
    address = answer.claims.get("email")
    if not isinstance(address, str) or answer.claims.get("email_verified") is not True:
        raise Refused("unverified", answer.subject)
    user = User.objects.filter(email=address.strip().lower()).first()
    if user is None:
        raise Refused("unknown", answer.subject)
    if SocialAccount.objects.filter(provider=settings.SSO["issuer"], user=user).exists():
        raise Refused("linked otherwise", answer.subject)
    return user


def subjects() -> dict[int, str]:
    """The provider's number of each linked account."""
    rows = SocialAccount.objects.filter(provider=settings.SSO["issuer"])
    return dict(rows.values_list("user_id", "uid"))


def sign_out_address(request: HttpRequest) -> str:
    """Where the provider's own sign-in ends too; empty where it has no such page or is away."""
    if not settings.SSO or not settings.SSO["sign_out"]:
        return ""
    try:
        place = str(description().get("end_session_endpoint", ""))
    except Away:
        return ""
    back = request.build_absolute_uri(reverse("sign_in"))
    asked = {"client_id": settings.SSO["client_id"], "post_logout_redirect_uri": back}
    return f"{place}?{urlencode(asked)}" if place else ""
