"""Commands for many pictures: folders, what is skipped, what fails, and runs that are killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner import io
from limner.batch import manifest
from limner.cli import main, many
from limner.cli import picture as picture_module
from limner.cli.console import Console
from limner.cli.picture import Made, Task

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with three photos."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate(("a.png", "b.jpg", "c.png")):
        coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 48)).save(tmp_path / "photos" / name)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line: exit code, stdout, stderr."""

    def running(*tokens: str) -> tuple[int, str, str]:
        code = main.main(tokens)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return running


def entries(name: str = "out") -> list[dict[str, object]]:
    lines = Path(name, manifest.NAME).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def contents(name: str = "out") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(name).glob("*.png")}


def test_a_folder_of_photos_becomes_a_folder_of_drawings(run: Run) -> None:
    code, out, err = run("sketch", "photos", "-o", "out/")
    assert (code, out) == (0, "".join(f"{Path('out', n)}\n" for n in ("a.png", "b.png", "c.png")))
    assert err == "limner: 64×48 px\n"  # once, not three times
    for name in ("a.png", "b.jpg"):
        run("sketch", f"photos/{name}", "-o", f"{name[0]}.png")
        assert Path(f"{name[0]}.png").read_bytes() == Path(f"out/{name[0]}.png").read_bytes()
    assert [entry["output"] for entry in entries()] == [
        *["a.png"] * 2,
        *["b.png"] * 2,
        *["c.png"] * 2,
    ]
    last = entries()[-1]
    assert last["inputs"] == ["../photos/c.png"] and last["error"] is None


def test_several_files_and_one_file_into_a_folder(run: Run) -> None:
    assert run("sketch", "photos/a.png", "photos/c.png", "-o", "out")[0] == 0
    assert run("sketch", "photos/b.jpg", "-o", "out", "--name", "{stem}-{verb}.{ext}")[0] == 0
    names = {path.name for path in Path("out").iterdir()}
    assert names == {"a.png", "c.png", "b-sketch.jpg", manifest.NAME}


def test_hybridize_pairs_by_name_and_stylize_keeps_its_paintings(run: Run, folder: Path) -> None:
    assert run("hybridize", "photos", "photos", "-o", "out", "--align", "none")[0] == 0
    Path("list.txt").write_text("photos\n", encoding="utf-8")
    listed = ("hybridize", "photos/c.png", "-o", "listed", "--align", "none")
    assert run(*listed, "--from", "list.txt")[0] == 0
    assert {*contents("listed")} == {*contents()}
    assert run(*listed)[2].endswith("FAR_PHOTO: is missing; name it, or use --from LIST\n")
    assert io.recipe_of("out/b.png")["inputs"] == ["b.jpg", "b.jpg"]
    assert run("stylize", "photos", "photos/a.png:2", "-o", "painted", "--strength", "0")[0] == 0
    assert len(contents("painted")) == 3


def test_a_finished_picture_is_applied_to_a_folder(run: Run) -> None:
    run("sketch", "photos/a.png", "-o", "made.png", "--style", "pencil")
    assert run("apply", "made.png", "photos", "-o", "out")[0] == 0
    assert run("sketch", "photos", "-o", "direct", "--style", "pencil")[0] == 0
    assert contents() == contents("direct")
    assert run("apply", "made.png", "photos/b.jpg", "-o", "b.png")[:2] == (0, "b.png\n")
    assert run("apply", "made.png", "photos/b.jpg", "photos/c.png", "-o", "two")[0] == 0
    assert set(contents("two")) == {"b.png", "c.png"}
    assert run("replay", "direct", "-o", "again")[0] == 0
    assert contents("again") == contents("direct")


