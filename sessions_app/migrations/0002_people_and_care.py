import uuid

import django.db.models.deletion
import django.db.models.fields.json
import django.db.models.functions.comparison
import django.db.models.functions.text
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from sessions_app.at_once import AtOnce


class Migration(AtOnce):
    """Everybody in care, and whoever cares."""

    dependencies = [
        ("sessions_app", "0001_user"),
        # Of what they make nothing is needed here; after ours each step of theirs takes longer.
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("actor", models.CharField(max_length=80)),
                ("action", models.CharField(max_length=60)),
                ("subject_kind", models.CharField(blank=True, default="", max_length=40)),
                ("subject", models.CharField(blank=True, default="", max_length=80)),
                ("detail", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        fields=["subject_kind", "subject", "-id"],
                        name="sessions_ap_subject_125fa1_idx",
                    ),
                    models.Index(fields=["actor", "-id"], name="sessions_ap_actor_ac8f4f_idx"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditHorizon",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("last_id", models.BigIntegerField()),
                ("next_transaction", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_audit_horizon")
                ]
            },
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("first_id", models.BigIntegerField()),
                ("last_id", models.BigIntegerField(unique=True)),
                ("rows", models.PositiveIntegerField()),
                ("previous", models.CharField(blank=True, default="", max_length=64)),
                ("hash", models.CharField(max_length=64)),
                ("sealed_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"ordering": ["last_id"]},
        ),
        migrations.CreateModel(
            name="Installation",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("clinic_name", models.CharField(default="Clinic", max_length=120)),
                ("demo", models.BooleanField(default=False)),
                ("first_admin_token_hash", models.CharField(blank=True, default="", max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_installation")
                ]
            },
        ),
        migrations.CreateModel(
            name="Outbox",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=40)),
                ("payload", models.JSONField(default=dict)),
                ("message_id", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("due_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("last_problem", models.TextField(blank=True, default="")),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("sent_at", None)),
                        fields=["due_at"],
                        name="outbox_unsent",
                    ),
                    models.Index(
                        django.db.models.fields.json.KeyTransform("webhook", "payload"),
                        models.F("id"),
                        condition=models.Q(("kind", "webhook")),
                        name="outbox_of_webhook",
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="Programme",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, unique=True)),
                ("restricted", models.BooleanField(default=False)),
                ("active", models.BooleanField(default=True)),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.CreateModel(
            name="ProgrammeBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("restricted", models.BooleanField(default=False)),
                ("active", models.BooleanField(default=True)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to="sessions_app.programme",
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="Site",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, unique=True)),
                ("time_zone", models.CharField(blank=True, default="", max_length=64)),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.CreateModel(
            name="Client",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=12, unique=True)),
                ("language", models.CharField(default="en", max_length=8)),
                ("birth_year", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "gender",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("woman", "woman"),
                            ("man", "man"),
                            ("other", "another"),
                            ("", "not recorded"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("attributes", models.JSONField(blank=True, default=dict)),
                ("deceased_on", models.DateField(blank=True, null=True)),
                ("registered_at", models.DateTimeField(auto_now_add=True)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="sessions_app.site"
                    ),
                ),
            ],
            options={"ordering": ["code"]},
        ),
        migrations.CreateModel(
            name="ClientIdentity",
            fields=[
                (
                    "client",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="identity",
                        serialize=False,
                        to="sessions_app.client",
                    ),
                ),
                ("sealed", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="ClientKey",
            fields=[
                (
                    "client",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="key",
                        serialize=False,
                        to="sessions_app.client",
                    ),
                ),
                ("wrapped", models.BinaryField()),
                ("master_key_id", models.CharField(max_length=20)),
                ("destroyed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("destroyed_at", None), ("wrapped", b""), _connector="OR"
                        ),
                        name="destroyed_key_is_empty",
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="Episode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reference", models.CharField(blank=True, default="", max_length=80)),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("entered", "entered here"),
                            ("imported", "imported"),
                            ("simulated", "simulated"),
                        ],
                        default="entered",
                        max_length=10,
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("change", "change"),
                            ("stay_well", "stay well"),
                            ("assess", "assess"),
                            ("crisis", "get through a crisis"),
                        ],
                        default="change",
                        max_length=10,
                    ),
                ),
                ("purpose_agreed_on", models.DateField(blank=True, null=True)),
                ("problem", models.CharField(blank=True, default="", max_length=80)),
                ("funder", models.CharField(blank=True, default="", max_length=80)),
                ("opened_on", models.DateField()),
                ("care_began_on", models.DateField(blank=True, null=True)),
                ("sessions_before", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("closed_on", models.DateField(blank=True, null=True)),
                ("closed_recorded_at", models.DateTimeField(blank=True, null=True)),
                (
                    "ending",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "open"),
                            ("agreed", "agreed between client and clinician"),
                            ("client_stopped", "client stopped coming"),
                            ("clinic_ended", "ended by the clinic"),
                            ("circumstances", "circumstances"),
                            ("transferred", "transferred"),
                            ("referred", "referred on"),
                            ("died", "died"),
                            ("assessment_only", "assessment only"),
                            ("unknown", "not known"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="episodes",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "programme",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="sessions_app.programme"
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="sessions_app.site"
                    ),
                ),
            ],
            options={
                "ordering": ["opened_on", "id"],
                "indexes": [
                    models.Index(
                        fields=["programme", "closed_on"], name="sessions_ap_program_326709_idx"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("closed_on", None),
                            ("closed_on__gte", models.F("opened_on")),
                            _connector="OR",
                        ),
                        name="episode_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("closed_on", None), ("closed_recorded_at", None), ("ending", "")
                            ),
                            models.Q(
                                ("closed_on__isnull", False),
                                ("closed_recorded_at__isnull", False),
                                models.Q(("ending", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="episode_closed_with_ending",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("care_began_on", None),
                            ("care_began_on__lte", models.F("opened_on")),
                            _connector="OR",
                        ),
                        name="care_began_before_measuring",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("reference", ""), _negated=True),
                        fields=("client", "reference"),
                        name="episode_reference_once",
                    ),
                    models.UniqueConstraint(fields=("id", "client"), name="episode_of_one_client"),
                ],
            },
        ),
        migrations.CreateModel(
            name="EpisodeBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("change", "change"),
                            ("stay_well", "stay well"),
                            ("assess", "assess"),
                            ("crisis", "get through a crisis"),
                        ],
                        default="change",
                        max_length=10,
                    ),
                ),
                ("purpose_agreed_on", models.DateField(blank=True, null=True)),
                ("problem", models.CharField(blank=True, default="", max_length=80)),
                ("funder", models.CharField(blank=True, default="", max_length=80)),
                ("opened_on", models.DateField()),
                ("care_began_on", models.DateField(blank=True, null=True)),
                ("sessions_before", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("closed_on", models.DateField(blank=True, null=True)),
                (
                    "ending",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "open"),
                            ("agreed", "agreed between client and clinician"),
                            ("client_stopped", "client stopped coming"),
                            ("clinic_ended", "ended by the clinic"),
                            ("circumstances", "circumstances"),
                            ("transferred", "transferred"),
                            ("referred", "referred on"),
                            ("died", "died"),
                            ("assessment_only", "assessment only"),
                            ("unknown", "not known"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "programme",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="sessions_app.programme",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="sessions_app.site",
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="ExternalId",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source", models.CharField(max_length=40)),
                ("value", models.CharField(max_length=80)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="external_ids",
                        to="sessions_app.client",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "value"), name="external_id_names_one_client"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="Meeting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("minutes", models.PositiveSmallIntegerField(default=50)),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("individual", "individual"),
                            ("couple", "couple"),
                            ("family", "family"),
                            ("group", "group"),
                        ],
                        default="individual",
                        max_length=10,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("treatment", "treatment"),
                            ("medication", "medication"),
                            ("crisis", "crisis"),
                            ("other", "other"),
                        ],
                        default="treatment",
                        max_length=10,
                    ),
                ),
                ("telehealth", models.BooleanField(default=False)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="sessions_app.site"
                    ),
                ),
            ],
            options={
                "ordering": ["starts_at", "id"],
                "indexes": [
                    models.Index(fields=["starts_at"], name="sessions_ap_starts__d0daca_idx")
                ],
            },
        ),
        migrations.CreateModel(
            name="NameHash",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("hash", models.BinaryField(max_length=16)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="name_hashes",
                        to="sessions_app.client",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("hash", "client"), name="name_hash_once")
                ]
            },
        ),
        migrations.CreateModel(
            name="Referral",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "not recorded"),
                            ("self", "the client"),
                            ("family", "family or friends"),
                            ("doctor", "family doctor"),
                            ("hospital", "hospital"),
                            ("school", "school"),
                            ("social", "social services"),
                            ("court", "court or probation"),
                            ("employer", "employer"),
                            ("within", "another programme here"),
                            ("other", "another service"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                ("funder", models.CharField(blank=True, default="", max_length=80)),
                ("received_on", models.DateField()),
                ("first_offer_on", models.DateField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "waits"),
                            ("accepted", "care begins"),
                            ("declined", "declined what was offered"),
                            ("withdrawn", "withdrawn"),
                            ("not_reached", "could not be reached"),
                            ("elsewhere", "sent on to somebody else"),
                        ],
                        default="",
                        max_length=12,
                    ),
                ),
                ("outcome_on", models.DateField(blank=True, null=True)),
                ("recorded_at", models.DateTimeField(auto_now_add=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="referrals",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "episode",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="referral",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "programme",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.programme",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.site",
                    ),
                ),
            ],
            options={
                "ordering": ["received_on", "id"],
                "indexes": [
                    models.Index(fields=["received_on"], name="sessions_ap_receive_a46ccd_idx"),
                    models.Index(fields=["outcome_on"], name="sessions_ap_outcome_c1734a_idx"),
                    models.Index(fields=["first_offer_on"], name="sessions_ap_first_o_6ca61d_idx"),
                    models.Index(
                        condition=models.Q(("episode", None)),
                        fields=["client"],
                        name="referral_without_episode",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("first_offer_on", None),
                            ("first_offer_on__gte", models.F("received_on")),
                            _connector="OR",
                        ),
                        name="offer_after_referral",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("outcome_on", None),
                            ("outcome_on__gte", models.F("received_on")),
                            _connector="OR",
                        ),
                        name="outcome_after_referral",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("outcome", ""), ("outcome_on", None)),
                            models.Q(
                                models.Q(("outcome", ""), _negated=True),
                                models.Q(("outcome_on", None), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="referral_outcome_says_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("episode__isnull", False), ("outcome", "accepted")),
                            models.Q(
                                models.Q(("outcome", "accepted"), _negated=True), ("episode", None)
                            ),
                            _connector="OR",
                        ),
                        name="accepted_referral_has_an_episode",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("outcome", "")),
                        fields=("client", "programme"),
                        name="waits_once_for_a_programme",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Respondent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
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
                ("label", models.CharField(blank=True, default="", max_length=40)),
                ("language", models.CharField(default="en", max_length=8)),
                ("contact_sealed", models.BinaryField(blank=True, default=b"")),
                ("may_see", models.JSONField(blank=True, default=list)),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="respondents",
                        to="sessions_app.client",
                    ),
                ),
                ("quiet_from", models.DateField(blank=True, null=True)),
                ("quiet_until", models.DateField(blank=True, null=True)),
                ("sees_expected", models.BooleanField(db_default=True, default=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_on__isnull", True),
                            ("to_on__gte", models.F("from_on")),
                            _connector="OR",
                        ),
                        name="respondent_ends_after_start",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("relation", "self")),
                        fields=("client",),
                        name="one_self_respondent",
                    ),
                    models.UniqueConstraint(
                        fields=("id", "client"), name="respondent_of_one_client"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("quiet_from", None), ("quiet_until", None)),
                            ("quiet_until__gt", models.F("quiet_from")),
                            _connector="OR",
                        ),
                        name="respondent_quiet_until_later",
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("held_on", models.DateField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("booked", "booked"),
                            ("attended", "attended"),
                            ("not_seen_by_us", "arrived but not seen by us"),
                            ("no_show", "did not come"),
                            ("late_cancel", "cancelled late"),
                            ("clinic_cancel", "cancelled by the clinic"),
                        ],
                        default="booked",
                        max_length=16,
                    ),
                ),
                (
                    "obstacle",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "not asked"),
                            ("transport", "transport"),
                            ("childcare", "childcare"),
                            ("phone", "phone"),
                            ("work", "work"),
                            ("health", "health"),
                            ("other", "other"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                ("arrived_at", models.DateTimeField(blank=True, null=True)),
                ("recorded_at", models.DateTimeField(auto_now_add=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="sessions_app.episode",
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="sessions_app.meeting",
                    ),
                ),
                (
                    "reference",
                    models.CharField(blank=True, db_default="", default="", max_length=40),
                ),
                ("whereabouts_sealed", models.BinaryField(blank=True, null=True)),
            ],
            options={
                "ordering": ["held_on", "meeting__starts_at", "id"],
                "indexes": [
                    models.Index(
                        fields=["episode", "held_on"], name="sessions_ap_episode_61cad5_idx"
                    ),
                    models.Index(
                        fields=["held_on", "status"], name="sessions_ap_held_on_03f9fc_idx"
                    ),
                    models.Index(fields=["client"], name="sessions_ap_client__64783b_idx"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("meeting", "episode"), name="episode_once_a_meeting"
                    ),
                    models.UniqueConstraint(
                        fields=("id", "episode"), name="session_of_one_episode"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SessionBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                ("held_on", models.DateField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("booked", "booked"),
                            ("attended", "attended"),
                            ("not_seen_by_us", "arrived but not seen by us"),
                            ("no_show", "did not come"),
                            ("late_cancel", "cancelled late"),
                            ("clinic_cancel", "cancelled by the clinic"),
                        ],
                        default="booked",
                        max_length=16,
                    ),
                ),
                (
                    "obstacle",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "not asked"),
                            ("transport", "transport"),
                            ("childcare", "childcare"),
                            ("phone", "phone"),
                            ("work", "work"),
                            ("health", "health"),
                            ("other", "other"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to="sessions_app.session",
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="Submission",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField()),
                ("actor", models.CharField(max_length=80)),
                ("body_hash", models.CharField(max_length=64)),
                ("result", models.JSONField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("actor", "key"), name="submission_once")
                ]
            },
        ),
        migrations.CreateModel(
            name="Team",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, unique=True)),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="sessions_app.site",
                    ),
                ),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("handle", models.CharField(max_length=8, unique=True)),
                ("secret_hash", models.CharField(max_length=64)),
                ("may_write", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_on", models.DateField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_on", models.DateField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-created_at", "-id"]},
        ),
        migrations.CreateModel(
            name="CaseConference",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("held_on", models.DateField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "called_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conferences_called",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "people",
                    models.ManyToManyField(
                        blank=True, related_name="conferences", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["-held_on", "-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at", None), ("ended_by", None)),
                            models.Q(("ended_at__isnull", False), ("ended_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="conference_end_says_who_when",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CaseReview",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reviewed_on", models.DateField()),
                ("recorded_at", models.DateTimeField(auto_now_add=True)),
                (
                    "decision",
                    models.CharField(
                        choices=[
                            ("continue", "continue as we are"),
                            ("change_approach", "change approach"),
                            ("consult", "consult"),
                            ("transfer", "transfer"),
                            ("refer", "refer on"),
                            ("end", "end"),
                            ("scores_dont_fit", "the scores don't fit what we know"),
                        ],
                        max_length=16,
                    ),
                ),
                ("change_of", models.CharField(blank=True, default="", max_length=20)),
                ("session_number", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("note_sealed", models.BinaryField(blank=True, default=b"")),
                ("client_said_sealed", models.BinaryField(blank=True, default=b"")),
                ("follow_up_on", models.DateField(blank=True, null=True)),
                (
                    "recorded_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reviews",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reviews",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reviews",
                        to="sessions_app.episode",
                    ),
                ),
                ("result_at", models.DateTimeField(blank=True, null=True)),
                (
                    "result_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("result_sealed", models.BinaryField(blank=True, default=b"")),
                (
                    "talked",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "not said"),
                            ("alone", "the clinician alone"),
                            ("together", "clinician and supervisor together"),
                            ("conference", "in a team case conference"),
                        ],
                        db_default="",
                        default="",
                        max_length=10,
                    ),
                ),
                (
                    "conference",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reviews",
                        to="sessions_app.caseconference",
                    ),
                ),
            ],
            options={
                "ordering": ["reviewed_on", "id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("follow_up_on", None),
                            ("follow_up_on__gte", models.F("reviewed_on")),
                            _connector="OR",
                        ),
                        name="follow_up_after_review",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("result_at", None), ("result_by", None), ("result_sealed", b"")
                            ),
                            models.Q(
                                ("result_at__isnull", False),
                                ("result_by__isnull", False),
                                models.Q(("result_sealed", b""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="review_result_says_who_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("conference", None), ("talked", "conference"), _connector="OR"
                        ),
                        name="review_of_a_conference_says_so",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Clinician",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("code", models.CharField(max_length=40, unique=True)),
                ("trainee", models.BooleanField(default=False)),
                ("active_from", models.DateField(blank=True, null=True)),
                ("active_to", models.DateField(blank=True, null=True)),
                (
                    "user",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="clinician",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="sessions_app.site",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="sessions_app.team",
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("active_from", None),
                            ("active_to", None),
                            ("active_to__gte", models.F("active_from")),
                            _connector="OR",
                        ),
                        name="clinician_leaves_after_coming",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Absence",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                ("entered_at", models.DateTimeField(auto_now_add=True)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="absences",
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "cover",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="covers",
                        to="sessions_app.clinician",
                    ),
                ),
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
                "ordering": ["from_on", "id"],
                "indexes": [
                    models.Index(fields=["cover", "to_on"], name="sessions_ap_cover_i_9cc3c0_idx")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_on__isnull", True),
                            ("to_on__gte", models.F("from_on")),
                            _connector="OR",
                        ),
                        name="absence_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cover", models.F("clinician")), _negated=True),
                        name="absence_covered_by_another",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AbsenceBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "cover",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to="sessions_app.absence",
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="Assignment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "part",
                    models.CharField(
                        choices=[
                            ("lead", "lead"),
                            ("co_therapist", "co-therapist"),
                            ("prescriber", "prescriber"),
                            ("trainee", "trainee"),
                            ("duty", "on duty"),
                        ],
                        default="lead",
                        max_length=14,
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assignments",
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assignments",
                        to="sessions_app.episode",
                    ),
                ),
                ("why_sealed", models.BinaryField(blank=True, default=b"")),
                ("summary_sealed", models.BinaryField(blank=True, db_default=b"", default=b"")),
            ],
            options={
                "ordering": ["from_on", "id"],
                "indexes": [
                    models.Index(
                        fields=["clinician", "to_on"], name="sessions_ap_clinici_ffdc38_idx"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_on__isnull", True),
                            ("to_on__gte", models.F("from_on")),
                            _connector="OR",
                        ),
                        name="assignment_ends_after_start",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("part", "lead"), ("to_on", None)),
                        fields=("episode",),
                        name="one_open_lead_an_episode",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AssignmentBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                (
                    "part",
                    models.CharField(
                        choices=[
                            ("lead", "lead"),
                            ("co_therapist", "co-therapist"),
                            ("prescriber", "prescriber"),
                            ("trainee", "trainee"),
                            ("duty", "on duty"),
                        ],
                        default="lead",
                        max_length=14,
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to="sessions_app.assignment",
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="ConferenceCase",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("place", models.PositiveIntegerField()),
                ("minutes", models.PositiveSmallIntegerField(default=10)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "conference",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="sessions_app.caseconference",
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
                    "presenter",
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
                "ordering": ["place", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("conference", "episode"), name="case_once_a_conference"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("minutes__gte", 1), ("minutes__lte", 120)),
                        name="conference_case_minutes",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                ("language", models.CharField(max_length=8)),
                (
                    "answer",
                    models.CharField(
                        choices=[
                            ("agreed", "agreed"),
                            ("declined", "would rather not"),
                            ("withdrawn", "withdrew"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("device", "on the form"),
                            ("spoken", "in the room"),
                            ("paper", "on paper"),
                        ],
                        max_length=6,
                    ),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consents",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "recorded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "respondent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consents",
                        to="sessions_app.respondent",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["respondent", "-id"], name="consent_newest")],
            },
        ),
        migrations.CreateModel(
            name="ConsentStatement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveIntegerField(unique=True)),
                ("texts", models.JSONField()),
                ("asks_again", models.BooleanField(default=True)),
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
            options={"ordering": ["-version"]},
        ),
        migrations.CreateModel(
            name="CrisisText",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("language", models.CharField(max_length=8)),
                ("text", models.TextField(max_length=1000)),
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
            options={
                "ordering": ["language", "-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("text", ""), _negated=True),
                        name="crisis_text_says_something",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DutyTurn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                ("set_at", models.DateTimeField(auto_now_add=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="duty_turns",
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
                        condition=models.Q(
                            ("to_on__isnull", True),
                            ("to_on__gte", models.F("from_on")),
                            _connector="OR",
                        ),
                        name="duty_ends_after_start",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EmergencyAccess",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason_sealed", models.BinaryField()),
                ("from_at", models.DateTimeField()),
                ("until_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="emergencies",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="emergencies",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-from_at", "-id"],
                "indexes": [models.Index(fields=["user", "until_at"], name="emergency_in_force")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("until_at__gt", models.F("from_at"))),
                        name="emergency_ends_later",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EntryLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entry_links",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "episode",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entry_links",
                        to="sessions_app.episode",
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
                        related_name="entry_links",
                        to="sessions_app.session",
                    ),
                ),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "way",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "shown"),
                            ("mail", "e-mail"),
                            ("text", "text message"),
                            ("tablet", "the clinic's device"),
                        ],
                        db_default="",
                        default="",
                        max_length=6,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=40)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("running", "running"),
                            ("done", "done"),
                            ("stopped", "stopped"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("done", models.PositiveIntegerField(default=0)),
                ("total", models.PositiveIntegerField(default=0)),
                ("payload", models.JSONField(default=dict)),
                ("result", models.JSONField(null=True)),
                ("problem", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MeetingClinician",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "clinician",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="sessions_app.clinician"
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="sessions_app.meeting"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("meeting", "clinician"), name="clinician_once_a_meeting"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="Policy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=60)),
                ("value", models.JSONField()),
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
            options={
                "ordering": ["key", "-from_on", "-id"],
                "indexes": [
                    models.Index(fields=["key", "-from_on"], name="sessions_ap_key_b41ca0_idx")
                ],
            },
        ),
        migrations.CreateModel(
            name="Release",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_on", models.DateField()),
                ("until_on", models.DateField()),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("device", "on the form"),
                            ("spoken", "in the room"),
                            ("paper", "on paper"),
                        ],
                        max_length=6,
                    ),
                ),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="releases",
                        to="sessions_app.client",
                    ),
                ),
                (
                    "programme",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="releases",
                        to="sessions_app.programme",
                    ),
                ),
                (
                    "recorded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["client", "programme"], name="release_of_client")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("until_on__gte", models.F("from_on"))),
                        name="release_ends_after_start",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Restriction",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("accuracy", "whether it is right is looked into"),
                            ("unlawful", "the client wants it kept rather than erased"),
                            ("claims", "the client needs it for a legal claim"),
                            ("objection", "an objection is looked into"),
                        ],
                        max_length=10,
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="restrictions",
                        to="sessions_app.client",
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
                "ordering": ["-from_on", "-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_on__isnull", True),
                            ("to_on__gte", models.F("from_on")),
                            _connector="OR",
                        ),
                        name="restriction_ends_after_start",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("to_on", None)),
                        fields=("client",),
                        name="one_open_restriction",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RestrictionBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("accuracy", "whether it is right is looked into"),
                            ("unlawful", "the client wants it kept rather than erased"),
                            ("claims", "the client needs it for a legal claim"),
                            ("objection", "an objection is looked into"),
                        ],
                        max_length=10,
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to="sessions_app.restriction",
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="RetentionRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("years", models.PositiveSmallIntegerField()),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "programme",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="retention_rules",
                        to="sessions_app.programme",
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
                "ordering": ["programme", "-from_on", "-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_on__isnull", True),
                            ("to_on__gte", models.F("from_on")),
                            _connector="OR",
                        ),
                        name="retention_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("years__gte", 1)), name="retention_is_a_year_or_more"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("to_on", None)),
                        fields=("programme",),
                        name="one_retention_rule",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RetentionRuleBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                ("years", models.PositiveSmallIntegerField()),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to="sessions_app.retentionrule",
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="RoleGrant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("clinician", "clinician"),
                            ("supervisor", "supervisor"),
                            ("director", "director"),
                            ("front_desk", "front desk"),
                            ("administrator", "administrator"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("clinic", "whole clinic"),
                            ("site", "site"),
                            ("programme", "programme"),
                            ("team", "team"),
                        ],
                        default="clinic",
                        max_length=16,
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "granted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
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
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grants",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="sessions_app.site",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="sessions_app.team",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_on__isnull", True),
                            ("to_on__gte", models.F("from_on")),
                            _connector="OR",
                        ),
                        name="grant_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("programme", None),
                                ("scope", "clinic"),
                                ("site", None),
                                ("team", None),
                            ),
                            models.Q(
                                ("programme", None),
                                ("scope", "site"),
                                ("site__isnull", False),
                                ("team", None),
                            ),
                            models.Q(
                                ("programme__isnull", False),
                                ("scope", "programme"),
                                ("site", None),
                                ("team", None),
                            ),
                            models.Q(
                                ("programme", None),
                                ("scope", "team"),
                                ("site", None),
                                ("team__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="grant_scope_named",
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="RoleGrantBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("clinician", "clinician"),
                            ("supervisor", "supervisor"),
                            ("director", "director"),
                            ("front_desk", "front desk"),
                            ("administrator", "administrator"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("clinic", "whole clinic"),
                            ("site", "site"),
                            ("programme", "programme"),
                            ("team", "team"),
                        ],
                        default="clinic",
                        max_length=16,
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to="sessions_app.rolegrant",
                    ),
                ),
                (
                    "programme",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="sessions_app.programme",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="sessions_app.site",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="sessions_app.team",
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="Supervision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="supervisions",
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "supervisor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="supervisions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_on__isnull", True),
                            ("to_on__gte", models.F("from_on")),
                            _connector="OR",
                        ),
                        name="supervision_ends_after_start",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("to_on", None)),
                        fields=("supervisor", "clinician"),
                        name="one_open_supervision",
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="SupervisionBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                ("from_on", models.DateField()),
                ("to_on", models.DateField(blank=True, null=True)),
                (
                    "clinician",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="sessions_app.clinician",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to="sessions_app.supervision",
                    ),
                ),
                (
                    "supervisor",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="Tablet",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                ("enrolled_at", models.DateTimeField(auto_now_add=True)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                (
                    "enrolled_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "link",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="sessions_app.entrylink",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="sessions_app.site",
                    ),
                ),
            ],
            options={"ordering": ["name", "id"]},
        ),
        migrations.CreateModel(
            name="UserBefore",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_actor",
                    models.TextField(
                        db_default=django.db.models.functions.text.Concat(
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            models.Value(":"),
                            django.db.models.functions.comparison.Coalesce(
                                models.Func(
                                    models.Value("outcomes.actor_ref"),
                                    models.Value(True),
                                    function="current_setting",
                                ),
                                models.Value(""),
                                output_field=models.TextField(),
                            ),
                            output_field=models.TextField(),
                        )
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
                ("name", models.CharField(max_length=120)),
                ("is_active", models.BooleanField(default=True)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="before",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["pgh_id"], "abstract": False},
        ),
        migrations.CreateModel(
            name="Webhook",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("url", models.URLField(max_length=500)),
                ("events", models.JSONField(default=list)),
                ("handle", models.CharField(max_length=8, unique=True)),
                ("secret_sealed", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("agreed_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("rests_since", models.DateTimeField(blank=True, null=True)),
                ("last_taken_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="webhooks",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("rests_since", None), ("failing_since__isnull", False), _connector="OR"
                        ),
                        name="webhook_rests_after_failing",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="meeting",
            name="clinicians",
            field=models.ManyToManyField(
                related_name="meetings",
                through="sessions_app.MeetingClinician",
                to="sessions_app.clinician",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programme",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.name, OLD.restricted, OLD.active) IS DISTINCT FROM ROW(NEW.name, NEW.restricted, NEW.active))",
                    func='INSERT INTO "sessions_app_programmebefore" ("active", "name", "pgh_created_at", "pgh_label", "pgh_obj_id", "restricted") VALUES (OLD."active", OLD."name", NOW(), \'changed\', OLD."id", OLD."restricted"); RETURN NULL;',
                    hash="4fea4b45ac2de499e98438c35ca78c9ec4c5a646",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_f4ea4",
                    table="sessions_app_programme",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programme",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_programmebefore" ("active", "name", "pgh_created_at", "pgh_label", "pgh_obj_id", "restricted") VALUES (OLD."active", OLD."name", NOW(), \'taken away\', OLD."id", OLD."restricted"); RETURN NULL;',
                    hash="17c3b1a75ba4925fa9af83df8313cbf1c0d72827",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_e58f2",
                    table="sessions_app_programme",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="episode",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.programme_id, OLD.site_id, OLD.purpose, OLD.purpose_agreed_on, OLD.problem, OLD.funder, OLD.opened_on, OLD.care_began_on, OLD.sessions_before, OLD.closed_on, OLD.ending) IS DISTINCT FROM ROW(NEW.programme_id, NEW.site_id, NEW.purpose, NEW.purpose_agreed_on, NEW.problem, NEW.funder, NEW.opened_on, NEW.care_began_on, NEW.sessions_before, NEW.closed_on, NEW.ending))",
                    func='INSERT INTO "sessions_app_episodebefore" ("care_began_on", "closed_on", "ending", "funder", "opened_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "problem", "programme_id", "purpose", "purpose_agreed_on", "sessions_before", "site_id") VALUES (OLD."care_began_on", OLD."closed_on", OLD."ending", OLD."funder", OLD."opened_on", NOW(), \'changed\', OLD."id", OLD."problem", OLD."programme_id", OLD."purpose", OLD."purpose_agreed_on", OLD."sessions_before", OLD."site_id"); RETURN NULL;',
                    hash="2c6b61074cf7781be78cae0e0f3283533194b5b6",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_7f878",
                    table="sessions_app_episode",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="episode",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_episodebefore" ("care_began_on", "closed_on", "ending", "funder", "opened_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "problem", "programme_id", "purpose", "purpose_agreed_on", "sessions_before", "site_id") VALUES (OLD."care_began_on", OLD."closed_on", OLD."ending", OLD."funder", OLD."opened_on", NOW(), \'taken away\', OLD."id", OLD."problem", OLD."programme_id", OLD."purpose", OLD."purpose_agreed_on", OLD."sessions_before", OLD."site_id"); RETURN NULL;',
                    hash="ef8e9a7a6beb9ae51639a23f3938fa7e6b3324cb",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_ccecc",
                    table="sessions_app_episode",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="session",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.held_on, OLD.status, OLD.obstacle) IS DISTINCT FROM ROW(NEW.held_on, NEW.status, NEW.obstacle) AND NOT (OLD.status = 'booked'))",
                    func='INSERT INTO "sessions_app_sessionbefore" ("held_on", "obstacle", "pgh_created_at", "pgh_label", "pgh_obj_id", "status") VALUES (OLD."held_on", OLD."obstacle", NOW(), \'changed\', OLD."id", OLD."status"); RETURN NULL;',
                    hash="668045542d28e7d885d4fafa2f77df78c3186ba7",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_37193",
                    table="sessions_app_session",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="session",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_sessionbefore" ("held_on", "obstacle", "pgh_created_at", "pgh_label", "pgh_obj_id", "status") VALUES (OLD."held_on", OLD."obstacle", NOW(), \'taken away\', OLD."id", OLD."status"); RETURN NULL;',
                    hash="82f31830bca87c701fffbe779b4adec004d73f8d",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_99940",
                    table="sessions_app_session",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="user",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.email, OLD.name, OLD.is_active) IS DISTINCT FROM ROW(NEW.email, NEW.name, NEW.is_active))",
                    func='INSERT INTO "sessions_app_userbefore" ("email", "is_active", "name", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."email", OLD."is_active", OLD."name", NOW(), \'changed\', OLD."id"); RETURN NULL;',
                    hash="b23d540343273112d4ac5294e8348019ba6b034f",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_a18af",
                    table="sessions_app_user",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="user",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_userbefore" ("email", "is_active", "name", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."email", OLD."is_active", OLD."name", NOW(), \'taken away\', OLD."id"); RETURN NULL;',
                    hash="47c02eba1b6f1bb1d5f9a9ca5fa9713cb2e41a18",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_f428d",
                    table="sessions_app_user",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="absence",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.clinician_id, OLD.cover_id, OLD.from_on, OLD.to_on, OLD.withdrawn_at) IS DISTINCT FROM ROW(NEW.clinician_id, NEW.cover_id, NEW.from_on, NEW.to_on, NEW.withdrawn_at))",
                    func='INSERT INTO "sessions_app_absencebefore" ("clinician_id", "cover_id", "from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "to_on", "withdrawn_at") VALUES (OLD."clinician_id", OLD."cover_id", OLD."from_on", NOW(), \'changed\', OLD."id", OLD."to_on", OLD."withdrawn_at"); RETURN NULL;',
                    hash="624d74731886a6a2ab566671085af2bb3f63f256",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_6d35e",
                    table="sessions_app_absence",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="absence",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_absencebefore" ("clinician_id", "cover_id", "from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "to_on", "withdrawn_at") VALUES (OLD."clinician_id", OLD."cover_id", OLD."from_on", NOW(), \'taken away\', OLD."id", OLD."to_on", OLD."withdrawn_at"); RETURN NULL;',
                    hash="7e4f9e3f9fd18231d0a46f2cb036699aad325443",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_ab594",
                    table="sessions_app_absence",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="assignment",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.clinician_id, OLD.part, OLD.from_on, OLD.to_on) IS DISTINCT FROM ROW(NEW.clinician_id, NEW.part, NEW.from_on, NEW.to_on))",
                    func='INSERT INTO "sessions_app_assignmentbefore" ("clinician_id", "from_on", "part", "pgh_created_at", "pgh_label", "pgh_obj_id", "to_on") VALUES (OLD."clinician_id", OLD."from_on", OLD."part", NOW(), \'changed\', OLD."id", OLD."to_on"); RETURN NULL;',
                    hash="d2ba261023a9b32527888ab00d9f5ec0f54197e5",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_4470b",
                    table="sessions_app_assignment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="assignment",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_assignmentbefore" ("clinician_id", "from_on", "part", "pgh_created_at", "pgh_label", "pgh_obj_id", "to_on") VALUES (OLD."clinician_id", OLD."from_on", OLD."part", NOW(), \'taken away\', OLD."id", OLD."to_on"); RETURN NULL;',
                    hash="915277274dc38e753bc38716f5b2cd4f7e3c2420",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_3eb41",
                    table="sessions_app_assignment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="restriction",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.reason, OLD.from_on, OLD.to_on) IS DISTINCT FROM ROW(NEW.reason, NEW.from_on, NEW.to_on))",
                    func='INSERT INTO "sessions_app_restrictionbefore" ("from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "to_on") VALUES (OLD."from_on", NOW(), \'changed\', OLD."id", OLD."reason", OLD."to_on"); RETURN NULL;',
                    hash="abf555b6e33f6fc4c3817724eb6ec10661418385",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_c712a",
                    table="sessions_app_restriction",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="restriction",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_restrictionbefore" ("from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "to_on") VALUES (OLD."from_on", NOW(), \'taken away\', OLD."id", OLD."reason", OLD."to_on"); RETURN NULL;',
                    hash="15667e6fce07b3660d9eaf7eb72aba3bab71b74b",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_8b823",
                    table="sessions_app_restriction",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="retentionrule",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.years, OLD.from_on, OLD.to_on) IS DISTINCT FROM ROW(NEW.years, NEW.from_on, NEW.to_on))",
                    func='INSERT INTO "sessions_app_retentionrulebefore" ("from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "to_on", "years") VALUES (OLD."from_on", NOW(), \'changed\', OLD."id", OLD."to_on", OLD."years"); RETURN NULL;',
                    hash="1d7baecda99fdcb29977d203a9c44c2683ace493",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_97efb",
                    table="sessions_app_retentionrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="retentionrule",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_retentionrulebefore" ("from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "to_on", "years") VALUES (OLD."from_on", NOW(), \'taken away\', OLD."id", OLD."to_on", OLD."years"); RETURN NULL;',
                    hash="f61eff9f5aba98ba2db9f0742f61b621b7a951b7",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_5bbec",
                    table="sessions_app_retentionrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rolegrant",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.role, OLD.scope, OLD.site_id, OLD.programme_id, OLD.team_id, OLD.from_on, OLD.to_on) IS DISTINCT FROM ROW(NEW.role, NEW.scope, NEW.site_id, NEW.programme_id, NEW.team_id, NEW.from_on, NEW.to_on))",
                    func='INSERT INTO "sessions_app_rolegrantbefore" ("from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "programme_id", "role", "scope", "site_id", "team_id", "to_on") VALUES (OLD."from_on", NOW(), \'changed\', OLD."id", OLD."programme_id", OLD."role", OLD."scope", OLD."site_id", OLD."team_id", OLD."to_on"); RETURN NULL;',
                    hash="0be2b220050b9c977b539b254672db18a17386cb",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_3735c",
                    table="sessions_app_rolegrant",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rolegrant",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_rolegrantbefore" ("from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "programme_id", "role", "scope", "site_id", "team_id", "to_on") VALUES (OLD."from_on", NOW(), \'taken away\', OLD."id", OLD."programme_id", OLD."role", OLD."scope", OLD."site_id", OLD."team_id", OLD."to_on"); RETURN NULL;',
                    hash="a81dff1472cac94fae5a52fdb1f45e1450b82b48",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_b8931",
                    table="sessions_app_rolegrant",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="supervision",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (ROW(OLD.supervisor_id, OLD.clinician_id, OLD.from_on, OLD.to_on) IS DISTINCT FROM ROW(NEW.supervisor_id, NEW.clinician_id, NEW.from_on, NEW.to_on))",
                    func='INSERT INTO "sessions_app_supervisionbefore" ("clinician_id", "from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "supervisor_id", "to_on") VALUES (OLD."clinician_id", OLD."from_on", NOW(), \'changed\', OLD."id", OLD."supervisor_id", OLD."to_on"); RETURN NULL;',
                    hash="be9beaa47a1f9439eb4e4943d1bf678669d480e0",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_3cc55",
                    table="sessions_app_supervision",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="supervision",
            trigger=pgtrigger.compiler.Trigger(
                name="taken_away_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "sessions_app_supervisionbefore" ("clinician_id", "from_on", "pgh_created_at", "pgh_label", "pgh_obj_id", "supervisor_id", "to_on") VALUES (OLD."clinician_id", OLD."from_on", NOW(), \'taken away\', OLD."id", OLD."supervisor_id", OLD."to_on"); RETURN NULL;',
                    hash="565eaf56082ade05646a048564f34e76278d8b8e",
                    operation="DELETE",
                    pgid="pgtrigger_taken_away_delete_ddd27",
                    table="sessions_app_supervision",
                    when="AFTER",
                ),
            ),
        ),
    ]
