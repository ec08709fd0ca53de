from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

ENDS_AFTER_START = Q(to_on__isnull=True) | Q(to_on__gte=F("from_on"))


class Installation(models.Model):
    """One row: what this database is. A demo database is refused by other settings."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    clinic_name = models.CharField(max_length=120, default="Clinic")
    demo = models.BooleanField(default=False)
    first_admin_token_hash = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_installation")]

    def __str__(self) -> str:
        return self.clinic_name


class Site(models.Model):
    name = models.CharField(max_length=120, unique=True)
    time_zone = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Programme(models.Model):
    """A line of care with its own purpose and funder. Restricted: unseen from outside."""

    name = models.CharField(max_length=120, unique=True)
    restricted = models.BooleanField(default=False)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Team(models.Model):
    name = models.CharField(max_length=120, unique=True)
    site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.PROTECT)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Clinician(models.Model):
    """Someone who treats; may have no login (imported, or before measuring began)."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="clinician",
    )
    name = models.CharField(max_length=120)
    code = models.CharField(max_length=40, unique=True)
    site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.PROTECT)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT)
    trainee = models.BooleanField(default=False)
    active_from = models.DateField(null=True, blank=True)
    active_to = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(active_from=None)
                | Q(active_to=None)
                | Q(active_to__gte=F("active_from")),
                name="clinician_leaves_after_coming",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        return " ".join(f"{word[0]}." for word in self.name.split()[:2])


class RoleGrant(models.Model):
    """A role for a time and a scope; several a person."""

    class Role(models.TextChoices):
        CLINICIAN = "clinician", "clinician"
        SUPERVISOR = "supervisor", "supervisor"
        DIRECTOR = "director", "director"
        FRONT_DESK = "front_desk", "front desk"
        ADMINISTRATOR = "administrator", "administrator"

    class Scope(models.TextChoices):
        CLINIC = "clinic", "whole clinic"
        SITE = "site", "site"
        PROGRAMME = "programme", "programme"
        TEAM = "team", "team"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="grants"
    )
    role = models.CharField(max_length=16, choices=Role.choices)
    scope = models.CharField(max_length=16, choices=Scope.choices, default=Scope.CLINIC)
    site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.PROTECT)
    programme = models.ForeignKey(Programme, null=True, blank=True, on_delete=models.PROTECT)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT)
    from_on = models.DateField()
    to_on = models.DateField(null=True, blank=True)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=ENDS_AFTER_START, name="grant_ends_after_start"),
            models.CheckConstraint(
                condition=Q(scope="clinic", site=None, programme=None, team=None)
                | Q(scope="site", site__isnull=False, programme=None, team=None)
                | Q(scope="programme", site=None, programme__isnull=False, team=None)
                | Q(scope="team", site=None, programme=None, team__isnull=False),
                name="grant_scope_named",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role} {self.scope}"


class Supervision(models.Model):
    """Who supervises whom, dated: a fact of its own, not a role."""

    supervisor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="supervisions"
    )
    clinician = models.ForeignKey(Clinician, on_delete=models.PROTECT, related_name="supervisions")
    from_on = models.DateField()
    to_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=ENDS_AFTER_START, name="supervision_ends_after_start"),
            models.UniqueConstraint(
                fields=["supervisor", "clinician"],
                condition=Q(to_on=None),
                name="one_open_supervision",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.supervisor_id} supervises {self.clinician_id}"


class Policy(models.Model):
    """A clinic rule from a day on; past versions stay. Defaults live in policies.py."""

    key = models.CharField(max_length=60)
    value = models.JSONField()
    from_on = models.DateField()
    set_at = models.DateTimeField(auto_now_add=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["key", "-from_on", "-id"]
        indexes = [models.Index(fields=["key", "-from_on"])]

    def __str__(self) -> str:
        return f"{self.key} from {self.from_on}"
