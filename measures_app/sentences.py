"""From reason codes and numbers to sentences: an invitation to talk, never a verdict."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from measures_app.charts import number
from measures_app.expected import Reading


def _n(numbers: dict[str, Any], key: str) -> str:
    value = numbers.get(key)
    return number(float(value)) if value is not None else "–"


def _expected_words(numbers: dict[str, Any], values: dict[str, str]) -> str:
    """Beyond which edge of the band the score lies; no edge where rounding hides the step."""
    last, limit = numbers.get("last"), numbers.get("limit")
    if last is None or limit is None or values["last"] == values["limit"]:
        return _("Further from the goal than expected from this start: %(last)s.") % values
    if float(last) < float(limit):
        return _("Further from the goal than expected from this start: %(last)s, expected "
                 "%(limit)s or more.") % values  # fmt: skip
    return _("Further from the goal than expected from this start: %(last)s, expected %(limit)s "
             "or less.") % values  # fmt: skip


def _chance_words(numbers: dict[str, Any]) -> str:
    """A flag by its chances, as they were said when it was raised."""
    percent = {
        name: f"{100 * float(numbers.get(f'p_{name}', 0.0)):.0f} %"
        for name in ("not_improved", "deteriorated")
    }
    if numbers.get("by") == "deteriorated":
        return (
            _(
                "A chance of %(deteriorated)s to end further from the goal than at the start, if "
                "care goes on as now."
            )
            % percent
        )
    if numbers.get("by") == "both":
        return (
            _(
                "A chance of %(not_improved)s to end without a reliable change, and of "
                "%(deteriorated)s further from the goal than at the start, if care goes on as now."
            )
            % percent
        )
    return (
        _("A chance of %(not_improved)s to end without a reliable change, if care goes on as now.")
        % percent
    )


def flag_sentence(rule: str, numbers: dict[str, Any]) -> str:
    """What a flag says, in the reader's language."""
    values = {key: _n(numbers, key) for key in ("first", "last", "limit", "expected", "change")}
    if rule == "not_on_track":
        if numbers.get("by") == "band":
            return _expected_words(numbers, values)
        return _chance_words(numbers)
    if rule == "deteriorated":
        if numbers.get("guarded"):
            return _("Further from the goal than at the start (%(first)s, now %(last)s); the first "
                     "score may have been guarded.") % values  # fmt: skip
        if rises(numbers):
            return _("Reliably higher than at the start: %(first)s then, %(last)s now.") % values
        return _("Reliably lower than at the start: %(first)s then, %(last)s now.") % values
    if rule == "no_progress":
        return _("No clear change by session %(t)d: %(first)s then, %(last)s now.") % {
            **values,
            "t": int(numbers.get("t", 0)),
        }
    if rule == "overdue":
        days = int(float(numbers.get("days", numbers.get("gap", 0)) or 0))
        weeks = max(1, round(days / 7))
        return ngettext(
            "No session for %(weeks)d week; used to come more often.",
            "No session for %(weeks)d weeks; used to come more often.",
            weeks,
        ) % {"weeks": weeks}
    if rule == "lost_in_transfer":
        return _("Not seen yet since the transfer.")
    if rule == "at_risk_of_stopping":
        chance = numbers.get("p_stopping")
        if chance is None:
            return _("May stop coming before an agreed end (a weak signal).")
        return _(
            "May stop coming: %(percent)d %% chance of no session in four weeks (a weak signal)."
        ) % {"percent": round(100 * float(chance))}
    if rule == "ready_to_finish":
        if numbers.get("by") == "recovered":
            return _("Recovered and steady: ready to finish?")
        return _("Well and steady over three sessions: ready to finish?")
    if rule == "alliance_low":
        return _("The alliance score is low: worth asking what to do differently.")
    if rule == "alliance_falling":
        return _("The alliance score fell by more than chance.")
    if rule == "checkpoint":
        return _("No clear change yet at the first checkpoint: talk about it together.")
    if rule == "item_alert":
        return _("An answer asks for a reply at once.")
    return rule.replace("_", " ")


def rises(numbers: dict[str, Any]) -> bool:
    """Whether the score went up since the start: the worse way on a symptom measure."""
    first, last = numbers.get("first"), numbers.get("last")
    return first is not None and last is not None and float(last) > float(first)


