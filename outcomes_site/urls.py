from django.urls import include, path

from outcomes_site import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("reports_app.urls")),
    path("", include("measures_app.urls")),
    path("", include("sessions_app.urls")),
]
