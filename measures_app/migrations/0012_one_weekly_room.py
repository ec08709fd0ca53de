import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from sessions_app import row_security as rs


class Migration(migrations.Migration):
    dependencies = [
        ("measures_app", "0011_alert_channels"),
        ("sessions_app", "0008_ways_in"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
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
            ],
            options={
                "ordering": ["from_on", "id"],
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
            ],
            options={
                "ordering": ["-proposed_at", "-id"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="flag",
            name="one_live_flag_a_rule_and_series",
        ),
        migrations.RemoveConstraint(
            model_name="flag",
            name="flag_closed_when",
        ),
        migrations.AddField(
            model_name="flag",
            name="benefit",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="flag",
            name="state",
            field=models.CharField(
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
        migrations.AddConstraint(
            model_name="flag",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["waiting", "open", "taken_up"])),
                fields=("episode", "rule", "series"),
                name="one_live_flag_a_rule_and_series",
            ),
        ),
        migrations.AddConstraint(
            model_name="flag",
            constraint=models.CheckConstraint(
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
        ),
        migrations.AddConstraint(
            model_name="flag",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "waiting"), _negated=True),
                    models.Q(("kind", "review"), ("owner", None), ("snoozed_until", None)),
                    _connector="OR",
                ),
                name="waiting_flag_is_nobodys",
            ),
        ),
        migrations.AddField(
            model_name="owncheckpoint",
            name="clinician",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="own_checkpoints",
                to="sessions_app.clinician",
            ),
        ),
        migrations.AddField(
            model_name="owncheckpoint",
            name="set_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="ruleproposal",
            name="answered_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="ruleproposal",
            name="proposed_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="owncheckpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("session", None), ("session__gte", 2), _connector="OR"),
                name="own_checkpoint_has_two_scores",
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("key", ""), ("value", None)),
                    models.Q(models.Q(("key", ""), _negated=True), ("value__isnull", False)),
                    _connector="OR",
                ),
                name="proposal_names_a_value",
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleproposal",
            constraint=models.CheckConstraint(
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
        ),
        migrations.RunSQL(rs.append_only("measures_app_owncheckpoint"), migrations.RunSQL.noop),
    ]
