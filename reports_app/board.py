"""What a board reads first: what was entered for the period, reviews, what changed, targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from reports_app.comparison import Comparison
from reports_app.explain import label_of, percent
from reports_app.metric import Metric
from reports_app.models import ContractTarget, MonthlyEntry
from reports_app.periods import Month, Months, Period
from sessions_app import clinic_time
from sessions_app.models import CaseReview, Session

# What a contract can ask for: a number a month, days, an effect size, or a share in per cent.
COUNTED = ("people_served", "episodes_opened", "episodes_ended")
DAYS = ("first_offer_median_days", "waiting_median_days", "waiting_p90_days")
EFFECTS = ("effect_size",)
SHARES = ("both_measures_rate", "ended_planned", "no_show_rate", "reliably_improved", "recovered",
          "reached_expected")  # fmt: skip
TARGETS = (*COUNTED, *DAYS, *EFFECTS, *SHARES)
AT_MOST = ("no_show_rate", *DAYS)
WHOLE = 100  # per cent
TOLD = ("people_served", "reliably_improved", "no_show_rate", "ended_planned")


@dataclass(frozen=True)
class Entered:
    """A period's entries: sums, the last month's vacancies, the words of each month."""

    complaints: int | None
    leavers: int | None
    sick_days: int | None
    vacancies: int | None
    changed: list[tuple[Any, str]]

    @property
    def sentences(self) -> list[str]:
        said = []
        if self.complaints is not None:
            n = self.complaints
            said.append(ngettext("%(n)d complaint.", "%(n)d complaints.", n) % {"n": n})
        if self.vacancies is not None:
            n = self.vacancies
            said.append(ngettext("%(n)d post is vacant.", "%(n)d posts are vacant.", n) % {"n": n})
        if self.leavers is not None:
            n = self.leavers
            said.append(
                ngettext("%(n)d of the staff left.", "%(n)d of the staff left.", n) % {"n": n}
            )
        if self.sick_days is not None:
            n = self.sick_days
            said.append(
                ngettext("%(n)d day of sick leave.", "%(n)d days of sick leave.", n) % {"n": n}
            )
        return said


def newest_entries(period: Period) -> list[MonthlyEntry]:
    """The entry that counts of each month that lies wholly in the period, oldest first."""
    rows = MonthlyEntry.objects.filter(month__gte=period.start, month__lte=period.end)
    newest = {row.month: row for row in rows.order_by("month", "id")}
    return [row for month, row in newest.items() if Month(month).end <= period.end]


def entered(period: Period, *, words_only: bool = False) -> Entered:
    rows = newest_entries(period)
    if words_only:
        return Entered(None, None, None, None, [(r.month, r.changed) for r in rows if r.changed])

    def total(name: str) -> int | None:
        known = [value for row in rows if (value := getattr(row, name)) is not None]
        return sum(known) if known else None

    return Entered(
        complaints=total("complaints"),
        leavers=total("leavers"),
        sick_days=total("sick_days"),
        vacancies=rows[-1].vacancies if rows else None,
        changed=[(row.month, row.changed) for row in rows if row.changed],
    )


def reviews_sentence(period: Period) -> str:
    """Looks ahead that fell due in the period, and case reviews held in it."""
    planned = CaseReview.objects.filter(
        follow_up_on__gte=period.start, follow_up_on__lte=period.end
    ).count()
    held = CaseReview.objects.filter(
        reviewed_on__gte=period.start, reviewed_on__lte=period.end
    ).count()
    return _("Case reviews: %(held)d held; %(planned)d second looks were due.") % {
        "held": held,
        "planned": planned,
    }


def entering_sentence(period: Period) -> str:
    """Before the closing day: how many of the sessions whose day has come are entered."""
    until = min(period.end, clinic_time.today())
    due = Session.objects.filter(held_on__gte=period.start, held_on__lte=until)
    unsaid = due.expected().filter(status=Session.Status.BOOKED).count()
    entered_ones = due.exclude(status=Session.Status.BOOKED).count()
    if not entered_ones + unsaid:
        return _("No session's day has come yet.")
    return _("%(entered)d of %(all)d sessions whose day has come are entered.") % {
        "entered": entered_ones,
        "all": entered_ones + unsaid,
    }


def changes_sentences(compared: Comparison) -> list[str]:
    """What moved from the period before, of a few numbers; whether by more than chance is said."""
    said = []
    for row in compared.rows:
        if row.now.metric not in TOLD or row.before is None or row.before.value is None:
            continue
        said.append(_moved(row.now, row.before))
    return [sentence for sentence in said if sentence]


def _moved(now: Metric, before: Metric) -> str:
    if now.value is None or before.value is None or now.value == before.value == 0:
        return ""
    words = {"what": label_of(now), "then": _written(before), "now": _written(now)}
    if now.low is None or now.high is None or before.low is None or before.high is None:
        return _("%(what)s: %(now)s, %(then)s in the period before.") % words
    if now.low > before.high or now.high < before.low:
        return _("%(what)s: %(now)s, %(then)s before: more than chance alone.") % words
    return _("%(what)s: %(now)s, %(then)s before: within what chance can do.") % words


def _written(metric: Metric) -> str:
    if metric.metric in COUNTED:
        return str(int(metric.value or 0))
    return percent(metric.value)


@dataclass(frozen=True)
class Held:
    """A contract's target beside the actual; `reached` is None where the actual can't be said."""

    metric: Metric
    target: float
    since: Any
    reached: bool | None

    @property
    def target_words(self) -> str:
        return target_words(self.metric.metric, self.target)


def target_words(metric: str, target: float) -> str:
    """What is asked for, with its unit."""
    if metric in DAYS:
        number = ngettext("%(n)g day", "%(n)g days", int(target)) % {"n": target}
    elif metric in EFFECTS:
        number = f"{target:.2f}"
    else:
        number = f"{target:g}" if metric in COUNTED else percent(target / 100)
    return (_("at most %(n)s") if metric in AT_MOST else _("at least %(n)s")) % {"n": number}


def check_target(metric: str, value: float) -> None:
    """Refuse what no report could hold a contract to.

    Raises
    ------
    ValidationError
        By field, as a form shows it.
    """
    if metric not in TARGETS:
        raise ValidationError({"metric": _("No contract can ask for this.")})
    if value < 0:
        raise ValidationError({"value": _("A target is at least 0.")})
    if metric in SHARES and value > WHOLE:
        raise ValidationError({"value": _("A share is at most 100 per cent.")})


def targets(
    period: Period, funder: str | None, metrics: list[Metric], few: frozenset[int]
) -> list[Held]:
    """The targets in force at the period's end. Counts are asked for a month, so times months."""
    if funder is None:
        return []
    rows = ContractTarget.objects.filter(funder=funder, from_on__lte=period.end)
    newest = {row.metric: row for row in rows.order_by("from_on", "id")}
    months = 1 if not isinstance(period, Months) else period.count
    found = []
    for place, metric in enumerate(metrics):
        row = newest.get(metric.metric)
        if row is None or (metric.metric in COUNTED and not period.fixed):
            continue
        wanted = row.value * (months if metric.metric in COUNTED else 1)
        actual = None if metric.value is None or place in few else metric.value
        scale = WHOLE if metric.metric in SHARES else 1
        at_most = metric.metric in AT_MOST
        reached = None
        if actual is not None:
            reached = actual * scale <= wanted if at_most else actual * scale >= wanted
        found.append(Held(metric, wanted, row.from_on, reached))
    return found
