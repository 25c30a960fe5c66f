"""The settings of a training: one TOML file for each network, with presets for smaller machines.

A file holds the paper's values at its top; a table `[presets.NAME]` changes some of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent / "settings"


class SettingsError(Exception):
    """A settings file cannot be used; a sentence for the user."""


@dataclass(frozen=True)
class Optimiser:
    """Adam.

    Attributes:
        rate: learning rate.
        betas: decay of the two moments.
        clip: largest norm of the gradient; 0 does not clip.
    """

    rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 0.0

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """Adam for a network's parameters."""
        return torch.optim.Adam(network.parameters(), self.rate, self.betas)

    def adjust(self, optimiser: torch.optim.Optimizer) -> None:
        """Give an optimiser that was loaded these values."""
        for group in optimiser.param_groups:
            group.update(lr=self.rate, betas=self.betas)


@dataclass(frozen=True)
class Settings:
    """A training.

    Attributes:
        recipe: a key of `recipes.RECIPES`.
        build: keyword settings of the network, as `NetworkModel.build` takes them.
        options: of the recipe, see its `options`.
        losses: weight of every term, by name; a term that is not named or weighs 0 is not computed.
        generator, judge: their optimisers.
        holes: a kind of `masks.KINDS`.
        size: of the crops, px.
        smallest_crop, comics: see `data.Samples`.
        kept, window: how many samples are made once and kept in the folder of the run, and the side of the
            windows that are cut out of them, px, see `data.Kept`; 0 makes every sample anew.
        batch: pictures in a step, of all processes together.
        steps: how long to train.
        average: decay of the averaged weights.
        precision: "float32", "bfloat16" or "float16", the last on CUDA alone.
        seed: of weights, samples and noise.
        report_every, save_every: steps between two lines of progress, and between two checkpoints.
    """

    recipe: str
    losses: Mapping[str, float]
    build: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    generator: Optimiser = Optimiser()
    judge: Optimiser = Optimiser()
    holes: str = "mixed"
    size: int = 256
    smallest_crop: float = 0.4
    comics: float = 0.0
    kept: int = 0
    window: int = 0
    batch: int = 8
    steps: int = 100_000
    average: float = 0.999
    precision: str = "float32"
    seed: int = 0
    report_every: int = 50
    save_every: int = 1000

    def __post_init__(self) -> None:
        from .masks import KINDS

        if not 0 <= self.average < 1:
            raise SettingsError("average has to be at least 0 and below 1.")
        for name in ("size", "batch", "steps", "report_every", "save_every"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} has to be at least 1.")
        if not 0 <= self.comics <= 1:
            raise SettingsError("comics has to be between 0 and 1.")
        if self.kept < 0 or (self.kept and not 0 < self.window <= self.size):
            raise SettingsError("With kept samples, window has to be at least 1 and at most size.")
        if self.precision not in ("float32", "bfloat16", "float16"):
            raise SettingsError(f"precision is float32, bfloat16 or float16, not {self.precision}.")
        if self.holes not in KINDS:
            raise SettingsError(f"There are no holes of kind {self.holes}; known are {', '.join(KINDS)}.")


def load(name: str, preset: str | Sequence[str] = (), changes: Mapping[str, Any] | None = None) -> Settings:
    """Read settings.

    Args:
        name: of a file here ("pconv"), or the path of one.
        preset: a table of the file's `presets`, or several, of which the later count more.
        changes: values that count more than the file's, by the names of `Settings`.

    Raises:
        SettingsError: there is no such file or preset, or it says what is not understood.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise SettingsError(f"There are no settings {name}. Known are: {known}; or name a file.") from problem
    except tomllib.TOMLDecodeError as problem:
        raise SettingsError(f"{path} is no TOML: {problem}.") from problem
    presets = table.pop("presets", {})
    values: Mapping[str, Any] = table
    for wanted in [preset] if isinstance(preset, str) else preset:
        if wanted not in presets:
            raise SettingsError(f"{path.name} has no preset {wanted}; it has {', '.join(presets) or 'none'}.")
        values = _merged(values, presets[wanted])
    return parse(_merged(values, changes or {}), path.name)


def parse(values: Mapping[str, Any], where: str = "the settings") -> Settings:
    """Settings from plain values, as a checkpoint or a TOML file holds them.

    Raises:
        SettingsError: a name is not known, or a value makes no sense.
    """
    surplus = sorted(set(values) - {item.name for item in fields(Settings)})
    if surplus:
        raise SettingsError(f"{where}: {', '.join(surplus)} is not understood.")
    parsed = dict(values)
    try:
        for name in ("generator", "judge"):
            if name in parsed:
                given = dict(parsed[name])
                if "betas" in given:
                    given["betas"] = tuple(given["betas"])
                parsed[name] = Optimiser(**given)
        return Settings(**parsed)
    except (TypeError, ValueError) as problem:
        raise SettingsError(f"{where}: {problem}.") from problem


def plain(settings: Settings) -> dict[str, Any]:
    """The settings as `parse` takes them."""
    return asdict(settings)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged, everything else is replaced."""
    result = dict(below)
    for name, value in above.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = _merged(result[name], value) if both else value
    return result
