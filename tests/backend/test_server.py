"""Everyone is answered, at once, and gets what is theirs."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import zmq

from backend.wire.messages import PROTOCOL

Start = Callable[..., Any]

SOON = 2.0  # seconds: what is promised within one, and a slow machine's allowance


def code(message: Any) -> str:
    assert message.type == "error", message
    return message.fields["code"]


def colours(result: Any) -> set[bytes]:
    """The distinct opaque pixels of a result's only candidate, without alpha."""
    assert result.type == "result", result
    pixels = bytes(result.buffers["candidate:0"].data)
    quads = {pixels[i : i + 4] for i in range(0, len(pixels), 4)}
    return {quad[:3] for quad in quads if quad[3] == 255}


def test_it_is_ready_soon_and_without_torch(start: Start) -> None:
    server = start()
    assert server.seconds_to_ready < 3
    heavy = {"torch", "numpy", "numba", "scipy", "models", "backend.pipeline"} & set(server.info["modules"])
    assert not heavy, heavy


def test_the_connection_says_all_that_a_client_has_to_know(server: Any) -> None:
    info = server.info
    assert info["endpoint"].startswith("tcp://127.0.0.1:")
    assert info["mechanism"] == "PLAIN"
    assert len(info["secret"]) == 64
    assert info["pid"] == server.process.pid
    assert info["protocol"] == list(PROTOCOL)
    assert server.client().ask("hello", software="a test").fields == {
        key: info[key] for key in ("software", "pid", "host")
    }


def test_models_are_told_with_their_settings(server: Any) -> None:
    reply = server.client().ask("models")
    names = [card["name"] for card in reply.fields["models"]]
    assert names[0] == "auto"
    assert {"patchmatch", "smooth", "patient"} <= set(names)
    assert "grow" in [spec["name"] for spec in reply.fields["common"]]
    patient = next(card for card in reply.fields["models"] if card["name"] == "patient")
    assert [spec["name"] for spec in patient["params"]] == ["seconds", "value"]


def test_models_wait_for_the_first_worker_and_nobody_waits_for_them(start: Start) -> None:
    server = start()
    early, other = server.client(), server.client()
    id = early.send("models")
    assert other.ask("hello").type == "hello"
    assert early.answer(id).type == "models"


def test_hello_is_answered_while_a_worker_computes(server: Any) -> None:
    busy, client = server.client(), server.client()
    client.ask("hello")
    job = busy.inpaint(seconds=2)
    busy.running(job)
    times = []
    for _ in range(20):
        began = time.monotonic()
        client.ask("hello")
        times.append(time.monotonic() - began)
    assert sorted(times)[10] < 0.05, times
    busy.ask("cancel", job=job)


def test_a_result_is_the_patch_and_where_it_belongs(server: Any) -> None:
    client = server.client()
    result = client.answer(client.inpaint(side=24, value=200, count=2, seed=5))
    assert result.fields["model"] == "patient"
    assert result.fields["layout"] == "RGBA"
    assert result.fields["offset"] == [8, 8]
    assert [candidate["seed"] for candidate in result.fields["candidates"]] == [5, 6]
    assert [result.buffers[entry["buffer"]].shape for entry in result.fields["candidates"]] == [(8, 8, 4)] * 2
    assert colours(result) == {bytes([200] * 3)}


def test_ten_clients_at_once_each_get_their_own_answer(server: Any) -> None:
    clients = [server.client() for _ in range(10)]
    # All call their jobs the same: whose answer it is, is not in the id.
    asked = [
        (client, client.inpaint(id=f"job {turn}", value=10 * number + turn, seconds=0.02))
        for turn in range(3)
        for number, client in enumerate(clients)
    ]
    for index, (client, id) in enumerate(asked):
        turn, number = divmod(index, 10)
        assert colours(client.answer(id)) == {bytes([10 * number + turn] * 3)}
    for client in clients:
        client.ask("hello")  # and nothing else arrives


def test_a_client_with_many_jobs_does_not_keep_others_waiting(server: Any) -> None:
    batch, editor = server.client(), server.client()
    jobs = [batch.inpaint(seconds=0.3) for _ in range(8)]
    batch.running(jobs[0])
    editor.answer(editor.inpaint())
    waiting = [job for job in editor.ask("status").fields["jobs"] if job["state"] == "waiting"]
    assert len(waiting) >= 4, "the editor's job overtook most of the batch"
    for job in jobs:
        batch.send("cancel", job=job)


