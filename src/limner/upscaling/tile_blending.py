"""Assemble an enlarged picture from tiles, with feathered overlaps where tiles are not exact."""

from collections.abc import Sequence

import torch
from torch import Tensor

from limner.nn.tiles import Tile
from limner.upscaling.pixels import to_float, to_integer

_PREVIEW_SIZE = 512  # pixels, the longest side of a preview


class TileBlender:
    """Puts enlarged tiles into a picture of 8 or 16 bits, row by row.

    Neighboring tiles overlap by twice the feather. Across the overlap one fades linearly into the
    other.

    Parameters
    ----------
    tiles : sequence of Tile
        Tiles of the small picture, as `limner.nn.tiles.cover` returns them.
    scale : int
        Scale factor of the network.
    feather : int
        Pixels of the small picture on each side of a cut over which tiles are blended; 0 if the
        tiles are exact. It is reduced for tiles narrower than twice the feather.
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
        self._row = torch.empty(0)  # the current row of tiles, blended from left to right

    def add(self, large: Tensor, tile: Tile) -> None:
        """Add the enlarged outer part of a tile, [1, 3, h, w]."""
        rows, columns = self._extent(tile, 0), self._extent(tile, 1)
        scale, (top, _, left, _) = self.scale, tile.outer
        part = large[
            ...,
            (rows.start - top) * scale : (rows.stop - top) * scale,
            (columns.start - left) * scale : (columns.stop - left) * scale,
        ].cpu()
        down, across = (slice(s.start * scale, s.stop * scale) for s in (rows, columns))
        if self.feather == [0, 0]:
            self.result[..., down, across] = to_integer(part, self.result.dtype)
            return
        # the weights within a row sum to 1; the finished row then fades over the row above
        if not columns.start:
            self._row = torch.zeros((1, 3, part.shape[-2], self.result.shape[-1]))
        self._row[..., across] += part * self._weights(tile, 1, fade_out=True)
        if columns.stop == self.size[1]:
            weight = self._weights(tile, 0, fade_out=False)[:, None]
            target = self.result[..., down, :]
            blended = torch.where(weight < 1, to_float(target).lerp(self._row, weight), self._row)
            target.copy_(to_integer(blended, target.dtype))

    def preview(self) -> Tensor:
        """Return the picture so far, subsampled: [1, 3, h, w] in 0..1."""
        stride = -(-max(self.result.shape[-2:]) // _PREVIEW_SIZE)
        return to_float(self.result[..., ::stride, ::stride])

    def _extent(self, tile: Tile, axis: int) -> slice:
        """Return what a tile covers along an axis, feathers included, in pixels of the input."""
        begin, end = tile.core[2 * axis : 2 * axis + 2]
        feather = self.feather[axis]
        return slice(max(0, begin - feather), min(self.size[axis], end + feather))

    def _weights(self, tile: Tile, axis: int, *, fade_out: bool) -> Tensor:
        """Return the blending weights of a tile along an axis, from 0 to 1."""
        extent = self._extent(tile, axis)
        weights = torch.ones((extent.stop - extent.start) * self.scale)
        length = 2 * self.feather[axis] * self.scale
        ramp = (torch.arange(length) + 0.5) / max(1, length)
        if extent.start:
            weights[:length] = ramp
        if fade_out and extent.stop < self.size[axis]:
            weights[len(weights) - length :] = ramp.flip(0)
        return weights
