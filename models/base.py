"""What a model is: its card, its parameters, and the one call that fills holes.

A model knows arrays only. It opens no sockets, knows no editor, and reads no files besides its own
weights. `Model.fill` is the same for every model: it checks the input, calls the model's own
`_fill_one` per picture, and composites, so that a model can never touch a pixel outside the hole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .layers.size import SizeRule

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")

Progress = Callable[[float, str], None]
"""Called with a fraction in [0, 1] and the name of the stage, such as `"matching"`."""

MOSAIC = "mosaic"
"""Guidance that nobody draws: the pipeline finds it. See `Model.fill`."""

Cancel = Callable[[], bool]
"""Asked often (at least every half second of work); true means: stop now."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """What reports a part of the work as a part of the whole."""
    return lambda fraction, stage: progress(start + (end - start) * fraction, stage)


class FillError(Exception):
    """A picture could not be filled: what went wrong, and what the user can do about it.

    Attributes:
        code: stable, machine-readable word such as `"no-source"`; the wire protocol passes it on.
        message: one sentence that an illustrator understands.
        hint: one sentence that says what to do; may be empty.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.code = code
        self.message = message
        self.hint = hint


class Cancelled(FillError):
    """The caller's `cancel` said yes."""

    def __init__(self) -> None:
        super().__init__("cancelled", "The fill was cancelled.")


def is_out_of_memory(problem: Exception) -> bool:
    """Whether a failure means that the computer's or the device's memory did not suffice."""
    if isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError":  # torch's, for CUDA
        return True
    words = str(problem).lower()  # torch's allocators for the CPU and for Apple raise plain RuntimeErrors
    return isinstance(problem, RuntimeError) and any(
        sign in words for sign in ("out of memory", "allocate memory", "not enough memory")
    )


