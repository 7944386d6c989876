"""Arrange the patches of pictures anew, from a coarse to a fine scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from limner.generation.pieces import Piece
from limner.generation.pyramid import MARGIN, Level, Pyramid
from limner.patches import search, sources
from limner.patches.field import PATCH_SIZE
from limner.patches.vote import vote

_ROUNDS = (10, 3, 1)  # of search and vote: on the coarsest level, on exact levels, on finer ones
_ALPHA = 0.3  # of the normalized scores, relative to the variance of the patches
_DRIFT = (0.12, 0.5)  # RMS drift of patches, vertical and horizontal, relative to the shorter side
_AROUND = 2.0  # pixels of the coarsest level: how far around a piece things move with it
_SOFT, _SHARP = 2.0, 1.0  # sigma of the votes in pixels: on the way, and at the end


@dataclass(frozen=True)
class Arrangement:
    """A new picture.

    Attributes
    ----------
    rgb : Tensor
        [1, 3, H, W].
    field : Tensor
        Where each patch comes from, [2, h, w]; see `limner.patches.field`.
    unique, protected : Tensor
        Bool [H, W]: pixels of the pieces that were kept whole, by kind.
    """

    rgb: Tensor
    field: Tensor
    unique: Tensor
    protected: Tensor


def arrange(pyramid: Pyramid, variety: float, random: torch.Generator) -> Arrangement:
    """Make one new picture.

    Parameters
    ----------
    pyramid : Pyramid
        The pictures. Of two, each gives about half of the new picture.
    variety : float
        How far things move, from 0 to 1.
    random : torch.Generator
        Of the CPU.
    """
    coarsest, finest = pyramid.levels[0], pyramid.levels[-1]
    field = _first_field(coarsest, pyramid.tiles, variety, random)
    placed = _place(pyramid, field)
    if len(coarsest.sources.sizes) == 1:  # with two pictures, the other one gets that place
        field = _around_pieces(coarsest, field, placed, finest, pyramid.tiles)
    field, previous = field.to(coarsest.sources.rgb.device), coarsest
    for level in pyramid.levels:
        if level is not coarsest:
            sizes = previous.size, level.size
            field = sources.upsample(field, sizes, previous.sources, level.sources, pyramid.tiles)
        field, fixed = _with_pieces(level, field, placed, finest, pyramid.tiles)
        previous = level
        rounds = _ROUNDS[0] if level is coarsest else _ROUNDS[1] if level.exact else _ROUNDS[2]
        for _ in range(rounds if level.filters is not None else 0):
            field = vote_and_search(
                level, field, tiles=pyramid.tiles, fixed=fixed, mixes=level is not coarsest
            )
    kept = torch.zeros(2, *finest.size, dtype=torch.bool, device=field.device)
    for piece, shift in placed:
        inside = piece.patches(finest.sources.sizes[0], 1)
        kept[int(piece.protected)][_moved(inside, shift, kept, pyramid.tiles)[1]] = True
    rgb = _vote(finest.sources.rgb, field, _SHARP, pyramid.tiles)
    if pyramid.tiles:  # it can be cut anywhere: where the step over the cut is smallest
        cuts = [
            -int((rgb - rgb.roll(1, axis)).abs().mean((1, 5 - axis)).argmin()) for axis in (2, 3)
        ]
        rgb, field, kept = (one.roll(cuts, (-2, -1)) for one in (rgb, field, kept))
    return Arrangement(rgb, field, *kept)


def vote_and_search(
    level: Level,
    field: Tensor,
    *,
    tiles: bool = False,
    fixed: Tensor | None = None,
    mixes: bool = True,
) -> Tensor:
    """Make the picture of a field, and find the source patch nearest to each of its patches.

    Those that are `fixed`, bool [h, w], keep their place. Unless it `mixes`, each patch stays in
    its picture: otherwise one of two pictures can win everywhere.
    """
    assert level.filters is not None and level.keys is not None
    picture = _vote(level.sources.rgb, field, _SOFT, tiles)
    if tiles:
        picture = F.pad(picture, (0, MARGIN, 0, MARGIN), mode="circular")
    queries = search.describe(picture, level.filters)
    heights = torch.linspace(0, level.height_weight, len(queries), device=queries.device)
    heights = heights[:, None, None].expand(-1, queries.shape[1], 1)
    queries, usable = torch.cat((queries, heights), 2), level.sources.usable
    if level.exact:
        found = _search_all(level, field, queries, mixes)
    elif tiles:  # each patch has neighbors on all sides
        around = F.pad(queries.permute(2, 0, 1)[None], (1, 1, 1, 1), mode="circular")[0]
        wide = around.permute(1, 2, 0).contiguous()
        found = search.propagate(_wrapped(field, (1, 1, 1, 1)), wide, level.keys, usable)
        found = found[:, 1:-1, 1:-1]
    else:
        found = search.propagate(field, queries, level.keys, usable, fixed)
    return found if fixed is None else torch.where(fixed, field, found)


def _search_all(level: Level, field: Tensor, queries: Tensor, mixes: bool) -> Tensor:
    """Compare all patches of a picture [h, w, D] with all usable ones; return the field."""
    assert level.keys is not None
    keys, flat_queries = level.keys.flatten(0, 1), queries.flatten(0, 1)
    owner = level.sources.owner
    here = owner[field[0], field[1]].flatten()
    found = torch.empty(len(flat_queries), dtype=torch.int64, device=queries.device)
    if mixes:
        here, owner = torch.zeros_like(here), torch.zeros_like(owner)
    for index in range(len(level.sources.sizes)):
        asking = here == index
        if asking.any():
            allowed = level.sources.usable & (owner == index)
            found[asking] = _nearest(flat_queries[asking], keys, allowed)
    width = level.keys.shape[1]
    return torch.stack((found // width, found % width)).view_as(field)


def _nearest(queries: Tensor, keys: Tensor, allowed: Tensor) -> Tensor:
    """Find the nearest of the allowed keys for each query: indices into all keys."""
    places = allowed.flatten().nonzero()[:, 0]
    keys = keys[places]
    # a result that is smaller than the source cannot use all of it
    alpha = _ALPHA * float(keys[:, :-1].var(0).sum()) * max(1.0, len(keys) / len(queries))
    return places[search.nearest(queries, keys, alpha + 1e-6)]


def _vote(source: Tensor, field: Tensor, sigma: float, tiles: bool) -> Tensor:
    """Make the picture of a field; that of a tile has a patch for every pixel."""
    if not tiles:
        return vote(source, field, sigma)
    before = _wrapped(field, (MARGIN, 0, MARGIN, 0))
    return vote(source, before, sigma)[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def _wrapped(field: Tensor, border: tuple[int, int, int, int]) -> Tensor:
    """Repeat the field [2, h, w] of a tile beyond its borders: left, right, top, bottom."""
    left, right, top, bottom = border
    rows = torch.arange(-top, field.shape[1] + bottom, device=field.device) % field.shape[1]
    columns = torch.arange(-left, field.shape[2] + right, device=field.device) % field.shape[2]
    return field[:, rows][:, :, columns]


def _first_field(level: Level, tiles: bool, variety: float, random: torch.Generator) -> Tensor:
    """The field to start from: the source, stretched to the height, repeated across, and moved.

    The movement is a smooth random drift. It is drawn on the CPU: the same on every device. Of two
    pictures, smooth random regions are taken.
    """
    grid = [side if tiles else side - MARGIN for side in level.size]
    cells = [max(3, round(3 * side / min(level.size))) + 1 for side in level.size]
    drift = _smooth_noise(2, cells, grid, tiles, random)
    owner = torch.zeros(grid, dtype=torch.int64)
    if len(level.sources.sizes) > 1:
        chosen = _smooth_noise(1, cells, grid, tiles, random)[0]
        owner = (chosen > chosen.median()).long()
    rows, columns = torch.arange(grid[0])[:, None], torch.arange(grid[1])
    fields = []
    for top, source in zip(level.sources.tops, level.sources.sizes, strict=True):
        inside = [side - MARGIN for side in source]
        spare = max(0, inside[1] - grid[1])  # of a source that is wider than the result
        reach = variety * min(*source, *level.size)
        if tiles:  # the source goes around once: it has a seam somewhere, and none at the border
            down, right = (
                (lines * side / wanted + side * torch.rand((), generator=random) + one * reach)
                .round()
                .long()
                % side
                for lines, side, wanted, one in zip(
                    (rows, columns), inside, grid, drift * _DRIFT[1], strict=True
                )
            )
        else:
            stretched = torch.linspace(0, inside[0] - 1, grid[0])[:, None]
            down = (stretched + drift[0] * _DRIFT[0] * reach).round().long()
            down = down.clamp(0, inside[0] - 1)
            start = spare * (0.5 + variety * (torch.rand((), generator=random) - 0.5))
            right = (columns + start + drift[1] * _DRIFT[1] * reach).round().long()
            right = _reflected(right, inside[1])
        fields.append(torch.stack((top + down, right)))
    return fields[0] if len(fields) == 1 else torch.where(owner == 0, fields[0], fields[1])


def _smooth_noise(
    count: int, cells: list[int], grid: list[int], tiles: bool, random: torch.Generator
) -> Tensor:
    """Draw smooth noise, [count, h, w]; the mean square of each is 1, for every seed."""
    noise = torch.randn(1, count, *cells, generator=random)
    if tiles:
        noise[..., -1, :] = noise[..., 0, :]
        noise[..., :, -1] = noise[..., :, 0]
    smooth = F.interpolate(noise, grid, mode="bicubic", align_corners=True)[0]
    return smooth / smooth.square().mean((1, 2), keepdim=True).sqrt()


def _place(pyramid: Pyramid, field: Tensor) -> list[tuple[Piece, tuple[int, int]]]:
    """Decide where the pieces go: to where the first field has moved their centers.

    A piece that touches a border of the picture still touches it. One that does not fit, or would
    cover another, is left out.

    Returns
    -------
    list of pair
        The pieces, and how far they move: down and right, in pixels of the finest level.
    """
    coarsest, finest = pyramid.levels[0], pyramid.levels[-1]
    grid = [side if pyramid.tiles else side - MARGIN for side in finest.size]
    taken = torch.zeros(grid, dtype=torch.bool)
    owner = coarsest.sources.owner.cpu()[field[0], field[1]]
    ratio = coarsest.sources.sizes[0][0] / finest.sources.sizes[0][0]
    placed = []
    for piece in pyramid.pieces:
        touched = piece.patches(finest.sources.sizes[0], PATCH_SIZE)
        lines = [touched.any(axis).nonzero()[:, 0] for axis in (1, 0)]  # rows and columns
        if len(lines[0]) == 0:
            continue
        ends = [(int(one[0]), int(one[-1])) for one in lines]
        center = [float(one.float().mean()) for one in lines]
        down, right = (field[axis] - center[axis] * ratio for axis in range(2))
        far = (down.square() + right.square()).masked_fill(owner != 0, torch.inf)
        column = int(far.argmin()) % field.shape[2]
        shift = [
            round(center[0] * (grid[0] / touched.shape[0] - 1)),  # at its height
            # whole pixels of the coarsest level: so the levels agree
            round(round(column - center[1] * ratio) / ratio),
        ]
        for axis, (first, last) in enumerate(() if pyramid.tiles else ends):
            at_first, at_last = piece.at_borders(axis)
            spare = grid[axis] - 1 - last
            moved = spare if at_last else -first if at_first else shift[axis]
            shift[axis] = min(max(moved, -first), spare)
        fits = all(last - first < side for (first, last), side in zip(ends, grid, strict=True))
        places = _moved(touched, (shift[0], shift[1]), taken, pyramid.tiles)[1]
        if fits and not taken[places].any():
            taken[places] = True
            placed.append((piece, (shift[0], shift[1])))
    return placed


def _around_pieces(
    level: Level,
    field: Tensor,
    placed: Sequence[tuple[Piece, tuple[int, int]]],
    finest: Level,
    tiles: bool,
) -> Tensor:
    """Move what is around a piece along with it, less the farther away it is."""
    for piece, shift in placed:
        _, fixed = _with_pieces(level, field, [(piece, shift)], finest, tiles)
        far = torch.from_numpy(ndimage.distance_transform_edt(~fixed.numpy())).float()
        share = (1 - far / _AROUND).clamp(min=0)
        lines = torch.meshgrid(*map(torch.arange, fixed.shape), indexing="ij")
        moved = [
            (one - shift[axis] * level.size[axis] / finest.size[axis]).clamp(
                0, level.sources.sizes[0][axis] - PATCH_SIZE
            )
            for axis, one in enumerate(lines)
        ]
        field = torch.lerp(field.float(), torch.stack(moved), share).round().long()
    return field


def _moved(
    places: Tensor, shift: tuple[int, int], grid: Tensor, tiles: bool
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the places that are set, and where they go in a grid [..., h, w]: rows and columns."""
    rows, columns = places.to(grid.device).nonzero(as_tuple=True)
    height, width = grid.shape[-2:]
    down, right = rows + shift[0], columns + shift[1]
    inside = (down >= 0) & (down < height) & (right >= 0) & (right < width)
    if tiles:
        inside, down, right = torch.ones_like(inside), down % height, right % width
    return (rows[inside], columns[inside]), (down[inside], right[inside])


def _with_pieces(
    level: Level,
    field: Tensor,
    placed: Sequence[tuple[Piece, tuple[int, int]]],
    finest: Level,
    tiles: bool,
) -> tuple[Tensor, Tensor]:
    """Put the pieces into a field; return it, and which of its patches are theirs: bool [h, w]."""
    field, fixed = field.clone(), torch.zeros_like(field[0], dtype=torch.bool)
    for piece, shift in placed:
        own = [
            round(moved * size / last)
            for moved, size, last in zip(shift, level.size, finest.size, strict=True)
        ]
        inside = piece.patches(level.sources.sizes[0], PATCH_SIZE)
        (rows, columns), (down, right) = _moved(inside, (own[0], own[1]), field, tiles)
        field[0, down, right], field[1, down, right], fixed[down, right] = rows, columns, True
    return field, fixed


def _reflected(places: Tensor, side: int) -> Tensor:
    """Turn back at both ends: 0 … side − 1, side − 1 … 0, and so on."""
    places = places % (2 * side)
    return torch.minimum(places, 2 * side - 1 - places)
