"""DeepFill v2: fills free-form holes with gated convolutions, and with patches of the picture itself.

Yu et al. 2019, "Free-form image inpainting with gated convolution" (arXiv 1806.03589): a coarse network
(stage 1) and a refining one with contextual attention (stage 2). Two programs publish weights: the
authors' own in TensorFlow, and nipponjo's deepfillv2-pytorch, which has two networks, one for the authors'
weights and one for its own. All three differ in padding, reduction or fusion, and are told apart as
variants by the names of their tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Cancel, Cancelled, Progress
from .catalogue import DEEPFILL
from .layers.contextual import ContextualAttention
from .network import NetworkModel

STRIP = 1 << 24
"""Largest number of values that one convolution computes at once; larger maps are cut into strips of rows."""

REACH = 48
"""Pixels: how far around the hole stage 2 needs the attention's answer. After it come four convolutions at a
quarter of the size, two at half and three at full, which see 25 pixels far; a place and its patch take 12."""


class Layer(NamedTuple):
    """One convolution of the coarse-to-fine network, under the name that the authors give it."""

    branch: str
    number: int
    name: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    dilation: int
    grown: bool
    """Whether the map is doubled first, by nearest neighbour."""


def layers(unit: int, inputs: int, refined: int) -> Iterator[Layer]:
    """The convolutions of both stages, numbered 1 to 17 in each of their branches.

    Args:
        unit: channels of the first layer.
        inputs, refined: channels that stage 1 and stage 2 get.
    """
    wide = {n: 4 for n in range(5, 13)} | {13: 2, 14: 2, 15: 1}
    stage1 = {1: 1, 2: 2, 3: 2, 4: 4} | wide
    hallucinated = {1: 1, 2: 1, 3: 2, 4: 2} | wide
    matched = {1: 1, 2: 1, 3: 2, 4: 4} | wide
    for branch, numbers, widths, channels in (
        ("conv", range(1, 18), stage1, inputs),
        ("xconv", range(1, 11), hallucinated, refined),
        ("pmconv", [*range(1, 7), 9, 10], matched, refined),
        ("allconv", range(11, 18), wide, 8 * unit),
    ):
        for n in numbers:
            atrous = n in range(7, 11) and branch != "pmconv"
            ending = {2: "_downsample", 4: "_downsample", 13: "_upsample", 15: "_upsample"}.get(n, "")
            outputs = {16: unit // 2, 17: 3}.get(n) or unit * widths[n]
            yield Layer(
                branch,
                n,
                f"{branch}{n}{'_atrous' if atrous else ending}",
                channels,
                outputs,
                kernel=5 if n == 1 else 3,
                stride=2 if n in (2, 4) else 1,
                dilation=2 ** (n - 6) if atrous else 1,
                grown=n in (13, 15),
            )
            channels = outputs


class Convolution(nn.Conv2d):
    """A convolution with zeros around, its map doubled before or its features gated after.

    Gating (the paper's section 3.1) takes the first half of the answer through the activation and
    multiplies it by the sigmoid of the second.
    """

    def __init__(
        self, layer: Layer, activation: Callable[[Tensor], Tensor] | None, gated: bool, symmetric: bool
    ) -> None:
        """
        Args:
            layer: its sizes.
            activation: None: none, and no gate either.
            gated: whether features are gated.
            symmetric: whether there are as many zeros above as below at stride 2, too, where
                TensorFlow has none above.
        """
        gated = gated and activation is not None
        outputs = layer.outputs * (2 if gated else 1)
        super().__init__(layer.inputs, outputs, layer.kernel, layer.stride, dilation=layer.dilation)
        self.layer, self.activation, self.gated, self.symmetric = layer, activation, gated, symmetric

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W to N x O x H' x W'; in strips, so that a large map is never there ungated."""
        height, width = (side * 2 if self.layer.grown else side for side in x.shape[-2:])
        rows, columns = -(-height // self.layer.stride), -(-width // self.layer.stride)
        strip = max(STRIP // (len(x) * self.out_channels * columns), 1)
        if strip >= rows:
            return self._rows(x, 0, rows, height)
        first = self._rows(x, 0, strip, height)
        last = torch.channels_last if first.is_contiguous(memory_format=torch.channels_last) else None
        whole = torch.empty(
            (*first.shape[:2], rows, columns),
            dtype=first.dtype,
            device=first.device,
            memory_format=last or torch.contiguous_format,
        )
        whole[:, :, :strip] = first
        for top in range(strip, rows, strip):
            bottom = min(top + strip, rows)
            whole[:, :, top:bottom] = self._rows(x, top, bottom, height)
        return whole

    def _rows(self, x: Tensor, top: int, bottom: int, height: int) -> Tensor:
        """Rows `top` to `bottom` of the answer; `height`: of the doubled map."""
        kernel, stride, dilation = self.layer.kernel, self.layer.stride, self.layer.dilation
        reach = (kernel - 1) * dilation
        above = reach // 2 if self.symmetric or stride == 1 else (reach + 1 - stride) // 2
        before, after = above, reach - above
        start, stop = top * stride - before, (bottom - 1) * stride + reach - before + 1
        first, last = max(start, 0), min(stop, height)
        if self.layer.grown:
            x = functional.interpolate(x[:, :, first // 2 : (last + 1) // 2], scale_factor=2.0)
            x = x[:, :, first % 2 : first % 2 + last - first]
        else:
            x = x[:, :, first:last]
        x = functional.pad(x, (before, after, first - start, stop - last))
        answer = functional.conv2d(x, self.weight, self.bias, stride, 0, dilation)
        if self.activation is None:
            return answer
        if not self.gated:
            return self.activation(answer)
        feature, gate = answer.chunk(2, 1)
        return self.activation(feature) * torch.sigmoid(gate)


class CoarseToFine(nn.Module):
    """The network of DeepFill, coarse (stage 1) and fine (stage 2). Defaults are version 2's.

    Attributes:
        conv1 ... conv17: stage 1.
        xconv1 ... xconv10_atrous: stage 2, the branch that hallucinates.
        pmconv1 ... pmconv10: stage 2, the branch that matches patches, with contextual attention inside.
        allconv11 ... allconv17: stage 2, both branches together.
    """

    unit = 24
    refined = 3
    gated = True

    def __init__(
        self, attention: ContextualAttention, symmetric: bool = False, unit: int | None = None
    ) -> None:
        """
        Args:
            attention: of stage 2.
            symmetric: see `Convolution`.
            unit: channels of the first layer; None takes the published number.
        """
        super().__init__()
        self.names = {}
        for layer in layers(unit or self.unit, 5, self.refined):
            self.names[layer.branch, layer.number] = layer.name
            activation: Callable[[Tensor], Tensor] | None = functional.elu
            if layer.outputs == 3:
                activation = None
            elif layer.name == "pmconv6":
                activation = functional.relu
            self.add_module(layer.name, Convolution(layer, activation, self.gated, symmetric))
        self.attention = attention

    def forward(
        self, x: Tensor, mask: Tensor, hole_only: bool = False, step: Callable[[], object] | None = None
    ) -> tuple[Tensor, Tensor]:
        """
        Args:
            x: N x 5 x H x W, sides multiples of 8: colours in [-1, 1], 0 in the hole (3), ones, mask.
            mask: N x 1 x H x W, 1 = hole.
            hole_only: whether stage 2 may be wrong outside the hole, which is faster.
            step: called now and then during contextual attention; what it raises ends the computation.

        Returns:
            Stage 1 and stage 2, both N x 3 x H x W, in [-1, 1].
        """
        stage1 = self.squash(self._run(x, "conv", range(1, 18)))
        pasted = stage1 * mask + x[:, :3] * (1 - mask)
        pasted = self.refine_input(pasted, x, mask)
        hallucinated = self._run(pasted, "xconv", range(1, 11))
        matched = self._run(pasted, "pmconv", range(1, 7))
        matched = self.attention(matched, mask, REACH if hole_only else None, step)
        matched = self._run(matched, "pmconv", range(9, 11))
        stage2 = self.squash(self._run(torch.cat([hallucinated, matched], 1), "allconv", range(11, 18)))
        return stage1, stage2

    def squash(self, x: Tensor) -> Tensor:
        """To [-1, 1]."""
        return torch.tanh(x.float())

    def refine_input(self, pasted: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        """What stage 2 gets, of stage 1 pasted into the picture, and stage 1's own input."""
        return pasted

    def _run(self, x: Tensor, branch: str, numbers: range) -> Tensor:
        for n in numbers:
            x = self.get_submodule(self.names[branch, n])(x)
        return x


class CoarseToFineModel(NetworkModel):
    """What versions 1 and 2 share: how the network is fed."""

    def predict(
        self,
        image: Tensor,
        hole: Tensor,
        guidance: Mapping[str, Tensor],
        seed: int,
        progress: Progress,
        cancel: Cancel,
        **params: Any,
    ) -> Tensor:
        def step() -> None:
            if cancel():
                raise Cancelled

        blue_first = (
            self.settings.get("variant", "tensorflow") == "tensorflow"
        )  # as its authors' program does
        colours = image.flip(1) if blue_first else image
        x = torch.cat([(colours * 2 - 1) * (1 - hole), torch.ones_like(hole), hole], 1)
        filled = self.network(x, hole, hole_only=True, step=step)[1] / 2 + 0.5
        return filled.flip(1) if blue_first else filled


class DeepFill(CoarseToFineModel):
    """DeepFill v2 with the weights of any of the two programs.

    Variants: "tensorflow" is what the authors' TensorFlow graph computes, "networks-tf" and "pytorch" what
    the networks in nipponjo's files of these names do. By default the names of the tensors decide.
    """

    card = DEEPFILL

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """By the names of the kernels; the three published styles stand for the three variants.

        With the network's own names, "own", the file or the user has to tell the variant, and the first layer
        may be of any width.
        """
        for style in cls.card.variants:
            if share_of_kernels(shapes, style, layers(24, 5, 3), gated=True) > 0.5:
                return {"style": style, "variant": style}
        first = shapes.get("conv1.weight", ())
        unit = first[0] // 2 if len(first) == 4 else 0
        if unit >= 2 and share_of_kernels(shapes, "own", layers(unit, 5, 3), gated=True) > 0.5:
            return {"style": "own", "unit": unit}
        return None

    @classmethod
    def build(cls, style: str = "tensorflow", variant: str = "tensorflow", unit: int = 24) -> nn.Module:
        attention = {
            "tensorflow": ContextualAttention(aligned=True, steps=(4, 2), fused=True),
            "networks-tf": ContextualAttention(aligned=True, steps=(8,), fused=False),
            "pytorch": ContextualAttention(aligned=False, steps=(8,), fused=True),
        }[variant]
        return CoarseToFine(attention, symmetric=variant == "pytorch", unit=unit)

    @classmethod
    def translate(
        cls, tensors: dict[str, Tensor], style: str = "tensorflow", unit: int = 24
    ) -> dict[str, Tensor]:
        """Any of the styles of names to the authors' names, kernels to PyTorch's layout."""
        if style == "pytorch":
            diagonal = tensors.pop("stage2.contextual_attention.fuse_weight")
            if not torch.equal(diagonal.flatten(), torch.eye(3, dtype=diagonal.dtype).flatten()):
                raise ValueError("stage2.contextual_attention.fuse_weight is not the 3 x 3 identity")
        return renamed(tensors, style, layers(unit, 5, 3))


def published_name(layer: Layer, style: str, kind: str) -> str:
    """The name of a layer's "weight" or "bias" in a published checkpoint.

    Args:
        style: a variant of `DeepFill`; "tensorflow" is the TensorFlow variables'. "own" is what the network
            itself calls it, no published name.
    """
    if style == "own":
        return f"{layer.name}.{kind}"
    if style == "tensorflow":
        inner = f"/{layer.name}_conv" if layer.grown else ""
        return f"inpaint_net/{layer.name}{inner}/{'kernel' if kind == 'weight' else 'bias'}"
    ending = f"{'.conv' if layer.grown else ''}.conv.{kind}"
    if style == "networks-tf":
        return layer.name + ending
    branch = {"conv": "stage1.", "xconv": "stage2.conv_", "pmconv": "stage2.ca_", "allconv": "stage2."}
    place = {
        1: "conv1",
        2: "down_block1.conv1_downsample",
        3: "down_block1.conv2",
        4: "down_block2.conv1_downsample",
        5: "down_block2.conv2",
        13: "up_block1.conv1_upsample",
        14: "up_block1.conv2",
        15: "up_block2.conv1_upsample",
        16: "up_block2.conv2",
        17: "conv_to_rgb",
    }.get(layer.number, f"conv_bn{layer.number - 5}")
    return branch[layer.branch] + place + ending


def share_of_kernels(
    shapes: Mapping[str, tuple[int, ...]], style: str, wanted: Iterable[Layer], gated: bool
) -> float:
    """Which share of the kernels is there, by name and shape: 1 is a complete checkpoint."""
    found = []
    for layer in wanted:
        outputs = layer.outputs * (2 if gated and layer.number != 17 else 1)
        shape = (outputs, layer.inputs, layer.kernel, layer.kernel)
        if style == "tensorflow":
            shape = (layer.kernel, layer.kernel, layer.inputs, outputs)
        found.append(shapes.get(published_name(layer, style, "weight")) == shape)
    return sum(found) / len(found)


def renamed(tensors: dict[str, Tensor], style: str, wanted: Iterable[Layer]) -> dict[str, Tensor]:
    """Published names to the network's own, TensorFlow's kernels turned to PyTorch's layout.

    Drops what is no generator's: in TensorFlow's checkpoints the discriminator and the optimiser's slots.

    Raises:
        KeyError: the published name of a tensor that is missing.
    """
    if style == "tensorflow":  # slots are named .../kernel/Adam
        tensors = {
            name: tensor
            for name, tensor in tensors.items()
            if name.startswith("inpaint_net/") and name.endswith(("/kernel", "/bias"))
        }
    ours = {}
    for layer in wanted:
        for kind in ("weight", "bias"):
            tensor = tensors.pop(published_name(layer, style, kind))
            if style == "tensorflow" and kind == "weight":
                tensor = tensor.permute(3, 2, 0, 1)
            ours[f"{layer.name}.{kind}"] = tensor
    return ours | tensors  # what is left over is surplus
