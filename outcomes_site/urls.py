from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from outcomes_site import first_administrator, health, metrics

handler400 = "outcomes_site.errors.bad_request"
handler500 = "outcomes_site.errors.server_error"

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.page, name="metrics"),
    path(
        "first-administrator/<str:token>/",
        first_administrator.page,
        name="first_administrator",
    ),
    path("api/v1/", include("measures_app.api.urls")),
    path("fhir/", include("measures_app.fhir_doors.views")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("", include("reports_app.urls")),
    path("", include("measures_app.urls")),
    path("", include("sessions_app.urls")),
]
