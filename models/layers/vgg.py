"""The convolutions of VGG-16 and VGG-19 up to relu4_2, and the reading of the files they come in.

Simonyan & Zisserman 2014, "Very deep convolutional networks for large-scale image recognition". Only
features are wanted, so what follows conv4_2 is left in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor, nn
from torch.nn import functional

CELL = 8  # px; pixels per position of a relu4 feature map
HALO = 40  # px; a relu4_2 feature sees 38 px beyond its cell, here rounded up to whole cells

_CONVOLUTIONS = {16: (2, 2, 3, 2), 19: (2, 2, 4, 2)}  # by block; of the fourth, as many as are wanted
_WIDTHS = (64, 128, 256, 512)

# What the authors' Caffe files were trained on, and what torchvision's were.
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # B, G, R of 255
_TORCHVISION_MEAN = (0.485, 0.456, 0.406)  # R, G, B of 1
_TORCHVISION_DEVIATION = (0.229, 0.224, 0.225)

_NAME = re.compile(r"(?:features\.)?\d+\.weight|block\d/layers/conv2d(?:_\d)?/vars/0")


class Vgg(nn.Module):
    """Features of a picture.

    Args:
        depth: 16 or 19.
        caffe: whether the weights expect B, G, R in 0...255 less a mean, as the authors' own do, rather
            than torchvision's normalised R, G, B.
        widths: channels of the four blocks; narrower ones compute the same with less.
    """

    def __init__(
        self, depth: int = 19, caffe: bool = False, widths: tuple[int, int, int, int] = _WIDTHS
    ) -> None:
        super().__init__()
        self.depth = depth
        self.caffe = caffe
        before = 3
        for block, (count, width) in enumerate(zip(_CONVOLUTIONS[depth], widths, strict=True), 1):
            for n in range(1, count + 1):
                self.add_module(f"conv{block}_{n}", nn.Conv2d(before, width, 3, padding=1))
                before = width

    def forward(self, picture: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features by layer name.

        Args:
            picture: N x 3 x h x w, RGB in [0, 1].
            layers: of `"relu1_1"` ... `"relu4_2"`. Nothing deeper than the deepest is computed.

        Returns:
            N x C x h/s x w/s each, s = 1, 2, 4, 8 for the blocks 1 to 4, rounded down.
        """
        wanted = set(layers)
        found: dict[str, Tensor] = {}
        x = self._normalise(picture)
        for block, count in enumerate(_CONVOLUTIONS[self.depth], 1):
            for n in range(1, count + 1):
                x = functional.relu(self.get_submodule(f"conv{block}_{n}")(x))
                if f"relu{block}_{n}" in wanted:
                    found[f"relu{block}_{n}"] = x
                if len(found) == len(wanted):
                    return found
            x = functional.max_pool2d(x, 2)
        raise ValueError(
            f"VGG-{self.depth} has no layer {', '.join(sorted(wanted - set(found)))} up to relu4_2"
        )

    def _normalise(self, picture: Tensor) -> Tensor:
        if self.caffe:
            return picture.flip(1) * 255 - picture.new_tensor(_CAFFE_MEAN).view(1, 3, 1, 1)
        mean = picture.new_tensor(_TORCHVISION_MEAN).view(1, 3, 1, 1)
        return (picture - mean) / picture.new_tensor(_TORCHVISION_DEVIATION).view(1, 3, 1, 1)


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> dict | None:
    """The settings of `Vgg` if tensors of these names and shapes are a VGG-16's or -19's, else None.

    Known are torchvision's state dictionaries (not those with batch normalisation), the Caffe weights in
    torchvision's naming (told apart by the numbers of the classifier's layers), and Keras files, which
    hold Caffe's.
    """
    names = _kernels(shapes)
    if not names or any(name.endswith("running_mean") for name in shapes):
        return None
    keras = _is_keras(names[0])
    widths = [shapes[name][2:] if keras else shapes[name][1::-1] for name in names]
    for depth in _CONVOLUTIONS:
        expected = _widths(depth)
        if widths[: len(expected)] == expected:
            return {"depth": depth, "caffe": keras or "classifier.1.weight" in shapes}
    return None


def translate(tensors: Mapping[str, Tensor], depth: int = 19, caffe: bool = False) -> dict[str, Tensor]:
    """The checkpoint's tensors under the names and in the layout of `Vgg`'s state dictionary."""
    names = _kernels({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    state: dict[str, Tensor] = {}
    for name, target in zip(names, _names(depth), strict=False):
        keras = _is_keras(name)
        state[f"{target}.weight"] = (tensors[name].permute(3, 2, 0, 1) if keras else tensors[name]).float()
        bias = f"{name[:-1]}1" if keras else f"{name[: -len('weight')]}bias"
        if bias in tensors:
            state[f"{target}.bias"] = tensors[bias].float()
    return state


def _kernels(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The names of a file's 3 x 3 kernels, from the picture inwards; empty where they are not a VGG's."""
    names = [name for name, shape in shapes.items() if len(shape) == 4 and _NAME.fullmatch(name)]
    names = [name for name in names if (shapes[name][:2] if _is_keras(name) else shapes[name][2:]) == (3, 3)]
    return sorted(
        names, key=lambda name: [int(part) for part in re.findall(r"\d+", name.replace("2d/", "2d_0/"))]
    )


def _is_keras(name: str) -> bool:
    return name.startswith("block")


def _names(depth: int) -> list[str]:
    return [f"conv{b}_{n}" for b, count in enumerate(_CONVOLUTIONS[depth], 1) for n in range(1, count + 1)]


def _widths(depth: int) -> list[tuple[int, int]]:
    """Channels in and out of every convolution."""
    out = [width for count, width in zip(_CONVOLUTIONS[depth], _WIDTHS, strict=True) for _ in range(count)]
    return list(zip([3, *out], out, strict=False))
