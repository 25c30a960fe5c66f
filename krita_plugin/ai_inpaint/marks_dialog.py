"""The dialog that asks for the colour of the marks."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping

from .backend.client import form
from .fields import Field, field
from .qt import QtGui, QtWidgets
from .windows import Dialog


class MarksDialog(Dialog):
    """Asks for colour and tolerance. It is window-modal and waits for nobody."""

    def __init__(
        self,
        parent: Any,
        values: Mapping[str, Any],
        foreground: Callable[[], str],
        accept: Callable[[Dict[str, Any]], None],
    ) -> None:
        """Show it.

        Args:
            parent: window of Krita, or None.
            values: by the names of `form.MARKS`, to begin with.
            foreground: gives the colour that the user paints with, as rrggbb; "" if there is none.
            accept: called with what was chosen, after the dialog has gone.
        """
        self._foreground = foreground
        self._accept = accept
        super().__init__(parent, "ai_inpaint_marks", "Select Marks of a Colour")
        self._swatch = QtWidgets.QLabel()
        self._swatch.setObjectName("swatch")
        self._swatch.setFixedWidth(28)
        self._fields: List[Field] = []
        rows = QtWidgets.QFormLayout()
        for spec in form.MARKS:
            one = field(spec, values[str(spec["name"])])
            one.widget.setToolTip(one.help)
            self._fields.append(one)
            rows.addRow(one.title, self._with_button(one) if one.name == "colour" else one.widget)
        buttons = QtWidgets.QDialogButtonBox()
        role = QtWidgets.QDialogButtonBox.ButtonRole
        select = buttons.addButton("Select", role.AcceptRole)
        defaults = buttons.addButton("Defaults", role.ResetRole)
        defaults.setAutoDefault(False)
        buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self._ok)
        buttons.rejected.connect(self._window.reject)
        defaults.clicked.connect(self._reset)
        layout = QtWidgets.QVBoxLayout(self._window)
        layout.addLayout(rows)
        layout.addWidget(buttons)
        select.setDefault(True)  # what Return presses
        self._window.open()

    def _with_button(self, colour: Field) -> Any:
        """The colour with a view of it, and a button that takes the one in use."""
        box = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._swatch)
        row.addWidget(colour.widget, 1)
        button = QtWidgets.QPushButton("Foreground")
        button.setObjectName("foreground")
        button.setToolTip("The colour that is painted with.")
        button.setAutoDefault(False)
        button.clicked.connect(lambda: colour.set(self._foreground() or colour.get()))
        row.addWidget(button)
        colour.widget.textChanged.connect(self._show)
        self._show(colour.get())
        return box

    def _show(self, text: str) -> None:
        colour = QtGui.QColor("#" + text.strip().lstrip("#"))
        style = f"background: {colour.name()}; border: 1px solid gray" if colour.isValid() else ""
        self._swatch.setStyleSheet(style)

    def _reset(self) -> None:
        for one in self._fields:
            one.set(one.default)

    def _ok(self) -> None:
        values = {one.name: one.get() for one in self._fields}
        self._window.accept()
        self._accept(values)
