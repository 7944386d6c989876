"""Several source pictures are one, and their patches keep to the picture and its mask."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.patches import field as fields
from limner.patches.sources import REACH, SourcePicture, Sources, combine, upsample

Drawn = Callable[..., Tensor]


def masked(texture: Drawn, seed: int, mask: Tensor) -> SourcePicture:
    return SourcePicture(texture(*mask.shape[-2:], seed=seed), mask)


@pytest.fixture
def pictures(texture: Drawn) -> list[SourcePicture]:
    """Three pictures of different sizes: whole, with holes, and with a soft border."""
    holes = torch.ones(1, 1, 30, 24)
    holes[..., 12:15, 8:10] = 0
    holes[..., 25, 20] = 0.4
    soft = torch.linspace(0, 1, 40).expand(1, 1, 22, 40)
    whole = SourcePicture(texture(26, 33, seed=1))
    return [whole, masked(texture, 2, holes), masked(texture, 3, soft)]


def usable_by_hand(sources: Sources, masks: list[Tensor | None]) -> set[tuple[int, int, int]]:
    """Row, column and picture of each patch whose pixels are all in one picture and its mask."""
    found, size = set(), sources.patch_size
    for owner, (top, (height, width)) in enumerate(zip(sources.tops, sources.sizes, strict=True)):
        inside = torch.ones(height, width)
        mask = masks[owner]
        if mask is not None:
            inside = F.interpolate(mask, (height, width), mode="bicubic", antialias=True)[0, 0]
        inside = inside >= 0.5
        for row in range(height - size + 1):
            for column in range(width - size + 1):
                if all(inside[row + y, column + x] for y in range(size) for x in range(size)):
                    found.add((top + row, column, owner))
    return found


def usable(sources: Sources) -> set[tuple[int, int, int]]:
    rows, columns = sources.usable.nonzero(as_tuple=True)
    owners = sources.owner[rows, columns]
    return set(zip(rows.tolist(), columns.tolist(), owners.tolist(), strict=True))


@pytest.mark.parametrize("scale", [1.0, 0.7])
@pytest.mark.parametrize("patch_size", [5, 7])
def test_usable_patches_lie_in_one_picture_and_its_mask(
    scale: float, patch_size: int, pictures: list[SourcePicture]
) -> None:
    sources = combine(pictures, scale, patch_size)
    assert sources.patch_size == patch_size
    assert usable(sources) == usable_by_hand(sources, [picture.mask for picture in pictures])
    assert sources.usable.shape == sources.owner.shape


def test_pixels_are_those_of_the_pictures(pictures: list[SourcePicture]) -> None:
    sources = combine(pictures, 1.0, 5)
    assert sources.sizes == ((26, 33), (30, 24), (22, 40))
    for picture, top, (height, width) in zip(pictures, sources.tops, sources.sizes, strict=True):
        assert torch.equal(sources.rgb[..., top : top + height, :width], picture.rgb)
    assert (sources.owner[list(sources.tops), 0] == torch.arange(3)).all()


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_place_beyond_the_border_is_not_taken_for_another(
    scale: float, pictures: list[SourcePicture]
) -> None:
    """From a usable patch, a short step over the border must not lead into a usable patch."""
    sources = combine(pictures, scale, 5)
    height, width = sources.usable.shape
    flat, owners = sources.usable.flatten(), sources.owner.flatten()
    for index in flat.nonzero()[:, 0].tolist():
        for down in range(-REACH, REACH + 1):
            for right in range(-REACH, REACH + 1):
                other = index + down * width + right
                if 0 <= other < height * width and flat[other]:
                    assert other // width - index // width == down
                    assert owners[other] == owners[index]


@pytest.mark.parametrize("inside", ["nothing", "four pixels"])
def test_a_mask_without_a_patch_means_the_whole_picture(inside: str, texture: Drawn) -> None:
    mask = torch.zeros(1, 1, 20, 24)
    if inside == "four pixels":
        mask[..., 7:11, 5:15] = 1
    sources = combine([masked(texture, 1, mask), SourcePicture(texture(15, 15))], 1.0, 5)
    assert usable(sources) == usable_by_hand(sources, [None, None])


def test_a_small_picture_is_enlarged_to_hold_patches(texture: Drawn) -> None:
    sources = combine([SourcePicture(texture(3, 40))], 0.5, 5)
    assert sources.sizes == ((6, 20),)
    assert int(sources.usable.sum()) == 2 * 16


def test_guides_are_resized_and_may_leave_0_to_1(texture: Drawn) -> None:
    guides = 40 * texture(20, 30, channels=2) - 20
    pictures = [SourcePicture(texture(20, 30), guides=guides)] * 2
    whole, half = combine(pictures, 1.0, 5), combine(pictures, 0.5, 5)
    assert whole.guides is not None and half.guides is not None
    torch.testing.assert_close(whole.guides[..., :20, :30], guides)
    averages = F.avg_pool2d(guides, 2)
    # antialiased bicubic against the average of 2 × 2 pixels: near, and not clipped
    assert (half.guides[..., :10, :15] - averages).abs().mean() < 0.1 * averages.std()
    assert half.guides.amin() < -8 and half.guides.amax() > 8


def test_guides_for_some_pictures_only_are_refused(texture: Drawn) -> None:
    pictures = [
        SourcePicture(texture(20, 30), guides=texture(20, 30)),
        SourcePicture(texture(9, 9)),
    ]
    with pytest.raises(AssertionError, match="guides"):
        combine(pictures, 1.0, 5)


def test_upsampled_patches_keep_their_picture(pictures: list[SourcePicture]) -> None:
    coarse, fine = combine(pictures, 0.5, 5), combine(pictures, 1.0, 5)
    places = coarse.usable.nonzero()
    chosen = torch.randint(len(places), (16, 20), generator=torch.Generator().manual_seed(1))
    field = places[chosen].permute(2, 0, 1)
    upsampled = upsample(field, ((20, 24), (40, 48)), coarse, fine)
    assert upsampled.shape == (2, 36, 44)
    wanted = coarse.owner[field[0], field[1]]
    found = fine.owner[upsampled[0], upsampled[1]]
    tops, sizes = torch.tensor(fine.tops)[found], torch.tensor(fine.sizes)[found]
    assert (upsampled[0] >= tops).all() and (upsampled[0] <= tops + sizes[..., 0] - 5).all()
    assert (upsampled[1] >= 0).all() and (upsampled[1] <= sizes[..., 1] - 5).all()
    # the center of fine patch y is that of coarse patch (y + 2.5) / 2 − 2.5
    for y, x in ((0, 0), (9, 30), (20, 17), (35, 43)):
        row, column = (min(max(round((at + 2.5) / 2 - 2.5), 0), 19) for at in (y, x))
        assert found[y, x] == wanted[min(row, 15), column]


def test_pieces_stay_whole_when_upsampled(texture: Drawn) -> None:
    pictures = [SourcePicture(texture(30, 40)), SourcePicture(texture(36, 32))]
    coarse, fine = combine(pictures, 0.5, 5), combine(pictures, 1.0, 5)
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(10), indexing="ij")
    upper = torch.stack((rows + 1, columns + 2))  # a piece of the first picture
    lower = torch.stack((rows + coarse.tops[1] + 3, columns + 1))  # and one of the second
    field = torch.cat((upper, lower), 1)
    upsampled = upsample(field, ((20, 14), (40, 28)), coarse, fine)
    owners = fine.owner[upsampled[0], upsampled[1]]
    down, right = upsampled.diff(dim=1), upsampled.diff(dim=2)
    same = owners[1:] == owners[:-1]
    assert (down[0][same] == 1).all() and (down[1][same] == 0).all()
    assert (right[1] == 1).all() and (right[0] == 0).all()
    assert upsampled[:, 0, 0].tolist() == [2, 4]
    assert (upsampled[:, -1, -1] - upsampled[:, -8, -8]).tolist() == [7, 7]
    assert 0.4 < owners.double().mean() < 0.6


def test_one_source_is_upsampled_as_without_an_atlas(texture: Drawn) -> None:
    picture = [SourcePicture(texture(31, 45))]
    coarse, fine = combine(picture, 0.5, 5), combine(picture, 0.75, 5)
    sizes = (20, 26), (30, 39)
    field = torch.randint(0, 11, (2, 16, 22), generator=torch.Generator().manual_seed(1))
    plain = fields.upsample(field, sizes, (coarse.sizes[0], fine.sizes[0]))
    assert torch.equal(upsample(field, sizes, coarse, fine), plain)


def test_sources_need_no_float64(
    pictures: list[SourcePicture], without_float64: Callable[[Tensor], Tensor]
) -> None:
    fakes = [
        SourcePicture(without_float64(p.rgb), None if p.mask is None else without_float64(p.mask))
        for p in pictures
    ]
    coarse, fine = combine(fakes, 0.5, 5), combine(fakes, 1.0, 5)
    plain = combine(pictures, 0.5, 5), combine(pictures, 1.0, 5)
    assert torch.equal(coarse.usable.cpu(), plain[0].usable)
    field, sizes = torch.randint(0, 6, (2, 16, 20)), ((20, 24), (40, 48))
    upsampled = upsample(without_float64(field), sizes, coarse, fine)
    assert torch.equal(upsampled.cpu(), upsample(field, sizes, *plain))
