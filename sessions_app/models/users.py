from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, name: str, password: str | None = None) -> User:
        user = self.model(email=self.normalize_email(email).lower(), name=name)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, email: str | None) -> User:
        return self.get(email=(email or "").lower())


class User(AbstractBaseUser):
    """Someone who signs in. What they may do is in their role grants alone."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    language = models.CharField(max_length=8, default="en")
    is_active = models.BooleanField(default=True)
    weekly_digest = models.BooleanField(default=True, db_default=True)
    # Where a text about an answer that can't wait goes, where the clinic sends texts.
    alert_phone = models.CharField(max_length=40, blank=True, default="", db_default="")
    # Hash of the PIN that takes up a sign-in that rests; empty: none.
    unlock_pin = models.CharField(max_length=128, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects = UserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_low")
        ]

    def __str__(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        """Initials: what a full table has room for."""
        return " ".join(f"{word[0]}." for word in self.name.split()[:2])


class ApiKey(models.Model):
    """What another system shows in place of a sign-in: it sees what its person sees, or less.

    The text is shown once and stored as its hash; `handle` is its first part, which tells one
    key from another.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=80)
    handle = models.CharField(max_length=8, unique=True)
    secret_hash = models.CharField(max_length=64)
    may_write = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_on = models.DateField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name
