"""install.py as its user meets it: as a process, in a copy of the checkout, with folders of its own.

The copy's packages come from the environment that runs the tests, so nothing is downloaded; the package
index of every run is a port on which nobody listens.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import installer
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("install.py", "pyproject.toml", "README.md", "LICENSE", "backend", "models")
PARTS += ("krita_plugin", "gimp_plugin")

KRITARC = b"toolbarslider=1\nlast=\xff\xfe\n\n[advancedColorSelector]\nx=1\n"
LINUX = sys.platform == "linux"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """install.py as a module, for what is a question to a function."""
    return installer.load()


class Place:
    """A copy of the checkout and a state folder, and install.py run there."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "Kopie für Änne"
        self.state = folder / "stâte folder"
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        for part in PARTS:
            source, target = ROOT / part, self.root / part
            if source.is_dir():
                # Times are kept: with them the compiled kernels stay valid.
                shutil.copytree(source, target)
            else:
                target.parent.mkdir(exist_ok=True)
                shutil.copy2(source, target)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/simple"
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("PIP_")}
        kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
        led = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "GIMP3_DIRECTORY")
        kept = {name: value for name, value in kept.items() if name not in led}
        kept.update(
            HOME=str(self.home),
            USERPROFILE=str(self.home),
            AI_INPAINT_HOME=str(self.state),
            AI_INPAINT_MODELS=str(self.state / "models"),
            AI_INPAINT_OFFLINE="1",
            PIP_CONFIG_FILE=os.devnull,
            PIP_INDEX_URL=nobody,
            PIP_RETRIES="1",
            PIP_NO_BUILD_ISOLATION="0",  # pip reads it as the value of --build-isolation
            PYTHONIOENCODING="utf-8",
            RUSTUP_HOME=str(folder / "rustup"),  # pip asks a rustc for its version, and rustup's writes
            PATH=str(self.home / "bin") + os.pathsep + os.environ["PATH"],
        )
        self.environment = kept

    def run(
        self,
        *arguments: str,
        python: Sequence[str] = (sys.executable,),
        stdin: int = subprocess.DEVNULL,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*python, str(self.root / "install.py"), *arguments],
            env={**self.environment, **environment},
            stdin=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=110,
        )

    def run_and_agree(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """As `run`, with a user at a terminal who says yes to both questions."""
        if os.name == "nt":
            return self.run(*arguments, "--yes")
        user, terminal = os.openpty()
        try:
            os.write(user, b"y\ny\n")
            return self.run(*arguments, stdin=terminal)
        finally:
            os.close(user)
            os.close(terminal)

    def add_editors(self) -> None:
        """A Krita and a GIMP 3.0 that have run before, with settings of their own."""
        for name in ("krita", "gimp-3.0"):
            (self.home / "bin").mkdir(exist_ok=True)
            (self.home / "bin" / name).touch(mode=0o755)
        self.kritarc.parent.mkdir()
        self.kritarc.write_bytes(KRITARC)
        (self.home / ".local" / "share" / "krita" / "pykrita").mkdir(parents=True)
        (self.home / ".config" / "GIMP" / "3.0").mkdir(parents=True)

    @property
    def kritarc(self) -> Path:
        return self.home / ".config" / "kritarc"

    @property
    def krita_plugin(self) -> Path:
        return self.home / ".local" / "share" / "krita" / "pykrita" / "ai_inpaint"

    @property
    def gimp_plugin(self) -> Path:
        return self.home / ".config" / "GIMP" / "3.0" / "plug-ins" / "ai-inpaint"

    def simulate(self, code: str) -> str:
        """A folder for PYTHONPATH: an operating system or a Python that is as `code` makes it."""
        folder = self.home / "simulated"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
        return str(folder)

    @property
    def version(self) -> str:
        return str(json.loads((self.state / "installation.json").read_text(encoding="utf-8"))["software"])

    def tree(self, *tops: Path) -> dict[str, bytes | None]:
        """All that is in the copy, the state folder and the home; what Python may cache left out."""
        found: dict[str, bytes | None] = {}
        for top in tops or (self.root, self.state, self.home):
            for path in sorted(top.rglob("*")):
                if "__pycache__" not in path.parts:
                    found[str(path)] = path.read_bytes() if path.is_file() else None
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# What it says before it does anything


def old_pythons() -> list[str]:
    found = [shutil.which(f"python3.{minor}") for minor in range(6, 10)]
    pyenv = Path.home() / ".pyenv" / "versions"
    found += [str(path) for minor in range(6, 10) for path in pyenv.glob(f"3.{minor}.*/bin/python")]
    working = []
    for path in found:
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            working.append(path)
    return working


def test_an_old_python_is_told_which_one_is_needed() -> None:
    interpreters = old_pythons()
    if not interpreters:
        pytest.skip("no Python 3.6 to 3.9 on this computer")
    for interpreter in interpreters:
        done = subprocess.run([interpreter, str(ROOT / "install.py")], capture_output=True, encoding="utf-8")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "needs Python 3.10 or newer" in done.stderr
        assert "this is Python 3." in done.stderr


def test_the_file_is_written_in_the_language_of_python_3_6() -> None:
    ast.parse((ROOT / "install.py").read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 6), (2, 7, 18)])
