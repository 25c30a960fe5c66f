"""AI Inpaint for Krita: fills what is selected, as a new layer.

Inside Krita this registers the menu Filter ▸ AI Inpaint; anywhere else the package can be imported for what
does not need Krita. The folder `backend` beside this file (protocol and client) and the folder `vendor` (zmq
and msgpack for Krita's Python) are put there by install.py.
"""

import importlib.util
import os
import sys

_VENDOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vendor")

if os.path.isdir(_VENDOR) and _VENDOR not in sys.path:
    sys.path.append(_VENDOR)  # last, so that what Krita's Python has of its own comes first

if importlib.util.find_spec("krita") is not None:
    from .extension import register

    register()
