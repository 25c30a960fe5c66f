"""New sketch layers, and fills that follow them, in a real GIMP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.api import inpaint_layers, sketch
from backend.client import form

from ..guided import MODEL, install_weights
from .root import Gimp

INSIDE = Path(__file__).with_name("inside")
HEIGHT, WIDTH = 180, 240


def scene() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
    picture[np.hypot(y - 80, x - 90) < 40] = (220, 60, 50)
    picture[np.hypot(y - 110, x - 190) < 30] = (60, 70, 220)
    return picture


def gray() -> np.ndarray:
    return scene()[..., 0].astype(np.uint16) * 257


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("weights") / "models"
    install_weights(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI_INPAINT_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def told(gimp: Gimp, weights: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """What one GIMP left; its backend has weights of its own."""
    folder = gimp.folder / "sketching"
    folder.mkdir()
    scene().tofile(folder / "scene.in")
    gray().tofile(folder / "gray.in")
    gimp.ask_backend("stop")
    environment = {"AI_INPAINT_MODELS": str(weights)}
    done = gimp.batch(INSIDE / "sketching.py", str(folder), environment=environment)
    gimp.ask_backend("stop")
    assert done.returncode == 0, done.stdout
    report = json.loads((folder / "report.json").read_text())
    for found in report.values():
        assert "trouble" not in found, found["trouble"]
    yield report, folder


def test_the_lines_of_the_selection_are_a_layer_of_their_own(told: tuple[dict[str, Any], Path]) -> None:
    report, folder = told
    found = report["selected"]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[30:130, 20:140] = 255
    expected = sketch(scene(), mask, detail=60)
    assert found["name"] == "Sketch" and found["tree"] == ["Sketch", "picture"]
    assert tuple(found["offset"]) == expected.offset
    made = np.fromfile(folder / "selected.raw", np.uint8).reshape(expected.pixels.shape)
    assert np.array_equal(made, expected.pixels) and made[..., 3].any()
    assert found["same"] and found["active"] == ["picture"]
    assert form.parse(found["record"]) is None and json.loads(found["record"]) == {"sketch": "gradients"}


def test_without_a_selection_all_is_drawn_in_the_picture_s_own_kind(
    told: tuple[dict[str, Any], Path],
) -> None:
    report, folder = told
    expected = sketch(gray())
    assert report["everything"]["offset"] == [0, 0] and report["everything"]["size"] == [WIDTH, HEIGHT]
    made = np.fromfile(folder / "everything.raw", np.uint16).reshape(expected.pixels.shape)
    assert np.array_equal(made, expected.pixels)


def test_a_fill_follows_the_sketch(told: tuple[dict[str, Any], Path], weights: Path) -> None:
    report, folder = told
    found = report["followed"]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[40:130, 60:150] = 255
    lines = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    lines[40:130, 60:150] = np.fromfile(folder / "followed.lines", np.uint8).reshape(90, 90, 4)
    (expected,) = inpaint_layers(scene(), mask, MODEL, guidance={"sketch": lines}, seed=5, device="cpu")
    assert found["tree"] == ["Sketch", "drawn (SC-FEGAN), seed 5", "picture"]
    assert tuple(found["offset"]) == expected.offset
    made = np.fromfile(folder / "followed.raw", np.uint8).reshape(expected.pixels.shape)
    assert np.array_equal(made[..., 3], expected.pixels[..., 3])
    shown = made[..., 3] > 0
    assert np.abs(made[shown].astype(int) - expected.pixels[shown]).max() <= 1
    (bare,) = inpaint_layers(scene(), mask, MODEL, seed=5, device="cpu")
    assert np.abs(made[shown].astype(int) - bare.pixels[shown]).max() > 1, "without the sketch it is another"
    assert found["again"], "the sketch itself is no picture to fill from"


def test_what_cannot_be_is_told_and_nothing_is_put_in(told: tuple[dict[str, Any], Path]) -> None:
    refused = told[0]["refused"]
    status, words = refused["flat"]
    assert status == "execution-error" and "There are no lines" in words
    status, words = refused["ignored"]
    assert status == "execution-error" and "PatchMatch cannot follow a sketch layer" in words
    assert refused["tree"] == ["flat", "picture"]
