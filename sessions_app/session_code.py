"""The code on a printed form that leads back to its session: short, typed by hand, checked.

Ten digits and capitals without I, L, O and U, which look like others. The last sign checks the
rest: it tells one wrong sign, or two neighbours that changed places.
"""

from __future__ import annotations

SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SHORTEST = 5
CHECK = 29  # a prime near the number of signs; 32 = 3 (mod 29), so that each place weighs otherwise
LOOKALIKES = str.maketrans("ILOU", "110V")


class NoSessionCode(ValueError):
    """The text is no code of a session; the message says what to do."""


def _digits(number: int) -> str:
    found = ""
    while number:
        number, digit = divmod(number, len(SIGNS))
        found = SIGNS[digit] + found
    return found.rjust(SHORTEST, SIGNS[0])


def encode(number: int) -> str:
    """The code of a session's number, such as `0003P-C`."""
    return f"{_digits(number)}-{SIGNS[number % CHECK]}"


def decode(text: str) -> int:
    """The session's number.

    Raises
    ------
    NoSessionCode
        For anything that is no code or fails its check.
    """
    plain = "".join(text.upper().split()).replace("-", "").translate(LOOKALIKES)
    if not SHORTEST < len(plain) <= 12 or any(sign not in SIGNS for sign in plain):
        raise NoSessionCode("A code has five signs or more, a hyphen and one more: 0003P-C.")
    number = 0
    for sign in plain[:-1]:
        number = number * len(SIGNS) + SIGNS.index(sign)
    if SIGNS[number % CHECK] != plain[-1]:
        raise NoSessionCode("One sign of the code is wrong: look at the form again.")
    return number
