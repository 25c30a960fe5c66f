"""MI-GAN: the fixtures of both sizes, an independent formulation, its containers, and resizing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conformance import conformance
from networks import as_picture, as_tensor, fixture
from PIL import Image
from torch import Tensor
from torch.nn import functional

import models
from models import FillError
from models.migan import MIGAN, Generator

Container = Callable[[str], Path]


def small_weights(resolution: int, seed: int) -> dict[str, Tensor]:
    """Random weights of a small generator that neither vanish nor explode; filters as published."""
    random = torch.Generator().manual_seed(seed)
    weights = {}
    for name, tensor in Generator(resolution).state_dict().items():
        if name.endswith("filter.weight"):
            row = torch.tensor([1.0, 3.0, 3.0, 1.0])
            tensor = (torch.outer(row, row) / (16 if "upsample" in name else 64)).expand_as(tensor).clone()
        elif not name.endswith("filter_const"):
            scale = (
                0.1
                if name.endswith(("bias", "strength"))
                else tensor[0].numel() ** -0.5
                if tensor.dim() == 4
                else 1
            )
            tensor = torch.randn(tensor.shape, generator=random) * scale
        weights[name] = tensor
    return weights


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> MIGAN:
    """A generator for 32 x 32, out of a bare state dictionary."""
    path = tmp_path_factory.mktemp("migan") / "migan_32.pt"
    torch.save(small_weights(32, 1), path)
    return models.load(path)


# -- the fixtures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("resolution", [256, 512])
def test_the_network_and_the_fill_are_those_of_the_official_program(
    resolution: int, container: Container
) -> None:
    fx = fixture(f"migan_{resolution}")
    model = models.load(container(f"migan_{resolution}"))
    assert model.settings == {"resolution": resolution} and model.card.size.square == resolution
    with torch.inference_mode():
        output = model.network(torch.from_numpy(fx.input["x"].copy())).numpy()
    filled = as_picture(model.fill(as_tensor(fx.image), as_tensor(fx.mask) > 0.5))
    compared = conformance.compare({"output": output, "composite": filled}, fx)
    assert conformance.passed(compared), compared


def test_mistakes_are_noticed(container: Container) -> None:
    """A flipped mask, and upsampling that is a little off."""
    fx = fixture("migan_256")
    model = models.load(container("migan_256"))
    x = torch.from_numpy(fx.input["x"].copy())

    def passes(x: Tensor) -> bool:
        with torch.inference_mode():
            output = model.network(x).numpy()
        return conformance.passed(conformance.compare({"output": output}, fx, only=["output"]))

    assert not passes(torch.cat([-x[:, :1], x[:, 1:]], 1))
    model.network.synthesis["b128"].conv1.upsample.filter.weight.data[..., 0] = 0
    assert not passes(x)


# -- independent formulations ----------------------------------------------------------------------------


def by_the_book(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """The generator as its description says, upsampling by multiplying with the stored zeros."""
    w = weights

    def act(x: Tensor) -> Tensor:
        return (functional.leaky_relu(x, 0.2) * 2**0.5).clamp(-256, 256)

    def upsample(x: Tensor, name: str) -> Tensor:
        x = functional.interpolate(x, scale_factor=2, mode="nearest") * w[f"{name}.filter_const"]
        return functional.conv2d(
            functional.pad(x, (2, 1, 2, 1)), w[f"{name}.filter.weight"], groups=x.shape[1]
        )

    def separable(x: Tensor, name: str) -> Tensor:
        depthwise = w[f"{name}.conv1.weight"]
        x = act(functional.conv2d(x, depthwise, w[f"{name}.conv1.bias"], padding=1, groups=len(depthwise)))
        if f"{name}.downsample.filter.weight" in w:
            kernel = w[f"{name}.downsample.filter.weight"]
            x = functional.conv2d(x, kernel, stride=2, padding=1, groups=len(kernel))
        x = functional.conv2d(x, w[f"{name}.conv2.weight"])
        if f"{name}.upsample.filter.weight" in w:
            x = upsample(x, f"{name}.upsample")
        if f"{name}.noise_const" in w:
            x = x + w[f"{name}.noise_const"] * w[f"{name}.noise_strength"]
        return act(x)

    top, skips = x.shape[-1], {}
    x = act(functional.conv2d(x, w[f"encoder.b{top}.fromrgb.weight"], w[f"encoder.b{top}.fromrgb.bias"]))
    sizes = [2**n for n in range(2, top.bit_length())]
    for r in reversed(sizes):
        skips[r] = separable(x, f"encoder.b{r}.conv1")
        x = separable(skips[r], f"encoder.b{r}.conv2")
    picture = torch.zeros(())
    for r in sizes:
        name = f"synthesis.b{r}"
        x = separable(separable(x, f"{name}.conv1") + skips[r], f"{name}.conv2")
        shown = functional.conv2d(x, w[f"{name}.torgb.weight"], w[f"{name}.torgb.bias"])
        picture = shown if r == 4 else upsample(picture, f"{name}.upsample") + shown
    return picture


@pytest.mark.parametrize("resolution", [8, 32])
def test_the_generator_is_its_description(resolution: int) -> None:
    weights = small_weights(resolution, 3)
    for name in [name for name in weights if name.endswith("filter.weight")]:
        weights[name] = weights[name] * torch.rand(4, 4).add(0.5)  # the published ones are symmetric
    network = Generator(resolution)
    network.load_state_dict(weights)
    x = torch.rand(2, 4, resolution, resolution) * 2 - 1
    with torch.inference_mode():
        output = network(x)
    assert output.std() > 0.05
    torch.testing.assert_close(output, by_the_book(weights, x), rtol=0, atol=1e-4)


def opencv_cubic(values: np.ndarray, size: int, axis: int) -> np.ndarray:
    """OpenCV's INTER_CUBIC along one axis: a = -3/4, borders repeated, no smoothing where it shrinks."""
    count = values.shape[axis]
    place = (np.arange(size) + 0.5) * count / size - 0.5
    first = np.floor(place).astype(int)
    result = 0.0
    for n in range(-1, 3):
        d = np.abs(place - (first + n))
        near = 1.25 * d**3 - 2.25 * d**2 + 1
        far = -0.75 * (d**3 - 5 * d**2 + 8 * d - 4)
        weight = np.where(d <= 1, near, far)
        taken = np.take(values, np.clip(first + n, 0, count - 1), axis)
        result = result + taken * weight.reshape([-1 if k == axis else 1 for k in range(values.ndim)])
    return np.asarray(result)


