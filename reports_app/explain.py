"""Names, sections and meanings of the report's metrics; the plain sentences of its first page."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from reports_app.classes import PROVISIONAL
from reports_app.lengths import between_days, day_words
from reports_app.metric import Metric

# metric -> (name on screen and paper, what it means)
_ABOUT = {
    "episodes_opened": (
        gettext_lazy("Episodes opened"),
        gettext_lazy("Courses of care that began in the period."),
    ),
    "episodes_ended": (
        gettext_lazy("Episodes ended"),
        gettext_lazy("Courses of care whose ending lies in the period."),
    ),
    "people_served": (
        gettext_lazy("People served"),
        gettext_lazy("People with at least one session attended in the period, each once."),
    ),
    "clients_by_age_group": (
        gettext_lazy("People served by age group"),
        gettext_lazy("The same people, by the age they reach in the year; the note is the group."),
    ),
    "collateral_raters": (
        gettext_lazy("Others who answered"),
        gettext_lazy("Carers, partners and others with a score in the period, each once."),
    ),
    "mean_first_alliance": (
        gettext_lazy("Mean first alliance score"),
        gettext_lazy("Of the episodes that ended in the period."),
    ),
    "mean_sessions": (
        gettext_lazy("Mean number of sessions"),
        gettext_lazy("Treatment sessions attended, of the episodes that ended in the period."),
    ),
    "mean_days": (
        gettext_lazy("Mean length of care in days"),
        gettext_lazy("From the first session attended to the last."),
    ),
    "ended_planned": (
        gettext_lazy("Ended by agreement"),
        gettext_lazy("Of the endings that are known; bounds count the unknown both ways."),
    ),
    "ended_unplanned": (
        gettext_lazy("Client stopped coming"),
        gettext_lazy("As recorded by the clinician, of the endings that are known."),
    ),
    "ended_by_clinic": (
        gettext_lazy("Ended by the clinic"),
        gettext_lazy("Of the endings that are known; never counted as the client's stopping."),
    ),
    "ended_circumstances": (
        gettext_lazy("Ended by circumstances"),
        gettext_lazy("A move, an illness, a change of insurance; of the endings that are known."),
    ),
    "stopped_improved": (
        gettext_lazy("Reliably improved, of those who stopped coming"),
        gettext_lazy("Some stop because they are better. Recovered included."),
    ),
    "stopped_unimproved": (
        gettext_lazy("Stopped coming without a reliable improvement"),
        gettext_lazy(
            "Another published definition of stopping than the clinician's word: of the endings "
            "that are known, those where the client stopped and hadn't reliably improved."
        ),
    ),
    "stopped_lapsed": (
        gettext_lazy("Lapsed: ended long after the last session"),
        gettext_lazy(
            "A third published definition of stopping, which asks nobody: care that ended when a "
            "return would no longer have been a continuation, of all care that had a session; "
            "deaths and assessments apart."
        ),
    ),
    "referrals_received": (
        gettext_lazy("Referrals received"),
        gettext_lazy("People referred, each time they were."),
    ),
    "referrals_left": (
        gettext_lazy("Left without being seen"),
        gettext_lazy(
            "Referrals that ended without a session: declined, withdrawn, not reached, sent on."
        ),
    ),
    "first_offer_median_days": (
        gettext_lazy("Days from referral to a first offer, median"),
        gettext_lazy("Half of those offered a first appointment had it offered in so many days."),
    ),
    "offer_all_median_days": (
        gettext_lazy("Days to a first offer, of all who waited"),
        gettext_lazy(
            "The day by which half were offered a first appointment, had everybody waited as "
            "people did in the period. Who has no offer yet, or left without, counts as long as "
            "they waited (Kaplan-Meier, late entry)."
        ),
    ),
    "care_all_median_days": (
        gettext_lazy("Days of care, of all in it"),
        gettext_lazy(
            "The day by which half have ended, had everybody gone on as people did in the "
            "period. Who is still in care counts as long as they have been: the mean of those who "
            "ended alone forgets them (Kaplan-Meier, late entry)."
        ),
    ),
    "waiting_all_median_days": (
        gettext_lazy("Days to the first session, of all who waited"),
        gettext_lazy(
            "The day by which half are seen, had everybody waited as people did in the period. "
            "Who still waits, or left unseen, counts as long as they did (Kaplan-Meier, late "
            "entry)."
        ),
    ),
    "waiting_median_days": (
        gettext_lazy("Days from referral to the first session, median"),
        gettext_lazy(
            "Of the people seen for the first time. The bounds hold those who still wait, as if "
            "seen on the last day (best) and never (worst)."
        ),
    ),
    "waiting_p90_days": (
        gettext_lazy("Days from referral to the first session, nine in ten"),
        gettext_lazy("Nine in ten of the people seen for the first time waited no longer."),
    ),
    "waiting_now": (
        gettext_lazy("People who still wait"),
        gettext_lazy("Referred, not seen, and not off the list on the last day."),
    ),
    "waiting_now_median_days": (
        gettext_lazy("Days waited so far, median"),
        gettext_lazy("Of the people who still wait on the last day."),
    ),
    "waiting_over_limit": (
        gettext_lazy("Wait longer than the clinic's limit"),
        gettext_lazy("Of the people who still wait on the last day."),
    ),
    "no_show_rate": (
        gettext_lazy("Did not come"),
        gettext_lazy("Of sessions expected; those the clinic cancelled stand apart."),
    ),
    "cancelled_rate": (
        gettext_lazy("Cancelled late"),
        gettext_lazy("By the client, of sessions expected."),
    ),
    "sessions_held": (
        gettext_lazy("Sessions held"),
        gettext_lazy("Attended, on a day of the period."),
    ),
    "sessions_entered_rate": (
        gettext_lazy("Sessions entered"),
        gettext_lazy(
            "Of the sessions whose day has come, those of which somebody said what came of them."
        ),
    ),
    "both_measures_rate": (
        gettext_lazy("Sessions with both measures"),
        gettext_lazy("Outcome and alliance both scored, of sessions attended."),
    ),
    "mean_first_outcome": (
        gettext_lazy("Mean first outcome score"),
        gettext_lazy("Of the episodes that ended in the period."),
    ),
    "effect_size": (
        gettext_lazy("Effect size"),
        gettext_lazy(
            "Mean change in the better direction over the SD of all first scores, with the exact "
            "small-sample correction (g). Clients change without care too: it is no proof of cause."
        ),
    ),
    "severity_adjusted_effect_size": (
        gettext_lazy("Effect size against the expected response"),
        gettext_lazy("Mean of last score minus the score expected from this start, over the SD."),
    ),
    "relative_effect_size": (
        gettext_lazy("Effect size beside the reference's"),
        gettext_lazy(
            "Of those who started on the clinical side: the mean change of the year's reference "
            "clients, and how much further these came than was expected from their starts, in SDs "
            "of the reference's first scores. It reads like a raw effect size and doesn't reward "
            "those who see people who start badly."
        ),
    ),
    "reached_expected": (
        gettext_lazy("Reached the expected score"),
        gettext_lazy("Last score at least as good as expected from this start at that session."),
    ),
    "recovered": (
        gettext_lazy("Recovered"),
        gettext_lazy(
            "Started on the clinical side, reliably better, ended on the functional side; of those "
            "who started on the clinical side. Worst and best count those without a second score "
            "as not recovered and as recovered."
        ),
    ),
    "improved": (
        gettext_lazy("Improved"),
        gettext_lazy("Reliably better and not recovered."),
    ),
    "unchanged": (
        gettext_lazy("No reliable change"),
        gettext_lazy("The change is within measurement error."),
    ),
    "deteriorated": (
        gettext_lazy("Further from the goal than at the start"),
        gettext_lazy("Reliably worse than the first score."),
    ),
    "reliably_improved": (
        gettext_lazy("Reliably improved, recovered included"),
        gettext_lazy("Of all episodes that ended with an outcome."),
    ),
    "reliably_improved_clinical_starters": (
        gettext_lazy("Reliably improved, of those who started on the clinical side"),
        gettext_lazy("Recovered included."),
    ),
}
LABELS = {name: label for name, (label, _meaning) in _ABOUT.items()}
EXPLAINED = {name: meaning for name, (_label, meaning) in _ABOUT.items()}

SECTIONS = (
    (
        gettext_lazy("People and care"),
        (
            "people_served", "clients_by_age_group", "episodes_opened", "episodes_ended",
            "collateral_raters", "mean_sessions", "mean_days", "care_all_median_days",
            "mean_first_alliance",
        ),
    ),
    (
        gettext_lazy("Outcome"),
        (
            "mean_first_outcome", "reliably_improved", "reliably_improved_clinical_starters",
            "recovered", "improved", "unchanged", "deteriorated", "effect_size",
            "severity_adjusted_effect_size", "relative_effect_size", "reached_expected",
        ),
    ),
    (
        gettext_lazy("Endings"),
        (
            "ended_planned", "ended_unplanned", "ended_by_clinic", "ended_circumstances",
            "stopped_improved", "stopped_unimproved", "stopped_lapsed",
        ),
    ),
    (
        gettext_lazy("Waiting"),
        (
            "referrals_received", "referrals_left", "first_offer_median_days",
            "offer_all_median_days", "waiting_median_days", "waiting_p90_days",
            "waiting_all_median_days", "waiting_now", "waiting_now_median_days",
            "waiting_over_limit",
        ),
    ),
    (
        gettext_lazy("Attendance"),
        (
            "sessions_held", "sessions_entered_rate", "no_show_rate", "cancelled_rate",
            "both_measures_rate",
        ),
    ),
)  # fmt: skip


def percent(share: float | None) -> str:
    """A share as a whole percentage; a dash where it can't be said."""
    return "–" if share is None else f"{100 * share:.0f} %"


