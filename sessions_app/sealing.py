"""Encryption under a key per client, wrapped by the master key.

AES-256-GCM, each text bound to its place (table, field, client) as associated data, so that a
ciphertext moved to another row doesn't open. Destroying a client's wrapped key leaves nothing
readable. Search works on keyed hashes of name words and of their first three letters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import unicodedata
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_BYTES = 12
KEY_BYTES = 32


class CannotOpen(ValueError):
    """The key is destroyed, unknown, or the ciphertext belongs elsewhere."""


@lru_cache(maxsize=8)
def _decoded(encoded: str) -> bytes:
    return base64.b64decode(encoded)


def _master(key_id: str) -> bytes:
    try:
        return _decoded(settings.MASTER_KEYS[key_id])
    except KeyError:
        raise CannotOpen(f"Master key {key_id!r} is not configured.") from None


def new_key() -> bytes:
    return AESGCM.generate_key(bit_length=256)


def encrypt(key: bytes, text: bytes, place: str) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text, place.encode())


def decrypt(key: bytes, sealed: bytes, place: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
    except InvalidTag:
        raise CannotOpen("The text doesn't open with this key in this place.") from None


def wrap(key: bytes, place: str) -> tuple[bytes, str]:
    """Wrap a client's key under the current master key; returns (wrapped, key id)."""
    key_id = settings.MASTER_KEY_ID
    return encrypt(_master(key_id), key, place), key_id


def unwrap(wrapped: bytes, key_id: str, place: str) -> bytes:
    return decrypt(_master(key_id), wrapped, place)


def seal_text(text: str, place: str) -> str:
    """A secret as it lies in a column: the master key's id and what it sealed."""
    sealed, key_id = wrap(text.encode(), place)
    return f"{key_id}:{base64.b64encode(sealed).decode()}"


def open_text(sealed: str, place: str) -> str:
    key_id, _colon, text = sealed.rpartition(":")
    return unwrap(base64.b64decode(text), key_id, place).decode()


def sealed_under(sealed: str) -> str:
    """The id of the master key that sealed a text."""
    return sealed.rpartition(":")[0]


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in decomposed if c.isalnum())


def search_hash(word: str) -> bytes:
    """Keyed hash of one normalised name word (or word start)."""
    key = _decoded(settings.SEARCH_KEY)
    return hmac.new(key, _plain(word).encode(), hashlib.sha256).digest()[:16]


def name_hashes(name: str) -> set[bytes]:
    """What a name can be found by: each word, and each word's first three letters."""
    words = {_plain(w) for w in name.replace("-", " ").split()}
    words.discard("")
    return {search_hash(w) for w in words} | {search_hash(w[:3]) for w in words if len(w) >= 3}
