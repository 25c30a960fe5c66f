"""The AI Inpaint backend: protocol, client, server, workers, pipeline and command line.

Importing this package costs nothing: the parts import what they need themselves, so that an editor
plugin can carry `backend.wire` and `backend.client` alone.

    import backend
    filled = backend.inpaint(image, mask, model="auto", grow=4, seed=0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import inpaint as inpaint

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "inpaint":
        from .api import inpaint

        return inpaint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
