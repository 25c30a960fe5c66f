"""OpenCV's fills: they work where OpenCV is, and where it is not a sentence says so."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import models

_NAMES = ("telea", "navier-stokes")

_WITHOUT = """
import json, sys
sys.modules["cv2"] = None  # importing it fails, as where it is not installed
import models
said = []
for name in sys.argv[1:]:
    try:
        models.load(name)
    except models.FillError as error:
        said.append([error.code, error.message, error.hint])
print(json.dumps([said, [card.name for card in models.cards()]]))
"""


def test_without_opencv_their_cards_are_there_and_loading_says_what_to_do() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", _WITHOUT, *_NAMES], capture_output=True, text=True, check=True
    )
    said, cards = json.loads(answer.stdout)
    assert len(said) == 2 and set(_NAMES) <= set(cards)
    for code, message, hint in said:
        assert code == "missing-library" and "OpenCV" in message and "opencv-python-headless" in hint


@pytest.fixture(params=_NAMES)
def model(request: pytest.FixtureRequest) -> models.Model:
    pytest.importorskip("cv2", reason="OpenCV is an optional extra")
    return models.load(request.param)


def scratched() -> tuple[np.ndarray, np.ndarray]:
    """A smooth gradient with another one in every channel, and a scratch across it."""
    rows, columns = np.mgrid[:60, :80] / 80
    image = np.stack([rows, columns, 1 - columns]).astype(np.float32)[None]
    hole = np.zeros((1, 1, 60, 80), bool)
    for n in range(50):
        hole[..., n + 4 : n + 7, n + 10] = True
    return image, hole


def test_a_scratch_in_a_gradient_is_closed(model: models.Model) -> None:
    image, hole = scratched()
    filled = model.fill(np.where(hole, np.float32(np.nan), image), hole)
    assert np.array_equal(np.where(hole, 0, filled), np.where(hole, 0, image))
    assert np.abs(filled - image).max() < 0.04  # mistaken channels or holes are farther off


def test_a_wider_radius_fills_otherwise(model: models.Model) -> None:
    image, hole = scratched()
    image += np.random.default_rng(0).normal(0, 0.05, image.shape).astype(np.float32)
    one, other = (model.fill(image.clip(0, 1), hole, radius=radius) for radius in (1, 12))
    assert not np.array_equal(one, other)


def test_it_stops_when_told_to(model: models.Model) -> None:
    with pytest.raises(models.Cancelled):
        model.fill(*scratched(), cancel=lambda: True)
