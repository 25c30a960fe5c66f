"""Marks and mosaics as selections: by the pipeline, and from a real backend."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pixelated import pixelated
from talking import buffer, session

from backend import pipeline
from backend.batch import holes
from backend.batch.folder import Pair
from backend.client import form, words
from backend.client.session import Failure, Progress, Selected, SelectRequest, SketchRequest
from backend.wire.errors import InpaintError
from backend.wire.messages import Buffer, Message, check_select
from models.base import Cancelled, FillError
from models.training.comics import page

REAL_WORKER = [sys.executable, "-m", "backend.worker"]
MARKS = ((70, 80, 30, 18), (150, 180, 22, 34))  # x, y of the centre, half axes
MOSAIC = (slice(60, 140), slice(50, 130))
CELL = 8


def art() -> np.ndarray:
    """A drawn page in colour; no green in it."""
    return page(240, 260, np.random.default_rng(9), True)


def marked(picture: np.ndarray) -> np.ndarray:
    """With two green marks whose rims are anti-aliased."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    result = picture.astype(float)
    for left, top, wide, high in MARKS:
        inside = 1 - np.hypot((x - left) / wide, (y - top) / high)
        share = np.clip(inside * min(wide, high) + 0.5, 0, 1)[..., None]
        result = result * (1 - share) + np.array((0, 255, 0)) * share
    return np.rint(result).astype(np.uint8)


def batch_mask(path: Path, picture: np.ndarray, **asked: Any) -> np.ndarray:
    """What a folder's run takes as mask."""
    Image.fromarray(picture).save(path)
    mask = holes.look(Pair(path.name, path), holes.Request(**asked)).mask
    assert mask is not None
    return mask


def laid(found: pipeline.Selection, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape[:2], bool)
    left, top = found.offset
    mask[top : top + found.mask.shape[0], left : left + found.mask.shape[1]] = found.mask
    return mask


# -- the selection ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tolerance", [0, 16, 40])
def test_marks_are_what_a_folder_s_run_takes(tmp_path: Path, tolerance: int) -> None:
    picture = marked(art())
    wanted = batch_mask(tmp_path / "page.png", picture, colour=(0, 255, 0), tolerance=tolerance)
    found = pipeline.select(picture, {"tolerance": tolerance})
    assert np.array_equal(laid(found, picture.shape), wanted) and found.count == 2
    assert found.mask[0].any() and found.mask[:, -1].any()  # cropped
    assert wanted.sum() > (picture == (0, 255, 0)).all(axis=2).sum()  # with the rims


def test_mosaics_are_those_that_a_folder_s_run_finds(tmp_path: Path) -> None:
    picture = pixelated(art(), MOSAIC, CELL)
    wanted = batch_mask(tmp_path / "page.png", picture, find=True)
    found = pipeline.select(picture, {"what": "mosaics"})
    assert np.array_equal(laid(found, picture.shape), wanted) and found.count == 1
    assert wanted[MOSAIC].mean() > 0.95 and wanted.sum() < 1.1 * wanted[MOSAIC].size


def test_a_setting_for_each_thing_that_a_folder_s_run_can_be_told() -> None:
    picture = marked(art())
    picture[5:7, 5:7] = (0, 255, 0)
    assert pipeline.select(picture).count == 3
    assert pipeline.select(picture, {"smallest": 25}).count == 2
    swapped = picture[..., [1, 0, 2]]
    for red in ("ff0000", "#FF0000", "f00"):
        assert pipeline.select(swapped, {"colour": red}).count == 3


def test_what_looks_wrong_is_said_without_the_command_line_s_words() -> None:
    picture = marked(art())
    picture[5:9, 5:95] = (90, 250, 90)
    (doubt,) = pipeline.select(picture).doubts
    assert "360 pixels nearly have the marks' colour" in doubt and "raise the tolerance" in doubt
    assert "--" not in doubt


