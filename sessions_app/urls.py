from django.urls import path

import sessions_app.converters  # noqa: F401 - names the path converter "code"
from sessions_app.views import care, clients, keys, people, safety, schedule, sign_in

urlpatterns = [
    path("sign-in/", sign_in.SignIn.as_view(), name="sign_in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign_out"),
    path("welcome/<uidb64>/<token>/", people.Welcome.as_view(), name="welcome"),
    path("clients/", clients.index, name="clients"),
    path("clients/new/", clients.new, name="client_new"),
    path("clients/<code:code>/ending/", care.ending, name="ending"),
    path("clients/<code:code>/return/", care.returning, name="returning"),
    path("schedule/", schedule.day, name="schedule"),
    path("schedule/upload/", schedule.upload, name="schedule_upload"),
    path("sessions/<int:pk>/attendance/", schedule.attendance, name="attendance"),
    path("people/", people.index, name="people"),
    path("people/<int:pk>/invitation/", people.invitation, name="invitation"),
    path("people/<int:pk>/close/", people.close_account, name="account_close"),
    path("people/grants/<int:pk>/end/", people.end_grant, name="grant_end"),
    path("settings/", people.settings, name="settings"),
    path("settings/alerts/", safety.settings, name="safety"),
    path("keys/", keys.index, name="keys"),
    path("keys/<int:pk>/revoke/", keys.revoke, name="key_revoke"),
    path("audit/", people.audit_trail, name="audit"),
]
