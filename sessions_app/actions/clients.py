from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from sessions_app import audit, clinic_time, erasure_ledger, outbox, rights, sealing
from sessions_app.atomic import action
from sessions_app.models import (
    Client,
    ClientIdentity,
    ClientKey,
    EntryLink,
    ExternalId,
    NameHash,
    Respondent,
    Site,
)

ERASURE_REASONS = ("request", "retention", "registered_in_error")

# No letters or digits that are mistaken for one another when read aloud or written by hand.
LETTERS = "ACDEFGHJKLMNPQRTUVWXY"
DIGITS = "2346789"
CODES_TRIED = 10


def new_code() -> str:
    """A random client code such as `K7QM-42`: says nothing about the person or the order."""
    head = "".join(secrets.choice(LETTERS + DIGITS) for _ in range(4))
    return f"{head}-{secrets.choice(DIGITS)}{secrets.choice(DIGITS)}{secrets.choice(DIGITS)}"


def _create_client(code: str, **known: Any) -> Client:
    """A row under the code, or under a random one that nobody has, in sight or not."""
    for _attempt in range(CODES_TRIED):
        try:
            with transaction.atomic():
                return Client.objects.create(code=code or new_code(), **known)
        except IntegrityError:
            if code:
                raise ValidationError({"code": f"There is already a client {code}."}) from None
    raise RuntimeError(f"{CODES_TRIED} random codes were all taken.")


@action
def register_client(
    *,
    by: Any,
    site: Site,
    name: str = "",
    birth_date: date | None = None,
    birth_year: int | None = None,
    gender: str = "",
    language: str = "en",
    phone: str = "",
    email: str = "",
    code: str = "",
    external: tuple[str, str] | None = None,
    attributes: dict[str, Any] | None = None,
) -> Client:
    """Register a person under a random code, with their own key and sealed identity."""
    rights.require(by, "register_clients")
    today = clinic_time.today()
    if birth_date is not None and birth_date > today:
        raise ValidationError({"birth_date": "The birth date lies in the future."})
    if birth_date is not None:
        birth_year = birth_date.year
    if birth_year is not None and not today.year - 120 <= birth_year <= today.year:
        raise ValidationError({"birth_year": "The birth year can't be right."})
    if external and ExternalId.objects.filter(source=external[0], value=external[1]).exists():
        raise ValidationError({"external": f"There is already a client {external[1]}."})
    client = _create_client(
        code,
        site=site,
        birth_year=birth_year,
        gender=gender,
        language=language,
        attributes=attributes or {},
    )
    wrapped, key_id = sealing.wrap(sealing.new_key(), f"client-key:{client.pk}")
    ClientKey.objects.create(client=client, wrapped=wrapped, master_key_id=key_id)
    identity = {
        "name": name,
        "birth_date": birth_date.isoformat() if birth_date else "",
        "phone": phone,
        "email": email,
    }
    known = {key: value for key, value in identity.items() if value}
    if known:
        ClientIdentity.objects.create(
            client=client, sealed=client.seal(json.dumps(known), "identity")
        )
        NameHash.objects.bulk_create(
            NameHash(client=client, hash=digest) for digest in sealing.name_hashes(name)
        )
    if external:
        # The number may belong to someone outside our sight, whom the look above didn't find.
        try:
            with transaction.atomic():
                ExternalId.objects.create(client=client, source=external[0], value=external[1])
        except IntegrityError:
            raise ValidationError(
                {"external": f"There is already a client {external[1]}."}
            ) from None
    Respondent.objects.create(client=client, language=language, from_on=today)
    audit.record("client registered", subject_kind="client", subject=client.code, by=by)
    return client


@action
def add_respondent(
    *,
    client: Client,
    relation: str,
    by: Any,
    label: str = "",
    language: str = "en",
    phone: str = "",
    email: str = "",
    may_see: Sequence[str] = (),
    from_on: date | None = None,
) -> Respondent:
    """Someone beside the client who answers about them, with a series of their own.

    `label` says what they are to the client ("mother"), never who; `may_see` holds the relations
    whose series they may be shown beside their own.
    """
    if not rights.may(by, "record_sessions"):
        rights.require(by, "register_clients")
    if relation == Respondent.Relation.SELF:
        raise ValidationError({"relation": "The client is there already."})
    if unknown := set(may_see) - set(Respondent.Relation.values):
        raise ValidationError({"may_see": f"There is no relation {sorted(unknown)[0]!r}."})
    contact = {key: value for key, value in (("phone", phone), ("email", email)) if value}
    respondent = Respondent.objects.create(
        client=client,
        relation=relation,
        label=label,
        language=language,
        contact_sealed=client.seal(json.dumps(contact) if contact else "", "respondent-contact"),
        may_see=sorted(set(may_see)),
        from_on=from_on or clinic_time.today(),
    )
    audit.record(
        "respondent added", subject_kind="client", subject=client.code, by=by, relation=relation
    )
    return respondent


@action
def erase_identity(*, client: Client, reason: str, by: Any) -> Client:
    """Destroy a client's key and all that names them; scores and dates stay, without a person.

    Sealed notes and reasons remain as ciphertext that nothing opens. The ledger beside the database
    keeps the client's code, for a restored backup. `reason` is a code (`request`, `retention`),
    never a text.
    """
    rights.require(by, "erase_identity")
    if reason not in ERASURE_REASONS:
        raise ValidationError({"reason": f"Give one of: {', '.join(ERASURE_REASONS)}."})
    key = ClientKey.objects.select_for_update().get(client=client)
    if key.destroyed_at is not None:
        raise ValidationError({"client": "This client's identity was erased already."})
    key.wrapped, key.destroyed_at = b"", clinic_time.now()
    key.save(update_fields=["wrapped", "destroyed_at"])
    ClientIdentity.objects.filter(client=client).delete()
    NameHash.objects.filter(client=client).delete()
    ExternalId.objects.filter(client=client).delete()
    Respondent.objects.filter(client=client).update(label="", contact_sealed=b"")
    EntryLink.objects.filter(client=client, revoked_at=None).update(revoked_at=clinic_time.now())
    client.attributes = {}
    client.save(update_fields=["attributes"])
    for known in ("key", "identity"):
        client._state.fields_cache.pop(known, None)
    client.__dict__.pop("secret", None)
    audit.record(
        "identity erased", subject_kind="client", subject=client.code, by=by, reason=reason
    )
    outbox.promise(
        erasure_ledger.KIND,
        {"client": client.code, "at": key.destroyed_at.isoformat(), "reason": reason},
    )
    return client


@action
def rewrap_keys(*, by: Any, limit: int = 1000) -> int:
    """Wrap up to `limit` client keys that an older master key wraps under the current one.

    Returns how many; call until it returns 0, then the old master key may be taken away. What is
    sealed under the clients' own keys needn't be touched.
    """
    rights.require(by, "rotate_keys")
    keys = list(
        ClientKey.objects.select_for_update(skip_locked=True)
        .exclude(master_key_id=settings.MASTER_KEY_ID)
        .filter(destroyed_at=None)
        .order_by("pk")[:limit]
    )
    for key in keys:
        place = f"client-key:{key.pk}"
        secret = sealing.unwrap(bytes(key.wrapped), key.master_key_id, place)
        key.wrapped, key.master_key_id = sealing.wrap(secret, place)
    ClientKey.objects.bulk_update(keys, ["wrapped", "master_key_id"])
    if keys:
        audit.record("keys rewrapped", by=by, keys=len(keys), master_key=settings.MASTER_KEY_ID)
    return len(keys)
