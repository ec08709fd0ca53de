"""Read and search by GET; everything else is an OperationOutcome that says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.http import urlencode

from measures_app.fhir_doors.asking import Refused, read
from measures_app.fhir_doors.resources import KINDS, Kind
from sessions_app import audit, clinic_time, rights

JSON = "application/fhir+json"
TAKEN = (JSON, "application/json", "application/*", "*/*", "json")

View = Callable[..., dict[str, Any]]


def _answer(resource: dict[str, Any], status: int = 200) -> HttpResponse:
    body = json.dumps(resource, ensure_ascii=False)
    return HttpResponse(body, status=status, content_type=f"{JSON}; charset=utf-8")


def _outcome(message: str, code: str, status: int) -> HttpResponse:
    issue = {"severity": "error", "code": code, "diagnostics": message}
    return _answer({"resourceType": "OperationOutcome", "issue": [issue]}, status)


def door(view: View) -> Callable[..., HttpResponse]:
    """GET, in JSON, by somebody who is known; a Refused becomes its OperationOutcome."""

    @wraps(view)
    def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            answer = _outcome("This server is read by GET.", "not-supported", 405)
            answer.headers["Allow"] = "GET, HEAD"
            return answer
        wanted = request.GET.get("_format") or request.headers.get("Accept") or JSON
        if not any(part.split(";")[0].strip() in TAKEN for part in wanted.split(",")):
            return _outcome("Only JSON is spoken here.", "not-supported", 406)
        try:
            return _answer(view(request, *args, **kwargs))
        except Refused as problem:
            return _outcome(str(problem), problem.code, problem.status)

    return opened


def _kind(request: HttpRequest, name: str) -> Kind:
    if not request.user.is_authenticated:
        raise Refused("Send a key: Authorization: Bearer.", status=401, code="login")
    if name not in KINDS:
        raise Refused(f"There is no {name} here.", status=404, code="not-supported")
    kind = KINDS[name]()
    if not any(rights.may(request.user, right) for right in kind.rights):
        raise Refused("This is not for your role.", status=403, code="forbidden")
    return kind


@door
def one(request: HttpRequest, name: str, key: str) -> dict[str, Any]:
    kind = _kind(request, name)
    found = kind.one(request.user, key) if "\x00" not in key else None
    if found is None:
        raise Refused(f"There is no {name} {key[:64]}.", status=404, code="not-found")
    row, resource = found
    client = kind.client_of(row)
    if client is not None:
        audit.client_read(client, f"fhir {name}")
    return resource


@door
def some(request: HttpRequest, name: str) -> dict[str, Any]:
    kind = _kind(request, name)
    conditions, page = read(request.GET, kind.offered())
    found = kind.some(request.user, conditions, page)
    shown = found[: page.count]
    here = request.build_absolute_uri(request.path)
    links = [{"relation": "self", "url": request.build_absolute_uri()}]
    if len(found) > page.count:
        asked = [(k, v) for k, values in request.GET.lists() for v in values if k != "_after"]
        again = urlencode([*asked, ("_after", f"{shown[-1][0]}-{shown[-1][1]}")])
        links.append({"relation": "next", "url": f"{here}?{again}"})
    audit.record("read", subject_kind="fhir", subject=name, rows=len(shown))
    entries = [
        {"fullUrl": f"{here}/{r['id']}", "resource": r, "search": {"mode": "match"}}
        for _key, _part, r in shown
    ]
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links,
        **({"entry": entries} if entries else {}),
    }


@door
def metadata(request: HttpRequest) -> dict[str, Any]:
    """What this server does; open to all, as the standard asks: it tells of no client."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": clinic_time.today().isoformat(),
        "kind": "instance",
        "software": {"name": "Clinic outcomes"},
        "implementation": {
            "description": "Measures and what clients answered, by code; read only.",
            "url": request.build_absolute_uri("/fhir"),
        },
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "A key in the header Authorization: Bearer."},
                "resource": [
                    {
                        "type": kind.name,
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "searchParam": [
                            {"name": name, "type": type_} for name, type_ in kind.about.items()
                        ],
                    }
                    for kind in KINDS.values()
                ],
            }
        ],
    }


urlpatterns = [
    path("metadata", metadata, name="fhir_metadata"),
    path("<str:name>", some, name="fhir_search"),
    path("<str:name>/<str:key>", one, name="fhir_read"),
]
