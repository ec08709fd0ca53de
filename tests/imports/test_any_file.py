"""Whatever lies in a file, its reader reads it or refuses it in its own words; nothing else."""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client as Browser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from measures_app import fhir, measures
from measures_app.actions.imports import ImportRefused, import_records, known_versions
from measures_app.definition_reader import parse_definition
from measures_app.definitions import DefinitionProblem
from measures_app.imports import (
    MappingProblem,
    TableProblem,
    long_form,
    parse_mapping,
    read_rows,
    read_table,
)
from outcomes_site.backups import sealed
from sessions_app import clinic_time, erasure_ledger, known_passwords, seals_outside
from sessions_app.context import acting_as
from tests.cast import BY, Clinic
from tests.fhir.papers import nine_questions
from tests.measures.documents import SHORT

A_FEW = 10
EXAMPLES = int(os.environ.get("OUTCOMES_FUZZ_EXAMPLES", "1000"))
ODD = [
    b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\n\n", b'"', b"'", b",", b";", b"\t",
    b"[" * 400, b"{" * 400, b"]", b"}", b"NaN",
    b"Infinity", b"1e999", b"-1", b"9" * 400, b"9" * 5000, b"1_0", b"0x1",
    b"2024-02-30", b"0000-00-00", b"9999-12-31", b"1900-01-00", b"null", b"true", b"[]", b"{}",
    b"\xed\xa0\x80", b"\\ud800", "İß ﷽".encode(), b"=1+1", b"sep=,", b"<!ENTITY a 'b'>", b"%s",
]  # fmt: skip
# One word or text of a file, and what may stand there in its stead.
WORD = re.compile(rb'"[^"\n]*"|[\w.+-]+')
VALUES = [
    b"[]", b"{}", b"[[]]", b'{"a": 1}', b"{a = 1}", b'["a"]', b"[1]", b"null", b"true", b'""',
    b'" "', "²".encode(), b"0001-01-01", b"9999-12-31", b"00:00", b"23:59",
    b"0", b"-1", b"1e999", b"-1e999", b"1e-999", b"inf", b"nan", b"NaN",
    b"Infinity", b"9" * 5000, b'"9999-12-31"', b"2024-01-31", b"2024-01-31T10:00:00Z",
    b'"\\ud800"', b'"\\u0000"',
    b'"' + b"x" * 3000 + b'"',
]  # fmt: skip
CSV = (
    b"client,session_date,measure,total,item_1,clinician,programme,opened_on,ended_on,ending,"
    b"attendance,respondent,birth_year\n"
    b"A,2024-01-08,phq-9,18,,Mia,Talking,2024-01-01,,,attended,self,1980\n"
    b"B,2024-01-09,outcome-adult,,4.5,Jon,Talking,2024-01-01,2024-03-01,agreed,attended,carer,\n"
)
MAPPING = b"""measure = "phq-9"
[columns]
client = "c"
session_date = "d"
total = "t"
[constants]
date_format = "%d/%m/%Y"
programme = "Talking"
[values.attendance]
yes = "attended"
"""
RESPONSE = {
    "resourceType": "QuestionnaireResponse",
    "status": "completed",
    "authored": "2024-01-08T10:00:00Z",
    "item": [
        {"linkId": "one", "answer": [{"valueInteger": 1}]},
        {"linkId": "two", "answer": [{"valueDecimal": 2.0}]},
    ],
}
KEYS = {"2026-01": bytes(32)}


def _xlsx() -> bytes:
    book, file = Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for line in CSV.decode().splitlines():
        sheet.append(line.split(","))
    book.save(file)
    return file.getvalue()


def _backup() -> bytes:
    file = io.BytesIO()
    writer = sealed.Writer(file, "2026-01", KEYS["2026-01"], {"made_at": "2026-01-01"})
    writer.all_of(b"m", b"{}")
    writer.all_of(b"d", b"rows" * 50)
    writer.finish()
    return file.getvalue()


def _lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _at(content: bytes, read: Callable[[Path], Any]) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        read(Path(file.name))


