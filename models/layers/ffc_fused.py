"""LaMa's generator rearranged for speed; it computes what the published arrangement computes.

Batch normalisation is folded into the convolutions, the two that read the local channels are one, what is
padded is padded once, activations work in place, and all features lie channels last. Spectra are computed
in single precision whatever the convolutions use.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .ffc import FFC, FFCBlock, FFCResidual, Pair, SpectralTransform
from .precision import channels_last


class Fused(nn.Module):
    """The generator.

    Args:
        model: the flat sequence of the published arrangement, with its weights; not to be used afterwards.
        blocks: residual blocks in it.
        dtype: of weights and features.
    """

    def __init__(self, model: nn.Sequential, blocks: int, dtype: torch.dtype) -> None:
        super().__init__()
        layers: list[Any] = list(model)
        self.begin = nn.ModuleList(_Start(layer) for layer in layers[1:5])
        self.split = layers[4].ffc.convl2l.out_channels
        self.blocks = nn.ModuleList(_Residual(layer) for layer in layers[5 : 5 + blocks])
        up = layers[6 + blocks :]
        self.up = nn.ModuleList(_Up(up[place], up[place + 1]) for place in (0, 3, 6))
        self.end = _Padded(3, up[-2].weight, up[-2].bias)
        self.dtype = dtype
        channels_last(self.to(dtype)).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """As `LaMaNetwork.forward`."""
        return self.rear(self.front(x))

    def front(self, x: Tensor) -> Pair:
        """What enters the first residual block; float32."""
        with _exactly_as_told(x):
            x = x.to(self.dtype, memory_format=torch.channels_last)
            for layer in self.begin:
                x = layer(x)
            local, wide = x[:, : self.split].contiguous(**_LAST), x[:, self.split :].contiguous(**_LAST)
            return local.float(), wide.float()

    def rear(self, pair: Pair) -> Tensor:
        """The picture of features as `front` gives them; float32."""
        local, wide = pair
        assert wide is not None
        with _exactly_as_told(local):
            local, wide = local.to(self.dtype), wide.to(self.dtype)
            for block in self.blocks:
                local, wide = block(local, wide)
            x = torch.cat([local, wide], 1)
            for layer in self.up:
                x = layer(x)
            return torch.sigmoid(self.end(x).float())


_LAST = {"memory_format": torch.channels_last}


def _exactly_as_told(x: Tensor) -> torch.autocast:
    """No autocast: every layer here says itself what it computes in."""
    return torch.autocast(x.device.type, enabled=False)


class _Padded(nn.Module):
    """A convolution of a picture that is continued by reflection."""

    def __init__(self, padding: int, weight: Tensor, bias: Tensor | None, stride: int = 1) -> None:
        super().__init__()
        self.padding, self.stride = padding, stride
        self.weight = nn.Parameter(weight.detach())
        self.bias = None if bias is None else nn.Parameter(bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, [self.padding] * 4, mode="reflect")
        return functional.conv2d(x, self.weight, self.bias, self.stride)


class _Start(_Padded):
    """One of the first layers: all input is local, and local and global output lie side by side."""

    def __init__(self, block: FFCBlock) -> None:
        weight, bias = _from_local(block)
        first: nn.Conv2d = block.ffc.convl2l  # type: ignore[assignment]
        padding = 3 if first.kernel_size[0] == 7 else 1
        super().__init__(padding, weight, bias, first.stride[0])

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu_()


class _Up(nn.Module):
    """A transposed convolution that doubles the size, and its activation."""

    def __init__(self, convolution: nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        scale, shift = _scale_and_shift(norm)
        bias = convolution.bias
        assert bias is not None
        self.weight = nn.Parameter((convolution.weight * scale[None, :, None, None]).detach())
        self.bias = nn.Parameter((bias * scale + shift).detach())

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv_transpose2d(x, self.weight, self.bias, 2, 1, 1).relu_()


class _Residual(nn.Module):
    def __init__(self, block: FFCResidual) -> None:
        super().__init__()
        self.first, self.second = _Block(block.conv1), _Block(block.conv2)

    def forward(self, local: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
        more_local, more_wide = self.second(*self.first(local, wide))
        return local + more_local, wide + more_wide


class _Block(nn.Module):
    """FFC with normalisation and activation."""

    def __init__(self, block: FFCBlock) -> None:
        super().__init__()
        ffc: FFC = block.ffc
        assert block.bn_g is not None and ffc.convg2l is not None and ffc.convg2g is not None
        self.local = _Padded(1, *_from_local(block))
        scale, _ = _scale_and_shift(block.bn_l)
        self.back = _Padded(1, ffc.convg2l.weight * scale[:, None, None, None], None)
        self.spectral = _Spectral(ffc.convg2g, _scale_and_shift(block.bn_g)[0])
        self.split = len(scale)

    def forward(self, local: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
        both = self.local(local)
        to_local = self.back(wide).add_(both[:, : self.split]).relu_()
        to_wide = self.spectral(wide).add_(both[:, self.split :]).relu_()
        return to_local, to_wide


class _Spectral(nn.Module):
    """The spectral transform; real parts lie before imaginary ones, instead of side by side."""

    def __init__(self, transform: SpectralTransform, scale: Tensor) -> None:
        super().__init__()
        into: Any = transform.conv1[0]
        norm: Any = transform.conv1[1]
        self.into, self.into_bias = _folded(into.weight, norm)
        weight, bias = _folded(transform.fu.conv_layer.weight, transform.fu.bn)
        half = len(weight) // 2
        order = torch.arange(2 * half).view(half, 2).T.flatten()
        self.spectrum = nn.Parameter(weight[order][:, order].detach())
        self.spectrum_bias = nn.Parameter(bias[order].detach())
        self.out = nn.Parameter((transform.conv2.weight * scale[:, None, None, None]).detach())

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.into, self.into_bias).relu_()
        spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        parts = torch.cat([spectrum.real, spectrum.imag], 1).to(x.dtype, memory_format=torch.channels_last)
        parts = functional.conv2d(parts, self.spectrum, self.spectrum_bias).relu_().float()
        real, imaginary = parts.chunk(2, 1)
        wave = torch.fft.irfft2(torch.complex(real, imaginary), x.shape[-2:], norm="ortho")
        return functional.conv2d(x + wave, self.out) if x.dtype == wave.dtype else self._half(x, wave)

    def _half(self, x: Tensor, wave: Tensor) -> Tensor:
        return functional.conv2d((wave + x).to(x.dtype, memory_format=torch.channels_last), self.out)


def _scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The normalisation as x * scale + shift, by channel."""
    assert norm.running_var is not None and norm.running_mean is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _folded(weight: Tensor, norm: nn.BatchNorm2d) -> tuple[nn.Parameter, nn.Parameter]:
    scale, shift = _scale_and_shift(norm)
    return nn.Parameter((weight * scale[:, None, None, None]).detach()), nn.Parameter(shift.detach())


def _from_local(block: FFCBlock) -> tuple[Tensor, Tensor]:
    """Filters and biases of both convolutions that read the local channels, as one."""
    assert block.ffc.convl2l is not None
    weights, biases = _folded(block.ffc.convl2l.weight, block.bn_l)
    if block.bn_g is None or block.ffc.convl2g is None:
        return weights, biases
    more, more_biases = _folded(block.ffc.convl2g.weight, block.bn_g)
    return torch.cat([weights, more]), torch.cat([biases, more_biases])
