"""Torch7's files: what is in them, and that a bad one gives a sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from torch7_files import Function, Thing, Writer

from models import FillError
from models.checkpoints import read


def network() -> Thing:
    random = torch.Generator().manual_seed(0)
    flat = torch.randn(60, generator=random)  # getParameters() leaves all weights in one storage
    return Thing(
        "nn.Sequential",
        modules=[
            Thing("nn.Linear", weight=flat[:20].view(4, 5), bias=flat[20:24], train=True),
            Thing("nn.LeakyReLU", negval=0.2, inplace=True, output=torch.empty(0)),
            Thing("nn.Linear", weight=flat[24:].view(6, 6).T, _type="torch.FloatTensor"),
        ],
        hook=Function(),
        counts=torch.tensor([3, 4]),
        nothing=None,
    )


@pytest.mark.parametrize("cuda", [False, True])
def test_tensors_and_numbers_are_named_by_their_way(tmp_path: Path, cuda: bool) -> None:
    model = network()
    if cuda:
        del model.fields["counts"]
    checkpoint = read(Writer(cuda).save(model, tmp_path / "net.t7"))
    assert checkpoint.container == "torch7"
    first, slope, last = (module.fields for module in model.fields["modules"])
    expected = {
        "modules.1.weight": first["weight"],
        "modules.1.bias": first["bias"],
        "modules.2.negval": torch.tensor(slope["negval"], dtype=torch.float64),
        "modules.2.output": torch.empty(0),
        "modules.3.weight": last["weight"],
    }
    if not cuda:
        expected["counts"] = model.fields["counts"]
    assert set(checkpoint.tensors) == set(expected)
    for name, tensor in expected.items():
        found = checkpoint.tensors[name]
        assert found.dtype == tensor.dtype and torch.equal(found, tensor), name


def test_what_refers_to_itself_is_read_once(tmp_path: Path) -> None:
    table: dict = {"weight": torch.ones(2)}
    table["self"] = table
    table["again"] = [table, table]
    assert list(read(Writer().save(table, tmp_path / "loop.t7")).tensors) == ["weight"]


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = Writer().save(network(), tmp_path / "whole.t7").read_bytes()
    cut = tmp_path / "cut.t7"
    for length in range(1, len(whole), 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(FillError) as caught:
            read(cut)
        assert caught.value.code == "bad-weights"


def test_every_flipped_byte_is_read_or_refused(tmp_path: Path) -> None:
    whole = Writer().save(network(), tmp_path / "whole.t7").read_bytes()
    bad = tmp_path / "bad.t7"
    refused = 0
    for place in range(8, len(whole), 5):
        bad.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read(bad)
        except FillError as error:
            refused += error.code == "bad-weights"
    assert refused > 50


def tensor(sizes: list[int], strides: list[int], offset: int, elements: int) -> bytes:
    """A FloatTensor whose shape and storage are given apart."""
    name, storage = b"torch.FloatTensor", b"torch.FloatStorage"
    return (
        struct.pack(f"<iii3si{len(name)}s", 4, 1, 3, b"V 1", len(name), name)
        + struct.pack(f"<i{len(sizes)}q{len(strides)}qq", len(sizes), *sizes, *strides, offset)
        + struct.pack(f"<iii3si{len(storage)}sq", 4, 2, 3, b"V 1", len(storage), storage, elements)
        + bytes(4 * min(elements, 1000))
    )


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("beyond its storage", tensor([5], [1], 1, 4)),
        ("beyond its storage", tensor([2], [1], 4, 4)),
        ("beyond its storage", tensor([2], [-1], 2, 4)),
        ("beyond its storage", tensor([2], [1], 0, 4)),
        ("far more than it holds", tensor([1 << 30, 4], [0, 1], 1, 4)),
        ("makes no sense", tensor([-1], [1], 1, 4)),
        ("to its end", tensor([4], [1], 1, 1 << 50)),
        ("deeper", b"".join(struct.pack("<iiii", 3, n, 1, 5) + b"\1\0\0\0" for n in range(1, 5000))),
        ("not known here", struct.pack("<iiiii", 3, 1, 1, 77, 0)),
        ("no format", b"\4\0\0\0\7\0\0\0"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, what: str, content: bytes) -> None:
    path = tmp_path / "bad.t7"
    path.write_bytes(content)
    with pytest.raises(FillError) as caught:
        read(path)
    assert caught.value.code == "bad-weights" and what in caught.value.message
