#!/usr/bin/env python3
"""Set up AI Inpaint in this folder, and show that it works.

    python3 install.py              all that is needed, then a first fill; run it again at any time
    python3 install.py --check      say what is there and what is missing, change nothing
    python3 install.py --test       set up what the tests need as well, and run all of them
    python3 install.py --uninstall  remove all that this script and the backend made

It makes `.venv` in this folder, installs the dependencies that pyproject.toml pins, compiles the fill's
kernels, records for the editors where the backend is, installs their plugins, and fills a hole in a
photograph through that backend. It writes into this folder, the state folder (see backend/client/paths.py)
and, of each editor (see backend/editors.py), the plugin's own folder; into Krita's settings, if its user
agrees, one line. What a run has finished, the next one skips; `.venv/ai-inpaint.json` keeps the account.

Any Python 3 has to be able to read this file, if only to say which Python is needed: no newer syntax.
"""

import argparse
import collections
import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import platform
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

MINIMUM = (3, 10)
ROOT = Path(os.path.abspath(__file__)).parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "ai-inpaint.json"
SCRATCH = ROOT / ".cache" / "install"
SPACE = {"cuda": 8, "rocm": 8}  # GB that .venv and the downloads take; 2 for every other build
HEARTBEAT = 10.0  # seconds without a word after which the user is told that it goes on


class Stop(Exception):
    """A step failed: what failed, what to do, and the last lines of the tool that failed."""

    def __init__(self, message: str, hint: str, tail: str = "") -> None:
        super().__init__(message)
        self.hint, self.tail = hint, tail


# ------------------------------------------------------------------- running tools, showing progress


class Run:
    """One run of this script: its options, its log, and the numbered steps on the screen."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.number = 0
        self.log: Optional[Path] = None

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.number += 1
        self.say(f"[{self.number}/{9 if self.options.test else 8}] {title}", indent="")
        start = time.monotonic()
        yield
        self.say(f"done, {time.monotonic() - start:.0f} s")

    def say(self, text: str, indent: str = "      ") -> None:
        print(indent + text, flush=True)
        self.note(text)

    def note(self, text: str) -> None:
        if self.log:
            with self.log.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text + "\n")

    def tool(self, command: List[str], failure: str, echo: bool = False) -> List[str]:
        """Run a tool and return its last lines; its output goes into the log, and to the user if `echo`.

        Raises:
            Stop: it failed; `failure` says what that means.
        """
        self.note("$ " + " ".join(command))
        echo = echo or self.options.verbose
        pipe = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, cwd=str(ROOT), env=environment(), **pipe)  # type: ignore[call-overload]
        lines: queue.Queue[Optional[str]] = queue.Queue()
        threading.Thread(target=read_lines, args=(process.stdout, lines), daemon=True).start()
        last: collections.deque[str] = collections.deque(maxlen=60)
        start = time.monotonic()
        try:
            while True:
                try:
                    line = lines.get(timeout=HEARTBEAT)
                except queue.Empty:
                    doing = last[-1][:80] if last else ""
                    print(f"      ... {time.monotonic() - start:.0f} s  {doing}", flush=True)
                    continue
                if line is None:
                    break
                self.note(line)
                last.append(line)
                if echo or line.startswith("Downloading "):
                    print("      " + line, flush=True)
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if code:
            raise Stop(failure, advice("\n".join(last), code), "" if echo else "\n".join(list(last)[-8:]))
        return list(last)

    def pip(self, arguments: List[str], failure: str) -> None:
        """Run pip: with its own progress bar on a terminal, with a heartbeat elsewhere."""
        SCRATCH.mkdir(parents=True, exist_ok=True)
        command = [str(PYTHON), "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments]
        if not sys.stdout.isatty() or not self.log:
            self.tool(command, failure)
            return
        before = self.log.stat().st_size
        code = subprocess.call([*command, "--log", str(self.log)], cwd=str(ROOT), env=environment())
        if code:
            with self.log.open("rb") as file:
                file.seek(before)
                raise Stop(failure, advice(file.read().decode("utf-8", "replace"), code))


def read_lines(stream: Any, lines: "queue.Queue[Optional[str]]") -> None:
    for raw in stream:
        text = raw.decode("utf-8", "replace").rstrip()
        if text:
            lines.put(text)
    lines.put(None)


def environment() -> Dict[str, str]:
    """The environment of a tool: the user's, without what would lead it out of our folders."""
    drop = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "AI_INPAINT_CONNECTION")
    result = {name: value for name, value in os.environ.items() if name not in drop}
    result.update(PIP_USER="0", PYTHONUTF8="1", PYTHONUNBUFFERED="1")
    result["AI_INPAINT_HOME"] = str(paths().state_dir())
    if SCRATCH.is_dir():  # while pip works: /tmp is often too small for what it unpacks
        result.update(TMPDIR=str(SCRATCH), TEMP=str(SCRATCH), TMP=str(SCRATCH))
        result.setdefault("PIP_CACHE_DIR", str(SCRATCH / "pip"))
    return result


