"""The command line: what it prints and writes, its exit codes, and never a traceback."""

import hashlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

import limner
from limner import io
from limner.cli import commands, main, outputs, training
from limner.cli import picture as picture_module
from limner.colorization.network import Colorizer
from limner.errors import OptionError, OutputError
from limner.io import Source
from limner.io.openraster import Layers, Saved
from limner.nn import features, weights
from limner.progress import OnStep, Progress, silent
from limner.upscaling import realesrgan

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def compact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: they paint nothing fair, but they paint."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "compact.safetensors"
    weights.write(path, features.VGG("compact").state_dict(), {"kind": "features"})
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a photo and a painting, to work in; one thread, for the machine may be busy."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("photo.png", "wave.png")):
        coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((96, 72)).save(name)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], compact: Path) -> Run:
    """Run a command line: exit code, stdout, stderr. ``stylize`` is small, without strokes."""

    def running(line: str, *more: str) -> tuple[int, str, str]:
        tokens = [*line.split(), *more]
        if tokens[0] == "stylize":
            quick = {"--size": "64", "--steps": "4", "--features": str(compact)}
            if "--preset" not in tokens:
                quick["--method"] = "network"
            for name, value in quick.items():
                tokens += [] if name in tokens else [name, value]
        if tokens[0] == "replay":
            tokens += ["--look-in", str(compact.parent)]
        code = main.main(tokens)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return running


def steps(name: str) -> list[int]:
    options = io.recipe_of(name)["options"]
    assert isinstance(options, dict)
    return list(options["steps"])


