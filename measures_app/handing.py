"""A hand-over in words: what whoever goes on should know, begun from what is recorded.

The draft is changed and completed by whoever hands over; what is kept is their text, sealed under
the client's key, and nothing of the draft.
"""

from __future__ import annotations

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from measures_app.charts import number
from measures_app.picture import Picture, pictures_of
from measures_app.sentences import headline
from sessions_app.models import CaseReview, Episode, Meeting, Respondent, Session

DECISIONS_TOLD = 5


def _course(picture: Picture) -> str:
    s = picture.series
    words = {
        "title": s.measure.title,
        "first": number(s.scores[0]),
        "last": number(s.scores[-1]),
        "high": number(s.high),
    }
    if len(s.scores) == 1:
        return _("%(title)s: %(first)s of %(high)s, one score.") % words
    if not picture.reading.standing and not s.mid_care:
        # Nothing to hold it against: the sentence about it says the two scores itself.
        return f"{s.measure.title}: {headline(picture.reading)}"
    line = _("%(title)s: %(first)s at the start, %(last)s now (of %(high)s).") % words
    return f"{line} {headline(picture.reading)}"


def _alliance(pictures: list[Picture]) -> str:
    found = next((p.figure for p in pictures if p.figure.alliance), None)
    if found is None:
        return ""
    return _("How you work together: %(last)s of %(high)s at the last session.") % {
        "last": number(found.alliance[-1][1]),
        "high": number(found.alliance_high),
    }


def _decided(review: CaseReview) -> str:
    words = {
        "day": date_format(review.reviewed_on, "j F Y"),
        "what": review.get_decision_display(),
        "note": review.note.strip(),
        "said": review.client_said.strip(),
    }
    line = _("%(day)s, decided: %(what)s.") % words
    if words["note"]:
        line += f" {words['note'].rstrip('.')}."
    if words["said"]:
        line += " " + _("The client said: “%(said)s”") % words
    return line


def draft_of(episode: Episode) -> str:
    """Purpose, attendance, course, alliance, and what was decided; a paragraph a thing."""
    held = episode.sessions.filter(
        status=Session.Status.ATTENDED, meeting__kind=Meeting.Kind.TREATMENT
    ).count()
    lines = [
        _("Purpose agreed with the client: %(purpose)s. In care since %(day)s, %(n)s sessions.")
        % {
            "purpose": episode.get_purpose_display(),
            "day": date_format(episode.care_began_on or episode.opened_on, "j F Y"),
            "n": held,
        }
    ]
    pictures = [
        picture
        for picture in pictures_of(episode)
        if picture.series.relation == Respondent.Relation.SELF
    ]
    lines += [_course(picture) for picture in pictures]
    lines.append(_alliance(pictures))
    reviews = CaseReview.objects.filter(episode=episode).select_related("client__key")
    lines += [
        _decided(review) for review in reviews.order_by("-reviewed_on", "-pk")[:DECISIONS_TOLD]
    ]
    lines.append(_("What helps, what to begin with, what is open:"))
    return "\n\n".join(line for line in lines if line)
