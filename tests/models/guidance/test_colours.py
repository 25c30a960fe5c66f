"""Colours of the parts of pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.guidance import colours
from models.guidance.segments import bilateral, segments


def flag(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Three fields with a cross-hatch of single pixels, and which pixel belongs to which."""
    part = np.zeros((60, 90), int)
    part[:, 30:60] = 1
    part[20:40, 60:] = 2
    shades = np.array([[0.8, 0.2, 0.1], [0.2, 0.6, 0.9], [0.9, 0.9, 0.3]])
    picture = shades[part] + np.random.default_rng(0).normal(0, noise, (60, 90, 3))
    picture[::7, ::5] = 0
    return np.clip(picture, 0, 1).astype(np.float32), part


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_every_part_has_one_colour_its_own(noise: float) -> None:
    picture, part = flag(noise)
    result = colours(torch.from_numpy(picture.transpose(2, 0, 1)[None]))
    assert result.shape == (1, 3, 60, 90) and result.dtype == torch.float32
    flat = result[0].numpy().transpose(1, 2, 0)
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) <= 6
    inner = np.ones(part.shape, bool)
    inner[:, 28:32] = inner[:, 58:62] = inner[18:22] = inner[38:42] = False
    shades = np.array([[0.8, 0.2, 0.1], [0.2, 0.6, 0.9], [0.9, 0.9, 0.3]])
    assert np.abs(flat - shades[part])[inner].max() < 0.06
    assert torch.equal(result, colours(torch.from_numpy(picture.transpose(2, 0, 1)[None])))


def test_detail_goes_and_edges_stay() -> None:
    picture, _ = flag(0.04)
    flat = colours(torch.from_numpy(picture.transpose(2, 0, 1)[None]))[0].numpy()
    steps = np.abs(np.diff(flat, axis=2)).sum(0)
    assert (steps[:, 29] > 0.5).mean() > 0.9, "the border is where it was"
    assert (steps[:, 3:27] > 0.02).mean() < 0.02


def test_more_contrast_makes_fewer_parts() -> None:
    image = torch.from_numpy(np.random.default_rng(2).random((1, 3, 8, 8), dtype=np.float32))
    image = torch.nn.functional.interpolate(image, scale_factor=8, mode="bicubic").clamp(0, 1)
    counts = [
        len(colours(image, contrast, least=0.0).flatten(2)[0].T.unique(dim=0))
        for contrast in (0.05, 0.5, 5, 500)
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1] == 1


def test_segments_are_connected_and_large_enough() -> None:
    from scipy import ndimage

    picture = np.random.default_rng(1).random((40, 50, 3), dtype=np.float32)
    part = segments(picture, 0.3, 12)
    assert np.bincount(part.ravel()).min() >= 12
    assert set(np.unique(part)) == set(range(part.max() + 1))
    assert all(ndimage.label(part == n, np.ones((3, 3)))[1] == 1 for n in range(part.max() + 1))


def test_the_bilateral_filter_is_its_formula() -> None:
    picture = np.random.default_rng(5).random((9, 11, 3), dtype=np.float32)
    near, alike = 1.0, 0.3
    expected = np.empty_like(picture)
    for y in range(9):
        for x in range(11):
            rows, columns = np.mgrid[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
            rows, columns = np.minimum(rows, 8), np.minimum(columns, 10)
            seen = np.unique(np.stack([rows.ravel(), columns.ravel()]), axis=1)
            away = ((seen - [[y], [x]]) ** 2).sum(0)
            other = picture[seen[0], seen[1]]
            weight = np.exp(-away / (2 * near**2) - ((other - picture[y, x]) ** 2).sum(1) / (2 * alike**2))
            expected[y, x] = (weight[:, None] * other).sum(0) / weight.sum()
    assert np.abs(bilateral(picture, near, alike) - expected).max() < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 2)])
def test_any_size(size: tuple[int, int]) -> None:
    assert colours(torch.rand(2, 3, *size)).shape == (2, 3, *size)
