"""What an `inpaint` request must look like before anything is allocated for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from backend.wire.errors import BAD_IMAGE, BAD_MESSAGE, TOO_LARGE, InpaintError
from backend.wire.messages import MAX_FRAME_BYTES, MAX_PIXELS, Buffer, Message, check_inpaint, check_sketch
from backend.wire.pixels import LAYOUTS, REPLY_LAYOUTS, SAMPLE_BYTES


def request(
    fields: Mapping[str, Any] = MappingProxyType({}),
    buffers: Mapping[str, Any] = MappingProxyType({}),
    width: int = 5,
    height: int = 3,
) -> Message:
    known: dict[str, Any] = {
        "model": "auto",
        "params": {"grow": 4},
        "image": {"layout": "RGB"},
        "offset": [-7, 9],
    }
    known.update(fields)
    given: dict[str, Any] = {
        "image": Buffer((height, width, 3), "u1", b""),
        "mask": Buffer((height, width), "u1", b""),
    }
    given.update(buffers)
    return Message(
        "inpaint",
        "1",
        {key: value for key, value in known.items() if value is not ...},
        {key: value for key, value in given.items() if value is not ...},
    )


def test_good_requests_pass() -> None:
    check_inpaint(request())
    check_inpaint(request({"params": ..., "offset": ...}))
    check_inpaint(request(buffers={"source": Buffer((3, 5), "u1", b"")}))
    check_inpaint(request(buffers={"guide:sketch": Buffer((3, 5, 4), "u1", b"")}))
    for mask in ("u1", "u2", "f4"):
        check_inpaint(request(buffers={"mask": Buffer((3, 5), mask, b"")}))
    for layout, channels in LAYOUTS.items():
        for dtype in SAMPLE_BYTES:
            image = Buffer((3, 5, channels), dtype, b"")
            check_inpaint(request({"image": {"layout": layout}}, {"image": image}))
    side = Buffer((1, MAX_PIXELS, 3), "u1", b"")
    check_inpaint(request(buffers={"image": side, "mask": Buffer((1, MAX_PIXELS), "u1", b"")}))


@pytest.mark.parametrize(
    "fields",
    [
        {"model": ...},
        {"model": 7},
        {"params": [1]},
        {"params": {"grow": [4]}},
        {"params": {"grow": None}},
        {"offset": [1]},
        {"offset": [0.5, 0]},
        {"offset": [2**31, 0]},
        {"offset": "0,0"},
        {"offset": [True, False]},
    ],
)
def test_bad_fields(fields: dict[str, Any]) -> None:
    with pytest.raises(InpaintError) as caught:
        check_inpaint(request(fields))
    assert caught.value.code == BAD_MESSAGE


@pytest.mark.parametrize(
    ("fields", "buffers"),
    [
        ({"image": ...}, {}),
        ({"image": "RGB"}, {}),
        ({"image": {}}, {}),
        ({"image": {"layout": "CMYK"}}, {}),
        ({"image": {"layout": ["RGB"]}}, {}),
        ({"image": {"layout": "RGBA"}}, {}),
        ({}, {"image": ...}),
        ({}, {"mask": ...}),
        ({}, {"image": Buffer((3, 5), "u1", b"")}),
        ({}, {"image": Buffer((15,), "u1", b"")}),
        ({}, {"image": Buffer((3, 5, 4), "u1", b"")}),
        ({}, {"mask": Buffer((5, 3), "u1", b"")}),
        ({}, {"mask": Buffer((3, 5, 1), "u1", b"")}),
        ({}, {"mask": Buffer((15,), "u1", b"")}),
        ({}, {"mask": Buffer((3, 5), "f2", b"")}),
        ({}, {"source": Buffer((3, 5), "u2", b"")}),
        ({}, {"source": Buffer((3, 4), "u1", b"")}),
        ({}, {"guide:sketch": Buffer((3, 5), "u1", b"")}),
        ({}, {"guide:sketch": Buffer((3, 5, 5), "u1", b"")}),
        ({}, {"guide:sketch": Buffer((4, 5, 3), "u1", b"")}),
        ({}, {"sketch": Buffer((3, 5, 3), "u1", b"")}),
    ],
)
def test_bad_pictures(fields: dict[str, Any], buffers: dict[str, Any]) -> None:
    with pytest.raises(InpaintError) as caught:
        check_inpaint(request(fields, buffers))
    assert caught.value.code == BAD_IMAGE and caught.value.message.endswith(".")


def test_too_many_pixels() -> None:
    height = MAX_PIXELS // 1000 + 1
    with pytest.raises(InpaintError) as caught:
        check_inpaint(request(width=1000, height=height))
    assert caught.value.code == TOO_LARGE


def test_the_largest_picture_fits_a_frame() -> None:
    assert MAX_PIXELS * max(LAYOUTS.values()) * max(SAMPLE_BYTES.values()) <= MAX_FRAME_BYTES


def test_replies_have_alpha() -> None:
    assert set(REPLY_LAYOUTS) == set(LAYOUTS)
    for layout, reply in REPLY_LAYOUTS.items():
        assert reply.endswith("A") and reply.startswith(layout.rstrip("A"))


def test_a_sketch_needs_a_picture_only() -> None:
    image = Buffer((3, 5, 3), "u1", b"")

    def ask(buffers: dict[str, Buffer], **fields: object) -> None:
        check_sketch(Message("sketch", "id", {"image": {"layout": "RGB"}, **fields}, buffers))

    ask({"image": image})
    ask({"image": image, "mask": Buffer((3, 5), "f4", b"")}, params={"detail": 7}, offset=[-4, 9])
    for buffers, fields in (
        ({}, {}),
        ({"image": Buffer((3, 5, 4), "u1", b"")}, {}),
        ({"image": image, "mask": Buffer((3, 4), "u1", b"")}, {}),
        ({"image": image, "source": Buffer((3, 5), "u1", b"")}, {}),
        ({"image": image, "guide:sketch": Buffer((3, 5, 4), "u1", b"")}, {}),
        ({"image": image}, {"params": {"detail": [1]}}),
        ({"image": image}, {"offset": [1]}),
        ({"image": image}, {"image": {"layout": "CMYK"}}),
    ):
        with pytest.raises(InpaintError) as caught:
            ask(buffers, **fields)
        assert caught.value.code in ("bad-image", "bad-message")
