"""The pipeline, from a request to layers."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from backend import pipeline
from backend.imaging import mask as masks
from backend.imaging.composite import paste
from backend.imaging.convert import full
from backend.pipeline import Layer, Request, fill
from models.base import Cancel, Cancelled, Card, FillError, Model, Progress
from models.guidance import lines
from models.training import comics

DEPTHS = ["uint8", "uint16", "float16", "float32"]


class Mean(Model):
    """Fills with the mean of what it may take, plus noise from the seed; remembers what it was shown."""

    card = Card("mean", "Mean", "", takes_source=True, context_factor=0.5, context_minimum=6)

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[np.ndarray, np.ndarray, np.ndarray | None, Mapping[str, np.ndarray]]] = []

    def _fill_one(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray | None,
        guidance: Mapping[str, np.ndarray],
        seed: int,
        progress: Progress,
        cancel: Cancel,
        **params: Any,
    ) -> np.ndarray:
        self.seen.append((image, hole, source, guidance))
        if cancel():
            raise Cancelled
        progress(0.5, "mean")
        allowed = ~hole if source is None else source & ~hole
        mean = image[:, allowed].mean(axis=1, dtype=np.float64) if allowed.any() else np.zeros(3)
        noise = np.random.default_rng(seed).normal(0, 0.02, image.shape)
        return (mean[:, None, None] + noise).astype(np.float32)


class Network(Mean):
    """Knows nothing of sources, follows a sketch, and takes small pictures only."""

    card = Card(
        "network",
        "Network",
        "",
        guidance=("sketch", "colour"),
        context_factor=0.5,
        context_minimum=6,
        max_pixels=30 * 30,
    )


class Refining(Network):
    """Looks once more at full size."""

    def __init__(self) -> None:
        super().__init__()
        self.refined: list[tuple[int, ...]] = []

    def refine(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray | None,
        seed: int,
        progress: Progress,
        cancel: Cancel,
    ) -> np.ndarray:
        self.refined.append(image.shape)
        progress(0.5, "refining")
        return 1 - image


class Hungry(Mean):
    """Runs out of memory above so many pixels."""

    def __init__(self, most: int, error: Callable[[], Exception] = MemoryError) -> None:
        super().__init__()
        self.most = most
        self.error = error
        self.tried: list[int] = []

    def _fill_one(self, image: np.ndarray, hole: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        self.tried.append(hole.size)
        if hole.size > self.most:
            raise self.error()
        return super()._fill_one(image, hole, *args, **params)


def run(image: np.ndarray, mask: np.ndarray, model: Model | None = None, **fields: Any) -> list[Layer]:
    """Fill with one model; keyword arguments that are no field of a request are settings."""
    given_fields = {name: fields.pop(name) for name in ("source", "guidance") if name in fields}
    chosen = model or Mean()
    return fill(Request(image, mask, chosen.card.name, fields, **given_fields), lambda name: chosen)


def noise(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype.startswith("u"):
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    return rng.normal(0.5, 0.6, shape).astype(dtype)


def within(mask: np.ndarray, reach: int) -> np.ndarray:
    """Pixels at most `reach` px from the mask."""
    rows, columns = np.nonzero(mask)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    return ((y[..., None] - rows) ** 2 + (x[..., None] - columns) ** 2).min(axis=2) <= reach**2


def test_settings_have_valid_defaults() -> None:
    from dataclasses import asdict

    from backend.wire.params import check_all

    specs = [asdict(param) for param in pipeline.PARAMS]
    assert check_all(specs, {}) == check_all(specs, {spec["name"]: spec["default"] for spec in specs})
    names = {"grow", "feather", "context", "seed", "count", "pinholes", "seam", "tile", "mosaic"}
    assert names == {s["name"] for s in specs}


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from(DEPTHS),
    st.sampled_from([0, 1, 2, 3, 4]),
    st.sampled_from(["bool", "uint8", "uint16", "float32"]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 8),
    st.integers(0, 5),
    st.integers(0, 30),
    st.sampled_from(["auto", "on", "off"]),
)
def test_outside_is_identical_and_the_same_seed_gives_the_same_bytes(
    height: int,
    width: int,
    dtype: str,
    channels: int,
    mask_type: str,
    seed: int,
    grow: int,
    feather: int,
    context: int,
    seam: str,
) -> None:
    rng = np.random.default_rng(seed)
    image = noise(rng, (height, width, channels) if channels else (height, width), dtype)
    if dtype.startswith("f") and rng.random() < 0.3:
        image.flat[rng.integers(0, image.size)] = np.nan
    mask = np.zeros((height, width), dtype=mask_type)
    for _ in range(rng.integers(0, 4)):
        y, x = rng.integers(0, height), rng.integers(0, width)
        mask[y : y + rng.integers(1, 12), x : x + rng.integers(1, 12)] = 1
    before, mask_before = image.tobytes(), mask.tobytes()
    options = {"grow": grow, "feather": feather, "context": context, "seed": seed, "seam": seam}
    try:
        (layer,) = run(image, mask, **options)
    except FillError as error:
        assert error.code == ("no-source" if mask.any() else "empty-mask")
        return
    (again,) = run(image, mask, **options)
    assert layer.pixels.tobytes() == again.pixels.tobytes() and layer.offset == again.offset
    assert image.tobytes() == before and mask.tobytes() == mask_before
    assert layer.pixels.dtype == image.dtype
    result = paste(image, layer.pixels, layer.offset)
    assert result.shape == image.shape and result.dtype == image.dtype
    reached, full_alpha = within(mask > 0, grow + feather), within(mask > 0, grow)
    assert result[~reached].tobytes() == image[~reached].tobytes()
    assert np.isfinite(result[full_alpha].astype(np.float32)).all()
    alpha = np.zeros((height, width), dtype=dtype)
    x, y = layer.offset
    alpha[y : y + layer.pixels.shape[0], x : x + layer.pixels.shape[1]] = layer.pixels[..., -1]
    assert (alpha[~reached] == 0).all()
    assert (alpha[full_alpha] == full(alpha.dtype)).all()
    if channels in (2, 4):
        assert (result[full_alpha][:, -1] == full(alpha.dtype)).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["uint8", "float32"]),
    st.integers(0, 6),
    st.integers(0, 3),
    st.sampled_from([0, 12]),
    st.sampled_from([Mean, Network, Refining]),
    st.booleans(),
)
def test_a_crop_gives_the_same_layer_as_the_whole_picture(
    seed: int, dtype: str, grow: int, feather: int, context: int, kind: type[Mean], with_source: bool
) -> None:
    """The crop is computed as clients do it: the selection's bounds and the card's margin."""
    from dataclasses import asdict

    from backend.wire.geometry import Rect, request_rect

    rng = np.random.default_rng(seed)
    image = noise(rng, (150, 170, 4), dtype)
    mask = np.zeros((150, 170), dtype=np.uint8)
    for _ in range(rng.integers(1, 5)):
        y, x = rng.integers(30, 110), rng.integers(30, 120)
        mask[y : y + rng.integers(1, 15), x : x + rng.integers(1, 15)] = 255
    bounds = masks.bounds(mask)
    assert bounds is not None
    rect = request_rect(
        Rect(bounds.left, bounds.top, bounds.width, bounds.height),
        Rect(0, 0, 170, 150),
        asdict(kind.card),
        grow,
        feather,
        context,
    )
    left, top, right, bottom = rect.x, rect.y, rect.x + rect.width, rect.y + rect.height
    source = None
    if with_source:
        source = np.zeros(mask.shape, dtype=bool)
        y, x = rng.integers(0, 100), rng.integers(0, 100)
        source[y : y + 40, x : x + 40] = True
        left, top = min(left, x), min(top, y)
        right, bottom = max(right, x + 40), max(bottom, y + 40)
    crop = np.s_[top:bottom, left:right]
    options = {"grow": grow, "feather": feather, "context": context, "seed": seed}
    try:
        (whole,) = run(image, mask, kind(), source=source, **options)
    except FillError as error:
        assert error.code == "no-source"
        with pytest.raises(FillError):
            run(image[crop], mask[crop], kind(), source=None if source is None else source[crop], **options)
        return
    part_source = None if source is None else source[crop]
    (part,) = run(image[crop], mask[crop], kind(), source=part_source, **options)
    assert whole.offset == (part.offset[0] + left, part.offset[1] + top)
    assert whole.pixels.tobytes() == part.pixels.tobytes()


def test_far_holes_are_filled_each_from_its_own_surroundings() -> None:
    image = np.zeros((100, 400), dtype=np.uint8)
    image[:, 200:] = 200
    mask = np.zeros(image.shape, dtype=bool)
    mask[40:60, 40:60] = mask[40:60, 340:360] = True
    model = Mean()
    (layer,) = run(image, mask, model)
    result = paste(image, layer.pixels, layer.offset)
    assert len(model.seen) == 2
    assert result[45:55, 45:55].mean() < 10 and abs(result[45:55, 345:355].mean() - 200) < 10


def test_what_is_to_vanish_is_never_shown_nor_taken() -> None:
    """Two holes too far apart to be one job, each in the other's context."""
    image = np.full((200, 400, 3), 100, dtype=np.uint8)
    mask = np.zeros((200, 400), dtype=bool)
    mask[90:110, 90:110] = mask[90:110, 290:310] = True
    image[80:120, 80:320][within(mask[80:120, 80:320], 6)] = 255
    for kind in (Mean, Network):
        model = kind()
        run(image, mask, model, context=190)
        for shown, hole, source, _ in model.seen:
            allowed = ~hole if source is None else source & ~hole
            assert np.abs(shown[:, allowed] - 100 / 255).max() < 1e-5
            assert np.abs(shown[:, ~hole] - 100 / 255).max() < 1e-5


