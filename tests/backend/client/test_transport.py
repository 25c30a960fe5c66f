"""Both transports under one suite, against a real ROUTER and against peers that are none."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from router import SECRET, USER, Router, free_port, tcp_server

from backend.client.discovery import Connection
from backend.client.transport import Transport, open_transport
from backend.client.zmtp_frames import command, frame_header, greeting, metadata
from backend.wire.errors import (
    NOT_RUNNING,
    TIMEOUT,
    TRANSPORT,
    UNAUTHORISED,
    InpaintError,
)
from backend.wire.messages import MAX_FRAME_BYTES

ROOT = Path(__file__).resolve().parents[3]
BIG = 100_000_000
WAIT = 60.0
PATTERN = bytes(range(256)) * 4096


@pytest.fixture(params=["zmq", "zmtp"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["NULL", "PLAIN"])
def mechanism(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def router(mechanism: str) -> Iterator[Router]:
    router = Router(mechanism)
    yield router
    router.close()


@pytest.fixture
def client(router: Router, kind: str) -> Iterator[Transport]:
    transport = open_transport(router.connection, kind)
    yield transport
    transport.close()


def plain(frames: list[object]) -> list[bytes]:
    return [bytes(frame) for frame in frames]  # type: ignore[call-overload]


def receive(transport: Transport, seconds: float = WAIT) -> list[bytes]:
    frames = transport.receive(seconds)
    assert frames is not None, "no answer"
    return plain(frames)


@pytest.mark.parametrize(
    "frames",
    [
        [b"a"],
        [b""],
        [b"a", b"", b"c", b""],
        [bytes(255), bytes(256), bytes(65535), bytes(65536)],
        [b"x%d" % index for index in range(17)],
        [bytearray(b"array"), memoryview(b"view")[1:], memoryview(bytearray(range(12))).cast("B", (3, 4))],
    ],
    ids=["small", "empty", "empty-parts", "lengths", "as-many-as-allowed", "buffers"],
)
def test_a_message_comes_back_as_it_was_sent(client: Transport, frames: list[bytes]) -> None:
    client.send(frames)
    assert receive(client) == [memoryview(frame).tobytes() for frame in frames]


def test_large_frames_both_ways(client: Transport) -> None:
    data = (PATTERN * (BIG // len(PATTERN) + 1))[:BIG]
    client.send([b"header", data, b"tail"])
    frames = client.receive(WAIT)
    assert frames is not None
    assert [len(frame) for frame in frames] == [6, BIG, 4]
    assert memoryview(frames[1]) == data
    assert not client.sending


def test_many_messages_keep_their_order(client: Transport) -> None:
    client.send([b"count 3000"])
    for index in range(3000):
        assert receive(client) == [b"%d" % index, b"x" * (index % 300)]
    for index in range(500):
        client.send([b"n%d" % index])
    for index in range(500):
        assert receive(client) == [b"n%d" % index]


def test_both_sides_send_a_lot_before_either_reads(client: Transport) -> None:
    # The echo of the first messages fills both directions while the later ones are still being sent.
    data = PATTERN * 8
    for index in range(12):
        client.send([b"%d" % index, data])
    for index in range(12):
        frames = client.receive(WAIT)
        assert frames is not None
        assert bytes(frames[0]) == b"%d" % index and memoryview(frames[1]) == data


def test_two_sides_that_write_before_they_read_do_not_wait_for_each_other(kind: str) -> None:
    data = PATTERN * 40

    def write_first(peer: socket.socket) -> None:
        shake_hands(peer)
        peer.settimeout(WAIT)
        peer.sendall(frame_header(len(data)) + data)
        read_exactly(peer, len(frame_header(len(data))) + len(data))
        peer.sendall(frame_header(4) + b"done")
        peer.recv(1000)

    with tcp_server(write_first) as connection:
        transport = open_transport(connection, kind)
        transport.send([data])
        frames = transport.receive(WAIT)
        assert frames is not None and memoryview(frames[0]) == data
        assert receive(transport) == [b"done"]
        transport.close()


def test_nothing_comes_within_the_time(client: Transport) -> None:
    client.send([b"hush"])
    assert client.receive(0) is None
    before = time.monotonic()
    assert client.receive(0.3) is None
    assert time.monotonic() - before > 0.25
    client.send([b"still there"])
    assert receive(client) == [b"still there"]


def test_a_caller_that_only_looks_gets_a_large_message(client: Transport) -> None:
    client.send([b"look", PATTERN * 30])
    deadline = time.monotonic() + WAIT
    frames = None
    while frames is None and time.monotonic() < deadline:
        frames = client.receive(0)
        time.sleep(0.01)
    assert frames is not None
    assert memoryview(frames[1]) == PATTERN * 30


def test_a_server_that_ends_is_reported_after_its_last_words(router: Router, client: Transport) -> None:
    client.send([b"last words"])
    time.sleep(0.3)
    router.stop()
    assert receive(client) == [b"last words"]
    for _ in range(2):
        with pytest.raises(InpaintError) as caught:
            client.receive(WAIT)
        assert caught.value.code == NOT_RUNNING
    with pytest.raises(InpaintError):
        client.send([b"anybody?"])


def test_a_server_that_ends_while_we_send_is_reported(kind: str) -> None:
    def take_some(peer: socket.socket) -> None:
        shake_hands(peer)
        peer.recv(1000)

    with tcp_server(take_some) as connection:
        transport = open_transport(connection, kind)
        with pytest.raises(InpaintError) as caught:
            transport.send([PATTERN * 50])
            transport.receive(WAIT)
        assert caught.value.code == NOT_RUNNING
        transport.close()


def test_after_close_calls_raise(client: Transport) -> None:
    client.close()
    client.close()
    with pytest.raises(InpaintError):
        client.send([b"x"])
    with pytest.raises(InpaintError):
        client.receive(0)


def test_a_refused_connection_is_reported_at_once(kind: str) -> None:
    connection = Connection(f"tcp://127.0.0.1:{free_port()}", "PLAIN", username=USER, secret=SECRET)
    before = time.monotonic()
    with pytest.raises(InpaintError) as caught:
        open_transport(connection, kind, timeout=60)
    assert caught.value.code == NOT_RUNNING
    assert time.monotonic() - before < 30


@pytest.mark.parametrize("mechanism", ["PLAIN"], indirect=True)
@pytest.mark.parametrize(
    "change", [{"secret": "0" * 64}, {"username": "other"}, {"secret": ""}, {"secret": "é"}]
)
def test_a_wrong_secret_is_reported(router: Router, kind: str, change: dict) -> None:
    with pytest.raises(InpaintError) as caught:
        open_transport(replace(router.connection, **change), kind)
    assert caught.value.code == UNAUTHORISED
    good = open_transport(router.connection, kind)
    good.send([b"hello"])
    assert receive(good) == [b"hello"]
    good.close()


@pytest.mark.parametrize(("asked", "offered"), [("PLAIN", "NULL"), ("NULL", "PLAIN")])
def test_another_mechanism_is_not_our_backend(kind: str, asked: str, offered: str) -> None:
    router = Router(offered)
    try:
        with pytest.raises(InpaintError) as caught:
            open_transport(replace(router.connection, mechanism=asked, username="u", secret="s"), kind, 5)
        assert caught.value.code in (NOT_RUNNING, TIMEOUT)
    finally:
        router.close()


def test_a_secret_never_goes_over_the_network_unencrypted(kind: str) -> None:
    with pytest.raises(InpaintError) as caught:
        open_transport(Connection("tcp://192.0.2.1:5555", "PLAIN", username=USER, secret=SECRET), kind)
    assert caught.value.code == TRANSPORT and "encrypted" in caught.value.message


@pytest.mark.parametrize(
    "endpoint", ["", "127.0.0.1:80", "ipc://x", "tcp://127.0.0.1", "tcp://:5", "tcp://a:0"]
)
def test_an_endpoint_that_is_none_is_reported(kind: str, endpoint: str) -> None:
    with pytest.raises(InpaintError) as caught:
        open_transport(Connection(endpoint, "PLAIN", secret=SECRET), kind)
    assert caught.value.code == TRANSPORT


# CURVE


def test_curve_with_pyzmq() -> None:
    router = Router("CURVE")
    try:
        transport = open_transport(router.connection)
        transport.send([b"secret", PATTERN])
        assert receive(transport) == [b"secret", PATTERN]
        transport.close()
        stranger = Router("CURVE")
        try:
            keys = stranger.connection
            wrong = replace(router.connection, client_key=keys.client_key, client_secret=keys.client_secret)
            with pytest.raises(InpaintError) as caught:
                open_transport(wrong)
            assert caught.value.code == UNAUTHORISED
            with pytest.raises(InpaintError):
                open_transport(replace(router.connection, server_key=keys.server_key), timeout=3)
            with pytest.raises(InpaintError):
                open_transport(replace(router.connection, server_key="too short"), timeout=3)
        finally:
            stranger.close()
    finally:
        router.close()


WITHOUT_PYZMQ = """
import sys
sys.modules["zmq"] = None
from backend.client.discovery import Connection
from backend.client.transport import open_transport
from backend.wire.errors import InpaintError
try:
    keys = {"server_key": "k", "client_key": "k", "client_secret": "k"}
    open_transport(Connection("tcp://127.0.0.1:9", "CURVE", **keys))