AGAIN = "run install.py again: it goes on from here."
NO_BUILD = "No matching distribution|Could not find a version"
NO_MEMORY = "MemoryError|Killed"
CAUSES = {
    "No space left on device|Errno 28|not enough space|quota exceeded": (
        "The disk is full. Free some space and " + AGAIN
    ),
    "ProxyError|Cannot connect to proxy|Tunnel connection failed": (
        "The proxy refused the connection. Check HTTPS_PROXY and the proxy in `pip config list`, and " + AGAIN
    ),
    "CERTIFICATE_VERIFY_FAILED|SSLError": (
        "The secure connection was not trusted: a wrong clock, or a company's proxy, whose certificate "
        "`pip config set global.cert FILE` makes known."
    ),
    "NewConnectionError|Failed to establish|name resolution|getaddrinfo|Network is unreachable"
    "|Connection refused|ConnectTimeout|Read timed out|RemoteDisconnected|Connection reset": (
        "The package index could not be reached. Check the network (and the index in `pip config list`) and "
        + AGAIN
    ),
    "Permission denied|Errno 13|WinError 5|Access is denied": (
        "A file could not be written. Make sure that this folder is yours and that no other program uses "
        ".venv; do not use sudo."
    ),
    "Long Path": (
        "A path is longer than Windows allows. Move this folder to a shorter one, such as C:\\ai-inpaint."
    ),
    NO_BUILD: (
        "The package index has no build for this Python ({}) and computer, or did not answer. Check the "
        "network, try another Python, or name an index that has PyTorch with --torch-index URL."
    ),
    "DO NOT MATCH THE HASHES|IncompleteRead|BadZipFile": "A download arrived damaged: " + AGAIN,
    NO_MEMORY: "There was not enough memory. Close other programs and " + AGAIN,
}


def advice(output: str, code: int = 1) -> str:
    """What to do about a tool that failed, judged by what it said."""
    for pattern, hint in CAUSES.items():
        if re.search(pattern, output):
            if pattern == NO_BUILD and os.environ.get("PIP_NO_INDEX"):
                return "PIP_NO_INDEX is set, so pip may not ask any package index. Unset it and " + AGAIN
            return hint.format(platform.python_version())
    return CAUSES[NO_MEMORY] if code == -9 else "The messages above and the log say more."


# ------------------------------------------------------------------------------------ what is there


def too_old(version: Any) -> str:
    """The sentence for a Python that is too old; "" for one that will do."""
    if tuple(version[:2]) >= MINIMUM:
        return ""
    source = {"win32": "python.org or the Microsoft Store", "darwin": "python.org or Homebrew"}.get(
        sys.platform, "your distribution (Debian 12 and Ubuntu 22.04 have one)"
    )
    return (
        f"AI Inpaint needs Python 3.10 or newer, and this is Python {version[0]}.{version[1]}. "
        f"Get one from {source} and run install.py with it, for instance: python3.11 install.py"
    )


