"""SC-FEGAN: the fixture, its layers in independent formulations, and what counts as guidance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conformance import conformance
from torch import Tensor
from torch.nn import functional

import models
from models.layers.gated import GatedConv2d, GatedDeconv2d, normalise_channels, pad_same
from models.network import assemble
from models.sc_fegan import SCFEGAN, channels, lines, saturated_noise, strokes

FIXTURE = conformance.load(Path(__file__).parent / "conformance" / "scfegan.npz")


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> str:
    return FIXTURE.write_container(tmp_path_factory.mktemp("sc_fegan") / "variables.npz")


@pytest.fixture(scope="module")
def model(container: str) -> models.Model:
    return models.load(container)


def planes(array: np.ndarray) -> Tensor:
    """H x W [x C] to 1 x C x H x W."""
    array = array[..., None] if array.ndim == 2 else array
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, 2, 0)[None], np.float32))


def half(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of 128 x 128 and a hole in it."""
    image = np.random.default_rng(seed).random((1, 3, 128, 128), dtype=np.float32)
    hole = np.zeros((1, 1, 128, 128), bool)
    hole[..., 30:100, 50:110] = True
    return image, hole


# -- the fixture -----------------------------------------------------------------------------------------


def test_the_network_gives_what_the_official_one_gives(model: SCFEGAN) -> None:
    """From the picture, the mask and the strokes to the composite, with the noise of the fixture."""
    image, hole = planes(FIXTURE.image) / 255, planes(FIXTURE.mask > 127)
    colour = planes(FIXTURE.aux["colour"][..., ::-1])
    x = channels(image, hole, planes(FIXTURE.aux["sketch"]), colour, planes(FIXTURE.aux["noise"]))
    torch.testing.assert_close(x, torch.from_numpy(FIXTURE.input["x"]), rtol=0, atol=1e-6)
    with torch.inference_mode():
        raw = model.network(torch.from_numpy(FIXTURE.input["x"]))
    mixed = raw * hole + (image.flip(1) * 2 - 1) * (1 - hole)
    composite = ((mixed.flip(1)[0].permute(1, 2, 0) + 1) * 127.5).numpy().astype(np.uint8)
    report = conformance.compare({"raw": raw.numpy(), "composite": composite}, FIXTURE)
    assert conformance.passed(report), report


def test_fill_shows_the_network_the_nine_channels(model: SCFEGAN) -> None:
    """The fixture's picture and strokes as layers of an editor, through `fill`."""
    image = FIXTURE.image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    hole = FIXTURE.mask[None, None] > 127
    painted = (FIXTURE.aux["colour"] > -1).any(2)
    colour = np.concatenate([(FIXTURE.aux["colour"][..., ::-1] + 1) / 2, painted[..., None]], 2)
    guidance = {"sketch": planes(FIXTURE.aux["sketch"]).numpy(), "colour": planes(colour).numpy()}
    filled = model.fill(image, hole, guidance, seed=3)
    x = torch.from_numpy(FIXTURE.input["x"].copy())
    x[:, 8:] = torch.from_numpy(saturated_noise(256, 256, 3) * hole)
    with torch.inference_mode():
        expected = (model.network(x).flip(1).numpy() + 1) / 2
    assert np.abs(filled - np.where(hole, expected, image)).max() < 1e-5


def test_fill_takes_any_size(model: SCFEGAN) -> None:
    image, hole = (array[..., :101, :120] for array in half(1))
    filled = model.fill(image, hole, seed=1)
    pad = ((0, 0), (0, 0), (0, 27), (0, 8))
    whole, inside = (torch.from_numpy(np.pad(array, pad, "symmetric")) for array in (image, hole))
    holes = inside.float()
    noise = torch.from_numpy(saturated_noise(128, 128, 1))
    x = channels(whole, holes, torch.zeros_like(holes), -torch.ones_like(whole), noise[None, None])
    with torch.inference_mode():
        expected = (model.network(x).flip(1).numpy()[..., :101, :120] + 1) / 2
    assert np.abs(filled - np.where(hole, expected, image)).max() < 1e-5


def test_half_precision_is_close(model: SCFEGAN) -> None:
    image, hole = half(2)
    fast = SCFEGAN(model.network, model.card, model.settings, precision="half").fill(image, hole)
    difference = np.abs(fast - model.fill(image, hole))[np.broadcast_to(hole, image.shape)]
    assert difference.mean() < 0.02


