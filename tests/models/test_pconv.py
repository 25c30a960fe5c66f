"""Partial convolutions: the fixtures of both layers, and independent formulations in float64."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from conformance import conformance
from torch import Tensor
from torch.nn import functional

import models
from models.layers.partial import PartialConv2d
from models.network import assemble
from models.pconv import Level, PConv, PConvNetwork

FIXTURES = Path(__file__).parent / "conformance"
LAYERS = conformance.load(FIXTURES / "pconv_nvidia.npz")
MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)[:, None, None]
DEVIATION = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)[:, None, None]


# -- the layer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LAYERS.meta["cases"], ids=lambda case: str(case["case"]))
def test_nvidias_layer_as_its_authors_compute_it(case: dict) -> None:
    n = case["case"]
    layer = PartialConv2d(
        case["in_channels"],
        case["out_channels"],
        case["kernel"],
        case["stride"],
        case["padding"],
        case["dilation"],
        case["bias"],
        case["multi_channel"],
    )
    weights = conformance.as_torch(LAYERS.weights())
    layer.load_state_dict({key.split(".")[1]: w for key, w in weights.items() if key.startswith(f"{n}.")})
    mask = LAYERS.input.get(f"{n}.m")
    with torch.inference_mode():
        y, updated = layer(
            torch.from_numpy(LAYERS.input[f"{n}.x"]), None if mask is None else torch.from_numpy(mask)
        )
    got = {f"{n}.y": y.numpy(), f"{n}.um": updated.numpy().astype(np.uint8)}
    report = conformance.compare(got, LAYERS, only=got)
    assert conformance.passed(report), report


def by_windows(layer: PartialConv2d, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Equations (1) and (2) of the paper, one window at a time, in float64."""
    out, inputs, size, _ = layer.weight.shape
    reach = layer.dilation * (size - 1) + 1
    x, valid = (functional.pad(t.double(), [layer.padding] * 4) for t in (x, valid))
    height, width = ((side - reach) // layer.stride + 1 for side in x.shape[-2:])
    y, updated = (
        torch.zeros(len(x), out, height, width).double(),
        torch.zeros(len(x), 1, height, width).double(),
    )
    for n in range(len(x)):
        for i in range(height):
            for j in range(width):
                rows = slice(i * layer.stride, i * layer.stride + reach, layer.dilation)
                columns = slice(j * layer.stride, j * layer.stride + reach, layer.dilation)
                m = valid[n, :, rows, columns]
                total = m.sum()
                if total > 0:
                    window = size * size * (inputs if layer.multi_channel else 1)
                    answered = 1.0 if layer.hard else min(float(total), 1.0)
                    found = (layer.weight.double() * (x[n, :, rows, columns] * m)).sum((1, 2, 3))
                    y[n, :, i, j] = found * window / total * answered
                    if layer.bias is not None:
                        y[n, :, i, j] = (y[n, :, i, j] + layer.bias.double()) * answered
                    updated[n, 0, i, j] = answered
    return y, updated


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("hard", [False, True])
def test_the_layer_as_the_paper_has_it_window_by_window(seed: int, hard: bool) -> None:
    random = np.random.default_rng(seed)
    multi = bool(seed % 2)
    kernel, stride, dilation = (3, 1, 2) if seed == 4 else ((3, 5, 7)[seed % 3], 1 + seed % 2, 1)
    layer = PartialConv2d(
        4,
        3,
        kernel,
        stride,
        kernel // 2 * (seed != 5),
        dilation,
        bias=seed < 3,
        multi_channel=multi,
        hard=hard,
    )
    torch.manual_seed(seed)
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 4, 11, 14)
    mask = (random.random((2, 4 if multi else 1, 11, 14)) > 0.6).astype(np.float32)
    mask[..., 1:9, 2:11] = 0  # wide enough for windows without anything valid
    if seed == 3:
        mask *= random.random(mask.shape, dtype=np.float32)  # as a mask that was scaled
    valid = torch.from_numpy(mask)
    with torch.no_grad():
        y, updated = layer(x, valid)
        expected, answered = by_windows(layer, x, valid)
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(updated.double(), answered.expand_as(updated), rtol=1e-5, atol=1e-6)
    assert updated.shape[1] == (3 if multi else 1)
    assert (answered == 0).any() or kernel == 7


def test_a_mask_of_the_wrong_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="channels"):
        PartialConv2d(4, 3, 3, multi_channel=True)(torch.zeros(1, 4, 8, 8), torch.ones(1, 1, 8, 8))


def test_masks_are_counted_exactly_in_half_precision() -> None:
    """1024 channels x 9 pixels is more than half precision can count."""
    layer = PartialConv2d(1024, 1, 3, padding=1, multi_channel=True)
    valid = (torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(1)) > 0.4).float()
    with torch.no_grad():
        torch.nn.init.ones_(layer.weight)
        x = valid.expand(-1, 1024, -1, -1)
        with torch.autocast("cpu", torch.bfloat16):
            y, _ = layer.normalised(x, 1024 * valid)
    assert (
        y.float() - 9216
    ).abs().max() <= 9216 / 128  # ones everywhere: the window's size, but for rounding


