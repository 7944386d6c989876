"""`limner generate` and its replays: what is written, printed and refused."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_lines import Run, digest, names, refused
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import limner
from blobs import blobs
from limner import io
from limner.cli import commands
from limner.generation.gan import latent_space, painter
from small_painters import write_painter


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, model: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a painter and a picture, to work in."""
    monkeypatch.chdir(tmp_path)
    Path("painter.safetensors").write_bytes(model.read_bytes())
    blobs(0, 32, 5).save("pic.png")
    return tmp_path


# --- generate --------------------------------------------------------------------------------


def test_pictures_are_written_into_a_folder_and_their_paths_printed(run_command: Run) -> None:
    code, out, err = run_command("generate painter.safetensors -n 3 --seed 5 -o new")
    paths = ["new/01.png", "new/02.png", "new/03.png", "new/sheet.png"]
    assert (code, out) == (0, "\n".join(paths) + "\n")
    assert err == "limner: 3 pictures, 24×16 px\n"
    assert names(Path("new")) == ["01.png", "02.png", "03.png", "sheet.png"]
    wanted = limner.generate(Path("painter.safetensors"), n=3, seed=5)
    for path, picture in zip(paths, [*wanted, wanted[0].info["beside"]["sheet"]], strict=True):
        with Image.open(path) as found:
            np.testing.assert_array_equal(found, picture)
    assert io.recipe_of("new/02.png") == {
        "verb": "generate",
        "version": limner.__version__,
        "inputs": ["painter.safetensors"],
        "options": {"n": 1, "truncation": 0.8, "seed": 6},
        "files": {"painter.safetensors": digest("painter.safetensors")},
    }


def test_all_side_files_are_written_and_listed_as_json(run_command: Run) -> None:
    Path("known").mkdir()
    blobs(1, 40, 4).save("known/a.png")
    line = "generate painter.safetensors -n 2 --interpolate 3 --mix --nearest known --json"
    code, out, _ = run_command(line, "-o", "new")
    told = json.loads(out)
    assert code == 0 and out.count("\n") == 1 and told.pop("seconds") >= 0
    files = ["01.png", "02.png", "sheet.png", "interpolation.webp", "mix.png", "nearest.png"]
    assert told == {"outputs": [f"new/{name}" for name in files], "stopped": None}
    assert names(Path("new")) == sorted(files)
    with Image.open("new/interpolation.webp") as animation:
        assert getattr(animation, "n_frames", 1) == 6
    for name in files[2:]:
        with Image.open(f"new/{name}") as picture:
            picture.load()


def test_numbers_have_as_many_digits_as_they_need(folder: Path) -> None:
    def verb(**_: object) -> list[Image.Image]:
        return [Image.new("RGB", (2, 2))] * 100

    assert commands.make_pictures(verb, [], {}, output=Path("new")) == 0
    assert names(Path("new")) == [f"{number:03d}.png" for number in range(1, 101)]


@pytest.mark.parametrize("seed", [-1, 10**14, 10**30])
def test_no_seed_is_a_bug(seed: int, run_command: Run) -> None:
    """It may come out of anybody's recipe."""
    code, out, _ = run_command("generate painter.safetensors -n 1 -o new", f"--seed={seed}")
    assert (code, out) in ((0, "new/01.png\n"), (2, ""))


def test_one_folder_that_holds_files_is_left_alone(run_command: Run) -> None:
    line = "generate painter.safetensors -n 2 -o new"
    Path("new").mkdir()
    assert run_command(line)[0] == 0  # an empty one will do
    before = {name: digest(f"new/{name}") for name in names(Path("new"))}
    refused(run_command, line, 1, "new: is not empty; name another folder, or use --overwrite")
    refused(run_command, line, 1, "new: is not empty", "--seed", "9")
    assert {name: digest(f"new/{name}") for name in names(Path("new"))} == before
    Path("new/mine.txt").write_text("mine")
    assert run_command(line, "--seed", "9", "--overwrite")[0] == 0
    after = {name: digest(f"new/{name}") for name in names(Path("new"))}
    assert after.keys() == {*before, "mine.txt"}
    assert all(after[name] != before[name] for name in before)


