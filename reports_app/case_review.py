"""What the client page and the case review on paper share, and the PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.http import Http404
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from measures_app.answered import last_night_ended, waits_for_the_night
from measures_app.charts import course_both, course_svg, figure_table, number
from measures_app.models import Administration, Flag, Measure
from measures_app.picture import Picture, pictures_of
from measures_app.prognosis import held_to
from measures_app.sentences import class_words, headline, reached_words, starter_questions
from reports_app.noticed import Said, said_of
from reports_app.paper import render_pdf
from sessions_app import access, clinic_time
from sessions_app.models import (
    Assignment,
    CaseReview,
    Client,
    Episode,
    Installation,
    Meeting,
    Respondent,
    Session,
)
from sessions_app.prepared import Prepared

ROWS_ON_PAPER = 26
ROWS_BESIDE_OTHERS = 7
NEWLY = timedelta(days=60)  # so long a hand-over's summary lies open
GOOD_ALLIANCE_SHARE = 0.9  # of the measure's range


# What hangs on one client or episode that is in scope, asked for on each of these pages.
_RESPONDENTS = Prepared(lambda clients: Respondent.objects.filter(client__in=clients))
_EPISODES = Prepared(
    lambda episodes: (
        Episode.objects.filter(pk__in=episodes)
        .select_related("programme", "site")
        .order_by("-opened_on", "-pk")
    )
)
_OWN_SCORES = Prepared(
    lambda episodes: (
        Administration.objects.current()
        .filter(episode__in=episodes, session__isnull=False, respondent__relation="self")
        .select_related("measure", "supersedes")
    )
)
_SESSIONS = Prepared(
    lambda episodes: (
        Session.objects.filter(episode__in=episodes)
        .select_related("meeting")
        .order_by("held_on", "meeting__starts_at", "pk")
    )
)
_REPLACED = Prepared(
    lambda episodes: (
        Administration.objects.filter(episode__in=episodes)
        .exclude(superseded_at=None, voided=False)
        .select_related(
            "client__key",
            "measure",
            "superseded_by__client__key",
            "superseded_by__recorded_by",
            "voided_by",
        )
        .order_by("-taken_at")
    )
)
_LIVE_FLAGS = Prepared(
    lambda episodes: Flag.objects.live().filter(episode__in=episodes).select_related("respondent")
)
_REVIEWS = Prepared(
    lambda episodes: CaseReview.objects.filter(episode__in=episodes).select_related(
        "recorded_by", "result_by", "client__key"
    )
)
_LEAD = Prepared(
    lambda episodes: (
        Assignment.objects.filter(episode__in=episodes, part=Assignment.Part.LEAD, to_on=None)
        .select_related("clinician")
        .order_by("from_on", "pk")
    )
)


@dataclass(frozen=True)
class SessionRow:
    """A session as the list shows it, with its scores by purpose."""

    session: Session
    number: int | None
    outcome: str
    alliance: str


@dataclass(frozen=True)
class Shown:
    """A picture ready for a template: table and words, and SVG in the width that is asked for."""

    picture: Picture
    table: list[dict[str, str]]
    headline: str
    so_far: str
    facts: list[tuple[str, str]]
    outlook: list[tuple[str, str]]
    held_to: int  # ended clients that the outlook was held to
    provisional: str
    who: str

    @cached_property
    def svg(self) -> str:
        return course_svg(self.picture.figure)

    @cached_property
    def narrow(self) -> str:
        return course_svg(self.picture.figure, narrow=True)

    @cached_property
    def both(self) -> str:
        return course_both(self.picture.figure)


def _facts(picture: Picture) -> list[tuple[str, str]]:
    s = picture.series
    rows = [(_("first score"), number(s.scores[0])), (_("now"), number(s.scores[-1]))]
    if len(s.scores) > 1:
        rows.append((_("change"), f"{s.scores[-1] - s.scores[0]:+.1f}".replace("-", "−")))
    if s.criteria is not None:
        rows.append((_("a reliable change is"), number(s.criteria.reliable_change)))
        if s.criteria.cutoff is not None:
            rows.append((_("cutoff"), number(s.criteria.cutoff)))
    ahead = picture.reading.forecast_t
    if ahead and picture.figure.forecast:
        i = len(ahead) - 1
        low, high = picture.reading.forecast_low80[i], picture.reading.forecast_high80[i]
        words = _("likely at session %(t)d, if care goes on (80 %%)") % {"t": ahead[i]}
        rows.append((words, f"{number(low)} – {number(high)}"))
    return rows


def _outlook(picture: Picture) -> list[tuple[str, str]]:
    """How care may end if it goes on as now; empty where that can't be said."""
    chances = picture.reading.probabilities
    if not picture.figure.forecast or "deteriorated" not in chances:
        return []
    worse = chances["deteriorated"]
    rises = picture.figure.better == "lower"
    words = class_words("deteriorated", first=0.0, last=1.0 if rises else -1.0)
    if "not_improved" not in chances:  # no attainable score would be reliably better
        return [(words, _percent(worse))]
    better = 1 - chances["not_improved"]
    rows = [
        (_("reliably better at the end"), _percent(better)),
        (_("about as at the start"), _percent(max(0.0, 1 - better - worse))),
        (words, _percent(worse)),
    ]
    return [*rows, (_("sessions in all, on average"), f"{chances['sessions']:.0f}")]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def shown_pictures(episode: Episode) -> list[Shown]:
    found = []
    pictures = pictures_of(episode)
    others = any(picture.series.relation != "self" for picture in pictures)
    people = {r.pk: str(r) for r in _RESPONDENTS.objects([episode.client_id])} if others else {}
    for picture in pictures:
        s = picture.series
        found.append(
            Shown(
                picture=picture,
                table=figure_table(picture.figure),
                headline=headline(picture.reading),
                so_far=class_words(
                    picture.reading.change_class, first=s.scores[0], last=s.scores[-1]
                ),
                facts=_facts(picture),
                outlook=_outlook(picture),
                held_to=held_to(picture.reading.model),
                provisional=s.norm.provisional if s.norm else "",
                who="" if s.relation == "self" else people.get(s.respondent_id, s.relation),
            )
        )
    return found


