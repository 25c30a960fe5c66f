"""Qt as Krita has it: PyQt5 in Krita 5, PyQt6 in Krita 6. No other file names either.

Both are used in the way that both understand: enumerations with their full names, `exec` never.
"""

from __future__ import annotations

import sys

if "PyQt6" in sys.modules:  # a process has one Qt: whichever Krita has loaded already decides
    from PyQt6 import QtCore, QtGui, QtWidgets, sip
else:
    try:
        from PyQt5 import QtCore, QtGui, QtWidgets, sip
    except ImportError:
        from PyQt6 import QtCore, QtGui, QtWidgets, sip

__all__ = ["QtCore", "QtGui", "QtWidgets", "alive"]


def alive(thing: object) -> bool:
    """True if a Qt object still exists behind its Python name: windows are destroyed without asking."""
    return thing is not None and not sip.isdeleted(thing)
