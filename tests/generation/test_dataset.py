"""A folder of pictures as a generator learns from it, whatever lies in it."""

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
from limner.generation.gan.dataset import Folder, Found, cover, crop, read

Choose = Callable[[list[str]], list[str]]
Paint = Callable[[int, int, int], Image.Image]


def shelf(folder: Path, size: tuple[int, int] = (64, 64), *, mirror: bool = False) -> Folder:
    return Folder(folder, read(folder, size), size, mirror=mirror)


def levels(colours: list[int]) -> Found:
    """Plain pictures, one above the other named, of these levels."""
    names = [Path(f"{number:02d}.png") for number in range(len(colours))]
    covers = [torch.full((3, 8, 8), colour, dtype=torch.uint8) for colour in colours]
    return Found(names, [(8, 8) for _ in colours], covers, [])


def plain(lot: Tensor) -> list[int]:
    """The levels of plain pictures."""
    return [round(value * 255) for value in lot[:, 0, 0, 0].tolist()]


# --- what is held out ------------------------------------------------------------------------


def test_a_fifth_is_held_out_by_name(held_out: Choose) -> None:
    for count in (10, 12, 13, 37):
        folder = Folder(Path("x"), levels(list(range(count))), (8, 8), mirror=False)
        names = [f"{number:02d}.png" for number in range(count)]
        unseen = [int(name[:2]) for name in held_out(names)]
        assert len(unseen) == {10: 2, 12: 2, 13: 3, 37: 7}[count]
        assert folder.names == names and plain(folder.unseen()) == unseen
        assert plain(folder.learnt()) == [n for n in range(count) if n not in unseen]


def test_what_is_held_out_is_never_drawn_and_all_else_is() -> None:
    folder = Folder(Path("x"), levels(list(range(15))), (8, 8), mirror=True)
    drawn = set(plain(folder.batch(600, torch.Generator().manual_seed(0))))
    assert drawn == set(plain(folder.learnt())) and not drawn & set(plain(folder.unseen()))


def test_another_picture_changes_at_most_one_of_those_held_out() -> None:
    """Where the folder lies does not matter, nor what else the names are."""
    before = levels(list(range(15)))
    was = set(plain(Folder(Path("x"), before, (8, 8), mirror=False).unseen()))
    sets = []
    for number in range(40):
        path = Path("elsewhere") / f"new {number}.png"
        cover_ = torch.full((3, 8, 8), 200, dtype=torch.uint8)
        paths, covers = [path, *before.paths], [cover_, *before.covers]
        more = Found(paths, [(8, 8), *before.sides], covers, [])
        added = Folder(Path("y"), more, (8, 8), mirror=False)
        sets.append(set(plain(added.unseen())))
        assert len(sets[-1]) == 3 and sets[-1] - was <= {200}
    assert was in sets and any(200 in one for one in sets)


def test_a_name_may_be_of_any_bytes(pictures: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pictures, tmp_path / "copy")
    try:
        shutil.copy(folder / "00.png", b"%s/\xff.png" % bytes(folder))
        (folder / "00.png").unlink()
    except OSError:
        pytest.skip("the file system wants names to be UTF-8")
    assert len(shelf(folder).known) == 12


# --- what cannot be used ---------------------------------------------------------------------


