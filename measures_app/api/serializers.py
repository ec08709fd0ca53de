"""What other systems read: codes, dates and scores; never a name, contact or free text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from rest_framework import serializers

from measures_app.models import Administration, Flag
from sessions_app.models import Client, Episode, Session

IN_CARE = ("purpose", "problem", "ending")
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


class ClientSerializer(serializers.ModelSerializer[Client]):
    site = serializers.CharField(source="site.name", read_only=True)

    class Meta:
        model = Client
        fields = ["code", "site", "language", "birth_year", "gender"]


class EpisodeSerializer(serializers.ModelSerializer[Episode]):
    client = serializers.CharField(source="client.code", read_only=True)
    programme = serializers.CharField(source="programme.name", read_only=True)
    site = serializers.CharField(source="site.name", read_only=True)

    class Meta:
        model = Episode
        fields = [
            "id",
            "client",
            "programme",
            "site",
            "purpose",
            "problem",
            "opened_on",
            "care_began_on",
            "closed_on",
            "ending",
        ]
        extra_kwargs: ClassVar[dict[str, Any]] = {name: {"allow_null": True} for name in IN_CARE}

    def to_representation(self, instance: Episode) -> dict[str, Any]:
        """What the care is about is for those who treat: null for the desk."""
        row = dict(super().to_representation(instance))
        if not getattr(instance, "in_care", False):
            row |= dict.fromkeys(IN_CARE)
        return row


class SessionSerializer(serializers.ModelSerializer[Session]):
    client = serializers.CharField(source="client.code", read_only=True)
    starts_at = serializers.DateTimeField(source="meeting.starts_at", read_only=True)
    minutes = serializers.IntegerField(source="meeting.minutes", read_only=True)
    kind = serializers.CharField(source="meeting.kind", read_only=True)
    format = serializers.CharField(source="meeting.format", read_only=True)

    class Meta:
        model = Session
        fields = [
            "id",
            "client",
            "episode",
            "held_on",
            "starts_at",
            "minutes",
            "kind",
            "format",
            "status",
            "obstacle",
        ]


class AdministrationSerializer(serializers.ModelSerializer[Administration]):
    client = serializers.CharField(source="client.code", read_only=True)
    measure = serializers.CharField(source="measure.code", read_only=True)
    relation = serializers.CharField(source="respondent.relation", read_only=True)

    class Meta:
        model = Administration
        fields = [
            "id",
            "client",
            "episode",
            "session",
            "respondent",
            "relation",
            "measure",
            "version",
            "answers",
            "total",
            "prorated",
            "not_taken",
            "provenance",
            "manner",
            "taken_at",
            "taken_on",
            "recorded_at",
            "supersedes",
            "superseded_at",
            "voided",
        ]


class NewAdministrationSerializer(serializers.Serializer[Any]):
    """An administration to record; the request carries an `Idempotency-Key` header (a UUID)."""

    episode = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    session = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**63 - 1
    )
    respondent = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**63 - 1
    )
    measure = serializers.SlugField()
    answers = serializers.DictField(
        child=serializers.DecimalField(max_digits=6, decimal_places=1, allow_null=True),
        required=False,
        allow_null=True,
    )
    total = serializers.DecimalField(
        max_digits=8, decimal_places=2, required=False, allow_null=True
    )
    not_taken = serializers.ChoiceField(
        choices=Administration.NotTaken.choices, required=False, allow_blank=True
    )
    taken_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_taken_at(self, moment: datetime | None) -> datetime | None:
        if moment is not None and moment < EARLIEST:
            raise serializers.ValidationError("This lies before 1900.")
        return moment


class FlagSerializer(serializers.ModelSerializer[Flag]):
    client = serializers.CharField(source="client.code", read_only=True)
    measure = serializers.CharField(source="measure.code", read_only=True, allow_null=True)

    class Meta:
        model = Flag
        fields = [
            "id",
            "client",
            "episode",
            "rule",
            "kind",
            "measure",
            "state",
            "evidence",
            "session_number",
            "raised_on",
            "closed_on",
        ]
