"""The context encoder: its files, its layers, and what it is shown of a picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch7_files import Thing, Writer

import models
from models import FillError
from models.context_encoder import ContextEncoder
from models.network import assemble

SIZES = {"encoding": 4, "bottleneck": 10, "decoding": 5}
MEAN = torch.tensor([117.0, 104.0, 123.0]).view(1, 3, 1, 1) / 255


def convolutions() -> Iterator[tuple[str, int, int, bool]]:
    """Kind, channels in and out of every layer of the authors' network, and whether it is normalised."""
    e, b, d = SIZES.values()
    widths = [3, e, e, 2 * e, 4 * e, 8 * e, b]
    for n, (before, after) in enumerate(itertools.pairwise(widths)):
        yield "down" if n < 5 else "one", before, after, n > 0
    widths = [b, 8 * d, 4 * d, 2 * d, d, 3]
    for n, (before, after) in enumerate(itertools.pairwise(widths)):
        yield "open" if n == 0 else "up", before, after, n < 4


def layers(seed: int = 0) -> list[dict[str, Tensor]]:
    """Random weights, layer by layer."""
    random = torch.Generator().manual_seed(seed)

    def uniform(*shape: int, low: float = -1.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=random)

    found = []
    for kind, before, after, normalised in convolutions():
        shape = (after, before, 4, 4) if kind in ("down", "one") else (before, after, 4, 4)
        found.append({"weight": uniform(*shape) * 0.3, "bias": uniform(after)})
        if normalised:
            found.append(
                {
                    "weight": uniform(after, low=0.5, high=1.5),
                    "bias": uniform(after),
                    "running_mean": uniform(after),
                    "running_var": uniform(after, low=0.5, high=2.0),
                }
            )
    return found


def expected(weights: list[dict[str, Tensor]], picture: Tensor, elu: bool = False) -> Tensor:
    """What the authors' network answers, written down a second time."""
    rest, x = iter(weights), picture
    for kind, _, _, normalised in convolutions():
        layer = next(rest)
        if kind in ("down", "one"):
            step = {"stride": 2, "padding": 1} if kind == "down" else {}
            x = functional.conv2d(x, layer["weight"], layer["bias"], **step)
        else:
            step = {"stride": 2, "padding": 1} if kind == "up" else {}
            x = functional.conv_transpose2d(x, layer["weight"], layer["bias"], **step)
        if normalised:
            norm = next(rest)
            shape = (1, -1, 1, 1)
            x = (x - norm["running_mean"].view(shape)) / (norm["running_var"].view(shape) + 1e-5).sqrt()
            x = x * norm["weight"].view(shape) + norm["bias"].view(shape)
        if x.shape[1] == 3:
            return x.tanh()
        if elu:
            x = functional.elu(x)
        else:
            x = functional.leaky_relu(x, 0.2) if kind in ("down", "one") else x.relu()
    raise AssertionError


def torch7(weights: list[dict[str, Tensor]], elu: bool = False) -> Thing:
    """The authors' object: the encoder is a sequence within the sequence."""
    modules = []
    for fields in weights:
        if fields["weight"].ndim == 1:
            modules.append(
                Thing("nn.SpatialBatchNormalization", eps=1e-5, momentum=0.1, affine=True, **fields)
            )
        else:
            modules.append(Thing("nn.SpatialConvolution", kW=4, kH=4, **fields, output=torch.empty(0)))
        slope = Thing("nn.ELU", alpha=1) if elu else Thing("nn.LeakyReLU", negval=0.2, inplace=True)
        modules.append(slope)
    inner = Thing("nn.Sequential", modules=modules[:20], train=False)
    return Thing("nn.Sequential", modules=[inner, *modules[20:]], train=False)


def picture(seed: int = 1, size: tuple[int, int] = (128, 128)) -> Tensor:
    return torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("elu", [False, True])
def test_the_authors_file_gives_their_answer(tmp_path: Path, elu: bool) -> None:
    weights = layers()
    model = models.load(Writer().save(torch7(weights, elu), tmp_path / "imagenet_inpaintCenter.t7"))
    assert isinstance(model, ContextEncoder)
    assert model.settings == {**SIZES, "variant": "elu" if elu else "relu"}
    answer = model.network(picture())
    assert answer.shape == (1, 3, 64, 64)
    torch.testing.assert_close(answer, expected(weights, picture(), elu), rtol=1e-5, atol=1e-5)


def test_old_torch7_files_hold_flat_kernels_and_inverse_deviations(tmp_path: Path) -> None:
    weights = layers()
    old = []
    for layer in weights:
        fields = dict(layer)
        if "running_var" in fields:
            fields["running_std"] = (fields.pop("running_var") + 1e-5) ** -0.5
        elif len(old) < 11:  # only convolutions of the encoder
            fields["weight"] = fields["weight"].flatten(1)
        old.append(fields)
    model = models.load(Writer().save(torch7(old), tmp_path / "old.t7"))
    torch.testing.assert_close(model.network(picture()), expected(weights, picture()), rtol=1e-4, atol=1e-5)


