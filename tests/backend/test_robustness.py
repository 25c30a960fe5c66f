"""Whatever is thrown at the server, it answers with an error or not at all, and serves the next client."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.wire import codec
from backend.wire.messages import PROTOCOL, Message

# What a broken client may do many times over without a word from the others.
many = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)

plain = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20)
anything = st.recursive(
    plain | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TYPES = ("hello", "models", "inpaint", "cancel", "status")


@pytest.fixture(scope="module")
def client(server: Any) -> Iterator[Any]:
    server.workers()
    yield server.client()


@pytest.fixture(autouse=True)
def the_next_good_client_is_served(server: Any) -> Iterator[None]:
    yield
    good = server.client()
    assert good.ask("hello").fields["pid"] == server.process.pid
    assert good.answer(good.inpaint(value=1)).type == "result"
    good.close()


def header(**changes: Any) -> dict[str, Any]:
    return {"v": list(PROTOCOL), "type": "hello", "id": "x", "buffers": [], **changes}


def throw(client: Any, frames: list[bytes]) -> list[Message]:
    """Send frames, and all that came back when the server has certainly read them."""
    client.socket.send_multipart(frames)
    client.send("hello", id="sentinel")
    replies = []
    while True:
        reply = codec.decode(client.socket.recv_multipart())
        if reply.id == "sentinel":
            return replies
        replies.append(reply)


def codes(replies: list[Message]) -> list[str]:
    return [reply.fields["code"] for reply in replies if reply.type == "error"]


def picture(**changes: Any) -> tuple[dict[str, Any], list[bytes]]:
    """A good request's header and buffers."""
    described = [
        {"name": "image", "shape": [6, 6, 3], "dtype": "u1"},
        {"name": "mask", "shape": [6, 6], "dtype": "u1"},
    ]
    params = {"grow": 0, "feather": 0}
    good = header(type="inpaint", model="patient", image={"layout": "RGB"}, params=params, buffers=described)
    return {**good, **changes}, [bytes(108), b"\0" * 14 + b"\1" + b"\0" * 21]


def test_the_good_request_that_is_broken_below_is_good(client: Any) -> None:
    fields, buffers = picture(id="good")
    client.socket.send_multipart([msgpack.packb(fields), *buffers])
    assert client.answer("good").type == "result"


@many
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_noise(client: Any, frames: list[bytes]) -> None:
    replies = throw(client, frames or [b""])
    assert len(replies) <= 1
    assert all(reply.type == "error" for reply in replies)


@many
@given(anything, st.lists(st.binary(max_size=20), max_size=2))
def test_msgpack_that_is_no_message(client: Any, value: Any, buffers: list[bytes]) -> None:
    assert codes(throw(client, [msgpack.packb(value), *buffers])) == ["bad-message"]


@many
@given(st.data())
def test_a_message_cut_anywhere(client: Any, data: st.DataObject) -> None:
    fields, buffers = picture()
    packed = msgpack.packb(fields)
    cut = data.draw(st.integers(0, len(packed) - 1))
    assert codes(throw(client, [packed[:cut], *buffers])) == ["bad-message"]


@many
@given(
    st.dictionaries(st.sampled_from(["v", "type", "id", "buffers"]), anything, min_size=1),
    st.sampled_from(TYPES),
)
def test_any_value_where_the_envelope_is(client: Any, changes: dict[str, Any], kind: str) -> None:
    throw(client, [msgpack.packb({**header(type=kind), **changes})])


@many
@given(
    st.dictionaries(
        st.sampled_from(["model", "params", "image", "offset", "job", "software"]), anything, min_size=1
    ),
    st.sampled_from(TYPES),
)
def test_any_value_where_the_fields_are(client: Any, changes: dict[str, Any], kind: str) -> None:
    fields, buffers = picture(type=kind)
    if kind != "inpaint":
        fields, buffers = header(type=kind), []
    throw(client, [msgpack.packb({**fields, **changes}), *buffers])


shapes = st.lists(st.integers(-2, 8) | st.sampled_from([2**31 - 1, 2**31, 2**62, 2**64 - 1]), max_size=5)
entries = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["image", "mask", "source", "guide:sketch", "guide:", "other", ""])
        | st.none(),
        "shape": shapes | anything,
        "dtype": st.sampled_from(["u1", "u2", "f2", "f4", "f8", "O", ""]) | anything,
    }
)


@many
@given(st.lists(entries, max_size=4), st.lists(st.binary(max_size=300), max_size=4))
def test_shapes_that_lie(client: Any, described: list[Any], buffers: list[bytes]) -> None:
    fields, _ = picture(buffers=described)
    (code,) = codes(throw(client, [msgpack.packb(fields), *buffers]))
    assert code in ("bad-message", "bad-image")


