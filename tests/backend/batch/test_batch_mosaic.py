"""Mosaics: restored from what they say, found without marks, and refused where a run would be wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from batch_pictures import GREEN, call, pixels, results, save
from PIL import Image

from backend.batch.folder import Pair
from backend.batch.holes import Request, look
from models.training.comics import page

sys.path.append(str(Path(__file__).parents[1] / "imaging"))
from test_mosaic import hidden

PLACE = (slice(110, 190), slice(90, 200))
COLOUR = ("--mask-color", "00ff00")
CELL = 10


def art(seed: int = 1) -> np.ndarray:
    return page(300, 300, np.random.default_rng(seed), True)


def censored(seed: int = 1) -> np.ndarray:
    return hidden(art(seed), PLACE, CELL, 3, 7)


def green(picture: np.ndarray) -> np.ndarray:
    result = picture.copy()
    result[PLACE] = GREEN
    return result


def cells() -> np.ndarray:
    """int h x w: the cell of each pixel in PLACE."""
    y, x = np.mgrid[PLACE]
    names = ((y - 7) // CELL) * 1000 + (x - 3) // CELL
    return np.unique(names, return_inverse=True)[1].reshape(names.shape)


def largest_difference(result: np.ndarray, given: np.ndarray) -> float:
    """Of the cells' means, in 255ths."""
    names = cells()
    return max(
        np.abs(result[PLACE][names == name].mean(axis=0) - given[PLACE][names == name].mean(axis=0)).max()
        for name in range(names.max() + 1)
    )


