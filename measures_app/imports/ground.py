"""What an import stands on: rows by the names that the file uses for them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from measures_app.imports.referred import Referred
from measures_app.imports.rows import Problem, Record
from sessions_app.models import Client, Clinician, Episode, Respondent, Site

BATCH = 2000
EpisodeKey = tuple[str, str]  # the file's client, our reference


@dataclass
class Ground:
    """Looked-up and new rows by the names that the file uses for them."""

    clients: dict[str, Client] = field(default_factory=dict)
    respondents: dict[tuple[str, str], Respondent] = field(default_factory=dict)
    episodes: dict[EpisodeKey, Episode] = field(default_factory=dict)
    clinicians: dict[str, Clinician] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    problems: list[Problem] = field(default_factory=list)

    def refuse(
        self, record: Record | Referred, column: str, value: Any, why: str, stored: Any
    ) -> None:
        self.problems.append(Problem(record.row, column, str(value), why, str(stored)))


def named(ground: Ground, model: Any, names: set[str], kind: str) -> dict[str, Any]:
    found = {row.name: row for row in model.objects.filter(name__in=names)}
    new = [model(name=name) for name in sorted(names - set(found))]
    ground.created[kind] += len(new)
    return found | {row.name: row for row in model.objects.bulk_create(new)}
