"""In which precision a device computes fastest without a visible difference, and folded normalisation."""

from __future__ import annotations

import time
from functools import cache
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
_WORTH = 1.25
"""Half precision has to be so many times as fast to be worth its rounding errors."""


def choose(device: str, precision: str) -> torch.dtype:
    """The type that convolutions are computed in.

    Args:
        device: as torch names it.
        precision: "single"; "auto": half where the device is faster with it; "half".
    """
    kind = torch.device(device).type
    if precision == "single" or kind == "mps":
        return torch.float32
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if precision == "half" or bfloat16_is_faster() else torch.float32


@cache
def bfloat16_is_faster() -> bool:
    """Whether this computer's processor convolves faster in bfloat16 than in single precision.

    Having the instructions is not enough: processors made for AMX whose AMX is switched off, as virtual
    machines often do, are slower with them. So it is tried, once, for some hundredths of a second.
    """
    capabilities = torch.cpu.get_capabilities()
    if not any(capabilities.get(name) for name in _INSTRUCTIONS):
        return False
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what other programs do meanwhile is to disturb neither time
    try:
        single, half = (_convolution_time(dtype) for dtype in (torch.float32, torch.bfloat16))
    finally:
        torch.set_num_threads(threads)
    return half * _WORTH < single


def _convolution_time(dtype: torch.dtype) -> float:
    """Seconds for a convolution as networks have them, the shortest of several."""
    clock = time.thread_time if time.get_clock_info("thread_time").resolution < 1e-4 else time.perf_counter
    layout = torch.channels_last
    x = torch.zeros(1, 128, 48, 48).to(dtype, memory_format=layout)
    weight = torch.zeros(128, 128, 3, 3).to(dtype, memory_format=layout)
    times = []
    with torch.inference_mode():
        for _ in range(5):
            begun = clock()
            functional.conv2d(x, weight)
            times.append(clock() - begun)
    return min(times)


def channels_last(network: nn.Module) -> nn.Module:
    """The network with its filters laid out as convolutions are fastest."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def fold(network: nn.Module) -> nn.Module:
    """Fold every BatchNorm that directly follows a convolution in an `nn.Sequential` into it, in place."""
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        names = list(module._modules)
        for first, second in pairwise(names):
            convolution, norm = module._modules[first], module._modules[second]
            if isinstance(convolution, (nn.Conv2d, nn.ConvTranspose2d)) and isinstance(norm, nn.BatchNorm2d):
                transposed = isinstance(convolution, nn.ConvTranspose2d)
                module._modules[first] = fuse_conv_bn_eval(convolution, norm, transposed)
                module._modules[second] = nn.Identity()
    return network
