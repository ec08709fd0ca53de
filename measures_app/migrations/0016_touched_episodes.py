from django.db import migrations, models

from measures_app.touched_episodes import NOTE_ALL, TRIGGERS
from sessions_app.row_security import protect


class Migration(migrations.Migration):
    dependencies = [
        ("measures_app", "0015_weekly_line"),
        ("sessions_app", "0023_releases"),
    ]

    operations = [
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
        migrations.RunSQL(protect("measures_app_touchedepisode"), migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGERS, migrations.RunSQL.noop),
        migrations.RunSQL(NOTE_ALL, migrations.RunSQL.noop),
    ]
