"""Going on where a run stopped, bad files among good ones, dying processes, and what is told at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from batch_pictures import call, marked, only_the_hole_differs, pixels, results, save, scene

from backend.batch.processes import Processes

COLOUR = ("--mask-color", "00ff00")


def fill_folder(folder: Path, count: int, side: int = 0) -> None:
    for number in range(count):
        picture = marked(scene(number))
        if side:
            picture = np.tile(picture, (side, side, 1))
        save(folder / f"{number}.png", picture)


def test_what_is_done_is_skipped_until_something_changes(tmp_path: Path) -> None:
    fill_folder(tmp_path / "in", 3)
    output = tmp_path / "out"
    assert "3 filled" in call(tmp_path / "in", output, *COLOUR).output
    times = {name: (output / name).stat().st_mtime_ns for name in results(output)}
    assert "0 filled, 3 filled before" in call(tmp_path / "in", output, *COLOUR).output
    assert times == {name: (output / name).stat().st_mtime_ns for name in results(output)}

    save(tmp_path / "in/0.png", marked(scene(9)))  # another picture
    (output / "1.png").write_bytes(b"spoilt")  # another result
    assert "2 filled, 1 filled before" in call(tmp_path / "in", output, *COLOUR).output
    assert only_the_hole_differs(pixels(output / "0.png"), marked(scene(9)))
    assert only_the_hole_differs(pixels(output / "1.png"), marked(scene(1)))
    assert "3 filled;" in call(tmp_path / "in", output, *COLOUR, "--seed", "4").output  # another request
    os.utime(tmp_path / "in/0.png")  # the same content at another time
    assert "3 filled before" in call(tmp_path / "in", output, *COLOUR, "--seed", "4").output
    assert "3 filled;" in call(tmp_path / "in", output, *COLOUR, "--seed", "4", "--redo").output


def test_a_changed_mask_counts(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", scene())
    first = np.zeros((64, 90), np.uint8)
    first[20:24, 30:34] = 255
    save(tmp_path / "in/a_mask.png", first)
    assert "1 filled" in call(tmp_path / "in", tmp_path / "out").output
    save(tmp_path / "in/a_mask.png", first[::-1].copy())
    assert "1 filled;" in call(tmp_path / "in", tmp_path / "out").output


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    fill_folder(tmp_path / "in", 3)
    whole = (tmp_path / "in/1.png").read_bytes()
    (tmp_path / "in/1.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/empty.jpg").write_bytes(b"")
    report = tmp_path / "told/report.json"
    outcome = call(tmp_path / "in", tmp_path / "out", *COLOUR, "--report", report)
    assert outcome.exit_code == 1
    assert "4 pictures: 2 filled, 2 failed" in outcome.output
    assert results(tmp_path / "out") == ["0.png", "2.png"]
    told = json.loads(report.read_text())
    states = {picture["name"]: picture["state"] for picture in told["pictures"]}
    assert states == {"0.png": "filled", "1.png": "failed", "2.png": "filled", "empty.jpg": "failed"}
    assert told["counts"] == {"failed": 2, "unmarked": 0, "filled": 2, "skipped": 0, "good": 0}
    broken = next(picture for picture in told["pictures"] if picture["name"] == "1.png")
    assert broken["error"]["code"] == "bad-file" and "broken" in broken["error"]["message"]


def test_the_report_shows_all_pictures_before_and_after(tmp_path: Path) -> None:
    fill_folder(tmp_path / "in", 2)
    save(tmp_path / "in/<b>.png", scene())
    report = tmp_path / "report.json"
    call(tmp_path / "in", tmp_path / "out", *COLOUR)
    (tmp_path / "out/0.png").unlink()
    assert call(tmp_path / "in", tmp_path / "out", *COLOUR, "--report", report).exit_code == 0
    page = report.with_suffix(".html").read_text()
    assert page.count("data:image/jpeg;base64,") == 5  # two before, two after, one with nothing to fill
    assert "&lt;b&gt;.png" in page and "<b>" not in page
    assert "src=" in page and "http" not in page
    told = json.loads(report.read_text())
    first = told["pictures"][0]
    assert first["name"] == "0.png" and first["model"] == "smooth" and first["seeds"] == [0]
    assert told["pictures"][1]["state"] == "skipped" and told["pictures"][1]["seeds"] == [0]
    assert told["request"]["colour"] == [0, 255, 0]


def test_several_at_a_time_are_the_same(tmp_path: Path) -> None:
    fill_folder(tmp_path / "in", 4)
    options = [*COLOUR, "--model", "patchmatch"]
    assert call(tmp_path / "in", tmp_path / "one", *options).exit_code == 0
    assert call(tmp_path / "in", tmp_path / "two", *options, "--jobs", "2").exit_code == 0
    for name in results(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_killed_run_leaves_nothing_half_written_and_goes_on(
    tmp_path: Path, spawn: Callable[..., subprocess.Popen[bytes]]
) -> None:
    fill_folder(tmp_path / "in", 6, side=3)
    output = tmp_path / "out"
    process = spawn(tmp_path / "in", output, *COLOUR, "--model", "patchmatch")
    children = []
    while not results(output) if output.exists() else True:
        assert process.poll() is None, process.communicate()
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(children, 20)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    done = results(output)
    assert 0 < len(done) < 6
    for name in done:
        assert pixels(output / name).shape == (192, 270, 3)
    (output / ".ai-inpaint/part-0").write_bytes(b"half of a picture")
    with (output / ".ai-inpaint/done.jsonl").open("a") as record:
        record.write('{"name": "5.p')
    outcome = call(tmp_path / "in", output, *COLOUR, "--model", "patchmatch")
    assert outcome.exit_code == 0
    assert f"{6 - len(done)} filled, {len(done)} filled before" in outcome.output
    assert len(results(output)) == 6 and not list(output.rglob("part-*"))
    again = call(tmp_path / "in", output, *COLOUR, "--model", "patchmatch")
    assert "0 filled, 6 filled before" in again.output


def test_interrupted_by_the_user(tmp_path: Path, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    fill_folder(tmp_path / "in", 30, side=3)
    report = tmp_path / "report.json"
    process = spawn(tmp_path / "in", tmp_path / "out", *COLOUR, "--model", "patchmatch", "--report", report)
    while not (tmp_path / "out/0.png").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 130 and "The same command goes on from here." in said
    assert not psutil.wait_procs(children, 20)[1]
    told = json.loads(report.read_text())  # what was done is told all the same
    assert 0 < told["counts"]["filled"] < 30
    assert len(results(tmp_path / "out")) == told["counts"]["filled"]


def test_two_runs_do_not_write_into_one_folder(
    tmp_path: Path, spawn: Callable[..., subprocess.Popen[bytes]]
) -> None:
    fill_folder(tmp_path / "in", 4, side=4)
    process = spawn(tmp_path / "in", tmp_path / "out", *COLOUR, "--model", "patchmatch")
    while not (tmp_path / "out/.ai-inpaint/lock").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    outcome = call(tmp_path / "in", tmp_path / "out", *COLOUR)
    assert outcome.exit_code == 1 and "Another run is writing" in outcome.output


def die_once(task: Path, show: Callable[[float, str], None]) -> str:
    """Dies as a process does that the system kills for its memory, but only the first time."""
    if not task.exists():
        task.write_text("was here")
        os.kill(os.getpid(), signal.SIGKILL)
    show(0.5, "half")
    return task.name


def die(task: Path, show: Callable[[float, str], None]) -> str:
    """Dies always, unless the task is called good."""
    if task.name != "good":
        os.kill(os.getpid(), signal.SIGKILL)
    return task.name


def test_a_task_whose_process_died_is_done_again(tmp_path: Path) -> None:
    shown = []
    tasks = [tmp_path / str(number) for number in range(3)]
    with Processes(2) as processes:
        done = dict(processes.run(die_once, tasks, lambda *what: shown.append(what)))
    assert done == {task: task.name for task in tasks}
    assert sorted(shown) == sorted((task, 0.5, "half") for task in tasks)


def test_a_task_that_kills_every_process_is_given_up(tmp_path: Path) -> None:
    tasks = [tmp_path / name for name in ("bad", "good", "worse")]
    with Processes(1) as processes:
        done = dict(processes.run(die, tasks, lambda *_: None))
    assert done == {tasks[0]: None, tasks[1]: "good", tasks[2]: None}
