"""Neural patch synthesis, with random weights in VGG: every term, the match, the optimiser, the fill."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import models
from models import Cancelled, FillError
from models.layers import synthesis, synthesis_loss, vgg
from models.layers.patch_match_loss import PatchMatcher, squared_differences, transformed
from models.layers.synthesis_loss import Settings, SynthesisLoss
from models.patch_synthesis import PatchSynthesis

PLAIN = Settings(rotation=0, scaling=0)


FULL = (64, 128, 256, 512)


def network(
    depth: int = 19,
    widths: tuple[int, int, int, int] = (6, 8, 12, 16),
    dtype: torch.dtype = torch.float32,
) -> vgg.Vgg:
    """A narrow VGG with random weights that keep features alive through its depth."""
    random = torch.Generator().manual_seed(depth)
    net = vgg.Vgg(depth, widths=widths)
    for name, parameter in net.named_parameters():
        scale = (2 / parameter[0].numel()) ** 0.5 if name.endswith("weight") else 0.1
        parameter.data = scale * torch.randn(parameter.shape, generator=random)
    return net.to(dtype).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def double() -> vgg.Vgg:
    return network(dtype=torch.float64)


@pytest.fixture(scope="module")
def model() -> PatchSynthesis:
    return PatchSynthesis(network(), PatchSynthesis.card, {"depth": 19, "caffe": False})


def picture(height: int, width: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Blobs of colour, 3 x H x W in [0, 1]."""
    random = torch.Generator().manual_seed(seed)
    small = torch.rand((1, 3, -(-height // 4), -(-width // 4)), generator=random)
    return functional.interpolate(small, (height, width), mode="bilinear")[0].to(dtype)


def hole(height: int, width: int, *boxes: tuple[int, int, int, int]) -> Tensor:
    mask = torch.zeros((height, width), dtype=torch.bool)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def loss_and_gradient(loss: SynthesisLoss, pixels: Tensor) -> tuple[float, Tensor]:
    leaf = pixels.clone().requires_grad_()
    value = loss(leaf)
    assert leaf.grad is not None
    return float(value), leaf.grad


# -- VGG -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [16, 19])
def test_vgg_is_recognised_in_every_file_and_computes_the_same(depth: int) -> None:
    net = network(depth, FULL)
    counts = {16: (2, 2, 3, 2), 19: (2, 2, 4, 2)}[depth]
    rest = {16: (0, 0, 0, 1), 19: (0, 0, 0, 2)}[depth]  # of the fourth block, which nothing needs
    torch_names, keras_names, index = {}, {}, 0
    for block, (count, more) in enumerate(zip(counts, rest, strict=True), 1):
        for n in range(1, count + more + 1):
            layer = net.get_submodule(f"conv{block}_{min(n, count)}")
            weight, bias = layer.weight.data, layer.bias.data
            if n > count:
                weight, bias = torch.zeros(512, 512, 3, 3), torch.zeros(512)
            torch_names |= {f"features.{index}.weight": weight, f"features.{index}.bias": bias}
            keras = f"block{block}/layers/conv2d{f'_{n - 1}' if n > 1 else ''}/vars/"
            keras_names |= {f"{keras}0": weight.permute(2, 3, 1, 0), f"{keras}1": bias}
            index += 2
        index += 1
    files = {
        "torchvision": ({**torch_names, "classifier.0.weight": torch.zeros(4, 4)}, False),
        "caffe": ({**torch_names, "classifier.1.weight": torch.zeros(4, 4)}, True),
        "keras": ({**dict(reversed(keras_names.items())), "dsn1/vars/0": torch.zeros(1, 1, 64, 1)}, True),
    }
    for name, (tensors, caffe) in files.items():
        settings = vgg.recognise({key: tuple(tensor.shape) for key, tensor in tensors.items()})
        assert settings == {"depth": depth, "caffe": caffe}, name
        state = vgg.translate(tensors, **settings)
        assert set(state) == set(net.state_dict())
        assert all(torch.equal(state[key], tensor) for key, tensor in net.state_dict().items()), name


def test_what_is_no_vgg_is_not_recognised() -> None:
    shapes = {f"features.{n}.weight": (64, 64, 3, 3) for n in range(9)}
    assert vgg.recognise(shapes) is None
    assert vgg.recognise({}) is None


def test_vgg_sees_what_its_weights_were_trained_on() -> None:
    """A first layer that hands its input on shows how it was normalised."""
    red = torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    for caffe, expected in (
        (False, [(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.25 - 0.406) / 0.225]),
        (True, [63.75 - 103.939, 127.5 - 116.779, 255 - 123.68]),
    ):
        net = vgg.Vgg(19, caffe, (6, 8, 12, 16))
        net.conv1_1.weight.data.zero_()
        net.conv1_1.bias.data.fill_(1000)
        net.conv1_1.weight.data[:3, :, 1, 1] = torch.eye(3)
        seen = net(red, ["relu1_1"])["relu1_1"][0, :3, 4, 4] - 1000
        torch.testing.assert_close(seen, torch.tensor(expected), atol=1e-3, rtol=0)


def test_layers_have_their_sizes_and_an_unknown_one_is_refused() -> None:
    found = network(widths=FULL)(picture(40, 64)[None], ["relu4_2", "relu3_1", "relu1_1"])
    assert {name: tuple(map.shape[1:]) for name, map in found.items()} == {
        "relu1_1": (64, 40, 64),
        "relu3_1": (256, 10, 16),
        "relu4_2": (512, 5, 8),
    }
    with pytest.raises(ValueError, match="relu5_1"):
        network()(picture(16, 16)[None], ["relu5_1"])


# -- the patch match -------------------------------------------------------------------------------------


def features(channels: int, height: int, width: int, seed: int) -> Tensor:
    return torch.randn((channels, height, width), generator=torch.Generator().manual_seed(seed)).relu()


def test_the_match_is_the_nearest_by_cross_correlation() -> None:
    own, other = features(6, 9, 11, 1), features(6, 8, 10, 2)
    queries, usable = hole(9, 11, (2, 3, 7, 8)), hole(8, 10, (0, 0, 8, 6))
    matcher = PatchMatcher(own, queries)
    matcher.search(other, usable)
    for n, (y, x) in enumerate(queries.nonzero().tolist()):
        patch = own[:, y - 1 : y + 2, x - 1 : x + 2]
        best, found = -2.0, None
        for v, u in itertools.product(range(1, 7), range(1, 6)):
            candidate = other[:, v - 1 : v + 2, u - 1 : u + 2]
            score = float((patch * candidate).sum() / patch.norm() / candidate.norm())
            if score > best:
                best, found = score, candidate
        assert float(matcher.scores[n]) == pytest.approx(best, abs=1e-5)
        assert found is not None and torch.equal(matcher.patches[n].view(6, 3, 3), found)


def test_the_match_is_a_convolution_and_its_arg_max() -> None:
    own, other = features(5, 8, 8, 3), features(5, 9, 7, 4)
    everywhere = torch.ones(8, 8, dtype=torch.bool), torch.ones(9, 7, dtype=torch.bool)
    matcher = PatchMatcher(own, everywhere[0])
    matcher.search(other, everywhere[1])
    kernels = functional.unfold(other[None], 3)[0].T.reshape(-1, 5, 3, 3)
    units = kernels / kernels.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    chosen = functional.conv2d(own[None], units)[0].argmax(0).flatten()
    assert torch.equal(matcher.patches, kernels[chosen].flatten(2))


@pytest.mark.parametrize(("queries", "sources"), [(5, 9), (1000, 1000)])
def test_chunks_change_nothing(queries: int, sources: int) -> None:
    own, others = features(6, 12, 12, 5), [features(6, 9, 13, 6), features(6, 12, 8, 7)]
    centres = hole(12, 12, (3, 3, 9, 10))
    whole, parts = PatchMatcher(own, centres), PatchMatcher(own, centres)
    for other in others:
        everywhere = torch.ones(other.shape[1:], dtype=torch.bool)
        whole.search(other, everywhere)
        parts.search(other, everywhere, queries=queries, sources=sources)
    torch.testing.assert_close(parts.scores, whole.scores)
    assert torch.equal(parts.patches, whole.patches)


def test_the_target_gives_the_gradient_of_overlapping_patches() -> None:
    """Own minus matched patch, averaged where patches overlap: the authors' gradient."""
    own, other = features(4, 7, 9, 8), features(4, 8, 8, 9)
    matcher = PatchMatcher(own, hole(7, 9, (2, 2, 5, 6)))
    matcher.search(other, torch.ones(8, 8, dtype=torch.bool))
    total, count = torch.zeros_like(own), torch.zeros(7, 9)
    for n, (y, x) in enumerate(hole(7, 9, (2, 2, 5, 6)).nonzero().tolist()):
        box = (slice(y - 1, y + 2), slice(x - 1, x + 2))
        total[(slice(None), *box)] += own[(slice(None), *box)] - matcher.patches[n].view(4, 3, 3)
        count[box] += 1
    target, where = matcher.target()
    assert torch.equal(where, count > 0)
    torch.testing.assert_close((own - target) * where, total / count.clamp(min=1))


def test_turned_and_scaled_pictures_keep_their_place() -> None:
    image, usable = picture(32, 32), hole(32, 32, (0, 0, 32, 20))
    same, still = transformed(image, usable, 0.0, 1.0)
    torch.testing.assert_close(same, image, atol=1e-6, rtol=0)
    assert torch.equal(still, usable)
    turned, usable_turned = transformed(image, usable, np.pi / 2, 1.0)
    torch.testing.assert_close(turned, torch.rot90(image, -1, (1, 2)), atol=1e-5, rtol=0)
    assert torch.equal(usable_turned, torch.rot90(usable, -1, (0, 1)))
    larger, usable_larger = transformed(image, usable, 0.0, 2.0)
    assert larger.shape == (3, 64, 64) and not usable_larger[:, 41:].any() and usable_larger[2:-2, 2:38].all()
    _bent, left = transformed(image, torch.ones(32, 32, dtype=torch.bool), 0.3, 1.0)
    assert not left[0, 0] and left[16, 16]  # the corners show what is beyond the picture


# -- the loss ----------------------------------------------------------------------------------------------


def test_the_variation_is_the_mean_over_pairs_that_touch_the_hole() -> None:
    image, mask = picture(8, 9, dtype=torch.float64), hole(8, 9, (2, 3, 5, 5))
    total, count = 0.0, 0
    for y, x in itertools.product(range(8), range(9)):
        for v, u in ((y + 1, x), (y, x + 1)):
            if v < 8 and u < 9 and (mask[y, x] or mask[v, u]):
                total += float(((image[:, y, x] - image[:, v, u]) ** 2).sum())
                count += 3
    assert float(squared_differences(image, mask)) == pytest.approx(total / count)


@pytest.mark.parametrize("fine", [False, True])
def test_the_loss_is_the_sum_of_its_terms(double: vgg.Vgg, fine: bool) -> None:
    """Against the same written down directly: whole picture, no windows, matches one by one."""
    image, mask = picture(64, 80, dtype=torch.float64), hole(64, 80, (24, 30, 41, 50))
    usable = ~mask
    settings = Settings(rotation=0, scaling=0, fine=fine, fidelity=1.5)
    loss = SynthesisLoss(double, image, mask, usable, settings, 4.0, lambda: None)
    changed = (image[:, mask] * 0.7 + 0.1).requires_grad_()
    composite = image.masked_scatter(mask, changed)
    names = ["relu4_2", "relu4_1", *(["relu3_1"] if fine else [])]
    before = double(image[None], names)
    after = double(composite[None], names)
    cells = functional.max_pool2d(mask[None].double(), 8)[0] > 0
    difference = ((after["relu4_2"] - before["relu4_2"])[0] ** 2).sum(0)[cells].sum()
    energy = (before["relu4_2"][0] ** 2).sum(0)[cells].sum()
    expected = synthesis_loss.CONTENT_WEIGHT * 1.5 * 4 * difference / energy
    for name in names[1:]:
        stride = 8 if name == "relu4_1" else 4
        inside = functional.max_pool2d(mask[None].double(), stride)[0] > 0
        near = functional.max_pool2d(inside[None].double(), 3, 1, 1)[0] > 0
        old, new = before[name][0], after[name][0]
        total, count = torch.zeros_like(old), torch.zeros(old.shape[1:], dtype=torch.float64)
        places = list(itertools.product(range(1, old.shape[1] - 1), range(1, old.shape[2] - 1)))

        def around(y: int, x: int) -> tuple[slice, slice]:
            return slice(y - 1, y + 2), slice(x - 1, x + 2)

        candidates = [
            old[(slice(None), *around(v, u))].flatten() for v, u in places if not inside[around(v, u)].any()
        ]
        stack = torch.stack([candidate / candidate.norm() for candidate in candidates])
        for y, x in places:
            if near[y, x]:
                match = int((stack @ old[(slice(None), *around(y, x))].flatten()).argmax())
                total[(slice(None), *around(y, x))] += candidates[match].view(-1, 3, 3)
                count[around(y, x)] += 1
        where = (count > 0) & near
        target = total / count.clamp(min=1)
        weight = synthesis_loss.TEXTURE_WEIGHT / (len(names) - 1)
        expected = (
            expected + weight * ((new - target) ** 2).sum(0)[where].sum() / (target**2).sum(0)[where].sum()
        )
    expected = expected + synthesis_loss.VARIATION_WEIGHT * squared_differences(composite, mask)
    start = image[:, mask]
    expected = expected + synthesis_loss.PIXEL_WEIGHT * 1.5 * ((changed - start) ** 2).mean()
    value, gradient = loss_and_gradient(loss, changed.detach())
    assert value == pytest.approx(float(expected.detach()), rel=1e-9)
    (wanted,) = torch.autograd.grad(expected, changed)
    torch.testing.assert_close(gradient, wanted, rtol=1e-7, atol=1e-12)


def test_the_gradient_is_that_of_finite_differences(double: vgg.Vgg) -> None:
    image, mask = picture(48, 56, dtype=torch.float64), hole(48, 56, (13, 20, 25, 31))
    loss = SynthesisLoss(double, image, mask, ~mask, PLAIN, 1.0, lambda: None)
    pixels = image[:, mask] * 0.8 + 0.05
    gradient = loss_and_gradient(loss, pixels)[1]
    random = torch.Generator().manual_seed(4)
    for _ in range(3):
        step = torch.randn(pixels.shape, generator=random, dtype=torch.float64) * 1e-6
        ahead, behind = (loss_and_gradient(loss, pixels + sign * step)[0] for sign in (1, -1))
        assert (ahead - behind) / 2 == pytest.approx(float((gradient * step).sum()), rel=1e-3)


@pytest.mark.parametrize("window", [4])
def test_windows_change_nothing(double: vgg.Vgg, window: int) -> None:
    image = picture(80, 88, dtype=torch.float64)
    mask = hole(80, 88, (0, 60, 9, 64), (50, 10, 60, 40), (70, 80, 80, 88))
    pixels = image[:, mask] * 0.5 + 0.2
    whole, parts = (
        loss_and_gradient(SynthesisLoss(double, image, mask, ~mask, PLAIN, 1.0, lambda: None, size), pixels)
        for size in (48, window)
    )
    assert parts[0] == pytest.approx(whole[0], rel=1e-9)
    torch.testing.assert_close(parts[1], whole[1], rtol=1e-7, atol=1e-12)


# -- the optimiser -----------------------------------------------------------------------------------------


def test_l_bfgs_steps_as_the_authors_do() -> None:
    """First by min(1, 1 / |gradient|_1) along the gradient, then to where two gradients say."""
    seen: list[Tensor] = []

    def valley(pixels: Tensor) -> Tensor:
        seen.append(pixels.detach().clone())
        with torch.enable_grad():
            value = (torch.tensor([1.0, 10.0]) * pixels**2).sum()
            value.backward()
        return value.detach()

    start = torch.tensor([3.0, 1.0])
    best = synthesis.minimise(valley, start, Settings(iterations=20), lambda part, stage: None, lambda: None)
    gradient = torch.tensor([6.0, 20.0])
    torch.testing.assert_close(seen[1], start - gradient / 26)
    assert len(seen) == 21 and best.abs().max() < 1e-3


@pytest.mark.parametrize("optimiser", ["l-bfgs", "adam"])
def test_the_loss_falls_and_the_best_is_kept(optimiser: str) -> None:
    image, mask = picture(64, 64), hole(64, 64, (20, 20, 44, 44))
    settings = Settings(rotation=0, scaling=0, iterations=12, optimiser=optimiser)
    loss = SynthesisLoss(network(), image, mask, ~mask, settings, 1.0, lambda: None)
    values: list[float] = []

    def watched(pixels: Tensor) -> Tensor:
        value = loss(pixels)
        values.append(float(value))
        return value

    start = torch.rand((3, int(mask.sum())), generator=torch.Generator().manual_seed(1))
    told: list[float] = []
    best = synthesis.minimise(watched, start, settings, lambda part, stage: told.append(part), lambda: None)
    assert min(values) < 0.8 * values[0]
    assert loss_and_gradient(loss, best)[0] == pytest.approx(min(values), rel=1e-6)
    assert len(told) == 12 and told == sorted(told)


def test_of_pixels_that_get_worse_the_best_are_kept() -> None:
    calls = 0

    def worsening(pixels: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        pixels.grad = torch.ones_like(pixels)
        return torch.tensor(float(calls))

    start = torch.rand(3, 5)
    for optimiser in ("l-bfgs", "adam"):
        calls = 0
        settings = Settings(iterations=4, optimiser=optimiser)
        assert torch.equal(
            synthesis.minimise(worsening, start, settings, lambda *_: None, lambda: None), start
        )
        assert calls == 5


def test_what_is_no_number_ends_the_search_with_the_best() -> None:
    values = iter([3.0, 1.0, float("nan"), float("nan")])
    seen: list[Tensor] = []

    def breaking(pixels: Tensor) -> Tensor:
        seen.append(pixels.detach().clone())
        pixels.grad = torch.ones_like(pixels)
        return torch.tensor(next(values))

    settings = Settings(iterations=9, optimiser="adam")
    best = synthesis.minimise(breaking, torch.zeros(3, 4), settings, lambda *_: None, lambda: None)
    assert torch.equal(best, seen[1]) and len(seen) == 4


def test_a_sharp_first_guess_stays_sharp_through_the_scales() -> None:
    mask = hole(96, 96, (24, 24, 72, 72))
    guess = torch.rand((3, 96, 96), generator=torch.Generator().manual_seed(6))
    settings = Settings(rotation=0, scaling=0, iterations=2, fidelity=20)
    result = synthesis.synthesise(network(), guess, mask, ~mask, settings, 3, lambda *_: None, lambda: False)
    contrast = [float((one[:, :, 1:] - one[:, :, :-1])[:, mask[:, 1:]].std()) for one in (result, guess)]
    assert contrast[0] > 0.85 * contrast[1]
    assert not torch.equal(result, guess) and torch.equal(result[:, ~mask], guess[:, ~mask])


def test_there_are_three_scales_for_512_and_more_for_larger_pictures() -> None:
    for scales, size in enumerate(((64, 64), (256, 100), (512, 512), (300, 1024), (2048, 9)), 1):
        assert synthesis.scales_for(*size) == scales


# -- the model ---------------------------------------------------------------------------------------------

QUICK: dict[str, Any] = {"iterations": 2, "rotation": 0.0, "scaling": 0.0, "content": "smooth"}


def arrays(height: int, width: int, *boxes: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    return picture(height, width).numpy(), hole(height, width, *boxes).numpy()


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((64, 72), (20, 20, 40, 44)),
        ((37, 53), (10, 10, 25, 31)),
        ((48, 48), (0, 0, 16, 48)),
        ((1, 40), (0, 10, 1, 20)),
        ((2, 1), (0, 0, 1, 1)),
    ],
)
def test_it_fills_any_hole_and_changes_nothing_else(
    model: PatchSynthesis, size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    image, mask = arrays(*size, box)
    hidden = np.where(mask, np.float32(np.nan), image)
    filled = model.fill(hidden[None], mask[None, None], **QUICK)[0]
    assert np.array_equal(np.where(mask, 0, filled), np.where(mask, 0, image))
    assert np.isfinite(filled).all() and filled.min() >= 0 and filled.max() <= 1


def test_the_same_input_gives_the_same_fill_and_the_picture_stays(model: PatchSynthesis) -> None:
    image, mask = arrays(64, 64, (20, 24, 40, 44))
    before = image.copy()
    first, second = (model.fill(image[None], mask[None, None], **QUICK) for _ in range(2))
    assert np.array_equal(first, second) and np.array_equal(image, before)
    refined = model.refine(image, mask, **QUICK)
    assert np.array_equal(image, before)
    assert np.array_equal(np.where(mask, 0, refined), np.where(mask, 0, image))
    assert not np.array_equal(refined, image)


def test_a_cancel_is_heard_between_iterations(model: PatchSynthesis) -> None:
    image, mask = arrays(64, 64, (20, 24, 40, 44))
    stages: list[str] = []
    settings = {**QUICK, "iterations": 50}
    with pytest.raises(Cancelled):
        model.refine(
            image,
            mask,
            progress=lambda part, stage: stages.append(stage),
            cancel=lambda: len(stages) > 3,
            **settings,
        )
    assert len(stages) == 4 and "step 3 of 50" in stages[-1]


def test_progress_tells_every_iteration_of_every_scale(model: PatchSynthesis) -> None:
    image, mask = arrays(200, 184, (80, 80, 100, 100))
    told: list[tuple[float, str]] = []
    settings = {**QUICK, "iterations": 3}
    model.fill(image[None], mask[None, None], progress=lambda *part: told.append(part), **settings)
    assert [part for part, _ in told] == sorted(part for part, _ in told) and told[-1][0] <= 1
    assert sum("step" in stage for _, stage in told) == 2 * 3


def test_only_the_sources_are_looked_at(model: PatchSynthesis) -> None:
    """What lies beyond both the hole's reach and the sources may be anything."""
    image, mask = arrays(64, 208, (20, 20, 40, 40))
    source = ~mask
    source[:, 120:] = False
    other = image.copy()
    other[:, :, 176:] = 1 - other[:, :, 176:] ** 2
    first, second = (model.refine(one, mask, source, **QUICK)[:, mask] for one in (image, other))
    np.testing.assert_allclose(first, second, atol=1e-6)
    everywhere = model.refine(other, mask, **QUICK)[:, mask]
    assert np.abs(first - everywhere).max() > 1e-4


def test_large_holes_are_refined_in_blocks(model: PatchSynthesis, monkeypatch: pytest.MonkeyPatch) -> None:
    import models.patch_synthesis as module

    monkeypatch.setattr(module, "_BLOCK", 32)
    monkeypatch.setattr(module, "_AROUND", 24)
    image, mask = arrays(64, 88, (4, 4, 60, 80))
    told: list[float] = []
    refined = model.refine(image, mask, progress=lambda part, stage: told.append(part), **QUICK)
    assert np.array_equal(np.where(mask, 0, refined), np.where(mask, 0, image))
    changed = np.abs(refined - image).max(0) > 0
    for top, left in itertools.product((4, 36), (4, 36, 68)):
        assert changed[top : top + 24, left : left + 12].mean() > 0.5
    assert told == sorted(told) and told[-1] <= 1


def test_turned_and_scaled_sources_are_used(model: PatchSynthesis) -> None:
    image, mask = arrays(72, 72, (24, 24, 48, 48))
    plain = model.refine(image, mask, **QUICK)
    for change in (
        {"rotation": 10.0},
        {"scaling": 10.0},
        {"fine": True},
        {"fidelity": 5.0},
        {"optimiser": "adam"},
    ):
        other = model.refine(image, mask, **{**QUICK, **change})
        assert not np.array_equal(plain, other), change


def test_it_is_loaded_from_a_file_of_vgg(tmp_path: Path) -> None:
    net = network(widths=FULL)
    state, index = {}, 0
    for block, count in enumerate((2, 2, 4, 2), 1):
        for n in range(1, count + 1):
            layer = net.get_submodule(f"conv{block}_{n}")
            state |= {
                f"features.{index}.weight": layer.weight.data,
                f"features.{index}.bias": layer.bias.data,
            }
            index += 2
        index += 1
    torch.save(state, tmp_path / "vgg19.pth")
    loaded = models.load(tmp_path / "vgg19.pth")
    assert isinstance(loaded, PatchSynthesis) and loaded.settings == {"depth": 19, "caffe": False}
    x = picture(16, 16)[None]
    assert torch.equal(loaded.network(x, ["relu4_2"])["relu4_2"], net(x, ["relu4_2"])["relu4_2"])


def test_what_cannot_be_is_refused(model: PatchSynthesis) -> None:
    image, mask = arrays(32, 32, (8, 8, 16, 16))
    with pytest.raises(TypeError, match="nonsense"):
        model.refine(image, mask, nonsense=1)
    with pytest.raises(FillError) as caught:
        model.refine(image, np.ones_like(mask))
    assert caught.value.code == "no-source"


def test_without_any_vgg_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_INPAINT_MODELS", str(tmp_path))
    with pytest.raises(FillError) as caught:
        models.load("patch-synthesis")
    assert caught.value.code == "no-weights" and "ai-inpaint models" in caught.value.hint
