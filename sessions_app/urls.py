from allauth.account import views as account
from allauth.mfa.base import views as factor
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as app_codes
from allauth.mfa.webauthn import views as passkeys
from django.urls import path, reverse_lazy
from django.views.generic import RedirectView

import sessions_app.converters  # noqa: F401 - names the path converter "code"
from sessions_app.views import (
    absences,
    audit_trail,
    care,
    clients,
    clinic,
    keys,
    people,
    rights,
    safety,
    schedule,
    sign_in,
    sign_ins,
    single_sign_on,
    waiting,
    webhooks,
)

# allauth's pages by the names it calls them; the others of it aren't reachable.
SIGN_IN_STEPS = [
    path("sign-in/", sign_in.SignIn.as_view(), name="account_login"),
    path("sign-in/second-factor/", factor.authenticate, name="mfa_authenticate"),
    path("sign-in/device/", factor.trust, name="mfa_trust"),
    path("sign-in/passkey/", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("sign-out/", sign_in.SignOut.as_view(), name="account_logout"),
    path("second-factor/", sign_in.SecondFactors.as_view(), name="mfa_index"),
    path("second-factor/app/", app_codes.activate_totp, name="mfa_activate_totp"),
    path("second-factor/app/remove/", app_codes.deactivate_totp, name="mfa_deactivate_totp"),
    path("second-factor/codes/", recovery.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "second-factor/codes/new/",
        recovery.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path("second-factor/passkeys/new/", passkeys.add_webauthn, name="mfa_add_webauthn"),
    path(
        "second-factor/passkeys/<int:pk>/remove/",
        passkeys.remove_webauthn,
        name="mfa_remove_webauthn",
    ),
    path(
        "second-factor/passkeys/",
        RedirectView.as_view(url=reverse_lazy("mfa_index")),
        name="mfa_list_webauthn",
    ),
    path("second-factor/again/", account.reauthenticate, name="account_reauthenticate"),
    path("second-factor/again/code/", factor.reauthenticate, name="mfa_reauthenticate"),
    path(
        "second-factor/again/passkey/",
        passkeys.reauthenticate_webauthn,
        name="mfa_reauthenticate_webauthn",
    ),
    path("second-factor/again/elsewhere/", single_sign_on.again, name="single_sign_on_again"),
]

urlpatterns = [
    *SIGN_IN_STEPS,
    path("sign-in/", sign_in.SignIn.as_view(), name="sign_in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign_out"),
    path("sign-in/elsewhere/", single_sign_on.begin, name="single_sign_on"),
    path("sign-in/elsewhere/back/", single_sign_on.back, name="single_sign_on_back"),
    path("people/<int:pk>/single-sign-on/", single_sign_on.link, name="single_sign_on_link"),
    path("my-sign-ins/", sign_ins.mine, name="sign_ins"),
    path("my-sign-ins/pin/", sign_ins.set_pin, name="unlock_pin"),
    path("my-sign-ins/end/", sign_ins.end, name="sign_in_end"),
    path("presence/", sign_ins.state, name="presence"),
    path("lock/", sign_ins.lock, name="lock"),
    path("unlock/", sign_ins.unlock, name="unlock"),
    path("kept/", sign_ins.kept, name="kept"),
    path("welcome/<uidb64>/<token>/", people.Welcome.as_view(), name="welcome"),
    path("clients/", clients.index, name="clients"),
    path("clients/new/", clients.new, name="client_new"),
    path("clients/<code:code>/return/", care.returning, name="returning"),
    path("waiting/", waiting.index, name="waiting"),
    path("waiting/new/", waiting.new, name="referral_new"),
    path("waiting/<int:pk>/", waiting.referral, name="referral"),
    path("schedule/", schedule.day, name="schedule"),
    path("schedule/upload/", schedule.upload, name="schedule_upload"),
    path("sessions/<int:pk>/attendance/", schedule.attendance, name="attendance"),
    path("absences/", absences.index, name="absences"),
    path("absences/<int:pk>/end/", absences.end, name="absence_end"),
    path("people/", people.index, name="people"),
    path("people/<int:pk>/invitation/", people.invitation, name="invitation"),
    path("people/<int:pk>/unlock/", people.unlock, name="account_unlock"),
    path("people/<int:pk>/second-factor/", people.second_factor_reset, name="factor_reset"),
    path("people/<int:pk>/sign-ins/", sign_ins.of_person, name="sign_ins_of"),
    path("people/<int:pk>/close/", people.close_account, name="account_close"),
    path("people/<int:pk>/open/", people.reopen_account, name="account_open"),
    path("people/<int:pk>/roles/", people.give_role, name="role_give"),
    path("people/grants/<int:pk>/end/", people.end_grant, name="grant_end"),
    path("settings/", clinic.settings, name="settings"),
    path("settings/alerts/", safety.settings, name="safety"),
    path("settings/statement/", rights.statement, name="statement"),
    path("settings/retention/", rights.keep_for, name="retention"),
    path("emergency/", rights.emergencies, name="emergency"),
    path("emergency/<int:pk>/end/", rights.end_emergency, name="emergency_end"),
    path("keys/", keys.index, name="keys"),
    path("keys/<int:pk>/revoke/", keys.revoke, name="key_revoke"),
    path("settings/webhooks/", webhooks.index, name="webhooks"),
    path("settings/webhooks/<int:pk>/", webhooks.show, name="webhook"),
    path("settings/webhooks/<int:pk>/wake/", webhooks.wake, name="webhook_wake"),
    path("webhooks/<int:pk>/agree/", webhooks.agree, name="webhook_agree"),
    path("webhooks/<int:pk>/end/", webhooks.end, name="webhook_end"),
    path("audit/", audit_trail.audit_trail, name="audit"),
]