def _definition(content: bytes) -> None:
    parse_definition(content.decode(errors="replace"))


def _questionnaire(content: bytes) -> None:
    fhir.read_measure(content, side={"better": "lower"}, known=())


def _response(content: bytes) -> None:
    fhir.read_response(parse_definition(SHORT), content)


def _whole_backup(content: bytes) -> None:
    list(sealed.frames(io.BytesIO(content), KEYS))


def _seals(content: bytes) -> None:
    seals_outside._read(content, Path("seals"))


READERS: dict[str, tuple[list[bytes], Callable[[bytes], Any], type[Exception] | tuple[Any, ...]]]
READERS = {
    "table": ([CSV, CSV.replace(b",", b";"), CSV.decode().encode("utf-16"), _xlsx()],
              read_table, TableProblem),
    "mapping": ([MAPPING], lambda c: parse_mapping(c.decode(errors="replace")), MappingProblem),
    "definition": ([SHORT.encode()], _definition, DefinitionProblem),
    "questionnaire": ([json.dumps(nine_questions()).encode()], _questionnaire,
                      (fhir.FhirProblem, DefinitionProblem)),
    "further facts": ([b'better = "lower"\nlanguage = "en"\nscored = ["a"]\n'],
                      lambda c: fhir.read_side(c.decode(errors="replace")), fhir.FhirProblem),
    "answers": ([json.dumps(RESPONSE).encode()], _response, fhir.FhirProblem),
    "backup": ([_backup()], _whole_backup, sealed.NotReadable),
    "erasures": ([_lines({"client": "K7P2QX", "at": "2026-01-01", "reason": "asked"})],
                 lambda c: _at(c, erasure_ledger.read), erasure_ledger.LedgerDamaged),
    "seals": ([_lines({"last_id": 7, "hash": "a" * 64}, {"restored": 5})], _seals,
              seals_outside.Unreadable),
    "known passwords": ([b"\n".join(b"%040X:3" % n for n in range(0, 2**159, 2**155))],
                        lambda c: _at(c, lambda p: known_passwords.is_known("heron", p)), ()),
}  # fmt: skip


LONG = b"9" * 5000
# What was found so: each broke its reader once.
FOUND: dict[str, list[bytes]] = {
    "mapping": [MAPPING.replace(b"%d/%m/%Y", b"%d/%d/%Y"), MAPPING.replace(b'"t"', LONG)],
    "definition": [SHORT.encode().replace(b"6", LONG, 1)],
    "further facts": [b"leave_out = 1.5", b"norms = 1", b"scored = " + LONG],
    "backup": [sealed.FIRST_LINE + _lines({"key": "2026-01", "wrapped": "QUJD"}),
               sealed.FIRST_LINE + _lines({"key": [], "wrapped": "QUJD" * 20})],
    "erasures": [b"\x80\n"],
    "seals": [b'{"last_id": Infinity, "hash": ""}\n'],
}  # fmt: skip


