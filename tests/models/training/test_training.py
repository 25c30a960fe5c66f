"""Every network learns, survives a kill, and says why where it cannot."""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch.utils.data import default_collate

import models
from backend.cli import main
from models.layers.vgg import Vgg
from models.training import data, recipes, trainer
from models.training import settings as settings_files
from models.training.recipes import RECIPES
from models.training.trainer import Trainer, TrainingError

TINY: dict[str, dict[str, Any]] = {
    "pconv": {"build": {"levels": 5, "width": 4}, "size": 32, "losses": {"style": 1.0}},
    "lama": {
        "build": {"blocks": 1, "width": 4},
        "size": 32,
        "losses": {"valid": 100.0, "perceptual": 0.1},
        "options": {"judge": 8},
    },
    "deepfill": {"build": {"unit": 4}, "size": 32, "options": {"judge": 4}},
    "sc-fegan": {
        "build": {"width": 4},
        "size": 128,
        "losses": {"perceptual": 0.0, "style": 0.0},
        "options": {"judge": 4, "lines": "gradients", "without_colour": 0.5, "strokes": 0.5},
    },
    "context-encoder": {"build": {"encoding": 4, "bottleneck": 8, "decoding": 4}, "options": {"judge": 4}},
    "deepcreampy": {
        "build": {"width": 4, "variant": "mosaic"},
        "size": 136,
        "holes": "mosaic",
        "options": {"judge": 4},
    },
    "liner": {
        "build": {"width": 8},
        "size": 96,
        "kept": 4,
        "window": 64,
        "batch": 4,
    },
    "finisher": {  # what it begins with is good at waves: they have to be larger, and steps longer
        "build": {"width": 4},
        "size": 96,
        "holes": "box",
        "batch": 6,
        "losses": {"hole": 50.0, "perceptual": 0.0, "style": 0.0},
        "generator": {"rate": 0.2},
    },
}
"""Changes that make a training short enough for a test."""

