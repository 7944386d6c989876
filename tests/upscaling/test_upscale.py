"""`upscale` from end to end, small: what goes in, what comes out, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from limner import output, weights
from limner.errors import InputError, OptionError, WeightsError
from limner.progress import Progress, Stop
from limner.upscaling import upscale as room
from limner.upscaling.network import Compact
from limner.upscaling.upscale import locked, upscale


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A compact ×4 network that adds noise of its own to what it enlarges."""
    torch.manual_seed(0)
    network = Compact(8, 3, 4)
    path = tmp_path_factory.mktemp("model") / "random.safetensors"
    weights.write(path, network.state_dict(), {})
    return str(path)


def spots(seed: int, height: int, width: int) -> Image.Image:
    """Soft spots of all colours."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 226, (height // 6 + 2, width // 6 + 2, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


PICTURE = spots(0, 40, 60)


def rgb(image: Image.Image) -> np.ndarray:
    """[H, W, 3] in 0..255."""
    return np.asarray(image.convert("RGB")).astype(float)


def blocks(image: Image.Image, side: int) -> np.ndarray:
    """Mean colours of squares of so many pixels."""
    values = rgb(image)
    height, width = (length // side for length in values.shape[:2])
    cut = values[: height * side, : width * side]
    return cut.reshape(height, side, width, side, 3).mean((1, 3))


# --- the picture -----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 4])
def test_the_shipped_networks_beat_bicubic(scale: int) -> None:
    """On edges, which is what they are for: a picture of shapes, shrunk and enlarged again."""
    y, x = np.mgrid[:192, :192]
    shapes = np.full((192, 192, 3), 200.0)
    shapes[(x - 90) ** 2 + (y - 80) ** 2 < 3000] = (40, 90, 160)
    shapes[(x + 2 * y) % 61 < 9] = (230, 60, 30)
    sharp = Image.fromarray(shapes.astype(np.uint8)).resize((96, 96), Image.Resampling.LANCZOS)
    small = sharp.resize((96 // scale,) * 2, Image.Resampling.BICUBIC)
    bicubic = small.resize((96, 96), Image.Resampling.BICUBIC)
    ours = upscale(small, scale=scale)
    errors = [np.square(rgb(one) - rgb(sharp)).mean() for one in (ours, bicubic)]
    assert ours.size == (96, 96) and errors[0] < 0.7 * errors[1]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (240, 160)),
        ({"scale": 2}, (120, 80)),
        ({"scale": 3}, (180, 120)),
        ({"scale": 1.5}, (90, 60)),
        ({"print_": "3x2in", "dpi": 50}, (150, 100)),
        ({"print_": "3x3in", "dpi": 50}, (150, 100)),
        ({"print_": "3x3in", "dpi": 40, "fit": "pad"}, (120, 120)),
        ({"print_": "3x3in", "dpi": 40, "fit": "fill"}, (120, 120)),
        ({"print_": "1x1in", "dpi": 30}, (30, 20)),  # smaller than it was
        ({"print_": "3x2in", "dpi": 50, "bleed": "0.1in", "fit": "fill"}, (160, 110)),
    ],
)
def test_the_size_is_what_was_asked_for(options: dict[str, Any], size: tuple[int, int]) -> None:
    assert upscale(PICTURE, **options).size == size


def test_paper_is_filled_or_white_around() -> None:
    paper = {"print_": "3x3in", "dpi": 40}
    padded = rgb(upscale(PICTURE, **paper, fit="pad"))
    assert (padded[:20] == 255).all() and (padded[100:] == 255).all()
    inside = Image.fromarray(padded[20:100].astype(np.uint8))
    assert np.abs(blocks(inside, 8) - blocks(PICTURE.resize((120, 80)), 8)).mean() < 2
    filled = upscale(PICTURE, **paper, fit="fill")
    middle = PICTURE.resize((180, 120)).crop((30, 0, 150, 120))
    assert np.abs(blocks(filled, 8) - blocks(middle, 8)).mean() < 2
    assert filled.info["dpi"] == (40, 40)


@pytest.mark.parametrize("width", range(37, 45))
def test_no_line_of_filled_paper_stays_white(width: int) -> None:
    black = Image.new("RGB", (width, 31))
    filled = rgb(upscale(black, print_="1x1in", dpi=100, fit="fill"))
    assert filled.shape == (100, 100, 3) and filled.max() < 5


@pytest.mark.parametrize("lock", [False, True])
def test_tiles_give_what_one_piece_gives(model: str, lock: bool) -> None:
    whole, cut = (
        upscale(spots(1, 90, 110), model=model, tile=tile, colour_lock=lock) for tile in (128, 32)
    )
    assert np.abs(rgb(whole) - rgb(cut)).max() <= 1  # and that for rounding's sake
    assert (rgb(whole) != rgb(cut)).mean() < 1e-3


def test_colours_are_held(model: str) -> None:
    """A network of random weights shifts colours; the lock brings them back."""
    picture = spots(2, 64, 64)
    loose, held = (
        np.abs(blocks(upscale(picture, model=model, colour_lock=lock), 64) - blocks(picture, 16))
        for lock in (False, True)
    )
    assert held.max() < 0.5 < 2 < loose.max()


def test_the_lock_by_hand() -> None:
    """Of one colour each, the large picture becomes the small one's colour."""
    small, large = torch.full((1, 3, 8, 8), 0.6), torch.full((1, 3, 32, 32), 0.5)
    assert locked(large, small).sub(0.6).abs().max() < 1e-6
    detail = torch.tensor([0.1, -0.1]).repeat(16)  # which stays
    found = locked(large + detail, small)
    np.testing.assert_allclose(found, 0.6 + detail.expand(1, 3, 32, 32), atol=1e-6)


