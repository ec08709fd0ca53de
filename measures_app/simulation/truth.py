"""What is true in the synthetic clinic: every constant that its numbers are drawn with.

The course is the expected-change model of the methods page on the 0-40 outcome measure (higher
is better). Clinicians differ in the slope they reach: their variance is a part of D[1, 1], so
that over clinicians the model holds exactly, but for rounding and the scale's ends.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

ADULT, ADOLESCENT, CHILD = 0, 1, 2
AGE_GROUPS = ("adult", "adolescent", "child")
TENTHS = 10
HIGHEST = 400  # 40.0 in tenths


@dataclass(frozen=True)
class Truth:
    """The parameters, in points of the 0-40 scale and logits; sequences go by age group."""

    intake_mean: tuple[float, ...] = (19.0, 22.5, 23.5)
    intake_sd: tuple[float, ...] = (6.8, 6.5, 6.5)
    cutoff: tuple[float, ...] = (25.0, 28.0, 32.0)
    beta: tuple[float, ...] = (20.6, 0.76, 2.7, -0.10)  # 1, x, log t, x log t (adults)
    random_sd: tuple[float, float] = (3.2, 1.6)
    random_correlation: float = -0.2
    phi: float = 0.7
    ar_variance: float = 11.0
    noise_variance: float = 6.0
    icc: float = 0.05  # share of clinicians in the variance around expectation at session 8
    alliance_mean: float = 36.6
    alliance_sd: tuple[float, float, float] = (1.0, 2.3, 2.0)  # clinician, client, session
    alliance_drift: float = 0.3  # points a session, up to alliance_highest_mean
    alliance_highest_mean: float = 38.6
    alliance_to_slope: float = 0.12  # correlation of a client's alliance with their slope
    # Hazards after an attended session; a residual is in SDs around the expected response.
    stop: tuple[float, ...] = (-3.35, -0.45, -0.40, 0.45, 0.50)  # 1, residual, alliance/4, ns, t=1
    agree: tuple[float, ...] = (-5.2, 0.16, 1.7, 0.30)  # 1, t, over the cutoff, residual
    other_endings: tuple[float, ...] = (0.004, 0.007, 0.004, 0.002, 0.0002)
    stop_after_no_show: float = 0.13
    no_show: float = 0.07
    late_cancel: float = 0.05
    clinic_cancel: float = 0.015
    not_seen_by_us: float = 0.004
    outcome_not_taken: float = 0.08
    alliance_not_taken: float = 0.13
    item_untouched: float = 0.006
    transfer: float = 0.04
    returns: float = 0.14
    carer_shift: float = -1.5
    carer_noise_sd: float = 3.5
    item_sd: float = 1.3

    def centre(self, group: np.ndarray) -> np.ndarray:
        """Mean intake by age group: what x is counted from."""
        return np.asarray(self.intake_mean)[group]

    def expected(self, x: np.ndarray, t: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Expected response at session t (2 and later) from an intake x above the centre."""
        b0, b1, b2, b3 = self.beta
        lift = self.centre(group) - self.intake_mean[ADULT]
        log_t = np.log(t)
        return np.asarray(b0 + lift + b1 * x + b2 * log_t + b3 * x * log_t)

    def variance(self, t: np.ndarray) -> np.ndarray:
        """Variance around the expected response at session t."""
        log_t = np.log(t)
        s0, s1 = self.random_sd
        between = s0**2 + 2 * self.random_correlation * s0 * s1 * log_t + (s1 * log_t) ** 2
        return np.asarray(between + self.ar_variance + self.noise_variance)

    @property
    def clinician_slope_sd(self) -> float:
        """SD of clinicians' effects on the slope, from the ICC at session 8."""
        return float(np.sqrt(self.icc * self.variance(np.asarray(8.0))) / np.log(8.0))

    @property
    def client_slope_sd(self) -> float:
        """What is left of the slope's SD between clients of one clinician."""
        return float(np.sqrt(self.random_sd[1] ** 2 - self.clinician_slope_sd**2))

    def to_dict(self) -> dict[str, Any]:
        s0, s1 = self.random_sd
        between = self.random_correlation * s0 * s1
        return asdict(self) | {
            "D": [[s0**2, between], [between, s1**2]],
            "clinician_slope_sd": self.clinician_slope_sd,
            "age_groups": AGE_GROUPS,
        }
