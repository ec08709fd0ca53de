from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError

from measures_app import alerts
from measures_app.flagging import current_rule_set
from measures_app.models import Administration, Flag, FlagEvent, ItemAlert
from sessions_app import actions, audit, clinic_time, outbox, policies, rights, safety
from sessions_app.atomic import action
from sessions_app.context import acting_as, actor_of, system
from sessions_app.models import User


def _event(flag: Flag, before: str, why: str, by: Any) -> None:
    FlagEvent.objects.create(
        flag=flag,
        episode_id=flag.episode_id,
        actor=str(actor_of(by)),
        from_state=before,
        to_state=flag.state,
        why=why,
        evidence=flag.evidence,
    )


def _minutes() -> int:
    return int(policies.get("alert_pass_minutes"))


@action
def raise_alert(*, administration: Administration, items: tuple[str, ...], by: Any) -> ItemAlert:
    """Keep that an answer can't wait, and promise that it reaches people one after another.

    It is part of the transaction that kept the answer, and the system's to write: whoever
    answers by a link sees no flags. Each link of the chain and each mail is promised on its
    own, so that one address that takes no mail holds nobody else up.
    """
    rights.require(by, "enter_scores")
    row, now = administration, clinic_time.now()
    with acting_as(system("item alert")):
        flag = Flag.objects.create(
            client_id=row.client_id,
            episode_id=row.episode_id,
            rule=alerts.RULE,
            kind=Flag.Kind.ITEM,
            # One of its own each time: a second such answer isn't folded into the first.
            series=f"{row.measure.code}/{row.respondent_id}/{row.pk}"[-60:],
            measure_id=row.measure_id,
            respondent_id=row.respondent_id,
            rule_set=current_rule_set(clinic_time.today()),
            evidence={"items": list(items), "administration": row.pk},
            raised_on=clinic_time.today(),
        )
        _event(flag, "", "raised", by)
        alert = ItemAlert.objects.create(
            flag=flag,
            client_id=row.client_id,
            episode_id=row.episode_id,
            administration=row,
            items=list(items),
            raised_at=now,
        )
        for steps, part in enumerate(alerts.next_parts(row.episode)):
            due = now + timedelta(minutes=steps * _minutes())
            outbox.promise(
                alerts.KIND, {"alert": alert.pk, "part": part}, due_at=due if steps else None
            )
        audit.record(
            "item alert raised",
            subject_kind="client",
            subject=row.client.code,
            by=by,
            measure=row.measure.code,
        )
    return alert


def _open_locked(alert: ItemAlert) -> ItemAlert:
    """The alert as it stands, with its flag's row held."""
    Flag.objects.select_for_update().get(alert=alert.pk)
    return ItemAlert.objects.select_related("flag", "client__key", "episode__client__key").get(
        pk=alert.pk
    )


@action
def tell_of_alert(*, alert: ItemAlert, part: str, by: Any) -> list[User]:
    """Promise what whom an unseen alert reaches as this link of the chain is told by.

    On each channel in use: on their pages, by mail, by text where they have given a number.

    Who is on duty may see the client from now on, and is told again until somebody says so.
    """
    rights.require(by, "decide")
    alert = _open_locked(alert)
    if not alerts.is_unseen(alert):
        return []
    people = alerts.reached(alert.episode, part)
    duty = safety.on_duty() if part == alerts.DUTY else None
    if duty is not None:
        actions.bring_in_duty(
            episode=alert.episode, clinician=duty, why="an answer that can't wait", by=by
        )
    if part == alerts.DUTY:
        again = clinic_time.now() + timedelta(minutes=_minutes())
        outbox.promise(alerts.KIND, {"alert": alert.pk, "part": part}, due_at=again)
    for user in people:
        for channel in alerts.channels_of(user):
            outbox.promise(channel, {"alert": alert.pk, "user": user.pk})
    if people:
        _event(alert.flag, alert.flag.state, f"told: {part}", by)
    return people


@action
def show_alert(*, alert: ItemAlert, to: User, by: Any) -> ItemAlert:
    """Put an alert on each of a person's pages, until somebody has seen it."""
    rights.require(by, "decide")
    alert = _open_locked(alert)
    if not alerts.is_unseen(alert) or to.pk in alert.shown_to:
        return alert
    alert.shown_to = [*alert.shown_to, to.pk]
    alert.save(update_fields=["shown_to"])
    audit.record(
        "item alert shown",
        subject_kind="client",
        subject=alert.client.code,
        by=by,
        to=str(to.public_id),
    )
    return alert


@action
def see_alert(*, alert: ItemAlert, by: Any) -> ItemAlert:
    """Say "I have seen it": it is passed on no further, and stays until something was done."""
    rights.require(by, "decide")
    alert = _open_locked(alert)
    flag = alert.flag
    if alert.done_at is not None or flag.owner_id is not None:
        return alert
    before = flag.state
    flag.state, flag.owner, flag.taken_up_at = Flag.State.TAKEN_UP, by, clinic_time.now()
    flag.save(update_fields=["state", "owner", "taken_up_at"])
    _event(flag, before, "seen", by)
    audit.record("item alert seen", subject_kind="client", subject=alert.client.code, by=by)
    return alert


@action
def close_alert(*, alert: ItemAlert, done: str, by: Any) -> ItemAlert:
    """Record what was done about an answer that couldn't wait; only that ends an alert."""
    rights.require(by, "decide")
    if not done.strip():
        raise ValidationError({"done": "Say what was done."})
    alert = _open_locked(alert)
    if alert.done_at is not None:
        raise ValidationError({"done": "Somebody recorded meanwhile what was done: look again."})
    now, flag = clinic_time.now(), alert.flag
    alert.done_at, alert.done_by = now, by
    alert.done_sealed = alert.client.seal(done.strip(), "alert-done")
    alert.save(update_fields=["done_at", "done_by", "done_sealed"])
    before = flag.state
    if flag.owner_id is None:
        flag.owner, flag.taken_up_at = by, now
    flag.state, flag.closed_on, flag.closed_at = Flag.State.DECIDED, clinic_time.today(), now
    flag.save(update_fields=["state", "owner", "taken_up_at", "closed_on", "closed_at"])
    _event(flag, before, "done", by)
    audit.record("item alert closed", subject_kind="client", subject=alert.client.code, by=by)
    return alert
