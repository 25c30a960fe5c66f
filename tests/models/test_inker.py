"""The inker: what it begins with, its tiles, its weights' file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import models
from models import inker
from models.inker import Inker
from models.layers.redrawing import Redrawing
from models.patchmatch import PatchMatch
from models.training import comics
from models.training.recipes.inker import add_guesses


def scene(height: int = 96, width: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """A piece of a drawn page, and bars over it."""
    page = comics.page(max(height, width), max(height, width), np.random.default_rng(0))[:height, :width]
    hole = np.zeros((height, width), bool)
    hole[height // 4 : height // 4 + 12, 10:-10] = True
    hole[height // 2 :, width // 2 : width // 2 + 9] = True
    return (page.transpose(2, 0, 1) / 255).astype(np.float32), hole


def taught() -> torch.nn.Module:
    """Random weights."""
    torch.manual_seed(0)
    made = Redrawing(7, 8)
    with torch.no_grad():
        for value in made.parameters():
            value.add_(0.02 * torch.randn_like(value))
    return made


def test_untaught_it_is_patchmatch() -> None:
    image, hole = scene()
    fresh = Inker(Inker.build(8), Inker.card, {"width": 8})
    shown = image[None], hole[None, None]
    assert np.abs(fresh.fill(*shown, seed=3) - PatchMatch().fill(*shown, seed=3)).max() < 1e-6


def test_a_hole_of_many_tiles_is_filled_as_one_of_a_single_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    image, hole = scene(300, 320)
    model = Inker(taught(), Inker.card, {"width": 8})
    whole = model.fill(image[None], hole[None, None])
    monkeypatch.setattr(inker, "_TILE", 160)
    tiles = model.fill(image[None], hole[None, None])
    assert np.abs(whole - tiles).max() < 2e-3


def test_nothing_is_taken_from_where_it_may_not_be() -> None:
    """Where only grey may be a source, untaught weights give grey."""
    image, hole = scene()
    image[:, :, 60:] = 0.5
    source = np.zeros_like(hole)
    source[:, 62:] = True
    fresh = Inker(Inker.build(8), Inker.card, {"width": 8})
    filled = fresh.fill(image[None], hole[None, None], source=source[None, None])[0]
    assert np.abs(filled[:, hole] - 0.5).max() < 0.05


def test_its_weights_are_recognised_in_half_precision(tmp_path: Path) -> None:
    made = taught()
    save_file({name: tensor.half() for name, tensor in made.state_dict().items()}, tmp_path / "w.safetensors")
    read = models.load(tmp_path / "w.safetensors")
    assert isinstance(read, Inker) and read.settings == {"width": 8}
    image, hole = scene()
    expected = Inker(made, Inker.card, {"width": 8}).fill(image[None], hole[None, None])
    assert np.abs(read.fill(image[None], hole[None, None]) - expected).max() < 0.02


def test_the_guesses_of_a_sample_keep_the_picture_and_do_not_know_the_truth() -> None:
    image, hole = scene()
    samples = [
        {"image": torch.from_numpy(picture), "hole": torch.from_numpy(hole[None]).float()}
        for picture in (image, np.where(hole, np.float32(0.9), image))
    ]
    for sample in samples:
        add_guesses(sample, np.random.default_rng(0))
    for name in ("membrane", "guess"):
        first, second = (sample[name].numpy() for sample in samples)
        assert np.array_equal(first, second)
        assert np.array_equal(first[:, ~hole], image[:, ~hole])
