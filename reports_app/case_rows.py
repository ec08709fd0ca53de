"""Case rows for researchers: a zip of de-identified rows with its dictionary, made by the worker.

An episode a row, and a row a score. Programmes under restriction and erased clients aren't in it,
nor what somebody wrote or a clinic recorded of a person beyond the columns here.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, fields
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Max, Min, QuerySet, TextField, Value
from django.db.models.functions import MD5, Cast, Concat

from measures_app.models import Administration
from reports_app.case_columns import COLUMNS, DATES, READ, README, SCORE_COLUMNS, dictionary
from reports_app.case_rules import RECOGNISED_BY, rules_of, told, values_of
from reports_app.deidentify import GROUPED, Secret, moved
from reports_app.editions import defused, number_text
from reports_app.models import CaseRows, CaseRowsPart, EpisodeSummary
from reports_app.models.files import KEPT_FOR
from reports_app.scales import Scale, scales
from sessions_app import audit, clinic_time, outbox, policies, progress, rights
from sessions_app.atomic import action
from sessions_app.context import acting_as, system, user_of
from sessions_app.models import Job

KIND = "case rows"
PART_BYTES = 1 << 20
TOLD_EACH = 1000
NOBODY = "No episode was opened in these years, or too few to be exported."


class PartsWriter(io.RawIOBase):
    """A file that is sealed and stored part by part while it is written."""

    def __init__(self, file: CaseRows) -> None:
        self.file, self.number, self.held = file, 0, bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.held += content
        while len(self.held) >= PART_BYTES:
            self._store(PART_BYTES)
        return len(content)

    def finish(self) -> None:
        if self.held:
            self._store(len(self.held))

    def _store(self, size: int) -> None:
        part = CaseRowsPart(file=self.file, number=self.number)
        part.keep(bytes(self.held[:size]))
        part.save()
        del self.held[:size]
        self.number += 1


def _chosen(first_year: int, last_year: int) -> QuerySet[EpisodeSummary]:
    return EpisodeSummary.objects.filter(
        opened_on__year__gte=first_year,
        opened_on__year__lte=last_year,
        programme__restricted=False,
        client__key__destroyed_at=None,
    )


def _in_random_order(rows: QuerySet[Any], secret: Secret, *then: str) -> QuerySet[Any]:
    of_client = Concat(Value(secret.salt), Cast(F("client_id"), TextField()))
    return rows.order_by(MD5(of_client), "client_id", *then, "pk")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return number_text(value)
    return "" if value is None else defused(str(value))


def _write(
    archive: zipfile.ZipFile, name: str, header: Iterable[str], rows: Iterable[Iterable[Any]]
) -> int:
    """A CSV in the archive; how many rows."""
    count = 0
    with archive.open(name, "w") as raw, io.TextIOWrapper(raw, "utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow([_cell(value) for value in row])
            count += 1
    return count


def make_case_rows(
    out: Any, first_year: int, last_year: int, *, tell: Callable[[int], None]
) -> dict[str, int]:
    """Write the archive; rows by file. Call as the system: whoever asked sees no client's row.

    Raises
    ------
    ValidationError
        When there are too few to write anything.
    """
    least = int(policies.get("small_cell_limit"))
    secret, chosen = Secret(), _chosen(first_year, last_year)
    rules = rules_of(chosen, least)
    if not any(written is not None for written in rules.written.values()):
        raise ValidationError(NOBODY)
    done = left_out = 0

    def episodes() -> Iterator[list[Any]]:
        nonlocal done, left_out
        rows = _in_random_order(chosen, secret).values("client_id", "episode_id", *READ.values())
        for row in rows.iterator(chunk_size=2000):
            done += 1
            if done % TOLD_EACH == 0:
                tell(done)
            values = rules.of(values_of(row))
            if values is None:
                left_out += 1
                continue
            shift = secret.shift(row["client_id"])
            values |= {name: moved(values[name], shift) for name in DATES}
            values["case"] = secret.code("client", row["client_id"])
            values["episode"] = secret.code("episode", row["episode_id"])
            yield [values[name] for name in COLUMNS]

    def scores() -> Iterator[list[Any]]:
        nonlocal done
        series: Counter[Any] = Counter()
        last = None
        of = {name: f"episode__summary__{path}" for name, path in READ.items()}
        rows = _in_random_order(
            Administration.objects.scored().filter(episode__summary__in=chosen), secret, "taken_on"
        ).values(
            "client_id", "episode_id", "taken_on", "total", "respondent__relation",
            "measure__code", *of.values(),
        )  # fmt: skip
        for row in rows.iterator(chunk_size=2000):
            done += 1
            if done % TOLD_EACH == 0:
                tell(done)
            values = rules.of(values_of({path: row[of[name]] for name, path in READ.items()}))
            measure, relation = row["measure__code"], row["respondent__relation"]
            if values is None or measure not in measures or relation not in relations:
                continue
            if row["client_id"] != last:
                last = row["client_id"]
                series.clear()
            series[row["episode_id"], measure, relation] += 1
            too_many = series[row["episode_id"], measure, relation] > rules.tops["scores"]
            if too_many or row["taken_on"] > rules.last_day(values["opened_on"]):
                continue
            yield [
                secret.code("client", row["client_id"]),
                secret.code("episode", row["episode_id"]),
                moved(row["taken_on"], secret.shift(row["client_id"])),
                relation, measure, float(row["total"]),
            ]  # fmt: skip

    measures, relations = _common_scores(chosen, least)
    written = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        years = str(first_year) if first_year == last_year else f"{first_year} to {last_year}"
        archive.writestr("README.txt", README.format(
            years=years, least=least, grouped=GROUPED, combined=", ".join(RECOGNISED_BY)
        ))  # fmt: skip
        written["episodes"] = _write(archive, "episodes.csv", COLUMNS, episodes())
        written["scores"] = _write(archive, "scores.csv", SCORE_COLUMNS, scores())
        asked = {measure for measure in measures | rules.common["measure"] if measure}
        _write(
            archive, "measures.csv", [f.name for f in fields(Scale)], map(astuple, scales(asked))
        )
        _write(archive, "dictionary.csv", ("file", "column", "kind", "meaning"), dictionary())
        _write(archive, "grouped.csv", ("column", "what"), told(rules, left_out))
    return written


def _common_scores(chosen: QuerySet[EpisodeSummary], least: int) -> tuple[set[Any], set[Any]]:
    """Measures, and relations of respondents, with scores of enough people."""
    rows = Administration.objects.scored().filter(episode__summary__in=chosen).order_by()
    found = []
    for column in ("measure__code", "respondent__relation"):
        pairs = rows.values_list(column, "client_id").distinct().iterator(chunk_size=2000)
        counts = Counter(value for value, _client in pairs)
        found.append({value for value, n in counts.items() if n >= least})
    return found[0], found[1]


def years() -> list[int]:
    """Years in which episodes were opened; call as the system."""
    ends = EpisodeSummary.objects.aggregate(first=Min("opened_on"), last=Max("opened_on"))
    if ends["first"] is None:
        return []
    return list(range(ends["first"].year, ends["last"].year + 1))


def files_of(user: Any) -> QuerySet[CaseRows]:
    """A person's files that are kept still, newest first."""
    since = clinic_time.now() - KEPT_FOR
    return CaseRows.objects.filter(user=user, created_at__gt=since).select_related("job")


