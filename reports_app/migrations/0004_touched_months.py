from django.db import migrations, models

from reports_app.touched_months import TRIGGERS


class Migration(migrations.Migration):
    dependencies = [
        ("reports_app", "0003_reference_of_a_summary"),
        ("sessions_app", "0008_ways_in"),
        ("measures_app", "0009_stopping_model"),
    ]

    operations = [
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
            ],
        ),
        *(migrations.RunSQL(*sql) for sql in TRIGGERS),
        # Months counted before this are counted once more by the next night.
        migrations.RunSQL("DELETE FROM reports_app_sessionmonth", migrations.RunSQL.noop),
    ]
