"""A painter's pictures drawn again, large, with strokes of the works it learned from."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from small_training import AUTO, Run, learn, small_networks, stopped

from limner import io
from limner.batch.replay import replay
from limner.errors import InputError, OptionError, WeightsError
from limner.generation import works
from limner.generation.enlarge import Enlarger, longest_piece, rank_works
from limner.generation.generate import generate
from limner.nn import images
from limner.nn import weights as weights_files
from limner.progress import Progress
from stopping import until

Choose = Callable[[list[str]], list[str]]


@pytest.fixture
def run(auto_run: Run, pictures: Path, tmp_path: Path) -> Path:
    """A run folder beside the pictures of its training."""
    shutil.copytree(auto_run[0], tmp_path / "run")
    shutil.copytree(pictures, tmp_path / "works")
    (tmp_path / "run" / "pictures.json").write_text('{"folder": "../works"}')
    return tmp_path / "run"


def small_generate(*args: object, **options: object) -> list[Image.Image]:
    with small_networks():
        return generate(*args, **options)  # type: ignore[arg-type]


def remembered(run: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(
        weights_files.describe(run / "model.safetensors")["pictures"]
    )
    return found


def hatched(seed: int, dark: int, size: tuple[int, int] = (96, 128)) -> Image.Image:
    """Strokes on paper: half of the picture has many, half has none."""
    random = np.random.default_rng(seed)
    pixels = np.full((*size, 3), 230, np.uint8)
    for _ in range(400):
        y, x = random.integers((0, 0), (size[0] - 9, size[1] // 2))
        pixels[y : y + 8, x] = dark
    return Image.fromarray(pixels)


# --- copies ------------------------------------------------------------------------------------


def test_the_longest_piece_is_the_largest_area_without_a_seam() -> None:
    rows, columns = torch.meshgrid(torch.arange(20), torch.arange(30), indexing="ij")
    field = torch.stack((rows + 7, columns + 3))
    assert longest_piece(field) == 1
    field[1, :, 18:] += 5  # the right two fifths come from farther right
    assert longest_piece(field) == pytest.approx(0.6)
    field[0, 10:, :18] += 1
    field[0, 10:, 18:] += 1
    assert longest_piece(field) == pytest.approx(0.3)
    field[0, 12, 4] -= 1  # a hole
    assert longest_piece(field) == pytest.approx(0.3)
    fence = torch.stack((rows, columns))
    fence[:, :, 12] += 5  # what lies left and right of it is from one place, but not connected
    assert longest_piece(fence) == pytest.approx(17 / 30)
    apart = torch.zeros(2, 2, 2, dtype=torch.int64)  # one place for all: every patch has its seams
    assert longest_piece(apart) == 0.25


# --- strokes -----------------------------------------------------------------------------------


def test_works_like_the_small_picture_come_first() -> None:
    shown = [hatched(1, 40), hatched(2, 200), Image.effect_noise((128, 96), 90).convert("RGB")]
    thumbnails = [images.resize(io.read(picture).rgb, (48, 64)) for picture in shown]
    for index, picture in enumerate(shown):
        small = images.resize(io.read(picture).rgb, (32, 32))
        assert rank_works(small, thumbnails)[0] == index


def test_a_large_picture_shows_the_small_one_with_marks_of_the_work(tmp_path: Path) -> None:
    hatched(1, 40).save(tmp_path / "work.png")
    small = images.resize(
        io.read(hatched(2, 40).transpose(Image.Transpose.ROTATE_90)).rgb, (32, 32)
    )
    made = Enlarger([tmp_path / "work.png"]).enlarge(small, (120, 160), None, lambda: None)
    assert made.rgb.shape == (1, 3, 120, 160) and made.work.name.endswith("work.png")
    assert 0 < made.longest_piece < 0.5
    luma = images.luma(made.rgb)
    halves = [float(half.mean()) for half in luma.chunk(2, 2)]
    wanted = [float(half.mean()) for half in images.luma(small).chunk(2, 2)]
    assert halves == pytest.approx(wanted, abs=0.05)  # the dark half is below, as in the small one
    assert luma.chunk(2, 2)[1].std() > 2 * images.luma(small).chunk(2, 2)[1].std()  # strokes


def test_transparent_parts_of_a_work_give_no_strokes(tmp_path: Path) -> None:
    work = hatched(1, 40).convert("RGBA")
    work.paste((255, 0, 0, 0), (64, 0, 128, 48))
    work.save(tmp_path / "work.png")
    small = images.resize(io.read(hatched(2, 40)).rgb, (24, 32))
    made = Enlarger([tmp_path / "work.png"]).enlarge(small, (96, 128), None, lambda: None).rgb
    red, green, _ = made[0].unbind()
    assert (red - green).abs().max() < 0.05


def test_other_works_are_tried_if_too_much_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = iter((0.5, 0.3, 0.4, 0.2, 0.1))
    monkeypatch.setattr("limner.generation.enlarge.longest_piece", lambda _: next(shares))
    paths = [tmp_path / f"{seed}.png" for seed in range(6)]
    for seed, path in enumerate(paths):
        hatched(seed, 40, (24, 32)).save(path)
    small, enlarger = images.resize(io.read(hatched(9, 40)).rgb, (12, 16)), Enlarger(paths)
    made = enlarger.enlarge(small, (64, 64), 0.35, lambda: None)
    assert made.longest_piece == 0.3
    shares = iter((0.5, 0.3, 0.4, 0.2, 0.1))
    assert enlarger.enlarge(small, (64, 64), 0.15, lambda: None).longest_piece == 0.2


# --- from a run folder -------------------------------------------------------------------------


def test_a_run_remembers_its_training_pictures(run: Path, pictures: Path, held_out: Choose) -> None:
    names = [path.relative_to(pictures).as_posix() for path in pictures.rglob("*.png")]
    kept = held_out([Path(name).name for name in names])
    training = {name for name in names if Path(name).name not in kept}
    wanted = {n: hashlib.sha256((pictures / n).read_bytes()).hexdigest() for n in training}
    assert remembered(run) == wanted


def test_a_large_picture_says_whose_strokes_it_has(run: Path) -> None:
    told: list[Progress] = []
    (picture,) = small_generate(run, n=1, seed=3, size="96x64", on_step=told.append)
    assert picture.size == (96, 64)
    recipe = json.loads(picture.info["limner"])
    work, share = recipe["strokes"]["work"], recipe["strokes"]["largest_piece"]
    digests = {Path(name).name: digest for name, digest in remembered(run).items()}
    assert recipe["files"][work] == digests[work] and 0 < share <= 1
    assert recipe["options"]["size"] == "96x64"
    assert f"strokes of {work}; largest piece copied without a seam: {share:.1%}" in told[-1].note
    first, second = small_generate(run, n=2, seed=2, size="96x64")
    assert second.tobytes() == picture.tobytes()
    assert first.info["beside"]["sheet"].size == (4 + 2 * 100, 4 + 68)


def test_a_large_picture_is_made_again_from_its_recipe(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    (picture,) = small_generate(Path("run"), n=1, size="64x64", max_copy=0.9)
    io.write(picture, Path("made.png"))
    with small_networks():
        again = replay("made.png")
    assert again.tobytes() == picture.tobytes()


def test_a_stop_keeps_the_pictures_that_are_done(run: Path) -> None:
    assert len(small_generate(run, n=3, size="64x64", on_step=until(1, []))) == 1


def test_packed_pictures_travel_with_the_run(pictures: Path, tmp_path: Path) -> None:
    with small_networks():
        learn(tmp_path / "run", pictures, **AUTO | {"steps": 1}, pack=True)
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    (moved / "pictures.json").unlink()
    paths = works.find(moved / "model.safetensors", None, allow_changed=False)
    assert paths == [moved / "pictures" / name for name in remembered(moved)]
    paths[0].write_bytes(b"cut off")  # as a kill leaves it
    works.remember(moved, pictures, remembered(moved), pack=True)
    assert works.find(moved / "model.safetensors", None, allow_changed=False) == paths


def test_a_resumed_run_packs_too(pictures: Path, tmp_path: Path) -> None:
    with small_networks():
        stopped(tmp_path / "run", pictures, 1, **AUTO)
        learn(tmp_path / "run", pictures, **AUTO, resume=True, pack=True)
    assert (tmp_path / "run" / "pictures" / next(iter(remembered(tmp_path / "run")))).is_file()


# --- mistakes ----------------------------------------------------------------------------------


def test_missing_and_changed_pictures_are_named(run: Path) -> None:
    folder, (first, second, *_) = run.parent / "works", sorted(remembered(run))
    Image.new("RGB", (60, 60)).save(folder / second)
    for said in (f"{second} of 12 pictures is changed since the training", "--allow-changed"):
        with pytest.raises(InputError, match=said):
            small_generate(run, n=1, size="64x64")
    (folder / first).unlink()
    with pytest.raises(InputError, match=f"{first} of 12 pictures is missing; put them back"):
        small_generate(run, n=1, size="64x64")
    (picture,) = small_generate(run, n=1, size="64x64", allow_changed=True)
    assert picture.size == (64, 64)


@pytest.mark.parametrize(
    "listed",
    [
        "[]",
        "{",
        '{"../secret.png": "00"}',
        '{"/etc/a.png": "00"}',
        '{"c:\\\\a.png": "0"}',
        '{"a": 1}',
    ],
)
def test_a_list_of_pictures_that_leaves_its_folder_is_refused(
    run: Path, tmp_path: Path, listed: str
) -> None:
    tensors, about = weights_files.read_described(run / "model.safetensors")
    path = tmp_path / "strange.safetensors"
    save_file(tensors, path, about | {"pictures": listed})
    for folder in (None, tmp_path):
        with pytest.raises(WeightsError, match=r"strange.safetensors: its list of pictures is dam"):
            works.find(path, folder, allow_changed=True)


def test_a_work_that_cannot_be_read_is_left_out_and_named(run: Path) -> None:
    (run.parent / "works" / sorted(remembered(run))[0]).write_bytes(b"no picture")
    told: list[Progress] = []
    small_generate(run, n=1, size="64x64", allow_changed=True, on_step=told.append)
    assert any(sorted(remembered(run))[0] in p.note and "(left out)" in p.note for p in told)


def test_pictures_that_went_elsewhere_are_asked_for(run: Path) -> None:
    (run.parent / "works").rename(run.parent / "there")
    with pytest.raises(InputError, match=r"works: there is no such folder.*--pictures"):
        small_generate(run, n=1, size="64x64")
    (picture,) = small_generate(run, n=1, size="64x64", pictures=run.parent / "there")
    assert picture.size == (64, 64)
    with pytest.raises(InputError, match="run: has none of the 12 pictures"):
        small_generate(run, n=1, size="64x64", pictures=run)
    (run / "pictures.json").unlink()
    with pytest.raises(InputError, match="are not beside it; give their folder with --pictures"):
        small_generate(run, n=1, size="64x64")


def test_an_older_painter_needs_a_folder(model: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not say which pictures it learned from"):
        generate(model, n=1, size="64x64")
    (picture,) = generate(model, n=1, size="80x64", pictures=pictures)
    assert picture.size == (80, 64)
    with pytest.raises(InputError, match="has no pictures"):
        generate(model, n=1, size="64x64", pictures=tmp_path)


def test_options_of_large_pictures_need_a_size(model: Path, pictures: Path) -> None:
    for options, said in (
        ({"pictures": pictures}, "--pictures: has no effect without --size"),
        ({"max_copy": 0.1}, "--max-copy: has no effect without --size"),
        ({"max_copy": 1.5, "size": "64x64"}, "--max-copy 1.5: must be from 0 to 1"),
        ({"size": "64"}, "--size 64: must be a width and a height"),
        ({"size": "9000x64", "pictures": pictures}, "--size 9000x64: each side must be from 64"),
    ):
        with pytest.raises(OptionError, match=said):
            generate(model, n=1, **options)  # type: ignore[arg-type]


def test_a_picture_in_place_of_a_painter(tmp_path: Path) -> None:
    hatched(1, 40).save(tmp_path / "photo.png")
    with pytest.raises(InputError, match=r"is a picture; generate --like .*photo\.png makes"):
        generate(tmp_path / "photo.png")
