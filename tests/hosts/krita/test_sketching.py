"""New sketch layers, and a fill that follows one, in a real Krita."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend import api

from ..guided import MODEL, install_weights
from ..xvfb import Display
from .launch import Home, play
from .test_workflow import SIZE, Told, laid

SCENARIO = Path(__file__).with_name("scenarios") / "sketching.py"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "models"
    install_weights(folder)
    return folder


@pytest.fixture(scope="module")
def told(
    home: Home,
    display: Display,
    photo: Path,
    weights: Path,
    pictures_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Told:
    folder = tmp_path_factory.mktemp("out")
    variables = {"OUT": folder, "PHOTO": photo, "MODELS": weights}
    home.stop_backend()  # the next one has weights of its own
    given = {f"AI_INPAINT_{name}": str(path) for name, path in variables.items()}
    told = Told(play(home, display, SCENARIO, 240, pictures_folder, **given))
    home.stop_backend()
    told.folder = folder
    return told


def test_the_lines_of_the_selection_are_a_layer_of_their_own(told: Told) -> None:
    found = told["sketched"]
    assert found["name"] == "Sketch"
    assert found["order"][:2] == ["Background", "Sketch"]
    assert found["undo"] == "Undo Add Layer" and found["undone"]
    layer = api.sketch(told.pixels("sketched.visible"), told.mask("sketched.mask"))
    made = told.pixels("sketched.selected")
    assert np.array_equal(made[..., 3], laid(layer, made.shape)[..., 3]) and made[..., 3].any()
    assert not made[made[..., 3] > 0][:, :3].any()


def test_without_a_selection_all_is_drawn(told: Told) -> None:
    layer = api.sketch(told.pixels("sketched.visible"))
    made = told.pixels("sketched.everything")
    assert np.array_equal(made[..., 3], laid(layer, made.shape)[..., 3])
    assert (made[..., 3] > 0).sum() > (told.pixels("sketched.selected")[..., 3] > 0).sum()


def test_what_cannot_be_drawn_is_told(told: Told) -> None:
    found = told["sketched"]
    assert "There are no lines in this part of the picture." in found["flat"]
    assert "The selection lies outside" in found["beside"]
    assert found["names"] == ["Background", "flat"]


def test_a_fill_follows_the_sketch_that_is_chosen(
    told: Told, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = told["followed"]
    assert found["layers"] == ["Sketch", "Sketch"] and found["name"] == "drawn (SC-FEGAN), seed 5"
    assert found["remembered"] == "Sketch"
    monkeypatch.setenv("AI_INPAINT_MODELS", str(weights))
    image, mask = told.pixels("followed.visible"), told.mask("followed.mask")
    lines = told.pixels("followed.lines")
    made = told.pixels("followed.fill")
    (expected,) = api.inpaint_layers(image, mask, MODEL, guidance={"sketch": lines}, seed=5, device="cpu")
    wanted = laid(expected, (*SIZE, 4))
    shown = wanted[..., 3] > 0
    assert np.array_equal(made[..., 3], wanted[..., 3])
    assert np.abs(made[shown].astype(int) - wanted[shown]).max() <= 1
    (bare,) = api.inpaint_layers(image, mask, MODEL, seed=5, device="cpu")
    assert np.abs(made[shown].astype(int) - laid(bare, (*SIZE, 4))[shown]).max() > 1
