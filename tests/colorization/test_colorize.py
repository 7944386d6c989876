"""`limner colorize` with a small random network: hints, lines, layers, variations, errors."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from limner import colorize, io
from limner.batch.replay import replay
from limner.cli.main import main
from limner.color import oklab
from limner.color import palette as palettes
from limner.colorization import colorize as module
from limner.colorization.compose import enlarge
from limner.errors import InputError, LimnerError, OptionError, WeightsError
from limner.line_art.lines import extract_ink
from limner.nn import images, weights
from limner.progress import Progress, Stop
from stopping import until

RED = (220, 30, 40)
STROKE = (slice(50, 59), slice(40, 49))  # in the left one of two boxes
LEFT, RIGHT = (slice(24, 97), slice(24, 67)), (slice(24, 97), slice(94, 137))


def boxes(scale: int = 1) -> Image.Image:
    """Two boxes side by side, 160 × 120 pixels."""
    picture = Image.new("RGB", (160 * scale, 120 * scale), "white")
    pen = ImageDraw.Draw(picture)
    for left in (20, 90):
        corners = (left, 20, left + 50, 100)
        pen.rectangle([scale * side for side in corners], outline="black", width=2 * scale)
    return picture


def strokes(scale: int = 1) -> Image.Image:
    """A hint of red in the left box."""
    picture = Image.new("RGBA", (160 * scale, 120 * scale))
    rows, columns = STROKE
    corners = (columns.start, rows.start, columns.stop, rows.stop)
    picture.paste((*RED, 255), tuple(scale * side for side in corners))
    return picture


def rgb(picture: Image.Image) -> np.ndarray:
    """[H, W, 3] in 0..1."""
    return np.asarray(picture.convert("RGB")) / 255


def distance_to_hint(picture: Image.Image) -> np.ndarray:
    """Distance of the hinted pixels from the hint's color, in Oklab; 0.02 is just visible."""
    both = (rgb(picture)[STROKE], np.array(RED) / 255)
    made, wanted = (
        oklab.from_srgb(torch.from_numpy(one).float().reshape(-1, 3).T[None, :, None])
        for one in both
    )
    return (made - wanted).norm(dim=1).numpy()


def all_variations(picture: Image.Image) -> list[np.ndarray]:
    """Return the picture and its variations."""
    beside = picture.info["beside"]
    return [rgb(picture), *(rgb(one) for name, one in beside.items() if name.isdecimal())]


# --- the picture -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (300, 5), (5, 300), (129, 257), (160, 120)])
def test_the_result_has_the_size_of_the_drawing(size: tuple[int, int], model: Path) -> None:
    made = colorize(boxes().resize(size), model=model)
    assert made.size == size and made.mode == "RGB" and made.info["beside"] == {}


def test_the_network_works_small_and_the_lines_stay_sharp(model: Path) -> None:
    small, large = (colorize(boxes(scale), model=model, size=128) for scale in (1, 3))
    assert large.size == (480, 360)
    off = np.abs(rgb(large.resize((160, 120), Image.Resampling.BOX)) - rgb(small))
    assert np.median(off) < 0.06
    lines = rgb(boxes(3)).max(2) == 0
    assert rgb(large)[lines].max() == 0


