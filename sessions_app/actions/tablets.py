from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from sessions_app import audit, clinic_time, rights
from sessions_app.actions.links import make_link
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import EntryLink, Respondent, Session, Site, Tablet


@action
def enrol_tablet(*, name: str, by: Any, site: Site | None = None) -> Tablet:
    """Let a device wait at reception for the next client."""
    rights.require(by, "record_attendance")
    if not name.strip():
        raise ValidationError({"name": "Give the tablet a name that the front desk knows it by."})
    if Tablet.objects.filter(name=name.strip(), retired_at=None).exists():
        raise ValidationError({"name": "There is a tablet of this name: give this one another."})
    tablet = Tablet.objects.create(name=name.strip(), site=site, enrolled_by=user_of(by))
    audit.record("tablet enrolled", subject_kind="tablet", subject=tablet.pk, by=by)
    return tablet


@action
def retire_tablet(*, tablet: Tablet, by: Any) -> Tablet:
    """From now on the device shows nothing."""
    rights.require(by, "record_attendance")
    if tablet.retired_at is None:
        tablet.retired_at = clinic_time.now()
        tablet.link = None
        tablet.save(update_fields=["retired_at", "link"])
        audit.record("tablet retired", subject_kind="tablet", subject=tablet.pk, by=by)
    return tablet


@action
def start_on_tablet(
    *, tablet: Tablet, session: Session, respondent: Respondent, by: Any
) -> EntryLink:
    """Put one person's form on a waiting tablet; what was on it before leaves it."""
    rights.require(by, "record_attendance")
    held = Tablet.objects.select_for_update().get(pk=tablet.pk)
    if held.retired_at is not None:
        raise ValidationError({"tablet": "This tablet was retired."})
    link, _token = make_link(session=session, respondent=respondent, by=by, hand_over=True)
    held.link = link
    held.save(update_fields=["link"])
    return link


@action
def clear_tablet(*, tablet: Tablet, by: Any) -> Tablet:
    """Let a tablet wait again: the form that was on it is answered, or was called back."""
    rights.require(by, "enter_scores" if getattr(by, "kind", "") == "link" else "record_attendance")
    held = Tablet.objects.select_for_update().get(pk=tablet.pk)
    if held.link_id is not None:
        held.link = None
        held.save(update_fields=["link"])
        audit.record("tablet cleared", subject_kind="tablet", subject=tablet.pk, by=by)
    return held