MISTAKES = [
    ("generate painter.safetensors -n 0 -o new", 2, "-n 0: must be from 1 to 1000"),
    ("generate painter.safetensors -n x -o new", 2, "x"),
    ("generate painter.safetensors --truncation 2 -o new", 2, "--truncation 2: must be from 0"),
    ("generate painter.safetensors --interpolate=-1 -o new", 2, "--interpolate -1: must be"),
    ("generate painter.safetensors --variety 0 -o new", 2, "--variety 0.0: works only with --like"),
    ("generate painter.safetensors --like pic.png -o new", 2, "--like: cannot be used with "),
    ("generate --like pic.png pic.png -o new", 2, "pic.png: put --like before each picture"),
    ("generate painter.safetensors --mix -n 1 -o new", 2, "--mix: needs at least two pictures"),
    ("generate painter.safetensors --nonsense -o new", 2, "--nonsense"),
    ("generate painter.safetensors other.safetensors -o new", 2, "other.safetensors"),
    ("generate painter.safetensors -o pic.png", 1, "pic.png: is a file; name a folder"),
    (
        "generate painter.safetensors -o a.png",
        2,
        "-o a.png: is the name of one picture; name a fol",
    ),
    ("generate painter.safetensors -o no/new", 1, "no is missing; make it first"),
    ("generate no.safetensors -o new", 1, "no.safetensors: there is no such weights file"),
    ("generate pic.png -o new", 1, "error: pic.png: "),
    ("generate known -o new", 1, "known: has no painter; `limner train painter"),
    ("generate painter.safetensors --project no.png -o new", 1, "no.png: there is no such file"),
    ("generate --like no.png -o new", 1, "no.png: there is no such file"),
    ("generate --like pic.png --size 64 -o new", 2, "--size 64: must be a width and a height"),
    ("folder no", 1, "no: there is no such folder"),
    ("folder known", 1, "known: has no pictures; name a folder of pictures"),
    ("folder known --resolution 65", 2, "--resolution 65: must be one of 64, 128, 256, 512"),
    ("folder", 2, "FOLDER"),
    ("convert a.pt -o a.safetensors", 2, "--license"),
    ("convert a.pt --license CC0-1.0", 2, "--output"),
    ("convert a.pt -o a.safetensors --license CC0-1.0", 1, "a.pt: there is no such weights file"),
    ("convert a.pt -o a.pt --license CC0-1.0", 2, "--output a.pt: must end in .safetensors"),
    ("convert a.pt -o painter.safetensors --license a", 1, "painter.safetensors: already exists"),
]


@pytest.mark.parametrize(("line", "code", "says"), MISTAKES)
def test_a_mistake_is_one_line(
    run_command: Run, line: str, code: int, says: str, folder: Path
) -> None:
    Path("known").mkdir()
    before = {path: path.is_file() and digest(str(path)) for path in folder.iterdir()}
    refused(run_command, line, code, says)
    assert {path: path.is_file() and digest(str(path)) for path in folder.iterdir()} == before


def test_without_arguments_it_says_what_it_needs_in_three_lines(
    run_command: Run, folder: Path
) -> None:
    before = names(folder)
    code, out, err = run_command("generate")
    first, second, third = err.splitlines()
    assert (code, out) == (2, "") and names(folder) == before
    assert first.startswith("limner: error: generate: needs a picture to vary")
    assert second.startswith("limner: ") and "limner generate --like picture.jpg" in second
    assert third.startswith("limner: ") and "limner train painter pictures/ -o run/" in third


def test_variations_are_written_too(run_command: Run) -> None:
    code, out, _ = run_command("generate --like pic.png -n 2 --size 64x72 -o new")
    assert code == 0 and out.split() == ["new/01.png", "new/02.png", "new/sheet.png"]
    for name in ("new/01.png", "new/02.png"):
        with Image.open(name) as picture:
            assert picture.size == (64, 72)
    assert digest("new/01.png") != digest("new/02.png")


