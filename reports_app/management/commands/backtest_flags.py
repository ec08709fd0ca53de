from __future__ import annotations

import json
import sys
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reports_app.backtest import WAYS, NoHistory, run_backtest
from reports_app.replay import EVERY_DAYS
from reports_app.rules_text import WARNS_OF
from sessions_app import clinic_time

BAD_INPUT = 2


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text} is no date such as 2026-10-31.", returncode=BAD_INPUT) from None


def _percent(share: dict[str, float | None]) -> str:
    if share["value"] is None:
        return "–"
    return f"{share['value']:.0%} ({share['low']:.0%} to {share['high']:.0%})"


class Command(BaseCommand):
    help = (
        "What each flag rule would have raised on the clinic's own history, and what it would "
        "have caught and missed. Nothing is changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--as-of", help="the history's last day (today)")
        parser.add_argument("--every", type=int, default=EVERY_DAYS, help="days between two looks")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["every"] < 1:
            raise CommandError("--every is a number of days from 1 on.", returncode=BAD_INPUT)
        as_of = _day(options["as_of"]) if options["as_of"] else clinic_time.today()
        try:
            found = run_backtest(as_of, every=options["every"], progress=self._progress)
        except NoHistory as problem:
            raise CommandError(str(problem), returncode=BAD_INPUT) from None
        self.stdout.write(json.dumps(found) if options["json"] else self._text(found))

    def _progress(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{done} of {total} looks", ending="" if done < total else "\n")

    def _text(self, found: dict[str, Any]) -> str:
        episodes = found["episodes"]
        lines = [
            f"{found['from']} to {found['to']}, a look every {found['every_days']} days",
            f"{episodes['judged']} ended episodes judged, {episodes['not_judged_yet']} not yet "
            f"(opened after {episodes['judged_until']})",
            f"{found['entries_per_supervisor_week']:g} clients a supervisor and week, "
            f"{found['budget_per_week']} is the room",
        ]
        for rule in found["rules"]:
            lines.append(
                f"  {rule['rule']} (warns of: {WARNS_OF[rule['warns_of']]}): "
                f"{rule['raised_per_week']:g} a week"
            )
            if "note" in rule:
                lines.append(f"    {rule['note']}")
                continue
            lines.append(
                f"    caught {rule['caught']}, not caught {rule['missed']}, for nothing "
                f"{rule['false']} of {rule['episodes']}; sensitivity "
                f"{_percent(rule['sensitivity'])}, specificity {_percent(rule['specificity'])}"
            )
        for row in found["forecasts"]:
            place = f"  last score after session {row['session']} ({row['measure']}, n {row['n']})"
            if "growth" not in row:
                lines.append(f"{place}: too few to say")
                continue
            errors = ", ".join(f"{way} {row[way]:.2f}" for way in WAYS)
            lines.append(f"{place}: usual distance {errors}")
        return "\n".join(lines)
