"""DeepFill v2: the fixtures of its three variants, contextual attention, and pictures of any size."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conformance import conformance
from networks import as_picture, as_tensor, fixture
from plain_attention import attention, nearest
from torch import Tensor

import models
from models import FillError, deepfill
from models.deepfill import DeepFill
from models.layers.contextual import ContextualAttention

FIXTURES = {"deepfill_pt": "pytorch", "deepfill_tf": "networks-tf", "deepfill_official_tf": "tensorflow"}

Container = Callable[[str], Path]


@pytest.fixture(scope="module", params=FIXTURES)
def loaded(request: pytest.FixtureRequest, container: Container) -> tuple[str, DeepFill]:
    return request.param, models.load(container(request.param))


@pytest.fixture(scope="module")
def model(container: Container) -> DeepFill:
    return models.load(container("deepfill_official_tf"))


def report(name: str, network: torch.nn.Module, x: Tensor | None = None, mask: Tensor | None = None) -> dict:
    fx = fixture(name)
    given = [torch.from_numpy(fx.input[key].copy()) for key in ("x", "mask")]
    with torch.inference_mode():
        stage1, stage2 = network(given[0] if x is None else x, given[1] if mask is None else mask)
    outputs = {"stage1": stage1.numpy(), "stage2": stage2.numpy()}
    return conformance.compare(outputs, fx, only=outputs)


# -- the fixtures ----------------------------------------------------------------------------------------


def test_the_network_and_the_fill_are_those_of_the_official_program(loaded: tuple[str, DeepFill]) -> None:
    name, model = loaded
    fx = fixture(name)
    assert model.settings["variant"] == FIXTURES[name]
    compared = report(name, model.network)
    assert conformance.passed(compared), compared
    filled = model.fill(as_tensor(fx.image), as_tensor(fx.mask) > 0.5)
    compared = conformance.compare({"composite": as_picture(filled)}, fx, only=["composite"])
    assert conformance.passed(compared), compared


def test_mistakes_are_noticed(container: Container) -> None:
    """Padding of another variant, a flipped mask, and swapped colours."""
    name = "deepfill_official_tf"
    padded_otherwise = models.load(container(name), variant="pytorch")
    assert not conformance.passed(report(name, padded_otherwise.network))
    right = models.load(container(name)).network
    x, mask = (torch.from_numpy(fixture(name).input[key].copy()) for key in ("x", "mask"))
    assert not conformance.passed(report(name, right, torch.cat([x[:, :4], 1 - mask], 1), 1 - mask))
    assert not conformance.passed(report(name, right, torch.cat([x[:, :3].flip(1), x[:, 3:]], 1), mask))


def test_any_weights_load_as_any_variant(container: Container) -> None:
    """The converted weights computed as their authors' own graph does, and the other way round."""
    converted = models.load(container("deepfill_tf"), variant="tensorflow")
    assert converted.settings["variant"] == "tensorflow"
    assert converted.network.attention.fused and converted.network.attention.steps == (4, 2)
    with pytest.raises(FillError, match="variant") as refused:
        models.load(container("deepfill_tf"), variant="mosaic")
    assert refused.value.code == "bad-variant"


# -- checkpoints -----------------------------------------------------------------------------------------


def tensors_of(name: str) -> dict[str, Tensor]:
    return dict(conformance.as_torch(fixture(name).weights()))


