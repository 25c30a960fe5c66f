"""Partial convolution: a convolution that looks at valid pixels only, and tells which it could answer for.

Liu et al. 2018, "Image inpainting for irregular holes using partial convolutions" (arXiv 1804.07723),
section 3.1. Masks here are what the paper's are: 1 where a pixel is valid, 0 in the hole.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PartialConv2d(nn.Module):
    """Equations (1) and (2) of the paper; weights as in any convolution.

    With S the valid values under the window, N the window's size and M = min(S, 1)::

        answer = ((W * (x · valid)) · N / S · M + b) · M        new mask = M

    Windows reach over the border into padding, which counts as hole, so that borders are boosted as
    the rims of holes are. The layer keeps nothing between calls, so threads can share it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
        multi_channel: bool = False,
        hard: bool = False,
    ) -> None:
        """
        Args:
            inputs, outputs: channels.
            kernel, stride, padding, dilation: as for any square convolution.
            bias: whether b is there.
            multi_channel: a mask of its own for every channel: S and N count over all channels. Without,
                one mask for all of them.
            hard: M is 1 wherever S is above 0. Differs where a mask holds fractions, as one that was
                scaled down does.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.multi_channel, self.hard = multi_channel, hard
        nn.init.kaiming_normal_(self.weight)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """
        Args:
            x: N x C x H x W, any float type.
            valid: N x C x H x W with `multi_channel`, otherwise N x 1 x H x W; in [0, 1]. None: all of it,
                for every picture of the batch alike.

        Returns:
            Features N x O x h x w of x's type, and the new mask in float32: N x O x h x w with
            `multi_channel`, otherwise N x 1 x h x w (1 x ... where no mask was given).
        """
        if valid is None:
            valid = torch.ones(1, x.shape[1] if self.multi_channel else 1, *x.shape[2:], device=x.device)
        elif valid.shape[1] != (x.shape[1] if self.multi_channel else 1):
            raise ValueError(f"the mask has {valid.shape[1]} channels for features with {x.shape[1]}")
        y, answered = self.normalised(x * valid.to(x.dtype), valid.float().sum(1, keepdim=True))
        return y, answered.expand(-1, len(self.weight) if self.multi_channel else 1, -1, -1)

    def normalised(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The same for features whose holes are 0 already.

        All masks of a layer's answer are the same, so a network need carry one channel of each group of
        features, and add them up.

        Args:
            x: N x C x H x W, multiplied by its masks.
            valid: float32, N x 1 x H x W: the sum of a pixel's masks, up to C with `multi_channel`, up to 1
                without.

        Returns:
            Features N x O x h x w, and the new mask, float32 N x 1 x h x w.
        """
        inputs, size = self.weight.shape[1:3]
        geometry = self.stride, self.padding, self.dilation
        # Counted in float32 whatever the features are: half precision cannot tell 256 from 257.
        with torch.autocast(valid.device.type, enabled=False):
            found = functional.conv2d(valid, valid.new_ones(1, 1, size, size), None, *geometry)
        window = size * size * (inputs if self.multi_channel else 1)
        answered = (found > 0).float() if self.hard else found.clamp(0, 1)
        ratio = window / (found + 1e-8) * answered
        y = functional.conv2d(x, self.weight, None, *geometry)
        y = y * ratio.to(y.dtype)
        if self.bias is not None:
            y = (y + self.bias[:, None, None].to(y.dtype)) * answered.to(y.dtype)
        return y, answered
