"""Training data: pictures and drawings that match, random line art, regions and their colors."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from limner.colorization import dataset, region_batches
from limner.colorization.dataset import Pictures, random_line_art, rotate_hues, sample_batch
from limner.colorization.network import COLORS
from limner.colorization.region_batches import choose_colors, sample
from limner.colorization.regions import colored, find, split
from limner.colorization.tokens import describe
from limner.errors import InputError
from limner.line_art.regions import cover_lines
from limner.nn import seeding

Names = tuple[list[str], list[str]]
Paint = Callable[..., Image.Image]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pictures of 64 pixels as they are."""
    monkeypatch.setattr(dataset, "SIDE", 64)


def values(picture: Image.Image) -> np.ndarray:
    """[3, H, W] in 0..1."""
    return np.asarray(picture.convert("RGB")).transpose(2, 0, 1) / 255


# --- what is read ----------------------------------------------------------------------------


def test_one_picture_in_20_is_held_out_by_a_hash_of_its_name() -> None:
    names = [f"picture {number}.jpg" for number in range(4000)]
    found = [dataset.is_held_out(Path("anywhere") / name) for name in names]
    first = [hashlib.sha256(name.encode()).digest()[0] for name in names]
    assert found == [byte < 13 for byte in first]
    assert 0.04 < np.mean(found) < 0.062


def test_no_picture_is_in_both_parts(pictures: Path, names: Names, paint_all: list[Tensor]) -> None:
    known, held_out = Pictures([pictures]), Pictures([pictures], held_out=True)
    assert (len(known), len(held_out)) == (10, 2)
    for part, count, first in ((known, 10, 0), (held_out, 2, 10)):
        wholes = [part.center(index, 64) for index in range(count)]
        order = np.argsort([*names[0], *names[1]][first : first + count])
        for whole, index in zip(wholes, order, strict=True):
            np.testing.assert_allclose(whole, paint_all[first + index], atol=0.002)
        assert part.ink(0, 64) is None


@pytest.fixture(scope="session")
def paint_all(painted: Paint) -> list[Tensor]:
    return [torch.from_numpy(values(painted(number)))[None] for number in range(12)]


def test_captions_beside_the_drawings_are_not_drawings(
    tmp_path: Path, names: Names, painted: Paint
) -> None:
    colored, drawings = tmp_path / "colored", tmp_path / "drawings"
    for folder in (colored, drawings):
        folder.mkdir()
        painted(0).save(folder / names[0][0])
        (folder / names[0][0]).with_suffix(".txt").write_text("a caption", "utf-8")
    assert len(Pictures([colored], drawings)) == 1


