"""Small windows: progress, and sentences. None of them stops the user from working on."""

from __future__ import annotations

from typing import Any, Callable, List, Optional

from . import words
from .qt import QtCore, QtWidgets, alive

_AFTER = 400  # ms; what is done sooner needs no window
_STEPS = 1000

_boxes: List[Any] = []  # Qt keeps no window that Python has forgotten


class ProgressWindow:
    """Says what is being done, and can be cancelled."""

    def __init__(self, parent: Any, text: str, cancel: Callable[[], None]) -> None:
        """`cancel` is called when the user presses the button, or closes the window."""
        self._window = QtWidgets.QProgressDialog(text, "Cancel", 0, 0, parent)
        window = self._window
        window.setObjectName("ai_inpaint_progress")
        window.setWindowTitle(words.TITLE)
        window.setWindowModality(QtCore.Qt.WindowModality.NonModal)
        # It must not take the keyboard from somebody who is painting.
        window.setAttribute(QtCore.Qt.WidgetAttribute.WA_ShowWithoutActivating)
        window.setAutoClose(False)
        window.setAutoReset(False)
        window.setMinimumWidth(360)
        window.setMinimumDuration(_AFTER)
        window.canceled.connect(cancel)

    def show(self, text: str, fraction: Optional[float]) -> None:
        """Show how far it is; a bar that only moves where nobody knows."""
        if not alive(self._window):
            return  # its parent, a window of Krita, was closed
        self._window.setLabelText(text)
        if fraction is None:
            self._window.setRange(0, 0)
        else:
            self._window.setRange(0, _STEPS)
            self._window.setValue(int(fraction * _STEPS))

    def close(self) -> None:
        """Take it away."""
        if alive(self._window):
            self._window.blockSignals(True)  # closing is cancelling, else
            self._window.close()
            self._window.deleteLater()


class Dialog:
    """A dialog of ours. It is window-modal and waits for nobody."""

    def __init__(self, parent: Any, name: str, title: str) -> None:
        """Make an empty one; whoever fills it opens `_window`."""
        self._window = QtWidgets.QDialog(parent)
        self._window.setObjectName(name)
        self._window.setWindowTitle(title)
        self._window.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)

    @property
    def shown(self) -> bool:
        """False once it was closed."""
        return alive(self._window) and self._window.isVisible()

    def raise_(self) -> None:
        """Bring it to the front."""
        self._window.raise_()
        self._window.activateWindow()


def say(parent: Any, text: str, warning: bool = True) -> None:
    """Show a sentence that the user reads when it suits him."""
    kind = QtWidgets.QMessageBox.Icon
    _box(parent, text, kind.Warning if warning else kind.Information).open()


def ask(parent: Any, text: str, yes: str, agreed: Callable[[], None]) -> None:
    """Ask whether to go on; `agreed` is called if the user presses the button named `yes`."""
    box = _box(parent, text, QtWidgets.QMessageBox.Icon.Question)
    button = box.addButton(yes, QtWidgets.QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QtWidgets.QMessageBox.StandardButton.Cancel)
    button.clicked.connect(lambda *_: agreed())
    box.open()


def _box(parent: Any, text: str, icon: Any) -> Any:
    box = QtWidgets.QMessageBox(parent)
    box.setObjectName("ai_inpaint_message")
    box.setWindowTitle(words.TITLE)
    box.setIcon(icon)
    box.setTextFormat(QtCore.Qt.TextFormat.PlainText)
    box.setText(text)
    box.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
    _boxes[:] = [other for other in _boxes if alive(other)]
    _boxes.append(box)
    return box
