"""The dialog: builds itself from the models' cards, and remembers everything per model."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from . import words
from .backend.client import form
from .backend.client.form import Choice, Form
from .fields import Field, field
from .fill import Wish
from .picture import THIS_LAYER, VISIBLE, Layer, Picture
from .preview import Preview
from .qt import QtCore, QtWidgets, alive
from .windows import Dialog

_ANYWHERE = "Anywhere"
_NONE = "None"
_SAMPLE_HELP = "The fill is taken only from where this layer is opaque, or from what this selection selects."


class InpaintDialog(Dialog):
    """Asks how to fill. It is window-modal and waits for nobody: `accept` is called with the wish."""

    def __init__(
        self,
        parent: Any,
        offer: Form,
        remembered: Callable[[str], Wish],
        picture: Picture,
        accept: Callable[[Wish], None],
        fetch: Callable[[Choice], None],
    ) -> None:
        """Show it.

        Args:
            parent: window of Krita, or None.
            offer: models and settings.
            remembered: gives the wish to begin with for a model.
            picture: whose layers can be chosen.
            accept: called with what was chosen, after the dialog has gone.
            fetch: called with a model that is to be fetched.
        """
        self._offer = offer
        self._remembered = remembered
        self._accept = accept
        self._fetch = fetch
        self._preview = Preview(picture)
        self._layers = _entries(picture.layers())
        self._places = _entries(picture.places())
        self._wishes: Dict[str, Wish] = {}  # of the models that were looked at while the dialog is open
        self._fields: List[Field] = []
        self._model = ""
        super().__init__(parent, "ai_inpaint_dialog", words.TITLE)
        self._build()
        self._window.open()

    def close(self) -> None:
        """Take it away."""
        if alive(self._window):
            self._window.close()

    def update(self, offer: Form) -> None:
        """Show what the backend offers now, as after a model was fetched."""
        if not self.shown:
            return
        self._keep()
        self._offer = offer
        self._fill_models(self._model)
        self._show_model()

    # How it is built

    def _build(self) -> None:
        self._models = QtWidgets.QComboBox()
        self._models.setObjectName("model")
        self._sentence = QtWidgets.QLabel()
        self._sentence.setWordWrap(True)
        self._get = QtWidgets.QPushButton("Fetch…")
        self._get.setObjectName("fetch")
        self._get.setAutoDefault(False)
        self._get.clicked.connect(self._fetch_model)
        self._rows = QtWidgets.QWidget()
        scroll = QtWidgets.QScrollArea()
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidgetResizable(True)
        self._scroll = scroll
        buttons = QtWidgets.QDialogButtonBox()
        role = QtWidgets.QDialogButtonBox.ButtonRole
        self._go = buttons.addButton("Inpaint", role.AcceptRole)
        self._go.setObjectName("inpaint")
        defaults = buttons.addButton("Defaults", role.ResetRole)
        defaults.setAutoDefault(False)
        buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self._ok)
        buttons.rejected.connect(self._window.reject)
        defaults.clicked.connect(self._reset)
        layout = QtWidgets.QVBoxLayout(self._window)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._models, 1)
        row.addWidget(self._get)
        layout.addLayout(row)
        layout.addWidget(self._sentence)
        layout.addWidget(self._preview.widget)
        layout.addWidget(scroll, 1)
        layout.addWidget(buttons)
        self._go.setDefault(True)  # what Return presses
        self._fill_models(self._offer.model)
        self._models.currentIndexChanged.connect(self._other_model)
        self._show_model()
        # As high as its rows, where the screen has room for that.
        hint = self._rows.sizeHint()
        scroll.setMinimumWidth(max(420, hint.width() + 24))
        height = min(hint.height() + self._preview.height + 170, 820)
        self._window.resize(self._window.sizeHint().width(), height)

    def _fill_models(self, chosen: str) -> None:
        self._models.blockSignals(True)
        self._models.clear()
        for choice in self._offer.models:
            text = choice.title if choice.installed else f"{choice.title} (not fetched yet)"
            self._models.addItem(text, choice.name)
        self._models.setCurrentIndex(max(self._models.findData(chosen), 0))
        self._models.blockSignals(False)

    def _choice(self) -> Choice:
        name = self._models.currentData()
        return next(choice for choice in self._offer.models if choice.name == name)

    def _show_model(self) -> None:
        """Build the rows of the model that is chosen."""
        choice = self._choice()
        self._model = choice.name
        self._sentence.setText(choice.sentence)
        self._get.setVisible(not choice.installed)
        self._go.setEnabled(choice.installed)
        self._go.setToolTip("" if choice.installed else "Fetch the model first.")
        wish = self._wishes.get(choice.name) or self._remembered(choice.name)
        self._rows = QtWidgets.QWidget()
        rows = QtWidgets.QFormLayout(self._rows)
        rows.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._source = _combo(
            "source", [("This layer", THIS_LAYER), ("All visible", VISIBLE), *self._layers], wish.source
        )
        rows.addRow("Fill from", self._source)
        _explain(rows, self._source, "What is looked at; a fill that is active counts as all visible.")
        self._sample: Optional[Any] = None
        if self._offer.takes_source(choice.name):
            self._sample = _combo("sample_from", [(_ANYWHERE, ""), *self._places], wish.sample_from)
            rows.addRow("Sample only from", self._sample)
            _explain(rows, self._sample, _SAMPLE_HELP)
        self._guidance: Dict[str, Any] = {}
        for name in self._offer.guidance(choice.name):
            combo = _combo("guidance_" + name, [(_NONE, ""), *self._layers], wish.guidance.get(name, ""))
            self._guidance[name] = combo
            rows.addRow(f"{name[:1].upper()}{name[1:]} layer", combo)
            _explain(rows, combo, f"A layer with your {name}, which the fill follows.")
        self._fields = []
        for spec in self._offer.fields(choice.name):
            one = field(spec, wish.values.get(spec["name"], spec["default"]))
            if one.name == "grow":
                one.widget.valueChanged.connect(self._preview.show)
                self._preview.show(one.get())
            self._fields.append(one)
            rows.addRow(one.title, self._with_button(one) if one.name == "seed" else one.widget)
            _explain(rows, one.widget, one.help)
        self._scroll.setWidget(self._rows)

    def _with_button(self, seed: Field) -> Any:
        """The seed with a button that finds another one."""
        box = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(seed.widget, 1)
        button = QtWidgets.QPushButton("New")
        button.setObjectName("new_seed")
        button.setAutoDefault(False)
        button.clicked.connect(lambda: seed.set(form.new_seed()))
        row.addWidget(button)
        return box

    # What the user does

    def _wish(self) -> Wish:
        guidance = {name: combo.currentData() for name, combo in self._guidance.items()}
        return Wish(
            self._model,
            {one.name: one.get() for one in self._fields},
            self._source.currentData(),
            self._sample.currentData() if self._sample is not None else "",
            {name: layer for name, layer in guidance.items() if layer},
        )

    def _keep(self) -> None:
        self._wishes[self._model] = self._wish()

    def _other_model(self, _: int) -> None:
        self._keep()
        self._show_model()

    def _reset(self) -> None:
        for one in self._fields:
            one.set(one.default)
        for combo in [self._source, self._sample, *self._guidance.values()]:
            if combo is not None:
                combo.setCurrentIndex(0)

    def _fetch_model(self) -> None:
        self._keep()
        self._fetch(self._choice())

    def _ok(self) -> None:
        wish = self._wish()
        self._window.accept()
        self._accept(wish)


def _entries(layers: List[Layer]) -> List[Tuple[str, str]]:
    """What a list shows of layers, and their ids."""
    return [("  " * layer.depth + layer.name, layer.id) for layer in layers]


def _combo(name: str, entries: List[Tuple[str, str]], chosen: str) -> Any:
    combo = QtWidgets.QComboBox()
    combo.setObjectName(name)
    # A long layer name must not make the dialog as wide as the screen.
    combo.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(16)
    for text, data in entries:
        combo.addItem(text, data)
    combo.setCurrentIndex(max(combo.findData(chosen), 0))
    return combo


def _explain(rows: Any, widget: Any, text: str) -> None:
    """A tool-tip for a row: its label and its widget."""
    widget.setToolTip(text)
    label = rows.labelForField(widget) or rows.labelForField(widget.parentWidget())
    if label is not None:
        label.setToolTip(text)
