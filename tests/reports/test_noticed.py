"""What several flags of one client say together."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from measures_app.models import Flag
from measures_app.sentences import class_words, flag_sentence
from reports_app.noticed import said_of
from reports_app.queue import benefit_of
from sessions_app.models import Respondent

NEVER = ("failed", "deteriorated", "dropout", "non-compliant", "missed")
CLIENT = Respondent(pk=1, relation="self")
MOTHER = Respondent(pk=2, relation="carer", label="mother")
RULES = (
    "not_on_track", "deteriorated", "no_progress", "overdue", "lost_in_transfer",
    "at_risk_of_stopping", "ready_to_finish", "alliance_low", "alliance_falling", "checkpoint",
    "item_alert",
)  # fmt: skip


def flag(rule: str, who: Respondent | None = CLIENT, kind: str = "review", **evidence: Any) -> Flag:
    return Flag(rule=rule, kind=kind, respondent=who, evidence=evidence, raised_on=date(2026, 3, 2))


def test_the_strongest_reason_leads_and_the_rest_is_short() -> None:
    said = said_of(
        [
            flag("no_progress", t=7, first=22.4, last=13.7),
            flag("alliance_low", kind="prompt"),
            flag("deteriorated", first=22.4, last=13.7),
        ]
    )
    assert [one.rule for one in said] == ["deteriorated", "no_progress", "alliance_low"]
    assert said[0].sentence == "Reliably lower than at the start: 22.4 then, 13.7 now."
    assert said[1].short == "no clear change by session 7"
    assert {one.who for one in said} == {""}  # nobody else answers: nobody is named


def test_the_same_sentence_of_two_people_is_said_once_of_both() -> None:
    said = said_of([flag("checkpoint", CLIENT, "prompt"), flag("checkpoint", MOTHER, "prompt")])
    assert [(one.who, one.rule) for one in said] == [("client and mother", "checkpoint")]


def test_different_numbers_stay_with_whose_they_are() -> None:
    said = said_of(
        [
            flag("no_progress", MOTHER, t=6, first=15.9, last=18.8),
            flag("no_progress", CLIENT, t=7, first=14.6, last=11.2),
        ]
    )
    assert [one.who for one in said] == ["client", "mother"]


def test_on_a_symptom_measure_worse_is_higher() -> None:
    assert (
        flag_sentence("deteriorated", {"first": 9, "last": 18})
        == "Reliably higher than at the start: 9 then, 18 now."
    )
    assert class_words("deteriorated", first=9, last=18) == "higher than at the start"
    assert flag_sentence("not_on_track", {"by": "band", "last": 19, "limit": 15}).endswith(
        "19, expected 15 or less."
    )


def test_no_sentence_is_a_verdict() -> None:
    for rule in RULES:
        said = said_of([flag(rule, first=10, last=20, limit=12, t=6, days=30)])[0]
        assert not [w for w in NEVER if w in f"{said.sentence} {said.short}".lower()], rule
        assert said.sentence != said.rule


def test_what_nobody_takes_up_climbs_each_week_and_what_somebody_has_stands_still() -> None:
    today = date(2026, 3, 30)

    def worth(benefit: float | None, weeks: int, owner: int | None = None) -> float:
        raised = today - timedelta(weeks=weeks)
        flag = Flag(rule="no_progress", benefit=benefit, raised_on=raised, owner_id=owner)
        return round(benefit_of(flag, today), 3)

    assert [worth(0.30, weeks) for weeks in (0, 1, 4)] == [0.30, 0.32, 0.38]
    assert worth(0.30, 4, owner=7) == 0.30
    assert worth(None, 0) == 0.30  # raised before benefits were stored: one in two


@pytest.mark.parametrize(
    ("by", "said", "silent"),
    [
        ("not_improved", ["69 % to end without a reliable change"], ["31 %"]),
        ("deteriorated", ["31 % to end further from the goal"], ["69 %", "without"]),
        ("both", ["69 % to end without a reliable change", "31 % further from the goal"], []),
    ],
)
def test_a_flag_by_its_chances_says_which_and_how_likely(by, said, silent):
    numbers = {"by": by, "p_not_improved": 0.686, "p_deteriorated": 0.312}
    sentence = flag_sentence("not_on_track", numbers)
    assert all(words in sentence for words in said)
    assert not any(words in sentence for words in silent)
