from django.db import migrations

from sessions_app.row_security_memory import remember_both


class Migration(migrations.Migration):
    """Episodes in scope and their clients are found in one go: nearly every page needs both."""

    dependencies = [("sessions_app", "0020_webhooks")]

    operations = [migrations.RunSQL(remember_both(), migrations.RunSQL.noop)]