@pytest.mark.parametrize("size", [(32, 32), (21, 32), (32, 13), (27, 30)])
def test_fill_is_the_demo(small: MIGAN, size: tuple[int, int]) -> None:
    """The demo's way with 8-bit pictures; around the hole all is of one colour, as the demo looks into it."""
    height, width = size
    random = np.random.default_rng(height * width)
    image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    hole = np.zeros((height, width), bool)
    hole[height // 3 : height // 3 + 7, width // 3 : width // 3 + 5] = True
    image[max(height // 3 - 5, 0) : height // 3 + 12, max(width // 3 - 5, 0) : width // 3 + 10] = (
        200,
        90,
        40,
    )
    square = (
        np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)) / np.float32(127.5) - 1
    )
    valid = np.asarray(
        Image.fromarray(np.uint8(255 * ~hole)).resize((32, 32), Image.Resampling.NEAREST)
    ) / np.float32(255)
    x = np.concatenate([valid[None] - np.float32(0.5), square.transpose(2, 0, 1) * valid], 0)[None]
    with torch.inference_mode():
        output = small.network(torch.from_numpy(x))[0].permute(1, 2, 0).numpy()
    answer = (np.clip(output * 0.5 + 0.5, 0, 1) * 255).astype(np.uint8).astype(np.float64)
    if size != (32, 32):
        answer = np.rint(opencv_cubic(opencv_cubic(answer, height, 0), width, 1)).clip(0, 255)
    filled = as_picture(small.fill(as_tensor(image), torch.from_numpy(hole)[None, None]))
    assert np.abs(filled.astype(int) - np.where(hole[..., None], answer, image)).max() <= 1