@action
def ask_for_case_rows(*, first_year: int, last_year: int, by: Any) -> CaseRows:
    """Have the worker make the rows of some years; those being made for the person serve."""
    rights.require(by, "export_reports")
    if last_year < first_year:
        raise ValidationError({"last_year": "The last year lies before the first."})
    running = files_of(user_of(by)).filter(
        job__finished_at=None, first_year=first_year, last_year=last_year
    )
    if (there := running.first()) is not None:
        return there
    with acting_as(system("case rows")):
        chosen = _chosen(first_year, last_year)
        total = chosen.count() + Administration.objects.scored().filter(
            episode__summary__in=chosen).count()  # fmt: skip
    job = Job.objects.create(kind=KIND, total=total, created_by=user_of(by))
    file = CaseRows.objects.create(
        user=user_of(by), job=job, first_year=first_year, last_year=last_year
    )
    outbox.promise(KIND, {"job": str(job.pk)})
    audit.record(
        "case rows asked for", subject_kind="case rows", subject=file.pk, by=by,
        first_year=first_year, last_year=last_year,
    )  # fmt: skip
    return file


def carry_out_case_rows(job_id: Any) -> None:
    """Do what a job was made for; run again it finds itself done. In the worker's transaction."""
    job = Job.objects.select_for_update().get(pk=job_id)
    file = CaseRows.objects.select_related("user").filter(job=job).first()
    if job.finished_at is not None or file is None:
        return
    try:
        if not rights.may(file.user, "export_reports"):
            raise ValidationError(NOBODY)
        with transaction.atomic():
            out = PartsWriter(file)
            job.result = make_case_rows(
                out, file.first_year, file.last_year, tell=lambda n: progress.tell(job.pk, n)
            )
            out.finish()
        job.state, job.done = Job.State.DONE, job.total
    except ValidationError as problem:
        job.state, job.problem = Job.State.STOPPED, " ".join(problem.messages)
    job.finished_at = clinic_time.now()
    job.save()


def file_for(pk: Any, user: Any) -> CaseRows | None:
    """A finished file of this person's, while it is kept."""
    found = files_of(user).filter(pk=pk, job__state=Job.State.DONE).first()
    return found


def sent(file: CaseRows) -> Iterator[bytes]:
    """The file's bytes, a part at a time."""
    for pk in list(file.parts.values_list("pk", flat=True)):
        yield CaseRowsPart.objects.get(pk=pk).content


@action
def forget_case_rows(*, by: Any) -> int:
    """Take away files that are a day old; what was made, for whom and when stays in the audit."""
    old = CaseRows.objects.filter(created_at__lte=clinic_time.now() - KEPT_FOR)
    found = list(old)
    old.delete()
    if found:
        audit.record("case rows forgotten", by=by, files=len(found))
    return len(found)
