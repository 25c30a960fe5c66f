"""What is installed, what works, and how to mend what does not.

Nothing is changed and nothing is started. Each check is a function that gives findings.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from . import __version__, editors, kritarc, plugins
from .client import discovery, paths
from .wire.errors import InpaintError

OK, WARNING, PROBLEM = "ok", "warning", "problem"

ROOT = Path(__file__).resolve().parents[1]

_OLDEST_PYTHON = (3, 10)
_LITTLE_SPACE, _NO_SPACE = 2 << 30, 200 << 20
AGAIN = "Run python3 install.py again."


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: what it is about, a word or two.
        level: `OK`, `WARNING` (works, but less well) or `PROBLEM` (something will fail).
        message: one sentence or a short phrase.
        hint: how to mend it; empty where nothing is to be mended.
    """

    area: str
    level: str
    message: str
    hint: str = ""


def examine() -> Iterator[Finding]:
    """Look at everything; findings come as they are made, as some take a second."""
    yield from _python()
    yield from _packages()
    yield from _kernels()
    yield from _devices()
    yield from editor_findings()
    yield from _state()
    yield from _backend()


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    where = f"AI Inpaint {__version__} in {ROOT}, Python {version} at {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        oldest = ".".join(map(str, _OLDEST_PYTHON))
        yield Finding("Python", PROBLEM, where, f"Run install.py with Python {oldest} or newer.")
    else:
        yield Finding("Python", OK, where)


def _packages() -> Iterator[Finding]:
    exact = []
    for name, wanted in pins(ROOT / "pyproject.toml").items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding("Packages", PROBLEM, f"{name} is not installed.", AGAIN)
            continue
        # torch adds its build: 2.13.0+cpu
        if found.partition("+")[0] != wanted:
            yield Finding("Packages", WARNING, f"{name} is {found}; {wanted} is what was tested.", AGAIN)
        else:
            exact.append(f"{name} {found}")
    if exact:
        yield Finding("Packages", OK, ", ".join(exact))


def pins(pyproject: Path) -> dict[str, str]:
    """Name to version of the dependencies that this Python needs, as pyproject.toml pins them."""
    text = pyproject.read_text(encoding="utf-8") if pyproject.is_file() else ""
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    found = {}
    for name, version, sign, bound in re.findall(
        r'"([\w.-]+)==([\w.]+)(?:; python_version (<|>=) \'3\.(\d+)\')?"', block.group(1) if block else ""
    ):
        newer = bool(bound) and sys.version_info >= (3, int(bound))
        if not sign or newer == (sign == ">="):
            found[name] = version
    return found


def _kernels() -> Iterator[Finding]:
    """Numba keeps what it compiled beside the source, or where NUMBA_CACHE_DIR says."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else ROOT / "models"
    count = sum(1 for _ in folder.rglob("*.nbi")) if folder.is_dir() else 0
    if count:
        yield Finding("Compiled code", OK, f"{count} functions are ready in {folder}")
    else:
        yield Finding(
            "Compiled code",
            WARNING,
            "None is there yet: the first fill has to wait for the compiler.",
            AGAIN,
        )


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as problem:
        yield Finding("Devices", PROBLEM, f"PyTorch cannot be loaded: {problem}.", AGAIN)
        return
    yield Finding("Devices", OK, f"cpu: {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    kind = "ROCm" if torch.version.hip else "CUDA"
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(number)
            memory = card.total_memory / 2**30
            yield Finding("Devices", OK, f"cuda:{number}: {card.name}, {memory:.0f} GiB ({kind})")
    elif shutil.which("nvidia-smi") and not torch.version.cuda:
        yield Finding(
            "Devices",
            WARNING,
            "There seems to be an NVIDIA card, but PyTorch was installed without support for it.",
            "Run python3 install.py --device cuda.",
        )
    elif torch.version.cuda or torch.version.hip:
        yield Finding(
            "Devices",
            WARNING,
            f"PyTorch was built for {kind}, but finds no graphics card.",
            "Check the card's driver; until then the processor is used.",
        )
    if torch.backends.mps.is_available():
        yield Finding("Devices", OK, "mps: Apple's graphics processor")


def editor_findings() -> Iterator[Finding]:
    """Each editor, and its plugin's state."""
    found = editors.find()
    for editor in found:
        yield _editor(editor)
    if not found:
        yield Finding(
            "Editors",
            WARNING,
            "Neither Krita nor GIMP was found in the usual places.",
            "Install one of them, or use ai-inpaint run.",
        )


