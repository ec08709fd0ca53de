"""Background work of measures. Tasks take ids and are safe to run twice."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from measures_app import alerts
from measures_app.actions import drafts, show_alert, tell_of_alert
from measures_app.models import ItemAlert
from sessions_app import outbox
from sessions_app.context import acting_as, system
from sessions_app.models import Job, User

ALERTING = system("item alert")


@outbox.handles(drafts.KIND)
def run_import(payload: dict[str, Any], message_id: Any) -> None:
    drafts.run_job(Job(pk=payload["job"]))


@outbox.handles(alerts.KIND)
def pass_alert(payload: dict[str, Any], message_id: Any) -> None:
    tell_of_alert(alert=ItemAlert(pk=payload["alert"]), part=payload["part"], by=ALERTING)


@outbox.handles(alerts.MAIL)
def mail_alert(payload: dict[str, Any], message_id: Any) -> None:
    alert = ItemAlert.objects.select_related("flag").get(pk=payload["alert"])
    alerts.mail_about(alert, User.objects.get(pk=payload["user"]), message_id)


@outbox.handles(alerts.SCREEN)
def show_alert_on_pages(payload: dict[str, Any], message_id: Any) -> None:
    show_alert(
        alert=ItemAlert(pk=payload["alert"]), to=User.objects.get(pk=payload["user"]), by=ALERTING
    )


@outbox.handles(alerts.TEXT)
def text_alert(payload: dict[str, Any], message_id: Any) -> None:
    alert = ItemAlert.objects.select_related("flag").get(pk=payload["alert"])
    alerts.text_about(alert, User.objects.get(pk=payload["user"]), message_id)


@shared_task(acks_late=True, name="imports.forget")
def forget_import_files() -> int:
    by = system("import")
    with acting_as(by):
        return drafts.forget_drafts(by=by)
