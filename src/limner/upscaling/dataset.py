"""What an upscaling network is trained on: patches, and what they look like small."""

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

LONGEST = 1024  # of a training picture, in pixels: halved photos show no trace of their JPEG


@dataclass(frozen=True)
class Degradation:
    """What has happened to a small picture, besides being shrunk; each patch has its own share.

    Attributes
    ----------
    blur : float
        Most sigma of a Gaussian, in pixels of the small picture.
    noise : float
        Most standard deviation of noise, in 255ths.
    jpeg : tuple of int or None
        Worst and best quality of the JPEG it was saved as, of 100.
    """

    blur: float = 0.0
    noise: float = 0.0
    jpeg: tuple[int, int] | None = None


# what for: clean files; pictures off the web; paintings photographed, and pictures with soft edges
DEGRADATIONS = {
    "clean": Degradation(),
    "web": Degradation(blur=0.6, noise=4, jpeg=(50, 95)),
    "paintings": Degradation(blur=1.0, noise=1.5, jpeg=(80, 98)),
}


class Patches:
    """Random patches out of folders of pictures, each with what it looks like small.

    Parameters
    ----------
    folders : sequence of Path
        Searched with everything below them; a tenth is held out.
    size : int
        Side of a small patch in pixels.
    scale : int
        How many times larger the full one is.
    degradation : Degradation
        What has happened to the small one.
    """

    def __init__(
        self, folders: Sequence[Path], size: int, scale: int, degradation: Degradation
    ) -> None:
        self.size, self.scale, self.degradation = size * scale, scale, degradation
        shelves = load_pictures(folders, self.size, longest=LONGEST, held_out=False)
        self._pictures = list(chain.from_iterable(shelves))
        areas = [picture.shape[1] * picture.shape[2] for picture in self._pictures]
        self._shares = torch.tensor(areas, dtype=torch.float64)

    def batch(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw small patches [count, 3, size, size] and the same in full, in 0..1."""
        chosen = torch.multinomial(self._shares, count, replacement=True, generator=random)
        large = torch.stack([self._cut(self._pictures[i], random) for i in chosen.tolist()])
        small = smaller(large, self.scale)
        if self.degradation != Degradation():
            small = torch.cat([degraded(one[None], self.degradation, random) for one in small])
        return small, large

    def _cut(self, picture: Tensor, random: torch.Generator) -> Tensor:
        """One patch, turned and mirrored at random."""
        place = torch.rand(5, generator=random)
        rows, columns = (side - self.size + 1 for side in picture.shape[1:])
        top, left = int(place[0] * rows), int(place[1] * columns)
        cut = picture[:, top : top + self.size, left : left + self.size].float() / 255
        cut = cut.mT if place[2] < 0.5 else cut
        return cut.flip([axis for axis, toss in ((1, place[3]), (2, place[4])) if toss < 0.5])


def smaller(large: Tensor, scale: int) -> Tensor:
    """Shrink pictures as the benchmarks do: bicubic, to 8 bits a channel."""
    height, width = images.size_of(large)
    return _eight_bits(images.resize(large, (height // scale, width // scale)))


def degraded(small: Tensor, degradation: Degradation, random: torch.Generator) -> Tensor:
    """Blur a small picture [1, 3, H, W], add noise and save it as JPEG, as much as chance has it.

    The order is Real-ESRGAN's (Wang et al. 2021), once instead of twice.
    """
    blur, noise, loss = torch.rand(3, generator=random).tolist()
    sigma = blur * degradation.blur
    if sigma > 0.1:  # below, nothing comes of it
        small = images.gaussian_blur(small, sigma, radius=4)
    grain = torch.randn(small.shape, generator=random)
    small = _eight_bits((small + grain * noise * degradation.noise / 255).clamp(0, 1))
    if degradation.jpeg is None:
        return small
    worst, best = degradation.jpeg
    file = BytesIO()
    pixels = (small[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=round(worst + loss * (best - worst)))
    pixels = np.array(Image.open(file, formats=["JPEG"]))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def _eight_bits(picture: Tensor) -> Tensor:
    return (picture * 255).round() / 255
