"""Training data of the upscalers: random patches, and the same patches small and degraded."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from limner.nn import images
from limner.train.crops import load_pictures

LONGEST = 1024  # pixels; photos that are shrunk to this show no trace of their JPEG compression


@dataclass(frozen=True)
class Degradation:
    """What a small picture went through, besides being shrunk. Each patch gets a random share.

    Attributes
    ----------
    blur : float
        Largest sigma of a Gaussian blur, in pixels of the small picture.
    noise : float
        Largest standard deviation of the noise, out of 255.
    jpeg : tuple of int or None
        Lowest and highest JPEG quality, out of 100; None for no JPEG.
    """

    blur: float = 0.0
    noise: float = 0.0
    jpeg: tuple[int, int] | None = None


DEGRADATIONS = {
    "clean": Degradation(),
    "web": Degradation(blur=0.6, noise=4, jpeg=(50, 95)),
    # photographed paintings, and other pictures with soft edges
    "paintings": Degradation(blur=1.0, noise=1.5, jpeg=(80, 98)),
}


class Patches:
    """Random patches from folders of pictures, large and small.

    Parameters
    ----------
    folders : sequence of Path
        Searched with all their subfolders; a tenth of the pictures is held out.
    size : int
        Side of a small patch in pixels.
    scale : int
        How many times larger the large patch is.
    degradation : Degradation
        What the small patch went through.
    """

    def __init__(
        self, folders: Sequence[Path], size: int, scale: int, degradation: Degradation
    ) -> None:
        self.size, self.scale, self.degradation = size * scale, scale, degradation
        per_folder = load_pictures(folders, self.size, longest=LONGEST, held_out=False)
        self._pictures = list(chain.from_iterable(per_folder))
        areas = [picture.shape[1] * picture.shape[2] for picture in self._pictures]
        self._areas = torch.tensor(areas, dtype=torch.float64)  # on the CPU: MPS has no float64

    def batch(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw small patches [count, 3, size, size] and their large originals, in 0..1."""
        chosen = torch.multinomial(self._areas, count, replacement=True, generator=random)
        large = torch.stack([self._patch(self._pictures[i], random) for i in chosen.tolist()])
        small = shrink(large, self.scale)
        if self.degradation != Degradation():
            small = torch.cat([degrade(one[None], self.degradation, random) for one in small])
        return small, large

    def _patch(self, picture: Tensor, random: torch.Generator) -> Tensor:
        """Cut a patch at a random place; turn and mirror it at random."""
        draws = torch.rand(5, generator=random)
        rows, columns = (side - self.size + 1 for side in picture.shape[1:])
        top, left = int(draws[0] * rows), int(draws[1] * columns)
        patch = picture[:, top : top + self.size, left : left + self.size].float() / 255
        patch = patch.mT if draws[2] < 0.5 else patch
        return patch.flip([axis for axis, draw in ((1, draws[3]), (2, draws[4])) if draw < 0.5])


def shrink(large: Tensor, scale: int) -> Tensor:
    """Shrink pictures [N, 3, H, W] as the benchmarks do: bicubic, rounded to 8 bits."""
    height, width = images.size_of(large)
    return _round_to_8_bits(images.resize(large, (height // scale, width // scale)))


def degrade(small: Tensor, degradation: Degradation, random: torch.Generator) -> Tensor:
    """Blur a small picture [1, 3, H, W], add noise and compress it as JPEG, by random amounts.

    The order is that of Real-ESRGAN (Wang et al. 2021), once instead of twice.
    """
    blur, noise, quality = torch.rand(3, generator=random).tolist()
    sigma = blur * degradation.blur
    if sigma > 0.1:  # a smaller blur changes nothing
        small = images.gaussian_blur(small, sigma, radius=4)
    grain = torch.randn(small.shape, generator=random)
    small = _round_to_8_bits((small + grain * noise * degradation.noise / 255).clamp(0, 1))
    if degradation.jpeg is None:
        return small
    lowest, highest = degradation.jpeg
    file = BytesIO()
    pixels = (small[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=round(lowest + quality * (highest - lowest)))
    pixels = np.array(Image.open(file, formats=["JPEG"]))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def _round_to_8_bits(picture: Tensor) -> Tensor:
    return (picture * 255).round() / 255