def ours(name: str) -> Any:
    """A module of backend/ that needs the standard library alone: a rule is written once, and there."""
    sys.dont_write_bytecode = True
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module("backend" + name)


def paths() -> Any:
    return ours(".client.paths")


def detect_device() -> str:
    if sys.platform == "darwin":
        return "mps" if platform.machine() == "arm64" else "cpu"
    if answers(["nvidia-smi", "-L"], "GPU"):
        return "cuda"
    return "rocm" if sys.platform == "linux" and answers(["rocminfo"], "gfx") else "cpu"


def answers(command: List[str], word: str) -> bool:
    """Whether a program runs and says a word."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, env=environment(), cwd=str(ROOT))
    except (OSError, subprocess.TimeoutExpired):
        return False
    return word in done.stdout.decode("utf-8", "replace")


def venv_is_sound() -> bool:
    return answers([str(PYTHON), "-B", "-c", "import sys, pip; print(sys.version_info >= (3, 10))"], "True")


PINNED = """
from importlib.metadata import version
from pathlib import Path
from backend.doctor import pins
print(all(version(name).split("+")[0] == pin for name, pin in pins(Path("pyproject.toml")).items()))
"""


def read_json(path: Path) -> Dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def stamp(**changes: Any) -> Dict[str, Any]:
    """The account of what is done in `.venv`, with these changes written to it."""
    content = read_json(STAMP)
    if changes:
        content.update(changes)
        STAMP.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return content


def wanted(options: argparse.Namespace) -> Dict[str, Any]:
    """What the stamp says once all is installed as asked for.

    Without --device and --torch-index an earlier choice stays, and so do the tests' packages.
    """
    done = stamp()
    device = options.device or done.get("device") or "auto"
    device = detect_device() if device == "auto" else device
    earlier = done.get("index", "") if options.device is None or device == done.get("device") else ""
    index = earlier if options.torch_index is None else options.torch_index
    test = bool(options.test or done.get("test"))
    pin = "torch==" + ours(".doctor").pins(ROOT / "pyproject.toml")["torch"]
    recipe = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + str(ROOT) + str(test)
    packages = hashlib.sha256(recipe.encode("utf-8", "surrogateescape")).hexdigest()
    return {"pin": pin, "device": device, "index": index, "test": test, "packages": packages}


def is_done(want: Dict[str, Any], *keys: str) -> bool:
    """Whether these are installed: said by the stamp, and seen in `.venv`."""
    done = stamp()
    return all(done.get(key) == want[key] for key in keys) and answers(
        [str(PYTHON), "-B", "-c", PINNED], "True"
    )


def installation() -> Dict[str, str]:
    """The record by which an editor finds and starts the backend."""
    return {"python": str(PYTHON), "root": str(ROOT), "software": ours("").__version__}


# ------------------------------------------------------------------------------------------ the steps


def check_computer(run: Run, want: Dict[str, Any]) -> None:
    """Whatever would stop a later step is better known now.

    Raises:
        Stop: it would.
    """
    if sys.maxsize < 2**32:
        raise Stop("This is a 32-bit Python, for which there is no PyTorch.", "Install a 64-bit Python.")
    if not PYTHON.exists() and not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        debian = "Run `sudo apt install python3-venv`" if shutil.which("apt-get") else ""
        hint = debian or "Install its modules venv and ensurepip"
        raise Stop("This Python cannot make environments: a part of it is missing.", hint + ", then " + AGAIN)
    need, free = SPACE.get(want["device"], 2), shutil.disk_usage(str(ROOT)).free / 1e9
    done = stamp()
    if free < need and any(done.get(key) != want[key] for key in ("pin", "device", "packages")):
        raise Stop(
            f"The disk of {ROOT} is too full: {free:.1f} GB are free.", f"Make {need} GB free and {AGAIN}"
        )
    state = paths().state_dir()
    for folder in (ROOT, state):
        try:
            if folder == state:
                paths().make_private(state)
            (folder / ".writable").touch()
            (folder / ".writable").unlink()
        except OSError as problem:
            hint = advice(str(problem))
            raise Stop(f"{folder} cannot be written to: {problem.strerror}.", hint) from problem
    log = state / "install.log"
    log.write_text(f"install.py {' '.join(sys.argv[1:])}\n", encoding="utf-8", errors="backslashreplace")
    run.log = log
    run.say(f"Python {platform.python_version()}, {platform.platform()}, {free:.0f} GB free")
    run.say(f"log: {log}")


def make_venv(run: Run, want: Dict[str, Any]) -> None:
    if venv_is_sound():
        run.say(f"{VENV} is there")
        return
    if os.path.lexists(str(VENV)):
        if not STAMP.exists() and not (VENV / "pyvenv.cfg").exists():
            raise Stop(
                f"{VENV} is there and is no Python environment.", "Move it away, and run install.py again."
            )
        run.say(f"{VENV} does not work any more: made anew")
        remove(VENV)
    VENV.mkdir()
    stamp(made=True, device=want["device"], index=want["index"], test=want["test"])
    run.tool([sys.executable, "-m", "venv", str(VENV)], "The Python environment .venv could not be made.")
    if not venv_is_sound():
        raise Stop(
            "The new Python environment .venv does not work.", "Try another Python: python3.11 install.py"
        )


def install_torch(run: Run, want: Dict[str, Any]) -> None:
    run.say(f"{want['pin']} for {want['device']}")
    if is_done(want, "pin", "device", "index"):
        run.say("is there")
        return
    if want["device"] == "cpu" and not want["index"] and sys.platform == "linux":
        run.say("(Many indexes have the large CUDA build for Linux; it works on the CPU, too. PyTorch's site")
        run.say("names an index of small CPU builds, to be given as --torch-index URL.)")
    failure, done = "PyTorch could not be installed.", stamp()
    other = "pin" in done and any(done.get(key) != want[key] for key in ("device", "index"))
    if other or want["index"]:
        # The named index decides on PyTorch itself; what PyTorch needs may come from there or from pip's own.
        only = (
            ["--no-deps"]
            + ["--force-reinstall"] * other
            + ["--index-url", want["index"]] * bool(want["index"])
        )
        run.pip(["install", *only, want["pin"]], failure)
    extra = ["--extra-index-url", want["index"]] if want["index"] else []
    run.pip(["install", *extra, want["pin"]], failure)
    part = {"cuda": "cuda", "rocm": "hip"}.get(want["device"])
    if part and not answers([str(PYTHON), "-c", f"import torch; print(bool(torch.version.{part}))"], "True"):
        message = f"The package index has no {want['device']} build of PyTorch."
        hint = "Name an index that has one with --torch-index URL: PyTorch's site lists them."
        if run.options.device == want["device"]:
            raise Stop(message, hint)
        run.say(f"{message} {hint} Until then the CPU is used.")
    stamp(pin=want["pin"], device=want["device"], index=want["index"])


def install_packages(run: Run, want: Dict[str, Any]) -> None:
    if is_done(want, "packages"):
        run.say("all are there")
    else:
        if not answers([str(PYTHON), "-c", "import pip; print(int(pip.__version__[:2]) >= 22)"], "True"):
            run.pip(["install", "--upgrade", "pip"], "pip, which installs packages, could not be updated.")
        target = ".[test]" if want["test"] else "."
        run.pip(["install", "--editable", target], "The packages could not be installed.")
        stamp(packages=want["packages"], test=want["test"])
    remove(SCRATCH)
    with contextlib.suppress(OSError):
        SCRATCH.parent.rmdir()  # stays where something else is kept in it


COMPILE = """
from importlib import import_module
from models import MODELS
for entry in MODELS.values():
    module = import_module("models." + entry.partition(":")[0])
    getattr(module, "prepare", lambda: None)()
