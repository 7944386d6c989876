"""Recipes tell nothing about the maker's folders, and replay finds the files all the same."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image

import limner
from limner.batch import finder
from limner.cli.main import main
from limner.errors import InputError
from limner.io import make_recipe, read, recipe_of
from limner.io.recipe import bare_name
from limner.nn import weights

FOLDER = "Anna-Kowalska"  # what nobody shall learn


def mask_of(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    return mask


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the user's name, that has pictures, masks and weights."""
    home = tmp_path / FOLDER
    (home / "other").mkdir(parents=True)
    waves = Image.radial_gradient("L").resize((64, 64))
    for name in ("photo.png", "wave.png", "other/photo.png"):
        waves = waves.rotate(90).transform((64, 64), Image.Transform.AFFINE, (1, 0.3, 0, 0, 1, 5))
        Image.merge("RGB", (waves, waves.rotate(90), waves.rotate(180))).save(home / name)
    mask_of((64, 64)).save(home / "mask.png")
    drawing = Image.new("RGB", (64, 64), "white")
    drawing.paste("black", (20, 20, 44, 44))
    drawing.paste("white", (23, 23, 41, 41))
    drawing.save(home / "drawing.png")
    drawing.paste("red", (28, 28, 36, 36))
    drawing.save(home / "hints.png")
    for name in ("upscaler-fast-x2", "beautifier", "colorizer"):
        shutil.copy(weights.SHIPPED / f"{name}.safetensors", home / f"{name}.pth.safetensors")
    return home


CALLS: dict[str, Callable[[Path], Image.Image | list[Image.Image]]] = {
    "sketch": lambda home: limner.sketch(home / "photo.png"),
    "upscale": lambda home: limner.upscale(
        home / "photo.png", scale=2, model=str(home / "upscaler-fast-x2.pth.safetensors")
    ),
    "print_ready": lambda home: limner.print_ready(home / "photo.png", paper="2x2cm", dpi=100),
    "beautify": lambda home: limner.beautify(
        home / "photo.png",
        mask=home / "mask.png",
        model=str(home / "beautifier.pth.safetensors"),
    ),
    "hybridize": lambda home: limner.hybridize(
        home / "photo.png", home / "other/photo.png", strip=True
    ),
    "colorize": lambda home: limner.colorize(
        home / "drawing.png",
        palette=str(home / "wave.png"),
        model=str(home / "colorizer.pth.safetensors"),
        layers=True,
    ),
    "colorize-reference": lambda home: limner.colorize(
        home / "drawing.png", hints=home / "hints.png", reference=home / "photo.png"
    ),
    "stylize": lambda home: limner.stylize(
        home / "photo.png",
        f"{home}/wave.png:0.7",
        f"{home}/other/photo.png:0.3",
        mask=[home / "mask.png", home / "mask.png"],
        init=home / "drawing.png",
        detail_mask=home / "mask.png",
        size=64,
        steps=1,
    ),
    "variations": lambda home: limner.variations(
        home / "photo.png", protect=home / "mask.png", size="64x64"
    ),
}


@pytest.mark.parametrize("verb", CALLS)
def test_no_file_of_a_result_holds_a_folder(verb: str, home: Path, tmp_path: Path) -> None:
    made = CALLS[verb](home)
    picture = made[0] if isinstance(made, list) else made
    assert FOLDER not in str(picture.info)
    for ending in ("png", "jpg", "webp", "avif", "tif", "pdf"):
        path = tmp_path / f"out.{ending}"
        limner.write(picture, path)
        assert recipe_of(path)["inputs"] == json.loads(picture.info["limner"])["inputs"]
        assert FOLDER.encode() not in path.read_bytes().replace(b"\0", b"")
    for name, view in picture.info.get("beside", {}).items():
        path = tmp_path / f"{name}.{'ora' if name == 'layers' else 'png'}"
        limner.io.write_view(view, path)
        parts = [path.read_bytes()]
        if path.suffix == ".ora":
            with ZipFile(path) as archive:
                parts = [archive.read(one) for one in archive.namelist()]
        assert not any(FOLDER.encode() in part for part in parts)


def test_weights_of_styles_stay_with_their_names(home: Path) -> None:
    recipe = json.loads(CALLS["stylize"](home).info["limner"])  # type: ignore[union-attr]
    assert recipe["inputs"] == ["photo.png", "wave.png:0.7", "photo (2).png:0.3"]
    assert recipe["options"]["mask"] == ["mask.png", "mask.png"]
    assert recipe["options"]["init"] == "drawing.png"
    assert recipe["options"]["detail_mask"] == "mask.png"
    assert recipe["files"]["photo (2).png"] == read(home / "other/photo.png").sha256
    assert recipe["files"]["photo.png"] == read(home / "photo.png").sha256


@pytest.mark.parametrize("verb", CALLS)
def test_replay_finds_the_files_of_each_option(verb: str, home: Path, tmp_path: Path) -> None:
    made = CALLS[verb](home)
    picture = made[0] if isinstance(made, list) else made
    limner.write(picture, tmp_path / "out.png")
    again = limner.replay(tmp_path / "out.png", look_in=[home, home / "other"])
    assert again.tobytes() == picture.tobytes()
    assert again.info["limner"] == picture.info["limner"]


def test_files_of_one_name_are_told_apart_by_their_hashes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = limner.hybridize(home / "photo.png", home / "other/photo.png")
    limner.write(made, tmp_path / "out.png")
    with pytest.raises(InputError, match=r"photo \(2\).png: is neither"):
        limner.replay(tmp_path / "out.png")  # the first is in a folder beside the picture
    monkeypatch.chdir(home / "other")  # where the second has its own name
    assert limner.replay(tmp_path / "out.png").tobytes() == made.tobytes()


