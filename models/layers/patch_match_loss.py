"""The patch match between feature maps, and the target that its matches make.

Li & Wand 2016, "Combining Markov random fields and convolutional neural networks for image synthesis",
as used by Yang et al. 2017, "High-resolution image inpainting using multi-scale neural patch
synthesis": every 3 x 3 patch of features in the hole is drawn towards the most similar one
outside, by normalised cross-correlation.

The loss is half the squared difference between own and matched patch, averaged where patches overlap.
Its gradient by the features is feature - (mean of what the matched patches say there): that of a squared
distance to a fixed map, which is therefore computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional

_QUERIES = 2048  # patches whose correlations are in memory at once
_SOURCES = 2048


class PatchMatcher:
    """Looks for the best sources of some patches, in one feature map after another.

    Args:
        features: C x h x w, the map that holds the patches.
        centres: bool, h x w, the patches' middles. Those at the map's edge, which are no whole patch,
            are left out.
    """

    def __init__(self, features: Tensor, centres: Tensor) -> None:
        self._shape = features.shape
        self._centres = _whole(centres).flatten().nonzero()[:, 0]
        self._queries = features.flatten(1)
        count = len(self._centres)
        self.scores = features.new_full((count,), -torch.inf)
        """The cosine between every patch and its best source so far; -inf where there was none."""
        self.patches = features.new_zeros((count, features.shape[0], 9))
        """Those sources, P x C x 9."""

    @property
    def found(self) -> bool:
        """Whether there was any source."""
        return bool(torch.isfinite(self.scores).any())

    def search(
        self,
        features: Tensor,
        centres: Tensor,
        check: Callable[[], None] = lambda: None,
        queries: int = _QUERIES,
        sources: int = _SOURCES,
    ) -> None:
        """Take better matches from a feature map.

        It is the convolution of the patches' map by all source patches of unit length, and the arg-max
        over its channels, evaluated at the patches' middles only and for so many of both at a time.

        Args:
            features: C x h' x w'.
            centres: bool, h' x w', the middles of patches that may be taken.
            check: called often; raises to stop.
            queries, sources: how many patches are compared at a time; bounds the memory.
        """
        places = _whole(centres).flatten().nonzero()[:, 0]
        flat, width = features.flatten(1), features.shape[2]
        for start in range(0, len(places), sources):
            check()
            some = places[start : start + sources]
            kernels = _patches(flat, some, width)
            units = functional.normalize(kernels.flatten(1))
            for first in range(0, len(self._centres), queries):
                chosen = slice(first, first + queries)
                own = _patches(self._queries, self._centres[chosen], self._shape[2])
                best, index = (functional.normalize(own.flatten(1)) @ units.T).max(1)
                better = best > self.scores[chosen]
                self.scores[chosen] = torch.where(better, best, self.scores[chosen])
                self.patches[chosen] = torch.where(
                    better[:, None, None], kernels[index], self.patches[chosen]
                )

    def target(self) -> tuple[Tensor, Tensor]:
        """What the matches say.

        Returns:
            C x h x w, the mean where patches overlap; bool, h x w, where there is any.
        """
        channels, height, width = self._shape
        total = self.patches.new_zeros((channels, height * width))
        count = self.patches.new_zeros(height * width)
        for k, offset in enumerate(_offsets(width)):
            places = self._centres + offset  # no two alike, so that the sums' order does not matter
            total[:, places] += self.patches[:, :, k].T
            count[places] += 1
        mean = total / count.clamp(min=1)
        return mean.view(self._shape), (count > 0).view(height, width)


def transformed(picture: Tensor, usable: Tensor, angle: float, scale: float) -> tuple[Tensor, Tensor]:
    """A picture turned about its middle and scaled, with the pixels that may still be used.

    Args:
        picture: C x H x W.
        usable: bool, H x W.
        angle: radians.
        scale: above 1 enlarges.

    Returns:
        C x H' x W' (bilinear) and bool H' x W'; H', W' are scale times H, W, rounded to the size that a
        relu4 map is whole for. A pixel is usable where all that it was made of is.
    """
    height, width = (max(8, round(scale * side / 8) * 8) for side in usable.shape)
    cosine, sine = torch.cos(torch.tensor(angle)).item(), torch.sin(torch.tensor(angle)).item()
    rows = torch.arange(height, device=picture.device, dtype=torch.float32) - (height - 1) / 2
    columns = torch.arange(width, device=picture.device, dtype=torch.float32) - (width - 1) / 2
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    grid = torch.stack(
        [
            (cosine * x + sine * y) / scale * 2 / usable.shape[1],
            (cosine * y - sine * x) / scale * 2 / usable.shape[0],
        ],
        -1,
    )
    layers = torch.cat([picture, usable[None].to(picture.dtype)])
    moved = functional.grid_sample(layers[None], grid[None], align_corners=False)[0]
    return moved[:-1], moved[-1] > 0.999


def squared_differences(picture: Tensor, touched: Tensor) -> Tensor:
    """Total variation as the mean squared difference of neighbours, of pairs with a touched pixel.

    Args:
        picture: 3 x H x W.
        touched: bool, H x W.
    """
    down, right = touched[1:] | touched[:-1], touched[:, 1:] | touched[:, :-1]
    total = ((picture[:, 1:] - picture[:, :-1]) ** 2 * down).sum()
    total = total + ((picture[:, :, 1:] - picture[:, :, :-1]) ** 2 * right).sum()
    return total / (3 * (down.sum() + right.sum()))


def _patches(flat: Tensor, centres: Tensor, width: int) -> Tensor:
    """The 3 x 3 patches around some positions of a map C x h w, P x C x 9."""
    return torch.stack([flat[:, centres + offset] for offset in _offsets(width)], -1).transpose(0, 1)


def _offsets(width: int) -> Iterable[int]:
    return [row * width + column for row in (-1, 0, 1) for column in (-1, 0, 1)]


def _whole(centres: Tensor) -> Tensor:
    """Without the positions at the edge."""
    inner = torch.zeros_like(centres)
    inner[1:-1, 1:-1] = centres[1:-1, 1:-1]
    return inner
