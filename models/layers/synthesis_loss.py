"""What neural patch synthesis minimises, as a function of the hole's pixels.

Yang et al. 2017, section 3, with the layers of the authors' code. The sum of

- content: the features of relu4_2 (their code) and the pixels (the paper) stay near the first guess,
- texture: every 3 x 3 patch of relu4_1 looks like one of the rest of the picture,
- variation: neighbouring pixels are alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .patch_match_loss import PatchMatcher, squared_differences, transformed
from .vgg import CELL, HALO, Vgg

CONTENT = "relu4_2"
TEXTURES = ("relu4_1", "relu3_1")  # the second only where finer texture is asked for

# From the authors' weights (20, 1e-4 and 1e-4 in their code; the pixels' term is the paper's), which belong
# to sums over maps of one size of picture and hole and to the Caffe weights. Here every term is a mean over
# the hole, of features in units of their mean square and of colours in [0, 1], so that any hole and any VGG
# has the same balance. The last two were then set by eye: with less of them, L-BFGS finds noise that VGG
# takes for texture.
CONTENT_WEIGHT = 0.2  # at full size; as with the authors, four times that at half the size
TEXTURE_WEIGHT = 1.0
VARIATION_WEIGHT = 4.0
PIXEL_WEIGHT = 10.0

_WINDOW = 48  # cells; side of the windows that are computed one by one

Window = tuple[slice, slice]
"""Rows and columns, in cells if nothing else is said."""


@dataclass(frozen=True)
class Settings:
    """What may be chosen.

    Attributes:
        iterations: at every scale.
        fidelity: factor of the content terms.
        rotation: degrees; sources are also taken from the picture turned by this, both ways. 0: not.
        scaling: sources are also taken from the picture larger and smaller by this share. 0: not.
        fine: whether relu3_1 guides the texture, too.
        optimiser: "l-bfgs" or "adam".
    """

    iterations: int = 50
    fidelity: float = 1.0
    rotation: float = 7.5
    scaling: float = 0.05
    fine: bool = False
    optimiser: str = "l-bfgs"


class SynthesisLoss:
    """The loss at one scale.

    Args:
        vgg: with weights.
        picture: 3 x H x W, RGB in [0, 1], the first guess in the hole; H and W multiples of `CELL`.
        hole, source: bool, H x W.
        settings: see there.
        coarseness: how many pixels of the full picture a pixel stands for.
        check: called often; raises to stop.
        window: cells; bounds the memory, changes nothing else.
    """

    def __init__(
        self,
        vgg: Vgg,
        picture: Tensor,
        hole: Tensor,
        source: Tensor,
        settings: Settings,
        coarseness: float,
        check: Callable[[], None],
        window: int = _WINDOW,
    ) -> None:
        self._vgg = vgg
        self._picture = picture
        self._hole = hole
        self._order = torch.full(hole.shape, -1, dtype=torch.long, device=hole.device)
        self._order[hole] = torch.arange(int(hole.sum()), device=hole.device)
        self._check = check
        self._window = window
        self._start = picture[:, hole]
        self._pixel_weight = PIXEL_WEIGHT * settings.fidelity
        inside = _pooled(hole, CELL)
        self._near = _grown(inside)  # cells where something is compared
        layers = TEXTURES if settings.fine else TEXTURES[:1]
        first = self._maps(picture, _grown(self._near), [CONTENT, *layers])
        weight = CONTENT_WEIGHT * settings.fidelity * coarseness
        self._targets = [_Target(CONTENT, first[CONTENT], inside, weight)]
        self._targets += self._textures({layer: first[layer] for layer in layers}, source, settings)

    def __call__(self, pixels: Tensor) -> Tensor:
        """The loss, without graph; its gradient is added to `pixels.grad`.

        Args:
            pixels: 3 x K, the hole's pixels in the order of `picture[:, hole]`.
        """
        layers = [target.layer for target in self._targets]
        total = pixels.new_zeros(())
        with torch.enable_grad():
            for window in self._windows(self._near):
                self._check()
                features = self._features(self._crop(pixels, _with_halo(window)), window, layers)
                loss = torch.stack(
                    [target.loss(features[target.layer], window) for target in self._targets]
                ).sum()
                loss.backward()
                total += loss.detach()
            loss = (
                VARIATION_WEIGHT * self._variation(pixels)
                + self._pixel_weight * ((pixels - self._start) ** 2).mean()
            )
            loss.backward()
        return total + loss.detach()

    def _variation(self, pixels: Tensor) -> Tensor:
        rows, columns = (self._hole.any(axis).nonzero()[:, 0] for axis in (1, 0))
        down, across = (slice(max(int(line[0]) - 1, 0), int(line[-1]) + 2) for line in (rows, columns))
        return squared_differences(self._crop(pixels, (down, across)), self._hole[down, across])

    def _textures(self, first: dict[str, Tensor], source: Tensor, settings: Settings) -> list[_Target]:
        """The targets of the texture term: for every layer the matches among all sources."""
        matchers = {}
        for layer, features in first.items():
            inside = _pooled(self._hole, _stride(layer))
            matchers[layer] = PatchMatcher(features, _grown(inside))
        for angle, scale in _variants(settings):
            picture, usable = self._picture, source
            if (angle, scale) != (0, 1):
                picture, usable = transformed(picture, usable, angle, scale)
            self._check()
            everywhere = torch.ones_like(_pooled(usable, CELL))
            maps = self._maps(picture, everywhere, list(first))
            for layer, features in maps.items():
                # A patch whose cells are all of usable pixels; where there is none, one whose middle is.
                whole = ~_pooled(~usable, _stride(layer))
                centres = ~_grown(~whole)
                matchers[layer].search(features, centres if _has_patch(centres) else whole, check=self._check)
        targets = []
        for layer, matcher in matchers.items():
            if matcher.found:
                features, where = matcher.target()
                where &= _grown(_pooled(self._hole, _stride(layer)))
                targets.append(_Target(layer, features, where, TEXTURE_WEIGHT / len(matchers)))
        return targets

    # -- features, window by window ----------------------------------------------------------------------

    def _maps(self, picture: Tensor, cells: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Feature maps C x h x w by layer, computed where `cells` are true and near them."""
        maps: dict[str, Tensor] = {}
        for window in self._windows(cells):
            self._check()
            halo = _with_halo(window)
            with torch.no_grad():
                found = self._features(picture[(slice(None), *halo)], window, layers)
            for layer, features in found.items():
                size = [side // _stride(layer) for side in picture.shape[1:]]
                whole = maps.setdefault(layer, features.new_zeros((features.shape[0], *size)))
                whole[(slice(None), *_scaled(window, layer))] = features
        return maps

    def _features(self, crop: Tensor, window: Window, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features of a window, from its pixels with a halo."""
        found = self._vgg(crop[None], layers)
        above, left = (min(HALO, cells.start * CELL) for cells in window)
        result = {}
        for layer, features in found.items():
            top, start = above // _stride(layer), left // _stride(layer)
            rows, columns = ((cells.stop - cells.start) * CELL // _stride(layer) for cells in window)
            result[layer] = features[0, :, top : top + rows, start : start + columns]
        return result

    def _crop(self, pixels: Tensor, box: Window) -> Tensor:
        """The picture with these pixels in the hole, cut to a box."""
        crop, hole = self._picture[(slice(None), *box)].clone(), self._hole[box]
        crop[:, hole] = pixels[:, self._order[box][hole]]
        return crop

    def _windows(self, cells: Tensor) -> Iterator[Window]:
        """Boxes of cells, none larger than a window, that together hold all that are true."""
        for top in range(0, cells.shape[0], self._window):
            for left in range(0, cells.shape[1], self._window):
                part = cells[top : top + self._window, left : left + self._window]
                rows, columns = (part.any(axis).nonzero()[:, 0] for axis in (1, 0))
                if len(rows):
                    yield (
                        slice(top + int(rows[0]), top + int(rows[-1]) + 1),
                        slice(left + int(columns[0]), left + int(columns[-1]) + 1),
                    )


class _Target:
    """A fixed feature map, and the mean squared distance to it at some positions.

    Args:
        layer: whose features.
        features: C x h x w.
        where: bool, h x w.
        weight: of the term.
    """

    def __init__(self, layer: str, features: Tensor, where: Tensor, weight: float) -> None:
        self.layer = layer
        self._features = features
        self._where = where
        energy = (features**2).sum(0)[where].mean()
        self._weight = float(weight / energy.clamp(min=1e-12) / where.sum())

    def loss(self, features: Tensor, window: Window) -> Tensor:
        """This window's share; `features` are the window's."""
        box = _scaled(window, self.layer)
        difference = (features - self._features[(slice(None), *box)]) * self._where[box]
        return self._weight * (difference**2).sum()


def _variants(settings: Settings) -> list[tuple[float, float]]:
    """Angles and scales of the pictures that sources are taken from, the untouched one first."""
    turn, grow = math.radians(settings.rotation), 1 + settings.scaling
    angles = [0.0, -turn, turn] if turn else [0.0]
    scales = [1.0, 1 / grow, grow] if grow != 1 else [1.0]
    return [(angle, scale) for angle in angles for scale in scales]


def _stride(layer: str) -> int:
    return 1 << (int(layer[4]) - 1)


def _pooled(mask: Tensor, stride: int) -> Tensor:
    """Per cell, whether any pixel is true."""
    return functional.max_pool2d(mask[None].float(), stride)[0] > 0


def _grown(mask: Tensor) -> Tensor:
    return functional.max_pool2d(mask[None].float(), 3, 1, 1)[0] > 0


def _has_patch(centres: Tensor) -> bool:
    return bool(centres[1:-1, 1:-1].any())


def _scaled(window: Window, layer: str) -> Window:
    """A window of cells in positions of a layer."""
    factor = CELL // _stride(layer)
    rows, columns = window
    return slice(rows.start * factor, rows.stop * factor), slice(
        columns.start * factor, columns.stop * factor
    )


def _with_halo(window: Window) -> Window:
    """A window of cells in pixels, with all around that its features depend on."""
    rows, columns = (slice(max(cells.start * CELL - HALO, 0), cells.stop * CELL + HALO) for cells in window)
    return rows, columns
