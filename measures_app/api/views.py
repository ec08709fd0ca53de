"""`/api/v1/`: the same rows under the same scope as the pages, as JSON.

Row scope is applied by the base viewset, once; a viewset can't forget it.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Exists, OuterRef, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, permissions, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from measures_app import actions
from measures_app.api import filters, serializers
from measures_app.models import Administration, Flag, Measure
from sessions_app import access, audit, rights
from sessions_app.models import Client, Episode, Respondent, Session
from sessions_app.submissions import KeyReused, once


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "This key was used for another body."


class HoldsRight(permissions.IsAuthenticated):
    """Signed in and in a role that sees the kind of data at all; rows are scoped besides."""

    def has_permission(self, request: Request, view: Any) -> bool:
        key = request.auth
        if key is not None and request.method not in permissions.SAFE_METHODS and not key.may_write:
            return False
        return super().has_permission(request, view) and any(
            rights.may(request.user, right) for right in view.rights
        )


class ScopedViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Lists and rows within the user's scope; out of scope looks the same as absent."""

    permission_classes: ClassVar[list[Any]] = [HoldsRight]
    rights: tuple[str, ...] = ("see_clinical",)
    scope = "visible_to"
    pagination_class = filters.Pages
    related: tuple[str, ...] = ()
    offered: tuple[filters.Filter, ...] = ()
    order: tuple[str, ...] = ("pk",)

    def get_queryset(self) -> QuerySet[Any]:
        model = self.get_serializer_class().Meta.model  # type: ignore[attr-defined]  # ModelSerializer
        if getattr(self, "swagger_fake_view", False):
            return model.objects.none()
        rows = getattr(model.objects, self.scope)(self.request.user).unrestricted()
        if self.action == "list":
            rows = rows.filter(**filters.read_all(self.request, self.offered))
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


def described(offered: tuple[filters.Filter, ...], about: str) -> Any:
    """Tells the schema what a viewset's list can be asked, from the filters themselves."""
    listing = extend_schema(description=about, parameters=[f.described() for f in offered])
    return extend_schema_view(list=listing, retrieve=extend_schema(description=about))


@extend_schema(tags=["clients"])
@described((), "Clients in one's scope, by random code: never a name or contact.")
class ClientViewSet(ScopedViewSet):
    serializer_class = serializers.ClientSerializer
    rights = ("see_clinical", "see_registry")
    scope = "registered_to"
    related = ("site",)
    lookup_field = "code"
    lookup_value_regex = r"[A-Z0-9-]{1,12}"
    order = ("code",)


EPISODES = (
    filters.CLIENT,
    filters.yes_or_no("open", "closed_on__isnull", "Open episodes, or ended ones"),
    filters.day("opened_since", "opened_on__gte", "Opened on this day or later"),
)


@extend_schema(tags=["episodes"])
@described(
    EPISODES, "Courses of care. What they are about is empty for those who see the diary alone."
)
class EpisodeViewSet(ScopedViewSet):
    serializer_class = serializers.EpisodeSerializer
    rights = ("see_clinical", "see_registry")
    scope = "registered_to"
    related = ("client", "programme", "site")
    offered = EPISODES
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Any]:
        """With `in_care`: whether the row is in clinical scope, or in the diary alone."""
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        seen = access.clinical_episodes(self.request.user).filter(pk=OuterRef("pk"))
        return rows.annotate(in_care=Exists(seen))


SESSIONS = (
    filters.CLIENT,
    filters.EPISODE,
    filters.choice("status", "status", Session.Status.choices, "Whether the client was seen"),
    filters.day("since", "held_on__gte", "On this day or later"),
    filters.day("until", "held_on__lte", "On this day or earlier"),
)


@extend_schema(tags=["sessions"])
@described(SESSIONS, "Booked and past sessions.")
class SessionViewSet(ScopedViewSet):
    serializer_class = serializers.SessionSerializer
    rights = ("see_clinical", "see_registry")
    scope = "registered_to"
    related = ("client", "meeting")
    offered = SESSIONS
    lookup_value_regex = r"[0-9]{1,18}"


FLAGS = (
    filters.CLIENT,
    filters.EPISODE,
    filters.choice("state", "state", Flag.State.choices, "What became of it"),
    filters.choice("kind", "kind", Flag.Kind.choices, "Prompt, review or item alert"),
)


@extend_schema(tags=["flags"])
@described(FLAGS, "Reasons to talk, with the numbers that raised them.")
class FlagViewSet(ScopedViewSet):
    serializer_class = serializers.FlagSerializer
    related = ("client", "measure")
    offered = FLAGS
    lookup_value_regex = r"[0-9]{1,18}"


ADMINISTRATIONS = (
    filters.CLIENT,
    filters.EPISODE,
    filters.code("measure", "measure__code", "A measure's code"),
    filters.yes_or_no(
        "superseded", "superseded_at__isnull", "Corrected since, or not", opposite=True
    ),
    filters.yes_or_no("voided", "voided", "Taken out of every reading, or counting"),
    filters.day("since", "taken_on__gte", "Taken on this day or later"),
    filters.day("until", "taken_on__lte", "Taken on this day or earlier"),
    filters.day("known_since", "known_on__gte", "Known to the clinic on this day or later"),
)


@extend_schema(tags=["administrations"])
@described(
    ADMINISTRATIONS, "Askings of a measure; a corrected or voided one stays, marked as such."
)
class AdministrationViewSet(ScopedViewSet):
    serializer_class = serializers.AdministrationSerializer
    related = ("client", "measure", "respondent")
    offered = ADMINISTRATIONS
    lookup_value_regex = r"[0-9]{1,18}"

    @extend_schema(
        description=(
            "Records one asking of a measure. Sent again under the same Idempotency-Key with the "
            "same body it answers 200 with the row that is there; with another body, 409."
        ),
        request=serializers.NewAdministrationSerializer,
        responses={
            201: serializers.AdministrationSerializer,
            200: serializers.AdministrationSerializer,
        },
        parameters=[
            OpenApiParameter(
                "Idempotency-Key", OpenApiTypes.UUID, OpenApiParameter.HEADER, required=True
            )
        ],
    )
    def create(self, request: Request) -> Response:
        if not rights.may(request.user, "enter_scores"):
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
            by_field = hasattr(problem, "error_dict")
            raise exceptions.ValidationError(
                problem.message_dict if by_field else {"detail": problem.messages}
            ) from None
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
