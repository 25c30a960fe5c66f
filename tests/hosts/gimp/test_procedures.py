"""The procedures as GIMP and its scripts meet them; the backend started, ended, missing; both transports."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from backend.pipeline import PARAMS

from .root import Gimp

INSIDE = Path(__file__).with_name("inside")
Do = Callable[..., dict[str, Any]]


@pytest.fixture
def do(gimp: Gimp, tmp_path_factory: pytest.TempPathFactory) -> Do:
    """Runs functions of `inside/procedures.py` in one GIMP; what they found."""

    def do(*wanted: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        folder = gimp.folder / f"procedures-{len(os.listdir(gimp.folder))}"
        folder.mkdir()
        done = gimp.batch(INSIDE / "procedures.py", str(folder), *wanted, environment=environment)
        assert done.returncode == 0, done.stdout
        report = json.loads((folder / "report.json").read_text())
        for found in report.values():
            assert "trouble" not in found, found["trouble"]
        return dict(report)

    return do


@pytest.fixture
def no_backend(gimp: Gimp) -> Iterator[None]:
    """Nothing runs, before and after."""
    gimp.ask_backend("stop")
    yield
    gimp.ask_backend("stop")


def test_menus_words_repeated_fills_and_the_backend(do: Do, no_backend: None) -> None:
    found = do("described", "backend", "again")

    procedures = found["described"]
    main = procedures["plug-in-ai-inpaint"]
    assert main["label"] == "AI Inpaint…"
    assert main["menus"] == ["<Image>/Filters", "<Image>/Filters/Development/Python-Fu"]
    assert main["types"] == "*"  # what cannot be filled is told, not grayed out
    for procedure in procedures.values():
        assert procedure["blurb"] and procedure["help"] and procedure["menus"]
        assert all(words for words, _ in procedure["arguments"].values()), "an argument without documentation"
    marks = procedures["plug-in-ai-inpaint-select-marks"]
    assert marks["label"] == "Select Marks of a Colour…" and marks["menus"] == ["<Image>/Select"]
    assert [marks["arguments"][name][1] for name in ("tolerance", "smallest", "foreground")] == [16, 0, False]
    for param in PARAMS:
        assert main["arguments"][param.name][1] == param.default

    said = [words for status, words, _ in found["backend"] if status == "success"]
    assert len(said) == 5, found["backend"]
    assert said[0] == "The backend is not running."
    assert said[1].startswith("The backend is not running")
    assert "Nothing is being filled." in said[2] and said[2].startswith("The backend ai-inpaint ")
    assert said[3].startswith("The backend ai-inpaint ")
    assert said[4] == "The backend has been ended."

    again = found["again"]
    first, second, third, of_a_fill = again["records"]
    assert first["model"] == second["model"] == third["model"] == "auto"
    assert first["params"] == second["params"] == third["params"]
    assert (of_a_fill["model"], of_a_fill["params"]) == (first["model"], first["params"])
    assert len({one["seed"] for one in again["records"]}) == 4
    assert again["different"] == 4
    order = (of_a_fill, first, second, third)
    assert again["tree"] == [f"PatchMatch, seed {one['seed']}" for one in order] + ["picture"]
    assert again["active"] == ["picture"]


def test_a_script_that_raises_ends_with_its_code(gimp: Gimp) -> None:
    assert gimp.batch(INSIDE / "raising.py", "selected").returncode == 0
    refused = gimp.batch(INSIDE / "raising.py", "unselected")
    assert refused.returncode != 0
    assert "Nothing is selected." in refused.stdout


def test_pyzmq_and_the_standard_library_give_the_same(gimp: Gimp, do: Do) -> None:
    blocked = gimp.folder / "blocked"
    blocked.mkdir()
    (blocked / "zmq.py").write_text("raise ImportError('no pyzmq for this Python')\n")
    without = do("transport", environment={"PYTHONPATH": str(blocked)})["transport"]
    with_it = do("transport")["transport"]
    assert without.pop("pyzmq") is False and with_it.pop("pyzmq") is True
    assert without["status"] == "success", without["words"]
    assert without == with_it


def test_a_backend_that_is_not_where_it_was_installed(do: Do, no_backend: None) -> None:
    found = do("not_installed")["not_installed"]
    assert set(found) == {"missing", "broken", "moved"}
    for answer in found.values():
        assert answer["status"] == "execution-error"
        assert "Run python3 install.py" in answer["words"]
        assert answer["clean"]


def test_a_named_backend_is_never_started_from_here(gimp: Gimp, do: Do, no_backend: None) -> None:
    nowhere = str(gimp.folder / "elsewhere.json")
    found = do("one_fill", environment={"AI_INPAINT_CONNECTION": nowhere})["one_fill"]
    assert found["status"] == "execution-error"
    assert nowhere in found["words"] and "Copy it" in found["words"]
    assert not (gimp.state / "connection.json").exists()
