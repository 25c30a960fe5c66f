"""What counts as drawn on a guidance layer."""

from __future__ import annotations

import pytest
import torch

from models import FillError
from models.guidance import drawn, lines


def test_a_line_is_what_stands_out_on_paper_of_any_colour() -> None:
    for paper, ink in ((1.0, 0.0), (0.0, 1.0), (0.5, 0.9)):
        layer = torch.full((1, 3, 9, 9), paper)
        layer[..., 4, :] = ink
        layer[..., 0, 0] = paper + (0.1 if paper < 1 else -0.1)
        expected = torch.zeros(1, 1, 9, 9)
        expected[..., 4, :] = 1
        assert torch.equal(lines(layer), expected)


def test_on_a_transparent_layer_a_line_is_what_is_not_transparent() -> None:
    layer = torch.zeros(1, 4, 9, 9)
    layer[:, :3, 2] = 0.7
    layer[:, 3, 2] = 0.3
    layer[:, 3, 6] = 0.1
    assert lines(layer)[0, 0, 2].all() and not lines(layer)[0, 0, 6].any()
    assert torch.equal(drawn("sketch", layer), lines(layer))
    assert not drawn("colour", layer).any(), "colours count from a half on"
    layer[:, 3, 2] = 0.6
    assert drawn("colour", layer).sum() == 9


def test_a_layer_without_transparency_is_painted_all_over() -> None:
    assert drawn("colour", torch.zeros(1, 3, 4, 4)).all()
    assert not drawn("sketch", torch.ones(1, 3, 4, 4)).any(), "and is an empty sketch"


def test_a_layer_of_another_kind_is_refused() -> None:
    with pytest.raises(FillError, match="5 channels"):
        lines(torch.zeros(1, 5, 4, 4))