def test_transparent_pixels_are_no_source_and_do_not_bleed() -> None:
    rng = np.random.default_rng(0)
    image = np.full((60, 60, 4), 255, dtype=np.uint8)
    image[..., :3] = 90
    image[:25] = rng.integers(0, 256, (25, 60, 4))
    image[:25, :, 3] = rng.integers(0, 10, (25, 60))
    mask = np.zeros((60, 60), dtype=bool)
    mask[20:40, 20:40] = True
    for kind in (Mean, Network):
        model = kind()
        (layer,) = run(image, mask, model, seam="off")
        x, y = layer.offset
        filled = layer.pixels[mask[y:, x:][: layer.pixels.shape[0], : layer.pixels.shape[1]]]
        assert abs(filled[:, :3].mean() - 90) < 2
        assert (filled[:, 3] == 255).all()
        for shown, hole, _, _ in model.seen:
            assert np.abs(shown[:, ~hole] - 90 / 255).max() < 1e-3


def test_the_fill_comes_only_from_the_source_however_far() -> None:
    image = np.full((300, 300, 3), 20, dtype=np.uint8)
    image[250:290, 250:290] = 220
    mask = np.zeros((300, 300), dtype=bool)
    mask[20:30, 20:30] = True
    source = np.zeros((300, 300), dtype=np.float32)
    source[250:290, 250:290] = 0.1
    (layer,) = run(image, mask, source=source, seam="off")
    assert abs(layer.pixels[..., :3][layer.pixels[..., 3] == 255].mean() - 220) < 3


