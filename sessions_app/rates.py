"""How often a door may be tried: counted in the broker's store, so for all workers together.

What is counted is what was wrong, by where it came from: thirty unknown links from one address
bring a rest for unknown links from there. A link that is known opens all the while, for a whole
clinic may stand behind one address. A known link has a count of its own, far above what a person
needs. Each count is of a fixed stretch of time; the answer says when the next one begins.

When the store is away nothing is counted and nothing refused: a score matters more, and what
guards a link is its 256 random bits.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from typing import NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

logger = logging.getLogger(__name__)


class Limit(NamedTuple):
    name: str
    times: int
    seconds: int


UNKNOWN_TOKENS = Limit("unknown-token", 30, 600)  # of one address
ONE_LINK = Limit("link", 120, 600)  # of one known link
UNKNOWN_CODES = Limit("unknown-code", 60, 600)  # on paper, of one signed-in person
UNKNOWN_KEYS = Limit("unknown-key", 60, 600)  # of one address

now = time.time  # the tests' hand on the clock


def address_of(request: HttpRequest) -> str:
    """Whose request it is: behind the clinic's own proxies, what the outermost of them saw.

    What stands further left in the header was written by whoever asked. An IPv6 household has
    a whole network of addresses, so its first 64 bits count.
    """
    seen = request.META.get("REMOTE_ADDR", "")
    passed = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    if settings.TRUSTED_PROXIES and len(passed) >= settings.TRUSTED_PROXIES:
        seen = passed[-settings.TRUSTED_PROXIES] or seen
    try:
        address = ipaddress.ip_address(seen)
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


def wait_for(limit: Limit, whose: str) -> int:
    """Count one try; how many seconds to wait when it was one too many, else 0."""
    moment = now()
    stretch = int(moment // limit.seconds)
    # Hashed: the store keeps no address and no link.
    name = hashlib.sha256(f"{limit.name}/{stretch}/{whose}".encode()).hexdigest()[:40]
    key = f"rate-{name}"
    try:
        try:
            count = cache.incr(key)
        except ValueError:  # the first of this stretch
            cache.add(key, 0, limit.seconds + 60)
            count = cache.incr(key)
    except Exception as problem:  # whatever the store raises, it is away
        logger.warning("tries are not counted: %s", type(problem).__name__)
        return 0
    return max(1, int((stretch + 1) * limit.seconds - moment)) if count > limit.times else 0


def slow_down(request: HttpRequest, seconds: int, *, respondent: bool = False) -> HttpResponse:
    """The page, or the answer for machines, that says when to try again."""
    after = {"Retry-After": str(seconds)}
    if request.path.startswith(("/api/", "/fhir/")):
        return JsonResponse({"detail": "Too many tries: wait."}, status=429, headers=after)
    minutes = -(-seconds // 60)
    template = "entry/slow_down.html" if respondent else "429.html"
    response = render(request, template, {"minutes": minutes}, status=429)
    response.headers["Retry-After"] = after["Retry-After"]
    return response
