"""DeepFill v1 against the network written down straightforwardly, from TensorFlow variables to the fill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from plain_attention import attention, nearest, tensorflow_conv
from torch import Tensor
from torch.nn import functional

import models
from models import FillError
from models.deepfill_v1 import DeepFillV1

# The layers as the paper and the published variables have them: outputs, kernel, stride, dilation.
STAGE1 = {
    "conv1": (32, 5, 1, 1),
    "conv2_downsample": (64, 3, 2, 1),
    "conv3": (64, 3, 1, 1),
    "conv4_downsample": (128, 3, 2, 1),
    "conv5": (128, 3, 1, 1),
    "conv6": (128, 3, 1, 1),
    "conv7_atrous": (128, 3, 1, 2),
    "conv8_atrous": (128, 3, 1, 4),
    "conv9_atrous": (128, 3, 1, 8),
    "conv10_atrous": (128, 3, 1, 16),
    "conv11": (128, 3, 1, 1),
    "conv12": (128, 3, 1, 1),
    "conv13_upsample": (64, 3, 1, 1),
    "conv14": (64, 3, 1, 1),
    "conv15_upsample": (32, 3, 1, 1),
    "conv16": (16, 3, 1, 1),
    "conv17": (3, 3, 1, 1),
}
BRANCH = {
    "xconv1": (32, 5, 1, 1),
    "xconv2_downsample": (32, 3, 2, 1),
    "xconv3": (64, 3, 1, 1),
    "xconv4_downsample": (64, 3, 2, 1),
    "xconv5": (128, 3, 1, 1),
    "xconv6": (128, 3, 1, 1),
    "xconv7_atrous": (128, 3, 1, 2),
    "xconv8_atrous": (128, 3, 1, 4),
    "xconv9_atrous": (128, 3, 1, 8),
    "xconv10_atrous": (128, 3, 1, 16),
}
MATCHING = {
    "pmconv1": (32, 5, 1, 1),
    "pmconv2_downsample": (32, 3, 2, 1),
    "pmconv3": (64, 3, 1, 1),
    "pmconv4_downsample": (128, 3, 2, 1),
    "pmconv5": (128, 3, 1, 1),
    "pmconv6": (128, 3, 1, 1),
}
AFTER = {"pmconv9": (128, 3, 1, 1), "pmconv10": (128, 3, 1, 1)}
TOGETHER = {f"all{name}": sizes for name, sizes in STAGE1.items() if int(name[4:].split("_")[0]) > 10}


def scope(name: str) -> str:
    return f"inpaint_net/{name}/{name}_conv" if "upsample" in name else f"inpaint_net/{name}"


def variables(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    made = {}
    for block, inputs in ((STAGE1, 5), (BRANCH, 5), (MATCHING, 5), (AFTER, 128), (TOGETHER, 256)):
        for name, (outputs, kernel, _, _) in block.items():
            scale = 1.3 / (kernel * inputs**0.5) / (4 if outputs == 3 else 1)
            shape = (kernel, kernel, inputs, outputs)
            made[scope(name) + "/kernel"] = random.standard_normal(shape, dtype=np.float32) * np.float32(
                scale
            )
            made[scope(name) + "/bias"] = random.standard_normal(outputs, dtype=np.float32) * np.float32(0.1)
            inputs = outputs
    return made


def straightforward(values: dict[str, np.ndarray], x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The network in float64; x and mask as for ours."""

    def run(x: Tensor, block: dict[str, tuple[int, int, int, int]]) -> Tensor:
        for name, (outputs, _, stride, rate) in block.items():
            if "upsample" in name:
                x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            kernel, bias = (
                torch.from_numpy(values[f"{scope(name)}/{kind}"]).double() for kind in ("kernel", "bias")
            )
            x = tensorflow_conv(x, kernel, bias, stride, rate)
            if name == "pmconv6":
                x = functional.relu(x)
            elif outputs != 3:
                x = functional.elu(x)
        return x

    stage1 = run(x, STAGE1).clamp(-1, 1)
    pasted = torch.cat([stage1 * mask + x[:, :3] * (1 - mask), torch.ones_like(mask), mask], 1)
    matched = run(pasted, MATCHING)
    height, width = matched.shape[2:]
    unknown = nearest(nearest(mask, height, width), height // 2, width // 2)
    matched = attention(matched, nearest(matched, height // 2, width // 2), unknown, fused=True)
    both = torch.cat([run(pasted, BRANCH), run(matched, AFTER)], 1)
    return stage1, run(both, TOGETHER).clamp(-1, 1)


@pytest.fixture(scope="module")
def values() -> dict[str, np.ndarray]:
    return variables(1)


@pytest.fixture(scope="module")
def model(values: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> DeepFillV1:
    path = tmp_path_factory.mktemp("deepfill_v1") / "variables.npz"
    slots = {f"{name}/Adam": value for name, value in values.items()}
    np.savez(path, **values, **slots, **{"discriminator/conv1/kernel": np.zeros((5, 5, 3, 64), np.float32)})
    return models.load(path)


def picture(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(height).random((1, 3, height, width), dtype=np.float32)
    hole = np.zeros((1, 1, height, width), bool)
    hole[..., height // 4 : height // 2, width // 3 : width // 2 + 6] = True
    return image, hole


def channels(image: np.ndarray, hole: np.ndarray) -> tuple[Tensor, Tensor]:
    """What the authors' program shows the network: blue first."""
    mask = torch.from_numpy(hole.astype(np.float32))
    colours = torch.from_numpy(image[:, ::-1].copy()) * 2 - 1
    return torch.cat([colours * (1 - mask), torch.ones_like(mask), mask], 1), mask


@pytest.mark.parametrize("size", [(64, 64), (56, 72)])
def test_network_and_fill_are_the_papers(
    model: DeepFillV1, values: dict[str, np.ndarray], size: tuple[int, int]
) -> None:
    assert model.card.name == "deepfill-v1"
    image, hole = picture(*size)
    x, mask = channels(image, hole)
    expected = straightforward(values, x.double(), mask.double())
    assert all(0.1 < stage.std() < 0.9 for stage in expected)  # neither dead nor clipped
    with torch.inference_mode():
        stages = model.network(x, mask)
    torch.testing.assert_close(stages[0], expected[0].float(), rtol=0, atol=2e-4)
    torch.testing.assert_close(stages[1], expected[1].float(), rtol=0, atol=2e-3)
    filled = model.fill(image, hole)
    wanted = np.where(hole, (expected[1].flip(1).numpy() + 1) / 2, image)
    assert np.abs(filled - wanted).max() < 1e-3


def test_mistakes_are_noticed(model: DeepFillV1, values: dict[str, np.ndarray]) -> None:
    """A flipped mask, and zeros on the wrong side of a convolution of stride 2."""
    x, mask = channels(*picture(64, 64))
    expected = straightforward(values, x.double(), mask.double())[1].float()
    with torch.inference_mode():
        assert (model.network(x, 1 - mask)[1] - expected).abs().max() > 0.02
        model.network.conv2_downsample.symmetric = True
        try:
            assert (model.network(x, mask)[1] - expected).abs().max() > 0.02
        finally:
            model.network.conv2_downsample.symmetric = False


def test_a_tensor_that_is_missing_is_named(values: dict[str, np.ndarray], tmp_path: Path) -> None:
    for key in ("inpaint_net/conv13_upsample/conv13_upsample_conv/kernel", "inpaint_net/allconv17/bias"):
        np.savez(tmp_path / "variables.npz", **{name: value for name, value in values.items() if name != key})
        with pytest.raises(FillError, match=key):
            models.load(tmp_path / "variables.npz")
