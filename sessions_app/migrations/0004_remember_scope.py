from django.db import migrations

from sessions_app.row_security_memory import remember


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0003_session_reference")]

    operations = [migrations.RunSQL(remember(), migrations.RunSQL.noop)]
