"""`ai-inpaint doctor` on this installation, and on ones that are made to be ill."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend import __version__, doctor, kritarc, plugins
from backend.cli import main
from backend.client import discovery, paths

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with nothing in it, and nothing on the PATH."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("AI_INPAINT_HOME", str(tmp_path / "state"))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "GIMP3_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def findings(area: str) -> list[doctor.Finding]:
    return [finding for finding in doctor.examine() if finding.area == area]


def test_the_report_is_whole_and_for_people_and_programs():
    result = CliRunner().invoke(main, ["doctor"])
    known = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    areas = {finding["area"] for finding in known}
    assert {"Python", "Packages", "Devices", "Editors", "State folder", "Log", "Disk", "Backend"} <= areas
    assert result.exit_code == int(any(finding["level"] == "problem" for finding in known))
    for finding in known:
        assert f"{finding['area']}: {finding['message']}" in result.stdout
        assert finding["level"] == "ok" or finding["hint"].endswith(".")


def test_packages_are_compared_with_the_pins(monkeypatch, tmp_path):
    pins = doctor.pins(ROOT / "pyproject.toml")
    assert {"torch", "numpy", "click", "pyzmq"} <= set(pins)
    text = (
        '[project]\ndependencies = [\n    "click==1.0",\n    "no-such-thing==2.0",\n'
        f"    \"numpy==0.1; python_version >= '3.{sys.version_info[1] + 1}'\",\n"
        f"    \"numpy==0.2; python_version < '3.{sys.version_info[1] + 1}'\",\n]\n"
    )
    (tmp_path / "pyproject.toml").write_text(text)
    assert doctor.pins(tmp_path / "pyproject.toml")["numpy"] == "0.2"
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    said = {finding.message.split()[0]: finding.level for finding in findings("Packages")}
    assert said == {"click": "warning", "no-such-thing": "problem", "numpy": "warning"}
    assert CliRunner().invoke(main, ["doctor"]).exit_code == 1
    (ill,) = findings("Compiled code")
    assert (ill.level, ill.hint) == ("warning", "Run python3 install.py again.")


@pytest.mark.skipif(sys.platform != "linux", reason="editors are found another way there")
def test_each_editor_and_the_state_of_its_plugin(home):
    def said(home: Path) -> list[tuple[str, str, str]]:
        mine = [finding for finding in findings("Editors") if str(home) in finding.message]
        return [(finding.level, finding.message, finding.hint) for finding in mine]

    assert said(home) == []
    (home / "bin").mkdir()
    (home / "bin" / "krita").touch(mode=0o755)
    (home / ".local/share/flatpak/app/org.gimp.GIMP").mkdir(parents=True)
    krita, gimp = said(home)
    place = home / ".local/share/krita"
    assert krita[1:] == (f"Krita (package), {home}/bin/krita: no plugin in {place}.", doctor.AGAIN)
    assert "GIMP (Flatpak)" in gimp[1]
    assert "Start this GIMP once" in gimp[2]

    (home / "libraries/msgpack").mkdir(parents=True)
    vendor = plugins.Vendor(home / "libraries", {"msgpack": "1", "pyzmq": "2", "pythons": ["3.10", "3.12"]})
    plugins.put("krita", place, ROOT, vendor=vendor)
    (krita, _) = said(home)
    assert (krita[0], "is switched off" in krita[1], "Python Plugin Manager" in krita[2]) == (
        "warning",
        True,
        True,
    )
    (home / ".config").mkdir()
    (home / ".config/kritarc").write_bytes(kritarc.enable(b""))
    (krita, _) = said(home)
    assert (krita[0], krita[2]) == ("ok", "")
    assert "pyzmq for Python 3.10, 3.12" in krita[1]

    record = place / "pykrita/ai_inpaint/installed.json"
    record.write_text(record.read_text().replace(f'"{__version__}"', '"0.0.1"'))
    (krita, _) = said(home)
    assert (krita[0], "plugin 0.0.1" in krita[1], krita[2]) == ("warning", True, doctor.AGAIN)


@pytest.mark.skipif(sys.platform != "linux", reason="editors are found another way there")
def test_an_editor_in_a_sandbox_is_told_apart(home):
    (home / ".local/share/flatpak/app/org.kde.krita").mkdir(parents=True)
    place = home / ".var/app/org.kde.krita"
    (home / "libraries/msgpack").mkdir(parents=True)
    plugins.put(
        "krita", place / "data/krita", ROOT, vendor=plugins.Vendor(home / "libraries", {"msgpack": "1"})
    )
    (place / "config").mkdir()
    (place / "config/kritarc").write_bytes(kritarc.enable(b""))
    (known,) = [finding for finding in findings("Editors") if str(home) in finding.message]
    assert (known.level, "ai-inpaint serve" in known.hint) == ("ok", True)


def test_what_a_backend_that_crashed_leaves_is_noticed(home):
    assert "not running" in findings("Backend")[0].message
    gone = discovery.Connection("tcp://127.0.0.1:1", "PLAIN", secret="0" * 64, pid=2**22 + 1)
    paths.make_private(home / "state")
    discovery.write(gone, paths.connection_file())
    (ill,) = findings("Backend")
    assert (ill.level, "backend.log" in ill.hint) == ("warning", True)


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
def test_a_backend_that_does_not_answer_and_an_open_folder(home):
    (home / "state").mkdir(mode=0o755)
    listening = discovery.Connection("tcp://127.0.0.1:1", "PLAIN", secret="0" * 64, pid=os.getpid())
    discovery.write(listening, paths.connection_file())
    (home / "state").chmod(0o755)
    known = {finding.area: finding for finding in doctor.examine()}
    assert known["Backend"].level == "problem"
    assert known["Backend"].hint
    assert known["State folder"].level == "warning"
    assert "chmod 700" in known["State folder"].hint


def test_what_install_recorded_is_checked(home):
    assert findings("Start by editors")[0].level == "warning"
    record = paths.installation_file()
    record.parent.mkdir()
    record.write_text(json.dumps({"python": sys.executable, "root": str(ROOT)}))
    assert findings("Start by editors")[0].level == "ok"
    record.write_text(json.dumps({"python": str(home / "gone"), "root": str(ROOT)}))
    (ill,) = findings("Start by editors")
    assert (ill.level, "gone" in ill.message) == ("problem", True)
    record.write_text("{")
    assert findings("Start by editors")[0].level == "problem"
