"""Workers: the same pictures in several processes, and what happens when one of them dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from limner.batch import forecast, manifest
from limner.batch.plan import Job
from limner.cli import main
from limner.cli.console import Console
from limner.cli.picture import Made, Task
from limner.cli.workers import Processes, make_all
from limner.errors import InputError, OutputError
from limner.nn import devices, machine
from limner.progress import OnStep, Progress, silent

pytestmark = pytest.mark.slow
Run = Callable[..., tuple[int, str, str]]
needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with eight photos."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed in range(8):
        coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((256, 192)).save(f"photos/{seed}.png")
    return tmp_path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command line: exit code, stdout, stderr."""

    def running(*tokens: str) -> tuple[int, str, str]:
        code = main.main(tokens)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return running


def contents(name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(name).glob("*.png")}


# Verbs for `Processes`. A picture whose name is also that of an empty file beside it ends its
# process: once, if the file can be removed.


def copy(picture: str, *, on_step: OnStep = silent) -> Image.Image:
    time.sleep(0.1)  # so that no process can make them all
    kill = Path(picture).with_suffix(".kill")
    if kill.exists():
        if "once" in kill.name:
            kill.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if "bad" in picture:
        raise InputError(f"{picture}: bad")
    on_step(Progress("copy", "", 1, 1, 0.0, note="copied"))
    image = Image.new("RGB", (8, 8), "red")
    image.info["limner"] = json.dumps({})
    return image


def endless(picture: str, *, on_step: OnStep = silent) -> Image.Image:
    for step in range(10_000):
        Path(picture).touch()
        time.sleep(0.02)
        on_step(Progress("endless", "", step, 10_000, 0.0))
    raise AssertionError


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes(2, 1) as started:
        yield started


def tasks(verb: Callable[..., Image.Image], *names: str) -> list[Task]:
    Path("out").mkdir(exist_ok=True)
    jobs = [Job(name, (name,), Path("out", f"{Path(name).stem}.png")) for name in names]
    return [
        Task(verb, {}, job, "key", keep_exif=False, no_recipe=False, json=False) for job in jobs
    ]


def made_by(processes: Processes, given: list[Task]) -> tuple[list[str], dict[str, Made]]:
    """Make pictures; return what was begun, in order, and what came of each."""
    begun: list[str] = []
    made = make_all(given, processes, Console(), lambda task: begun.append(task.job.source))
    return begun, {task.job.source: one for task, one in made}


def test_two_workers_make_the_same_bytes_as_one(run: Run) -> None:
    Path("photos/3.png").write_bytes(b"no picture")
    line = ("colorize", "photos", "--force")
    code, out, err = run(*line, "-o", "two", "--jobs", "2", "--json")
    told = [json.loads(text) for text in out.splitlines()]
    assert code == 3 and len(told) == 8
    assert [one["output"] for one in told if "error" in one] == [str(Path("two/3.png"))]
    assert err.endswith("limner: 1 of 8 pictures could not be made\n")
    assert err.count("3.png: is damaged") == 1
    assert run(*line, "-o", "one", "--jobs", "1")[0] == 3
    assert contents("one") == contents("two") and len(contents("two")) == 7
    entries = manifest.read(Path("two")).values()
    assert 1 <= len({entry["worker"] for entry in entries}) <= 2
    assert run(*line, "-o", "two", "--jobs", "2")[1] == ""


def test_remarks_are_said_once_and_every_worker_has_work(processes: Processes) -> None:
    given = tasks(copy, *(f"{number}.x" for number in range(6)), "bad.x")
    begun, made = made_by(processes, given)
    assert sorted(begun) == sorted(made) and len(made) == 7
    assert len({one.worker for one in made.values()}) == 2
    assert isinstance(made["bad.x"].error, InputError) and made["bad.x"].failure == "bad.x: bad"
    said = sorted(one.said for one in made.values())
    assert said == [""] * 5 + ["limner: copied\n"] * 2  # once per process
    printed = {one.printed for name, one in made.items() if name != "bad.x"}
    assert printed == {f"{Path('out', f'{number}.png')}\n" for number in range(6)}


@needs_signals
def test_the_picture_of_a_worker_that_dies_is_made_again(processes: Processes) -> None:
    for name in ("once.kill", "always.kill"):
        Path(name).touch()
    given = tasks(copy, *(f"{number}.x" for number in range(4)), "once.x", "always.x", "9.x")
    begun, made = made_by(processes, given)
    assert len(made) == 7
    failed = {name: one.failure for name, one in made.items() if one.failure}
    assert list(failed) == ["always.x"] and "its worker was ended" in failed["always.x"]
    assert begun.count("once.x") >= 2 and begun.count("always.x") >= 2
    assert len(contents("out")) == 6


def test_workers_stop_after_a_step(processes: Processes) -> None:
    console = Console()
    made = make_all(tasks(endless, "a.x", "b.x", "c.x"), processes, console, lambda _: None)
    console.asked_to_stop = True  # before the first is begun
    assert list(made) == []
    console.asked_to_stop = False
    with Processes(2, 1) as fresh:
        made = make_all(
            tasks(endless, "a.x", "b.x", "c.x"),
            fresh,
            console,
            lambda _: setattr(console, "asked_to_stop", True),
        )
        assert [one.code for _, one in made] == [130] * 2
    assert contents("out") == {}


