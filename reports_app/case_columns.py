"""What the files of case rows hold: their columns, what each means, and what stands beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from reports_app.scales import Scale

# column -> (where it is read, what it means)
COLUMNS: dict[str, tuple[str, str]] = {
    "case": ("", "a new code of the person, the same within this export alone"),
    "episode": ("", "a new code of the course of care"),
    "programme": ("programme__name", "as the clinic calls it"),
    "site": ("site__name", "as the clinic calls it"),
    "funder": ("funder", "who pays; empty: not recorded"),
    "problem": ("problem", "as recorded when care began; empty: not recorded"),
    "purpose": ("purpose", "what care is for: change, stay_well, assess, crisis"),
    "gender": ("gender", "as the person says; empty: not recorded"),
    "age_group": ("age_at_opening", "years reached in the year in which care began"),
    "opened_on": ("opened_on", "shifted date: see README"),
    "first_session_on": ("first_session_on", "shifted date of the first session attended"),
    "last_session_on": ("last_session_on", "shifted date of the last session attended"),
    "closed_on": ("closed_on", "shifted date; empty: care goes on"),
    "ending": ("ending", "agreed, client_stopped, clinic_ended, circumstances, transferred, "
                         "referred, died, assessment_only, unknown; empty: care goes on"),
    "sessions": ("attended", "treatment sessions attended"),
    "no_shows": ("no_shows", "booked and not come to"),
    "late_cancels": ("late_cancels", "cancelled late by the client"),
    "measure": ("measure__code", "the outcome measure with most scores"),
    "respondent": ("relation", "who answered it: self or another's relation"),
    "scores": ("scores", "how often it was answered"),
    "since_mid_care": ("mid_care", "1: measuring began after care did"),
    "first_score": ("first_score", "in the measure's units"),
    "last_score": ("last_score", "empty: no second score; so far, where care goes on"),
    "started_clinical": ("started_clinical", "1: the first score lay on the clinical side"),
    "outcome": ("outcome_class", "of ended care with a last score near the end: recovered, "
                                 "improved, unchanged, deteriorated; the clinic's own rates leave "
                                 "out who died, assessments, and what is since_mid_care"),
    "first_alliance": ("first_alliance", "the first alliance score"),
}  # fmt: skip
SCORE_COLUMNS = {
    "case": "as in episodes.csv",
    "episode": "as in episodes.csv",
    "taken_on": "shifted date, by the same days as the episode's",
    "respondent": "self, or another's relation to the person",
    "measure": "code of the measure; scores of rare ones are left out",
    "total": "in the measure's units",
}
MEASURE_COLUMNS = {
    "measure": "code of the measure",
    "title": "as it is asked",
    "low": "the lowest total there is",
    "high": "the highest total there is",
    "better": "which end is the better: higher, lower",
    "age_from": "youngest age of these constants; empty: any",
    "age_to": "oldest age of these constants; empty: any",
    "cutoff": "the line between the clinical and the functional side",
    "at_cutoff": "the side of a score at the line: clinical, functional, neither",
    "reliable_change": "how far a score must move to be more than measurement error",
    "at_change": "a change of just that: reliable, not reliable",
    "provisional": "why these constants are only borrowed; empty: they are not",
    "source": "where the constants come from",
}
KINDS = {
    "code": ("case", "episode"),
    "date": ("opened_on", "first_session_on", "last_session_on", "closed_on", "taken_on"),
    "whole number": ("sessions", "no_shows", "late_cancels", "scores", "age_from", "age_to"),
    "number": ("first_score", "last_score", "first_alliance", "total", "low", "high", "cutoff",
               "reliable_change"),
    "0 or 1": ("since_mid_care", "started_clinical"),
    "text": ("title", "provisional", "source"),
}  # fmt: skip
DATES = ("opened_on", "first_session_on", "last_session_on", "closed_on")
READ = {name: path for name, (path, _meaning) in COLUMNS.items() if path}
README = """\
De-identified case rows, made on request of a director of the clinic. For the purpose they were
asked for alone: do not link them to other data, and do not pass them on.

episodes.csv    a row a course of care opened in {years}
scores.csv      a row a score of these
measures.csv    range, direction and constants of the measures in both
dictionary.csv  what each column means
grouped.csv     what was grouped, cut or left out

Codes are new in each export and the order of people is random. All dates of one person are shifted
by the same number of days, between 1 and 182 either way: intervals are real, dates are not.
Categories of fewer than {least} people, and combinations of
{combined}
of fewer than that, read "{grouped}". Counts and lengths that fewer than {least} people reach are
cut to the highest that {least} do, and so are series of scores (grouped.csv says where).

Restricted programmes and erased clients are not in it. Outcomes were computed from the constants in
force when each score was taken; measures.csv has those of the day of the export.
"""


def kind_of(column: str) -> str:
    """How a column's values are written."""
    return next((kind for kind, names in KINDS.items() if column in names), "category")


def dictionary() -> Iterator[tuple[str, str, str, str]]:
    """(file, column, kind, meaning) of every column."""
    said = {
        "episodes.csv": {name: meaning for name, (_path, meaning) in COLUMNS.items()},
        "scores.csv": SCORE_COLUMNS,
        "measures.csv": {field.name: MEASURE_COLUMNS[field.name] for field in fields(Scale)},
    }
    for file, columns in said.items():
        for name, meaning in columns.items():
            yield file, name, kind_of(name), meaning
