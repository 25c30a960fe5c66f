from __future__ import annotations

import numpy as np
import pytest

from . import bootstrap


def test_the_interval_holds_the_median() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 60)
    middle, low, high = bootstrap.median(values.tolist())
    assert low < middle < high and high - low < 0.1
    assert bootstrap.median([0.3] * 9) == pytest.approx((0.3, 0.3, 0.3))


def test_what_is_a_tenth_less_everywhere_is_surely_a_tenth_less() -> None:
    reference = np.random.default_rng(1).uniform(1, 9, 40)
    pictures = [f"picture {index // 2}" for index in range(40)]
    found = bootstrap.ratio((reference * 0.9).tolist(), reference.tolist(), pictures)
    assert found == pytest.approx((0.9, 0.9, 0.9))


def test_more_holes_in_the_same_pictures_make_it_no_surer() -> None:
    rng = np.random.default_rng(2)
    values, reference = rng.uniform(1, 2, 12), rng.uniform(1, 2, 12)
    pictures = [str(index) for index in range(12)]
    once = bootstrap.ratio(values.tolist(), reference.tolist(), pictures)
    often = bootstrap.ratio(
        values.repeat(5).tolist(), reference.repeat(5).tolist(), sorted(pictures * 5, key=int)
    )
    assert often == pytest.approx(once)
