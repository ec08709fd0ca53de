"""`/api/v1/`: the same rows under the same scope as the pages, as JSON.

Row scope is applied by the base viewset, once; a viewset can't forget it.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, mixins, permissions, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from measures_app import actions
from measures_app.api import serializers
from measures_app.models import Administration, Measure
from sessions_app import access, audit
from sessions_app.models import Client, Episode, Respondent, Session
from sessions_app.submissions import KeyReused, once


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "This key was used for another body."


class HoldsRight(permissions.IsAuthenticated):
    """Signed in and in a role that sees the kind of data at all; rows are scoped besides."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and any(
            access.may(request.user, right) for right in view.rights
        )


class ScopedViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Lists and rows within the user's scope; out of scope looks the same as absent."""

    permission_classes: ClassVar[list[Any]] = [HoldsRight]
    rights: tuple[str, ...] = ("see_clinical",)
    scope = "visible_to"
    related: tuple[str, ...] = ()
    filters: ClassVar[dict[str, str]] = {}
    order: tuple[str, ...] = ("pk",)

    def get_queryset(self) -> QuerySet[Any]:
        model = self.get_serializer_class().Meta.model  # type: ignore[attr-defined]  # ModelSerializer
        if getattr(self, "swagger_fake_view", False):
            return model.objects.none()
        rows = getattr(model.objects, self.scope)(self.request.user)
        for name, path in self.filters.items():
            value = self.request.query_params.get(name)
            if value is not None:
                try:
                    rows = rows.filter(**{path: value})
                except (ValueError, DjangoValidationError):
                    raise exceptions.ValidationError({name: f"“{value}” is no {name}."}) from None
        return rows.select_related(*self.related).order_by(*self.order)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().list(request, *args, **kwargs)
        audit.record(
            "read", subject_kind="api", subject=self.basename, rows=len(response.data["results"])
        )
        return response

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        client = row if isinstance(row, Client) else row.client
        audit.client_read(client, f"api {self.basename}")
        return Response(self.get_serializer(row).data)


CLIENT_FILTER = OpenApiParameter("client", str, description="A client's code")


@extend_schema(tags=["clients"])
class ClientViewSet(ScopedViewSet):
    serializer_class = serializers.ClientSerializer
    rights = ("see_clinical", "see_registry")
    scope = "registered_to"
    related = ("site",)
    lookup_field = "code"
    lookup_value_regex = r"[A-Z0-9-]{1,12}"
    order = ("code",)


@extend_schema(tags=["episodes"], parameters=[CLIENT_FILTER])
class EpisodeViewSet(ScopedViewSet):
    serializer_class = serializers.EpisodeSerializer
    rights = ("see_clinical", "see_registry")
    scope = "registered_to"
    related = ("client", "programme", "site")
    filters: ClassVar[dict[str, str]] = {"client": "client__code"}
    lookup_value_regex = r"[0-9]{1,18}"


@extend_schema(tags=["sessions"], parameters=[CLIENT_FILTER])
class SessionViewSet(ScopedViewSet):
    serializer_class = serializers.SessionSerializer
    rights = ("see_clinical", "see_registry")
    scope = "registered_to"
    related = ("client", "meeting")
    filters: ClassVar[dict[str, str]] = {"client": "client__code"}
    lookup_value_regex = r"[0-9]{1,18}"


@extend_schema(tags=["flags"], parameters=[CLIENT_FILTER])
class FlagViewSet(ScopedViewSet):
    serializer_class = serializers.FlagSerializer
    related = ("client", "measure")
    filters: ClassVar[dict[str, str]] = {"client": "client__code", "state": "state"}
    lookup_value_regex = r"[0-9]{1,18}"


@extend_schema(tags=["administrations"], parameters=[CLIENT_FILTER])
class AdministrationViewSet(ScopedViewSet):
    serializer_class = serializers.AdministrationSerializer
    related = ("client", "measure", "respondent")
    filters: ClassVar[dict[str, str]] = {"client": "client__code", "measure": "measure__code"}
    lookup_value_regex = r"[0-9]{1,18}"

    @extend_schema(
        request=serializers.NewAdministrationSerializer,
        responses={
            201: serializers.AdministrationSerializer,
            200: serializers.AdministrationSerializer,
        },
        parameters=[
            OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, required=True)
        ],
    )
    def create(self, request: Request) -> Response:
        if not access.may(request.user, "enter_scores"):
            raise exceptions.PermissionDenied
        given = serializers.NewAdministrationSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            key = uuid.UUID(request.headers.get("Idempotency-Key", ""))
        except ValueError:
            raise exceptions.ValidationError({"Idempotency-Key": "A UUID is needed."}) from None
        try:
            outcome = once(
                key=key,
                body=request.data,
                by=request.user,
                perform=lambda: self._record(given.validated_data).pk,
            )
        except KeyReused as problem:
            raise Conflict(str(problem)) from None
        except DjangoValidationError as problem:
            raise exceptions.ValidationError(problem.message_dict) from None
        row = Administration.objects.visible_to(request.user).get(pk=outcome.result)
        code = status.HTTP_200_OK if outcome.replayed else status.HTTP_201_CREATED
        return Response(self.get_serializer(row).data, status=code)

    def _record(self, given: dict[str, Any]) -> Administration:
        user = self.request.user

        def within(model: Any, field: str) -> Any:
            if given.get(field) is None:
                return None
            row = model.objects.visible_to(user).filter(pk=given[field]).first()
            if row is None:
                raise exceptions.ValidationError({field: f"There is no {field} {given[field]}."})
            return row

        measure = Measure.objects.filter(code=given["measure"], active=True).first()
        if measure is None:
            raise exceptions.ValidationError({"measure": f"No measure {given['measure']}."})
        return actions.record_administration(
            episode=within(Episode, "episode"),
            session=within(Session, "session"),
            respondent=within(Respondent, "respondent"),
            measure=measure,
            answers=given.get("answers"),
            total=given.get("total"),
            not_taken=given.get("not_taken", ""),
            taken_at=given.get("taken_at"),
            provenance=Administration.Provenance.API,
            by=user,
        )
