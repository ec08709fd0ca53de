"""What `/api/v1/` says of itself holds, and nothing that is asked brings it down."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from measures_app.api.filters import PAGING
from measures_app.api.urls import router
from tests.api import KINDS


def test_the_schema_is_valid_whole_and_silent(tmp_path: Any) -> None:
    """drf-spectacular has no warning, and every route stands in the document."""
    file = tmp_path / "schema.json"
    call_command("spectacular", validate=True, fail_on_warn=True, format="openapi-json",
                 file=str(file))  # fmt: skip
    schema = json.loads(file.read_text())
    for kind in KINDS:
        lookup = "code" if kind == "clients" else "id"
        assert set(schema["paths"][f"/api/v1/{kind}/{{{lookup}}}/"]) == {"get"}
        listing = schema["paths"][f"/api/v1/{kind}/"]["get"]
        offered = {p["name"] for p in listing["parameters"]}
        viewset = next(v for prefix, v, _name in router.registry if prefix == kind)
        assert offered == {"limit", "offset", *(f.name for f in viewset.offered)}
        assert {"200", "400", "403"} <= set(listing["responses"])
    written = schema["paths"]["/api/v1/administrations/"]["post"]
    assert set(written["responses"]) == {"200", "201", "400", "401", "403", "406", "409", "415"}
    assert schema["components"]["schemas"].keys() >= {"Detail", "Problems", "NewAdministration"}


def test_an_answer_has_the_fields_that_the_schema_says(
    rows: dict[str, dict[str, Any]], browser_of: Callable[[str], Browser]
) -> None:
    browser = browser_of("alice")
    schema = browser.get(
        reverse("api_schema"), headers={"Accept": "application/vnd.oai.openapi+json"}
    ).json()
    for kind in KINDS:
        row = browser.get(f"/api/v1/{kind}/").json()["results"][0]
        path = next(p for p in schema["paths"] if p.startswith(f"/api/v1/{kind}/{{"))
        answer = schema["paths"][path]["get"]["responses"]["200"]
        name = answer["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        described = schema["components"]["schemas"][name]
        assert set(row) == set(described["properties"]), kind
        for field, value in row.items():
            rule = described["properties"][field]
            assert value is not None or rule.get("nullable"), (kind, field)


EXAMPLES = hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@EXAMPLES
@given(
    kind=st.sampled_from(KINDS),
    name=st.text(max_size=8),
    value=st.text(max_size=30),
    data=st.data(),
)
def test_no_filter_brings_the_server_down(
    browser_of: Any, kind: str, name: str, value: str, data: Any
) -> None:
    viewset = next(v for prefix, v, _name in router.registry if prefix == kind)
    browser = browser_of("alice")
    for known in (name, data.draw(st.sampled_from([*PAGING, *(f.name for f in viewset.offered)]))):
        answer = browser.get(f"/api/v1/{kind}/", {known: value})
        assert answer.status_code in (200, 400), (known, value)
