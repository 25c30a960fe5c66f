"""Widgets for settings: one for each kind that a model's card can ask for."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence, Tuple

from gi.repository import Gtk

Spec = Mapping[str, Any]
Changed = Callable[[], None]


class Choice:
    """A list to choose a text from, each with a name for people."""

    def __init__(self, options: Sequence[Tuple[str, str]], changed: Changed) -> None:
        """`options` are values and titles; `changed` is called when the user, or `set`, changes it."""
        self.widget = Gtk.ComboBoxText(hexpand=True)
        self._values = [value for value, _ in options]
        for value, title in options:
            self.widget.append(value, title)
        self.widget.connect("changed", lambda _: changed())
        # A wheel that scrolls the dialog must not change what it passes over.
        self.widget.connect("scroll-event", lambda *_: True)

    def retitle(self, value: str, title: str) -> None:
        """Call `value` something else, without choosing anything."""
        self.widget.get_model()[self._values.index(value)][0] = title

    def get(self) -> str:
        """The chosen value."""
        return self.widget.get_active_id() or ""

    def set(self, value: Any) -> None:
        """Choose `value`, or the first if it is none of the list."""
        self.widget.set_active(self._values.index(value) if value in self._values else 0)


class _Number:
    def __init__(self, spec: Spec, changed: Changed) -> None:
        whole = spec["kind"] == "int"
        low, high = spec.get("minimum"), spec.get("maximum")
        low, high = -1e9 if low is None else low, 1e9 if high is None else high
        step = 1 if whole else (high - low) / 100 or 0.01
        self.widget = Gtk.SpinButton.new_with_range(low, high, step)
        self.widget.set_digits(0 if whole else 3)
        self.widget.set_activates_default(True)
        self.widget.set_hexpand(True)
        self.widget.connect("value-changed", lambda _: changed())
        self._whole = whole

    def get(self) -> float:
        return self.widget.get_value_as_int() if self._whole else round(self.widget.get_value(), 6)

    def set(self, value: Any) -> None:
        self.widget.set_value(value)


class _Switch:
    def __init__(self, _: Spec, changed: Changed) -> None:
        self.widget = Gtk.CheckButton()
        self.widget.connect("toggled", lambda _: changed())

    def get(self) -> bool:
        return self.widget.get_active()

    def set(self, value: Any) -> None:
        self.widget.set_active(bool(value))


class _Text:
    def __init__(self, _: Spec, changed: Changed) -> None:
        self.widget = Gtk.Entry(activates_default=True, hexpand=True)
        self.widget.connect("changed", lambda _: changed())

    def get(self) -> str:
        return self.widget.get_text()

    def set(self, value: Any) -> None:
        self.widget.set_text(str(value))


def make(spec: Spec, changed: Changed) -> Any:
    """The widget for a setting.

    Args:
        spec: as in `wire.params`.
        changed: called when the user, or `set`, changes it.

    Returns:
        With `widget`, `get` and `set`.
    """
    if spec["kind"] == "choice":
        return Choice(
            [(choice, choice.replace("-", " ").capitalize()) for choice in spec["choices"]], changed
        )
    return {"int": _Number, "float": _Number, "bool": _Switch, "text": _Text}[spec["kind"]](spec, changed)


def label(spec: Spec) -> str:
    """What stands before the widget."""
    unit = spec.get("unit")
    return "{} ({}):".format(spec["title"], unit) if unit else "{}:".format(spec["title"])
