"""What somebody who leaves has of this app's: cases taken up in the queue."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.utils.translation import ngettext

from sessions_app import leaving


@leaving.question
def cases_taken_up(user: Any) -> str:
    from measures_app.models import Flag

    # An answer that couldn't wait outlasts the course of care, until something was done.
    open_still = Q(episode__closed_on=None) | Q(kind=Flag.Kind.ITEM)
    owned = Flag.objects.live().filter(open_still, owner=user)
    count = owned.values("client").distinct().count()
    return ngettext("%d case taken up", "%d cases taken up", count) % count if count else ""
