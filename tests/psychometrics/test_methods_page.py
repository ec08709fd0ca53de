"""The methods page: its examples are run, and it speaks of everything the rules can say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from measures_app.psychometrics import rules

PAGE = Path(__file__).resolve().parents[2] / "docs" / "methods.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]


def test_the_worked_examples_come_out_as_written():
    # A code fence ends an example in Markdown; for doctest only an empty line does.
    found = doctest.DocTestParser().get_doctest(TEXT, {}, PAGE.name, str(PAGE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    report: list[str] = []
    runner.run(found, out=report.append)
    assert runner.tries > 40
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_each_number_has_a_worked_example(section):
    assert ">>> " in section or section.startswith("Sources")


def test_every_rule_is_explained():
    table = next(section for section in SECTIONS if section.startswith("Prompts"))
    explained = set(re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE))
    helpers = {"may_raise", "prompts", "review_flags"}
    written = {
        name
        for name in rules.__all__
        if name[0].islower() and name not in helpers and "_by_" not in name
    }
    assert explained == written


def test_links_within_the_page_lead_somewhere():
    titles = re.findall(r"^## (.+)$", TEXT, flags=re.MULTILINE)
    anchors = {title.lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= anchors
