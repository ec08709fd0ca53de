import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from sessions_app.at_once import AtOnce


class Migration(AtOnce):
    """What is asked, what was answered, and what that is taken to mean."""

    initial = True

    dependencies = [("sessions_app", "0002_people_and_care")]

    operations = [
        migrations.CreateModel(
            name="FlagRuleSet",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveIntegerField(unique=True)),
                ("from_on", models.DateField()),
                ("rules", models.JSONField()),
                ("why", models.CharField(blank=True, default="", max_length=200)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-version"]},
        ),
        migrations.CreateModel(
            name="ImportDraft",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("sealed", models.BinaryField()),
                ("master_key_id", models.CharField(max_length=20)),
                ("mapping", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="sessions_app.job",
                    ),
                ),
                ("report_sealed", models.BinaryField(blank=True, default=b"")),
            ],
        ),
        migrations.CreateModel(
            name="Measure",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.SlugField(max_length=40, unique=True)),
                ("title", models.CharField(max_length=120)),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("outcome", "outcome"),
                            ("alliance", "alliance"),
                            ("symptom", "symptom"),
                            ("functioning", "functioning"),
                            ("risk", "risk"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "rater",
                    models.CharField(
                        choices=[
                            ("client", "client"),
                            ("carer", "carer"),
                            ("clinician", "clinician"),
                            ("other", "other"),
                        ],
                        default="client",
                        max_length=10,
                    ),
                ),
                ("active", models.BooleanField(default=True)),
            ],
            options={"ordering": ["purpose", "code"]},
        ),
        migrations.CreateModel(
            name="ExpectedChangeModel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("relation", models.CharField(default="self", max_length=10)),
                ("stratum", models.CharField(blank=True, default="", max_length=80)),
                ("label", models.CharField(max_length=60)),
                ("cutoff_on", models.DateField()),
                ("clients", models.PositiveIntegerField()),
                ("rows", models.PositiveIntegerField()),
                ("parameters", models.JSONField()),
                ("code_version", models.CharField(max_length=40)),
                ("checksum", models.CharField(max_length=64)),
                ("reference_year", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("fitted_at", models.DateTimeField(auto_now_add=True)),
                (
                    "measure",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="models",
                        to="measures_app.measure",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("measure", "relation", "stratum", "checksum"), name="model_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("reference_year__isnull", False)),
                        fields=("measure", "relation", "stratum", "reference_year"),
                        name="one_reference_model_a_year",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Flag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule", models.CharField(max_length=32)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("prompt", "prompt for the clinician"),
                            ("review", "worth a conversation"),
                            ("item", "item alert"),
                        ],
                        max_length=8,
                    ),
                ),
                ("series", models.CharField(blank=True, default="", max_length=60)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting for room in the week"),
                            ("open", "open"),
                            ("taken_up", "taken up"),
                            ("decided", "decided"),
                            ("lapsed", "lapsed"),
                        ],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("evidence", models.JSONField()),
                ("session_number", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("raised_on", models.DateField()),
                ("raised_at", models.DateTimeField(auto_now_add=True)),
                ("taken_up_at", models.DateTimeField(blank=True, null=True)),
                ("closed_on", models.DateField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("close_reason", models.CharField(blank=True, default="", max_length=200)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="flags",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="flags",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="measures_app.expectedchangemodel",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="flags_taken_up",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "respondent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="sessions_app.respondent",
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="flags",
                        to="sessions_app.casereview",
                    ),
                ),
                (
                    "rule_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="measures_app.flagruleset"
                    ),
                ),
                (
                    "measure",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="measures_app.measure",
                    ),
                ),
                ("snooze_why_sealed", models.BinaryField(blank=True, default=b"")),
                ("snoozed_until", models.DateField(blank=True, null=True)),
                ("benefit", models.FloatField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-raised_on", "-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["open", "taken_up"])),
                        fields=["kind", "raised_on"],
                        name="flag_live",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("owner", None), ("taken_up_at", None)),
                            models.Q(("owner__isnull", False), ("taken_up_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="flag_owner_since",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("snooze_why_sealed", b""), ("snoozed_until", None)),
                            models.Q(
                                ("snoozed_until__isnull", False),
                                models.Q(("snooze_why_sealed", b""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="flag_put_off_with_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "decided"), _negated=True),
                            ("review__isnull", False),
                            ("kind", "item"),
                            _connector="OR",
                        ),
                        name="decided_flag_has_review",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["waiting", "open", "taken_up"])),
                        fields=("episode", "rule", "series"),
                        name="one_live_flag_a_rule_and_series",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("closed_at", None),
                                ("closed_on", None),
                                ("state__in", ["waiting", "open", "taken_up"]),
                            ),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("closed_on__isnull", False),
                                ("state__in", ["decided", "lapsed"]),
                            ),
                            _connector="OR",
                        ),
                        name="flag_closed_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "waiting"), _negated=True),
                            models.Q(("kind", "review"), ("owner", None), ("snoozed_until", None)),
                            _connector="OR",
                        ),
                        name="waiting_flag_is_nobodys",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FlagEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("actor", models.CharField(max_length=80)),
                ("from_state", models.CharField(blank=True, default="", max_length=8)),
                ("to_state", models.CharField(max_length=8)),
                ("why", models.CharField(blank=True, default="", max_length=200)),
                ("evidence", models.JSONField(default=dict)),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "flag",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="measures_app.flag",
                    ),
                ),
                ("basis", models.JSONField(default=dict)),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.CreateModel(
            name="FollowUp",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("variant", models.CharField(blank=True, default="", max_length=8)),
                ("t", models.PositiveSmallIntegerField()),
                ("score", models.FloatField()),
                (
                    "forecast_t",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "forecast_mean",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), default=list, size=None
                    ),
                ),
                (
                    "forecast_low80",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), default=list, size=None
                    ),
                ),
                (
                    "forecast_high80",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), default=list, size=None
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "measure",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="measures_app.measure",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="measures_app.expectedchangemodel",
                    ),
                ),
                (
                    "respondent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.respondent",
                    ),
                ),
                (
                    "review",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ahead",
                        to="sessions_app.casereview",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MeasurePlan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=40)),
                ("from_on", models.DateField()),
                ("withdrawn", models.BooleanField(default=False)),
                (
                    "purpose",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("outcome", "outcome"),
                            ("alliance", "alliance"),
                            ("symptom", "symptom"),
                            ("functioning", "functioning"),
                            ("risk", "risk"),
                        ],
                        default="",
                        max_length=12,
                    ),
                ),
                (
                    "relation",
                    models.CharField(
                        choices=[
                            ("self", "the client"),
                            ("carer", "carer"),
                            ("partner", "partner"),
                            ("referrer", "referrer"),
                            ("other", "other"),
                        ],
                        default="self",
                        max_length=10,
                    ),
                ),
                (
                    "rhythm",
                    models.CharField(
                        choices=[
                            ("each", "each session"),
                            ("nth", "every nth session"),
                            ("ends", "first and last session"),
                            ("monthly", "once a month"),
                            ("days", "at most once in n days, in all programmes together"),
                            ("never", "not asked"),
                        ],
                        default="each",
                        max_length=8,
                    ),
                ),
                ("every", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("age_from", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("age_to", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("set_at", models.DateTimeField(auto_now_add=True)),
                (
                    "measure",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="measures_app.measure",
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
                (
                    "set_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["from_on", "id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("measure", None), models.Q(("purpose", ""), _negated=True)),
                            models.Q(("measure__isnull", False), ("purpose", "")),
                            _connector="OR",
                        ),
                        name="plan_asks_for_a_measure_or_a_purpose",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("every__gte", 1), ("rhythm__in", ["nth", "days"])),
                            models.Q(
                                models.Q(("rhythm__in", ["nth", "days"]), _negated=True),
                                ("every", None),
                            ),
                            _connector="OR",
                        ),
                        name="plan_says_every_how_many",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("age_from", None),
                            ("age_to", None),
                            ("age_from__lte", models.F("age_to")),
                            _connector="OR",
                        ),
                        name="plan_ages_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MeasuresState",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("mark", models.UUIDField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="one_state_of_measures"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="MeasureVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveSmallIntegerField()),
                ("definition", models.JSONField()),
                ("source_text", models.TextField()),
                ("checksum", models.CharField(max_length=64)),
                ("scoring_hash", models.CharField(max_length=64)),
                ("low", models.DecimalField(decimal_places=2, max_digits=8)),
                ("high", models.DecimalField(decimal_places=2, max_digits=8)),
                ("step", models.DecimalField(decimal_places=2, max_digits=6)),
                (
                    "better",
                    models.CharField(
                        choices=[("higher", "higher is better"), ("lower", "lower is better")],
                        max_length=6,
                    ),
                ),
                ("age_from", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("age_to", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("loaded_at", models.DateTimeField(auto_now_add=True)),
                (
                    "comparable_with",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="measures_app.measureversion",
                    ),
                ),
                (
                    "measure",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="measures_app.measure",
                    ),
                ),
            ],
            options={
                "ordering": ["measure", "-version"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("measure", "version"), name="measure_version_once"
                    ),
                    models.UniqueConstraint(
                        fields=("measure", "checksum"), name="measure_text_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("low__lt", models.F("high"))), name="range_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("age_from", None),
                            ("age_to", None),
                            ("age_to__gte", models.F("age_from")),
                            _connector="OR",
                        ),
                        name="version_ages_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NightlyRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("as_of", models.DateField()),
                ("live", models.BooleanField(default=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "running"), ("done", "done"), ("stopped", "stopped")],
                        default="running",
                        max_length=8,
                    ),
                ),
                ("started_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("input_mark", models.CharField(blank=True, default="", max_length=64)),
                ("result", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ["-as_of", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "running")),
                        fields=("as_of", "live"),
                        name="one_running_night",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="NormRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("population", models.CharField(max_length=120)),
                ("country", models.CharField(blank=True, default="", max_length=40)),
                ("age_from", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("age_to", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("mean", models.FloatField(blank=True, null=True)),
                ("sd", models.FloatField(blank=True, null=True)),
                ("reliability", models.FloatField(blank=True, null=True)),
                ("cutoff", models.FloatField(blank=True, null=True)),
                (
                    "at_cutoff",
                    models.CharField(
                        choices=[
                            ("clinical", "a score at the cutoff is on the clinical side"),
                            ("functional", "a score at the cutoff is on the functional side"),
                            ("neither", "a score at the cutoff is on neither side"),
                        ],
                        default="functional",
                        max_length=10,
                    ),
                ),
                ("reliable_change", models.FloatField(blank=True, null=True)),
                ("rc_inclusive", models.BooleanField(default=True)),
                ("provisional", models.CharField(blank=True, default="", max_length=200)),
                ("source", models.TextField()),
                ("from_on", models.DateField()),
                ("default", models.BooleanField(default=False)),
                ("checksum", models.CharField(max_length=64)),
                ("added_at", models.DateTimeField(auto_now_add=True)),
                (
                    "measure",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="norms",
                        to="measures_app.measure",
                    ),
                ),
                (
                    "added_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["measure", "-default", "-from_on", "-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("measure", "checksum"), name="norm_row_once"),
                    models.CheckConstraint(
                        condition=models.Q(("source", ""), _negated=True),
                        name="norm_row_has_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("age_from", None),
                            ("age_to", None),
                            ("age_to__gte", models.F("age_from")),
                            _connector="OR",
                        ),
                        name="norm_ages_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Administration",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("language", models.CharField(blank=True, default="", max_length=8)),
                (
                    "provenance",
                    models.CharField(
                        choices=[
                            ("own_device", "own device"),
                            ("clinic_tablet", "clinic tablet"),
                            ("paper", "typed by the clinician from paper"),
                            ("import", "imported"),
                            ("api", "by another system"),
                        ],
                        max_length=14,
                    ),
                ),
                (
                    "manner",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "not recorded"),
                            ("alone", "alone"),
                            ("read_aloud", "read aloud"),
                            ("interpreter", "through an interpreter"),
                        ],
                        default="",
                        max_length=12,
                    ),
                ),
                ("answers", models.JSONField(blank=True, null=True)),
                (
                    "total",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=8, null=True),
                ),
                ("subscales", models.JSONField(blank=True, null=True)),
                ("prorated", models.BooleanField(default=False)),
                (
                    "not_taken",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "taken"),
                            ("declined", "declined"),
                            ("too_distressed", "too distressed"),
                            ("no_time", "no time"),
                            ("no_language", "no suitable language"),
                            ("not_asked", "not asked"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("taken_at", models.DateTimeField()),
                ("taken_on", models.DateField()),
                ("recorded_at", models.DateTimeField(auto_now_add=True)),
                ("known_on", models.DateField()),
                ("age_years", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("superseded_at", models.DateTimeField(blank=True, null=True)),
                ("voided", models.BooleanField(default=False)),
                ("voided_at", models.DateTimeField(blank=True, null=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="administrations",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="administrations",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "recorded_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "respondent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="sessions_app.respondent"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="administrations",
                        to="sessions_app.session",
                    ),
                ),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="measures_app.administration",
                    ),
                ),
                (
                    "voided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "measure",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="measures_app.measure"
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        to="measures_app.measureversion",
                    ),
                ),
                (
                    "norm",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="measures_app.normrow",
                    ),
                ),
                ("correction_reason_sealed", models.BinaryField(blank=True, default=b"")),
                ("void_reason_sealed", models.BinaryField(blank=True, default=b"")),
            ],
            options={
                "ordering": ["taken_at", "id"],
                "indexes": [
                    models.Index(
                        fields=["episode", "measure"], name="measures_ap_episode_255a39_idx"
                    ),
                    models.Index(
                        fields=["measure", "taken_on"], name="measures_ap_measure_62de16_idx"
                    ),
                    models.Index(fields=["client"], name="measures_ap_client__f9eb02_idx"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("session__isnull", False), ("superseded_at", None), ("voided", False)
                        ),
                        fields=("session", "measure", "respondent"),
                        name="one_current_administration",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("not_taken", ""),
                            models.Q(("answers", None), ("total", None)),
                            _connector="OR",
                        ),
                        name="not_taken_has_no_score",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("correction_reason_sealed", b""), ("supersedes", None)),
                            models.Q(
                                ("supersedes__isnull", False),
                                models.Q(("correction_reason_sealed", b""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="correction_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("void_reason_sealed", b""),
                                ("voided", False),
                                ("voided_at", None),
                                ("voided_by", None),
                            ),
                            models.Q(
                                ("voided", True),
                                ("voided_at__isnull", False),
                                models.Q(("void_reason_sealed", b""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="voided_says_who_when_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ItemAlert",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("items", models.JSONField()),
                ("raised_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                ("done_sealed", models.BinaryField(blank=True, default=b"")),
                (
                    "administration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="measures_app.administration",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "done_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "flag",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alert",
                        to="measures_app.flag",
                    ),
                ),
                (
                    "shown_to",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), blank=True, default=list, size=None
                    ),
                ),
            ],
            options={
                "ordering": ["raised_at", "id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("done_at", None), ("done_by", None), ("done_sealed", b"")),
                            models.Q(
                                ("done_at__isnull", False),
                                ("done_by__isnull", False),
                                models.Q(("done_sealed", b""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="alert_done_says_who_when_what",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OwnCheckpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("session", models.PositiveSmallIntegerField(null=True)),
                ("from_on", models.DateField()),
                ("set_at", models.DateTimeField(auto_now_add=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="own_checkpoints",
                        to="sessions_app.clinician",
                    ),
                ),
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
            options={
                "ordering": ["from_on", "id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("session", None), ("session__gte", 2), _connector="OR"),
                        name="own_checkpoint_has_two_scores",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RuleProposal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule", models.CharField(max_length=32)),
                ("key", models.CharField(blank=True, default="", max_length=40)),
                ("value", models.FloatField(blank=True, null=True)),
                ("what", models.CharField(max_length=300)),
                ("why", models.CharField(max_length=600)),
                ("proposed_at", models.DateTimeField(auto_now_add=True)),
                (
                    "answer",
                    models.CharField(
                        blank=True,
                        choices=[("accepted", "accepted"), ("declined", "declined")],
                        default="",
                        max_length=8,
                    ),
                ),
                ("answer_words", models.CharField(blank=True, default="", max_length=600)),
                ("from_on", models.DateField(blank=True, null=True)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "answered_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-proposed_at", "-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("key", ""), ("value", None)),
                            models.Q(
                                models.Q(("key", ""), _negated=True), ("value__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="proposal_names_a_value",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("answer", ""),
                                ("answer_words", ""),
                                ("answered_at", None),
                                ("answered_by", None),
                                ("from_on", None),
                            ),
                            models.Q(
                                ("answered_at__isnull", False),
                                ("answered_by__isnull", False),
                                models.Q(
                                    models.Q(("answer", "accepted"), ("from_on__isnull", False)),
                                    models.Q(
                                        ("answer", "declined"),
                                        models.Q(("answer_words", ""), _negated=True),
                                    ),
                                    _connector="OR",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="proposal_answered_when_and_how",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Step",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                ("block", models.CharField(blank=True, default="", max_length=80)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "waiting"), ("claimed", "claimed"), ("done", "done")],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("claimed_by", models.CharField(blank=True, default="", max_length=80)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("heartbeat_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("seconds", models.FloatField(blank=True, null=True)),
                ("result", models.JSONField(default=dict)),
                ("problem", models.TextField(blank=True, default="")),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="measures_app.nightlyrun",
                    ),
                ),
            ],
            options={
                "ordering": ["position", "id"],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "name", "block"), name="step_once_a_run")
                ],
            },
        ),
        migrations.CreateModel(
            name="StoppingModel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.CharField(max_length=60)),
                ("cutoff_on", models.DateField()),
                ("episodes", models.PositiveIntegerField()),
                ("rows", models.PositiveIntegerField()),
                ("stops", models.PositiveIntegerField()),
                ("parameters", models.JSONField()),
                ("code_version", models.CharField(max_length=40)),
                ("checksum", models.CharField(max_length=64)),
                ("fitted_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"ordering": ["-id"]},
        ),
        migrations.CreateModel(
            name="TouchedEpisode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("episode_id", models.BigIntegerField(db_index=True)),
                ("from_on", models.DateField()),
                ("until_on", models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name="Trajectory",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("as_of", models.DateField()),
                ("newest_input_at", models.DateTimeField()),
                ("input_hash", models.CharField(max_length=64)),
                ("mid_care", models.BooleanField(default=False)),
                (
                    "t",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(), size=None
                    ),
                ),
                (
                    "dates",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DateField(), size=None
                    ),
                ),
                (
                    "scores",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), size=None
                    ),
                ),
                (
                    "expected_t",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "expected_mean",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), default=list, size=None
                    ),
                ),
                (
                    "expected_low80",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), default=list, size=None
                    ),
                ),
                (
                    "expected_high80",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), default=list, size=None
                    ),
                ),
                (
                    "forecast_t",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "forecast_mean",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), default=list, size=None
                    ),
                ),
                (
                    "forecast_low80",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), default=list, size=None
                    ),
                ),
                (
                    "forecast_high80",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), default=list, size=None
                    ),
                ),
                ("standing", models.CharField(blank=True, default="", max_length=24)),
                ("change_class", models.CharField(blank=True, default="", max_length=16)),
                ("probabilities", models.JSONField(default=dict)),
                ("computed_at", models.DateTimeField(auto_now=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trajectories",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trajectories",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "measure",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="measures_app.measure"
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trajectories",
                        to="measures_app.expectedchangemodel",
                    ),
                ),
                (
                    "respondent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="sessions_app.respondent"
                    ),
                ),
                ("variant", models.CharField(blank=True, default="", max_length=8)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("episode", "measure", "variant", "respondent"),
                        name="one_trajectory_a_series",
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="WeeklyLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_on", models.DateField()),
                ("room", models.FloatField()),
                ("raised", models.PositiveIntegerField(null=True)),
                ("ahead", models.FloatField(default=0.0)),
                ("line", models.FloatField()),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                (
                    "rule_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="measures_app.flagruleset",
                    ),
                ),
            ],
            options={
                "ordering": ["-from_on", "-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("from_on", "rule_set"), name="one_line_a_week"),
                    models.CheckConstraint(
                        condition=models.Q(("line__gte", 0), ("room__gte", 0)),
                        name="line_and_room_are_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Wording",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("language", models.CharField(max_length=8)),
                ("text", models.JSONField()),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="wordings",
                        to="measures_app.measureversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("version", "language"), name="one_wording_a_language"
                    )
                ]
            },
        ),
    ]
