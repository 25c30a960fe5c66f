"""The judges of adversarial training, one for each family of networks.

All are fully convolutional: they give a map of logits, one for each patch of the picture.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils import parametrizations


class SpectralPatches(nn.Module):
    """SN-PatchGAN (arXiv 1806.03589, section 3.3): six spectrally normalised 5 x 5 convolutions of stride 2.

    Takes N x `channels` x H x W (picture, mask, and whatever else the generator was told), gives
    N x 256 x H/64 x W/64.
    """

    def __init__(self, channels: int = 4, width: int = 64) -> None:
        super().__init__()
        widths = [channels, width, 2 * width, *[4 * width] * 4]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            convolution = nn.Conv2d(before, after, 5, 2, 2)
            layers += [parametrizations.spectral_norm(convolution), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Patches(nn.Module):
    """LaMa's discriminator: 4 x 4 convolutions, three of stride 2 after the first, batch normalisation.

    Takes N x 3 x H x W in [0, 1]; gives the logits, N x 1 x h x w, and the features of every layer before.
    """

    def __init__(self, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        widths = [min(width * 2**n, 8 * width) for n in range(depth)]
        stages = [nn.Sequential(nn.Conv2d(3, width, 4, 2, 2), nn.LeakyReLU(0.2))]
        for before, after in pairwise(widths):
            stages.append(_stage(before, after, 2))
        stages.append(_stage(widths[-1], 8 * width, 1))
        self.stages = nn.ModuleList(stages)
        self.last = nn.Conv2d(8 * width, 1, 4, 1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return self.last(x), features


class Centre(nn.Module):
    """The context encoder's discriminator of 64 x 64 centres (arXiv 1604.07379, figure 9): one logit each.

    Takes N x 3 x 64 x 64, gives N x 1 x 1 x 1.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for n in range(3):
            before, after = width * 2**n, width * 2 ** (n + 1)
            layers += [
                nn.Conv2d(before, after, 4, 2, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _stage(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 4, stride, 2), nn.BatchNorm2d(after), nn.LeakyReLU(0.2))
