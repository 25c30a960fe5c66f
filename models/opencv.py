"""OpenCV's two classical fills, for those who know and want them. OpenCV is an optional extra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .base import Cancel, Cancelled, Card, FillError, Model, Param, Progress

_RADIUS = Param(
    "radius",
    "int",
    5,
    "Radius",
    "How far around every pixel the fill looks.",
    minimum=1,
    maximum=64,
    unit="px",
)
_NOTE = "Needs the optional library OpenCV."


class _OpenCv(Model):
    """What both have in common: cv2.inpaint, which works on 8 bits a channel and ignores sources."""

    _flag = ""

    def __init__(self, device: str = "cpu") -> None:
        """
        Args:
            device: ignored; it runs on the CPU.

        Raises:
            FillError: `missing-library`, OpenCV is not installed.
        """
        super().__init__("cpu")
        try:
            import cv2
        except ImportError as problem:
            raise FillError(
                "missing-library",
                f"{self.card.title} needs OpenCV, which is not installed.",
                "Choose another model, or install it with: pip install opencv-python-headless",
            ) from problem
        self._cv2 = cv2

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
        if cancel():
            raise Cancelled
        pixels = np.ascontiguousarray(np.rint(image.transpose(1, 2, 0).clip(0, 1) * 255), dtype=np.uint8)
        filled = self._cv2.inpaint(
            pixels, hole.astype(np.uint8), params["radius"], getattr(self._cv2, self._flag)
        )
        progress(1.0, "filling")
        return np.ascontiguousarray(filled.transpose(2, 0, 1), dtype=np.float32) / 255


class Telea(_OpenCv):
    """Fast marching from the rim inwards."""

    _flag = "INPAINT_TELEA"

    card = Card(
        name="telea",
        title="Telea (OpenCV)",
        sentence=f"Smears the rim of a hole inwards, very fast; for scratches and dust. {_NOTE}",
        paper="Telea 2004, An image inpainting technique based on the fast marching method",
        licence="Apache-2.0 (OpenCV)",
        good_at=("scratch",),
        params=(_RADIUS,),
        context_factor=0.0,
        context_minimum=64,
    )


class NavierStokes(_OpenCv):
    """Isophotes carried into the hole as a fluid's flow."""

    _flag = "INPAINT_NS"

    card = Card(
        name="navier-stokes",
        title="Navier-Stokes (OpenCV)",
        sentence=f"Continues lines of equal brightness into a hole; for scratches and dust. {_NOTE}",
        paper="Bertalmio et al. 2001, Navier-Stokes, fluid dynamics, and image and video inpainting",
        licence="Apache-2.0 (OpenCV)",
        good_at=("scratch",),
        params=(_RADIUS,),
        context_factor=0.0,
        context_minimum=64,
    )
