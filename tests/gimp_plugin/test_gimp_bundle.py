"""The plug-in as install.py puts it into GIMP's folder, looked at without GIMP."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import installer
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "gimp_plugin" / "ai-inpaint"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plug-in's own folder, installed."""
    place = tmp_path_factory.mktemp("plug-ins")
    installer.load().install_plugin("gimp", place)
    return place / "ai-inpaint"


def test_gimp_can_run_it(bundle: Path) -> None:
    program = bundle / "ai-inpaint.py"
    assert program.read_bytes().startswith(b"#!")
    assert os.name != "posix" or os.access(program, os.X_OK)
    assert {path.name for path in SOURCE.glob("*.py")} <= {path.name for path in bundle.iterdir()}


def test_it_carries_the_client_and_msgpack(bundle: Path) -> None:
    """What needs no GIMP can be imported from the folder alone, as GIMP's Python does it."""
    program = (
        "import sys; sys.path[:] = [sys.argv[1], *sys.path, sys.argv[1] + '/vendor']\n"
        "import options, msgpack\n"
        "from backend.client import form, refusals, session\n"
        "print(options.__file__, form.__file__)\n"
    )
    run = [sys.executable, "-I", "-S", "-c", program, str(bundle)]
    said = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True, cwd=bundle).stdout.split()
    assert said == [str(bundle / "options.py"), str(bundle / "backend" / "client" / "form.py")]


def test_it_needs_no_newer_python_than_3_8() -> None:
    pytest.importorskip("vermin", reason="a tool of the project's own environment")
    tool = [sys.executable, "-c", "import vermin; vermin.main()", "-t=3.8-", "--violations", str(SOURCE)]
    done = subprocess.run(tool, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout


def test_only_the_host_touches_pixels() -> None:
    for path in SOURCE.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        touches = any(word in text for word in ("get_buffer", "Gegl.", "Babl.", "insert_layer"))
        assert touches == (path.name == "host.py"), path
