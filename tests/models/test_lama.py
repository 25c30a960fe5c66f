"""LaMa: the fixtures of the official network, its containers, the fast arrangement, the refiner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conformance import conformance
from networks import as_picture, as_tensor, fixture
from torch import Tensor, nn

import models
from models import lama_refiner
from models.lama import LaMa, LaMaNetwork
from models.layers import precision
from models.layers.ffc import FourierUnit

Container = Callable[[str], Path]


@pytest.mark.parametrize(("name", "blocks"), [("lama_fourier", 9), ("lama_big", 18)])
def test_the_official_weights_give_the_official_picture(container: Container, name: str, blocks: int) -> None:
    known = fixture(name)
    model = models.load(container(name))
    assert isinstance(model, LaMa) and model.settings == {"blocks": blocks, "width": 64}
    with torch.inference_mode():
        raw = model.network(torch.from_numpy(known.input["x"]))
    filled = model.fill(as_tensor(known.image), as_tensor(known.mask))
    report = conformance.compare({"pred": raw.numpy(), "composite": as_picture(filled)}, known)
    assert conformance.passed(report), report


def _other_padding(network: nn.Module, x: Tensor) -> Tensor:
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.padding_mode == "reflect":
            module.padding_mode = "zeros"
    return x


def _other_epsilon(network: nn.Module, x: Tensor) -> Tensor:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
    return x


def _separate_parts(network: nn.Module, x: Tensor) -> Tensor:
    for module in network.modules():
        if isinstance(module, FourierUnit):
            half = len(module.bn.weight) // 2
            order = torch.arange(2 * half).view(half, 2).T.flatten()
            module.conv_layer.weight.data = module.conv_layer.weight.data[:, order]
    return x


@pytest.mark.parametrize(
    "mistake",
    [
        _other_padding,
        _other_epsilon,
        _separate_parts,
        lambda network, x: torch.cat([x[:, :3], 1 - x[:, 3:]], 1),
        lambda network, x: x.flip(1).roll(-1, 1),  # BGR
    ],
    ids=["padding", "epsilon", "parts", "mask", "channels"],
)
def test_the_fixture_notices_a_mistake(
    container: Container, mistake: Callable[[nn.Module, Tensor], Tensor]
) -> None:
    known = fixture("lama_fourier")
    network = models.load(container("lama_fourier")).network  # type: ignore[attr-defined]
    with torch.inference_mode():
        raw = network(mistake(network, torch.from_numpy(known.input["x"])))
    report = conformance.compare({"pred": raw.numpy()}, known, only=["pred"])
    assert not conformance.passed(report)


def test_an_odd_picture_is_continued_symmetrically(small: LaMaNetwork) -> None:
    """As the authors' code pads it with numpy, to multiples of 8, on the right and below."""
    x = picture(43, 61)
    x[:, 3, 30:, 45:] = 1  # where it is continued
    x[:, :3] *= 1 - x[:, 3:]
    padded = torch.from_numpy(np.pad(x.numpy(), [(0, 0), (0, 0), (0, 5), (0, 3)], mode="symmetric"))
    with torch.inference_mode():
        raw = small(padded)[..., :43, :61]
    image, hole = x[:, :3], x[:, 3:]
    filled = LaMa(small, LaMa.card, {}).fill(image, hole)
    assert torch.allclose(filled, hole * raw + (1 - hole) * image, atol=1e-6)
    other = nn.functional.pad(x, [0, 3, 0, 5], mode="reflect")
    with torch.inference_mode():
        assert not torch.allclose(small(other)[..., :43, :61] * hole, filled * hole, atol=1e-5)


# -- containers ----------------------------------------------------------------------------------------