@pytest.mark.parametrize("done", [0, 2])
def test_ctrl_c_keeps_the_finished_pictures(
    done: int, run_command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, painted, count = painter.load, latent_space.paint, [0]

    def interrupted(verb: Callable[..., Any], at: int) -> Callable[..., Any]:
        def called(*given: Any) -> Any:
            count[0] += 1
            if count[0] == at:
                os.kill(os.getpid(), signal.SIGINT)
            return verb(*given)

        return called

    if done:
        monkeypatch.setattr(latent_space, "paint", interrupted(painted, done))
    else:
        monkeypatch.setattr(painter, "load", interrupted(load, 1))
    before, handler = names(folder), signal.getsignal(signal.SIGINT)
    code, out, err = run_command("generate painter.safetensors -n 5 -o new --json")
    assert code == 130 and signal.getsignal(signal.SIGINT) is handler
    if done:
        told = json.loads(out)
        assert told["outputs"] == ["new/01.png", "new/02.png", "new/sheet.png"]
        assert told["stopped"] == "interrupted" and names(Path("new"))[0] == "01.png"
        assert err.splitlines()[-1] == "limner: interrupted: new has 2 of 5 pictures"
    else:
        assert out == "" and "interrupted before the first picture; nothing was written" in err
        assert names(folder) == before


# --- replay ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "name", "beside"),
    [
        ("generate painter.safetensors -n 3 --seed 4 --truncation 0.6 --mix", "02", []),
        ("generate --like pic.png -n 2 --variety 0.8", "02", []),
        ("generate painter.safetensors --project pic.png --seed 3", "01", ["again-compared.png"]),
    ],
)
def test_replay_gives_the_same_bytes(
    line: str,
    name: str,
    beside: list[str],
    run_command: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_command(line, "-o", "new")[0] == 0
    first = Path(f"new/{name}.png").read_bytes()
    code, out, _ = run_command(f"replay new/{name}.png -o again.png")
    assert code == 0 and out.split() == ["again.png", *beside]
    assert Path("again.png").read_bytes() == first
    for one in beside:
        assert digest(one) == digest(f"new/{one.removeprefix('again-')}")
    Path("far/away").mkdir(parents=True)  # and with its inputs beside it
    for one in (f"new/{name}.png", "painter.safetensors", "pic.png"):
        Path(one).rename(Path("far", Path(one).name))
    monkeypatch.chdir(folder / "far" / "away")
    assert run_command(f"replay ../{name}.png -o again.png")[0] == 0
    assert Path("again.png").read_bytes() == first


def test_replay_refuses_another_painter(run_command: Run) -> None:
    assert run_command("generate painter.safetensors -n 1 -o new")[0] == 0
    write_painter(Path("painter.safetensors"), size=(16, 16))
    says = "painter.safetensors: has changed since new/01.png was made"
    refused(run_command, "replay new/01.png -o again.png", 1, says)
    Path("painter.safetensors").unlink()
    says = "painter.safetensors: is neither in the current folder nor beside new/01.png"
    refused(run_command, "replay new/01.png -o again.png", 1, says)


HOSTILE: list[tuple[dict[str, object], str]] = [
    ({"verb": "folder", "inputs": ["known"], "options": {}}, "there is no verb 'folder'"),
    ({"verb": "folder", "options": {}}, "there is no verb 'folder'"),
    ({"verb": "train_painter", "inputs": ["known", "run"]}, "there is no verb 'train_painter'"),
    ({"verb": "train_painter", "options": {"steps": 1}}, "there is no verb 'train_painter'"),
    ({"verb": "convert_painter"}, "there is no verb 'convert_painter'"),
    (
        {"verb": "convert_painter", "options": {"output": "harm.safetensors", "license": "a"}},
        "there is no verb 'convert_painter'",
    ),
    ({"inputs": []}, "0 inputs"),
    ({"inputs": ["painter.safetensors"] * 2}, "2 inputs"),
    ({"inputs": ["pic.png"]}, "it has no hash of pic.png"),
    ({"options": {"model": "painter.safetensors"}}, "takes no 'model' from a recipe"),
    ({"options": {"nearest": "known"}}, "nearest is 'known'"),
    ({"options": {"project": "pic.png"}}, "it has no hash of pic.png"),
    ({"options": {"like": ["pic.png"]}}, "it has no hash of pic.png"),
    ({"options": {"protect": "pic.png"}}, "it has no hash of pic.png"),
    ({"options": {"n": "1"}}, "n is '1'"),
    ({"options": {"mix": 1}}, "mix is 1"),
    ({"options": {"on_step": "print"}}, "takes no 'on_step' from a recipe"),
]


@pytest.mark.parametrize(("change", "says"), HOSTILE)
def test_replay_refuses_recipes_that_are_not_valid(
    change: dict[str, object], says: str, run_command: Run, folder: Path
) -> None:
    Path("known").mkdir()
    blobs(1, 40, 4).save("known/a.png")
    recipe = {
        "verb": "generate",
        "version": limner.__version__,
        "inputs": ["painter.safetensors"],
        "options": {"n": 1, "truncation": 0.8, "seed": 0},
        "files": {"painter.safetensors": digest("painter.safetensors")},
    }
    text = PngInfo()
    text.add_text("limner", json.dumps(recipe | change))
    Image.new("RGB", (8, 8)).save("hostile.png", pnginfo=text)
    before = names(folder)
    says = f"hostile.png: has no valid recipe: {says}"
    if "takes no" in says:
        says = says.replace("takes no", "generate takes no")
    refused(run_command, "replay hostile.png -o again.png", 1, says)
    assert names(folder) == before


def test_the_recipe_before_it_is_changed_is_a_good_one(run_command: Run) -> None:
    text = PngInfo()
    recipe = {
        "verb": "generate",
        "version": limner.__version__,
        "inputs": ["painter.safetensors"],
        "options": {"n": 1, "truncation": 0.8, "seed": 0},
        "files": {"painter.safetensors": digest("painter.safetensors")},
    }
    text.add_text("limner", json.dumps(recipe))
    Image.new("RGB", (8, 8)).save("good.png", pnginfo=text)
    assert run_command("replay good.png -o again.png")[:2] == (0, "again.png\n")
    assert io.recipe_of("again.png") == recipe
