from rest_framework.routers import SimpleRouter

from measures_app.api import schema, views  # noqa: F401 - the schema registers what it describes

router = SimpleRouter()
router.register("clients", views.ClientViewSet, basename="clients")
router.register("episodes", views.EpisodeViewSet, basename="episodes")
router.register("sessions", views.SessionViewSet, basename="sessions")
router.register("administrations", views.AdministrationViewSet, basename="administrations")
router.register("flags", views.FlagViewSet, basename="flags")

urlpatterns = router.urls
