"""`limner generate`, `folder`, `convert`, and replays: what is written, said and refused."""

import hashlib
import json
import os
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

import limner
from blobs import blobs
from limner import io
from limner.cli import commands, main
from limner.generation.gan import latent_space, painter, stylegan2
from limner.generation.gan import latent_space as explore
from limner.nn import weights
from small_painters import write_painter

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_painter(tmp_path_factory.mktemp("run") / "model.safetensors")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a painter and a picture, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(explore, "STARTS", 3)
    monkeypatch.setattr(explore, "STEPS", 4)
    Path("painter.safetensors").write_bytes(written.read_bytes())
    blobs(0, 32, 5).save("pic.png")
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line: exit code, stdout, stderr."""

    def running(line: str, *more: str) -> tuple[int, str, str]:
        code = main.main([*line.split(), *more])
        out, err = capsys.readouterr()
        assert "Traceback" not in err and "a bug in limner" not in err
        return code, out, err

    return running


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def digest(name: str) -> str:
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def refused(run: Run, line: str, code: int, says: str, *more: str) -> None:
    """One line of error, and nothing on stdout."""
    found, out, err = run(line, *more)
    assert (found, out, err.count("\n")) == (code, "", 1), err
    assert err.startswith("limner: error: ") and says in err


# --- generate --------------------------------------------------------------------------------


def test_pictures_are_written_into_a_folder_and_their_paths_printed(run: Run) -> None:
    code, out, err = run("generate painter.safetensors -n 3 --seed 5 -o new")
    paths = ["new/01.png", "new/02.png", "new/03.png", "new/sheet.png"]
    assert (code, out) == (0, "\n".join(paths) + "\n")
    assert err == "limner: 3 pictures of 24×16 px\n"
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


def test_everything_beside_is_written_and_told_as_json(run: Run) -> None:
    Path("known").mkdir()
    blobs(1, 40, 4).save("known/a.png")
    line = "generate painter.safetensors -n 2 --interpolate 3 --mix --nearest known --json"
    code, out, _ = run(line, "-o", "new")
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

    assert commands.paint_several(verb, [], {}, output=Path("new")) == 0
    assert names(Path("new")) == [f"{number:03d}.png" for number in range(1, 101)]


@pytest.mark.parametrize("seed", [-1, 10**14, 10**30])
def test_no_seed_is_a_bug(seed: int, run: Run) -> None:
    """It may come out of anybody's recipe."""
    code, out, _ = run("generate painter.safetensors -n 1 -o new", f"--seed={seed}")
    assert (code, out) in ((0, "new/01.png\n"), (2, ""))


def test_one_folder_that_holds_files_is_left_alone(run: Run) -> None:
    line = "generate painter.safetensors -n 2 -o new"
    Path("new").mkdir()
    assert run(line)[0] == 0  # an empty one will do
    before = {name: digest(f"new/{name}") for name in names(Path("new"))}
    refused(run, line, 1, "new: holds files already; name another folder, or pass --overwrite")
    refused(run, line, 1, "new: holds files already", "--seed", "9")
    assert {name: digest(f"new/{name}") for name in names(Path("new"))} == before
    Path("new/mine.txt").write_text("mine")
    assert run(line, "--seed", "9", "--overwrite")[0] == 0
    after = {name: digest(f"new/{name}") for name in names(Path("new"))}
    assert after.keys() == {*before, "mine.txt"}
    assert all(after[name] != before[name] for name in before)


