"""What happens to workers costs their job an error, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from backend.wire.messages import Buffer

Start = Callable[..., Any]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")


def failure(client: Any, job: str, seconds: float = 30.0) -> dict[str, Any]:
    message = client.answer(job, seconds)
    assert message.type == "error", message
    return message.fields


def works(client: Any) -> bool:
    return client.answer(client.inpaint()).type == "result"


def test_a_killed_worker_costs_its_job_an_error_within_two_seconds(start: Start) -> None:
    server = start()
    (worker,) = server.workers()
    client = server.client()
    first, second = client.inpaint(seconds=60), client.inpaint(value=8)
    client.running(first)
    worker.kill()
    problem = failure(client, first, seconds=3)
    assert problem["code"] == "worker-died"
    assert "signal 9" in problem["message"]
    assert client.answer(second).type == "result", "what waited is done by the next worker"
    assert server.workers() != [worker]


@pytest.mark.parametrize(("model", "word"), [("crash", "signal 11"), ("quit", "exit code 3")])
def test_a_model_that_takes_its_worker_with_it(server: Any, model: str, word: str) -> None:
    client = server.client()
    problem = failure(client, client.inpaint(model))
    assert problem["code"] == "worker-died"
    assert word in problem["message"]
    assert works(client)


def test_a_worker_that_is_stopped_is_ended_after_its_time(start: Start) -> None:
    server = start(beat_timeout=1.5)
    (worker,) = server.workers()
    client = server.client()
    job = client.inpaint(seconds=60)
    client.running(job)
    worker.send_signal(signal.SIGSTOP)
    assert failure(client, job, seconds=10)["code"] == "timeout"
    worker.wait(5)
    assert works(client)


def test_a_model_that_lets_no_thread_run_is_ended_too(start: Start) -> None:
    server = start(beat_timeout=2)
    client = server.client()
    assert failure(client, client.inpaint("hog", seconds=60))["code"] == "timeout"
    job = client.inpaint("hog", seconds=60)
    client.wait(lambda message: message.id == job and message.fields.get("stage") == "starting")
    client.send("cancel", job=job)
    assert failure(client, job, seconds=2)["code"] == "cancelled"
    assert works(client)


def test_a_job_that_stands_still_is_ended_after_its_time(start: Start) -> None:
    server = start(worker_timeout=1.0)
    client = server.client()
    assert failure(client, client.inpaint("stuck", seconds=60))["code"] == "timeout"
    assert client.answer(client.inpaint(seconds=1.5)).type == "result", "slow is not still"


def test_a_model_that_does_not_stop_is_ended_within_a_second(server: Any) -> None:
    (worker,) = server.workers()
    client = server.client()
    job = client.inpaint("deaf", seconds=60)
    client.running(job)
    client.send("cancel", job=job)
    assert failure(client, job, seconds=2)["code"] == "cancelled", "a second, and a slow machine's allowance"
    worker.wait(5)
    assert works(client)


def test_a_worker_of_a_client_that_has_gone_does_not_go_on(server: Any) -> None:
    (worker,) = server.workers()
    client = server.client()
    client.running(client.inpaint("deaf", seconds=60))
    client.close()
    worker.wait(4)


def test_memory_that_does_not_suffice_is_an_error_of_one_job(server: Any) -> None:
    (worker,) = server.workers()
    client = server.client()
    assert failure(client, client.inpaint("glutton"))["code"] == "out-of-memory"
    assert works(client)
    assert server.workers() == [worker]


def test_a_defect_is_told_without_the_programs_insides(server: Any) -> None:
    client = server.client()
    problem = failure(client, client.inpaint("mistaken"))
    assert problem["code"] == "internal"
    assert "secret" not in problem["message"] + problem["hint"]
    assert works(client)


@pytest.mark.parametrize("command", [[sys.executable, "-c", "import no_such_thing"], ["/no/such/program"]])
def test_workers_that_do_not_start_are_said_not_to(start: Start, command: list[str]) -> None:
    server = start(worker_command=command)
    client = server.client()
    asked, waiting = client.send("models"), client.inpaint()
    for id in (asked, waiting):
        problem = failure(client, id)
        assert problem["code"] == "worker-died"
        assert "does not start" in problem["message"]
        assert "no_such_thing" in problem["message"] or "/no/such/program" in problem["message"]
    later = client.inpaint()
    assert failure(client, later, seconds=2)["code"] == "worker-died"
    assert client.ask("hello").type == "hello"


def test_a_worker_that_did_not_start_is_tried_again(start: Start, tmp_path: Path) -> None:
    """As after the missing library was installed, or the disk was emptied."""
    mended = tmp_path / "mended"
    odd = Path(__file__).with_name("odd_worker.py")
    program = (
        f"import os, runpy; os.path.exists({str(mended)!r}) or exit(1); "
        f"runpy.run_path({str(odd)!r}, None, '__main__')"
    )
    server = start(worker_command=[sys.executable, "-c", program])
    client = server.client()
    assert failure(client, client.inpaint())["code"] == "worker-died"
    mended.touch()
    assert server.workers()
    assert works(client)


def test_every_device_has_its_worker_and_they_work_side_by_side(start: Start) -> None:
    server = start(devices=["cpu", "auto"])
    assert len(server.workers(2)) == 2
    client = server.client()
    jobs = [client.inpaint(seconds=60) for _ in range(3)]
    client.running(jobs[0])
    client.running(jobs[1])
    status = client.ask("status").fields
    assert [job["state"] for job in status["jobs"]] == ["running", "running", "waiting"]
    assert {worker["device"] for worker in status["workers"]} == {"cpu", "auto"}


def test_classical_models_need_no_torch(server: Any) -> None:
    (worker,) = server.workers()
    client = server.client()
    assert client.answer(client.inpaint("smooth")).type == "result"
    if sys.platform == "linux":
        assert "libtorch" not in Path(f"/proc/{worker.pid}/maps").read_text()


@pytest.mark.parametrize("dtype", ["u1", "u2", "f2", "f4"])
@pytest.mark.parametrize("layout", ["L", "LA", "RGB", "RGBA", "BGRA"])
def test_the_answer_has_the_depth_and_the_order_of_the_picture(server: Any, layout: str, dtype: str) -> None:
    full = {"u1": 255, "u2": 65535}.get(dtype, 1)
    levels = {"L": 0.5, "A": 1, "R": 0.25, "G": 0.5, "B": 0.75}
    colour = np.array([levels[channel] * full for channel in layout]).astype(dtype)
    image = np.broadcast_to(colour, (20, 30, len(layout)))
    mask = np.zeros((20, 30), np.uint8)
    mask[5:10, 4:20] = 1
    buffers = {
        "image": Buffer(image.shape, dtype, image.tobytes()),
        "mask": Buffer(mask.shape, "u1", mask.tobytes()),
    }
    client = server.client()
    params = {"grow": 0, "feather": 0}
    id = client.send(
        "inpaint", buffers, model="smooth", image={"layout": layout}, params=params, offset=[-7, 1000]
    )
    result = client.answer(id)
    assert result.type == "result", result
    assert result.fields["offset"] == [-7 + 4, 1000 + 5]
    assert result.fields["layout"] == {"L": "LA", "RGB": "RGBA"}.get(layout, layout)
    patch = result.buffers["candidate:0"]
    assert (patch.shape, patch.dtype) == ((5, 16, len(result.fields["layout"])), dtype)
    pixels = np.frombuffer(patch.data, dtype).reshape(patch.shape).astype(np.float64) / full
    expected = [levels[channel] for channel in result.fields["layout"]]
    np.testing.assert_allclose(pixels, np.broadcast_to(expected, pixels.shape), atol=0.01)


def test_source_and_guidance_reach_the_model(server: Any) -> None:
    picture = Buffer((12, 12, 3), "u1", bytes(432))
    mask = Buffer((12, 12), "u1", bytes(60) + b"\1\1\1" + bytes(81))
    for name, buffer, code in (
        ("source", Buffer((12, 12), "u1", bytes(144)), "no-source"),
        ("guide:sketch", Buffer((12, 12, 1), "u1", bytes(144)), "bad-guidance"),
    ):
        client = server.client()
        id = client.send(
            "inpaint",
            {"image": picture, "mask": mask, name: buffer},
            model="patchmatch",
            image={"layout": "RGB"},
        )
        assert failure(client, id)["code"] == code


@pytest.mark.parametrize("stopped", [False, True])
def test_no_worker_outlives_a_server_that_was_killed(start: Start, stopped: bool) -> None:
    server = start(devices=["cpu", "auto"])
    workers = server.workers(2)
    client = server.client()
    client.running(client.inpaint("deaf", seconds=60))
    if stopped:
        if sys.platform != "linux":
            pytest.skip("only Linux ends a process that was stopped")
        for worker in workers:
            worker.send_signal(signal.SIGSTOP)
    os.kill(server.process.pid, signal.SIGKILL)
    assert not psutil.wait_procs(workers, timeout=5)[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process choose")
def test_a_worker_goes_before_the_editor_when_memory_runs_out(server: Any) -> None:
    (worker,) = server.workers()
    assert int(Path(f"/proc/{worker.pid}/oom_score_adj").read_text()) >= 500
