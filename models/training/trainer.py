"""One training loop for every network.

A recipe (see `recipes`) knows its network, its judge and its losses; the loop knows samples, steps, mixed
precision, several processes, checkpoints, curves and sheets.

All that is random in a step comes from the seed and the number of the step. So a training that was killed
and resumed gives on the CPU, bit for bit, the weights of one that was not.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import checkpoints
from ..base import FillError
from ..network import assemble, identify
from . import data, processes, report
from . import settings as plain_settings
from .recipes import Recipe
from .settings import Settings

LAST = "last.pt"
KEPT = "kept"
WEIGHTS = "weights.safetensors"
_SHOWN = 6  # samples on a sheet

Told = Callable[[str], None]


class TrainingError(Exception):
    """A training cannot begin or go on; a sentence for the user."""


class Trainer:
    """A training on this process's device; with torchrun, on every process's.

    Attributes:
        step: how many steps are done.
        recipe: network, judge and losses.
        average: the generator with its weights' exponential average: what is worth keeping in the end.
        settings, pictures, out: as given.
        rank, world: the number of this process, and of all; only number 0 writes.
    """

    def __init__(
        self,
        recipe: Recipe,
        settings: Settings,
        pictures: tuple[str, ...],
        out: Path,
        device: str = "cpu",
        workers: int = 2,
        tell: Told = print,
    ) -> None:
        """Set up a training; `out` is made. Processes that torchrun started find each other here.

        Raises:
            TrainingError: the settings do not fit the number of processes.
        """
        self.rank, self.world = processes.join(device)
        if settings.batch % self.world:
            raise TrainingError(
                f"A batch of {settings.batch} cannot be shared by {self.world} processes: change `batch`."
            )
        self.recipe, self.settings, self.out = recipe, settings, out
        self.device = torch.device(device)
        self.pictures, self._workers, self._tell = pictures, workers, tell
        self.step = 0
        self._samples = data.Samples(
            pictures,
            settings.size,
            settings.holes,
            settings.seed,
            settings.smallest_crop,
            recipe.preparation(),
            settings.comics,
            data.Kept(str(out / KEPT), settings.kept, settings.window, recipe.bound_to_hole)
            if settings.kept
            else None,
            recipe.finishing(),
        )
        recipe.to(self.device)
        self.average = copy.deepcopy(recipe.generator).eval().requires_grad_(False)
        self._generator = settings.generator.optimiser(recipe.generator)
        self._judge = settings.judge.optimiser(recipe.judge) if recipe.judge is not None else None
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "float16")
        out.mkdir(parents=True, exist_ok=True)

    # -- going on --------------------------------------------------------------------------------------

    def resume(self) -> bool:
        """Go on from the last checkpoint in `out`, if there is one. Learning rates are the settings'.

        Raises:
            TrainingError: it belongs to another network or cannot be read.
        """
        path = self.out / LAST
        if not path.exists():
            return False
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            before = json.loads(state["settings"])
            self.recipe.generator.load_state_dict(state["generator"])
            self.average.load_state_dict(state["average"])
            self._generator.load_state_dict(state["generator_optimiser"])
            self.settings.generator.adjust(self._generator)
            if self.recipe.judge is not None and self._judge is not None:
                self.recipe.judge.load_state_dict(state["judge"])
                self._judge.load_state_dict(state["judge_optimiser"])
                self.settings.judge.adjust(self._judge)
            self._scaler.load_state_dict(state["scaler"])
            self.step = state["step"]
        except (OSError, LookupError, RuntimeError, ValueError, EOFError, TypeError) as problem:
            first = str(problem).partition("\n")[0].rstrip(":. ")
            raise TrainingError(
                f"{path} cannot be gone on from ({first}). Was it made with other settings?"
            ) from problem
        now = json.loads(json.dumps(plain_settings.plain(self.settings)))
        changed = [name for name in now if before.get(name) != now[name]]
        if changed and not self.rank:
            told = "; ".join(f"{name} {before.get(name)} -> {now[name]}" for name in changed)
            self._tell(f"Changed since the last checkpoint: {told}.")
        return True

    def begin(self, weights: Path) -> None:
        """Begin with weights of the same network, published ones or those of another training.

        Raises:
            TrainingError: they are of another network, or of other sizes.
        """
        network = self.recipe.network
        try:
            _, settings, tensors = identify(checkpoints.read(weights), {network.card.name: network})
            settings.pop("variant", None)
            self.recipe.generator.load_state_dict(assemble(network, tensors, settings).state_dict())
        except (FillError, RuntimeError, ValueError, LookupError) as problem:
            first = str(problem).partition("\n")[2].partition("\n")[0].strip() or str(problem)
            raise TrainingError(
                f"{weights} cannot be begun with: {first.rstrip('.')}. Do `build` and the network agree?"
            ) from problem
        self.average.load_state_dict(self.recipe.generator.state_dict())

    def save(self) -> None:
        """Write a checkpoint with everything needed to go on; the former one is whole until this one is."""
        if self.rank:
            return
        state: dict[str, Any] = {
            "settings": json.dumps(plain_settings.plain(self.settings)),
            "step": self.step,
            "generator": self.recipe.generator.state_dict(),
            "average": self.average.state_dict(),
            "generator_optimiser": self._generator.state_dict(),
            "scaler": self._scaler.state_dict(),
        }
        if self.recipe.judge is not None and self._judge is not None:
            state["judge"] = self.recipe.judge.state_dict()
            state["judge_optimiser"] = self._judge.state_dict()
        part = self.out / (LAST + ".part")
        torch.save(state, part)
        os.replace(part, self.out / LAST)

    def export(self) -> Path:
        """Write the averaged weights as `weights.safetensors`, which every part of the project loads.

        The file says of itself what it was trained as: `recipe`, `build` and `settings` (JSON), `steps`,
        and the network's `variant` where it has any.
        """
        from safetensors.torch import save_file

        path = self.out / WEIGHTS
        if not self.rank:
            settings = self.settings
            told = {
                "recipe": settings.recipe,
                "steps": str(self.step),
                "build": json.dumps(dict(settings.build)),
                "settings": json.dumps(plain_settings.plain(settings)),
            }
            if "variant" in settings.build:
                told["variant"] = settings.build["variant"]
            state = self.average.state_dict()
            save_file({name: value.contiguous().cpu() for name, value in state.items()}, path, told)
        return path

    # -- the loop --------------------------------------------------------------------------------------

    def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Train until the settings' last step, or until `stop`, asked after every step of one process.

        Raises:
            TrainingError: a loss is no finite number; the last checkpoint is from before.
        """
        settings = self.settings
        curves = report.Curves(self.out, self.step) if not self.rank else None
        shown = self._shown() if not self.rank else {}
        totals: dict[str, Tensor] = {}
        first, since, began = self.step, self.step, time.monotonic()
        for batch in self._batches():
            if self.step >= settings.steps:
                break
            for name, value in self._one(batch).items():
                totals[name] = totals[name] + value if name in totals else value
            self.step += 1
            ending = self.step == settings.steps or (self.world == 1 and stop())
            saving = ending or self.step % settings.save_every == 0
            if saving or self.step % settings.report_every == 0 or self.step == first + 1:
                losses = processes.means(totals, self.step - since)
                self._check(losses)
                if curves is not None:
                    curves.add(self.step, losses)
                    took = max(time.monotonic() - began, 1e-6)
                    speed = (self.step - since) * settings.batch / took
                    left = (settings.steps - self.step) * settings.batch / speed
                    self._tell(report.line(self.step, settings.steps, losses, speed, left))
                totals, since, began = {}, self.step, time.monotonic()
            if saving:
                processes.same_buffers(self.recipe.generator, self.recipe.judge, self.average)
                self.save()
                if curves is not None:
                    curves.draw(self._sheet(shown))
                began = time.monotonic()
            if ending:
                break

    def _one(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One step of judge and generator."""
        recipe, settings = self.recipe, self.settings
        torch.manual_seed((settings.seed << 40) + (self.step << 12) + self.rank)
        moved = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
        recipe.step = self.step
        recipe.train()
        losses: dict[str, Tensor] = {}
        with self._autocast():
            made = recipe.generate(moved)
        if recipe.judge is not None and self._judge is not None:
            recipe.judge.requires_grad_(True)
            with self._autocast():
                terms = recipe.judge_losses(moved, made)
            self._learn(self._judge, recipe.judge, terms, settings.judge.clip)
            losses.update({f"judge {name}": term for name, term in terms.items()})
            recipe.judge.requires_grad_(False)
        with self._autocast():
            terms = recipe.generator_losses(moved, made)
        self._learn(self._generator, recipe.generator, terms, settings.generator.clip)
        self._scaler.update()
        losses.update(terms)
        self._follow()
        return {name: term.detach().float() for name, term in losses.items()}

    def _learn(
        self, optimiser: torch.optim.Optimizer, network: nn.Module, terms: dict[str, Tensor], clip: float
    ) -> None:
        """A step against the sum of weighted terms."""
        optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(torch.stack([term.float() for term in terms.values()]).sum()).backward()
        processes.average_gradients(network)
        if clip:
            self._scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        self._scaler.step(optimiser)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights towards the generator's; early on faster, to forget the first ones."""
        keep = min(self.settings.average, (1 + self.step) / (10 + self.step))
        pairs = list(
            zip(
                self.average.state_dict().values(),
                self.recipe.generator.state_dict().values(),
                strict=True,
            )
        )
        floating = [(mean, value) for mean, value in pairs if mean.is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in floating], [value for _, value in floating], 1 - keep)
        for mean, value in pairs:
            if not mean.is_floating_point():
                mean.copy_(value)

    def _check(self, losses: dict[str, float]) -> None:
        """Stop where a number has lost its meaning, before it reaches a checkpoint."""
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        networks = [self.recipe.generator, self.recipe.judge]
        values = [value for network in networks if network is not None for value in network.parameters()]
        with torch.no_grad():
            sound = bool(torch.stack([value.sum().isfinite() for value in values]).all())
        if bad or not sound:
            what = f"the loss {', '.join(bad)} is" if bad else "the networks' weights are"
            raise TrainingError(
                f"At step {self.step} {what} no number any more. Go on from the last checkpoint with a "
                "smaller learning rate, or in single precision."
            )

    def _batches(self) -> Iterator[dict[str, Tensor]]:
        order = data.Order(self.settings.batch, self.step, self.rank, self.world)
        return data.batches(self._samples, order, self._workers, pinned=self.device.type == "cuda")

    def _shown(self) -> dict[str, Tensor]:
        """The samples of every sheet, always the same."""
        few = [self._samples[n] for n in range(_SHOWN)]
        return {name: torch.stack([sample[name] for sample in few]).to(self.device) for name in few[0]}

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.settings.precision))

    @torch.no_grad()
    def _sheet(self, shown: dict[str, Tensor]) -> Path:
        """A picture of some fills with the averaged weights."""
        recipe, generator = self.recipe, self.recipe.generator
        recipe.generator = self.average
        try:
            recipe.eval()
            torch.manual_seed(self.settings.seed)
            columns = recipe.pictures(shown, recipe.generate(shown))
        finally:
            recipe.generator = generator
        path = self.out / f"sheet-{self.step:07d}.jpg"
        report.sheet([shown["image"], *columns]).save(path, quality=90)
        return path
