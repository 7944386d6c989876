"""Crops that depend on seed and step alone."""

import hashlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limner.colorization.dataset import Pictures
from limner.errors import InputError
from limner.nn import seeding
from limner.train.crops import Crops, load_pictures, pictures_in


def is_held_out(name: str) -> bool:
    """A tenth, by the first byte of the SHA-256 of the name."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:2], 16) % 10 == 0


def names(held_out: bool, count: int) -> list[str]:
    every = (f"{number}.png" for number in range(10_000))
    return list(islice((name for name in every if is_held_out(name) == held_out), count))


def flat(folder: Path, names: list[str], size: tuple[int, int] = (64, 64)) -> None:
    """Pictures of one color each: however their colors are varied, they stay flat."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        color = (40 + 25 * number % 180, 60, 200 - 20 * number % 150)
        Image.new("RGB", size, color).save(folder / name)


def striped(folder: Path, names: list[str], size: int = 64) -> None:
    """Pictures of black and white stripes: however their colors are varied, they stay striped."""
    folder.mkdir(parents=True, exist_ok=True)
    bars = np.arange(size) // 8 % 2 * 255
    picture = np.broadcast_to(bars[None, :, None], (size, size, 3)).astype(np.uint8)
    for name in names:
        Image.fromarray(picture).save(folder / name)


def contrasts(crops: Crops, count: int) -> np.ndarray:
    """Standard deviation over the positions of each crop; noise makes at most 0.1 of it."""
    drawn = crops.batch(count, seeding.generator(0, 0)).numpy()
    return drawn.std((2, 3)).mean(1)


def test_crops_belong_to_seed_and_step(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 4))
    striped(tmp_path / "below", names(False, 8)[4:])
    one, other = Crops([tmp_path], 32), Crops([tmp_path], 32)
    first = one.batch(3, seeding.generator(5, 7))
    assert first.shape == (3, 3, 32, 32) and first.dtype == torch.float32
    one.batch(2, seeding.generator(5, 8))  # what was drawn before does not matter
    np.testing.assert_array_equal(one.batch(3, seeding.generator(5, 7)), first)
    np.testing.assert_array_equal(other.batch(3, seeding.generator(5, 7)), first)
    assert (one.batch(3, seeding.generator(5, 8)) - first).abs().max() > 0.01
    assert (one.batch(3, seeding.generator(6, 7)) - first).abs().max() > 0.01


def test_crops_are_within_range_and_use_it(tmp_path: Path) -> None:
    striped(tmp_path, names(False, 2))
    drawn = Crops([tmp_path], 32).batch(60, seeding.generator(0, 0))
    assert drawn.shape == (60, 3, 32, 32)
    assert -1e-6 < drawn.min() < 0.01 and 0.99 < drawn.max() < 1 + 1e-6


def test_what_is_held_out_is_never_drawn_and_nothing_else_is(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 12))
    striped(tmp_path, names(True, 5))
    assert contrasts(Crops([tmp_path], 32), 60).max() < 0.12
    assert contrasts(Crops([tmp_path], 32, held_out=True), 60).min() > 0.2


def test_every_folder_has_the_same_share(tmp_path: Path) -> None:
    flat(tmp_path / "few", names(False, 1))
    striped(tmp_path / "many", names(False, 15))
    share = (contrasts(Crops([tmp_path / "few", tmp_path / "many"], 32), 200) > 0.16).mean()
    assert 0.35 < share < 0.65  # 200 draws: four standard deviations are 0.14


def test_every_picture_is_drawn(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 5))
    striped(tmp_path, names(False, 6)[5:])
    share = (contrasts(Crops([tmp_path], 32), 200) > 0.16).mean()
    assert 0.06 < share < 0.29  # one of six, four standard deviations


