"""Patches of a target find places in the sources: exactly, or by what is beside and similar."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.patches import index as module
from limner.patches import search
from limner.patches.index import PatchIndex, Target
from limner.patches.sources import SourcePicture, Sources, combine

Drawn = Callable[..., Tensor]
SIZE = 5


@pytest.fixture(scope="module")
def pictures(texture: Drawn) -> list[SourcePicture]:
    mask = torch.ones(1, 1, 24, 34)
    mask[..., 10:13, 20:22] = 0
    return [
        SourcePicture(texture(30, 26, seed=1), guides=texture(30, 26, seed=2, channels=2)),
        SourcePicture(texture(24, 34, seed=3), mask, texture(24, 34, seed=4, channels=2)),
    ]


@pytest.fixture(scope="module")
def index(pictures: list[SourcePicture]) -> PatchIndex:
    """Two pictures, with guides. All components are kept, so distances are those of the pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_COMPONENTS", 3 * SIZE**2)
        return PatchIndex.of(combine(pictures, 1.0, SIZE))


@pytest.fixture(scope="module")
def target(texture: Drawn) -> Target:
    labels = torch.zeros(1, 1, 20, 28, dtype=torch.int64)
    labels[..., 9:, 12:] = 1
    return Target(texture(20, 28, seed=5), labels, texture(20, 28, seed=6, channels=2))


@pytest.fixture(scope="module")
def plain(texture: Drawn) -> PatchIndex:
    """One picture without guides."""
    return PatchIndex.of(combine([SourcePicture(texture(40, 44, seed=1))], 1.0, SIZE))


def patches(rgb: Tensor, guides: Tensor | None) -> Tensor:
    """Pixels of all patches, and guides at their centers with the weight of a channel: float64."""
    found = F.unfold(rgb, SIZE)[0].T.double()
    if guides is not None:
        centers = guides[0, :, 2:-2, 2:-2].flatten(1).T.double()
        found = torch.cat((found, centers * SIZE), 1)
    return found


