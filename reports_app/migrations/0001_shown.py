import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from sessions_app.at_once import AtOnce


class Migration(AtOnce):
    """What is shown, kept and handed out."""

    initial = True

    dependencies = [
        ("measures_app", "0001_asked_and_answered"),
        ("sessions_app", "0002_people_and_care"),
    ]

    operations = [
        migrations.CreateModel(
            name="CaseFile",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("sealed", models.BinaryField(blank=True, default=b"")),
                ("master_key_id", models.CharField(blank=True, default="", max_length=20)),
                (
                    "conference",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="files",
                        to="sessions_app.caseconference",
                    ),
                ),
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.job",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-created_at"]},
        ),
        migrations.CreateModel(
            name="CaseRows",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("first_year", models.PositiveSmallIntegerField()),
                ("last_year", models.PositiveSmallIntegerField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.job",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-created_at"]},
        ),
        migrations.CreateModel(
            name="CaseRowsPart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("sealed", models.BinaryField()),
                ("master_key_id", models.CharField(max_length=20)),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="reports_app.caserows",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "constraints": [
                    models.UniqueConstraint(fields=("file", "number"), name="case_rows_part_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ClientCopy",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("sealed", models.BinaryField(blank=True, default=b"")),
                ("master_key_id", models.CharField(blank=True, default="", max_length=20)),
                ("client_code", models.CharField(max_length=12)),
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.job",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-created_at"], "abstract": False},
        ),
        migrations.CreateModel(
            name="ContractTarget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("funder", models.CharField(max_length=80)),
                ("metric", models.CharField(max_length=40)),
                ("value", models.FloatField()),
                ("from_on", models.DateField()),
                ("set_at", models.DateTimeField(auto_now_add=True)),
                (
                    "set_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["funder", "metric", "from_on", "id"]},
        ),
        migrations.CreateModel(
            name="EpisodeSummary",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("purpose", models.CharField(max_length=10)),
                ("problem", models.CharField(blank=True, default="", max_length=80)),
                ("funder", models.CharField(blank=True, default="", max_length=80)),
                ("gender", models.CharField(blank=True, default="", max_length=8)),
                ("age_at_opening", models.PositiveSmallIntegerField(null=True)),
                ("opened_on", models.DateField()),
                ("closed_on", models.DateField(null=True)),
                ("ending", models.CharField(blank=True, default="", max_length=16)),
                ("first_session_on", models.DateField(null=True)),
                ("last_session_on", models.DateField(null=True)),
                ("attended", models.PositiveSmallIntegerField(default=0)),
                ("no_shows", models.PositiveSmallIntegerField(default=0)),
                ("late_cancels", models.PositiveSmallIntegerField(default=0)),
                ("relation", models.CharField(blank=True, default="", max_length=10)),
                ("collateral_raters", models.PositiveSmallIntegerField(default=0)),
                ("scores", models.PositiveSmallIntegerField(default=0)),
                ("mid_care", models.BooleanField(default=False)),
                ("first_score", models.FloatField(null=True)),
                ("last_score", models.FloatField(null=True)),
                ("last_score_on", models.DateField(null=True)),
                ("started_clinical", models.BooleanField(null=True)),
                ("improvement_possible", models.BooleanField(null=True)),
                ("outcome_class", models.CharField(blank=True, default="", max_length=16)),
                ("class_so_far", models.CharField(blank=True, default="", max_length=16)),
                ("expected_last", models.FloatField(null=True)),
                ("reached_expected", models.BooleanField(null=True)),
                ("first_alliance", models.FloatField(null=True)),
                ("as_of", models.DateField()),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "clinician",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "episode",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="summary",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "measure",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="measures_app.measure",
                    ),
                ),
                (
                    "programme",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="sessions_app.programme"
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="sessions_app.site"
                    ),
                ),
                ("made_from", models.CharField(blank=True, default="", max_length=64)),
                ("trajectories", models.PositiveSmallIntegerField(default=0)),
                (
                    "reference",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="measures_app.expectedchangemodel",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["closed_on", "programme"], name="reports_app_closed__22bcb0_idx"
                    ),
                    models.Index(
                        fields=["opened_on", "programme"], name="reports_app_opened__7b7a85_idx"
                    ),
                    models.Index(fields=["clinician"], name="reports_app_clinici_033fb1_idx"),
                    models.Index(
                        fields=["first_session_on"], name="reports_app_first_s_c01585_idx"
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="KeptFigures",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("of", models.CharField(max_length=160)),
                ("scope", models.CharField(blank=True, default="", max_length=120)),
                ("content", models.JSONField()),
                ("made_at", models.DateTimeField()),
                ("stale", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("of", "scope"), name="figures_once")
                ]
            },
        ),
        migrations.CreateModel(
            name="MonthlyEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField()),
                ("complaints", models.PositiveIntegerField(blank=True, null=True)),
                ("vacancies", models.PositiveIntegerField(blank=True, null=True)),
                ("leavers", models.PositiveIntegerField(blank=True, null=True)),
                ("sick_days", models.PositiveIntegerField(blank=True, null=True)),
                ("changed", models.TextField(blank=True, default="")),
                ("entered_at", models.DateTimeField(auto_now_add=True)),
                (
                    "entered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-month", "-id"],
                "indexes": [models.Index(fields=["month"], name="reports_app_month_1dad8d_idx")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("month__day", 1)), name="monthly_entry_is_of_a_month"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PracticeEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("on", models.DateField()),
                (
                    "skill",
                    models.CharField(
                        choices=[
                            ("moving_on", "the moving-on conversation"),
                            ("ending", "ending together"),
                            ("measuring", "asking at each session"),
                            ("other", "something else"),
                        ],
                        max_length=10,
                    ),
                ),
                ("hours", models.DecimalField(decimal_places=1, default=0, max_digits=4)),
                ("sessions_reviewed", models.PositiveSmallIntegerField(default=0)),
                ("tried", models.CharField(blank=True, default="", max_length=400)),
                ("recorded_at", models.DateTimeField(auto_now_add=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="practised",
                        to="sessions_app.clinician",
                    ),
                ),
            ],
            options={
                "ordering": ["-on", "-id"],
                "indexes": [
                    models.Index(fields=["clinician", "on"], name="reports_app_clinici_f174b6_idx")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("hours__gte", 0), ("hours__lte", 24)),
                        name="practice_hours_of_a_day",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PracticeShare",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("shared_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="practice_shares",
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "supervisor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="practice_shares",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["shared_at", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("clinician", "supervisor"),
                        name="one_open_share",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReportRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(default="monthly", max_length=20)),
                ("period", models.CharField(max_length=24)),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                ("summaries_as_of", models.DateField(null=True)),
                ("provisional", models.BooleanField(default=False)),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "programme",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="sessions_app.programme",
                    ),
                ),
                ("cells", models.JSONField(blank=True, default=dict)),
                ("changes", models.JSONField(blank=True, default=list)),
                ("published", models.BooleanField(default=False)),
                ("scope", models.CharField(default="clinic", max_length=240)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["period", "scope"], name="reports_app_period_3ad148_idx")
                ],
            },
        ),
        migrations.CreateModel(
            name="ReportEdition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("format", models.CharField(max_length=4)),
                ("content", models.BinaryField()),
                ("checksum", models.CharField(max_length=64)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="editions",
                        to="reports_app.reportrun",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("run", "format"), name="edition_once_a_format")
                ]
            },
        ),
        migrations.CreateModel(
            name="SessionMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField()),
                ("scheduled", models.PositiveIntegerField(default=0)),
                ("attended", models.PositiveIntegerField(default=0)),
                ("no_shows", models.PositiveIntegerField(default=0)),
                ("late_cancels", models.PositiveIntegerField(default=0)),
                ("clinic_cancels", models.PositiveIntegerField(default=0)),
                ("not_seen_by_us", models.PositiveIntegerField(default=0)),
                ("both_measures", models.PositiveIntegerField(default=0)),
                ("minutes", models.PositiveIntegerField(default=0)),
                (
                    "clinician",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "programme",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="sessions_app.programme"
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="sessions_app.site"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["month", "programme"], name="reports_app_month_08ba75_idx")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("month", "programme", "site", "clinician"),
                        name="session_month_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TouchedMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField()),
                ("sessions", models.BooleanField(db_default=True, default=True)),
                ("entered", models.PositiveIntegerField(db_default=0, default=0)),
            ],
        ),
    ]
