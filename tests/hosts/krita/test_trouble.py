"""Backends that fail in every way, and jobs that are stopped in every way: in a real Krita."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..xvfb import Display
from .launch import ROOT, Home, play

SCENARIO = Path(__file__).with_name("scenarios") / "trouble.py"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def told(
    home: Home, display: Display, photo: Path, pictures_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    home.stop_backend()
    home.record_odd_backend()
    folder = tmp_path_factory.mktemp("out")
    given = {"AI_INPAINT_OUT": str(folder), "AI_INPAINT_PHOTO": str(photo)}
    yield play(home, display, SCENARIO, 240, pictures_folder, **given)
    home.stop_backend()
    home.record_backend(home.python)


def test_a_backend_that_is_missing(told: dict[str, Any]) -> None:
    assert told["backends"]["missing"] == (
        "AI Inpaint's backend is not installed.\n\nRun python3 install.py in its folder."
    )


def test_a_backend_that_breaks_at_its_start_shows_no_traceback(told: dict[str, Any]) -> None:
    said = told["backends"]["broken"]
    assert "a part is lost" in said and "Traceback" not in said and 'File "' not in said
    assert said.count("\n\n") == 1 and said.count("\n") == 2


def test_a_backend_of_another_version(told: dict[str, Any]) -> None:
    assert "different versions" in told["backends"]["version"]
    assert "run install.py" in told["backends"]["version"]


def test_a_backend_that_says_nothing_does_not_stop_krita(told: dict[str, Any]) -> None:
    assert "does not answer" in told["backends"]["silent"]
    assert told["silent"]["ticks"] > 100, "Krita's event loop went on meanwhile"
    assert told["backends"]["names"] == ["Background"]


def test_progress_moves_and_one_picture_is_filled_once_at_a_time(told: dict[str, Any]) -> None:
    found = told["cancelling"]
    assert found["starting"]
    assert found["moves"]
    assert found["again"].startswith("“photo.png” is being filled already.")


def test_cancel_leaves_no_layer_and_no_message_and_the_next_fill_works(told: dict[str, Any]) -> None:
    found = told["cancelling"]
    assert found["names"] == ["Background"] and found["said"] == ""
    assert found["afterwards"] == ["Background", "Patient, seed 0"]
    assert found["said_afterwards"] == ""
    assert told["pulse"]["ticks"] > 100, "Krita's event loop went on during a fill"


def test_a_backend_that_is_killed_mid_job_is_started_again_by_the_next_fill(told: dict[str, Any]) -> None:
    found = told["dying"]
    assert found["killed"].startswith("The backend has ended.\n\nTry again")
    assert found["windows"] == 0
    assert found["afterwards"] == "Patient, seed 0"


@pytest.mark.parametrize(
    ("fault", "words"), [("memory", "not enough memory"), ("crash", "worker"), ("mistaken", "mistake")]
)
def test_a_worker_that_fails_costs_a_sentence(told: dict[str, Any], fault: str, words: str) -> None:
    said = told["dying"][fault]
    assert words in said and "\n\n" in said
    assert "secret" not in said and "Traceback" not in said


def test_a_document_may_be_closed_mid_job(told: dict[str, Any]) -> None:
    assert told["closing"] == {"said": "", "documents": 0}


def test_krita_may_be_quit_mid_job_and_the_backend_drops_the_job(home: Home, told: dict[str, Any]) -> None:
    assert home.backend() == told["quitting"], "it lives on for others"
    deadline = time.monotonic() + 20
    while "dreaming" in (said := status(home)):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)


def status(home: Home) -> str:
    command = [sys.executable, "-m", "backend.cli", "status"]
    environment = home.environment()
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout
