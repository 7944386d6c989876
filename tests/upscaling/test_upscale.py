"""`upscale` from end to end, with small pictures: results, progress, recipes, refusals."""

import json
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from crafted import adobe, deep_png
from disk import full_disk
from limner import io
from limner.batch.replay import replay
from limner.cli import main
from limner.errors import InputError, OptionError, WeightsError
from limner.io import reading
from limner.nn import weights
from limner.progress import Progress, Stop
from limner.upscaling import models
from limner.upscaling import upscale as upscale_module
from limner.upscaling.compact import Compact
from limner.upscaling.rrdb import RRDB
from limner.upscaling.upscale import upscale


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A compact ×4 network of random weights, which adds noise to the picture."""
    torch.manual_seed(0)
    network = Compact(8, 3, 4)
    path = tmp_path_factory.mktemp("model") / "random.safetensors"
    weights.write(path, network.state_dict(), {})
    return str(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """Compact networks of random weights, by scale."""
    folder, found = tmp_path_factory.mktemp("small"), {}
    for scale in (1, 2, 4):
        torch.manual_seed(scale)
        found[scale] = saved(folder / f"x{scale}.safetensors", Compact(4, 1, scale))
    return found


@pytest.fixture(scope="module")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A compact network of zeros: every pixel becomes 2 × 2 pixels of its color."""
    network = Compact(1, 0, 2).requires_grad_(False)
    for parameter in network.parameters():
        parameter.zero_()
    return saved(tmp_path_factory.mktemp("doubling") / "nearest.safetensors", network)


def saved(path: Path, network: nn.Module) -> str:
    weights.write(path, network.state_dict(), {})
    return str(path)


