"""The real command on real files: what it writes, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from backend import files
from backend.cli import main

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "backend.cli"]
HOLE = (slice(20, 32), slice(30, 50))
REACH = (slice(10, 42), slice(20, 60))
"""The hole with everything that grow and feather may reach."""


def scene() -> np.ndarray:
    x, y = np.meshgrid(np.arange(90), np.arange(64))
    waves = [np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 11)]
    return np.uint8(np.stack(waves, axis=2) * 90 + 128)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photo.png, its mask.png, and painted.png, where the hole is green."""
    picture = scene()
    Image.fromarray(picture).save(tmp_path / "photo.png")
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[HOLE] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    picture[HOLE] = (0, 255, 0)
    Image.fromarray(picture).save(tmp_path / "painted.png")
    return tmp_path


def call(*arguments: object, stdin: bytes | None = None) -> Result:
    """The command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def fill(folder: Path, *arguments: object) -> Result:
    return call("run", folder / "photo.png", folder / "mask.png", "--model", "smooth", *arguments)


def spawn(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    """The command as users start it."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def only_the_hole_differs(result: np.ndarray, original: np.ndarray) -> bool:
    outside = np.ones(result.shape[:2], bool)
    outside[REACH] = False
    same = np.array_equal(result[outside], original[outside])
    return same and not np.array_equal(result[HOLE], original[HOLE])


def one_line(result: Result, code: int, *words: str) -> None:
    """Failed with this code and one line that holds these words."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("ai-inpaint: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


def test_run_fills_the_hole_and_nothing_else(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = fill(folder, "-o", folder / "out.png")
    assert result.exit_code == 0, result.output
    assert only_the_hole_differs(pixels(folder / "out.png"), scene())
    assert "filled by smooth, seed 0, " in result.stdout
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "out.png"} == before


def test_the_command_itself_in_a_pipe():
    process = spawn(
        "run", "-", "--mask-color", "#0f0", "-o", "-", "--model", "smooth", "--format", "tiff",
        stdin=subprocess.PIPE,
    )  # fmt: skip
    painted = scene()
    painted[HOLE] = (0, 255, 0)
    encoded = io.BytesIO()
    Image.fromarray(painted).save(encoded, "PNG")
    out, said = process.communicate(encoded.getvalue(), timeout=60)
    assert process.returncode == 0, said
    with Image.open(io.BytesIO(out)) as image:
        assert image.format == "TIFF"
        assert only_the_hole_differs(np.asarray(image), painted)
    lines = said.decode().splitlines()
    assert lines[-1].startswith("standard output: filled by smooth, seed 0")
    assert any("100 %" in line for line in lines)


def test_auto_chooses_a_model_and_says_which(folder):
    result = call("run", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png")
    assert result.exit_code == 0, result.output
    assert "filled by patchmatch" in result.stdout or "filled by smooth" in result.stdout


def test_mask_by_colour_with_tolerance(folder):
    noisy = pixels(folder / "painted.png").copy()
    noisy[HOLE] += np.uint8(9)
    noisy[HOLE][..., 1] = 250
    Image.fromarray(noisy).save(folder / "noisy.png")
    arguments = ("--model", "smooth", "-o", folder / "out.png", "--mask-color")
    assert call("run", folder / "noisy.png", *arguments, "00FF00").exit_code == 0
    assert only_the_hole_differs(pixels(folder / "out.png"), noisy)
    (folder / "out.png").unlink()
    one_line(call("run", folder / "noisy.png", *arguments, "#00ff00", "--tolerance", 2), 1, "--tolerance")
    one_line(call("run", folder / "noisy.png", *arguments, "green"), 2, "#rrggbb")
    assert not (folder / "out.png").exists()


def test_settings_reach_the_pipeline(folder):
    arguments = ("--grow", 0, "--feather", 0, "--set", "seam=off")
    assert fill(folder, "-o", folder / "out.png", *arguments).exit_code == 0
    changed = (pixels(folder / "out.png") != scene()).any(axis=2)
    hole = np.zeros_like(changed)
    hole[HOLE] = True
    assert changed[HOLE].mean() > 0.9
    assert not changed[~hole].any()
    (folder / "out.png").unlink()
    one_line(fill(folder, "-o", folder / "out.png", "--grow", -1), 2, "grow", "from 0 to")
    one_line(fill(folder, "-o", folder / "out.png", "--set", "nonsense=1"), 2, "nonsense")
    one_line(fill(folder, "-o", folder / "out.png", "--set", "nonsense"), 2, "name=value")
    one_line(fill(folder, "-o", folder / "out.png", "--seed", "x"), 2, "--seed")
    assert not (folder / "out.png").exists()


def test_sample_from_limits_where_the_fill_comes_from(folder):
    """Left half black, right half white: from the right alone the fill can only be white."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:, 48:] = 255
    picture += np.random.default_rng(0).integers(0, 2, picture.shape, np.uint8) * (picture == 0)
    mask, source = np.zeros((2, 64, 96), np.uint8)
    mask[20:40, 10:30] = 255
    source[:, 60:] = 255
    for name, array in (("image", picture), ("hole", mask), ("source", source)):
        Image.fromarray(array).save(folder / f"{name}.png")
    arguments = ["run", folder / "image.png", folder / "hole.png", "--model", "patchmatch"]
    result = call(*arguments, "--sample-from", folder / "source.png", "-o", folder / "out.png")
    assert result.exit_code == 0, result.output
    assert pixels(folder / "out.png")[24:36, 14:26].min() > 200


