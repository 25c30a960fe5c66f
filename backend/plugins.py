"""A plugin in its editor's folder: what belongs to it, putting it there, taking it away again.

Every plugin carries its own copy of the client: an editor's Python has none of our packages. An account in
the plugin's own folder (`RECORD`) lists what was put there, so that an update removes what the new version
lacks, and removing the plugin leaves a stranger's files alone.

Standard library only: install.py uses it before anything is installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from . import __version__

RECORD = "installed.json"
VENDOR = "vendor"

_INIT = b'"""The part of the AI Inpaint backend that its plugins carry."""\n'


@dataclass(frozen=True)
class Plugin:
    """Where a plugin lives.

    Attributes:
        title: the editor's name.
        source: folder of the checkout.
        parts: what of it is installed, and where in the editor's folder; a folder with all that is in it.
        folder: the plugin's own folder in the editor's folder.
        program: the file that the editor runs as a program, if it does.
    """

    title: str
    source: str
    parts: dict[str, str]
    folder: str
    program: str = ""


PLUGINS = {
    "krita": Plugin(
        title="Krita",
        source="krita_plugin",
        parts={
            "ai_inpaint": "pykrita/ai_inpaint",
            "ai_inpaint.desktop": "pykrita/ai_inpaint.desktop",
            "ai_inpaint.action": "actions/ai_inpaint.action",
        },
        folder="pykrita/ai_inpaint",
    ),
    "gimp": Plugin(
        title="GIMP",
        source="gimp_plugin",
        parts={"ai-inpaint": "ai-inpaint"},
        folder="ai-inpaint",
        program="ai-inpaint/ai-inpaint.py",
    ),
}


@dataclass(frozen=True)
class Vendor:
    """Libraries for an editor's Python: a folder for its `sys.path`, and what is in it.

    Attributes:
        folder: with `msgpack` and perhaps `zmq` in it.
        holds: the libraries' versions, and with pyzmq the versions of Python that it is there for.
    """

    folder: Path
    holds: dict[str, Any]


@dataclass(frozen=True)
class State:
    """How a plugin is found in an editor's folder.

    Attributes:
        version: of the plugin that is there; "" if none is.
        current: it is what this checkout would put there.
        link: it consists of links into a checkout.
        holds: see `Vendor`.
    """

    version: str = ""
    current: bool = False
    link: bool = False
    holds: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Entry:
    """One file that is to be there: a copy of `source`, with `link` a link to it, or else `content`."""

    source: Path | None = None
    content: bytes = b""
    link: bool = False
    program: bool = False

    def bytes(self) -> bytes:
        return self.source.read_bytes() if self.source else self.content


def put(name: str, place: Path, root: Path, link: bool = False, vendor: Vendor | None = None) -> bool:
    """Install a plugin, or bring the one that is there up to date.

    Args:
        name: "krita" or "gimp".
        place: Krita's resource folder or GIMP's plug-ins folder; created if it is missing.
        root: the checkout.
        link: links to the checkout's files and packages, not copies.
        vendor: the libraries to carry; None keeps those that are there.

    Returns:
        False if everything was there already, and nothing was touched.

    Raises:
        OSError: a file could not be read, written or removed.
    """
    plugin, known = PLUGINS[name], record(name, place)
    top, own = place / plugin.folder, f"{plugin.folder}/{VENDOR}/"
    wanted = _contents(name, root, link)
    kept: list[str] = []
    if vendor is None:
        kept = [path for path in known.get("files", []) if path.startswith(own)]
    else:
        for file in _files(vendor.folder):
            wanted[own + file.relative_to(vendor.folder).as_posix()] = _Entry(file)
    gone = [path for path in known.get("files", []) if path not in wanted and path not in kept]
    account = {
        "version": __version__,
        "link": link,
        "vendor": vendor.holds if vendor else known.get("vendor", {}),
        "files": sorted([*wanted, *kept]),
        "folders": sorted({*known.get("folders", []), *_missing_folders(place, wanted)}),
    }
    content = (json.dumps(account, indent=1) + "\n").encode()
    # The account comes first: what a run that was interrupted has put there can then be removed.
    wanted = {f"{plugin.folder}/{RECORD}": _Entry(content=content), **wanted}
    for path in gone:
        _remove(top, place / path)
    _tidy(top)
    changed = bool(gone)
    for path, entry in wanted.items():
        if not _is_there(top, place / path, entry):
            _clear_way(top, place / path)
            _write(place / path, entry)
            changed = True
    return changed


def remove(name: str, place: Path) -> int:
    """Remove what `put` put there, and the folders that it made, where they are empty.

    Returns:
        How many files it was.

    Raises:
        OSError: a file could not be removed.
    """
    plugin, known = PLUGINS[name], record(name, place)
    if not known:
        return 0
    top = place / plugin.folder
    # The account goes last, as it came first.
    there = [path for path in known["files"] if os.path.lexists(place / path)]
    for path in [*there, f"{plugin.folder}/{RECORD}"]:
        _remove(top, place / path)
    _tidy(top)
    for folder in sorted(known.get("folders", []), key=len, reverse=True):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()  # stays where anything else is in it
    return len(there) + 1


def record(name: str, place: Path) -> dict[str, Any]:
    """The account of the plugin that is in an editor's folder; empty if there is none."""
    top = place / PLUGINS[name].folder
    if os.path.islink(top):
        return {}  # somebody else's doing, and it leads elsewhere
    try:
        known = json.loads((top / RECORD).read_text(encoding="utf-8"))
        files = [PurePosixPath(path) for path in known["files"]]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    inside = all(not path.is_absolute() and ".." not in path.parts for path in files)
    return known if inside and isinstance(known["files"], list) else {}