def test_nan_and_infinity_are_no_source_and_stay() -> None:
    image = np.full((40, 40, 3), 0.5, dtype=np.float32)
    image[:3], image[30, 30, 1] = np.nan, np.inf
    mask = np.zeros((40, 40), dtype=bool)
    mask[10:20, 10:20] = True
    (layer,) = run(image, mask)
    result = paste(image, layer.pixels, layer.offset)
    assert np.isnan(result[:3]).all() and np.isinf(result[30, 30, 1])
    assert np.abs(result[10:20, 10:20] - 0.5).max() < 0.2


def test_bright_floats_are_filled_in_their_own_range() -> None:
    image = np.random.default_rng(0).uniform(30, 31, (60, 60, 3)).astype(np.float32)
    mask = np.zeros((60, 60), dtype=bool)
    mask[20:40, 20:40] = True
    (layer,) = run(image, mask)
    filled = layer.pixels[..., :3][layer.pixels[..., 3] == 1]
    assert filled.min() > 20 and filled.max() < 32


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("channels", [0, 1, 2])
def test_gray_is_shown_as_three_equal_channels(dtype: str, channels: int) -> None:
    rng = np.random.default_rng(0)
    image = noise(rng, (40, 40, channels) if channels else (40, 40), dtype)
    if channels == 2:
        image[..., 1] = full(image.dtype)
    mask = np.zeros((40, 40), dtype=bool)
    mask[15:20, 15:20] = True
    model = Mean()
    (layer,) = run(image, mask, model)
    shown = model.seen[0][0]
    assert (shown[0] == shown[1]).all() and (shown[1] == shown[2]).all()
    assert layer.pixels.shape[2] == 2