@pytest.mark.parametrize(
    ("picture", "params", "code", "said"),
    [
        (art(), {}, "empty-mask", "No pixel has the marks' colour"),
        (art(), {"what": "mosaics"}, "empty-mask", "certain to be a mosaic"),
        (marked(art()), {"colour": "fill"}, "bad-param", "'fill' is no colour"),
        (np.full((40, 40, 3), (0, 255, 0), np.uint8), {}, "no-source", "100% of the picture"),
        (np.zeros((0, 3, 3), np.uint8), {}, "bad-image", "no pixels"),
    ],
)
def test_what_cannot_be_selected_is_told(
    picture: np.ndarray, params: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(FillError) as caught:
        pipeline.select(picture, params)
    assert caught.value.code == code and said in caught.value.message and caught.value.hint


def test_what_is_transparent_is_no_part_of_the_picture() -> None:
    picture = np.zeros((40, 40, 4), np.uint8)
    picture[4:10, 4:10] = (0, 255, 0, 255)
    with pytest.raises(FillError, match="100% of the picture"):
        pipeline.select(picture)
    picture[20:30, 4:10] = (90, 80, 70, 255)
    assert pipeline.select(picture).offset == (4, 4)


def test_it_stops_when_told_to() -> None:
    with pytest.raises(Cancelled):
        pipeline.select(marked(art()), cancel=lambda: True)


# -- what editors show -----------------------------------------------------------------------------------


def test_the_form_s_fields_are_the_backend_s_settings() -> None:
    own = [asdict(param) for param in pipeline.SELECT_PARAMS if param.name != "what"]
    for field, spec in zip(form.MARKS, own, strict=True):
        for name in ("name", "default", "title", "help", "minimum", "maximum", "unit"):
            assert field[name] == spec[name], (field["name"], name)


@pytest.mark.parametrize(
    ("count", "doubts", "what", "said"),
    [
        (1, [], "colour", "1 mark is selected."),
        (3, ["Thirty more nearly are."], "colour", "3 marks are selected.\n\nThirty more nearly are."),
        (2, ["One.", "Two."], "mosaics", "2 mosaics are selected.\n\nOne.\nTwo."),
    ],
)
def test_what_was_found_in_words(count: int, doubts: list[str], what: str, said: str) -> None:
    found = Selected("job", count, (0, 0), Buffer((1, 1), "u1", b"\xff"), doubts)
    assert words.selected(found, what) == said


# -- a real backend --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def backend(start_for_module: Callable[..., Any]) -> Iterator[Any]:
    yield start_for_module(worker_command=REAL_WORKER)


def request(picture: np.ndarray, layout: str = "RGB", **params: Any) -> SelectRequest:
    return SelectRequest(layout, buffer(picture), params, offset=(1000, -20))


@pytest.mark.parametrize("prefer", ["zmq", "zmtp"])
def test_a_session_selects(backend: Any, prefer: str) -> None:
    picture = marked(art())
    wanted = pipeline.select(picture, {"tolerance": 20})
    bgra = np.dstack([picture[..., ::-1], np.full(picture.shape[:2], 255, np.uint8)])
    with session(backend, prefer) as talk:
        told: list[Progress] = []
        for sent, layout in ((picture, "RGB"), (bgra, "BGRA"), (bgra.astype(np.uint16) * 257, "BGRA")):
            found = talk.select(request(sent, layout, tolerance=20), told.append)
            assert (found.count, found.doubts) == (2, list(wanted.doubts))
            assert found.offset == (1000 + wanted.offset[0], wanted.offset[1] - 20)
            assert bytes(found.mask.data) == (wanted.mask * np.uint8(255)).tobytes()
            assert tuple(found.mask.shape) == wanted.mask.shape
        assert told
        mosaics = talk.select(request(pixelated(art(), MOSAIC, CELL), what="mosaics"))
        assert mosaics.count == 1


def test_what_goes_wrong_is_told_and_the_next_is_found(backend: Any) -> None:
    picture = marked(art())
    with session(backend, "zmq") as talk:
        for wrong, code in (
            (request(art()), "empty-mask"),
            (request(picture, tolerance=300), "bad-param"),
            (request(picture, what="faces"), "bad-param"),
            (request(picture, detail=3), "bad-param"),
            (request(picture, "CMYK"), "bad-image"),
        ):
            with pytest.raises(InpaintError) as caught:
                talk.select(wrong)
            assert caught.value.code == code and caught.value.message
        assert talk.select(request(picture)).count == 2
        sketch = SketchRequest("RGB", request(picture).image)
        jobs = [talk.submit(sketch), talk.submit(request(picture))]
        talk.cancel(jobs[1])
        ended: dict[str, Any] = {}
        while len(ended) < 2:
            news = talk.poll(30)
            assert news is not None
            if not isinstance(news, Progress):
                ended[news.job] = news
        assert isinstance(ended[jobs[1]], Failure) and ended[jobs[1]].error.code == "cancelled"


def test_a_request_with_more_than_a_picture_is_refused() -> None:
    message = request(marked(art())).message("id")
    check_select(message)
    message.buffers["mask"] = Buffer((2, 2), "u1", b"1234")
    with pytest.raises(InpaintError, match="'mask' is not known"):
        check_select(message)
    with pytest.raises(InpaintError, match="no image"):
        check_select(Message("select", "id", {"image": {"layout": "RGB"}}))
