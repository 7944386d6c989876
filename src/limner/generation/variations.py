"""`variations`: new pictures from one picture, or from several, without training.

The pictures are rearranged in patches of 7×7 pixels, from a coarse to a fine scale, or painted
anew in the same layout.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from limner import io
from limner.checks import check_range
from limner.errors import InputError, OptionError, printable
from limner.generation.arrange import arrange
from limner.generation.enlarge import longest_piece, prepare, rank_works, thumbnail
from limner.generation.pieces import Piece, unique_parts
from limner.generation.pyramid import Pyramid, build_pyramid
from limner.generation.repaint import MOST_WORKS, repaint
from limner.io import Source
from limner.nn import devices, images, seeding
from limner.patches.sources import SourcePicture
from limner.progress import OnStep, Reporter, Stop, silent
from limner.train.crops import pictures_in
from limner.units import split_sides

COUNT, MAX_COUNT = 8, 100  # pictures
VARIETY = 0.5
MIN_SIDE, MAX_SIDE = 64, 4096  # pixels of a result's side
_LONGEST_SIDE = 1024  # pixels of a result's longer side, unless --size asks for another
_MIN_SOURCE_SIDE = 32  # pixels
_STROKES = 0.15  # how much larger or smaller strokes may be
_SOFT_BORDER = 1.5  # sigma in pixels: of what is protected, where the rest is painted anew


def variations(
    *pictures: Source,
    n: int = COUNT,
    size: str | None = None,
    variety: float = VARIETY,
    keep_layout: float = 0.0,
    protect: Source | None = None,
    tileable: bool = False,
    seed: int = 0,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> list[Image.Image]:
    """Make new pictures from one picture, or from several: the same things in other places.

    Every part of a new picture is copied from the originals. Unless it is a tile, what is at the
    top stays at the top, and a thing that stands out, such as a face or a lighthouse, is kept whole
    and appears once or not at all.

    Parameters
    ----------
    *pictures : str, path or PIL image
        The originals, each at least 32 pixels wide and high, or folders of them. Transparent parts
        are not used. Of several, each new picture mixes two; see also ``keep_layout``.
    n : int
        Number of pictures, from 1 to 100.
    size : str
        Width and height of the new pictures in pixels, such as ``1200x800``, each from 64 to 4096.
        Default: the size of the first original, reduced to 1024 pixels on the longer side.
    variety : float
        How far things move, from 0 (they stay in place) to 1 (hardly anything stays).
    keep_layout : float
        From 0 (things move, as far as ``variety`` says) to 1 (all things stay in place). Above 0
        the picture is painted anew. One original is painted with the strokes of its mirror image.
        Of several, the first gives the layout, and the others give the strokes.
    protect : str, path or PIL image
        A black-and-white picture with the aspect ratio of the first original. What is white in it
        is kept whole, and appears once.
    tileable : bool
        Make pictures that can be repeated side by side without a visible border, for fabric and
        wallpaper.
    seed : int
        Random seed of the first picture. Each further picture has the next seed. The same seed
        gives the same picture.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.
    on_step : callable
        Called with a `Progress` before the first picture and after each one. If it raises `Stop`,
        the pictures that are done are returned.

    Returns
    -------
    list of PIL.Image.Image
        RGB. Each picture has its own recipe.

    Raises
    ------
    InputError
        A picture cannot be read, or is too small.
    OptionError
        An option is out of its range.

    Notes
    -----
    Patch nearest neighbors from coarse to fine, after Granot et al. 2022, "Drop the GAN: In Defense
    of Patches Nearest Neighbors as Single Image Generative Models". We differ in four ways. We
    start from the picture's own patches, moved by a smooth drift, and not from noise. Patches stay
    near their height in the picture. Parts without a twin are kept whole. On fine levels we
    upsample coordinates, not colors (Lefebvre & Hoppe 2005), and compare a patch only with the
    candidates of its neighbors.
    """
    check_range("n", n, 1, MAX_COUNT)
    check_range("variety", variety, 0, 1)
    check_range("keep_layout", keep_layout, 0, 1)
    if tileable and keep_layout:
        raise OptionError("--tileable and --keep-layout: cannot be used together; give only one")
    given_size = None if size is None else parse_size(size)
    torch_device, report = devices.pick(device), Reporter("variations", on_step)
    if not pictures:
        raise OptionError("variations: needs a picture; give one, or a folder")
    originals = _Originals(expand(pictures), allow_huge, lambda: report("reading", 0, n))
    first = originals.read(0)
    mask = None if protect is None else io.read(protect, allow_huge=allow_huge)
    if mask is not None:
        what = "picture" if len(originals) == 1 else "first picture"
        io.check_aspect(mask, first, option="--protect", what=what)
        if not (io.to_mask(mask) >= 0.5).any():
            raise InputError(
                f"--protect {printable(mask.name)}: has no white area; paint what you want to keep "
                "in white"
            )
    target = given_size or _default_size(*images.size_of(first.rgb), several=len(originals) > 1)
    stage = f"{target[1]}×{target[0]} px"
    summary = f"{stage}, {n} picture{'s' * (n > 1)}"
    for note in (summary, *originals.notes, *(mask.notes if mask else ())):
        report(stage, 0, n, note=note, size=target)
    options: dict[str, Any] = {
        "n": 1,
        "size": size if len(originals) == 1 else f"{target[1]}x{target[0]}",
        "variety": variety,
        "keep_layout": keep_layout,
        "protect": None if mask is None else mask.name,
        "tileable": tileable,
        "allow_huge": allow_huge,
    }
    maker = _Maker(originals, mask, target, tileable, torch_device)
    results: list[Image.Image] = []
    for number in range(seed, seed + n):
        try:
            tick = partial(report, stage, len(results), n)
            rgb, used, copied = maker.make(variety, keep_layout, number, tick)
            read = [originals.read(index) for index in used]
            names, masks = [one.name for one in read], [] if mask is None else [mask]
            recipe = io.make_recipe("variations", names, options | {"seed": number}, read + masks)
            results.append(io.to_picture(rgb, like=read[0], recipe=recipe | {"copied": copied}))
            note = f"largest piece copied without a seam: {copied['largest_piece']:.1%}"
            if "protected" in copied:
                note += f"; protected: {copied['protected']:.1%}"
            report(stage, len(results), n, note=note, preview=results[-1].copy, size=target)
        except Stop:
            if not results:
                raise
            break
    return results


def expand(pictures: Sequence[Source]) -> list[Source]:
    """Replace each folder by the pictures in it, in the order of their names."""
    found: list[Source] = []
    for one in pictures:
        if isinstance(one, Image.Image) or not Path(one).is_dir():
            found.append(one)
            continue
        inside = pictures_in(Path(one), subfolders=False)
        if not inside:
            raise InputError(
                f"{printable(one)}: is a folder without pictures; name a picture, or a folder that "
                "holds some"
            )
        found += inside
    return found


def parse_size(size: str) -> tuple[int, int]:
    """Return the height and width of ``1200x800``."""
    sides = split_sides(size)
    if sides is None:
        raise OptionError(
            f"--size {printable(size)}: must be a width and a height in pixels, such as 1200x800"
        )
    height, width = sides
    if not MIN_SIDE <= min(width, height) <= max(width, height) <= MAX_SIDE:
        raise OptionError(f"--size {size}: each side must be from {MIN_SIDE} to {MAX_SIDE} pixels")
    return height, width


def _default_size(height: int, width: int, *, several: bool) -> tuple[int, int]:
    """The original's size, reduced, but with no side below the smallest that can be read.

    Of several originals, it is one that `parse_size` takes, because it is in the recipes.
    """
    smallest = _MIN_SOURCE_SIDE / min(height, width)
    scale = min(1.0, max(_LONGEST_SIDE / max(height, width), smallest))
    sides = round(height * scale), round(width * scale)
    if several:
        height, width = (min(max(side, MIN_SIDE), MAX_SIDE) for side in sides)
        return height, width
    return sides


class _Originals:
    """The pictures to vary. All are read once for the checks; two and small copies are kept.

    `tick` is called before each of several is read. What it raises ends the reading.
    """

    def __init__(
        self, sources: Sequence[Source], allow_huge: bool, tick: Callable[[], None]
    ) -> None:
        self._sources, self._allow_huge = sources, allow_huge
        self.read = lru_cache(maxsize=2)(self._read)
        self.notes: list[str] = []
        self.small: list[Tensor] = []  # of several: [1, 3, H, W]
        for index in reversed(range(len(sources))):
            if len(sources) > 1:
                tick()
            picture = self.read(index)
            self.notes[:0] = [*picture.notes, *io.tell_transparent([picture], "left out")]
            if len(sources) > 1:
                self.small.insert(0, thumbnail(picture))

    def __len__(self) -> int:
        return len(self._sources)

    def _read(self, index: int) -> io.Picture:
        original = io.read(self._sources[index], allow_huge=self._allow_huge)
        height, width = images.size_of(original.rgb)
        if min(height, width) < _MIN_SOURCE_SIDE:
            raise InputError(
                f"{printable(original.name)}: is {width} × {height} pixels; "
                f"use a picture of at least {_MIN_SOURCE_SIDE} × {_MIN_SOURCE_SIDE}"
            )
        if io.is_transparent(original):
            raise InputError(f"{printable(original.name)}: is transparent; use another picture")
        return original


class _Maker:
    """Makes the new pictures of one call."""

    def __init__(
        self,
        originals: _Originals,
        mask: io.Picture | None,
        target: tuple[int, int],
        tileable: bool,
        device: torch.device,
    ) -> None:
        self._originals, self._mask, self._target = originals, mask, target
        self._tileable, self._device = tileable, device
        self._pyramid = lru_cache(maxsize=1)(self._build)

    def make(
        self, variety: float, keep_layout: float, seed: int, tick: Callable[[], None]
    ) -> tuple[Tensor, list[int], dict[str, float]]:
        """Make one picture.

        Returns
        -------
        tuple
            The picture [1, 3, H, W], the indices of the originals that it was made from, and which
            shares of it are copies: the largest piece, and what was protected.
        """
        random = torch.Generator().manual_seed(seed % 2**63)
        used = (0,) if keep_layout else self._draw(seed)
        pyramid = self._pyramid(used)
        made = arrange(pyramid, variety * (1 - keep_layout), random)
        if self._mask is not None and not made.protected.any():
            raise OptionError(
                f"--protect {printable(self._mask.name)}: the white area is too small or too large "
                f"for {self._target[1]}×{self._target[0]} pixels; change it, or --size"
            )
        if not keep_layout:
            return made.rgb, list(used), _copied(made.field, made.protected)
        others, works = self._works(made.rgb, pyramid)
        # each seed has strokes of another size: otherwise all pictures would be the same
        factor = 1 + _STROKES * (2 * float(torch.rand((), generator=random)) - 1)
        works = [_scaled(work, factor) for work in works]
        painted = repaint(made.rgb, works, made.unique[None, None].float(), tick)
        rgb = painted.picture
        if made.protected.any():
            share = images.gaussian_blur(made.protected[None, None].float(), _SOFT_BORDER)
            rgb = torch.lerp(rgb, made.rgb, share)
        return rgb, [0, *others], _copied(painted.field, made.protected)

    def _draw(self, seed: int) -> tuple[int, ...]:
        """Draw the one or two originals of a picture. Of two, both are used, in their order."""
        count = len(self._originals)
        if count <= 2:
            return tuple(range(count))
        order = torch.randperm(count, generator=seeding.generator(seed, count)).tolist()
        if self._mask is not None:  # what is protected is in the first
            order.remove(0)
            order.insert(0, 0)
        return tuple(order[:2])

    def _build(self, used: tuple[int, ...]) -> Pyramid:
        pictures = [self._originals.read(index) for index in used]
        sources = [_on_device(one, self._device) for one in pictures]
        return build_pyramid(
            sources, self._target, tiles=self._tileable, pieces=self._pieces(pictures[0], used[0])
        )

    def _pieces(self, picture: io.Picture, index: int) -> list[Piece]:
        """Return the parts of an original that are kept whole; first what the user protects."""
        pieces = []
        if self._mask is not None and index == 0:
            mask = images.resize(io.to_mask(self._mask), images.size_of(picture.rgb))
            if picture.alpha is not None:
                mask = mask * picture.alpha
            pieces.append(Piece(mask, protected=True))
        # a pattern repeats what it has; and the outline of a cutout is no thing
        if not self._tileable and picture.alpha is None:
            pieces += [Piece(mask) for mask in unique_parts(picture.rgb)]
        return pieces

    def _works(
        self, composition: Tensor, pyramid: Pyramid
    ) -> tuple[list[int], list[SourcePicture]]:
        """Return the pictures that give the strokes, and which of the originals they are."""
        if len(self._originals) == 1:
            combined = pyramid.levels[-1].sources
            height, width = combined.sizes[0]
            alpha = self._originals.read(0).alpha
            mask = None if alpha is None else alpha.flip(-1).to(self._device)
            return [], [SourcePicture(combined.rgb[..., :height, :width].flip(-1), mask)]
        others = list(range(1, len(self._originals)))
        if len(others) > MOST_WORKS:
            ranked = rank_works(composition.cpu(), self._originals.small[1:])
            others = sorted(1 + index for index in ranked[:MOST_WORKS])
        size = images.size_of(composition)
        return others, [prepare(self._originals.read(i), composition, size) for i in others]


def _on_device(picture: io.Picture, device: torch.device) -> SourcePicture:
    alpha = None if picture.alpha is None else picture.alpha.to(device)
    return SourcePicture(io.on_white(picture).to(device), alpha)


def _scaled(work: SourcePicture, factor: float) -> SourcePicture:
    """Resize a work by a factor."""
    height, width = (max(16, round(side * factor)) for side in images.size_of(work.rgb))
    return SourcePicture(images.resize(work.rgb, (height, width)), work.mask)


def _copied(field: Tensor, protected: Tensor) -> dict[str, float]:
    """Return the shares of a picture that are the largest piece of an original, and protected."""
    height, width = field.shape[1:]  # of the centers of patches
    top, left = (protected.shape[0] - height) // 2, (protected.shape[1] - width) // 2
    inside = protected[top : top + height, left : left + width]
    copied = {"largest_piece": round(longest_piece(field, inside), 4)}
    if protected.any():
        copied["protected"] = round(float(protected.float().mean()), 4)
    return copied