def interrupt_when_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C as soon as a picture of this name is written."""
    write = io.write

    def writing(picture: Image.Image, path: Path, **options: bool) -> tuple[str, ...]:
        notes = write(picture, path, **options)
        if path.name == name:
            signal.raise_signal(signal.SIGINT)
        return notes

    monkeypatch.setattr(picture_module, "write", writing)


def test_a_picture_is_written_and_its_path_printed(run: Run) -> None:
    code, out, err = run("stylize photo.png wave.png:0.7 photo.png:0.3 -o out.png --strength 1.5")
    assert (code, out) == (0, "out.png\n")
    assert err.startswith("limner: 64×48 px") and "4 steps" in err and err.count("\n") == 1
    with Image.open("out.png") as picture:
        assert picture.size == (64, 48)
    assert io.recipe_of("out.png")["inputs"] == ["photo.png", "wave.png:0.7", "photo.png:0.3"]


def test_json(run: Run) -> None:
    code, out, _ = run("stylize photo.png wave.png -o out.png --json --steps 3 --keep-colors")
    told = json.loads(out)
    assert code == 0 and out.count("\n") == 1
    assert told.pop("seconds") > 0 and told.pop("loss") > 0
    assert told.pop("recipe") == io.recipe_of("out.png")
    size = {"width": 64, "height": 48}
    assert told == {"output": "out.png", **size, "steps": 3, "stopped": None, "beside": []}


def test_strokes_from_the_command_line(run: Run) -> None:
    line = "stylize photo.png wave.png -o out.png --json --method patches --size 192"
    code, out, err = run(line)
    told = json.loads(out)
    assert code == 0 and "strokes of the paintings" in err
    # four steps of the network, and two levels of strokes: 128 and 192 px
    assert told["steps"] == 6 and told["recipe"]["options"]["method"] == "patches"
    assert steps("out.png") == [4]


@pytest.mark.parametrize("more", [[], ["--json"], ["--json", "--strength", "0"]])
def test_a_dry_run_writes_nothing(run: Run, folder: Path, more: list[str]) -> None:
    before = sorted(folder.iterdir())
    code, out, err = run("stylize photo.png wave.png -o out.png --dry-run --save-every 1", *more)
    assert code == 0 and sorted(folder.iterdir()) == before
    assert "64×48 px" in err and " steps" in err
    if more:
        plan = json.loads(out)
        assert plan["steps"] == (0 if "--strength" in more else 4) and "64×48 px" in plan["plan"]
    else:
        assert out == ""


MISTAKES = [
    ("stylise photo.png wave.png -o out.png", 2, 'Did you mean "stylize"?'),
    ("stylize photo.png wave.png", 2, "--output is missing. See limner stylize --help"),
    ("stylize -o out.png", 2, "PHOTO is missing. See limner stylize --help"),
    ("stylize photo.png wave.png -o out.png --size big", 2, "--size big: must be a whole number."),
    ("stylize photo.png wave.png -o out.png --strength x", 2, "--strength x: must be a number."),
    ("stylize photo.png -o out.png", 2, "no painting: give at least one after the photo"),
    ("stylize photo.png wave.png -o out.png --stesp 3", 2, "--stesp. Did you mean --steps?"),
    ("stylize photo.png wave.png -o out.png --steps 3,x", 2, "Give a whole number, or several"),
    ("stylize photo.png wave.png -o out.png --steps 3,4", 2, "--steps 3,4: give one number, bec"),
    ("stylize photo.png wave.png -o out.png --size 32", 2, "--size 32: must be at least 64"),
    ("stylize photo.png wave.png -o out.png --strength 3", 2, "--strength 3: must be from 0 to 2"),
    ("stylize photo.png wave.png -o out.png --preset x", 2, 'Choose from: "limner", "gatys"'),
    (
        "stylize photo.png wave.png -o out.png --time-budget soon",
        2,
        "--time-budget 'soon': must be",
    ),
    ("stylize photo.png wave.png -o out.png --device tpu", 2, "--device tpu: must be one of"),
    ("stylize photo.png wave.png -o out.png --resume", 2, "there is no checkpoint"),
    (
        "stylize photo.png wave.png -o out.png --mask tall.png",
        2,
        "tall.png: is 72×96, but the photo is 96×72",
    ),
    (
        "stylize photo.png wave.png -o out.psd",
        2,
        "limner does not write '.psd' files; use one of .png",
    ),
    ("stylize nothing.png wave.png -o out.png", 1, "nothing.png: there is no such file"),
    ("stylize photo.png text.png -o out.png", 1, "text.png: is damaged, or a text file"),
    ("stylize photo.png wave.png -o wave.png", 1, "wave.png: already exists"),
    ("stylize photo.png wave.png -o no/out.png", 1, "the folder no is missing"),
    ("stylize photo.png wave.png -o text.png/a.png", 1, "text.png is a file; name a folder"),
    ("predictability photo.png wave.png", 2, "wave.png: one argument too many. See limner pred"),
    ("stylize photo.png wave.png -o out.webp --size 20000", 1, "holds at most 16383 pixels"),
    (
        "stylize photo.png wave.png -o out.png --features no.pth",
        1,
        "no.pth: there is no such weights",
    ),
    ("replay photo.png -o out.png", 1, "photo.png: has no limner recipe"),
    ("train features no --teacher no.pth -o run", 1, "no.pth: there is no such weights file"),
]


@pytest.mark.parametrize(("line", "code", "message"), MISTAKES)
def test_a_mistake_is_one_line(run: Run, line: str, code: int, message: str) -> None:
    Path("text.png").write_text("no picture")
    Image.new("L", (72, 96)).save("tall.png")
    found, out, err = run(line)
    *notes, last = err.splitlines()
    assert (found, out) == (code, "") and len(notes) <= 1
    assert last.startswith("limner: error: ") and message in last
    assert not Path("out.png").exists()


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("harm"),)


def test_weights_that_would_run_code_are_refused(run: Run) -> None:
    Path("plain.pth").write_bytes(pickle.dumps({"mean": Evil()}))
    torch.save({"mean": Evil()}, "zipped.pth")
    for name in ("plain.pth", "zipped.pth"):
        code, out, err = run("stylize photo.png wave.png -o out.png --features", name)
        assert (code, out) == (1, "") and err.startswith(f"limner: error: {name}: holds more than")
        assert not Path("harm").exists() and not Path("out.png").exists()


def test_overwrite(run: Run) -> None:
    line = "stylize photo.png wave.png -o out.png"
    assert run(line)[0] == 0
    first = Path("out.png").read_bytes()
    assert run(line, "--seed", "3")[0] == 1 and Path("out.png").read_bytes() == first
    assert run(line, "--seed", "3", "--overwrite")[0] == 0
    assert Path("out.png").read_bytes() != first


def test_remarks_reach_the_user(run: Run) -> None:
    Image.linear_gradient("L").resize((96, 72)).save(
        "a.gif", save_all=True, append_images=[Image.new("L", (96, 72), 9)]
    )
    image = Image.open("photo.png").convert("RGBA")
    image.putalpha(99)
    image.save("clear.png")
    code, _, err = run("stylize clear.png a.gif -o out.jpg")
    assert code == 0
    assert err.splitlines()[1:] == [
        "limner: a.gif: only the first of 2 frames is used",
        "limner: out.jpg: JPEG has no transparency; the picture is put on white",
    ]


def test_time_budget(run: Run) -> None:
    line = "stylize photo.png wave.png -o out.png --steps 100000 --time-budget 1s --json"
    code, out, err = run(line)
    told = json.loads(out)
    assert code == 4 and told["stopped"] == "time budget" and 0 < told["steps"] < 100000
    assert f"time budget: out.png is the picture after {told['steps']} of 100000 steps" in err
    assert steps("out.png") == [told["steps"]]


def test_ctrl_c_keeps_the_picture_so_far(compact: Path, folder: Path) -> None:
    line = "stylize photo.png wave.png -o out.png --size 64 --steps 100000 --save-every 3"
    line += " --method network"
    command = [sys.executable, "-m", "limner", *line.split(), "--features", str(compact)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        while not Path("out-000003.png").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "out.png\n")
    plan, *_, stopping, end = err.splitlines()
    assert "64×48 px" in plan and stopping == (
        "limner: stopping after this step; press Ctrl-C again to stop at once"
    )
    (done,) = steps("out.png")
    assert done >= 3
    assert end == (
        f"limner: interrupted: out.png is the picture after {done} of 100000 steps; "
        "to continue, run the same command with --resume --overwrite"
    )
    with Image.open("out.png") as picture:
        picture.load()
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (1, "interrupted before the first step; nothing was written"),
        (2, "stopped at once; no file is half-written"),
    ],
)
def test_ctrl_c_before_the_first_step(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, times: int, message: str
) -> None:
    read, handler, before = io.read, signal.getsignal(signal.SIGINT), sorted(folder.iterdir())

    def reading(source: Source, *, allow_huge: bool) -> io.Picture:
        for _ in range(times if source == "photo.png" else 0):
            signal.raise_signal(signal.SIGINT)
        return read(source, allow_huge=allow_huge)

    monkeypatch.setattr(io, "read", reading)
    code, out, err = run("stylize photo.png wave.png -o out.png")
    assert (code, out) == (130, "") and message in err
    assert sorted(folder.iterdir()) == before
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("x"), "KeyError: 'x' (a bug in limner: please set LIMNER_TRACEBACK=1"),
        (MemoryError(), "there is not enough memory; use a smaller --size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "use a smaller --size"),
    ],
)
def test_what_nobody_expected_is_one_line_too(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def reading(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(io, "read", reading)
    code, out, err = run("stylize photo.png wave.png -o out.png")
    assert (code, out) == (1, "") and err.count("\n") == 1 and message in err


def test_nobody_reads_on(compact: Path) -> None:
    end, start = os.pipe()
    os.close(end)
    with os.fdopen(start, "w") as closed:
        command = [sys.executable, "-m", "limner", "--help"]
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")


def test_models(run: Run, compact: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(weights, "SHIPPED", compact.parent)
    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    monkeypatch.setenv("COLUMNS", "400")
    code, out, _ = run("models")
    assert code == 0 and "not downloaded" in out
    names = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert names == ["name", "compact", "vgg16", "vgg19", *realesrgan.FILES]
    found = {one["name"]: one for one in json.loads(run("models --json")[1])}
    assert found["compact"]["kind"] == "features" and found["compact"]["megabytes"] > 1
    assert found["vgg19"]["megabytes"] is None
    assert Path(found["vgg19"]["path"]).is_relative_to(folder / "torch")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    assert run("--install-completion --output script --shell", shell)[0] == 0
    script = Path("script").read_text()
    assert all(word in script for word in ("stylize", "features", "style-scale", "gatys"))


# Coloring


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: the colors mean nothing, but hints have their own."""
    torch.manual_seed(0)
    network = Colorizer()
    network.colors.uniform_()
    path = tmp_path_factory.mktemp("colorizer") / "colorizer.safetensors"
    weights.write(path, network.state_dict(), {"kind": "colorizer", "size": "64"})
    return path


