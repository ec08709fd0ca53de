"""What the clinic's weekly room asks of the rules: the line from which a reason becomes a flag.

The line is priced on the newest year in which chances were told, with every rule and every series
at once, and each flag taken to be decided within the week. It becomes the clinic's by a policy
with a date (`notice_above`). Where it follows the count (`line_follows_count`) it moves a little
from week to week by how many flags there were, never by what came of them.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, timedelta
from typing import Any

import numpy as np

from measures_app.psychometrics import budget
from reports_app.looked_back_on import FEWEST_JUDGED, History, positives
from reports_app.replay import Raised, Replay

YEAR = timedelta(days=364)
FEWEST_WEEKS = 13  # a quarter: fewer weeks price the luck of a season
ROOMS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)  # times the clinic's own
DECIMALS = 4
ABOUT_CHANGE = ("deteriorated", "not_on_track", "no_progress")


def _share(top: int, of: int) -> float | None:
    return round(top / of, 4) if of else None


def _caught(raised: list[Raised], ended: dict[int, bool]) -> dict[str, float | None]:
    """Of judged episodes: who was ever noticed by a rule about change."""
    noticed = {flag.episode for flag in raised if flag.rule in ABOUT_CHANGE}
    ids = np.array(list(ended), dtype=np.int64)
    positive = np.array(list(ended.values()), dtype=bool)
    flagged = np.isin(ids, list(noticed))
    hits = int((flagged & positive).sum())
    return {
        "sensitivity": _share(hits, int(positive.sum())),
        "specificity": _share(int((~flagged & ~positive).sum()), int((~positive).sum())),
        "ppv": _share(hits, int(flagged.sum())),
    }


def _at(
    replay: Replay, line: float, since: date, weeks: float, ended: dict[int, bool]
) -> dict[str, Any]:
    return {"threshold": line} | _told(replay.at(line), since, weeks, ended)


def _following(
    replay: Replay, line: float, room: float, since: date, weeks: float, ended: dict[int, bool]
) -> dict[str, Any]:
    """The same of a line that follows the count, and where between it would have lain."""
    raised, lines = replay.following(line, room, since)
    told = [one for day, one in lines.items() if day >= since]
    between = {"lowest": round(min(told), DECIMALS), "highest": round(max(told), DECIMALS)}
    return between | _told(raised, since, weeks, ended)


def _told(
    raised: list[Raised], since: date, weeks: float, ended: dict[int, bool]
) -> dict[str, Any]:
    late = [flag for flag in raised if flag.on >= since]
    rules = Counter(flag.rule for flag in late)
    return {
        "per_week": round(len(late) / weeks, 3),
        "cases_per_week": round(len({(f.on, f.episode) for f in late}) / weeks, 3),
        "by_rule": {rule: round(n / weeks, 3) for rule, n in sorted(rules.items())},
        **_caught(raised, ended),
    }


def priced(history: History, replay: Replay) -> dict[str, Any]:
    """Lines for some rooms, and the one for the clinic's own; what isn't known yet is said.

    Returns
    -------
    dict
        ``room`` flags a week in the whole clinic; ``notice_above`` the line that keeps it, None
        where too little is known; ``settings`` what other lines would have raised and caught;
        ``following`` the same of the room's line, had it followed the count.
    """
    room = float(history.budget * history.supervisors)
    since = max(replay.foretold_from or history.last, history.last - YEAR)
    weeks = (history.last - since).days / 7
    told: dict[str, Any] = {"room": room, "weeks": round(weeks, 1), "notice_above": None}
    told["in_force"] = replay.constants.notice_above
    ended = positives(history)
    if weeks < FEWEST_WEEKS or len(ended) < FEWEST_JUDGED:
        return told | {
            "note": f"not known yet: {weeks:.0f} weeks with chances and {len(ended)} episodes "
            f"judged; {FEWEST_WEEKS} and {FEWEST_JUDGED} are needed",
            "settings": [],
        }
    cases = list(replay.cases.values())
    silent, first = replay.constants.silent_sessions, since.toordinal()

    def line(of: float) -> float:
        # Upwards: a line a little lower would raise what there is no room for.
        found = budget.line_for(cases, of, first, weeks, silent)
        return math.ceil(found * 10**DECIMALS) / 10**DECIMALS

    lines = sorted({line(share * room) for share in ROOMS} | {0.0})
    own = line(room)
    return told | {
        "since": since.isoformat(),
        "judged": len(ended),
        "notice_above": own,
        "now": _at(replay, replay.constants.notice_above, since, weeks, ended),
        "at_room": _at(replay, own, since, weeks, ended)
        | {"again": [round(x, 3) for x in budget.again(cases, own, first, weeks, silent)]},
        "following": _following(replay, own, room, since, weeks, ended) if own else None,
        "settings": [_at(replay, one, since, weeks, ended) for one in lines],
    }