def test_a_waiting_job_says_its_place_at_least_once_a_second(server: Any) -> None:
    client = server.client()
    first, second, third = (client.inpaint(seconds=seconds) for seconds in (3, 0, 0))
    heard: dict[int, list[float]] = {1: [], 2: []}
    client.running(first)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        message = client.receive()
        if message.id in (second, third):
            assert message.fields["stage"] == "waiting"
            place = {second: 1, third: 2}[message.id]
            assert message.fields["position"] == place
            heard[place].append(time.monotonic())
    for times in heard.values():
        assert len(times) > 2
        assert max(after - before for before, after in itertools.pairwise(times)) < SOON
    client.ask("cancel", job=first)
    assert client.answer(third).type == "result"


def test_a_waiting_job_can_be_cancelled(server: Any) -> None:
    client = server.client()
    first, second = client.inpaint(seconds=5), client.inpaint()
    client.running(first)
    client.send("cancel", job=second)
    assert code(client.answer(second, seconds=SOON)) == "cancelled"
    client.send("cancel", job=first)
    assert code(client.answer(first, seconds=SOON)) == "cancelled"


def test_a_running_job_stops_when_cancelled_and_its_worker_goes_on(server: Any) -> None:
    (worker,) = server.workers()
    client = server.client()
    job = client.inpaint(seconds=60)
    client.running(job)
    cancel = client.send("cancel", job=job)
    assert client.answer(cancel).type == "ok"
    assert code(client.answer(job, seconds=SOON)) == "cancelled"
    assert client.answer(client.inpaint()).type == "result"
    assert server.workers() == [worker]


def test_nobody_cancels_the_job_of_another(server: Any) -> None:
    owner, other = server.client(), server.client()
    job = owner.inpaint(seconds=1, value=9)
    owner.running(job)
    other.ask("cancel", job=job)
    assert colours(owner.answer(job)) == {bytes([9] * 3)}


def test_a_job_of_a_client_that_has_gone_is_stopped(server: Any) -> None:
    gone, client = server.client(), server.client()
    running, waiting = gone.inpaint(seconds=60), gone.inpaint(seconds=60)
    gone.running(running)
    assert waiting
    gone.close()
    left = time.monotonic()
    while client.ask("status").fields["jobs"]:
        assert time.monotonic() - left < SOON
        time.sleep(0.05)
    assert client.answer(client.inpaint()).type == "result"


def test_an_id_that_is_in_use_is_refused(server: Any) -> None:
    client = server.client()
    job = client.inpaint(id="one", seconds=5)
    client.running(job)
    client.inpaint(id="one")
    assert code(client.answer("one")) == "bad-message"
    client.ask("cancel", job=job)
    assert code(client.answer("one")) == "cancelled"
    assert client.answer(client.inpaint(id="one")).type == "result", "free again"


def test_too_many_jobs_are_refused_with_a_word_for_it(server: Any) -> None:
    client = server.client()
    jobs = [client.inpaint(seconds=60) for _ in range(33)]
    assert code(client.answer(jobs[-1])) == "busy"
    for job in jobs:
        client.send("cancel", job=job)
    assert all(code(client.answer(job)) == "cancelled" for job in jobs[:-1])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": "nobody"}, "unknown-model"),
        ({"grow": -1}, "bad-param"),
        ({"grow": "much"}, "bad-param"),
        ({"colour": 1}, "bad-param"),
        ({"seconds": [[[]]]}, "bad-message"),
    ],
)
def test_bad_settings_are_refused_at_once(server: Any, changes: dict[str, Any], expected: str) -> None:
    server.workers()
    busy, client = server.client(), server.client()
    job = busy.inpaint(seconds=60)
    busy.running(job)
    assert code(client.answer(client.inpaint(**changes), seconds=5)) == expected
    busy.ask("cancel", job=job)


def test_status_tells_of_workers_and_jobs(server: Any) -> None:
    (worker,) = server.workers()
    client = server.client()
    running, waiting = client.inpaint(seconds=60), client.inpaint(seconds=60)
    client.running(running)
    status = client.ask("status").fields
    assert status["queued"] == 1
    assert [(job["id"], job["state"]) for job in status["jobs"]] == [
        (running, "running"),
        (waiting, "waiting"),
    ]
    (entry,) = status["workers"]
    assert entry["pid"] == worker.pid
    assert entry["state"] == "busy"
    assert entry["models"] == ["patient"]
    assert entry["memory"] > 10_000_000
    for job in (waiting, running):
        client.ask("cancel", job=job)