def test_white_and_black_stay() -> None:
    for grey in (0, 255):
        flat = Image.new("RGB", (30, 20), (grey,) * 3)
        assert np.abs(rgb(upscale(flat)) - grey).max() <= 1


def test_grey_stays_grey_and_alpha_is_kept(model: str) -> None:
    grey = rgb(upscale(PICTURE.convert("L"), model=model))
    assert np.ptp(grey, axis=2).max() == 0
    clear = PICTURE.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(PICTURE.size))
    large = upscale(clear, scale=2)
    wanted = clear.getchannel("A").resize((120, 80), Image.Resampling.BICUBIC)
    assert large.mode == "RGBA"
    off = np.asarray(large.getchannel("A")).astype(float) - np.asarray(wanted)
    assert np.abs(off).max() <= 1


def test_memory_that_does_not_do_halves_the_tiles(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, forward = spots(1, 90, 110), Compact.forward

    def narrow(self: Compact, part: torch.Tensor) -> torch.Tensor:
        if part.shape[-1] > 80:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 1 bytes")
        return forward(self, part)

    whole = upscale(picture, model=model)
    told: list[Progress] = []
    monkeypatch.setattr(Compact, "forward", narrow)
    cut = upscale(picture, model=model, on_step=told.append)
    assert np.abs(rgb(whole) - rgb(cut)).max() <= 1
    assert any("not enough memory for tiles of 256; halving" in p.note for p in told)


def test_a_network_of_another_scale_is_resampled(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights.write(tmp_path / "x1.safetensors", Compact(8, 1, 1).state_dict(), {})
    assert upscale(PICTURE, model=str(tmp_path / "x1.safetensors"), scale=3).size == (180, 120)


# --- what is told ----------------------------------------------------------------------------


def test_progress_counts_tiles_and_stop_goes_through(model: str) -> None:
    told: list[Progress] = []
    upscale(spots(1, 90, 110), model=model, tile=64, on_step=told.append)
    assert [p.step for p in told] == [0, 1, 2, 3, 4] and {p.steps for p in told} == {4}
    assert told[0].note == "440×360 px, in 4 tiles" and told[-1].share == 1

    def stop(progress: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        upscale(PICTURE, model=model, on_step=stop)


def test_the_recipe_holds_all(tmp_path: Path, model: str) -> None:
    PICTURE.save(tmp_path / "a.png", dpi=(200, 200))
    large = upscale(str(tmp_path / "a.png"), model=model, scale=2.5)
    output.write(large, tmp_path / "out.png")
    recipe = json.loads(json.dumps(output.recipe_of(tmp_path / "out.png")))
    assert (recipe["verb"], recipe["inputs"]) == ("upscale", [str(tmp_path / "a.png")])
    assert recipe["options"]["scale"] == 2.5 and recipe["options"]["model"] == model
    assert set(recipe["files"]) == {str(tmp_path / "a.png"), model}
    assert large.info["dpi"] == (200, 200)


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": 1}, "--scale 1: must be above 1, and 4 at most"),
        ({"scale": 4.1}, "--scale 4.1: must be above 1, and 4 at most"),
        ({"scale": float("nan")}, "--scale nan: must be above 1, and 4 at most"),
        ({"scale": 2, "print_": "3x2in"}, "--scale and --print: both say how large; give one"),
        ({"print_": "3x2in", "dpi": 29}, "--dpi 29: must be from 30 to 1200"),
        ({"print_": "3x2in", "fit": "crop"}, "--fit crop: must be one of fit, fill, pad"),
        ({"bleed": "3mm"}, "--bleed: goes beyond the paper that --print names"),
        ({"print_": "1x1in", "bleed": "6cm"}, "--bleed 6cm: must be 0.05m at most"),
        ({"print_": "1x1in", "bleed": "wide"}, "length 'wide': must be above 0"),
        ({"print_": "3 by 2"}, "paper '3 by 2': must be a width and a height"),
        ({"print_": "6x4in"}, "--print 6x4in: at 150 dpi the picture would become 15.0 times"),
        ({"tile": 31}, "--tile 31: must be 32 or more"),
        ({"quality": "finest"}, "--quality finest: must be one of fast, best"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as raised:
        upscale(PICTURE, **options)
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


def test_the_remedy_for_too_large_a_print_is_one() -> None:
    with pytest.raises(OptionError, match="use --dpi 40, or smaller paper"):
        upscale(PICTURE, print_="6x4in")
    assert upscale(PICTURE, print_="6x4in", dpi=40).size == (240, 160)


def test_too_large_a_result_is_refused_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LARGEST", 30_000)
    with pytest.raises(OptionError, match="240×160 = 0 megapixels: more than 0; use a smaller"):
        upscale(PICTURE)
    assert upscale(PICTURE, allow_huge=True).size == (240, 160)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2000, 2)])
def test_slivers_and_specks_go_through(size: tuple[int, int], model: str) -> None:
    large = upscale(Image.new("RGB", size, (90, 120, 40)), model=model)
    assert large.size == (size[0] * 4, size[1] * 4)
    assert np.abs(rgb(large).mean((0, 1)) - (90, 120, 40)).max() < 2


def test_a_missing_picture_and_a_missing_model_are_refused() -> None:
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        upscale("nowhere.png")
    with pytest.raises(WeightsError, match=r"nowhere\.pth: no such weights file"):
        upscale(PICTURE, model="nowhere.pth")
