"""Fills that follow a sketch and strokes of colour, from files to files.

The network is SC-FEGAN, narrow and with random weights: what it fills is judged by what it was shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from backend import store
from backend.cli import main
from models.sc_fegan import SCFEGANNetwork

SIZE = (180, 150)  # width, height


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder of weights with one network, `drawn`."""
    place = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    torch.save(SCFEGANNetwork(width=8).state_dict(), place / "net.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI_INPAINT_MODELS", str(place / "models"))
        store.import_weights(place / "net.pth", lambda *_: None, "drawn")
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph, its mask, lines on paper and as a layer, strokes of colour, and an empty layer."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width]
    photo = np.stack([128 + 90 * np.sin(x / 9), 128 + 90 * np.cos(y / 7), 0 * x + 90], 2).astype(np.uint8)
    hole = (np.hypot(y - 75, x - 90) < 45).astype(np.uint8) * 255
    line = (np.abs(np.hypot(y - 75, x - 90) - 25) < 1.5).astype(np.uint8) * 255
    red = np.zeros((height, width, 4), np.uint8)
    red[70:78, 70:110] = (230, 20, 20, 255)
    nothing = np.zeros_like(red)
    for name, pixels in {
        "photo": photo,
        "mask": hole,
        "paper": 255 - line,
        "layer": np.dstack([0 * line, 0 * line, 0 * line, line]),
        "strokes": red,
        "empty": nothing,
        "blank": np.full_like(photo, 255),
        "elsewhere": np.where(np.arange(height)[:, None, None] < 4, np.uint8(255), nothing),
        "everything": np.full_like(hole, 255),
        "small": nothing[:50],
    }.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return tmp_path


def run(folder: Path, *options: str, mask: str = "mask", out: str = "out.png") -> Any:
    files = [str(folder / option) if option.endswith(".png") else option for option in options]
    arguments = ["run", str(folder / "photo.png"), str(folder / f"{mask}.png"), "-o", str(folder / out)]
    return CliRunner().invoke(main, [*arguments, "--device", "cpu", *files])


def filled(folder: Path, *options: str, **where: str) -> np.ndarray:
    result = run(folder, *options, **where)
    assert result.exit_code == 0, result.output
    return np.asarray(Image.open(folder / where.get("out", "out.png"))).astype(int)


def test_the_fill_follows_lines_and_strokes(weights: None, folder: Path) -> None:
    photo = np.asarray(Image.open(folder / "photo.png")).astype(int)
    bare = filled(folder, "--model", "drawn")
    paper = filled(folder, "--model", "drawn", "--sketch", "paper.png")
    layer = filled(folder, "--model", "sc-fegan", "--sketch", "layer.png")
    both = filled(folder, "--model", "drawn", "--sketch", "layer.png", "--color", "strokes.png")
    british = filled(folder, "--model", "drawn", "--sketch", "layer.png", "--colour", "strokes.png")
    assert np.array_equal(paper, layer), "the same lines, whatever they are drawn on"
    assert np.array_equal(both, british)
    outside = np.asarray(Image.open(folder / "mask.png")) == 0
    outside &= np.hypot(*(np.mgrid[: SIZE[1], : SIZE[0]] - np.array([75, 90])[:, None, None])) > 54
    for result in (bare, paper, both):
        assert np.array_equal(result[outside], photo[outside])
    assert (bare != paper).any() and (paper != both).any()


def test_what_is_drawn_outside_the_hole_changes_nothing(weights: None, folder: Path) -> None:
    layer = np.asarray(Image.open(folder / "layer.png")).copy()
    layer[:10] = 255
    Image.fromarray(layer).save(folder / "more.png")
    alone = filled(folder, "--model", "drawn", "--sketch", "layer.png")
    assert np.array_equal(alone, filled(folder, "--model", "drawn", "--sketch", "more.png"))


def test_auto_takes_the_model_that_follows(folder: Path) -> None:
    result = run(folder, "--sketch", "layer.png")
    assert result.exit_code == 0 and "filled by sketcher" in result.stdout


def test_a_picture_that_is_wholly_erased_is_filled_from_its_sketch(weights: None, folder: Path) -> None:
    options = ("--model", "drawn", "--sketch", "layer.png", "--color", "strokes.png")
    first = filled(folder, *options, mask="everything")
    Image.fromarray(np.zeros((SIZE[1], SIZE[0], 3), np.uint8)).save(folder / "photo.png")
    assert np.array_equal(first, filled(folder, *options, mask="everything")), "no look at what was there"
    result = run(folder, "--model", "drawn", mask="everything")
    assert result.exit_code == 1 and "nothing around the selection" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "patchmatch", "--sketch", "layer.png"], "PatchMatch cannot follow a sketch layer. "),
        (["--model", "smooth", "--color", "strokes.png"], "cannot follow a colour layer. "),
        (["--model", "drawn", "--sketch", "empty.png"], "empty.png is empty: nothing is drawn on it. "),
        (["--model", "drawn", "--sketch", "blank.png"], "blank.png is empty: nothing is drawn on it. "),
        (["--model", "drawn", "--color", "empty.png"], "empty.png is empty: nothing is drawn on it. "),
        (["--model", "drawn", "--sketch", "elsewhere.png"], "Nothing is drawn on the sketch layer where "),
        (
            ["--model", "drawn", "--sketch", "small.png"],
            "small.png is 180 x 50 pixels, the picture 180 x 150",
        ),
        (["--model", "drawn", "--sketch", "missing.png"], "missing.png"),
    ],
)
def test_what_would_be_ignored_is_refused(
    weights: None, folder: Path, options: list[str], words: str
) -> None:
    result = run(folder, *options)
    assert result.exit_code == 1, result.output
    assert words in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert not (folder / "out.png").exists()


def test_the_sketch_is_never_overwritten(weights: None, folder: Path) -> None:
    result = run(folder, "--model", "drawn", "--sketch", "layer.png", out="layer.png")
    assert result.exit_code == 2 and "that is read" in result.stderr
