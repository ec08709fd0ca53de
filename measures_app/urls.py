from django.urls import path

import sessions_app.converters  # noqa: F401 - names the path converter "code"
from measures_app.views import (
    catalogue,
    corrections,
    entry,
    hand_over,
    imports,
    links,
    plans,
    today,
)

urlpatterns = [
    path("today/", today.today, name="today"),
    path("clients/<code:code>/sessions/new/", entry.new, name="session_new"),
    path("sessions/<int:pk>/", entry.edit, name="session_edit"),
    path("sessions/<int:pk>/links/", links.session_links, name="session_links"),
    path("links/<int:pk>/close/", links.close_link, name="link_close"),
    path("sessions/<int:pk>/hand-over/", hand_over.start, name="hand_over_start"),
    path("hand-over/<int:pk>/", hand_over.page, name="hand_over"),
    path("hand-over/<int:pk>/return/", hand_over.come_back, name="hand_over_back"),
    path("m/<str:token>/", links.respondent, name="respondent"),
    path("sessions/<int:pk>/picture/", entry.picture, name="session_picture"),
    path("clients/<code:code>/scores/", corrections.scores, name="scores"),
    path("scores/<int:pk>/correct/", corrections.correct, name="score_correct"),
    path("measures/", catalogue.index, name="measures"),
    path("measures/load/", catalogue.load, name="measure_load"),
    path("measures/schema.json", catalogue.schema, name="measure_schema"),
    path("measures/plans/", plans.plans, name="plans"),
    path("measures/plans/new/", plans.new, name="plan_new"),
    path("measures/plans/<slug:key>/", plans.change, name="plan_change"),
    path("measures/<slug:code>/", catalogue.measure, name="measure"),
    path("measures/<slug:code>/definition.toml", catalogue.definition_file, name="measure_toml"),
    path("measures/<slug:code>/questionnaire.json", catalogue.questionnaire, name="measure_fhir"),
    path("measures/<slug:code>/constants/new/", catalogue.add_norm, name="norm_new"),
    path("import/", imports.start, name="import"),
    path("import/<uuid:pk>/", imports.draft, name="import_draft"),
    path("import/<uuid:pk>/state/", imports.state, name="import_state"),
    path("import/<uuid:pk>/bad-rows.csv", imports.bad_rows, name="import_bad_rows"),
    path("import/<uuid:pk>/forget/", imports.forget, name="import_forget"),
]
