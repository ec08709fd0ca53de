"""The clinic's zone decides months, ages and nights. The one place that reads the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone


def zone() -> ZoneInfo:
    return ZoneInfo(settings.CLINIC_TIME_ZONE)


def now() -> datetime:
    return timezone.now()


def today() -> date:
    return timezone.now().astimezone(zone()).date()


def local_date(moment: datetime) -> date:
    return moment.astimezone(zone()).date()


def at(day: date, hour: int = 12, minute: int = 0) -> datetime:
    """A local wall-clock time as an aware UTC datetime."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone()).astimezone(UTC)


def end_of(day: date) -> datetime:
    """The moment a day ends at the clinic, as an aware UTC datetime."""
    return at(day + timedelta(days=1), 0)


def age_on(day: date, birth_year: int | None, birth_date: date | None = None) -> int | None:
    """Age in years; from the year alone it is the age reached in that year."""
    if birth_date is not None:
        had_birthday = (day.month, day.day) >= (birth_date.month, birth_date.day)
        return day.year - birth_date.year - (0 if had_birthday else 1)
    return None if birth_year is None else day.year - birth_year