def spots(seed: int, height: int, width: int) -> Image.Image:
    """Soft spots in many colors."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 226, (height // 6 + 2, width // 6 + 2, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


PICTURE = spots(0, 40, 60)


def rgb(image: Image.Image) -> np.ndarray:
    """[H, W, 3] in 0..255."""
    return np.asarray(image.convert("RGB")).astype(float)


def blocks(image: Image.Image, side: int) -> np.ndarray:
    """Mean colors of squares with this side."""
    values = rgb(image)
    height, width = (length // side for length in values.shape[:2])
    cut = values[: height * side, : width * side]
    return cut.reshape(height, side, width, side, 3).mean((1, 3))


# --- the picture -----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 4])
def test_the_shipped_networks_beat_bicubic(scale: int) -> None:
    """On a picture with sharp edges, shrunk and enlarged again."""
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
def test_the_result_has_the_requested_size(options: dict[str, Any], size: tuple[int, int]) -> None:
    assert upscale(PICTURE, **options).size == size


def test_pad_adds_white_borders_and_fill_crops() -> None:
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
def test_fill_leaves_no_white_line(width: int) -> None:
    black = Image.new("RGB", (width, 31))
    filled = rgb(upscale(black, print_="1x1in", dpi=100, fit="fill"))
    assert filled.shape == (100, 100, 3) and filled.max() < 5


@pytest.mark.parametrize(
    "options",
    [{}, {"scale": 2, "quality": "best", "detail": 0.5}, {"print_": "1x1in", "dpi": 30}],
)
def test_the_random_state_of_the_caller_is_kept(options: dict[str, Any]) -> None:
    before = torch.get_rng_state()
    upscale(PICTURE.resize((9, 7)), **options)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("lock", [False, True])
def test_tiles_give_the_same_result_as_one_piece(model: str, lock: bool) -> None:
    whole, cut = (
        upscale(spots(1, 90, 110), model=model, tile=tile, color_lock=lock) for tile in (128, 32)
    )
    assert np.abs(rgb(whole) - rgb(cut)).max() <= 1  # from rounding
    assert (rgb(whole) != rgb(cut)).mean() < 1e-3


def test_color_lock_keeps_mean_colors(model: str) -> None:
    """A network of random weights shifts colors; the lock brings them back."""
    picture = spots(2, 64, 64)
    loose, held = (
        np.abs(blocks(upscale(picture, model=model, color_lock=lock), 64) - blocks(picture, 16))
        for lock in (False, True)
    )
    assert held.max() < 0.5 < 2 < loose.max()


def test_white_and_black_stay_as_they_are() -> None:
    for gray in (0, 255):
        flat = Image.new("RGB", (30, 20), (gray,) * 3)
        assert np.abs(rgb(upscale(flat)) - gray).max() <= 1


def test_gray_stays_gray_and_alpha_is_kept(model: str) -> None:
    gray = rgb(upscale(PICTURE.convert("L"), model=model))
    assert np.ptp(gray, axis=2).max() == 0
    clear = PICTURE.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(PICTURE.size))
    large = upscale(clear, scale=2)
    expected = clear.getchannel("A").resize((120, 80), Image.Resampling.BICUBIC)
    assert large.mode == "RGBA"
    off = np.asarray(large.getchannel("A")).astype(float) - np.asarray(expected)
    assert np.abs(off).max() <= 1


@pytest.mark.parametrize("kind", ["photo", "drawing"])
def test_traces_of_color_do_not_become_fringes(kind: Literal["photo", "drawing"]) -> None:
    """A scan of a black-and-white photo: the networks made chroma of 2 into 20 and more."""
    random = np.random.default_rng(0)
    gray = np.asarray(PICTURE.convert("L"), int)[..., None] * 4 // 5 + 20
    scan = (gray + random.integers(-1, 2, (*gray.shape[:2], 3)) + [2, 0, -2]).clip(0, 255)
    large = rgb(upscale(Image.fromarray(scan.astype(np.uint8)), scale=2, kind=kind)).astype(int)
    warmth = large[..., 0] - large[..., 2]
    assert 3 < warmth.mean() < 5 and np.abs(warmth - 4).max() <= 4


def test_running_out_of_memory_halves_the_tiles(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, forward = spots(1, 90, 110), Compact.forward

    def narrow(self: Compact, part: torch.Tensor) -> torch.Tensor:
        if part.shape[-1] > 80:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 1 bytes")
        return forward(self, part)

    whole = upscale(picture, model=model)
    reports: list[Progress] = []
    monkeypatch.setattr(Compact, "forward", narrow)
    cut = upscale(picture, model=model, on_step=reports.append)
    assert np.abs(rgb(whole) - rgb(cut)).max() <= 1
    assert any("not enough memory for tiles of 256 px; trying" in p.note for p in reports)


def test_a_network_of_another_scale_is_resampled(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights.write(tmp_path / "x1.safetensors", Compact(8, 1, 1).state_dict(), {})
    assert upscale(PICTURE, model=str(tmp_path / "x1.safetensors"), scale=3).size == (180, 120)


# --- several passes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "scale", "times"),
    [(2, 8, 3), (2, 4, 2), (4, 16, 2), (2, 16, 4), (4, 5, 2), (2, 3, 2), (4, 3, 1)],
)
def test_a_model_is_applied_until_the_scale_is_reached(
    small: dict[int, str], own: int, scale: float, times: int
) -> None:
    """Before each pass but the first, the picture is shrunk to what the remaining passes need."""
    picture = by_hand = spots(3, 9, 13)
    for left in range(times, 0, -1):
        if left < times:
            needed = tuple(-(-side * scale // own**left) for side in picture.size)
            by_hand = by_hand.resize(needed, Image.Resampling.BICUBIC)
        by_hand = upscale(by_hand, model=small[own], scale=own)
    large = upscale(picture, model=small[own], scale=scale, max_scale=16)
    assert large.size == (13 * scale, 9 * scale)
    by_hand = by_hand.resize(large.size, Image.Resampling.BICUBIC)
    assert np.abs(rgb(large) - rgb(by_hand)).max() <= (0 if scale == own**times else 4)


def test_a_model_of_scale_1_is_applied_once(small: dict[int, str]) -> None:
    picture = spots(3, 9, 13)
    values = torch.from_numpy(rgb(picture)).permute(2, 0, 1)[None].float() / 255
    made = models.load(Path(small[1]), torch.device("cpu"))(values)[0].permute(1, 2, 0)
    by_hand = Image.fromarray((made.clamp(0, 1) * 255).round().numpy().astype(np.uint8))
    large = upscale(picture, model=small[1], scale=3, color_lock=False)
    off = rgb(large) - rgb(by_hand.resize((39, 27), Image.Resampling.BICUBIC))
    assert np.abs(off).max() <= 1 and np.abs(rgb(by_hand) - rgb(picture)).max() > 2


@pytest.mark.parametrize(("scale", "then"), [(8, 2), (16, 4), (6, 1.5)])
def test_shipped_networks_are_applied_again_for_large_scales(scale: float, then: float) -> None:
    picture = spots(4, 11, 8)
    first = upscale(picture, scale=4)
    first = first.resize([round(side * then / max(2, then // 2 * 2)) for side in first.size])
    by_hand = upscale(first, detail=0, scale=2 if then <= 2 else 4)
    large = upscale(picture, scale=scale, max_scale=16)
    assert large.size == by_hand.size
    assert np.abs(rgb(large) - rgb(by_hand)).max() <= (0 if then in (2, 4) else 4)
    with pytest.raises(OptionError, match=f"--scale {scale:g}: .*, the limit that --max-scale"):
        upscale(picture, scale=scale)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("options", [{"scale": 4}, {"scale": 3}, {"print_": "1x1in", "dpi": 30}])
def test_a_gpu_gives_the_same_picture(small: dict[int, str], options: dict[str, Any]) -> None:
    cpu, gpu = (
        upscale(PICTURE, model=small[2], device=device, **options) for device in ("cpu", "cuda")
    )
    assert np.abs(rgb(cpu) - rgb(gpu)).max() <= 1


# --- between two networks --------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """Two weights files of one network, and their mean."""
    folder, ends = tmp_path_factory.mktemp("pair"), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        ends.append(Compact(8, 2, 4).state_dict())
    half = {key: (value + ends[1][key]) / 2 for key, value in ends[0].items()}
    paths = [folder / f"{name}.safetensors" for name in ("a", "b", "half")]
    for path, state in zip(paths, (*ends, half), strict=True):
        weights.write(path, state, {})
    return str(paths[0]), str(paths[1]), str(paths[2])


def test_detail_goes_from_one_network_to_the_other(pair: tuple[str, str, str]) -> None:
    alone = [rgb(upscale(PICTURE, model=path)) for path in pair]
    mixed = {
        detail: rgb(upscale(PICTURE, model=pair[0], inventive=pair[1], detail=detail))
        for detail in (1e-9, 0.5, 1)
    }
    for detail, one in ((1e-9, 0), (1, 1), (0.5, 2)):
        off = np.abs(mixed[detail] - alone[one])
        assert off.max() <= 1 and (off > 0).mean() < 1e-3
    np.testing.assert_array_equal(mixed[1], alone[1])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(alone[one] - alone[other]).mean() > 1


def test_detail_with_shipped_networks(pair: tuple[str, str, str], small: dict[int, str],
                              monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # fmt: skip
    """Other files replace the shipped ones, to see which are used, and how often."""
    names = {"x4": pair[0], "x4-inventive": pair[1], "x2": small[2]}
    for name, path in names.items():
        (tmp_path / f"upscaler-best-{name}.safetensors").write_bytes(Path(path).read_bytes())
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    picture = spots(3, 9, 13)
    half = upscale(picture, model=pair[2])
    found = upscale(picture, quality="best", detail=0.5)
    assert np.abs(rgb(found) - rgb(half)).max() <= 1
    found = upscale(picture, quality="best", detail=0.5, scale=2)  # means of the ×4 network's
    off = np.abs(rgb(found) - rgb(half.reduce(2)))  # larger only where values are clipped
    assert np.median(off) == 0 and (off > 1).mean() < 0.02
    once = upscale(upscale(picture, detail=0.5), detail=0, scale=2)
    twice = upscale(picture, quality="best", detail=0.5, scale=8, max_scale=8)
    np.testing.assert_array_equal(rgb(twice), rgb(once))  # only the first pass adds texture
    for detail, path in ((0, pair[0]), (1, pair[1])):
        found = upscale(picture, quality="best", detail=detail)
        np.testing.assert_array_equal(rgb(found), rgb(upscale(picture, model=path)))


def test_kinds_and_qualities_have_networks_of_their_own(
    pair: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other files replace the shipped ones, to see which are used."""
    names = {"fast-x4": 0, "fast-x4-inventive": 0, "best-x4": 1, "best-x4-inventive": 1}
    for name, which in (names | {"drawing-x4": 2}).items():
        (tmp_path / f"upscaler-{name}.safetensors").write_bytes(Path(pair[which]).read_bytes())
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    alone = [rgb(upscale(PICTURE, model=path)) for path in pair]
    for options, which in (({}, 1), ({"quality": "fast"}, 0), ({"kind": "drawing"}, 2)):
        made = upscale(PICTURE, **options)
        np.testing.assert_array_equal(rgb(made), alone[which])
        kept = json.loads(made.info["limner"])["options"]
        wanted = {0: ("fast", 0.65), 1: ("best", 0.65), 2: (None, 0)}[which]
        assert (kept["quality"], kept["detail"]) == wanted


