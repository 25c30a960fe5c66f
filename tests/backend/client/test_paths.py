"""Editor and backend meet in the same folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from backend.client import paths


def test_the_variable_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AI_INPAINT_HOME", str(tmp_path / "here"))
    assert paths.state_dir() == tmp_path / "here"
    assert not (tmp_path / "here").exists()
    for file in (
        paths.connection_file,
        paths.installation_file,
        paths.log_file,
        paths.launch_log_file,
        paths.settings_file,
    ):
        assert file().parent == tmp_path / "here"
        assert file(tmp_path).parent == tmp_path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's folder")
def test_sandboxes_that_redirect_do_not_lead_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AI_INPAINT_HOME", raising=False)
    monkeypatch.delenv("SNAP_REAL_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    plain = paths.state_dir()
    assert plain == tmp_path / ".local" / "state" / "ai-inpaint"
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / ".var" / name))
    assert paths.state_dir() == plain
    monkeypatch.setenv("HOME", str(tmp_path / "snap" / "krita" / "12"))
    monkeypatch.setenv("SNAP_REAL_HOME", str(tmp_path))
    assert paths.state_dir() == plain


@pytest.mark.skipif(os.name != "posix", reason="POSIX's modes")
def test_a_private_folder_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    paths.make_private(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    paths.make_private(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o1777)
    paths.make_private(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777


def test_importing_touches_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "AI_INPAINT_HOME": str(tmp_path / "state")}
    modules = "session, settings, launcher, discovery, transport, transport_zmq, zmtp"
    code = "import logging, signal\nbefore = signal.getsignal(signal.SIGINT)\n"
    code += f"from backend.client import {modules}\n"
    code += (
        "import threading\nassert threading.active_count() == 1\nassert not logging.getLogger().handlers\n"
    )
    code += "assert signal.getsignal(signal.SIGINT) is before"
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", code], cwd=str(root), env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
