"""`variations`, on small pictures drawn here."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import limner
from blobs import blobs
from limner import io
from limner.errors import InputError, OptionError
from limner.generation.arrange import vote_and_search
from limner.generation.pyramid import build_pyramid
from limner.generation.variations import variations
from limner.nn import images
from limner.patches import search
from limner.patches.sources import SourcePicture
from limner.progress import Progress, Stop
from stopping import until


def scene(width: int = 60, height: int = 40) -> Image.Image:
    """A blue sky with white clouds, above green ground with red houses."""
    random = np.random.default_rng(0)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = (90, 140, 220)
    pixels[height // 2 :] = (40, 110, 40)
    for _ in range(6):
        x, y = random.integers(0, width - 14), random.integers(2, height // 2 - 8)
        pixels[y : y + 5, x : x + 14] = 240
        y += height // 2
        pixels[y : y + 8, x : x + 8] = (200, 40, 30)
    return Image.fromarray(pixels)


def rgb_of(picture: Image.Image) -> Tensor:
    return io.read(picture).rgb


def patch_distance(made: Tensor, source: Tensor) -> float:
    """Mean squared distance of patches to their nearest in the source."""
    wanted, there = (F.unfold(one, 7)[0].T for one in (made, source))
    return float((wanted - there[search.nearest(wanted, there)]).square().mean())


def collage(source: Tensor) -> Tensor:
    """Tiles of 10 × 10 pixels from anywhere."""
    random, size = torch.Generator().manual_seed(0), images.size_of(source)
    made = torch.empty_like(source)
    for top in range(0, size[0], 10):
        for left in range(0, size[1], 10):
            y, x = (int(torch.randint(side - 9, (), generator=random)) for side in size)
            tile = made[..., top : top + 10, left : left + 10]
            height, width = images.size_of(tile)
            tile.copy_(source[..., y : y + height, x : x + width])
    return made


@pytest.fixture(scope="module")
def made() -> list[Image.Image]:
    return variations(scene(), n=2, seed=5)


def test_same_seed_same_bytes_and_every_picture_is_the_call_for_it_alone(
    made: list[Image.Image],
) -> None:
    for number, picture in enumerate(made):
        (alone,) = variations(scene(), n=1, seed=5 + number)
        assert alone.tobytes() == picture.tobytes()
        assert alone.info["limner"] == picture.info["limner"]


def test_seeds_differ_from_each_other_and_from_the_source(made: list[Image.Image]) -> None:
    source = rgb_of(scene())
    one, other = map(rgb_of, made)
    for first, second in ((one, other), (one, source), (other, source)):
        assert (first - second).abs().mean() > 0.005


def test_variety_says_how_far_things_go() -> None:
    source = rgb_of(scene())
    far = [
        float((rgb_of(variations(scene(), n=1, variety=variety)[0]) - source).square().mean())
        for variety in (0, 1)
    ]
    assert far[0] < 1e-6 < 0.01 < far[1]


def test_patches_are_the_sources(made: list[Image.Image]) -> None:
    source = rgb_of(scene())
    bad = patch_distance(collage(source), source)
    assert all(patch_distance(rgb_of(picture), source) < bad / 5 for picture in made)


def test_two_colors_stay_two() -> None:
    random = np.random.default_rng(0)
    spots = random.random((6, 8)) < 0.5
    mask = np.kron(spots, np.ones((8, 8), bool))[..., None]
    colors = np.array([[250, 200, 20], [10, 30, 120]])
    source = Image.fromarray(np.where(mask, colors[0], colors[1]).astype(np.uint8))
    (picture,) = variations(source, n=1)
    pixels = np.array(picture).reshape(-1, 1, 3).astype(int)
    away = np.abs(pixels - colors).max(2).min(1)
    assert (away <= 8).mean() > 0.9  # elsewhere two patches meet
    low, high = colors.min(0), colors.max(0)
    assert (pixels >= low - 1).all() and (pixels <= high + 1).all()


@pytest.mark.parametrize("size", ["64x100", "190x64", "80x64"])
def test_the_horizon_stays_whatever_the_shape(size: str) -> None:
    (picture,) = variations(scene(), n=1, size=size, variety=0.5)
    assert f"{picture.width}x{picture.height}" == size
    rgb = rgb_of(picture)
    ground = (rgb[0, 2] < 0.5).float()  # grass and houses; sky and clouds have much blue
    third = len(ground) // 3
    assert ground[:third].mean() < 0.05 < 0.95 < ground[-third:].mean()


def test_equal_patches_stay_at_their_height() -> None:
    half = rgb_of(blobs(0, 36, 6))
    level = build_pyramid([SourcePicture(torch.cat((half, half), 2))], (72, 36)).levels[-1]
    assert level.exact
    places = torch.meshgrid(torch.arange(66), torch.arange(30), indexing="ij")
    assert torch.equal(vote_and_search(level, torch.stack(places)), torch.stack(places))


def test_own_size_unless_it_is_large() -> None:
    (small,) = variations(blobs(0, 45, 6), n=1)
    assert small.size == (45, 45)
    told: list[Progress] = []
    with pytest.raises(Stop):
        variations(Image.new("RGB", (1500, 750)), on_step=until(0, told))
    assert told[0].size == (512, 1024)


def test_a_picture_of_one_color_gives_itself() -> None:
    source = Image.new("RGB", (50, 40), (200, 100, 50))
    (picture,) = variations(source, n=1)
    assert np.abs(np.array(picture).astype(int) - (200, 100, 50)).max() <= 1


def test_the_recipe_makes_one_picture_again(tmp_path: Path) -> None:
    path = tmp_path / "scene.png"
    scene().save(path)
    _, second = variations(path, n=2, size="64x65", variety=0.3, seed=7)
    recipe = json.loads(second.info["limner"])
    assert 0 < recipe.pop("copied")["largest_piece"] < 1
    assert recipe == {
        "verb": "variations",
        "version": limner.__version__,
        "inputs": ["scene.png"],
        "options": {
            "n": 1,
            "size": "64x65",
            "variety": 0.3,
            "keep_layout": 0.0,
            "protect": None,
            "tileable": False,
            "seed": 8,
            "allow_huge": False,
        },
        "files": {"scene.png": io.read(path).sha256},
    }


def test_stop_returns_the_finished_pictures() -> None:
    told: list[Progress] = []
    made = variations(scene(), n=5, on_step=until(2, told))
    assert len(made) == 2
    assert [progress.step for progress in told] == [0, 1, 2]
    assert told[0].preview is None and told[0].steps == 5 and told[0].verb == "variations"
    shown = told[2].preview
    assert shown is not None and shown().tobytes() == made[1].tobytes()
    with pytest.raises(Stop):
        variations(scene(), n=5, on_step=until(0, []))


def test_notes_about_the_file_are_reported(tmp_path: Path) -> None:
    frames = [blobs(seed, 40, 5) for seed in range(2)]
    path = tmp_path / "two.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    told: list[Progress] = []
    variations(path, n=1, on_step=told.append)
    assert any("the first of 2 frames" in progress.note for progress in told)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "-n 0: must be from 1 to 100"),
        ({"n": 101}, "-n 101: must be from 1 to 100"),
        ({"variety": 1.5}, "--variety 1.5: must be from 0 to 1"),
        ({"variety": float("nan")}, "--variety nan: must be from 0 to 1"),
        (
            {"size": "large"},
            "--size large: must be a width and a height in pixels, such as 1200x800",
        ),
        ({"size": "10x\n9"}, "--size 10x?9: must be a width and a height in pixels, such"),
        ({"size": "63x100"}, "--size 63x100: each side must be from 64 to 4096 pixels"),
        ({"size": "100x4097"}, "--size 100x4097: each side must be from 64 to 4096 pixels"),
        ({"device": "abacus"}, "--device abacus: must be one of"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        variations(scene(), **options)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_too_small_a_picture() -> None:
    with pytest.raises(InputError) as caught:
        variations(Image.new("RGB", (31, 200)))
    assert str(caught.value) == "picture: is 31 × 200 pixels; use a picture of at least 32 × 32"


def test_a_transparent_picture_is_refused() -> None:
    with pytest.raises(InputError, match=r"^picture: is transparent; use another picture$"):
        variations(Image.new("RGBA", (64, 64)), n=1)