def test_several_fills_and_their_layers(folder):
    arguments = ("--count", 2, "--seed", 7, "-o", folder / "out.png", "--layer", folder / "layer.png")
    result = fill(folder, *arguments)
    assert result.exit_code == 0, result.output
    names = ["layer-1.png", "layer-2.png", "out-1.png", "out-2.png"]
    assert sorted(path.name for path in folder.iterdir() if "-" in path.name) == names
    assert "seed 7" in result.stdout
    assert "seed 8" in result.stdout
    for number in (1, 2):
        layer = Image.open(folder / f"layer-{number}.png")
        assert layer.mode == "RGBA"
        below = Image.open(folder / "photo.png").convert("RGBA")
        laid = np.asarray(Image.alpha_composite(below, layer))[:, :, :3].astype(int)
        assert np.abs(laid - pixels(folder / f"out-{number}.png")).max() <= 1
        outside = np.ones((64, 90), bool)
        outside[REACH] = False
        assert not np.asarray(layer)[outside].any()


def test_a_16_bit_picture_and_its_profile(folder):
    deep = scene().astype(np.uint16) * 257 + np.arange(90, dtype=np.uint16)[None, :, None]
    picture = files.Picture(deep, metadata=files.picture.Metadata(dpi=(300, 300), icc=b"profile" * 30))
    files.write(picture, deep, folder / "deep.png")
    layer = ("--layer", folder / "layer.tif")
    result = call(
        "run", folder / "deep.png", folder / "mask.png", "-o", folder / "out.tif", "--model", "smooth", *layer
    )
    assert result.exit_code == 0, result.output
    written = files.read(folder / "out.tif")
    assert written.pixels.dtype == np.uint16
    assert only_the_hole_differs(written.pixels, deep)
    assert written.metadata.icc == b"profile" * 30
    assert written.metadata.dpi == pytest.approx((300, 300), abs=0.01)
    assert files.read(folder / "layer.tif").pixels.shape == (64, 90, 4)


def test_an_upright_mask_fits_a_rotated_photograph(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(scene())).save(folder / "turned.png", exif=exif)
    arguments = ("run", folder / "turned.png", folder / "mask.png", "-o", folder / "out.png")
    result = call(*arguments, "--model", "smooth")
    assert result.exit_code == 0, result.output
    assert only_the_hole_differs(files.read(folder / "out.png").pixels, scene())
    assert only_the_hole_differs(np.rot90(pixels(folder / "out.png"), -1), scene())


