"""Additions to the OpenAPI document: the answers that every route may give besides the good one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

DETAIL = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
PROBLEMS = {
    "type": "object",
    "description": "What is wrong, by field, filter or header.",
    "additionalProperties": {},
}
METHODS = ("get", "post", "put", "patch", "delete")


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "measures_app.api.keys.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A key made under /keys/. It sees what its person sees.",
        }


def _answer(about: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": about, "content": content}


def add_errors(result: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """Hook of drf-spectacular: every operation under /api/v1/ names its errors."""
    result.setdefault("components", {}).setdefault("schemas", {}).update(
        {"Detail": DETAIL, "Problems": PROBLEMS}
    )
    for path, operations in result.get("paths", {}).items():
        for method in METHODS:
            if method not in operations:
                continue
            answers = operations[method]["responses"]
            answers["401"] = _answer("The key is unknown, expired or revoked", "Detail")
            answers["403"] = _answer("Not signed in, or not for this role", "Detail")
            answers["406"] = _answer("Only JSON is spoken here", "Detail")
            if path.endswith("{id}/") or path.endswith("{code}/"):
                answers["404"] = _answer("Absent, or outside one's scope", "Detail")
            else:
                answers["400"] = _answer("What was sent can't be read", "Problems")
            if method == "post":
                answers["409"] = _answer("The key was used for another body", "Detail")
                answers["415"] = _answer("Only JSON is read here", "Detail")
    return result
