"""How far long work is, while its transaction is open: numbers in the cache, nothing else.

What counts is in the Job when the work is done; a cache that is away costs the bar, not the work.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.cache import cache

log = logging.getLogger(__name__)
KEPT_SECONDS = 3600


def tell(key: Any, done: int) -> None:
    """Say how much is done."""
    try:
        cache.set(f"progress:{key}", done, KEPT_SECONDS)
    except Exception as problem:  # whatever the cache's driver raises
        log.warning("progress isn't shown: %s", type(problem).__name__)


def of(key: Any) -> int | None:
    """How much was last said to be done; None when nothing was."""
    try:
        found: int | None = cache.get(f"progress:{key}")
    except Exception as problem:  # whatever the cache's driver raises
        log.warning("progress isn't shown: %s", type(problem).__name__)
        return None
    return found