def test_candidates_have_seeds_of_their_own() -> None:
    image = noise(np.random.default_rng(0), (40, 40, 3), "uint8")
    mask = np.zeros((40, 40), dtype=bool)
    mask[15:20, 15:20] = True
    layers = run(image, mask, count=3, seed=2**32 - 2)
    assert [layer.seed for layer in layers] == [2**32 - 2, 2**32 - 1, 0]
    assert len({layer.pixels.tobytes() for layer in layers}) == 3
    (third,) = run(image, mask, seed=layers[2].seed)
    assert third.pixels.tobytes() == layers[2].pixels.tobytes()


def test_a_large_context_is_filled_small_and_refined() -> None:
    image = np.full((200, 200, 3), 120, dtype=np.uint8)
    mask = np.zeros((200, 200), dtype=bool)
    mask[60:120, 60:120] = True
    coarse = Network()
    (layer,) = run(image, mask, coarse, seam="off")
    assert coarse.seen[0][1].size <= 30 * 30
    assert abs(layer.pixels[..., :3][layer.pixels[..., 3] == 255].mean() - 120) < 3
    refining = Refining()
    (layer,) = run(image, mask, refining, seam="off")
    assert refining.refined[0][1] > 60
    assert abs(layer.pixels[..., :3][layer.pixels[..., 3] == 255].mean() - 135) < 3


def test_guidance_is_cut_and_scaled_with_the_picture() -> None:
    image = np.full((200, 200, 3), 120, dtype=np.uint8)
    mask = np.zeros((200, 200), dtype=bool)
    mask[60:120, 60:120] = True
    model = Network()
    run(image, mask, model, guidance={"sketch": mask})
    _, hole, _, guidance = model.seen[0]
    _, drawn = guidance["sketch"]
    assert drawn.shape == hole.shape and drawn.dtype == np.float32
    assert drawn.max() == 1
    assert 0.1 < drawn.mean() < 0.4
    with pytest.raises(FillError) as caught:
        run(image, mask, Mean(), guidance={"sketch": mask})
    assert caught.value.code == "bad-guidance"
    with pytest.raises(FillError) as caught:
        run(image, mask, model, guidance={"sketch": mask[1:]})
    assert caught.value.code == "bad-guidance"


