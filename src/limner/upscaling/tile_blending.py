"""A large picture, put together of the tiles that a network made."""

from collections.abc import Sequence

import torch
from torch import Tensor

from limner.nn import images
from limner.nn.tiles import Tile

_SEEN = 512  # pixels of the longest side of a picture for a look


class Mosaic:
    """A picture of whole numbers that takes its tiles row by row.

    Parameters
    ----------
    tiles : sequence of Tile
        Of the small picture, as `limner.tiles.cover` gives them.
    scale : int
        How many times larger the network makes them.
    feather : int
        Pixels of the small picture to each side of a cut over which tiles fade into each other; 0
        where they are exact. Fewer where a tile is narrower than twice that.
    depth : torch.dtype
        uint8 or uint16.
    """

    def __init__(self, tiles: Sequence[Tile], scale: int, feather: int, depth: torch.dtype) -> None:
        *_, last = tiles
        self.size = last.core[1], last.core[3]
        self.scale = scale
        sides = [(tile.core[1] - tile.core[0], tile.core[3] - tile.core[2]) for tile in tiles]
        self.feather = [min(feather, min(axis) // 2) for axis in zip(*sides, strict=True)]
        height, width = (side * scale for side in self.size)
        self.result = torch.zeros((1, 3, height, width), dtype=depth)
        self._strip = torch.empty(0)  # a row of tiles that fade into each other

    def put(self, large: Tensor, tile: Tile) -> None:
        """Put what was made of a tile's outer part, [1, 3, h, w], into its place."""
        rows, columns = self._area(tile, 0), self._area(tile, 1)
        scale, (above, _, before, _) = self.scale, tile.outer
        made = large[
            ...,
            (rows.start - above) * scale : (rows.stop - above) * scale,
            (columns.start - before) * scale : (columns.stop - before) * scale,
        ].cpu()
        down, across = (slice(s.start * scale, s.stop * scale) for s in (rows, columns))
        if self.feather == [0, 0]:
            self.result[..., down, across] = whole(made, self.result.dtype)
            return
        # within a row, shares add up to 1; the row then fades over the one above it
        if not columns.start:
            self._strip = torch.zeros((1, 3, made.shape[-2], self.result.shape[-1]))
        self._strip[..., across] += made * self._shares(tile, 1, fade_out=True)
        if columns.stop == self.size[1]:
            share = self._shares(tile, 0, fade_out=False)[:, None]
            place = self.result[..., down, :]
            faded = torch.where(share < 1, floats(place).lerp(self._strip, share), self._strip)
            place.copy_(whole(faded, place.dtype))

    def seen(self) -> Tensor:
        """Some of the pixels of what there is so far, for a look at it: [1, 3, h, w] in 0..1."""
        every = -(-max(self.result.shape[-2:]) // _SEEN)
        return floats(self.result[..., ::every, ::every])

    def _area(self, tile: Tile, axis: int) -> slice:
        """What a tile covers of an axis, its feathers included."""
        begin, end = tile.core[2 * axis : 2 * axis + 2]
        feather = self.feather[axis]
        return slice(max(0, begin - feather), min(self.size[axis], end + feather))

    def _shares(self, tile: Tile, axis: int, *, fade_out: bool) -> Tensor:
        """How much a tile counts along an axis, from 0 to 1."""
        area = self._area(tile, axis)
        shares = torch.ones((area.stop - area.start) * self.scale)
        length = 2 * self.feather[axis] * self.scale
        ramp = (torch.arange(length) + 0.5) / max(1, length)
        if area.start:
            shares[:length] = ramp
        if fade_out and area.stop < self.size[axis]:
            shares[len(shares) - length :] = ramp.flip(0)
        return shares


def whole(values: Tensor, depth: torch.dtype) -> Tensor:
    """0..1 → the whole numbers of uint8 or uint16."""
    return values.clamp(0, 1).mul(torch.iinfo(depth).max).round().to(depth)


def floats(values: Tensor) -> Tensor:
    """And back."""
    if values.is_floating_point():
        return values
    return values.float() / torch.iinfo(values.dtype).max


def resized(large: Tensor, size: tuple[int, int]) -> Tensor:
    """Bicubic, of whole numbers: torch does 8 bits as they are, in a quarter of the memory."""
    if large.dtype == torch.uint8 and size != (1, 1):  # of which torch's own is not able
        return torch.nn.functional.interpolate(large, size, mode="bicubic", antialias=True)
    return whole(images.resize(floats(large), size), large.dtype)
