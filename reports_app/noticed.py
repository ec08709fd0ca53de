"""What the flags of one client say together: one lead sentence, the rest short, and whose it is.

Several rules often see one thing, and two respondents' series often say the same sentence: a
list shows the strongest once, names the person where more than one answers, and folds the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from django.utils.translation import gettext as _

from measures_app.models import Flag
from measures_app.psychometrics.budget import WEIGHT
from measures_app.sentences import flag_sentence, short_words

GOOD_NEWS = "ready_to_finish"
# Prompts and good news come after everything that asks for a review.
AFTER = {GOOD_NEWS: -1, "alliance_falling": -2, "alliance_low": -3, "checkpoint": -4}


@dataclass(frozen=True)
class Said:
    """One thing that is said of a client, by however many series."""

    rule: str
    kind: str
    sentence: str
    short: str
    who: str
    raised_on: date
    session_number: int | None

    @property
    def good_news(self) -> bool:
        return self.rule == GOOD_NEWS

    @property
    def asks_for_review(self) -> bool:
        return self.kind != Flag.Kind.PROMPT and not self.good_news


def _strength(flag: Flag) -> tuple[float, bool, int]:
    weight = AFTER.get(flag.rule, WEIGHT.get(flag.rule, 0.0))
    if flag.kind == Flag.Kind.ITEM:
        weight = 2.0
    own = flag.respondent is None or flag.respondent.relation == "self"
    return (-weight, not own, flag.pk)


def _who(flag: Flag) -> str:
    if flag.respondent is None:
        return ""
    return _("client") if flag.respondent.relation == "self" else str(flag.respondent)


def said_of(flags: Iterable[Flag]) -> list[Said]:
    """Everything said, the strongest first; flags come with their respondent.

    The same sentence of two respondents is said once, of both. Nobody is named where only the
    client answers.
    """
    ordered = sorted(flags, key=_strength)
    several = len({flag.respondent_id for flag in ordered if flag.respondent_id}) > 1 or any(
        flag.respondent is not None and flag.respondent.relation != "self" for flag in ordered
    )
    found: dict[tuple[str, str], Said] = {}
    for flag in ordered:
        sentence = flag_sentence(flag.rule, flag.evidence)
        who = _who(flag) if several else ""
        there = found.get((flag.rule, sentence))
        if there is not None:
            both = _("%(a)s and %(b)s") % {"a": there.who, "b": who}
            found[flag.rule, sentence] = replace(
                there, who=both, raised_on=min(there.raised_on, flag.raised_on)
            )
            continue
        found[flag.rule, sentence] = Said(
            flag.rule,
            flag.kind,
            sentence,
            short_words(flag.rule, flag.evidence),
            who,
            flag.raised_on,
            flag.session_number,
        )
    return list(found.values())
