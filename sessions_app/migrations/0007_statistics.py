from django.db import migrations

# Whoever may only read and write rows may not ANALYZE; the tables' owner lends it for one table.
# A table that somebody else is looking after is left to them: nobody waits.
ANALYZE = """
CREATE FUNCTION outcomes_analyze(wanted regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    EXECUTE format('ANALYZE (SKIP_LOCKED) %s', wanted);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0006_safety")]

    operations = [migrations.RunSQL(ANALYZE, "DROP FUNCTION outcomes_analyze(regclass)")]