FALLS = {
    "pconv": "hole",
    "lama": "valid",
    "deepfill": "l1",
    "sc-fegan": "hole",
    "context-encoder": "l2",
    "deepcreampy": "refined",
    "finisher": "hole",
    "liner": "lines",
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures of waves in much the same colours, which is soon learnt."""
    folder = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[:160, :160] / 160
    for n in range(4):
        wave = np.sin(2 * np.pi * ((1 + n % 2) * x + (n // 2) * y + n / 4))[..., None]
        picture = np.array([0.85, 0.25, 0.1]) + wave * [0.1, 0.1, 0.05]
        Image.fromarray((picture * 255).astype(np.uint8)).save(folder / f"{n}.png")
    return folder


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VGG-16 of random weights, in torchvision's container."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    numbers = (0, 2, 5, 7, 10, 12, 14, 17, 19)
    state = Vgg(16).state_dict()
    names = list(dict.fromkeys(name.rpartition(".")[0] for name in state))
    torch.save(
        {
            f"features.{number}.{kind}": state[f"{name}.{kind}"]
            for number, name in zip(numbers, names, strict=True)
            for kind in ("weight", "bias")
        },
        path,
    )
    return path


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bits depend on how sums are shared among threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(recipe: str, **changes: Any) -> settings_files.Settings:
    rates = {"generator": {"rate": 1e-2, "betas": (0.9, 0.999)}}
    return settings_files.load(recipe, changes={"batch": 2, **rates, **TINY[recipe], **changes})


def training(
    settings: settings_files.Settings, pictures: Path, out: Path, vgg: Path, told: list[str] | None = None
) -> Trainer:
    lines: list[str] = [] if told is None else told
    files = tuple(str(file) for file in sorted(pictures.glob("*.png")))
    return Trainer(recipes.make(settings, vgg), settings, files, out, workers=0, tell=lines.append)


def toml(path: Path, settings: settings_files.Settings) -> Path:
    """Settings as a file."""

    def value(plain: Any) -> str:
        if isinstance(plain, dict):
            return "{" + ", ".join(f"{key} = {value(item)}" for key, item in plain.items()) + "}"
        if isinstance(plain, bool):
            return str(plain).lower()
        return repr(list(plain) if isinstance(plain, tuple) else plain)

    plain = settings_files.plain(settings)
    path.write_text("\n".join(f"{name} = {value(item)}" for name, item in plain.items()))
    return path


def command(settings: Path, pictures: Path, out: Path, vgg: Path, *more: str) -> list[str]:
    """Arguments of the real command, without the program."""
    fixed = ("--device", "cpu", "--workers", "0", "--vgg", str(vgg))
    return ["train", str(settings), "--data", str(pictures), "--out", str(out), *fixed, *more]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def finish(process: subprocess.Popen[str]) -> str:
    try:
        output, _ = process.communicate(timeout=150)
    except subprocess.TimeoutExpired:
        process.terminate()  # torchrun ends what it started
        raise
    assert process.returncode == 0, output
    return output


def same(one: Any, other: Any) -> bool:
    """Whether two checkpoints are, bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def loss(trainer: Trainer) -> float:
    """The term that has to fall, of four samples, always the same."""
    recipe, settings = trainer.recipe, trainer.settings
    samples = data.Samples(
        trainer.pictures,
        settings.size,
        settings.holes,
        99,
        settings.smallest_crop,
        recipe.preparation(),
        finish=recipe.finishing(),
    )
    batch = default_collate([samples[n] for n in range(4)])
    probe = copy.copy(recipe)
    probe.generator, probe.judge = copy.deepcopy(recipe.generator), None  # statistics stay as they were
    probe.train()
    torch.manual_seed(0)
    with torch.no_grad():
        return float(probe.generator_losses(batch, probe.generate(batch))[FALLS[settings.recipe]])


# -- learning --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_network_learns_and_its_weights_are_loadable(recipe, pictures, vgg, tmp_path) -> None:
    told: list[str] = []
    settings = tiny(recipe, steps=14, report_every=2, seed=1)
    trained = training(settings, pictures, tmp_path, vgg, told)
    before = loss(trained)
    trained.run()
    assert loss(trained) < 0.7 * before
    rows = [line.split(",") for line in (tmp_path / "curves.csv").read_text().splitlines()]
    assert [int(step) for step, term, _ in rows if term == FALLS[recipe]] == [1, 2, 4, 6, 8, 10, 12, 14]
    assert len(told) == 8 and all("img/s" in line for line in told)
    assert Image.open(tmp_path / "sheet-0000014.jpg").width > 3 * (settings.window or settings.size)
    assert Image.open(tmp_path / "curves.png").width > 100 and any((tmp_path / "tensorboard").iterdir())
    path = trained.export()
    model = models.load(path)
    assert model.card.architecture == recipe
    built = {**settings.build, "variant": settings.build.get("variant")}
    for name, value in model.settings.items():  # type: ignore[attr-defined]
        assert built.get(name) in (value, None), name
    image = np.random.default_rng(0).random((1, 3, 70, 90), dtype=np.float32)
    hole = np.zeros((1, 1, 70, 90), np.uint8)
    hole[..., 20:40, 30:50] = 1
    assert np.isfinite(model.fill(image, hole)).all()
    again = training(tiny(recipe), pictures, tmp_path / "again", vgg)
    again.begin(path)
    kept, begun = dict(trained.average.named_parameters()), dict(again.recipe.generator.named_parameters())
    assert all(torch.equal(kept[name], value) for name, value in begun.items())


@pytest.mark.parametrize("variant", ["tensorflow", "pytorch"])
def test_a_file_says_what_its_tensors_cannot(variant: str, pictures, vgg, tmp_path) -> None:
    settings = tiny("deepfill", build={"unit": 4, "variant": variant})
    path = training(settings, pictures, tmp_path, vgg).export()
    assert models.load(path).settings == {"style": "own", "unit": 4, "variant": variant}  # type: ignore[attr-defined]


@pytest.mark.parametrize("recipe", ["lama", "sc-fegan"])
def test_mixed_precision_keeps_whole_weights(recipe: str, pictures, vgg, tmp_path) -> None:
    trained = training(tiny(recipe, steps=2, precision="bfloat16"), pictures, tmp_path, vgg)
    begun = [value.clone() for value in trained.recipe.generator.parameters()]
    trained.run()
    ended = list(trained.recipe.generator.parameters())
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in ended)
    assert not all(map(torch.equal, begun, ended))


