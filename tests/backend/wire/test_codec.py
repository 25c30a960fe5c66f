"""Messages to frames and back, and what is made of frames that are none."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.wire import codec
from backend.wire.errors import BAD_MESSAGE, VERSION, InpaintError
from backend.wire.messages import MAX_BUFFERS, MAX_HEADER_BYTES, PROTOCOL, Buffer, Message, error, new_id
from backend.wire.pixels import SAMPLE_BYTES

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
OWN = ("v", "type", "id", "buffers")
fields = st.dictionaries(st.text(max_size=12).filter(lambda key: key not in OWN), plain, max_size=5)


@st.composite
def some_buffers(draw: Any) -> dict[str, Buffer]:
    buffers = {}
    for name in draw(st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=4)):
        shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
        dtype = draw(st.sampled_from(sorted(SAMPLE_BYTES)))
        size = SAMPLE_BYTES[dtype]
        for side in shape:
            size *= side
        data = draw(st.binary(min_size=size, max_size=size))
        buffers[name] = Buffer(shape, dtype, draw(st.sampled_from([bytes, bytearray, memoryview]))(data))
    return buffers


@settings(deadline=None)
@given(
    kind=st.text(min_size=1, max_size=64),
    id=st.text(min_size=1, max_size=64),
    fields=fields,
    buffers=some_buffers(),
)
def test_a_message_survives_the_journey(
    kind: str, id: str, fields: dict[str, Any], buffers: dict[str, Buffer]
) -> None:
    sent = Message(kind, id, fields, buffers)
    frames = codec.encode(sent)
    assert len(frames) == 1 + len(buffers)
    got = codec.decode([bytes(frame) for frame in frames])
    assert (got.type, got.id, got.fields) == (kind, id, fields)
    assert list(got.buffers) == list(buffers)
    for name, buffer in buffers.items():
        assert got.buffers[name] == Buffer(buffer.shape, buffer.dtype, bytes(buffer.data))


def test_buffers_are_not_copied() -> None:
    data = bytearray(12)
    frames = codec.encode(Message("inpaint", "1", {}, {"image": Buffer((2, 2, 3), "u1", data)}))
    assert frames[1] is data
    assert codec.decode([bytes(frames[0]), data]).buffers["image"].data is data


@pytest.mark.parametrize(
    "buffer",
    [
        Buffer((2, 2), "u1", b"123"),
        Buffer((2, 2), "u2", b"1234"),
        Buffer((2, 2), "u1", memoryview(bytes(8))[::2]),
    ],
    ids=["short", "other-type", "with-gaps"],
)
def test_a_buffer_that_is_not_what_it_says_is_not_sent(buffer: Buffer) -> None:
    with pytest.raises(ValueError):
        codec.encode(Message("inpaint", "1", {}, {"image": buffer}))


def header(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {"v": list(PROTOCOL), "type": "inpaint", "id": "job", "buffers": []}
    known.update(changes)
    return {key: value for key, value in known.items() if value is not ...}


def described(**changes: Any) -> dict[str, Any]:
    entry = {"name": "image", "shape": [2, 2], "dtype": "u1", **changes}
    return header(buffers=[{key: value for key, value in entry.items() if value is not ...}])


BAD_HEADERS = [
    (header(v=...), []),
    (header(v="1.0"), []),
    (header(v=[]), []),
    (header(v=["1", 0]), []),
    (header(v=[True, 0]), []),
    (header(type=...), []),
    (header(type=""), []),
    (header(type="x" * 65), []),
    (header(type=7), []),
    (header(id=...), []),
    (header(id=""), []),
    (header(id="x" * 65), []),
    (header(id=3), []),
    (header(buffers={}), []),
    (header(buffers="image"), []),
    (header(buffers=[{}] * (MAX_BUFFERS + 1)), [b""] * (MAX_BUFFERS + 1)),
    (header(buffers=[7]), [b"x"]),
    (header(), [b"not described"]),
    (described(), []),
    (described(), [b"1234", b"1234"]),
    (described(), [b"123"]),
    (described(), [b"12345"]),
    (described(name=...), [b"1234"]),
    (described(name=1), [b"1234"]),
    (described(name="x" * 65), [b"1234"]),
    (described(dtype="u2"), [b"1234"]),
    (described(dtype="f8"), [b"1234"]),
    (described(dtype=["u1"]), [b"1234"]),
    (described(shape=4), [b"1234"]),
    (described(shape=[]), [b"1"]),
    (described(shape=[1, 1, 2, 2]), [b"1234"]),
    (described(shape=[4, True]), [b"1234"]),
    (described(shape=[4.0]), [b"1234"]),
    (described(shape=[-2, -2]), [b"1234"]),
    (described(shape=[0, 4]), [b""]),
    (described(shape=[2**31, 2**31, 2**31]), [b"1234"]),
    (described(shape=[2**63, 2]), [b"1234"]),
    (header(buffers=[{"name": "a", "shape": [1], "dtype": "u1"}] * 2), [b"1", b"1"]),
]


@pytest.mark.parametrize(("said", "buffers"), BAD_HEADERS, ids=range(len(BAD_HEADERS)))
def test_a_header_that_makes_no_sense_is_refused(said: dict[str, Any], buffers: list[bytes]) -> None:
    with pytest.raises(InpaintError) as caught:
        codec.decode([msgpack.packb(said), *buffers])
    assert caught.value.code == BAD_MESSAGE
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [b"\xc1"],
        [b"GET / HTTP/1.1\r\n\r\n"],
        [msgpack.packb([1, 2])],
        [msgpack.packb({1: 2})],
        [msgpack.packb(header())[:-2]],
        [msgpack.packb(header()) + b"\0"],
        [b"\x91" * 100_000],
        [b"\xdf\xff\xff\xff\xff"],
        [bytes(MAX_HEADER_BYTES + 1)],
        [msgpack.packb({"v": msgpack.ExtType(5, b"x")})],
    ],
    ids=range(12),
)
def test_frames_that_hold_no_header_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(InpaintError) as caught:
        codec.decode(frames)
    assert caught.value.code == BAD_MESSAGE and caught.value.id == ""  # type: ignore[attr-defined]


@settings(deadline=None)
@given(frames=st.lists(st.binary(max_size=60) | plain.map(msgpack.packb), max_size=4))
def test_noise_is_a_bad_message_and_nothing_else(frames: list[bytes]) -> None:
    with pytest.raises(InpaintError):
        codec.decode(frames)


@settings(deadline=None)
@given(key=st.sampled_from(OWN), value=plain)
def test_any_field_may_be_anything(key: str, value: Any) -> None:
    try:
        codec.decode([msgpack.packb(header(**{key: value}))])
    except InpaintError as problem:
        assert problem.code in (BAD_MESSAGE, VERSION)


def test_another_major_version_is_refused_whatever_else_it_says() -> None:
    for major, older in ((PROTOCOL[0] + 1, "receiver"), (PROTOCOL[0] - 1, "sender")):
        said = {"v": [major, 7], "id": "its id", "kind": "of another world"}
        with pytest.raises(InpaintError) as caught:
            codec.decode([msgpack.packb(said), b"", b""])
        assert caught.value.code == VERSION and older in caught.value.hint
        assert caught.value.id == "its id"  # type: ignore[attr-defined]


def test_a_higher_minor_version_and_unknown_fields_are_fine() -> None:
    said = header(v=[PROTOCOL[0], PROTOCOL[1] + 9], invented=[1, 2])
    assert codec.decode([msgpack.packb(said)]).fields == {"invented": [1, 2]}


def test_an_error_comes_out_as_it_went_in() -> None:
    problem = InpaintError("no-source", "Nothing to fill from.", "Select less.")
    got = InpaintError.from_fields(codec.decode(codec.encode(error("7", problem))).fields)
    assert (got.code, got.message, got.hint) == (problem.code, problem.message, problem.hint)
    assert str(got) == "Nothing to fill from. Select less."
    assert InpaintError.from_fields({}).code == "internal"


def test_ids_differ() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000 and all(1 <= len(id) <= 64 for id in ids)
