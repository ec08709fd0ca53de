"""Writes about measures, scores and flags: keyword-only, `by=`, atomic, audited."""

from measures_app.actions.administrations import (
    correct_administration,
    record_administration,
    void_administration,
)

__all__ = ["correct_administration", "record_administration", "void_administration"]