def test_versions_that_are_too_old(script: ModuleType, version: tuple[int, ...]) -> None:
    assert f"this is Python {version[0]}.{version[1]}." in script.too_old(version)


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 13, 1), (4, 0)])
def test_versions_that_will_do(script: ModuleType, version: tuple[int, ...]) -> None:
    assert script.too_old(version) == ""


def test_help_names_every_option(place: Place) -> None:
    done = place.run("--help")
    assert done.returncode == 0
    for option in ("--device", "--torch-index", "--check", "--uninstall", "--link", "--test", "--yes"):
        assert option in done.stdout


def test_arguments_for_pytest_without_the_tests_are_refused(place: Place) -> None:
    done = place.run("--", "-k", "wire")
    assert done.returncode == 2
    assert "--test" in done.stderr


def test_check_of_a_bare_checkout_finds_everything_missing_and_changes_nothing(place: Place) -> None:
    before = place.tree()
    # Without its packages (-S) this is the Python of a fresh computer.
    done = place.run("--check", python=[sys.executable, "-S"])
    assert done.returncode == 1
    assert done.stdout.count("missing ") >= 5
    assert "python3 install.py" in done.stdout
    assert place.tree() == before


def test_uninstall_leaves_an_environment_that_it_did_not_make(place: Place) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place.root / ".venv")], check=True)
    before = place.tree()
    done = place.run("--uninstall")
    assert done.returncode == 0
    assert place.tree() == before


# What can be wrong with a computer


def test_a_python_without_ensurepip(place: Place) -> None:
    stub = place.simulate("import sys; sys.modules['ensurepip'] = None")
    done = place.run(PYTHONPATH=stub)
    assert done.returncode == 1
    assert "cannot make environments" in done.stderr
    expected = "sudo apt install python3-venv" if shutil.which("apt-get") else "ensurepip"
    assert expected in done.stderr
    assert not (place.root / ".venv").exists()


def test_a_full_disk_is_noticed_before_anything_is_made(place: Place) -> None:
    stub = place.simulate(
        "import shutil; shutil.disk_usage = lambda path: type('usage', (), {'free': 300_000_000})()"
    )
    done = place.run("--device", "cpu", PYTHONPATH=stub)
    assert done.returncode == 1
    assert "0.3 GB are free" in done.stderr
    assert "Make 2 GB free" in done.stderr
    assert not (place.root / ".venv").exists()
    assert "Make 8 GB free" in place.run("--device", "cuda", PYTHONPATH=stub).stderr


def test_a_state_folder_that_cannot_be_made(place: Place, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    done = place.run(AI_INPAINT_HOME=str(tmp_path / "file" / "state"))
    assert done.returncode == 1
    assert "cannot be written to" in done.stderr


def test_a_folder_that_is_no_environment_is_left_alone(place: Place) -> None:
    (place.root / ".venv").mkdir()
    (place.root / ".venv" / "mine.txt").write_text("precious", encoding="utf-8")
    done = place.run()
    assert done.returncode == 1
    assert "no Python environment" in done.stderr
    assert (place.root / ".venv" / "mine.txt").read_text(encoding="utf-8") == "precious"


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_ends_it_with_one_line(place: Place) -> None:
    process = subprocess.Popen(
        [sys.executable, str(place.root / "install.py")],
        env=place.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("[2/"):
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip().count("\n") == 0
    assert "again" in errors


@pytest.mark.parametrize(
    "output, word",
    [
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "disk is full"),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(': Failed to establish a new "
            "connection: [Errno -3] Temporary failure in name resolution')': /simple/torch/\n"
            "ERROR: No matching distribution found for torch==2.13.0",
            "could not be reached",
        ),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))", "HTTPS_PROXY"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate"),
        ("ERROR: OSError: [Errno 13] Permission denied: '/x/.venv'", "could not be written"),
        ("ERROR: No matching distribution found for torch==2.13.0", "--torch-index"),
        ("something that nobody has seen before", "log"),
    ],
)  # fmt: skip
def test_what_to_do_is_read_from_what_the_tool_said(script: ModuleType, output: str, word: str) -> None:
    assert word in script.advice(output)


# The editors: more in tests/backend/test_editors.py, test_plugins.py, test_libraries.py, test_kritarc.py


