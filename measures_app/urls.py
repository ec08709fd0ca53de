from django.urls import path

from measures_app.views import entry, imports, today

urlpatterns = [
    path("today/", today.today, name="today"),
    path("clients/<str:code>/sessions/new/", entry.new, name="session_new"),
    path("sessions/<int:pk>/", entry.edit, name="session_edit"),
    path("import/", imports.start, name="import"),
    path("import/<uuid:pk>/", imports.draft, name="import_draft"),
]
