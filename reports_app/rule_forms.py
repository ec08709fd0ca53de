"""Forms of the rules page: a checkpoint of one's own, a proposal, an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from measures_app.flagging import PROMPT_RULES, REVIEW_RULES
from measures_app.models import RuleProposal
from measures_app.rule_sets import RULE_NUMBERS
from reports_app.rules_text import NAME
from sessions_app import clinic_time, policies
from sessions_app.forms import DayInput

MOST_SHOWN = 50


class OwnCheckpointForm(forms.Form):
    session = forms.IntegerField(
        required=False,
        min_value=2,
        label=_("My first checkpoint, at session"),
        help_text=_("Earlier than the clinic's. Left empty, the clinic's holds for you again."),
    )


class ProposalForm(forms.Form):
    rule = forms.ChoiceField(
        choices=[(rule, NAME[rule]) for rule in (*REVIEW_RULES, *PROMPT_RULES)], label=_("Rule")
    )
    what = forms.CharField(max_length=300, label=_("What is to change"))
    why = forms.CharField(
        max_length=600,
        label=_("Why"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Everybody who works here reads it: name no client."),
    )
    key = forms.ChoiceField(
        required=False,
        choices=[
            ("", _("no number: words alone")),
            *((k, policies.WORDS[k]) for k in RULE_NUMBERS),
        ],
        label=_("Number it is about"),
    )
    value = forms.FloatField(required=False, label=_("New value"))


class AnswerForm(forms.Form):
    answer = forms.ChoiceField(
        choices=[("", _("choose")), ("accepted", _("accept")), ("declined", _("decline"))],
        label=_("Answer"),
    )
    words = forms.CharField(
        required=False,
        max_length=600,
        label=_("In words"),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    from_on = forms.DateField(
        required=False, widget=DayInput(), label=_("If accepted: in force from")
    )


@dataclass(frozen=True)
class Shown:
    """A proposal as the page shows it."""

    proposal: RuleProposal
    rule: Any
    number: Any
    form: AnswerForm | None


def proposals_shown(may_answer: bool, bound: tuple[int, AnswerForm] | None = None) -> list[Shown]:
    """The newest proposals with their answers; a form at each that waits for one."""
    rows = RuleProposal.objects.select_related("proposed_by", "answered_by")[:MOST_SHOWN]
    found = []
    for row in rows:
        form = None
        if may_answer and not row.answer:
            initial = {"from_on": clinic_time.today()}
            form = AnswerForm(prefix=f"p{row.pk}", initial=initial)
            if bound is not None and bound[0] == row.pk:
                form = bound[1]
        found.append(Shown(row, NAME[row.rule], policies.WORDS.get(row.key, ""), form))
    return found
