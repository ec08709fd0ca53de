from django.db import migrations

from sessions_app.row_security_memory import remember_both


class Migration(migrations.Migration):
    """Episodes in scope and their clients are found in one go: nearly every page needs both."""

    dependencies = [("sessions_app", "0019_what_rows_said_before")]

    operations = [migrations.RunSQL(remember_both(), migrations.RunSQL.noop)]
