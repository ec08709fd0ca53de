"""A file that nobody can read, change, shorten or rearrange without its key.

    CLINIC-OUTCOMES-BACKUP 1\\n
    {"key": id of the backup key, "wrapped": the file's own key under it, "made_at": ...}\\n
    frames: 4 bytes of length, then AES-256-GCM of one byte of kind and the content

Each file has a random key of its own, so the counter of the frames can be the nonce. The nonce
also says which frame is the last, and every frame is bound to the header: a frame left out,
moved or added, and a file cut short, don't open.
"""

from __future__ import annotations

import base64
import json
import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FIRST_LINE = b"CLINIC-OUTCOMES-BACKUP 1\n"
FRAME = 1 << 20
TAG, NONCE = 16, 12
LONGEST_HEADER = 4096


class NotReadable(ValueError):
    """Not a backup, damaged, cut short, or made with a key that isn't here; the text says which."""


def _nonce(number: int, *, last: bool) -> bytes:
    return struct.pack(">QI", number, last)


class Writer:
    """Write frames; the file is complete only after `finish`."""

    def __init__(self, file: BinaryIO, key_id: str, key: bytes, about: dict[str, Any]) -> None:
        own = AESGCM.generate_key(bit_length=256)
        nonce = os.urandom(NONCE)
        wrapped = nonce + AESGCM(key).encrypt(nonce, own, FIRST_LINE)
        header = {**about, "key": key_id, "wrapped": base64.b64encode(wrapped).decode()}
        self.header = FIRST_LINE + json.dumps(header).encode() + b"\n"
        self._file, self._cipher, self._number = file, AESGCM(own), 0
        file.write(self.header)

    def frame(self, kind: bytes, content: bytes, *, last: bool = False) -> None:
        """`kind` is one byte; `content` at most FRAME bytes."""
        if len(kind) != 1 or len(content) > FRAME:
            raise ValueError("A frame is one byte of kind and at most a megabyte.")
        nonce = _nonce(self._number, last=last)
        sealed = self._cipher.encrypt(nonce, kind + content, self.header)
        self._file.write(struct.pack(">I", len(sealed)) + sealed)
        self._number += 1

    def all_of(self, kind: bytes, content: bytes) -> None:
        """A content of any length, in as many frames as it takes."""
        for start in range(0, max(len(content), 1), FRAME):
            self.frame(kind, content[start : start + FRAME])

    def finish(self) -> None:
        self.frame(b".", b"", last=True)


def header_of(file: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """What the file says of itself without a key, and the bytes that say it."""
    first = file.read(len(FIRST_LINE))
    if first != FIRST_LINE:
        raise NotReadable("This is not a backup made by the `backup` command.")
    line = file.readline(LONGEST_HEADER)
    try:
        header = json.loads(line)
        wrapped = base64.b64decode(header["wrapped"], validate=True)
        if not isinstance(header["key"], str) or len(wrapped) <= NONCE + TAG:
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotReadable("The backup's first lines are damaged.") from None
    return header, first + line


def frames(file: BinaryIO, keys: dict[str, bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of each frame in order. `keys`: the backup keys at hand by their ids.

    Raises NotReadable at the first thing that isn't as it was written; what came before it was
    right, but isn't the whole, so use nothing of it until the last frame was seen.
    """
    header, raw = header_of(file)
    if header["key"] not in keys:
        raise NotReadable(
            f"The backup was made with the key {header['key']!r}; BACKUP_KEYS has "
            f"{', '.join(repr(name) for name in keys) or 'none'}."
        )
    wrapped = base64.b64decode(header["wrapped"])
    try:
        own = AESGCM(keys[header["key"]]).decrypt(wrapped[:NONCE], wrapped[NONCE:], FIRST_LINE)
    except InvalidTag:
        raise NotReadable(f"The key {header['key']!r} here is not the one it was made with.") from (
            None
        )
    cipher, number, last = AESGCM(own), 0, False
    while not last:
        length = file.read(4)
        sealed = file.read(struct.unpack(">I", length)[0]) if len(length) == 4 else b""
        if len(sealed) < TAG + 1 or len(sealed) > FRAME + TAG + 1:
            raise NotReadable(f"The backup is cut short or damaged at its part {number + 1}.")
        for last in (False, True):
            try:
                content = cipher.decrypt(_nonce(number, last=last), sealed, raw)
                break
            except InvalidTag:
                continue
        else:
            raise NotReadable(f"The backup is damaged at its part {number + 1}.")
        number += 1
        if not last:
            yield content[:1], content[1:]
    if file.read(1):
        raise NotReadable("Something was added to the end of the backup.")
