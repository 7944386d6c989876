"""A folder of pictures as a training set, whatever files are in it."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from crafted import deep_png
from limner.errors import InputError
from limner.generation.gan.dataset import (
    Dataset,
    FolderContents,
    crop,
    read_folder,
    resize_to_cover,
    training_size,
)

Choose = Callable[[list[str]], list[str]]
Paint = Callable[[int, int, int], Image.Image]


def load_dataset(
    folder: Path, size: tuple[int, int] = (64, 64), *, mirror: bool = False
) -> Dataset:
    return Dataset(folder, read_folder(folder, size), size, mirror=mirror)


def plain_pictures(values: list[int]) -> FolderContents:
    """Plain pictures of these gray levels in a folder x, named in their order."""
    names = [Path("x") / f"{number:02d}.png" for number in range(len(values))]
    covers = [torch.full((3, 8, 8), value, dtype=torch.uint8) for value in values]
    return FolderContents(names, ["" for _ in values], [(8, 8) for _ in values], covers, [])


def gray_levels(pictures: Tensor) -> list[int]:
    """The gray levels of plain pictures."""
    return [round(value * 255) for value in pictures[:, 0, 0, 0].tolist()]


# --- held-out pictures -----------------------------------------------------------------------


def test_a_fifth_is_held_out_by_name(held_out: Choose) -> None:
    for count in (10, 12, 13, 37):
        folder = Dataset(Path("x"), plain_pictures(list(range(count))), (8, 8), mirror=False)
        names = [f"{number:02d}.png" for number in range(count)]
        unseen = [int(name[:2]) for name in held_out(names)]
        assert len(unseen) == {10: 2, 12: 2, 13: 3, 37: 7}[count]
        assert folder.names == names and gray_levels(folder.held_out_centers()) == unseen
        assert gray_levels(folder.training_centers()) == [
            n for n in range(count) if n not in unseen
        ]


def test_held_out_pictures_are_never_drawn_and_all_others_are() -> None:
    folder = Dataset(Path("x"), plain_pictures(list(range(15))), (8, 8), mirror=True)
    drawn = set(gray_levels(folder.batch(600, torch.Generator().manual_seed(0))))
    assert drawn == set(gray_levels(folder.training_centers())) and not drawn & set(
        gray_levels(folder.held_out_centers())
    )


def test_another_picture_changes_at_most_one_of_those_held_out() -> None:
    """The place of the folder does not matter, only the names of the files."""
    before = plain_pictures(list(range(15)))
    was = set(gray_levels(Dataset(Path("x"), before, (8, 8), mirror=False).held_out_centers()))
    sets = []
    for number in range(40):
        path = Path("x") / "more" / f"new {number}.png"
        cover_ = torch.full((3, 8, 8), 200, dtype=torch.uint8)
        paths, covers = [path, *before.paths], [cover_, *before.covers]
        more = FolderContents(paths, ["" for _ in paths], [(8, 8), *before.sizes], covers, [])
        added = Dataset(Path("x"), more, (8, 8), mirror=False)
        sets.append(set(gray_levels(added.held_out_centers())))
        assert len(sets[-1]) == 3 and sets[-1] - was <= {200}
    assert was in sets and any(200 in one for one in sets)


def test_a_name_may_be_of_any_bytes(pictures: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pictures, tmp_path / "copy")
    try:
        shutil.copy(folder / "00.png", b"%s/\xff.png" % bytes(folder))
        (folder / "00.png").unlink()
    except OSError:
        pytest.skip("the file system wants names to be UTF-8")
    assert len(load_dataset(folder).training) == 12


# --- unusable files -------------------------------------------------------------------------


def test_copies_and_damaged_files_are_skipped_and_listed(pictures: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pictures, tmp_path / "copy")
    shutil.copy(folder / "03.png", folder / "more" / "again.png")
    whole = (folder / "05.png").read_bytes()
    (folder / "05.png").write_bytes(whole[: len(whole) // 2])
    (folder / "06a.png").write_text("no picture\n")
    (folder / "07a.png").touch()
    (folder / "notes.txt").write_text("not looked at")
    (folder / "folder.png").mkdir()
    found = read_folder(folder, (64, 64))
    names = [path.name for path in found.paths]
    assert names == [f"{number:02d}.png" for number in range(15) if number != 5]
    said = {Path(line.partition(": ")[0]).name: line for line in found.skipped}
    assert said.keys() == {"05.png", "06a.png", "07a.png", "again.png"}
    assert said["again.png"].endswith("again.png: is the same file as 03.png")
    assert not any("\n" in line for line in found.skipped)


def test_the_note_about_a_copy_is_one_line(pictures: Path, tmp_path: Path) -> None:
    for name in ("a\nb.png", "c\nd.png"):
        shutil.copy(pictures / "00.png", tmp_path / name)
    (line,) = read_folder(tmp_path, (64, 64)).skipped
    assert "\n" not in line


@pytest.mark.parametrize("count", [0, 3, 9])
def test_too_few_pictures_are_refused_with_their_number(
    count: int, tmp_path: Path, paint: Paint
) -> None:
    for number in range(count):
        paint(number, 64, 64).save(tmp_path / f"{number}.png")
    with pytest.raises(InputError, match=f"has {count} pictures; at least 10 are needed") as error:
        load_dataset(tmp_path)
    assert "limner generate --like" in str(error.value) and "\n" not in str(error.value)
    (tmp_path / "x.png").write_text("x")
    with pytest.raises(InputError, match=f"has {count} pictures and 1 that cannot be used"):
        load_dataset(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.png").touch()
    for name, says in (
        ("missing", "there is no such folder"),
        ("file.png", "is a file; name a fo"),
    ):
        with pytest.raises(InputError, match=f"{name}: {says}"):
            read_folder(tmp_path / name, (64, 64))


# --- resized and cropped ---------------------------------------------------------------------


def test_pictures_of_all_kinds_become_the_shape(tmp_path: Path) -> None:
    """Whatever the mode: left 200 and right 50, upright."""
    gray = np.repeat(np.uint8([[200, 50]]), 40, 1).repeat(64, 0)  # [64, 80]
    picture = Image.fromarray(gray)
    picture.save(tmp_path / "gray.png")
    picture.convert("P").save(tmp_path / "palette.png")
    picture.convert("RGB").resize((400, 320)).save(tmp_path / "large.bmp")
    picture.resize((20, 16), Image.Resampling.NEAREST).save(tmp_path / "little.webp", lossless=True)
    turned = Image.Exif()
    turned[274] = 6  # stored as a camera on its side has it: to be turned clockwise
    picture.convert("RGB").rotate(90, expand=True).save(
        tmp_path / "turned.jpg", exif=turned, quality=95
    )
    ink = Image.merge("CMYK", [Image.new("L", (80, 64))] * 3 + [picture.point(lambda v: 255 - v)])
    ink.save(tmp_path / "ink.tif")
    (tmp_path / "deep.png").write_bytes(deep_png(gray[..., None].astype(np.uint16) * 257))
    (tmp_path / "deep color.png").write_bytes(
        deep_png(gray[..., None].repeat(3, 2).astype(np.uint16) * 257)
    )
    found = read_folder(tmp_path, (64, 80))
    assert len(found.paths) == 8 and not found.skipped
    sides = dict(zip((path.name for path in found.paths), found.sizes, strict=True))
    assert (sides["large.bmp"], sides["little.webp"]) == ((320, 400), (16, 20))
    assert sides["turned.jpg"] == (64, 80)  # as it is looked at
    for path, one in zip(found.paths, found.covers, strict=True):
        assert one.shape == (3, 64, 80) and one.dtype == torch.uint8, path.name
        assert (one[..., :34].float() - 200).abs().max() < 6, path.name
        assert (one[..., 46:].float() - 50).abs().max() < 6, path.name


def test_transparent_parts_become_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (80, 80), (200, 0, 0, 255))
    picture.paste((10, 20, 30, 0), (0, 0, 80, 40))
    picture.paste((0, 0, 0, 128), (0, 40, 40, 80))
    picture.save(tmp_path / "1.png")
    (one,) = read_folder(tmp_path, (64, 64)).covers
    assert (one[:, :28] == 255).all()
    assert (one[:, 40:, :26].float() - 127).abs().max() <= 1
    assert one[:, 50, 50].tolist() == [200, 0, 0]


@pytest.mark.parametrize(
    ("size", "shape", "wanted"),
    [
        ((100, 50), (64, 64), (128, 64)),
        ((50, 100), (64, 64), (64, 128)),
        ((30, 31), (64, 96), (93, 96)),
        ((640, 480), (96, 64), (96, 72)),
        ((64, 64), (64, 64), (64, 64)),
    ],
)
def test_a_cover_is_just_large_enough(
    size: tuple[int, int], shape: tuple[int, int], wanted: tuple[int, int]
) -> None:
    rgb = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(0))
    made = resize_to_cover(rgb, shape)
    assert made.shape == (3, *wanted)
    if size == wanted:
        np.testing.assert_array_equal(made, (rgb[0] * 255).round())


def test_a_crop_begins_and_ends_with_the_picture() -> None:
    values = torch.arange(60, dtype=torch.uint8).view(1, 6, 10).repeat(3, 1, 1)
    for (down, across), corner in {
        (0.0, 0.0): 0, (1.0, 1.0): 26, (0.0, 1.0): 6, (1.0, 0.0): 20, (0.5, 0.5): 13,
    }.items():  # fmt: skip
        made = crop(values, (4, 4), down, across)
        assert made.shape == (3, 4, 4) and made.dtype == torch.float32
        np.testing.assert_allclose(made[2, 0, 0] * 255, corner, atol=1e-4)
        np.testing.assert_allclose(made[2, 3, 3] * 255, corner + 33, atol=1e-4)


def test_a_batch_has_crops_and_mirrored_ones_only_if_asked(pictures: Path) -> None:
    for mirror in (False, True):
        folder = load_dataset(pictures, mirror=mirror)
        views = [
            np.lib.stride_tricks.sliding_window_view(one.numpy(), (64, 64), (1, 2))
            for one in folder.training
        ]
        ways = [0, 0]
        for one in (folder.batch(24, torch.Generator().manual_seed(0)) * 255).round().numpy():
            found = [
                way
                for way, lot in enumerate((one, one[..., ::-1]))
                if any((view == lot[:, None, None]).all((0, 3, 4)).any() for view in views)
            ]
            assert len(found) == 1
            ways[found[0]] += 1
        assert (ways[0] == 24) if not mirror else min(ways) > 4


def test_the_random_numbers_make_the_batch(pictures: Path) -> None:
    folder = load_dataset(pictures)
    lots = [folder.batch(4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(lots[0], lots[1])
    assert lots[0].shape == (4, 3, 64, 64) and (lots[0] - lots[2]).abs().max() > 0.1


def test_possible_copies_are_both_ends_and_the_center_and_their_mirror_images() -> None:
    found = plain_pictures(list(range(15)))
    long = torch.arange(16, dtype=torch.uint8).expand(3, 8, 16).contiguous()
    found.covers[:] = [long.clone() for _ in found.covers]
    folder = Dataset(Path("x"), found, (8, 8), mirror=False)
    crops = (folder.training_crops() * 255).round()
    assert crops.shape == (12 * 3 * 2, 3, 8, 8)
    rows = sorted({tuple(one[0, 0].int().tolist()) for one in crops})
    ends = [tuple(range(start, start + 8)) for start in (0, 4, 8)]
    assert rows == sorted([*ends, *(row[::-1] for row in ends)])


def test_a_file_with_only_a_header_is_listed(tmp_path: Path) -> None:
    """It claims more pixels than fit into the memory."""
    head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54, 0, 0, 54, 40, 60000, 60000, 1, 24, *[0] * 6)
    (tmp_path / "huge.bmp").write_bytes(head)
    found = read_folder(tmp_path, (64, 64))
    assert not found.paths and len(found.skipped) == 1 and "huge.bmp" in found.skipped[0]


# --- the size of the training ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("aspect", "resolution", "size"),
    [
        ("1:1", 64, (64, 64)),
        ("3:2", 64, (64, 96)),
        ("2:3", 64, (96, 64)),
        ("1:2", 128, (256, 128)),
        ("2:1", 64, (64, 128)),
        ("16:9", 64, (64, 112)),  # the nearest quarter of the short side
        ("1.25:1", 64, (64, 80)),
    ],
)
def test_the_aspect_is_width_to_height(
    aspect: str, resolution: int, size: tuple[int, int], pictures: Path
) -> None:
    assert training_size(pictures, resolution, aspect) == size
    for cover in read_folder(pictures, size).covers:
        assert cover.shape[1] >= size[0] and cover.shape[2] >= size[1]


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([(90, 60), (60, 60), (96, 64), (99, 66), (200, 50)], (64, 96)),
        ([(60, 120), (60, 121), (50, 500)], (128, 64)),
        ([], (64, 64)),
    ],
)
def test_the_aspect_of_a_folder_is_the_median(
    sizes: list[tuple[int, int]], size: tuple[int, int], tmp_path: Path
) -> None:
    for number, one in enumerate(sizes):
        Image.new("RGB", one, (number, 0, 0)).save(tmp_path / f"{number}.png")
    assert training_size(tmp_path, 64, "folder") == size