@pytest.mark.parametrize("paper", [None, "white", "transparent"])
def test_a_thin_line_is_seen_on_a_smaller_scale(paper: str | None) -> None:
    """1 px wide in a context of 180 px, which the model sees as 30 px."""
    mask = np.zeros((200, 200), dtype=bool)
    mask[60:120, 60:120] = True
    line = np.zeros((200, 200), dtype=np.uint8)
    line[:, 91] = 255
    sketch = {
        None: line,
        "white": np.stack([255 - line] * 3, 2),
        "transparent": np.stack([0 * line, line], 2),
    }[paper]
    model = Network()
    run(np.full((200, 200, 3), 120, dtype=np.uint8), mask, model, guidance={"sketch": sketch})
    ((_, hole, _, guidance),) = model.seen
    assert hole.size <= 30 * 30
    columns = lines(torch.from_numpy(guidance["sketch"])[None])[0, 0].numpy()
    assert (columns.sum(1) == 1).all() and (columns.argmax(1) == columns[0].argmax()).all()


def test_colours_are_not_mixed_with_what_is_not_painted() -> None:
    """Red strokes on a transparent layer whose unseen pixels are green, as some editors leave them."""
    mask = np.zeros((200, 200), dtype=bool)
    mask[60:120, 60:120] = True
    colour = np.zeros((200, 200, 4), dtype=np.uint8)
    colour[..., 1] = 255
    colour[88:95] = colour[:, 88:93] = (255, 0, 0, 255)
    model = Network()
    run(np.full((200, 200, 3), 120, dtype=np.uint8), mask, model, guidance={"colour": colour})
    red, green, blue, alpha = model.seen[0][3]["colour"]
    assert 0 < (alpha >= 0.5).mean() < 0.3
    assert (red[alpha >= 0.5] == 1).all() and not green[alpha >= 0.5].any() and not blue.any()


def test_a_layer_with_nothing_in_the_hole_is_refused_before_the_work() -> None:
    image, mask = np.full((40, 40, 3), 120, dtype=np.uint8), np.zeros((40, 40), dtype=bool)
    mask[15:20, 15:20] = True
    elsewhere = np.zeros((40, 40), dtype=np.uint8)
    elsewhere[2, :] = 255
    model = Network()
    with pytest.raises(FillError, match="Nothing is drawn on the sketch layer") as caught:
        run(image, mask, model, guidance={"sketch": elsewhere})
    assert caught.value.code == "bad-guidance" and not model.seen
    elsewhere[:, 17] = 255
    run(image, mask, model, guidance={"sketch": elsewhere})


