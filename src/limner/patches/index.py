"""The patches of the sources on one level, described for the search, and the search itself."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.patches import search
from limner.patches.similar import Tick, do_nothing, similar_patches
from limner.patches.sources import REACH, Sources

_COMPONENTS = 20  # principal components of a patch
_SIMILAR = 3  # similar patches that are tried
_MAX_SIMILAR = 1_500_000  # source patches; larger sources go without similar patches
_BAND = 200_000  # patches of the picture searched at once
_BESIDE = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
_FAR = (4, 2, 1)  # distances of the neighbors in successive rounds, beside those at distance 1


@dataclass(frozen=True)
class PatchIndex:
    """The patches of sources on one level.

    Attributes
    ----------
    sources : Sources
    filters : Tensor
        Principal components, [D, 3, P, P].
    keys : Tensor
        Descriptions of all patches, row by row: [N, D + G].
    usable : Tensor
        Indices of the usable patches.
    similar : Tensor
        For each patch, the indices of the most similar ones, [N, K].
    variance : float
        Variance of the usable patches, summed over their components.
    """

    sources: Sources
    filters: Tensor
    keys: Tensor
    usable: Tensor
    similar: Tensor
    variance: float

    @classmethod
    def of(cls, sources: Sources, tick: Tick = do_nothing) -> "PatchIndex":
        """Describe the patches of sources. See `similar_patches` for `tick`."""
        patch_size = sources.patch_size
        filters = search.pca_filters(sources.rgb, _COMPONENTS, patch_size, sources.usable)
        keys = _describe(sources.rgb, sources.guides, filters)
        usable = sources.usable.flatten().nonzero()[:, 0]
        similar = torch.arange(len(keys), device=keys.device)[:, None]
        if len(usable) <= _MAX_SIMILAR:
            similar = similar.repeat(1, _SIMILAR)
            similar[usable] = usable[similar_patches(keys[usable], _SIMILAR, tick)]
        variance = float(keys[usable].var(0, correction=0).sum()) + 1e-6
        return cls(sources, filters, keys, usable, similar, variance)

    @property
    def width(self) -> int:
        """Patches in a row."""
        return self.sources.usable.shape[1]

    def describe(self, picture: Tensor, guides: Tensor | None) -> Tensor:
        """Describe the patches of a picture: [h · w, D + G]."""
        return _describe(picture, guides, self.filters)

    def exact(
        self, picture: Tensor, guides: Tensor | None, labels: Tensor, penalty: Tensor | None = None
    ) -> Tensor:
        """Compare every patch of a picture with every usable patch of its source: a field."""
        height, width = _grid(picture, self.sources.patch_size)
        queries = self.describe(picture, guides)
        wanted = _at_patches(labels, (height, width)).flatten()
        owners = self.sources.owner.flatten()[self.usable]
        found = torch.empty(len(queries), dtype=torch.int64, device=queries.device)
        for owner in range(len(self.sources.tops)):
            places = (wanted == owner).nonzero()[:, 0]
            if not len(places):
                continue
            own = self.usable[owners == owner]
            added = None if penalty is None else penalty[own]
            found[places] = own[search.nearest(queries[places], self.keys[own], penalty=added)]
        return torch.stack((found // self.width, found % self.width)).view(2, height, width)

    def distances(self, picture: Tensor, owner: int) -> Tensor:
        """Squared distance of each patch of a picture to the nearest of one source: [h, w]."""
        labels = picture.new_full((1, 1, *picture.shape[-2:]), owner, dtype=torch.int64)
        field = self.exact(picture, None, labels)
        places = (field[0] * self.width + field[1]).flatten()
        depth = self.filters.shape[0]
        queries = self.describe(picture, None)
        return (self.keys[places, :depth] - queries).square().sum(1).view(field.shape[1:])

    def usage(self, field: Tensor) -> Tensor:
        """How often each patch's pixels are used, relative to the average of its source: [N]."""
        owners = self.sources.owner.flatten()
        places = (field[0] * self.width + field[1]).flatten()
        counts = torch.bincount(places, minlength=len(self.keys)).to(self.keys.dtype)
        patch_size = self.sources.patch_size
        spread = F.avg_pool2d(
            F.pad(counts.view(1, 1, -1, self.width), (patch_size // 2,) * 4), patch_size, 1
        ).flatten()
        number = len(self.sources.tops)
        patches = torch.bincount(owners[self.usable], minlength=number)
        uses = torch.bincount(owners[places], minlength=number)
        return spread * (patches / uses.clamp(min=1))[owners]

    def improve(
        self,
        field: Tensor,
        picture: Tensor,
        guides: Tensor | None,
        labels: Tensor,
        penalty: Tensor,
        coherence: float,
        turn: int,
        offered: Tensor | None = None,
        tick: Tick = do_nothing,
    ) -> Tensor:
        """Let each patch of a picture choose the best of several places.

        Parameters
        ----------
        field : Tensor
            [2, h, w], the places so far.
        picture, guides, labels : Tensor
            [1, C, H, W]: what the patches should look like, and which source each one takes.
        penalty : Tensor
            Added to the squared distances to each place, [N].
        coherence : float
            Discount for a place that all eight neighbors suggest.
        turn : int
            Number of the round on this level. It varies what is tried.
        offered : Tensor or None
            [2, h, w], places to try besides.
        tick : callable
            See `similar_patches`.
        """
        height, width = field.shape[1:]
        corners = field[0] * self.width + field[1]
        offers = None if offered is None else offered[0] * self.width + offered[1]
        wanted = _at_patches(labels, (height, width)) if len(self.sources.tops) > 1 else None
        unusable = ~self.sources.usable.flatten()
        costly = penalty.masked_fill(unusable, torch.inf)
        patch_size, improved = self.sources.patch_size, []
        for first, last in _bands(height, width):
            tick()
            rows = slice(first, last)
            pixels = slice(first, last + patch_size - 1)
            queries = self.describe(
                picture[:, :, pixels], None if guides is None else guides[:, :, pixels]
            )
            owners = None if wanted is None else wanted[rows].flatten()
            tried = list(self._candidates(corners, rows, turn))
            if offers is not None:
                tried.append(offers[rows].flatten())
            improved.append(
                self._best(corners[rows].flatten(), queries, tried, costly, owners, coherence).view(
                    -1, width
                )
            )
        best = torch.cat(improved)
        return torch.stack((best // self.width, best % self.width))

    def _candidates(self, corners: Tensor, rows: slice, turn: int) -> Iterator[Tensor]:
        """Yield places to try for some rows of a field; the first eight are those beside."""
        beside = [self._suggested(corners, rows, step) for step in _BESIDE]
        yield from beside
        far = _FAR[turn % len(_FAR)]
        if far > 1:
            for down, right in _BESIDE[:4]:
                yield self._suggested(corners, rows, (down * far, right * far))
        own = corners[rows].flatten()
        for rank in range(self.similar.shape[1]):
            yield self.similar[own, rank]
        for neighbor in beside[:4]:
            yield self.similar[neighbor, turn % self.similar.shape[1]]

    def _suggested(self, corners: Tensor, rows: slice, step: tuple[int, int]) -> Tensor:
        """The place that each patch's neighbor suggests: as far from its own as the patch is."""
        down, right = step
        assert max(abs(down), abs(right)) <= REACH
        height, width = corners.shape
        device = corners.device
        own_rows = torch.arange(rows.start, rows.stop, device=device)
        own_columns = torch.arange(width, device=device)
        other_rows = (own_rows + down).clamp(0, height - 1)
        other_columns = (own_columns + right).clamp(0, width - 1)
        shift = (own_rows - other_rows)[:, None] * self.width + (own_columns - other_columns)
        suggested = corners[other_rows][:, other_columns] + shift
        return suggested.flatten().clamp_(0, len(self.keys) - 1)

    def _best(
        self,
        own: Tensor,
        queries: Tensor,
        tried: list[Tensor],
        penalty: Tensor,
        owners: Tensor | None,
        coherence: float,
    ) -> Tensor:
        """Return the place with the lowest cost for each query."""
        beside = torch.stack(tried[: len(_BESIDE)], 1)
        source_of, factor = self.sources.owner.flatten(), coherence / len(_BESIDE)

        def distances(places: Tensor, where: Tensor) -> Tensor:
            squares = (self.keys[places] - queries[where]).square_().sum(1).add_(penalty[places])
            if owners is not None:
                squares.masked_fill_(source_of[places] != owners[where], torch.inf)
            return squares

        def discount(places: Tensor, where: Tensor) -> Tensor:
            return 1 - factor * (beside[where] == places[:, None]).sum(1)

        everywhere = torch.arange(len(own), device=own.device)
        best, least = own.clone(), distances(own, everywhere) * discount(own, everywhere)
        # inside a piece all neighbors agree: that is most of a picture, and nothing is tried there
        inner = (beside == own[:, None]).all(1) & least.isfinite()
        active = (~inner).nonzero()[:, 0]
        for places in tried:
            where = active[places[active] != best[active]]
            costs = distances(places[where], where)
            possible = costs * (1 - coherence) < least[where]  # for few: the rest is for these
            where, costs = where[possible], costs[possible]
            costs = costs * discount(places[where], where)
            nearer = costs < least[where]
            chosen = where[nearer]
            best[chosen], least[chosen] = places[chosen], costs[nearer]
        lost = least.isinf().nonzero()[:, 0]
        if len(lost):  # in a hole of a mask, or in another source
            best[lost] = self._anywhere(queries[lost], None if owners is None else owners[lost])
        return best

    def _anywhere(self, queries: Tensor, owners: Tensor | None) -> Tensor:
        """Return the most similar of a few usable patches spread over the source."""
        found = torch.empty(len(queries), dtype=torch.int64, device=queries.device)
        usable_owner = self.sources.owner.flatten()[self.usable]
        for owner in range(len(self.sources.tops)):
            where = torch.arange(len(queries), device=queries.device)
            if owners is not None:
                where = where[owners == owner]
            own = self.usable[usable_owner == owner]
            own = own[:: max(1, len(own) // 4096)]
            if len(where):
                found[where] = own[search.nearest(queries[where], self.keys[own])]
            if owners is None:
                break
        return found


def _describe(picture: Tensor, guides: Tensor | None, filters: Tensor) -> Tensor:
    described = search.describe(picture, filters)
    if guides is not None:
        patch_size = filters.shape[-1]
        height, width = described.shape[:2]
        middle = patch_size // 2
        centers = guides[0, :, middle : middle + height, middle : middle + width]
        # a channel of the patch has P² values
        described = torch.cat((described, centers.permute(1, 2, 0) * patch_size), 2)
    return described.flatten(0, 1)


def _grid(picture: Tensor, patch_size: int) -> tuple[int, int]:
    return picture.shape[-2] - patch_size + 1, picture.shape[-1] - patch_size + 1


def _at_patches(labels: Tensor, grid: tuple[int, int]) -> Tensor:
    """The label at the center of each patch: [h, w]."""
    top, left = (labels.shape[-2] - grid[0]) // 2, (labels.shape[-1] - grid[1]) // 2
    return labels[0, 0, top : top + grid[0], left : left + grid[1]]


def _bands(height: int, width: int) -> Iterator[tuple[int, int]]:
    rows = max(1, _BAND // width)
    for first in range(0, height, rows):
        yield first, min(height, first + rows)