def test_subfolders_are_read_and_other_files_are_skipped(
    tmp_path: Path, names: Names, painted: Paint
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    painted(0).save(tmp_path / "a" / "b" / names[0][0])
    (tmp_path / "a" / names[0][1]).write_bytes(b"no picture")
    (tmp_path / "a" / "notes.txt").write_text("nor this")
    assert len(Pictures([tmp_path])) == 1


def test_large_and_wide_pictures_are_kept_with_a_short_side_of_64(
    tmp_path: Path, names: Names, painted: Paint
) -> None:
    painted(0, 200, 100).save(tmp_path / names[0][0])
    found = Pictures([tmp_path]).center(0, 64)
    middle = painted(0, 200, 100).resize((128, 64), Image.Resampling.BICUBIC).crop((32, 0, 96, 64))
    assert found.shape == (1, 3, 64, 64)
    assert np.abs(found[0].numpy() - values(middle)).mean() < 0.01


def test_transparent_pictures_are_laid_on_white(tmp_path: Path, names: Names) -> None:
    Image.new("RGBA", (64, 64), (200, 0, 0, 0)).save(tmp_path / names[0][0])
    assert Pictures([tmp_path]).center(0, 64).min() == 1


def swapped_channels(picture: Image.Image) -> Image.Image:
    """Stand in for a drawing, so that a test can see whether it matches its picture."""
    return Image.merge("RGB", picture.split()[::-1])


@pytest.fixture
def pairs(tmp_path: Path, names: Names, painted: Paint) -> tuple[Path, Path]:
    """Six pictures, and drawings of four of them with another file type."""
    colors, drawings = tmp_path / "colors", tmp_path / "drawings"
    colors.mkdir(), drawings.mkdir()
    for number, name in enumerate(names[0][:6]):
        painted(number, 90, 64).save(colors / name)
        if number < 4:
            other = swapped_channels(painted(number, 90, 64))
            other.save((drawings / name).with_suffix(".tif"))
    return colors, drawings


def test_pairs_in_two_folders_are_found_by_name(pairs: tuple[Path, Path]) -> None:
    known = Pictures([pairs[0]], pairs[1])
    assert len(known) == 4
    for index in range(4):
        assert known.ink(index, 64).shape == (1, 1, 64, 64)


@pytest.mark.parametrize("direction", ["color-left", "color-right"])
def test_pairs_side_by_side(
    tmp_path: Path, names: Names, painted: Paint, drawing: Paint, direction: str
) -> None:
    for number, name in enumerate(names[0][:3]):
        parts = [painted(number), drawing().resize((64, 64))]
        both = Image.new("RGB", (128, 64))
        for place, part in enumerate(parts if direction == "color-left" else parts[::-1]):
            both.paste(part, (64 * place, 0))
        both.save(tmp_path / name)
    known = Pictures([tmp_path], direction=direction)
    order = np.argsort(names[0][:3])
    for index, number in enumerate(order):
        np.testing.assert_allclose(known.center(index, 64)[0], values(painted(number)), atol=0.002)
        ink = known.ink(index, 64)[0, 0].numpy()
        lines = 1 - values(drawing().resize((64, 64)))[0]
        assert np.corrcoef(ink.ravel(), lines.ravel())[0, 1] > 0.9
    assert not known.are_drawings_more_colorful()
    turned = "color-right" if direction == "color-left" else "color-left"
    assert Pictures([tmp_path], direction=turned).are_drawings_more_colorful()


def test_folders_without_pictures_are_refused(tmp_path: Path, names: Names, painted: Paint) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "d").mkdir()
    with pytest.raises(
        InputError, match=r"p: no readable picture to train on; choose another folder$"
    ):
        Pictures([tmp_path / "p"])
    painted(0).save(tmp_path / "p" / names[0][0])
    with pytest.raises(
        InputError, match=r"no readable picture to test on \(one in 20 is held out.*; add pictures$"
    ):
        Pictures([tmp_path / "p"], held_out=True)
    with pytest.raises(
        InputError, match=r"p: no picture that has a drawing to train on; choose another folder$"
    ):
        Pictures([tmp_path / "p"], tmp_path / "d")


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_missing_folder_of_drawings_is_refused(tmp_path: Path, pictures: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=rf"--drawings .*{name}: is not a folder$"):
        Pictures([pictures], tmp_path / name)


# --- batches ---------------------------------------------------------------------------------


def test_picture_and_drawing_are_cropped_and_mirrored_alike(pairs: tuple[Path, Path]) -> None:
    known, random = Pictures([pairs[0]], pairs[1]), seeding.generator(0, 0)
    seen = []
    for _ in range(60):
        rgb, drawing = known.sample(32, random)
        assert rgb.shape == drawing.shape == (1, 3, 32, 32)
        np.testing.assert_allclose(rgb, drawing.flip(1), atol=1e-6)
        seen.append(rgb)
    wholes = torch.cat([known.center(index, 32) for index in range(4)])
    off = [(wholes - rgb).abs().mean((1, 2, 3)).min() for rgb in seen]
    assert np.ptp(off) > 0.05  # cropped at different places


def test_half_are_mirrored(tmp_path: Path, names: Names) -> None:
    ramp = np.broadcast_to(np.arange(64)[None, :, None] * 4, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / names[0][0])
    known, random = Pictures([tmp_path]), seeding.generator(0, 0)
    cuts = [known.sample(16, random)[0] for _ in range(100)]
    rising = np.mean([float(cut[..., -1].mean() - cut[..., 0].mean()) > 0 for cut in cuts])
    assert 0.3 < rising < 0.7


def randoms(count: int, seed: int) -> list[torch.Generator]:
    """Random numbers for each item of a batch."""
    return [seeding.generator(seed, item) for item in range(count)]


def test_a_batch_depends_only_on_its_random_numbers(pictures: Path) -> None:
    known = Pictures([pictures])
    first, again, other = (sample_batch(known, 32, randoms(3, step)) for step in (5, 5, 6))
    assert [part.shape[1] for part in first] == [1, 3]
    for part, same, different in zip(first, again, other, strict=True):
        assert part.shape[0] == 3 and part.shape[2:] == (32, 32)
        assert part.min() >= 0 and part.max() <= 1
        np.testing.assert_array_equal(part, same)
        assert not torch.equal(part, different)