# -- going on --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def killed(pictures, vgg, tmp_path_factory) -> dict[str, Path]:
    """Folders of runs of the command, one of every recipe, that were killed in the midst of it."""
    place = tmp_path_factory.mktemp("killed")
    context = multiprocessing.get_context("forkserver")  # torch is imported once for all of them
    context.set_forkserver_preload(["models.training.trainer", "backend.cli"])
    running = {}
    for recipe in RECIPES:
        settings = toml(place / f"{recipe}.toml", tiny(recipe, steps=100_000, save_every=2, report_every=1))
        arguments = command(settings, pictures, place / recipe, vgg)
        running[recipe] = context.Process(target=run_with_one_thread, args=(arguments,))
        running[recipe].start()
    deadline = time.monotonic() + 200
    while running:
        time.sleep(0.05)
        for recipe, process in list(running.items()):
            assert time.monotonic() < deadline and process.is_alive(), recipe
            if (place / recipe / "last.pt").exists():
                process.kill()
                process.join()
                assert process.exitcode == -signal.SIGKILL
                del running[recipe]
    return {recipe: place / recipe for recipe in RECIPES}


def run_with_one_thread(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    main(arguments)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_killed_training_goes_on_as_if_nothing_had_been(recipe, killed, pictures, vgg, tmp_path) -> None:
    done = torch.load(killed[recipe] / "last.pt", weights_only=True)["step"]
    settings = tiny(recipe, steps=done + 3, report_every=1)
    whole = training(settings, pictures, tmp_path / "whole", vgg)
    whole.run()
    resumed = training(settings, pictures, killed[recipe], vgg)
    assert resumed.resume() and resumed.step == done
    resumed.run()
    one, other = (
        torch.load(folder / "last.pt", weights_only=True) for folder in (tmp_path / "whole", killed[recipe])
    )
    assert same(one, other)
    first, second = ((folder / "curves.csv").read_text() for folder in (tmp_path / "whole", killed[recipe]))
    assert [row.split(",")[:2] for row in first.split()] == [row.split(",")[:2] for row in second.split()]


@pytest.mark.timeout(200)
def test_the_command_goes_on_and_stops_when_asked_to(pictures, vgg, tmp_path) -> None:
    out = tmp_path / "run"
    settings = tiny("deepfill", steps=2)
    training(settings, pictures, out, vgg).run()
    arguments = command(toml(tmp_path / "s.toml", settings), pictures, out, vgg, "--steps", "100000")
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 1 and "--resume" in refused.output
    process = start("-u", "-m", "backend.cli", *arguments, "--resume", "--report-every", "1")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    assert lines[0] == "Changed since the last checkpoint: steps 2 -> 100000; report_every 50 -> 1.\n"
    assert lines[1] == "Going on after step 2.\n" and lines[3].startswith("step 3/100000  judge adversarial")
    process.send_signal(signal.SIGINT)
    output = finish(process)
    assert "Stopped after step" in output and "--resume" in output
    stopped = torch.load(out / "last.pt", weights_only=True)["step"]
    assert f"Stopped after step {stopped}." in output and (out / "weights.safetensors").is_file()


ONE_OF_MANY = """
import sys
from pathlib import Path
import torch
from backend.cli import main
from models.training import recipes, settings, trainer

file, pictures, out = map(Path, sys.argv[1:])
chosen = settings.load(str(file), changes={"steps": 2})
files = tuple(map(str, sorted(pictures.glob("*.png"))))
one = trainer.Trainer(recipes.make(chosen), chosen, files, out, workers=0)
one.run()
torch.save(one.recipe.generator.state_dict(), out / f"rank-{one.rank}.pt")
torch.distributed.barrier()
common = ["--data", str(pictures), "--out", str(out), "--device", "cpu", "--workers", "0"]
main(["train", str(file), *common, "--resume"])
"""
"""Half of the steps, to look at what every process has then; the rest by the command."""


@pytest.mark.timeout(240)
def test_two_processes_learn_together_what_one_does_alone(pictures, vgg, tmp_path) -> None:
    settings = tiny("deepfill", steps=4, batch=4, losses={"adversarial": 0.0})
    file, script = toml(tmp_path / "deepfill.toml", settings), tmp_path / "script.py"
    script.write_text(ONE_OF_MANY)
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    output = finish(start(*launch, str(script), str(file), str(pictures), str(tmp_path / "two")))
    assert output.count("Going on after step 2.") == output.count("step 4/4") == 1  # only one of them tells
    ranks = [torch.load(tmp_path / "two" / f"rank-{n}.pt") for n in range(2)]
    assert same(*ranks)
    together = torch.load(tmp_path / "two" / "last.pt", weights_only=True)["generator"]
    alone = training(settings, pictures, tmp_path / "one", vgg)
    begun = {name: value.clone() for name, value in alone.recipe.generator.state_dict().items()}
    alone.run()
    for name, value in alone.recipe.generator.state_dict().items():
        moved = (value - begun[name]).abs().max()
        assert (together[name] - value).abs().max() < 0.05 * moved, name


# -- what cannot work ------------------------------------------------------------------------------------


def test_a_loss_that_explodes_stops_the_training(pictures, vgg, tmp_path) -> None:
    settings = tiny("deepfill", steps=9, save_every=1, losses={"l1": 1e38}, generator={"rate": 1e30})
    with pytest.raises(TrainingError, match=r"At step \d+ .* no number any more\. .* smaller learning rate"):
        training(settings, pictures, tmp_path, vgg).run()
    if (tmp_path / trainer.LAST).exists():
        state = torch.load(tmp_path / trainer.LAST, weights_only=True)
        assert all(value.isfinite().all() for value in state["generator"].values())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["nothing"], "no settings nothing"),
        (["pconv", "--preset", "huge"], "pconv.toml has no preset huge; it has finetune, small"),
        (["pconv"], "--vgg"),
        (["context-encoder", "--size", "256"], "size has to be 128"),
        (["deepfill", "--size", "100"], "a multiple of 8"),
        (["deepfill", "--holes", "round"], "no holes of kind round; known are lama,"),
        (["deepfill", "--data", "gone"], "no folder gone"),
        (["{broken}"], "colour is not understood"),
        (["{unknown}"], "no loss hinge"),
    ],
)
def test_what_cannot_work_is_a_sentence(changes, sentence, pictures, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AI_INPAINT_MODELS", str(tmp_path / "no weights"))
    (tmp_path / "broken.toml").write_text("recipe = 'pconv'\nlosses = {}\ncolour = 1")
    (tmp_path / "unknown.toml").write_text("recipe = 'deepfill'\nlosses = {hinge = 1}\nsize = 64")
    named = {name: str(tmp_path / f"{name}.toml") for name in ("broken", "unknown")}
    arguments = [change.format(**named) for change in changes]
    rest = ("--data", str(pictures), "--out", str(tmp_path / "run"), "--device", "cpu")
    done = CliRunner().invoke(main, ["train", *arguments, *rest])
    assert done.exit_code == 1 and sentence in done.output and done.output.count("\n") == 1, done.output


def test_weights_of_another_size_are_not_begun_with(pictures, vgg, tmp_path) -> None:
    path = training(tiny("deepfill"), pictures, tmp_path / "one", vgg).export()
    other = training(tiny("deepfill", build={"unit": 6}), pictures, tmp_path / "two", vgg)
    with pytest.raises(TrainingError, match="cannot be begun with"):
        other.begin(path)
    training(tiny("deepfill", steps=1), pictures, tmp_path / "three", vgg).run()
    third = training(tiny("deepfill", build={"unit": 6}), pictures, tmp_path / "three", vgg)
    with pytest.raises(TrainingError, match="cannot be gone on from"):
        third.resume()
