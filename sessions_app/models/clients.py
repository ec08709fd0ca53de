from __future__ import annotations

import json
from datetime import date
from functools import cached_property
from typing import Any

from django.db import models
from django.urls import reverse

from sessions_app import sealing
from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models.organisation import ENDS_AFTER_START, Site


class ClientQuerySet(ScopedQuerySet["Client"]):
    client_path = ""

    def named(self, text: str) -> ClientQuerySet:
        """Clients whose name holds every word (or word start) of the text."""
        found = self
        for word in text.split():
            found = found.filter(name_hashes__hash=sealing.search_hash(word))
        return found.distinct()


class Client(models.Model):
    """A person in care, known by a random code. Who they are is sealed in ClientIdentity."""

    class Gender(models.TextChoices):
        WOMAN = "woman", "woman"
        MAN = "man", "man"
        OTHER = "other", "another"
        UNKNOWN = "", "not recorded"

    code = models.CharField(max_length=12, unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    language = models.CharField(max_length=8, default="en")
    birth_year = models.PositiveSmallIntegerField(null=True, blank=True)
    gender = models.CharField(max_length=8, blank=True, default="", choices=Gender.choices)
    attributes = models.JSONField(default=dict, blank=True)
    deceased_on = models.DateField(null=True, blank=True)
    registered_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedManager.from_queryset(ClientQuerySet)()

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    def get_absolute_url(self) -> str:
        return reverse("client", args=[self.code])

    @cached_property
    def secret(self) -> bytes:
        """This client's own key, unwrapped.

        Raises
        ------
        sealing.CannotOpen
            When the key was destroyed.
        """
        key = self.key
        if key.destroyed_at is not None:
            raise sealing.CannotOpen("This client's key was destroyed.")
        return sealing.unwrap(bytes(key.wrapped), key.master_key_id, f"client-key:{self.pk}")

    def seal(self, text: str, place: str) -> bytes:
        return sealing.encrypt(self.secret, text.encode(), f"{place}:{self.pk}") if text else b""

    def unseal(self, sealed: bytes | memoryview | None, place: str) -> str:
        """The text, or nothing when the key was destroyed: what was erased reads as empty.

        Raises
        ------
        sealing.CannotOpen
            When the ciphertext belongs elsewhere or was tampered with.
        """
        if not sealed or self.key.destroyed_at is not None:
            return ""
        return sealing.decrypt(self.secret, bytes(sealed), f"{place}:{self.pk}").decode()

    @property
    def name(self) -> str:
        """The name as registered; empty when there is none or it was erased."""
        identity = getattr(self, "identity", None)
        return identity.opened().get("name", "") if identity else ""


class ClientKey(models.Model):
    client = models.OneToOneField(
        Client, primary_key=True, on_delete=models.PROTECT, related_name="key"
    )
    wrapped = models.BinaryField()
    master_key_id = models.CharField(max_length=20)
    destroyed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(destroyed_at=None) | models.Q(wrapped=b""),
                name="destroyed_key_is_empty",
            )
        ]

    def __str__(self) -> str:
        return f"key of {self.client_id}"


class ClientIdentity(models.Model):
    """Name, birth date and contact of a client as one sealed document."""

    client = models.OneToOneField(
        Client, primary_key=True, on_delete=models.PROTECT, related_name="identity"
    )
    sealed = models.BinaryField()

    def __str__(self) -> str:
        return f"identity of {self.client_id}"

    def opened(self) -> dict[str, Any]:
        """`{"name", "birth_date", "phone", "email", "note"}`, those that are known."""
        text = self.client.unseal(self.sealed, "identity")
        return json.loads(text) if text else {}

    @property
    def birth_date(self) -> date | None:
        written = self.opened().get("birth_date")
        return date.fromisoformat(written) if written else None


class NameHash(models.Model):
    """What a client can be found by without their name being readable."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="name_hashes")
    hash = models.BinaryField(max_length=16)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["hash", "client"], name="name_hash_once")]

    def __str__(self) -> str:
        return f"name hash of {self.client_id}"


class ExternalId(models.Model):
    """The clinic's own number for a client, by its source."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="external_ids")
    source = models.CharField(max_length=40)
    value = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "value"], name="external_id_names_one_client")
        ]

    def __str__(self) -> str:
        return f"{self.source}:{self.value}"


class Respondent(models.Model):
    """Who answers about a client: the client, or someone beside them, from when to when."""

    class Relation(models.TextChoices):
        SELF = "self", "the client"
        CARER = "carer", "carer"
        PARTNER = "partner", "partner"
        REFERRER = "referrer", "referrer"
        OTHER = "other", "other"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="respondents")
    relation = models.CharField(max_length=10, choices=Relation.choices, default=Relation.SELF)
    label = models.CharField(max_length=40, blank=True, default="")
    language = models.CharField(max_length=8, default="en")
    contact_sealed = models.BinaryField(blank=True, default=b"")
    may_see = models.JSONField(default=list, blank=True)
    from_on = models.DateField()
    to_on = models.DateField(null=True, blank=True)
    # "Please don't ask until": asked nothing from the day it was said until this one.
    quiet_from = models.DateField(null=True, blank=True)
    quiet_until = models.DateField(null=True, blank=True)
    # Whether the picture they look at shows what was expected from their start.
    sees_expected = models.BooleanField(default=True, db_default=True)

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=ENDS_AFTER_START, name="respondent_ends_after_start"),
            models.UniqueConstraint(
                fields=["client"],
                condition=models.Q(relation="self"),
                name="one_self_respondent",
            ),
            models.UniqueConstraint(fields=["id", "client"], name="respondent_of_one_client"),
            models.CheckConstraint(
                condition=models.Q(quiet_from=None, quiet_until=None)
                | models.Q(quiet_until__gt=models.F("quiet_from")),
                name="respondent_quiet_until_later",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.get_relation_display()

    def is_quiet(self, day: date) -> bool:
        """Whether they asked not to be asked on this day."""
        return (
            self.quiet_from is not None
            and self.quiet_until is not None
            and self.quiet_from <= day < self.quiet_until
        )

    @property
    def contact(self) -> dict[str, str]:
        """`{"phone", "email"}`, those that are known; hidden from the other respondents."""
        text = self.client.unseal(self.contact_sealed, "respondent-contact")
        return json.loads(text) if text else {}
