"""What a file's columns most likely mean: a first proposal that a person looks over."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from measures_app.imports.dates import read_day
from measures_app.imports.mapping import FIELDS, HELD
from sessions_app.tables import Table

SAMPLE = 500
WORDS: dict[str, tuple[str, ...]] = {
    "client": (
        "id", "client_id", "clientid", "patient", "patient_id", "patientid", "case", "case_id",
        "code", "mrn", "subject", "participant", "cliente", "paciente",
    ),
    "session_date": (
        "date", "session_day", "day_of_session", "visit_date", "appointment_date", "completed",
        "completed_on", "date_completed", "taken_on", "fecha",
    ),
    "day": ("days", "time", "study_day"),
    "month": ("months", "mes"),
    "measure": ("instrument", "scale", "questionnaire", "test", "medida"),
    "total": ("score", "sum", "total_score", "sum_score", "raw_score", "puntuacion", "puntuación"),
    "clinician": ("therapist", "counsellor", "counselor", "provider", "practitioner", "terapeuta"),
    "programme": ("program", "service", "grp", "group", "programa"),
    "site": ("location", "clinic", "centre", "center", "office"),
    "attendance": ("attended", "status", "attendance_status"),
    "respondent": ("rater", "informant"),
    "birth_year": ("year_of_birth", "yob", "born"),
    "age": ("age_years", "edad"),
    "gender": ("sex", "female", "sexo"),
    "opened_on": ("opened", "start_date", "episode_start", "admission_date"),
    "ended_on": ("ended", "end_date", "closed", "closed_on", "discharge_date", "episode_end"),
    "ending": ("reason_for_ending", "discharge_reason", "closure_reason"),
    "language": ("lang", "idioma"),
    "problem": ("diagnosis", "presenting_problem"),
    "funder": ("payer", "insurer"),
    "referred_on": ("referral_date", "date_of_referral", "received_on", "date_referred"),
    "referral_source": ("source", "referrer", "referred_by"),
    "first_offer_on": ("first_offer", "offered_on", "first_appointment_offered"),
}  # fmt: skip
MEANT = {word: field for field, words in WORDS.items() for word in words}
ITEM = re.compile(r"(?:.*_)?(?:item|q|question|i)_?(\d{1,2})")
DATE_FORMATS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%Y/%m/%d", "serial",
)  # fmt: skip
EXAMPLES = {way: date(2024, 1, 31).strftime(way) for way in DATE_FORMATS if way != "serial"}


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")


def measure_named(text: str, codes: Iterable[str]) -> str:
    """The one measure whose code the text begins with, or that begins with the text; else ''."""
    plain = _plain(text).replace("_", "")
    if len(plain) < 3:
        return ""
    found = [
        code
        for code in codes
        if (short := code.replace("-", "")).startswith(plain) or plain.startswith(short)
    ]
    return found[0] if len(found) == 1 else ""


def fields_of(columns: tuple[str, ...], codes: Iterable[str]) -> dict[str, str]:
    """Column -> field, each field once; the first column that fits has it."""
    codes = list(codes)
    found: dict[str, str] = {}
    for name in columns:
        plain = _plain(name)
        item = ITEM.fullmatch(plain)
        if name in HELD:
            continue
        if plain in FIELDS:
            field = plain
        elif plain in MEANT:
            field = MEANT[plain]
        elif item:
            field = f"item_{int(item[1])}"
        elif measure_named(name, codes):
            field = "total"
        else:
            continue
        if field not in found.values():
            found[name] = field
    if "session_date" in found.values():
        found = {name: field for name, field in found.items() if field not in ("day", "month")}
    elif "day" in found.values():
        found = {name: field for name, field in found.items() if field != "month"}
    return found


def date_format_of(table: Table, column: str) -> str:
    """How the column's dates are written, where only one way can be meant; else ''."""
    at = table.columns.index(column)
    texts = {cells[at] for _number, cells in table.rows[:SAMPLE] if cells[at]}
    ways = [way for way in ("", *DATE_FORMATS) if texts and all(_reads(t, way) for t in texts)]
    return ways[0] if ways and (ways[0] == "" or len(ways) == 1) else ""


def _reads(text: str, written: str) -> date | None:
    try:
        return read_day(text, written)
    except ValueError:
        return None
