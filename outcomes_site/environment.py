"""Settings from the environment. A mistake is answered with the variable, why, and an example.

Every variable NAME can be given as NAME_FILE instead: a file that holds the value (secrets).
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

KINDS = ("production", "local", "test")


class SettingsError(ImproperlyConfigured):
    """A variable is not set or can't be read."""

    def __init__(self, name: str, why: str, example: str) -> None:
        super().__init__(f"{name}: {why}\n  For example: {name}={example}\n")


def value(name: str) -> str | None:
    """The variable's text, from NAME or from the file that NAME_FILE names; None when neither."""
    direct, file = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if direct and file:
        raise SettingsError(name, f"both {name} and {name}_FILE are set; keep one.", "...")
    if file:
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            why = f"the file can't be read ({problem})."
            raise SettingsError(f"{name}_FILE", why, f"/run/secrets/{name.lower()}") from None
        return text or None
    return direct.strip() if direct and direct.strip() else None


def text(name: str, *, example: str, why: str, default: str | None = None) -> str:
    """The variable's text; without a default it has to be set, `why` says what for."""
    found = value(name)
    if found is not None:
        return found
    if default is None:
        file = os.environ.get(f"{name}_FILE")
        what = f"its file {file} is empty." if file else "is not set."
        raise SettingsError(name, f"{what} {why}", example)
    return default


def path_of_file(name: str, *, why: str, example: str) -> str:
    """The path of a file that is there, by NAME itself; empty when it isn't set."""
    found = os.environ.get(name, "").strip()
    if found and not os.access(found, os.R_OK):
        raise SettingsError(name, f"{found} can't be read. {why}", example)
    return found


def flag(name: str, *, default: bool) -> bool:
    found = value(name)
    if found is None:
        return default
    if found.lower() in {"1", "true", "yes", "on"}:
        return True
    if found.lower() in {"0", "false", "no", "off"}:
        return False
    raise SettingsError(name, f"{found!r} is neither yes nor no.", "yes")


def number(name: str, *, default: int, low: int = 0, high: int = 2**31) -> int:
    found = value(name)
    if found is None:
        return default
    try:
        parsed = int(found)
    except ValueError:
        raise SettingsError(name, f"{found!r} is not a whole number.", str(default)) from None
    if not low <= parsed <= high:
        raise SettingsError(name, f"{parsed} is not between {low} and {high}.", str(default))
    return parsed


def words(name: str, *, example: str, why: str, default: str | None = None) -> list[str]:
    """A list, separated by commas."""
    found = text(name, example=example, why=why, default=default)
    return [word.strip() for word in found.split(",") if word.strip()]


def kind() -> str:
    """Where this runs: `production`, `local` (manage.py up) or `test`."""
    found = text("ENVIRONMENT", example="production", why="", default="production")
    if found not in KINDS:
        raise SettingsError(
            "ENVIRONMENT", f"{found!r} is none of {', '.join(KINDS)}.", "production"
        )
    return found


DATABASE_EXAMPLE = "postgresql://outcomes:secret@postgres:5432/outcomes"


def database_url(name: str, found: str) -> dict[str, Any]:
    """Django's connection settings from a `postgresql://` address; sockets as ?host=/folder."""
    parts = urlsplit(found)
    if parts.scheme not in {"postgres", "postgresql"}:
        why = f"its scheme is {parts.scheme!r}; only Postgres (14 or newer) is supported."
        raise SettingsError(name, why, DATABASE_EXAMPLE)
    query = dict(parse_qsl(parts.query))
    try:
        host, port = parts.hostname or query.pop("host", ""), parts.port
    except ValueError:
        raise SettingsError(name, "its port is not a number.", DATABASE_EXAMPLE) from None
    database = unquote(parts.path.lstrip("/"))
    if not database:
        raise SettingsError(name, "it names no database.", DATABASE_EXAMPLE)
    known = {
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "connect_timeout",
        "target_session_attrs",
    }
    unknown = sorted(set(query) - known)
    if unknown:
        why = f"it has an option that is not known: {', '.join(unknown)}."
        raise SettingsError(name, why, f"{DATABASE_EXAMPLE}?sslmode=require")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port or ""),
        "OPTIONS": query,
    }


