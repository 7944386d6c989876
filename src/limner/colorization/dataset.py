"""What a colouriser learns from: coloured pictures, drawings made of them, and hints."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner import io
from limner.errors import InputError, LimnerError
from limner.line_art import lines
from limner.nn import images
from limner.train.crops import PICTURES

SIDE = 256  # of pictures kept in memory, in pixels
HELD_OUT = 0.05  # of the pictures, by a hash of their names


class Pictures:
    """Folders of colour pictures in memory, on white, the short side of ``SIDE`` pixels.

    Parameters
    ----------
    folders : sequence of Path
        Searched with everything below them.
    drawings : Path or None
        A folder of drawings with the names of the pictures, whatever their endings.
    direction : str or None
        ``colour-left`` or ``colour-right``: every picture is colours and drawing side by side.
    held_out : bool
        The twentieth, chosen by a hash of the names, that is not read otherwise.

    Raises
    ------
    InputError
        No picture, or none with a drawing.
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
            raise InputError(f"--drawings {drawings}: is no folder")
        beside = {path.stem: path for path in drawings.iterdir()} if drawings else {}
        self._pairs: list[tuple[Tensor, Tensor | None]] = []
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.suffix.lower() not in PICTURES or is_held_out(path) != held_out:
                    continue
                if drawings and path.stem not in beside:
                    continue
                try:
                    rgb = io.on_white(io.read(path))
                    drawing = io.on_white(io.read(beside[path.stem])) if drawings else None
                except LimnerError:
                    continue
                if direction:
                    left, right = rgb.tensor_split(2, dim=-1)
                    rgb, drawing = (left, right) if direction == "colour-left" else (right, left)
                self._pairs.append(_kept(rgb, drawing))
        if not self._pairs:
            lot = " among the twentieth held out for the scores; add some" if held_out else ""
            kind = "picture that has a drawing" if drawings else "picture that can be read"
            raise InputError(f"{folders[0]}: holds no {kind}{lot}")

    def __len__(self) -> int:
        """How many there are."""
        return len(self._pairs)

    def swapped(self) -> bool:
        """Whether most drawings are more colourful than their pictures."""
        pairs = [(rgb, drawing) for rgb, drawing in self._pairs if drawing is not None]
        louder = sum(_saturation(drawing) > _saturation(rgb) for rgb, drawing in pairs)
        return louder > len(pairs) / 2

    def whole(self, index: int, size: int) -> Tensor:
        """One picture [1, 3, size, size] in 0..1, its middle."""
        return images.resize(_middle(self._pairs[index][0]), (size, size))

    def drawing(self, index: int, size: int) -> Tensor | None:
        """Its drawing's ink [1, 1, size, size], if it came with one."""
        drawing = self._pairs[index][1]
        if drawing is None:
            return None
        return lines.ink_of(images.resize(_middle(drawing), (size, size)))

    def draw(self, size: int, random: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Draw a picture and its drawing, [1, 3, size, size] in 0..1: cut, shifted, mirrored."""
        which, zoom, down, across, mirror = torch.rand(5, generator=random).tolist()
        pair = self._pairs[int(which * len(self))]
        height, width = images.size_of(pair[0])
        side = round(SIDE * (1 - 0.3 * zoom**2))  # mostly all of it
        top, left = int(down * (height - side + 1)), int(across * (width - side + 1))

        def cut(picture: Tensor) -> Tensor:
            part = picture[None, :, top : top + side, left : left + side].float() / 255
            part = images.resize(part, (size, size))
            return part.flip(-1) if mirror < 0.5 else part

        rgb, drawing = pair
        return cut(rgb), None if drawing is None else cut(drawing)


def batch(
    pictures: Pictures, count: int, size: int, random: torch.Generator, *, hints: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw ink [count, 1, size, size], hints [count, 4, …] and colours [count, 3, …].

    With hints, every other picture has some; of these, a third in hues that it never had, so that
    only the hints can tell.
    """
    pairs = [pictures.draw(size, random) for _ in range(count)]
    rgb = torch.cat([colours for colours, _ in pairs])
    tosses = torch.rand((count, 3), generator=random)
    counts = [int(30 ** toss[1]) if hints and toss[0] < 0.5 else 0 for toss in tosses.tolist()]
    odd = [bool(n) and toss < 1 / 3 for n, toss in zip(counts, tosses[:, 2].tolist(), strict=True)]
    turned = recoloured(rgb, random)
    rgb = torch.where(torch.tensor(odd)[:, None, None, None], turned, rgb)
    ink = [
        drawn(colours[None], random) if drawing is None else lines.ink_of(drawing)
        for colours, (_, drawing) in zip(rgb, pairs, strict=True)
    ]
    return torch.cat(ink), hinted(rgb, random, counts), rgb


def _kept(rgb: Tensor, drawing: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """As kept in memory: uint8 [3, H, W], the short side ``SIDE``, the drawing's size the same."""
    share = SIDE / min(images.size_of(rgb))
    height, width = (max(SIDE, round(side * share)) for side in images.size_of(rgb))

    def small(picture: Tensor) -> Tensor:
        return (images.resize(picture, (height, width))[0] * 255).round().to(torch.uint8)

    return small(rgb), None if drawing is None else small(drawing)


def _middle(picture: Tensor) -> Tensor:
    """The square in the middle of uint8 [3, H, W], as [1, 3, side, side] in 0..1."""
    top, left = ((side - SIDE) // 2 for side in images.size_of(picture))
    return picture[None, :, top : top + SIDE, left : left + SIDE].float() / 255


def _saturation(picture: Tensor) -> float:
    """Mean distance between the strongest and the weakest channel of uint8 [3, H, W]."""
    values = picture.float()
    return float((values.amax(0) - values.amin(0)).mean())


def is_held_out(path: Path) -> bool:
    """Whether a picture is never trained on, by a hash of its name."""
    return hashlib.sha256(path.name.encode()).digest()[0] < 256 * HELD_OUT


def drawn(rgb: Tensor, random: torch.Generator) -> Tensor:
    """Draw pictures [N, 3, H, W] over, each in a style of its own; ink [N, 1, H, W]."""
    return torch.cat([_drawn(picture[None], random) for picture in rgb])


def _drawn(rgb: Tensor, random: torch.Generator) -> Tensor:
    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=random))

    luma, size = images.luma(rgb), images.size_of(rgb)
    kind = uniform(0, 1)
    if kind < 0.4:
        sigma, k = uniform(0.4, 1.0), uniform(1.6, 2.6)
        ink = lines.xdog(luma, sigma=sigma, k=k, gamma=uniform(0.96, 0.99), phi=uniform(50, 1000))
    elif kind < 0.8:
        ink = lines.contour(rgb, sigma=uniform(0.5, 1.2), strength=uniform(5, 20))
    else:
        ink = lines.pencil(luma, radius=int(uniform(1, 3))) * uniform(1, 2)
    ink = ink.clamp(0, 1)
    if uniform(0, 1) < 0.5:  # thicker, or a brush that swells
        ink = F.max_pool2d(ink, 3, 1, 1)
        ink = F.max_pool2d(ink, 3, 1, 1) if uniform(0, 1) < 0.3 else ink
    if uniform(0, 1) < 0.5:
        ink = images.gaussian_blur(ink, uniform(0.3, 0.8))
    if uniform(0, 1) < 0.3:  # breaks
        ink = ink * (_clouds(size, 8, random) > uniform(0.02, 0.15))
    ink = ink * uniform(0.5, 1)
    if uniform(0, 1) < 0.3:  # pressure
        ink = ink * (0.6 + 0.4 * _clouds(size, 16, random))
    drawing = 1 - ink
    if uniform(0, 1) < 0.5:  # uneven paper, with a grain
        paper = 1 - uniform(0, 0.3) * _clouds(size, 128, random)
        grain = torch.randn(drawing.shape, generator=random) * uniform(0, 0.03)
        drawing = (drawing * paper + grain).clamp(0, 1)
    return lines.ink_of(drawing.expand(-1, 3, -1, -1))


def hinted(rgb: Tensor, random: torch.Generator, counts: Sequence[int]) -> Tensor:
    """Dabs of the true colours, so many for each of the pictures; hints [N, 4, H, W]."""
    hints = torch.zeros((len(rgb), 4, *images.size_of(rgb)))
    height, width = images.size_of(rgb)
    for picture, hint, count in zip(rgb, hints, counts, strict=True):
        for down, across, radius in torch.rand((count, 3), generator=random).tolist():
            reach = 1 + int(radius * height / 64)
            y, x = int(down * height), int(across * width)
            rows = slice(max(0, y - reach), y + reach + 1)
            columns = slice(max(0, x - reach), x + reach + 1)
            hint[:3, rows, columns] = picture[:, y, x, None, None]
            hint[3, rows, columns] = 1
    return hints


def recoloured(rgb: Tensor, random: torch.Generator) -> Tensor:
    """Turn the hue of pictures [N, 3, H, W], each by its own angle; greys and white stay."""
    angles = torch.rand(len(rgb), generator=random) * 2 * torch.pi
    # around the grey axis (Haeberli 1993); lightness changes a little, as of other colours
    cos, sin = angles.cos(), angles.sin()
    third, root = 1 / 3, (1 / 3) ** 0.5
    same = cos + third * (1 - cos)
    ahead, behind = third * (1 - cos) - root * sin, third * (1 - cos) + root * sin
    rows = ((same, ahead, behind), (behind, same, ahead), (ahead, behind, same))
    matrix = torch.stack([torch.stack(row, -1) for row in rows], 1)  # [N, 3, 3]
    return torch.einsum("nij,njhw->nihw", matrix, rgb).clamp(0, 1)


def _clouds(size: tuple[int, int], grain: int, random: torch.Generator) -> Tensor:
    """Smooth noise [1, 1, H, W] in 0..1, with spots of so many pixels."""
    coarse = [max(2, -(-side // grain) + 1) for side in size]
    noise = torch.rand((1, 1, *coarse), generator=random)
    return F.interpolate(noise, size, mode="bicubic", align_corners=True).clamp(0, 1)
