"""Settings: what passes, what it becomes, and what is said of the rest."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.wire.errors import BAD_PARAM, UNKNOWN_MODEL, InpaintError
from backend.wire.params import check, check_all, check_settings, describe

GROW = {"name": "grow", "kind": "int", "default": 4, "minimum": 0, "maximum": 64}
STRENGTH = {"name": "strength", "kind": "float", "default": 0.5, "minimum": 0.0, "maximum": 1.0}
SEAM = {"name": "seam", "kind": "choice", "default": "on", "choices": ["on", "off"]}
TILE = {"name": "tile", "kind": "bool", "default": False}
NOTE = {"name": "note", "kind": "text", "default": ""}
FREE = {"name": "free", "kind": "float", "default": 0.0}
SPECS = [GROW, STRENGTH, SEAM, TILE, NOTE, FREE]


@pytest.mark.parametrize(
    ("spec", "value", "becomes"),
    [
        (GROW, 0, 0),
        (GROW, 64, 64),
        (GROW, 7.0, 7),
        (STRENGTH, 1, 1.0),
        (STRENGTH, 0.25, 0.25),
        (SEAM, "off", "off"),
        (TILE, True, True),
        (NOTE, "", ""),
        (FREE, -1e300, -1e300),
    ],
)
def test_good_values(spec: dict[str, Any], value: Any, becomes: Any) -> None:
    got = check(spec, value)
    assert got == becomes and type(got) is type(becomes)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (GROW, -1),
        (GROW, 65),
        (GROW, 7.5),
        (GROW, "7"),
        (GROW, True),
        (GROW, None),
        (GROW, math.nan),
        (GROW, math.inf),
        (GROW, 10**400),
        (STRENGTH, 1.01),
        (STRENGTH, math.nan),
        (STRENGTH, False),
        (SEAM, "maybe"),
        (SEAM, 0),
        (SEAM, ["on"]),
        (TILE, 1),
        (TILE, "true"),
        (NOTE, 3),
        (NOTE, b"x"),
        (FREE, math.inf),
        (FREE, 10**400),
    ],
)
def test_bad_values(spec: dict[str, Any], value: Any) -> None:
    with pytest.raises(InpaintError) as caught:
        check(spec, value)
    assert caught.value.code == BAD_PARAM
    assert spec["name"] in caught.value.message and describe(spec) in caught.value.hint


@given(
    spec=st.sampled_from(SPECS),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text()),
)
def test_a_value_is_allowed_or_refused_and_allowed_twice(spec: dict[str, Any], value: Any) -> None:
    try:
        once = check(spec, value)
    except InpaintError:
        return
    assert check(spec, once) == once
    if "minimum" in spec:
        assert spec["minimum"] <= once <= spec["maximum"]


def test_defaults_fill_what_is_missing() -> None:
    assert check_all(SPECS, {"grow": 9}) == {
        "grow": 9,
        "strength": 0.5,
        "seam": "on",
        "tile": False,
        "note": "",
        "free": 0.0,
    }


def test_a_setting_that_nobody_knows_is_named() -> None:
    with pytest.raises(InpaintError) as caught:
        check_all([GROW, SEAM], {"groww": 1})
    assert caught.value.code == BAD_PARAM
    assert "groww" in caught.value.message and "grow, seam" in caught.value.hint


def test_settings_are_the_shared_ones_and_the_model_s_own() -> None:
    cards = {"models": [{"name": "a", "params": [STRENGTH]}, {"name": "b", "params": []}], "common": [GROW]}
    assert check_settings(cards, "a", {"strength": 1}) == {"grow": 4, "strength": 1.0}
    with pytest.raises(InpaintError) as caught:
        check_settings(cards, "b", {"strength": 1})
    assert caught.value.code == BAD_PARAM
    with pytest.raises(InpaintError) as caught:
        check_settings(cards, "c", {})
    assert caught.value.code == UNKNOWN_MODEL and "a, b" in caught.value.hint


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (GROW, "a whole number from 0 to 64"),
        (STRENGTH, "a number from 0 to 1"),
        ({**STRENGTH, "maximum": 0.5}, "a number from 0 to 0.5"),
        ({**GROW, "maximum": 2**31 - 1}, "a whole number from 0 to 2147483647"),
        ({**GROW, "minimum": None}, "a whole number up to 64"),
        ({**GROW, "maximum": None}, "a whole number from 0"),
        (FREE, "a number"),
        (SEAM, "one of on, off"),
        (TILE, "true or false"),
        (NOTE, "a text"),
    ],
)
def test_what_a_setting_takes_in_words(spec: dict[str, Any], words: str) -> None:
    assert describe(spec) == words
