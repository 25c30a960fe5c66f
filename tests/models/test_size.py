"""How pictures are brought to the sizes that networks take, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.layers.size import SizeRule, fit

NUMPY = {"symmetric": "symmetric", "reflect": "reflect", "replicate": "edge", "zero": "constant"}


def scene(height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    hole = (torch.rand(1, 1, height, width, generator=generator) < 0.3).float()
    return torch.rand(1, 3, height, width, generator=generator) * (1 - hole), hole


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    multiple=st.sampled_from([1, 2, 8, 32]),
    minimum=st.sampled_from([0, 16, 50]),
    pad=st.sampled_from(sorted(NUMPY)),
    place=st.sampled_from(["left-top", "centre"]),
)
def test_padding_is_numpys_and_comes_off_again(
    height: int, width: int, multiple: int, minimum: int, pad: str, place: str
) -> None:
    rule = SizeRule(multiple=multiple, minimum=minimum, pad=pad, place=place)  # type: ignore[arg-type]
    image, hole = scene(height, width)
    (padded, inside, layer), back = fit(rule, image, hole, image)
    size = rule.size(height, width)
    assert padded.shape[-2:] == inside.shape[-2:] == size
    assert all(side % multiple == 0 and side >= minimum for side in size)
    assert all(
        after - before < multiple + minimum for before, after in zip((height, width), size, strict=True)
    )
    before = [
        (big - small) // 2 if place == "centre" else 0
        for big, small in zip(size, (height, width), strict=True)
    ]
    ends = [
        (first, big - small - first) for first, big, small in zip(before, size, (height, width), strict=True)
    ]
    for original, got in ((image, padded), (hole, inside), (image, layer)):
        expected = np.pad(original.numpy(), [(0, 0), (0, 0), *ends], mode=NUMPY[pad])  # type: ignore[call-overload]
        assert np.array_equal(got.numpy(), expected)
    assert torch.equal(back(padded), image)


def test_nothing_is_touched_where_the_size_is_right() -> None:
    image, hole = scene(16, 24)
    (fitted, inside), back = fit(SizeRule(multiple=8), image, hole)
    assert torch.equal(fitted, image) and torch.equal(inside, hole) and torch.equal(back(image), image)


@pytest.mark.parametrize("size", [(64, 64), (30, 100), (200, 90), (1, 7), (300, 1)])
@pytest.mark.parametrize("stretch", [True, False])
@pytest.mark.parametrize("place", ["left-top", "centre"])
def test_squares(size: tuple[int, int], stretch: bool, place: str) -> None:
    rule = SizeRule(square=64, stretch=stretch, place=place)  # type: ignore[arg-type]
    rows, columns = torch.meshgrid(*(torch.linspace(0.2, 0.8, side) for side in size), indexing="ij")
    smooth = torch.stack([rows, columns, rows / 2 + columns / 2])[None]
    hole = torch.zeros(1, 1, *size)
    hole[..., size[0] // 2, size[1] // 2] = 1  # one pixel
    (image, inside), back = fit(rule, smooth * (1 - hole), hole)
    assert image.shape[-2:] == inside.shape[-2:] == (64, 64)
    assert inside.any() and not inside.all() and set(inside.unique().tolist()) <= {0.0, 1.0}
    assert image.min() >= 0 and image.max() <= 1 and not (image * inside).any()
    known = (1 - inside).bool().expand_as(image)
    assert image[known].min() > 0.15  # the hole's black is in no pixel around it
    (whole, _), back = fit(rule, smooth, torch.zeros_like(hole))
    assert (back(whole) - smooth).abs().max() < 0.05


def test_any_hole_is_kept_when_shrunk() -> None:
    image, hole = torch.full((1, 3, 300, 300), 0.5), torch.zeros(1, 1, 300, 300)
    hole[..., 100:103, 200] = 1
    (_, inside), _ = fit(SizeRule(square=64), image * (1 - hole), hole)
    rows, columns = np.nonzero(inside[0, 0].numpy())
    assert (
        len(rows) >= 1
        and abs(rows.mean() - 101.5 * 64 / 300) < 1
        and abs(columns.mean() - 200.5 * 64 / 300) < 1
    )
