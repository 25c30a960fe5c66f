"""Reading weights: every container, and files made to harm."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import struct
import sys
import types
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import FIXTURES, fixture
from torch import nn

from models import FillError, checkpoints
from models.checkpoints import snappy
from models.checkpoints.crc32c import crc32c

WEIGHTS = {
    "a.weight": torch.arange(24, dtype=torch.float32).view(2, 3, 4),
    "a.bias": torch.tensor([1.5, -2.5], dtype=torch.float64),
    "half": torch.tensor([[0.5], [2.0]], dtype=torch.float16),
    "brain": torch.tensor([1.0, 3.0], dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "transposed": torch.arange(6, dtype=torch.float32).view(2, 3).T,
    "part": torch.arange(10, dtype=torch.int32)[3:7:2],
    "empty": torch.zeros(0, 3),
}


def same(read: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return set(read) == set(expected) and all(
        read[name].dtype == tensor.dtype and torch.equal(read[name], tensor)
        for name, tensor in expected.items()
    )


def refused(path: Path) -> FillError:
    """The error for a file that must not be accepted, checked for what a user gets to read."""
    with pytest.raises(FillError) as caught:
        checkpoints.read(path)
    error = caught.value
    assert error.code == "bad-weights" and path.name in error.message and error.message.endswith(".")
    assert error.hint.endswith(".") and "Error" not in error.message
    return error


# -- torch ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_torchs_own_files(tmp_path: Path, protocol: int, zipped: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(dict(WEIGHTS), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    read = checkpoints.read(path)
    assert same(read.tensors, WEIGHTS) and read.container == ("torch" if zipped else "torch-legacy")


def test_parameters_and_ordered_dictionaries(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    for content in (module.state_dict(), collections.OrderedDict(module.named_parameters())):
        torch.save(content, tmp_path / "weights.pth")
        expected = {name: tensor.detach() for name, tensor in content.items()}
        assert same(checkpoints.read(tmp_path / "weights.pth").tensors, expected)


def test_what_is_likely_to_be_the_network_comes_first(tmp_path: Path) -> None:
    generator, other = {"g.weight": torch.ones(2)}, {"d.weight": torch.zeros(3)}
    moments = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
    torch.save({"n_iter": 5, "D": other, "D_optim": moments, "G": generator}, tmp_path / "states.pth")
    read = checkpoints.read(tmp_path / "states.pth")
    assert same(read.groups[0], generator) and same(read.groups[1], other)


def test_data_parallels_prefix_is_taken_off(tmp_path: Path) -> None:
    torch.save({"model": {f"module.{name}": w for name, w in WEIGHTS.items()}}, tmp_path / "w.pth")
    assert same(checkpoints.read(tmp_path / "w.pth").tensors, WEIGHTS)


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 3)
        self.register_buffer("steady", torch.tensor([4.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + self.steady


def test_whole_modules_scripts_and_traces(tmp_path: Path) -> None:
    module = nn.ModuleDict({"inner": Inner()})
    torch.save(module, tmp_path / "module.pth")
    assert same(checkpoints.read(tmp_path / "module.pth").tensors, dict(module.state_dict()))
    torch.jit.save(torch.jit.script(Inner()), tmp_path / "script.pt")
    read = checkpoints.read(tmp_path / "script.pt")
    assert read.container == "torchscript" and set(read.tensors) == {"layer.weight", "layer.bias", "steady"}


def test_classes_of_packages_that_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a Lightning checkpoint holds them among callbacks and settings."""
    foreign = types.ModuleType("pytorch_lightning")

    class Callback(dict):
        pass

    class Config:
        def __init__(self) -> None:
            self.values = {"lr": 0.1, "self": self}

    class Kind(tuple):
        def __reduce__(self) -> Any:
            return Kind, ((1, 2),)

    for kind in (Callback, Config, Kind):
        kind.__module__, kind.__qualname__ = "pytorch_lightning", kind.__name__
        setattr(foreign, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", foreign)
    content = {
        "callbacks": {Callback: Callback(best=torch.tensor(1.0))},
        "hyper_parameters": Config(),
        "np": np.float64(3),
        "kind": Kind(),
        "state_dict": dict(WEIGHTS),
        "set": {1, 2},
        "frozen": frozenset({"x"}),
    }
    for zipped in (True, False):
        torch.save(content, tmp_path / "best.ckpt", _use_new_zipfile_serialization=zipped)
        monkeypatch.delitem(sys.modules, "pytorch_lightning")
        assert same(checkpoints.read(tmp_path / "best.ckpt").tensors, WEIGHTS)
        monkeypatch.setitem(sys.modules, "pytorch_lightning", foreign)


def test_shared_and_expanded_tensors(tmp_path: Path) -> None:
    shared = torch.arange(4.0)
    content = {"one": shared, "two": shared, "wide": torch.tensor([2.0]).expand(3, 5)}
    torch.save(content, tmp_path / "w.pth")
    assert same(checkpoints.read(tmp_path / "w.pth").tensors, content)


# -- the others ----------------------------------------------------------------------------------------


def test_a_real_tensorflow_checkpoint() -> None:
    expected = fixture("deepcream").weights()
    folder = FIXTURES / "deepcream_bar"
    for name in (
        "Train_775000",
        "Train_775000.index",
        "Train_775000.data-00000-of-00001",
        "../deepcream_bar",
    ):
        read = checkpoints.read(folder / name)
        assert read.container == "tensorflow"
        assert set(read.tensors) == {*expected, "global_step"}
        for key, value in expected.items():
            assert np.array_equal(read.tensors[key].numpy(), value), key


def safetensors(header: dict[str, Any], content: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def test_safetensors(tmp_path: Path) -> None:
    values = np.arange(6, dtype="<f4")
    header = {
        "__metadata__": {"format": "pt"},
        "flag": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [1, 25]},
        "brain": {"dtype": "BF16", "shape": [], "data_offsets": [25, 27]},
    }
    brain = torch.tensor(3.0, dtype=torch.bfloat16)
    content = b"\1" + values.tobytes() + brain.view(torch.int16).numpy().tobytes()
    (tmp_path / "w.safetensors").write_bytes(safetensors(header, content))
    read = checkpoints.read(tmp_path / "w.safetensors").tensors
    expected = {"flag": torch.tensor([True]), "a": torch.arange(6.0).view(2, 3), "brain": brain}
    assert same(read, expected)


def test_safetensors_that_begin_like_a_pickle(tmp_path: Path) -> None:
    """The length of the head comes first: of 640 bytes it is 80 02, a pickle's first."""
    header = {"__metadata__": {"note": ""}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    header["__metadata__"]["note"] = "x" * (640 - len(json.dumps(header)))
    data = safetensors(header, np.float32(2.5).tobytes())
    assert data[:2] == b"\x80\x02"
    (tmp_path / "w.safetensors").write_bytes(data)
    assert checkpoints.read(tmp_path / "w.safetensors").tensors["a"].item() == 2.5


def test_npz_with_slashes_in_names(tmp_path: Path) -> None:
    arrays = {"net/conv/kernel:0": np.arange(8, dtype=">f4").reshape(2, 4), "net/conv/bias": np.ones(2, "f2")}
    np.savez_compressed(tmp_path / "w.npz", **arrays, note=np.array("made by somebody"))
    read = checkpoints.read(tmp_path / "w.npz").tensors
    expected = {
        "net/conv/kernel": torch.arange(8.0).view(2, 4),
        "net/conv/bias": torch.ones(2, dtype=torch.float16),
    }
    assert same(read, expected)


def test_a_folder_with_weights_in_it(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "config.yaml").write_text("generator: {kind: ffc_resnet}")
    torch.save(dict(WEIGHTS), tmp_path / "models" / "best.ckpt")
    assert same(checkpoints.read(tmp_path).tensors, WEIGHTS)
    (tmp_path / "models" / "best.ckpt").unlink()
    assert "no weights" in refused(tmp_path).message


def test_checksums() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    long = np.random.default_rng(0).integers(0, 256, 300_007, np.uint8).tobytes()
    table = [0] * 256
    for n in range(256):
        c = n
        for _ in range(8):
            c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
        table[n] = c
    state = 0xFFFFFFFF
    for byte in long:
        state = table[(state ^ byte) & 255] ^ state >> 8
    assert crc32c(long) == state ^ 0xFFFFFFFF


def test_snappy() -> None:
    # 11 bytes: literal "abcd", copy 6 from 4 back (overlapping), literal "!"
    assert snappy.uncompress(b"\x0b\x0cabcd\x09\x04\x00!", 100) == b"abcdabcdab!"
    assert snappy.uncompress(b"\x0b\x0cabcd" + bytes([(6 - 4) << 2 | 1, 4]) + b"\x00!", 100) == b"abcdabcdab!"
    for bad in (b"\x0b\x0cabcd\x09\x05\x00", b"\x20\x0cabcd", b"\xff\xff\xff\xff\x0f"):
        with pytest.raises(ValueError):
            snappy.uncompress(bad, 100)


# -- files made to harm --------------------------------------------------------------------------------


class Harm:
    """Unpickled as usual, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_run(tmp_path: Path, zipped: bool) -> None:
    trap = tmp_path / "sprung"
    content = {"harm": Harm(trap), "state_dict": {"harm": Harm(trap), **WEIGHTS}}
    torch.save(content, tmp_path / "w.ckpt", _use_new_zipfile_serialization=zipped)
    assert same(checkpoints.read(tmp_path / "w.ckpt").tensors, WEIGHTS)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Harm(trap)))
    assert trap.exists()  # so that the trap is one


def test_a_pickle_that_is_no_checkpoint(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    (tmp_path / "w.pth").write_bytes(pickle.dumps(Harm(trap)))
    refused(tmp_path / "w.pth")
    assert not trap.exists()


def test_an_array_of_objects(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    np.savez(tmp_path / "w.npz", harm=np.array([Harm(trap)], object))
    refused(tmp_path / "w.npz")
    assert not trap.exists()


def archive(pickled: bytes, parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("w/data.pkl", pickled)
        for name, content in parts.items():
            file.writestr(f"w/data/{name}", content)
    return buffer.getvalue()


def tensor_pickle(count: Any, offset: Any, size: Any, stride: Any, kind: str = "FloatStorage") -> bytes:
    """A checkpoint {"w": tensor} written by hand, so that it can lie."""

    class Writer(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            return ("storage", STORAGES[kind], "0", "cpu", count) if thing == "STORAGE" else None

    buffer = io.BytesIO()

    class Tensor:
        def __reduce__(self) -> Any:
            rebuild = torch._utils._rebuild_tensor_v2
            return rebuild, ("STORAGE", offset, size, stride, False, collections.OrderedDict())

    Writer(buffer, 2).dump({"w": Tensor()})
    return buffer.getvalue()


STORAGES = {"FloatStorage": torch.FloatStorage, "QUInt8Storage": torch.QUInt8Storage}


def test_a_tensor_written_by_hand(tmp_path: Path) -> None:
    content = np.arange(6, dtype="f4").tobytes()
    (tmp_path / "w.pth").write_bytes(archive(tensor_pickle(6, 2, (2, 2), (2, 1)), {"0": content}))
    assert same(checkpoints.read(tmp_path / "w.pth").tensors, {"w": torch.arange(2.0, 6.0).view(2, 2)})


@pytest.mark.parametrize(
    "fields",
    [
        (6, 0, (7,), (1,)),
        (6, 3, (4,), (1,)),
        (6, -1, (2,), (1,)),
        (6, 0, (2,), (-1,)),
        (6, 0, (2, 2), (5, 1)),
        (6, 0, (2, 2), (1,)),
        (6, 0, (-2,), (1,)),
        (6, 0, (2.0,), (1,)),
        (6, 0, "ab", (1, 1)),
        (6, 0, (1 << 40,), (0,)),
        (6, 0, (1 << 20, 1 << 20, 1 << 20), (0, 0, 0)),
        (6, 1 << 62, (1,), (1,)),
        (6, "0", (1,), (1,)),
        (1 << 40, 0, (1 << 40,), (1,)),
        (6, 0, (2,), (1,), "QUInt8Storage"),
        ("six", 0, (2,), (1,)),
    ],
    ids=str,
)
def test_tensors_that_lie_about_their_place(tmp_path: Path, fields: tuple) -> None:
    (tmp_path / "w.pth").write_bytes(archive(tensor_pickle(*fields), {"0": bytes(24)}))
    refused(tmp_path / "w.pth")


def test_the_same_numbers_over_and_over(tmp_path: Path) -> None:
    """Each tensor is sound, but as weights of a network they would take a hundred times the file's size."""
    shared = torch.zeros(2_000_000)
    torch.save({f"{n}": shared.view(2, -1)[:] for n in range(100)}, tmp_path / "w.pth")
    assert "far more" in refused(tmp_path / "w.pth").message


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02}q\x00(X\x01\x00\x00\x00wccollections\nOrderedDict\nq\x01)Rq\x02u",  # no end
        b"\x80\x02" + b"r\xff\xff\xff\x7f" + b".",  # a memo of 2 GiB on an empty stack
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",  # bytes that are not there
        b"\x80\x02]q\x00h\x00a.",  # a list that contains itself
        b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",  # a dictionary that contains itself
        b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",  # deeply nested
        b"\x80\x02)" + b"2\x86" * 5_000 + b"}K\x01s.",  # a tuple that takes for ever to hash
        b"\x80\x02}(" + b")" + b"2\x86" * 200 + b"K\x01u.",  # the same as a key
        b"\x80\x02\x82\x01.",  # an extension
        b"\x80\x02X\x07\x00\x00\x00storageQ.",  # a reference to nothing
        b"\x80\x02(lp0\n" + b"R" * 10 + b".",
        b"cos\nsystem\n(S'touch /tmp/x'\ntR.",
        b".",
        b"",
    ],
    ids=range(14),
)
def test_pickles_that_make_no_sense(tmp_path: Path, pickled: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(archive(pickled, {}))
    refused(tmp_path / "w.pth")
    (tmp_path / "old.pth").write_bytes(pickled if pickled[:1] == b"\x80" else b"\x80\x02" + pickled)
    refused(tmp_path / "old.pth")


def test_archives_that_unpack_to_far_more_than_they_are(tmp_path: Path) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (100 << 20,)}
    with (
        zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("big.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(400):
            member.write(bytes(1 << 20))
    assert (tmp_path / "w.npz").stat().st_size < 1 << 20
    assert "far more" in refused(tmp_path / "w.npz").message


def test_npz_members_that_lie_about_their_length(tmp_path: Path) -> None:
    for shape in ((1 << 40,), (3,), (-1,)):
        member = io.BytesIO()
        np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": shape})
        with zipfile.ZipFile(tmp_path / "w.npz", "w") as file:
            file.writestr("a.npy", member.getvalue() + bytes(8))
        refused(tmp_path / "w.npz")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1 << 70], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1.0, 2], "data_offsets": [0, 8]},
        {"dtype": "F33", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2]},
        [],
        None,
    ],
    ids=str,
)
def test_safetensors_that_lie(tmp_path: Path, entry: Any) -> None:
    (tmp_path / "w.safetensors").write_bytes(safetensors({"a": entry}, bytes(8)))
    refused(tmp_path / "w.safetensors")
    (tmp_path / "n.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{" + bytes(64))
    refused(tmp_path / "n.safetensors")
    (tmp_path / "d.safetensors").write_bytes(struct.pack("<Q", 50_001) + b'{"a":' * 10_000 + b"}")
    refused(tmp_path / "d.safetensors")


