"""Run the command as a person would: a file, perhaps a mapping, and what came of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from measures_app.models import Administration
from sessions_app.context import acting_as
from sessions_app.models import Client, Clinician, Episode, ExternalId, Programme, Session, Site
from tests.cast import BY


@dataclass
class Outcome:
    """What the command printed and how it ended."""

    code: int
    report: dict[str, Any]
    said: str

    @property
    def errors(self) -> list[dict[str, Any]]:
        return self.report["errors"]

    def error(self) -> dict[str, Any]:
        assert len(self.errors) == 1, self.errors
        return self.errors[0]


Run = Callable[..., Outcome]


@pytest.fixture
def run(db: Any, tmp_path: Path) -> Run:
    """`run(content, *options, mapping=..., name=...)`: bytes or text in, an Outcome out."""

    def import_scores(
        content: bytes | str | Path, *options: str, mapping: str = "", name: str = "scores.csv"
    ) -> Outcome:
        if isinstance(content, Path):
            file = content
        else:
            file = tmp_path / name
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        arguments = [str(file), "--json", *options]
        if mapping:
            (tmp_path / "mapping.toml").write_text(mapping, encoding="utf-8")
            arguments += ["--mapping", str(tmp_path / "mapping.toml")]
        out, err, code = io.StringIO(), io.StringIO(), 0
        try:
            call_command("import_scores", *arguments, stdout=out, stderr=err)
        except CommandError as problem:
            code, said = problem.returncode, str(problem)
        except SystemExit as problem:
            code, said = int(problem.code or 0), ""
        else:
            said = ""
        printed = out.getvalue()
        return Outcome(code, json.loads(printed) if printed else {}, said + err.getvalue())

    return import_scores


COUNTED = (Client, ExternalId, Clinician, Programme, Site, Episode, Session, Administration)


def counts() -> dict[str, int]:
    """Rows by table: what an import may have written."""
    with acting_as(BY):
        return {model.__name__: model.objects.count() for model in COUNTED}


def scores_of(client: str) -> list[tuple[Any, ...]]:
    """A client's scores by the file's number: (day, measure, total), in order."""
    with acting_as(BY):
        return [
            (str(row.taken_on), row.measure.code, row.total)
            for row in Administration.objects.current()
            .filter(client__external_ids__value=client)
            .select_related("measure")
            .order_by("taken_on", "taken_at", "pk")
        ]