MISTAKES = [
    ("generate painter.safetensors -n 0 -o new", 2, "-n 0: must be from 1 to 1000"),
    ("generate painter.safetensors -n x -o new", 2, "x"),
    ("generate painter.safetensors --truncation 2 -o new", 2, "--truncation 2: must be from 0"),
    ("generate painter.safetensors --interpolate=-1 -o new", 2, "--interpolate -1: must be"),
    ("generate painter.safetensors --size 64x48 -o new", 2, "--size 64x48: goes with --like"),
    ("generate painter.safetensors --like pic.png -o new", 2, "--like: does not go with "),
    ("generate painter.safetensors --mix -n 1 -o new", 2, "--mix: needs two pictures"),
    ("generate painter.safetensors --nonsense -o new", 2, "--nonsense"),
    ("generate painter.safetensors other.safetensors -o new", 2, "other.safetensors"),
    ("generate painter.safetensors -o pic.png", 1, "pic.png: is a file; name a folder"),
    ("generate painter.safetensors -o no/new", 1, "no is missing; make it first"),
    ("generate no.safetensors -o new", 1, "no.safetensors: no such weights file"),
    ("generate pic.png -o new", 1, "error: pic.png: "),
    ("generate known -o new", 1, "known: holds no painter; `limner train painter"),
    ("generate painter.safetensors --project no.png -o new", 1, "no.png: there is no such file"),
    ("generate --like no.png -o new", 1, "no.png: there is no such file"),
    ("generate --like pic.png --size 64 -o new", 2, "--size 64: must be a width and a height"),
    ("folder no", 1, "no: there is no such folder of pictures"),
    ("folder known", 1, "known: holds no pictures; name a folder of them"),
    ("folder known --resolution 65", 2, "--resolution 65: must be one of 64, 128, 256, 512"),
    ("folder", 2, "FOLDER"),
    ("convert a.pt -o a.safetensors", 2, "--licence"),
    ("convert a.pt --licence CC0-1.0", 2, "--output"),
    ("convert a.pt -o a.safetensors --licence CC0-1.0", 1, "a.pt: missing, or damaged"),
    ("convert a.pt -o a.pt --licence CC0-1.0", 2, "--output a.pt: must end in .safetensors"),
    ("convert a.pt -o painter.safetensors --licence a", 1, "painter.safetensors: exists already"),
]


@pytest.mark.parametrize(("line", "code", "says"), MISTAKES)
def test_a_mistake_is_one_line(run: Run, line: str, code: int, says: str, folder: Path) -> None:
    Path("known").mkdir()
    before = {path: path.is_file() and digest(str(path)) for path in folder.iterdir()}
    refused(run, line, code, says)
    assert {path: path.is_file() and digest(str(path)) for path in folder.iterdir()} == before


def test_alone_it_says_in_three_lines_what_it_needs(run: Run, folder: Path) -> None:
    before = names(folder)
    code, out, err = run("generate")
    first, second, third = err.splitlines()
    assert (code, out) == (2, "") and names(folder) == before
    assert first.startswith("limner: error: generate: needs a painter of yours")
    assert second.startswith("limner: ") and "limner generate --like picture.jpg" in second
    assert third.startswith("limner: ") and "limner train painter pictures/ -o run/" in third


def test_variations_are_written_too(run: Run) -> None:
    code, out, _ = run("generate --like pic.png -n 2 --size 64x72 -o new")
    assert code == 0 and out.split() == ["new/01.png", "new/02.png", "new/sheet.png"]
    for name in ("new/01.png", "new/02.png"):
        with Image.open(name) as picture:
            assert picture.size == (64, 72)
    assert digest("new/01.png") != digest("new/02.png")


