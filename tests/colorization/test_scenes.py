"""Scenes for training: what is pasted, what is drawn, and in which colors."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from limner.color import oklab
from limner.colorization import dataset, region_batches, scene_parts, scenes
from limner.colorization.dataset import Pictures
from limner.colorization.scene_parts import Painter
from limner.nn import seeding

Names = tuple[list[str], list[str]]
MAGENTA = (255, 0, 255)  # no part of a scene has this color


@pytest.fixture
def known(tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch) -> Pictures:
    """One picture: a magenta ring on white paper."""
    monkeypatch.setattr(dataset, "SIDE", 64)
    picture = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(picture).ellipse((8, 8, 56, 56), outline=MAGENTA, width=12)
    picture.save(tmp_path / names[0][0])
    return Pictures([tmp_path])


def drawn(known: Pictures, count: int) -> Tensor:
    """Scenes [count, 3, 96, 96]."""
    return torch.cat([scenes.draw(known, 96, seeding.generator(0, step)) for step in range(count)])


def test_the_same_random_numbers_draw_the_same_scene(known: Pictures) -> None:
    first, again, other = (scenes.draw(known, 96, seeding.generator(0, s)) for s in (4, 4, 5))
    assert first.shape == (1, 3, 96, 96) and first.dtype == torch.float32
    assert first.min() >= 0 and first.max() <= 1
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)


def test_the_inside_of_a_ring_is_not_paper(known: Pictures) -> None:
    alpha = np.asarray(scenes._cut_out(known.center(0, 64)).getchannel("A"))
    assert alpha[2, 2] == alpha[32, 2] == 0
    assert alpha[32, 32] == alpha[32, 12] == 255


def test_most_scenes_hold_the_pictures_and_many_have_a_sky_over_a_ground(known: Pictures) -> None:
    pages = drawn(known, 120)
    pasted = (pages - torch.tensor(MAGENTA)[:, None, None] / 255).abs().amax(1) < 0.02
    assert 0.6 < pasted.flatten(1).any(1).float().mean() < 0.98
    lightness, a, b = oklab.from_srgb(pages).unbind(1)
    top, bottom = slice(2, 8), slice(88, 94)
    sky = (b[:, top] < -0.02) & (lightness[:, top] > 0.6)
    ground = a[:, bottom] < -0.03
    outdoors = (sky.flatten(1).float().mean(1) > 0.5) & (ground.flatten(1).float().mean(1) > 0.4)
    assert 0.15 < outdoors.float().mean() < 0.6
    paper = (pages.amin(1) > 0.998).flatten(1).float().mean(1)
    assert 0.1 < (paper > 0.4).float().mean() < 0.4  # things on white paper, and gardens


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (scene_parts.conifer, lambda red, green, blue: green > red and green > blue),
        (scene_parts.bush, lambda red, green, blue: green > red and green > blue),
        (scene_parts.cloud, lambda red, green, blue: min(red, green, blue) > 210),
        (scene_parts.sun, lambda red, green, blue: red > green > blue + 60),
        (scene_parts.mountain, lambda red, green, blue: max(red, green, blue) - blue < 60),
    ],
)
def test_parts_have_their_usual_colors(
    part: Callable[..., None], expected: Callable[..., bool]
) -> None:
    for seed in range(20):
        picture = Image.new("RGB", (200, 200), MAGENTA)
        part(Painter(picture, Random(seed), 0), 100, 100 if part is scene_parts.sun else 190, 150)
        pixels = np.asarray(picture).reshape(-1, 3)
        own = pixels[(pixels != MAGENTA).any(1)]
        assert 0.02 < len(own) / len(pixels) < 0.95
        assert expected(*np.median(own, axis=0))


def test_an_outline_surrounds_a_part() -> None:
    shares = []
    for outline in (0, 3):
        picture = Image.new("RGB", (100, 100), "white")
        painter = Painter(picture, Random(0), outline)
        painter.puff([(40, 50, 20), (60, 50, 20)], (90, 160, 60))
        pixels = np.asarray(picture)
        shares.append((pixels.max(2) < 60).mean())
        assert tuple(pixels[50, 50]) == (90, 160, 60)  # no line where the circles meet
    assert shares[0] == 0 and 0.02 < shares[1] < 0.08


def test_a_share_of_a_batch_are_scenes(known: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def draw(pictures: Pictures, size: int, random: torch.Generator) -> Tensor:
        calls.append(size)
        return pictures.sample(size, random)[0]

    monkeypatch.setattr(scenes, "draw", draw)
    region_batches.sample(known, 64, [seeding.generator(0, item) for item in range(60)])
    assert 10 < len(calls) < 33 and set(calls) == {64}


def test_pictures_with_their_own_drawings_make_no_scenes(
    tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("pictures", "drawings"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (64, 64), (200, 60, 30)).save(tmp_path / folder / names[0][0])
    monkeypatch.setattr(region_batches, "SCENES", 1)
    monkeypatch.setattr(scenes, "draw", None)
    pairs = Pictures([tmp_path / "pictures"], tmp_path / "drawings")
    batch = region_batches.sample(pairs, 64, [seeding.generator(0, item) for item in range(4)])
    assert batch.ink.shape[0] == 4