def test_a_name_that_looks_numbered_is_no_collision(home: Path, tmp_path: Path) -> None:
    (home / "photo.png").rename(home / "photo (2).png")
    names = [str(home / "photo (2).png"), str(home / "other/photo.png"), str(home / "wave.png")]
    pictures = [read(name) for name in names]
    recipe = make_recipe("hybridize", names, {}, pictures)
    assert recipe["inputs"] == ["photo (2).png", "photo.png", "wave.png"]
    assert list(recipe["files"].values()) == [one.sha256 for one in pictures]  # type: ignore[attr-defined]


def test_recipes_of_earlier_steps_lose_their_folders_too(home: Path, tmp_path: Path) -> None:
    picture = limner.sketch(home / "photo.png")
    old = json.loads(picture.info["limner"])
    (sha256,) = old["files"].values()
    name = rf"C:\Users\{FOLDER}\photo.png"  # as version 0.1 wrote it
    picture.info["limner"] = json.dumps({**old, "inputs": [name], "files": {name: sha256}})
    limner.write(picture, tmp_path / "sketch.png")
    made = json.loads(limner.sketch(tmp_path / "sketch.png").info["limner"])
    assert made["made_from"]["inputs"] == ["photo.png"]
    assert made["made_from"]["files"] == {"photo.png": sha256}


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "pdf"])
def test_a_picture_without_its_recipe(
    ending: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limner.write(limner.sketch(home / "photo.png"), home / "drawn.jpg")
    out = tmp_path / f"out.{ending}"
    command = ["beautify", f"{home}/drawn.jpg", "-o", str(out)]
    assert main(command) == 0
    assert recipe_of(out)["inputs"] == ["drawn.jpg"]
    assert main([*command, "--overwrite", "--no-recipe"]) == 0
    found = out.read_bytes().replace(b"\0", b"")  # a PDF may have two bytes per character
    assert not any(word in found for word in (b"photo.png", b"drawn", b'"verb"'))
    assert main(["replay", str(out), "-o", str(tmp_path / "again.png")]) == 1
    assert "has no limner recipe" in capsys.readouterr().err


def test_no_recipe_of_several_pictures_and_of_those_beside(home: Path, tmp_path: Path) -> None:
    photos = [f"{home}/photo.png", f"{home}/wave.png"]
    assert main(["sketch", *photos, "-o", f"{tmp_path}/out", "--no-recipe"]) == 0
    like = ["generate", "--like", photos[0], "-n", "1", "-o", f"{tmp_path}/new"]
    assert main([*like, "--no-recipe"]) == 0
    drawn = ["colorize", f"{home}/drawing.png", "-o", f"{tmp_path}/c.png", "--variations", "2"]
    assert main([*drawn, "--flats", "--no-recipe"]) == 0
    made = [*tmp_path.glob("out/*.png"), *tmp_path.glob("new/*.png"), *tmp_path.glob("c*.png")]
    assert len(made) >= 6
    assert not any(b'"verb"' in path.read_bytes() for path in made)


def test_a_name_too_long_for_this_system_is_not_found(home: Path, tmp_path: Path) -> None:
    picture = limner.sketch(home / "photo.png")
    recipe = json.loads(picture.info["limner"])
    name = "a" * 300
    picture.info["limner"] = json.dumps(recipe | {"inputs": [name], "files": {name: "0"}})
    limner.write(picture, tmp_path / "out.png")
    with pytest.raises(InputError, match="is neither in the current folder nor beside"):
        limner.replay(tmp_path / "out.png")


WINDOWS = [
    r"C:\Users\me\pictures\photo.jpg",
    "C:/Users/me/photo.jpg",
    r"C:\Users/me\photo.jpg",
    "C:photo.jpg",
    r"\\server\share\photo.jpg",
    "//server/share/photo.jpg",
    r"\\?\C:\photo.jpg",
    r"pictures\photo.jpg",
]


def with_names(home: Path, photo: str, wave: str, ending: str) -> Path:
    """Write a picture whose recipe has paths, as one of version 0.1 has."""
    picture = limner.hybridize(home / "photo.jpg", home / "wave.jpg")
    recipe = json.loads(picture.info["limner"])
    hashes = recipe["files"].values()
    recipe |= {"inputs": [photo, wave], "files": dict(zip((photo, wave), hashes, strict=True))}
    picture.info["limner"] = json.dumps(recipe)
    limner.write(picture, home / f"made.{ending}")
    return home / f"made.{ending}"


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("name", WINDOWS)
def test_paths_of_windows(
    name: str, ending: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stem in ("photo", "wave"):
        Image.open(home / f"{stem}.png").save(home / f"{stem}.jpg")
    made = with_names(home, name, wave := name.replace("photo", "wave"), ending)
    asked: list[str] = []
    monkeypatch.setattr(finder, "_is_file", lambda path: asked.append(str(path)) or path.is_file())
    again = limner.replay(made)
    assert json.loads(again.info["limner"])["inputs"] == [bare_name(name), bare_name(wave)]
    assert limner.apply(made, home / "wave.jpg").size == again.size
    # no drive is asked, and no server, which would learn who asks
    places = {Path(), home, *home.glob("*/"), *Path().glob("*/")}
    assert asked and all(Path(path).parent in places for path in asked)
    assert not any(":\\" in path or path.startswith("\\\\") for path in asked)

    (home / "wave.jpg").rename(tmp_path / "other.jpg")
    with pytest.raises(InputError, match=r"^(C:)?wave\.jpg: is neither in the current folder nor"):
        limner.replay(made)
    assert limner.replay(made, look_in=[tmp_path]).tobytes() == again.tobytes()
