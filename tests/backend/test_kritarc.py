"""Krita's settings file: what is read from it, and that an edit touches one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import kritarc

LINE = b"enable_ai_inpaint=true"

# What was there, what it becomes.
ENABLED = {
    "no file": (b"", b"[python]\n" + LINE + b"\n"),
    "no group": (
        b"a=1\n\n[zoom]\nlevel=2\n",
        b"a=1\n\n[zoom]\nlevel=2\n\n[python]\n" + LINE + b"\n",
    ),
    "a group with others": (
        b"[python]\nenable_tenbrushes=true\n\n[recent]\nx=\xff\xfe\n",
        b"[python]\n" + LINE + b"\nenable_tenbrushes=true\n\n[recent]\nx=\xff\xfe\n",
    ),
    "switched off": (
        b"[python]\na=b\nenable_ai_inpaint = false\nc=d\n",
        b"[python]\na=b\n" + LINE + b"\nc=d\n",
    ),
    "the same key elsewhere": (
        b"enable_ai_inpaint=false\n[other]\nenable_ai_inpaint=false\n[python][sub]\nenable_ai_inpaint=false\n",
        b"enable_ai_inpaint=false\n[other]\nenable_ai_inpaint=false\n[python][sub]\nenable_ai_inpaint=false\n"
        b"\n[python]\n" + LINE + b"\n",
    ),
    "Windows": (
        b"a=1\r\n\r\n[python]\r\nb=2\r\n",
        b"a=1\r\n\r\n[python]\r\n" + LINE + b"\r\nb=2\r\n",
    ),
    "no end of the last line": (b"a=1", b"a=1\n\n[python]\n" + LINE),
    "twice": (
        b"[python]\nenable_ai_inpaint=false\n[x]\n[python]\nenable_ai_inpaint=false\n",
        b"[python]\n" + LINE + b"\n[x]\n[python]\n" + LINE + b"\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("before, after", ENABLED.values(), ids=ENABLED.keys())
def test_enabling_changes_one_line(before: bytes, after: bytes) -> None:
    assert not kritarc.enabled(before)
    assert kritarc.enable(before) == after
    assert kritarc.enabled(after) is True
    assert kritarc.enable(after) == after


lines = st.sampled_from(
    [
        b"",
        b"[python]",
        b"[recent]",
        b"[python][sub]",
        b"a=1",
        b"enable_other=true",
        b"\xff=\x00",
        b"# [x]",
        b"k",
    ]
)


@given(st.lists(lines, max_size=12), st.booleans(), st.booleans())
def test_disabling_gives_the_same_bytes_back(parts: list[bytes], windows: bool, ended: bool) -> None:
    ending = b"\r\n" if windows else b"\n"
    before = ending.join(parts) + (ending if ended and parts else b"")
    after = kritarc.enable(before)
    assert after != before
    assert kritarc.disable(after, group=not kritarc.has_group(before)) == before


def test_disabling_what_krita_has_written_anew() -> None:
    # Krita sorts the groups and adds to them.
    ours = b"a=1\n\n[python]\n" + LINE + b"\n\n[recent]\nb=2\n"
    assert kritarc.disable(ours, group=True) == b"a=1\n\n[recent]\nb=2\n"
    assert kritarc.disable(b"[python]\n" + LINE + b"\n\n[recent]\nb=2\n", group=True) == b"[recent]\nb=2\n"
    shared = b"[python]\n" + LINE + b"\nenable_other=true\n"
    assert kritarc.disable(shared, group=True) == b"[python]\nenable_other=true\n"
    assert kritarc.disable(b"a=1\n", group=True) == b"a=1\n"


@pytest.mark.parametrize(
    "content, folder",
    [
        (b"ResourceDirectory=/home/me/Krita stuff\n\n[x]\n", "/home/me/Krita stuff"),
        (b"a=1\nResourceDirectory[$e]=/home/me/krita\n", "/home/me/krita"),
        (b"ResourceDirectory=C:\\\\Users\\\\me\\\\krita\r\n", "C:\\Users\\me\\krita"),
        (b"ResourceDirectory=/home/\\x41nne\\s\n", "/home/Anne "),
        ("ResourceDirectory=/home/Änne\n".encode(), "/home/Änne"),
        (b"[x]\nResourceDirectory=/elsewhere\n", None),
        (b"# ResourceDirectory=/elsewhere\n", None),
        (b"", None),
    ],
)
def test_a_chosen_resource_folder_is_read(content: bytes, folder: str | None) -> None:
    assert kritarc.value(content, "", "ResourceDirectory") == folder


@pytest.mark.parametrize(
    "line, enabled", [(LINE, True), (b"enable_ai_inpaint=false", False), (b"enable_other=true", None)]
)
def test_whether_the_plugin_is_enabled(line: bytes, enabled: bool | None) -> None:
    assert kritarc.enabled(b"[python]\n" + line + b"\n") is enabled
