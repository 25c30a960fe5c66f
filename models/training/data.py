"""Pictures and holes to train on: any folder of pictures, or comic pages drawn as they are needed.

Sample n of a data set depends on its seed and on n alone. So a training that was stopped goes on with the
very samples that it would have had, with any number of loading processes, on any number of machines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

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
        smallest: of a crop's side over the picture's shorter side, before it is brought to `size`; a
            picture is never enlarged unless it is smaller than `size`.
        prepare: adds tensors of a recipe's own, by the same generator.
    """

    pictures: tuple[str, ...]
    size: int
    holes: str = "mixed"
    seed: int = 0
    smallest: float = 0.4
    prepare: Callable[[dict[str, Tensor], np.random.Generator], None] | None = None

    def __getitem__(self, n: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, n))
        name = self.pictures[rng.integers(len(self.pictures))]
        crop = comics.page(self.size, self.size, rng) if name == COMICS else self._crop(name, rng)
        if rng.random() < 0.5 and name != COMICS:  # lettering and tones are not mirrored
            crop = crop[:, ::-1]
        hole = masks.make(self.holes, self.size, self.size, rng)
        image = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1), dtype=np.float32) / 255)
        sample = {"image": image, "hole": torch.from_numpy(hole[None].astype(np.float32))}
        if self.prepare is not None:
            self.prepare(sample, rng)
        return sample

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
