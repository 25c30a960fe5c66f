"""DeepCreamPy: the fixtures, through a checkpoint that TensorFlow wrote, and its block in plain float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conformance import conformance
from torch import Tensor
from torch.nn import functional

import models
from models.deepcreampy import ContextualBlock, DeepCreamPy

FIXTURES = Path(__file__).parent / "conformance"
CHECKPOINT = FIXTURES / "deepcream_bar" / "Train_775000"
FIXTURE = conformance.load(FIXTURES / "deepcream.npz")


@pytest.fixture(scope="module")
def bar() -> models.Model:
    return models.load(CHECKPOINT)


@pytest.fixture(scope="module")
def mosaic() -> models.Model:
    return models.load(CHECKPOINT, variant="mosaic")


def bar_input(height: int, width: int, seed: int) -> Tensor:
    random = np.random.default_rng(seed)
    picture = random.uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
    valid = np.ones((1, 1, height, width), np.float32)
    valid[..., height // 4 : height // 2, width // 3 : width // 2] = 0
    return torch.from_numpy(np.concatenate([np.where(valid > 0, picture, -1), *[valid] * 3], 1))


# -- the fixtures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bar", "mosaic"])
def test_the_network_gives_what_the_official_one_gives(bar: DeepCreamPy, kind: str) -> None:
    x = torch.from_numpy(FIXTURE.input[kind])
    with torch.inference_mode():
        coarse, refined = bar.network(x)
    got = {f"{kind}_coarse": coarse.numpy(), f"{kind}_refined": refined.numpy()}
    report = conformance.compare(got, FIXTURE, only=got)
    assert conformance.passed(report), report


@pytest.mark.parametrize("kind", ["bar", "mosaic"])
def test_fill_gives_the_official_composite(kind: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(kind)
    assert isinstance(model, DeepCreamPy) and model.settings == {"variant": kind}
    image = FIXTURE.image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    hole = FIXTURE.mask[None, None] > 127
    filled = model.fill(image, hole)
    assert np.array_equal(
        filled[np.broadcast_to(~hole, image.shape)], image[np.broadcast_to(~hole, image.shape)]
    )
    composite = np.where(
        hole[0, 0, ..., None], (filled[0].transpose(1, 2, 0) * 255).astype(np.uint8), FIXTURE.image
    )
    report = conformance.compare({f"{kind}_composite": composite}, FIXTURE, only=[f"{kind}_composite"])
    assert conformance.passed(report), report


def test_the_same_variables_as_an_archive_of_arrays(bar: DeepCreamPy, tmp_path: Path) -> None:
    other = models.load(FIXTURE.write_container(tmp_path / "variables.npz"))
    expected = bar.network.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in other.network.state_dict().items())


def test_the_discriminator_and_the_optimiser_are_left_out(bar: DeepCreamPy, tmp_path: Path) -> None:
    variables = FIXTURE.weights()
    training = {
        "global_step": np.int64(775000),
        "beta1_power": np.float32(0.5),
        "disc/Conv/weights": np.ones((5, 5, 6, 64), np.float32),
        **{f"{name}/{slot}": value for name, value in variables.items() for slot in ("Adam", "Adam_1")},
    }
    np.savez(tmp_path / "training.npz", **variables, **training)
    other = models.load(tmp_path / "training.npz")
    expected = bar.network.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in other.network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("G_en/Conv/weights", None),
        ("G_de/Conv_8/biases", None),
        ("G_en/Conv_3/weights", np.zeros((3, 3, 64, 64), np.float32)),
        ("G_en/Conv_3/weights", np.zeros(64, np.float32)),
        ("G_de/Conv_9/weights", np.zeros((3, 3, 3, 3), np.float32)),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, name: str, change: np.ndarray | None) -> None:
    variables = dict(FIXTURE.weights())
    if change is None:
        del variables[name]
    else:
        variables[name] = change
    np.savez(tmp_path / "odd.npz", **variables)
    with pytest.raises(models.FillError) as caught:
        models.load(tmp_path / "odd.npz")
    ours = {"G_en/Conv/weights": "encoder.0.weight", "G_de/Conv_8/biases": "decoder.8.bias"}
    named = (name, ours.get(name, "encoder.3.weight"))
    assert caught.value.code == "bad-weights" and any(word in caught.value.message for word in named)


# -- other sizes; the contextual block -------------------------------------------------------------------


def block_as_worded(block: ContextualBlock, features: Tensor, valid: Tensor) -> Tensor:
    """The contextual block, every piece and every place at once, in float64."""
    block = block.double()
    features, valid = features.double(), valid[..., ::8, ::8].double()
    known = features * valid
    out = []
    for one, bg in zip(features, known, strict=True):
        pieces = functional.unfold(bg[None], 3)[0].T
        places = functional.unfold(one[None], 3, padding=1)[0].T
        distance = ((places[:, None] - pieces) ** 2).sum(2)
        score = (distance - distance.mean(1, keepdim=True)) / distance.std(1, correction=0, keepdim=True)
        weights = torch.softmax(50 * -torch.tanh(score), 1)
        out.append(functional.fold((weights @ pieces).T[None], one.shape[1:], 3, padding=1) / 9)
    replaced = known + torch.cat(out) * (1 - valid)
    return functional.elu(block.merge(torch.cat([features, replaced], 1)))


@pytest.mark.parametrize(("size", "portion"), [((17, 20), 1 << 24), ((23, 18), 1000), ((17, 17), 1)])
def test_the_contextual_block_at_other_sizes_and_in_portions(size: tuple[int, int], portion: int) -> None:
    torch.manual_seed(sum(size))
    block = ContextualBlock(12, portion)
    features = torch.randn(2, 12, *size)
    valid = torch.ones(2, 1, 8 * size[0], 8 * size[1])
    valid[0, :, 30:77, 41:90] = 0
    valid[1, :, :, :63] = 0  # along a border
    with torch.inference_mode():
        got = block(features, valid)
        torch.testing.assert_close(got.double(), block_as_worded(block, features, valid), rtol=0, atol=1e-4)


def test_a_hole_between_the_samples_is_left_to_the_decoder(bar: DeepCreamPy) -> None:
    x = bar_input(256, 256, 3)
    x[:, 3:] = 1
    x[:, 3:, 9:16, :] = 0
    with torch.inference_mode():
        coarse, refined = bar.network(x)
    assert torch.isfinite(refined).all() and not torch.equal(coarse, refined)


def test_a_picture_with_next_to_nothing_valid_gives_no_nonsense(bar: DeepCreamPy) -> None:
    image = np.full((1, 3, 64, 64), 0.5, np.float32)
    hole = np.ones((1, 1, 64, 64), bool)
    hole[..., 1::8, 1::8] = False
    filled = bar.fill(image, hole)
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("size", [(137, 40), (260, 275)])
def test_fill_takes_any_size(bar: DeepCreamPy, size: tuple[int, int]) -> None:
    random = np.random.default_rng(8)
    image = random.random((1, 3, *size), dtype=np.float32)
    hole = np.zeros((1, 1, *size), bool)
    hole[..., 50:100, 10:30] = True
    filled = bar.fill(image, hole)
    pad = ((0, 0), (0, 0), *((0, max(side + -side % 8, 256) - side) for side in size))
    shown, inside = (np.pad(array, pad, "symmetric") for array in (image, hole))
    x = np.concatenate([np.where(inside, -1, shown * 2 - 1), *[1 - inside.astype(np.float32)] * 3], 1)
    with torch.inference_mode():
        expected = (bar.network.refined(torch.from_numpy(x.astype(np.float32))).numpy() + 1) / 2
    expected = expected[..., : size[0], : size[1]]
    assert np.abs(filled - np.where(hole, expected, image)).max() < 1e-4


# -- what each variant may see ---------------------------------------------------------------------------


def test_bars_hide_and_mosaics_guide(bar: DeepCreamPy, mosaic: DeepCreamPy) -> None:
    random = np.random.default_rng(9)
    image = random.random((1, 3, 256, 256), dtype=np.float32)
    hole = np.zeros((1, 1, 256, 256), bool)
    hole[..., 100:160, 80:140] = True
    other = np.where(hole, np.float32(0.2), image)
    assert np.array_equal(bar.fill(image, hole)[:, :, 100:160], bar.fill(other, hole)[:, :, 100:160])
    assert np.abs(mosaic.fill(image, hole) - mosaic.fill(other, hole))[..., 100:160, 80:140].mean() > 0.01
    assert mosaic.card.sees_hole and not bar.card.sees_hole


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(models.FillError) as caught:
        models.load(CHECKPOINT, variant="bars")
    assert caught.value.code == "bad-variant" and "mosaic" in caught.value.hint


def test_half_precision_is_close(bar: DeepCreamPy) -> None:
    fast = models.load(CHECKPOINT, precision="half")
    image = np.random.default_rng(10).random((1, 3, 256, 256), dtype=np.float32)
    hole = np.zeros((1, 1, 256, 256), bool)
    hole[..., 100:160, 80:140] = True
    difference = np.abs(fast.fill(image, hole) - bar.fill(image, hole))[..., 100:160, 80:140]
    assert difference.mean() < 0.01
