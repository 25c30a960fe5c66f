"""Weights for the tests that follow a sketch in a real editor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend import store
from models.sc_fegan import SCFEGANNetwork

MODEL = "drawn"


def install_weights(folder: Path) -> str:
    """Put a narrow SC-FEGAN with random weights into a folder, under the name `MODEL`; its title."""
    torch.manual_seed(0)
    torch.save(SCFEGANNetwork(width=8).state_dict(), folder.with_name("drawn.pth"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI_INPAINT_MODELS", str(folder))
        return store.import_weights(folder.with_name("drawn.pth"), lambda *_: None, MODEL).title
