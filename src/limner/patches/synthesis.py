"""Guided patch synthesis: make a picture from pieces of other pictures, after a target.

Coarse to fine, search and vote in turns (Wexler et al. 2004, Kwatra et al. 2005), with a target as
guide (Hertzmann et al. 2001, "Image analogies") and a penalty for places that are used too often
(Kaspar et al. 2015, "Self tuning texture optimization").

Search: on the first level all pairs are compared once. Then a patch tries the places beside those
of its neighbors, at distances of 1, 2 and 4 patches (Ashikhmin 2001), and the places that look most
like its own and theirs (k-coherence: Tong et al. 2002). PatchMatch's random search (US patent
8,861,869) is not used.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from limner.color.transfer import apply_color_map, color_map
from limner.nn.images import gaussian_blur, resize, size_of
from limner.patches.index import PatchIndex, Target
from limner.patches.similar import Tick, do_nothing
from limner.patches.sources import SourcePicture, Sources, combine, resize_guides, upsample
from limner.patches.vote import vote

PATCH_SIZE = 5  # pixels per side: 7 loses eyes and windows
_COARSEST = 150  # most pixels of the longest side on the first level: less dissolves faces
SCALE_STEP = 1.5  # ratio of the sizes of two levels
_ROUNDS = 4  # of search and vote on each level
_LARGE, _LARGE_ROUNDS = 400_000, 2  # pixels from which on there are fewer rounds
_SOFT, _SHARP = 1.0, 0.7  # sigma of the votes in pixels: on the way, and at the end
_SMOOTHING = 0.5  # share of the last round's usage in this round's: without it places take turns
_MOST_USED = 5.0  # times its share: beyond, the penalty grows no further
_FEWEST = 1000  # pixels of a region whose colors are measured
_RIDGE = 1e-3  # of the color maps: the contrast of flat regions hardly grows
_REGION = 3.0  # sigma in pixels of the first level: how smooth the regions of the sources are


@dataclass(frozen=True)
class Synthesis:
    """The state after a level.

    Attributes
    ----------
    level, levels : int
        Levels that are done, and all levels.
    size : tuple of int
        Height and width of the picture on this level.
    sources : Sources
        The source pictures on this level.
    field : Tensor
        [2, H − P + 1, W − P + 1], see `limner.patches.field`.
    labels : Tensor
        Int64 [1, 1, h, w] of any size: the source picture of each region.
    color_maps : Tensor
        [N, 3, 4]: for each source picture, a matrix for the target's colors and what is added. They
        make up for the contrast that averaging patches takes away.
    """

    level: int
    levels: int
    size: tuple[int, int]
    sources: Sources
    field: Tensor
    labels: Tensor
    color_maps: Tensor

    @property
    def picture(self) -> Tensor:
        """The picture, [1, 3, H, W]."""
        return vote(self.sources.rgb, self.field, _SHARP, self.sources.patch_size)


@dataclass(frozen=True)
class Settings:
    """What decides the look of a synthesis.

    Attributes
    ----------
    target_weight : float
        Weight of the target beside the picture so far, 0 to 1. Less makes larger whole pieces.
    detail_weight : float
        The same where the target has most detail; `target_weight` if that is more.
    uniformity : float
        Penalty for each use of a place beyond none, in shares of the variance of the patches, where
        1 is the average use. 0: none.
    coherence : float
        Discount for a place that all eight neighbors suggest, 0 to less than 1. More makes larger
        whole pieces.
    match_colors : float
        From one level to the next, this share of the difference between the colors of the picture
        and those of its source is added to the target.
    coarsest : int or None
        Most pixels of the longest side on the first level; None: 150. A smaller target needs less.
    """

    target_weight: float = 0.26
    detail_weight: float = 0.96
    uniformity: float = 0.08
    coherence: float = 0.5
    match_colors: float = 0.9
    coarsest: int | None = None


def restore(
    size: tuple[int, int],
    pictures: Sequence[SourcePicture],
    level: int,
    field: Tensor,
    labels: Tensor,
    color_maps: Tensor,
) -> Synthesis:
    """Return the state of an interrupted call from what is not in its arguments.

    `size` is the height and width of its target.
    """
    levels = count_levels(size)
    scale = SCALE_STEP ** (level - levels)
    sources = combine(pictures, scale, PATCH_SIZE)
    return Synthesis(level, levels, _scaled(size, scale), sources, field, labels, color_maps)


def count_levels(size: tuple[int, int], coarsest: int | None = None) -> int:
    """Return the number of levels for a picture of this height and width."""
    ratio = max(size) / (coarsest or _COARSEST)
    return 1 + max(0, math.ceil(math.log(ratio) / math.log(SCALE_STEP)))


def synthesize(
    target: Tensor,
    pictures: Sequence[SourcePicture],
    *,
    size: tuple[int, int] | None = None,
    guides: Tensor | None = None,
    detail: Tensor | None = None,
    labels: Tensor | None = None,
    shares: Sequence[float] | None = None,
    settings: Settings = Settings(),
    resumed: Synthesis | None = None,
    tick: Tick = do_nothing,
) -> Iterator[Synthesis]:
    """Lay patches of the sources over a target, and yield the state after each level.

    The result is the same for the same number of threads.

    Parameters
    ----------
    target : Tensor
        [1, 3, H, W], sRGB in 0..1.
    pictures : sequence of SourcePicture
        Sources in the size in which their patches are taken.
    size : tuple of int or None
        Height and width of the result; None: those of the target. Of a target that is smaller, the
        fine levels follow only the colors of larger areas, and the finer they are, the less.
    guides : Tensor or None
        [1, G, H, W]: further channels of the target, already multiplied by their weights; they are
        compared with those of the sources. A weight of 1 makes a guide as important as a channel of
        the patch. None: only the pictures are compared.
    detail : Tensor or None
        [1, 1, H, W] in 0..1: where the target is followed more closely. None: nowhere.
    labels : Tensor or None
        Int64 [1, 1, H, W]: the index of the source for each pixel. None: regions are chosen.
    shares : sequence of float or None
        Without labels: the share of the picture for each source, in any unit. None: all the same.
    settings : Settings
        Weights of the search.
    resumed : Synthesis or None
        Continue after this level of an interrupted call with the same arguments.
    tick : callable
        Called every second or so. What it raises ends the synthesis.
    """
    size = size or size_of(target)
    levels = count_levels(size, settings.coarsest)
    assert min(size) > PATCH_SIZE, size
    assert 0 <= settings.coherence < 1, settings
    state, color_maps = resumed, torch.eye(3, 4).repeat(len(pictures), 1, 1)
    if resumed is not None:
        labels, color_maps = resumed.labels, resumed.color_maps
    for level in range(1 if resumed is None else resumed.level + 1, levels + 1):
        scale = SCALE_STEP ** (level - levels)
        level_size = _scaled(size, scale)
        sources = combine(pictures, scale, PATCH_SIZE)
        index = PatchIndex.of(sources, tick)
        rgb = target if level_size == size_of(target) else resize(target, level_size)
        level_guides = None if guides is None else resize_guides(guides, level_size)
        if labels is None:
            labels = _choose_regions(index, rgb, level_guides, shares or [1.0] * len(pictures))
        regions = labels_at(labels, level_size)
        here = Target(_recolored(rgb, color_maps, regions), regions, level_guides)
        weight = torch.full_like(rgb[:, :1], settings.target_weight)
        if detail is not None:
            most = max(settings.target_weight, settings.detail_weight)
            weight = weight + (most - weight) * resize(detail, level_size)
        if state is None:
            field = index.exact(here)
        else:
            field = upsample(state.field, (state.size, level_size), state.sources, sources)
        seen = min(level_size, size_of(target), key=max)
        field = _search_and_vote(index, field, here, weight, seen, settings, tick)
        if level < levels and settings.match_colors:
            picture = vote(sources.rgb, field, _SHARP, PATCH_SIZE)
            color_maps = _corrected(color_maps, picture, sources, regions, settings.match_colors)
        state = Synthesis(level, levels, level_size, sources, field, labels, color_maps)
        yield state


def _search_and_vote(
    index: PatchIndex,
    field: Tensor,
    target: Target,
    weight: Tensor,
    seen: tuple[int, int],
    settings: Settings,
    tick: Tick,
) -> Tensor:
    """Improve a field in rounds: vote, mix the result with the target by weight, search.

    `seen` is the height and width at which the target shows all that it has.
    """
    pixels, usage = target.rgb.shape[-2] * target.rgb.shape[-1], None
    for turn in range(_LARGE_ROUNDS if pixels > _LARGE else _ROUNDS):
        voted = vote(index.sources.rgb, field, _SOFT, PATCH_SIZE)
        mixed = replace(target, rgb=_mixed(voted, target.rgb, weight, seen))
        used = index.usage(field)
        usage = used if usage is None else torch.lerp(used, usage, _SMOOTHING)
        penalty = settings.uniformity * index.variance * usage.clamp(max=_MOST_USED)
        field = index.improve(field, mixed, penalty, settings.coherence, turn, tick)
    return field


def _mixed(picture: Tensor, target: Tensor, weight: Tensor, seen: tuple[int, int]) -> Tensor:
    """Mix a picture with a target that has no details finer than `seen`: those stay."""
    size = size_of(picture)
    if seen == size:
        return picture.lerp_(target, weight)
    lacks = resize_guides(resize_guides(target - picture, seen), size)
    return picture + weight * (max(seen) / max(size)) * lacks


def _choose_regions(
    index: PatchIndex, rgb: Tensor, guides: Tensor | None, shares: Sequence[float]
) -> Tensor:
    """Give each place of the target to the source that has the most similar patches there.

    The distances to the nearest patch of each source are smoothed, so that regions are large. Each
    source then gets a handicap, so that the areas have the given shares.

    Returns
    -------
    Tensor
        Int64 [1, 1, H, W].
    """
    first = torch.zeros_like(rgb[:, :1], dtype=torch.int64)
    if len(shares) == 1:
        return first
    target = Target(rgb, first, guides)
    costs = torch.stack([index.distances(target, owner) for owner in range(len(shares))])
    costs = gaussian_blur(costs[None], _REGION) / index.variance
    costs = resize_guides(costs, size_of(rgb))[0]
    goal = torch.tensor(shares).to(costs) / sum(shares)
    handicap, step = torch.zeros_like(goal), float(costs.std()) + 1e-6
    for turn in range(200):
        found = (costs + handicap[:, None, None]).argmin(0)
        areas = torch.bincount(found.flatten(), minlength=len(shares)) / found.numel()
        handicap += step / (1 + turn / 20) * (areas - goal)
    return (costs + handicap[:, None, None]).argmin(0)[None, None]


def labels_at(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize labels to a height and width: the nearest label."""
    if size_of(labels) == size:
        return labels
    rows, columns = (
        ((torch.arange(new, device=labels.device) + 0.5) * (old / new)).long().clamp_(max=old - 1)
        for new, old in zip(size, size_of(labels), strict=True)
    )
    return labels[:, :, rows][:, :, :, columns]


