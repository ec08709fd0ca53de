"""The addresses that FHIR documents are spoken in: the standard's own, and ours."""

from __future__ import annotations

import uuid

HL7 = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/"

ORDINAL = HL7 + "ordinalValue"
# The same score under the names that older and newer tools give it.
SCORES = (
    ORDINAL,
    HL7 + "itemWeight",
    HL7 + "questionnaire-ordinalValue",
    HL7 + "codesystem-ordinalValue",
    HL7 + "valueset-ordinalValue",
    HL7 + "iso21090-CO-value",
)
CALCULATED = (
    SDC + "sdc-questionnaire-calculatedExpression",
    HL7 + "questionnaire-calculatedExpression",
)
ENABLE_WHEN = SDC + "sdc-questionnaire-enableWhenExpression"
VARIABLE = HL7 + "variable"
TRANSLATION = HL7 + "translation"
ITEM_CONTROL = HL7 + "questionnaire-itemControl"
ITEM_CONTROL_SYSTEM = "http://hl7.org/fhir/questionnaire-item-control"
HIDDEN = HL7 + "questionnaire-hidden"
UNIT = HL7 + "questionnaire-unit"
MIN_VALUE = HL7 + "minValue"
MAX_VALUE = HL7 + "maxValue"
DECIMAL_PLACES = HL7 + "maxDecimalPlaces"
SLIDER_STEP = HL7 + "questionnaire-sliderStepValue"
RENDERING = (HL7 + "rendering-xhtml", HL7 + "rendering-markdown", HL7 + "rendering-style")

# What FHIR has no word for (direction, norms with their sources, scoring rule). `.example` is
# reserved and resolves nowhere: these are names, and nothing is ever fetched from them.
OURS = "https://clinic-outcomes.example/fhir/StructureDefinition/"
MEASURE = OURS + "measure"
ITEM = OURS + "measure-item"
WORDING = OURS + "measure-wording"
SCORE_SYSTEM = "https://clinic-outcomes.example/fhir/CodeSystem/measure-score"
CLIENT_SYSTEM = "https://clinic-outcomes.example/fhir/client-code"

UCUM = "http://unitsofmeasure.org"
_NAMESPACE = uuid.UUID("5b2a9f0e-5d0f-4a53-9c55-2f8f3a1f6f5e")


def canonical(code: str) -> str:
    """The same name for the same measure wherever it is exported; needs no domain of ours."""
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, code)}"
