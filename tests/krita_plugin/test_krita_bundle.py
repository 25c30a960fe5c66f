"""The installed plugin on Pythons that have little: none of our packages, an old version, no zmq."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

BLOCKED = (
    "torch", "numpy", "PIL", "scipy", "zmq", "numba", "psutil", "click", "backend", "models",
    "PyQt5", "PyQt6",
)  # fmt: skip
WITHOUT_QT = ("choices", "fill", "jobs", "picture", "spaces", "tasks", "words")

IMPORT = """
import importlib, sys
for name in sys.argv[2].split(","):
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import ai_inpaint
for name in sys.argv[3].split(","):
    importlib.import_module("ai_inpaint." + name)
from ai_inpaint.backend.client import session, transport
print(ai_inpaint.__doc__.split()[0], len(sys.modules))
"""


def test_all_that_needs_neither_krita_nor_qt_imports_on_a_bare_python(bundle: Path) -> None:
    command = [sys.executable, "-c", IMPORT, str(bundle.parent), ",".join(BLOCKED), ",".join(WITHOUT_QT)]
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("AI ")


def test_the_parts_of_the_bundle_are_where_krita_looks(bundle: Path) -> None:
    resources = bundle.parent.parent
    assert (resources / "pykrita" / "ai_inpaint.desktop").is_file()
    assert (resources / "actions" / "ai_inpaint.action").is_file()
    for part in ("backend/wire", "backend/client", "vendor/msgpack"):
        assert (bundle / part).is_dir(), part


def test_the_desktop_file_names_the_package(bundle: Path) -> None:
    text = (bundle.parent / "ai_inpaint.desktop").read_text()
    assert f"X-KDE-Library={bundle.name}\n" in text
    assert "ServiceTypes=Krita/PythonPlugin\n" in text


def test_the_action_file_describes_the_entries_of_the_menu(bundle: Path) -> None:
    tree = ElementTree.parse(bundle.parent.parent / "actions" / "ai_inpaint.action")
    described = {action.get("name"): action for action in tree.iter("Action")}
    source = (bundle / "extension.py").read_text(encoding="utf-8")
    for name, action in described.items():
        assert f'"{name}": (' in source
        assert action.findtext("activationFlags") == "0", "never grey: what cannot be done says why"
        assert action.findtext("statusTip")
    assert source.count('"ai_inpaint_') - 1 - source.count('actions["ai_inpaint_') == len(described)
    shortcuts = [action.findtext("shortcut") for action in described.values() if action.findtext("shortcut")]
    assert shortcuts == ["Shift+F5"]


def test_it_needs_no_newer_python_than_3_8(bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("vermin", reason="a tool of the project's own environment")

    def vermin(*paths: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "import vermin; vermin.main()", "-t=3.8-", "--violations"]
        return subprocess.run([*command, *map(str, paths)], capture_output=True, text=True)

    done = vermin(*bundle.glob("*.py"))
    assert done.returncode == 0, done.stdout
    newer = tmp_path / "newer.py"
    newer.write_text("'word'.removesuffix('d')\n")
    assert vermin(newer).returncode != 0, "the tool finds nothing anywhere"