def test_a_second_run_makes_what_is_missing_or_changed(run: Run) -> None:
    run("sketch", "photos", "-o", "out")
    first = contents()
    code, out, err = run("sketch", "photos", "-o", "out")
    assert (code, out, err) == (0, "", "limner: 3 of 3 pictures are done already\n")
    Path("out/a.png").unlink()
    Image.open("photos/a.png").save("photos/c.png")
    code, out, err = run("sketch", "photos", "-o", "out")
    assert out.splitlines() == [str(Path("out/a.png")), str(Path("out/c.png"))]
    assert contents()["a.png"] == first["a.png"] and contents()["c.png"] != first["c.png"]
    assert len(run("sketch", "photos", "-o", "out", "--strength", "2")[1].splitlines()) == 3
    assert len(run("sketch", "photos", "-o", "out", "--strength", "2")[1].splitlines()) == 0
    again = run("sketch", "photos", "-o", "out", "--strength", "2", "--overwrite")
    assert len(again[1].splitlines()) == 3


def test_a_foreign_file_is_not_replaced(run: Run) -> None:
    Path("out").mkdir()
    Path("out/b.png").write_bytes(b"mine")
    code, out, err = run("sketch", "photos", "-o", "out")
    where = Path("out/b.png")
    assert (code, out) == (1, "") and err.startswith(f"limner: error: {where}: exists, and ")
    assert [path.name for path in Path("out").iterdir()] == ["b.png"]
    assert run("sketch", "photos", "-o", "out", "--overwrite")[0] == 0


def test_only_own_results_are_replaced(run: Run) -> None:
    Path("other").mkdir()
    Image.new("RGB", (64, 48), "red").save("other/a.png")
    assert run("sketch", "photos", "-o", "out")[0] == 0
    before = contents()
    for line in (("sketch", "other"), ("beautify", "photos")):  # another picture, another verb
        code, out, err = run(*line, "-o", "out")
        assert (code, out) == (1, "") and "a.png: exists, and limner did not make it from" in err
    Image.new("RGB", (5, 5)).save("out/c.png")  # changed by the user
    assert run("sketch", "photos", "-o", "out")[0] == 0  # nothing is left to do
    code, _, err = run("sketch", "photos", "-o", "out", "--strength", "2")
    assert code == 1 and "c.png: exists, and limner did not make it" in err
    Path("out/c.png").unlink()
    assert {**contents(), "c.png": before["c.png"]} == before
    assert run("sketch", "photos", "-o", "out", "--strength", "2")[0] == 0
    Path("photos/b.jpg").write_bytes(b"no picture")  # a failure does not forget whose file it is
    assert run("sketch", "photos", "-o", "out")[0] == 3
    Image.open("photos/a.png").save("photos/b.jpg")
    assert run("sketch", "photos", "-o", "out")[0] == 0


def test_files_beside_the_results_are_checked_too(run: Run) -> None:
    Path("out").mkdir()
    Path("out/a-strip.png").write_bytes(b"mine")
    line = ("hybridize", "photos", "photos/c.png", "-o", "out", "--align", "none", "--strip")
    code, _, err = run(*line)
    assert code == 1 and "a-strip.png: exists, and limner did not make it" in err
    Path("out/a-strip.png").unlink()
    Image.new("RGB", (64, 48)).save("photos/a-strip.png")
    code, _, err = run(*line)
    assert code == 1 and "would both write it" in err
    Path("photos/a-strip.png").unlink()
    assert run(*line)[0] == 0
    assert set(contents()) == {f"{name}{end}.png" for name in "abc" for end in ("", "-strip")}
    code, _, err = run("beautify", "photos", "-o", "better", "--save-cube", "look.cube")
    assert code == 1 and "look.cube: " in err and "would both write it" in err
    assert not Path("look.cube").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a folder whose files are open")
