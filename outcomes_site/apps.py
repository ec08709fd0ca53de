from django.apps import AppConfig


class OutcomesSiteConfig(AppConfig):
    name = "outcomes_site"
    verbose_name = "The site"

    def ready(self) -> None:
        # Tasks sent from the web find their broker through this application.
        from outcomes_site import celery, demo  # noqa: F401 - celery for its effect

        demo.connect()