def test_wrong_use_is_one_line_and_no_file(folder):
    photo, mask, out = folder / "photo.png", folder / "mask.png", folder / "out.png"
    (folder / "broken.png").write_bytes(photo.read_bytes()[:200])
    Image.new("L", (9, 9)).save(folder / "small.png")
    Image.new("L", (90, 64)).save(folder / "black.png")
    Image.new("L", (90, 64), 255).save(folder / "white.png")
    Image.new("RGBA", (90, 64), (9, 9, 9, 9)).save(folder / "glass.png")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    one_line(call("run", photo, "-o", out), 2, "--mask-color")
    one_line(call("run", photo, mask, "-o", out, "--mask-color", "fff"), 2, "leave one of them out")
    one_line(call("run", photo, mask), 2, "--output")
    one_line(call("run", "-", "-", "-o", out), 2, "one picture only")
    one_line(call("run", photo, mask, "-o", "-", "--count", 2), 2, "--count")
    one_line(call("run", photo, mask, "-o", out, "--model", "nope"), 2, "nope", "patchmatch")
    one_line(call("run", photo, mask, "-o", out, "--device", "toaster"), 2, "cuda:1")
    one_line(call("run", folder / "none.png", mask, "-o", out), 1, "no file")
    one_line(call("run", folder / "broken.png", mask, "-o", out), 1, "broken")
    one_line(call("run", photo, folder / "none.png", "-o", out), 1, "no file")
    one_line(call("run", photo, folder / "small.png", "-o", out), 1, "9 x 9", "90 x 64")
    one_line(call("run", photo, folder / "black.png", "-o", out), 1, "marks no hole")
    one_line(call("run", photo, folder / "white.png", "-o", out), 1)
    one_line(call("run", photo, mask, "-o", folder / "out.xyz"), 1, ".png")
    one_line(call("run", photo, mask, "-o", folder), 1, "folder")
    one_line(call("run", photo, mask, "-o", folder / "no" / "out.png"), 1, "does not exist")
    one_line(call("run", folder / "glass.png", mask, "-o", folder / "out.jpg"), 1, "transparent")
    one_line(call("run", photo, mask, "-o", out, "--layer", folder / "layer.jpg"), 1, "layer")
    one_line(call("run", photo, mask, "-o", out, "--layer", out), 2, "twice")
    one_line(call("run", photo, mask, "-o", out, "--sample-from", folder / "small.png"), 1, "9 x 9")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_no_input_is_ever_overwritten(folder):
    (folder / "link.png").symlink_to("photo.png")
    os.link(folder / "mask.png", folder / "hard.png")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("photo.png", "link.png", "mask.png", "hard.png", "../" + folder.name + "/photo.png"):
        one_line(fill(folder, "-o", folder / name), 2, "Give another name")
        one_line(fill(folder, "-o", folder / "out.png", "--layer", folder / name), 2, "Give another name")
    os.rename(folder / "photo.png", folder / "out-1.png")
    arguments = ("run", folder / "out-1.png", folder / "mask.png", "-o", folder / "out.png", "--count", 2)
    one_line(call(*arguments), 2, "Give another name")
    os.rename(folder / "out-1.png", folder / "photo.png")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_existing_output_is_replaced(folder):
    (folder / "out.png").write_bytes(b"older")
    assert fill(folder, "-o", folder / "out.png").exit_code == 0
    assert only_the_hole_differs(pixels(folder / "out.png"), scene())


def test_further_frames_are_mentioned(folder):
    frames = [Image.fromarray(scene()), Image.fromarray(scene()[::-1])]
    frames[0].save(folder / "pages.tif", save_all=True, append_images=frames[1:])
    arguments = ("run", folder / "pages.tif", folder / "mask.png", "-o", folder / "out.tif", "-q")
    result = call(*arguments, "--model", "smooth")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("ai-inpaint: warning: ")


@pytest.mark.skipif(os.name == "nt", reason="signals are sent another way there")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing(tmp_path, number, code):
    """A hole that keeps patchmatch busy, interrupted as soon as it has told that it works."""
    random = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    Image.fromarray(random).save(tmp_path / "photo.png", compress_level=0)
    mask = np.zeros(random.shape[:2], np.uint8)
    mask[100:500, 100:700] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    before = sorted(tmp_path.iterdir())
    process = spawn(
        "run", tmp_path / "photo.png", tmp_path / "mask.png", "-o", tmp_path / "out.png",
        "--model", "patchmatch",
    )  # fmt: skip
    assert process.stderr is not None
    first = process.stderr.readline()
    assert b"%" in first, first
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"Traceback" not in said
    assert sorted(tmp_path.iterdir()) == before


def test_models_are_listed():
    result = call("models", "list")
    assert result.exit_code == 0
    for word in ("auto", "patchmatch", "smooth"):
        assert any(line.startswith(word) for line in result.stdout.splitlines())
    known = json.loads(call("models", "list", "--json").stdout)
    assert [card["name"] for card in known][:1] == ["auto"]
    assert all(card["sentence"] for card in known)


