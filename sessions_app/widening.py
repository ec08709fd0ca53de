"""Who comes to see more is announced: by mail to those whose numbers they are, weeks before."""

from __future__ import annotations

from typing import Any

from django.utils import formats, translation
from django.utils.translation import gettext as _

from sessions_app import mail, policies
from sessions_app.models import Policy, User

KIND = "policy that widens"


def tell(payload: dict[str, Any], message_id: Any) -> None:
    """Mail to one clinician: what others will see, from when on, and what stays unseen."""
    policy = Policy.objects.get(pk=payload["policy"])
    person = User.objects.get(pk=payload["user"])
    with translation.override(person.language):
        day = formats.date_format(policy.from_on, "j F Y")
        mail.send(
            to=person.email,
            subject=_("Who will see numbers of yours"),
            text=_(
                "It was decided for the clinic: %(what)s, from %(day)s on.\n\n"
                "Under a code, and only of care that begins from that day on: what was before "
                "stays unseen. Your practice page says who looked.\n"
            )
            % {"what": policies.WORDS[policy.key], "day": day},
            message_id=message_id,
        )