"""


def compile_kernels(run: Run) -> None:
    run.tool([str(PYTHON), "-c", COMPILE], "The fill's kernels could not be compiled.")


def connect_editors(run: Run) -> None:
    record = paths().installation_file()
    record.write_text(json.dumps(installation(), indent=2), encoding="utf-8")
    run.say(f"recorded in {record}")
    editors = ours(".editors").find()
    for editor in editors:
        programs = ", ".join(str(program) for program in editor.programs)
        run.say(f"{editor}: {programs}")
        if editor.place:
            connect_editor(run, editor)
        if editor.note:
            run.say(f"  {editor.note}")
    if editors and os.environ.get("AI_INPAINT_HOME"):
        run.say("AI_INPAINT_HOME is set: the editors find the backend only if it is set for them, too.")
    if not editors:
        run.say("Neither Krita nor GIMP was found; run install.py again once one is installed.")


def connect_editor(run: Run, editor: Any) -> None:
    """Install one editor's plugin and enable it; `connected` keeps the account of it.

    Raises:
        Stop: its folder cannot be written.
    """
    account = connected().get(str(editor.place), {"name": editor.name, "config": str(editor.config or "")})
    new = not ours(".plugins").record(editor.name, editor.place)
    try:
        said = install_plugin(editor.name, editor.place, run.options.link, editor.pythons, run)
        run.say(f"  {said}: {editor.place}")
        connected({str(editor.place): account})
        if editor.config:
            account = enable_in_krita(run, editor.config, account, new)
            connected({str(editor.place): account})
    except OSError as problem:
        hint = f"Close {editor.title} if it runs, make sure that {editor.place} can be written, and {AGAIN}"
        if run.options.link and os.name == "nt":
            hint = f"Windows makes links in its developer mode alone: switch that on, and {AGAIN}"
        raise Stop(f"The plugin of {editor.title} could not be installed: {problem}.", hint) from problem
    if "up to date" not in said and ours(".editors").running(editor.name):
        run.say(f"  {editor.title} is running: restart it to use the plugin.")


def connected(changes: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
    """Folder to what was done for the editor that has it; with these changes, written to the state folder."""
    path = paths().state_dir() / "plugins.json"
    content = read_json(path)
    if changes:
        content.update(changes)
        path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return content


def enable_in_krita(run: Run, config: Path, account: Dict[str, Any], new: bool) -> Dict[str, Any]:
    """Add the plugin's line to Krita's settings, if the user agrees; returns the account of it."""
    kritarc = ours(".kritarc")
    enabled = kritarc.enabled(kritarc.read(config))
    by_hand = "Krita ▸ Settings ▸ Configure Krita ▸ Python Plugin Manager ▸ AI Inpaint"
    if enabled:
        return account
    if enabled is False and not new:
        run.say(f"  It is switched off, and stays so; to switch it on: {by_hand}")
        return account
    if not run.options.yes:
        asked = f"      Switch the plugin on in Krita's settings (one line in {config})? [Y/n] "
        if not sys.stdin.isatty() or input(asked).strip().lower() not in ("", "y", "yes"):
            run.say(f"  To switch it on: {by_hand} (or run install.py --yes)")
            return account
    done = kritarc.switch_on(config)
    run.say(f"  switched on in {config}")
    return {**account, "config": str(config), "kritarc": done}


def install_plugin(
    name: str,
    place: Path,
    link: bool = False,
    pythons: Optional[Sequence[str]] = None,
    run: Optional[Run] = None,
) -> str:
    """Install the plugin for an editor, or bring the one that is there up to date.

    Args:
        name: "krita" or "gimp".
        place: Krita's resource folder, or GIMP's plug-ins folder.
        link: link to this folder's files, do not copy them.
        pythons: versions such as "3.11" to carry pyzmq for, downloaded where it is not that of .venv; None
            is that of .venv alone. Without pyzmq the plugin uses the standard library.
        run: what to tell the progress.

    Returns:
        What was done, for the user.

    Raises:
        OSError: a file could not be read or written.
    """
    plugins, python = ours(".plugins"), PYTHON if PYTHON.exists() else Path(sys.executable)

    def tool(command: List[str]) -> str:
        try:
            (run or Run(parse([]))).tool(command, "pyzmq could not be downloaded.")
        except Stop as problem:
            return problem.hint
        return ""

    def say(text: str) -> None:
        if run:
            run.say("  " + text)

    with tempfile.TemporaryDirectory() as folder:
        holds = ours(".libraries").gather(
            Path(folder), python, pythons, plugins.carried(name, place), environment(), tool, say
        )
        changed = plugins.put(name, place, ROOT, link, plugins.Vendor(Path(folder), holds) if holds else None)
    served = plugins.carried(name, place).get("pythons")
    carrier = (
        f"with pyzmq for Python {', '.join(served)}" if served else "without pyzmq, which it can do without"
    )
    return f"plugin {'installed' if changed else 'is up to date'}, {carrier}"


SHUTDOWN = """
from backend.client.session import Session
with Session.connect(launch=False) as session:
    session.shutdown()
