"""ZMTP's bytes: whatever pieces they arrive in, the frames are the same."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.client.zmtp_frames import (
    COMMAND,
    GREETING,
    LONG,
    MORE,
    FrameReader,
    Malformed,
    check_greeting,
    command,
    frame_header,
    greeting,
    hello,
    metadata,
    parse_command,
    parse_metadata,
)

bodies = st.binary(max_size=300) | st.integers(0, 200_000).map(bytes)


def feed(reader: FrameReader, data: bytes, sizes: list[int]) -> list[Any]:
    """The frames that come out when `data` arrives in pieces of at most these sizes, over and over."""
    frames: list[Any] = []
    at = turn = 0
    while at < len(data):
        space = reader.space()
        count = min(len(space), sizes[turn % len(sizes)], len(data) - at)
        assert count > 0
        space[:count] = data[at : at + count]
        space.release()
        frames.extend(reader.filled(count))
        at, turn = at + count, turn + 1
    return frames


@settings(deadline=None)
@given(
    parts=st.lists(st.tuples(bodies, st.booleans()), max_size=6),
    sizes=st.lists(st.integers(1, 100_000), min_size=1, max_size=5),
)
def test_frames_in_any_pieces(parts: list[tuple[bytes, bool]], sizes: list[int]) -> None:
    data = greeting("PLAIN") + b"".join(frame_header(len(body), more) + body for body, more in parts)
    first, *frames = feed(FrameReader(200_000), data, [*sizes, 50_000])
    assert first.flags == GREETING and bytes(first.body) == greeting("PLAIN")
    assert [(bytes(body), bool(flags & MORE)) for flags, body in frames] == parts


def test_the_limit_may_rise_between_two_frames() -> None:
    reader = FrameReader(10)
    data = greeting("NULL") + command(b"READY") + frame_header(1000) + bytes(1000)
    seen = []
    space = reader.space()
    space[: len(data)] = data
    for frame in reader.filled(len(data)):
        seen.append(frame.flags)
        if frame.flags & COMMAND:
            reader.limit = 1000
    assert seen == [GREETING, COMMAND, LONG]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">BQ", LONG, 1001),
        struct.pack(">BQ", LONG, 2**64 - 1),
        b"\x08\x01x",
        b"\x80\x00",
        bytes([COMMAND | MORE, 0]),
    ],
)
def test_a_frame_that_cannot_be_is_refused_by_its_header(data: bytes) -> None:
    with pytest.raises(Malformed):
        feed(FrameReader(1000), greeting("NULL") + data, [10_000])


def test_another_protocol_is_known_by_its_first_byte() -> None:
    with pytest.raises(Malformed):
        feed(FrameReader(1000), b"S", [1])


def test_greetings() -> None:
    said = bytearray(greeting("PLAIN"))
    assert len(said) == 64 and said[0] == 0xFF and said[10:12] == b"\3\1"
    check_greeting(said, "PLAIN")
    for at, value in ((0, 0), (9, 0x7E), (10, 2), (12, ord("C"))):
        other = bytearray(said)
        other[at] = value
        with pytest.raises(Malformed):
            check_greeting(other, "PLAIN")


@given(
    properties=st.dictionaries(
        st.text("abc-XYZ", min_size=1, max_size=20), st.binary(max_size=300), max_size=4
    ).filter(lambda found: len({key.lower() for key in found}) == len(found))
)
def test_metadata_survives(properties: dict[str, bytes]) -> None:
    expected = {name.lower(): value for name, value in properties.items()}
    assert parse_metadata(metadata(properties)) == expected


@given(data=st.binary(max_size=40))
def test_metadata_from_a_stranger_is_read_or_refused(data: bytes) -> None:
    try:
        found = parse_metadata(data)
    except Malformed:
        return
    assert sum(5 + len(name) + len(value) for name, value in found.items()) <= len(data)


def test_commands() -> None:
    body = bytearray(hello("me", "pässword")[2:])
    assert parse_command(body) == (b"HELLO", b"\2me\x09p\xc3\xa4ssword")
    assert parse_command(bytearray(b"\5READY")) == (b"READY", b"")
    assert parse_command(bytearray(b"^RROR\x03400")) == (b"ERROR", b"\x03400")  # libzmq's own way
    for broken in (b"", b"\0", b"\5REA"):
        with pytest.raises(Malformed):
            parse_command(bytearray(broken))
