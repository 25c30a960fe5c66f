"""The liner: what its network is shown, what becomes of its answer, its weights' file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import models
from models.layers.unet import MULTIPLE, UNet
from models.liner import Liner, around, channels, missing
from models.patchmatch import PatchMatch
from models.sketcher import lines_of
from models.training.recipes.liner import add_lines, add_smooth


def taught(seed: int = 0) -> torch.nn.Module:
    """With random weights."""
    torch.manual_seed(seed)
    made = UNet(5, 1, 8)
    with torch.no_grad():
        for value in made.parameters():
            value.add_(0.03 * torch.randn_like(value))
    return made


def model(made: torch.nn.Module | None = None) -> Liner:
    return Liner(made or taught(), Liner.card, {"width": 8})


def comic() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grey with a white and a dark area, parted by ink; a bar across; the ink that it hides."""
    image = np.full((3, 96, 128), 0.8, np.float32)
    image[:, :, 64:] = np.array([0.3, 0.4, 0.7], np.float32)[:, None, None]
    image[:, :, 63:66] = 0.05
    hole = np.zeros((96, 128), bool)
    hole[36:60, 30:100] = True
    ink = hole & (image[0] < 0.1)
    return image, hole, ink


def answering(monkeypatch: pytest.MonkeyPatch, chance: np.ndarray) -> Liner:
    """A liner whose network is sure of this."""
    made = model()
    monkeypatch.setattr(made, "chances", lambda *_: chance.astype(np.float32))
    return made


def test_a_line_that_it_is_sure_of_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    image, hole, ink = comic()
    line = np.zeros_like(hole)
    line[:, 64] = True
    filled = answering(monkeypatch, np.where(line & hole, 0.9, 0.0)).fill(image[None], hole[None, None])[0]
    assert filled[:, ink].mean() < 0.2
    left = hole.copy()
    left[:, 60:] = False
    assert np.abs(filled - image)[:, left].mean() < 0.05


def test_what_patchmatch_has_right_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no line is sure, and where it has the line that is drawn."""
    image, hole, _ = comic()
    shown = image[None], hole[None, None]
    pieces = PatchMatch().fill(*shown, seed=3)
    unsure = answering(monkeypatch, np.where(hole, 0.3, 0.0)).fill(*shown, seed=3)
    assert np.array_equal(unsure, pieces)
    there = lines_of(pieces[0], lambda: False) & hole
    assert np.array_equal(answering(monkeypatch, np.where(there, 0.9, 0.0)).fill(*shown, seed=3), pieces)


def test_only_what_is_around_a_missing_line_is_filled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    image, hole, _ = comic()
    shown = image[None], hole[None, None]
    line = np.zeros_like(hole)
    line[40:56, 45] = True
    changed = answering(monkeypatch, np.where(line, 0.9, 0.0)).fill(*shown) != PatchMatch().fill(*shown)
    assert changed.any() and not changed[..., ~around(line, 10)].any()


def test_a_line_is_missing_where_none_is_near() -> None:
    drawn, found = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    drawn[10, 5:50], found[12, 5:30] = True, True
    drawn[30, 5:8] = True  # too short
    lacking = missing(drawn, found)
    assert lacking[10, 34:50].all() and not lacking[10, :30].any() and not lacking[30].any()
    assert not missing(drawn, drawn).any() and not missing(found & False, found).any()


def test_chances_are_of_the_hole_and_know_nothing_of_it() -> None:
    image, hole, _ = comic()
    lines = np.zeros_like(hole)
    lines[:, 64] = True
    spoilt, other = np.where(hole, np.float32(0.4), image), lines & ~hole
    first = model().chances(image, hole, lines, lambda: False, {})
    second = model().chances(spoilt, hole, other, lambda: False, {})
    assert np.array_equal(first, second) and not first[~hole].any() and (first[hole] > 0).all()


def test_its_weights_are_recognised_in_half_precision(tmp_path: Path) -> None:
    made = taught()
    save_file({name: tensor.half() for name, tensor in made.state_dict().items()}, tmp_path / "w.safetensors")
    read = models.load(tmp_path / "w.safetensors")
    assert isinstance(read, Liner) and read.settings == {"width": 8}
    image, hole, _ = comic()
    chances = [one.chances(image, hole, ~hole, lambda: False, {}) for one in (read, model(made))]
    assert np.abs(chances[0] - chances[1]).max() < 0.02


def test_the_network_begins_undecided_and_sees_far() -> None:
    fresh, made = UNet(5, 1, 8), taught()
    x = torch.randn(1, 5, 8 * MULTIPLE, 8 * MULTIPLE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert not fresh(x).any()
        other = x.clone()
        other[..., 16:20, 64] += 1
        changed = (made(x) != made(other)).any(1)[0].nonzero()
    assert changed[:, 0].max() > 70


def test_a_sample_shows_nothing_of_what_is_to_be_found() -> None:
    image, hole, _ = comic()
    shown = []
    for picture in (image, np.where(hole, np.float32(0.9), image)):
        sample = {"image": torch.from_numpy(picture), "hole": torch.from_numpy(hole[None]).float()}
        add_lines("gradients", sample, np.random.default_rng(0))
        add_smooth(sample, np.random.default_rng(0))
        sample["sketch"] *= 1 - sample["hole"]  # what the picture's lines are beside the hole may differ
        shown.append(sample)
    assert torch.equal(shown[0]["smooth"], shown[1]["smooth"])
    seen = channels(*(shown[0][name][None] for name in ("smooth", "sketch", "hole")))
    assert seen.shape == (1, 5, 96, 128) and not seen[0, 3][torch.from_numpy(hole)].any()
