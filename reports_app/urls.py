from django.urls import path

import sessions_app.converters  # noqa: F401 - names the path converter "code"
from reports_app.views import agency, clients, form_sheets, home, messages, practice, review, rules

urlpatterns = [
    path("", home.home, name="home"),
    path("caseload/", clients.caseload, name="caseload"),
    path("clients/<code:code>/", clients.client, name="client"),
    path("clients/<code:code>/case-review.pdf", clients.case_review, name="case_review_pdf"),
    path("measures/<slug:code>/form.pdf", form_sheets.measure_form, name="measure_form"),
    path("sessions/<int:pk>/forms.pdf", form_sheets.session_forms, name="session_forms"),
    path("sessions/by-code/", form_sheets.by_code, name="session_by_code"),
    path("review/", review.queue, name="review"),
    path("review/<code:code>/", review.case, name="review_case"),
    path("review/<code:code>/take-up/", review.take_up, name="review_take_up"),
    path("review/<code:code>/later/", review.put_off, name="review_put_off"),
    path("review/<code:code>/hand-to/", review.hand_to, name="review_hand_to"),
    path("review/<code:code>/result/", review.result, name="review_result"),
    path("messages/", messages.mine, name="my_messages"),
    path("practice/", practice.practice, name="practice"),
    path("agency/", agency.agency, name="agency"),
    path("reports/", agency.reports, name="reports"),
    path("reports/<str:month>/", agency.month, name="report"),
    path("reports/<str:month>/<str:format>/", agency.download, name="report_download"),
    path("rules/", rules.rules, name="rules"),
    path("rules/back-test/", rules.look_back, name="look_back"),
    path("rules/back-test/state/", rules.look_back_state, name="look_back_state"),
]