def test_a_pytorch_version_without_biases_is_read(tmp_path: Path) -> None:
    weights = layers()
    state: dict[str, Tensor] = {}
    for n, layer in enumerate(weights):
        convolution = layer["weight"].ndim == 4
        part = "main_encode" if n < 11 else "main_decode"
        for name, tensor in layer.items():
            if convolution and name == "bias":
                tensor.zero_()
            else:
                state[f"{part}.{n if n < 11 else n - 11}.{name}"] = tensor
        if not convolution:
            state[f"{part}.{n if n < 11 else n - 11}.num_batches_tracked"] = torch.tensor(3)
    torch.save({"epoch": 7, "state_dict": state}, tmp_path / "netG.pth")
    model = models.load(tmp_path / "netG.pth")
    torch.testing.assert_close(model.network(picture()), expected(weights, picture()), rtol=1e-5, atol=1e-5)


def test_a_tensor_that_is_missing_or_misshaped_is_named(tmp_path: Path) -> None:
    weights = layers()
    del weights[4]["running_mean"]
    with pytest.raises(FillError) as caught:
        models.load(Writer().save(torch7(weights), tmp_path / "a.t7"))
    assert caught.value.code == "bad-weights" and "running_mean" in caught.value.message
    weights = layers()
    weights[-1]["bias"] = torch.zeros(4)
    with pytest.raises(FillError) as caught:
        models.load(Writer().save(torch7(weights), tmp_path / "b.t7"))
    assert "bias" in caught.value.message


# -- the hole in the picture ---------------------------------------------------------------------------


def model(seed: int = 0) -> ContextEncoder:
    tensors = {f"{n}.{name}": t for n, layer in enumerate(layers(seed)) for name, t in layer.items()}
    settings = ContextEncoder.recognise({name: tuple(t.shape) for name, t in tensors.items()})
    assert settings is not None
    return ContextEncoder(assemble(ContextEncoder, tensors, settings), ContextEncoder.card, settings)


def hole(size: tuple[int, int], top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((1, 1, *size), bool)
    mask[..., top : top + height, left : left + width] = True
    return mask


def test_a_hole_of_the_hidden_size_is_filled_with_what_the_network_answers() -> None:
    image = (picture(size=(200, 240)) + 1) / 2
    mask = hole((200, 240), 70, 90, 56, 56)
    shown = image[:, :, 34:162, 54:182].clone()
    shown[:, :, 36:92, 36:92] = MEAN
    answer = (model().network(shown * 2 - 1) + 1) / 2
    filled = model().fill(image.numpy(), mask)
    np.testing.assert_allclose(filled[:, :, 70:126, 90:146], answer[:, :, 4:60, 4:60].numpy(), atol=1e-5)


def test_a_larger_hole_is_seen_smaller() -> None:
    small = (picture(size=(128, 128)) + 1) / 2
    # Two pixels for one, so that shrinking gives the small picture back but for the filter's reach.
    smooth = functional.interpolate(small, (16, 16), mode="area")
    image = functional.interpolate(smooth, (256, 256), mode="bilinear")
    mask = hole((256, 256), 72, 72, 112, 112)
    shown = functional.interpolate(image, (128, 128), mode="area")
    shown[:, :, 36:92, 36:92] = MEAN
    shown[:, :, 32:96, 32:96] = (model().network(shown * 2 - 1) + 1) / 2
    answer = functional.interpolate(shown, (256, 256), mode="bilinear")
    filled = model().fill(image.numpy(), mask)
    difference = np.abs(filled - answer.numpy())[:, :, 72:184, 72:184]
    assert difference.mean() < 0.01


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((90, 70), (0, 0, 20, 30)),
        ((60, 300), (20, 270, 40, 30)),
        ((33, 20), (1, 1, 31, 18)),
        ((200, 200), (5, 5, 180, 9)),
    ],
)
def test_holes_anywhere_are_filled_and_nothing_else_changes(
    size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    image = ((picture(size=size) + 1) / 2).numpy()
    mask = hole(size, *box)
    filled = model().fill(image, mask)
    assert np.array_equal(np.where(mask, 0, filled), np.where(mask, 0, image))
    assert np.isfinite(filled).all() and filled.min() >= 0 and filled.max() <= 1
    assert not np.array_equal(filled, np.where(mask, 0, image))


def test_moved_with_its_hole_a_picture_is_filled_alike() -> None:
    image = ((picture(size=(300, 300)) + 1) / 2).numpy()
    first = model().fill(image, hole((300, 300), 120, 110, 20, 30))
    moved = np.roll(image, (13, -9), (2, 3))
    second = model().fill(moved, hole((300, 300), 133, 101, 20, 30))
    np.testing.assert_allclose(first[:, :, 120:140, 110:140], second[:, :, 133:153, 101:131], atol=1e-6)
