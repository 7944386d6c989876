"""Apply an upscaling network to a picture, tile by tile, and keep the picture's local colors."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.errors import is_out_of_memory
from limner.nn import images
from limner.nn.tiles import cover
from limner.upscaling.models import Upscaler
from limner.upscaling.tile_blending import TileBlender

MIN_TILE = 32  # pixels
DEFAULT_TILE = 256  # pixels; tiles that fit into the CPU's caches are fastest
_LOCK_RADIUS = 2  # pixels of the input on each side over which color differences are averaged
_LOCK_PASSES = 3
LOCK_MARGIN = (_LOCK_RADIUS + 1) * _LOCK_PASSES  # pixels of the input that it looks at on each side

# Called with the tiles done, their total, a note for the user (or ""), and the picture so far.
OnTile = Callable[[int, int, str, TileBlender | None], None]


@torch.no_grad()
def enlarge(
    network: Upscaler,
    rgb: Tensor,
    *,
    color_lock: bool,
    tile: int,
    on_tile: OnTile,
    depth: torch.dtype = torch.uint8,
) -> Tensor:
    """Enlarge a picture tile by tile. If memory runs out, start again with smaller tiles.

    Each tile gets a margin of the network's receptive radius, so that there are no seams. For a
    network whose receptive field is too large for that, neighboring tiles are blended.

    Parameters
    ----------
    network : Upscaler
        On the device that computes.
    rgb : Tensor
        [1, 3, H, W] in 0..1, on the CPU.
    color_lock : bool
        Keep local mean colors, see `lock_colors`.
    tile : int
        Side of a tile in pixels of the input, without its margin.
    on_tile : callable
        Called before the first tile and after each.
    depth : torch.dtype
        uint8 or uint16.

    Returns
    -------
    Tensor
        [1, 3, scale·H, scale·W] of the given depth, on the CPU.
    """
    large = None
    while large is None:
        large = _enlarge_once(network, rgb, color_lock, tile, on_tile, depth)
        tile = max(MIN_TILE, tile // 2)
    return large


def _enlarge_once(
    network: Upscaler,
    rgb: Tensor,
    color_lock: bool,
    side: int,
    on_tile: OnTile,
    depth: torch.dtype,
) -> Tensor | None:
    """Enlarge with tiles of one size; None if memory ran out and smaller tiles may fit."""
    height, width = images.size_of(rgb)
    scale, feather = network.scale, network.feather
    device = next(network.parameters(), rgb).device
    margin = network.radius + feather + (LOCK_MARGIN if color_lock else 0)
    tiles = cover(height, width, side=side, margin=margin, multiple=1)
    parts = f"in {len(tiles)} tiles" if len(tiles) > 1 else "in one piece"
    on_tile(0, len(tiles), f"{width * scale}×{height * scale} px, {parts}", None)
    blender = TileBlender(tiles, scale, feather, depth)
    for done, tile in enumerate(tiles, 1):
        top, bottom, left, right = tile.outer
        small = rgb[..., top:bottom, left:right].to(device)
        try:
            large = network(small)
            large = lock_colors(large, small) if color_lock else large
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or side <= MIN_TILE:
                raise
            # The retry must wait until this block and function are left: the exception's traceback
            # and the local variables keep the tensors of this attempt in memory.
            large = None
        if large is None:
            note = f"not enough memory for tiles of {side} px; trying tiles half as large"
            on_tile(done - 1, len(tiles), note, None)
            return None
        blender.add(large, tile)
        on_tile(done, len(tiles), "", blender)
    return blender.result


def lock_colors(large: Tensor, small: Tensor) -> Tensor:
    """Give an enlarged picture the local mean colors of its original.

    The difference between each pixel of the original and the mean of its enlarged square is
    averaged over a window and added. This is repeated, because clipping to white and black loses a
    part of it. Means are of sRGB values, not of linear light: most programs shrink pictures this
    way, and in linear light fine detail would become darker.

    Parameters
    ----------
    large : Tensor
        [N, 3, s·H, s·W].
    small : Tensor
        The original, [N, 3, H, W] in 0..1.

    Returns
    -------
    Tensor
        [N, 3, s·H, s·W], not clipped.
    """
    scale = large.shape[-1] // small.shape[-1]
    window = 2 * _LOCK_RADIUS + 1
    for _ in range(_LOCK_PASSES):
        difference = small - F.avg_pool2d(large.clamp(0, 1), scale)
        difference = F.avg_pool2d(difference, window, 1, _LOCK_RADIUS, count_include_pad=False)
        large = large.clamp(0, 1) + F.interpolate(difference, scale_factor=scale, mode="bilinear")
    return large
