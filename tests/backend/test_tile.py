"""Seamless tiles: the setting `tile` of the pipeline."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_pipeline import Mean, Network, Refining, noise, run

import models
from backend import inpaint
from backend.cli import main
from backend.imaging.composite import paste
from backend.pipeline import PARAMS, Request, fill
from models.base import Cancelled, Card, FillError, Model
from models.patchmatch import PatchMatch
from models.smooth import SmoothFill

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

HEIGHT, WIDTH = 96, 128


def waves(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A picture that tiles: smooth waves in both directions, uint8 H x W x 3."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    plane = np.zeros((height, width, 3))
    for _ in range(20):
        down, across = rng.integers(-6, 7, 2)
        wave = np.cos(2 * np.pi * (down * y / height + across * x / width) + 6 * rng.random())
        plane += wave[..., None] * rng.normal(0, 1, 3)
    return np.clip(128 + 30 * plane / plane.std(), 0, 255).astype(np.uint8)


def rough(image: np.ndarray, axis: int) -> np.ndarray:
    """H x W: how much every pixel differs from the one before it, around the edge."""
    values = image.astype(np.float64)
    return np.abs(values - np.roll(values, 1, axis)).mean(axis=2)


def holes(kind: str, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    if kind == "edge":
        mask[30:60, :14] = mask[30:60, -18:] = True
    elif kind == "corner":
        mask[:12, :14] = mask[-9:, :14] = mask[:12, -11:] = mask[-9:, -11:] = True
    elif kind == "band":
        mask[40:58] = True
    elif kind == "frame":
        mask[:9] = mask[-9:] = mask[:, :9] = mask[:, -9:] = True
    elif kind == "island":
        mask[:] = True
        mask[25:75, 30:100] = False
    elif kind == "spiral":  # not a ring, but no column is free of it
        y, x = np.mgrid[:height, :width]
        mask = np.abs(y - 0.5 * x - 10) < 6
    return mask


KINDS = ["edge", "corner", "band", "frame", "island", "spiral"]


def grown(mask: np.ndarray, reach: int) -> np.ndarray:
    """Pixels at most `reach` px from the mask, around the edges."""
    result = np.zeros_like(mask)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dy * dy + dx * dx <= reach * reach:
                result |= np.roll(mask, (dy, dx), (0, 1))
    return result


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [PatchMatch, SmoothFill])
def test_there_is_no_seam(kind: str, model: type[Model]) -> None:
    image, mask = waves(), holes(kind)
    (layer,) = run(image, mask, model(), tile=True, grow=2, feather=1)
    result = paste(image, layer.pixels, layer.offset)
    inside = grown(mask, 2)
    for axis in (0, 1):
        edges = rough(result, axis)
        # Every line of pixels through the hole, the first of the picture among them.
        lines = [
            edges.take(n, axis)[inside.take(n, axis) & np.roll(inside, 1, axis).take(n, axis)]
            for n in range(image.shape[axis])
        ]
        means = [line.mean() for line in lines if len(line) > 4]
        truth = rough(image, axis).mean()
        assert max(means) < 4 * truth + 3
        if len(lines[0]) > 4:
            assert lines[0].mean() < 2 * truth + 3
    (layer,) = run(np.ascontiguousarray(image), mask, model(), grow=2, feather=1)
    without = paste(image, layer.pixels, layer.offset)
    if kind in ("corner", "frame", "island"):
        assert rough(without, 1)[inside[:, 0], 0].mean() > 1.5 * rough(result, 1)[inside[:, 0], 0].mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_smooth_fill_is_smooth_everywhere(kind: str) -> None:
    image, mask = waves(), holes(kind)
    (layer,) = run(image, mask, SmoothFill(), tile=True, grow=0, feather=0)
    result = paste(image, layer.pixels, layer.offset)
    for axis in (0, 1):
        # The picture's own steps are up to 12.
        assert rough(result, axis)[mask & np.roll(mask, 1, axis)].max() < 14


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 100),
    st.integers(0, 100),
    st.sampled_from(["uint8", "float32"]),
    st.sampled_from([*KINDS, "specks"]),
    st.sampled_from([Mean, Network, Refining]),
    st.booleans(),
)
def test_it_does_not_matter_where_the_edges_are(
    seed: int, dy: int, dx: int, dtype: str, kind: str, model: type[Mean], with_source: bool
) -> None:
    rng = np.random.default_rng(seed)
    image = noise(rng, (60, 84, 4), dtype)
    mask = rng.random((60, 84)) > 0.999 if kind == "specks" else holes(kind, 60, 84)
    mask[0, 0] = True
    options = {"tile": True, "grow": 2, "feather": 1, "seed": seed}
    source = np.roll(np.arange(84) < 50, seed % 84)[None] | np.zeros((60, 1), bool) if with_source else None
    shift = (dy, dx)

    def filled(image: np.ndarray, mask: np.ndarray, source: np.ndarray | None) -> np.ndarray:
        (layer,) = run(image, mask, model(), source=source, **options)
        assert layer.offset >= (0, 0)
        assert layer.pixels.shape[0] + layer.offset[1] <= 60 and layer.pixels.shape[1] + layer.offset[0] <= 84
        return paste(image, layer.pixels, layer.offset)

    def rolled(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else np.roll(array, shift, (0, 1))

    try:
        here = filled(image, mask, source)
    except FillError as error:
        assert error.code == "no-source"
        return
    there = filled(rolled(image), rolled(mask), rolled(source))
    assert rolled(here).tobytes() == there.tobytes()
    outside = ~grown(mask, 3)
    assert here[outside].tobytes() == image[outside].tobytes()


@pytest.mark.parametrize("kind", ["corner", "frame"])
def test_patchmatch_fills_the_same_wherever_the_edges_are(kind: str) -> None:
    image, mask = waves(), holes(kind)
    here = inpaint(image, mask, "patchmatch", tile=True)
    shift = (37, 101)
    there = inpaint(np.roll(image, shift, (0, 1)), np.roll(mask, shift, (0, 1)), "patchmatch", tile=True)
    assert np.array_equal(np.roll(here, shift, (0, 1)), there)


def test_growing_and_fading_go_on_at_the_opposite_edge() -> None:
    image, mask = waves(), np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[40:50, -3:] = True
    (layer,) = run(image, mask, SmoothFill(), tile=True, grow=4, feather=2)
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = layer.offset
    alpha[y : y + layer.pixels.shape[0], x : x + layer.pixels.shape[1]] = layer.pixels[..., -1]
    assert np.array_equal(alpha == 255, grown(mask, 4))
    assert np.array_equal(alpha > 0, grown(mask, 6))
    assert (alpha[45, :4] == 255).all() and (alpha[45, 4:6] < 255).all()
    assert layer.offset[0] == 0 and layer.pixels.shape[1] == WIDTH and layer.pixels.shape[0] < 30


def test_what_is_beyond_the_edge_is_seen() -> None:
    """A hole at the left edge of a picture whose right half alone is red."""
    image = np.zeros((64, 200, 3), np.uint8)
    image[:, 130:, 0] = 255
    mask = np.zeros((64, 200), dtype=bool)
    mask[20:40, :10] = True
    model = Mean()
    run(image, mask, model, tile=True, context=20)
    ((shown, hole, _, _),) = model.seen
    assert shown[0].max() == 1 and shown.shape == (3, 20 + 2 * 6 + 2 * 20, 10 + 2 * 6 + 2 * 20)
    across = np.flatnonzero(hole.any(axis=0))
    assert (shown[0, 0, : across[0]] == 1).all() and (shown[0, 0, across[-1] + 1 :] == 0).all()


def test_what_is_to_vanish_is_not_seen_beyond_an_edge_either() -> None:
    image = np.full((60, 60, 3), 100, np.uint8)
    mask = np.zeros((60, 60), dtype=bool)
    mask[20:40, 5:50] = True
    image[mask] = 255
    for kind in (Mean, Network):
        model = kind()
        run(image, mask, model, tile=True, context=200, grow=0, feather=0)
        for shown, hole, source, _ in model.seen:
            allowed = ~hole if source is None else source & ~hole
            assert np.abs(shown[:, allowed] - 100 / 255).max() < 1e-5


@pytest.mark.parametrize("kind", ["edge", "frame", "island"])
def test_only_the_source_is_used_around_the_edges_too(kind: str) -> None:
    """All but the source is red; the source is blue, and lies across an edge where it can."""
    rng = np.random.default_rng(0)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0] = rng.integers(150, 250, (HEIGHT, WIDTH))
    source = np.zeros((HEIGHT, WIDTH), dtype=bool)
    source[60:80, :30] = source[60:80, -30:] = True
    if kind == "island":
        source[30:70, 35:70] = True
    image[source] = image[source][:, ::-1]
    mask = holes(kind)
    result = inpaint(image, mask, "patchmatch", source=source, tile=True, grow=0, feather=0)
    assert (result[mask][:, 2] > result[mask][:, 0]).mean() > 0.8
    deep = ~grown(~mask, 5)
    assert (result[deep][:, 0] < 40).all()


@pytest.fixture(scope="module", params=sorted(models.MODELS))
def model(request: pytest.FixtureRequest) -> Model:
    from networks import random_network

    if request.param in models.CARDS:
        return random_network(request.param)
    if request.param in ("telea", "navier-stokes"):
        pytest.importorskip("cv2")
    return models.load(request.param)


QUICK = {"patch-synthesis": {"content": "smooth", "iterations": 1, "rotation": 0, "scaling": 0}}


def test_every_model_fills_tiles(model: Model) -> None:
    image, mask = waves(48, 64), np.zeros((48, 64), dtype=bool)
    mask[20:30, :5] = mask[20:30, -6:] = True
    params = {param.name: param.default for param in (*PARAMS, *model.card.params)}
    params.update(QUICK.get(model.card.name, {}), tile=True, grow=1, feather=1)
    request = Request(image, mask, model.card.name, params)
    (layer,) = fill(request, lambda name: model)
    result = paste(image, layer.pixels, layer.offset)
    outside = ~grown(mask, 2)
    assert np.array_equal(result[outside], image[outside])
    assert not np.array_equal(result, image)


def test_two_holes_at_both_sides_of_an_edge_are_filled_together() -> None:
    image, mask = waves(), np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[30:40, :8] = mask[30:40, -8:] = True
    model = Mean()
    run(image, mask, model, tile=True)
    assert len(model.seen) == 1
    model = Mean()
    run(image, mask, model)
    assert len(model.seen) == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (5, 3), (17, 90)])
def test_every_size(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*shape, 3), np.uint8)
    mask = np.zeros(shape, dtype=bool)
    mask.flat[: max(1, mask.size // 3)] = True
    for model in (Mean(), Network(), PatchMatch(), SmoothFill()):
        if mask.all():
            with pytest.raises(FillError):
                run(image, mask, model, tile=True, grow=0, feather=0)
            continue
        (layer,) = run(image, mask, model, tile=True, grow=0, feather=0)
        result = paste(image, layer.pixels, layer.offset)
        assert np.array_equal(result[~mask], image[~mask])


def test_guidance_goes_on_at_the_opposite_edge() -> None:
    image, mask = waves(), holes("edge")
    sketch = np.zeros((HEIGHT, WIDTH), np.uint8)
    sketch[44:46, -10:] = sketch[44:46, :10] = 255

    class Following(Network):
        card = replace(Network.card, max_pixels=0)

    model = Following()
    run(image, mask, model, tile=True, guidance={"sketch": sketch}, context=25, grow=0, feather=0)
    ((_, hole, _, guidance),) = model.seen
    drawn = guidance["sketch"][0] > 0
    columns = np.flatnonzero(drawn.any(axis=0))
    assert drawn.sum() == 40 and columns[-1] - columns[0] == 19 and hole[drawn].all()


def test_progress_rises_and_cancel_is_heard_while_a_cut_is_closed() -> None:
    told: list[float] = []
    image, mask = waves(), holes("frame")
    request = Request(image, mask, "patchmatch", {"tile": True})
    fill(request, lambda name: PatchMatch(), lambda fraction, stage: told.append(fraction))
    assert told == sorted(told) and told[0] == 0 and told[-1] == 1 and len(set(told)) > 20
    with pytest.raises(Cancelled):
        fill(request, lambda name: PatchMatch(), None, lambda: bool(told) and len(told) > 5)

    class Slow(Mean):
        """Is cancelled in its second fill."""

        card = Card("slow", "Slow", "", takes_source=True)

    model = Slow()
    with pytest.raises(Cancelled):
        fill(request, lambda name: model, None, lambda: len(model.seen) > 1)
    assert len(model.seen) == 2


def test_clients_send_the_whole_canvas() -> None:
    from backend.client import form
    from backend.wire.geometry import Rect

    canvas, selection = Rect(-10, 5, 900, 700), Rect(100, 100, 20, 20)
    card = asdict(PatchMatch.card)
    values = {param.name: param.default for param in PARAMS}
    assert form.region(selection, canvas, card, {**values, "tile": True}) == canvas
    assert form.region(selection, canvas, card, values) != canvas
    assert form.region(Rect(5000, 0, 9, 9), canvas, card, {**values, "tile": True}).empty


def test_the_commands_take_it(tmp_path: Path) -> None:
    image, mask = waves(48, 64), np.zeros((48, 64), dtype=bool)
    mask[20:30, :5] = mask[20:30, -6:] = True
    (tmp_path / "in").mkdir()
    Image.fromarray(image).save(tmp_path / "in" / "wall.png")
    Image.fromarray(mask).save(tmp_path / "in" / "wall_mask.png")
    expected = inpaint(image, mask, "smooth", tile=True)
    assert not np.array_equal(expected, inpaint(image, mask, "smooth"))
    calls = [
        ["run", tmp_path / "in" / "wall.png", tmp_path / "in" / "wall_mask.png", "-o", tmp_path / "wall.png"],
        ["batch", tmp_path / "in", tmp_path / "out"],
    ]
    for call in calls:
        arguments = [str(part) for part in (*call, "--model", "smooth", "--tile", "--quiet")]
        answer = CliRunner().invoke(main, arguments)
        assert answer.exit_code == 0, answer.output
    for path in (tmp_path / "wall.png", tmp_path / "out" / "wall.png"):
        assert np.array_equal(np.asarray(Image.open(path)), expected)