@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_folder_that_is_deleted_in_mid_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, is_resumed: bool
) -> None:
    """What was finished before is told, and made again by the same command."""
    if is_resumed:
        assert run("sketch", "photos", "-o", "out")[0] == 0
        Path("out/c.png").unlink()
    made = many.make

    def making(task: Task, console: Console) -> Made:
        if task.job.source.endswith("c.png"):
            shutil.rmtree("out")
        return made(task, console)

    with monkeypatch.context() as patched:
        patched.setattr(many, "make", making)
        code, _, err = run("sketch", "photos", "-o", "out", "--jobs", "1")
    assert code == 1 and err.endswith(
        "limner: 2 of 3 finished pictures are gone, such as out/a.png; they were deleted or moved; "
        "the same command makes them again\n"
    )
    assert sorted(contents()) == ["c.png"]
    code, _, err = run("sketch", "photos", "-o", "out")
    assert code == 0 and "1 of 3 pictures are done already" in err
    assert sorted(contents()) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    ("names", "line", "remedy"),
    [
        (("x.png", "x.jpg"), (), 'use --name "{stem}-{ext}.png"'),
        (("x.png", "y.png"), ("--name", "z.png"), 'use --name "{stem}.png"'),
        (("x.png", "X.PNG"), (), "their names differ only in upper and lower case; rename one of"),
        (("x.png", "s/x.png"), (), "name the folder around them, and use --recursive, or make the"),
    ],
)
def test_two_pictures_with_one_name(
    folder: Path, run: Run, names: tuple[str, str], line: tuple[str, ...], remedy: str
) -> None:
    (folder / "s").mkdir()
    for name in names:
        Image.new("RGB", (8, 8)).save(name)
    code, _, err = run("sketch", *names, "-o", "out", *line)
    assert code == 1 and f" would both write it; {remedy}" in err


def test_results_do_not_replace_the_pictures(run: Run) -> None:
    before = {path.name: path.read_bytes() for path in Path("photos").iterdir()}
    line = ("sketch", "photos/a.png", "photos/c.png", "-o", "photos", "--overwrite")
    code, _, err = run(*line)
    assert code == 1 and "is one of the pictures to read; name another folder" in err
    assert {path.name: path.read_bytes() for path in Path("photos").iterdir()} == before


def test_the_same_failure_twice_is_a_mistake_in_the_command(run: Run) -> None:
    Path("bad.png").write_bytes(b"no picture")
    code, out, err = run("hybridize", "photos", "bad.png", "-o", "out")
    assert (code, out) == (1, "") and err.count("bad.png: is damaged") == 2
    assert not Path("out").exists()
    code, out, err = run("apply", "photos/a.png", "photos", "-o", "out")
    assert (code, out) == (1, "") and err.count("photos/a.png: has no limner recipe") == 1


def test_one_bad_picture_costs_one_line(run: Run) -> None:
    Path("photos/b.jpg").write_bytes(b"no picture")
    code, out, err = run("sketch", "photos", "-o", "out", "--json")
    lines = list(map(json.loads, out.splitlines()))
    assert code == 3 and [Path(line["output"]).name for line in lines] == [
        "a.png",
        "b.png",
        "c.png",
    ]
    assert "photos/b.jpg: is damaged" in lines[1]["error"].replace("\\", "/")
    assert err.splitlines()[-1] == ("limner: 1 of 3 pictures could not be made")
    assert sum("error" in line for line in err.splitlines()) == 1
    assert set(contents()) == {"a.png", "c.png"}
    Path("out/c.png").unlink()
    code, out, err = run("sketch", "photos", "-o", "out", "--fail-fast")
    assert code == 3 and out == ""
    assert err.endswith("limner: 1 of 3 pictures could not be made, and 1 were not tried\n")
    Image.open("photos/a.png").save("photos/b.jpg")
    assert run("sketch", "photos", "-o", "out")[0] == 0
    assert set(contents()) == {"a.png", "b.png", "c.png"}


def test_a_mistake_in_an_option_ends_the_run_at_once(run: Run) -> None:
    code, out, err = run("sketch", "photos", "-o", "out", "--strength", "9")
    assert (code, out) == (2, "") and err.splitlines()[-1].startswith("limner: error: --strength 9")
    assert err.count("--strength 9") == 1
    code, out, err = run("stylize", "photos", "-o", "out")
    assert (code, out) == (2, "") and err.count("no painting: give at least one") == 1
    code, out, err = run("sketch", "photos", "-o", "out", "--name", "{stem}.xyz")
    assert (code, out) == (2, "") and ".xyz" in err
    assert run("sketch", "-o", "out")[0] == 2
    assert run("sketch", "photos", "-o", "out", "--name", "{stem}.xyz", "--dry-run")[0] == 2
    for option in (("--save-every", "2"), ("--resume",)):
        code, out, err = run("stylize", "photos", "photos/a.png", "-o", "out", *option)
        assert (code, out) == (2, "") and f"{option[0]}: works for one picture only" in err
    assert not Path("out").exists()