# -- naoto0804's network ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def naoto() -> conformance.Fixture:
    return conformance.load(FIXTURES / "pconv_naoto.npz")


@pytest.fixture(scope="module")
def container(naoto: conformance.Fixture, tmp_path_factory: pytest.TempPathFactory) -> str:
    return naoto.write_container(tmp_path_factory.mktemp("pconv") / "1000000.pth")


@pytest.fixture(scope="module")
def model(container: str) -> models.Model:
    return models.load(container)


def reference(weights: dict[str, np.ndarray], x: Tensor, mask: Tensor, levels: int) -> Tensor:
    """naoto0804's network in float64: conv(x · m) / S + b, masks counted channel by channel."""

    def tensor(key: str) -> Tensor:
        return torch.from_numpy(np.asarray(weights[key])).double()

    def layer(name: str, x: Tensor, m: Tensor, stride: int, slope: float | None) -> tuple[Tensor, Tensor]:
        weight = tensor(f"{name}.conv.input_conv.weight")
        padding = weight.shape[-1] // 2
        total = functional.conv2d(m, torch.ones_like(weight[:1]), None, stride, padding)
        y = functional.conv2d(x * m, weight, None, stride, padding) / total.masked_fill(total == 0, 1)
        if f"{name}.conv.input_conv.bias" in weights:
            y = y + tensor(f"{name}.conv.input_conv.bias")[:, None, None]
        y = y.masked_fill(total == 0, 0)
        if f"{name}.bn.weight" in weights:
            y = functional.batch_norm(
                y,
                *(tensor(f"{name}.bn.{part}") for part in ("running_mean", "running_var", "weight", "bias")),
            )
        if slope is not None:
            y = functional.leaky_relu(y, slope)
        return y, (total != 0).double().expand_as(y)

    x, mask = x.double(), mask.double()
    skips = []
    for i in range(1, levels + 1):
        skips.append((x, mask))
        x, mask = layer(f"enc_{i}", x, mask, 2, 0.0)
    for i in range(levels, 0, -1):
        skip, skip_mask = skips.pop()
        x = torch.cat([functional.interpolate(x, scale_factor=2.0), skip], 1)
        mask = torch.cat([functional.interpolate(mask, scale_factor=2.0), skip_mask], 1)
        x, mask = layer(f"dec_{i}", x, mask, 1, 0.2 if i > 1 else None)
    return x


def test_the_official_container_is_recognised(model: models.Model) -> None:
    assert isinstance(model, PConv) and model.settings == {"levels": 7, "hard": True}
    assert model.card.architecture == "pconv" and model.card.size.multiple == 128


def test_the_network_gives_what_the_official_one_gives(naoto: conformance.Fixture, model: PConv) -> None:
    with torch.inference_mode():
        output = model.network(*(torch.from_numpy(naoto.input[name]) for name in ("x", "mask")))
    report = conformance.compare({"output": output.numpy()}, naoto, only=["output"])
    assert conformance.passed(report), report


def test_fill_gives_the_official_composite(naoto: conformance.Fixture, model: PConv) -> None:
    image = naoto.image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    filled = model.fill(image, naoto.mask[None, None] > 127)
    composite = (filled[0].transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)
    report = conformance.compare({"composite": composite}, naoto, only=["composite"])
    assert conformance.passed(report), report


@pytest.mark.parametrize("fractional", [False, True])
def test_the_network_holds_for_other_pictures_and_sizes(
    naoto: conformance.Fixture, model: PConv, fractional: bool
) -> None:
    random = np.random.default_rng(5)
    picture = torch.from_numpy(random.standard_normal((1, 3, 128, 256), dtype=np.float32))
    mask = torch.ones(1, 1, 128, 256)
    mask[..., 20:90, 100:220] = 0
    if fractional:
        mask, picture = functional.avg_pool2d(mask[..., :128], 5, 1, 2), picture[..., :128]
    mask = mask.expand(-1, 3, -1, -1)
    with torch.inference_mode():
        got = model.network(picture * mask, mask)
        expected = reference(naoto.weights(), picture * mask, mask, 7)
    torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=1e-3)


def test_fill_takes_any_size(naoto: conformance.Fixture, model: PConv) -> None:
    """By the card's rule: symmetric up to a multiple of 128, cut off again."""
    random = np.random.default_rng(6)
    image = random.random((1, 3, 101, 120), dtype=np.float32)
    hole = np.zeros((1, 1, 101, 120), bool)
    hole[..., 40:70, 30:119] = True
    filled = model.fill(image, hole)
    pad = ((0, 0), (0, 0), (0, 27), (0, 8))
    padded = torch.from_numpy(np.pad(image, pad, "symmetric")).double()
    valid = 1 - torch.from_numpy(np.pad(hole, pad, "symmetric")).double().expand(-1, 3, -1, -1)
    with torch.inference_mode():
        output = reference(naoto.weights(), (padded - MEAN) / DEVIATION * valid, valid, 7)
    expected = (output * DEVIATION + MEAN).clamp(0, 1)[..., :101, :120].numpy()
    assert np.abs(filled - np.where(hole, expected, image)).max() < 1e-3


