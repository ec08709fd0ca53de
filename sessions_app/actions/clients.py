from __future__ import annotations

import json
import secrets
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from sessions_app import access, audit, clinic_time, sealing
from sessions_app.models import (
    Client,
    ClientIdentity,
    ClientKey,
    ExternalId,
    NameHash,
    Respondent,
    Site,
)

# No letters or digits that are mistaken for one another when read aloud or written by hand.
LETTERS = "ACDEFGHJKLMNPQRTUVWXY"
DIGITS = "2346789"


def new_code() -> str:
    """A random client code such as `K7QM-42`: says nothing about the person or the order."""
    head = "".join(secrets.choice(LETTERS + DIGITS) for _ in range(4))
    return f"{head}-{secrets.choice(DIGITS)}{secrets.choice(DIGITS)}{secrets.choice(DIGITS)}"


@transaction.atomic
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
    access.require(by, "register_clients")
    today = clinic_time.today()
    if birth_date is not None and birth_date > today:
        raise ValidationError({"birth_date": "The birth date lies in the future."})
    if birth_date is not None:
        birth_year = birth_date.year
    if birth_year is not None and not today.year - 120 <= birth_year <= today.year:
        raise ValidationError({"birth_year": "The birth year can't be right."})
    if external and ExternalId.objects.filter(source=external[0], value=external[1]).exists():
        raise ValidationError({"external": f"There is already a client {external[1]}."})
    client = Client.objects.create(
        code=code or new_code(),
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
        ExternalId.objects.create(client=client, source=external[0], value=external[1])
    Respondent.objects.create(client=client, language=language, from_on=today)
    audit.record("client registered", subject_kind="client", subject=client.code, by=by)
    return client


@transaction.atomic
def add_respondent(
    *,
    client: Client,
    relation: str,
    by: Any,
    label: str = "",
    language: str = "en",
    from_on: date | None = None,
) -> Respondent:
    """Someone beside the client who answers about them, with a series of their own."""
    access.require(by, "register_clients")
    if relation == Respondent.Relation.SELF:
        raise ValidationError({"relation": "The client is there already."})
    respondent = Respondent.objects.create(
        client=client,
        relation=relation,
        label=label,
        language=language,
        from_on=from_on or clinic_time.today(),
    )
    audit.record(
        "respondent added", subject_kind="client", subject=client.code, by=by, relation=relation
    )
    return respondent
