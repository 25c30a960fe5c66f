"""Which Krita and GIMP are on a computer, where they look for plugins, and which Python they run.

One entry for each folder of plugins: a packaged Krita and an AppImage of it share one. Nothing is changed,
and no editor is started. Standard library only: install.py uses it before anything is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import kritarc

TITLES = {"krita": "Krita", "gimp": "GIMP"}

PACKAGE, APPIMAGE, FLATPAK, SNAP = "package", "AppImage", "Flatpak", "Snap"
MACOS, WINDOWS, STORE = "application", "Windows", "Microsoft Store"
FOLDER = "its settings"  # only its folder was found: an AppImage can be anywhere

_FLATPAKS = {"krita": "org.kde.krita", "gimp": "org.gimp.GIMP"}
_STORE = "49800Krita_"

UNKNOWN = ("3.8", "3.10", "3.11", "3.12")
"""Pythons to prepare for where an editor's own cannot be seen; what is built for 3.12 serves all after it."""

_NOTES = {
    FLATPAK: "Its sandbox cannot start the backend: run `ai-inpaint serve` in a terminal (or as a service) "
    "before you use it.",
    SNAP: "Its sandbox neither starts the backend nor sees hidden folders: see README, Flatpak and Snap.",
}
# GIMP sets itself up only where it finds no folder: in one that we had made, its brushes could not be saved,
# and an older version's settings would not be taken over.
_START_ONCE = "Start this GIMP once, so that it makes its own folder, and run install.py again."


@dataclass(frozen=True)
class Computer:
    """What is looked at; another one than this in tests."""

    platform: str = sys.platform
    home: Path = field(default_factory=Path.home)
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)
    root: Path = Path("/")

    def folder(self, variable: str, otherwise: str) -> Path:
        """A folder that a variable names, or one below home. A relative one counts as none."""
        named = self.variables.get(variable, "")
        return Path(named) if named and os.path.isabs(named) else self.home / otherwise


@dataclass(frozen=True)
class Editor:
    """An editor, or several that share a folder of plugins.

    Attributes:
        name: "krita" or "gimp".
        kind: how it is installed, for people.
        programs: where.
        place: Krita's resource folder or GIMP's plug-ins folder; None if there can be none yet.
        config: Krita's settings file, which may not exist; None for GIMP.
        pythons: versions such as "3.11" that its plugins may run on; none where no wheel fits.
        note: what else its user should know, a sentence; "" if nothing.
    """

    name: str
    kind: str
    programs: tuple[Path, ...]
    place: Path | None
    config: Path | None = None
    pythons: tuple[str, ...] = ()
    note: str = ""

    @property
    def title(self) -> str:
        return TITLES[self.name]

    def __str__(self) -> str:
        return f"{self.title} ({self.kind})"


def find(computer: Computer | None = None) -> list[Editor]:
    """All editors of this computer."""
    computer = computer or Computer()
    found: dict[tuple[str, Path], Editor] = {}
    for name, kind, program in _programs(computer):
        for editor in (_krita if name == "krita" else _gimp)(kind, program, computer):
            key = (name, editor.place or program)
            first = found.get(key)
            if first and kind == FOLDER:
                continue
            found[key] = _merged(first, editor) if first else editor
    return list(found.values())


def running(name: str) -> bool:
    """Whether an editor seems to run now."""
    try:
        if sys.platform == "win32":
            command = ["tasklist", "/NH", "/FO", "CSV"]
        elif os.path.isdir("/proc/self"):
            return any(_is_program(name, _text(file).strip()) for file in Path("/proc").glob("[0-9]*/comm"))
        else:
            command = ["ps", "-A", "-o", "comm="]
        said = subprocess.run(command, capture_output=True, timeout=20).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError):
        return False
    return any(
        _is_program(name, os.path.basename(line.split(",")[0].strip('" '))) for line in said.splitlines()
    )


def _is_program(name: str, process: str) -> bool:
    return re.fullmatch(rf"{name}(-\d[\d.]*)?(\.exe|\.bin)?", process.lower()) is not None


def _merged(first: Editor, second: Editor) -> Editor:
    kinds = first.kind if second.kind in first.kind else f"{first.kind}, {second.kind}"
    return replace(
        first,
        kind=kinds,
        programs=first.programs + second.programs,
        pythons=_sorted({*first.pythons, *second.pythons}),
        note=first.note or second.note,
    )


# ---------------------------------------------------------------------------------------- the programs


