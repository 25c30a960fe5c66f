"""The finisher: what its network mixes and sees, its tiles, its weights' file, and its training's windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import models
from models import finisher
from models.finisher import Finisher
from models.patchmatch import PatchMatch
from models.smooth import SmoothFill
from models.training.recipes import finisher as training


def network(seed: int = 0, width: int = 8) -> finisher.FinisherNetwork:
    """Random weights whose shares differ from pixel to pixel."""
    torch.manual_seed(seed)
    made = finisher.FinisherNetwork(width)
    with torch.no_grad():
        made.layers[-1].weight.mul_(8)
    return made


def model(made: torch.nn.Module) -> Finisher:
    return Finisher(made, Finisher.card, {"width": 8})


def scene(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Stripes, a ramp and grain, 3 x H x W; a hole, H x W."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    plane = 0.5 + 0.25 * np.sin(x / 2) * np.cos(y / 9) + 0.2 * y / height
    image = plane + 0.05 * rng.standard_normal((3, height, width), dtype=np.float32)
    hole = np.zeros((height, width), bool)
    hole[height // 4 : height * 3 // 4, width // 3 : width * 2 // 3] = True
    return image.clip(0, 1).astype(np.float32), hole


def both(height: int = 48, width: int = 56, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Two unlike fills of one picture, and the hole, as the network gets them."""
    image, hole = scene(height, width, seed)
    other = scene(height, width, seed + 1)[0]
    planes = np.where(hole, other, image), np.where(hole, image, image), hole[None].astype(np.float32)
    return tuple(torch.from_numpy(plane)[None] for plane in planes)


@pytest.mark.parametrize("share", [0, 1])
def test_shares_of_nothing_and_of_all_give_the_one_fill_and_the_other(share: int) -> None:
    made = Finisher.build()
    with torch.no_grad():
        made.layers[-1].bias.fill_(100.0 if share else -100.0)
    image, hole = scene(50, 64)
    shown = image[None], hole[None, None]
    wanted = SmoothFill().fill(*shown) if share else PatchMatch().fill(*shown, seed=5)
    assert np.abs(model(made).fill(*shown, seed=5) - wanted).max() < 1e-5


def test_the_bands_together_are_the_whole_difference_and_each_has_its_scale() -> None:
    smooth, matched, hole = both(64, 64)
    made = Finisher.build()
    added = []
    for band in range(3):
        with torch.no_grad():
            made.layers[-1].bias.fill_(-100.0)
            made.layers[-1].bias[band] = 100.0
            added.append(made(smooth, matched, hole) - matched)
    inside = hole.expand_as(smooth) > 0
    clipped = (smooth - matched)[inside]
    assert (sum(added)[inside] - clipped).abs().mean() < 0.02  # each is clipped to [0, 1] by itself
    fine, middle, coarse = (float(finisher.roughness(band).mean() / band.abs().mean()) for band in added)
    assert fine > 2 * middle > 2 * coarse


def test_the_picture_around_the_hole_stays() -> None:
    smooth, matched, hole = both()
    with torch.no_grad():
        filled = network()(smooth, matched, hole)
    outside = (hole == 0).expand_as(filled)
    assert torch.equal(filled[outside], matched[outside])
    assert not torch.equal(filled, matched)


def test_all_colours_are_treated_alike() -> None:
    smooth, matched, hole = both()
    turned = [2, 0, 1]
    with torch.no_grad():
        filled = network()(smooth, matched, hole)
        other = network()(smooth[:, turned], matched[:, turned], hole)
    assert torch.allclose(filled[:, turned], other, atol=1e-5)


def test_a_gaussian_mean_is_one_up_to_the_border() -> None:
    flat = torch.full((1, 2, 30, 20), 0.3)
    assert torch.allclose(finisher.blurred(flat, 5.0), flat)
    point = torch.zeros(1, 1, 61, 61)
    point[..., 30, 30] = 1
    spread = finisher.blurred(point, 2.0)[0, 0]
    y, x = torch.meshgrid(torch.arange(61.0) - 30, torch.arange(61.0) - 30, indexing="ij")
    wanted = torch.exp(-(x**2 + y**2) / 8) * (x.abs() <= 5) * (y.abs() <= 5)
    assert torch.allclose(spread, wanted / wanted.sum(), atol=1e-6)