def test_the_rim_of_a_resized_hole_is_not_darkened(small: MIGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the network is shown of a picture of one colour has that colour up to the hole, at any scale."""
    seen: list[Tensor] = []

    def look(x: Tensor) -> Tensor:
        seen.append(x)
        return x[:, 1:]

    monkeypatch.setattr(small.network, "forward", look)
    for height, width in ((21, 32), (90, 70), (300, 40)):
        image = torch.full((1, 3, height, width), 0.75)
        hole = torch.zeros(1, 1, height, width, dtype=torch.bool)
        hole[..., height // 3 : height // 2, width // 4 : width // 2] = True
        hole[..., 2, 3] = True
        small.fill(image, hole)
        valid, colours = seen[-1][:, :1] + 0.5, seen[-1][:, 1:]
        assert 0 < valid.mean() < 1
        torch.testing.assert_close(colours, 0.5 * valid.expand_as(colours), rtol=0, atol=2e-3)


# -- checkpoints -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of TorchScript
def test_weights_are_lifted_out_of_a_traced_generator(small: MIGAN, tmp_path: Path) -> None:
    """As IOPaint publishes them: `migan_traced.pt` is a TorchScript archive."""
    traced = torch.jit.trace(small.network, torch.rand(1, 4, 32, 32), check_trace=False)
    torch.jit.save(traced, tmp_path / "migan_traced.pt")
    model = models.load(tmp_path / "migan_traced.pt")
    assert type(model.network) is Generator
    for name, tensor in small.network.state_dict().items():
        assert torch.equal(tensor, model.network.state_dict()[name]), name


def test_a_prefix_is_taken_off(tmp_path: Path) -> None:
    weights = small_weights(32, 1)
    torch.save({f"generator.{name}": tensor for name, tensor in weights.items()}, tmp_path / "w.pt")
    network = models.load(tmp_path / "w.pt").network
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


def test_a_tensor_that_is_missing_surplus_or_of_another_shape_is_named(tmp_path: Path) -> None:
    weights, path = small_weights(32, 1), tmp_path / "w.pt"
    for key in weights:
        if re.search(r"b(4|32)\.", key):
            torch.save({name: tensor for name, tensor in weights.items() if name != key}, path)
            with pytest.raises(FillError, match=re.escape(key)):
                models.load(path)
    torch.save({**weights, "synthesis.b32.conv3.conv1.weight": torch.zeros(3)}, path)
    with pytest.raises(FillError, match=re.escape("synthesis.b32.conv3.conv1.weight")):
        models.load(path)
    key = "synthesis.b16.conv1.noise_const"  # bound to the size
    torch.save({**weights, key: torch.zeros(17, 17)}, path)
    with pytest.raises(FillError, match=re.escape(key)):
        models.load(path)


def test_other_zeros_than_the_usual_are_refused(tmp_path: Path) -> None:
    weights = small_weights(32, 1)
    weights["synthesis.b16.upsample.filter_const"][..., 1, 1] = 1
    torch.save(weights, tmp_path / "w.pt")
    with pytest.raises(FillError, match="filter_const"):
        models.load(tmp_path / "w.pt")


def test_half_precision_is_close(small: MIGAN, tmp_path: Path) -> None:
    torch.save(small_weights(32, 1), tmp_path / "w.pt")
    half = models.load(tmp_path / "w.pt", precision="half")
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    hole = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    hole[..., 8:25, 10:22] = True
    inside = hole.expand_as(image)
    filled = small.fill(image, hole)[inside]
    assert filled.std() > 0.05
    assert (filled - half.fill(image, hole)[inside]).abs().mean() < 0.01
