"""Starting the backend, detached from the editor that needed it.

Python and folder are those that install.py recorded, never the editor's own. Two editors that start a
backend at once end up with one: the server takes an exclusive lock, and the second one ends with
`ALREADY_RUNNING`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, TypeVar

from ..wire.errors import LAUNCH_FAILED, NOT_INSTALLED, InpaintError
from . import paths

Found = TypeVar("Found")

ARGUMENTS = ("-m", "backend.cli", "serve", "--background")
ALREADY_RUNNING = 3
"""Exit code of a server that found another one's lock."""

_LOOK_EVERY = 0.05
_START_AGAIN = 1.0  # seconds after ALREADY_RUNNING: the other may have been about to end
_TAIL_BYTES = 2000

# What an editor, its AppImage or its sandbox sets for its own libraries would break another Python.
_FOREIGN = (
    "PYTHON", "__PYVENV", "VIRTUAL_ENV", "LD_", "DYLD_", "QT_", "QML", "GTK_", "GDK_", "GI_", "GIO_",
    "GSETTINGS_", "GST_", "GIMP", "GEGL_", "BABL_", "KRITA", "FONTCONFIG_", "APPDIR", "APPIMAGE", "ARGV0",
    "OWD",
)  # fmt: skip

_children: List[subprocess.Popen[bytes]] = []  # that this process started, until they are seen to have ended


def launch(
    look: Callable[[], Optional[Found]],
    folder: Optional[Path] = None,
    progress: Optional[Callable[[str], None]] = None,
    timeout: float = 60.0,
) -> Found:
    """Start a backend and wait until it answers.

    Args:
        look: tries to talk to a backend; None while there is none. Called until it returns something.
        folder: state folder; None is the usual one.
        progress: called with a sentence for the user, about twice a second.
        timeout: seconds to wait.

    Returns:
        What `look` found.

    Raises:
        InpaintError: `not-installed` or `launch-failed`; whatever `look` raises.
    """
    folder = folder or paths.state_dir()
    installation = _installation(folder)
    started = time.monotonic()
    child: Optional[subprocess.Popen[bytes]] = _start(installation, folder)
    ended = told = 0.0
    refused = ""  # what one said that found another running; the next one begins the log anew
    while True:
        now = time.monotonic()
        if progress is not None and now - told >= 0.5:
            progress("starting the backend")
            told = now
        # The child's end is noted before looking: it may have come up and gone, or lost to another one.
        code = child.poll() if child is not None else None
        found = look()
        if found is not None:
            return found
        if code is not None and code != ALREADY_RUNNING:
            raise _failed(f"The backend ended as soon as it was started (exit code {code}).", folder)
        if code is not None:
            child, ended, refused = None, now, _said(folder)
        if child is None and now - ended > _START_AGAIN:
            child = _start(installation, folder)
        if now - started > timeout:
            raise _failed(f"The backend did not answer within {timeout:.0f} seconds.", folder, refused)
        time.sleep(_LOOK_EVERY)


def collect() -> None:
    """Let go of the backends that this process started and that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]


def environment(own: Mapping[str, str], folder: Path) -> Dict[str, str]:
    """The environment of a backend: `own` without what an editor set for itself."""
    kept = {name: value for name, value in own.items() if not name.upper().startswith(_FOREIGN)}
    image = own.get("APPDIR")
    if image and "PATH" in kept:
        entries = kept["PATH"].split(os.pathsep)
        kept["PATH"] = os.pathsep.join(entry for entry in entries if not entry.startswith(image))
    kept["AI_INPAINT_HOME"] = str(folder)
    return kept


def _installation(folder: Path) -> Dict[str, str]:
    path = paths.installation_file(folder)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        installation = {name: str(content[name]) for name in ("python", "root")}
    except FileNotFoundError:
        raise InpaintError(
            NOT_INSTALLED, "AI Inpaint's backend is not installed.", "Run python3 install.py in its folder."
        ) from None
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise InpaintError(
            NOT_INSTALLED,
            f"The record of AI Inpaint's installation, {path}, cannot be read.",
            "Run python3 install.py in its folder again." + _in_sandbox(),
        ) from problem
    for there in installation.values():
        if not os.path.exists(there):
            raise InpaintError(
                NOT_INSTALLED,
                f"AI Inpaint's backend is no longer where it was installed: {there} is missing.",
                "Run python3 install.py in its folder again." + _in_sandbox(),
            )
    return installation


def _start(installation: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    options: Dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = (
            subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        )
    else:
        options["start_new_session"] = True
    try:
        paths.make_private(folder)
        with open(paths.launch_log_file(folder), "ab") as log:
            log.truncate(0)
            child = subprocess.Popen(
                [installation["python"], *ARGUMENTS],
                cwd=installation["root"],
                env=environment(os.environ, folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                close_fds=True,
                **options,
            )
    except OSError as problem:
        raise InpaintError(
            LAUNCH_FAILED,
            f"The backend could not be started: {problem}.",
            "Run python3 install.py in its folder again." + _in_sandbox(),
        ) from problem
    _children.append(child)
    return child


def _said(folder: Path) -> str:
    """What the backend that was started last has said."""
    try:
        return paths.launch_log_file(folder).read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _failed(what: str, folder: Path, before: str = "") -> InpaintError:
    said = _said(folder) or before
    if said:
        what += " It said: " + said
    return InpaintError(
        LAUNCH_FAILED,
        what,
        f"See {paths.log_file(folder)}, or run ai-inpaint doctor." + _in_sandbox(),
    )


def _in_sandbox() -> str:
    if os.path.exists("/.flatpak-info") or "SNAP" in os.environ:
        return " This editor runs in a sandbox: if nothing helps, run ai-inpaint serve in a terminal first."
    return ""