@dataclass(frozen=True)
class Param:
    """One setting of a model (or of the pipeline), described well enough to build a dialog from.

    Attributes:
        name: keyword under which `Model.fill` receives the value.
        kind: `"int"`, `"float"`, `"bool"`, `"choice"` or `"text"`.
        default: value used where none is given; valid by the other attributes.
        title: label in a dialog.
        help: one sentence for its tool-tip.
        minimum, maximum: inclusive bounds of an int or float.
        choices: allowed values of a choice.
        unit: `"px"`, `"°"` and the like, for the dialog.
    """

    name: str
    kind: str
    default: int | float | bool | str
    title: str
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class Card:
    """What a model says of itself: all that a dialog, `models list` and `auto` need to know.

    Attributes:
        name: word by which it is asked for.
        title: its name for people.
        sentence: what it is good for, to an illustrator.
        paper: where the method was published.
        licence: of the weights, or of the code where there are none.
        good_at: of `"photo"`, `"comic"`, `"face"`, `"texture"`, `"scratch"`.
        params: settings of its own, beside the pipeline's.
        guidance: names of the guidance layers it takes, such as `"sketch"`; others are refused.
        takes_source: whether "sample only from" means something to it.
        context_factor, context_minimum: the context around a hole is
            max(context_minimum px, context_factor x the longer side of the hole's box) on each side.
        network: whether it is a neural network, which runs on the worker's device; others run on the CPU.
        max_pixels: largest context it fills at native resolution; above, the pipeline fills a
            smaller copy first. 0 means any.
        variants: names for `load(..., variant=)`, the default first; empty where there is one only.
        architecture: of a network, the name in `models.MODELS` that its weights belong to.
        sees_hole: whether it is shown what lies in the hole (a mosaic, say), and follows it; every other
            model gets 0 there.
        follows_mosaic: whether it takes the guidance `MOSAIC`.
        size: the picture sizes that a network takes; any picture is brought to one and back.
        memory, time: what a fill takes beside the loaded weights, MB and seconds per megapixel of
            context, as measured on two CPU cores (tests/benchmarks); 0 where it was not measured.
        installed: whether it can be used at once; false for weights that are not on this computer.
        download: what fetching the weights means: bytes (0: not known), licence, commercial (whether
            the licence allows that), page; None where a program cannot fetch them.
    """

    name: str
    title: str
    sentence: str
    paper: str = ""
    licence: str = ""
    good_at: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    guidance: tuple[str, ...] = ()
    takes_source: bool = False
    context_factor: float = 1.0
    context_minimum: int = 64
    network: bool = False
    max_pixels: int = 0
    variants: tuple[str, ...] = ()
    architecture: str = ""
    sees_hole: bool = False
    follows_mosaic: bool = False
    size: SizeRule = field(default_factory=SizeRule)
    memory: float = 0.0
    time: float = 0.0
    installed: bool = True
    download: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The card as plain types, ready for the wire."""
        return asdict(self)


class Model(ABC):
    """A way of filling holes.

    A subclass has a `card` and implements `_fill_one`. One instance serves one caller at a time.
    """

    card: Card

    def __init__(self, device: str = "cpu") -> None:
        """Make the model ready on `device`, a torch device name; classical models use the CPU."""
        self.device = device

    def fill(
        self,
        image: Array,
        hole: Array,
        guidance: Mapping[str, Array] | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        source: Array | None = None,
        **params: Any,
    ) -> Array:
        """Fill the hole of every picture of a batch.

        Args:
            image: float32, N x 3 x H x W, RGB in [0, 1]; what lies in the hole is never looked at, unless
                the card says `sees_hole`, or a mosaic is to be followed.
            hole: N x 1 x H x W in {0, 1}, any dtype; 1 is a pixel to fill.
            guidance: arrays N x C x H x W by name, for models whose card lists them. And, where the card
                says `follows_mosaic`, `MOSAIC`, N x 1 x H x W: the number of the mosaic's cell to which a
                pixel of the hole belongs, -1 where it belongs to none; `image` shows these cells.
            seed: same input and seed, same output.
            progress, cancel: see `Progress` and `Cancel`.
            source: N x 1 x H x W in {0, 1}; 1 is a pixel that the fill may be taken from. Pixels of
                the hole never are. None means all.
            params: settings of the card's `params`, by name.

        Returns:
            float32, N x 3 x H x W: hole x prediction + (1 - hole) x image. A new array; outside the
            hole bit-identical to `image`. Where `image` is a torch tensor, so is this, on its device.

        Raises:
            ValueError: shapes or dtypes are not as above.
            TypeError: a parameter that the card does not list.
            FillError: this hole cannot be filled (no source left, for instance).
            Cancelled: `cancel` said yes.
        """
        result: Any
        if not isinstance(image, np.ndarray) and hasattr(image, "detach"):
            import torch

            layers = {name: _numpy(layer) for name, layer in (guidance or {}).items()}
            filled: Any = self.fill(
                _numpy(image),
                _numpy(hole),
                layers,
                seed,
                progress,
                cancel,
                None if source is None else _numpy(source),
                **params,
            )
            result = torch.from_numpy(filled).to(image.device)
            return result
        result = self._fill(
            np.asarray(image),
            _numpy(hole) > 0,
            {name: _numpy(layer) for name, layer in (guidance or {}).items()},
            seed,
            progress,
            cancel,
            None if source is None else _numpy(source) > 0,
            params,
        )
        return result

    def _fill(
        self,
        image: np.ndarray,
        inside: np.ndarray,
        guidance: Mapping[str, np.ndarray],
        seed: int,
        progress: Progress | None,
        cancel: Cancel | None,
        allowed: np.ndarray | None,
        params: Mapping[str, Any],
    ) -> np.ndarray:
        _check(image, inside, allowed)
        known = {param.name: param.default for param in self.card.params}
        surplus = sorted(set(params) - set(known))
        if surplus:
            raise TypeError(f"{self.card.name} has no parameter {', '.join(surplus)}")
        drawn = set(guidance) - ({MOSAIC} if self.card.follows_mosaic else set())
        surplus = sorted(drawn - set(self.card.guidance))
        if surplus:
            raise FillError(
                "bad-guidance",
                f"{self.card.title} cannot follow {' or '.join(surplus)} layers.",
                "Choose a model that takes guidance, or leave the guidance layers out.",
            )
        result = image.copy()
        count = len(image)
        for n in range(count):
            if not inside[n].any():
                continue
            if cancel is not None and cancel():
                raise Cancelled

            def report(fraction: float, stage: str, n: int = n) -> None:
                if progress is not None:
                    progress((n + min(max(fraction, 0.0), 1.0)) / count, stage)

            hidden = inside[n]  # no model can look at what it has to fill, unless it is meant to
            if self.card.sees_hole:
                hidden = np.zeros_like(hidden)
            elif MOSAIC in guidance:
                hidden = hidden & (guidance[MOSAIC][n] < 0)
            prediction = self._fill_one(
                np.where(hidden, np.float32(0), image[n]),
                inside[n, 0],
                sources(inside[n, 0], None if allowed is None else allowed[n, 0], needed=not drawn),
                {name: layer[n] for name, layer in guidance.items()},
                seed,
                report,
                cancel or (lambda: False),
                **{**known, **params},
            )
            np.copyto(result[n], prediction, where=inside[n])
        return result

    @abstractmethod
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
        """Predict one picture; only the hole's pixels of the answer are used.

        Args:
            image: float32, 3 x H x W in [0, 1], 0 in the hole (but see `Card.sees_hole` and
                `MOSAIC`); not to be written to.
            hole: bool, H x W, with at least one true pixel.
            source: bool, H x W: pixels the fill may be taken from. None of the hole's; at least one, unless
                there is guidance.
            guidance, seed, progress, cancel: as in `fill`, without the batch axis.
            params: every parameter of the card, defaults filled in.

        Returns:
            float32, 3 x H x W.
        """


def sources(hole: np.ndarray, source: np.ndarray | None, needed: bool = True) -> np.ndarray:
    """The pixels that a hole may be filled from: those of `source`, or all, but none of the hole's.

    Args:
        hole, source: bool, H x W.
        needed: whether it is an error that there are none; what is drawn can be enough by itself.

    Raises:
        FillError: `no-source`, there are none.
    """
    usable = ~hole if source is None else source & ~hole
    if needed and not usable.any():
        raise FillError(
            "no-source",
            "There is no pixel left that the hole could be filled from.",
            "Make the hole smaller, or allow more of the picture as a source.",
        )
    return usable


def _numpy(array: Any) -> np.ndarray:
    return array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array)


def _check(image: np.ndarray, hole: np.ndarray, source: np.ndarray | None) -> None:
    if image.ndim != 4 or image.shape[1] != 3 or image.dtype != np.float32:
        raise ValueError(f"image must be float32 Nx3xHxW, not {image.dtype} {image.shape}")
    expected = (image.shape[0], 1, *image.shape[2:])
    for name, array in (("hole", hole), ("source", source)):
        if array is not None and array.shape != expected:
            raise ValueError(f"{name} must be {expected} like the image, not {array.shape}")
