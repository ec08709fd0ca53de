"""Client codes in addresses: capitals, digits and a hyphen, so that `/clients/new/` is none."""

from __future__ import annotations

from django.urls import register_converter


class ClientCode:
    regex = r"[A-Z0-9-]{3,12}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ClientCode, "code")
