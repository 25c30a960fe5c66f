"""What all neural networks share: recognising weights, loading them strictly, and running them.

A network's file defines a subclass of `NetworkModel`; its card stands in `catalogue.py`, so that nobody waits
for torch to read it. Weights are recognised by the names and shapes of their tensors, not by the name of
their file.
"""

from __future__ import annotations

import contextlib
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from . import checkpoints
from .base import Cancel, Cancelled, Card, FillError, Model, Progress
from .layers import precision as precisions
from .layers.size import fit

PRECISIONS = ("single", "auto", "half")


class NetworkModel(Model):
    """A neural network that fills holes.

    A subclass has a `card` with `network=True` and implements `recognise`, `build`, `translate` and
    `predict`. Settings are passed by keyword; a subclass names its own, and has no positional ones.

    Attributes:
        network: the bare torch module, in evaluation mode on the device.
        settings: what `recognise` told of the weights, with `variant` where the card has any.
        half: of the class: whether it may compute in half precision.
    """

    half: ClassVar[bool] = True

    def __init__(
        self,
        network: nn.Module,
        card: Card,
        settings: Mapping[str, Any],
        device: str = "cpu",
        precision: str = "single",
    ) -> None:
        """Put a network with its weights on a device; `load` calls this."""
        super().__init__(device)
        self.card = card
        self.settings = dict(settings)
        self.network = network.eval().requires_grad_(False).to(device)
        self.dtype = precisions.choose(device, precision) if self.half else torch.float32
        if precision != "single":
            self.network = self.quicken(self.network, self.dtype)

    # -- what a network's file implements ------------------------------------------------------------

    @classmethod
    @abstractmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """Tell whether tensors of these names and shapes are this network's weights.

        Args:
            shapes: of one dictionary of a checkpoint, as its container has them, prefixes and all;
                DataParallel's "module." is gone.

        Returns:
            Keyword settings for `build` (sizes, and a default `variant` where the keys hint at one), or
            None where they are something else.
        """

    @classmethod
    @abstractmethod
    def build(cls, *args: Any, **settings: Any) -> nn.Module:
        """The bare network. Its constant tensors are buffers, so that they can be moved and listed.

        Args:
            settings: from `recognise`; and `variant`, where the card has variants.
        """

    @classmethod
    @abstractmethod
    def translate(cls, tensors: dict[str, Tensor], *args: Any, **settings: Any) -> dict[str, Tensor]:
        """The checkpoint's names and layouts to those of `build`'s state dictionary.

        Drops what belongs to no generator: discriminators, optimisers' slots, evaluators. What is then
        missing, surplus or of another shape is an error, which `load` raises.

        Args:
            tensors: by name, as in `recognise`.
            settings: from `recognise`, without `variant`.
        """

    def predict(
        self,
        image: Tensor,
        hole: Tensor,
        guidance: Mapping[str, Tensor],
        seed: int,
        progress: Progress,
        cancel: Cancel,
        **params: Any,
    ) -> Tensor:
        """Predict one picture whose size the card's rule allows; runs in inference mode.

        Every network has this, or else `_fill_one`, which takes pictures as they are.

        Args:
            image: float32, 1 x 3 x h x w, RGB in [0, 1], 0 in the hole; on the network's device.
            hole: float32, 1 x 1 x h x w in {0, 1}.
            guidance: float32, 1 x C x h x w by name.
            seed: same input and seed, same output.
            progress, cancel: see `Model.fill`; both are also asked while a module of `network` runs.
            params: every parameter of the card.

        Returns:
            1 x 3 x h x w; clipped to [0, 1] by the caller.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither `predict` nor a `_fill_one` of its own")

    @classmethod
    def describe(cls, *args: Any, **settings: Any) -> Card:
        """The card, for weights of these settings."""
        return cls.card

    def runs(self, params: Mapping[str, Any]) -> int:
        """How often `predict` runs the whole of `network`; 0 where it tells progress itself."""
        return 1

    def quicken(self, network: nn.Module, dtype: torch.dtype) -> nn.Module:
        """Rearrange the network for speed; it has to compute the same, but for rounding.

        Args:
            network: as `build` made it, with its weights.
            dtype: in which `predict` will run, by autocast.
        """
        return precisions.channels_last(precisions.fold(network))

    # -- running ---------------------------------------------------------------------------------------

    def _fill_one(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray,
        guidance: Mapping[str, np.ndarray],
        seed: int,
        progress: Progress,
        cancel: Cancel,
        **params: Any,
    ) -> np.ndarray:
        pieces = self.card.size.pieces(*hole.shape)
        if len(pieces) == 1:
            return self._fill_piece(image, hole, guidance, seed, progress, cancel, **params)
        filled, left = image.copy(), hole.copy()
        for n, piece in enumerate(pieces):
            inside = left[piece]
            if inside.any():

                def report(fraction: float, stage: str, n: int = n) -> None:
                    progress((n + fraction) / len(pieces), stage)

                layers = {name: layer[(..., *piece)] for name, layer in guidance.items()}
                answer = self._fill_piece(
                    filled[(..., *piece)], inside, layers, seed, report, cancel, **params
                )
                np.copyto(filled[(..., *piece)], answer, where=inside)
                inside[...] = False
        progress(1.0, "filling")
        return filled

    def _fill_piece(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        guidance: Mapping[str, np.ndarray],
        seed: int,
        progress: Progress,
        cancel: Cancel,
        **params: Any,
    ) -> np.ndarray:
        layers = {name: self._tensor(layer) for name, layer in guidance.items()}
        fitted, back = fit(self.card.size, self._tensor(image), self._tensor(hole[None]), *layers.values())
        fitted_layers = dict(zip(layers, fitted[2:], strict=True))
        progress(0.0, "filling")
        with torch.inference_mode(), self._watched(progress, cancel, params), self._autocast():
            prediction = self.predict(fitted[0], fitted[1], fitted_layers, seed, progress, cancel, **params)
        if cancel():
            raise Cancelled
        with torch.inference_mode():
            result = back(prediction.float()).clamp(0, 1)[0].cpu().numpy()
        if not np.isfinite(result).all():
            raise FillError(
                "bad-weights",
                f"{self.card.title} gave no picture but numbers beyond all bounds.",
                "Its weights are damaged, or meant for something else: fetch or import them again.",
            )
        progress(1.0, "filling")
        return result

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(self.device)[None]

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(torch.device(self.device).type, self.dtype)

    @contextlib.contextmanager
    def _watched(self, progress: Progress, cancel: Cancel, params: Mapping[str, Any]) -> Iterator[None]:
        """Ask `cancel` before every layer, and tell how many of the layers are through."""
        total = self.runs(params)
        layers = [module for module in self.network.modules() if not any(module.children())]
        through = 0

        def before(module: nn.Module, inputs: Any) -> None:
            nonlocal through
            if cancel():
                raise Cancelled
            through += 1
            if total:
                progress(min(through / (total * len(layers) + 1), 1.0), "filling")

        handles = [layer.register_forward_pre_hook(before) for layer in layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


# -- loading -------------------------------------------------------------------------------------------


def load(
    path: str | os.PathLike[str],
    kinds: Mapping[str, type[NetworkModel]],
    device: str = "cpu",
    variant: str | None = None,
    precision: str = "single",
    card: Mapping[str, Any] | None = None,
) -> NetworkModel:
    """Load weights, whatever network they belong to.

    Args:
        path: a file or folder as in `checkpoints.read`.
        kinds: the networks that are known, by name.
        device: as torch names it.
        variant: of the network's card; None takes what the keys tell, or the first.
        precision: "single" computes as the authors' code does; "auto" as fast as the device can, with
            rounding errors that nobody sees; "half" in half precision even where that is slow.
        card: what the card says of these weights where it differs from the network's: name, title ...

    Raises:
        FillError: `bad-weights`: not readable, of no known network, or not complete; `bad-variant`.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    checkpoint = checkpoints.read(path)
    kind, settings, tensors = identify(checkpoint, kinds)
    variants = kind.card.variants
    if variant is not None and variant not in variants:
        raise FillError(
            "bad-variant",
            f"{kind.card.title} has no variant named {variant!r}.",
            f"Its variants are: {', '.join(variants)}." if variants else "It has only one.",
        )
    told = settings.pop("variant", None)
    if checkpoint.told.get("variant") in variants:
        told = checkpoint.told["variant"]
    building = {**settings, "variant": variant or told or variants[0]} if variants else settings
    network = assemble(kind, tensors, settings, building)
    described = replace(kind.describe(**building), architecture=kind.card.name, **(card or {}))
    return kind(network, described, building, device, precision)