def test_what_is_drawn_needs_no_evidence_around() -> None:
    """The whole picture is hole, smaller than the model's limit and beyond it."""
    for side in (24, 200):
        image = np.full((side, side, 3), 120, dtype=np.uint8)
        mask = np.ones((side, side), dtype=bool)
        sketch = np.zeros((side, side), dtype=np.uint8)
        sketch[side // 2] = 255
        model = Network()
        (layer,) = run(image, mask, model, guidance={"sketch": sketch})
        assert model.seen[0][1].all() and layer.pixels[..., 3].min() == 255
        with pytest.raises(FillError) as caught:
            run(image, mask, Network())
        assert caught.value.code == "no-source"


def test_whoever_cannot_follow_says_so_at_once() -> None:
    image, mask = np.full((40, 40, 3), 120, dtype=np.uint8), np.zeros((40, 40), dtype=bool)
    mask[15:20, 15:20] = True
    model = Mean()
    for layer in (mask, ~mask & mask):
        with pytest.raises(FillError, match="cannot follow a sketch layer") as caught:
            run(image, mask, model, guidance={"sketch": layer})
        assert "sketcher, sc-fegan" in caught.value.hint and not model.seen
    with pytest.raises(FillError, match="No model on this computer follows a depth") as caught:
        fill(Request(image, mask, "auto", guidance={"depth": mask}), models.load)
    assert caught.value.hint == "Leave the layer out."


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


@pytest.mark.parametrize(
    "error",
    [MemoryError, OutOfMemoryError, lambda: RuntimeError("not enough memory: you tried")],
)
def test_too_little_memory_is_answered_with_smaller_fills(error: Callable[[], Exception]) -> None:
    image = np.full((600, 600, 3), 120, dtype=np.uint8)
    mask = np.zeros((600, 600), dtype=bool)
    mask[200:400, 200:400] = True
    model = Hungry(30_000, error)
    (layer,) = run(image, mask, model)
    assert len(model.tried) > 1 and model.tried[-1] <= 30_000
    assert abs(layer.pixels[..., :3][layer.pixels[..., 3] == 255].mean() - 120) < 3
    with pytest.raises(FillError) as caught:
        run(image, mask, Hungry(100, error))
    assert caught.value.code == "out-of-memory" and caught.value.hint


def test_other_errors_of_a_model_come_through() -> None:
    image = np.zeros((40, 40), dtype=np.uint8)
    mask = np.zeros((40, 40), dtype=bool)
    mask[10:20, 10:20] = True
    with pytest.raises(ZeroDivisionError):
        run(image, mask, Hungry(0, ZeroDivisionError))


def test_progress_rises_over_holes_and_candidates() -> None:
    image = np.zeros((100, 900), dtype=np.uint8)
    mask = np.zeros(image.shape, dtype=bool)
    mask[40:60, 40:60] = mask[40:44, 840:844] = True
    told: list[tuple[float, str]] = []
    request = Request(image, mask, "mean", {"count": 2})
    fill(request, lambda name: Mean(), lambda fraction, stage: told.append((fraction, stage)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert len({fraction for fraction, stage in told if stage == "mean"}) == 4


def test_cancel_is_heard_between_holes_and_by_the_model() -> None:
    image = np.zeros((100, 900), dtype=np.uint8)
    mask = np.zeros(image.shape, dtype=bool)
    mask[40:60, 40:60] = mask[40:44, 840:844] = True
    for patience in range(4):
        model = Mean()
        asked: list[int] = []

        def cancel(asked: list[int] = asked, patience: int = patience) -> bool:
            asked.append(1)
            return len(asked) > patience

        with pytest.raises(Cancelled):
            fill(Request(image, mask, "mean"), lambda name, model=model: model, cancel=cancel)
        assert len(asked) == patience + 1
        assert len(model.seen) < 2


@pytest.mark.parametrize(
    ("image", "mask", "code"),
    [
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), bool), "empty-mask"),
        (np.zeros((4, 4, 3), np.uint8), np.full((4, 4), np.nan, np.float32), "empty-mask"),
        (np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), bool), "no-source"),
        (np.zeros((1, 1), np.uint8), np.ones((1, 1), bool), "no-source"),
        (np.zeros((9, 9, 4), np.uint8), np.eye(9, dtype=bool), "no-source"),
        (np.full((9, 9), np.nan, np.float32), np.eye(9, dtype=bool), "no-source"),
        (np.zeros((4, 4, 3), np.uint8), np.ones((4, 5), bool), "bad-image"),
        (np.zeros((4, 4, 3), np.uint8), np.ones((4, 4, 3), bool), "bad-image"),
        (np.zeros((4, 4, 3), np.uint8), np.full((4, 4), "x"), "bad-image"),
        (np.zeros((4, 4, 5), np.uint8), np.ones((4, 4), bool), "bad-image"),
        (np.zeros(4, np.uint8), np.ones(4, bool), "bad-image"),
        (np.zeros((0, 4), np.uint8), np.ones((0, 4), bool), "bad-image"),
        (np.zeros((4, 4)), np.ones((4, 4), bool), "bad-image"),
        (np.zeros((4, 4), np.int16), np.ones((4, 4), bool), "bad-image"),
        (np.zeros((4, 4), bool), np.ones((4, 4), bool), "bad-image"),
    ],
)
def test_what_cannot_be_filled_says_so(image: np.ndarray, mask: np.ndarray, code: str) -> None:
    with pytest.raises(FillError) as caught:
        run(image, mask, grow=0, feather=0)
    assert caught.value.code == code
    assert caught.value.message.endswith(".") and caught.value.hint.endswith(".")


