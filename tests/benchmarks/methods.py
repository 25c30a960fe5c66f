"""The methods that are compared, ours and the peers', behind one signature.

A method takes a picture (uint8, H x W x 3, RGB) and a hole (bool, H x W) and returns the filled
picture, uint8 like the input. Imports happen on first use, so that measuring one method's memory
does not load the others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def ours_auto(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The whole pipeline, a model chosen for each hole."""
    import backend

    return backend.inpaint(image, hole, model="auto", grow=0, feather=0)


def ours_patchmatch(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The PatchMatch model alone, on the context that its card asks for."""
    from models.patchmatch import PatchMatch

    return _by_model(PatchMatch(), image, hole)


def ours_smooth(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The smooth fill alone, on the context that its card asks for."""
    from models.smooth import SmoothFill

    return _by_model(SmoothFill(), image, hole)


def pypatchmatch(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """PyPatchMatch, patches of radius 3."""
    from patchmatch import patch_match

    return patch_match.inpaint(image, hole.astype(np.uint8) * 255, patch_size=3)


def telea(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """OpenCV's fast marching inpainting (Telea 2004), radius 3."""
    import cv2

    return cv2.inpaint(image, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)


def navier_stokes(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """OpenCV's Navier-Stokes inpainting (Bertalmio 2001), radius 3."""
    import cv2

    return cv2.inpaint(image, hole.astype(np.uint8), 3, cv2.INPAINT_NS)


def biharmonic(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """scikit-image's biharmonic inpainting, its regions solved apart as it advises."""
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(image, hole, split_into_regions=True, channel_axis=-1)
    return _to_bytes(filled)


OURS: dict[str, Method] = {
    "auto": ours_auto,
    "patchmatch": ours_patchmatch,
    "smooth": ours_smooth,
}
PEERS: dict[str, Method] = {
    "pypatchmatch": pypatchmatch,
    "Telea": telea,
    "Navier-Stokes": navier_stokes,
    "biharmonic": biharmonic,
}
METHODS: dict[str, Method] = {**OURS, **PEERS}
REFERENCE = "pypatchmatch"
"""The peer that ratios are taken to."""


def find(name: str) -> Method:
    """A method of `METHODS`, or the fill of any other model that is here, by the name `run --model` takes.

    Raises:
        FillError: there is no such model, or no weights for it.
    """
    import backend
    import models

    if name in METHODS:
        return METHODS[name]
    models.load(name)
    return lambda image, hole: backend.inpaint(image, hole, model=name, grow=0, feather=0)


def spoil(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """A copy whose hole is magenta: a method that peeks into the hole gives itself away."""
    spoilt = image.copy()
    spoilt[hole] = (255, 0, 255)
    return spoilt


def _by_model(model, image: np.ndarray, hole: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    longer = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    margin = max(model.card.context_minimum, round(model.card.context_factor * longer))
    box = (
        slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
        slice(max(0, columns[0] - margin), columns[-1] + 1 + margin),
    )
    context = np.ascontiguousarray(image[box].transpose(2, 0, 1), dtype=np.float32) / 255
    filled = model.fill(context[None], hole[box][None, None])[0]
    result = image.copy()
    result[box][hole[box]] = _to_bytes(filled.transpose(1, 2, 0))[hole[box]]
    return result


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