def psnr(result: np.ndarray, truth: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / ((result[PLACE].astype(float) - truth[PLACE]) ** 2).mean()))


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with results: `mosaic` of a mosaic run, `bar` of one that did not look at the mosaic."""
    folder = tmp_path_factory.mktemp("mosaic")
    save(folder / "in/sub/mermaid.png", green(censored()))
    save(folder / "original/sub/mermaid.png", censored())
    save(folder / "in/other.png", green(censored(3)))
    save(folder / "original/other.bmp", censored(3))
    options = (*COLOUR, "--model", "patchmatch", "--report", folder / "report.json")
    outcome = call(folder / "in", folder / "mosaic", *options, "--original", folder / "original")
    assert outcome.exit_code == 0, outcome.output
    alone = ("--grow", "0", "--feather", "0", "--bar")
    assert call(folder / "in", folder / "bar", *COLOUR, "--model", "patchmatch", *alone).exit_code == 0
    return folder


@pytest.mark.parametrize(("name", "seed"), [("sub/mermaid.png", 1), ("other.png", 3)])
def test_means_of_the_cells_stay_and_nothing_else_changes(restored: Path, name: str, seed: int) -> None:
    result = pixels(restored / "mosaic" / name)
    assert largest_difference(result, censored(seed)) < 1
    outside = np.ones(result.shape[:2], bool)
    outside[PLACE] = False
    assert np.array_equal(result[outside], censored(seed)[outside])
    assert largest_difference(pixels(restored / "bar" / name), censored(seed)) > 20
    assert psnr(result, art(seed)) > psnr(pixels(restored / "bar" / name), art(seed)) + 0.5


def test_the_report_tells_of_the_cells(restored: Path) -> None:
    told = json.loads((restored / "report.json").read_text())["pictures"]
    for picture in told:
        assert [mosaic["cell"] for mosaic in picture["mosaics"]] == [CELL]
        assert picture["mean_difference"] < 1 and picture["mosaics"][0]["box"] == [90, 110, 200, 190]


def test_a_jpeg_original_of_a_marked_png(tmp_path: Path) -> None:
    save(tmp_path / "original/mermaid.jpg", censored(), quality=95)
    given = pixels(tmp_path / "original/mermaid.jpg")
    save(tmp_path / "in/mermaid.png", green(given))
    options = (*COLOUR, "--original", tmp_path / "original", "--report", tmp_path / "r.json")
    outcome = call(tmp_path / "in", tmp_path / "out", *options)
    assert outcome.exit_code == 0, outcome.output
    told = json.loads((tmp_path / "r.json").read_text())["pictures"][0]
    assert told["mean_difference"] < 1
    assert largest_difference(pixels(tmp_path / "out/mermaid.png"), given) < 3  # a cell's noise is left out


def test_what_a_lossy_result_loses_is_told(tmp_path: Path) -> None:
    save(tmp_path / "in/a.jpg", censored(), quality=60)
    save(tmp_path / "masks/a.png", (green(censored() * 0)[..., 1] == 255).astype(np.uint8) * 255)
    options = ("--masks", tmp_path / "masks", "--original", tmp_path / "in", "--report", tmp_path / "r.json")
    outcome = call(tmp_path / "in", tmp_path / "out", *options)
    assert outcome.exit_code == 0, outcome.output
    told = json.loads((tmp_path / "r.json").read_text())["pictures"][0]
    assert told["mean_difference"] > 1
    assert "do not keep every colour" in outcome.output


def test_pictures_without_their_original_are_told(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", green(censored()))
    save(tmp_path / "in/b.png", green(censored()))
    save(tmp_path / "in/c.png", green(censored()))
    save(tmp_path / "original/a.png", censored())
    save(tmp_path / "original/c.png", censored()[:-2])
    outcome = call(tmp_path / "in", tmp_path / "out", *COLOUR, "--original", tmp_path / "original")
    assert outcome.exit_code == 1
    assert "b.png: There is no original of b.png" in outcome.output
    assert "c.png: The original c.png is 300 x 298 pixels, the marked picture 300 x 300" in outcome.output
    assert results(tmp_path / "out") == ["a.png"]


def test_a_mosaic_run_on_bars_is_refused(tmp_path: Path) -> None:
    bar = art().copy()
    bar[PLACE] = 0
    save(tmp_path / "in/a.png", green(bar))
    save(tmp_path / "original/a.png", bar)
    outcome = call(tmp_path / "in", tmp_path / "out", *COLOUR, "--original", tmp_path / "original")
    assert outcome.exit_code == 1
    assert "no mosaic under the marks of a.png" in outcome.output and "without --original" in outcome.output


def test_a_mosaic_of_one_colour_is_that_colour(tmp_path: Path) -> None:
    plain = np.full((300, 300, 3), (60, 160, 190), np.uint8)
    save(tmp_path / "in/a.png", green(plain))
    save(tmp_path / "original/a.png", plain)
    outcome = call(tmp_path / "in", tmp_path / "out", *COLOUR, "--original", tmp_path / "original")
    assert outcome.exit_code == 0 and "filled from its surroundings alone" in outcome.output
    assert np.array_equal(pixels(tmp_path / "out/a.png"), plain)


def test_a_bar_run_on_mosaics_is_refused(tmp_path: Path) -> None:
    beneath = censored()
    beneath[140:160, 120:170] = GREEN  # a mark that leaves some of the mosaic
    save(tmp_path / "in/around.png", beneath)
    outcome = call(tmp_path / "in", tmp_path / "out", *COLOUR)
    assert outcome.exit_code == 1
    assert (
        "There is a mosaic around a mark of around.png" in outcome.output and "--original" in outcome.output
    )
    assert call(tmp_path / "in", tmp_path / "out", *COLOUR, "--bar").exit_code == 0

    save(tmp_path / "masked/a.png", censored())
    save(tmp_path / "masked/a_mask.png", (green(censored() * 0)[..., 1] == 255).astype(np.uint8) * 255)
    outcome = call(tmp_path / "masked", tmp_path / "out2")
    assert outcome.exit_code == 1 and "There is a mosaic under the mask of a.png" in outcome.output
    followed = call(tmp_path / "masked", tmp_path / "out2", "--original", tmp_path / "masked")
    assert followed.exit_code == 0, followed.output
    assert largest_difference(pixels(tmp_path / "out2/a.png"), censored()) < 1


def test_mosaics_are_found_without_marks(tmp_path: Path) -> None:
    picture = page(400, 500, np.random.default_rng(11), True)
    place = slice(150, 280), slice(203, 343)
    save(tmp_path / "in/a.png", hidden(picture, place, 12, 5, 3))
    save(tmp_path / "in/clean.png", picture)
    outcome = call(tmp_path / "in", tmp_path / "out", "--find-mosaic", "--show-masks", tmp_path / "show")
    assert outcome.exit_code == 0, outcome.output
    assert results(tmp_path / "out") == ["a.png"]
    assert "clean.png: No mosaic is certain" in outcome.output
    result = pixels(tmp_path / "out/a.png")
    shown = (pixels(tmp_path / "show/a.png") == (220, 0, 0)).all(axis=2)
    given = pixels(tmp_path / "in/a.png")
    # A good third: the rest of the mosaic is as plain as the drawing beneath it.
    assert shown[place].mean() > 0.3
    assert np.array_equal(result[~shown], given[~shown])
    assert (result[shown] != given[shown]).any(axis=1).mean() > 0.5


def test_a_palette_picture(tmp_path: Path) -> None:
    few = Image.fromarray(green(censored())).quantize(64)
    (tmp_path / "in").mkdir()
    few.save(tmp_path / "in/a.png")
    with Image.open(tmp_path / "in/a.png") as image:
        colours = np.asarray(image.convert("RGB"))
    mark = "".join(f"{value:02x}" for value in colours[150, 150])
    save(tmp_path / "original/a.png", censored())
    options = ("--mask-color", mark, "--original", tmp_path / "original", "--report", tmp_path / "r.json")
    outcome = call(tmp_path / "in", tmp_path / "out", *options)
    assert outcome.exit_code == 0, outcome.output
    told = json.loads((tmp_path / "r.json").read_text())["pictures"][0]
    assert ("do not keep every colour" in outcome.output) == (told["mean_difference"] >= 1)


def test_the_network_for_mosaics_is_shown_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights by rule, not trained: what counts is that they are chosen, and see what is in the hole."""
    from click.testing import CliRunner

    from backend.cli import main
    from models.deepcreampy import DeepCreamPy, DeepCreamPyNetwork

    monkeypatch.setenv("AI_INPAINT_MODELS", str(tmp_path / "weights"))
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    torch.save(DeepCreamPyNetwork().state_dict(), tmp_path / "w.pth")
    imported = CliRunner().invoke(
        main, ["models", "import", str(tmp_path / "w.pth"), "--name", "deepcreampy-mosaic"]
    )
    assert imported.exit_code == 0, imported.output
    assert DeepCreamPy.describe("mosaic").sees_hole  # it gets these pixels (see test_evidence.py):
    save(tmp_path / "original/a.png", censored())
    save(tmp_path / "marked/a.png", green(censored()))
    pair = Pair("a.png", tmp_path / "marked/a.png", None, tmp_path / "original/a.png")
    assert np.array_equal(look(pair, Request(colour=GREEN, mosaic=True)).pixels, censored())

    save(tmp_path / "in/a.png", green(censored()))
    refused = call(tmp_path / "in", tmp_path / "bar", *COLOUR, "--model", "deepcreampy-mosaic")
    assert refused.exit_code == 2 and "has to see them" in refused.output
    results_of = []
    for seed in (1, 3):  # the marked pictures are the same, the mosaics beneath the marks are not
        save(tmp_path / f"original{seed}/a.png", hidden(art(seed), PLACE, CELL, 3, 7))
        out = tmp_path / f"out{seed}"
        options = (*COLOUR, "--original", tmp_path / f"original{seed}", "--report", tmp_path / "r.json")
        outcome = call(tmp_path / "in", out, *options, "--model", "auto")
        assert outcome.exit_code == 0, outcome.output
        assert json.loads((tmp_path / "r.json").read_text())["pictures"][0]["model"] == "deepcreampy-mosaic"
        results_of.append(pixels(out / "a.png"))
        assert largest_difference(results_of[-1], hidden(art(seed), PLACE, CELL, 3, 7)) < 1
    assert not np.array_equal(results_of[0][PLACE], results_of[1][PLACE])