def apart(one: Tensor, other: Tensor) -> Tensor:
    """Squared distances between rows, by differences."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist").square()


def squares_by_hand(index: PatchIndex, target: Target) -> Tensor:
    """Squared distance of each patch of the target to each source patch; infinite if unusable."""
    sources = index.sources
    squares = apart(patches(target.rgb, target.guides), patches(sources.rgb, sources.guides))
    squares[:, ~sources.usable.flatten()] = torch.inf
    other = target.labels[0, 0, 2:-2, 2:-2].flatten()[:, None] != sources.owner.flatten()
    return squares.masked_fill(other, torch.inf)


def indices(index: PatchIndex, field: Tensor) -> Tensor:
    return (field[0] * index.sources.usable.shape[1] + field[1]).flatten()


def costs_by_hand(
    index: PatchIndex, squares: Tensor, penalty: Tensor, before: Tensor, after: Tensor, part: float
) -> Tensor:
    """Cost of each place of a field, where the neighbors have the places of the field before."""
    height, width = after.shape[1:]
    places, source_width = indices(index, after).tolist(), index.sources.usable.shape[1]
    previous, costs = indices(index, before).tolist(), torch.empty(height, width).double()
    for y in range(height):
        for x in range(width):
            place, agree = places[y * width + x], 0
            for down, right in product((-1, 0, 1), (-1, 0, 1)):
                row, column = min(max(y + down, 0), height - 1), min(max(x + right, 0), width - 1)
                suggested = previous[row * width + column]
                suggested += (y - row) * source_width + x - column
                agree += suggested == place and (down, right) != (0, 0)
            cost = float(squares[y * width + x, place] + penalty[place])
            costs[y, x] = cost * (1 - part * agree / 8)
    return costs


def random_field(index: PatchIndex, height: int, width: int, seed: int = 0) -> Tensor:
    """Places anywhere, also where none may be."""
    rows, columns = index.sources.usable.shape
    draws = torch.Generator().manual_seed(seed)
    sides = [torch.randint(side, (height, width), generator=draws) for side in (rows, columns)]
    return torch.stack(sides)


def test_descriptions_keep_distances(index: PatchIndex, target: Target) -> None:
    found = apart(index.describe(target), index.keys).double()
    source = patches(index.sources.rgb, index.sources.guides)
    true = apart(patches(target.rgb, target.guides), source)
    torch.testing.assert_close(found, true, rtol=1e-3, atol=1e-4)
    used = source[index.sources.usable.flatten()]
    assert index.variance == pytest.approx(float(used.var(0, correction=0).sum()), rel=1e-3)


@pytest.fixture(scope="module")
def squares(index: PatchIndex, target: Target) -> Tensor:
    return squares_by_hand(index, target)


def test_exact_is_what_brute_force_finds(
    index: PatchIndex, target: Target, squares: Tensor
) -> None:
    field = index.exact(target)
    assert field.shape == (2, 16, 24)
    found = squares.gather(1, indices(index, field)[:, None])[:, 0]
    # of two places that are equally near up to rounding, either is right
    torch.testing.assert_close(found, squares.amin(1), rtol=1e-4, atol=1e-4)
    owners = index.sources.owner[field[0], field[1]]
    assert torch.equal(owners, target.labels[0, 0, 2:-2, 2:-2])


def test_distances_are_those_to_the_nearest_of_one_source(
    index: PatchIndex, target: Target
) -> None:
    for owner in (0, 1):
        labels = torch.full_like(target.labels, owner)
        true = squares_by_hand(index, replace(target, labels=labels)).amin(1).view(16, 24)
        found = index.distances(target, owner).double()
        torch.testing.assert_close(found, true, rtol=1e-3, atol=1e-3)


def test_similar_patches_are_usable_and_never_the_patch_itself(index: PatchIndex) -> None:
    similar = index.similar[index.usable]
    assert index.sources.usable.flatten()[similar].all()
    assert (similar != index.usable[:, None]).all()


def test_usage_counts_how_often_pixels_are_used(index: PatchIndex, target: Target) -> None:
    sources = index.sources
    field = index.exact(target)
    height, width = sources.usable.shape
    counts = torch.zeros(height, width, dtype=torch.float64)
    for row, column in field.flatten(1).T.tolist():
        counts[row, column] += 1
    owners = sources.owner[field[0], field[1]]
    usage = index.usage(field).view(height, width)
    for row, column in ((4, 5), (0, 0), (15, 21), (sources.tops[1] + 7, 12), (height - 1, 3)):
        near = counts[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].sum() / SIZE**2
        owner = sources.owner[row, column]
        average = (owners == owner).sum() / (sources.usable & (sources.owner == owner)).sum()
        assert float(usage[row, column]) == pytest.approx(float(near / average), rel=1e-5)
    assert float(usage.max()) > 1


@pytest.mark.parametrize("turn", [0, 1, 2])
@pytest.mark.parametrize("coherence", [0.0, 0.4])
def test_no_place_gets_more_costly(
    turn: int,
    coherence: float,
    index: PatchIndex,
    target: Target,
    squares: Tensor,
    drawn: Drawn,
) -> None:
    penalty = 3 * drawn(len(index.keys), seed=2)
    field = random_field(index, 16, 24)
    for _ in range(2):  # first from places that may not be used, then from better ones
        improved = index.improve(field, target, penalty, coherence, turn)
        before = costs_by_hand(index, squares, penalty, field, field, coherence)
        after = costs_by_hand(index, squares, penalty, field, improved, coherence)
        assert after.isfinite().all()  # usable, and in the source of the label
        assert (after <= before * 1.0001 + 1e-4).all()
        field = improved
    assert after.mean() < 0.9 * before.mean()


@pytest.mark.parametrize(("turn", "far"), [(0, 4), (1, 2), (2, None)])
def test_a_patch_takes_the_best_of_what_is_beside_and_similar(
    turn: int, far: int | None, plain: PatchIndex, texture: Drawn
) -> None:
    target = Target(texture(20, 24, seed=2), torch.zeros(1, 1, 20, 24, dtype=torch.int64))
    field = plain.exact(Target(texture(20, 24, seed=3), target.labels))
    penalty = torch.zeros(len(plain.keys))
    squares, width = squares_by_hand(plain, target), plain.sources.usable.shape[1]
    squares = squares.view(16, 20, -1)
    improved = indices(plain, plain.improve(field, target, penalty, 0.0, turn)).view(16, 20)
    places = indices(plain, field).view(16, 20)
    steps = [step for step in product((-1, 0, 1), (-1, 0, 1)) if step != (0, 0)]
    straight = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    for y, x in product(range(4, 12), range(4, 16)):

        def beside(down: int, right: int, y: int = y, x: int = x) -> int:
            place = int(places[y + down, x + right]) - down * width - right
            return min(max(place, 0), len(plain.keys) - 1)

        tried = [int(places[y, x]), *plain.similar[places[y, x]].tolist()]
        tried += [beside(*step) for step in steps]
        tried += [int(plain.similar[beside(*step), turn]) for step in straight]
        if far:
            tried += [beside(down * far, right * far) for down, right in straight]
        # 20 components hold most of a distance, so a place may win that is a little farther away
        own, least = (float(squares[y, x, p].min()) for p in (improved[y, x], torch.tensor(tried)))
        assert own < least + 0.02 * plain.variance, (y, x)


def test_a_piece_that_fits_stays(plain: PatchIndex) -> None:
    """A part of the source as target: a field that points there does not change."""
    rgb = plain.sources.rgb[..., 6:26, 8:32]
    target = Target(rgb, torch.zeros(1, 1, 20, 24, dtype=torch.int64))
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(20), indexing="ij")
    there = torch.stack((rows + 6, columns + 8))
    penalty = torch.zeros(len(plain.keys))
    assert torch.equal(plain.improve(there, target, penalty, 0.3), there)
    wrong = there.clone()
    wrong[:, 7, 9] = torch.tensor([2, 2])
    assert torch.equal(plain.improve(wrong, target, penalty, 0.3), there)


def test_a_used_place_is_avoided(plain: PatchIndex, texture: Drawn) -> None:
    target = Target(texture(20, 24, seed=2), torch.zeros(1, 1, 20, 24, dtype=torch.int64))
    field = plain.exact(target)
    used = indices(plain, field).unique()
    penalty = torch.zeros(len(plain.keys))
    penalty[used] = 1e4
    improved = plain.improve(field, target, penalty, 0.0)
    still = torch.isin(indices(plain, improved), used).double().mean()
    assert still < 0.1


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_bands_leave_no_seam(
    rows: int,
    index: PatchIndex,
    target: Target,
    squares: Tensor,
    drawn: Drawn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    field, penalty = random_field(index, 16, 24), drawn(len(index.keys))
    monkeypatch.setattr(search, "_SPREAD", 10**6)
    called: list[int] = []
    whole = index.improve(field, target, penalty, 0.3, tick=lambda: called.append(1))
    assert len(called) == 1
    monkeypatch.setattr(module, "_BAND", rows * 24)
    banded = index.improve(field, target, penalty, 0.3, tick=lambda: called.append(1))
    assert len(called) == 1 + -(-16 // rows)
    costs = [costs_by_hand(index, squares, penalty, field, one, 0.3) for one in (whole, banded)]
    torch.testing.assert_close(*costs, rtol=1e-4, atol=1e-4)  # equal costs: either place
    assert (whole == banded).all(0).double().mean() > 0.99


def test_large_sources_go_without_similar_patches(
    texture: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SIMILAR", 100)
    index = PatchIndex.of(combine([SourcePicture(texture(30, 30))], 1.0, SIZE))
    assert torch.equal(index.similar[:, 0], torch.arange(len(index.keys)))
    target = Target(texture(20, 24, seed=2), torch.zeros(1, 1, 20, 24, dtype=torch.int64))
    field = index.improve(random_field(index, 16, 20), target, torch.zeros(len(index.keys)), 0.3)
    assert index.sources.usable[field[0], field[1]].all()


def test_a_target_in_rows(target: Target) -> None:
    part = target.rows(3, 12)
    assert torch.equal(part.owners(SIZE), target.owners(SIZE)[3:8])
    assert part.guides is not None and target.guides is not None
    assert torch.equal(part.rgb, target.rgb[:, :, 3:12])
    assert torch.equal(part.guides, target.guides[:, :, 3:12])
    assert Target(target.rgb, target.labels).rows(3, 12).guides is None


def test_places_are_found_without_float64(
    pictures: list[SourcePicture],
    target: Target,
    drawn: Drawn,
    without_float64: Callable[[Tensor], Tensor],
    forget: Callable[[], None],
) -> None:
    def convert(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else without_float64(tensor)

    def results(
        sources: Sources, target: Target, device: Callable[[Tensor], Tensor]
    ) -> Iterator[Tensor]:
        forget()
        index = PatchIndex.of(sources)
        field = device(random_field(index, 16, 24))
        yield index.exact(target)
        yield index.distances(target, 1)
        yield index.usage(field)
        yield index.improve(field, target, device(drawn(len(index.keys))), 0.3)

    fakes = [
        SourcePicture(without_float64(p.rgb), convert(p.mask), convert(p.guides)) for p in pictures
    ]
    assert target.guides is not None
    fake = Target(*map(without_float64, (target.rgb, target.labels, target.guides)))
    found = results(combine(fakes, 1.0, SIZE), fake, without_float64)
    for one, other in zip(
        found, results(combine(pictures, 1.0, SIZE), target, lambda tensor: tensor), strict=True
    ):
        assert torch.equal(one.cpu(), other)


def test_an_index_is_kept_for_the_same_sources(
    texture: Drawn, pictures: list[SourcePicture], monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(seed: int, height: int = 40) -> PatchIndex:
        return PatchIndex.of(combine([SourcePicture(texture(height, 44, seed=seed))], 1.0, SIZE))

    first = of(1)
    assert of(1) is first and of(2) is not first
    masked = SourcePicture(texture(40, 44, seed=1), texture(40, 44, channels=1))
    assert PatchIndex.of(combine([masked], 1.0, SIZE)) is not first
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)  # other bits
    other = of(1)
    torch.set_num_threads(threads)
    assert other is not first and of(1) is first
    assert first.nbytes > first.keys.nbytes > 0

    monkeypatch.setattr(module, "_KEPT_BYTES", 2.5 * first.nbytes)
    assert of(3) is of(3) and of(1) is first  # used last, so seed 3 is forgotten before it
    third = of(3)
    of(4)
    assert of(3) is third and of(1) is not first
    large = of(1, height=80)
    assert of(1, height=80) is not large  # too large to be kept
