"""Lines of a picture as a layer: from Python, from the command line, and from a real backend."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from talking import buffer, session

from backend import pipeline
from backend.api import sketch
from backend.cli import main
from backend.client import form
from backend.client.session import Failure, Progress, SketchRequest
from backend.wire.errors import InpaintError
from backend.wire.geometry import Rect
from models.base import Cancelled

REAL_WORKER = [sys.executable, "-m", "backend.worker"]


def scene(height: int = 200, width: int = 260) -> np.ndarray:
    """Two disks on gray, RGB."""
    y, x = np.mgrid[:height, :width]
    picture = np.full((height, width, 3), 110, np.uint8)
    picture[np.hypot(y - 90, x - 80) < 40] = (220, 60, 50)
    picture[np.hypot(y - 110, x - 190) < 30] = (60, 70, 220)
    return picture


def box_mask(shape: tuple[int, ...], rect: Rect) -> np.ndarray:
    mask = np.zeros(shape[:2], np.uint8)
    mask[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width] = 255
    return mask


# -- the layer -------------------------------------------------------------------------------------------


def test_the_lines_of_the_masked_part_come_as_black_on_nothing() -> None:
    picture = scene()
    mask = box_mask(picture.shape, Rect(30, 40, 100, 100))
    layer = sketch(picture, mask)
    assert layer.offset == (30, 40) and layer.pixels.shape == (100, 100, 4) and layer.model == "gradients"
    assert not layer.pixels[..., :3].any() and set(np.unique(layer.pixels[..., 3])) == {0, 255}
    y, x = np.nonzero(layer.pixels[..., 3])
    assert np.abs(np.hypot(y + 40 - 90, x + 30 - 80) - 40).max() < 3
    assert len(y) > 180


@pytest.mark.parametrize(("channels", "dtype"), [(0, "uint8"), (2, "uint16"), (3, "float32"), (4, "float16")])
def test_a_layer_is_of_the_kind_of_its_picture(channels: int, dtype: str) -> None:
    unit = np.iinfo(dtype).max if dtype[0] == "u" else 1.0
    picture = (scene()[..., :1] / 255 * unit).astype(dtype)
    if channels == 0:
        picture = picture[..., 0]
    else:
        picture = np.repeat(picture, channels, 2)
        if channels in (2, 4):
            picture[..., -1] = unit
    layer = sketch(picture)
    assert layer.pixels.dtype == picture.dtype and layer.offset == (0, 0)
    assert layer.pixels.shape == (200, 260, 2 if channels < 3 else 4)
    assert layer.pixels[..., -1].max() == unit and not layer.pixels[..., :-1].any()


def test_what_is_beneath_transparency_is_not_drawn() -> None:
    picture = np.dstack([scene(), np.full((200, 260), 255, np.uint8)])
    picture[:, 130:, 3] = 0
    lines = sketch(picture).pixels[..., 3] > 0
    assert lines[:, :115].any() and not lines[:, 140:].any()


def test_a_crop_with_what_an_editor_sends_gives_the_same_lines() -> None:
    picture = np.kron(scene(), np.ones((3, 3, 1), np.uint8))
    part = Rect(300, 150, 330, 260)
    sent = form.sketch_region(part, Rect(0, 0, picture.shape[1], picture.shape[0]))
    assert sent.width * sent.height < picture.shape[0] * picture.shape[1] * 0.8
    mask = box_mask(picture.shape, part)
    rows, columns = slice(sent.y, sent.y + sent.height), slice(sent.x, sent.x + sent.width)
    whole, crop = sketch(picture, mask), sketch(picture[rows, columns], mask[rows, columns])
    assert whole.offset == (crop.offset[0] + sent.x, crop.offset[1] + sent.y)
    assert np.array_equal(whole.pixels, crop.pixels)


def test_lines_of_a_large_picture_are_broader() -> None:
    picture = np.kron(scene(), np.ones((7, 7, 1), np.uint8))
    lines = sketch(picture).pixels[..., 3] > 0
    rows = np.flatnonzero(lines[90 * 7, : 80 * 7])
    assert 2 <= len(rows) <= 7 and abs(rows.mean() - 40 * 7) < 10


def test_detail_is_a_setting() -> None:
    picture = np.full((120, 120, 3), 110, np.uint8)
    picture[40:80, 40:80] = 122
    with pytest.raises(InpaintError, match="There are no lines in this part"):
        sketch(picture, detail=0)
    assert sketch(picture, detail=100).pixels[..., 3].any()
    for wrong in ({"detail": 101}, {"detector": "pencil"}, {"ink": "red"}):
        with pytest.raises(InpaintError) as caught:
            sketch(picture, **wrong)
        assert caught.value.code == "bad-param"


def test_what_cannot_be_drawn_is_told() -> None:
    for picture, mask, code in (
        (scene(), np.zeros((200, 260), bool), "empty-mask"),
        (scene(), np.ones((20, 26), bool), "bad-image"),
        (scene().astype(np.int64), None, "bad-image"),
    ):
        with pytest.raises(InpaintError) as caught:
            sketch(picture, mask)
        assert caught.value.code == code
    with pytest.raises(InpaintError) as caught:
        sketch(scene(), detector="hed")
    assert caught.value.code == "no-weights" and "models get hed" in caught.value.hint


def test_it_tells_how_far_it_is_and_stops_when_told_to() -> None:
    told: list[float] = []
    pipeline.sketch(scene(), progress=lambda part, stage: told.append(part))
    assert told == sorted(told) and told[-1] == 1
    with pytest.raises(Cancelled):
        pipeline.sketch(scene(), cancel=lambda: True)


# -- the command -----------------------------------------------------------------------------------------


def call(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_writes_a_layer_of_the_picture_s_size(tmp_path: Path) -> None:
    picture, mask = scene(), box_mask((200, 260), Rect(30, 40, 100, 100))
    Image.fromarray(picture).save(tmp_path / "photo.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    result = call("sketch", tmp_path / "photo.png", tmp_path / "mask.png", "-o", tmp_path / "lines.png")
    assert result.exit_code == 0, result.output
    assert "lines found by gradients" in result.stdout and "models get hed" in result.stdout
    written = np.asarray(Image.open(tmp_path / "lines.png"))
    assert written.shape == (200, 260, 4)
    assert np.array_equal(written[40:140, 30:130], sketch(picture, mask).pixels)
    assert not written[mask == 0].any()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["-o", "photo.png"], 2, "is the file"),
        (["-o", "lines.jpg"], 1, "cannot hold a layer"),
        (["-o", "lines.png", "--detail", "900"], 2, "detail"),
        (["-o", "lines.png", "--detector", "hed"], 1, "ai-inpaint models get hed"),
        (["other.png", "-o", "lines.png"], 1, "The mask"),
    ],
)
def test_what_the_command_cannot_do_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(scene()).save("photo.png")
    Image.fromarray(np.full((3, 4), 255, np.uint8)).save("other.png")
    result = call("sketch", "photo.png", *options)
    assert result.exit_code == code, result.output
    assert words in result.stderr and result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.png", "photo.png"]


# -- a real backend --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def backend(start_for_module: Callable[..., Any]) -> Iterator[Any]:
    yield start_for_module(worker_command=REAL_WORKER)


def request(
    picture: np.ndarray, mask: np.ndarray | None, layout: str = "RGB", **params: Any
) -> SketchRequest:
    return SketchRequest(
        layout, buffer(picture), None if mask is None else buffer(mask), params, offset=(1000, -20)
    )


@pytest.mark.parametrize("prefer", ["zmq", "zmtp"])
def test_a_session_draws(backend: Any, prefer: str) -> None:
    picture = scene()
    mask = box_mask(picture.shape, Rect(30, 40, 100, 100))
    expected = sketch(picture, mask)
    with session(backend, prefer) as talk:
        told: list[Progress] = []
        result = talk.sketch(request(picture, mask), told.append)
        assert (result.model, result.offset, result.layout) == ("gradients", (1030, 20), "RGBA")
        ((seed, patch),) = result.candidates
        assert seed == 0 and bytes(patch.data) == expected.pixels.tobytes()
        assert told and told == sorted(told, key=lambda progress: progress.fraction)
        deep = (picture[..., ::-1] / 255).astype(np.float32)
        swapped = np.dstack([deep, np.ones((200, 260), np.float32)])
        result = talk.sketch(request(swapped, None, "BGRA", detail=60))
        assert result.layout == "BGRA" and result.candidates[0][1].shape == (200, 260, 4)
        lines = np.frombuffer(result.candidates[0][1].data, np.float32).reshape(200, 260, 4)
        straight = np.dstack([swapped[..., 2::-1], swapped[..., 3]])
        assert np.array_equal(lines, sketch(straight, detail=60).pixels)


@pytest.mark.parametrize("prefer", ["zmq", "zmtp"])
def test_what_goes_wrong_is_told_and_the_next_is_drawn(backend: Any, prefer: str) -> None:
    picture = scene()
    with session(backend, prefer) as talk:
        for wrong, code in (
            (request(picture, np.ones((3, 3), np.uint8)), "bad-image"),
            (request(picture, np.zeros((200, 260), np.uint8)), "empty-mask"),
            (request(np.full_like(picture, 7), None), "bad-image"),
            (request(picture, None, detail=-1), "bad-param"),
            (request(picture, None, detector="hed"), "no-weights"),
            (request(picture, None, "CMYK"), "bad-image"),
        ):
            with pytest.raises(InpaintError) as caught:
                talk.sketch(wrong)
            assert caught.value.code == code and caught.value.message
        assert talk.sketch(request(picture, None)).candidates


def test_a_sketch_waits_its_turn_and_can_be_cancelled(backend: Any) -> None:
    large = np.kron(scene(), np.ones((5, 5, 1), np.uint8))
    with session(backend, "zmq") as talk:
        first, second = talk.submit(request(large, None)), talk.submit(request(large, None))
        assert {entry["model"] for entry in talk.status()["jobs"]} == {"sketch"}
        talk.cancel(second)
        ended: dict[str, Any] = {}
        while len(ended) < 2:
            news = talk.poll(30)
            assert news is not None
            if not isinstance(news, Progress):
                ended[news.job] = news
        assert isinstance(ended[second], Failure) and ended[second].error.code == "cancelled"
        assert not isinstance(ended[first], Failure)
