"""`auto` takes a network as soon as its weights are there, and says so; without, nothing changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from downloads import write_zoo
from weights_files import small_lama

from backend import api, store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AI_INPAINT_MODELS", str(tmp_path / "models"))
    return tmp_path


def scene(plain: bool) -> tuple[np.ndarray, np.ndarray]:
    """A picture with stripes, plain or textured, and a mask with a large hole and a scratch."""
    x = np.broadcast_to(np.arange(200), (160, 200))
    picture = np.where((x // 25) % 2, 230, 40).astype(np.uint8)
    if not plain:
        picture += np.random.default_rng(0).integers(0, 20, picture.shape, dtype=np.uint8)
    mask = np.zeros(picture.shape, np.uint8)
    mask[40:90, 60:130] = mask[130:133, 20:180] = 255
    return np.repeat(picture[..., None], 3, axis=2), mask


def picked(plain: bool, **options: object) -> str:
    picture, mask = scene(plain)
    return api.inpaint_layers(picture, mask, "auto", device="cpu", grow=0, feather=0, **options)[0].model


def test_installed_weights_are_used_for_what_they_are_good_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert picked(plain=True) == "patchmatch+liner", "lines are not continued smoothly"
    assert picked(plain=False) == "smooth+patchmatch"
    store.import_weights(small_lama(folder / "one.ckpt"), lambda *_: None, "for-photos")
    assert picked(plain=True) == "patchmatch+liner", "lines are not for that one"
    assert picked(plain=False) == "smooth+for-photos"
    comic = small_lama(folder / "two.ckpt", seed=1)
    write_zoo(folder / "zoo.toml", "https://example.org", comic.read_bytes(), good_at=["comic"])
    monkeypatch.setenv("AI_INPAINT_ZOO", str(folder / "zoo.toml"))
    store.import_weights(comic, lambda *_: None)
    assert picked(plain=True) == "tested+patchmatch"
    assert picked(plain=False) == "smooth+for-photos"
    everywhere = np.full((160, 200), 255, np.uint8)
    assert picked(plain=True, source=everywhere) == "patchmatch", "the user says what to take"


def test_the_same_fill_comes_with_and_without_weights_where_they_are_not_used(folder: Path) -> None:
    picture, mask = scene(plain=False)
    mask[:120] = 0  # the scratch alone
    before = api.inpaint(picture, mask, device="cpu", grow=0)
    store.import_weights(small_lama(folder / "one.ckpt"), lambda *_: None, "mine")
    assert np.array_equal(api.inpaint(picture, mask, device="cpu", grow=0), before)