def test_scales_are_mixed_and_crops_mirrored(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    ramp = np.broadcast_to(np.arange(256)[None, :, None], (256, 256, 3)).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / names(False, 1)[0])
    drawn = Crops([tmp_path], 32).batch(100, seeding.generator(0, 0)).mean((1, 2)).numpy()
    slopes = drawn[:, 24] - drawn[:, 8]  # over half a crop's width
    assert 0.3 < (slopes > 0).mean() < 0.7
    # the whole picture gives 0.5 and a crop of its own size 16/256
    assert np.abs(slopes).max() > 0.3 and np.abs(slopes).min() < 0.09


def test_large_pictures_are_kept_smaller(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 1), size=(400, 100))
    with pytest.raises(InputError, match=r"holds no picture of at least 64×64 pixels; check the"):
        Crops([tmp_path], 64, longest=200)  # 200×50
    assert Crops([tmp_path], 50, longest=200).batch(1, seeding.generator(0, 0)).shape[-1] == 50


def test_what_cannot_be_read_or_is_too_small_is_passed_over(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 1))
    striped(tmp_path, names(False, 3)[1:])
    for name in names(False, 3)[1:]:
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    striped(tmp_path, names(False, 5)[3:], size=31)
    (tmp_path / "notes.txt").write_text("no picture")
    assert contrasts(Crops([tmp_path], 32), 40).max() < 0.12


@pytest.mark.parametrize("one_in", [2, 3, 10])
def test_one_in_so_many_is_held_out(tmp_path: Path, one_in: int) -> None:
    """By the first byte of the SHA-256 of the name; a gray of its own tells each picture."""
    wanted: dict[bool, list[int]] = {True: [], False: []}
    for gray in range(60):
        first = int(hashlib.sha256(f"{gray:02}.png".encode()).hexdigest()[:2], 16)
        wanted[first % one_in == 0].append(gray)
        Image.new("RGB", (8, 8), (gray, gray, gray)).save(tmp_path / f"{gray:02}.png")
    for held_out, greys in wanted.items():
        (shelf,) = load_pictures([tmp_path], 8, longest=8, held_out=held_out, one_in=one_in)
        assert [int(picture[0, 0, 0]) for picture in shelf] == greys and len(greys) > 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"8×8 pixels among .*, one in {one_in}; check"):
        load_pictures([tmp_path / "empty"], 8, longest=8, held_out=True, one_in=one_in)


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    flat(tmp_path / "full", names(False, 2))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: holds no picture of at least 32×32"):
        Crops([tmp_path / "full", tmp_path / "empty"], 32)
    with pytest.raises(
        InputError, match="among those held out for the scores, one in 10; check the name"
    ):
        Crops([tmp_path / "full"], 32, held_out=True)


def test_hidden_files_and_folders_are_no_pictures(tmp_path: Path) -> None:
    """macOS puts a ``._name`` beside each file on other disks; a folder may end as a picture."""
    seen = ["a.JPG", "b.jfif", "c.jpe", "d.gif", "e.ppm", "f.jp2", "g.heic", "within/h.png"]
    other = [
        "._a.JPG",
        ".h.png",
        ".git/x.png",
        "within/.x/y.png",
        "a.txt",
        ".DS_Store",
        "Thumbs.db",
    ]
    for name in (*seen, *other, "x.png/i.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = pictures_in(tmp_path, subfolders=True)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [*seen, "x.png/i.png"]
    assert len(pictures_in(tmp_path, subfolders=False)) == 7
    hidden = tmp_path / "within" / ".x"
    assert pictures_in(hidden, subfolders=True) == [hidden / "y.png"]  # if it is named


def test_a_file_is_no_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    for read in (lambda: Crops([tmp_path / "a.png"], 32), lambda: Pictures([tmp_path / "a.png"])):
        with pytest.raises(InputError, match=r"a\.png: is a file; name a folder of pictures$"):
            read()


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        (Path("none"), r"^none: there is no such folder; check its name$"),
        (Path("https://a.org/b"), r"^https://a.org/b: is an address; download the pictures first$"),
    ],
)
def test_a_folder_that_is_missing_is_told_as_such(folder: Path, says: str) -> None:
    for read in (lambda: Crops([folder], 32), lambda: Pictures([folder])):
        with pytest.raises(InputError, match=says):
            read()