def _programs(computer: Computer) -> Iterator[tuple[str, str, Path]]:
    """Name, kind and path of each editor that is installed, and of the settings of one that may be."""
    look = {"win32": _windows, "darwin": _macos}.get(computer.platform, _linux)
    for name in TITLES:
        seen = set()
        for kind, program in look(name, computer):
            if os.path.exists(program) and program.resolve() not in seen:
                seen.add(program.resolve())
                yield name, kind, program


def _linux(name: str, computer: Computer) -> Iterator[tuple[str, Path]]:
    home, root = computer.home, computer.root
    for command in [name] if name == "krita" else ["gimp", "gimp-3.2", "gimp-3.0", "gimp-3"]:
        hit = shutil.which(command, path=computer.variables.get("PATH", ""))
        if hit and "snap" not in Path(hit).parts and Path(hit).resolve().name != "snap":
            kind = APPIMAGE if Path(hit).resolve().suffix.lower() == ".appimage" else PACKAGE
            yield kind, Path(hit)
    folders = ("Applications", "AppImages", ".local/bin", "bin", "Downloads", "Desktop", ".")
    for folder in [*(home / folder for folder in folders), root / "opt"]:
        for program in _matching(folder, rf"{name}\b.*\.appimage"):
            yield APPIMAGE, program
    for base in (root / "var/lib/flatpak", computer.folder("XDG_DATA_HOME", ".local/share") / "flatpak"):
        yield FLATPAK, base / "app" / _FLATPAKS[name]
    for base in (root / "snap", root / "var/lib/snapd/snap"):
        yield SNAP, base / name
    if name == "krita":
        yield FOLDER, computer.folder("XDG_CONFIG_HOME", ".config") / "kritarc"
    else:
        yield FOLDER, computer.folder("XDG_CONFIG_HOME", ".config") / "GIMP"


def _macos(name: str, computer: Computer) -> Iterator[tuple[str, Path]]:
    for folder in (computer.root / "Applications", computer.home / "Applications"):
        for program in _matching(folder, rf"{name}\b.*\.app"):
            yield MACOS, program


def _windows(name: str, computer: Computer) -> Iterator[tuple[str, Path]]:
    local = computer.folder("LOCALAPPDATA", "AppData/Local")
    bases = [computer.variables.get(variable, "") for variable in ("ProgramFiles", "ProgramW6432")]
    for base in [*(Path(base) for base in bases if base), local / "Programs", local]:
        for folder in _matching(base, rf"{name}\b.*"):
            # gimp-3.exe and gimp-3.0.exe are the same: the longer name says more.
            for program in sorted(_matching(folder / "bin", rf"{name}(-\d[\d.]*)?\.exe"), key=_length)[-1:]:
                yield WINDOWS, program
    if name == "krita":
        for folder in _matching(local / "Packages", re.escape(_STORE.lower()) + ".*"):
            yield STORE, folder


def _length(path: Path) -> int:
    return len(path.name)


def _matching(folder: Path, pattern: str) -> list[Path]:
    """Entries whose name, in lower case, matches; none for a folder that is missing or closed."""
    try:
        return sorted(path for path in folder.iterdir() if re.fullmatch(pattern, path.name.lower()))
    except OSError:
        return []


# -------------------------------------------------------------------------------- where plugins belong


def _homes(kind: str, name: str, program: Path, computer: Computer) -> tuple[Path, Path]:
    """The folders of an editor's data and of its settings, before its own name."""
    home = computer.home
    if kind == FLATPAK:
        sandbox = home / ".var/app" / _FLATPAKS[name]
        return sandbox / "data", sandbox / "config"
    if kind == SNAP:
        sandbox = home / "snap" / name / "current"
        return sandbox / ".local/share", sandbox / ".config"
    if kind == STORE:
        return program / "LocalCache/Roaming", program / "LocalCache/Local"
    if computer.platform == "win32":
        roaming = computer.folder("APPDATA", "AppData/Roaming")
        return roaming, computer.folder("LOCALAPPDATA", "AppData/Local") if name == "krita" else roaming
    if computer.platform == "darwin":
        support = home / "Library/Application Support"
        return support, home / "Library/Preferences" if name == "krita" else support
    return computer.folder("XDG_DATA_HOME", ".local/share"), computer.folder("XDG_CONFIG_HOME", ".config")


def _krita(kind: str, program: Path, computer: Computer) -> Iterator[Editor]:
    data, settings = _homes(kind, "krita", program, computer)
    config, place = settings / "kritarc", data / "krita"
    chosen = kritarc.value(kritarc.read(config), "", "ResourceDirectory")
    # Krita itself falls back to the usual folder when it cannot write to the one that was chosen.
    if chosen and os.path.isabs(chosen) and os.path.isdir(chosen) and os.access(chosen, os.W_OK):
        place = Path(chosen)
    pythons = _pythons(kind, program, computer)
    yield Editor("krita", kind, (program,), place, config, pythons, _NOTES.get(kind, ""))


