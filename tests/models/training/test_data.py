"""What is trained on: any folder, the same samples whatever the number of processes."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.training import data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    (tmp_path / "sub").mkdir()
    Image.fromarray(noise).save(tmp_path / "a.png")
    Image.fromarray(noise[:, :100]).save(tmp_path / "sub" / "b.JPG")
    Image.fromarray(noise[..., 0]).save(tmp_path / "c.tif")
    Image.fromarray(np.dstack([noise, noise[..., :1]])).save(tmp_path / "d.webp", lossless=True)
    Image.fromarray(noise[:20, :20]).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture either")
    return tmp_path


def test_a_folder_is_searched_and_what_cannot_be_used_is_named(folder: Path) -> None:
    found = data.find([folder, "comics"], exclude=frozenset({"c.tif"}))
    assert [Path(name).name for name in found] == [
        "a.png",
        "broken.png",
        "d.webp",
        "small.png",
        "b.JPG",
        "comics",
    ]
    good, problems = data.check(found)
    assert [Path(name).name for name in good] == ["a.png", "d.webp", "b.JPG", "comics"]
    assert len(problems) == 2 and "broken.png" in problems[0] and "20 x 20" in problems[1]


def test_nothing_to_train_on_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(data.DataError, match="no picture in"):
        data.find([tmp_path])
    with pytest.raises(data.DataError, match="no folder"):
        data.find([tmp_path / "gone"])
    (tmp_path / "x.png").write_bytes(b"?")
    with pytest.raises(data.DataError, match="None of the pictures"):
        data.check(data.find([tmp_path]))


def test_samples_are_pictures_and_holes(folder: Path) -> None:
    good, _ = data.check(data.find([folder, "comics"]))
    samples = data.Samples(good, 64, "brush", seed=1)
    for n in range(12):
        sample = samples[n]
        assert sample["image"].shape == (3, 64, 64) and sample["image"].dtype == torch.float32
        assert sample["image"].min() >= 0 and sample["image"].max() <= 1
        assert sample["hole"].shape == (1, 64, 64) and set(sample["hole"].unique().tolist()) == {0.0, 1.0}
        torch.testing.assert_close(samples[n], sample, rtol=0, atol=0)
    assert not torch.equal(samples[0]["image"], data.Samples(good, 64, "brush", seed=2)[0]["image"])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_breaks_off_is_named_in_a_sentence(folder: Path, workers: int) -> None:
    whole = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(whole[: len(whole) // 2])  # its head is good
    good, _ = data.check([str(folder / "a.png")])
    with pytest.raises(data.DataError) as caught:
        next(data.batches(data.Samples(good, 32, "box"), data.Order(2), workers))
    assert str(caught.value).startswith(str(folder / "a.png")) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["large.png", "large.jpg"])
def test_large_pictures_are_read_no_larger_than_needed(tmp_path: Path, name: str) -> None:
    y, x = np.mgrid[:900, :1300] / 1300
    smooth = np.dstack([x, y, (x + y) / 2])
    Image.fromarray((smooth * 255).astype(np.uint8)).save(tmp_path / name, quality=95)
    picture = data.read(str(tmp_path / name), 160)
    assert picture.height == 160 and abs(picture.width - 231) <= 1
    small = np.asarray(Image.fromarray((smooth * 255).astype(np.uint8)).resize(picture.size), float)
    assert np.abs(np.asarray(picture) - small).mean() < 1
    assert data.read(str(tmp_path / name), 2000).size == (1300, 900)


def test_a_recipe_may_add_to_samples(folder: Path) -> None:
    good, _ = data.check(data.find([folder]))
    samples = data.Samples(good, 32, "box", prepare=add_number)
    alone, helped = (next(data.batches(samples, data.Order(3), workers)) for workers in (0, 1))
    assert alone["number"].shape == (3,) and len(alone["number"].unique()) == 3
    torch.testing.assert_close(alone, helped, rtol=0, atol=0)


def add_number(sample: dict[str, torch.Tensor], rng: np.random.Generator) -> None:
    sample["number"] = torch.tensor(rng.random())


def test_loading_processes_and_machines_change_nothing(folder: Path) -> None:
    good, _ = data.check(data.find([folder]))
    samples = data.Samples(good, 32, "box")
    alone = list(islice(data.batches(samples, data.Order(4), 0), 3))
    helped = list(islice(data.batches(samples, data.Order(4), 2), 3))
    torch.testing.assert_close(alone, helped, rtol=0, atol=0)
    resumed = next(data.batches(samples, data.Order(4, step=2), 0))
    torch.testing.assert_close(resumed, alone[2], rtol=0, atol=0)
    shares = [next(data.batches(samples, data.Order(4, 1, rank, 2), 0))["image"] for rank in (0, 1)]
    together = torch.stack(shares, 1).flatten(0, 1)
    torch.testing.assert_close(together, alone[1]["image"], rtol=0, atol=0)


# -- samples that are kept -------------------------------------------------------------------------------


def position(sample: dict[str, torch.Tensor], rng: np.random.Generator) -> None:
    """Row and column of every pixel, and how often this was done."""
    side = sample["image"].shape[1]
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    sample["place"] = torch.stack([rows, columns]).float() / 255
    calls.append(1)


calls: list[int] = []


def add_mean(sample: dict[str, torch.Tensor], rng: np.random.Generator) -> None:
    sample["mean"] = (sample["image"] * sample["hole"]).mean()[None] + rng.random()


def kept_samples(folder: Path, out: Path, bound: bool, window: int = 32) -> data.Samples:
    good, _ = data.check(data.find([folder]))
    kept = data.Kept(str(out), 3, window, bound)
    return data.Samples(good, 64, "box", prepare=position, kept=kept, finish=add_mean)


@pytest.mark.parametrize("bound", [False, True])
def test_kept_samples_are_made_once_and_shown_in_many_windows(folder: Path, tmp_path: Path, bound) -> None:
    calls.clear()
    samples = kept_samples(folder, tmp_path / "kept", bound)
    whole = [data.Samples(samples.pictures, 64, "box", prepare=position)[n] for n in range(3)]
    calls.clear()
    corners = set()
    for n in range(12):
        sample = samples[n]
        assert sample["image"].shape == (3, 32, 32) and sample["hole"].any()
        rows, columns = (255 * sample["place"]).round().long()
        source = whole[n % 3]
        torch.testing.assert_close(sample["image"], source["image"][:, rows, columns], rtol=0, atol=0.003)
        if bound:
            torch.testing.assert_close(sample["hole"], source["hole"][:, rows, columns])
        corners.add((n % 3, int(rows[0, 0]), int(columns[0, 0])))
        torch.testing.assert_close(samples[n], sample, rtol=0, atol=0)
    assert len(calls) == 3 and len(corners) > 6
    assert len(list((tmp_path / "kept").iterdir())) == 3
    again = kept_samples(folder, tmp_path / "other", bound)
    torch.testing.assert_close([again[n] for n in (7, 2)], [samples[n] for n in (7, 2)], rtol=0, atol=0)


def test_what_lies_beyond_0_and_1_is_kept_as_it_is(folder: Path, tmp_path: Path) -> None:
    def signed(sample: dict[str, torch.Tensor], rng: np.random.Generator) -> None:
        sample["signed"] = sample["image"] - 0.5

    good, _ = data.check(data.find([folder]))
    samples = data.Samples(good, 32, "box", prepare=signed, kept=data.Kept(str(tmp_path / "k"), 2, 32))
    for n in range(4):
        sample = samples[n]
        torch.testing.assert_close(sample["signed"], sample["image"] - 0.5, rtol=0, atol=0.003)


def test_the_share_of_drawn_pages_can_be_chosen(folder: Path) -> None:
    good, _ = data.check(data.find([folder, "comics"]))
    shares = []
    for share in (0.0, 0.9):
        samples = data.Samples(good, 32, "box", comics=share)
        chosen = [samples._chosen(np.random.default_rng(n)) for n in range(200)]
        shares.append(chosen.count("comics") / 200)
    assert 0.15 < shares[0] < 0.35 and 0.82 < shares[1] < 0.96
    alone = data.Samples(("comics",), 32, "box", comics=0.5)
    assert alone._chosen(np.random.default_rng(0)) == "comics"
