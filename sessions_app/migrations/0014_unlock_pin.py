from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sessions_app", "0013_alert_phone"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="unlock_pin",
            field=models.CharField(blank=True, db_default="", default="", max_length=128),
        ),
    ]
