from django.apps import AppConfig


class MeasuresAppConfig(AppConfig):
    name = "measures_app"
    verbose_name = "Asked, answered, understood"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from measures_app import followers, leavers, told  # noqa: F401 - they register themselves
