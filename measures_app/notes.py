"""Starter sentences for the clinician's own note, made from a session's numbers.

They stand in a box beside the picture, are changed or crossed out there, and copied into the
clinic's record. Nothing of the box is stored or sent.
"""

from __future__ import annotations

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from measures_app.charts import number
from measures_app.expected import Reading
from measures_app.feedback import Together
from measures_app.models import Administration
from sessions_app.models import Respondent, Session


def _score(reading: Reading, at: int) -> str:
    """The score at a place of the series, with the change since the start."""
    s = reading.series
    last, first = s.scores[at], s.scores[0]
    text = _("%(title)s: %(last)s of %(high)s") % {
        "title": s.measure.title,
        "last": number(last),
        "high": number(s.high),
    }
    if at == 0:
        return _("%(score)s, the first score.") % {"score": text}
    change = last - first
    sign = "+" if change > 0 else "−" if change < 0 else "±"
    text = _("%(score)s; %(first)s at the start (%(change)s") % {
        "score": text,
        "first": number(first),
        "change": f"{sign}{number(abs(change))}",
    }
    if s.criteria is not None:
        text += _(", reliable from %(by)s") % {"by": number(s.criteria.reliable_change)}
    return f"{text})."


def starters(session: Session, together: Together, rows: list[Administration]) -> list[str]:
    """What there is to say of a session, a sentence a line."""
    facts = {
        "day": date_format(session.held_on, "j F Y"),
        "status": session.get_status_display(),
        "minutes": session.meeting.minutes,
    }
    if session.status == Session.Status.BOOKED:  # nobody has said yet that they came
        said = [f"{facts['day']}."]
    else:
        said = [_("%(day)s: %(status)s, %(minutes)s minutes.") % facts]
    for seen in together.series:
        s = seen.picture.series
        if session.held_on not in s.dates:
            continue
        at = len(s.dates) - 1 - s.dates[::-1].index(session.held_on)
        said.append(_score(seen.picture.reading, at))
        if at == len(s.dates) - 1:  # where things stand is said of the last score
            said.append(seen.sentence)
    if together.alliance:
        said.append(together.alliance)
    for row in rows:
        whose = "" if row.respondent.relation == Respondent.Relation.SELF else str(row.respondent)
        title = f"{row.measure.title} ({whose})" if whose else row.measure.title
        if row.not_taken:
            why = row.get_not_taken_display()
            said.append(_("%(title)s: not taken, %(why)s.") % {"title": title, "why": why})
        elif whose and row.total is not None:
            total = number(float(row.total))
            said.append(_("%(title)s: %(total)s.") % {"title": title, "total": total})
    return said