def _gimp(kind: str, program: Path, computer: Computer) -> Iterator[Editor]:
    pythons, note = _pythons(kind, program, computer), _NOTES.get(kind, "")
    version = _gimp_version(kind, program)
    if version and not version.startswith("3."):
        note = "It is older than GIMP 3.0, which the plug-in needs; `ai-inpaint run` works without it."
        yield Editor("gimp", f"{kind}, version {version}", (program,), None, None, (), note)
        return
    chosen = computer.variables.get("GIMP3_DIRECTORY", "")
    if chosen and kind not in (FLATPAK, SNAP):
        yield Editor("gimp", kind, (program,), Path(chosen) / "plug-ins", None, pythons, note)
        return
    base = _homes(kind, "gimp", program, computer)[1] / "GIMP"
    there = _matching(base, r"3\.\d+")
    if not there and "xdg-config/GIMP" in _text(program / "current/active/metadata"):
        base = computer.folder("XDG_CONFIG_HOME", ".config") / "GIMP"  # this Flatpak shares the usual one
        there = _matching(base, r"3\.\d+")
    wanted = [folder for folder in there if version in ("", folder.name)]
    for folder in wanted:
        yield Editor("gimp", kind, (program,), folder / "plug-ins", None, pythons, note)
    if not wanted and kind != FOLDER:
        yield Editor("gimp", kind, (program,), None, None, pythons, _START_ONCE)


def _gimp_version(kind: str, program: Path) -> str:
    """GIMP's version as its folders are named, such as "3.0"; "" if it cannot be seen."""
    names = [program.resolve().name]
    if kind == FLATPAK:
        names = re.findall(r"^command=(.*)$", _text(program / "current/active/metadata"), re.MULTILINE)
    elif kind == SNAP:
        names = re.findall(
            r"^version: *['\"]?([\d.]+)", _text(program / "current/meta/snap.yaml"), re.MULTILINE
        )
    elif kind == MACOS:
        plist = _text(program / "Contents/Info.plist")
        names += re.findall(r"CFBundleShortVersionString</key>\s*<string>([\d.]+)", plist)
    elif kind == PACKAGE and not re.search(r"\d", names[0]):
        names = [_says(program)]
    for name in names:
        if found := re.search(r"\d+\.\d+", name):
            return found[0]
    return ""


def _says(program: Path) -> str:
    try:
        done = subprocess.run([str(program), "--version"], capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


# -------------------------------------------------------------------------------------- their Pythons


def _pythons(kind: str, program: Path, computer: Computer) -> tuple[str, ...]:
    """Versions of Python that an editor's plugins may run on."""
    found: set[str] = set()
    if kind == PACKAGE:
        system = computer.root / "usr/bin/python3"
        other = shutil.which("python3", path=computer.variables.get("PATH", ""))
        for python in (system, Path(other) if other else system):
            if match := re.fullmatch(r"python(3\.\d+)", python.resolve().name):
                return (match[1],)
    elif kind == FLATPAK:
        runtime = re.search(r"^runtime=(.*)$", _text(program / "current/active/metadata"), re.MULTILINE)
        if runtime:
            for base in (program.parent.parent, computer.root / "var/lib/flatpak"):
                found |= _pythons_in(base / "runtime" / runtime[1] / "active/files/lib")
        found = found or _pythons_in(program / "current/active/files/lib")
    elif kind == SNAP:
        found = _pythons_in(program / "current/usr/lib")
    elif kind == MACOS:
        versions = program / "Contents/Frameworks/Python.framework/Versions"
        found = _pythons_in(program / "Contents/Resources/lib") | {
            path.name for path in _matching(versions, r"3\.\d+")
        }
    elif kind == WINDOWS:
        if program.name.lower().startswith("gimp"):
            return ()  # an MSYS2 build, for which nobody makes wheels
        for folder in (program.parent, program.parent.parent / "python"):
            found |= {f"3.{path.stem[7:]}" for path in _matching(folder, r"python3\d+\.dll")}
    return _sorted(found) or UNKNOWN


def _pythons_in(folder: Path) -> set[str]:
    return {path.name[6:] for path in _matching(folder, r"python3\.\d+")}


def _sorted(versions: set[str]) -> tuple[str, ...]:
    return tuple(sorted(versions, key=lambda version: [int(part) for part in version.split(".")]))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
