"""`ai-inpaint models`, as users give it: what it says, leaves on the disk, and makes possible."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from downloads import CONTENT, FileServer, empty_store, until, write_zoo
from PIL import Image
from weights_files import TENSORFLOW, deepfill

from backend.cli import main
from models import zoo

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server() -> Iterator[FileServer]:
    running = FileServer()
    yield running
    running.close()


@pytest.fixture
def folder(tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_store(tmp_path, server, monkeypatch)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deepfill(tmp_path_factory.mktemp("official"))


def call(*arguments: object) -> Result:
    """The command in this process."""
    return CliRunner().invoke(main, ["models", *map(str, arguments)])


def done(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*arguments: object, code: int = 1) -> str:
    """The one line that a refused command writes."""
    result = call(*arguments)
    assert result.exit_code == code and result.exception is not None, result.output
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ai-inpaint: ") and last.endswith("."), last
    return last


def spawn(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """The command as users start it."""
    return subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "models", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# list


def test_the_list_tells_what_is_there_and_what_could_be(folder: Path) -> None:
    lines = {line.split()[0]: line for line in done("list").splitlines() if line.strip()}
    assert "installed" in lines["patchmatch"]
    assert "to fetch, 206 MB" in lines["big-lama"]
    assert "to fetch, 300 kB" in lines["tested"]
    assert "by hand" in lines["sc-fegan"]
    done("get", "tested")
    assert "installed" in next(line for line in done("list").splitlines() if line.startswith("tested"))
    known = {card["name"]: card for card in json.loads(done("list", "--json"))}
    assert known["tested"]["installed"] and known["tested"]["download"]["licence"] == "MIT"


def test_listing_does_not_wait_for_torch(folder: Path) -> None:
    program = "import sys; from models import cards; cards(); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert said.stdout.strip() == "False", said.stderr


# get


def test_get_fetches_and_tells_how_far_it_is(folder: Path, server: FileServer) -> None:
    server.slow(chunk=30_000, pause=0.02)
    with spawn("get", "tested") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Tested weights, 300 kB; licence: MIT; see https://example.org/tested" in out
    assert out.splitlines()[-1] == f"tested: {folder / 'tested' / 'tested.pt'}"
    assert "tested: 50 % downloading" in err
    assert (folder / "tested" / "tested.pt").read_bytes() == CONTENT
    assert "already there" in done("get", "tested") and len(server.requests) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_get_goes_on_after_it_was_interrupted(
    folder: Path, server: FileServer, number: int, code: int
) -> None:
    server.slow(chunk=10_000, pause=0.05)
    part = folder / ".tested.part"
    with spawn("get", "tested") as process:
        until(lambda: part.exists() and part.stat().st_size > 50_000)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert process.returncode == code
    assert "Traceback" not in err
    came = part.stat().st_size
    server.slow(chunk=len(CONTENT), pause=0)
    done("get", "tested")
    assert server.requests[-1][1] == f"bytes={came}-"
    assert zoo.installed()["tested"].path.read_bytes() == CONTENT


def test_a_licence_that_forbids_commercial_use_has_to_be_accepted(
    folder: Path, server: FileServer, tmp_path: Path
) -> None:
    write_zoo(tmp_path / "zoo.toml", server.url, licence="CC-BY-NC-4.0", commercial=False)
    said = refusal("get", "tested", code=2)
    assert "CC-BY-NC-4.0" in said and "commercial use" in said and "--yes" in said
    assert server.requests == []
    assert "licence: CC-BY-NC-4.0" in done("get", "tested", "--yes")
    assert "tested" in zoo.installed()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_one_is_asked(folder: Path, server: FileServer, tmp_path: Path, answer: str) -> None:
    import pty

    write_zoo(tmp_path / "zoo.toml", server.url, licence="CC-BY-NC-4.0", commercial=False)
    keyboard, terminal = pty.openpty()
    with spawn("get", "tested", stdin=terminal) as process:
        os.write(keyboard, f"{answer}\n".encode())
        out, err = process.communicate(timeout=60)
    os.close(keyboard)
    os.close(terminal)
    assert "non-commercial" in out + err
    assert (process.returncode == 0) == (answer == "y") == ("tested" in zoo.installed()), out + err
    assert bool(server.requests) == (answer == "y")


def test_what_a_program_cannot_fetch_is_explained(folder: Path) -> None:
    said = refusal("get", "sc-fegan")
    assert "https://github.com/run-youngjoo/SC-FEGAN" in said
    assert "ai-inpaint models import FILE --name sc-fegan" in said and "SC-FEGAN.ckpt.index" in said
    assert "'nobody'" in refusal("get", "nobody", code=2)
    assert "models get big-lama" in refusal("get", "lama", code=2), "a network, and no weights"
    assert "--recommended" in refusal("get", code=2)


def test_an_installer_can_offer_what_is_recommended_and_go_on_without(
    folder: Path, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_INPAINT_OFFLINE", "1")
    result = call("get", "--recommended", "--if-online", "--yes")
    assert result.exit_code == 0 and "Going on without big-lama" in result.stderr
    assert "Big LaMa" in refusal("get", "--recommended")
    monkeypatch.delenv("AI_INPAINT_OFFLINE")
    write_zoo(tmp_path / "zoo.toml", "http://no.such.host.invalid")
    assert call("get", "tested", "--if-online").exit_code == 0
    write_zoo(tmp_path / "zoo.toml", server.url)
    server.status = [404]
    assert "404" in refusal("get", "tested", "--if-online"), "that is another matter"


def test_options_choose_a_mirror_and_forbid_the_network(folder: Path, server: FileServer) -> None:
    assert "switched off" in refusal("get", "tested", "--offline")
    done("get", "tested", "--mirror", f"{server.url}/mirror")
    assert server.requests == [("/mirror/tested.pt", None)]


def test_a_failure_is_one_line(folder: Path, server: FileServer) -> None:
    server.content = b"?" * len(CONTENT)
    assert "SHA256 differs" in refusal("get", "tested")
    assert zoo.installed() == {}


# import


def test_an_imported_file_is_recognised_and_usable_at_once(
    folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "My Weights.v2.pth"
    shutil.copy(checkpoint, mine)
    with spawn("import", mine) as process:
        out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert out == f"my-weights.v2: weights of deepfill, variant pytorch, 16 MB, {folder / 'my-weights.v2'}\n"
    weights = zoo.installed()["my-weights.v2"]
    assert weights.imported and weights.path.read_bytes() == mine.read_bytes()
    assert "not known" in weights.licence and weights.commercial is None
    mine.unlink()
    filled = fill(tmp_path, "my-weights.v2")
    assert "filled by my-weights.v2" in filled
    assert "filled by my-weights.v2" in fill(tmp_path, "deepfill"), "a network's name stands for its weights"
    assert "my-weights.v2: as it should be" in done("verify")
    assert done("path", "my-weights.v2").strip() == str(weights.path)


def fill(folder: Path, model: str) -> str:
    x, y = np.meshgrid(np.arange(90), np.arange(64))
    picture = np.uint8(np.stack([x * 2, y * 3, x + y], axis=2))
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[20:40, 30:60] = 255
    for name, pixels in (("photo", picture), ("mask", mask)):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    arguments = ["run", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png", "--model", model]
    result = CliRunner().invoke(main, [str(argument) for argument in [*arguments, "--device", "cpu"]])
    assert result.exit_code == 0, result.output
    with Image.open(folder / "out.png") as filled:
        changed = (np.asarray(filled) != picture).any(axis=2)
    assert changed[20:40, 30:60].mean() > 0.5 and not changed[:8].any()
    return result.stdout


def test_a_published_file_is_known_by_its_hash_whatever_it_is_called(
    folder: Path, server: FileServer, tmp_path: Path, checkpoint: Path
) -> None:
    changes = {"architecture": "deepfill", "licence": "CC-BY-NC-4.0", "commercial": False}
    write_zoo(tmp_path / "zoo.toml", server.url, checkpoint.read_bytes(), **changes)
    other = tmp_path / "downloaded (1).bin"
    shutil.copy(checkpoint, other)
    result = call("import", other)
    assert result.exit_code == 0 and "forbids commercial use" in result.stderr
    weights = zoo.installed()["tested"]
    assert (weights.title, weights.licence, weights.commercial) == ("Tested weights", "CC-BY-NC-4.0", False)
    assert "already there" in done("get", "tested")
    done("import", other)  # the same again is no mistake


def test_weights_that_are_downloaded_by_hand_take_their_published_name(
    folder: Path, checkpoint: Path
) -> None:
    done("import", checkpoint, "--name", "deepfill-places")
    weights = zoo.installed()["deepfill-places"]
    assert (weights.title, weights.variant) == ("DeepFill v2, places", "pytorch")
    assert weights.commercial is False and weights.imported


def test_a_checkpoint_of_several_files_comes_as_a_whole(folder: Path) -> None:
    done("import", TENSORFLOW, "--name", "deepcreampy-mosaic")
    weights = zoo.installed()["deepcreampy-mosaic"]
    assert set(weights.files) == {path.name for path in TENSORFLOW.parent.iterdir()}
    assert (weights.architecture, weights.variant) == ("deepcreampy", "mosaic"), "as it is published"
    assert done("verify", "deepcreampy-mosaic")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be used"),
        (b"just a text, and no weights\n", "cannot be used"),
        (b"PK\x03\x04 a beginning without an end", "cannot be used"),
        (b"\x80\x02cposix\nsystem\nX\x0f\x00\x00\x00touch /tmp/owned\x85R.", "cannot be used"),
    ],
    ids=["empty", "text", "damaged", "hostile"],
)
def test_what_is_no_weights_is_refused(folder: Path, tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    assert said in refusal("import", path)
    assert not folder.exists() or zoo.installed() == {}


def test_what_is_not_whole_is_refused(folder: Path, tmp_path: Path, checkpoint: Path) -> None:
    path = tmp_path / "short.pth"
    path.write_bytes(checkpoint.read_bytes()[:-1000])
    refusal("import", path)
    shutil.copy(TENSORFLOW, tmp_path / "lonely.index")
    refusal("import", tmp_path / "lonely.index")
    refusal("import", tmp_path / "not-there.pt")
    refusal("import", tmp_path)
    assert zoo.installed() == {}


def test_names_are_kept_apart(folder: Path, tmp_path: Path, checkpoint: Path) -> None:
    assert "cannot be named" in refusal("import", checkpoint, "--name", "../up", code=2)
    assert "name of a model" in refusal("import", checkpoint, "--name", "auto", code=2)
    assert "name of a model" in refusal("import", checkpoint, "--name", "patchmatch", code=2)
    assert "its hash differs" in refusal("import", checkpoint, "--name", "big-lama")
    assert "which SC-FEGAN are not" in refusal("import", checkpoint, "--name", "sc-fegan")
    assert "no variant named 'odd'" in refusal("import", checkpoint, "--variant", "odd", "--name", "mine")
    assert zoo.installed() == {}
    done("import", checkpoint, "--name", "mine")
    assert "--replace" in refusal("import", TENSORFLOW, "--name", "mine", code=2)
    done("import", TENSORFLOW, "--name", "mine", "--replace")
    assert zoo.installed()["mine"].architecture == "deepcreampy"


# verify, remove, path


def test_verify_tells_what_is_broken_and_fails(folder: Path) -> None:
    done("get", "tested")
    assert done("verify") == done("verify", "tested") == "tested: as it should be\n"
    (folder / "tested" / "tested.pt").write_bytes(b"?" * len(CONTENT))
    result = call("verify")
    assert result.exit_code == 1 and "SHA256" in result.stderr and "again" in result.stderr
    assert "models get big-lama" in refusal("verify", "big-lama")


def test_remove_and_path(folder: Path) -> None:
    assert done("path").strip() == str(folder)
    done("get", "tested")
    assert done("remove", "tested") == "tested: removed, 300 kB are free again\n"
    assert zoo.installed() == {}
    assert "no weights named 'tested'" in refusal("remove", "tested")
    assert "models get tested" in refusal("path", "tested")
