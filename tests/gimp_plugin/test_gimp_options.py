"""The arguments of GIMP's procedures: read, written, refused. No GIMP is needed for it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pipeline import PARAMS
from backend.wire.errors import BAD_PARAM, InpaintError

FOLDER = Path(__file__).resolve().parents[2] / "gimp_plugin" / "ai-inpaint"


def load(name: str) -> ModuleType:
    """A module of the plug-in, whose folder is no package."""
    spec = importlib.util.spec_from_file_location(f"gimp_plug_in_{name}", FOLDER / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up there
    spec.loader.exec_module(module)
    return module


options = load("options")


class Procedure:
    """Keeps what `declare` gives to GIMP."""

    def __init__(self) -> None:
        self.arguments: dict[str, Any] = {}

    def add_string_argument(self, name: str, title: str, words: str, default: str, _: object) -> None:
        self.arguments[name] = default

    def add_int_argument(
        self, name: str, title: str, words: str, low: int, high: int, default: int, _: object
    ) -> None:
        assert low <= default <= high
        self.arguments[name] = default

    def add_boolean_argument(self, name: str, title: str, words: str, default: bool, _: object) -> None:
        assert type(default) is bool
        self.arguments[name] = default


def defaults(**changes: Any) -> dict[str, Any]:
    procedure = Procedure()
    options.declare(procedure, None)
    assert set(procedure.arguments) == set(options.ARGUMENTS)
    return {**procedure.arguments, **changes}


def test_the_arguments_are_the_shared_settings_with_their_defaults() -> None:
    assert options.read(defaults()).values == {param.name: param.default for param in PARAMS}
    assert {name: title for name, _, title, _ in options.SHARED} == {
        param.name: param.title for param in PARAMS
    }


def test_what_a_caller_leaves_empty_takes_the_default() -> None:
    read = options.read(defaults(model="", source=None, guidance=None, params=" "))
    assert read == options.read(defaults())
    assert (read.model, read.source, read.sample_from) == ("auto", "layer", "")


def test_a_models_own_settings_and_guidance_travel_as_json() -> None:
    read = options.read(
        defaults(params='{"refine": true, "steps": 3}', guidance='{"sketch": "Strichle äöü", "colour": ""}')
    )
    assert (read.values["refine"], read.values["steps"], read.values["grow"]) == (True, 3, 4)
    assert read.guidance == {"sketch": "Strichle äöü"}


texts = st.text(max_size=8)


@given(
    st.dictionaries(st.text("abc_", min_size=1), st.one_of(texts, st.booleans(), st.integers(-9, 9))),
    st.dictionaries(st.text("sketch", min_size=1), st.text(min_size=1, max_size=8)),
    st.sampled_from(["layer", "visible"]),
    texts,
    st.integers(0, options.LARGEST),
)
def test_written_is_read_again(
    own: dict[str, Any], guidance: dict[str, str], source: str, sample_from: str, seed: int
) -> None:
    shared = {name: default for name, default, _, _ in options.SHARED}
    values = {**own, **shared, "seed": seed}
    asked = options.Options("patchmatch", source, sample_from, guidance, values)
    assert options.read(options.written(asked)) == asked


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "elsewhere"},
        {"params": "{"},
        {"params": "[1]"},
        {"params": '"grow"'},
        {"guidance": "sketch"},
        {"guidance": '{"sketch": 3}'},
        {"params": "[" * 100_000},
    ],
    ids=lambda changes: str(changes)[:30],
)
def test_nonsense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InpaintError) as caught:
        options.read(defaults(**changes))
    assert caught.value.code == BAD_PARAM
    assert next(iter(changes)) in caught.value.message