def test_a_source_of_another_size_is_refused() -> None:
    image, mask = np.zeros((9, 9), np.uint8), np.eye(9, dtype=bool)
    with pytest.raises(FillError) as caught:
        run(image, mask, source=np.ones((9, 8), bool))
    assert caught.value.code == "bad-image" and "source" in caught.value.message


def test_a_source_without_usable_pixels_is_refused() -> None:
    image, mask = np.zeros((9, 9), np.uint8), np.eye(9, dtype=bool)
    with pytest.raises(FillError) as caught:
        run(image, mask, source=mask, grow=0)
    assert caught.value.code == "no-source"


def test_a_read_only_picture_with_gaps_between_rows_is_fine() -> None:
    image = np.zeros((40, 80, 6), np.uint8)[:, ::2, 1:4]
    image.setflags(write=False)
    mask = np.zeros((40, 80), np.uint8)[:, ::2]
    mask[10:20, 10:20] = 1
    (layer,) = run(image, mask)
    assert layer.pixels.any()


def test_memory_follows_the_hole_not_the_picture() -> None:
    image = np.zeros((10_000, 10_000, 3), dtype=np.uint8)
    mask = np.zeros((10_000, 10_000), dtype=np.uint8)
    mask[5000:5256, 5000:5256] = 255
    tracemalloc.start()
    try:
        (layer,) = run(image, mask)
        paste(image, layer.pixels, layer.offset, out=image)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert layer.pixels.shape == (268, 268, 4)
    assert image[5128, 5128].any()
    assert peak < 40e6


def test_a_source_of_one_pixel_survives_the_smaller_scale() -> None:
    image = np.full((200, 200, 3), 20, dtype=np.uint8)
    image[55, 55] = 220
    mask = np.zeros((200, 200), dtype=bool)
    mask[60:120, 60:120] = True
    source = np.zeros((200, 200), dtype=bool)
    source[55, 55] = True
    (layer,) = run(image, mask, Network(), source=source, grow=2)
    assert layer.pixels[..., :3][layer.pixels[..., 3] == 255].mean() > 20


def test_no_memory_for_the_surroundings_is_the_same_error() -> None:
    image = np.zeros((40, 40), dtype=np.uint8)
    mask = np.zeros((40, 40), dtype=bool)
    mask[10:20, 10:20] = True

    def load(name: str) -> Model:
        raise MemoryError

    with pytest.raises(FillError) as caught:
        fill(Request(image, mask, "mean"), load)
    assert caught.value.code == "out-of-memory"


def test_progress_does_not_fall_when_a_smaller_scale_is_tried() -> None:
    image = np.full((600, 600), 120, dtype=np.uint8)
    mask = np.zeros((600, 600), dtype=bool)
    mask[200:400, 200:400] = True

    class Late(Hungry):
        def _fill_one(self, image: np.ndarray, hole: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
            args[3](0.9, "late")
            return super()._fill_one(image, hole, *args, **params)

    told: list[float] = []
    model = Late(30_000)
    fill(Request(image, mask, "mean"), lambda name: model, lambda fraction, stage: told.append(fraction))
    assert told == sorted(told) and len(model.tried) > 1


def test_scratches_are_closed_smoothly_but_not_in_drawings() -> None:
    rng = np.random.default_rng(5)
    page = comics.page(400, 400, rng, colour=False)
    slope = np.linspace(60, 200, 400, dtype=np.uint8)
    photograph = np.repeat((slope[:, None] + rng.integers(0, 9, (400, 400), dtype=np.uint8))[..., None], 3, 2)
    both = np.concatenate([page, np.tile(photograph, (1, 3, 1))], axis=1)
    mask = np.zeros(both.shape[:2], np.uint8)
    tight = {"grow": 0, "feather": 0}
    mask[200, 100:300] = 255
    assert fill(Request(both, mask, params=tight), models.load)[0].model == "patchmatch"
    mask[200, 1000:1300] = 255
    (layer,) = fill(Request(both, mask, params=tight), models.load)
    assert layer.model == "smooth+patchmatch", "each by what is around it"