def test_a_damaged_tensorflow_checkpoint(tmp_path: Path) -> None:
    source = FIXTURES / "deepcream_bar"
    index = (source / "Train_775000.index").read_bytes()
    data = (source / "Train_775000.data-00000-of-00001").read_bytes()

    def write(index: bytes, data: bytes | None) -> Path:
        (tmp_path / "w.index").write_bytes(index)
        place = tmp_path / "w.data-00000-of-00001"
        place.unlink(missing_ok=True)
        if data is not None:
            place.write_bytes(data)
        return tmp_path / "w.index"

    assert "beside it" in refused(write(index, None)).message
    assert "cut off" in refused(write(index, data[:-100])).message
    turned = bytearray(data)
    turned[5_000_000] ^= 1
    assert "checksum" in refused(write(index, bytes(turned))).message
    refused(write(index[:-1], data))
    for place in range(0, len(index), 37):
        changed = bytearray(index)
        changed[place] ^= 0x41
        path = write(bytes(changed), data)
        if place < len(index) - 48 - 64:  # in front of footer and meta blocks everything has a checksum
            refused(path)


@pytest.mark.parametrize("name", ["missing.pth", "text.pth", "empty.pth", "short.pth"])
def test_files_that_are_none(tmp_path: Path, name: str) -> None:
    if name != "missing.pth":
        (tmp_path / name).write_bytes(
            {"text.pth": b"<html>Not found</html>"}.get(name, b"PK"[: len(name) % 2])
        )
    refused(tmp_path / name)


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The same weights in several containers."""
    folder = tmp_path_factory.mktemp("small")
    torch.save({"state_dict": dict(WEIGHTS)}, folder / "new")
    torch.save({"state_dict": dict(WEIGHTS)}, folder / "old", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(Inner()), folder / "script")
    np.savez_compressed(folder / "arrays.npz", a=np.arange(9.0))
    header = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    (folder / "safe").write_bytes(safetensors(header, bytes(8)))
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def accepted_or_refused(path: Path) -> None:
    try:
        for group in checkpoints.read(path).groups:
            for tensor in group.values():
                tensor.sum()  # within its memory
    except FillError as error:
        assert error.code == "bad-weights"


def test_files_that_break_off(tmp_path: Path, small_files: list[bytes]) -> None:
    for content in small_files:
        for length in range(0, len(content), max(1, len(content) // 40)):
            (tmp_path / "w").write_bytes(content[:length])
            refused(tmp_path / "w")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_files_in_which_anything_is_changed(
    tmp_path: Path, small_files: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(small_files)))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    (tmp_path / "w").write_bytes(content)
    accepted_or_refused(tmp_path / "w")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pickles_in_which_anything_is_changed(tmp_path: Path, data: st.DataObject) -> None:
    """Inside the archive, where no checksum protects them."""
    content = bytearray(tensor_pickle(6, 2, (2, 2), (2, 1)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "w").write_bytes(archive(bytes(content), {"0": bytes(24)}))
    accepted_or_refused(tmp_path / "w")


def test_checksums_of_archives_are_looked_at(tmp_path: Path) -> None:
    torch.save({"a": torch.full((64,), 1.25)}, tmp_path / "w.pth")
    content = (tmp_path / "w.pth").read_bytes()
    number = struct.pack("<f", 1.25)
    assert number * 64 in content and zlib.crc32(number)
    (tmp_path / "w.pth").write_bytes(content.replace(number * 64, number * 63 + struct.pack("<f", 1.5)))
    refused(tmp_path / "w.pth")
