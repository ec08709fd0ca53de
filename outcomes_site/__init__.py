"""The site: settings, addresses, the timetable, health, and what starts them."""

import os

# The models' matrices are small: threads of the linear algebra library wait for one another
# longer than they work (a fit took three times the processor time). Work is shared by processes.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
