"""Files on their way in through the page: brought, looked at, tried, imported, forgotten."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from django.db import transaction

from measures_app import imports
from measures_app.actions.imports import ImportResult, import_what_can_be, known_versions
from measures_app.models import ImportDraft
from sessions_app import audit, clinic_time, outbox, progress, rights
from sessions_app.atomic import action
from sessions_app.context import acting_as, system
from sessions_app.models import Job

KIND = "import"
KEPT_FOR = timedelta(days=1)
KEPT_PROBLEMS = 20_000
LONG = 4000  # rows beyond which a person shouldn't have to wait with the page
PREVIEW, IMPORT, SET_ASIDE = "preview", "import", "set_aside"
WAYS = (PREVIEW, IMPORT, SET_ASIDE)


@action
def bring_file(*, name: str, content: bytes, by: Any) -> ImportDraft:
    """Keep a file, sealed, until it is imported or a day has passed."""
    rights.require(by, "import_scores")
    draft = ImportDraft(user=by, name=name[:120])
    draft.keep(content)
    draft.save(force_insert=True)
    audit.record("file brought", by=by, bytes=len(content))
    return draft


def stored_mapping(draft: ImportDraft) -> imports.Mapping | None:
    """What was last chosen for the file."""
    return imports.Mapping(**json.loads(draft.mapping)) if draft.mapping else None


@action
def try_file(*, draft: ImportDraft, mapping: imports.Mapping, do: str, by: Any) -> Job | None:
    """Preview or import the file, at once or, a long one, as a job that can be left."""
    rights.require(by, "import_scores")
    draft.mapping = json.dumps(asdict(mapping))
    draft.keep_report(None)
    table = imports.read_table(draft.content)
    audit.record("file read", by=by, do=do, rows=len(table))
    if len(table) <= LONG:
        draft.job = None
        carry_out(draft=draft, table=table, do=do, by=by)
        return None
    draft.job = Job.objects.create(
        kind=KIND, total=len(table), payload={"draft": str(draft.pk), "do": do}, created_by=by
    )
    draft.save()
    outbox.promise(KIND, {"job": str(draft.job.pk)})
    return draft.job


def run_job(job: Job) -> None:
    """Do what the job was made for; run again it finds itself done. In the worker's transaction."""
    job = Job.objects.select_for_update().get(pk=job.pk)
    draft = ImportDraft.objects.select_for_update().filter(pk=job.payload["draft"]).first()
    if job.finished_at is not None:
        return
    if draft is None:
        job.state, job.problem = Job.State.STOPPED, "The file was taken away meanwhile."
    elif not rights.may(job.created_by, "import_scores"):
        job.state, job.problem = Job.State.STOPPED, "The right to import was taken away meanwhile."
    else:
        table = imports.read_table(draft.content)
        carry_out(
            draft=draft,
            table=table,
            do=job.payload["do"],
            by=job.created_by,
            tell=lambda done: progress.tell(job.pk, done),
        )
        job.state, job.done = Job.State.DONE, job.total
    job.finished_at = clinic_time.now()
    job.save()


def carry_out(
    *,
    draft: ImportDraft,
    table: imports.Table,
    do: str,
    by: Any,
    tell: Callable[[int], None] | None = None,
) -> None:
    """Read, write, and keep or take back; the draft's report says what came of it.

    A preview writes everything and takes it back, so that it says what an import would. The
    rows are the system's to look up: who imports needn't be allowed to see a client, and the
    report quotes nothing but the file.
    """
    mapping = stored_mapping(draft)
    if mapping is None:
        raise imports.MappingProblem("Say first what the columns mean.")
    with acting_as(system("import")):
        records, problems = imports.read_rows(table, mapping, known_versions(), tell)
        if tell is not None:
            tell(len(table))
        with transaction.atomic():
            result, more = import_what_can_be(records=records, mapping=mapping, by=by)
            problems = sorted(problems + more, key=lambda problem: problem.row)
            kept = do == SET_ASIDE or (do == IMPORT and not problems)
            if not kept:
                transaction.set_rollback(True)
        _keep_report(draft, table, do if kept else PREVIEW, result, problems)
        if kept and problems:
            aside = io.StringIO(newline="")
            imports.set_aside(table, problems, aside)
            draft.keep(aside.getvalue().encode())
            draft.mapping = json.dumps(asdict(replace(mapping, encoding="")))
            audit.record("rows set aside", by=by, rows=len({p.row for p in problems}))
        draft.save()


def _keep_report(
    draft: ImportDraft,
    table: imports.Table,
    did: str,
    result: ImportResult,
    problems: list[imports.Problem],
) -> None:
    draft.keep_report(
        {
            "did": did,
            "rows": len(table),
            "result": asdict(result),
            "problems": [problem.as_dict() for problem in problems[:KEPT_PROBLEMS]],
            "count": len(problems),
            "bad_rows": len({problem.row for problem in problems}),
            "columns": Counter(problem.column for problem in problems).most_common(),
        }
    )


def bad_rows_of(draft: ImportDraft) -> bytes:
    """The bad rows of the last try with their reasons, as a CSV file; those set aside as such."""
    report = draft.report or {"did": PREVIEW, "problems": []}
    if report["did"] != PREVIEW:
        return draft.content
    aside = io.StringIO(newline="")
    problems = [imports.Problem(**problem) for problem in report["problems"]]
    imports.set_aside(imports.read_table(draft.content), problems, aside)
    return aside.getvalue().encode()


@action
def forget_drafts(*, by: Any) -> int:
    """Take files away that nobody came back to within a day."""
    old = ImportDraft.objects.filter(created_at__lt=clinic_time.now() - KEPT_FOR)
    count, _by_model = old.delete()
    if count:
        audit.record("import files forgotten", by=by, files=count)
    return count
