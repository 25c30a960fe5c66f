"""install.py as its user meets it: as a process, in a copy of the checkout, with folders of its own.

The copy's packages come from the environment that runs the tests, so nothing is downloaded; the package
index of every run is a port on which nobody listens.
"""

from __future__ import annotations

import ast
import importlib.util
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

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("install.py", "pyproject.toml", "README.md", "LICENSE", "backend", "models")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """install.py as a module, for what is a question to a function."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "install.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
        kept.update(
            HOME=str(self.home),
            USERPROFILE=str(self.home),
            AI_INPAINT_HOME=str(self.state),
            PIP_CONFIG_FILE=os.devnull,
            PIP_INDEX_URL=nobody,
            PIP_RETRIES="1",
            PIP_NO_BUILD_ISOLATION="0",  # pip reads it as the value of --build-isolation
            PYTHONIOENCODING="utf-8",
            RUSTUP_HOME=str(folder / "rustup"),  # pip asks a rustc for its version, and rustup's writes
        )
        self.environment = kept

    def run(
        self, *arguments: str, python: Sequence[str] = (sys.executable,), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*python, str(self.root / "install.py"), *arguments],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=110,
        )

    def simulate(self, code: str) -> str:
        """A folder for PYTHONPATH: an operating system or a Python that is as `code` makes it."""
        folder = self.home / "simulated"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
        return str(folder)

    def tree(self) -> dict[str, bytes | None]:
        """All that is in the copy and the state folder; what Python may cache left out."""
        found: dict[str, bytes | None] = {}
        for top in (self.root, self.state, self.home):
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


# The whole way


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One place for the tests below, which tell one story in their order."""
    place = Place(tmp_path_factory.mktemp("story"))
    yield place
    place.run("--uninstall", "--yes")


def test_without_a_network_it_says_so(story: Place) -> None:
    story.before = story.tree()  # type: ignore[attr-defined]
    done = story.run("--device", "cpu")
    assert done.returncode == 1
    assert "[3/7] PyTorch" in done.stdout
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
    done = story.run("--device", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    result = Path(done.stdout.splitlines()[-1])
    assert result == story.state / "first-fill" / "result.png"
    assert result.is_file()
    assert (story.state / "first-fill" / "sheet.png").is_file()
    assert done.stdout.endswith(f"{result}\n")


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


def test_check_is_content_and_changes_nothing(story: Place) -> None:
    before = story.tree()
    done = story.run("--check")
    assert done.returncode == 0, done.stdout
    assert "missing" not in done.stdout
    assert story.tree() == before


def test_a_second_run_needs_no_network(story: Place) -> None:
    done = story.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path(done.stdout.splitlines()[-1]).is_file()


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
