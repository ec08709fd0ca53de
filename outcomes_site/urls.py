from django.urls import path

from outcomes_site import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
]