def session_rows(episode: Episode) -> list[SessionRow]:
    """All sessions, newest first, with the client's own scores."""
    scored: dict[int, dict[str, str]] = {}
    ended = last_night_ended()
    for row in _OWN_SCORES.objects([episode.pk]):
        kind = "alliance" if row.measure.purpose == Measure.Purpose.ALLIANCE else "outcome"
        if row.total is not None:
            words = number(float(row.total)) + (" *" if row.supersedes_id else "")
            if waits_for_the_night(row, ended) and row.supersedes.total is not None:
                words += " " + _("(was %s)") % number(float(row.supersedes.total))
        else:
            words = str(row.get_not_taken_display()) if row.not_taken else "incomplete"
        scored.setdefault(row.session_id or 0, {})[kind] = words
    count, rows = 0, []
    for session in _SESSIONS.objects([episode.pk]):
        session.episode = episode
        counts = (
            session.status == Session.Status.ATTENDED
            and session.meeting.kind == Meeting.Kind.TREATMENT
        )
        count += counts
        values = scored.get(session.pk, {})
        rows.append(
            SessionRow(
                session,
                count if counts else None,
                values.get("outcome", ""),
                values.get("alliance", ""),
            )
        )
    return rows[::-1]


def corrections_of(episode: Episode) -> list[Administration]:
    """Scores that were corrected or voided: the old value stays visible."""
    return _REPLACED.objects([episode.pk])


def chosen_episode(
    client: Client, user: Any, wanted: str | None = None, *, for_review: bool = False
) -> Episode:
    """The episode in the address, else the newest open one, else the newest.

    For a review an open one with something to review goes first.
    """
    return _choose(_episodes(client, user), wanted, for_review=for_review)


def _episodes(client: Client, user: Any) -> list[Episode]:
    seen = getattr(client, "episodes_seen", None)  # of who asked for this page, read just now
    found: list[Episode] = _EPISODES.objects(seen or access.episodes_seen(user, client.pk))
    return found


def _choose(episodes: list[Episode], wanted: str | None, *, for_review: bool) -> Episode:
    if wanted:
        episodes = [episode for episode in episodes if str(episode.pk) == wanted]
    if not episodes:
        raise Http404
    open_ones = [episode for episode in episodes if episode.is_open]
    if for_review and len(open_ones) > 1:
        flagged = set(
            Flag.objects.live()
            .for_review()
            .filter(episode__in=open_ones)
            .values_list("episode", flat=True)
        )
        open_ones.sort(key=lambda episode: episode.pk not in flagged)
    return (open_ones or episodes)[0]