OLD, OFF = b"a=1\n", b"[python]\nenable_ai_inpaint=false\n"
ON = b"[python]\nenable_ai_inpaint=true\n"


@pytest.mark.parametrize(
    "options, new, before, after",
    [
        (["--yes"], True, OLD, OLD + b"\n" + ON),
        (["--yes"], True, OFF, ON),
        (["--yes"], False, OFF, OFF),
        (["--yes"], True, ON, ON),
        (["--yes"], True, None, ON),
        ([], True, OLD, OLD),
        ([], True, None, None),
    ],
)  # fmt: skip
def test_the_plugin_is_enabled_only_if_the_user_agrees(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    new: bool,
    before: bytes | None,
    after: bytes | None,
) -> None:
    config = tmp_path / "settings" / "kritarc"
    if before is not None:
        config.parent.mkdir()
        config.write_bytes(before)
    with open(os.devnull) as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        account = script.enable_in_krita(script.Run(script.parse(options)), config, {"name": "krita"}, new)
    assert (config.read_bytes() if config.exists() else None) == after
    said = capsys.readouterr().out
    assert ("Python Plugin Manager" in said) == (after != ON and before == after)
    assert account["name"] == "krita"
    if before != after:
        script.disconnect(str(tmp_path / "krita"), account)
        left = b"[python]\n" if before == OFF else before
        assert (config.read_bytes() if config.exists() else None) == left
        assert config.parent.exists() == (before is not None)


@pytest.mark.skipif(os.name != "posix", reason="links and modes of POSIX")
def test_settings_behind_a_link_are_edited_where_they_are(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real, link = tmp_path / "dotfiles" / "kritarc", tmp_path / "kritarc"
    real.write_bytes(OLD)
    real.chmod(0o640)
    link.symlink_to(real)
    script.enable_in_krita(script.Run(script.parse(["--yes"])), link, {"name": "krita"}, True)
    assert link.is_symlink()
    assert real.read_bytes() == OLD + b"\n" + ON
    assert real.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in real.parent.iterdir()] == ["kritarc"]


@pytest.mark.parametrize("name", ["krita", "gimp"])
def test_for_developers_the_plugin_is_links(script: ModuleType, tmp_path: Path, name: str) -> None:
    assert "plugin installed" in script.install_plugin(name, tmp_path, link=True)
    folder = tmp_path / {"krita": "pykrita/ai_inpaint", "gimp": "ai-inpaint"}[name]
    assert (folder / "backend" / "client").resolve() == ROOT / "backend" / "client"
    assert (folder / "host.py").resolve().parent.parent.parent == ROOT
    assert "up to date" in script.install_plugin(name, tmp_path, link=True)


