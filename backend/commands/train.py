"""`ai-inpaint train`: teach a network from a folder of pictures."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import click

_LIBRARIES = ("matplotlib", "safetensors", "tensorboardX")


@click.command()
@click.argument("model")
@click.option(
    "--data",
    "folders",
    multiple=True,
    required=True,
    metavar="FOLDER",
    help='Pictures to learn from, with all sub-folders; several may be named. "comics" draws comic pages.',
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the run."
)
@click.option(
    "--preset",
    "presets",
    multiple=True,
    metavar="NAME",
    help='Other values of the settings\' own, such as "small"; several may be named.',
)
@click.option("--steps", type=click.IntRange(1), help="How long, in place of the settings' number.")
@click.option("--batch", type=click.IntRange(1), help="Pictures in a step.")
@click.option("--size", type=click.IntRange(32), help="Side of the crops, px.")
@click.option("--holes", help="Kind of the holes.")
@click.option("--save-every", type=click.IntRange(1), help="Steps between two checkpoints.")
@click.option("--report-every", type=click.IntRange(1), help="Steps between two lines of progress.")
@click.option("--seed", type=click.IntRange(0), help="Of weights, samples and noise.")
@click.option("--vgg", type=click.Path(dir_okay=False, path_type=Path), help="VGG-16 or -19 weights.")
@click.option("--device", default="auto", show_default=True, help='"cpu", "cuda", "cuda:1", "mps".')
@click.option("--workers", default=2, show_default=True, type=click.IntRange(0), help="Loading processes.")
@click.option(
    "--exclude", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="List of file names."
)
@click.option(
    "--weights", type=click.Path(exists=True, path_type=Path), help="Begin with these, not with random ones."
)
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in the folder of the run.")
def train(
    model: str,
    folders: tuple[str, ...],
    out: Path,
    presets: tuple[str, ...],
    vgg: Path | None,
    device: str,
    workers: int,
    exclude: Path | None,
    weights: Path | None,
    resume: bool,
    **changes: object,
) -> None:
    """Teach the network MODEL (lama, pconv, deepfill, sc-fegan, context-encoder, deepcreampy, finisher,
    liner; or a TOML file of settings of your own).

    With torchrun it runs on several graphics processors or machines. What it learned is `weights.safetensors`
    in the folder of the run, which `ai-inpaint models import` takes.
    """
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"Training needs {', '.join(missing)}, which plain filling does not. Install the extra: "
            "pip install '.[train]' in the folder of AI Inpaint, with its .venv's pip."
        )
    import torch

    from models.training import data, processes, recipes, settings, trainer

    try:
        chosen = settings.load(
            model, presets, {name: value for name, value in changes.items() if value is not None}
        )
        left_out = frozenset(exclude.read_text(encoding="utf-8").splitlines()) if exclude else frozenset()
        pictures, problems = data.check(data.find(folders, left_out))
        where = _device(device)
        training = trainer.Trainer(
            recipes.make(chosen, vgg), chosen, pictures, out, where, workers, click.echo
        )
        tell = click.echo if not training.rank else _say_nothing
        for problem in problems:
            tell(problem, err=True)
        if (out / trainer.LAST).exists() and not resume:
            raise click.ClickException(
                f"In {out} there is a run already. Go on with --resume, or name another folder."
            )
        if resume and training.resume():
            tell(f"Going on after step {training.step}.")
        elif weights is not None:
            training.begin(weights)
        tell(f"{len(pictures)} pictures, {chosen.steps} steps of {chosen.batch} on {where}.")
        if training.world == 1:
            with _asked_to_stop() as asked:
                training.run(asked)
        else:
            training.run()  # torchrun ends all processes at once
        tell(str(training.export()))
        if training.step < chosen.steps:
            tell(f"Stopped after step {training.step}. Go on with --resume.", err=True)
    except (data.DataError, settings.SettingsError, trainer.TrainingError, recipes.RecipeError) as problem:
        raise click.ClickException(str(problem)) from problem
    except torch.OutOfMemoryError as problem:
        raise click.ClickException(
            "The device's memory is full: make --batch or --size smaller."
        ) from problem
    finally:
        processes.leave()


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Within, an interrupt or a request to end is noted instead of obeyed; loading processes ignore it."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: asked.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_nothing(message: str, err: bool = False) -> None:
    """What all processes but the first tell."""


def _device(asked: str) -> str:
    import torch

    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if asked == "cuda" and "LOCAL_RANK" in os.environ:
        asked = f"cuda:{os.environ['LOCAL_RANK']}"
    return asked
