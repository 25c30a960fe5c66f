"""Which sizes a network takes, and how a picture of any size is brought to one and back.

This is the one place where pictures are padded and resized for networks. Padded pixels are neither
hole nor picture of their own: whatever a network predicts there is cut off again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SizeRule:
    """The picture sizes that a network takes.

    Attributes:
        multiple: both sides are multiples of this.
        minimum: no side is shorter, px.
        square: where above 0, the only size it takes is square x square; pictures with a longer side
            are shrunk.
        pad: how a picture that is too small is continued: `"symmetric"` (the border pixel repeated),
            `"reflect"` (not repeated), `"replicate"` (the border pixel all the way) or `"zero"` (black,
            valid).
        place: where in the padded picture it lies: `"left-top"` (padded right and below) or `"centre"`.
        stretch: whether a `square` network gets the picture resized to the square, its proportions lost,
            rather than shrunk as far as needed and padded.
        crop: whether a picture whose sides are no multiples is cut rather than padded, as the network's
            authors do; what was cut off is filled afterwards, in a piece that ends there.
    """

    multiple: int = 1
    minimum: int = 0
    square: int = 0
    pad: Literal["symmetric", "reflect", "replicate", "zero"] = "symmetric"
    place: Literal["left-top", "centre"] = "left-top"
    stretch: bool = False
    crop: bool = False

    def pieces(self, height: int, width: int) -> list[tuple[slice, slice]]:
        """Rows and columns of the pieces that are filled one after the other, each as far as it is not yet.

        Nearly always one, the whole; where the rule crops, up to four, one for each corner.
        """
        if not self.crop or min(height, width) < max(self.multiple, self.minimum):
            return [(slice(0, height), slice(0, width))]
        cut = [(side, side % self.multiple) for side in (height, width)]
        rows, columns = ([slice(n, side - rest + n) for n in sorted({0, rest})] for side, rest in cut)
        return [(row, column) for row in rows for column in columns]

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size that the network gets to see, for a picture of height x width."""
        if self.square:
            return self.square, self.square
        return self._up(height), self._up(width)

    def _up(self, side: int) -> int:
        side = max(side, self.minimum)
        return side + -side % self.multiple