def _recolored(target: Tensor, color_maps: Tensor, labels: Tensor) -> Tensor:
    """Apply to each region the color map of its source. Results may lie a little beyond 0..1."""
    recolored = target
    for owner, matrix in enumerate(color_maps.to(target)):
        mapped = apply_color_map(target, matrix).clamp_(-0.1, 1.1)
        recolored = torch.where(labels == owner, mapped, recolored)
    return recolored


def _corrected(
    color_maps: Tensor, picture: Tensor, sources: Sources, labels: Tensor, share: float
) -> Tensor:
    """Add to each color map what the picture's colors still lack of those of its source."""
    corrected = color_maps.clone()
    for owner in range(len(color_maps)):
        inside = (labels == owner)[0, 0]
        usable = sources.usable & (sources.owner == owner)
        if int(inside.sum()) < _FEWEST or int(usable.sum()) < 2:  # one color has no covariance
            continue
        own = sources.rgb[0, :, : usable.shape[0], : usable.shape[1]][:, usable]
        change = color_map(picture[0][:, inside], own, _RIDGE)
        change = torch.lerp(torch.eye(3, 4), change, share)
        matrix, added = change[:, :3], change[:, 3:]
        corrected[owner] = matrix @ color_maps[owner]
        corrected[owner, :, 3:] += added
    return corrected


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(PATCH_SIZE + 1, round(size[0] * scale)), max(PATCH_SIZE + 1, round(size[1] * scale))