SHORT = {
    "not_on_track": lambda numbers: _("further from the goal than expected"),
    "deteriorated": lambda numbers: (
        _("reliably higher than at the start")
        if rises(numbers)
        else _("reliably lower than at the start")
    ),
    "no_progress": lambda numbers: (
        _("no clear change by session %(t)d") % {"t": int(numbers.get("t", 0))}
    ),
    "overdue": lambda numbers: _("no session for long"),
    "lost_in_transfer": lambda numbers: _("not seen since the transfer"),
    "at_risk_of_stopping": lambda numbers: _("may stop coming (a weak signal)"),
    "ready_to_finish": lambda numbers: _("ready to finish?"),
    "alliance_low": lambda numbers: _("alliance score low"),
    "alliance_falling": lambda numbers: _("alliance score fell"),
    "checkpoint": lambda numbers: _("no clear change at the first checkpoint"),
    "item_alert": lambda numbers: _("an answer asks for a reply at once"),
}


def short_words(rule: str, numbers: dict[str, Any]) -> str:
    """What a flag says beside another one of the same client: without the numbers again."""
    words = SHORT.get(rule)
    return words(numbers) if words else rule.replace("_", " ")


def headline(reading: Reading) -> str:
    """Where a client stands, in one plain sentence about the last score."""
    s = reading.series
    if len(s.scores) < 2:
        return _("One score so far: the picture begins with the second.")
    if s.mid_care:
        base = _("Measured since mid-care, from its own baseline")
    elif reading.standing == "worse":
        base = _("Further from the goal than expected from this start")
    elif reading.standing == "better":
        base = _("Better than expected from this start")
    elif reading.standing == "within":
        base = _("About what was expected from this start")
    else:
        base = _("%(first)s at the start, %(last)s now") % {
            "first": number(s.scores[0]),
            "last": number(s.scores[-1]),
        }
    recent = _direction(reading)
    return f"{base}{recent}."


def _direction(reading: Reading) -> str:
    s = reading.series
    if s.criteria is None or len(s.scores) < 3:
        return ""
    lately = s.scores[-1] - s.scores[-3]  # as the line is seen to go, whichever way is better
    small = s.criteria.reliable_change / 3
    if lately > small:
        return _(", and moving up lately")
    if lately < -small:
        return _(", and moving down lately")
    return ""


CLASS_WORDS = {
    "recovered": lambda: _("recovered"),
    "improved": lambda: _("reliably better"),
    "unchanged": lambda: _("no reliable change"),
}


def class_words(name: str, *, first: float = 0.0, last: float = 0.0) -> str:
    """A change class as people read it; empty for none. The scores say which way is worse."""
    if name == "deteriorated":
        return _("higher than at the start") if last > first else _("lower than at the start")
    words = CLASS_WORDS.get(name)
    return words() if words else ""


def reached_words(reading: Reading | None) -> str:
    """What an ended course of care reached, in one sentence."""
    scores = reading.series.scores if reading is not None else ()
    if reading is None or not scores:
        return _("No score was taken: what was reached isn't known.")
    values = {"first": number(scores[0]), "last": number(scores[-1])}
    if len(scores) < 2:
        return (
            _("%(first)s at the start and no second score: what was reached isn't known.") % values
        )
    words = class_words(reading.change_class, first=scores[0], last=scores[-1])
    if not words:
        return _("%(first)s at the start, %(last)s at the end.") % values
    return _("%(first)s at the start, %(last)s at the end: %(words)s.") % {**values, "words": words}


STARTERS = {
    "not_on_track": lambda: [
        _("What does the client hope for, in their own words, and is that what you work on?"),
        _("What would the client say is missing?"),
    ],
    "deteriorated": lambda: [
        _("What happened in the client's life since the start?"),
        _("Is the client safe, and who else should know?"),
    ],
    "no_progress": lambda: [
        _("If the next six sessions were like the last six, would that be right?"),
        _("Which would you try first: another goal, another method, another dose, another person?"),
    ],
    "overdue": lambda: [
        _("Who calls, and what would make coming easier?"),
    ],
    "lost_in_transfer": lambda: [_("Who of the two clinicians calls today?")],
    "ready_to_finish": lambda: [
        _("How would the client like to mark the end, and what keeps the gain?"),
    ],
}
MOVING_ON = (
    lambda: _("The alliance is good and the change is not: how would you open the moving-on "
              "conversation, and what did the client ask for?"),
    lambda: _("Would it help to sit in on the first session elsewhere?"),
)  # fmt: skip


def starter_questions(rules: list[str], *, good_alliance: bool) -> list[str]:
    """Questions for the talk, by what the flags say."""
    found: list[str] = []
    for rule in rules:
        found += STARTERS[rule]() if rule in STARTERS else []
    if good_alliance and {"no_progress", "not_on_track", "deteriorated"} & set(rules):
        found += [question() for question in MOVING_ON]
    return list(dict.fromkeys(found))
