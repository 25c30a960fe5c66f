"""Comic pages by rule: reproducible, and with what a comic page has."""

from __future__ import annotations

import numpy as np
import pytest

from models.training import comics
from models.training.ink import Sheet, ellipse, rectangle


@pytest.mark.parametrize("size", [(64, 64), (300, 180), (256, 320)])
def test_same_seed_same_page(size: tuple[int, int]) -> None:
    pages = [comics.page(*size, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert pages[0].shape == (*size, 3) and pages[0].dtype == np.uint8
    np.testing.assert_array_equal(pages[0], pages[1])
    assert (pages[0] != pages[2]).any()


def test_a_page_is_ink_and_paper_unless_it_is_coloured() -> None:
    for seed in range(4):
        gray = comics.page(160, 160, np.random.default_rng(seed), colour=False).astype(int)
        edges = np.abs(np.diff(gray.mean(2), axis=1)) > 60
        assert 0.01 < edges.mean() < 0.5  # lines and dots, neither empty nor noise
    saturation = [
        np.ptp(comics.page(96, 96, np.random.default_rng(seed), True).astype(int), axis=2).mean()
        for seed in range(6)
    ]
    assert np.mean(saturation) > 20


@pytest.mark.parametrize("darkness", [0.1, 0.35, 0.7])
def test_a_tone_has_the_ink_that_was_asked(darkness: float) -> None:
    sheet = Sheet(120, 120)
    sheet.tone(rectangle(0, 0, 120, 120), darkness, 5.0, 0.6)
    assert 1 - sheet.picture.mean() / 255 == pytest.approx(darkness, abs=0.04)


def test_ink_stays_inside_its_shape() -> None:
    sheet = Sheet(100, 100)
    shape = ellipse((50, 50), (20, 30))
    sheet.tone(shape, 0.5, 4.0, 0.3)
    sheet.hatch(shape, 5.0, 1.0, 1.0, 0.5)
    inked = (sheet.picture < 250).any(axis=2)
    y, x = np.nonzero(inked)
    assert inked.any()
    assert (((x - 49.5) / 22) ** 2 + ((y - 49.5) / 32) ** 2 <= 1).all()
