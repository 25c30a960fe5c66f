"""Pictures and holes to train on: any folder of pictures, or comic pages drawn as they are needed.

Sample n of a data set depends on its seed and on n alone. So a training that was stopped goes on with the
very samples that it would have had, with any number of loading processes, on any number of machines.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from . import comics, masks

COMICS = "comics"
"""In place of a folder: pages of the comic generator."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_KEPT = 64  # decoded pictures that each loading process remembers


class DataError(Exception):
    """There is nothing to train on, or it cannot be read; a sentence for the user."""


Prepare = Callable[[dict[str, Tensor], np.random.Generator], None]
"""Adds tensors of a recipe's own to a sample, in a loading process."""


@dataclass(frozen=True)
class Kept:
    """Samples that are made once and used again and again, where making them is most of the work.

    Of each, every use shows another window, turned and mirrored, and where possible with another hole.

    Attributes:
        folder: where they are kept: `00000.npz` and so on; what is within [0, 1], in 8 bits.
        count: how many different ones there are.
        window: side of a window, px; as large as the sample at most.
        bound: whether what the recipe adds depends on the hole, which then has to stay.
    """

    folder: str
    count: int
    window: int
    bound: bool = True

    def _window(self, sample: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """A window somewhere in a sample, if it is to keep its hole, with some of that."""
        height, width = sample["image"].shape[1:]
        places = sample["hole"][0].nonzero() if self.bound else torch.zeros(0)
        if len(places):
            y, x = (int(n) for n in places[rng.integers(len(places))])
            top, left = y - int(rng.integers(self.window)), x - int(rng.integers(self.window))
        else:
            top, left = (int(rng.integers(side - self.window, endpoint=True)) for side in (height, width))
        top, left = min(max(top, 0), height - self.window), min(max(left, 0), width - self.window)
        turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
        part_of = {}
        for name, tensor in sample.items():
            part = tensor[:, top : top + self.window, left : left + self.window].rot90(turns, (1, 2))
            part_of[name] = (part.flip(2) if mirrored else part).contiguous()
        return part_of

    def cut(
        self, n: int, make: Callable[[int], dict[str, Tensor]], holes: str, seed: int
    ) -> dict[str, Tensor]:
        """Window n, of a sample that is made where it is not there yet.

        Args:
            n: number of the window.
            make: makes a sample, by its number.
            holes: kind of the holes.
            seed: of the windows.
        """
        path = Path(self.folder) / f"{n % self.count:05d}.npz"
        if not path.exists():
            made: dict[str, Any] = {name: _packed(tensor) for name, tensor in make(n % self.count).items()}
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            with part.open("wb") as file:
                np.savez(file, **made)
            os.replace(part, path)
        with np.load(path) as file:
            sample = {name: _unpacked(file[name]) for name in file.files}
        rng = np.random.default_rng((seed, n, 1))
        cut = self._window(sample, rng)
        if not self.bound:
            hole = masks.make(holes, self.window, self.window, rng)
            cut["hole"] = torch.from_numpy(hole[None].astype(np.float32))
        return cut


def _packed(tensor: Tensor) -> np.ndarray:
    if tensor.min() < 0 or tensor.max() > 1:
        return tensor.numpy()
    return (255 * tensor).round().byte().numpy()


def _unpacked(array: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor.float() / 255 if array.dtype == np.uint8 else tensor


@dataclass(frozen=True)
class Samples(Dataset[dict[str, Tensor]]):
    """Endless samples.

    Each is a dictionary of `image` (float32, 3 x size x size, RGB in [0, 1]) and `hole` (float32, 1 x size x
    size in {0, 1}).

    Attributes:
        pictures: files, and "comics" for drawn pages; each is drawn equally often.
        size: of the crops, px.
        holes: a kind of `masks.KINDS`.
        seed: another one gives other samples.
        smallest: of a crop's side over the page's, or the picture's shorter side, before it is brought to
            `size`; a picture is never enlarged unless it is smaller than `size`.
        prepare: adds tensors of a recipe's own, by the same generator.
        comics: share of the samples that are drawn pages, where both they and pictures are given; 0 draws
            them as often as any one picture.
        kept: if they are to be kept, how.
        finish: as `prepare`, but at every use of what is kept.
    """

    pictures: tuple[str, ...]
    size: int
    holes: str = "mixed"
    seed: int = 0
    smallest: float = 0.4
    prepare: Prepare | None = None
    comics: float = 0.0
    kept: Kept | None = None
    finish: Prepare | None = None

    def __getitem__(self, n: int) -> dict[str, Tensor]:
        sample = self._made(n) if self.kept is None else self.kept.cut(n, self._made, self.holes, self.seed)
        if self.finish is not None:
            self.finish(sample, np.random.default_rng((self.seed, n, 2)))
        return sample

    def _made(self, n: int) -> dict[str, Tensor]:
        """Sample n, made from nothing."""
        rng = np.random.default_rng((self.seed, n))
        name = self._chosen(rng)
        crop = self._page(rng) if name == COMICS else self._crop(name, rng)
        if rng.random() < 0.5 and name != COMICS:  # lettering and tones are not mirrored
            crop = crop[:, ::-1]
        hole = masks.make(self.holes, self.size, self.size, rng)
        image = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1), dtype=np.float32) / 255)
        sample = {"image": image, "hole": torch.from_numpy(hole[None].astype(np.float32))}
        if self.prepare is not None:
            self.prepare(sample, rng)
        return sample

    def _chosen(self, rng: np.random.Generator) -> str:
        if self.comics and COMICS in self.pictures:
            if rng.random() < self.comics:
                return COMICS
            others = [name for name in self.pictures if name != COMICS]
            if others:
                return others[rng.integers(len(others))]
        return self.pictures[rng.integers(len(self.pictures))]

    def _page(self, rng: np.random.Generator) -> np.ndarray:
        side = round(self.size / np.exp(rng.uniform(np.log(self.smallest), 0)))
        left, top = rng.integers(side - self.size, size=2, endpoint=True)
        return comics.page(side, side, rng)[top : top + self.size, left : left + self.size]

    def _crop(self, name: str, rng: np.random.Generator) -> np.ndarray:
        picture = read(name, math.ceil(self.size / self.smallest))
        shorter = min(picture.size)
        least = max(min(self.size, shorter), self.smallest * shorter)
        side = int(np.exp(rng.uniform(np.log(least), np.log(shorter))))  # as often near as far
        left, top = (int(rng.integers(extent - side, endpoint=True)) for extent in picture.size)
        box = (left, top, left + side, top + side)
        return np.asarray(picture.resize((self.size, self.size), Image.Resampling.LANCZOS, box))


