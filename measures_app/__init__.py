"""Asked, answered, understood: measures, administrations, expected change, flags, the night."""
