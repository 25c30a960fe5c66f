"""What a file may ask for."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence

MAX_MEMBERS = 100_000
SPARE = 1 << 26
"""What a small file may unpack to, or its tensors repeat, whatever their proportion: bytes or elements."""

_MAX_RATIO = 50  # trained weights hardly pack; masks of ones do, but they are the lesser part


class Damaged(ValueError):
    """A file is not what it says; the message completes "The weights cannot be used: ..."."""


def check_archive(archive: zipfile.ZipFile) -> None:
    """Refuse an archive that would unpack to far more than it is.

    Raises:
        Damaged: as the message says.
    """
    members = archive.infolist()
    assert archive.fp is not None
    archive.fp.seek(0, 2)
    size = archive.fp.tell()
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > _MAX_RATIO * size + SPARE:
        raise Damaged("it would unpack to far more than it is")
    if any(member.compress_type == zipfile.ZIP_STORED and member.file_size > size for member in members):
        raise Damaged("it declares more than it holds")
    if any(member.flag_bits & 1 for member in members):
        raise Damaged("it is encrypted")


def read_member(archive: zipfile.ZipFile, name: str, limit: int | None = None) -> bytearray:
    """The unpacked bytes of a member of a checked archive, its checksum verified.

    Raises:
        Damaged: there is no such member, it is larger than `limit`, or shorter than it declares.
    """
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise Damaged(f"its part {name} is missing") from None
    if limit is not None and member.file_size > limit:
        raise Damaged(f"its part {name} is too large")
    content = bytearray(member.file_size)
    view, place = memoryview(content), 0
    with archive.open(member) as file:
        while count := file.readinto(view[place:]):  # type: ignore[attr-defined]
            place += count
    if place != len(content):
        raise Damaged(f"its part {name} is cut off")
    return content


def count(shape: Sequence[int]) -> int:
    """Elements of an array of that shape.

    Raises:
        Damaged: it is no shape.
    """
    number = 1
    for side in shape:
        if type(side) is not int or side < 0:
            raise Damaged("a tensor's shape makes no sense")
        number *= side
    if len(shape) > 16 or number >= 1 << 48:
        raise Damaged("a tensor's shape makes no sense")
    return number
