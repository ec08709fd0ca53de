from __future__ import annotations

from django.db import models
from django.db.models import Q


class NightlyRun(models.Model):
    """A night's computation as of a date. `live` runs may change flags; others only report."""

    class State(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        STOPPED = "stopped", "stopped"

    as_of = models.DateField()
    live = models.BooleanField(default=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    input_mark = models.CharField(max_length=64, blank=True, default="")
    result = models.JSONField(default=dict)

    class Meta:
        ordering = ["-as_of", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["as_of", "live"], condition=Q(state="running"), name="one_running_night"
            )
        ]

    def __str__(self) -> str:
        return f"night of {self.as_of}"


class Step(models.Model):
    """A part of a night, claimed by a conditional update with a lease and a heartbeat."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        CLAIMED = "claimed", "claimed"
        DONE = "done", "done"

    run = models.ForeignKey(NightlyRun, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=40)
    block = models.CharField(max_length=80, blank=True, default="")
    position = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    claimed_by = models.CharField(max_length=80, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    seconds = models.FloatField(null=True, blank=True)
    result = models.JSONField(default=dict)
    problem = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "name", "block"], name="step_once_a_run")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.block} {self.state}"


class TouchedEpisode(models.Model):
    """A note that something an episode's derived rows are made from was written: by triggers.

    See `touched_episodes`. Anything may read differently from the day `from_on`, and by `until_on`
    all of it is known. Rows may repeat, and nobody waits for anybody to write one; an episode that
    is gone may still be named, so this is no foreign key.
    """

    episode_id = models.BigIntegerField(db_index=True)
    from_on = models.DateField()
    until_on = models.DateField()

    def __str__(self) -> str:
        return f"{self.episode_id} from {self.from_on}"
