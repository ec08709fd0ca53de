"""The band at the end of care, held to what came: from 2,000 ended clients on.

A normal model of scores that pile up at an end of their scale, or that fall by leaps, draws bands
that hold a few too many or too few. So each end is moved by a share of the band's own width, the
one that would have put nine in ten of clients whom the models hadn't seen on its right side [1]_.
Both ends are two numbers more, and a tenth centile is told by few: it takes many clients.

References
----------
.. [1] Romano, Y., Patterson, E., & Candes, E. (2019). Conformalized quantile regression. Advances
   in Neural Information Processing Systems, 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .patterns import FloatArray

FEWEST_CLIENTS: Final = 2000
FEWEST_LOOKS: Final = 200  # whose end of the band lies within the scale
RIGHT_SIDE: Final = 0.9
NARROWEST, WIDEST = -0.25, 0.5  # shares of the width an end moves by at most


@dataclass(frozen=True, slots=True)
class Stretch:
    """How far each end moves outwards, as a share of the band's width.

    Attributes
    ----------
    low, high : float
        Negative where the band was too wide; 0 leaves an end as drawn.
    clients : int
        Ended clients it was learnt from; 0 where nothing was.
    """

    low: float = 0.0
    high: float = 0.0
    clients: int = 0

    def apply(
        self, low80: FloatArray, high80: FloatArray, lowest: float, highest: float
    ) -> tuple[FloatArray, FloatArray]:
        """Both ends moved, within the scale; one that lies at the scale's own end stays.

        Parameters
        ----------
        low80, high80 : ndarray, shape (clients,)
            As drawn, in the measure's units.
        lowest, highest : float
            Ends of the scale; infinite where it has none.

        Returns
        -------
        low80, high80 : ndarray, shape (clients,)
        """
        width = high80 - low80
        down = np.where(low80 > lowest, self.low * width, 0.0)
        up = np.where(high80 < highest, self.high * width, 0.0)
        return np.clip(low80 - down, lowest, highest), np.clip(high80 + up, lowest, highest)


AS_DRAWN: Final = Stretch()


def fit_stretch(
    low80: FloatArray,
    high80: FloatArray,
    came: FloatArray,
    clients: int,
    lowest: float = -np.inf,
    highest: float = np.inf,
) -> Stretch:
    """Learn how far each end moves from looks at clients whom the models hadn't seen.

    Parameters
    ----------
    low80, high80 : ndarray, shape (looks,)
        As drawn; a client may have several looks.
    came : ndarray, shape (looks,)
        The last score.
    clients : int
        Different ended clients among them.
    lowest, highest : float
        Ends of the scale: only ends of bands that lie within it are judged.

    Returns
    -------
    Stretch
        None for fewer than 2,000 clients; for an end that lies within the scale at fewer than 200
        looks, none of that end.
    """
    if clients < FEWEST_CLIENTS:
        return AS_DRAWN
    width = high80 - low80
    wide = width > 1e-9

    def moved(beyond: FloatArray, judged: FloatArray) -> float:
        of = wide & (judged > 0)
        if of.sum() < FEWEST_LOOKS:
            return 0.0
        return float(np.clip(np.quantile(beyond[of] / width[of], RIGHT_SIDE), NARROWEST, WIDEST))

    return Stretch(
        moved(low80 - came, low80 - lowest), moved(came - high80, highest - high80), clients
    )