@pytest.mark.parametrize("precision", ["auto", "half"])
def test_the_fast_path_is_close(model: PConv, precision: str) -> None:
    fast = PConv(copy.deepcopy(model.network), model.card, model.settings, precision=precision)
    assert not any(isinstance(module, Level) and module.normalised for module in fast.network.modules())
    image = np.random.default_rng(7).random((1, 3, 128, 128), dtype=np.float32)
    hole = np.zeros((1, 1, 128, 128), bool)
    hole[..., 30:90, 40:100] = True
    difference = np.abs(fast.fill(image, hole) - model.fill(image, hole))[np.broadcast_to(hole, image.shape)]
    assert difference.mean() < 0.01


# -- other numbers of levels; strictness -----------------------------------------------------------------


@cache
def state_of_five() -> dict[str, Tensor]:
    torch.manual_seed(2)
    state = PConvNetwork(5).state_dict()
    for name, tensor in state.items():
        if "running_var" in name:
            tensor.uniform_(0.5, 1.5)
        elif "bn" in name and tensor.is_floating_point():
            tensor.uniform_(-0.5, 1.0)
    return state


def tiny(hard: bool) -> dict[str, Tensor]:
    """A checkpoint of 5 levels, in naoto0804's names or in ours."""
    state = state_of_five()
    if not hard:
        return dict(state)
    theirs = {}
    for name, tensor in state.items():
        if ".conv." in name:
            theirs[name.replace(".conv.", ".conv.input_conv.")] = tensor
            if name.endswith("weight"):
                theirs[name.replace(".conv.", ".conv.mask_conv.")] = torch.ones_like(tensor)
        else:
            theirs[name] = tensor
    return theirs


@pytest.mark.parametrize("hard", [False, True])
def test_the_depth_and_the_layer_show_in_the_keys(tmp_path: Path, hard: bool) -> None:
    torch.save({"model": tiny(hard)}, tmp_path / "other.pth")
    model = models.load(tmp_path / "other.pth")
    assert isinstance(model, PConv) and model.settings == {"levels": 5, "hard": hard}
    assert model.card.size.multiple == 32
    mask = torch.ones(1, 3, 64, 96)
    mask[..., 10:50, 20:70] = 0
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * mask
    # NVIDIA's rule on w is naoto0804's on w times the window's size.
    weights = {name: tensor.clone() for name, tensor in tiny(True).items()}
    if not hard:
        for name, tensor in weights.items():
            if name.endswith("input_conv.weight"):
                tensor *= tensor[0].numel()
    with torch.inference_mode():
        expected = reference({name: tensor.numpy() for name, tensor in weights.items()}, x, mask, 5)
        got = model.network(x, mask)
    torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=1e-4)


def test_the_papers_eight_levels() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in PConvNetwork(8).state_dict().items()}
    assert PConv.recognise(shapes) == {"levels": 8, "hard": False}
    assert PConv.describe(levels=8).size.multiple == 256
    widths = [shapes[f"enc_{i}.conv.weight"][0] for i in range(1, 9)]
    assert widths == [64, 128, 256, 512, 512, 512, 512, 512]
    assert [shapes[f"dec_{i}.conv.weight"][:2] for i in range(8, 0, -1)] == [
        *[(512, 1024)] * 4,
        (256, 768),
        (128, 384),
        (64, 192),
        (3, 67),
    ]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("enc_3.conv.input_conv.weight", None),
        ("enc_1.conv.input_conv.weight", None),
        ("dec_2.conv.mask_conv.weight", None),
        ("enc_2.bn.running_mean", None),
        ("enc_4.conv.input_conv.weight", torch.zeros(512, 256, 5, 5)),
        ("dec_2.conv.mask_conv.weight", torch.zeros(64, 192, 3, 3)),
        ("enc_2.bn.surplus", torch.zeros(3)),
    ],
)
def test_what_does_not_fit_is_named(name: str, change: Tensor | None) -> None:
    state = tiny(True)
    if change is None:
        del state[name]
    else:
        state[name] = change
    settings = PConv.recognise({key: tuple(tensor.shape) for key, tensor in state.items()})
    assert settings == {"levels": 5, "hard": True}
    with pytest.raises(models.FillError) as caught:
        assemble(PConv, state, settings)
    assert caught.value.code == "bad-weights"
    assert name.rpartition(".")[2] in caught.value.message and name.partition(".")[0] in caught.value.message
