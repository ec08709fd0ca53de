"""How forms are written on a page: one field's frame, and the common inputs, without templates.

A page of entry has twenty fields, and drawn by Django's templates each took five or six of them:
half of the page's time. What is written here is what those templates write, letter for letter (a
test holds the two equal); whatever isn't written here is still drawn by its template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.forms.boundfield import BoundField
from django.forms.renderers import TemplatesSetting
from django.utils.formats import localize
from django.utils.html import conditional_escape


def _text(value: Any) -> str:
    return str(conditional_escape(value if isinstance(value, str) else localize(value)))


def _attributes(attributes: Mapping[str, Any]) -> str:
    return "".join(
        f" {_text(name)}" if value is True else f' {_text(name)}="{_text(str(value))}"'
        for name, value in attributes.items()
        if value is not False
    )


def _input(context: dict[str, Any]) -> str:
    one = context["widget"]
    value = f' value="{_text(str(one["value"]))}"' if one["value"] is not None else ""
    return (
        f'<input type="{_text(one["type"])}" name="{_text(one["name"])}"{value}'
        f"{_attributes(one['attrs'])}>"
    )


def _option(one: dict[str, Any]) -> str:
    return (
        f'\n  <option value="{_text(str(one["value"]))}"{_attributes(one["attrs"])}>'
        f"{_text(one['label'])}</option>\n"
    )


def _select(context: dict[str, Any]) -> str:
    one, parts = context["widget"], []
    for name, options, _place in one["optgroups"]:
        inside = "".join(map(_option, options))
        if name:
            inside = f'\n  <optgroup label="{_text(name)}">{inside}\n  </optgroup>'
        parts.append(inside)
    attributes = _attributes(one["attrs"])
    return f'<select name="{_text(one["name"])}"{attributes}>{"".join(parts)}\n</select>'


def _errors(context: dict[str, Any]) -> str:
    errors = context["errors"]
    if not errors:
        return ""
    name = f' id="{_text(errors.field_id)}_error"' if errors.field_id else ""
    rows = "".join(f"<li>{_text(error)}</li>" for error in errors)
    return f'<ul class="{_text(context["error_class"])}"{name}>{rows}</ul>'


def _field(context: dict[str, Any]) -> str:
    """One field with its label, help and errors; a tick has its words behind it."""
    field: BoundField = context["field"]
    errors = field.errors
    problems = str(errors) if errors else ""
    label, name = _text(field.label), field.id_for_label
    goes_to = f' for="{_text(name)}"' if name else ""
    said = ""
    if field.help_text:
        own = f' id="{_text(field.auto_id)}_helptext"' if field.auto_id else ""
        said = f'<p class="help"{own}>{_text(field.help_text)}</p>'
    if field.widget_type == "checkbox":
        inside = f'<label class="check"{goes_to}>{field} <span>{label}</span></label>'
    elif field.use_fieldset:
        told = field.aria_describedby
        by = f' aria-describedby="{_text(told)}"' if told else ""
        legend = f"<legend>{label}</legend>" if label else ""
        return (
            f'<div class="field{" wrong" if errors else ""}">\n<fieldset{by}>{legend}\n{field}\n'
            f"{problems}{said}\n</fieldset>\n</div>"
        )
    else:
        inside = (f"<label{goes_to}>{label}</label>" if label else "") + f"\n{field}\n"
    return f'<div class="field{" wrong" if errors else ""}">\n{inside}{problems}{said}\n</div>'


_INPUTS = ("input", "text", "hidden", "number", "email", "password", "date", "time", "tel",
           "checkbox")  # fmt: skip
WRITERS: dict[str, Callable[[dict[str, Any]], str]] = {
    **{f"django/forms/widgets/{kind}.html": _input for kind in _INPUTS},
    "django/forms/widgets/select.html": _select,
    "django/forms/errors/list/default.html": _errors,
    "django/forms/errors/list/ul.html": _errors,
    "django/forms/field.html": _field,
}


class Renderer(TemplatesSetting):
    """FORM_RENDERER: writes what it knows how to write, and has the rest drawn by templates."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        writer = WRITERS.get(template_name)
        return writer(context) if writer else str(super().render(template_name, context, request))