except InpaintError as problem:
    print(problem.code, problem.message)
transport = open_transport(Connection(sys.argv[1], "PLAIN", username=sys.argv[2], secret=sys.argv[3]))
transport.send([b"without", b"pyzmq"])
print(type(transport).__name__, *map(bytes, transport.receive(30)))
"""


@pytest.mark.parametrize("mechanism", ["PLAIN"], indirect=True)
def test_without_pyzmq_the_standard_library_takes_over(router: Router) -> None:
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYZMQ, router.connection.endpoint, USER, SECRET],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said[0].startswith("transport ") and "pyzmq" in said[0]
    assert said[1] == "ZmtpTransport b'without' b'pyzmq'"


# Peers that are no backend


def read_exactly(peer: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = peer.recv(min(count - len(data), 1 << 20))
        if not piece:
            raise OSError("the client has gone")
        data += piece
    return bytes(data)


def read_command(peer: socket.socket) -> bytes:
    flags, size = read_exactly(peer, 2)
    assert flags == 4
    return read_exactly(peer, size)


def shake_hands(peer: socket.socket) -> None:
    """The server's side of PLAIN, by hand."""
    peer.sendall(greeting("PLAIN"))
    read_exactly(peer, 64)
    assert read_command(peer).startswith(b"\5HELLO")
    peer.sendall(command(b"WELCOME"))
    assert read_command(peer).startswith(b"\10INITIATE")
    peer.sendall(command(b"READY", metadata({"Socket-Type": b"ROUTER", "Identity": b""})))


