"""What every recipe is: a network, its judge, what both are shown, and the losses of both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...network import NetworkModel
from ..data import Prepare

Batch = Mapping[str, Tensor]
Made = dict[str, Tensor]
Terms = dict[str, Tensor]

Perceive = Callable[[Tensor], dict[str, Tensor]]
"""A picture, N x 3 x H x W in [0, 1], to features by layer."""


class RecipeError(Exception):
    """A recipe cannot be followed; a sentence for the user."""


class Recipe(ABC):
    """A network, its judge, and the losses of both.

    A loss is a sum of terms. A recipe is told what each weighs; one that weighs nothing is not computed.
    The terms that it gives back are weighted.

    Attributes:
        network: of the class: the model whose network it trains.
        terms: of the class: the names of its terms. "perceptual" and "style" get features to look at;
            without "adversarial" there is no judge.
        options: of the class: its own settings and their defaults.
        bound_to_hole: of the class: whether what `preparation` adds depends on the sample's hole.
        generator: the bare network, as its model's `build` makes it.
        judge: the discriminator, or None.
        weights: of every term.
        chosen: `options` with what the settings change.
        step: how many steps are done; the trainer keeps it.
    """

    network: ClassVar[type[NetworkModel]]
    terms: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, Any]] = {}
    bound_to_hole: ClassVar[bool] = True

    def __init__(
        self,
        build: Mapping[str, Any],
        weights: Mapping[str, float],
        perceive: Perceive | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            build: keyword settings of the network.
            weights: of the terms.
            perceive: features for the perceptual terms.
            options: some of `options`, changed.

        Raises:
            ValueError: a weight for a term, or an option, that the recipe does not have.
        """
        for kind, given, known in (
            ("loss", weights, self.terms),
            ("option", options or {}, tuple(self.options)),
        ):
            if surplus := sorted(set(given) - set(known)):
                raise ValueError(f"this recipe has no {kind} {', '.join(surplus)}")
        self.weights = {name: weights.get(name, 0.0) for name in self.terms}
        self.chosen = {**self.options, **(options or {})}
        self.perceive = perceive
        self.step = 0
        self.generator = self.make_generator(build)
        self.judge = self.make_judge() if self.weights.get("adversarial") else None

    def make_generator(self, build: Mapping[str, Any]) -> nn.Module:
        """The network to be trained."""
        return self.network.build(**build)

    @classmethod
    def sides(cls, build: Mapping[str, Any]) -> range:
        """What the side of a crop may be, px."""
        multiple = cls.network.describe(**build).size.multiple
        return range(multiple, 4096 + 1, multiple)

    def make_judge(self) -> nn.Module | None:
        """Its discriminator."""
        return None

    def preparation(self) -> Prepare | None:
        """What the loading processes add to every sample.

        A function of a module, or a `functools.partial` of one: it has to reach other processes.
        """
        return None

    def finishing(self) -> Prepare | None:
        """What they add likewise, but anew at every use of a sample that is kept (see `data.Kept`)."""
        return None

    @abstractmethod
    def generate(self, batch: Batch) -> Made:
        """Run the network; `raw` and `composite` are always among the answers, N x 3 x H x W in [0, 1]."""

    @abstractmethod
    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        """The weighted terms of the generator's loss."""

    def judge_losses(self, batch: Batch, made: Made) -> Terms:
        """The weighted terms of the judge's loss."""
        raise NotImplementedError

    def pictures(self, batch: Batch, made: Made) -> list[Tensor]:
        """The columns of a sheet, N x 3 x H x W in [0, 1]: what the network was shown, and its fill."""
        image, hole = batch["image"], batch["hole"]
        return [image * (1 - hole) + hole * 0.5, made["composite"]]

    def to(self, device: torch.device) -> None:
        """Move both networks."""
        for network in (self.generator, self.judge):
            if network is not None:
                network.to(device)

    def train(self) -> None:
        """Before a step."""
        self.generator.train()
        if self.judge is not None:
            self.judge.train()

    def eval(self) -> None:
        """Before a sheet."""
        self.generator.eval()

    def weigh(self, terms: Mapping[str, Callable[[], Tensor]]) -> Terms:
        """Those terms that weigh anything, computed and weighted."""
        return {name: self.weights[name] * term() for name, term in terms.items() if self.weights[name]}

    def features(self, picture: Tensor) -> dict[str, Tensor]:
        """What the perceptual terms see of a picture in [0, 1]; given in single precision."""
        if self.perceive is None:
            raise ValueError("the perceptual terms need a VGG")
        return self.perceive(picture)


def sum_of(terms: Iterable[Tensor]) -> Tensor:
    """The sum of scalars."""
    return torch.stack(list(terms)).sum()