def test_shutdown_tells_the_jobs_and_ends_everything(start: Start) -> None:
    server = start()
    workers = server.workers()
    owner, other = server.client(), server.client()
    jobs = [owner.inpaint(seconds=60), owner.inpaint(seconds=60)]
    owner.running(jobs[0])
    assert other.ask("shutdown").type == "ok"
    assert [code(owner.answer(job)) for job in jobs] == ["shutting-down"] * 2
    assert server.wait() == 0
    assert not psutil.wait_procs(workers, timeout=5)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(start: Start, number: int) -> None:
    server = start()
    (worker,) = server.workers()
    client = server.client()
    job = client.inpaint("deaf", seconds=60)
    client.running(job)
    server.process.send_signal(number)
    assert code(client.answer(job)) == "shutting-down"
    assert server.wait() == 0
    worker.wait(5)


def test_an_idle_server_ends_by_itself_but_not_while_it_works(start: Start) -> None:
    server = start(idle_timeout=0.7)
    (worker,) = server.workers()
    client = server.client()
    assert client.answer(client.inpaint(seconds=1.5)).type == "result"
    assert server.wait() == 0
    worker.wait(5)


# Who is let in


def silent(client: Any, seconds: float = 0.7) -> bool:
    client.send("hello")
    return not client.socket.poll(1000 * seconds)


def test_a_wrong_secret_gets_no_answer(server: Any) -> None:
    assert silent(server.client(secret="0" * 64))
    assert silent(server.client(username="somebody"))
    stranger = zmq.Context()
    with stranger.socket(zmq.DEALER) as unnamed:
        unnamed.linger = 0
        unnamed.connect(server.info["endpoint"])
        unnamed.send(b"hello")
        assert not unnamed.poll(700)
    stranger.term()
    assert server.client().ask("hello").type == "hello"


def test_beyond_this_computer_only_the_known_key_gets_in(start: Start) -> None:
    server = start(address="0.0.0.0")
    assert server.info["mechanism"] == "CURVE"
    assert "secret" not in server.info
    near = "tcp://127.0.0.1:" + server.info["endpoint"].rpartition(":")[2]
    client = server.client(endpoint=near)
    assert client.ask("hello").type == "hello"
    assert colours(client.answer(client.inpaint(value=3))) == {bytes([3] * 3)}
    key, secret = zmq.curve_keypair()
    assert silent(server.client(endpoint=near, client_key=key.decode(), client_secret=secret.decode()))
    plain = {"mechanism": "PLAIN", "username": "ai-inpaint", "secret": "guessed"}
    assert silent(server.client(endpoint=near, **plain))


def test_keys_may_be_kept_so_that_a_copied_connection_file_stays_good(start: Start) -> None:
    (server_key, server_secret), (client_key, client_secret) = (
        [key.decode() for key in zmq.curve_keypair()] for _ in range(2)
    )
    kept = {"server_key": server_key, "client_key": client_key, "client_secret": client_secret}
    server = start(mechanism="curve", keys={**kept, "server_secret": server_secret})
    assert {name: server.info[name] for name in kept} == kept
    assert server_secret not in server.info.values()
    assert server.client().ask("hello").type == "hello"


def test_ipv6_loopback_serves_as_well(start: Start) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this computer has no IPv6")
    server = start(address="::1")
    assert server.info["mechanism"] == "PLAIN"
    assert server.client().ask("hello").type == "hello"


REFUSED = """
from backend.server import serve
from backend.wire.errors import InpaintError
try:
    serve({arguments})
except InpaintError as problem:
    print(problem.code, problem)
"""


def refusal(arguments: str) -> str:
    program = [sys.executable, "-c", REFUSED.format(arguments=arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=30, check=True).stdout


def test_it_refuses_to_listen_elsewhere_without_encryption() -> None:
    assert "bad-param On 0.0.0.0 other computers" in refusal("'0.0.0.0', mechanism='plain'")
    assert refusal("'no.such.host.invalid'").startswith("bad-param")
    assert refusal("'192.0.2.77'").startswith("launch-failed")


def test_a_port_in_use_is_said_to_be(server: Any) -> None:
    port = server.info["endpoint"].rpartition(":")[2]
    assert f"Port {port} is in use" in refusal(f"port={port}")