def test_rotating_hues_leaves_grays_alone() -> None:
    grays = torch.linspace(0, 1, 20).view(1, 1, 4, 5).expand(6, 3, -1, -1)
    random = torch.Generator().manual_seed(0)
    np.testing.assert_allclose(rotate_hues(grays, random), grays, atol=1e-6)
    red = torch.tensor([0.6, 0.3, 0.3]).view(1, 3, 1, 1).expand(6, -1, 4, 5)
    turned = rotate_hues(red, random)
    # around the gray axis: the mean stays, and the distance from it
    np.testing.assert_allclose(turned.mean(1), red.mean(1), atol=1e-6)
    np.testing.assert_allclose(
        (turned - 0.4).norm(dim=1), (red - 0.4).norm(dim=1), rtol=1e-4, atol=1e-5
    )
    assert (turned[0] - turned[1]).abs().max() > 0.05  # each by its own angle


def test_line_art_has_random_styles(painted: Paint, planes: Callable[..., Tensor]) -> None:
    rgb = planes(painted(3)).expand(12, -1, -1, -1)
    ink = random_line_art(rgb, torch.Generator().manual_seed(0))
    again = random_line_art(rgb, torch.Generator().manual_seed(0))
    assert ink.shape == (12, 1, 64, 64) and ink.min() >= 0 and ink.max() <= 1
    np.testing.assert_array_equal(ink, again)
    apart = (ink[:, None] - ink[None]).abs().mean((2, 3, 4))
    assert (apart + torch.eye(12)).min() > 1e-3
    assert ((ink > 0.3).float().mean((1, 2, 3)) > 0.01).all()  # no drawing is blank


def test_white_pictures_give_blank_paper() -> None:
    ink = random_line_art(torch.ones((12, 3, 48, 48)), torch.Generator().manual_seed(1))
    assert ink.mean((1, 2, 3)).max() < 0.02


# --- regions ---------------------------------------------------------------------------------


def two_boxes() -> tuple[Tensor, Tensor]:
    """Ink and colors of 64 × 96 pixels: a red and a blue box on yellow."""
    ink, rgb = torch.zeros((1, 1, 64, 96)), torch.zeros((1, 3, 64, 96))
    rgb[:, :2] = 0.8
    for left, channel in ((10, 0), (54, 2)):
        box = (..., slice(12, 52), slice(left, left + 32))
        ink[box] = 1
        ink[..., 14:50, left + 2 : left + 30] = 0
        rgb[box] = 0
        rgb[(0, channel, *box[1:])] = 0.6
    return ink, rgb


def test_regions_get_the_median_colors_of_the_picture() -> None:
    ink, rgb = two_boxes()
    rgb = (rgb + 0.02 * torch.randn(rgb.shape, generator=seeding.generator(0, 0))).clamp(0, 1)
    tokens, colors = colored(ink, rgb, 20)
    assert tokens.area.shape == (1, 3) and colors.shape == (1, 3, 3)
    wanted = {(0.8, 0.8, 0): 64 * 96 - 2 * 40 * 32, (0.6, 0, 0): 28 * 36, (0, 0, 0.6): 28 * 36}
    for color, pixels in wanted.items():
        off = (colors[0] - torch.tensor(color)).abs().amax(1)
        assert off.min() < 0.01
        # a region also holds its half of the lines around it
        area = float(tokens.area[0, off.argmin()]) * 64 * 96
        assert pixels - 1 <= area <= pixels + 0.7 * (40 * 32 - 28 * 36) * (2 if color[1] else 1)
    assert float(tokens.area.sum()) == pytest.approx(1, rel=1e-5)


def test_tokens_describe_the_regions_of_the_ink() -> None:
    ink, _ = two_boxes()
    tokens, labels = split(ink, 20)
    assert labels.max() == 3 and (labels[ink[0, 0].numpy() == 1] == 0).all()
    plain = ink[0, 0].numpy()
    wanted = describe(torch.from_numpy(cover_lines(labels, plain)), ink[0, 0], (16, 24), 3)
    for name in ("pool", "shape", "pair", "area"):
        np.testing.assert_array_equal(getattr(tokens, name), getattr(wanted, name))


def test_only_the_largest_regions_are_kept() -> None:
    ink, rgb = two_boxes()
    tokens, colors = colored(ink, rgb, 1)
    assert tokens.area.tolist() == [[1]]
    np.testing.assert_allclose(colors[0], [[0.8, 0.8, 0]], atol=0.002)


def test_a_drawing_without_paper_is_one_region() -> None:
    black = np.ones((16, 24), np.float32)
    np.testing.assert_array_equal(find(black, 20), np.ones((16, 24)))
    tokens, _ = split(torch.from_numpy(black)[None, None], 20)
    assert tokens.area.tolist() == [[1]]


