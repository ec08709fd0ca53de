from django.db import migrations

from sessions_app.row_security_webhooks import WEBHOOKS


class Migration(migrations.Migration):
    dependencies = [
        ("measures_app", "0012_one_weekly_room"),
        ("sessions_app", "0020_webhooks"),
    ]

    operations = [migrations.RunSQL(sql, migrations.RunSQL.noop) for sql in WEBHOOKS]