def test_what_is_no_generators_is_left_out(tmp_path: Path) -> None:
    """Discriminator, optimiser's slots and counters, as the published checkpoints hold them."""
    weights = fixture("deepfill_official_tf").weights()
    more = {
        "discriminator/conv1/kernel": np.zeros((5, 5, 4, 64), np.float32),
        "inpaint_net/conv1/kernel/Adam": np.zeros((5, 5, 5, 48), np.float32),
        "inpaint_net/conv1/kernel/Adam_1": np.zeros((5, 5, 5, 48), np.float32),
        "beta1_power": np.float32(0.5),
        "global_step": np.int64(3),
    }
    np.savez(tmp_path / "variables.npz", **weights, **more)
    model = models.load(tmp_path / "variables.npz")
    kernel = torch.from_numpy(weights["inpaint_net/allconv17/kernel"]).permute(3, 2, 0, 1)
    assert torch.equal(model.network.allconv17.weight, kernel)
    torch.save(
        {
            "G": tensors_of("deepfill_pt"),
            "D": {"conv1.weight": torch.zeros(64, 4, 5, 5)},
            "G_optim": {"state": {}, "param_groups": [{"lr": 1e-4}]},
            "n_iter": 3,
        },
        tmp_path / "states.pth",
    )
    assert models.load(tmp_path / "states.pth").settings["variant"] == "pytorch"


@pytest.mark.parametrize("name", FIXTURES)
def test_a_tensor_that_is_missing_surplus_or_of_another_shape_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "states.pth"
    tensors = tensors_of(name)
    for key in (next(iter(tensors)), list(tensors)[-1], *(key for key in tensors if "fuse_weight" in key)):
        torch.save({"G": {other: tensor for other, tensor in tensors.items() if other != key}}, path)
        with pytest.raises(FillError, match=re.escape(key)):
            models.load(path)
    surplus = "inpaint_net/conv18/kernel"
    torch.save({"G": {**tensors, surplus: torch.zeros(3)}}, path)
    with pytest.raises(FillError, match=surplus):
        models.load(path)
    key = list(tensors)[-1]
    torch.save({"G": {**tensors, key: torch.zeros(4)}}, path)
    with pytest.raises(FillError, match=r"allconv17\.bias"):
        models.load(path)


def test_another_fusion_than_the_diagonal_is_refused(tmp_path: Path) -> None:
    tensors = tensors_of("deepfill_pt")
    tensors["stage2.contextual_attention.fuse_weight"] = torch.ones(1, 1, 3, 3)
    torch.save({"G": tensors}, tmp_path / "states.pth")
    with pytest.raises(FillError, match="fuse_weight"):
        models.load(tmp_path / "states.pth")