# -- the layers, in other words --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (13, 20), (7, 9)])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(7, 2, 1), (5, 2, 1), (3, 2, 1), (3, 1, 4), (3, 1, 1)]
)
def test_padding_as_tensorflow_pads(size: tuple[int, int], kernel: int, stride: int, dilation: int) -> None:
    """Output pixel i looks at the pixels from i · stride - zeros // 2; counted by hand."""
    x = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(kernel))
    got = functional.conv2d(
        pad_same(x, kernel, stride, dilation), torch.ones(1, 1, kernel, kernel), None, stride, 0, dilation
    )
    assert got.shape[2:] == tuple(-(-side // stride) for side in size)
    starts = []
    for side, count in zip(size, got.shape[2:], strict=True):
        zeros = max((count - 1) * stride + (kernel - 1) * dilation + 1 - side, 0)
        starts.append([i * stride - zeros // 2 for i in range(count)])
    for i, top in enumerate(starts[0]):
        for j, left in enumerate(starts[1]):
            rows = [y for k in range(kernel) if 0 <= (y := top + k * dilation) < size[0]]
            columns = [z for k in range(kernel) if 0 <= (z := left + k * dilation) < size[1]]
            expected = sum(float(x[0, 0, y, z]) for y in rows for z in columns)
            assert abs(float(got[0, 0, i, j]) - expected) < 1e-4


@pytest.mark.parametrize(("count", "radius"), [(64, 5), (7, 5), (3, 5), (12, 2), (9, 0)])
def test_channels_are_normalised_by_their_neighbours(count: int, radius: int) -> None:
    x = torch.randn(2, count, 5, 6, generator=torch.Generator().manual_seed(count)) * 0.01
    square = x.double() ** 2
    near = [square[:, max(c - radius, 0) : c + radius + 1].sum(1, keepdim=True) for c in range(count)]
    expected = x.double() / torch.sqrt(5e-5 + torch.cat(near, 1))
    torch.testing.assert_close(normalise_channels(x, radius).double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("plain", [False, True])
def test_a_gated_convolution_is_two_convolutions(plain: bool) -> None:
    torch.manual_seed(3)
    layer = GatedConv2d(5, 8, 3, stride=2, normalised=not plain, activated=not plain)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 5, 14, 12)
    with torch.no_grad():
        got = layer(x)
        padded = functional.pad(x, (0, 1, 0, 1)).double()
        weight, bias = layer.weight.double(), layer.bias.double()
        feature = functional.conv2d(padded, weight[:8], bias[:8], 2)
        gate = functional.conv2d(padded, weight[8:], bias[8:], 2)
        if not plain:
            feature = functional.leaky_relu(functional.local_response_norm(feature, 11, 11.0, 0.5, 5e-5), 0.2)
    torch.testing.assert_close(got.double(), feature * torch.sigmoid(gate), rtol=1e-4, atol=1e-5)


def test_the_transposed_convolution_spreads_each_pixel() -> None:
    """Pixel i adds its 5 x 5 kernel to the pixels from 2i - 1 on; what falls outside is cut off."""
    torch.manual_seed(4)
    layer = GatedDeconv2d(3, 2)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(1, 3, 4, 6)
    canvas = torch.zeros(2, 8 + 3, 12 + 3).double()
    with torch.no_grad():
        for i in range(4):
            for j in range(6):
                kernel = (x[0, :, i, j, None, None, None].double() * layer.weight.double()).sum(0)
                canvas[:, 2 * i : 2 * i + 5, 2 * j : 2 * j + 5] += kernel
        grown = functional.leaky_relu(canvas[:, 1:-2, 1:-2] + layer.bias.double()[:, None, None], 0.2)
        torch.testing.assert_close(layer(x)[0].double(), grown * torch.sigmoid(grown), rtol=1e-4, atol=1e-5)


# -- guidance --------------------------------------------------------------------------------------------


def test_noise_is_one_where_it_saturated() -> None:
    noise = saturated_noise(300, 400, 5)
    assert noise.shape == (300, 400) and set(np.unique(noise)) == {0, 1}
    assert abs(noise.mean() - FIXTURE.aux["noise"].mean()) < 0.01
    assert np.array_equal(noise, saturated_noise(300, 400, 5))
    assert not np.array_equal(noise, saturated_noise(300, 400, 6))


@pytest.mark.parametrize(
    "kind", ["black on white", "white on black", "gray, alpha", "RGB", "RGBA", "opaque RGBA"]
)
def test_a_line_is_a_line_on_any_kind_of_layer(kind: str) -> None:
    line = np.zeros((1, 1, 20, 30), np.float32)
    line[..., 4:6, 3:25] = 1
    layers = {
        "black on white": 1 - line,
        "white on black": line,
        "gray, alpha": np.concatenate([np.ones_like(line), line], 1),
        "RGB": np.repeat(1 - line, 3, 1),
        "RGBA": np.concatenate([np.full_like(line, 0.9), np.zeros_like(line), np.zeros_like(line), line], 1),
        "opaque RGBA": np.concatenate([*[1 - line] * 3, np.ones_like(line)], 1),
    }
    assert np.array_equal(lines(torch.from_numpy(layers[kind])).numpy(), line)


@pytest.mark.parametrize("alpha", [False, True])
def test_a_thin_line_outlives_scaling_down(alpha: bool) -> None:
    line = torch.zeros(1, 1, 30, 30)
    line[..., 13, :] = 1
    layer = torch.cat([torch.zeros(1, 3, 30, 30), line], 1) if alpha else 1 - line
    small = lines(functional.avg_pool2d(layer, 3))
    assert small[0, 0, 4].all() and small.sum() == 10


def test_an_empty_sketch_layer_holds_no_line() -> None:
    for empty in (torch.zeros(1, 1, 8, 8), torch.ones(1, 3, 8, 8), torch.zeros(1, 4, 8, 8)):
        assert not lines(empty).any()


def test_colour_counts_where_it_is_painted() -> None:
    layer = torch.zeros(1, 4, 2, 2)
    layer[:, :, 0, 0] = torch.tensor([1.0, 0.5, 0.0, 1.0])
    layer[:, :, 0, 1] = torch.tensor([1.0, 0.5, 0.0, 0.4])
    painted = strokes(layer)
    assert painted[0, :, 0, 0].tolist() == [1, 0, -1]
    assert (painted[0, :, 0, 1] == -1).all() and (painted[0, :, 1] == -1).all()
    assert strokes(layer[:, :3])[0, :, 0, 1].tolist() == [1, 0, -1]


def test_outside_the_hole_strokes_count_for_nothing(model: SCFEGAN) -> None:
    image, hole = half(5)
    sketch = np.zeros((1, 1, 128, 128), np.float32)
    sketch[..., 5:8, 2:120] = 1
    colour = np.zeros((1, 4, 128, 128), np.float32)
    colour[..., :20, :] = 1
    without = model.fill(image, hole)
    assert np.array_equal(model.fill(image, hole, {"sketch": sketch, "colour": colour}), without)
    colour[..., 60:80, 60:80] = 1
    assert np.abs(model.fill(image, hole, {"colour": colour}) - without).max() > 0.01
    assert not np.array_equal(model.fill(image, hole, seed=1), without)  # noise is an input, too


def test_a_layer_of_too_many_channels_is_refused(model: SCFEGAN) -> None:
    image, hole = half(6)
    with pytest.raises(models.FillError) as caught:
        model.fill(image, hole, {"sketch": np.zeros((1, 5, 128, 128), np.float32)})
    assert caught.value.code == "bad-guidance"


# -- weights ---------------------------------------------------------------------------------------------


def test_ninety_three_variables_are_recognised_and_no_others() -> None:
    shapes = {name: tuple(shape) for name, shape, *_ in FIXTURE.meta["tensors"]}
    assert len(shapes) == 93 and SCFEGAN.recognise(shapes) == {}
    assert SCFEGAN.recognise({f"discriminator/{name}": shape for name, shape in shapes.items()}) is None


def test_discriminator_and_slots_are_left_out_and_the_dead_bias_too() -> None:
    variables = {name: torch.empty(shape, device="meta") for name, shape, *_ in FIXTURE.meta["tensors"]}
    ours = list(SCFEGAN.translate(variables))
    variables["discriminator/conv1/kernel"] = variables["generator/gconv1_ds/kernel/Adam"] = torch.zeros(1)
    assert list(SCFEGAN.translate(variables)) == ours and len(ours) == 2 * (18 + 7)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("generator/gconv1_ds/kernel", None),
        ("generator/gconv9_g/bias", None),
        ("generator/deconv7/biases2", None),
        ("generator/gconv14/kernel", (3, 3, 12, 4)),
        ("generator/deconv7/w", (5, 5, 64, 3)),
        ("generator/deconv7/w", (5, 5)),
        ("generator/gconv15/kernel", (3, 3, 3, 3)),
    ],
)
def test_what_does_not_fit_is_named(name: str, change: tuple[int, ...] | None) -> None:
    shapes: dict[str, tuple[int, ...]] = {key: tuple(shape) for key, shape, *_ in FIXTURE.meta["tensors"]}
    if change is None:
        del shapes[name]
    else:
        shapes[name] = change
    settings = SCFEGAN.recognise(shapes)
    assert settings == {}
    with pytest.raises(models.FillError) as caught:
        assemble(SCFEGAN, {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}, settings)
    assert caught.value.code == "bad-weights" and name.split("/")[1] in caught.value.message
