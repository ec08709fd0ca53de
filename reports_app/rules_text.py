"""What each rule looks at, in words: the rules page and the help beside a flag."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

MEANING = {
    "not_on_track": _(
        "From 100 ended episodes on: the chance of ending without a reliable change, or further "
        "from the goal, is above the clinic's threshold. Before: the newest score lies beyond the "
        "worse end of the 80 % band expected from this start. Never on fewer "
        "than two scores."
    ),
    "deteriorated": _(
        "The newest score is worse than the first by more than measurement error allows."
    ),
    "no_progress": _("No reliable improvement by the second checkpoint."),
    "at_risk_of_stopping": _(
        "The chance that the next four weeks bring no session is high, for clients who were "
        "coming at least every second week: a weak signal."
    ),
    "overdue": _(
        "No session for more than twice the client's own rhythm. A gap of our own making, or "
        "sessions not entered yet, hold it back."
    ),
    "lost_in_transfer": _("Handed over and not seen by the new clinician within four weeks."),
    "ready_to_finish": _("Good news: recovered and steady, or well and steady."),
    "alliance_low": _("The client's alliance score is below the cutoff: useful, never an alarm."),
    "alliance_falling": _("The alliance fell by more than its own measurement error."),
    "checkpoint": _(
        "No reliable improvement yet at the first checkpoint: most clients stand there and most of "
        "them still improve, so it is for the two of you to talk about."
    ),
}

# Names for people; the technical ones stand in files and in docs/methods.md.
NAME = {
    "not_on_track": _("Further from the goal than expected"),
    "deteriorated": _("Reliably worse than at the start"),
    "no_progress": _("No clear change by the second checkpoint"),
    "at_risk_of_stopping": _("May stop coming"),
    "overdue": _("Not seen for a while"),
    "lost_in_transfer": _("Handed over and not seen yet"),
    "ready_to_finish": _("Ready to finish"),
    "alliance_low": _("Low alliance"),
    "alliance_falling": _("Falling alliance"),
    "checkpoint": _("First checkpoint"),
}
WARNS_OF = {
    "not_improved": _("ended without reliable improvement"),
    "lower": _("ended reliably worse than at the start"),
    "stopped": _("stopped coming"),
    "well": _("ended reliably better, or by agreement"),
}
