"""The patches of the sources on one level, described for the search, and the search itself."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.patches import search
from limner.patches.similar import Tick, do_nothing, similar_patches
from limner.patches.sources import REACH, Sources

_COMPONENTS = 20  # principal components of a patch
_SIMILAR = 3  # similar patches that are tried
MAX_SIMILAR = 1_500_000  # source patches; larger sources go without similar patches
_BAND = 200_000  # patches of the picture searched at once
_BESIDE = search.NEIGHBORS
_KEPT_BYTES = 256 * 2**20  # of the indices that are kept for the next picture
_FAR = (4, 2, 1)  # distances of the neighbors in successive rounds, beside those at distance 1


@dataclass(frozen=True)
class Target:
    """What the patches of a picture should look like.

    Attributes
    ----------
    rgb : Tensor
        [1, 3, H, W].
    labels : Tensor
        Int64 [1, 1, H, W]: the source picture from which each patch is taken.
    guides : Tensor or None
        [1, G, H, W]: further channels, if the sources have them.
    """

    rgb: Tensor
    labels: Tensor
    guides: Tensor | None = None

    def rows(self, first: int, last: int) -> "Target":
        """Return some rows of pixels."""
        rows = slice(first, last)
        guides = None if self.guides is None else self.guides[:, :, rows]
        return Target(self.rgb[:, :, rows], self.labels[:, :, rows], guides)

    def owners(self, patch_size: int) -> Tensor:
        """The label at the center of each patch: [h, w]."""
        middle, after = patch_size // 2, (patch_size - 1) // 2
        height, width = self.labels.shape[-2:]
        return self.labels[0, 0, middle : height - after, middle : width - after]


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
        """Describe the patches of sources, or return the index of the same ones from before.

        Many photos are painted after one painting: up to 256 MB of indices are kept for the next
        one. See `similar_patches` for `tick`.
        """
        key = _fingerprint(sources)
        found = _kept.pop(key, None) or cls._made(sources, tick)
        if found.nbytes < _KEPT_BYTES / 2:  # then those of all levels fit
            _kept[key] = found
            while sum(index.nbytes for index in list(_kept.values())) > _KEPT_BYTES:
                _kept.popitem(last=False)
        return found

    @classmethod
    def _made(cls, sources: Sources, tick: Tick) -> "PatchIndex":
        patch_size = sources.patch_size
        filters = search.pca_filters(sources.rgb, _COMPONENTS, patch_size, sources.usable)
        keys = _describe(sources.rgb, sources.guides, filters)
        usable = sources.usable.flatten().nonzero()[:, 0]
        similar = torch.arange(len(keys), device=keys.device)[:, None]
        if len(usable) <= MAX_SIMILAR:
            similar = similar.repeat(1, _SIMILAR)
            similar[usable] = usable[similar_patches(keys[usable], _SIMILAR, tick)]
        variance = float(keys[usable].var(0, correction=0).sum()) + 1e-6
        return cls(sources, filters, keys, usable, similar, variance)

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        of_sources = (
            self.sources.rgb,
            self.sources.guides,
            self.sources.usable,
            self.sources.owner,
        )
        parts = (*of_sources, self.filters, self.keys, self.usable, self.similar)
        return sum(part.nbytes for part in parts if part is not None)

    def describe(self, target: Target) -> Tensor:
        """Describe the patches of a target, row by row: [h · w, D + G]."""
        return _describe(target.rgb, target.guides, self.filters)

    def indices(self, field: Tensor) -> Tensor:
        """Return the indices of the patches of a field: [h, w]."""
        return field[0] * self.sources.usable.shape[1] + field[1]

    def field(self, indices: Tensor) -> Tensor:
        """Return the field of patches [h, w] given by their indices."""
        width = self.sources.usable.shape[1]
        return torch.stack((indices // width, indices % width))

    def exact(self, target: Target) -> Tensor:
        """Compare every patch of a target with every usable patch of its source: a field."""
        queries = self.describe(target)
        owners = target.owners(self.sources.patch_size)
        found = torch.empty(len(queries), dtype=torch.int64, device=queries.device)
        for owner, own in enumerate(self._usable_by_owner()):
            places = (owners.flatten() == owner).nonzero()[:, 0]
            if len(places):
                found[places] = own[search.nearest(queries[places], self.keys[own])]
        return self.field(found.view(owners.shape))

    def distances(self, target: Target, owner: int) -> Tensor:
        """Squared distance of each patch of a target to the nearest of one source: [h, w]."""
        target = replace(target, labels=torch.full_like(target.labels, owner))
        indices = self.indices(self.exact(target))
        squares = (self.keys[indices.flatten()] - self.describe(target)).square().sum(1)
        return squares.view(indices.shape)

    def usage(self, field: Tensor) -> Tensor:
        """How often each patch's pixels are used, relative to the average of its source: [N]."""
        owner, patch_size = self.sources.owner, self.sources.patch_size
        indices = self.indices(field).flatten()
        counts = torch.bincount(indices, minlength=len(self.keys)).to(self.keys.dtype)
        counts = F.pad(counts.view(1, 1, *owner.shape), (patch_size // 2,) * 4)
        spread = F.avg_pool2d(counts, patch_size, 1).flatten()
        pictures, owners = len(self.sources.tops), owner.flatten()
        patches = torch.bincount(owners[self.usable], minlength=pictures)
        uses = torch.bincount(owners[indices], minlength=pictures)
        return spread * (patches / uses.clamp(min=1))[owners]

    def improve(
        self,
        field: Tensor,
        target: Target,
        penalty: Tensor,
        coherence: float,
        turn: int = 0,
        tick: Tick = do_nothing,
    ) -> Tensor:
        """Let each patch choose the best of several places.

        Parameters
        ----------
        field : Tensor
            [2, h, w], the places so far.
        target : Target
            What the patches should look like, and from which source each one is taken.
        penalty : Tensor
            Added to the squared distances to each place, [N].
        coherence : float
            Discount for a place that all eight neighbors suggest, 0 to less than 1.
        turn : int
            Number of the round on this level. It varies what is tried.
        tick : callable
            See `similar_patches`.

        Returns
        -------
        Tensor
            [2, h, w]. All places are usable, and each is in the source of its patch.
        """
        patch_size, (height, width) = self.sources.patch_size, field.shape[1:]
        indices = self.indices(field)
        costly = penalty.masked_fill(~self.sources.usable.flatten(), torch.inf)
        improved = []
        for first, last in _bands(height, width):
            tick()
            rows, part = slice(first, last), target.rows(first, last + patch_size - 1)
            tried = list(self._candidates(indices, rows, turn))
            owners = part.owners(patch_size).flatten() if len(self.sources.tops) > 1 else None
            own, queries = indices[rows].flatten(), self.describe(part)
            improved.append(self._best(own, queries, tried, costly, owners, coherence))
        return self.field(torch.cat(improved).view(height, width))

    def _candidates(self, indices: Tensor, rows: slice, turn: int) -> Iterator[Tensor]:
        """Yield places to try for some rows of a field; the first eight are those beside."""
        beside = [self._suggested(indices, rows, step) for step in _BESIDE]
        yield from beside
        far = _FAR[turn % len(_FAR)]
        if far > 1:
            for down, right in _BESIDE[:4]:
                yield self._suggested(indices, rows, (down * far, right * far))
        own = indices[rows].flatten()
        for rank in range(self.similar.shape[1]):
            yield self.similar[own, rank]
        for neighbor in beside[:4]:
            yield self.similar[neighbor, turn % self.similar.shape[1]]

    def _suggested(self, indices: Tensor, rows: slice, step: tuple[int, int]) -> Tensor:
        """The place that each patch's neighbor suggests: as far from its own as the patch is."""
        down, right = step
        assert max(abs(down), abs(right)) <= REACH
        height, width = indices.shape
        device = indices.device
        own_rows = torch.arange(rows.start, rows.stop, device=device)
        own_columns = torch.arange(width, device=device)
        other_rows = (own_rows + down).clamp(0, height - 1)
        other_columns = (own_columns + right).clamp(0, width - 1)
        source_width = self.sources.usable.shape[1]
        shift = (own_rows - other_rows)[:, None] * source_width + (own_columns - other_columns)
        suggested = indices[other_rows][:, other_columns] + shift
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
        for owner, own in enumerate(self._usable_by_owner()):
            where = torch.arange(len(queries), device=queries.device)
            if owners is not None:
                where = where[owners == owner]
            if len(where):
                found[where] = search.nearest_of_few(queries[where], self.keys, own)
        return found

    def _usable_by_owner(self) -> list[Tensor]:
        """Indices of the usable patches of each source picture."""
        owners = self.sources.owner.flatten()[self.usable]
        return [self.usable[owners == owner] for owner in range(len(self.sources.tops))]


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


def _bands(height: int, width: int) -> Iterator[tuple[int, int]]:
    rows = max(1, _BAND // width)
    for first in range(0, height, rows):
        yield first, min(height, first + rows)


_kept: OrderedDict[str, PatchIndex] = OrderedDict()  # the last used is the last


def _fingerprint(sources: Sources) -> str:
    """Identify sources by their content, and by what else decides the bits of their index."""
    digest = hashlib.sha256(str((sources.rgb.device, torch.get_num_threads())).encode())
    for part in (sources.rgb, sources.guides, sources.usable, sources.owner):
        if part is not None:
            digest.update(str(part.shape).encode())
            digest.update(part.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