"""


def stop_backend(run: Run) -> None:
    """Stop the backend that runs on this computer, if any: it may be one of an earlier version.

    Raises:
        Stop: it does not end.
    """
    discovery = ours(".client.discovery")
    try:
        found = discovery.find(paths().connection_file())
    except ours(".wire.errors").InpaintError as problem:
        raise Stop(problem.message, problem.hint) from problem
    if not found or not found.local:
        return
    try:
        socket.create_connection(found.address, timeout=5).close()
    except OSError:
        return  # a file that was left behind; the process of that number is another one by now
    try:
        run.tool([str(PYTHON), "-B", "-c", SHUTDOWN], "The backend does not answer.")
    except (Stop, OSError):  # .venv is broken, perhaps
        os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while discovery.alive(found.pid):
        if time.monotonic() > deadline:
            raise Stop("The backend that runs does not end.", f"End process {found.pid}, and {AGAIN}")
        time.sleep(0.05)


RECOMMENDED = """
import json
from models import zoo
there = zoo.installed()
for name, entry in zoo.published().items():
    if entry.recommended and name not in there:
        said = f"{entry.title} ({entry.size / 1e6:.0f} MB, licence {entry.licence})"
        print(json.dumps([said, str(zoo.folder() / name)]))
"""


def offer_weights(run: Run) -> None:
    """Fetch the recommended network, if the user wants it; the other models need no weights."""
    failure = "The models could not be listed."
    lacking = [json.loads(line) for line in run.tool([str(PYTHON), "-c", RECOMMENDED], failure)]
    missing = ", ".join(said for said, _ in lacking)
    later = "Later: ai-inpaint models get --recommended"
    if not missing:
        run.say("the recommended ones are there")
        return
    if run.options.test:
        run.say(f"the tests need none. {later}")
        return
    if not run.options.yes:
        if stamp().get("no_weights") or not sys.stdin.isatty():
            run.say(f"not fetched: {missing}. {later}")
            return
        if input(f"      Fetch {missing}? [Y/n] ").strip().lower() not in ("", "y", "yes"):
            stamp(no_weights=True)
            run.say(f"going on without. {later}")
            return
    command = [str(PYTHON), "-m", "backend.cli", "models", "get", "--recommended", "--if-online", "--yes"]
    run.note("$ " + " ".join(command))
    stamp(weights=sorted({*fetched(), *(place for _, place in lacking)}))
    if subprocess.call(command, cwd=str(ROOT), env=environment()):
        run.say(f"Going on without it. {later}")


def fetched() -> List[str]:
    """The folders of weights that `offer_weights` has filled, or tried to."""
    return list(stamp().get("weights", []))


def first_fill(run: Run) -> str:
    stop_backend(run)
    failure = "The backend could not fill the photograph."
    result = run.tool([str(PYTHON), "-m", "backend.demo"], failure, echo=True)[-1]
    if not Path(result).is_file():
        raise Stop(failure, f"The log has the details, and {paths().log_file()}.")
    return result


def run_tests(run: Run) -> int:
    """Style, types and tests; pytest last, so that its summary ends the output."""
    codes = []
    checks = (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["pytest", *run.options.extra])
    for command in checks:
        run.say(" ".join(command))
        codes.append(subprocess.call([str(PYTHON), "-m", *command], cwd=str(ROOT), env=environment()))
    for command, code in zip(checks[:-1], codes):
        if code:
            print(f"Failed: {' '.join(command)} (see above)", file=sys.stderr, flush=True)
    return codes[-1] or max(codes)


# --------------------------------------------------------------------------------------- the commands


def install(run: Run) -> int:
    want = wanted(run.options)
    with run.step("This computer"):
        check_computer(run, want)
    with run.step("A Python environment of its own"):
        make_venv(run, want)
    with run.step("PyTorch"):
        install_torch(run, want)
    with run.step("The other packages"):
        install_packages(run, want)
    with run.step("Compiling, so that the first fill need not wait for it"):
        compile_kernels(run)
    with run.step("The editors"):
        connect_editors(run)
    with run.step("Weights of the recommended network"):
        offer_weights(run)
    with run.step("A first fill: a photograph and a mask, sent to the backend"):
        result = first_fill(run)
    if run.options.test:
        run.say(f"[9/9] Tests (the first fill is {result})", indent="")
        return run_tests(run)
    print(result, flush=True)
    return 0


def check(run: Run) -> int:
    """Say what is there and what is missing; nothing is changed."""
    want = wanted(run.options)
    findings = {
        f"Python environment {VENV}": venv_is_sound(),
        f"{want['pin']} for {want['device']}": is_done(want, "pin", "device", "index"),
        "the other packages" + (", with those for tests" if want["test"] else ""): is_done(want, "packages"),
        f"record for the editors {paths().installation_file()}": read_json(paths().installation_file())
        == installation(),
        "first fill": (paths().state_dir() / "first-fill" / "result.png").is_file(),
    }
    for what, there in findings.items():
        print(f"{'ok' if there else 'missing':8} {what}")
    doctor = ours(".doctor")
    complete = all(findings.values())
    for finding in doctor.editor_findings():
        complete = complete and finding.hint != doctor.AGAIN
        print(f"{finding.level:8} {finding.message}")
        if finding.hint:
            print(f"{'':8} {finding.hint}")
    if not complete:
        print("To set up what is missing: python3 install.py")
    return 0 if complete else 1


def uninstall(run: Run) -> int:
    """Remove what this script and the backend made, and nothing else."""
    made, state = stamp().get("made", False), paths().state_dir()
    if os.name == "nt" and made and Path(sys.prefix) == VENV:
        raise Stop("This Python is itself to be removed.", "Run install.py --uninstall with another Python.")
    caches = (
        "ai_inpaint.egg-info",
        "__pycache__",
        ".pytest_cache",
        ".ruff_cache",
        ".mypy_cache",
        ".hypothesis",
    )
    doomed = [VENV if made else STAMP, SCRATCH, *(ROOT / name for name in caches)]
    for name in ("backend", "models", "krita_plugin", "gimp_plugin", "tests"):
        doomed += (ROOT / name).rglob("__pycache__")
    for name in ("installation_file", "connection_file", "settings_file", "log_file", "launch_log_file"):
        path = getattr(paths(), name)()
        doomed += [path, path.with_suffix(".lock"), *state.glob(path.name + ".*")]
    weights = [Path(place) for place in fetched()]
    doomed += [path for place in weights for path in (place, *place.parent.glob(f".{place.name}.*"))]
    doomed += [state / "install.log", state / "first-fill", state / "plugins.json"]
    doomed = [path for path in doomed if os.path.lexists(str(path))]
    plugins = installed_plugins()
    if (doomed or plugins) and sys.stdin.isatty() and not run.options.yes:
        print("\n".join([*map(str, doomed), *(f"the plugin in {place}" for place in plugins)]))
        if input("Remove these? [y/N] ").strip().lower() not in ("y", "yes"):
            return 1
    stop_backend(run)
    for place, account in plugins.items():
        disconnect(place, account)
    if not made and STAMP.exists():
        run.tool([str(PYTHON), "-m", "pip", "uninstall", "-y", "ai-inpaint"], "ai-inpaint stays in .venv.")
        print(f"{VENV} was there before and stays.")
    for path in doomed:
        remove(path)
    for folder in (SCRATCH.parent, *(place.parent for place in weights), state):
        with contextlib.suppress(OSError):
            folder.rmdir()  # stays where anything else is in it
    print(f"Removed {len(doomed)} files and folders.")
    return 0


def installed_plugins() -> Dict[str, Dict[str, Any]]:
    """Folder to account of every plugin that was installed, those of which the account was lost too."""
    found = {
        str(editor.place): {"name": editor.name, "config": str(editor.config or "")}
        for editor in ours(".editors").find()
        if editor.place and ours(".plugins").record(editor.name, editor.place)
    }
    return {**found, **connected()}


def disconnect(place: str, account: Dict[str, Any]) -> None:
    """Remove a plugin, and its line from Krita's settings."""
    count = ours(".plugins").remove(account["name"], Path(place))
    print(f"The plugin in {place} is removed, {count} files.")
    if account.get("config"):
        ours(".kritarc").switch_off(Path(account["config"]), account.get("kritarc", {}))


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there; of a link the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(str(path))
    elif os.path.lexists(str(path)):
        path.unlink()