def test_recipes_of_old_versions_name_a_quality_beside_their_model(
    model: str, tmp_path: Path
) -> None:
    PICTURE.save(tmp_path / "a.png")
    made = upscale(tmp_path / "a.png", model=model)
    recipe = json.loads(made.info["limner"])
    recipe["options"] |= {"quality": "fast"}
    for key in ("kind", "clean"):
        del recipe["options"][key]
    made.info["limner"] = json.dumps(recipe)
    io.write(made, tmp_path / "old.png")
    again = replay(tmp_path / "old.png", look_in=[Path(model).parent])
    np.testing.assert_array_equal(rgb(again), rgb(made))


# --- cleaning --------------------------------------------------------------------------------


@pytest.mark.parametrize("clean", [0.5, 1])
def test_cleaning_comes_first_and_colors_are_not_locked_to_the_dirt(
    clean: float, doubling: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A cleaner that adds 20 of 255: all of it, or half."""
    cleaner = Compact(1, 0, 1).requires_grad_(False)
    for parameter in cleaner.parameters():
        parameter.zero_()
    cleaner.body[-1].bias.add_(20 / 255)
    saved(tmp_path / "cleaner.safetensors", cleaner)
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    plain = upscale(PICTURE, model=doubling, scale=2)
    reports: list[Progress] = []
    made = upscale(PICTURE, model=doubling, scale=2, clean=clean, on_step=reports.append)
    np.testing.assert_array_equal(rgb(made), (rgb(plain) + 20 * clean).clip(0, 255))
    shares = [report.share for report in reports]
    assert shares == sorted(shares) and shares[-1] == 1
    shrunk = upscale(PICTURE, width=30, clean=clean)
    assert np.abs(rgb(shrunk) - rgb(upscale(PICTURE, width=30)) - 20 * clean).mean() < 1


def test_networks_with_different_layers_are_refused(pair: tuple[str, str, str],
                                                     small: dict[int, str]) -> None:  # fmt: skip
    with pytest.raises(WeightsError) as raised:
        upscale(PICTURE, model=pair[0], inventive=small[4], detail=0.5)
    assert str(raised.value).startswith(f"{small[4]}: has other layers than the weights of --model")
    with pytest.raises(WeightsError, match=r"no\.pth: there is no such weights file"):
        upscale(PICTURE, model=pair[0], inventive="no.pth", detail=0.5)


# --- profile and 16 bits ---------------------------------------------------------------------


def from_disk(tmp_path: Path, values: np.ndarray) -> Path:
    """A PNG of 16 bits."""
    (tmp_path / "deep.png").write_bytes(deep_png(values))
    return tmp_path / "deep.png"


def deep_of(large: Image.Image) -> np.ndarray:
    """All 16 bits, [H, W, 3 or 4]."""
    shape = large.height, large.width, len(large.getbands())
    return np.frombuffer(large.info["deep"], np.uint16).reshape(shape)


def reread(large: Image.Image, path: Path) -> np.ndarray:
    """All 16 bits of the written file; Pillow reads the upper 8."""
    io.write(large, path)
    assert path.read_bytes()[24] == 16  # the depth, in a PNG's header
    picture = io.read(path, native=True)
    planes = [picture.rgb] if picture.alpha is None else [picture.rgb, picture.alpha]
    values = (torch.cat(planes, 1)[0].permute(1, 2, 0) * 65535).round().numpy()
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), values // 256)
    return values


def test_another_profile_and_its_values_are_kept(tmp_path: Path, model: str) -> None:
    PICTURE.save(tmp_path / "adobe.png", icc_profile=adobe())
    large = upscale(tmp_path / "adobe.png", model=model)
    np.testing.assert_array_equal(rgb(large), rgb(upscale(PICTURE, model=model)))
    assert large.info["icc_profile"] == adobe()
    assert upscale(PICTURE, model=model).info["icc_profile"] == reading.srgb_profile()
    io.write(large, tmp_path / "large.png")
    with Image.open(tmp_path / "large.png") as image:
        assert image.info["icc_profile"] == adobe()
        np.testing.assert_array_equal(rgb(image), rgb(large))


@pytest.mark.parametrize("lock", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_kept(tmp_path: Path, doubling: str, channels: int, lock: bool) -> None:
    """Of gray, color, and color with alpha, through two passes."""
    values = np.random.default_rng(1).integers(0, 65536, (9, 7, channels), dtype=np.uint16)
    values[..., 3:] = 2**15 + values[..., 3:] // 8  # visible everywhere, also when it is enlarged
    large = upscale(from_disk(tmp_path, values), model=doubling, scale=4, color_lock=lock)
    expected = (values.repeat(3, 2) if channels == 1 else values[..., :3]).repeat(4, 0).repeat(4, 1)
    deep = deep_of(large)
    assert deep.shape == (36, 28, max(3, channels))
    assert np.abs(deep[..., :3].astype(float) - expected).max() <= 1
    np.testing.assert_array_equal(np.asarray(large), (deep / 257).round())
    np.testing.assert_array_equal(reread(large, tmp_path / "out.png"), deep)


def test_alpha_of_16_bits_is_smooth(tmp_path: Path, doubling: str) -> None:
    alpha = np.add.outer(np.arange(9) ** 2 * 7, np.arange(7) * 611).astype(np.uint16)
    values = np.dstack((*[np.full_like(alpha, 777)] * 3, alpha))
    large = upscale(from_disk(tmp_path, values), model=doubling, scale=2)
    by_pillow = Image.fromarray(alpha.astype(np.float32)).resize((14, 18), Image.Resampling.BICUBIC)
    off = deep_of(large)[..., 3] - np.asarray(by_pillow).clip(0, 65535)
    assert np.abs(off).max() < 65535 / 255 / 2 and large.mode == "RGBA"
    assert len(np.unique(deep_of(large)[..., 3])) > 200


@pytest.mark.parametrize("hard", [False, True])
def test_the_edge_of_a_cutout_is_as_sharp_as_one_of_color(hard: bool) -> None:
    """A disc, cut out of red: its edge is in the alpha channel alone."""
    drawn = Image.new("L", (640, 640))
    ImageDraw.Draw(drawn).ellipse((90, 120, 500, 560), fill=255)
    wanted = np.asarray(drawn.resize((160, 160), Image.Resampling.BOX), float)
    alpha = drawn.resize((40, 40), Image.Resampling.BOX)
    alpha = alpha.point(lambda value: 255 * (value > 127)) if hard else alpha
    picture = Image.new("RGBA", alpha.size, (200, 30, 40))
    picture.putalpha(alpha)
    plain = np.asarray(alpha.resize((160, 160), Image.Resampling.BICUBIC), float)
    made = np.asarray(upscale(picture, scale=4).getchannel("A"), float)
    before, after = (np.sqrt(np.square(one - wanted).mean()) for one in (plain, made))
    assert after < (1 if hard else 0.5) * before
    rows, columns = np.ogrid[:160, :160]
    away = ((columns - 73.5) / 51.25) ** 2 + ((rows - 84.5) / 55) ** 2 > 1.25  # 6 pixels and more
    assert made[away].mean() < 0.2  # no haze
    assert (made[:20, :] == 0).all() and (made[70:90, 60:80] == 255).all()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_ramp_is_finer_than_8_bits(tmp_path: Path, scale: float) -> None:
    """From 20000 to 23780 of 65535: 15 levels of 256."""
    line = 20000 + 60 * np.arange(64)
    ramp = np.broadcast_to(line[None, :, None], (12, 64, 3)).astype(np.uint16)
    deep = deep_of(upscale(from_disk(tmp_path, ramp), scale=scale))
    assert len(np.unique(deep)) > 256 and len(np.unique(deep // 257)) < 20
    inner = deep[:, 4 * scale : -4 * scale, 1].astype(float)
    place = (np.arange(64 * scale) + 0.5) / scale - 0.5  # of pixel centers
    expected = (20000 + 60 * place)[4 * scale : -4 * scale]
    assert np.abs(inner - expected).max() < 257  # a level of 8 bits
    assert "deep" not in upscale(PICTURE, scale=scale).info


def test_gray_of_16_bits_stays_gray(tmp_path: Path, model: str) -> None:
    values = np.random.default_rng(2).integers(9000, 50000, (9, 7, 1), dtype=np.uint16)
    for colors in (values, values.repeat(3, 2)):
        deep = deep_of(upscale(from_disk(tmp_path, colors), model=model)).astype(int)
        assert np.ptp(deep, axis=2).max() == 0 and len(np.unique(deep)) > 256


def test_paper_is_white_in_16_bits(tmp_path: Path, doubling: str) -> None:
    values = np.full((20, 30, 4), 1234, dtype=np.uint16)
    options = {"model": doubling, "print_": "1x1in", "dpi": 60, "fit": "pad"}
    deep = deep_of(upscale(from_disk(tmp_path, values), **options))
    assert deep.shape == (60, 60, 4)
    assert (deep[:10] == 65535).all() and (deep[50:] == 65535).all() and (deep[10:50] == 1234).all()


def test_blending_changes_nothing_within_the_margin(tmp_path: Path) -> None:
    """One block of ESRGAN has a receptive radius of 19 pixels, less than the margin of 48."""
    torch.manual_seed(0)
    path = saved(tmp_path / "rrdb.safetensors", RRDB(4, 2, 1, 1, 1))
    whole, cut = (
        upscale(spots(1, 90, 110), model=path, scale=2, tile=tile, color_lock=False)
        for tile in (128, 32)
    )
    assert np.abs(rgb(whole) - rgb(cut)).max() <= 1 and np.ptp(rgb(whole)) > 0


def test_paper_of_one_pixel(model: str) -> None:
    made = upscale(Image.new("RGB", (60, 40), (200, 30, 90)), model=model, print_="0.001x0.001cm")
    assert made.size == (1, 1) and np.abs(rgb(made)[0, 0] - (200, 30, 90)).max() <= 1


# --- progress and recipe ---------------------------------------------------------------------


def test_progress_counts_tiles_and_stop_goes_through(model: str) -> None:
    reports: list[Progress] = []
    previews: list[np.ndarray] = []

    def record(progress: Progress) -> None:
        reports.append(progress)
        if progress.preview is not None:
            previews.append(rgb(progress.preview()))

    whole = rgb(upscale(spots(1, 90, 110), model=model, tile=64, on_step=record))
    assert [p.step for p in reports] == [0, 1, 2, 3, 4] and {p.steps for p in reports} == {4}
    assert reports[0].note == "440×360 px, in 4 tiles" and reports[-1].share == 1
    down, across = 4 * 45, 4 * 55  # of the first tile
    assert (
        len(previews) == 4
        and not previews[0][down + 4 :].any()
        and not previews[0][:, across + 4 :].any()
    )
    np.testing.assert_array_equal(
        previews[0][: down - 4, : across - 4], whole[: down - 4, : across - 4]
    )
    np.testing.assert_array_equal(previews[-1], whole)

    def stop(progress: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        upscale(PICTURE, model=model, on_step=stop)


def test_the_share_rises_over_all_passes(small: dict[int, str]) -> None:
    reports: list[Progress] = []
    upscale(spots(1, 30, 50), model=small[2], scale=8, max_scale=8, tile=32, on_step=reports.append)
    tiles = [math.ceil(30 * n / 32) * math.ceil(50 * n / 32) for n in (1, 2, 4)]
    assert tiles == [2, 8, 28]
    expected = [(turn + n / of) / 3 for turn, of in enumerate(tiles) for n in range(of + 1)]
    np.testing.assert_allclose([p.share for p in reports], expected)
    assert [p.steps for p in reports] == [of for of in tiles for _ in range(of + 1)]
    assert reports[-1].step == reports[-1].steps and {p.stage for p in reports} == {"400×240 px"}
    assert [p.note for p in reports if p.note] == [
        "100×60 px, in 2 tiles", "200×120 px, in 8 tiles", "400×240 px, in 28 tiles"
    ]  # fmt: skip


def test_notes_about_the_file_are_reported_once(tmp_path: Path, doubling: str) -> None:
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    for options in ({"model": doubling, "scale": 2}, {"print_": "4x3mm", "dpi": 30}):
        reports: list[Progress] = []
        large = upscale(tmp_path / "a.gif", on_step=reports.append, **options)
        assert np.abs(rgb(large) - (255, 0, 0)).max() <= 1
        first = f"{tmp_path / 'a.gif'}: only the first of 3 frames is used"
        assert [p.note for p in reports].count(first) == 1
        shares = [p.share for p in reports]
        assert shares == sorted(shares) and (shares[0], shares[-1]) == (0, 1)


@pytest.mark.parametrize("deep", [False, True])
def test_shrinking_needs_no_network(
    tmp_path: Path, deep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "load", None)
    source: Any = PICTURE
    if deep:
        source = from_disk(tmp_path, np.asarray(PICTURE).astype(np.uint16) * 257)
    reports: list[Progress] = []
    small = upscale(source, print_="1x1in", dpi=30, on_step=reports.append)
    by_pillow = PICTURE.resize((30, 20), Image.Resampling.BICUBIC)
    assert np.abs(rgb(small) - rgb(by_pillow)).max() <= 1 and ("deep" in small.info) == deep
    assert [(p.step, p.steps, p.share) for p in reports] == [(0, 1, 0), (1, 1, 1)]
    assert reports[0].note == "30×20 px, shrunk to 50% of each side"


def test_the_recipe_holds_options_and_files(tmp_path: Path, model: str) -> None:
    PICTURE.save(tmp_path / "a.png", dpi=(200, 200))
    large = upscale(str(tmp_path / "a.png"), model=model, scale=2.5)
    io.write(large, tmp_path / "out.png")
    recipe = json.loads(json.dumps(io.recipe_of(tmp_path / "out.png")))
    assert (recipe["verb"], recipe["inputs"]) == ("upscale", ["a.png"])
    assert recipe["options"]["scale"] == 2.5 and recipe["options"]["model"] == Path(model).name
    assert set(recipe["files"]) == {"a.png", Path(model).name}
    assert large.info["dpi"] == (200, 200)


@pytest.mark.parametrize("bleed", ["2mm", pytest.param(0.002)])
def test_replay_makes_the_same_print(
    tmp_path: Path, pair: tuple[str, str, str], bleed: float | str
) -> None:
    PICTURE.resize((12, 8)).save(tmp_path / "a.png", icc_profile=adobe())
    large = upscale(
        str(tmp_path / "a.png"), model=pair[0], inventive=pair[1], detail=0.25, max_scale=8,
        print_="20x14mm", dpi=90, fit="fill", bleed=bleed, color_lock=False
    )  # fmt: skip
    io.write(large, tmp_path / "out.png")
    again = replay(tmp_path / "out.png", look_in=[Path(pair[0]).parent])
    assert again.info == large.info and again.size == (85, 64)
    np.testing.assert_array_equal(rgb(again), rgb(large))
    names = {Path(name).name for name in pair[:2]}
    assert set(json.loads(again.info["limner"])["files"]) == {"a.png", *names}


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": 1}, "--scale 1: must be above 1 and at most 4, the limit that --max-scale sets"),
        ({"scale": 4.1}, "--scale 4.1: must be above 1 and at most 4"),
        ({"scale": float("nan")}, "--scale nan: must be above 1 and at most 4"),
        ({"scale": 2, "print_": "3x2in"}, "--scale and --print: both set the size; give only one"),
        ({"print_": "3x2in", "dpi": 29}, "--dpi 29: must be from 30 to 1200"),
        ({"print_": "3x2in", "fit": "crop"}, "--fit crop: must be one of fit, fill, pad"),
        ({"bleed": "3mm"}, "--bleed 3mm: has no effect without --print; give --print too"),
        ({"dpi": 300}, "--dpi 300: has no effect without --print; give --print too"),
        ({"fit": "pad"}, "--fit pad: has no effect without --print; give --print too"),
        ({"scale": 2, "fit": "fill"}, "--fit fill: has no effect without --print"),
        ({"fit": "crop"}, "--fit crop: must be one of fit, fill, pad"),
        ({"print_": "1x1in", "bleed": "6cm"}, "--bleed 6cm: must be at most 5cm"),
        ({"print_": "1x1in", "bleed": "wide"}, "--bleed 'wide': must be a length above 0"),
        ({"print_": "3 by 2"}, "--print '3 by 2': must be width x height"),
        ({"print_": "6x4in"}, "--print 6x4in: at 150 dpi the picture would become 15.0 times"),
        ({"tile": 31}, "--tile 31: must be at least 32"),
        ({"quality": "finest"}, "--quality finest: must be one of fast, best"),
        ({"detail": -0.1}, "--detail -0.1: must be from 0 to 1"),
        ({"detail": 1.1}, "--detail 1.1: must be from 0 to 1"),
        ({"detail": float("nan")}, "--detail nan: must be from 0 to 1"),
        ({"clean": 1.5}, "--clean 1.5: must be from 0 to 1"),
        ({"kind": "comic"}, "--kind comic: must be one of photo, drawing"),
        ({"kind": "drawing", "detail": 0.5}, "--detail 0.5: has no effect with --kind drawing"),
        ({"kind": "drawing", "quality": "fast"}, "--quality fast: has no effect with --kind"),
        ({"kind": "drawing", "model": "a.pth"}, "--kind drawing: chooses a network, as --model"),
        ({"detail": 1, "model": "a.pth"}, "--detail 1: needs --inventive with --model; give"),
        (
            {"detail": 1, "quality": "best", "model": "a.pth"},
            "--detail 1: needs --inventive with --model; give --inventive too",
        ),
        ({"quality": "best", "model": "a.pth"}, "--quality best: has no effect with --model"),
        ({"quality": "fast", "model": "a.pth"}, "--quality fast: has no effect with --model"),
        (
            {"quality": "best", "model": "a.pth", "inventive": "b.pth", "detail": 1},
            "--quality best: has no effect with --model",
        ),
        ({"inventive": "b.pth"}, "--inventive: has no effect without --model; give --model too"),
        ({"inventive": "b.pth", "detail": 1}, "--inventive: has no effect without --model"),
        (
            {"inventive": "b.pth", "model": "a.pth", "detail": 0},
            "--inventive: has no effect with --detail 0",
        ),
        (
            {"inventive": "b.pth", "detail": 1, "quality": "best"},
            "--inventive: has no effect without --model",
        ),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as raised:
        upscale(PICTURE, **options)
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


def test_defaults_of_unused_options_are_accepted(model: str) -> None:
    """Recipes hold them."""
    unused: dict[str, Any] = {"dpi": 150.0, "fit": "fit", "bleed": None, "quality": None}
    given = upscale(PICTURE, model=model, detail=0.0, inventive=None, print_=None, **unused)
    np.testing.assert_array_equal(rgb(given), rgb(upscale(PICTURE, model=model)))


def test_options_are_checked_before_the_picture_is_read() -> None:
    with pytest.raises(OptionError, match="--dpi 300: has no effect without --print"):
        upscale("nowhere.png", dpi=300)


def test_the_suggested_dpi_works() -> None:
    with pytest.raises(OptionError, match="use --dpi 40, or smaller paper"):
        upscale(PICTURE, print_="6x4in")
    assert upscale(PICTURE, print_="6x4in", dpi=40).size == (240, 160)


def test_too_large_a_result_is_refused_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscale_module, "MAX_PIXELS", 30_000)
    with pytest.raises(OptionError, match="240×160 = 0 megapixels: more than 0; ask for a"):
        upscale(PICTURE)
    assert upscale(PICTURE, allow_huge=True).size == (240, 160)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2000, 2)])
def test_thin_and_tiny_pictures(size: tuple[int, int], model: str) -> None:
    large = upscale(Image.new("RGB", size, (90, 120, 40)), model=model)
    assert large.size == (size[0] * 4, size[1] * 4)
    assert np.abs(rgb(large).mean((0, 1)) - (90, 120, 40)).max() < 2


def test_a_missing_picture_and_a_missing_model_are_refused() -> None:
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        upscale("nowhere.png")
    with pytest.raises(WeightsError, match=r"nowhere\.pth: there is no such weights file"):
        upscale(PICTURE, model="nowhere.pth")


# --- the command -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failure(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and message of a command that fails and writes nothing."""
    before = sorted(Path().iterdir())
    code = main.main(line.split())
    out, err = capsys.readouterr()
    *notes, last = err.splitlines()
    assert out == "" and last.startswith("limner: error: ")
    assert len(notes) <= 1 and not any("error" in note for note in notes)
    assert sorted(Path().iterdir()) == before
    return code, last.removeprefix("limner: error: ")


def test_one_pixel_becomes_sixteen(folder: Path, model: str) -> None:
    Image.new("RGB", (1, 1), (90, 120, 40)).save("dot.png")
    for more in ("", f"--model {model}", "--scale 4 --quality fast"):
        line = f"upscale dot.png -o out.png --overwrite {more}"
        assert main.main(line.split()) == 0
        with Image.open("out.png") as image:
            assert image.size == (4, 4)
            assert np.abs(rgb(image).mean((0, 1)) - (90, 120, 40)).max() < 2


@pytest.mark.parametrize(
    ("fit", "size", "dark"),
    [("fit", (90, 1), (0, 1)), ("pad", (90, 8), (3, 4)), ("fill", (90, 8), (0, 8))],
)
def test_a_thin_strip_on_paper(
    folder: Path, fit: str, size: tuple[int, int], dark: tuple[int, int]
) -> None:
    """3 × 0.25 inches at 30 dots: 90 × 7.5 pixels, on which the strip is 0.09 of a pixel high."""
    Image.new("RGB", (2000, 2), (10, 10, 60)).save("strip.png")
    line = f"upscale strip.png -o out.png --print 3x0.25in --dpi 30 --fit {fit}"
    assert main.main(line.split()) == 0
    with Image.open("out.png") as image:
        assert image.size == size
        lines = rgb(image).mean((1, 2))
    inside = np.zeros(len(lines), bool)
    inside[slice(*dark)] = True
    assert np.abs(lines[inside] - 80 / 3).max() < 2 and (lines[~inside] == 255).all()


def test_too_large_a_target_is_refused_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "load", None)  # refused before any network is loaded
    Image.new("RGB", (1300, 1300)).save("large.png")
    code, said = failure("upscale large.png -o a.png --scale 16 --max-scale 16", capsys)
    assert code == 2 and said == (
        "20800×20800 = 433 megapixels: more than 400; ask for a smaller size, or pass --allow-huge"
    )
    code, said = failure("upscale large.png -o a.png --print 3x3m", capsys)
    assert code == 2 and said == (
        "--print 3x3m: at 150 dpi the picture would become 13.6 times larger, more than 4; "
        "use --dpi 44, or smaller paper, or --max-scale 14"
    )


