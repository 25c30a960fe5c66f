"""One widget for one setting, whatever kind its spec has."""

from __future__ import annotations

from typing import Any, Callable

from .backend.wire.params import Spec
from .qt import QtWidgets

_LARGEST = 2**31 - 1  # of a spin box


class Field:
    """A setting in the dialog."""

    def __init__(
        self, spec: Spec, widget: Any, get: Callable[[], Any], set: Callable[[Any], None], value: Any
    ) -> None:
        self.name = str(spec["name"])
        self.title = str(spec.get("title") or self.name)
        self.help = str(spec.get("help", ""))
        self.default = spec["default"]
        self.widget = widget
        self.get = get
        self.set = set
        widget.setObjectName(self.name)
        set(value)


def field(spec: Spec, value: Any) -> Field:
    """The field for a spec, showing `value`."""
    return _MAKERS.get(spec["kind"], _text)(spec, value)


def _int(spec: Spec, value: Any) -> Field:
    box = QtWidgets.QSpinBox()
    low, high = spec.get("minimum"), spec.get("maximum")
    box.setRange(
        -_LARGEST if low is None else max(int(low), -_LARGEST),
        _LARGEST if high is None else min(int(high), _LARGEST),
    )
    _unit(box, spec)
    if spec["name"] == "context" and low == 0:
        box.setSpecialValueText("Automatic")
    return Field(spec, box, box.value, lambda number: box.setValue(min(int(number), _LARGEST)), value)


def _float(spec: Spec, value: Any) -> Field:
    box = QtWidgets.QDoubleSpinBox()
    low, high = spec.get("minimum"), spec.get("maximum")
    low, high = -1e9 if low is None else float(low), 1e9 if high is None else float(high)
    box.setDecimals(3)
    box.setRange(low, high)
    # Some dozens of steps over a range that is known.
    box.setSingleStep(0.1 if high - low > 100 else max(round((high - low) / 50, 3), 0.001))
    _unit(box, spec)
    return Field(spec, box, box.value, lambda number: box.setValue(float(number)), value)


def _bool(spec: Spec, value: Any) -> Field:
    box = QtWidgets.QCheckBox()
    return Field(spec, box, box.isChecked, lambda on: box.setChecked(bool(on)), value)


def _choice(spec: Spec, value: Any) -> Field:
    box = QtWidgets.QComboBox()
    for choice in spec["choices"]:
        box.addItem(str(choice), choice)
    return Field(
        spec, box, box.currentData, lambda choice: box.setCurrentIndex(max(box.findData(choice), 0)), value
    )


def _text(spec: Spec, value: Any) -> Field:
    line = QtWidgets.QLineEdit()
    return Field(spec, line, line.text, lambda text: line.setText(str(text)), value)


def _unit(box: Any, spec: Spec) -> None:
    if spec.get("unit"):
        box.setSuffix(" " + str(spec["unit"]))


_MAKERS = {"int": _int, "float": _float, "bool": _bool, "choice": _choice, "text": _text}
