"""Training data of the colorizing network: colored pictures, line art made from them, and hints."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from skimage import feature
from torch import Tensor

from limner import io
from limner.errors import InputError, LimnerError, printable
from limner.line_art import lines
from limner.nn import images
from limner.train.crops import pictures_in

SIDE = 256  # pixels of the short side of pictures in memory
HELD_OUT = 0.05  # share of the pictures that is held out, chosen by a hash of their names

Pair = tuple[Tensor, Tensor | None]  # a picture, and its drawing if it has one


class Pictures:
    """Folders of colored pictures in memory, on white, with a short side of ``SIDE`` pixels.

    Parameters
    ----------
    folders : sequence of Path
        Folders of pictures, searched with their subfolders.
    drawings : Path or None
        A folder of drawings, named like the pictures; their file types may differ.
    direction : str or None
        ``color-left`` or ``color-right``: each file holds a picture and its drawing side by side.
    held_out : bool
        Read the pictures that are held out instead of those to train on.

    Raises
    ------
    InputError
        There is no picture, or none with a drawing.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        drawings: Path | None = None,
        direction: str | None = None,
        *,
        held_out: bool = False,
    ) -> None:
        if drawings is not None and not drawings.is_dir():
            raise InputError(f"--drawings {printable(drawings)}: is not a folder")
        by_stem: dict[str, Path] = {}
        if drawings is not None:  # not the texts that may lie beside them
            by_stem = {path.stem: path for path in pictures_in(drawings, subfolders=False)}
        self._pairs: list[Pair] = []
        for folder in folders:
            for path in pictures_in(folder, subfolders=True):
                if is_held_out(path) != held_out:
                    continue
                if drawings and path.stem not in by_stem:
                    continue
                try:
                    rgb = io.on_white(io.read(path))
                    drawing = io.on_white(io.read(by_stem[path.stem])) if drawings else None
                except LimnerError:
                    continue
                if direction:
                    left, right = rgb.tensor_split(2, dim=-1)
                    rgb, drawing = (left, right) if direction == "color-left" else (right, left)
                self._pairs.append(_shrink(rgb, drawing))
        if not self._pairs:
            raise _no_pictures(folders, drawings, held_out)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._pairs)

    def are_drawings_more_colorful(self) -> bool:
        """Whether most drawings are more colorful than their pictures: they may be swapped."""
        pairs = [(rgb, drawing) for rgb, drawing in self._pairs if drawing is not None]
        swapped = sum(_saturation(drawing) > _saturation(rgb) for rgb, drawing in pairs)
        return swapped > len(pairs) / 2

    def center(self, index: int, size: int) -> Tensor:
        """Return the center square of one picture, [1, 3, size, size] in 0..1."""
        return images.resize(_center_square(self._pairs[index][0]), (size, size))

    def ink(self, index: int, size: int) -> Tensor | None:
        """Return the ink of its drawing, [1, 1, size, size]; None if it has no drawing."""
        drawing = self._pairs[index][1]
        if drawing is None:
            return None
        return lines.extract_ink(images.resize(_center_square(drawing), (size, size)))

    def thumbnail(self, index: int) -> Tensor:
        """Return evenly spaced pixels of one picture, uint8 [256, 3]."""
        step = SIDE // 16
        center = _center_square(self._pairs[index][0])[0, :, step // 2 :: step, step // 2 :: step]
        return (center.flatten(1).T * 255).round().to(torch.uint8)

    def sample(self, size: int, random: torch.Generator) -> Pair:
        """Draw a picture and its drawing, [1, 3, size, size] in 0..1: a random crop, mirrored."""
        which, zoom, down, across, mirror = torch.rand(5, generator=random).tolist()
        rgb, drawing = self._pairs[int(which * len(self))]
        height, width = images.size_of(rgb)
        side = round(SIDE * (1 - 0.3 * zoom**2))  # mostly near the whole short side
        top, left = int(down * (height - side + 1)), int(across * (width - side + 1))

        def crop(picture: Tensor) -> Tensor:
            part = picture[None, :, top : top + side, left : left + side].float() / 255
            part = images.resize(part, (size, size))
            return part.flip(-1) if mirror < 0.5 else part

        return crop(rgb), None if drawing is None else crop(drawing)


def sample_batch(
    pictures: Pictures, size: int, randoms: Sequence[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """Draw a batch of N: ink [N, 1, size, size] and colors [N, 3, size, size]."""
    pairs = [pictures.sample(size, random) for random in randoms]
    ink = [draw(*pair, random) for pair, random in zip(pairs, randoms, strict=True)]
    return torch.cat(ink), torch.cat([rgb for rgb, _ in pairs])


def draw(rgb: Tensor, drawing: Tensor | None, random: torch.Generator) -> Tensor:
    """Return the ink [1, 1, H, W] of a picture: its drawing's, or line art in a random style."""
    return random_line_art(rgb, random) if drawing is None else lines.extract_ink(drawing)


def is_held_out(path: Path) -> bool:
    """Whether a picture is held out from training, by a hash of its name."""
    return hashlib.sha256(path.name.encode()).digest()[0] < 256 * HELD_OUT


def random_line_art(rgb: Tensor, random: torch.Generator) -> Tensor:
    """Draw pictures [N, 3, H, W] as line art, each in a random style; ink [N, 1, H, W]."""
    return torch.cat([_random_line_art(picture[None], random) for picture in rgb])


def _random_line_art(rgb: Tensor, random: torch.Generator) -> Tensor:
    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=random))

    luma, size = images.luma(rgb), images.size_of(rgb)
    kind = uniform(0, 1)
    if kind < 0.3:
        sigma, k = uniform(0.4, 1.0), uniform(1.6, 2.6)
        ink = lines.xdog(luma, sigma=sigma, k=k, gamma=uniform(0.96, 0.99), phi=uniform(50, 1000))
    elif kind < 0.6:
        ink = lines.contour(rgb, sigma=uniform(0.5, 1.2), strength=uniform(5, 20))
    elif kind < 0.85:
        ink = _canny(rgb, sigma=uniform(0.6, 1.6), high=uniform(0.05, 0.2))
    else:
        ink = lines.pencil(luma, radius=int(uniform(1, 3))) * uniform(1, 2)
    ink = ink.clamp(0, 1)
    if uniform(0, 1) < 0.5:  # thicker lines
        ink = F.max_pool2d(ink, 3, 1, 1)
        ink = F.max_pool2d(ink, 3, 1, 1) if uniform(0, 1) < 0.3 else ink
    if uniform(0, 1) < 0.5:  # soft edges
        ink = images.gaussian_blur(ink, uniform(0.3, 0.8))
    if uniform(0, 1) < 0.3:  # gaps in the lines
        ink = ink * (_smooth_noise(size, 8, random) > uniform(0.02, 0.15))
    ink = ink * uniform(0.5, 1)
    if uniform(0, 1) < 0.3:  # uneven pressure
        ink = ink * (0.6 + 0.4 * _smooth_noise(size, 16, random))
    drawing = 1 - ink
    if uniform(0, 1) < 0.5:  # uneven, grainy paper
        paper = 1 - uniform(0, 0.3) * _smooth_noise(size, 128, random)
        grain = torch.randn(drawing.shape, generator=random) * uniform(0, 0.03)
        drawing = (drawing * paper + grain).clamp(0, 1)
    return lines.extract_ink(drawing.expand(-1, 3, -1, -1))


def _canny(rgb: Tensor, sigma: float, high: float) -> Tensor:
    """Draw the edges of a picture [1, 3, H, W] that the Canny detector finds in any channel."""
    channels = rgb[0].numpy()
    edges = [feature.canny(one, sigma, 0.4 * high, high) for one in channels]
    return torch.from_numpy(np.logical_or.reduce(edges).astype(np.float32))[None, None]


def rotate_hues(rgb: Tensor, random: torch.Generator) -> Tensor:
    """Rotate the hues of pictures [N, 3, H, W], each by a random angle; grays stay the same.

    A rotation of RGB around the gray axis (Haeberli 1993). It changes the lightness a little.
    """
    angles = torch.rand(len(rgb), generator=random) * 2 * torch.pi
    cos, sin = angles.cos(), angles.sin()
    third, root = 1 / 3, (1 / 3) ** 0.5
    same = cos + third * (1 - cos)
    ahead, behind = third * (1 - cos) - root * sin, third * (1 - cos) + root * sin
    rows = ((same, ahead, behind), (behind, same, ahead), (ahead, behind, same))
    matrix = torch.stack([torch.stack(row, -1) for row in rows], 1)  # [N, 3, 3]
    return torch.einsum("nij,njhw->nihw", matrix, rgb).clamp(0, 1)


def _shrink(rgb: Tensor, drawing: Tensor | None) -> Pair:
    """Bring a pair [1, 3, H, W] to uint8 [3, h, w] with a short side of ``SIDE`` pixels."""
    share = SIDE / min(images.size_of(rgb))
    height, width = (max(SIDE, round(side * share)) for side in images.size_of(rgb))

    def small(picture: Tensor) -> Tensor:
        return (images.resize(picture, (height, width))[0] * 255).round().to(torch.uint8)

    return small(rgb), None if drawing is None else small(drawing)


def _center_square(picture: Tensor) -> Tensor:
    """Cut the center square out of uint8 [3, H, W]: [1, 3, SIDE, SIDE] in 0..1."""
    top, left = ((side - SIDE) // 2 for side in images.size_of(picture))
    return picture[None, :, top : top + SIDE, left : left + SIDE].float() / 255


def _saturation(picture: Tensor) -> float:
    """Mean difference between the largest and the smallest channel of uint8 [3, H, W]."""
    values = picture.float()
    return float((values.amax(0) - values.amin(0)).mean())


def _smooth_noise(size: tuple[int, int], grain: int, random: torch.Generator) -> Tensor:
    """Smooth noise [1, 1, H, W] in 0..1, in spots about `grain` pixels wide."""
    coarse = [max(2, -(-side // grain) + 1) for side in size]
    noise = torch.rand((1, 1, *coarse), generator=random)
    return F.interpolate(noise, size, mode="bicubic", align_corners=True).clamp(0, 1)


def _no_pictures(folders: Sequence[Path], drawings: Path | None, held_out: bool) -> InputError:
    names = ", ".join(map(printable, folders))
    kind = "picture that has a drawing" if drawings else "readable picture"
    if not held_out:
        return InputError(f"{names}: no {kind} to train on; choose another folder")
    return InputError(
        f"{names}: no {kind} to test on (one in 20 is held out, chosen by name); add pictures"
    )
