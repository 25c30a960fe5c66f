"""Pictures that are filled in tiles, by the command and after a network: sharp, and nothing else changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy import ndimage
from weights_files import small_lama

from backend import files, inpaint
from backend.cli import main
from backend.wire.errors import InpaintError
from models import patchmatch
from models.lama import LaMa
from models.layers import large

HOLE = (slice(160, 400), slice(190, 450))


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes tens of megapixels otherwise, in a picture of a third of one."""
    monkeypatch.setattr(large, "WHOLE", 100_000)
    monkeypatch.setattr(large, "SIDE", 96)


def scene(dtype: str = "uint8") -> tuple[np.ndarray, np.ndarray]:
    """Grain and pebbles, H x W x 3, and a hole in them whose rim is ragged."""
    rng = np.random.default_rng(5)
    picture = np.full((560, 640, 3), 0.5)
    for size, strength in ((0.6, 0.08), (2, 0.08), (12, 0.08)):
        layer = ndimage.gaussian_filter(rng.standard_normal(picture.shape), (size, size, 0), mode="wrap")
        picture += strength * layer / layer.std()
    mask = np.zeros(picture.shape[:2], dtype=bool)
    mask[HOLE] = ndimage.gaussian_filter(rng.standard_normal(mask.shape), 12)[HOLE] > -0.03
    mask[200:360, 230:410] = True
    most = np.iinfo(dtype).max
    return np.rint(np.clip(picture, 0, 1) * most).astype(dtype), mask


def sharpness(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean difference to the right and downwards."""
    plane = picture.astype(np.float64).mean(2)
    steps = np.abs(np.diff(plane, axis=1, append=plane[:, -1:]))
    return float((steps + np.abs(np.diff(plane, axis=0, append=plane[-1:])))[where].mean())


@pytest.mark.parametrize(("model", "dtype"), [("auto", "uint8"), ("patchmatch", "uint16")])
def test_the_command_fills_it_sharply_and_nothing_else(tmp_path: Path, dtype: str, model: str) -> None:
    picture, mask = scene(dtype)
    files.write(files.Picture(picture), picture, tmp_path / "in.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    arguments = ["run", tmp_path / "in.png", tmp_path / "mask.png", "--model", model, "-o"]
    for name in ("out.png", "again.png"):
        done = CliRunner().invoke(main, [str(argument) for argument in [*arguments, tmp_path / name]])
        assert done.exit_code == 0, done.output
    filled = files.read(tmp_path / "out.png").pixels
    assert filled.dtype == picture.dtype
    far = ndimage.distance_transform_edt(~mask) > 7  # 4 px grown, 2 px feathered
    assert np.array_equal(filled[far], picture[far])
    assert 0.85 < sharpness(filled, mask) / sharpness(picture, ~mask) < 1.1
    assert np.array_equal(filled, files.read(tmp_path / "again.png").pixels)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_lama(tmp_path_factory.mktemp("weights") / "lama.ckpt")


@pytest.fixture
def small_network(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A network that sees a sixteenth of the picture's pixels."""
    monkeypatch.setattr(LaMa, "card", replace(LaMa.card, max_pixels=140 * 160))
    copy = tmp_path / "copy.ckpt"  # under another name, as models are kept once loaded
    copy.write_bytes(weights.read_bytes())
    return str(copy)


def test_a_network_s_fill_gets_the_picture_s_detail(small_network: str) -> None:
    picture, mask = scene()
    told: list[tuple[float, str]] = []
    filled = inpaint(
        picture, mask, small_network, device="cpu", seam="off", progress=lambda *news: told.append(news)
    )
    far = ndimage.distance_transform_edt(~mask) > 7
    assert np.array_equal(filled[far], picture[far])
    inside = ndimage.binary_erosion(mask, iterations=2)
    assert 0.8 < sharpness(filled, inside) / sharpness(picture, ~mask) < 1.15
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert [stage for _, stage in told].count("blending") >= 6  # one at least for every tile
    assert np.array_equal(filled, inpaint(picture, mask, small_network, device="cpu", seam="off"))


def test_where_memory_does_not_suffice_for_detail_there_is_the_network_s_fill(
    small_network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, mask = scene()

    def full(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(large.LargeCompletion, "run", full)
    filled = inpaint(picture, mask, small_network, device="cpu", seam="off")
    assert (filled != picture).any(2)[mask].mean() > 0.9
    assert sharpness(filled, ndimage.binary_erosion(mask, iterations=2)) < 0.5 * sharpness(picture, ~mask)


def test_a_cancel_amid_the_tiles_is_an_error_with_that_code() -> None:
    picture, mask = scene()
    reached: list[float] = []
    with pytest.raises(InpaintError) as caught:
        inpaint(
            picture,
            mask,
            "patchmatch",
            progress=lambda fraction, stage: reached.append(fraction),
            cancel=lambda: bool(reached) and reached[-1] > 0.6,
        )
    assert caught.value.code == "cancelled" and reached[-1] < 0.8


def test_a_view_up_to_the_limit_is_filled_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, mask = scene()
    monkeypatch.setattr(large, "WHOLE", picture.size // 3)

    def never(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(large.LargeCompletion, "run", never)
    model = patchmatch.PatchMatch()
    planes = np.float32(picture.transpose(2, 0, 1)[None]) / 255
    assert np.isfinite(model.fill(planes, mask[None, None])).all()
