"""What happens in care that the apps above have to follow up, within the same transaction.

A receiver's error takes the whole of it back: nothing is half done.
"""

from __future__ import annotations

from django.dispatch import Signal

# An episode ended; sent with `episode` and `by`, whoever's scope it has left by then.
episode_ended = Signal()
# It was said whether a client was seen, or put right; sent with `session` and `by`.
attendance_set = Signal()
