"""Starting a backend: real processes, though what they run here is no backend."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.client import launcher, paths
from backend.client.processes import alive
from backend.wire.errors import LAUNCH_FAILED, NOT_INSTALLED, InpaintError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def install(tmp_path: Path, folder: Path) -> Callable[[str], Path]:
    """Installs a program as the backend's command line; returns its folder."""

    def install(program: str) -> Path:
        root = tmp_path / "installed here"
        (root / "backend").mkdir(parents=True)
        (root / "backend" / "__init__.py").write_text("")
        (root / "backend" / "cli.py").write_text(program)
        folder.mkdir()
        record = {"python": sys.executable, "root": str(root), "software": "1"}
        paths.installation_file(folder).write_text(json.dumps(record))
        return root

    return install


def appears(path: Path) -> Callable[[], str | None]:
    def look() -> str | None:
        return path.read_text() if path.exists() and path.read_text().endswith("\n") else None

    return look


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


REPORT = """
import json, os, sys
state = os.environ["AI_INPAINT_HOME"]
said = {
    "arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ), "pid": os.getpid(),
    "session": os.getsid(0) if hasattr(os, "getsid") else None, "input": sys.stdin.read(),
}
with open(os.path.join(state, "started"), "a") as stream:
    stream.write(json.dumps(said) + "\\n")
"""


def test_it_starts_what_was_installed_and_nothing_of_the_editor_s(
    install: Callable[[str], Path], folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = install(REPORT)
    foreign = {
        "PYTHONHOME": "/nowhere",
        "PYTHONPATH": "/nowhere",
        "LD_LIBRARY_PATH": "/nowhere",
        "LD_PRELOAD": "",
        "QT_PLUGIN_PATH": "/nowhere",
        "GI_TYPELIB_PATH": "/nowhere",
        "GIMP3_DIRECTORY": "/nowhere",
        "APPDIR": "/tmp/.mount_krita",
        "PATH": os.pathsep.join(["/tmp/.mount_krita/usr/bin", os.environ["PATH"]]),
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AI_INPAINT_MODELS", "kept")
    monkeypatch.setattr(sys, "executable", "/usr/bin/krita")  # an editor's own
    told: list[str] = []
    said = json.loads(launcher.launch(appears(folder / "started"), folder, told.append, 30))
    assert said["arguments"] == ["serve", "--background"]
    assert os.path.samefile(said["folder"], str(root))
    assert said["input"] == ""
    assert said["environment"]["AI_INPAINT_HOME"] == str(folder)
    assert said["environment"]["AI_INPAINT_MODELS"] == "kept"
    assert said["environment"]["PATH"] == foreign["PATH"].split(os.pathsep, 1)[1]
    assert not (set(foreign) - {"PATH"}) & set(said["environment"])
    assert told and set(told) == {"starting the backend"}
    if hasattr(os, "getsid"):
        assert said["session"] == said["pid"] != os.getsid(0)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_without_an_installation_it_says_what_to_do(folder: Path) -> None:
    with pytest.raises(InpaintError) as caught:
        launcher.launch(lambda: None, folder)
    assert caught.value.code == NOT_INSTALLED
    assert caught.value.message == "AI Inpaint's backend is not installed."
    assert caught.value.hint == "Run python3 install.py in its folder."
    assert not folder.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"python": "/usr/bin/python3"}'])
def test_a_broken_record_is_reported(folder: Path, content: str) -> None:
    folder.mkdir()
    paths.installation_file(folder).write_text(content)
    with pytest.raises(InpaintError) as caught:
        launcher.launch(lambda: None, folder)
    assert caught.value.code == NOT_INSTALLED and "install.py" in caught.value.hint


def test_an_installation_that_was_deleted_is_reported(install: Callable[[str], Path], folder: Path) -> None:
    root = install("")
    root.rename(root.with_name("moved"))
    with pytest.raises(InpaintError) as caught:
        launcher.launch(lambda: None, folder)
    assert caught.value.code == NOT_INSTALLED and str(root) in caught.value.message


def test_a_python_that_is_none_is_reported(
    install: Callable[[str], Path], folder: Path, tmp_path: Path
) -> None:
    root = install("")
    record = {"python": str(root / "backend" / "cli.py"), "root": str(root)}
    paths.installation_file(folder).write_text(json.dumps(record))
    with pytest.raises(InpaintError) as caught:
        launcher.launch(lambda: None, folder)
    assert caught.value.code == LAUNCH_FAILED and "install.py" in caught.value.hint


def test_a_backend_that_ends_at_once_says_why(install: Callable[[str], Path], folder: Path) -> None:
    install("import sys\nprint('much before', 'x' * 9000)\nsys.exit('The disk is full.')")
    with pytest.raises(InpaintError) as caught:
        launcher.launch(lambda: None, folder, timeout=30)
    assert caught.value.code == LAUNCH_FAILED
    assert "exit code 1" in caught.value.message and caught.value.message.endswith("The disk is full.")
    assert len(caught.value.message) < 3000
    assert str(paths.log_file(folder)) in caught.value.hint


def test_a_backend_that_does_not_come_up_is_given_up(install: Callable[[str], Path], folder: Path) -> None:
    install(REPORT + "import time\ntime.sleep(60)")
    with pytest.raises(InpaintError) as caught:
        launcher.launch(lambda: None, folder, timeout=1)
    assert caught.value.code == LAUNCH_FAILED and "within 1 seconds" in caught.value.message
    wait_for(lambda: appears(folder / "started")() is not None)
    os.kill(json.loads((folder / "started").read_text())["pid"], 9)


def test_the_loser_of_a_race_waits_for_the_winner(install: Callable[[str], Path], folder: Path) -> None:
    install("import sys\nsys.exit(3)")
    looks: list[int] = []

    def look() -> str | None:
        looks.append(1)
        return "the winner's" if len(looks) > 20 else None

    assert launcher.launch(look, folder, timeout=30) == "the winner's"


def test_a_winner_that_was_about_to_end_is_replaced(install: Callable[[str], Path], folder: Path) -> None:
    # The first start finds the lock of one that ends; nobody answers; a second start succeeds.
    install(
        "import os, sys\nfirst = os.path.join(os.environ['AI_INPAINT_HOME'], 'first')\n"
        "if not os.path.exists(first):\n    open(first, 'w').close()\n    sys.exit(3)\n" + REPORT
    )
    assert launcher.launch(appears(folder / "started"), folder, timeout=60)


def test_an_ended_backend_is_collected(install: Callable[[str], Path], folder: Path) -> None:
    install(REPORT)
    pid = json.loads(launcher.launch(appears(folder / "started"), folder, timeout=30))["pid"]
    wait_for(lambda: not alive(pid))
    launcher.collect()
    if sys.platform.startswith("linux"):
        assert not os.path.exists(f"/proc/{pid}")
