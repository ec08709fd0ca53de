from django.db import migrations

from sessions_app.row_security_memory import remember_nothing_of_nobody


class Migration(migrations.Migration):
    """A client's own device waits for no search of a scope that it can't have."""

    dependencies = [("sessions_app", "0021_scope_found_at_once")]

    operations = [migrations.RunSQL(remember_nothing_of_nobody(), migrations.RunSQL.noop)]