def test_copies_and_damaged_files_are_passed_over_and_listed(
    pictures: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(pictures, tmp_path / "copy")
    shutil.copy(folder / "03.png", folder / "more" / "again.png")
    whole = (folder / "05.png").read_bytes()
    (folder / "05.png").write_bytes(whole[: len(whole) // 2])
    (folder / "06a.png").write_text("no picture\n")
    (folder / "07a.png").touch()
    (folder / "notes.txt").write_text("not looked at")
    (folder / "folder.png").mkdir()
    found = read(folder, (64, 64))
    names = [path.name for path in found.paths]
    assert names == [f"{number:02d}.png" for number in range(15) if number != 5]
    said = {Path(line.partition(": ")[0]).name: line for line in found.skipped}
    assert said.keys() == {"05.png", "06a.png", "07a.png", "folder.png", "again.png"}
    assert said["again.png"].endswith("again.png: is the same file as 03.png")
    assert not any("\n" in line for line in found.skipped)


def test_what_is_said_of_a_copy_is_one_line(pictures: Path, tmp_path: Path) -> None:
    for name in ("a\nb.png", "c\nd.png"):
        shutil.copy(pictures / "00.png", tmp_path / name)
    (line,) = read(tmp_path, (64, 64)).skipped
    assert "\n" not in line


@pytest.mark.parametrize("count", [0, 3, 9])
def test_too_few_are_refused_with_their_number(count: int, tmp_path: Path, paint: Paint) -> None:
    for number in range(count):
        paint(number, 64, 64).save(tmp_path / f"{number}.png")
    with pytest.raises(InputError, match=f"holds {count} pictures; must be at least 10") as error:
        shelf(tmp_path)
    assert "limner generate --like" in str(error.value) and "\n" not in str(error.value)
    (tmp_path / "x.png").write_text("x")
    with pytest.raises(InputError, match=f"holds {count} pictures and 1 that cannot be used"):
        shelf(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.png").touch()
    for name in ("missing", "file.png"):
        with pytest.raises(InputError, match=f"{name}: there is no such folder of pictures"):
            read(tmp_path / name, (64, 64))


# --- what pictures become --------------------------------------------------------------------


def test_pictures_of_all_kinds_become_the_shape(tmp_path: Path) -> None:
    """Whatever the mode: left 200 and right 50, upright."""
    grey = np.repeat(np.uint8([[200, 50]]), 40, 1).repeat(64, 0)  # [64, 80]
    picture = Image.fromarray(grey)
    picture.save(tmp_path / "grey.png")
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
    (tmp_path / "deep.png").write_bytes(deep_png(grey[..., None].astype(np.uint16) * 257))
    (tmp_path / "deep colour.png").write_bytes(
        deep_png(grey[..., None].repeat(3, 2).astype(np.uint16) * 257)
    )
    found = read(tmp_path, (64, 80))
    assert len(found.paths) == 8 and not found.skipped
    sides = dict(zip((path.name for path in found.paths), found.sides, strict=True))
    assert (sides["large.bmp"], sides["little.webp"]) == ((320, 400), (16, 20))
    assert sides["turned.jpg"] == (64, 80)  # as it is looked at
    for path, one in zip(found.paths, found.covers, strict=True):
        assert one.shape == (3, 64, 80) and one.dtype == torch.uint8, path.name
        assert (one[..., :34].float() - 200).abs().max() < 6, path.name
        assert (one[..., 46:].float() - 50).abs().max() < 6, path.name


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (80, 80), (200, 0, 0, 255))
    picture.paste((10, 20, 30, 0), (0, 0, 80, 40))
    picture.paste((0, 0, 0, 128), (0, 40, 40, 80))
    picture.save(tmp_path / "1.png")
    (one,) = read(tmp_path, (64, 64)).covers
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
    made = cover(rgb, shape)
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


def test_a_batch_is_of_crops_and_mirrored_where_that_is_asked_for(pictures: Path) -> None:
    for mirror in (False, True):
        folder = shelf(pictures, mirror=mirror)
        views = [
            np.lib.stride_tricks.sliding_window_view(one.numpy(), (64, 64), (1, 2))
            for one in folder.known
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


def test_a_batch_is_that_of_its_numbers(pictures: Path) -> None:
    folder = shelf(pictures)
    lots = [folder.batch(4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(lots[0], lots[1])
    assert lots[0].shape == (4, 3, 64, 64) and (lots[0] - lots[2]).abs().max() > 0.1


def test_crops_that_may_be_copied_are_the_ends_and_the_middle_both_ways_round() -> None:
    found = levels(list(range(15)))
    long = torch.arange(16, dtype=torch.uint8).expand(3, 8, 16).contiguous()
    found.covers[:] = [long.clone() for _ in found.covers]
    folder = Folder(Path("x"), found, (8, 8), mirror=False)
    crops = (folder.crops() * 255).round()
    assert crops.shape == (12 * 3 * 2, 3, 8, 8)
    rows = sorted({tuple(one[0, 0].int().tolist()) for one in crops})
    ends = [tuple(range(start, start + 8)) for start in (0, 4, 8)]
    assert rows == sorted([*ends, *(row[::-1] for row in ends)])


def test_a_file_of_a_header_alone_is_listed(tmp_path: Path) -> None:
    """It promises more pixels than memory holds."""
    head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54, 0, 0, 54, 40, 60000, 60000, 1, 24, *[0] * 6)
    (tmp_path / "huge.bmp").write_bytes(head)
    found = read(tmp_path, (64, 64))
    assert not found.paths and len(found.skipped) == 1 and "huge.bmp" in found.skipped[0]
