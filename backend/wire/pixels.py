"""The pixel formats that may travel.

A picture's buffer is rows of pixels from the top, without gaps; a pixel is its channels in the order
of the layout; a sample is little-endian.
"""

from __future__ import annotations

from typing import Dict

LAYOUTS: Dict[str, int] = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "BGRA": 4}
"""Layout name to number of channels. BGRA is what Krita's integer pictures hold."""

REPLY_LAYOUTS: Dict[str, str] = {"L": "LA", "LA": "LA", "RGB": "RGBA", "RGBA": "RGBA", "BGRA": "BGRA"}
"""Layout of a picture to layout of the patch that answers it: the same order, with alpha."""

SAMPLE_BYTES: Dict[str, int] = {"u1": 1, "u2": 2, "f2": 2, "f4": 4}
"""Sample type to bytes: unsigned integers over their whole range, floats with 0 black and 1 white."""
