"""The statistical core: numpy, scipy and the standard library; no Django, no clock, no state."""
