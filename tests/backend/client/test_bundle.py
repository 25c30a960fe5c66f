"""What install.py carries into the editors: old Pythons, no numpy, perhaps no pyzmq."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import installer
import pytest

from backend.client.discovery import Connection, write

ROOT = Path(__file__).resolve().parents[3]
BLOCKED = ["torch", "numpy", "PIL", "scipy", "numba", "psutil", "click", "models"]

# Argument 1 is the folder of a plugin. Krita imports it as a package, GIMP has it in its sys.path.
START = """
import importlib, json, pkgutil, sys, types
folder, within = sys.argv[1], sys.argv[2]
for name in sys.argv[3].split():
    sys.modules[name] = None
if within:
    package = types.ModuleType(within)
    package.__path__ = [folder]
    sys.modules[within] = package
else:
    sys.path.insert(0, folder)
sys.path.append(folder + "/vendor")
name = (within + "." if within else "") + "backend"
bundle = importlib.import_module(name)
"""

IMPORT_ALL = (
    START
    + """
names = [module.name for module in pkgutil.walk_packages(bundle.__path__, name + ".")]
for found in names:
    importlib.import_module(found)
import msgpack
print(json.dumps([names, msgpack.__file__]))
"""
)

TALK = (
    START
    + """
from pathlib import Path
discovery = importlib.import_module(name + ".client.discovery")
session = importlib.import_module(name + ".client.session")
with session.Session.open(discovery.read(Path(sys.argv[4])), "a bundle") as talk:
    models, common = talk.models()
    names = [card["name"] for card in models]
    print(json.dumps([talk.status()["pid"], type(talk._transport).__name__, names]))
"""
)


def pythons() -> dict[str, str]:
    """This Python, the system's, and an old one if there is any."""
    found = {"this": sys.executable}
    if os.path.exists("/usr/bin/python3"):
        found["system"] = "/usr/bin/python3"
    old = [shutil.which("python3.8"), *(Path.home() / ".pyenv" / "versions").glob("3.8.*/bin/python")]
    working = [
        path for path in old if path and not subprocess.run([path, "-c", ""], capture_output=True).returncode
    ]
    return {**found, **({"3.8": str(working[0])} if working else {})}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """The plugins' folders, as install.py makes them, and the package's name for the one in Krita."""
    install = installer.load()
    place = tmp_path_factory.mktemp("editors")
    for name in ("krita", "gimp"):
        assert "installed" in install.install_plugin(name, place)
    return {"krita": (place / "pykrita" / "ai_inpaint", "ai_inpaint"), "gimp": (place / "ai-inpaint", "")}


def run(python: str, program: str, *arguments: str) -> Any:
    # -S: nothing that is installed beside the standard library.
    done = subprocess.run(
        [python, "-I", "-S", "-B", "-c", program, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("python", pythons().values(), ids=pythons().keys())
@pytest.mark.parametrize("editor", ["krita", "gimp"])
def test_it_imports_on_a_bare_python(bundles: dict[str, tuple[Path, str]], editor: str, python: str) -> None:
    folder, within = bundles[editor]
    names, msgpack = run(python, IMPORT_ALL, str(folder), within, " ".join([*BLOCKED, "zmq"]))
    prefix = f"{within}.backend" if within else "backend"
    expected = {f"{prefix}.{name}" for name in ("wire", "client")}
    for name in ("wire", "client"):
        files = (ROOT / "backend" / name).glob("*.py")
        expected |= {f"{prefix}.{name}.{file.stem}" for file in files if file.stem != "__init__"}
    assert set(names) == expected
    assert Path(msgpack).is_relative_to(folder / "vendor")


@pytest.mark.parametrize("python", pythons().values(), ids=pythons().keys())
@pytest.mark.parametrize("zmq", ["with its pyzmq", "without pyzmq"])
def test_it_talks_to_the_backend(
    bundles: dict[str, tuple[Path, str]], server: Any, tmp_path: Path, python: str, zmq: str
) -> None:
    known = {name: value for name, value in server.info.items() if name in asdict(Connection("", ""))}
    write(Connection(**{**known, "protocol": tuple(known["protocol"])}), tmp_path / "connection.json")
    folder, within = bundles["krita"]
    blocked = BLOCKED if zmq == "with its pyzmq" else [*BLOCKED, "zmq"]
    arguments = (str(folder), within, " ".join(blocked), str(tmp_path / "connection.json"))
    pid, transport, models = run(python, TALK, *arguments)
    assert pid == server.process.pid
    assert "patchmatch" in models
    if zmq == "without pyzmq":
        assert transport == "ZmtpTransport"
    elif python == sys.executable:
        assert transport == "ZmqTransport"


@pytest.mark.parametrize("editor", ["krita", "gimp"])
def test_every_source_file_is_in_the_bundle(bundles: dict[str, tuple[Path, str]], editor: str) -> None:
    source = ROOT / {"krita": "krita_plugin/ai_inpaint", "gimp": "gimp_plugin/ai-inpaint"}[editor]
    files = {file.relative_to(source) for file in source.rglob("*") if file.is_file()}
    expected = {file for file in files if "__pycache__" not in file.parts}
    folder = bundles[editor][0]
    assert expected
    assert {
        file for file in expected if (folder / file).read_bytes() != (source / file).read_bytes()
    } == set()


def vermin(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import vermin; vermin.main()", "-t=3.8-", "--violations", *map(str, paths)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_it_needs_no_newer_python_than_3_8(bundles: dict[str, tuple[Path, str]], tmp_path: Path) -> None:
    pytest.importorskip("vermin", reason="a tool of the project's own environment")
    for folder, _ in bundles.values():
        tool = vermin(*(path for path in folder.iterdir() if path.name != "vendor"))
        assert tool.returncode == 0, tool.stdout
    newer = tmp_path / "newer.py"
    newer.write_text("'word'.removesuffix('d')\n")
    assert vermin(newer).returncode != 0, "the tool finds nothing anywhere"