def test_too_large_a_sheet_is_refused_with_its_size(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (5200, 2)).save("strip.png")
    line = "upscale strip.png -o a.png --print 1x1m --dpi 520 --fit pad"
    assert failure(line, capsys)[1].startswith("20472×20472 = 419 megapixels: more than 400")


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("harm"),)


@pytest.mark.parametrize("option", ["--model", "--detail 0.5 --inventive"])
def test_files_that_are_not_weights_are_refused_in_one_line(
    folder: Path, option: str, pair: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    PICTURE.save("a.png")
    Path("text.pth").write_text("I am a network, believe me.\n" * 9)
    torch.save({"body.0.weight": Evil()}, "evil.pth")
    faithful = f"--model {pair[0]} " if "inventive" in option else ""
    for name, says in (
        ("text.pth", "text.pth: "),
        ("evil.pth", "evil.pth: holds more than tensors and could run code, so limner does not"),
        ("none.pth", "none.pth: there is no such weights file"),
        ("a.png", "a.png: "),
    ):
        code, said = failure(f"upscale a.png -o out.png {faithful}{option} {name}", capsys)
        assert code == 1 and said.startswith(says)
        assert not Path("harm").exists()


def test_a_missing_model_is_refused_even_if_it_is_not_needed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    PICTURE.save("a.png")
    line = "upscale a.png -o out.png --model none.pth --print 1x1in --dpi 30"
    assert failure(line, capsys) == (
        1,
        "none.pth: there is no such weights file; check its name and folder",
    )


def test_a_dry_run_of_an_animation_prints_the_plan(
    folder: Path, doubling: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "lime")]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    line = f"upscale a.gif -o out.png --model {doubling} --scale 2 --dry-run --json"
    assert main.main(line.split()) == 0
    assert json.loads(capsys.readouterr().out)["plan"] == "16×12 px, in one piece"


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pdf", ".webp", ".jpg"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_full_disk_leaves_nothing_behind(
    folder: Path, suffix: str, deep: bool, doubling: str, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (40, 60, 3), dtype=np.uint16)
    Path("a.png").write_bytes(deep_png(noise))
    if not deep:
        Image.fromarray((noise // 257).astype(np.uint8)).save("a.png")
    with full_disk(1000):
        code, said = failure(f"upscale a.png -o out{suffix} --scale 2 --model {doubling}", capsys)
    assert code == 1 and said.startswith(f"out{suffix}: cannot be written (")
    assert main.main(f"upscale a.png -o out{suffix} --scale 2 --model {doubling}".split()) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", f"out{suffix}"]