# -- contextual attention --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (72, 40), (8, 8), (8, 104), (136, 56)])
@pytest.mark.parametrize("variant", DeepFill.card.variants)
def test_attention_is_the_papers(variant: str, size: tuple[int, int]) -> None:
    """Against the whole matrix of scores in float64, at sizes whose grids are odd, and of one place."""
    layer = DeepFill.build(variant=variant).attention
    torch.manual_seed(size[0])
    height, width = size
    features = torch.rand(1, 6, height // 4, width // 4, dtype=torch.float64).pow(3)
    features[..., : height // 8, : width // 6] *= 1e-5  # below the norm's floor
    mask = (torch.rand(1, 1, height, width) > 0.98).double()
    mask[..., : height // 3, width // 2 :] = 1
    if variant == "pytorch":
        small, unknown = features[:, :, ::2, ::2], mask[:, :, ::8, ::8]
    else:
        small = nearest(features, height // 8, width // 8)
        half = nearest(mask, height // 4, width // 4) if variant == "tensorflow" else mask
        unknown = nearest(half, height // 8, width // 8)
    expected = attention(features, small, unknown, fused=variant != "networks-tf")
    answer = layer(features.float(), mask.float())
    torch.testing.assert_close(answer, expected.float(), rtol=1e-4, atol=1e-5)


def test_each_sample_has_its_own_hole() -> None:
    layer = ContextualAttention()
    features, mask = torch.rand(2, 4, 16, 16), torch.zeros(2, 1, 64, 64)
    mask[0, :, :24], mask[1, :, 40:] = 1, 1
    both = layer(features, mask)
    for n in range(2):
        torch.testing.assert_close(both[n : n + 1], layer(features[n : n + 1], mask[n : n + 1]))


def test_attention_without_any_patch_left_is_nothing() -> None:
    assert not ContextualAttention()(torch.rand(1, 4, 8, 8), torch.ones(1, 1, 32, 32)).any()


def test_only_what_the_hole_needs_is_computed_for_a_fill(model: DeepFill) -> None:
    """At a border and in a corner, whose neighbours in the fusion lie at the other end."""
    image = as_tensor(fixture("deepfill_official_tf").image)[..., :136, :144] * 2 - 1
    for top, left in ((0, 64), (120, 128)):
        mask = torch.zeros(1, 1, 136, 144)
        mask[..., top : top + 16, left : left + 16] = 1
        x = torch.cat([image * (1 - mask), torch.ones_like(mask), mask], 1)
        counter = itertools.count()
        with torch.inference_mode():
            whole = model.network(x, mask)[1]
            part = model.network(x, mask, hole_only=True, step=counter.__next__)[1]
        assert next(counter) < 10  # of 17 rows
        torch.testing.assert_close(part * mask, whole * mask, rtol=0, atol=2e-3)
        assert ((part - whole).abs().amax(1) > 2e-3).any()


# -- sizes -----------------------------------------------------------------------------------------------


def test_strips_give_what_the_whole_gives(model: DeepFill, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("conv1", "conv2_downsample", "conv10_atrous", "conv13_upsample", "pmconv6", "conv17")
    layers = [model.network.get_submodule(name) for name in names]
    for layer in [*layers, DeepFill.build(variant="pytorch").conv2_downsample]:
        for size in ((22, 14), (9, 8)):
            x = torch.rand(2, layer.in_channels, *size)
            with torch.inference_mode():
                whole = layer(x)
                monkeypatch.setattr(deepfill, "STRIP", 3000)
                strips = layer(x)
                nhwc = layer(x.to(memory_format=torch.channels_last))
                monkeypatch.undo()
            torch.testing.assert_close(strips, whole, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(nhwc, whole, rtol=1e-4, atol=1e-4)


def test_a_picture_of_odd_size_is_cropped_as_the_authors_do(model: DeepFill) -> None:
    image = as_tensor(fixture("deepfill_official_tf").image)[..., :77, :91]
    hole = torch.zeros(1, 1, 77, 91, dtype=torch.bool)
    hole[..., 20:50, 30:60] = True
    cropped = model.fill(image[..., :72, :88], hole[..., :72, :88])
    torch.testing.assert_close(model.fill(image, hole)[..., :72, :88], cropped, rtol=0, atol=1e-6)


def test_what_was_cropped_off_is_filled_afterwards(model: DeepFill) -> None:
    image = as_tensor(fixture("deepfill_official_tf").image)[..., :77, :91]
    hole = torch.zeros(1, 1, 77, 91, dtype=torch.bool)
    hole[..., 60:, 70:] = True
    told: list[float] = []
    filled = model.fill(image, hole, progress=lambda fraction, stage: told.append(fraction))
    first = model.fill(image[..., :72, :88], hole[..., :72, :88])
    torch.testing.assert_close(filled[..., :72, :88], first, rtol=0, atol=1e-6)
    known = image.clone()
    known[..., :72, :88] = first
    right = hole.clone()
    right[..., :72, :88] = False
    right[..., 72:, :] = False
    expected = model.fill(known[..., :72, 3:], right[..., :72, 3:])
    torch.testing.assert_close(filled[..., :72, 88:], expected[..., 85:], rtol=0, atol=1e-6)
    assert (filled[..., 72:, 70:] > 0).any() and torch.equal(
        filled[~hole.expand_as(filled)], image[~hole.expand_as(image)]
    )
    assert told == sorted(told) and told[-1] == 1


def test_half_precision_is_close(container: Container) -> None:
    image = as_tensor(fixture("deepfill_official_tf").image)[..., :128, :128]
    hole = torch.zeros(1, 1, 128, 128, dtype=torch.bool)
    hole[..., 40:90, 30:80] = True
    path = container("deepfill_official_tf")
    single, half = (
        models.load(path, precision=precision).fill(image, hole) for precision in ("single", "half")
    )
    difference = (single - half)[hole.expand_as(single)].abs()
    assert difference.mean() < 0.02, (difference.mean(), difference.max())
