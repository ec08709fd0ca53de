import uuid

import django.db.models.functions.text
from django.db import migrations, models

from sessions_app.at_once import AtOnce


class Migration(AtOnce):
    """Alone: other packages point at users, and their tables are soonest made before ours."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("email", models.EmailField(max_length=254, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("language", models.CharField(default="en", max_length=8)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("weekly_digest", models.BooleanField(db_default=True, default=True)),
                (
                    "alert_phone",
                    models.CharField(blank=True, db_default="", default="", max_length=40),
                ),
                (
                    "unlock_pin",
                    models.CharField(blank=True, db_default="", default="", max_length=128),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("email", django.db.models.functions.text.Lower("email"))
                        ),
                        name="user_email_low",
                    )
                ]
            },
        )
    ]