def noticed_of(flags: list[Flag]) -> list[tuple[str, str, list[Said]]]:
    """What was noticed, as (badge style, badge words, sentences): reviews, good news, prompts."""
    said = said_of(flags)
    groups = (
        ("invite", _("worth a conversation"), [s for s in said if s.asks_for_review]),
        ("good", _("good news"), [s for s in said if s.good_news]),
        ("", _("to talk about in the session"), [s for s in said if s.kind == Flag.Kind.PROMPT]),
    )
    return [group for group in groups if group[2]]


def _good_alliance(pictures: list[Shown]) -> bool:
    for shown in pictures:
        alliance = shown.picture.figure.alliance
        if alliance:
            return alliance[-1][1] >= GOOD_ALLIANCE_SHARE * shown.picture.figure.alliance_high
    return False


def _reached(episode: Episode, pictures: list[Shown]) -> str:
    """One sentence about an ended episode; nothing is summed up of somebody who died."""
    if episode.is_open or episode.ending == Episode.Ending.DIED:
        return ""
    return reached_words(pictures[0].picture.reading if pictures else None)


def case_context(
    client: Client, user: Any, wanted: str | None = None, *, for_review: bool = False
) -> dict[str, Any]:
    """Everything that is said about a client, for page and paper alike."""
    there = _episodes(client, user)
    episode = _choose(there, wanted, for_review=for_review)
    episode.client = client
    pictures = shown_pictures(episode)
    # The episode is in scope, and with it everything that hangs on it.
    flags = _LIVE_FLAGS.objects([episode.pk])
    reviews = _REVIEWS.objects([episode.pk])
    lead = next(iter(_LEAD.objects([episode.pk])), None)
    if lead is not None:
        lead.episode = episode  # whose client's key opens the summary
    rows = session_rows(episode)
    held = [row for row in rows if row.number is not None]
    rules = [flag.rule for flag in flags if flag.kind == Flag.Kind.REVIEW]
    return {
        "client": client,
        "episode": episode,
        "others": [other for other in there if other.pk != episode.pk],
        "lead": lead,
        "lead_is_new": lead is not None and lead.from_on > clinic_time.today() - NEWLY,
        "reached": _reached(episode, pictures),
        "pictures": pictures,
        "main": pictures[0] if pictures else None,
        "noticed": noticed_of(flags),
        "reviews": reviews[::-1],
        "sessions": rows,
        "session_count": len(held),
        "next_number": len(held) + 1,
        "booked_today": next(
            (
                row.session
                for row in rows
                if row.session.status == Session.Status.BOOKED
                and row.session.held_on == clinic_time.today()
            ),
            None,
        ),
        "corrections": corrections_of(episode),
        "questions": starter_questions(rules, good_alliance=_good_alliance(pictures)),
        "today": clinic_time.today(),
    }


def on_paper(client: Client, user: Any, wanted: str | None = None) -> dict[str, Any]:
    """What the two pages of a case show: the page's context, cut to their room."""
    context = case_context(client, user, wanted, for_review=True)
    installation = Installation.objects.first()
    context["clinic_name"] = installation.clinic_name if installation else ""
    context["printed"] = date_format(clinic_time.today(), "j F Y")
    rows = context["main"].table if context["main"] else []
    context["table_rows"] = rows[-ROWS_ON_PAPER:]
    context["table_cut"] = max(0, len(rows) - ROWS_ON_PAPER)
    # Two pages hold the others' pictures where the table is short.
    room = len(context["table_rows"]) <= ROWS_BESIDE_OTHERS
    context["beside"] = context["pictures"][1:3] if room else []
    return context


def case_review_html(client: Client, user: Any, wanted: str | None = None) -> str:
    return render_to_string("paper/case_review.html", on_paper(client, user, wanted))


def case_review_pdf(client: Client, user: Any, wanted: str | None = None) -> bytes:
    """Two pages for a ten-minute talk: the same picture and numbers as the screen."""
    return render_pdf(case_review_html(client, user, wanted))