def redis_url(name: str, found: str) -> str:
    """Check a broker address: redis://, rediss:// or unix:///path."""
    parts = urlsplit(found)
    example = "redis://redis:6379/0"
    if parts.scheme not in {"redis", "rediss", "unix"}:
        why = f"its scheme is {parts.scheme!r}; use redis://, rediss:// or unix:///path/to/socket."
        raise SettingsError(name, why, example)
    if parts.scheme == "unix" and not parts.path:
        raise SettingsError(name, "it names no socket.", "unix:///run/redis.sock")
    return found


def celery_broker(url: str) -> str:
    """The same address as Celery writes it."""
    return "redis+socket" + url.removeprefix("unix") if url.startswith("unix:") else url


def single_sign_on(*, plain_http: bool) -> dict[str, Any] | None:
    """The clinic's own sign-in service by OpenID Connect; None when SSO_ISSUER isn't set.

    `plain_http`: whether it may be spoken to without TLS (loopback, for trying it out).
    """
    issuer = value("SSO_ISSUER")
    example = "https://login.example.org/realms/clinic"
    if issuer is None:
        if value("SSO_CLIENT_ID"):
            raise SettingsError("SSO_ISSUER", "SSO_CLIENT_ID is set without it.", example)
        return None
    parts = urlsplit(issuer)
    if parts.scheme != "https" and not (plain_http and parts.scheme == "http"):
        raise SettingsError("SSO_ISSUER", "it has to begin with https://.", example)
    if not parts.hostname or parts.query or parts.fragment or len(issuer) > 200:
        raise SettingsError("SSO_ISSUER", "it isn't the address of a provider.", example)
    why = "The provider gives it when this site is registered there."
    through = words("SSO_ORIGINS", why="", example="https://sts.example.org", default="")
    for origin in through:
        there = urlsplit(origin)
        if there.scheme != "https" or not there.hostname or there.path or there.query:
            why = f"{origin} isn't an address like https://name."
            raise SettingsError("SSO_ORIGINS", why, "https://sts.example.org")
    return {
        "issuer": issuer,
        "client_id": text("SSO_CLIENT_ID", why=why, example="clinic-outcomes"),
        "client_secret": text("SSO_CLIENT_SECRET", why=why, example="$(cat secret)"),
        "name": text("SSO_NAME", why="", example="Clinic login", default=parts.hostname),
        # Values of `acr` that stand for a second factor, beside `mfa` in `amr`.
        "acr": words("SSO_SECOND_FACTOR_ACR", why="", example="phr", default=""),
        "sign_out": flag("SSO_SIGN_OUT", default=True),
        "origins": [f"{parts.scheme}://{parts.netloc}", *through],
        "plain_http": plain_http,
    }


KEY_EXAMPLE = "$(openssl rand -base64 32)"


def _key(name: str, encoded: str, example: str) -> str:
    try:
        size = len(base64.b64decode(encoded, validate=True))
    except binascii.Error:
        raise SettingsError(name, "it isn't base64.", example) from None
    if size != 32:
        raise SettingsError(name, f"it holds {size} bytes; a key has 32.", example)
    return encoded


def key(name: str, *, why: str, default: str | None = None) -> str:
    """One 32-byte key in base64."""
    return _key(name, text(name, example=KEY_EXAMPLE, why=why, default=default), KEY_EXAMPLE)


def keys(name: str, *, why: str, default: str | None = None) -> dict[str, str]:
    """Keys by id, the current one first: `2026-01:base64,2025-06:base64`."""
    example = f"2026-01:{KEY_EXAMPLE}"
    found = {}
    for entry in words(name, example=example, why=why, default=default):
        key_id, separator, encoded = entry.partition(":")
        if not separator or not key_id:
            raise SettingsError(name, "each key is written as id:base64.", example)
        if key_id in found:
            raise SettingsError(name, f"the id {key_id!r} is given twice.", example)
        found[key_id] = _key(name, encoded, example)
    if not found:
        raise SettingsError(name, f"it holds no key. {why}", example)
    return found