def started(*more: str) -> "subprocess.Popen[str]":
    """Start a long command with two workers, and wait until they work."""
    command = [sys.executable, "-m", "limner", "stylize", "photos", "photos/0.png", "-o", "out"]
    process = subprocess.Popen(
        [*command, "--jobs", "2", "--size", "96", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@needs_signals
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the system does not list processes")
def test_workers_end_with_a_parent_that_is_killed() -> None:
    process = started()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.kill()
    process.wait()
    until = time.monotonic() + 1
    while time.monotonic() < until and any(map(_is_alive, children)):
        time.sleep(0.02)
    assert not any(map(_is_alive, children))
    with process:
        pass
    again = started()
    assert again.communicate()[1].count("is damaged") == 0 and again.returncode == 0
    assert len(contents("out")) == 8


def _is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@needs_signals
def test_ctrl_c_reaches_the_workers_through_their_parent() -> None:
    process = started()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate()
    assert process.returncode == 130 and "Traceback" not in err
    lines = err.splitlines()
    assert "interrupted: " in lines[-1] and " of 8 are made; the same command" in lines[-1]
    made = len(out.splitlines()) + 1
    assert f"interrupted: {made} of 8" in lines[-1] and len(contents("out")) == made < 8


@needs_signals
def test_ctrl_c_while_a_picture_is_handed_out_is_not_lost(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was: the signal was ignored for that moment, and the command went on."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    hand_out = processes._pool.submit

    def pressing(*given: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return hand_out(*given)

    monkeypatch.setattr(processes._pool, "submit", pressing)
    try:
        (task,) = tasks(copy, "a.x")
        assert processes.submit(task).result().failure == ""
        assert pressed == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_machine_is_shared_by_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def shared(verb: str, count: int, pixels: int, **options: object) -> tuple[int, int]:
        sizes = {Job(str(n), (str(n),), Path(f"{n}.png")): pixels for n in range(count)}
        return forecast.need(verb, sizes, {"device": "cpu", **options})[:2]

    monkeypatch.setattr(machine, "free", lambda: 2**40)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    for memory, pixels, options, expected in (
        (64, 10**6, {}, (4, 2)),
        (64, 10**6, {"size": 8192}, (4, 2)),
        (8, 12_000_000, {}, (2, 4)),
        (8, 10**6, {"size": 4096}, (2, 4)),
        (2, 12_000_000, {}, (1, 8)),
    ):
        monkeypatch.setattr(devices, "memory", lambda _, m=memory: m * 2**30)
        assert shared("stylize", 20, pixels, **options) == expected
    monkeypatch.setattr(devices, "memory", lambda _: 500 * 2**30)
    assert shared("colorize", 20, 10**6, size=8192) == (4, 2)  # a size that the network sees
    assert shared("sketch", 1, 100) == (1, 8) and shared("sketch", 3, 100) == (3, 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert shared("sketch", 20, 100) == (2, 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 256)
    assert shared("sketch", 200, 100) == (60, 4)
    monkeypatch.setattr(machine, "free", lambda: 20 * 2**30)  # others hold the rest
    assert shared("upscale", 200, 10**7, scale=4) == (2, 6)  # 9.7 GiB each
    assert shared("sketch", 200, 100) == (
        24,
        4,
    )  # 0.8 GiB each; the same threads, so the same bytes


def test_workers_start_only_where_they_save_time() -> None:
    assert forecast.is_soon_done("sketch", [10**6]) and not forecast.is_soon_done("stylize", [10])
    assert not forecast.is_soon_done("sketch", [10**6, 10**6])


def test_results_that_cannot_fit_on_the_disk_are_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 8 * 256 * 192 // 10
    usage = SimpleNamespace(free=free - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, out, err = run("sketch", "photos", "-o", "out")
    assert (code, out) == (1, "") and "8 pictures need at least 0.0 GB, and 0.0 GB are" in err
    assert not Path("out").exists()
    usage.free = free + 1
    assert run("sketch", "photos", "-o", "out", "--jobs", "1")[0] == 0
    sizes = {Job("a", ("a",), Path("a.jpg")): 10 * 10**6}
    usage.free = 10**6
    forecast.check_disk("upscale", Path(), sizes, {})
    forecast.check_disk("stylize", Path(), sizes, {"scale": 4})
    forecast.check_disk("upscale", Path(), sizes, {"width": 600})
    for verb, options in (
        ("upscale", {"scale": 3}),
        ("upscale", {"width": 9 * 10**3}),
        ("upscale", {"width": 10**4, "height": 10**4}),
        ("stylize", {"size": 10**4}),
    ):
        with pytest.raises(OutputError, match=r"1 pictures need at least 0\.0 GB"):
            forecast.check_disk(verb, Path(), sizes, options)


def test_the_pixels_of_a_damaged_picture_are_none() -> None:
    Path("bad.avif").write_bytes(b"\0\0\0\x20ftypavif" + bytes(40))
    assert forecast.pixels("bad.avif") == forecast.pixels("missing.png") == 0
    assert forecast.pixels("photos/0.png") == 256 * 192


def test_a_wrong_number_of_jobs_is_refused(run: Run) -> None:
    for number in ("0", "61", "-1"):
        code, _, err = run("sketch", "photos", "-o", "out", "--jobs", number)
        assert code == 2 and f"--jobs {number}: must be" in err
    assert not Path("out").exists()
