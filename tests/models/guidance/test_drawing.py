"""Lines of pictures: where they are, how thin, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from models import guidance
from models.guidance import Detector, detector, sketch
from models.guidance.thinning import peaks, thin

EIGHT = np.ones((3, 3), bool)


def disk(side: int = 160, radius: float = 50, contrast: float = 0.5, noise: float = 0.0) -> torch.Tensor:
    y, x = np.mgrid[:side, :side] - side / 2
    plane = 0.3 + contrast * (np.hypot(y, x) < radius)
    plane = plane + np.random.default_rng(0).normal(0, noise, plane.shape)
    return torch.from_numpy(np.repeat(plane[None, None], 3, 1).astype(np.float32)).clamp(0, 1)


def found(lines: torch.Tensor) -> np.ndarray:
    return lines[0, 0].numpy() > 0


def is_thin(lines: np.ndarray) -> bool:
    """No square of four line pixels."""
    return not (lines[1:, 1:] & lines[:-1, 1:] & lines[1:, :-1] & lines[:-1, :-1]).any()


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_an_outline_is_one_closed_thin_line(noise: float) -> None:
    lines = found(sketch(disk(noise=noise), detector("gradients")))
    y, x = np.nonzero(lines)
    away = np.abs(np.hypot(y - 80, x - 80) - 50)
    assert away.max() < 2.5 and away.mean() < 1
    assert is_thin(lines)
    assert ndimage.label(lines, EIGHT)[1] == 1
    assert ndimage.label(~lines)[1] == 2, "it divides the picture into inside and outside"


def test_a_drawn_stroke_is_one_line_in_its_middle() -> None:
    image = torch.ones(1, 3, 120, 120)
    image[..., 59:62, 10:110] = 0
    lines = found(sketch(image, detector("gradients")))
    rows = np.nonzero(lines[:, 30:90])[0]
    assert set(rows) <= {59, 60, 61} and lines[:, 30:90].any(0).all()


def test_a_texture_is_not_drawn_but_an_object_on_it_is() -> None:
    rng = np.random.default_rng(1)
    grass = ndimage.gaussian_filter(rng.normal(0, 1, (160, 160)), 1.2)
    plain = np.clip(0.4 + 0.035 * grass / grass.std(), 0, 1)
    with_disk = np.where(np.hypot(*(np.mgrid[:160, :160] - 80)) < 45, 0.95, plain)
    by = detector("gradients")
    texture, both = (
        found(
            sketch(torch.from_numpy(np.repeat(one[None, None], 3, 1).astype(np.float32)), by, smallest=0.05)
        )
        for one in (plain, with_disk)
    )
    rim = np.abs(np.hypot(*(np.mgrid[:160, :160] - 80)) - 45) < 3
    angles = np.arctan2(*(np.argwhere(both & rim) - 80).T)
    assert len(set(np.round(angles, 1))) > 50, "the rim is drawn nearly all around"
    assert both[rim].sum() > 20 * texture.sum()


def test_crumbs_are_left_out_and_detail_brings_more() -> None:
    image = disk()
    image[..., 20:24, 20:24] = 0.7
    by = detector("gradients")
    assert found(sketch(image, by, smallest=0.0))[10:34, 10:34].any()
    assert not found(sketch(image, by, smallest=0.2))[10:34, 10:34].any()
    faint = disk(contrast=0.04)
    assert not found(sketch(faint, by, detail=0.0)).any()
    assert found(sketch(faint, by, detail=1.0)).sum() > 200


def test_a_batch_and_its_pictures_give_the_same_on_every_run() -> None:
    by = detector("gradients")
    batch = torch.cat([disk(radius=30), disk(radius=60, noise=0.05)])
    lines = sketch(batch, by)
    assert lines.shape == (2, 1, 160, 160) and set(lines.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(lines, sketch(batch, by))
    for n in range(2):
        assert torch.equal(lines[n : n + 1], sketch(batch[n : n + 1], by))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (17, 250)])
def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    assert sketch(image, detector("gradients")).shape == (1, 1, *size)


def test_a_large_picture_is_looked_at_on_a_smaller_scale() -> None:
    sizes: list[tuple[int, ...]] = []

    def run(image: torch.Tensor, watch: guidance.Watch | None) -> torch.Tensor:
        sizes.append(tuple(image.shape[-2:]))
        return detector("gradients").run(image, watch)

    large = torch.nn.functional.interpolate(disk(), scale_factor=8)
    lines = found(sketch(large, Detector("gradients", 0.26, 0.4, run, "cpu")))
    assert sizes[0][0] * sizes[0][1] <= 1.01 * guidance.MOST_PIXELS
    y, x = np.nonzero(lines)
    away = np.abs(np.hypot(y - 640, x - 640) - 400)
    assert np.median(away) < 6 and is_thin(lines)


def test_it_can_be_stopped() -> None:
    class Stop(Exception):
        pass

    def watch(done: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        sketch(disk(), detector("gradients"), watch=watch)


# -- the kernels, in other words -------------------------------------------------------------------------


def test_thinning_keeps_what_is_connected() -> None:
    rng = np.random.default_rng(3)
    blobs = ndimage.gaussian_filter(rng.normal(size=(90, 90)), 3) > 0.02
    lines = thin(blobs)
    assert not (lines & ~blobs).any() and lines.sum() < 0.35 * blobs.sum()
    assert ndimage.label(lines, EIGHT)[1] == ndimage.label(blobs, EIGHT)[1]
    assert ndimage.label(~np.pad(lines, 1))[1] == ndimage.label(~np.pad(blobs, 1))[1], "and its holes"
    assert np.array_equal(thin(lines), lines)


@pytest.mark.parametrize("angle", [0, 20, 45, 70, 90, 135])
def test_a_ridge_is_found_at_any_angle(angle: float) -> None:
    y, x = np.mgrid[:60, :60] - 30.0
    turned = np.deg2rad(angle)
    away = np.abs(x * np.sin(turned) - y * np.cos(turned))
    ridge = peaks(np.exp(-(away**2) / 18).astype(np.float32))
    inner = np.hypot(y, x) < 25
    assert away[ridge & inner & (away < 6)].max() < 1.01
    middle = ridge & inner & (away < 1.5)
    along = (x * np.cos(turned) + y * np.sin(turned))[middle]
    assert along.min() < -23 and along.max() > 23
    assert ndimage.label(middle, EIGHT)[1] == 1, "without a gap"