def identify(
    checkpoint: checkpoints.Checkpoint, kinds: Mapping[str, type[NetworkModel]]
) -> tuple[type[NetworkModel], dict[str, Any], dict[str, Tensor]]:
    """The network that a checkpoint holds: its class, its settings, and the tensors among which it is.

    Raises:
        FillError: `bad-weights`, none of the known networks.
    """
    for tensors in checkpoint.groups:
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        for kind in kinds.values():
            try:
                settings = kind.recognise(shapes)
            except (LookupError, ValueError, TypeError, ArithmeticError, RuntimeError) as problem:
                raise _misfit(kind, "the shapes of its tensors make no sense") from problem
            if settings is not None:
                return kind, dict(settings), tensors
    raise FillError(
        "bad-weights",
        "The file holds weights, but of no network that is known here.",
        f"Known are: {', '.join(kind.card.title for kind in kinds.values())}.",
    )


def assemble(
    kind: type[NetworkModel],
    tensors: dict[str, Tensor],
    settings: Mapping[str, Any],
    building: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a network and give it its weights, all of them and no others.

    Args:
        kind, tensors, settings: as `identify` gives them.
        building: for `build`, where that is more than `settings`.

    Raises:
        FillError: `bad-weights`, naming the tensors that are missing, surplus or of another shape.
    """
    building = settings if building is None else building
    try:
        translated = kind.translate(dict(tensors), **settings)
        with torch.device("meta"):  # no memory is taken before the shapes are known to fit
            network = kind.build(**building)
    except (LookupError, ValueError, TypeError, ArithmeticError, RuntimeError) as problem:
        raise _misfit(
            kind, f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
        ) from problem
    expected = network.state_dict()
    _compare(kind, translated, expected)
    weights = {
        name: _like(kind, name, translated[name], wanted)
        for name, wanted in expected.items()
        if name in translated
    }
    for name, wanted in expected.items():
        if name not in weights:  # a counter of training steps, which nothing looks at
            weights[name] = torch.zeros(wanted.shape, dtype=wanted.dtype)
    if {name for name, _ in network.named_buffers()} <= set(expected):
        network.load_state_dict(weights, assign=True)
    else:  # constants that are in no checkpoint have to be computed
        network = kind.build(**building)
        network.load_state_dict(weights)
    return network


def _compare(kind: type[NetworkModel], given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    missing = [name for name in expected if name not in given and not _is_counter(name)]
    surplus = [name for name in given if name not in expected and not _is_counter(name)]
    other = [
        f"{name} is {_words(given[name].shape)} instead of {_words(wanted.shape)}"
        for name, wanted in expected.items()
        if name in given and given[name].shape != wanted.shape
    ]
    for names, verdict in ((missing, "missing"), (surplus, "surplus")):
        if names:
            raise _misfit(kind, f"{_some(names)} {'is' if len(names) == 1 else 'are'} {verdict}")
    if other:
        raise _misfit(kind, _some(other))


def _like(kind: type[NetworkModel], name: str, tensor: Tensor, wanted: Tensor) -> Tensor:
    if tensor.is_complex() and not wanted.is_complex():
        raise _misfit(kind, f"{name} holds complex numbers")
    converted = tensor.to(wanted.dtype, copy=True).contiguous()
    if not torch.isfinite(converted).all():
        raise _misfit(kind, f"{name} holds values that are no numbers")
    return converted


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _words(shape: torch.Size) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _misfit(kind: type[NetworkModel], what: str) -> FillError:
    return FillError(
        "bad-weights",
        f"The file looks like weights of {kind.card.title}, but does not fit: {what}.",
        "It may be damaged or of another version: fetch it again from where its authors publish it.",
    )
