"""How sure a figure is: intervals by drawing the same pictures again and again (Efron 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_DRAWS = 2000

Interval = tuple[float, float, float]
"""The figure, and the lower and upper end of its 95 % interval."""


def median(values: Sequence[float]) -> Interval:
    """The median of values, one a picture."""
    array = np.array(values)
    medians = np.median(np.random.default_rng(0).choice(array, (_DRAWS, len(array))), axis=1)
    return float(np.median(array)), *_ends(medians)


def ratio(values: Sequence[float], reference: Sequence[float], pictures: Sequence[str]) -> Interval:
    """The mean of `values` over that of `reference`, which are in pairs.

    Args:
        values, reference: one number a hole.
        pictures: the name of the hole's picture. Pictures are drawn, with all their holes: two holes in
            one picture are no two witnesses.
    """
    names = {name: index for index, name in enumerate(dict.fromkeys(pictures))}
    sums = np.zeros((2, len(names)))
    for row, numbers in enumerate((values, reference)):
        np.add.at(sums[row], [names[name] for name in pictures], numbers)
    drawn = np.random.default_rng(0).integers(len(names), size=(_DRAWS, len(names)))
    ratios = sums[0][drawn].sum(1) / sums[1][drawn].sum(1)
    return float(sums[0].sum() / sums[1].sum()), *_ends(ratios)


def _ends(drawn: np.ndarray) -> tuple[float, float]:
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))
