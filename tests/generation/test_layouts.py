"""`variations` of parts that are kept whole, of several pictures, in one layout, and as tiles."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from skimage.feature import match_template

from limner import io
from limner.batch.replay import replay
from limner.errors import InputError, OptionError
from limner.generation.pieces import unique_parts
from limner.generation.variations import variations
from limner.nn import images
from limner.progress import Progress
from portraits import FACE, faces, portrait


def texture(colors: list[tuple[int, int, int]], size: int = 96, seed: int = 0) -> Image.Image:
    """Blots of a few colors, everywhere alike."""
    random = np.random.default_rng(seed)
    noise = Image.fromarray(random.random((size // 6, size // 6)).astype(np.float32))
    smooth = np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC))
    steps = np.digitize(smooth, np.quantile(smooth, np.linspace(0, 1, len(colors) + 1)[1:-1]))
    return Image.fromarray(np.array(colors, np.uint8)[steps])


WARM = [(230, 120, 40), (200, 60, 30), (250, 200, 90)]
COLD = [(30, 60, 160), (60, 120, 200), (20, 30, 90)]


def shares(picture: Image.Image, colors: list[tuple[int, int, int]]) -> float:
    """Share of the pixels that are nearly one of some colors."""
    pixels = np.asarray(picture, int).reshape(-1, 1, 3)
    return float((np.abs(pixels - np.array(colors)).max(2).min(1) < 40).mean())


# --- parts that are kept whole ---------------------------------------------------------------


def test_a_face_is_one_part_and_a_texture_has_none() -> None:
    (part,) = unique_parts(io.read(portrait()).rgb)
    mask = images.resize(part, (160, 240))[0, 0] > 0.5
    left, top, right, bottom = FACE
    assert mask[top:bottom, left:right].float().mean() > 0.95
    assert mask.float().mean() < 0.5
    assert unique_parts(io.read(texture(WARM)).rgb) == []
    assert unique_parts(torch.full((1, 3, 40, 60), 0.4)) == []
    assert unique_parts(torch.rand(1, 3, 40, 900)) == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [None, "360x160"])
def test_the_face_of_a_portrait_appears_once_or_not_at_all(size: str | None) -> None:
    assert faces(portrait()) == 1
    doubled = Image.new("RGB", (480, 160))
    for left in (0, 240):
        doubled.paste(portrait(), (left, 0))
    assert faces(doubled) == 2
    found = [faces(picture) for picture in variations(portrait(), n=8, size=size, variety=1)]
    assert max(found) == 1 and sum(found) >= 4


def test_what_is_protected_is_kept_whole_once() -> None:
    source = texture(WARM)
    box = (30, 40, 62, 70)
    mask = Image.new("L", source.size)
    mask.paste(255, box)
    told: list[Progress] = []
    made = variations(source, n=3, protect=mask, variety=1, on_step=told.append)
    wanted = np.asarray(source.crop((32, 42, 60, 68)).convert("L"), float)
    for picture in made:
        match = match_template(np.asarray(picture.convert("L"), float), wanted)
        assert (match > 0.98).sum() == 1 and (match > 0.8).sum() <= 9
        copied = json.loads(picture.info["limner"])["copied"]
        assert copied["protected"] == pytest.approx(32 * 30 / 96**2, rel=0.1)
    assert "; protected: 10" in told[-1].note


def test_what_is_protected_may_be_most_of_the_first_of_two_pictures() -> None:
    mask = Image.new("L", (96, 96))
    mask.paste(255, (10, 10, 90, 86))
    for tileable in (False, True):
        (made,) = variations(
            texture(WARM), texture(COLD, seed=1), n=1, protect=mask, tileable=tileable
        )
        assert shares(made, WARM) > 0.6


def test_with_variety_0_everything_stays_even_if_it_is_kept_whole() -> None:
    cut = portrait().crop((60, 20, 180, 130))  # the person takes the whole width
    (made,) = variations(cut, n=1, variety=0)
    assert np.abs(np.asarray(made, float) - np.asarray(cut, float)).mean() < 1


# --- several pictures ------------------------------------------------------------------------


def test_two_pictures_are_mixed() -> None:
    for picture in variations(texture(WARM), texture(COLD, seed=1), n=3):
        assert 0.15 < shares(picture, WARM) < 0.85
        assert shares(picture, WARM) + shares(picture, COLD) > 0.9


@pytest.mark.slow
def test_of_a_folder_each_picture_mixes_two_and_is_made_again_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("some")
    folder.mkdir()
    for name, size in (("a", 96), ("b", 120), ("c", 66)):
        texture(WARM, size).save(folder / f"{name}.png")
    texture(WARM, 90).convert("CMYK").save(folder / "d.tif")
    texture(WARM, 90).convert("L").save(folder / "e.png")
    made = variations(folder, n=4)
    recipes = [json.loads(picture.info["limner"]) for picture in made]
    assert len({tuple(recipe["inputs"]) for recipe in recipes}) > 1
    assert all(len(recipe["inputs"]) == 2 for recipe in recipes)
    assert {picture.size for picture in made} == {(96, 96)}
    io.write(made[2], Path("third.png"))
    assert replay(Path("third.png")).tobytes() == made[2].tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(40, 40), (96, 40)])
def test_small_pictures_are_made_again_too(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, colors in (("a.png", WARM), ("b.png", COLD)):
        texture(colors).resize(size).save(name)
    (made,) = variations("a.png", "b.png", n=1)
    io.write(made, Path("made.png"))
    assert replay(Path("made.png")).tobytes() == made.tobytes()


@pytest.mark.slow
def test_resolution_comes_from_a_picture_that_was_used(tmp_path: Path) -> None:
    for number in range(4):
        texture(WARM).save(tmp_path / f"{number}.png", dpi=(100 + number, 100 + number))
    for made in variations(tmp_path, n=5):
        first = json.loads(made.info["limner"])["inputs"][0]
        assert made.info["dpi"][0] == pytest.approx(100 + int(Path(first).stem), abs=0.1)


# --- the layout of the picture ---------------------------------------------------------------


def test_the_layout_stays_and_the_strokes_are_new() -> None:
    source = texture(WARM, 120)
    (kept,) = variations(source, n=1, keep_layout=1)
    small, wanted = (io.read(one.resize((20, 20))).rgb for one in (kept, source))
    assert (small - wanted).abs().mean() < 0.05 < (small.flip(-1) - wanted).abs().mean()
    assert json.loads(kept.info["limner"])["copied"]["largest_piece"] < 0.2


@pytest.mark.slow
def test_each_seed_paints_it_differently() -> None:
    assert len({one.tobytes() for one in variations(texture(WARM), n=3, keep_layout=1)}) == 3


def test_the_first_gives_the_layout_and_the_others_the_strokes() -> None:
    rows, columns = np.mgrid[:96, :96]
    halves = np.where(columns < 48, 220, 40)
    stripes = np.where(rows % 4 < 2, 0, 70) + np.where(columns[:, ::-1] < 30, 180, 0)
    layout, strokes = (
        Image.fromarray(one.astype(np.uint8)).convert("RGB") for one in (halves, stripes)
    )
    (made,) = variations(layout, strokes, n=1, keep_layout=1)
    pixels = np.asarray(made.convert("L"), float)
    assert pixels[:, :40].mean() > pixels[:, 56:].mean() + 100
    assert np.abs(np.diff(pixels, axis=0)).mean() > 5 * np.abs(np.diff(pixels, axis=1)).mean()


# --- tiles -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("size", ["96x96", "130x77"])
def test_a_tile_continues_beyond_its_borders(size: str) -> None:
    made = [np.asarray(one, float) for one in variations(portrait(), n=4, tileable=True, size=size)]
    assert {f"{one.shape[1]}x{one.shape[0]}" for one in made} == {size}
    for axis in (0, 1):
        over = np.mean([np.abs(one.take(0, axis) - one.take(-1, axis)).mean() for one in made])
        inside = np.mean([np.abs(np.diff(one, axis=axis)).mean() for one in made])
        assert over < 1.6 * inside


# --- transparent parts, and mistakes ---------------------------------------------------------


def test_transparent_parts_are_not_used() -> None:
    source = texture(WARM).convert("RGBA")
    source.paste((255, 0, 255, 0), (50, 0, 96, 96))
    for options in ({}, {"keep_layout": 1}):
        told: list[Progress] = []
        (made,) = variations(source, n=1, **options, on_step=told.append)  # type: ignore[arg-type]
        assert shares(made, WARM) > 0.9
        assert "picture: its transparent parts are left out" in {step.note for step in told}


def test_a_cutout_is_no_thing() -> None:
    source = texture(WARM, 192).convert("RGBA")
    alpha = Image.new("L", source.size, 255)
    ImageDraw.Draw(alpha).ellipse((60, 60, 130, 130), fill=0)
    source.putalpha(alpha)
    for made in variations(source, n=2):
        assert (np.asarray(made).min(2) > 245).mean() < 0.01


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^variations: needs a picture; give one, or a folder"):
        variations()
    with pytest.raises(InputError, match=r"is a folder without pictures; name a picture, or a"):
        variations(tmp_path)
    with pytest.raises(OptionError, match=r"^--tileable and --keep-layout: cannot be used toge"):
        variations(texture(WARM), tileable=True, keep_layout=0.5)
    with pytest.raises(OptionError, match=r"^--keep-layout 1.5: must be from 0 to 1"):
        variations(texture(WARM), keep_layout=1.5)
    with pytest.raises(OptionError, match=r"^--protect picture: is 30×20, but the picture is 96×9"):
        variations(texture(WARM), protect=Image.new("L", (30, 20)))
    with pytest.raises(InputError, match=r"^--protect picture: has no white area; paint what "):
        variations(texture(WARM), protect=Image.new("L", (96, 96)))
    dot = Image.new("L", (96, 96))
    dot.putpixel((50, 50), 255)
    with pytest.raises(OptionError, match=r"^--protect picture: the white area is too small or "):
        variations(texture(WARM), protect=dot)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["64x128", "192x64"])
def test_what_is_protected_fits_into_any_shape(size: str) -> None:
    mask = Image.new("L", (96, 96), 255)
    for options in ({}, {"tileable": True}, {"keep_layout": 1}):
        (made,) = variations(texture(WARM), n=1, protect=mask, size=size, **options)  # type: ignore[arg-type]
        assert json.loads(made.info["limner"])["copied"]["protected"] > 0.3


def test_what_stands_out_fits_into_a_narrower_picture() -> None:
    wide = Image.new("RGB", (400, 160), (168, 190, 200))
    wide.paste(portrait().crop((60, 0, 180, 160)), (140, 0))
    assert [faces(made) for made in variations(wide, n=3, size="150x110")] == [0, 0, 0]
    for made in variations(wide, n=3, size="150x110"):  # the face is there, but smaller
        skin = np.abs(np.asarray(made, int) - (230, 185, 155)).max(2) < 12
        assert skin.mean() > 0.02