def test_the_network_works_at_the_size_option(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    plain = module._predict

    def predict(network: Any, ink: Any, hints: Any) -> Any:
        seen.append((*ink.shape[2:], *hints.shape[1:]))
        return plain(network, ink, hints)

    monkeypatch.setattr(module, "_predict", predict)
    for size in (200, 64):
        colorize(boxes(3), model=model, size=size)
    colorize(boxes(), model=model, size=200)
    assert seen == [(200, 267, 4, 200, 267), (64, 85, 4, 64, 85), (120, 160, 4, 120, 160)]


@pytest.mark.parametrize(
    ("said", "short", "long"), [(96, 96, 128), (192, 192, 256), ("", 128, 171)]
)
def test_the_default_size_is_that_of_the_training(
    said: int | str,
    short: int,
    long: int,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the weights file says, or 128 pixels if it says nothing."""
    seen = []
    plain = module._predict

    def predict(network: Any, ink: Any, hints: Any) -> Any:
        seen.append(tuple(ink.shape[2:]))
        return plain(network, ink, hints)

    monkeypatch.setattr(module, "_predict", predict)
    about = {"kind": "colorizer", "architecture": "default"} | ({"size": said} if said else {})
    weights.write(tmp_path / "other.safetensors", weights.read(model), about)
    colorize(boxes(3), model=str(tmp_path / "other.safetensors"))
    assert seen == [(short, long)]


@pytest.mark.parametrize("said", ["wide", "0", "-3"])
def test_weights_with_an_impossible_size_are_refused(
    said: str, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    weights.write(path, weights.read(model), {"kind": "colorizer", "size": said})
    with pytest.raises(WeightsError) as raised:
        colorize(boxes(), model=str(path))
    assert str(raised.value).startswith(f"{path}: ") and "\n" not in str(raised.value)


def test_lines_are_kept_softened_or_dropped(model: Path) -> None:
    kept, soft, none = (
        rgb(colorize(boxes(), model=model, lines=way)) for way in ("keep", "soften", "drop")
    )
    ink = extract_ink(torch.from_numpy(rgb(boxes())).float().permute(2, 0, 1)[None])
    ink = ink[0, 0].numpy()[..., None]
    assert (ink == 1).sum() > 500 and (ink == 0).sum() > 10_000
    np.testing.assert_allclose(kept, none * (1 - ink), atol=0.005)
    np.testing.assert_allclose(soft, none * (1 - 0.6 * ink), atol=0.005)
    assert none.min() > 0.05


def test_light_lines_on_black_are_colored_like_dark_lines(model: Path) -> None:
    dark, light = boxes(), Image.eval(boxes(), lambda value: 255 - value)
    made = [rgb(colorize(one, model=model)) for one in (dark, light)]
    # inverting rounds: a value may fall on the other side of a half, and so one level off
    np.testing.assert_allclose(*made, atol=1.01 / 255)


@pytest.mark.parametrize("kind", ["transparent", "gray", "16 bits", "1 bit"])
def test_drawings_of_all_kinds_are_read(kind: str, tmp_path: Path, model: Path) -> None:
    drawing = boxes()
    gray = drawing.convert("L")
    if kind == "transparent":  # black everywhere; only the lines are opaque
        drawing = Image.new("RGBA", gray.size)
        drawing.putalpha(Image.eval(gray, lambda value: 255 - value))
    elif kind == "16 bits":
        drawing = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    else:
        drawing = gray if kind == "gray" else gray.convert("1")
    drawing.save(tmp_path / "a.png")
    made = colorize(tmp_path / "a.png", model=model)
    assert np.abs(rgb(made) - rgb(colorize(boxes(), model=model))).max() < 0.01


# --- hints -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 2])
def test_hinted_pixels_get_the_hint_s_color(scale: int, model: Path) -> None:
    made = colorize(boxes(scale), hints=strokes(scale), model=model, size=128)
    off = distance_to_hint(made.resize((160, 120), Image.Resampling.BOX))
    assert np.median(off) < 0.025 and off.max() < 0.06
    plain = colorize(boxes(scale), model=model, size=128)
    assert np.median(distance_to_hint(plain.resize((160, 120)))) > 0.2


def test_a_hint_colors_its_region_and_no_other(model: Path) -> None:
    hinted, plain = (rgb(colorize(boxes(), hints=h, model=model)) for h in (strokes(), None))
    moved = np.abs(hinted - plain).max(2)
    assert moved[LEFT].min() > 0.1 and np.median(moved[LEFT]) > 0.3
    # the network may spread a hint too, but this one does not spread it far
    assert moved[RIGHT].max() < 0.02 and moved[:17].max() < 0.02


def test_an_empty_picture_of_hints_changes_nothing(model: Path) -> None:
    none = Image.new("RGBA", (160, 120))
    plain = colorize(boxes(), model=model)
    np.testing.assert_array_equal(colorize(boxes(), hints=none, model=model), plain)


def test_hints_may_have_another_size_than_the_drawing(model: Path) -> None:
    large, small = (colorize(boxes(), hints=strokes(scale), model=model) for scale in (3, 1))
    np.testing.assert_allclose(rgb(large), rgb(small), atol=0.01)


def test_hints_without_transparency_are_refused(model: Path) -> None:
    with pytest.raises(OptionError) as raised:
        colorize(boxes(), hints=strokes().convert("RGB"), model=model)
    says = "--hints picture: has no transparency; use a PNG that is transparent where there is no"
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


# --- enlarge ---------------------------------------------------------------------------------


def test_colors_end_at_the_lines_when_enlarge() -> None:
    """A drawing of two halves, red and blue, at a quarter of its size."""
    ink = torch.zeros((1, 1, 80, 120))
    ink[..., 58:62] = 1
    small = images.resize(ink, (20, 30))
    colors = torch.zeros((1, 3, 20, 30))
    colors[:, 0, :, :15] = colors[:, 2, :, 15:] = 1
    found = enlarge(colors, small, ink)
    assert found.shape == (1, 3, 80, 120)
    assert found[:, 2, :, :58].max() < 0.01 and found[:, 0, :, :58].min() > 0.99
    assert found[:, 0, :, 62:].max() < 0.01 and found[:, 2, :, 62:].min() > 0.99


def test_flat_colors_stay_flat_when_enlarge() -> None:
    random = torch.Generator().manual_seed(0)
    ink = (torch.rand((1, 1, 60, 90), generator=random) > 0.8).float()
    found = enlarge(torch.full((1, 3, 20, 30), 0.4), images.resize(ink, (20, 30)), ink)
    np.testing.assert_allclose(found, 0.4, atol=1e-5)


def test_far_from_lines_colors_stay_the_same() -> None:
    colors = torch.zeros((1, 3, 40, 40))
    colors[..., 17:24, 17:24] = 1
    found = enlarge(colors, torch.zeros((1, 1, 40, 40)), torch.zeros((1, 1, 40, 40)))
    assert found[..., 20, 20].min() > 0.9 and found[..., 27:, :].max() < 0.1


# --- palettes --------------------------------------------------------------------------------


def test_colors_become_those_of_the_palette(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a network that fills both boxes evenly and leaves the paper white."""
    flat = torch.ones((1, 3, 120, 160))
    flat[..., 20:101, 20:71] = torch.tensor([0.8, 0.2, 0.2]).view(3, 1, 1)
    flat[..., 20:101, 90:141] = torch.tensor([0.2, 0.3, 0.8]).view(3, 1, 1)
    monkeypatch.setattr(module, "_predict", lambda *_: flat)
    made = rgb(colorize(boxes(), palette="#204060,#aa3311", model=model))
    np.testing.assert_allclose(np.median(made[LEFT], (0, 1)) * 255, (0xAA, 0x33, 0x11), atol=2)
    np.testing.assert_allclose(np.median(made[RIGHT], (0, 1)) * 255, (0x20, 0x40, 0x60), atol=2)
    assert np.median(made[:15]) > 0.99
    flags = Image.new("RGB", (70, 40), (0x20, 0x40, 0x60))
    flags.paste((0xAA, 0x33, 0x11), (35, 0, 70, 40))
    monkeypatch.setattr(palettes, "MAIN_COLORS", 2)
    again = rgb(colorize(boxes(), palette_from=flags, model=model))
    np.testing.assert_allclose(again[LEFT], made[LEFT], atol=0.02)
    np.testing.assert_allclose(again[RIGHT], made[RIGHT], atol=0.02)


def test_a_palette_changes_all_variations(model: Path) -> None:
    plain, painted = (
        all_variations(colorize(boxes(), palette=text, variations=2, model=model))
        for text in (None, "#204060,#aa3311")
    )
    for one, other in zip(plain, painted, strict=True):
        assert np.abs(one - other).mean() > 0.02


# --- variations ------------------------------------------------------------------------------


def test_variations_differ_and_are_repeatable(model: Path) -> None:
    made = colorize(boxes(), variations=3, model=model, seed=5)
    assert list(made.info["beside"]) == ["2", "3"]
    first, *others = all_variations(made)
    np.testing.assert_array_equal(first, rgb(colorize(boxes(), model=model)))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs([first, *others][one] - [first, *others][other]).mean() > 0.01
    again = all_variations(colorize(boxes(), variations=3, model=model, seed=5))
    np.testing.assert_array_equal(again, [first, *others])
    more = all_variations(colorize(boxes(), variations=4, model=model, seed=5))
    np.testing.assert_array_equal(more[:3], [first, *others])
    seeds = all_variations(colorize(boxes(), variations=3, model=model, seed=6))
    assert min(np.abs(a - b).mean() for a, b in zip(seeds[1:], others, strict=True)) > 0.01


def test_hints_hold_in_all_variations(model: Path) -> None:
    made = colorize(boxes(), hints=strokes(), variations=3, model=model)
    for picture in (made, made.info["beside"]["2"], made.info["beside"]["3"]):
        assert np.median(distance_to_hint(picture)) < 0.05


@pytest.mark.parametrize("size", [(1, 1), (2, 1)])
def test_tiny_drawings_have_variations_too(size: tuple[int, int], model: Path) -> None:
    made = colorize(Image.new("RGB", size, "white"), variations=2, model=model)
    assert made.info["beside"]["2"].size == size


# --- layers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    ["keep", "soften", "drop"],
)
def test_layers_compose_to_the_result(lines: Any, tmp_path: Path, model: Path) -> None:
    made = colorize(boxes(), layers=True, lines=lines, model=model)
    io.write_view(made.info["beside"]["layers"], tmp_path / "a.ora")
    with ZipFile(tmp_path / "a.ora") as archive:
        assert archive.infolist()[0].filename == "mimetype"
        assert archive.infolist()[0].compress_type == ZIP_STORED
        assert archive.read("mimetype") == b"image/openraster"
        (stack,) = ElementTree.fromstring(archive.read("stack.xml"))  # noqa: S314 - our own

        def opened(name: str) -> Image.Image:
            return Image.open(BytesIO(archive.read(name))).convert("RGBA")

        np.testing.assert_array_equal(opened("mergedimage.png").convert("RGB"), made)
        composed = Image.new("RGBA", made.size)
        for layer in reversed(stack):  # the first layer is on top
            if layer.get("visibility") != "hidden":
                composed = Image.alpha_composite(composed, opened(layer.attrib["src"]))
    assert composed.getextrema()[3] == (255, 255)
    np.testing.assert_allclose(rgb(composed), rgb(made), atol=0.01)


def test_layers_are_of_the_first_variation(model: Path) -> None:
    made = colorize(boxes(), layers=True, variations=2, model=model)
    assert set(made.info["beside"]) == {"2", "layers"}
    np.testing.assert_array_equal(made.info["beside"]["layers"].merged, made)


# --- the recipe ------------------------------------------------------------------------------


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[str, str]:
    """A drawing and hints, as files."""
    boxes().save(tmp_path / "drawing.png", dpi=(300, 300))
    strokes().save(tmp_path / "hints.png")
    return str(tmp_path / "drawing.png"), str(tmp_path / "hints.png")


def test_the_recipe_holds_all_options(drawn: tuple[str, str], model: Path) -> None:
    made = colorize(
        drawn[0], hints=drawn[1], palette="#204060", variations=2, layers=True, seed=3, model=model
    )
    recipe = json.loads(made.info["limner"])
    assert (recipe["verb"], recipe["inputs"]) == ("colorize", [drawn[0]])
    assert recipe["options"] == {
        "hints": drawn[1],
        "palette": "#204060",
        "palette_from": None,
        "lines": "keep",
        "layers": True,
        "variations": 2,
        "size": None,
        "model": str(model),
        "seed": 3,
        "allow_huge": False,
    }
    assert set(recipe["files"]) == {*drawn, str(model)} and made.info["dpi"] == (300, 300)


@pytest.mark.parametrize(
    "named",
    [False, True],
)
def test_replay_makes_the_same_files(
    drawn: tuple[str, str],
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: bool,
) -> None:
    """With the shipped network, and with another one."""
    if not named:
        model.rename(tmp_path / "colorizer.safetensors")
        monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    options = {"hints": drawn[1], "variations": 2, "layers": True, "seed": 3, "lines": "soften"}
    made = colorize(drawn[0], **options, model=model if named else None)
    io.write(made, tmp_path / "out.png")
    again = replay(tmp_path / "out.png")
    io.write(again, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()
    assert set(again.info["beside"]) == {"2", "layers"}
    np.testing.assert_array_equal(again.info["beside"]["2"], made.info["beside"]["2"])
    files = (BytesIO(), BytesIO())
    for picture, file in zip((made, again), files, strict=True):
        picture.info["beside"]["layers"].save(file)
    assert files[0].getvalue() == files[1].getvalue()


def test_a_model_may_be_named_as_text(model: Path) -> None:
    named = colorize(boxes(), model=str(model))  # type: ignore[arg-type]
    np.testing.assert_array_equal(named, colorize(boxes(), model=model))


def test_the_command_writes_all_files(
    drawn: tuple[str, str], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "out.png")
    line = ["colorize", drawn[0], "-o", place, "--model", str(model), "--hints", drawn[1]]
    assert main([*line, "--layers", "--variations", "2"]) == 0
    printed = capsys.readouterr()
    names = ("out.png", "out-layers.ora", "out-2.png")
    assert printed.out.splitlines() == [str(tmp_path / name) for name in names]
    assert "160×120 px, 2 variations" in printed.err
    assert all((tmp_path / name).stat().st_size > 500 for name in names)
    with Image.open(tmp_path / "out-2.png") as second:
        made = colorize(drawn[0], hints=drawn[1], variations=2, model=model)
        np.testing.assert_array_equal(second, made.info["beside"]["2"])
    assert main([*line, "--overwrite", "--palette", "red"]) == 2
    printed = capsys.readouterr()
    says = "--palette red: write each color as #rrggbb, such as #aa3311"
    assert printed.err == f"limner: error: {says}\n"


def test_progress_counts_variations(model: Path) -> None:
    reports: list[Progress] = []
    made = all_variations(colorize(boxes(), variations=3, model=model, on_step=reports.append))
    assert [(p.step, p.steps) for p in reports] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    for progress, picture in zip(reports[1:], made, strict=True):
        assert progress.preview is not None
        np.testing.assert_array_equal(rgb(progress.preview()), picture)
    assert {(p.verb, p.stage, p.size) for p in reports} == {("colorize", "160×120 px", (120, 160))}
    assert reports[0].note == "160×120 px, 3 variations" and reports[-1].share == 1


def test_remarks_on_the_files_are_reported(tmp_path: Path, model: Path) -> None:
    frames = [boxes(), boxes()]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=[strokes().convert("RGB")])
    reports: list[Progress] = []
    colorize(tmp_path / "a.gif", model=model, on_step=reports.append)
    assert any("a.gif" in progress.note and "2 frames" in progress.note for progress in reports)


def test_stop_keeps_the_variations_that_are_done(model: Path) -> None:
    options: dict[str, Any] = {"variations": 3, "layers": True, "model": model}
    whole = colorize(boxes(), **options)
    for step, names in ((1, {"layers"}), (2, {"layers", "2"})):
        stopped = colorize(boxes(), **options, on_step=until(step, []))
        assert stopped.info["beside"].keys() == names
        for one, other in zip(all_variations(stopped), all_variations(whole), strict=False):
            np.testing.assert_array_equal(one, other)


def test_stop_before_the_first_variation_is_passed_on(model: Path) -> None:
    with pytest.raises(Stop):
        colorize(boxes(), model=model, on_step=until(0, []))


def test_torch_s_global_random_state_stays(model: Path) -> None:
    """Building a network draws its initial weights from it."""
    torch.manual_seed(7)
    wanted = torch.rand(4)
    torch.manual_seed(7)
    colorize(boxes(), variations=2, model=model)
    np.testing.assert_array_equal(torch.rand(4), wanted)


# --- files beside the picture ----------------------------------------------------------------


@pytest.mark.parametrize("variations", [None, 1, 3])
@pytest.mark.parametrize("layers", [None, False, True])
def test_all_files_beside_the_picture_are_known_before(
    variations: int | None, layers: bool | None, model: Path
) -> None:
    given = {"variations": variations, "layers": layers}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    beside = colorize(boxes(), model=model, **options).info["beside"]
    found = {name: io.ending_of(view) for name, view in beside.items()}
    assert module.side_files({"model": str(model), **options}) == found
    assert len(found) == (variations or 1) - 1 + bool(layers)


@pytest.mark.parametrize("variations", [0, -1, 17, 10**9])
def test_an_impossible_number_of_variations_names_no_files(variations: int) -> None:
    with pytest.raises(
        OptionError, match=rf"^--variations {variations:.10g}: must be from 1 to 16$"
    ):
        module.side_files({"variations": variations})


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lines": "blur"}, "--lines blur: must be one of keep, soften, drop"),
        ({"variations": 0}, "--variations 0: must be from 1 to 16"),
        ({"variations": 17}, "--variations 17: must be from 1 to 16"),
        ({"size": 63}, "--size 63: must be from 64 to 1024"),
        ({"size": 1025}, "--size 1025: must be from 64 to 1024"),
        ({"palette": "red"}, "--palette red: write each color as #rrggbb"),
        ({"palette": ""}, "--palette: has 0 colors; must be from 1 to 12"),
        (
            {"palette": "#204060", "palette_from": "a.png"},
            "--palette and --palette-from: both choose the colors; give only one",
        ),
        ({"device": "tpu"}, "--device tpu: must be one of auto, cpu, cuda, mps"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], says: str, model: Path) -> None:
    with pytest.raises(OptionError) as raised:
        colorize(boxes(), **{"model": model} | options)
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


@pytest.mark.parametrize("option", ["hints", "palette_from"])
def test_missing_pictures_are_refused(option: str, model: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        colorize(boxes(), model=model, **{option: "nowhere.png"})
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        colorize("nowhere.png", model=model)


def test_files_without_a_colorizing_network_are_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "text.safetensors").write_bytes(b"no weights")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    state = weights.read(model)
    weights.write(tmp_path / "part.safetensors", {"a": torch.zeros(3)}, {"kind": "colorizer"})
    for path, says in (
        (tmp_path / "nowhere.safetensors", "there is no such weights file; check its name"),
        (tmp_path / "text.safetensors", "is damaged, or not a weights file;"),
        (
            tmp_path / "other.pth",
            "not weights for colorizing; use a file made by limner train colorizer",
        ),
        (
            weights.SHIPPED / "compact-features.safetensors",
            "not weights for colorizing; use a file",
        ),
        (tmp_path / "part.safetensors", "is for another network (first.weight is missing)"),
    ):
        with pytest.raises(WeightsError) as raised:
            colorize(boxes(), model=path)
        assert str(raised.value).startswith(f"{path}: {says}") and "\n" not in str(raised.value)
    assert issubclass(WeightsError, LimnerError) and "out.weight" in state
