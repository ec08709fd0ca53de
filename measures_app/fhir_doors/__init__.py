"""`/fhir/`: scores under the same scope as `/api/v1/`, as FHIR R4 to read and search."""