@pytest.fixture
def boxes() -> None:
    """A drawing of two boxes, 160 × 80 pixels."""
    sheet = Image.new("RGB", (160, 80), "white")
    for left in (15, 95):
        ImageDraw.Draw(sheet).rectangle((left, 15, left + 50, 65), outline="black", width=2)
    sheet.save("boxes.png")


@pytest.mark.usefixtures("boxes")
def test_hints_are_points_on_the_command_line(run: Run, colorizer: Path) -> None:
    line = f"colorize boxes.png -o out.png --model {colorizer} --flats --json"
    hints = ["40,40=#ff0000", "120,40=sky blue"]
    code, out, _ = run(line, "--hint", hints[0], f"--hint={hints[1]}")
    told = json.loads(out)
    assert (code, told["beside"]) == (0, ["out-flats.png"])
    assert told["recipe"]["options"]["hint"] == hints
    for name in ("out.png", "out-flats.png"):
        with Image.open(name) as made:
            colors = [made.convert("RGB").getpixel((x, 25)) for x in (25, 55, 105, 135)]
        assert colors == [(255, 0, 0)] * 2 + [(135, 206, 235)] * 2, name  # CSS Color 4: skyblue


@pytest.mark.usefixtures("boxes")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--hint", "160,5=red"], "--hint 160,5: is outside the drawing, which is 160 × 80 pixels"),
        (["--hint", "5,5"], "--hint 5,5: write a place and a color as x,y=#rrggbb"),
        (["--hint", "5,5=glod"], "did you mean gold?"),
        (["--hint-edges", "wavy"], '"wavy" for --hint-edges. Choose from: "hard", "soft"'),
        (["--vivid", "3"], "--vivid 3: must be from 0 to 2"),
        (["--gap", "65"], "--gap 65: must be from 0 to 64"),
        (["--palette", "gold,,#12345"], "--palette #12345: write a color as #rrggbb"),
        (["--palette", "gold", "--reference", "wave.png"], "--palette and --reference: both"),
    ],
)
def test_a_mistake_in_coloring_is_one_line(
    run: Run, colorizer: Path, given: list[str], message: str
) -> None:
    code, out, err = run(f"colorize boxes.png -o out.png --model {colorizer}", *given)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("limner: error: ") and message in err
    assert not Path("out.png").exists()


