"""FHIR R4 for measures: Questionnaires in and out, answers out and in. Knows no database."""

from measures_app.fhir.answers import Answered, to_bundle, to_observations, to_response
from measures_app.fhir.answers_in import Reading, read_response
from measures_app.fhir.export import to_questionnaire, url_of
from measures_app.fhir.measure import Loaded, read_measure, read_side
from measures_app.fhir.report import FhirFault, FhirProblem
from measures_app.fhir.toml_text import to_toml

__all__ = [
    "Answered",
    "FhirFault",
    "FhirProblem",
    "Loaded",
    "Reading",
    "read_measure",
    "read_response",
    "read_side",
    "to_bundle",
    "to_observations",
    "to_questionnaire",
    "to_response",
    "to_toml",
    "url_of",
]
