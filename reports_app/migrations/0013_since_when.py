from django.db import migrations, models

from reports_app.touched_months import TRIGGERS, counting_trigger

# As the triggers were: those of sessions are the first two.
INSERTED, UPDATED = TRIGGERS[0][0], TRIGGERS[1][0]


class Migration(migrations.Migration):
    dependencies = [("reports_app", "0012_case_rows")]

    operations = [
        migrations.AlterField("keptfigures", "of", models.CharField(max_length=160)),
        migrations.AlterField("keptfigures", "made_at", models.DateTimeField()),
        migrations.AddField(
            "keptfigures", "stale", models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddField(
            "touchedmonth", "entered", models.PositiveIntegerField(db_default=0, default=0)
        ),
        migrations.RunSQL(counting_trigger("INSERT"), INSERTED),
        migrations.RunSQL(counting_trigger("UPDATE"), UPDATED),
    ]
