from django.apps import AppConfig


class ReportsAppConfig(AppConfig):
    name = "reports_app"
    verbose_name = "Shown"
    default_auto_field = "django.db.models.BigAutoField"
