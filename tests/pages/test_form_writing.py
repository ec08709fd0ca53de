"""Inputs written without templates read as Django's templates write them."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import TemplatesSetting
from django.forms.utils import ErrorList
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override

from outcomes_site.form_writing import WRITERS, Renderer

NASTY = """<b> "it's" & more"""
CHOICES = [
    ("", gettext_lazy("Back")),
    (1, 1.5),
    (NASTY, NASTY),
    (gettext_lazy("Group"), [("x", mark_safe("<i>x</i>")), ("y", "Y")]),
]
INPUTS: list[tuple[forms.Widget, Any]] = [
    (forms.TextInput({"class": NASTY, "autofocus": True, "hidden": False}), NASTY),
    (forms.TextInput(), None),
    (forms.TextInput(), mark_safe("&amp;")),
    (forms.HiddenInput(), "k"),
    (forms.NumberInput({"min": 5}), 1234.5),
    (forms.EmailInput(), "a@b.example"),
    (forms.PasswordInput(), "never shown"),
    (forms.PasswordInput(render_value=True), "shown"),
    (forms.DateInput(format="%Y-%m-%d"), date(2026, 3, 1)),
    (forms.TimeInput(format="%H:%M"), time(9, 5)),
    (forms.CheckboxInput(), True),
    (forms.CheckboxInput(), False),
    (forms.Select({"data-a": "1"}, CHOICES), "y"),
    (forms.Select(choices=CHOICES), 1),
    (forms.Select(choices=[]), None),
    (forms.NullBooleanSelect(), True),
    (forms.SelectMultiple(choices=CHOICES), ["y", 1]),
    (forms.Textarea(), NASTY),
    (forms.RadioSelect(choices=CHOICES), "y"),
]


@pytest.mark.parametrize("language", ["en", "es"])
def test_an_input_is_written_as_its_template_writes_it(language: str) -> None:
    with override(language):
        for widget, value in INPUTS:
            drawn, written = (
                widget.render("a&b", value, {"id": "id_a"}, renderer=renderer)
                for renderer in (TemplatesSetting(), Renderer())
            )
            assert written == drawn
    assert {w.template_name for w, _value in INPUTS} & set(WRITERS)


def test_errors_are_written_as_their_template_writes_them() -> None:
    for errors in (
        ErrorList(),
        ErrorList([NASTY, gettext_lazy("Back")]),
        ErrorList([ValidationError("x")], error_class="nonfield", field_id="id_a"),
    ):
        written = errors.render(renderer=Renderer())
        assert written == errors.render(renderer=TemplatesSetting())


class Several(forms.Form):
    named = forms.CharField(label=NASTY, help_text="why & how")
    ticked = forms.BooleanField(label="Yes")
    chosen = forms.ChoiceField(label="Which", choices=[("a", "A")], widget=forms.RadioSelect)


def test_a_field_has_label_help_and_errors_joined_to_its_input() -> None:
    empty, wrong = Several(), Several({})
    named = str(empty["named"].as_field_group())
    assert named.startswith('<div class="field">\n<label for="id_named">&lt;b&gt;')
    assert 'aria-describedby="id_named_helptext"' in named
    assert '<p class="help" id="id_named_helptext">why &amp; how</p>' in named
    assert "errorlist" not in named
    refused = str(wrong["named"].as_field_group())
    assert refused.startswith('<div class="field wrong">')
    assert '<ul class="errorlist" id="id_named_error">' in refused
    assert 'aria-invalid="true"' in refused
    ticked = str(empty["ticked"].as_field_group())
    assert '<label class="check" for="id_ticked"><input type="checkbox"' in ticked
    assert ticked.index("<input") < ticked.index("<span>Yes</span>")
    chosen = str(wrong["chosen"].as_field_group())
    assert "<legend>Which</legend>" in chosen
    assert chosen.count("<fieldset") == chosen.count("</fieldset>") == 1
