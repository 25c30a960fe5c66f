"""README's recipes: what is printed works, and gives what the pictures show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .__main__ import PICTURES, cook, save, sheet
from .recipes import RECIPES, Recipe

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_command_gives_what_readme_shows(recipe: Recipe, tmp_path: Path) -> None:
    assert f"\n    {recipe.command}\n" in README and recipe.title in README
    picture = PICTURES / f"{recipe.name}.jpg"
    assert f"({picture.relative_to(Path(__file__).parents[2]).as_posix()})" in README
    cook(recipe, tmp_path)
    save(sheet(recipe.show(tmp_path)), tmp_path / "sheet.jpg")
    made, shown = (
        np.asarray(Image.open(path), dtype=np.float32) for path in (tmp_path / "sheet.jpg", picture)
    )
    assert made.shape == shown.shape
    assert np.abs(made - shown).mean() < 1  # another Pillow may round otherwise
