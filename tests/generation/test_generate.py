"""`generate`, from small painters with random weights, and from one picture."""

import hashlib
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

import limner
from blobs import blobs
from limner.generation.gan import latent_space, lightweight_gan
from limner.generation.gan.painter import Painter, save
from limner.generation.generate import generate
from limner.generation.variations import variations
from limner.progress import Progress, Stop
from small_painters import LIGHTWEIGHT_WIDTHS, SIZE, random_painter, write_painter
from stopping import until

HEIGHT, WIDTH = SIZE


@pytest.fixture(autouse=True, scope="module")
def little() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lightweight_gan, "WIDTHS", LIGHTWEIGHT_WIDTHS)
        yield


@pytest.fixture(scope="module")
def made(model: Path) -> list[Image.Image]:
    """Four pictures, and all that can lie beside them but the nearest."""
    return generate(model, n=4, seed=3, interpolate=3, mix=True)


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def apart(one: Image.Image | np.ndarray, other: Image.Image | np.ndarray) -> float:
    """Mean difference of pixels, in 255ths."""
    first, second = (np.asarray(lot).astype(int) for lot in (one, other))
    assert first.shape == second.shape
    return float(np.abs(first - second).mean())


def cell(sheet: Image.Image, row: int, column: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture of a sheet, whose gaps are 4 pixels wide."""
    left, top = 4 + column * (size[1] + 4), 4 + row * (size[0] + 4)
    return sheet.crop((left, top, left + size[1], top + size[0]))


def sheet_of(pictures: list[Image.Image], columns: int) -> Image.Image:
    """Pictures on white, put together by Pillow."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (4 + columns * (width + 4), 4 + rows * (height + 4)), "white")
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        sheet.paste(picture, (4 + column * (width + 4), 4 + row * (height + 4)))
    return sheet


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(picture: Image.Image) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(picture.info["limner"])
    return found


# --- pictures --------------------------------------------------------------------------------


def test_a_picture_is_made_from_its_seed(model: Path, made: list[Image.Image]) -> None:
    network = cast(Painter, random_painter())
    for seed, picture in enumerate(made, 3):
        w = network.map(latent_space.draw_latent(network, seed))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            rgb = network.paint(network.mean + 0.8 * (w - network.mean))[0].clip(0, 1)
        wanted = np.asarray(rgb).transpose(1, 2, 0) * 255
        assert picture.mode == "RGB" and picture.size == (WIDTH, HEIGHT)
        assert apart(picture, wanted.round()) < 1  # weights are kept in half precision


@pytest.mark.parametrize("name", ["lightweight_gan", "dcgan", "stylegan2"])
def test_every_picture_is_the_call_for_it_alone(name: str, tmp_path: Path) -> None:
    path = write_painter(tmp_path / "a.safetensors", name, (16, 16))
    made = generate(path, n=3, seed=5)
    assert [picture.size for picture in made] == [(16, 16)] * 3
    for seed, picture in enumerate(made, 5):
        (alone,) = generate(path, n=1, seed=seed)
        assert alone.tobytes() == picture.tobytes()
        assert alone.info["limner"] == picture.info["limner"]
        assert alone.info["beside"] == {}
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert apart(made[one], made[other]) > 2


def test_a_run_folder_its_name_and_its_file_are_the_same(
    model: Path, made: list[Image.Image]
) -> None:
    names: list[Any] = [str(model), model.parent, str(model.parent)]
    for name in names:
        (picture,) = generate(name, n=1, seed=3)
        assert picture.tobytes() == made[0].tobytes()
        assert picture.info["limner"] == made[0].info["limner"]


def test_without_truncation_all_are_the_mean(tmp_path: Path) -> None:
    network = random_painter()
    for name, parameter in network.named_parameters():
        if name.endswith("strength"):
            parameter.zero_()  # the noise would differ
    save(tmp_path / "a.safetensors", network, {})
    one, *others = generate(tmp_path / "a.safetensors", n=3, truncation=0)
    assert all(other.tobytes() == one.tobytes() for other in others)
    near, far = (
        generate(tmp_path / "a.safetensors", n=3, truncation=share) for share in (0.3, 1.0)
    )
    for less, more in zip(near, far, strict=True):
        assert 0.5 < apart(less, one) < apart(more, one)


def test_the_recipe_is_that_of_one_picture(model: Path, made: list[Image.Image]) -> None:
    for seed, picture in enumerate(made, 3):
        assert read(picture) == {
            "verb": "generate",
            "version": limner.__version__,
            "inputs": [model.name],
            "options": {"n": 1, "truncation": 0.8, "seed": seed},
            "files": {model.name: digest(model)},
        }


@pytest.mark.parametrize(("like", "wanted"), [(False, 25), (True, 8)])
def test_the_default_number_of_pictures(like: bool, wanted: int, model: Path) -> None:
    told: list[Progress] = []
    with pytest.raises(Stop):
        if like:
            generate(like=blobs(0, 40, 5), on_step=until(0, told))
        else:
            generate(model, on_step=until(0, told))
    assert told[0].steps == wanted


def test_stop_returns_the_finished_pictures(model: Path, made: list[Image.Image]) -> None:
    told: list[Progress] = []
    found = generate(model, n=5, seed=3, on_step=until(2, told))
    assert [one.tobytes() for one in found] == [one.tobytes() for one in made[:2]]
    assert [(one.verb, one.step, one.steps, one.share) for one in told] == [
        ("generate", step, 5, step / 5) for step in range(3)
    ]
    assert told[0].note == "5 pictures, 24×16 px" and told[1].note == ""
    assert told[0].preview is None and told[2].preview is not None
    assert told[2].preview().tobytes() == made[1].tobytes()
    assert found[0].info["beside"]["sheet"].size == (4 + 2 * 28, 4 + 20)


@pytest.mark.parametrize("name", ["lightweight_gan", "dcgan", "stylegan2"])
def test_the_callers_random_numbers_stay(name: str, tmp_path: Path, quick: None) -> None:
    """Building a network draws random weights, and painting sets seeds."""
    path = write_painter(tmp_path / "a.safetensors", name, (16, 16))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    generate(path, n=2, interpolate=2)
    generate(path, project=blobs(0, 32, 5))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_sheet_of_mixtures_needs_two_that_are_done(model: Path) -> None:
    (picture,) = generate(model, n=4, mix=True, on_step=until(1, []))
    assert "mix" not in picture.info["beside"]


# --- side files ------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "columns"), [(2, 2), (3, 2), (5, 3)])
def test_the_sheet_shows_all(n: int, columns: int, model: Path) -> None:
    pictures = generate(model, n=n)
    assert list(pictures[0].info["beside"]) == ["sheet"]
    assert not any("beside" in one.info for one in pictures[1:])
    np.testing.assert_array_equal(
        pixels(pictures[0].info["beside"]["sheet"]), pixels(sheet_of(pictures, columns))
    )


def test_the_animation_goes_from_picture_to_picture(made: list[Image.Image]) -> None:
    animation = made[0].info["beside"]["interpolation"]
    assert len(animation.frames) == 4 * 3
    for number, frame in enumerate(animation.frames):
        off = [apart(frame, picture) for picture in made]
        if number % 3 == 0:  # it is that picture, if for the noise, which stays that of the first
            assert np.argmin(off) == number // 3 and min(off) < (0.1 if number == 0 else 8)
        else:
            assert min(off) > 0.5
    file = BytesIO()
    animation.save(file)
    with Image.open(file) as opened:
        assert (opened.format, getattr(opened, "n_frames", 1)) == ("WEBP", 12)
        assert opened.size == (WIDTH, HEIGHT) and opened.info["loop"] == 0
        for number, frame in enumerate(animation.frames):
            opened.seek(number)
            assert apart(opened.convert("RGB"), frame) < 20
            assert opened.info["duration"] == 40
        assert animation.ending == ".webp"


def test_mixtures_have_the_composition_of_rows_and_the_details_of_columns(
    made: list[Image.Image],
) -> None:
    sheet = made[0].info["beside"]["mix"]
    assert sheet.size == (4 + 3 * (WIDTH + 4), 4 + 3 * (HEIGHT + 4))
    network = cast(Painter, random_painter())
    styles = []
    for seed in range(3, 7):
        w = network.map(latent_space.draw_latent(network, seed))[0]
        styles.append((network.mean + 0.8 * (w - network.mean)).repeat(6, 1))

    def painted(w: torch.Tensor) -> np.ndarray:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            rgb = np.asarray(network.paint(w[None])[0].clip(0, 1))
        return (rgb.transpose(1, 2, 0) * 255).round()

    assert pixels(cell(sheet, 0, 0)).min() == 255
    for one in range(2):
        assert apart(cell(sheet, one + 1, 0), painted(styles[one])) < 1
        assert apart(cell(sheet, 0, one + 1), painted(styles[2 + one])) < 1
        for other in range(2):
            wanted = painted(torch.cat((styles[one][:3], styles[2 + other][3:])))
            assert apart(cell(sheet, one + 1, other + 1), wanted) < 1
            turned = painted(torch.cat((styles[2 + other][:3], styles[one][3:])))
            assert apart(cell(sheet, one + 1, other + 1), turned) > 2


@pytest.mark.parametrize(("n", "half"), [(2, 1), (3, 1), (12, 5)])
def test_a_sheet_of_mixtures_has_five_rows_at_most(n: int, half: int, model: Path) -> None:
    sheet = generate(model, n=n, mix=True)[0].info["beside"]["mix"]
    assert sheet.size == (4 + (half + 1) * (WIDTH + 4), 4 + (half + 1) * (HEIGHT + 4))


@pytest.mark.parametrize("kind", [Path, str])
def test_every_picture_lies_beside_the_nearest_of_a_folder(
    kind: Callable[[Path], Any], model: Path, made: list[Image.Image], tmp_path: Path
) -> None:
    (tmp_path / "within").mkdir()
    turned = made[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    wide = Image.new("RGB", (WIDTH + 16, HEIGHT), "red")
    wide.paste(made[2], (16, 0))  # its right end
    for name, picture in (("c", made[0]), ("b", turned), ("within/a", wide)):
        picture.save(tmp_path / f"{name}.png")
    for number in range(3):
        blobs(number, 40, 4).save(tmp_path / f"{number}.png")
    pictures = generate(model, n=3, seed=3, nearest=kind(tmp_path))
    sheet = pictures[0].info["beside"]["nearest"]
    for place, picture in enumerate(pictures):
        assert cell(sheet, 0, 2 * place).tobytes() == picture.tobytes()
        assert apart(cell(sheet, 0, 2 * place + 1), picture) < 1


def test_the_nearest_of_many_lie_in_rows_of_five(model: Path, tmp_path: Path) -> None:
    blobs(0, 40, 4).save(tmp_path / "a.png")
    pictures = generate(model, n=7, nearest=tmp_path)
    sheet = pictures[0].info["beside"]["nearest"]
    assert sheet.size == (4 + 10 * (WIDTH + 4), 4 + 2 * (HEIGHT + 4))
    assert cell(sheet, 1, 2).tobytes() == pictures[6].tobytes()


# --- projection ------------------------------------------------------------------------------


def test_a_projection_looks_at_the_middle_and_says_so(
    model: Path, tmp_path: Path, quick: None
) -> None:
    path = tmp_path / "wide.png"
    wide = blobs(0, 48, 5).crop((0, 0, 36, 16))
    wide.save(path)
    told: list[Progress] = []
    (picture,) = generate(model, project=path, seed=7, on_step=told.append)
    assert read(picture) == {
        "verb": "generate",
        "version": limner.__version__,
        "inputs": [model.name],
        "options": {"n": 1, "seed": 7, "project": "wide.png", "allow_huge": False},
        "files": {model.name: digest(model), "wide.png": digest(path)},
    }
    assert list(picture.info["beside"]) == ["compared"]
    middle = wide.crop((6, 0, 30, 16))
    np.testing.assert_array_equal(
        pixels(picture.info["beside"]["compared"]), pixels(sheet_of([middle, picture], 2))
    )
    assert [one.step for one in told] == list(range(5)) and told[0].steps == 4
    assert told[0].loss is None and all(one.loss is not None for one in told[1:])
    (again,) = generate(cast(Any, str(model)), project=str(path), seed=7)
    assert again.tobytes() == picture.tobytes()
    assert again.info["limner"] == picture.info["limner"]


def test_stop_returns_the_projection_so_far(model: Path, quick: None) -> None:
    told: list[Progress] = []
    (picture,) = generate(model, project=blobs(0, 32, 5), on_step=until(2, told))
    assert [one.step for one in told] == [0, 1, 2] and picture.size == (WIDTH, HEIGHT)
    with pytest.raises(Stop):
        generate(model, project=blobs(0, 32, 5), on_step=until(0, []))


def test_transparent_parts_of_a_projected_picture_become_white(model: Path, quick: None) -> None:
    clear = Image.new("RGBA", (WIDTH, HEIGHT), (200, 30, 40, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 12, HEIGHT))
    (picture,) = generate(model, project=clear)
    left = pixels(cell(picture.info["beside"]["compared"], 0, 0))
    assert (left[:, :12] == 255).all() and (left[:, 12:] == (200, 30, 40)).all()


# --- from one picture ------------------------------------------------------------------------


def test_like_a_picture_are_its_variations(tmp_path: Path) -> None:
    blobs(0, 32, 5).save(tmp_path / "a.png")
    options: dict[str, Any] = {"n": 2, "variety": 0.9, "seed": 4}
    wanted = variations(tmp_path / "a.png", **options)
    found = generate(like=str(tmp_path / "a.png"), **options)
    for one, other in zip(found, wanted, strict=True):
        assert one.tobytes() == other.tobytes()
        assert one.info["limner"] == other.info["limner"]
    assert list(found[0].info["beside"]) == ["sheet"]
    np.testing.assert_array_equal(
        pixels(found[0].info["beside"]["sheet"]), pixels(sheet_of(wanted, 2))
    )


def test_one_variation_has_no_sheet() -> None:
    (picture,) = generate(like=blobs(0, 40, 5), n=1)
    assert picture.info["beside"] == {} and picture.size == (40, 40)