def test_a_hole_of_many_tiles_is_filled_as_one_of_a_single_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    image, hole = scene(150, 170)
    whole = model(network()).fill(image[None], hole[None, None])
    monkeypatch.setattr(finisher, "_TILE", 37)
    tiles = model(network()).fill(image[None], hole[None, None])
    assert np.abs(whole - tiles).max() < 1e-4


def test_nothing_is_taken_from_where_it_may_not_be() -> None:
    """Beside a red half that is no source, the fill is as grey as the rest, but for PatchMatch's seam."""
    image, hole = scene(64, 96)
    image[:] = image.mean(0)
    source = np.ones_like(hole)
    hole[:] = False
    hole[20:44, 44:64] = True  # it ends at the red
    image[:, :, 64:] = np.array([1, 0, 0], np.float32)[:, None, None]
    source[:, 64:] = False
    filled = model(Finisher.build()).fill(image[None], hole[None, None], source=source[None, None])[0]
    assert np.abs(filled[0, hole] - filled[1, hole]).mean() < 0.005


def test_its_weights_are_recognised_in_half_precision(tmp_path: Path) -> None:
    made = network(width=12)
    save_file({name: tensor.half() for name, tensor in made.state_dict().items()}, tmp_path / "w.safetensors")
    read = models.load(tmp_path / "w.safetensors")
    assert isinstance(read, Finisher) and read.settings == {"width": 12}
    image, hole = scene(40, 44)
    expected = Finisher(made, Finisher.card, {"width": 12}).fill(image[None], hole[None, None])
    assert np.abs(read.fill(image[None], hole[None, None]) - expected).max() < 0.02


# -- training --------------------------------------------------------------------------------------------


def test_every_window_has_a_piece_of_the_hole() -> None:
    torch.manual_seed(0)
    hole = torch.zeros(2, 1, 70, 90)
    hole[0, 0, 0, 0] = 1
    hole[1, 0, 30:34, 60:90] = 1
    boxes = training.windows(hole, 24, 40)
    assert [n for n, _, _ in boxes] == [0] * 40 + [1] * 40
    for n, top, left in boxes:
        window = hole[n, 0, top : top + 24, left : left + 24]
        assert window.shape == (24, 24) and window.any()
    assert len({box for box in boxes if box[0]}) > 30


def test_sharpness_counts_blur_and_grain_and_is_0_for_the_truth() -> None:
    truth, _, hole = both()
    soft = finisher.blurred(truth, 1.0)
    grainy = truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    assert training.sharpness(truth, truth, hole) == 0
    for worse in (soft, grainy):
        assert training.sharpness(worse, truth, hole) > 0.2
        mended = torch.where(hole > 0, truth, worse)  # two pixels in, the rim is out of sight
        assert training.sharpness(mended, truth, hole) < 0.4 * training.sharpness(worse, truth, hole)


def test_style_forgives_what_has_moved_and_perceptual_does_not() -> None:
    generator = torch.Generator().manual_seed(0)
    wanted = torch.nn.functional.normalize(torch.randn(1, 8, 16, 16, generator=generator), dim=1)
    moved, hole = wanted.roll(5, 3), torch.ones(1, 1, 32, 32)
    assert training.style([moved], [wanted], hole) < 1e-9
    assert training.perceptual([moved], [wanted], hole) > 1
    other = wanted.clone()
    other[:, :4] = 0
    assert training.style([other], [wanted], hole) > 0.01


def test_both_fills_of_a_sample_keep_the_picture_and_do_not_know_the_truth() -> None:
    image, hole = scene(64, 64)
    spoilt = np.where(hole, np.float32(0.9), image)
    samples = [
        {"image": torch.from_numpy(picture), "hole": torch.from_numpy(hole[None]).float()}
        for picture in (image, spoilt)
    ]
    for sample in samples:
        training.add_fills(sample, np.random.default_rng(0))
    for name in ("smooth", "matched"):
        first, second = (sample[name].numpy() for sample in samples)
        assert np.array_equal(first, second)
        assert np.array_equal(first[:, ~hole], image[:, ~hole])