def hang_up(peer: socket.socket) -> None:
    pass


def speak_http(peer: socket.socket) -> None:
    peer.recv(100)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def hang_up_after_greeting(peer: socket.socket) -> None:
    peer.sendall(greeting("PLAIN"))
    peer.recv(64)


def speak_an_old_dialect(peer: socket.socket) -> None:
    peer.sendall(b"\xff" + bytes(8) + b"\x7f\x01\x05" + bytes(52))
    peer.recv(64)


def send_a_message_too_early(peer: socket.socket) -> None:
    peer.sendall(greeting("PLAIN") + frame_header(2) + b"hi")
    peer.recv(1000)


def be_a_publisher(peer: socket.socket) -> None:
    peer.sendall(
        greeting("PLAIN") + command(b"WELCOME") + command(b"READY", metadata({"Socket-Type": b"PUB"}))
    )
    peer.recv(1000)


@pytest.mark.parametrize(
    "behave",
    [
        hang_up,
        speak_http,
        hang_up_after_greeting,
        speak_an_old_dialect,
        send_a_message_too_early,
        be_a_publisher,
    ],
)
def test_a_stranger_is_reported(kind: str, behave: Callable[[socket.socket], None]) -> None:
    with tcp_server(behave) as connection, pytest.raises(InpaintError) as caught:
        open_transport(connection, kind, timeout=20)
    assert caught.value.code in (NOT_RUNNING, TIMEOUT)


