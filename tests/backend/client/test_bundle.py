"""What is carried into the editors: old Pythons, no numpy, perhaps no pyzmq."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BLOCKED = ["torch", "numpy", "PIL", "scipy", "zmq", "numba", "psutil", "click", "backend", "models"]

IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[2:]:
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import plugin
names = [module.name for module in pkgutil.walk_packages(plugin.__path__, "plugin.")]
for name in names:
    importlib.import_module(name)
print(*names)
"""


def test_the_plugin_bundle_imports_on_a_bare_python(tmp_path: Path) -> None:
    package = tmp_path / "plugin"
    package.mkdir()
    (package / "__init__.py").write_text("")
    expected = {"plugin.wire", "plugin.client"}
    for name in ("wire", "client"):
        source = ROOT / "backend" / name
        shutil.copytree(str(source), str(package / name), ignore=shutil.ignore_patterns("__pycache__"))
        files = (file for file in source.glob("*.py") if file.stem != "__init__")
        expected |= {f"plugin.{name}.{file.stem}" for file in files}
    said = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, str(tmp_path), *BLOCKED],
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.split()
    assert set(said) == expected


def vermin(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import vermin; vermin.main()", "-t=3.8-", "--violations", *map(str, paths)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_it_needs_no_newer_python_than_3_8(tmp_path: Path) -> None:
    pytest.importorskip("vermin", reason="a tool of the project's own environment")
    tool = vermin(ROOT / "backend" / "wire", ROOT / "backend" / "client")
    assert tool.returncode == 0, tool.stdout
    newer = tmp_path / "newer.py"
    newer.write_text("'word'.removesuffix('d')\n")
    assert vermin(newer).returncode != 0, "the tool finds nothing anywhere"
