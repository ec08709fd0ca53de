"""What a list can be asked: each filter reads its text, and describes itself in the schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, pagination, serializers
from rest_framework.request import Request

LARGEST_ID = 2**63 - 1
MOST_ROWS = 200
FARTHEST = 2**31 - 1


@dataclass(frozen=True)
class Filter:
    """`name` in the address, `path` in the database; `field` reads and checks the text."""

    name: str
    path: str
    field: serializers.Field[Any, Any, Any, Any]
    about: str
    type: Any = str
    opposite: bool = False  # yes in the address is no in the database

    def read(self, text: str) -> Any:
        """The value, or ValidationError under the filter's name."""
        try:
            value = self.field.run_validation(text)
        except exceptions.ValidationError as problem:
            raise exceptions.ValidationError({self.name: problem.detail}) from None
        return not value if self.opposite else value

    def described(self) -> OpenApiParameter:
        choices = getattr(self.field, "choices", None)
        return OpenApiParameter(
            self.name,
            self.type,
            description=self.about,
            enum=list(choices) if choices else None,
        )


def code(name: str, path: str, about: str) -> Filter:
    return Filter(name, path, serializers.CharField(max_length=40), about)


def key(name: str, path: str, about: str) -> Filter:
    field = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    return Filter(name, path, field, about, int)


def day(name: str, path: str, about: str) -> Filter:
    return Filter(name, path, serializers.DateField(), about, OpenApiTypes.DATE)


def choice(name: str, path: str, choices: Sequence[tuple[str, Any]], about: str) -> Filter:
    known = [(value, label) for value, label in choices if value]
    return Filter(name, path, serializers.ChoiceField(choices=known), about)


def yes_or_no(name: str, path: str, about: str, *, opposite: bool = False) -> Filter:
    return Filter(name, path, serializers.BooleanField(), about, bool, opposite)


CLIENT = code("client", "client__code", "A client's code")
EPISODE = key("episode", "episode", "An episode's id")


class Pages(pagination.LimitOffsetPagination):
    """Bounded pages; a limit or offset that is no number is an error, not a guess."""

    default_limit = 50
    max_limit = MOST_ROWS

    def _number(self, request: Request, name: str, low: int, high: int, default: int) -> int:
        text = request.query_params.get(name)
        if text is None:
            return default
        field = serializers.IntegerField(min_value=low, max_value=high)
        try:
            return int(field.run_validation(text))
        except exceptions.ValidationError as problem:
            raise exceptions.ValidationError({name: problem.detail}) from None

    def get_limit(self, request: Request) -> int:
        return self._number(request, self.limit_query_param, 1, self.max_limit, self.default_limit)

    def get_offset(self, request: Request) -> int:
        return self._number(request, self.offset_query_param, 0, FARTHEST, 0)

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> list[Any] | None:
        """First which rows, then what belongs to them.

        Asked for at once, with what is joined to a row, scope lies beyond what Postgres's planner
        orders (`join_collapse_limit`): it reads a whole table for one caseload.
        """
        keys = super().paginate_queryset(queryset.values_list("pk", flat=True), request, view)
        return None if keys is None else list(queryset.filter(pk__in=keys))


PAGING = (Pages.limit_query_param, Pages.offset_query_param)


def read_all(request: Request, filters: Sequence[Filter]) -> dict[str, Any]:
    """Conditions for a queryset from the address; a name that isn't known is an error."""
    known = {f.name: f for f in filters}
    conditions: dict[str, Any] = {}
    for name, text in request.query_params.items():
        if name in PAGING:
            continue
        if name not in known:
            offered = ", ".join([*known, *PAGING])
            raise exceptions.ValidationError({name: [f"There is no such filter; try {offered}."]})
        conditions[known[name].path] = known[name].read(text)
    return conditions