@pytest.mark.parametrize("done", [0, 2])
def test_ctrl_c_keeps_what_is_painted(
    done: int, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, painted, count = painter.load, latent_space.painted, [0]

    def interrupted(verb: Callable[..., Any], at: int) -> Callable[..., Any]:
        def called(*given: Any) -> Any:
            count[0] += 1
            if count[0] == at:
                os.kill(os.getpid(), signal.SIGINT)
            return verb(*given)

        return called

    if done:
        monkeypatch.setattr(explore, "painted", interrupted(painted, done))
    else:
        monkeypatch.setattr(painter, "load", interrupted(load, 1))
    before, handler = names(folder), signal.getsignal(signal.SIGINT)
    code, out, err = run("generate painter.safetensors -n 5 -o new --json")
    assert code == 130 and signal.getsignal(signal.SIGINT) is handler
    if done:
        told = json.loads(out)
        assert told["outputs"] == ["new/01.png", "new/02.png", "new/sheet.png"]
        assert told["stopped"] == "interrupted" and names(Path("new"))[0] == "01.png"
        assert err.splitlines()[-1] == "limner: interrupted: 2 pictures of 5 are in new"
    else:
        assert out == "" and "interrupted; there is nothing to keep yet" in err
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
    line: str, name: str, beside: list[str], run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(line, "-o", "new")[0] == 0
    first = Path(f"new/{name}.png").read_bytes()
    code, out, _ = run(f"replay new/{name}.png -o again.png")
    assert code == 0 and out.split() == ["again.png", *beside]
    assert Path("again.png").read_bytes() == first
    for one in beside:
        assert digest(one) == digest(f"new/{one.removeprefix('again-')}")
    Path("far/away").mkdir(parents=True)  # and with its inputs beside it
    for one in (f"new/{name}.png", "painter.safetensors", "pic.png"):
        Path(one).rename(Path("far", Path(one).name))
    monkeypatch.chdir(folder / "far" / "away")
    assert run(f"replay ../{name}.png -o again.png")[0] == 0
    assert Path("again.png").read_bytes() == first


def test_replay_refuses_another_painter(run: Run) -> None:
    assert run("generate painter.safetensors -n 1 -o new")[0] == 0
    write_painter(Path("painter.safetensors"), size=(16, 16))
    says = "painter.safetensors: has changed since new/01.png was made of it"
    refused(run, "replay new/01.png -o again.png", 1, says)
    Path("painter.safetensors").unlink()
    says = "painter.safetensors: is neither here nor beside new/01.png"
    refused(run, "replay new/01.png -o again.png", 1, says)


HOSTILE: list[tuple[dict[str, object], str]] = [
    ({"verb": "folder", "inputs": ["known"], "options": {}}, "folder makes no picture"),
    ({"verb": "folder", "options": {}}, "folder makes no picture"),
    ({"verb": "train_painter", "inputs": ["known", "run"]}, "train_painter makes no picture"),
    ({"verb": "train_painter", "options": {"steps": 1}}, "train_painter makes no picture"),
    ({"verb": "convert_painter"}, "convert_painter makes no picture"),
    (
        {"verb": "convert_painter", "options": {"output": "harm.safetensors", "licence": "a"}},
        "convert_painter makes no picture",
    ),
    ({"inputs": []}, "0 inputs"),
    ({"inputs": ["painter.safetensors"] * 2}, "2 inputs"),
    ({"inputs": ["pic.png"]}, "it does not say what pic.png was"),
    ({"options": {"model": "painter.safetensors"}}, "takes no 'model' from a recipe"),
    ({"options": {"nearest": "known"}}, "nearest is 'known'"),
    ({"options": {"project": "pic.png"}}, "it does not say what pic.png was"),
    ({"options": {"like": "pic.png"}}, "it does not say what pic.png was"),
    ({"options": {"n": "1"}}, "n is '1'"),
    ({"options": {"mix": 1}}, "mix is 1"),
    ({"options": {"on_step": "print"}}, "takes no 'on_step' from a recipe"),
]


@pytest.mark.parametrize(("change", "says"), HOSTILE)
def test_replay_refuses_what_is_no_recipe_of_a_picture(
    change: dict[str, object], says: str, run: Run, folder: Path
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
    says = f"hostile.png: not a recipe of limner's: {says}"
    if "takes no" in says:
        says = says.replace("takes no", "generate takes no")
    refused(run, "replay hostile.png -o again.png", 1, says)
    assert names(folder) == before


def test_the_recipe_before_it_is_changed_is_a_good_one(run: Run) -> None:
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
    assert run("replay good.png -o again.png")[:2] == (0, "again.png\n")
    assert io.recipe_of("again.png") == recipe


# --- folder ----------------------------------------------------------------------------------


@pytest.fixture
def pictures_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pictures and what is none, in the folder `known`; no time is taken."""
    monkeypatch.setattr(import_module("limner.generation.folder"), "_hours", lambda _: 3.25)
    Path("known").mkdir()
    for number in range(3):
        blobs(number, 70 + 10 * number, 4).save(f"known/{number}.png")
    Path("known/text.png").write_text("no picture")


def test_folder_says_what_is_there(run: Run, pictures_of_three: None) -> None:
    code, out, err = run("folder known")
    lost, count, sides, advice, hours = out.splitlines()
    assert (code, err) == (0, "")
    assert lost.startswith("not used: known/text.png: is damaged")
    assert count.startswith("3 pictures, as varied as ") and count.endswith(" ones")
    assert sides == "short sides: 70 pixels at least, 80 usually; width to height 1.00"
    assert "`limner generate --like PICTURE`" in advice
    assert hours == "training with --preset auto would take about 3.2 hours here"


def test_folder_as_json(run: Run, pictures_of_three: None) -> None:
    code, out, err = run("folder known --json --resolution 128")
    told = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert 1 < told.pop("different") <= 3 and "too few" in told.pop("advice")
    (lost,) = told.pop("skipped")
    assert lost.startswith("known/text.png: ")
    assert told == {
        "pictures": 3,
        "alike": [],
        "smallest": 70,
        "usual": 80,
        "aspect": 1.0,
        "hours": 3.25,
    }


# --- convert ---------------------------------------------------------------------------------


def as_rosinalitys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors of a painter of 8 × 8 pixels under the names of stylegan2-pytorch."""
    found = {"input.input": state["constant"][None]}
    for layer in (0, 1):
        for part in ("weight", "bias"):
            found[f"style.{layer + 1}.{part}"] = state[f"mapping.{layer}.{part}"]
    convolved = {"first": "conv1", "rooms.0.first": "convs.0", "rooms.0.second": "convs.1"}
    for number, (ours, theirs) in enumerate(convolved.items()):
        found[f"{theirs}.activate.bias"] = state[f"{ours}.bias"]
        found[f"{theirs}.noise.weight"] = state[f"{ours}.strength"][None]
        found[f"noises.noise_{number}"] = state[f"{ours}.noise"][None, None]
    coloured = {"colours": "to_rgb1", "rooms.0.colours": "to_rgbs.0"}
    for ours, theirs in coloured.items():
        found[f"{theirs}.bias"] = state[f"{ours}.bias"].view(1, 3, 1, 1)
    for ours, theirs in (convolved | coloured).items():
        found[f"{theirs}.conv.weight"] = state[f"{ours}.convolution.weight"][None]
        for part in ("weight", "bias"):
            style = state[f"{ours}.convolution.style.{part}"]
            found[f"{theirs}.conv.modulation.{part}"] = style
    return found


@pytest.fixture
def checkpoint() -> stylegan2.Generator:
    """The painter that lies in `theirs.pt`."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = stylegan2.Generator((8, 8), latent=6, depth=2, base=64, most=8)
        network.mean.normal_()
    about = {"g_ema": as_rosinalitys(network.state_dict()), "latent_avg": network.mean}
    torch.save(about, "theirs.pt")
    return network


def test_a_converted_painter_paints(run: Run, checkpoint: stylegan2.Generator) -> None:
    line = "convert theirs.pt -o ours.safetensors --licence"
    assert run(line, "CC0-1.0") == (0, "ours.safetensors\n", "")
    about = weights.describe(Path("ours.safetensors"))
    assert about["licence"] == "CC0-1.0"
    assert about["recipe"] == f"converted from theirs.pt, sha256 {digest('theirs.pt')}"
    assert run("generate ours.safetensors -n 2 --truncation 1 -o new")[0] == 0
    network = cast(painter.Painter, checkpoint.eval().requires_grad_(False))
    for seed, name in enumerate(("new/01.png", "new/02.png")):
        w = network.map(latent_space.latents(network, seed))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            rgb = np.asarray(network.paint(w)[0].clip(0, 1)).transpose(1, 2, 0) * 255
        with Image.open(name) as picture:
            assert picture.size == (8, 8)
            np.testing.assert_allclose(np.asarray(picture).astype(float), rgb, atol=1)
        assert rgb.std() > 10
    refused(run, line, 1, "ours.safetensors: exists already", "CC0-1.0")
    told = json.loads(run(line, "CC0-1.0", "--overwrite", "--json")[1])
    assert told == {"output": "ours.safetensors"}


def test_an_empty_licence_is_none(run: Run, folder: Path, checkpoint: stylegan2.Generator) -> None:
    says = "--licence: is empty; say under which its maker gives the weights"
    refused(run, "convert theirs.pt -o ours.safetensors --licence", 2, says, " ")
    assert not Path("ours.safetensors").exists()


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_that_would_run_something_are_not_opened(
    zipped: bool, run: Run, folder: Path
) -> None:
    torch.save({"g_ema": Evil()}, "evil.pt", _use_new_zipfile_serialization=zipped)
    before = names(folder)
    line = "convert evil.pt -o ours.safetensors --licence CC0-1.0"
    refused(run, line, 1, "evil.pt: asks to run posix.mkdir; it was not opened")
    assert names(folder) == before
    torch.load("evil.pt", weights_only=False)  # it does what it says, where it is let
    assert Path("harm").is_dir()
