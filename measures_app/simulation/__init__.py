"""A synthetic clinic with known truth: `generate` makes it in numpy, `store` loads it."""

from measures_app.simulation.clinic import SimulatedClinic, generate
from measures_app.simulation.truth import Truth

__all__ = ["SimulatedClinic", "Truth", "generate"]