def _inside(content: bytes, name: str, part: bytes) -> bytes:
    """A workbook with one of its parts replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for each in old.namelist():
            new.writestr(each, part if each == name else old.read(each))
    return file.getvalue()


@st.composite
def spoilt(draw: Any, seeds: list[bytes]) -> bytes:
    """A good file with some of it cut out, doubled, or odd things put in; or any bytes at all."""
    content = draw(st.sampled_from(seeds))
    part, name = content, ""
    if content[:2] == b"PK" and draw(st.integers(0, 3)):
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            name = draw(st.sampled_from(sorted(book.namelist())))
            part = book.read(name)
    elif not draw(st.integers(0, 19)):
        return bytes(draw(st.binary(max_size=300)))
    for _time in range(draw(st.integers(1, 3))):
        words = [found.span() for found in WORD.finditer(part)]
        if words and draw(st.booleans()):
            start, end = draw(st.sampled_from(words))
            put = draw(st.sampled_from(VALUES))
        else:
            start = draw(st.integers(0, len(part)))
            end = min(len(part), start + draw(st.integers(0, 30)))
            put = draw(st.sampled_from(ODD) | st.binary(max_size=6) | st.just(part[start:end] * 2))
        part = part[:start] + put + part[end:]
    return _inside(content, name, part) if name else part


def _try(name: str, examples: int) -> Counter[str]:
    seeds, read, own_words = READERS[name]
    came = Counter(read=0, refused=0)
    for seed in seeds:
        read(seed)
    for content in FOUND.get(name, []):
        with pytest.raises(own_words):
            read(content)

    @settings(max_examples=examples, deadline=None, database=None, derandomize=examples == A_FEW)
    @given(spoilt(seeds))
    def is_read_or_refused(content: bytes) -> None:
        try:
            read(content)
            came["read"] += 1
        except own_words as problem:
            came["refused" if str(problem) else "without a word"] += 1

    is_read_or_refused()
    assert "without a word" not in came
    return came


@pytest.mark.parametrize("name", READERS)
def test_a_spoilt_file_is_read_or_refused_in_its_readers_words(name: str) -> None:
    _try(name, A_FEW)


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", READERS)
def test_a_thousand_spoilt_files_are_read_or_refused(name: str, capsys: Any) -> None:
    came = _try(name, EXAMPLES)
    with capsys.disabled():
        print(f"\n{name}: {came}")
    assert came["read"]
    assert came["refused"] or not READERS[name][2]


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
def test_whatever_of_a_spoilt_table_is_accepted_can_be_kept(db: Any, capsys: Any) -> None:
    """All of it or nothing: rows that are read go in, or the import says why not."""
    came = {"kept": 0, "refused": 0, "no rows": 0}
    with acting_as(BY):
        measures.sync_library()
        versions = known_versions()

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(spoilt([CSV, CSV.replace(b",", b";")]))
    def is_kept_or_refused(content: bytes) -> None:
        with acting_as(BY), transaction.atomic():
            try:
                table = read_table(content)
                mapping = long_form(table.columns)
                records, _problems = read_rows(table, mapping, versions)
                import_records(records=records, mapping=mapping, by=BY)
                came["kept" if records else "no rows"] += 1
            except (TableProblem, MappingProblem, ImportRefused):
                came["refused"] += 1
            transaction.set_rollback(True)

    is_kept_or_refused()
    with capsys.disabled():
        print(f"\n{came}")
    assert came["kept"]


DIARY = (
    "date,time,client,clinician,minutes\n"
    "{day},14:30,{client},alice,50\n{day},16:00,{client},alice,\n"
)
DOORS: dict[str, tuple[str, Callable[[Clinic], list[bytes]], dict[str, str]]] = {
    "/schedule/upload/": ("fred", lambda clinic: [_diary(clinic)], {}),
    "/import/": ("adam", lambda _clinic: [CSV, _xlsx()], {}),
    "/measures/load/": (
        "adam",
        lambda _clinic: [SHORT.encode(), json.dumps(nine_questions()).encode()],
        {"better": "", "side": "", "text": ""},
    ),
}


def _diary(clinic: Clinic) -> bytes:
    day = clinic_time.today() + timedelta(days=3)
    return DIARY.format(day=day, client=clinic.ana.code).encode()


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("door", DOORS)
def test_no_door_breaks_over_a_spoilt_file(
    clinic: Clinic, browser_of: Callable[[str], Browser], door: str, capsys: Any
) -> None:
    who, seeds, fields = DOORS[door]
    browser = browser_of(who)
    came: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES // 4, deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(spoilt(seeds(clinic)))
    def is_answered(content: bytes) -> None:
        place = transaction.savepoint()
        file = SimpleUploadedFile("of a clinic.csv", content)
        came[browser.post(door, {"file": file, **fields}).status_code] += 1
        transaction.savepoint_rollback(place)

    is_answered()
    with capsys.disabled():
        print(f"\n{door}: {came}")
    assert set(came) <= {200, 302, 422}
    assert len(came) > 1
