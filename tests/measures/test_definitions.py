"""A definition is read whole or refused with the line and the reason of each fault."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measures_app import schema_check
from measures_app.definition_reader import _plain, norm_problems, parse_definition, read_document
from measures_app.definitions import DefinitionProblem, MeasureDefinition

from .documents import SHORT, changed

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = sorted((ROOT / "measures_app" / "library").glob("*.toml"))
OWN = [path for path in LIBRARY if path.stem.startswith(("outcome-", "alliance-"))]


def faults_of(text: str) -> list[str]:
    with pytest.raises(DefinitionProblem) as refused:
        parse_definition(text)
    return [str(fault) for fault in refused.value.faults]


def test_a_definition_is_read_as_written():
    read = parse_definition(SHORT)
    assert [item.id for item in read.items] == ["one", "two"]
    assert read.items[0].choices == (0, 1, 2, 3)
    assert read.score({"one": 3, "two": 3}).total == Decimal("3.0")
    assert read.words("en")["items"]["one"]["choices"] == ["never", "seldom", "often", "always"]
    assert MeasureDefinition.from_dict(json.loads(json.dumps(read.to_dict()))) == read


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (changed(("sources = [", "# sources = [")), "line 1: “sources” is missing"),
        (changed(('["written for tests"]', "[]")), "line 8: “sources” is empty"),
        (changed(("high = 6", "high = 7")), "line 6: the items come to 0 to 6, the measure says"),
        (changed(("high = 6", 'high = "6"')), "line 6: “high” must be a number"),
        (changed(("high = 6", "high = nan")), "line 6: “high” must be a number"),
        (changed(("high = 6", "high = inf")), "line 6: “high” must lie between"),
        (changed(("better", "bettr")), "line 4: “bettr” is unknown; did you mean “better”?"),
        (changed(('"lower"', '"down"')), "line 4: “better” must be one of higher, lower"),
        (changed(('id = "two"', 'id = "one"')), "line 17: item “one” is defined twice"),
        (changed((', "always"]', "]")), "has 3 labels for the 4 choices of item “one”"),
        (changed(("items.two]", "items.tow]")), "names item “tow”, not defined"),
        (changed(("items.two]", "items.tow]")), "line 20: wording en lacks item “two”"),
        (changed(("wording.en]", 'wording."English"]')), "“English” is no language code"),
        (changed(("source =", "sauce =")), "line 30: “norms 1: source” is missing"),
        (changed(("source =", "sauce =")), "line 35: “sauce” is unknown in norms 1; did you mean"),
        (changed(("cutoff = 3", "cutoff = 30")), "line 30: norm row 1 has its cutoff 30 outside"),
        (changed(("change = 2", "change = 20")), "norm row 1 has a reliable change of 20 on a"),
        (changed(("2020-01-01", '"2020-13-01"')), "line 36: “2020-13-01” is not a day"),
        (changed(("2020-01-01", "2020-01-01T10:00:00")), "“norms 1: from_on” is not of the form"),
        (changed(("high = 6", "high = 6\nmax_missing = 2")), "max_missing must leave at least"),
        (changed(("high = 6", "high = 6\nstep = 2")), "item “one” moves the total between two"),
        (changed(("high = 6", "high = 6\nstep = 0.25")), "step: 0.25 is finer than a tenth"),
        (changed(("high = 6", "high = 6\nage_from = 9\nage_to = 8")), "age_from lies above age_to"),
        (changed(("[item_scale]", "[alerts]\nnine = 1\n[item_scale]")), "names item “nine”"),
        (changed(("[item_scale]", "[alerts]\ntwo = 7\n[item_scale]")), "lies outside its range"),
        (changed(("[item_scale]", '[subscales]\na = ["x"]\n[item_scale]')), "uses item x"),
        (changed(('"steps"', '"Steps 1"')), "line 1: “code” is not of the form"),
        (changed(('"steps"', '"plans"')), "line 1: “plans” is an address"),
        (changed(('"ours"', '"\\u0000"')), "line 7: “licence” holds a control character"),
        (changed(("high = 6", f'high = 6\ncomparable_with = "{"a" * 64}"')), "who checked it"),
        (SHORT.split("[wording.en]")[0], "the items have no wording"),
        ("code = ", "line 1: this is not TOML"),
        (SHORT + "\n[[norms]]\nx = y\n", "line 40: this is not TOML"),
        ("a" + ".a" * 20_000 + " = 1", "nested too deep"),
        ("x = {a" + " . a" * 20_000 + " = 1}", "nested too deep"),
        ("[a" + ".a" * 20_000 + "]", "nested too deep"),
        ("a = " + "{a = " * 900 + "1" + "}" * 900, "nested too deep"),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deep"),
        ("#" * 1_000_001, "longer than 1,000,000 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, fault: str):
    found = faults_of(text)
    assert any(fault in line for line in found), found


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_lines():
    found = faults_of(changed(('"lower"', '"down"'), ("cutoff = 3", 'cutoff = "3"')))
    assert [re.match(r"line (\d+)", line)[1] for line in found] == ["4", "32"]


def test_a_document_of_nothing_but_faults_is_told_a_hundred():
    assert len(faults_of("\n".join(f"k{i} = 1" for i in range(20_000)))) == 100


def test_a_row_without_any_constant_says_nothing_and_is_refused():
    assert norm_problems({"source": "a book"}, 0, 40) == [
        "states no constant: give a cutoff, a reliable change, or mean and SD"
    ]
    assert not norm_problems({"source": "a book", "cutoff": 25}, 0, 40)


def test_a_deep_table_where_text_belongs_is_refused_and_not_followed():
    deep: Any = {}
    for _ in range(100_000):
        deep = {"x": deep}
    with pytest.raises(DefinitionProblem, match=r"“title” must be text"):
        read_document({**tomllib.loads(SHORT), "title": deep})


# What is scored ---------------------------------------------------------------------------


def hash_of(*pairs: tuple[str, str]) -> str:
    return parse_definition(changed(*pairs)).scoring_hash


@pytest.mark.parametrize(
    "pair",
    [
        ("The first", "The 1st"),
        ('"Two steps"', '"Two Steps"'),
        ("cutoff = 3", "cutoff = 4"),
        ("high = 6", "high = 6.0"),
        ("high = 6", "high = 6\nstep = 1.0"),
        ("high = 6", "high = 6\nage_from = 18"),
    ],
)
def test_a_corrected_typo_keeps_the_series(pair: tuple[str, str]):
    assert hash_of(pair) == hash_of()


@pytest.mark.parametrize(
    "pairs",
    [
        [("reverse = true", "reverse = false")],
        [("choices = [0, 1, 2, 3]", "choices = [0, 1, 1, 3]")],
        [("high = 6", "high = 6\nmax_missing = 1")],
        [("high = 6", "high = 12\nmultiplier = 2")],
        [('better = "lower"', 'better = "higher"')],
        [("[item_scale]", '[subscales]\na = ["one"]\n[item_scale]')],
    ],
)
def test_changed_scoring_is_another_series(pairs: list[tuple[str, str]]):
    assert hash_of(*pairs) != hash_of()


# What ships -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_our_own_measures_ask_the_same_in_english_and_spanish(path: Path):
    read = parse_definition(path.read_text())
    assert sorted(read.wording) == ["en", "es"]
    assert (read.low, read.high, read.step, read.better) == (0, 40, 0.1, "higher")
    for language in ("en", "es"):
        words = read.words(language)
        assert all(words[key] for key in ("title", "instruction"))
        for item in read.items:
            text = words["items"][item.id]
            assert all(text[key] for key in ("label", "hint", "low", "high"))
    assert read.words("es") != read.words("en")
    assert read.words("fr") == read.words("en")


# METHODS section 1: cutoff and reliable change of each, borrowed and said so.
BORROWED = {
    "outcome-adult": (25, 6.6),
    "outcome-adolescent": (28, 6.6),
    "outcome-child": (32, 10),
    "outcome-carer": (28, 10),
    "alliance-adult": (36, None),
    "alliance-adolescent": (36, None),
    "alliance-child": (36, None),
    "alliance-group": (36, None),
}


def test_borrowed_constants_are_those_of_the_methods_and_marked_provisional():
    found = {}
    for path in OWN:
        (row,) = parse_definition(path.read_text()).norms
        assert row["provisional"] == "borrowed from published four-item 0-40 scales"
        found[path.stem] = (row["cutoff"], row.get("reliable_change"))
    assert found == BORROWED


def test_one_scoring_a_purpose_whatever_the_age_and_language():
    hashes: dict[str, set[str]] = {}
    for path in OWN:
        read = parse_definition(path.read_text())
        hashes.setdefault(read.purpose, set()).add(read.scoring_hash)
    assert {purpose: len(found) for purpose, found in hashes.items()} == {
        "outcome": 1,
        "alliance": 1,
    }


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_bundled_file_is_valid_and_only_our_own_wording_ships(path: Path):
    read = parse_definition(path.read_text())
    assert read.code == path.stem
    assert read.norms
    assert bool(read.items) == bool(read.wording) == (path in OWN)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_no_trade_name_of_the_scales_ours_are_like(path: Path):
    assert not re.search(r"\b(C?ORS|C?SRS|PCOMS|FIT)\b|[Ff]eedback-[Ii]nformed", path.read_text())


# The published schema ---------------------------------------------------------------------


def documents() -> list[dict[str, Any]]:
    return [_plain(tomllib.loads(path.read_text())) for path in LIBRARY] + [
        _plain(tomllib.loads(SHORT))
    ]


VALIDATOR = jsonschema.Draft202012Validator(schema_check.schema())


def test_the_schema_is_one_and_accepts_what_ships():
    VALIDATOR.check_schema(schema_check.schema())
    for document in documents():
        VALIDATOR.validate(document)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-200_000, 200_000), st.floats(allow_nan=False),
    st.text(max_size=5), st.just([]), st.just({}), st.just({"id": "x"}), st.just([1, 2]),
    st.just(["a", "b"]), st.just("2026-01-01"), st.just("x" * 3000),
)  # fmt: skip


def places_in(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [place] if place else []
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, entry in pairs:
        found += places_in(entry, (*place, key))
    return found


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """A bundled document with up to three places changed, added or taken away."""
    document = copy.deepcopy(draw(st.sampled_from(documents())))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places_in(document)))
        around = document
        for part in place[:-1]:
            around = around[part]
        what = draw(st.sampled_from(["set", "drop", "add"]))
        if what == "set":
            around[place[-1]] = copy.deepcopy(draw(ODD))
        elif what == "drop":
            del around[place[-1]]
        elif isinstance(around, dict):
            around[draw(st.sampled_from(["extra", "step", "norms", "items"]))] = copy.deepcopy(
                draw(ODD)
            )
        if not places_in(document):
            break
    return document


@settings(max_examples=80, deadline=None)
@given(spoilt())
def test_our_reading_of_the_schema_is_the_standards(document: dict[str, Any]):
    ours = [reason for _place, reason in schema_check.problems(document)]
    assert bool(ours) == (not VALIDATOR.is_valid(document)), ours


@settings(max_examples=80, deadline=None)
@given(spoilt())
def test_a_spoilt_document_is_read_or_refused_and_never_breaks_the_reader(document):
    try:
        read = read_document(document)
    except DefinitionProblem:
        return  # any other error is the reader's
    assert MeasureDefinition.from_dict(read.to_dict()).score({}).total is None


def keys_of(rule: dict[str, Any]) -> set[str]:
    found = set(rule.get("properties", {}))
    for entry in [
        *rule.get("properties", {}).values(),
        rule.get("items"),
        rule.get("additionalProperties"),
    ]:
        if isinstance(entry, dict):
            found |= keys_of(entry)
    return found


def test_the_docs_explain_every_key_of_the_format():
    explained = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "measures.md").read_text()))
    assert not keys_of(schema_check.schema()) - explained


def test_the_example_in_the_docs_is_a_definition():
    (example,) = re.findall(
        r"```toml\n(.*?)```", (ROOT / "docs" / "measures.md").read_text(), re.DOTALL
    )
    read = parse_definition(example)
    assert read.alerts
    assert read.score({item.id: 1 for item in read.items}).total is not None


def test_whoever_speaks_a_countrys_own_is_asked_in_the_language_before_english() -> None:
    ours = parse_definition(OWN[-1].read_text(encoding="utf-8"))
    spoken = [ours.spoken(language) for language in ("es", "es-mx", "en-gb", "fr", "pt-br")]
    assert spoken == ["es", "es", "en", "en", "en"]