def _editor(editor: editors.Editor) -> Finding:
    what = f"{editor}, {', '.join(map(str, editor.programs))}"
    if editor.place is None:
        return Finding("Editors", WARNING, f"{what}: no plugin.", editor.note)
    plugin = plugins.state(editor.name, editor.place, ROOT)
    where = f"in {editor.place}"
    if not plugin.version:
        return Finding("Editors", WARNING, f"{what}: no plugin {where}.", AGAIN)
    if not plugin.current:
        message = (
            f"{what}: the plugin {plugin.version} {where} is not as AI Inpaint {__version__} installs it."
        )
        return Finding("Editors", WARNING, message, AGAIN)
    if editor.config and not kritarc.enabled(kritarc.read(editor.config)):
        hint = "Switch it on in Krita: Settings, Configure Krita, Python Plugin Manager, AI Inpaint."
        return Finding("Editors", WARNING, f"{what}: the plugin {where} is switched off.", hint)
    served = plugin.holds.get("pythons")
    carrier = f"pyzmq for Python {', '.join(served)}" if served else "without pyzmq"
    message = f"{what}: plugin {plugin.version} {where}, {carrier}" + (", linked" if plugin.link else "")
    return Finding("Editors", OK, message, editor.note)


def _state() -> Iterator[Finding]:
    folder = paths.state_dir()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not os.access(there, os.W_OK):
        yield Finding(
            "State folder",
            PROBLEM,
            f"{folder} cannot be written.",
            "Make it writable for your user, or set AI_INPAINT_HOME to another one.",
        )
    elif os.name == "posix" and folder.exists() and folder.stat().st_mode & 0o077:
        yield Finding(
            "State folder",
            WARNING,
            f"{folder} is open to other users.",
            f"Close it with: chmod 700 {folder}.",
        )
    else:
        yield Finding("State folder", OK, str(folder))
    yield Finding("Log", OK, str(paths.log_file()))
    free = shutil.disk_usage(there).free
    level = PROBLEM if free < _NO_SPACE else WARNING if free < _LITTLE_SPACE else OK
    hint = "" if level == OK else "Make room: models and logs need it."
    yield Finding("Disk", level, f"{free / 2**30:.1f} GiB are free at {there}", hint)


def _backend() -> Iterator[Finding]:
    yield _launch()
    named = os.environ.get("AI_INPAINT_CONNECTION")
    path = Path(named) if named else paths.connection_file()
    try:
        connection = discovery.find(path)
        if connection is None:
            if path.exists():
                yield Finding(
                    "Backend",
                    WARNING,
                    "It ended without cleaning up, perhaps by a crash.",
                    f"{paths.log_file()} may say why; the next start mends it.",
                )
            else:
                yield Finding("Backend", OK, "not running; the first request of an editor starts it")
            return
        yield _running(connection)
    except InpaintError as problem:
        yield Finding("Backend", PROBLEM, problem.message, problem.hint)


def _running(connection: discovery.Connection) -> Finding:
    from .client.session import Session

    with Session.open(connection, "ai-inpaint doctor") as session:
        known = session.status()
    devices = [str(worker.get("device", "?")) for worker in known.get("workers", [])]
    what = f"{known.get('software')} runs, process {known.get('pid')}, at {connection.endpoint}"
    if not devices:
        return Finding("Backend", WARNING, f"{what}, but no worker.", f"See {paths.log_file()}.")
    what += f", with {', '.join(devices)}"
    if str(known.get("software", "")).endswith(f" {__version__}"):
        return Finding("Backend", OK, what)
    return Finding("Backend", WARNING, f"{what}; installed is {__version__}.", "Run ai-inpaint stop.")


def _launch() -> Finding:
    """Whether an editor could start the backend: it needs what install.py recorded."""
    path = paths.installation_file()
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
        missing = [recorded[name] for name in ("python", "root") if not os.path.exists(recorded[name])]
    except FileNotFoundError:
        return Finding(
            "Start by editors",
            WARNING,
            "Nothing tells editors where the backend is.",
            "Run python3 install.py, or start it yourself with: ai-inpaint serve.",
        )
    except (OSError, ValueError, LookupError, TypeError):
        return Finding("Start by editors", PROBLEM, f"{path} cannot be read.", AGAIN)
    if missing:
        return Finding("Start by editors", PROBLEM, f"{missing[0]} is no longer there.", AGAIN)
    return Finding("Start by editors", OK, f"with {recorded['python']}")