# Training


def teach(photos: Path, run: Path, *, steps: int = 3, on_step: OnStep = silent) -> dict[str, float]:
    """Stand in for a training that is interrupted at step 2."""
    run.mkdir()
    for step in range(1, steps + 1):
        on_step(Progress("train", "teaching", step, steps, 0.0, 1.0))
        if step == 1:
            signal.raise_signal(signal.SIGINT)
    return {"0/1_1": 0.75}


def test_train(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert training.train(teach, [folder], {"steps": 1}, output=Path("run")) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("run/model.safetensors\n", "limner: 0/1_1: 0.7500\n")
    assert training.train(teach, [folder], {}, output=Path("other")) == 130
    out, err = capsys.readouterr()
    assert out == "" and err == (
        "limner: stopped after 2 of 3 steps; there is no checkpoint yet: "
        "the same command starts again\n"
    )


def test_save_every_and_resume(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "stylize photo.png wave.png --steps 8 --save-every 3 -o"
    assert run(line, "whole.png")[0] == 0
    assert {p.name for p in folder.glob("whole*")} == {
        *("whole.png", "whole-000003.png", "whole-000006.png")
    }
    with monkeypatch.context() as patch:
        interrupt_when_written("out-000003.png", patch)
        code, _, err = run(line, "out.png")
    assert code == 130 and steps("out.png") == steps("out-000003.png") == [3]
    assert "to continue, run the same command with --resume --overwrite" in err
    code, _, err = run(line, "out.png", "--overwrite", "--resume", "--seed", "1")
    assert code == 1 and "is the checkpoint of a call with other pictures" in err
    code, out, _ = run(line, "out.png", "--overwrite", "--resume")
    assert (code, out) == (0, "out.png\n")
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes()
    assert not Path("out.png.checkpoint.safetensors").exists()
    Path("out.png").unlink()
    code, _, err = run(line, "out.png")
    assert code == 1 and "out-000003.png: already exists" in err


# Side files: beside the picture, or where an option says


@dataclass(frozen=True)
class Note:
    """Saves itself."""

    ending: ClassVar[str] = ".txt"

    def save(self, file: BinaryIO) -> None:
        file.write(b"noted")


def test_what_saves_itself_is_told_from_pictures() -> None:
    page = Image.new("RGB", (2, 2))
    assert isinstance(Note(), Saved) and isinstance(Layers({}, page), Saved)
    assert not isinstance(page, Saved)


def side_files(options: Mapping[str, Any]) -> dict[str, str | Path]:
    """What the verbs below make beside their result."""
    if options.get("save_cube"):
        return {"cube": options["save_cube"]}
    return dict(options.get("extra", {"note": ".txt"}))


def test_each_side_file_has_its_place() -> None:
    def verb() -> None: ...

    extra = {"2": "", "zoom": ".gif", "layers": ".ora"}
    out = Path("to/out.webp")
    found = outputs.side_files(verb, [], {"extra": extra}, lambda name: outputs.beside(out, name))
    assert {name: str(path) for name, path in found.items()} == {
        "2": "to/out-2.webp",
        "zoom": "to/out-zoom.gif",
        "layers": "to/out-layers.ora",
    }


def noting(asked: list[str]) -> Callable[..., Image.Image]:
    """Stand in for a verb with ``save_cube``; it notes that it was called."""

    def verb(*, save_cube: Path | None = None, on_step: OnStep = silent) -> Image.Image:
        asked.append(str(save_cube))
        on_step(Progress("note", "", 1, 1, 0.0))
        picture = Image.new("RGB", (4, 3), "red")
        picture.info |= {"limner": "{}", "beside": {"cube" if save_cube else "note": Note()}}
        return picture

    return verb


def test_a_side_file_is_written_to_its_own_place(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "sub").mkdir()
    asked: list[str] = []
    cube = {"save_cube": Path("sub/mine.cube")}
    assert commands.make_picture(noting(asked), [], cube, output=Path("out.png")) == 0
    assert capsys.readouterr().out == "out.png\nsub/mine.cube\n"
    assert Path("sub/mine.cube").read_bytes() == b"noted"
    assert [path.name for path in (folder / "sub").iterdir()] == ["mine.cube"]
    assert commands.make_picture(noting(asked), [], {}, output=Path("b.png")) == 0
    assert capsys.readouterr().out == "b.png\nb-note.txt\n"
    assert asked == ["sub/mine.cube", "None"]
    for place in ("sub/mine.cube", "nowhere/mine.cube"):  # before the work, not after
        options = {"save_cube": Path(place)}
        with pytest.raises(OutputError, match=r"mine\.cube: "):
            commands.make_picture(noting(asked), [], options, output=Path("c.png"))
    assert len(asked) == 2 and not Path("c.png").exists()
    Path("sub/mine.cube").write_bytes(b"old")
    out = Path("c.png")
    assert commands.make_picture(noting(asked), [], cube, output=out, overwrite=True) == 0
    assert Path("sub/mine.cube").read_bytes() == b"noted"


def test_a_side_file_does_not_replace_the_picture(folder: Path) -> None:
    asked: list[str] = []
    options = {"save_cube": Path("out.png")}
    with pytest.raises(OutputError, match=r"out\.png: two files of this command"):
        commands.make_picture(noting(asked), [], options, output=Path("out.png"), overwrite=True)
    assert not asked and not Path("out.png").exists()


@pytest.mark.parametrize(
    ("line", "in_the_way"),
    [
        ("hybridize photo.png wave.png -o x.png --strip", "x-strip.png"),
        ("hybridize photo.png wave.png -o x.png --zoom-gif", "x-zoom.gif"),
        ("colorize photo.png -o x.png --layers", "x-layers.ora"),
        ("colorize photo.png -o x.png --flats", "x-flats.png"),
        ("colorize photo.png -o x.png --variations 3", "x-3.png"),
        ("beautify photo.png -o x.png --save-cube y.cube", "y.cube"),
        ("stylize photo.png wave.png -o x.png --save-every 2", "x-000002.png"),
        ("stylize photo.png wave.png -o x.png --save-every 2", "x.png.checkpoint.safetensors"),
        ("predictability photo.png --map x.png", "x.png"),
        ("generate --like photo.png -o new/", "new/note.txt"),
        ("train beautifier . -o run/", "run/checkpoint.pt"),
        ("train features . --teacher t.pth -o run/", "run/checkpoint.pt"),
        ("train painter . -o run/", "run/checkpoint.pt"),
        ("convert x.pkl -o y.safetensors --license CC0", "y.safetensors"),
    ],
)
def test_a_file_in_the_way_is_refused_before_the_work(
    run: Run, monkeypatch: pytest.MonkeyPatch, line: str, in_the_way: str
) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(io, "read", read)
    Path(in_the_way).parent.mkdir(exist_ok=True)
    Path(in_the_way).write_bytes(b"mine")
    Path("x.pkl").write_bytes(b"")
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    code, out, err = run(line)
    assert (code, out) == (1, "") and 1 <= err.count("\n") <= 2
    named = in_the_way if "." in Path(in_the_way).parent.name else Path(in_the_way).parts[0]
    assert named in err
    assert Path(in_the_way).read_bytes() == b"mine"
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


def test_names_that_become_too_long_are_refused_before_the_work(run: Run) -> None:
    for stem in ("a" * 247, "a" * 240):  # too long for the steps; for the checkpoint
        code, out, err = run(f"stylize photo.png wave.png -o {stem}.png --save-every 2")
        assert (code, out) == (1, "") and "File name too long; choose another name" in err
        assert not list(Path().glob("a*"))


# Measuring


@dataclass(frozen=True)
class Measured:
    weight: float
    length: float
    map: Image.Image


def weigh(picture: str, *, size: float = 1.0) -> Measured:
    """Stand in for a measure."""
    with Image.open(picture) as opened:
        width, height = opened.size
    return Measured(size * width / 7, float(height), Image.new("RGB", (width, height), "blue"))


def test_measure(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    before = set(folder.iterdir())
    assert commands.measure(weigh, ["photo.png"], {}) == 0
    assert capsys.readouterr() == ("weight: 13.714\nlength: 72.000\n", "")
    assert set(folder.iterdir()) == before
    assert commands.measure(weigh, ["photo.png"], {"size": 2.0}, map_=Path("m.png"), json=True) == 0
    wanted = {"map": "m.png", "weight": pytest.approx(2 * 96 / 7), "length": 72.0}
    assert json.loads(capsys.readouterr().out) == wanted
    with Image.open("m.png") as written:
        assert written.size == (96, 72) and written.getpixel((0, 0)) == (0, 0, 255)
    assert commands.measure(weigh, ["photo.png"], {}, json=True) == 0
    assert json.loads(capsys.readouterr().out)["map"] is None


def test_a_map_is_refused_before_the_measure(folder: Path) -> None:
    asked: list[str] = []

    def verb(picture: str) -> Measured:
        asked.append(picture)
        return weigh(picture)

    Image.new("RGB", (2, 2)).save("m.png")
    old = Path("m.png").read_bytes()
    for place, mistake in (("m.png", OutputError), ("m.xyz", OptionError)):
        with pytest.raises(mistake, match=rf"^{re.escape(place)}: "):
            commands.measure(verb, ["photo.png"], {}, map_=Path(place))
    assert not asked and Path("m.png").read_bytes() == old
    assert commands.measure(verb, ["photo.png"], {}, map_=Path("m.png"), overwrite=True) == 0
    assert asked == ["photo.png"] and Path("m.png").read_bytes() != old


# Replaying


def test_replay_gives_the_same_bytes_from_anywhere(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (96, 72), 200).save("mask.png")
    line = "stylize photo.png wave.png:0.7 -o out.png --mask mask.png --init wave.png --seed 5"
    assert run(line)[0] == 0
    first = Path("out.png").read_bytes()
    assert run("replay out.png -o again.png")[:2] == (0, "again.png\n")
    assert Path("again.png").read_bytes() == first
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    code, out, _ = run("replay ../out.png -o again.png --json")
    assert code == 0 and json.loads(out)["recipe"] == io.recipe_of("../out.png")
    assert Path("again.png").read_bytes() == first


def test_replay_of_an_interrupted_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "stylize photo.png wave.png -o out.png --size 256 --steps 6,4 --save-every 4"
    interrupt_when_written("out-000004.png", monkeypatch)
    assert run(line)[0] == 130 and steps("out.png") == [4, 0]
    assert run("replay out.png -o again.png")[0] == 0
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()


def test_replay_refuses_other_files(run: Run) -> None:
    assert run("stylize photo.png wave.png -o out.png")[0] == 0
    Image.new("RGB", (96, 72)).save("wave.png")
    code, _, err = run("replay out.png -o again.png")
    assert code == 1 and "wave.png: has changed since out.png was made; use the old" in err
    Path("wave.png").unlink()
    code, _, err = run("replay out.png -o again.png")
    assert code == 1 and "wave.png: is neither in the current folder nor beside out.png" in err


def test_replay_of_a_picture_in_memory(run: Run, compact: Path) -> None:
    made = limner.stylize(
        Image.open("photo.png"), "wave.png", size=64, steps=1, features=str(compact)
    )
    io.write(made, "out.png")
    code, _, err = run("replay out.png -o again.png")
    assert code == 1 and "out.png: was made from a picture in memory" in err


def test_replay_warns_of_another_version(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("stylize photo.png wave.png -o out.png")[0] == 0
    monkeypatch.setattr(import_module("limner.batch.replay"), "__version__", "9.9")
    code, _, err = run("replay out.png -o again.png --dry-run")
    assert code == 0
    warning = "limner: out.png: made with limner 0.1.0; 9.9 may give a different picture"
    assert err.splitlines()[0] == warning and "64×48 px" in err


HOSTILE: list[tuple[dict[str, object], str]] = [
    ({"verb": "os.system"}, "there is no verb 'os.system'"),
    ({"verb": ["stylize"]}, "there is no verb"),
    ({"verb": "replay"}, "there is no verb 'replay'"),
    ({"inputs": None}, "are missing"),
    ({"inputs": ["photo.png", 3]}, "inputs are not names"),
    ({"inputs": ["photo.png"]}, "1 inputs"),
    ({"inputs": ["/etc/passwd", "wave.png:1"]}, "has no hash of passwd"),
    ({"files": {"photo.png": 3, "wave.png": 3}}, "has no hash of photo.png"),
    ({"options": {"checkpoint": "x.safetensors"}}, "takes no 'checkpoint' from a recipe"),
    ({"options": {"on_step": "print"}}, "takes no 'on_step' from a recipe"),
    ({"options": {"device": "cpu"}}, "takes no 'device' from a recipe"),
    ({"options": {"resume": True}}, "takes no 'resume' from a recipe"),
    ({"options": {"photo": "photo.png"}}, "takes no 'photo' from a recipe"),
    ({"options": {"strength": "1"}}, "strength is '1'"),
    ({"options": {"strength": True}}, "strength is True"),
    ({"options": {"strength": float("nan")}}, "strength is nan"),
    ({"options": {"strength": None}}, "strength is None"),
    ({"options": {"steps": [1, "2"]}}, "steps is [1, '2']"),
    ({"options": {"mask": "mask.png"}}, "mask is 'mask.png'"),
    ({"options": {"preset": "x\n\x1b[31m"}}, r"preset is 'x\n\x1b[31m'"),
    ({"options": {"init": "/etc/passwd"}}, "has no hash of passwd"),
    ({"options": {"features": "x.safetensors"}}, "has no hash of x.safetensors"),
]


@pytest.mark.parametrize(("change", "message"), HOSTILE)
def test_replay_refuses_hostile_recipes(
    run: Run, change: dict[str, object], message: str, folder: Path
) -> None:
    files = {n: hashlib.sha256(Path(n).read_bytes()).hexdigest() for n in ("photo.png", "wave.png")}
    inputs = ["photo.png", "wave.png:1"]
    recipe = {"verb": "stylize", "version": limner.__version__, "inputs": inputs, "options": {}}
    text = PngInfo()
    text.add_text("limner", json.dumps({**recipe, "files": files, **change}))
    Image.new("RGB", (8, 8)).save("hostile.png", pnginfo=text)
    before = sorted(folder.iterdir())
    code, out, err = run("replay hostile.png -o again.png")
    assert (code, out) == (1, "") and err.count("\n") == 1 and message in err
    assert err.startswith("limner: error: hostile.png: has no valid recipe: ")
    assert sorted(folder.iterdir()) == before


# --- a verb that shows something beside its result --------------------------------------------


def test_what_lies_beside_is_written_beside(run: Run, folder: Path) -> None:
    line = "hybridize photo.png wave.png -o out.png --strip --zoom-gif --size 64"
    code, out, err = run(line)
    names = ["out.png", "out-strip.png", "out-zoom.gif"]
    assert code == 0 and out.split() == names and "Traceback" not in err
    assert "and only the far photo from" in err
    with Image.open("out-zoom.gif") as zoom, Image.open("out-strip.png") as strip:
        assert getattr(zoom, "n_frames", 1) > 20 and strip.width > 64
    assert run("replay out.png -o again.png")[0] == 0
    for name in names:
        assert Path(name).read_bytes() == Path(name.replace("out", "again")).read_bytes()
    Path("out.png").unlink()
    code, out, err = run(line)  # and nothing is written if one of them is in the way
    assert code == 1 and out == "" and "out-strip.png: already exists" in err
    assert not Path("out.png").exists()
    code, out, _ = run(line, "--overwrite", "--json")
    told = json.loads(out)
    assert code == 0 and told["beside"] == names[1:]
    assert set(told["recipe"]["found"]) >= {"scores", "widths", "sigma"}


def test_distances_are_options_too(run: Run) -> None:
    line = "hybridize photo.png wave.png -o out.png --print-width 10cm --near 50cm --far 4m --json"
    code, out, _ = run(line)
    found = json.loads(out)["recipe"]["found"]
    assert code == 0 and found["meters"]["far"] == pytest.approx(4)
    assert run("replay out.png -o again.png")[0] == 0
    assert Path("out.png").read_bytes() == Path("again.png").read_bytes()
    code, _, err = run("hybridize photo.png wave.png -o out.png --points 1,2,x")
    assert code == 2 and err.count("\n") == 1


def test_a_command_works_where_pydantic_is_imported(tmp_path: Path) -> None:
    """Then cyclopts checks the types of all options, of their defaults too."""
    if find_spec("pydantic") is None:
        pytest.skip("the extra studio is not installed")
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "a.png")
    code = "import pydantic; from limner.cli.main import main; raise SystemExit(main())"
    arguments = ["upscale", "a.png", "-o", "b.png", "--scale", "2", "--quality", "fast"]
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, check=True)
    assert (tmp_path / "b.png").is_file()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other limits")
@pytest.mark.parametrize(
    "line",
    [
        *("generate {}", "generate --like {} -o new/", "folder {}", "export {} -o a.onnx"),
        *("upscale photo.png -o {}/a.png", "upscale photo.png wave.png -o {}/"),
        "train upscaler {} -o run",
    ],
)
def test_a_name_that_is_too_long_is_told(run: Run, line: str) -> None:
    code, _, error = run(line.format("x" * 300))
    assert code == 1
    assert error.endswith(f"{'x' * 30}…{'x' * 30}: is too long for a name; choose a shorter one\n")