def test_help_needs_none_of_the_heavy_libraries():
    code = (
        "import sys\n"
        "from backend.cli import main\n"
        "try:\n    main(['run', '--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'numpy', 'torch', 'PIL', 'zmq', 'numba', 'pyvips'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_unknown_commands_are_one_line():
    one_line(call("rnu"), 2, "run")
    one_line(call("run", "--nope"), 2, "--nope")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own."""
    monkeypatch.setenv("AI_INPAINT_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("AI_INPAINT_CONNECTION", raising=False)
    return tmp_path / "state"


@pytest.fixture
def backend(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`serve` in the foreground, ready."""
    process = spawn("serve", "--device", "cpu")
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    assert "Serving at tcp://127.0.0.1:" in line
    assert str(state / "connection.json") in line
    yield process
    process.kill()
    process.communicate(timeout=30)


def test_serve_status_and_stop(backend, state):
    if os.name == "posix":
        assert (state / "connection.json").stat().st_mode & 0o777 == 0o600
        assert state.stat().st_mode & 0o777 == 0o700
    result = call("status")
    assert result.exit_code == 0, result.output
    assert f"process {backend.pid}" in result.stdout
    assert json.loads(call("status", "--json").stdout)["pid"] == backend.pid
    second = spawn("serve")
    _, said = second.communicate(timeout=60)
    assert second.returncode == 3
    assert b"runs already" in said
    assert said.count(b"\n") == 1
    assert call("stop").exit_code == 0
    assert backend.wait(timeout=30) == 0
    assert not (state / "connection.json").exists()
    assert "No backend is running." in call("stop").stdout
    one_line(call("status"), 1, "not running", "ai-inpaint serve")


@pytest.mark.skipif(os.name == "nt", reason="signals are sent another way there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_serve_cleanly(backend, state, number):
    backend.send_signal(number)
    _, said = backend.communicate(timeout=30)
    assert backend.returncode == 0, said
    assert b"Traceback" not in said
    assert not (state / "connection.json").exists()


def test_serve_in_the_background_logs_to_a_file_and_ends_when_idle(state):
    connection = state / "other" / "place.json"
    process = spawn(
        "serve", "--background", "--device", "cpu", "--idle-timeout", 0.5, "--connection-file", connection
    )
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out, said) == (0, b"", b"")
    log = (connection.parent / "backend.log").read_text()
    assert "listening on tcp://127.0.0.1:" in log
    assert "nobody came" in log
    assert not connection.exists()


def test_a_copied_connection_file_outlives_a_restart(state):
    seen = []
    for _ in range(2):
        process = spawn("serve", "--address", "0.0.0.0", "--device", "cpu")
        assert process.stdout is not None
        assert b"Serving at tcp://" in process.stdout.readline()
        seen.append(json.loads((state / "connection.json").read_text()))
        assert call("status").exit_code == 0
        assert call("stop").exit_code == 0
        process.communicate(timeout=30)
    assert [known["mechanism"] for known in seen] == ["CURVE", "CURVE"]
    for key in ("server_key", "client_key", "client_secret"):
        assert seen[0][key] == seen[1][key]
    secret = json.loads((state / "keys.json").read_text())["server_secret"]
    assert secret not in str(seen)
    if os.name == "posix":
        assert (state / "keys.json").stat().st_mode & 0o777 == 0o600
    (state / "keys.json").write_text("{}")
    process = spawn("serve", "--address", "0.0.0.0")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"Delete the file" in said


def test_serve_refuses_what_it_cannot_do(state, tmp_path):
    (tmp_path / "file").touch()
    for code, word, arguments in (
        (2, b"127.0.0.1", ["--address", "not an address"]),
        (1, b"cannot be used", ["--connection-file", tmp_path / "file" / "connection.json"]),
    ):
        process = spawn("serve", *arguments)
        out, said = process.communicate(timeout=60)
        assert (process.returncode, out, said.count(b"\n")) == (code, b"", 1)
        assert said.startswith(b"ai-inpaint: ")
        assert word in said


def test_the_log_does_not_grow_without_end(tmp_path):
    code = (
        "import logging, pathlib, sys\n"
        "from backend import logs\n"
        "logs.MAX_BYTES = 2000\n"
        "logs.to_file(pathlib.Path(sys.argv[1]))\n"
        "for number in range(300): logging.getLogger('x').info('line %d', number)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "log")], cwd=ROOT, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    assert "line 299" in (tmp_path / "log").read_text()
    assert time.strftime("%Y") in (tmp_path / "log").read_text()
