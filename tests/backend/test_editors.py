"""Editors are found wherever they are installed: a table of computers, built in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend import editors
from backend.editors import UNKNOWN

if os.name == "nt":
    pytest.skip("the computers are built with POSIX paths", allow_module_level=True)

SYSTEM = {"usr/bin/python3.11": "", "usr/bin/python3": "-> python3.11"}
KRITA = {**SYSTEM, "usr/bin/krita": "program"}
GIMP_3_0 = {**SYSTEM, "usr/bin/gimp-3.0": "program", "usr/bin/gimp": "-> gimp-3.0"}
PLIST = "<key>CFBundleShortVersionString</key>\n\t<string>3.0.4</string>"
FLATPAK = "var/lib/flatpak/app/org.{}/current/active/metadata"
WINDOWS = {
    "ProgramFiles": "{root}/Program Files",
    "APPDATA": "{home}/AppData/Roaming",
    "LOCALAPPDATA": "{home}/AppData/Local",
}


@dataclass
class Case:
    """A computer and what is to be found on it.

    Attributes:
        files: path to content; "program" is something to run, "-> x" a link; "~" is the home folder.
        found: what `summary` says of each editor.
    """

    files: dict[str, str]
    found: set[str]
    platform: str = "linux"
    variables: dict[str, str] = field(default_factory=dict)


CASES = {
    "nothing": Case({}, set()),
    "Krita, a package": Case(
        KRITA, {"krita|package|~/.local/share/krita|~/.config/kritarc|3.11"}
    ),
    "Krita, XDG folders": Case(
        KRITA,
        {"krita|package|~/data/krita|~/settings/kritarc|3.11"},
        variables={"XDG_DATA_HOME": "{home}/data", "XDG_CONFIG_HOME": "{home}/settings"},
    ),
    "Krita, relative XDG folders do not count": Case(
        KRITA,
        {"krita|package|~/.local/share/krita|~/.config/kritarc|3.11"},
        variables={"XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "settings"},
    ),
    "Krita, a resource folder of the user's choice": Case(
        {**KRITA, "~/.config/kritarc": "ResourceDirectory={home}/My Krita\n", "~/My Krita/x": ""},
        {"krita|package|~/My Krita|~/.config/kritarc|3.11"},
    ),
    "Krita, a chosen folder that is gone": Case(
        {**KRITA, "~/.config/kritarc": "ResourceDirectory={home}/gone\n"},
        {"krita|package|~/.local/share/krita|~/.config/kritarc|3.11"},
    ),
    "Krita, an AppImage": Case(
        {"~/Downloads/krita-5.2.9-x86_64.AppImage": ""},
        {f"krita|AppImage|~/.local/share/krita|~/.config/kritarc|{' '.join(UNKNOWN)}"},
    ),
    "Krita, an AppImage by its short name": Case(
        {"opt/k/krita.appimage": "program", "usr/bin/krita": "-> ../../opt/k/krita.appimage"},
        {f"krita|AppImage|~/.local/share/krita|~/.config/kritarc|{' '.join(UNKNOWN)}"},
    ),
    "Krita, a package and an AppImage share a folder": Case(
        {**KRITA, "~/Applications/Krita-6.0.AppImage": ""},
        {"krita|package, AppImage|~/.local/share/krita|~/.config/kritarc|3.8 3.10 3.11 3.12"},
    ),
    "Krita, an AppImage that is nowhere to be seen": Case(
        {"~/.config/kritarc": "a=1\n"},
        {f"krita|its settings|~/.local/share/krita|~/.config/kritarc|{' '.join(UNKNOWN)}"},
    ),
    "Krita, Flatpak": Case(
        {
            FLATPAK.format("kde.krita"): "[Application]\nruntime=org.kde.Platform/x86_64/5.15\n",
            "var/lib/flatpak/runtime/org.kde.Platform/x86_64/5.15/active/files/lib/python3.12/os.py": "",
        },
        {
            "krita|Flatpak|~/.var/app/org.kde.krita/data/krita|~/.var/app/org.kde.krita/config/kritarc|3.12"
            "|ai-inpaint serve"
        },
    ),
    "Krita, a user's Flatpak with a Python of its own": Case(
        {
            "~/.local/share/flatpak/app/org.kde.krita/current/active/metadata": "runtime=x/y/z\n",
            "~/.local/share/flatpak/app/org.kde.krita/current/active/files/lib/python3.10/os.py": "",
        },
        {
            "krita|Flatpak|~/.var/app/org.kde.krita/data/krita|~/.var/app/org.kde.krita/config/kritarc|3.10"
            "|ai-inpaint serve"
        },
    ),
    "Krita, Snap": Case(
        {
            "snap/krita/current/usr/lib/python3.8/os.py": "",
            "usr/bin/snap": "program",
            "snap/bin/krita": "-> ../../usr/bin/snap",
        },
        {
            "krita|Snap|~/snap/krita/current/.local/share/krita|~/snap/krita/current/.config/kritarc|3.8"
            "|README"
        },
        variables={"PATH": "{root}/snap/bin:{root}/usr/bin"},
    ),
    "Krita, Windows": Case(
        {
            "Program Files/Krita (x64)/bin/krita.exe": "",
            "Program Files/Krita (x64)/bin/kritarunner.exe": "",
            "Program Files/Krita (x64)/bin/python3.dll": "",
            "Program Files/Krita (x64)/bin/python310.dll": "",
        },
        {"krita|Windows|~/AppData/Roaming/krita|~/AppData/Local/kritarc|3.10"},
        "win32",
        WINDOWS,
    ),
    "Krita, Microsoft Store": Case(
        {"~/AppData/Local/Packages/49800Krita_x1/LocalCache/Roaming/x": ""},
        {
            "krita|Microsoft Store|~/AppData/Local/Packages/49800Krita_x1/LocalCache/Roaming/krita"
            f"|~/AppData/Local/Packages/49800Krita_x1/LocalCache/Local/kritarc|{' '.join(UNKNOWN)}"
        },
        "win32",
        WINDOWS,
    ),
    "Krita, macOS": Case(
        {"Applications/krita.app/Contents/Frameworks/Python.framework/Versions/3.10/Python": ""},
        {"krita|application|~/Library/Application Support/krita|~/Library/Preferences/kritarc|3.10"},
        "darwin",
    ),
    "GIMP, a package": Case(
        {**GIMP_3_0, "~/.config/GIMP/3.0/gimprc": ""}, {"gimp|package|~/.config/GIMP/3.0/plug-ins||3.11"}
    ),
    "GIMP, a package that never ran": Case(GIMP_3_0, {"gimp|package|||3.11|Start this GIMP once"}),
    "GIMP, XDG folder": Case(
        {**GIMP_3_0, "~/settings/GIMP/3.0/gimprc": ""},
        {"gimp|package|~/settings/GIMP/3.0/plug-ins||3.11"},
        variables={"XDG_CONFIG_HOME": "{home}/settings"},
    ),
    "GIMP 3.2 says its version, and 3.0 was there before": Case(
        {
            **SYSTEM,
            "usr/bin/gimp": "#!/bin/sh\necho GNU Image Manipulation Program version 3.2.6\n",
            "~/.config/GIMP/3.0/gimprc": "",
            "~/.config/GIMP/3.2/gimprc": "",
        },
        {
            "gimp|package|~/.config/GIMP/3.2/plug-ins||3.11",
            f"gimp|its settings|~/.config/GIMP/3.0/plug-ins||{' '.join(UNKNOWN)}",
        },
    ),
    "GIMP 3.2 has yet to take over the settings of 3.0": Case(
        {**SYSTEM, "usr/bin/gimp-3.2": "program", "~/.config/GIMP/3.0/gimprc": ""},
        {
            "gimp|package|||3.11|Start this GIMP once",
            f"gimp|its settings|~/.config/GIMP/3.0/plug-ins||{' '.join(UNKNOWN)}",
        },
    ),
    "GIMP 3.0 has yet to take over the settings of 2.10": Case(
        {**GIMP_3_0, "~/.config/GIMP/2.10/gimprc": ""}, {"gimp|package|||3.11|Start this GIMP once"}
    ),
    "GIMP 2.10": Case(
        {**SYSTEM, "usr/bin/gimp-2.10": "program", "usr/bin/gimp": "-> gimp-2.10"},
        {"gimp|package, version 2.10||||older than GIMP 3.0"},
    ),
    "GIMP, a folder of the user's choice": Case(
        {**GIMP_3_0, "~/.config/GIMP/3.0/gimprc": ""},
        {"gimp|package|~/G/plug-ins||3.11"},
        variables={"GIMP3_DIRECTORY": "{home}/G"},
    ),
    "GIMP, an AppImage": Case(
        {"~/GIMP-3.0.4-x86_64.AppImage": "", "~/.config/GIMP/3.0/gimprc": ""},
        {f"gimp|AppImage|~/.config/GIMP/3.0/plug-ins||{' '.join(UNKNOWN)}"},
    ),
    "GIMP, Flatpak": Case(
        {
            FLATPAK.format("gimp.GIMP"): "runtime=org.gnome.Platform/x86_64/48\ncommand=gimp-3.0\n",
            "~/.var/app/org.gimp.GIMP/config/GIMP/3.0/gimprc": "",
        },
        {
            f"gimp|Flatpak|~/.var/app/org.gimp.GIMP/config/GIMP/3.0/plug-ins||{' '.join(UNKNOWN)}"
            "|ai-inpaint serve"
        },
    ),
    "GIMP, a Flatpak that shares the usual folder": Case(
        {
            FLATPAK.format("gimp.GIMP"): "command=gimp-3.0\nfilesystems=host;xdg-config/GIMP;\n",
            "~/.config/GIMP/3.0/gimprc": "",
        },
        {f"gimp|Flatpak|~/.config/GIMP/3.0/plug-ins||{' '.join(UNKNOWN)}|ai-inpaint serve"},
    ),
    "GIMP, Snap": Case(
        {
            "snap/gimp/current/meta/snap.yaml": "name: gimp\nversion: '3.0.6'\n",
            "~/snap/gimp/current/.config/GIMP/3.0/gimprc": "",
        },
        {f"gimp|Snap|~/snap/gimp/current/.config/GIMP/3.0/plug-ins||{' '.join(UNKNOWN)}|README"},
    ),
    "GIMP, Windows: no wheel fits its Python": Case(
        {
            "Program Files/GIMP 3/bin/gimp-3.0.exe": "",
            "Program Files/GIMP 3/bin/gimp-3.exe": "",
            "Program Files/GIMP 3/bin/gimp-console-3.0.exe": "",
            "~/AppData/Roaming/GIMP/3.0/gimprc": "",
        },
        {"gimp|Windows|~/AppData/Roaming/GIMP/3.0/plug-ins||"},
        "win32",
        WINDOWS,
    ),
    "GIMP, macOS": Case(
        {
            "Applications/GIMP.app/Contents/Info.plist": PLIST,
            "Applications/GIMP.app/Contents/Resources/lib/python3.11/os.py": "",
            "~/Library/Application Support/GIMP/3.0/gimprc": "",
        },
        {"gimp|application|~/Library/Application Support/GIMP/3.0/plug-ins||3.11"},
        "darwin",
    ),
}  # fmt: skip


def build(case: Case, root: Path) -> editors.Computer:
    home = root / "home" / "änne"
    home.mkdir(parents=True)
    for name, content in case.files.items():
        path = Path(name.replace("~", str(home), 1)) if name.startswith("~") else root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            path.symlink_to(content[3:])
            continue
        path.write_text(content.replace("{home}", str(home)), encoding="utf-8")
        if content == "program" or content.startswith("#!"):
            path.chmod(0o755)
    variables = {"PATH": str(root / "usr/bin"), **case.variables}
    places = {name: value.format(root=root, home=home) for name, value in variables.items()}
    return editors.Computer(case.platform, home, places, root)


def summary(editor: editors.Editor, home: Path) -> str:
    parts = [editor.name, editor.kind, editor.place or "", editor.config or "", " ".join(editor.pythons)]
    words = ("ai-inpaint serve", "README", "Start this GIMP once", "older than GIMP 3.0")
    parts += [word for word in words if word in editor.note and editor.note.startswith(("It", "Start"))]
    return "|".join(map(str, parts)).replace(str(home), "~")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_computer(case: Case, tmp_path: Path) -> None:
    computer = build(case, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert {summary(editor, computer.home) for editor in editors.find(computer)} == case.found
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(sys.platform != "linux", reason="makes a process of that name the way Linux does")
def test_a_running_editor_is_noticed(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep
    program = tmp_path / "gimp-9.8"
    shutil.copy2(sleep, program)
    process = subprocess.Popen([str(program), "60"], executable=str(program))
    try:
        deadline = time.monotonic() + 10
        while not editors.running("gimp"):
            assert time.monotonic() < deadline, "a running GIMP was not noticed"
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert not editors.running("no-such-editor")
