"""`limner predictability`: its numbers worked out again, its map, its command."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor, nn

from limner import predictability
from limner.beauty import beautifier
from limner.beauty.beautifier import Beautifier
from limner.beauty.inpainting_masks import harmonic_fill
from limner.beauty.objective import EPSILON
from limner.cli.main import main
from limner.errors import InputError, OptionError, WeightsError
from limner.nn import images

Scene = Callable[..., Image.Image]
Planes = Callable[[Image.Image], Tensor]

pytestmark = pytest.mark.usefixtures("shipped")


def noise(width: int, height: int) -> Image.Image:
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def expected(rgb: Tensor, model: Path) -> tuple[float, float, float]:
    """Compute the three numbers of a picture, with frame and contrast by hand."""
    starts = [(side - (side - 96) // 32 * 32) // 2 for side in rgb.shape[2:]]
    covered = [(side - 96) // 32 * 32 for side in rgb.shape[2:]]
    parts = [slice(s - 48, s + c + 48) for s, c in zip(starts, covered, strict=True)]
    frame = rgb[..., parts[0], parts[1]]
    truth = frame[0, :, 48:-48, 48:-48].numpy().astype(float)
    good, bad = (
        np.abs(predict(frame)[0].numpy() - truth).mean()
        for predict in (beautifier.load(model).predictors.good, harmonic_fill)
    )
    steps = [np.abs(np.diff(truth, axis=axis)).mean() for axis in (1, 2)]
    return (
        float(255 * good),
        float(good / (np.mean(steps) + EPSILON)),
        float(bad / (good + EPSILON)),
    )


@pytest.fixture
def plain(tmp_path: Path) -> str:
    """Write the weights of a predictor that adds nothing to the harmonic fill."""
    good = beautifier.NETWORKS["default"]["good"]()
    for weight in list(good.parameters())[-2:]:
        nn.init.zeros_(weight)
    path = tmp_path / "plain.safetensors"
    beautifier.save(path, Beautifier({"good": good}), {"preset": "default"})
    return str(path)


# --- the numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(200, 140), (131, 128), (160, 230)])
def test_the_numbers_by_hand(
    size: tuple[int, int], scene: Scene, planes: Planes, shipped: Path
) -> None:
    for picture in (noise(*size), scene(*size)):
        found = predictability(picture)
        numbers = (found.error, found.relative, found.progress)
        np.testing.assert_allclose(numbers, expected(planes(picture), shipped), rtol=1e-4)
        assert found.error > 1


def test_an_even_picture_is_predicted_by_the_harmonic_fill(
    plain: str, planes: Planes, shipped: Path
) -> None:
    picture = Image.new("RGB", (150, 140), (200, 90, 30))
    found = predictability(picture, model=plain)
    assert found.error < 1e-3 and found.relative < 0.02 and found.progress < 0.02
    found = predictability(picture)  # with random weights
    wanted = expected(planes(picture), shipped)
    assert (found.error, found.relative) == pytest.approx(wanted[:2], rel=1e-4)
    assert found.error > 1 and found.progress < 1e-3


def test_a_predictor_that_adds_nothing_makes_no_progress(plain: str) -> None:
    found = predictability(noise(160, 160), model=plain)
    assert found.error == pytest.approx(255 / 4, abs=3)  # about the mean, against even noise
    assert found.progress == pytest.approx(1 / (1 + EPSILON * 255 / found.error), rel=1e-5)


def test_large_pictures_are_measured_small(scene: Scene, planes: Planes, shipped: Path) -> None:
    picture = scene(500, 380)
    for size, shape in ((150, (150, 197)), (380, (380, 500)), (512, (380, 500))):
        found = predictability(picture, size=size)
        small = images.resize(planes(picture), shape)
        numbers = (found.error, found.relative, found.progress)
        np.testing.assert_allclose(numbers, expected(small, shipped), rtol=1e-3)
        assert found.map.size == shape[::-1]


def test_transparent_pictures_are_measured_on_white(scene: Scene) -> None:
    picture = scene().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    white = Image.new("RGBA", picture.size, "white")
    found, wanted = (
        predictability(one) for one in (picture, Image.alpha_composite(white, picture))
    )
    assert found.error == pytest.approx(wanted.error, rel=5e-3)
    assert found.error != pytest.approx(predictability(scene()).error, rel=0.02)


# --- the map ---------------------------------------------------------------------------------


def test_the_map_is_blue_where_prediction_is_easy(plain: str) -> None:
    """Grain on the left; on the right stripes, which the harmonic fill continues."""
    random = np.random.default_rng(0)
    grain = 128 + random.normal(0, 40, (256, 192))
    stripes = 128 + 60 * np.sin(np.arange(192) / 30 * 2 * np.pi) + np.zeros((256, 1))
    picture = Image.fromarray(np.hstack((grain, stripes)).clip(0, 255).astype(np.uint8))
    drawn = predictability(picture, model=plain).map
    assert drawn.size == picture.size and drawn.mode == "RGB"
    values = np.asarray(drawn).astype(float)
    warmth = (values[..., 0] - values[..., 2]) / values.sum(2)
    assert warmth[:, :160].mean() > 0.02 and warmth[:, 224:].mean() < -0.2
    rows = values.sum(2)[:, :192].std(1)  # the picture itself shows through
    assert rows.min() > 30


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(127, 300), (300, 127), (1, 1)])
def test_pictures_smaller_than_a_window_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError) as raised:
        predictability(noise(*size))
    limit = "each side must be at least 128 px; use a larger picture"
    says = f"picture: is {size[0]}×{size[1]} px; {limit}"
    assert str(raised.value) == says


def test_sizes_are_limited() -> None:
    for size in (127, 2049, -1):
        with pytest.raises(OptionError) as raised:
            predictability(noise(130, 130), size=size)
        assert str(raised.value) == f"--size {size}: must be from 128 to 2048"
    one, other = (predictability(noise(128, 128), size=size) for size in (128, 2048))
    assert one.error == other.error > 0


def test_missing_weights_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"^no\.safetensors: there is no such weights file"):
        predictability(noise(130, 130), model="no.safetensors")


# --- the command -----------------------------------------------------------------------------


def test_the_command_prints_and_draws(
    tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, place = str(tmp_path / "photo.png"), tmp_path / "map.png"
    scene(200, 150).save(photo)
    found = predictability(photo)
    numbers = {"error": found.error, "relative": found.relative, "progress": found.progress}
    assert main(["predictability", photo]) == 0
    wanted = [f"{name}: {value:.3f}" for name, value in numbers.items()]
    assert capsys.readouterr().out.splitlines() == wanted
    assert main(["predictability", photo, "--json", "--map", str(place)]) == 0
    assert json.loads(capsys.readouterr().out) == {"map": str(place), **numbers}
    with Image.open(place) as drawn:
        np.testing.assert_array_equal(drawn, found.map)
    assert main(["predictability", photo, "--json", "--size", "128"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["map"] is None and told["error"] == predictability(photo, size=128).error


def test_an_existing_map_is_kept(
    tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, place = tmp_path / "photo.png", tmp_path / "map.png"
    scene(140, 130).save(photo)
    place.write_bytes(b"mine")
    line = ["predictability", str(photo), "--map", str(place)]
    assert main(line) == 1
    told = capsys.readouterr()
    says = f"{place}: already exists; choose another name, or use --overwrite"
    assert told.err == f"limner: error: {says}\n" and told.out == ""
    assert place.read_bytes() == b"mine"
    assert main([*line, "--overwrite"]) == 0
    with Image.open(place) as drawn:
        assert drawn.size == (140, 130)


@pytest.mark.parametrize(
    ("tokens", "code", "says"),
    [
        (["text.png"], 1, "text.png: "),
        (["nowhere.png"], 1, "nowhere.png: there is no such file"),
        (["photo.png", "--size", "127"], 2, "--size 127: must be from 128 to 2048"),
        (["photo.png", "--map", "map.xyz"], 2, "map.xyz: limner does not write '.xyz' files"),
        (["photo.png", "--map", "no/map.png"], 1, "no/map.png: the folder no is missing"),
        (["photo.png", "--device", "tpu"], 2, "--device tpu: must be one of auto, cpu"),
        (
            ["small.png"],
            1,
            "small.png: is 100×90 px; each side must be at least 128 px; ",
        ),
    ],
)
def test_mistakes_are_reported_in_one_line(
    tokens: list[str],
    code: int,
    says: str,
    scene: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.png").write_text("no picture at all\n")
    scene(130, 130).save("photo.png")
    scene(100, 90).save("small.png")
    assert main(["predictability", *tokens]) == code
    told = capsys.readouterr()
    assert told.err.startswith(f"limner: error: {says}") and told.err.count("\n") == 1
    assert "bug in limner" not in told.err and told.out == ""
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"text.png", "photo.png", "small.png"}
