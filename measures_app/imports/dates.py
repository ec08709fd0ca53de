"""Dates as files write them. Which of two readings is meant is never guessed."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from sessions_app import clinic_time

SERIAL = "serial"
# A spreadsheet's day 60 is 29 February 1900, which never was: later days count from here.
SERIAL_EPOCH = date(1899, 12, 30)
SERIAL_NUMBER = re.compile(r"\d{5}(\.0+)?")
THREE_PARTS = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})")
EXAMPLE = date(1987, 3, 24)


def check_format(written: str) -> None:
    """Raise ValueError unless `written` is empty, `serial` or says day, month and year."""
    if written in ("", SERIAL):
        return
    try:
        back = datetime.strptime(EXAMPLE.strftime(written), written).date()  # noqa: DTZ007
    except (ValueError, re.error):  # re: one part said twice
        back = None
    if back != EXAMPLE:
        raise ValueError(
            f"“{written}” doesn't say day, month and year: write it such as %d/%m/%Y, or “serial” "
            "for a spreadsheet's day numbers"
        )


def _iso(text: str) -> date:
    if len(text) <= 10:
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    return moment.date() if moment.tzinfo is None else clinic_time.local_date(moment)


def _why(text: str) -> str:
    """Why a text is no date as long as nobody says how dates are written in this file."""
    if SERIAL_NUMBER.fullmatch(text):
        day = SERIAL_EPOCH + timedelta(days=int(float(text)))
        return (
            f"looks like a spreadsheet's day number ({day.isoformat()} if it counts from 1900): "
            'save the column as dates, or say date_format = "serial"'
        )
    parts = THREE_PARTS.fullmatch(text)
    if parts is None:
        return "is no date like 2024-01-31 (or say date_format)"
    one, sign, two, year = parts.groups()
    y = "%Y" if len(year) == 4 else "%y"
    day_first, month_first = f"%d{sign}%m{sign}{y}", f"%m{sign}%d{sign}{y}"
    if int(one) > 12:
        return f'is not like 2024-01-31: say date_format = "{day_first}"'
    if int(two) > 12:
        return f'is not like 2024-01-31: say date_format = "{month_first}"'
    return f'could be day or month first: say date_format = "{day_first}" or "{month_first}"'


def read_day(text: str, written: str = "") -> date:
    """A day as the file writes it: 2024-01-31 (a time may follow), or as `written` says.

    Where `written` is given, a date that a workbook keeps as such is read all the same.

    Raises
    ------
    ValueError
        With why it is none.
    """
    if written == SERIAL and SERIAL_NUMBER.fullmatch(text):
        return SERIAL_EPOCH + timedelta(days=int(float(text)))
    if written and written != SERIAL:
        try:
            return datetime.strptime(text, written).date()  # noqa: DTZ007 - a date, no time
        except ValueError:
            if written.startswith("%Y-%d"):
                raise ValueError(f"is no date like {written}") from None
    try:
        return _iso(text)
    except ValueError:
        raise ValueError(f"is no date like {written}" if written else _why(text)) from None
