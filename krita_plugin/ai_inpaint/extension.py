"""The menu Filter ▸ AI Inpaint."""

from __future__ import annotations

from typing import Any, Dict, Optional

from krita import Extension, Krita

from .qt import QtWidgets

_MENU = "ai_inpaint_menu"
_ENTRIES = {
    "ai_inpaint_selection": ("Inpaint Selection", "inpaint"),
    "ai_inpaint_dialog": ("Inpaint Selection…", "choose"),
    "ai_inpaint_repeat": ("Repeat with New Seed", "repeat"),
    "ai_inpaint_sketch": ("New Sketch Layer from Picture", "sketch"),
    "ai_inpaint_marks": ("Select Marks of a Colour…", "select_marks"),
    "ai_inpaint_mosaics": ("Select Mosaics", "select_mosaics"),
    "ai_inpaint_backend": ("Start or Stop Backend", "start_or_stop"),
    "ai_inpaint_status": ("Status", "status"),
}


class AiInpaint(Extension):
    """Registers the entries in every window. They are never grey: what cannot be done says why."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self._controller: Optional[Any] = None
        self._problem = ""

    def setup(self) -> None:
        """Called by Krita once, before there is a window."""
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        notifier.applicationClosing.connect(self._close)

    def createActions(self, window: Any) -> None:
        """Called by Krita for every window."""
        top = window.createAction(_MENU, "AI Inpaint", "filter")
        menu = QtWidgets.QMenu(_MENU, window.qwindow())
        top.setMenu(menu)
        actions: Dict[str, Any] = {}
        for name, (text, method) in _ENTRIES.items():
            action = window.createAction(name, text, f"filter/{_MENU}")
            action.triggered.connect(lambda *_, method=method: self._do(method))
            actions[name] = action
        menu.aboutToShow.connect(lambda: self._name(actions["ai_inpaint_backend"]))

    def _do(self, method: str) -> None:
        controller = self._get()
        if controller is None:
            parent = Krita.instance().activeWindow()
            QtWidgets.QMessageBox.warning(parent.qwindow() if parent else None, "AI Inpaint", self._problem)
        else:
            getattr(controller, method)()

    def _get(self) -> Optional[Any]:
        """The controller, made when first needed: an incomplete installation must not cost the menu."""
        if self._controller is None:
            try:
                from .controller import Controller
                from .host import KritaHost
            except ImportError as problem:
                self._problem = (
                    f"AI Inpaint is not installed completely: {problem.name or problem} is missing.\n\n"
                    "Run python3 install.py in its folder again, then restart Krita."
                )
                return None
            self._controller = Controller(KritaHost())
        return self._controller

    def _name(self, action: Any) -> None:
        controller = self._get()
        running = controller is not None and controller.running()
        action.setText("Stop Backend" if running else "Start Backend")

    def _close(self) -> None:
        if self._controller is not None:
            self._controller.close()


def register() -> None:
    """Add the extension to Krita."""
    krita = Krita.instance()
    krita.addExtension(AiInpaint(krita))
