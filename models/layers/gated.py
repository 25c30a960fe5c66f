"""Gated convolution in the form of SC-FEGAN, and TensorFlow's padding.

Yu et al. 2019, "Free-form image inpainting with gated convolution" (arXiv 1806.03589), section 3.1;
Jo and Park 2019, "SC-FEGAN" (arXiv 1902.06838), section 3.2, which normalises the features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def pad_same(x: Tensor, kernel: int, stride: int = 1, dilation: int = 1) -> Tensor:
    """Zeros around x so that a convolution of no padding answers ceil(size / stride) pixels.

    TensorFlow's "SAME": where the zeros do not divide evenly, bottom and right get one more.
    """
    reach = (kernel - 1) * dilation + 1
    sides: list[int] = []
    for size in (x.shape[-1], x.shape[-2]):
        zeros = max((-(-size // stride) - 1) * stride + reach - size, 0)
        sides += [zeros // 2, zeros - zeros // 2]
    return functional.pad(x, sides) if any(sides) else x


def normalise_channels(x: Tensor, radius: int = 5, bias: float = 5e-5) -> Tensor:
    """Local response normalisation: x / sqrt(bias + sum of x² over the channels up to `radius` away).

    Krizhevsky et al. 2012, section 3.3, with alpha 1 and beta 1/2. Sums in float32.
    """
    square = x.float().square()
    total = functional.pad(square, (0, 0, 0, 0, radius, radius))
    span, count = 1, 2 * radius + 1
    done, start = None, 0  # the sum of `count` neighbours out of sums of 1, 2, 4, ... of them
    while True:
        if count & span:
            part = total[:, start : start + x.shape[1]]
            done = part if done is None else done + part
            start += span
        if 2 * span > count:
            break
        total = total[:, :-span] + total[:, span:]
        span *= 2
    assert done is not None
    return (x * torch.rsqrt(done + bias)).to(x.dtype)


class GatedConv2d(nn.Module):
    """act(norm(W_f * x)) · sigmoid(W_g * x), both convolutions computed as one.

    Attributes:
        weight: 2O x C x k x k, the features' filters, then the gates'.
        bias: 2O, likewise.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        normalised: bool = True,
        activated: bool = True,
    ) -> None:
        """
        Args:
            inputs, outputs: channels.
            kernel, stride, dilation: of both convolutions, padded as `pad_same` does.
            normalised: whether the features go through `normalise_channels`.
            activated: whether they go through a leaky ReLU of slope 0.2.
        """
        super().__init__()
        self.kernel, self.stride, self.dilation = kernel, stride, dilation
        self.normalised, self.activated = normalised, activated
        self.weight = nn.Parameter(torch.empty(2 * outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(2 * outputs))
        nn.init.kaiming_normal_(self.weight, 0.2)

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W to N x O x ceil(H / stride) x ceil(W / stride)."""
        x = pad_same(x, self.kernel, self.stride, self.dilation)
        both = functional.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation)
        feature, gate = both.chunk(2, 1)
        if self.normalised:
            feature = normalise_channels(feature)
        if self.activated:
            feature = functional.leaky_relu(feature, 0.2)
        return feature * torch.sigmoid(gate)


class GatedDeconv2d(nn.Module):
    """d · sigmoid(d), with d the leaky ReLU of a 5 x 5 transposed convolution that doubles the size.

    The published graph gates the features with themselves: the second bias that its checkpoints carry
    reaches nothing.

    Attributes:
        weight: C x O x 5 x 5.
        bias: O.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs, 5, 5))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.kaiming_normal_(self.weight, 0.2, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W to N x O x 2H x 2W."""
        # The transpose of a "SAME" convolution: one row and column cut off before, two after.
        grown = functional.conv_transpose2d(x, self.weight, self.bias, 2, 1)[..., :-1, :-1]
        grown = functional.leaky_relu(grown, 0.2)
        return grown * torch.sigmoid(grown)
