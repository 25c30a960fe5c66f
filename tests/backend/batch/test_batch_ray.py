"""The same folder on a Ray cluster of two processes on this computer."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from batch_pictures import call, marked, results, save, scene

from backend.batch.folder import Pair
from backend.batch.holes import Request
from backend.batch.work import Outcome, Progress, Task

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ai-inpaint[ray]'")

COLOUR = ("--mask-color", "00ff00")


def test_the_same_results_as_on_one_computer(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"in/sub/{number}.png", marked(scene(number)))
    (tmp_path / "in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert call(tmp_path / "in", tmp_path / "local", *COLOUR).exit_code == 1
    outcome = call(tmp_path / "in", tmp_path / "ray", *COLOUR, "--engine", "ray", "--jobs", "2")
    assert outcome.exit_code == 1, outcome.output
    assert f"{tmp_path / 'in/broken.png'} is broken" in outcome.output
    names = results(tmp_path / "local")
    assert names == results(tmp_path / "ray") == [f"sub/{number}.png" for number in range(3)]
    for name in names:
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "ray" / name).read_bytes()
    again = call(tmp_path / "in", tmp_path / "ray", *COLOUR)  # whoever filled them, they are done
    assert "0 filled, 3 filled before" in again.output


def test_no_cluster_at_the_address(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", marked(scene()))
    options = (*COLOUR, "--engine", "ray", "--address", "127.0.0.1:1")
    outcome = call(tmp_path / "in", tmp_path / "out", *options)
    assert outcome.exit_code == 1 and "no Ray cluster to be reached at 127.0.0.1:1" in outcome.output


def die_once(task: Task, show: Progress) -> Outcome:
    """Dies as a process does whose computer is switched off, but only the first time."""
    trace = Path(task.results[0])
    if not trace.exists():
        trace.write_text("was here")
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(told={"name": task.pair.name, "read": task.pair.image.read_bytes().decode()})


def die(task: Task, show: Progress) -> Outcome:
    """Dies always."""
    os.kill(os.getpid(), signal.SIGKILL)
    return Outcome()


def tasks(folder: Path) -> list[Task]:
    made = []
    for number in range(3):
        image = folder / f"{number}.txt"
        image.write_text(str(number))
        made.append(Task(Pair(image.name, image), Request(), (str(folder / f"{number}.trace"),)))
    return made


def test_what_a_killed_process_had_is_done_again(tmp_path: Path) -> None:
    from backend.batch.cluster import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the cluster does not have this file
    given = tasks(tmp_path)
    with Cluster(None, 2) as engine:
        done = {task.pair.name: outcome for task, outcome in engine.run(die_once, given, lambda *_: None)}
        assert [done[task.pair.name].told for task in given] == [
            {"name": f"{n}.txt", "read": str(n)} for n in range(3)
        ]
        given_up = [outcome for _, outcome in engine.run(die, given[:1], lambda *_: None)]
        assert given_up == [None]
    assert not ray.is_initialized()