# --- batches of regions ----------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the two boxes as line art of every picture, and draw no scenes."""
    ink = two_boxes()[0][..., :64]
    monkeypatch.setattr(region_batches, "draw", lambda rgb, drawing, random: ink.clone())
    monkeypatch.setattr(region_batches, "SCENES", 0)


def test_a_batch_of_regions_is_padded(pictures: Path) -> None:
    known = Pictures([pictures])
    first, again, other = (sample(known, 64, randoms(3, step)) for step in (5, 5, 6))
    count, most = first.tokens.area.shape
    assert count == 3 and first.ink.shape == (3, 1, 64, 64)
    assert first.rgb.shape == (3, most, 3) and first.known.shape == (3, most)
    assert first.known.dtype == torch.bool and not (first.known & ~first.tokens.valid).any()
    assert first.rgb[~first.tokens.valid].abs().sum() == 0
    assert first.rgb.min() >= 0 and first.rgb.max() <= 1
    np.testing.assert_array_equal(first.rgb, again.rgb)
    np.testing.assert_array_equal(first.known, again.known)
    np.testing.assert_array_equal(first.tokens.pool, again.tokens.pool)
    assert not torch.equal(first.ink, other.ink)


@pytest.mark.usefixtures("quick")
def test_half_of_a_batch_has_known_colors_and_a_third_of_these_rotated_hues(
    tmp_path: Path, names: Names
) -> None:
    Image.new("RGB", (64, 64), (200, 60, 30)).save(tmp_path / names[0][0])
    batch = sample(Pictures([tmp_path]), 64, randoms(160, 0))
    given = batch.known.any(1)
    # a few are meant to be known in a fifth of the batch, of a share that may round to none
    assert 0.3 < given.float().mean() < 0.6
    off = (batch.rgb[:, 0] - torch.tensor([200, 60, 30]) / 255).abs().amax(1)
    turned = off > 0.01
    assert 0.13 < turned[given].float().mean() < 0.55
    # without a known color, hues stay, but where the share rounded to none
    assert turned[~given].float().mean() < 0.1


@pytest.mark.usefixtures("quick")
def test_large_regions_are_known_more_often(pictures: Path) -> None:
    batch = sample(Pictures([pictures]), 64, randoms(480, 1))
    area, single = batch.tokens.area, batch.known.sum(1) == 1
    assert single.sum() > 30
    shares = batch.known[single].float().mean(0)
    wanted = area[0].sqrt() / area[0].sqrt().sum()
    np.testing.assert_allclose(shares, wanted, atol=0.25)
    assert shares[area[0].argmax()] == shares.max()


def test_the_colors_are_those_of_the_pictures_and_white(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: Names
) -> None:
    """With as many colors as the picture has: all of them, the rare one too."""
    monkeypatch.setattr(region_batches, "COLORS", 5)
    four = [(220, 30, 40), (30, 60, 200), (20, 200, 90), (250, 220, 20)]
    page = Image.new("RGB", (64, 64), four[0])
    for index, width in enumerate((16, 16, 4), 1):
        page.paste(four[index], (64 - 16 * index, 0, 64 - 16 * index + width, 64))
    page.save(tmp_path / names[0][0])
    found = choose_colors(Pictures([tmp_path]), 0)
    assert found.dtype == torch.float32 and found.shape == (5, 3)
    np.testing.assert_array_equal(found[0], 1)
    off = np.abs(found[1:, None].numpy() * 255 - np.array(four)).max(2)
    assert off.min(0).max() < 1 and off.min(1).max() < 1
    np.testing.assert_array_equal(found, choose_colors(Pictures([tmp_path]), 0))


def test_rare_colors_are_drawn_by_the_square_root_of_their_pixels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: Names
) -> None:
    """Of 240 and of 16 sampled pixels: four to one, not fifteen to one."""
    page = Image.new("RGB", (64, 64), (220, 30, 40))
    page.paste((30, 60, 200), (60, 0, 64, 64))
    page.save(tmp_path / names[0][0])
    seen = []

    def cluster(points: np.ndarray, count: int, **_: Any) -> tuple[np.ndarray, None]:
        seen.append(points)
        return points[:count], None

    monkeypatch.setattr(region_batches, "kmeans2", cluster)
    choose_colors(Pictures([tmp_path]), 0)
    assert (seen[0][:, 2] > 0.5).mean() == pytest.approx(1 / 5, abs=0.01)


def test_there_are_as_many_colors_as_the_network_has(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region_batches, "_SAMPLES", 2000)
    found = choose_colors(Pictures([pictures]), 3)
    assert found.shape == (COLORS, 3) and found.min() >= 0 and found.max() <= 1
    assert found.isfinite().all()