@many
@given(st.dictionaries(st.text(max_size=10) | st.sampled_from(["grow", "count", "seam"]), plain, max_size=4))
def test_settings_of_every_kind(client: Any, params: dict[str, Any]) -> None:
    fields, buffers = picture(params={**params, "unknown": 1})
    (code,) = codes(throw(client, [msgpack.packb(fields), *buffers]))
    assert code in ("bad-param", "bad-message")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b""], "bad-message"),
        ([b"", b"", b""], "bad-message"),
        ([b"\x81" * 100_000], "bad-message"),
        ([b"\x91" * 1_000_000], "bad-message"),
        ([b"\xdd\xff\xff\xff\xff"], "bad-message"),
        ([b"\xdf\xff\xff\xff\xff"], "bad-message"),
        ([b"\xc6\xff\xff\xff\xff"], "bad-message"),
        ([msgpack.packb(header(type="dance"))], "unknown-type"),
        ([msgpack.packb(header(v=[2, 0]))], "version"),
        ([msgpack.packb(header(v=[2, 0], type="dance"))], "version"),
        ([msgpack.packb(header(v=None))], "bad-message"),
        ([msgpack.packb(header()), b"a buffer too many"], "bad-message"),
        ([msgpack.packb(header(software="x" * 2_000_000))], "bad-message"),
        ([msgpack.packb(picture(image={"layout": "x" * 900_000})[0]), *picture()[1]], "bad-image"),
        ([msgpack.packb(picture(model="x" * 900_000)[0]), *picture()[1]], "unknown-model"),
        ([msgpack.packb(header(type="cancel"))], "bad-message"),
    ],
)
def test_a_broken_message_is_answered_with_an_error(client: Any, frames: list[bytes], code: str) -> None:
    assert codes(throw(client, frames)) == [code]


def test_a_newer_minor_version_and_unknown_fields_are_welcome(client: Any) -> None:
    fields = header(id="newer", v=[PROTOCOL[0], 99], mood="good")
    assert [reply.type for reply in throw(client, [msgpack.packb(fields)])] == ["hello"]


def test_deep_fields_are_no_way_in(client: Any) -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    for field in ("params", "model", "offset", "image"):
        fields, buffers = picture(**{field: deep})
        assert len(codes(throw(client, [msgpack.packb(fields), *buffers]))) == 1
    assert [reply.type for reply in throw(client, [msgpack.packb(header(software=deep))])] == ["hello"]


def test_a_declared_size_allocates_nothing(server: Any, client: Any) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    huge = [{"name": "image", "shape": [14_000, 14_000, 4], "dtype": "f4"}]
    fields, _ = picture(buffers=huge)
    for _ in range(50):
        assert codes(throw(client, [msgpack.packb(fields), b"tiny"])) == ["bad-message"]
    assert process.memory_info().rss - before < 20_000_000


def ports(server: Any) -> list[int]:
    """Every port that the server listens on: the clients' and the workers'."""
    connections = psutil.Process(server.process.pid).net_connections("tcp")
    found = sorted({entry.laddr.port for entry in connections if entry.status == psutil.CONN_LISTEN})
    assert len(found) == 2
    return found


HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01"
PLAIN = b"PLAIN".ljust(20, b"\0") + bytes(32)
RAW = {
    "an HTTP request": HTTP,
    "an HTTP post": HTTP.replace(b"GET", b"POST") + b"x" * 100_000,
    "zeroes": bytes(1000),
    "an old ZMTP": b"\x01\x00",
    "half a greeting": GREETING,
    "no mechanism": GREETING + b"NULL".ljust(20, b"\0") + bytes(32) + b"\x04\x05\x05READY",
    "a huge command": GREETING + PLAIN + b"\x06" + struct.pack(">Q", 2**63 - 1) + b"\x05HELLO",
    "a message before the handshake": GREETING + PLAIN + b"\x00\x05hello",
    "a hello with lengths that lie": GREETING + PLAIN + b"\x04\x08\x05HELLO\xff\xff",
}


@pytest.mark.parametrize("what", RAW)
def test_what_other_programs_send_to_both_ports(server: Any, what: str) -> None:
    for port in ports(server):
        with socket.create_connection(("127.0.0.1", port), 5) as stranger:
            stranger.sendall(RAW[what])
            stranger.settimeout(0.3)
            heard = b""
            try:
                while got := stranger.recv(1000):
                    heard += got
            except (TimeoutError, ConnectionError):
                pass
            assert b"HTTP" not in heard and b"ai-inpaint" not in heard


def test_random_bytes_on_both_ports(server: Any) -> None:
    for port in ports(server) * 20:
        with socket.create_connection(("127.0.0.1", port), 5) as stranger:
            stranger.sendall(GREETING[: port % 3] + os.urandom(300))


def test_many_connections_that_say_nothing(server: Any) -> None:
    silent = [socket.create_connection(("127.0.0.1", port), 5) for port in ports(server) * 100]
    began = time.monotonic()
    assert server.client().ask("hello").type == "hello"
    assert time.monotonic() - began < 5
    for stranger in silent:
        stranger.close()


def test_a_client_that_does_not_read_harms_nobody(server: Any) -> None:
    deaf = server.client()
    for _ in range(3000):
        deaf.socket.send_multipart([msgpack.packb(header(type="models", id="x"))])
    assert server.client().ask("status").type == "status"
    read = 0
    while deaf.socket.poll(500):
        deaf.socket.recv_multipart()
        read += 1
    assert read >= 100, "what there was room for was kept for it"
    assert deaf.ask("hello").type == "hello"
