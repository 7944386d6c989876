"""`limner beautify`: every method, in rows or whole, color tables, recipes and refusals."""

import json
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from crafted import adobe
from limner import beautify, io, predictability
from limner.batch.replay import replay
from limner.beauty import beautify as verb
from limner.beauty.beautifier import Beautifier, load, save
from limner.beauty.beautify import side_files
from limner.beauty.bilateral import BilateralImprover, tone
from limner.beauty.cube_lut import CubeLUT
from limner.beauty.improver import ConvolutionalImprover, Improver, TableImprover, adjust
from limner.cli.main import main
from limner.errors import InputError, LimnerError, OptionError, WeightsError
from limner.nn import weights
from limner.progress import Progress, Reporter, Stop, silent
from stopping import until

Scene = Callable[..., Image.Image]
Planes = Callable[[Image.Image], Tensor]
TRAINED = ["relative", "progress", "closeness"]

pytestmark = pytest.mark.usefixtures("shipped")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps of `optimize`."""
    monkeypatch.setattr(verb, "_STEPS", 6)


def values(picture: Image.Image) -> np.ndarray:
    """[H, W, 3] in 0..255."""
    return np.asarray(picture.convert("RGB")).astype(float)


def whole(
    picture: Tensor, improver: Improver | None, strength: float, white_balance: float = 0.5
) -> np.ndarray:
    """Improve a whole picture at once, [H, W, 3] in 0..255, not rounded."""
    assert improver is not None
    with torch.no_grad():
        if isinstance(improver, BilateralImprover):
            made = improver.change(picture, strength, white_balance).rows(slice(None))
        else:
            made = improver(picture, strength)
    # rounding must not make values black or white that were not
    made = torch.where((picture > 0) & (picture < 1), made.clamp(1 / 255, 254 / 255), made)
    return 255 * made[0].permute(1, 2, 0).double().numpy()


# --- the picture -----------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.5, 2.0])
@pytest.mark.parametrize("method", TRAINED)
def test_rows_are_parts_of_the_whole(
    method: Any, strength: float, scene: Scene, planes: Planes, shipped: Path
) -> None:
    picture = scene(131, 517)
    made = beautify(picture, method=method, strength=strength)
    assert made.size == (131, 517) and made.mode == "RGB"
    wanted = whole(planes(picture), load(shipped).improver(method), strength)
    # each rounded, with dither or without
    assert np.abs(values(made) - wanted).max() <= (1 if method == "relative" else 0.5) + 1e-3
    assert np.abs(wanted - values(picture)).mean() > 0.3


@pytest.mark.parametrize("method", TRAINED)
def test_nothing_becomes_black_or_white(method: Any) -> None:
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    made = values(beautify(Image.fromarray(ramp), method=method, strength=2))
    assert set(np.unique(made[1:-1])) <= set(range(1, 255))
    assert made[0, 1:].min() >= 1 and made[-1, :-1].max() <= 254


@pytest.mark.parametrize("rows", [1, 100, 256])
@pytest.mark.parametrize("height", [5, 257])
def test_the_number_of_rows_does_not_matter(
    rows: int,
    height: int,
    bilateral: BilateralImprover,
    tables: TableImprover,
    free: ConvolutionalImprover,
    scene: Scene,
    planes: Planes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verb, "_ROWS", rows)
    picture = planes(scene(23, height))
    report = Reporter("beautify", silent)
    for improver in (bilateral, tables, free):
        change = improver.change(picture, 1.5, 0.5).rows
        made = verb._apply(change, picture, None, torch.uint8, False, report, "")
        assert made.dtype == torch.uint8 and made.shape == picture.shape
        found = made[0].permute(1, 2, 0).numpy().astype(float)
        assert np.abs(found - whole(picture, improver, 1.5)).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("size", [(1, 1), (7, 1), (1, 7), (2, 2), (3, 300)])
@pytest.mark.parametrize("method", TRAINED)
def test_the_smallest_pictures_keep_their_size(
    method: Any, size: tuple[int, int], scene: Scene
) -> None:
    made = beautify(scene(*size), method=method)
    assert made.size == size and made.mode == "RGB"


@pytest.mark.parametrize("method", verb.METHODS)
def test_strength_0_is_the_picture_itself(method: Any, scene: Scene) -> None:
    picture = scene(150, 131)
    np.testing.assert_array_equal(beautify(picture, method=method, strength=0), picture)
    assert np.abs(values(beautify(picture, method=method)) - values(picture)).mean() > 0.2


@pytest.mark.parametrize("method", verb.METHODS)
def test_alpha_is_kept(method: Any, scene: Scene) -> None:
    picture = scene(140, 150).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    made = beautify(picture, method=method)
    assert made.mode == "RGBA"
    np.testing.assert_array_equal(made.getchannel("A"), picture.getchannel("A"))


@pytest.mark.parametrize("method", verb.METHODS)
def test_gray_pictures_are_read(method: Any, scene: Scene) -> None:
    gray = scene(140, 130).convert("L")
    made = beautify(gray, method=method)
    assert made.mode == "RGB" and made.size == gray.size
    np.testing.assert_array_equal(made, beautify(gray.convert("RGB"), method=method))
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    assert np.abs(values(beautify(deep, method=method)) - values(made)).max() <= 1


@pytest.mark.parametrize("method", verb.METHODS)
def test_a_mask_says_where(method: Any, scene: Scene) -> None:
    picture, mask = scene(160, 140), Image.new("L", (80, 70))
    mask.paste(255, (40, 0, 80, 70))
    made, every = (
        values(beautify(picture, method=method, mask=mask)),
        beautify(picture, method=method),
    )
    np.testing.assert_array_equal(made[:, :76], values(picture)[:, :76])
    np.testing.assert_array_equal(made[:, 84:], values(every)[:, 84:])
    half = values(beautify(picture, method=method, mask=Image.new("L", (160, 140), 128)))
    middle = (values(picture) + values(every)) / 2
    assert np.abs(half - middle).max() <= 1.6  # both are rounded, and dithered


def test_a_mask_without_white_is_named(scene: Scene) -> None:
    """Such as black strokes on transparency, which count as black too."""
    picture, mask, told = scene(160, 140), Image.new("RGBA", (160, 140)), list[str]()
    mask.paste((0, 0, 0, 255), (40, 0, 80, 70))
    made = beautify(picture, mask=mask, on_step=lambda step: told.append(step.note))
    np.testing.assert_array_equal(values(made), values(picture))
    assert "picture: has no white area, so nothing changes" in told


def test_gray_stays_gray_and_has_dither() -> None:
    """Dither is the same for all channels, and makes rows of a slow ramp differ."""
    ramp = np.linspace(60, 90, 600)[None].repeat(80, 0)
    made = values(beautify(Image.fromarray(ramp.round().astype(np.uint8)), strength=2))
    np.testing.assert_array_equal(made[..., 0], made[..., 1])
    np.testing.assert_array_equal(made[..., 0], made[..., 2])
    assert (made[:16].std(0) > 0).mean() > 0.3 and (made[:16, :, 0].std(0) < 1).all()


def test_16_bits_stay_16_bits(tmp_path: Path) -> None:
    deep = np.linspace(9000, 9400, 300).astype(np.uint16)[None].repeat(200, 0)
    Image.fromarray(deep).save(tmp_path / "gray.png")
    colors = torch.from_numpy(deep).expand(1, 3, -1, -1)
    for name in ("color.png", "color.tif"):
        io.write(io.to_picture(colors), tmp_path / name)
    for name in ("gray.png", "color.png", "color.tif"):
        made = beautify(tmp_path / name)
        found = np.frombuffer(made.info["deep"], np.uint16)
        assert len(np.unique(found)) > 100  # in 8 bits, there are 3 values
        assert "deep" not in beautify(tmp_path / name, method="progress").info


def test_a_profile_is_converted_in_one_reading(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All 16 bits of it."""
    colors = torch.from_numpy(np.asarray(scene()).astype(np.uint16) * 257).permute(2, 0, 1)[None]
    picture = io.to_picture(colors)
    picture.info["icc_profile"] = adobe()
    io.write(picture, tmp_path / "adobe.png")
    converted = io.read(tmp_path / "adobe.png").rgb
    assert io.read(tmp_path / "adobe.png", native=True).deep
    assert np.abs(values(io.to_picture(converted)) - values(scene())).max() > 10
    wanted = values(beautify(io.to_picture(converted)))
    names, read = list[object](), io.read

    def counted(source: Any, **options: bool) -> io.Picture:
        names.append(source)
        return read(source, **options)

    monkeypatch.setattr(io, "read", counted)
    made = beautify(tmp_path / "adobe.png")
    assert names == [tmp_path / "adobe.png"]
    np.testing.assert_allclose(values(made), wanted, atol=2)
    assert "deep" in made.info and made.info["icc_profile"] != adobe()


