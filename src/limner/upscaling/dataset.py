"""Training data of the upscalers: random patches, and the same patches small and degraded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
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
    film : float
        Share of the patches whose noise is gray, as the grain of film.
    dust : float
        Share of the patches that get specks and scratches.
    twice : float
        Share of the patches that go through blur, noise and JPEG again, somewhat smaller.
    jagged : float
        Share of the patches that are shrunk by leaving out pixels, so that edges become steps.
    clean : float
        Share of the patches that stay as they are.
    """

    blur: float = 0.0
    noise: float = 0.0
    jpeg: tuple[int, int] | None = None
    film: float = 0.0
    dust: float = 0.0
    twice: float = 0.0
    jagged: float = 0.0
    clean: float = 0.0


DEGRADATIONS = {
    "clean": Degradation(),
    "web": Degradation(blur=0.6, noise=4, jpeg=(50, 95)),
    # photographed paintings, and other pictures with soft edges
    "paintings": Degradation(blur=1.0, noise=1.5, jpeg=(80, 98)),
    # line art and logos from the web
    "drawings": Degradation(blur=1.0, noise=2, jpeg=(50, 98), jagged=0.25, clean=0.4),
    # photos of cameras and phones
    "camera": Degradation(noise=6, jpeg=(55, 98), clean=0.6),
    # old scans, and files that were saved again and again
    "worn": Degradation(
        blur=0.6, noise=16, jpeg=(25, 95), film=0.3, dust=0.3, twice=0.5, clean=0.1
    ),
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
    teacher : callable or None
        Enlarges a small picture [1, 3, H, W] in 0..1 to uint8. It is called once for each picture,
        when the first patch is cut from it.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        size: int,
        scale: int,
        degradation: Degradation,
        teacher: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.size, self.scale, self.degradation = size * scale, scale, degradation
        self._teacher = teacher
        per_folder = load_pictures(folders, self.size, longest=LONGEST, held_out=False)
        self._pictures = list(chain.from_iterable(per_folder))
        areas = [picture.shape[1] * picture.shape[2] for picture in self._pictures]
        self._areas = torch.tensor(areas, dtype=torch.float64)  # on the CPU: MPS has no float64

    def batch(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw small patches [count, 3, size, size], their large originals, and the targets.

        All are in 0..1. The target is what the teacher makes of the clean small picture; without a
        teacher it is the original.
        """
        chosen = torch.multinomial(self._areas, count, replacement=True, generator=random)
        both = torch.stack([self._patch(self._with_target(i), random) for i in chosen.tolist()])
        large, target = both[:, :3], both[:, -3:]
        small = torch.cat([self._small(one[None], random) for one in large])
        return small, large, target

    def _small(self, large: Tensor, random: torch.Generator) -> Tensor:
        """Shrink and degrade a patch [1, 3, H, W]."""
        if _happens(self.degradation.jagged, random):
            place = int(torch.randint(self.scale, (), generator=random))
            small = large[..., place :: self.scale, place :: self.scale]
        else:
            small = shrink(large, self.scale)
        return degrade(small, self.degradation, random)

    def _with_target(self, index: int) -> Tensor:
        """Return a picture, uint8 [3, H, W], and with a teacher its target as three more planes."""
        picture = self._pictures[index]
        if self._teacher is not None and len(picture) == 3:
            height, width = (side // self.scale * self.scale for side in picture.shape[1:])
            picture = picture[:, :height, :width]
            taught = self._teacher(shrink(picture[None].float() / 255, self.scale))[0]
            picture = self._pictures[index] = torch.cat((picture, taught))
        return picture

    def _patch(self, picture: Tensor, random: torch.Generator) -> Tensor:
        """Cut a patch at a random place; turn and mirror it at random."""
        draws = torch.rand(5, generator=random)
        rows, columns = (side - self.size + 1 for side in picture.shape[1:])
        top, left = int(draws[0] * rows), int(draws[1] * columns)
        if self._teacher is not None:  # the target belongs to whole small pixels
            top, left = top // self.scale * self.scale, left // self.scale * self.scale
        patch = picture[:, top : top + self.size, left : left + self.size].float() / 255
        patch = patch.mT if draws[2] < 0.5 else patch
        return patch.flip([axis for axis, draw in ((1, draws[3]), (2, draws[4])) if draw < 0.5])


def shrink(large: Tensor, scale: int) -> Tensor:
    """Shrink pictures [N, 3, H, W] as the benchmarks do: bicubic, rounded to 8 bits."""
    height, width = images.size_of(large)
    return _round_to_8_bits(images.resize(large, (height // scale, width // scale)))


def degrade(small: Tensor, degradation: Degradation, random: torch.Generator) -> Tensor:
    """Blur a small picture [1, 3, H, W], add noise and compress it as JPEG, by random amounts.

    The order is that of Real-ESRGAN (Wang et al. 2021), once or, as there, twice.
    """
    if degradation == Degradation() or _happens(degradation.clean, random):
        return small
    if _happens(degradation.dust, random):
        small = _add_dust(small, random)
    small = _degrade_once(small, degradation, random)
    if _happens(degradation.twice, random):
        size = images.size_of(small)
        share = 1 - torch.rand((), generator=random).item() / 4
        smaller = images.resize(small, (round(size[0] * share), round(size[1] * share)))
        small = _degrade_once(smaller.clamp(0, 1), degradation, random)
        small = _round_to_8_bits(images.resize(small, size).clamp(0, 1))
    return small


def _happens(share: float, random: torch.Generator) -> bool:
    """Draw whether something happens; without a draw if it never does."""
    return share > 0 and torch.rand((), generator=random).item() < share


def _degrade_once(small: Tensor, degradation: Degradation, random: torch.Generator) -> Tensor:
    blur, noise, quality = torch.rand(3, generator=random).tolist()
    sigma = blur * degradation.blur
    if sigma > 0.1:  # a smaller blur changes nothing
        small = images.gaussian_blur(small, sigma, radius=4)
    grain = torch.randn(small.shape, generator=random)
    if _happens(degradation.film, random):
        grain = grain[:, :1]
    small = _round_to_8_bits((small + grain * noise * degradation.noise / 255).clamp(0, 1))
    if degradation.jpeg is None:
        return small
    lowest, highest = degradation.jpeg
    return _compress(small, round(lowest + quality * (highest - lowest)))


def _compress(picture: Tensor, quality: int) -> Tensor:
    """Save a picture [1, 3, H, W] as JPEG and read it again."""
    file = BytesIO()
    pixels = (picture[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    pixels = np.array(Image.open(file, formats=["JPEG"]))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def _add_dust(picture: Tensor, random: torch.Generator) -> Tensor:
    """Add up to three specks and one scratch, pale or dark, to a picture [1, 3, H, W]."""
    height, width = images.size_of(picture)
    finer = 4  # drawn at four times the size, for soft edges
    mask = Image.new("L", (width * finer, height * finer))
    draw = ImageDraw.Draw(mask)
    for _ in range(3):
        x, y, across, down = torch.rand(4, generator=random).tolist()
        x, y = x * mask.width, y * mask.height
        across, down = (finer * (0.5 + 1.5 * side) for side in (across, down))
        draw.ellipse((x - across, y - down, x + across, y + down), fill=255)
    points = torch.rand(2, 2, generator=random) * torch.tensor(mask.size)
    draw.line([tuple(point) for point in points.tolist()], fill=255, width=finer)
    opacity, light = torch.rand(2, generator=random).tolist()
    soft = np.array(mask.resize((width, height), Image.Resampling.BOX))
    share = torch.from_numpy(soft)[None, None] / 255 * (0.4 + 0.6 * opacity)
    return _round_to_8_bits(picture.lerp(torch.tensor(float(light > 0.4)), share))


def _round_to_8_bits(picture: Tensor) -> Tensor:
    return (picture * 255).round() / 255
