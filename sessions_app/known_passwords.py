"""Passwords known from breaches, refused without asking anybody: a sorted file on this machine.

The file holds one SHA-1 hash in capital hexadecimal a line, ordered, a count behind a colon or
none (the form in which the well-known lists are given). It is searched by halves: some thirty
reads of a line in a file of any size, and nothing is kept in memory.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

HASH_LENGTH = 40


def _line_at(file: BinaryIO, position: int) -> tuple[int, bytes]:
    """The first whole line that begins at or after a position, and where it begins."""
    if position:
        file.seek(position - 1)
        file.readline()
    else:
        file.seek(0)
    return file.tell(), file.readline()


def is_known(password: str, path: Path) -> bool:
    """Whether the password's hash stands in the file. Raises `OSError` if it can't be read."""
    wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with path.open("rb") as file:
        low, high = 0, path.stat().st_size
        while low < high:
            middle = (low + high) // 2
            begins, line = _line_at(file, middle)
            found = line[:HASH_LENGTH].upper()
            if begins >= high or not line or found >= wanted:
                if begins < high and found == wanted:
                    return True
                high = middle
            else:
                low = begins + len(line)
    return False


class KnownPasswordValidator:
    """Refuses what stands in BREACHED_PASSWORDS_FILE; without one, asks nothing."""

    def validate(self, password: str, user: Any = None) -> None:
        path = settings.BREACHED_PASSWORDS_FILE
        if path and is_known(password, Path(path)):
            raise ValidationError(
                _("This password is known from a breach elsewhere: choose another."),
                code="password_known",
            )

    def get_help_text(self) -> str:
        return _("Not one that is known from a breach elsewhere.")
