"""Training by several processes, as torchrun starts them: each has the same weights and its share of a batch.

Gradients are averaged in one piece after each backward pass. That is all that is needed, whatever a recipe
does with its networks before it: several backward passes, penalties on gradients, a judge that is frozen
half of the time, and losses that leave parameters out. DistributedDataParallel's hooks would have to be told
of each, for the sake of sending while computing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch
from torch import Tensor, distributed, nn


def join(device: str) -> tuple[int, int]:
    """Rank of this process and number of all; meets the others if torchrun started several."""
    if device.startswith("cuda"):
        torch.cuda.set_device(device if ":" in device else 0)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return 0, 1
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return distributed.get_rank(), distributed.get_world_size()


def leave() -> None:
    """At the end."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def average_gradients(network: nn.Module) -> None:
    """Replace every gradient by its mean over all processes."""
    if not distributed.is_initialized():
        return
    grads = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    flat = torch.cat([grad.flatten() for grad in grads])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def means(totals: Mapping[str, Tensor], steps: int) -> dict[str, float]:
    """Totals over some steps as means over them, and over all processes."""
    values = torch.stack(list(totals.values())) / steps
    if distributed.is_initialized():
        distributed.all_reduce(values)
        values /= distributed.get_world_size()
    return dict(zip(totals, values.tolist(), strict=True))


def same_buffers(*networks: nn.Module | None) -> None:
    """Running statistics differ between processes: all take the first one's."""
    if distributed.is_initialized():
        for network in networks:
            for buffer in network.buffers() if network is not None else ():
                distributed.broadcast(buffer, 0)