# --- optimize --------------------------------------------------------------------------------


def test_optimize_makes_a_picture_more_predictable(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "_STEPS", 25)
    picture, told = scene(128, 128), list[Progress]()
    made = beautify(picture, method="optimize", on_step=told.append)
    before, after = (predictability(one).relative for one in (picture, made))
    assert after < 0.9 * before
    losses = [progress.loss for progress in told if progress.loss is not None]
    assert len(losses) == 25 and losses[-1] < losses[0] - 0.1
    assert np.abs(values(made) - values(picture)).mean() < 16


def test_optimize_stops_with_the_picture_so_far(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, told = scene(128, 140), list[Progress]()
    made = beautify(picture, method="optimize", on_step=until(3, told))
    assert [(p.step, p.steps) for p in told] == [(0, 1), (1, 6), (2, 6), (3, 6)]
    assert told[-1].preview is not None
    assert np.abs(values(told[-1].preview()) - values(made)).max() <= 1
    every = beautify(picture, method="optimize")
    monkeypatch.setattr(verb, "_STEPS", 3)
    np.testing.assert_array_equal(made, beautify(picture, method="optimize"))
    assert np.abs(values(made) - values(every)).mean() > 0.1


def test_optimize_works_small_and_changes_all(scene: Scene) -> None:
    picture = scene(400, 300)
    small = picture.resize((171, 128), Image.Resampling.BICUBIC)
    large, seen = (
        values(beautify(one, method="optimize", size=128)) - values(one) for one in (picture, small)
    )
    assert large.shape == (300, 400, 3)
    shrunk = np.stack([  # what was changed is smooth: seen small it is what was changed there
        np.asarray(Image.fromarray(large[..., c].astype(np.float32)).resize((171, 128)))
        for c in range(3)
    ], 2)  # fmt: skip
    inner = (slice(4, -4), slice(4, -4))
    assert np.corrcoef(shrunk[inner].ravel(), seen[inner].ravel())[0, 1] > 0.8


def test_optimize_needs_a_picture_as_large_as_a_window(scene: Scene) -> None:
    with pytest.raises(InputError) as raised:
        beautify(scene(300, 127), method="optimize")
    says = "picture: is 300×127 px; each side must be at least 128 px; use a larger picture"
    assert str(raised.value) == says


# --- progress --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", TRAINED)
def test_progress_counts_blocks_of_rows(method: Any, scene: Scene) -> None:
    told: list[Progress] = []
    beautify(scene(20, 90), method=method, on_step=told.append)
    assert [(p.step, p.steps) for p in told] == [(0, 1), (1, 3), (2, 3), (3, 3)]
    assert told[0].note == "20×90 px" and told[0].size == (90, 20) and told[-1].share == 1


@pytest.mark.parametrize("method", verb.METHODS)
def test_a_stop_before_the_first_step_is_raised(method: Any, scene: Scene) -> None:
    with pytest.raises(Stop):
        beautify(scene(), method=method, on_step=until(0, []))


# --- color tables ----------------------------------------------------------------------------


def cube_of(change: Callable[[Tensor], Tensor]) -> bytes:
    file = BytesIO()
    CubeLUT(change).save(file)
    return file.getvalue()


@pytest.mark.parametrize("method", ["relative", "progress"])
def test_color_tables_are_written(
    method: str,
    tmp_path: Path,
    scene: Scene,
    planes: Planes,
    shipped: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo, out, place = (tmp_path / name for name in ("photo.png", "out.png", "my.cube"))
    scene(140, 90).save(photo)
    line = ["beautify", str(photo), "-o", str(out), "--method", method, "--strength", "1.5"]
    assert main([*line, "--save-cube", str(place)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(out), str(place)]
    improver = load(shipped).improver(method)
    assert isinstance(improver, BilateralImprover | TableImprover)
    photo_values = planes(scene(140, 90))
    changes: list[Callable[[Tensor], Tensor]]
    if isinstance(improver, BilateralImprover):
        tones, _ = improver.adjustments(photo_values)
        changes = [partial(tone, tones=tones.scaled(strength, 0.5)) for strength in (1.5, 1.0)]
    else:
        table, _ = improver.adjustments(photo_values)
        even = torch.zeros(1, 1, 1, 1)
        changes = [partial(adjust, table=strength * table, light=even) for strength in (1.5, 1.0)]
    wanted_cubes = [cube_of(change) for change in changes]
    assert place.read_bytes() == wanted_cubes[0] != wanted_cubes[1]
    with Image.open(out) as made:
        wanted = beautify(photo, method=method, strength=1.5)  # type: ignore[arg-type]
        np.testing.assert_array_equal(made, wanted)
        assert "save_cube" not in json.loads(made.info["limner"])["options"]
        assert "beside" not in wanted.info
    made = beautify(photo, method=method, save_cube=place)  # type: ignore[arg-type]
    assert side_files({"method": method, "save_cube": place}) == {"cube": place}
    assert {name: io.ending_of(view) for name, view in made.info["beside"].items()} == {
        "cube": ".cube"
    }
    assert side_files({"method": method, "save_cube": None}) == side_files({}) == {}


@pytest.mark.parametrize("method", ["relative", "progress"])
def test_the_color_table_is_decided_once(
    method: str, tmp_path: Path, scene: Scene, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(load(shipped).improver(method))
    decided, adjustments = list[tuple[int, ...]](), kind.adjustments

    def counted(improver: Any, picture: Tensor) -> Any:
        decided.append(tuple(picture.shape))
        return adjustments(improver, picture)

    monkeypatch.setattr(kind, "adjustments", counted)
    beautify(scene(140, 90), method=method, save_cube=tmp_path / "a.cube")  # type: ignore[arg-type]
    assert decided == [(1, 3, 90, 140)]


@pytest.mark.parametrize("method", ["closeness", "optimize"])
def test_other_methods_have_no_color_table(
    method: str, tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene().save(tmp_path / "photo.png")
    line = ["beautify", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out.png")]
    place = str(tmp_path / "my.cube")
    assert main([*line, "--method", method, "--save-cube", place]) == 2
    says = f"--save-cube {place}: --method {method} has no color table; leave it out, or use "
    assert capsys.readouterr().err == f"limner: error: {says}--method relative or progress\n"
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png"}


def test_an_existing_color_table_is_kept(
    tmp_path: Path,
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error comes before anything is computed."""
    photo, out, place = (tmp_path / name for name in ("photo.png", "out.png", "my.cube"))
    scene().save(photo)
    place.write_text("mine")
    line = ["beautify", str(photo), "-o", str(out), "--save-cube", str(place)]

    def worked(*_: object) -> NoReturn:
        raise AssertionError("the work has begun")

    with monkeypatch.context() as patch:
        patch.setattr(verb, "load", worked)
        assert main(line) == 1
        says = f"{place}: already exists; choose another name, or use --overwrite"
        assert capsys.readouterr().err == f"limner: error: {says}\n"
        line[-1] = str(tmp_path / "no" / "my.cube")
        assert main(line) == 1
        assert "the folder" in capsys.readouterr().err
    assert place.read_text() == "mine" and not out.exists()
    assert main([*line[:-1], str(place), "--overwrite"]) == 0
    assert place.read_text().startswith("TITLE") and out.exists()


def test_a_color_table_cannot_replace_the_picture(tmp_path: Path, scene: Scene) -> None:
    scene().save(tmp_path / "photo.png")
    out = tmp_path / "out.png"
    line = ["beautify", str(tmp_path / "photo.png"), "-o", str(out), "--save-cube", str(out)]
    assert main([*line, "--overwrite"]) != 0
    assert not out.exists()


# --- recipes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "named"), [("relative", False), ("closeness", True), ("optimize", False)]
)
def test_replay_makes_the_same_file(
    method: str, named: bool, tmp_path: Path, scene: Scene, shipped: Path
) -> None:
    photo, out, again = (str(tmp_path / name) for name in ("photo.jpg", "out.png", "again.png"))
    scene(160, 300).save(photo, dpi=(300, 300))
    line = ["beautify", photo, "-o", out, "--method", method, "--strength", "0.7"]
    line += ["--size", "130"] if method == "optimize" else []
    assert main([*line, *(["--model", str(shipped)] if named else [])]) == 0
    recipe = io.recipe_of(out)
    model = shipped.name if named else None
    assert (recipe["verb"], recipe["inputs"]) == ("beautify", ["photo.jpg"])
    assert recipe["options"] == {
        "strength": 0.7,
        "white_balance": 0.5,
        "mask": None,
        "method": method,
        "size": 130 if method == "optimize" else 512,
        "model": model,
        "runtime": "torch",
        "allow_huge": False,
    }
    paths = [Path(photo), *([shipped] if named else [])]
    hashes = {path.name: weights.sha256(path) for path in paths}
    assert recipe["files"] == hashes
    assert main(["replay", out, "-o", again, "--look-in", str(shipped.parent)]) == 0
    assert Path(again).read_bytes() == Path(out).read_bytes()
    with Image.open(out) as made:
        assert made.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_replay_says_that_the_network_was_another(
    tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recipes of the first network have no mask."""
    scene().save(tmp_path / "photo.png")
    made = beautify(tmp_path / "photo.png")
    about: dict[str, Any] = json.loads(made.info["limner"])
    del about["options"]["mask"]
    text = PngInfo()
    text.add_text("limner", json.dumps(about))
    made.save(tmp_path / "old.png", pnginfo=text)
    assert main(["replay", str(tmp_path / "old.png"), "-o", str(tmp_path / "again.png")]) == 0
    told = "old.png: was made by an older method; today's gives another picture"
    assert told in capsys.readouterr().err
    assert main(["replay", str(tmp_path / "again.png"), "-o", str(tmp_path / "b.png")]) == 0
    assert "older method" not in capsys.readouterr().err


def test_a_replay_writes_no_color_table_and_measures_nothing(tmp_path: Path, scene: Scene) -> None:
    """Anybody may have written a recipe, so it cannot name a file to write."""
    scene().save(tmp_path / "photo.png")
    about: dict[str, Any] = json.loads(beautify(tmp_path / "photo.png").info["limner"])
    looking = about | {"options": about["options"] | {"save_cube": str(tmp_path / "my.cube")}}
    measuring = about | {"verb": "predictability", "options": {}}
    for recipe in (looking, measuring):
        text = PngInfo()
        text.add_text("limner", json.dumps(recipe))
        scene().save(tmp_path / "odd.png", pnginfo=text)
        with pytest.raises(InputError, match="has no valid recipe"):
            replay(tmp_path / "odd.png")
    assert not (tmp_path / "my.cube").exists()


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strength": -0.1}, "--strength -0.1: must be from 0 to 2"),
        ({"strength": 2.1}, "--strength 2.1: must be from 0 to 2"),
        ({"strength": float("nan")}, "--strength nan: must be from 0 to 2"),
        ({"white_balance": -0.1}, "--white-balance -0.1: must be from 0 to 1"),
        ({"white_balance": 1.1}, "--white-balance 1.1: must be from 0 to 1"),
        (
            {"method": "progress", "white_balance": 0.3},
            "--white-balance 0.3: has no effect with --method progress; leave it out, or use",
        ),
        ({"mask": Image.new("L", (9, 90))}, "--mask picture: is 9×90, but the picture is 160×140"),
        ({"method": "blur"}, "--method blur: must be one of relative, progress, closeness, opt"),
        ({"method": "good"}, "--method good: must be one of relative, progress, closeness, opt"),
        ({"size": 127}, "--size 127: must be from 128 to 2048"),
        ({"size": 2049}, "--size 2049: must be from 128 to 2048"),
        ({"size": 256}, "--size 256: has no effect with --method relative; leave it out, or use"),
        ({"method": "closeness", "size": 256}, "--size 256: has no effect with --method closeness"),
        ({"device": "tpu"}, "--device tpu: must be one of auto, cpu, cuda, mps"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], says: str, scene: Scene) -> None:
    with pytest.raises(OptionError) as raised:
        beautify(scene(), **options)
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, scene: Scene, drawn: Callable[[str], Beautifier]
) -> None:
    other = weights.SHIPPED / "compact-features.safetensors"
    with pytest.raises(WeightsError, match="holds no beautifier weights; make some with"):
        beautify(scene(), model=str(other))
    for preset, method, known in (
        ("default", "progress", "relative or optimize"),
        ("article", "relative", "closeness or progress or optimize"),
    ):
        parts = dict(drawn(preset).parts)
        if preset == "default":
            parts = {name: parts[name] for name in ("good", "relative")}
        path = tmp_path / f"{preset}.safetensors"
        save(path, Beautifier(parts), {"preset": preset})
        with pytest.raises(WeightsError) as raised:
            beautify(scene(), model=str(path), method=method)  # type: ignore[arg-type]
        says = f"--method {method}: {path} has no network for it; use {known}"
        assert str(raised.value) == says
    with pytest.raises(OptionError) as refused:  # in the article's recipe, no method has tables
        beautify(scene(), model=str(path), method="progress", save_cube=tmp_path / "a.cube")
    assert str(refused.value).endswith(": --method progress has no color table; leave it out")
    made = beautify(scene(), model=str(path), method="progress")
    assert np.abs(values(made) - values(scene())).mean() > 1
    assert beautify(scene(), model=str(path), method="optimize").size == made.size


@pytest.mark.parametrize("method", ["relative", "optimize"])
def test_files_that_are_no_pictures_are_refused(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.png").write_text("no picture at all\n")
    for name in ("text.png", "nowhere.png"):
        photo, out = str(tmp_path / name), tmp_path / "out.png"
        assert main(["beautify", photo, "-o", str(out), "--method", method]) == 1
        told = capsys.readouterr().err
        assert told.startswith(f"limner: error: {photo}: ") and told.count("\n") == 1
        assert "bug in limner" not in told and not out.exists()
        with pytest.raises(LimnerError):
            beautify(photo, method=method)  # type: ignore[arg-type]


def test_a_color_table_has_its_own_suffix(scene: Scene, shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^--save-cube .*a\.txt: must end in \.cube"):
        beautify(scene(), save_cube=tmp_path / "a.txt")
    made = beautify(scene(), save_cube=tmp_path / "A.CUBE")
    assert side_files({"save_cube": tmp_path / "A.CUBE"}).keys() == made.info["beside"].keys()
