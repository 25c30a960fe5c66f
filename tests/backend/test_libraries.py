"""What a plugin carries for its editor's Python; pip is real, its index a folder of small wheels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from backend import libraries

OWN = f"3.{min(sys.version_info[1], libraries.STABLE)}"
OTHERS = [version for version in ("3.8", "3.10", "3.11") if version != OWN][:2]


def wheel(folder: Path, version: str) -> None:
    """A pyzmq for a Python, of which only the names are real."""
    tag = f"cp3{version.split('.')[1]}"
    platform = libraries._platforms()[-1]
    info = f"pyzmq-{libraries.PYZMQ}.dist-info"
    with zipfile.ZipFile(folder / f"pyzmq-{libraries.PYZMQ}-{tag}-{tag}-{platform}.whl", "w") as archive:
        archive.writestr("zmq/__init__.py", "# the same in all\n")
        archive.writestr(f"zmq/_zmq.{tag}.so", tag)
        archive.writestr("zmq/tests/__init__.py", "")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: pyzmq\nVersion: {libraries.PYZMQ}\n"
        )
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}-{tag}-{platform}\n")
        archive.writestr(f"{info}/RECORD", "")


class Gatherer:
    """Calls `gather` as install.py does, and keeps what was said and run."""

    def __init__(self, index: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("PIP_")}
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}
        self.environment = {**kept, **offline}
        self.said: list[str] = []
        self.runs = 0

    def gather(
        self, folder: Path, pythons: list[str] | None, carried: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        folder.mkdir()
        return libraries.gather(
            folder,
            Path(sys.executable),
            pythons,
            carried or {},
            self.environment,
            self.tool,
            self.said.append,
        )

    def tool(self, command: list[str]) -> str:
        self.runs += 1
        done = subprocess.run(command, env=self.environment, capture_output=True, encoding="utf-8")
        return "" if done.returncode == 0 else "Look at the log."


@pytest.fixture
def gatherer(tmp_path: Path) -> Gatherer:
    (tmp_path / "index").mkdir()
    return Gatherer(tmp_path / "index")


@pytest.mark.parametrize("pythons", [None, [OWN]])
def test_for_our_own_python_both_are_copied(
    gatherer: Gatherer, tmp_path: Path, pythons: list[str] | None
) -> None:
    holds = gatherer.gather(tmp_path / "vendor", pythons)
    assert holds["pythons"] == [OWN]
    assert gatherer.runs == 0
    names = {path.name for path in (tmp_path / "vendor").iterdir()}
    assert {"msgpack", "zmq"} <= names
    # -S: without the packages of this environment.
    program = (
        "import sys; sys.path.append(sys.argv[1]); import zmq, msgpack; print(zmq.__version__, zmq.__file__)"
    )
    said = subprocess.run(
        [sys.executable, "-S", "-c", program, str(tmp_path / "vendor")], capture_output=True, encoding="utf-8"
    )
    assert said.stdout.split()[0] == holds["pyzmq"], said.stderr
    assert str(tmp_path) in said.stdout


def test_msgpack_is_pure_python_with_its_licence(gatherer: Gatherer, tmp_path: Path) -> None:
    gatherer.gather(tmp_path / "vendor", None)
    assert not [
        path for path in (tmp_path / "vendor" / "msgpack").iterdir() if path.suffix in (".so", ".pyd")
    ]
    assert list((tmp_path / "vendor").glob("msgpack-*.dist-info/**/COPYING"))
    assert list((tmp_path / "vendor").glob("pyzmq-*.dist-info/**/LICENSE*"))
    assert not list((tmp_path / "vendor").rglob("*.pyc"))
    assert not list((tmp_path / "vendor").rglob("tests"))


def test_builds_for_several_pythons_share_a_folder(gatherer: Gatherer, tmp_path: Path) -> None:
    for version in (*OTHERS, "3.12"):
        wheel(tmp_path / "index", version)
    holds = gatherer.gather(tmp_path / "vendor", [*OTHERS, "3.12", "3.13", "3.14"])
    assert holds["pythons"] == [*OTHERS, "3.12"]
    assert holds["pyzmq"] == libraries.PYZMQ
    compiled = {path.name for path in (tmp_path / "vendor" / "zmq").glob("*.so")}
    assert compiled == {f"_zmq.cp3{version.split('.')[1]}.so" for version in (*OTHERS, "3.12")}
    assert not (tmp_path / "vendor" / "zmq" / "tests").exists()
    # What is there already is left as it is.
    assert gatherer.gather(tmp_path / "again", [*OTHERS, "3.13"], json.loads(json.dumps(holds))) == {}
    assert gatherer.runs == 3


def test_without_a_build_the_plugin_goes_without(gatherer: Gatherer, tmp_path: Path) -> None:
    wheel(tmp_path / "index", OTHERS[0])
    holds = gatherer.gather(tmp_path / "vendor", OTHERS)
    assert holds["pythons"] == OTHERS[:1]
    assert "Look at the log." in gatherer.said[-1]
    assert (tmp_path / "vendor" / "msgpack" / "__init__.py").exists()
    # The next run tries again.
    wheel(tmp_path / "index", OTHERS[1])
    assert gatherer.gather(tmp_path / "again", OTHERS, holds)["pythons"] == OTHERS


def test_an_editor_for_which_nobody_builds_gets_msgpack_alone(gatherer: Gatherer, tmp_path: Path) -> None:
    holds = gatherer.gather(tmp_path / "vendor", [])
    assert holds["pythons"] == []
    assert gatherer.runs == 0
    assert [path.name for path in (tmp_path / "vendor").iterdir() if "-" not in path.name] == ["msgpack"]
