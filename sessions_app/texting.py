"""Text messages by a sender of the clinic's own: the setting TEXT_SENDER names a function.

`send(to, text, message_id)` hands one message to a provider and raises when it wasn't taken; it
may be called twice for one message, with the same id.
"""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

log = logging.getLogger(__name__)
NOT_SET_UP = "sessions_app.texting.not_set_up"


def is_set_up() -> bool:
    return bool(settings.TEXT_SENDER != NOT_SET_UP)


def not_set_up(to: str, text: str, message_id: Any) -> None:
    """What stands in for a sender: it says so, and nobody's number or words."""
    log.warning("text message %s wasn't sent: TEXT_SENDER isn't set up", message_id)


def send(*, to: str, text: str, message_id: Any) -> None:
    import_string(settings.TEXT_SENDER)(to, text, message_id)
