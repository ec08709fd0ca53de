"""Small definition documents for tests: written here, about nothing."""

SHORT = """\
code = "steps"
title = "Two steps"
purpose = "symptom"
better = "lower"
low = 0
high = 6
licence = "ours"
sources = ["written for tests"]

[item_scale]
choices = [0, 1, 2, 3]

[[items]]
id = "one"

[[items]]
id = "two"
reverse = true

[wording.en]
title = "Two steps"
choices = ["never", "seldom", "often", "always"]

[wording.en.items.one]
label = "The first"

[wording.en.items.two]
label = "The second"

[[norms]]
population = "adults"
cutoff = 3
at_cutoff = "clinical"
reliable_change = 2
source = "a table on page 4"
from_on = 2020-01-01
default = true
"""


def changed(*pairs: tuple[str, str], text: str = SHORT) -> str:
    """The document with texts replaced; each must be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text