def test_a_peer_that_says_nothing_is_reported(kind: str) -> None:
    said = threading.Event()
    with tcp_server(lambda peer: said.wait(10) and None) as connection:
        with pytest.raises(InpaintError) as caught:
            open_transport(connection, kind, timeout=0.5)
        said.set()
    assert caught.value.code == TIMEOUT


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.sampled_from(["greeting", "handshake", "traffic"]), noise=st.binary(min_size=1, max_size=300))
def test_noise_is_an_error_or_silence(kind: str, where: str, noise: bytes) -> None:
    def behave(peer: socket.socket) -> None:
        if where == "handshake":
            peer.sendall(greeting("PLAIN"))
        elif where == "traffic":
            shake_hands(peer)
        peer.sendall(noise)
        peer.shutdown(socket.SHUT_WR)
        peer.recv(1000)

    with tcp_server(behave) as connection:
        try:
            transport = open_transport(connection, kind, timeout=5)
        except InpaintError:
            return
        try:
            while transport.receive(5) is not None:
                pass
        except InpaintError:
            pass
        finally:
            transport.close()


def test_a_frame_beyond_the_limit_is_refused_before_its_memory_is_taken(kind: str) -> None:
    def boast(peer: socket.socket) -> None:
        shake_hands(peer)
        peer.sendall(struct.pack(">BQ", 2, MAX_FRAME_BYTES + 1))
        peer.recv(1000)

    with tcp_server(boast) as connection:
        transport = open_transport(connection, kind)
        with pytest.raises(InpaintError):
            transport.receive(WAIT)
        transport.close()


def test_endless_frames_of_one_message_are_refused() -> None:
    def go_on(peer: socket.socket) -> None:
        shake_hands(peer)
        for _ in range(1000):
            peer.sendall(frame_header(1, more=True) + b"x")
        peer.recv(1000)

    with tcp_server(go_on) as connection:
        transport = open_transport(connection, "zmtp")
        with pytest.raises(InpaintError):
            transport.receive(WAIT)


def test_a_peer_that_dribbles_is_understood(kind: str) -> None:
    message = (
        frame_header(3, more=True) + b"one" + frame_header(300, more=True) + bytes(300) + frame_header(0)
    )

    def dribble(peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def slowly(data: bytes) -> None:
            for index in range(len(data)):
                peer.sendall(data[index : index + 1])

        slowly(greeting("PLAIN"))
        read_exactly(peer, 64)
        read_command(peer)
        slowly(command(b"WELCOME"))
        read_command(peer)
        slowly(command(b"READY", metadata({"Socket-Type": b"ROUTER"})))
        slowly(message)
        peer.recv(1000)

    with tcp_server(dribble) as connection:
        transport = open_transport(connection, kind)
        deadline, frames = time.monotonic() + WAIT, None
        while frames is None and time.monotonic() < deadline:
            frames = transport.receive(0.001)  # time-outs in the middle of frames
        assert frames is not None and plain(frames) == [b"one", bytes(300), b""]
        transport.close()


def test_a_ping_is_answered_between_messages(kind: str) -> None:
    answers: list[bytes] = []

    def ping(peer: socket.socket) -> None:
        shake_hands(peer)
        peer.sendall(command(b"PING", b"\0\x64context"))
        answers.append(read_command(peer))
        peer.sendall(frame_header(4) + b"done")
        peer.recv(1000)

    with tcp_server(ping) as connection:
        transport = open_transport(connection, kind)
        assert receive(transport) == [b"done"]
        transport.close()
    assert answers == [b"\4PONGcontext"]


def test_a_closed_transport_leaves_nothing_open(kind: str) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("the open files of a process can be listed on Linux only")
    router = Router("PLAIN")
    try:
        open_transport(router.connection, kind).close()  # what is opened once, for good
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            transport = open_transport(router.connection, kind)
            transport.send([b"x"])
            receive(transport)
            transport.close()
        with pytest.raises(InpaintError):
            open_transport(replace(router.connection, secret="wrong"), kind)
        deadline = time.monotonic() + 10  # the router closes its own ends in its own time
        while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(os.listdir("/proc/self/fd")) <= before
    finally:
        router.close()
