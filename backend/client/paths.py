"""Where editor and backend meet: the state folder and the files in it.

The folder does not follow XDG_STATE_HOME and its kin. Sandboxed editors (Flatpak, Snap) redirect those, and
an editor that looks into another folder than the backend would never find it.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Optional


def state_dir() -> Path:
    """The state folder: `AI_INPAINT_HOME`, or else a fixed one under the home directory.

    Nothing is created; see `make_private`.
    """
    chosen = os.environ.get("AI_INPAINT_HOME")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    # Snap redirects HOME as well and keeps the real one in SNAP_REAL_HOME.
    home = Path(os.environ.get("SNAP_REAL_HOME") or os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "ai-inpaint"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "ai-inpaint"
    return home / ".local" / "state" / "ai-inpaint"


def connection_file(folder: Optional[Path] = None) -> Path:
    """How to reach the backend that runs; written by the server (see `discovery`)."""
    return (folder or state_dir()) / "connection.json"


def installation_file(folder: Optional[Path] = None) -> Path:
    """Where the backend is installed; written by install.py (see `launcher`)."""
    return (folder or state_dir()) / "installation.json"


def log_file(folder: Optional[Path] = None) -> Path:
    """The backend's own log."""
    return (folder or state_dir()) / "backend.log"


def launch_log_file(folder: Optional[Path] = None) -> Path:
    """What a backend in the background says before its log is open, or when it crashes."""
    return (folder or state_dir()) / "launch.log"


def settings_file(folder: Optional[Path] = None) -> Path:
    """The settings that were used last (see `settings`)."""
    return (folder or state_dir()) / "settings.json"


def make_private(folder: Path) -> None:
    """Create a folder that its owner alone can enter (mode 0700), or make an existing one so.

    A folder that is shared on purpose (with the sticky bit, such as /tmp) is left as it is.

    Raises:
        OSError: it cannot be created or changed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":
        mode = folder.stat().st_mode
        if mode & 0o077 and not mode & stat.S_ISVTX:
            folder.chmod(0o700)