def carried(name: str, place: Path) -> dict[str, Any]:
    """What an installed plugin carries (see `Vendor`); empty if it carries nothing, or not all of it."""
    known = record(name, place)
    own = f"{PLUGINS[name].folder}/{VENDOR}/"
    complete = all((place / path).is_file() for path in known.get("files", []) if path.startswith(own))
    return dict(known.get("vendor") or {}) if complete else {}


def state(name: str, place: Path, root: Path) -> State:
    """How the plugin is found in an editor's folder; nothing is changed."""
    known = record(name, place)
    if not known:
        return State()
    link, top = bool(known.get("link")), place / PLUGINS[name].folder
    wanted = _contents(name, root, link)
    own, holds = f"{PLUGINS[name].folder}/{VENDOR}/", carried(name, place)
    current = (
        bool(holds)
        and known.get("version") == __version__
        and {path for path in known["files"] if not path.startswith(own)} == set(wanted)
        and all(_is_there(top, place / path, entry) for path, entry in wanted.items())
    )
    return State(str(known.get("version", "?")), current, link, holds)


def _contents(name: str, root: Path, link: bool) -> dict[str, _Entry]:
    """What a plugin consists of, by its path in the editor's folder; without `VENDOR` and `RECORD`."""
    plugin = PLUGINS[name]
    found: dict[str, _Entry] = {}
    for part, place in plugin.parts.items():
        source = root / plugin.source / part
        if source.is_file():
            found[place] = _Entry(source, link=link)
        elif source.is_dir():
            for path in _files(source, deep=not link):
                found[f"{place}/{path.relative_to(source).as_posix()}"] = _Entry(path, link=link)
    if plugin.program in found:
        # Copied in any case: Python looks for the modules of a linked program where the link leads.
        found[plugin.program] = _Entry(found[plugin.program].source, program=True)
    found[f"{plugin.folder}/backend/__init__.py"] = _Entry(content=_INIT)
    for package in ("wire", "client"):
        source, target = root / "backend" / package, f"{plugin.folder}/backend/{package}"
        if link:
            found[target] = _Entry(source, link=True)
            continue
        for path in _files(source):
            found[f"{target}/{path.relative_to(source).as_posix()}"] = _Entry(path)
    return found


def _files(folder: Path, deep: bool = True) -> list[Path]:
    """All files below a folder; without `deep` what is in it, folders too. Never what Python caches."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name == "__pycache__" or path.suffix == ".pyc":
            continue
        found += _files(path) if deep and path.is_dir() else [path]
    return found


def _is_there(top: Path, path: Path, entry: _Entry) -> bool:
    if _links_above(top, path):
        return False
    if entry.link or path.is_symlink():
        return entry.link and path.is_symlink() and os.readlink(path) == str(entry.source)
    try:
        return path.read_bytes() == entry.bytes() and (not entry.program or os.access(path, os.X_OK))
    except OSError:
        return False


def _write(path: Path, entry: _Entry) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if entry.link:
        assert entry.source
        path.symlink_to(entry.source, target_is_directory=entry.source.is_dir())
        return
    path.write_bytes(entry.bytes())
    if entry.program:
        path.chmod(path.stat().st_mode | 0o111)


def _links_above(top: Path, path: Path) -> list[Path]:
    """Links or files where the plugin's own folder `top`, or one in it, is to be: they lead elsewhere."""
    folders = [parent for parent in path.parents if parent == top or top in parent.parents]
    return [folder for folder in reversed(folders) if folder.is_symlink() or folder.is_file()]


def _clear_way(top: Path, path: Path) -> None:
    for obstacle in _links_above(top, path):
        obstacle.unlink(missing_ok=True)


def _remove(top: Path, path: Path) -> None:
    """Remove a file or a link; nothing that lies behind a link."""
    if not _links_above(top, path):
        path.unlink(missing_ok=True)


def _tidy(top: Path) -> None:
    """Remove what is empty in the plugin's own folder, but for what Python cached, and the folder itself."""
    if top.is_symlink() or not top.is_dir():
        return
    for name, _, _ in os.walk(top, topdown=False):
        if set(os.listdir(name)) <= {"__pycache__"}:
            shutil.rmtree(name)


def _missing_folders(place: Path, files: dict[str, _Entry]) -> set[str]:
    folders = {str(parent) for path in files for parent in (place / path).parents}
    return {folder for folder in folders if not os.path.exists(folder)}