def find(folders: Sequence[str | Path], exclude: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The pictures in folders and their sub-folders, in the order of their names.

    Args:
        folders: folders, single pictures, or "comics".
        exclude: file names that must not be trained on, such as those of a held-out list.

    Raises:
        DataError: there is no picture, or no such folder.
    """
    found: list[str] = []
    for folder in folders:
        path = Path(folder)
        if str(folder) == COMICS and not path.exists():
            found.append(COMICS)
        elif path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            found += [str(file) for file in inside if file.name not in exclude]
        elif path.is_file():
            found.append(str(path))
        else:
            raise DataError(f'There is no folder {path}. Name a folder of pictures, or "{COMICS}".')
    if not found:
        raise DataError(
            f"There is no picture in {', '.join(map(str, folders))}. Known are {' '.join(SUFFIXES)}."
        )
    return tuple(found)


def check(pictures: Sequence[str], smallest: int = 64) -> tuple[tuple[str, ...], list[str]]:
    """Look at every file's head before a training begins.

    Returns:
        The pictures that can be read and are at least `smallest` px on each side; sentences about the rest.

    Raises:
        DataError: none is left.
    """
    good, problems = [], []
    for name in pictures:
        if name == COMICS:
            good.append(name)
            continue
        try:
            with Image.open(name) as picture:
                size = picture.size
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as problem:
            problems.append(f"{name} is left out: it cannot be read ({problem}).")
            continue
        if min(size) < smallest:
            problems.append(f"{name} is left out: {size[0]} x {size[1]} px are too few.")
        else:
            good.append(name)
    if not good:
        raise DataError("None of the pictures can be used: " + " ".join(problems[:3]))
    return tuple(good), problems


@lru_cache(maxsize=_KEPT)
def read(name: str, shorter: int) -> Image.Image:
    """A picture, upright, RGB, transparent pixels over white.

    Args:
        name: of the file.
        shorter: px; what is larger is brought to a shorter side of this, which makes reading and
            cropping many times faster.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with Image.open(name) as file:
            scale = shorter / min(file.size)
            file.draft("RGB", (int(file.width * scale), int(file.height * scale)))  # JPEG: fewer pixels
            picture = ImageOps.exif_transpose(file)
            if picture.has_transparency_data:
                picture = Image.alpha_composite(
                    Image.new("RGBA", picture.size, (255, 255, 255, 255)), picture.convert("RGBA")
                )
            picture = picture.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as problem:
        raise DataError(f"{name} cannot be read ({problem}). Take it out of the folder.") from problem
    scale = shorter / min(picture.size)
    if scale >= 1:
        return picture
    size = (max(shorter, round(picture.width * scale)), max(shorter, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


@dataclass(frozen=True)
class Order(Sampler[int]):
    """The numbers of the samples of one process, from a step on, endlessly.

    Attributes:
        batch: samples of all processes together in a step.
        step: the first step.
        rank, world: this process and the number of all; each takes its share of every batch.
    """

    batch: int
    step: int = 0
    rank: int = 0
    world: int = 1

    def __iter__(self) -> Iterator[int]:
        step = self.step
        while True:
            yield from range(step * self.batch + self.rank, (step + 1) * self.batch, self.world)
            step += 1


def batches(
    samples: Samples, order: Order, workers: int, pinned: bool = False
) -> Iterator[dict[str, Tensor]]:
    """Batches of this process's share, loaded ahead by `workers` processes; 0 loads in this one.

    Raises:
        DataError: when a picture is reached that cannot be read.
    """
    loader = DataLoader(
        samples,
        batch_size=order.batch // order.world,
        sampler=order,
        num_workers=workers,
        pin_memory=pinned,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
    )
    try:
        yield from loader
    except DataError as problem:  # from a loading process it comes with the traceback as its text
        raise DataError(str(problem).strip().rpartition("DataError: ")[2]) from problem