def test_a_folder_that_cannot_be_written_stops_with_what_to_do(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.editors import Editor

    monkeypatch.setenv("AI_INPAINT_HOME", str(tmp_path / "state"))
    (tmp_path / "plug-ins").write_text("in the way")
    editor = Editor("gimp", "package", (), tmp_path / "plug-ins", pythons=())
    with pytest.raises(script.Stop) as caught:
        script.connect_editor(script.Run(script.parse([])), editor)
    assert "The plugin of GIMP could not be installed" in str(caught.value)
    assert str(tmp_path / "plug-ins") in caught.value.hint


# The whole way


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One place for the tests below, which tell one story in their order."""
    place = Place(tmp_path_factory.mktemp("story"))
    place.add_editors()
    yield place
    place.run("--uninstall", "--yes")


def test_without_a_network_it_says_so(story: Place) -> None:
    story.before = story.tree()  # type: ignore[attr-defined]
    done = story.run("--device", "cpu")
    assert done.returncode == 1
    assert "[3/8] PyTorch" in done.stdout
    assert "PyTorch could not be installed" in done.stderr
    assert "could not be reached" in done.stderr
    assert str(story.state / "install.log") in done.stderr
    assert (story.root / ".venv" / "pyvenv.cfg").is_file()
    assert story.run("--check").returncode == 1


def test_pip_told_to_ask_no_index(story: Place) -> None:
    done = story.run("--device", "cpu", PIP_NO_INDEX="1")
    assert done.returncode == 1
    assert "PIP_NO_INDEX" in done.stderr


def test_it_goes_on_and_ends_with_the_path_of_the_result(story: Place) -> None:
    # The packages "arrive": the environment sees those of the one that runs the tests.
    packages = sysconfig.get_paths(vars={"base": str(story.root / ".venv")})["purelib"]
    mine = sysconfig.get_paths()["purelib"]
    Path(packages, "arrived.pth").write_text(f"import sys; sys.path.insert(1, {mine!r})\n", encoding="utf-8")
    done = story.run_and_agree("--device", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    story.said, story.errors = done.stdout, done.stderr  # type: ignore[attr-defined]
    result = Path(done.stdout.splitlines()[-1])
    assert result == story.state / "first-fill" / "result.png"
    assert result.is_file()
    assert (story.state / "first-fill" / "sheet.png").is_file()
    assert done.stdout.endswith(f"{result}\n")


@pytest.mark.skipif(os.name == "nt", reason="asks at a terminal of Unix")
def test_weights_are_offered_and_without_a_network_it_goes_on(story: Place) -> None:
    said = story.said  # type: ignore[attr-defined]
    assert "Fetch Big LaMa (206 MB, licence Apache-2.0)? [Y/n]" in said
    assert "Going on without big-lama" in story.errors  # type: ignore[attr-defined]


def test_the_first_fill_changes_the_hole_and_nothing_else(story: Place) -> None:
    demo = story.root / "backend" / "demo"
    before = Image.open(demo / "photograph.jpg").convert("RGB")
    after = Image.open(story.state / "first-fill" / "result.png")
    assert after.size == before.size
    changed = np.any(np.asarray(before) != np.asarray(after), axis=2)
    mask = Image.open(demo / "mask.png").convert("L")
    assert changed[np.asarray(mask) > 0].mean() > 0.9
    left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
    margin = 40  # the mask is grown and feathered
    changed[top - margin : bottom + margin, left - margin : right + margin] = False
    assert not changed.any()


def test_the_installation_is_recorded_for_the_editors(story: Place) -> None:
    record = json.loads((story.state / "installation.json").read_text(encoding="utf-8"))
    assert record["root"] == str(story.root)
    assert Path(record["python"]).is_relative_to(story.root / ".venv")
    assert subprocess.run([record["python"], "-c", ""]).returncode == 0
    assert record["software"]


@pytest.mark.skipif(not LINUX, reason="the editors are Linux's")
def test_both_editors_have_their_plugin(story: Place) -> None:
    said = story.said  # type: ignore[attr-defined]
    assert f"one line in {story.kritarc})? [Y/n]" in said
    for title, plugin in (("Krita (package)", story.krita_plugin), ("GIMP (package)", story.gimp_plugin)):
        assert title in said
        assert (plugin / "backend" / "client" / "session.py").is_file()
        assert (plugin / "vendor" / "msgpack" / "fallback.py").is_file()
    assert (story.krita_plugin.with_suffix(".desktop")).is_file()
    assert (story.krita_plugin.parents[1] / "actions" / "ai_inpaint.action").is_file()
    assert os.access(story.gimp_plugin / "ai-inpaint.py", os.X_OK)
    assert story.kritarc.read_bytes() == KRITARC + b"\n[python]\nenable_ai_inpaint=true\n"


def test_check_is_content_and_changes_nothing(story: Place) -> None:
    before = story.tree()
    done = story.run("--check")
    assert done.returncode == 0, done.stdout
    assert "missing" not in done.stdout
    assert story.tree() == before
    if LINUX:
        assert f"Krita (package), {story.home}" in done.stdout
        assert f"plugin {story.version} in {story.gimp_plugin.parent}" in done.stdout


def test_a_second_run_needs_no_network_and_touches_no_editor(story: Place) -> None:
    if LINUX:  # the user's will, said in Krita's plugin manager
        story.kritarc.write_bytes(story.kritarc.read_bytes().replace(b"inpaint=true", b"inpaint=false"))
    before = story.tree(story.home)
    done = story.run("--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path(done.stdout.splitlines()[-1]).is_file()
    assert story.tree(story.home) == before
    if LINUX:
        assert done.stdout.count("plugin is up to date") == 2
        assert "It is switched off, and stays so" in done.stdout
        assert "switched off" in story.run("--check").stdout


def test_another_device_asks_for_pytorch_again(story: Place) -> None:
    done = story.run("--device", "cuda")
    assert done.returncode == 1
    assert "PyTorch could not be installed" in done.stderr
    assert story.run("--check").returncode == 0, "the earlier choice still stands"


def test_uninstall_removes_what_was_made_and_nothing_else(story: Place) -> None:
    (story.state / "mine.txt").write_text("a stranger's", encoding="utf-8")
    (story.root / "picture.png").write_bytes(b"a stranger's")
    connection = json.loads((story.state / "connection.json").read_text(encoding="utf-8"))
    done = story.run("--uninstall", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    after = story.tree()
    assert after.pop(str(story.state / "mine.txt")) == b"a stranger's"
    assert after.pop(str(story.root / "picture.png")) == b"a stranger's"
    assert after == story.before  # type: ignore[attr-defined]
    assert not list(story.root.rglob("__pycache__"))
    from backend.client.processes import alive

    assert not alive(connection["pid"]), "the backend was to be stopped first"