def test_a_dry_run_lists_and_writes_nothing(run: Run) -> None:
    code, out, _ = run("sketch", "photos", "-o", "out", "--dry-run")
    rows = [
        f"{Path('photos', p)} -> {Path('out', p[0] + '.png')}" for p in ("a.png", "b.jpg", "c.png")
    ]
    assert (code, out.splitlines()) == (0, rows)
    assert not Path("out").exists()
    told = json.loads(run("sketch", "photos/b.jpg", "-o", "out/", "--dry-run", "--json")[1])
    assert told == {"inputs": [str(Path("photos/b.jpg"))], "output": str(Path("out/b.png"))}


def test_ctrl_c_ends_after_a_picture_and_the_next_run_goes_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = io.write

    def writing(picture: Image.Image, path: Path, **options: bool) -> tuple[str, ...]:
        if path.name == "b.png":
            signal.raise_signal(signal.SIGINT)
        return write(picture, path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(picture_module, "write", writing)
        code, out, err = run("sketch", "photos", "-o", "out")
    assert code == 130 and len(out.splitlines()) == 2
    assert err.endswith("interrupted: 2 of 3 are made; the same command makes the rest\n")
    assert run("sketch", "photos", "-o", "out")[1].splitlines() == [str(Path("out/c.png"))]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_run_ends_the_same_when_it_is_started_again(run: Run, folder: Path) -> None:
    for number in range(40):
        Image.open("photos/a.png").save(f"photos/more-{number:02d}.png")
    command = [sys.executable, "-m", "limner", "sketch", "photos", "-o", "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        process.kill()
    assert 4 <= len(contents()) < 43
    with Path("out", manifest.NAME).open("a") as file:
        file.write('{"output": "more-3')  # as if a line had been cut off
    code, out, err = run("sketch", "photos", "-o", "out")
    assert code == 0 and "pictures are done already" in err
    assert 1 < len(out.splitlines()) <= 39
    assert run("sketch", "photos", "-o", "whole")[0] == 0
    assert contents() == contents("whole")
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]
    assert all(entry.get("error") is None for entry in manifest.read(Path("out")).values())


def test_other_folders_in_that_of_the_results_are_not_searched(run: Run, folder: Path) -> None:
    elsewhere = Path("out/elsewhere")
    elsewhere.mkdir(parents=True)
    for place in ("out", "out/elsewhere"):
        Path(place, ".limner-0.part").touch()
    assert run("sketch", "photos", "-o", "out")[0] == 0
    assert not Path("out/.limner-0.part").exists() and Path(elsewhere, ".limner-0.part").exists()


def test_the_manifest_does_not_name_the_user(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path("home/zaphod").absolute()
    home.mkdir(parents=True)
    Path("photos").rename(home / "photos")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    assert run("sketch", str(home / "photos"), "-o", "out")[0] == 0
    assert "zaphod" not in Path("out", manifest.NAME).read_text()
    assert entries()[0]["source"] == "~/photos/a.png"
    assert run("sketch", "home/zaphod/photos", "-o", "home/zaphod/out")[0] == 0
    assert entries("home/zaphod/out")[0]["source"] == "../photos/a.png"
    assert run("sketch", str(home / "photos"), "-o", "out", "--style", "pencil")[0] == 0


def test_a_folder_belongs_to_one_run_at_a_time(run: Run) -> None:
    Path("out").mkdir()
    with manifest.Manifest(Path("out"), "sketch", []):
        code, out, err = run("sketch", "photos", "-o", "out")
    assert (code, out) == (1, "") and err.startswith("limner: error: out: another run of limner")
    assert run("sketch", "photos", "-o", "out")[0] == 0


def test_the_key_of_a_result_follows_every_file_and_option(folder: Path) -> None:
    Path("hints.png").write_bytes(b"1")
    base = ("colorize", ["photos/a.png"], {"hints": "hints.png", "gap": 3})
    key = manifest.key_of(*base)
    assert key == manifest.key_of(*base)
    assert key == manifest.key_of("colorize", ["./photos/a.png"], {"gap": 3, "hints": "hints.png"})
    others = [
        ("sketch", ["photos/a.png"], {"hints": "hints.png", "gap": 3}),
        ("colorize", ["photos/c.png"], {"hints": "hints.png", "gap": 3}),
        ("colorize", ["photos/a.png:2"], {"hints": "hints.png", "gap": 3}),
        ("colorize", ["photos/a.png"], {"hints": "hints.png", "gap": 4}),
        ("colorize", ["photos/a.png"], {"hints": "hints.png"}),
    ]
    keys = {manifest.key_of(*other) for other in others}
    assert len(keys) == 5 and key not in keys
    Path("hints.png").write_bytes(b"22")
    assert manifest.key_of(*base) != key


def frames_of(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (40, 30), (20 * index, 90, 200)) for index in range(count)]


def test_all_frames_of_animations_and_pages(run: Run) -> None:
    for name, count in (("walk.gif", 11), ("pages.tif", 2)):
        first, *others = frames_of(count)
        first.save(name, save_all=True, append_images=others)
    line = ("sketch", "walk.gif", "pages.tif", "photos/a.png", "-o", "out", "--frames", "all")
    code, out, _ = run(*line)
    names = [f"walk-{number:04d}.png" for number in range(1, 12)]
    names += ["pages-0001.png", "pages-0002.png", "a.png"]
    assert code == 0 and [Path(line).name for line in out.splitlines()] == names
    assert run(*line)[1] == ""
    sources = {str(entry["source"]) for entry in entries()}
    assert "../walk.gif#11" in sources and "../pages.tif#2" in sources
    assert run("sketch", "walk.gif#3", "-o", "third.png")[0] == 0
    assert Path("third.png").read_bytes() == Path("out/walk-0003.png").read_bytes()
    Path("walk.gif").rename("photos/walk.gif")
    code, _, err = run("replay", "third.png", "-o", "again.png", "--look-in", "photos")
    assert code == 0 and Path("again.png").read_bytes() == Path("third.png").read_bytes()
    assert run("sketch", "photos/walk.gif", "-o", "first/")[2].count("only the first of 11") == 1
    code, out, _ = run("sketch", "photos/walk.gif#2", "photos/walk.gif#3", "-o", "two")
    assert (code, set(contents("two"))) == (0, {"walk-0002.png", "walk-0003.png"})
    code, _, err = run("sketch", "photos/walk.gif#12", "-o", "no.png")
    assert code == 1 and "walk.gif#12: the last frame is 11" in err
    Image.open("photos/a.png").save("odd#3.png")  # a name is not taken for a frame
    assert run("sketch", "odd#3.png", "-o", "odd.png")[0] == 0
    frames_of(1)[0].save("photos/walk.gif")  # another content
    assert run("replay", "third.png", "-o", "x.png")[0] == 1


def test_a_contact_sheet_shows_all_pictures(run: Run) -> None:
    code, out, _ = run("sketch", "photos", "-o", "out", "--sheet")
    sheet = Path("out", "limner-sheet.png")
    assert code == 0 and out.splitlines()[-1] == str(sheet)
    first = sheet.read_bytes()
    sheet.unlink()
    assert run("sketch", "photos", "-o", "out", "--sheet")[1] == f"{sheet}\n"
    assert sheet.read_bytes() == first
    told = run("sketch", "photos", "-o", "out", "--sheet", "--json")[1]
    assert json.loads(told) == {"sheet": str(sheet)}
    assert len(run("sketch", "out", "-o", "again")[1].splitlines()) == 3  # it is none of them
    code, _, err = run("sketch", "photos/a.png", "-o", "a.png", "--sheet")
    assert code == 2 and "--sheet: " in err
    Path("mine").mkdir()
    Path("mine/limner-sheet.png").write_bytes(b"mine")
    code, _, err = run("sketch", "photos", "-o", "mine", "--sheet")
    assert code == 1 and "limner-sheet.png: already exists" in err and len(contents("mine")) == 1
    code, _, err = run("sketch", "photos/a.png", "-o", "b/", "--sheet", "--name", sheet.name)
    assert code == 1 and "would be the contact sheet; use another --name" in err