def fit(
    rule: SizeRule, image: Tensor, hole: Tensor, *layers: Tensor
) -> tuple[list[Tensor], Callable[[Tensor], Tensor]]:
    """Bring a picture to a size that the rule allows.

    Args:
        rule: of the network's card.
        image: float32 1 x 3 x H x W, 0 in the hole.
        hole: float32 1 x 1 x H x W in {0, 1}.
        layers: guidance, float32 1 x C x H x W.

    Returns:
        [image, hole, *layers] at `rule.size(H, W)`; and a function that brings a prediction, 1 x 3 at
        that size, back to H x W. Where the picture is shrunk, only valid pixels count, and a pixel
        belongs to the hole if any of those that it stands for does.
    """
    from torch.nn import functional

    original = image.shape[-2:]
    size = rule.size(*original)
    inner = (original[0], original[1])
    if rule.square and rule.stretch:
        inner = size
    elif rule.square and max(original) > rule.square:
        factor = rule.square / max(original)
        inner = (max(1, round(original[0] * factor)), max(1, round(original[1] * factor)))
    fitted = [image, hole, *layers]
    if inner != (original[0], original[1]):
        fitted = (_stretched if rule.stretch else _resize)(image, hole, layers, inner)
    top, left = ((size[n] - inner[n]) // 2 if rule.place == "centre" else 0 for n in (0, 1))
    rows, columns = _index(rule.pad, inner[0], size[0], top), _index(rule.pad, inner[1], size[1], left)
    if size != inner:
        fitted = [_take(tensor, rows, columns) for tensor in fitted]

    def back(prediction: Tensor) -> Tensor:
        prediction = prediction[..., top : top + inner[0], left : left + inner[1]]
        if inner == (original[0], original[1]):
            return prediction
        smaller = not rule.stretch and (inner[0] > original[0] or inner[1] > original[1])
        return functional.interpolate(
            prediction, tuple(original), mode="bicubic", align_corners=False, antialias=smaller
        )

    return fitted, back


def _resize(image: Tensor, hole: Tensor, layers: tuple[Tensor, ...], size: tuple[int, int]) -> list[Tensor]:
    from torch.nn import functional

    def scaled(tensor: Tensor) -> Tensor:
        if tensor.shape[-1] > 1:
            return functional.interpolate(tensor, size, mode="bilinear", align_corners=False, antialias=True)
        # torch's antialiasing goes wrong on a single column: two alike, of which one is taken
        double = tensor.expand(*tensor.shape[:-1], 2)
        wide = (size[0], max(size[1], 2))
        return functional.interpolate(double, wide, mode="bilinear", align_corners=False, antialias=True)[
            ..., : size[1]
        ]

    share = scaled(1 - hole)
    small = scaled(image) / share.clamp(min=1e-4)  # the hole is 0, so that this is the mean of what is valid
    inside = (share < 1 - 1e-4).to(image.dtype)
    return [(small * (1 - inside)).clamp(0, 1), inside, *(scaled(layer) for layer in layers)]


def _stretched(
    image: Tensor, hole: Tensor, layers: tuple[Tensor, ...], size: tuple[int, int]
) -> list[Tensor]:
    """Resize as MI-GAN's demo does: cubic, the hole by nearest neighbour where it is enlarged.

    The demo resizes what is in the hole, too, and lets it into its rim. Here the rim is made of the pixels
    around, as a Gaussian of one pixel weighs them.
    """
    import torch
    from torch.nn import functional

    def scaled(
        tensor: Tensor,
    ) -> Tensor:  # with antialias, the cubic of Pillow (-1/2), without, OpenCV's (-3/4)
        return functional.interpolate(tensor, size, mode="bicubic", align_corners=False, antialias=True)

    def spread(tensor: Tensor) -> Tensor:
        kernel = torch.exp(-(torch.arange(-3.0, 4.0, device=tensor.device) ** 2) / 2)
        kernel = torch.outer(kernel, kernel).expand(tensor.shape[1], 1, 7, 7)
        return functional.conv2d(tensor, kernel, padding=3, groups=tensor.shape[1])

    valid = 1 - hole
    weight = spread(valid)
    known = (weight > 0).to(image.dtype)
    guessed = torch.where(hole > 0, spread(image) / weight.clamp(min=1e-9), image) * known
    scaled_image = scaled(guessed) / scaled(known).clamp(min=0.1)
    smaller = (min(hole.shape[-2], size[0]), min(hole.shape[-1], size[1]))
    inside = functional.interpolate(functional.adaptive_max_pool2d(hole, smaller), size, mode="nearest-exact")
    return [
        (scaled_image * (1 - inside)).clamp(0, 1),
        inside,
        *(scaled(layer).clamp(0, 1) for layer in layers),
    ]


def _index(pad: str, count: int, size: int, before: int) -> np.ndarray:
    """Which of `count` pixels each of `size` shows, the first `before` being padding; -1 is none."""
    place = np.arange(size) - before
    if pad == "symmetric":
        place %= 2 * count
        return np.minimum(place, 2 * count - 1 - place)
    if pad == "reflect":
        place %= max(2 * count - 2, 1)
        return np.minimum(place, 2 * count - 2 - place) if count > 1 else place
    if pad == "replicate":
        return np.clip(place, 0, count - 1)
    return np.where((place >= 0) & (place < count), place, -1)


def _take(tensor: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    import torch

    y, x = (torch.from_numpy(np.maximum(index, 0)).to(tensor.device) for index in (rows, columns))
    padded = tensor.index_select(-2, y).index_select(-1, x)
    outside = (rows < 0)[:, None] | (columns < 0)
    if outside.any():
        padded = padded.masked_fill(torch.from_numpy(outside).to(tensor.device), 0)
    return padded
