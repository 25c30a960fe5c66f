"""What every model owes its callers, whatever it is: a new one is tested by being in the list.

Networks have random weights here: what they fill makes no sense, but all else has to hold.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import FIXTURES, random_network

import models
from models import Cancelled, FillError
from models.network import NetworkModel

NETWORKS = sorted(name for name, card in models.CARDS.items() if name in models.MODELS)
PUBLISHED_NAMES_ONLY = {"patch-synthesis"}
PARAMS = {"patch-synthesis": {"content": "smooth", "iterations": 1, "rotation": 0, "scaling": 0}}


@pytest.fixture(scope="module", params=sorted(models.MODELS))
def model(request: pytest.FixtureRequest) -> models.Model:
    if request.param in NETWORKS:
        return random_network(request.param)
    if request.param in ("telea", "navier-stokes"):
        pytest.importorskip("cv2")
    return models.load(request.param)


def params(model: models.Model) -> dict:
    return PARAMS.get(model.card.name, {})


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A gradient with stripes and grain, float32 1 x 3 x H x W."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    plane = 0.5 + 0.2 * np.sin(columns / 3) + 0.2 * rows / max(height, 1)
    grain = 0.02 * random.standard_normal((3, height, width), dtype=np.float32)
    return np.clip(plane + grain, 0, 1, dtype=np.float32)[None]


def box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    hole = np.zeros((1, 1, height, width), bool)
    hole[..., top:bottom, left:right] = True
    return hole


@pytest.mark.parametrize(
    ("size", "hole"),
    [
        ((64, 64), (20, 20, 40, 44)),
        ((37, 53), (10, 10, 25, 31)),
        ((64, 64), (30, 30, 31, 31)),  # one pixel
        ((48, 48), (0, 0, 48, 12)),  # along a border
        ((48, 48), (0, 0, 16, 16)),  # a corner
        ((1, 40), (0, 10, 1, 20)),
        ((2, 1), (0, 0, 1, 1)),
        ((64, 64), (1, 1, 63, 63)),  # nearly everything
    ],
)
def test_it_fills_any_hole_of_any_picture(
    model: models.Model, size: tuple[int, int], hole: tuple[int, int, int, int]
) -> None:
    image, inside = picture(*size), box(*size, *hole)
    hidden = np.where(inside, np.float32(np.nan), image)
    filled = model.fill(hidden, inside, **params(model))
    assert filled.shape == image.shape and filled.dtype == np.float32
    assert np.array_equal(np.where(inside, 0, filled), np.where(inside, 0, image))
    assert np.isfinite(filled).all() and filled.min() >= 0 and filled.max() <= 1


def test_a_hole_all_along_the_border(model: models.Model) -> None:
    image, inside = picture(45, 50), ~box(45, 50, 6, 7, 40, 44)
    filled = model.fill(image, inside, **params(model))
    assert np.array_equal(filled[..., 6:40, 7:44], image[..., 6:40, 7:44]) and np.isfinite(filled).all()


def test_the_same_seed_gives_the_same_fill_and_the_picture_stays_as_it_was(model: models.Model) -> None:
    image, inside = picture(50, 60), box(50, 60, 15, 20, 35, 40)
    before = image.copy()
    first, second = (model.fill(image, inside, seed=3, **params(model)) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(image, before)


def test_a_batch_is_filled_as_its_pictures_are(model: models.Model) -> None:
    images = np.concatenate([picture(40, 44, 1), picture(40, 44, 2)])
    holes = np.concatenate([box(40, 44, 10, 10, 22, 22), box(40, 44, 5, 20, 20, 30)])
    together = model.fill(images, holes, seed=1, **params(model))
    for n in range(2):
        alone = model.fill(images[n : n + 1], holes[n : n + 1], seed=1, **params(model))
        assert np.array_equal(together[n : n + 1], alone)


def test_tensors_in_tensors_out(model: models.Model) -> None:
    image, inside = picture(40, 44), box(40, 44, 10, 10, 22, 22)
    expected = model.fill(image, inside, seed=2, **params(model))
    filled = model.fill(torch.from_numpy(image), torch.from_numpy(inside).float(), seed=2, **params(model))
    assert isinstance(filled, torch.Tensor) and np.array_equal(filled.numpy(), expected)


def test_progress_rises_to_its_end(model: models.Model) -> None:
    told: list[float] = []
    model.fill(
        picture(64, 64),
        box(64, 64, 20, 20, 44, 44),
        progress=lambda fraction, stage: told.append(fraction),
        **params(model),
    )
    assert told and told == sorted(told) and told[0] >= 0 and told[-1] <= 1


def test_it_stops_when_told_to(model: models.Model) -> None:
    with pytest.raises(Cancelled):
        model.fill(picture(96, 96), box(96, 96, 20, 20, 70, 70), cancel=lambda: True, **params(model))


def test_without_a_source_it_says_so(model: models.Model) -> None:
    with pytest.raises(FillError) as caught:
        model.fill(picture(16, 16), np.ones((1, 1, 16, 16)))
    assert caught.value.code == "no-source" and caught.value.message


def test_guidance_is_followed_or_refused(model: models.Model) -> None:
    if model.card.guidance:
        pytest.skip("takes guidance; its own tests look at how")
    with pytest.raises(FillError) as caught:
        model.fill(picture(16, 16), box(16, 16, 4, 4, 8, 8), guidance={"sketch": np.zeros((1, 1, 16, 16))})
    assert caught.value.code == "bad-guidance"


# -- networks ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> NetworkModel:
    return random_network(request.param)


def test_it_stops_in_the_middle_of_its_layers(network: NetworkModel) -> None:
    asked = 0

    def cancel() -> bool:
        nonlocal asked
        asked += 1
        return asked > 6

    told: list[float] = []
    with pytest.raises(Cancelled):
        network.fill(
            picture(40, 40),
            box(40, 40, 10, 10, 22, 22),
            cancel=cancel,
            progress=lambda fraction, stage: told.append(fraction),
            **params(network),
        )
    assert asked < 12 and max(told) < 0.9


def test_its_own_file_is_recognised_and_gives_the_same_fill(network: NetworkModel, tmp_path: Path) -> None:
    if network.card.name in PUBLISHED_NAMES_ONLY:
        pytest.skip("knows the names of the published files only; its own tests read those")
    torch.save({"state_dict": network.network.state_dict()}, tmp_path / "weights.pth")
    read = models.load(tmp_path / "weights.pth")
    assert isinstance(read, type(network)) and read.card.architecture == network.card.name
    image, inside = picture(40, 44), box(40, 44, 10, 10, 22, 22)
    expected = network.fill(image, inside, **params(network))
    assert np.array_equal(read.fill(image, inside, **params(network)), expected)


@pytest.mark.parametrize("precision", ["auto", "half"])
def test_the_fast_ways_stay_close_to_the_plain_one(network: NetworkModel, precision: str) -> None:
    image, inside = picture(64, 72), box(64, 72, 20, 20, 44, 44)
    expected = network.fill(image, inside, **params(network))
    fast = random_network(network.card.name, precision)
    filled = fast.fill(image, inside, **params(network))
    difference = np.abs(filled - expected)[np.broadcast_to(inside, image.shape)]
    bound = 1e-4 if fast.dtype == torch.float32 else 0.1
    assert difference.max() <= bound and difference.mean() <= bound / 5
    assert np.array_equal(np.where(inside, 0, filled), np.where(inside, 0, image))


def test_names_with_any_shapes_are_refused_in_words(network: NetworkModel, tmp_path: Path) -> None:
    names = list(network.network.state_dict())
    for shape in ((), (0,), (1,), (3, 3), (1, 1, 1, 1), (7, 7, 7, 7)):
        torch.save({name: torch.zeros(shape) for name in names}, tmp_path / "w.pth")
        with pytest.raises(FillError) as caught:
            models.load(tmp_path / "w.pth")
        assert caught.value.code == "bad-weights" and caught.value.message.endswith(".")


# -- the list ------------------------------------------------------------------------------------------


def test_its_card_is_complete_and_can_travel() -> None:
    cards = models.cards()
    classical = [name for name in models.MODELS if name not in models.CARDS]
    assert [card.name for card in cards[: len(classical) + 1]] == ["auto", *classical]
    assert len({card.name for card in cards}) == len(cards)
    for card in [*cards, *models.CARDS.values()]:
        assert card.title and card.sentence.endswith(".") and card.licence, card.name
        json.dumps(card.as_dict())
    for card in cards:
        assert card.network == bool(card.architecture), card.name


def test_a_network_takes_the_params_that_its_card_lists() -> None:
    for name in NETWORKS:
        kind = models.kinds()[name]
        assert kind.card is models.CARDS[name] and kind.card.name == name
        assert "params" in inspect.signature(kind.predict).parameters, name


def test_the_cards_are_there_without_torch() -> None:
    code = "import sys, models; models.cards(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(FillError) as caught:
        models.load("nonsense")
    assert caught.value.code == "unknown-model" and "patchmatch" in caught.value.hint


def test_weights_that_are_not_there_are_said_how_to_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_INPAINT_MODELS", str(tmp_path))
    monkeypatch.delenv("AI_INPAINT_ZOO", raising=False)
    for name in ("lama", "big-lama"):
        with pytest.raises(FillError) as caught:
            models.load(name)
        assert caught.value.code == "no-weights" and "ai-inpaint models get big-lama" in caught.value.hint


def test_weights_of_nothing_known_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "w.pth")
    with pytest.raises(FillError) as caught:
        models.load(tmp_path / "w.pth")
    assert caught.value.code == "bad-weights" and "LaMa" in caught.value.hint
    with pytest.raises(FillError) as caught:
        models.load(FIXTURES / "deepcream_bar", variant="nonsense")
    assert caught.value.code == "bad-variant" and "bar" in caught.value.hint
