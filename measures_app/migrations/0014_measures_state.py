from django.db import migrations, models
from django.db.models import Q

KEPT_READ = ("measure", "measureversion", "normrow", "measureplan")

# A mark of chance and not a count: what was taken back never comes again under the same mark.
MARKED = """
CREATE FUNCTION outcomes_measures_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO measures_app_measuresstate (id, mark) VALUES (1, gen_random_uuid())
    ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
    RETURN NULL;
END $$;
REVOKE INSERT, UPDATE, DELETE ON measures_app_measuresstate FROM outcomes_app;
INSERT INTO measures_app_measuresstate (id, mark) VALUES (1, gen_random_uuid());
""" + "".join(
    f"""
CREATE TRIGGER measures_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
ON measures_app_{table} FOR EACH STATEMENT EXECUTE FUNCTION outcomes_measures_changed();
"""
    for table in KEPT_READ
)


class Migration(migrations.Migration):
    """Each request read every measure's and norm's checksum to know whether they still stood."""

    dependencies = [("measures_app", "0013_tell_webhooks")]

    operations = [
        migrations.CreateModel(
            name="MeasuresState",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("mark", models.UUIDField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=Q(id=1), name="one_state_of_measures")
                ],
            },
        ),
        migrations.RunSQL(MARKED, migrations.RunSQL.noop),
    ]