def label_of(metric: Metric) -> str:
    """A metric's name for people; a line of borrowed constants isn't called recovery."""
    if metric.metric == "recovered" and metric.note.startswith(PROVISIONAL):
        return _("Crossed the provisional line")
    return str(LABELS[metric.metric])


def _days(metric: Metric) -> dict[str, str]:
    """A median in days with its interval, as a sentence says it."""
    return {
        "days": day_words(metric.value or 0.0),
        "between": between_days(metric.low, metric.high),
    }


def sentence_of(metric: Metric) -> str:
    """The plain sentence of a headline metric; empty for the others, and for what isn't known."""
    if metric.value is None:
        return ""
    if metric.metric == "people_served":
        n = int(metric.value)
        return ngettext(
            "%(n)d person had at least one session.", "%(n)d people had at least one session.", n
        ) % {"n": n}
    if metric.metric == "episodes_ended":
        n = int(metric.value)
        return ngettext("%(n)d episode ended.", "%(n)d episodes ended.", n) % {"n": n}
    if metric.metric == "waiting_now":
        n = int(metric.value)
        return (
            ngettext(
                "%(n)d person who was referred still waits to be seen.",
                "%(n)d people who were referred still wait to be seen.",
                n,
            )
            % {"n": n}
            if n
            else ""
        )
    if metric.metric == "waiting_median_days":
        return _(
            "Half of the %(n)d people seen for the first time had waited %(days)s days or fewer."
        ) % {"n": int(metric.denominator or 0), "days": f"{metric.value:.3g}"}
    if metric.metric == "waiting_all_median_days":
        return _(
            "Counting also those who still wait, half are seen within %(days)s days of their "
            "referral (95 %%: %(between)s)."
        ) % _days(metric)
    if metric.metric == "care_all_median_days":
        return _(
            "Counting also care that goes on, half has ended by day %(days)s (95 %%: %(between)s)."
        ) % _days(metric)
    counts = {
        "k": int(metric.numerator or 0),
        "n": int(metric.denominator or 0),
        "share": percent(metric.value),
        "worst": percent(metric.worst),
        "best": percent(metric.best),
        "coverage": percent(metric.coverage),
    }
    if metric.metric == "reliably_improved":
        return (
            _(
                "%(k)d of %(n)d who ended with two scores improved reliably (%(share)s). Counting "
                "everyone who ended, it lies between %(worst)s and %(best)s; %(coverage)s have an "
                "outcome."
            )
            % counts
        )
    if metric.metric == "deteriorated":
        return (
            _("%(k)d of %(n)d ended reliably further from the goal than they began (%(share)s).")
            % counts
        )
    if metric.metric == "both_measures_rate":
        return _("Both measures were taken at %(k)d of %(n)d sessions (%(share)s).") % counts
    if metric.metric == "ended_planned":
        return _("%(k)d of %(n)d known endings were agreed (%(share)s).") % counts
    return ""
