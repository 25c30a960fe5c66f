"""Neural networks behind the backend: a file of weights, a picture of any kind, and the way in between.

The network is LaMa, small and with random weights: what it fills is judged by where it is, not by its looks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend import inpaint
from backend.api import inpaint_layers
from backend.wire.errors import InpaintError
from backend.worker.model_cache import ModelCache
from models.lama import LaMa, LaMaNetwork


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file as Lightning writes it, that fills with a colour of its own."""
    torch.manual_seed(0)
    network = LaMaNetwork(blocks=2, width=8)
    with torch.no_grad():
        network.model[-2].bias.copy_(torch.tensor([2.0, 0.0, -2.0]))  # type: ignore[union-attr]
    state = {f"generator.{name}": tensor for name, tensor in network.state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "best.ckpt"
    torch.save({"epoch": 1, "state_dict": state}, path)
    return str(path)


def scene(height: int, width: int, channels: int, dtype: str) -> np.ndarray:
    """Waves with an alpha of 1 where there is one."""
    rows, columns = np.mgrid[:height, :width]
    plane = 0.5 + 0.2 * np.sin(columns / 9) + 0.1 * np.cos(rows / 13)
    image = np.repeat(plane[..., None], channels, 2)
    if channels in (2, 4):
        image[..., -1] = 1
    if dtype[0] == "u":
        return np.rint(image * np.iinfo(dtype).max).astype(dtype)
    return image.astype(dtype)


@pytest.mark.parametrize(("channels", "dtype"), [(3, "uint8"), (1, "uint16"), (2, "uint8"), (4, "float32")])
def test_any_picture_is_filled_in_its_own_kind(weights: str, channels: int, dtype: str) -> None:
    image = scene(133, 151, channels, dtype)
    mask = np.zeros(image.shape[:2], bool)
    mask[50:80, 40:90] = True
    told: list[float] = []
    result = inpaint(
        image, mask, weights, grow=3, feather=2, device="cpu", progress=lambda part, stage: told.append(part)
    )
    assert result.dtype == image.dtype and result.shape == image.shape
    changed = (result != image).any(-1)
    assert changed[50:80, 40:90].mean() > 0.9
    changed[42:88, 32:98] = False  # 3 grown, 2 feathered, and half a pixel of anti-aliasing to spare
    assert not changed.any()
    assert told == sorted(told) and told[-1] == 1 and len(told) > 10
    assert np.array_equal(result, inpaint(image, mask, weights, grow=3, feather=2, device="cpu"))


def test_several_holes_seeds_and_transparency(weights: str) -> None:
    image = scene(200, 600, 4, "uint8")
    image[:, 250:300, 3] = 0
    mask = np.zeros((200, 600), bool)
    mask[60:90, 40:80] = mask[100:120, 500:530] = mask[10, 10] = True
    first, second = inpaint_layers(image, mask, weights, count=2, device="cpu")
    assert (first.seed, second.seed) == (0, 1) and first.model == "lama"
    assert np.array_equal(first.pixels, second.pixels)  # it draws no lots


def test_a_hole_too_large_for_the_network_is_filled_small_and_refined(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(LaMa, "card", replace(LaMa.card, max_pixels=96 * 96))
    copy = Path(weights).with_name("copy.ckpt")  # under another name, as models are kept once loaded
    copy.write_bytes(Path(weights).read_bytes())
    image = scene(260, 300, 3, "uint8")
    mask = np.zeros(image.shape[:2], bool)
    mask[80:180, 90:200] = True
    stages: list[str] = []
    result = inpaint(
        image, mask, str(copy), device="cpu", seam="off", progress=lambda part, stage: stages.append(stage)
    )
    assert "filling" in stages and "matching" in stages  # the network, then PatchMatch
    assert stages.index("filling") < stages.index("matching")
    assert (result != image).any(-1)[80:180, 90:200].mean() > 0.9


def test_the_worker_loads_networks_the_fast_way(weights: str) -> None:
    cache = ModelCache("cpu", {weights: {"name": weights, "network": True}})
    model = cache.load(weights)
    assert isinstance(model, LaMa) and type(model.network).__name__ == "Fused"


def test_settings_are_those_of_the_network(weights: str) -> None:
    image, mask = scene(64, 64, 3, "uint8"), np.zeros((64, 64), bool)
    mask[30:34, 30:34] = True
    inpaint(image, mask, weights, refine=True, device="cpu")
    with pytest.raises(InpaintError) as caught:
        inpaint(image, mask, weights, strength=1, device="cpu")
    assert caught.value.code == "bad-param" and "refine" in caught.value.hint


def test_a_file_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "big-lama.pt").write_bytes(b"<html>not found</html>")
    with pytest.raises(InpaintError) as caught:
        inpaint(np.zeros((9, 9, 3), np.uint8), np.ones((9, 9)), str(tmp_path / "big-lama.pt"), device="cpu")
    assert caught.value.code == "bad-weights" and "big-lama.pt" in caught.value.message and caught.value.hint
