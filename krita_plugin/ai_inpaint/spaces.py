"""Krita's colour spaces, and what may travel of them."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Tuple

_SAMPLES = {"U8": "u1", "U16": "u2", "F16": "f2", "F32": "f4"}
_SRGB = "sRGB-elle-V2-srgbtrc.icc"


class Space(NamedTuple):
    """A colour space by Krita's names, such as ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")."""

    model: str
    depth: str
    profile: str

    @property
    def format(self) -> Optional[Tuple[str, str]]:
        """Layout and sample type of its pixels as Krita stores them, or None if they cannot travel so.

        Krita's integer RGB is stored as blue, green, red, alpha; its float RGB begins with red.
        """
        if self.depth not in _SAMPLES:
            return None
        if self.model == "GRAYA":
            return "LA", _SAMPLES[self.depth]
        if self.model == "RGBA":
            return ("RGBA" if self.depth.startswith("F") else "BGRA"), _SAMPLES[self.depth]
        return None

    @property
    def travelling(self) -> Space:
        """The space in which its pixels travel: itself, or for CMYK, Lab and others sRGB."""
        if self.format is not None:
            return self
        return Space("RGBA", "F32" if self.depth.startswith("F") else "U16", _SRGB)


STROKES = Space("RGBA", "U8", _SRGB)
"""Guidance layers are read in this one."""

PIXEL_BYTES: Dict[str, int] = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}
"""Bytes of one sample of a depth."""