def parse(arguments: List[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n")[0],
        epilog="Run it again at any time: it goes on from where it stopped.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check", action="store_true", help="say what is there and what is missing, change nothing"
    )
    what.add_argument("--uninstall", action="store_true", help="remove all that was made, and nothing else")
    what.add_argument(
        "--test", action="store_true", help="run all tests as well; what follows -- is for pytest"
    )
    devices = ("auto", "cpu", "cuda", "rocm", "mps")
    parser.add_argument(
        "--device", choices=devices, help="PyTorch's build (default: the last choice, or else auto)"
    )
    parser.add_argument(
        "--torch-index", metavar="URL", help="package index to take PyTorch from (default: pip's)"
    )
    parser.add_argument(
        "--link", action="store_true", help="for developers: link the editors' plugins, do not copy"
    )
    parser.add_argument("--yes", action="store_true", help="ask no questions")
    parser.add_argument("--verbose", action="store_true", help="show all that the tools say")
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:cut])
    options.extra = arguments[cut + 1 :]
    if options.extra and not options.test:
        parser.error("what follows -- is for the tests: add --test")
    return options


def main(arguments: List[str]) -> int:
    old = too_old(sys.version_info)
    if old:
        print(old, file=sys.stderr)
        return 1
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    run = Run(parse(arguments))
    command = check if run.options.check else uninstall if run.options.uninstall else install
    try:
        return command(run)
    except KeyboardInterrupt:
        print("\nStopped. Run install.py again to go on from here.", file=sys.stderr)
        return 130
    except Stop as problem:
        stop = problem
    except OSError as problem:
        stop = Stop(f"A file could not be read or written: {problem}.", advice(str(problem)))
    lines = ["", f"Failed: {stop}", f"What to do: {stop.hint}"]
    if stop.tail:
        lines += ["The last lines of its output:", *("  " + line for line in stop.tail.splitlines())]
    if run.log:
        lines.append(f"Log: {run.log}")
    print("\n".join(lines), file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