class Wrapped(nn.Module):
    """As the TorchScript release is made: it takes picture and mask, and composites."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.generator = generator

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        masked = image * (1 - mask)
        return mask * self.model.generator(torch.cat([masked, mask], 1)) + (1 - mask) * image


@pytest.fixture(scope="module")
def small() -> LaMaNetwork:
    torch.manual_seed(1)
    network = LaMaNetwork(blocks=2, width=16).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
                module.running_var.uniform_(0.3, 2)  # type: ignore[union-attr]
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
    return network


def picture(height: int, width: int) -> Tensor:
    """RGB, erased in the middle, and hole."""
    x = torch.rand(1, 4, height, width, generator=torch.Generator().manual_seed(0))
    x[:, 3] = 0
    x[:, 3, height // 4 : height // 2, width // 4 : width // 2] = 1
    x[:, :3] *= 1 - x[:, 3:]
    return x


def test_torchscript_is_read_and_not_run(small: LaMaNetwork, tmp_path: Path) -> None:
    x = picture(32, 40)
    wrapped = Wrapped(small).eval()
    path = tmp_path / "big-lama.pt"
    torch.jit.save(torch.jit.trace(wrapped, (x[:, :3], x[:, 3:]), check_trace=False), path)
    model = models.load(path)
    assert isinstance(model, LaMa) and model.settings == {"blocks": 2, "width": 16}
    with torch.inference_mode():
        expected = wrapped(x[:, :3], x[:, 3:])
        assert torch.equal(model.network(x), small(x))
    assert torch.allclose(model.fill(x[:, :3], x[:, 3:]), expected, atol=1e-6)


@pytest.mark.parametrize("prefix", ["generator.", "model.", "model.generator.", ""])
def test_every_prefix_in_use_is_known(small: LaMaNetwork, tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "weights.ckpt"
    weights = {prefix + name: tensor for name, tensor in small.state_dict().items()}
    other = {"discriminator.model.0.weight": torch.zeros(2), "loss_resnet_pl.impl.weight": torch.zeros(3)}
    torch.save({"epoch": 39, "state_dict": {**other, **weights, "val_evaluator.x": torch.zeros(1)}}, path)
    x = picture(32, 32)
    with torch.inference_mode():
        assert torch.equal(models.load(path).network(x), small(x))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("model.6.conv1.bn_l.bias"), ["model.6.conv1.bn_l.bias", "missing"]),
        (lambda w: w.update({"model.6.extra.weight": torch.zeros(1)}), ["model.6.extra.weight", "surplus"]),
        (
            lambda w: w.update({"model.6.conv2.bn_g.bias": torch.zeros(7)}),
            ["model.6.conv2.bn_g.bias is 7 instead of 96"],
        ),
        (
            lambda w: w["model.6.conv2.bn_g.bias"].fill_(float("nan")),
            ["model.6.conv2.bn_g.bias", "no numbers"],
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(
    small: LaMaNetwork, tmp_path: Path, change: Callable[[dict], None], words: list[str]
) -> None:
    weights = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    change(weights)
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(models.FillError) as caught:
        models.load(tmp_path / "weights.pth")
    assert caught.value.code == "bad-weights" and "LaMa" in caught.value.message
    for word in words:
        assert word in caught.value.message


# -- the fast arrangement ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (40, 72), (96, 56)])
def test_the_fast_arrangement_computes_the_same(small: LaMaNetwork, size: tuple[int, int]) -> None:
    x = picture(*size)
    model = LaMa(small, LaMa.card, {})
    fast = model.quicken(small, torch.float32)
    with torch.inference_mode():
        assert (fast(x) - small(x)).abs().max() < 2e-5


def test_in_single_and_half_precision_it_stays_close(container: Container) -> None:
    known = fixture("lama_fourier")
    x = torch.from_numpy(known.input["x"])
    with torch.inference_mode():
        model = models.load(container("lama_fourier"))
        assert isinstance(model, LaMa)
        plain = model.network(x)
        single = model.quicken(model.network, torch.float32)(x)
        half = models.load(container("lama_fourier"), precision="half").network(x)  # type: ignore[attr-defined]
    report = conformance.compare({"pred": single.numpy()}, known, only=["pred"])
    assert conformance.passed(report), report
    difference = (half - plain).abs()
    assert half.dtype == torch.float32 and difference.max() < 0.1 and difference.mean() < 0.01


def test_the_processor_is_asked_and_not_guessed() -> None:
    assert precision.choose("cpu", "single") == torch.float32
    assert precision.choose("cpu", "half") == torch.bfloat16
    faster = precision.bfloat16_is_faster()
    assert precision.choose("cpu", "auto") == (torch.bfloat16 if faster else torch.float32)
    assert precision.bfloat16_is_faster() == faster
    assert torch.get_num_threads() >= 1


# -- the refiner ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "count"),
    [((512, 512), 1), ((300, 4000), 1), ((1024, 1500), 2), ((725, 900), 2), ((4096, 4096), 3)],
)
def test_how_many_scales_there_are(size: tuple[int, int], count: int) -> None:
    assert lama_refiner.scales(*size) == count


def test_refining_brings_the_fill_closer_to_the_coarse_one(
    small: LaMaNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lama_refiner, "_NATIVE", 48)
    monkeypatch.setattr(lama_refiner, "_RATE", 0.05)  # random weights hardly feel the usual one
    x = picture(96, 101)
    x[:, 3, 20:80, 20:80] = 1
    image, hole = x[:, :3], x[:, 3:]
    model = LaMa(small, LaMa.card, {})
    told: list[float] = []
    refined = model.fill(image, hole, refine=True, progress=lambda part, stage: told.append(part))
    plain = model.fill(image, hole)
    coarse = model.fill(lama_refiner.halved(image), lama_refiner.halved_hole(hole))
    inside = lama_refiner.eroded(lama_refiner.halved_hole(hole, blur=False, up=False))
    assert inside.any()

    def distance(fill: Tensor) -> float:
        return float(((lama_refiner.halved(fill) - coarse).abs() * inside).sum())

    assert distance(refined) < 0.99 * distance(plain)
    assert torch.equal(refined * (1 - hole), image * (1 - hole))
    assert told == sorted(told) and told[-1] == 1 and len(set(told)) > 10
    assert torch.equal(refined, model.fill(image, hole, refine=True))


def test_a_small_picture_is_not_refined(small: LaMaNetwork) -> None:
    x = picture(64, 64)
    model = LaMa(small, LaMa.card, {})
    assert torch.allclose(model.fill(x[:, :3], x[:, 3:], refine=True), model.fill(x[:, :3], x[:, 3:]))


def test_refining_stops_when_told_to(small: LaMaNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lama_refiner, "_NATIVE", 16)
    x = picture(64, 64)
    reached: list[float] = []
    with pytest.raises(models.Cancelled):
        LaMa(small, LaMa.card, {}).fill(
            x[:, :3],
            x[:, 3:],
            refine=True,
            progress=lambda part, stage: reached.append(part),
            cancel=lambda: len(reached) > 3,
        )
    assert reached[-1] < 1


def test_an_eroded_hole_lies_inside_by_an_ellipse() -> None:
    hole = torch.zeros(1, 1, 40, 60)
    hole[..., 10:30, 20:] = 1
    inside = lama_refiner.eroded(hole)[0, 0].numpy() > 0
    rows, columns = np.nonzero(inside)
    assert (rows.min(), rows.max()) == (17, 22)
    assert (columns.min(), columns.max()) == (27, 59)  # beyond the picture's border all is hole
