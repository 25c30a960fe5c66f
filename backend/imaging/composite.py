"""Putting a layer over a picture, as an editor does."""

from __future__ import annotations

import numpy as np

from .convert import full
from .crop import Box
from .mask import bounds

_STRIP = 256  # rows at a time


def paste(
    image: np.ndarray,
    layer_pixels: np.ndarray,
    offset: tuple[int, int],
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Lay `layer_pixels` over `image` in normal mode, with straight alpha.

    Where the layer's alpha is 0 every sample stays as it was, bit by bit; where it is full the sample
    is the layer's; between, colours are blended in the picture's own range and rounded correctly. A
    colour beneath that is NaN or infinite has no say in a blend.

    Args:
        image: H x W, or H x W x C with C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA).
        layer_pixels: h x w x 2 over gray, h x w x 4 over RGB, of the same dtype; the last channel is
            alpha.
        offset: x, y of the layer's left upper pixel in the picture; what lies outside is cut off.
        out: where to put the result; may be `image` itself, which is then changed in place. Only what
            the layer covers is touched in that case.

    Returns:
        `out`, or a new array of the image's shape.

    Raises:
        ValueError: shapes or dtypes do not fit.
    """
    pixels = image[..., None] if image.ndim == 2 else image
    channels = 4 if pixels.shape[2] > 2 else 2
    if layer_pixels.ndim != 3 or layer_pixels.shape[2] != channels or layer_pixels.dtype != image.dtype:
        raise ValueError(
            f"the layer must be {image.dtype} h x w x {channels}, "
            f"not {layer_pixels.dtype} {layer_pixels.shape}"
        )
    if out is None:
        out = image.copy()
    elif out.shape != image.shape or out.dtype != image.dtype:
        raise ValueError(f"out must be {image.dtype} {image.shape}, not {out.dtype} {out.shape}")
    elif out is not image:
        np.copyto(out, image)
    target = out[..., None] if out.ndim == 2 else out
    x, y = offset
    height, width = layer_pixels.shape[:2]
    for top in range(0, height, _STRIP):
        strip = layer_pixels[top : top + _STRIP]
        used = bounds(strip[..., -1])
        if used is None:
            continue
        place = Box(used.left + x, used.top + top + y, used.right + x, used.bottom + top + y)
        seen = place.meet(Box(0, 0, target.shape[1], target.shape[0]))
        if seen is not None:
            strip_box = Box(x, top + y, x + width, top + y + len(strip))
            _blend(target[seen.slices], strip[seen.within(strip_box)])
    return out


def _blend(below: np.ndarray, above: np.ndarray) -> None:
    """Blend h x w x C in place."""
    channels = below.shape[2]
    colours = above.shape[2] - 1
    opaque = full(below.dtype)
    alpha = above[..., -1]
    covered = alpha >= opaque
    np.copyto(below[..., :colours], above[..., :colours], where=covered[..., None])
    if channels > colours:
        np.copyto(below[..., -1], below.dtype.type(opaque), where=covered)
    between = (alpha > 0) & ~covered
    if not between.any():
        return
    top, base = above[between].astype(np.float64), below[between].astype(np.float64)
    share = top[:, -1:] / opaque
    there = base[:, colours:] / opaque if channels > colours else np.ones_like(share)
    there = np.where(np.isfinite(there), there, 0)
    finite = np.isfinite(base[:, :colours]).all(axis=1, keepdims=True)
    weight = np.where(finite, there * (1 - share), 0)
    under = np.where(finite, base[:, :colours], 0)
    base[:, :colours] = (top[:, :colours] * share + under * weight) / (share + weight)
    if channels > colours:
        base[:, colours:] = opaque * (share + there * (1 - share))
    below[between] = np.rint(base) if below.dtype.kind == "u" else base
