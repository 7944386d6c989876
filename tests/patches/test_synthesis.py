"""Pictures are made from pieces of other pictures, after a target."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn.images import resize
from limner.patches import synthesis
from limner.patches.index import PatchIndex, Target
from limner.patches.sources import SourcePicture, combine
from limner.patches.synthesis import (
    PATCH_SIZE,
    Settings,
    Synthesis,
    count_levels,
    labels_at,
    restore,
    synthesize,
)
from limner.patches.vote import vote

Drawn = Callable[..., Tensor]
PLAIN = Settings(target_weight=0.5, uniformity=0.0, coherence=0.3, match_colors=0.0)
LEVELED = (156, 66)  # a size with two levels


def last(target: Tensor, pictures: Sequence[SourcePicture], **options: Any) -> Synthesis:
    return list(synthesize(target, pictures, **options))[-1]


def agreement(field: Tensor) -> float:
    """Share of the neighbors whose patches lie beside each other in the source, too."""
    down, right = field.diff(dim=1), field.diff(dim=2)
    whole = (down[0] == 1) & (down[1] == 0), (right[0] == 0) & (right[1] == 1)
    return float(torch.cat([one.flatten() for one in whole]).double().mean())


def from_nearest(picture: Tensor, source: Tensor) -> float:
    """Mean squared distance of 5 × 5 patches to the nearest in the source, by brute force."""
    one, other = (F.unfold(rgb, 5)[0].T.double() for rgb in (picture, source))
    return float(torch.cdist(one[::7], other).amin(1).square().mean())


def psnr(one: Tensor, other: Tensor) -> float:
    return float(-10 * (one - other).square().mean().log10())


def levels_of_gray(picture: Tensor) -> float:
    """The largest difference between two channels."""
    return float((picture.amax(1) - picture.amin(1)).max())


def same(one: Synthesis, other: Synthesis) -> bool:
    names = "field", "labels", "color_maps", "picture"
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


@pytest.fixture(scope="module")
def target(texture: Drawn) -> Tensor:
    return texture(*LEVELED, seed=1)


@pytest.fixture(scope="module")
def source(texture: Drawn) -> Tensor:
    return texture(90, 80, seed=2)


@pytest.mark.parametrize("size", [(70, 64), LEVELED])
def test_the_target_as_its_own_source_comes_back(size: tuple[int, int], texture: Drawn) -> None:
    picture = texture(*size)
    made = last(picture, [SourcePicture(picture)], settings=PLAIN)
    assert made.picture.shape == picture.shape
    assert psnr(made.picture, picture) > 45
    rows, columns = (torch.arange(side - PATCH_SIZE + 1) for side in size)
    stays = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    assert (made.field == stays).all(0).double().mean() > 0.98


def test_patches_are_the_sources_own(texture: Drawn) -> None:
    # soft areas under fine gray spots, and a target with colored spots, which the source lacks
    source = 0.7 * texture(100, 110, seed=2).mean(1, keepdim=True) + 0.3 * resize(
        texture(12, 16, seed=3), (100, 110)
    )
    target = texture(*LEVELED, seed=1)
    made = last(target, [SourcePicture(source)])
    assert from_nearest(made.picture, source) < 0.4 * from_nearest(target, source)
    # with a hard vote each pixel is a pixel of the source: that in the center of its patch
    hard = vote(made.sources.rgb, made.field, 0.05, PATCH_SIZE)[0, :, 2:-2, 2:-2]
    rows, columns = made.field + PATCH_SIZE // 2
    assert int(rows.max()) < source.shape[-2] and int(columns.max()) < source.shape[-1]
    torch.testing.assert_close(hard, source[0][:, rows, columns])


def test_it_looks_like_the_target(target: Tensor, source: Tensor, texture: Drawn) -> None:
    made = last(target, [SourcePicture(source)], settings=PLAIN).picture
    blurred = [F.avg_pool2d(rgb, 8) for rgb in (made, target, texture(*LEVELED, seed=9))]
    apart = [float((blurred[0] - other).square().mean()) for other in blurred[1:]]
    assert apart[0] < 0.35 * apart[1]  # the other is a target that was not given


def test_levels_grow_to_the_size_of_the_target(target: Tensor, source: Tensor) -> None:
    states = list(synthesize(target, [SourcePicture(source)]))
    assert [(one.level, one.levels, one.size) for one in states] == [
        (1, 2, (104, 44)),
        (2, 2, (156, 66)),
    ]
    for one in states:
        assert one.picture.shape[-2:] == one.size
        assert one.sources.usable[one.field[0], one.field[1]].all()


@pytest.mark.parametrize(
    ("longest", "levels"), [(6, 1), (150, 1), (151, 2), (225, 2), (226, 3), (512, 5), (4096, 10)]
)
def test_a_level_is_one_and_a_half_times_the_one_before(longest: int, levels: int) -> None:
    assert count_levels((7, longest)) == count_levels((longest, 7)) == levels
    assert 150 * 1.5 ** (levels - 1) >= longest  # the first level has 150 pixels at most


def test_uniformity_spreads_the_use(texture: Drawn) -> None:
    # a target with little color: without uniformity a few places serve most of it
    target, source = 0.4 + 0.2 * texture(64, 72, seed=1), texture(60, 60, seed=2)
    most, places = [], []
    for uniformity in (0.0, 0.2):
        settings = replace(PLAIN, uniformity=uniformity)
        made = last(target, [SourcePicture(source)], settings=settings)
        counts = torch.bincount(made.field[0].flatten() * 56 + made.field[1].flatten())
        most.append(float(counts.max()) / float(counts.double().sum() / 56**2))
        places.append(int((counts > 0).sum()))
    assert most[1] < 0.6 * most[0]
    assert places[1] > 1.2 * places[0]


def test_coherence_makes_larger_pieces(texture: Drawn) -> None:
    target, source = texture(64, 72, seed=1), texture(60, 60, seed=2)
    found = [
        agreement(last(target, [SourcePicture(source)], settings=settings).field)
        for settings in (replace(PLAIN, coherence=0.0), replace(PLAIN, coherence=0.6))
    ]
    assert found[1] > found[0] + 0.1


def test_a_small_weight_of_the_target_makes_larger_pieces(texture: Drawn) -> None:
    target, source = texture(64, 72, seed=1), texture(60, 60, seed=2)
    found = [
        agreement(last(target, [SourcePicture(source)], settings=settings).field)
        for settings in (replace(PLAIN, target_weight=0.9), replace(PLAIN, target_weight=0.2))
    ]
    assert found[1] > found[0] + 0.05


def test_the_target_is_followed_closely_where_it_has_detail(target: Tensor, source: Tensor) -> None:
    detail = torch.zeros_like(target[:, :1])
    detail[..., : target.shape[3] // 2] = 1
    settings = replace(PLAIN, target_weight=0.1)
    plain, followed = (
        last(target, [SourcePicture(source)], detail=given, settings=settings).picture
        for given in (None, detail)
    )
    away = [(one - target).square().mean((0, 1, 2)).chunk(2) for one in (plain, followed)]
    assert away[1][0].mean() < 0.9 * away[0][0].mean()
    assert away[1][1].mean() > 0.95 * away[0][1].mean()


@pytest.mark.parametrize("size", [(64, 72), LEVELED])
def test_guides_decide_between_halves_that_look_the_same(
    size: tuple[int, int], texture: Drawn
) -> None:
    tile = texture(60, 40, seed=2)
    halves = torch.cat((tile, tile), 3)
    guides = torch.zeros(1, 1, 60, 80)
    guides[..., 40:] = 2
    wanted = torch.zeros(1, 1, *size)
    wanted[..., : size[0] // 2, :] = 2  # the upper half from the right
    source = SourcePicture(halves, guides=guides)
    made = last(texture(*size, seed=1), [source], guides=wanted, settings=PLAIN)
    right = made.field[1] + 2 >= 40
    upper = torch.arange(right.shape[0])[:, None] + 2 < size[0] // 2
    assert (right == upper).double().mean() > 0.95


def test_regions_follow_guides(texture: Drawn) -> None:
    tile = texture(40, 44, seed=2)
    pictures = [SourcePicture(tile, guides=torch.full((1, 1, 40, 44), v)) for v in (0.0, 1.0)]
    guides = torch.zeros(1, 1, 64, 72)
    guides[..., 36:] = 1
    made = last(texture(64, 72, seed=1), pictures, guides=guides, settings=PLAIN)
    assert (made.labels == (guides == 1)).double().mean() > 0.95


@pytest.mark.parametrize("size", [(64, 72), LEVELED])
def test_labels_say_which_source_is_used(size: tuple[int, int], texture: Drawn) -> None:
    pictures = [SourcePicture(texture(50, 60, seed=2)), SourcePicture(texture(70, 40, seed=3))]
    labels = torch.zeros(1, 1, *size, dtype=torch.int64)
    labels[..., : size[0] // 3, 10:] = 1
    for made in synthesize(texture(*size, seed=1), pictures, labels=labels):
        expected = labels_at(labels, made.size)[0, 0, 2:-2, 2:-2]
        assert torch.equal(made.sources.owner[made.field[0], made.field[1]], expected)
        assert torch.equal(made.labels, labels)


@pytest.mark.parametrize("shares", [None, (1.0, 1.0, 1.0), (0.7, 0.2, 0.1), (30, 10, 60)])
def test_regions_have_the_shares(shares: tuple[float, ...] | None, texture: Drawn) -> None:
    pictures = [SourcePicture(0.8 * texture(40, 44, seed=s) + 0.1 * s) for s in range(3)]
    target = texture(96, 88, seed=7)
    index = PatchIndex.of(combine(pictures, 1.0, PATCH_SIZE))
    made = last(target, pictures, shares=shares)
    areas = torch.bincount(made.labels.flatten(), minlength=3) / made.labels.numel()
    goal = torch.tensor(shares or (1.0, 1.0, 1.0))
    torch.testing.assert_close(areas, goal / goal.sum(), atol=0.03, rtol=0)
    # and a region is where its source fits: on average better than in the other places
    labels = F.pad(made.labels[0, 0], (-2, -2, -2, -2))
    for owner in range(3):
        away = index.distances(Target(target, made.labels), owner)
        assert away[labels == owner].mean() < away[labels != owner].mean()


def test_masks_of_the_sources_are_obeyed(texture: Drawn) -> None:
    """What the masks hide is red: no pixel of the results is."""
    pictures = []
    for seed in (2, 3):
        rgb, mask = texture(90, 80, seed=seed), torch.ones(1, 1, 90, 80)
        rgb[:, 0] *= 0.5
        mask[..., 20:50, 30:44] = 0
        mask[..., :8, :] = 0
        rgb = torch.where(mask == 0, torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1), rgb)
        pictures.append(SourcePicture(rgb, mask))
    reddish = texture(*LEVELED, seed=1)
    reddish[:, 0] = 1
    made = last(reddish, pictures)
    assert made.sources.usable[made.field[0], made.field[1]].all()
    assert float(made.picture[:, 0].max()) < 0.51


@pytest.mark.parametrize("target_size", [(16, 70), (6, 200), (70, 16), LEVELED])
@pytest.mark.parametrize("source_size", [(6, 6), (3, 40), (40, 40)])
def test_tiny_pictures(
    target_size: tuple[int, int], source_size: tuple[int, int], texture: Drawn
) -> None:
    source = texture(*source_size, seed=2)
    made = last(texture(*target_size, seed=1), [SourcePicture(source)])
    assert made.picture.shape[-2:] == target_size
    assert made.picture.isfinite().all()
    enlarged = resize(source, made.sources.sizes[0])
    assert made.picture.min() >= enlarged.min() - 1e-5
    assert made.picture.max() <= enlarged.max() + 1e-5


@pytest.mark.parametrize("patches", [1, 2])
def test_a_mask_may_leave_a_single_patch(patches: int, texture: Drawn) -> None:
    mask = torch.zeros(1, 1, 320, 300)
    mask[..., 101:106, 101 : 105 + patches] = 1
    source = texture(320, 300, seed=2)
    made = last(texture(60, 70, seed=1), [SourcePicture(source, mask)])
    assert set(map(tuple, made.field.flatten(1).T.tolist())) <= {(101, 101), (101, 102)}
    # the same on the first of two levels, after which colors are measured
    mask = torch.zeros(1, 1, 80, 80)
    mask[..., 31:39, 31 : 38 + patches] = 1
    made = last(texture(*LEVELED, seed=1), [SourcePicture(texture(80, 80, seed=2), mask)])
    assert made.picture.isfinite().all() and made.color_maps.isfinite().all()


def test_a_flat_source_gives_its_color(target: Tensor) -> None:
    color = torch.tensor([0.2, 0.6, 0.4]).view(1, 3, 1, 1)
    made = last(target, [SourcePicture(color.expand(1, 3, 40, 50))])
    torch.testing.assert_close(made.picture, color.expand_as(made.picture))


def test_a_flat_target_takes_what_comes_near(texture: Drawn) -> None:
    flat, source = torch.full((1, 3, 64, 72), 0.3), resize(texture(12, 16, seed=3), (70, 80))
    made = last(flat, [SourcePicture(source)], settings=PLAIN).picture
    assert (made - flat).abs().mean() < 0.2 * (source - 0.3).abs().mean()
    made = last(torch.full((1, 3, *LEVELED), 0.3), [SourcePicture(source)]).picture
    assert made.min() > source.min() - 1e-5 and made.max() < source.max() + 1e-5


def test_a_gray_source_gives_a_gray_picture(texture: Drawn, target: Tensor) -> None:
    gray = texture(90, 100, seed=2, channels=1).expand(1, 3, 90, 100)
    for made in synthesize(target, [SourcePicture(gray.contiguous())]):
        assert levels_of_gray(made.picture) == 0


def test_colors_come_closer_to_those_of_the_source(texture: Drawn) -> None:
    """What is missing on one level is added to the target of the next."""
    dark, source = 0.2 + 0.2 * texture(240, 60, seed=1), texture(70, 80, seed=2)
    missing = []
    for share in (0.0, 0.9):
        settings = Settings(0.5, uniformity=0.05, coherence=0.3, match_colors=share)
        made = last(dark, [SourcePicture(source)], settings=settings).picture
        missing.append(float((source.mean((2, 3)) - made.mean((2, 3))).norm()))
    assert missing[1] < 0.5 * missing[0], missing


def test_the_same_call_gives_the_same_bytes(target: Tensor, source: Tensor) -> None:
    pictures = [SourcePicture(source), SourcePicture(source.flip(3))]
    states, kept = [], (target.clone(), source.clone())
    for seed in (1, 2):
        torch.manual_seed(seed)  # the global random state has no part in it
        states.append(list(synthesize(target, pictures)))
    assert all(same(*pair) for pair in zip(*states, strict=True))
    assert torch.equal(target, kept[0]) and torch.equal(source, kept[1])


@pytest.mark.parametrize("given", ["shares", "labels"])
def test_resumed_after_any_level_it_gives_the_same_bytes(given: str, texture: Drawn) -> None:
    size = (240, 60)  # three levels
    target = texture(*size, seed=1)
    pictures = [SourcePicture(texture(60, 70, seed=2)), SourcePicture(texture(80, 50, seed=3))]
    options: dict[str, Any] = {"guides": None, "shares": (2, 1)}
    if given == "labels":
        labels = torch.zeros(1, 1, *size, dtype=torch.int64)
        labels[..., 40:] = 1
        options = {"labels": labels}
    whole = list(synthesize(target, pictures, **options))
    assert [one.level for one in whole] == [1, 2, 3]
    for state in whole:
        restored = restore(size, pictures, state.level, state.field, state.labels, state.color_maps)
        assert restored.size == state.size and same(restored, state)
        rest = list(synthesize(target, pictures, resumed=restored, **options))
        assert len(rest) == 3 - state.level
        assert all(same(*pair) for pair in zip(rest, whole[state.level :], strict=True))


def test_it_works_without_float64(
    texture: Drawn, without_float64: Callable[[Tensor], Tensor], forget: Callable[[], None]
) -> None:
    target, mask = texture(*LEVELED, seed=1), torch.ones(1, 1, 60, 50)
    mask[..., :20, :20] = 0
    first, second = texture(60, 50, seed=2), texture(40, 70, seed=3)
    plain = last(target, [SourcePicture(first, mask), SourcePicture(second)])
    fakes = [
        SourcePicture(without_float64(first), without_float64(mask)),
        SourcePicture(without_float64(second)),
    ]
    forget()
    made = last(without_float64(target), fakes)
    assert type(made.field) is type(fakes[0].rgb)
    for name in ("field", "labels", "color_maps", "picture"):
        assert torch.equal(getattr(made, name).cpu(), getattr(plain, name))


class StoppedError(Exception):
    """What a tick raises here."""


def test_a_tick_can_end_it_during_a_level(
    target: Tensor, source: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.patches.index._BAND", 2000)
    called = []
    ticks = []  # after each level
    for _ in synthesize(target, [SourcePicture(source)], tick=lambda: called.append(1)):
        ticks.append(len(called))
    assert ticks[0] > 10 and ticks[1] > ticks[0] + 10
    for stop in (3, ticks[0] - 1, ticks[0] + 5):  # in the description, in the search, later
        count = 0

        def tick(stop: int = stop) -> None:
            nonlocal count
            count += 1
            if count == stop:
                raise StoppedError

        with pytest.raises(StoppedError):
            list(synthesize(target, [SourcePicture(source)], tick=tick))
        assert count == stop


def test_labels_are_resized_to_the_nearest() -> None:
    labels = torch.tensor([[0, 1, 2], [3, 4, 5]])[None, None]
    assert labels_at(labels, (2, 3)) is labels
    larger = labels_at(labels, (4, 6))
    assert torch.equal(larger, labels.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert torch.equal(labels_at(larger, (2, 3)), labels)
    assert labels_at(labels, (1, 1)).flatten().tolist() == [4]


def test_a_target_without_a_patch_is_refused(source: Tensor) -> None:
    with pytest.raises(AssertionError):
        last(torch.zeros(1, 3, 5, 40), [SourcePicture(source)])
    with pytest.raises(AssertionError):
        last(torch.zeros(1, 3, 40, 40), [SourcePicture(source)], settings=Settings(coherence=1.0))


def test_large_pictures_get_fewer_rounds(
    target: Tensor, source: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    improve, turns = PatchIndex.improve, []

    def counted(index: PatchIndex, *arguments: Any) -> Tensor:
        turns.append(arguments[4])
        return improve(index, *arguments)

    monkeypatch.setattr(PatchIndex, "improve", counted)
    monkeypatch.setattr(synthesis, "_LARGE", 156 * 66 - 1)
    list(synthesize(target, [SourcePicture(source)]))
    assert turns == [0, 1, 2, 3, 0, 1]
