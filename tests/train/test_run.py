"""Run folders that can be trusted: options, logs, checkpoints, and what a killed run leaves."""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from disk import full_disk
from limner.errors import InputError, LimnerError, OptionError, OutputError
from limner.nn import seeding, weights
from limner.progress import OnStep, Progress, Stop, silent
from limner.train.run import Run, check_training, cosine

OPTIONS = {"steps": 10, "learning_rate": 0.002, "photos": ["a", "b"]}


def start(
    folder: Path,
    options: Mapping[str, object],
    *,
    resume: bool,
    logs: Sequence[str] = ("log",),
    training: str = "upscaler",
    on_step: OnStep = silent,
) -> Run:
    return Run(training, folder, options, resume=resume, logs=logs, on_step=on_step)


# --- learning rate ------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "steps", "warmup", "share"),
    [
        (0, 1000, 1, 1.0),
        (0, 1000, 200, 1 / 200),
        (99, 1_000_000, 200, 1 / 2),  # half of the warm-up, so early that the cosine is 1
        (250, 1000, 1, (1 + math.sqrt(1 / 2)) / 2),
        (500, 1000, 200, 1 / 2),
        (2000, 3000, 200, 1 / 4),  # cos 120° = -1/2
        (1000, 1000, 200, 0.0),
    ],
)
def test_the_rate_at_known_points(step: int, steps: int, warmup: int, share: float) -> None:
    assert cosine(step, steps, warmup=warmup) == pytest.approx(share, abs=1e-7)


def test_the_rate_rises_and_falls_once() -> None:
    shares = np.array([cosine(step, 2000) for step in range(2000)])
    # where warm-up and cosine meet: before 200 of 2000 the cosine is still above 0.97
    assert np.diff(shares)[:190].min() > 0 and np.diff(shares)[200:].max() < 0
    assert shares.min() > 0 and shares.max() < 1


def test_random_numbers_belong_to_seed_and_step() -> None:
    drawn = {
        (seed, step): torch.rand(4, generator=seeding.generator(seed, step))
        for seed in range(3)
        for step in range(3)
    }
    again = torch.rand(4, generator=seeding.generator(1, 2))
    np.testing.assert_array_equal(drawn[1, 2], again)
    assert len({tuple(numbers.tolist()) for numbers in drawn.values()}) == 9


# --- run folder ------------------------------------------------------------


def test_a_run_notes_its_options(tmp_path: Path) -> None:
    start(tmp_path / "deep" / "run", OPTIONS, resume=False)
    assert json.loads((tmp_path / "deep" / "run" / "options.json").read_text()) == {
        "training": "upscaler",
        **OPTIONS,
    }


def test_a_run_is_not_replaced_by_accident(tmp_path: Path) -> None:
    start(tmp_path, OPTIONS, resume=False).save({"step": 1})
    with pytest.raises(OutputError, match="already holds a run; continue it with --resume, or"):
        start(tmp_path, OPTIONS, resume=False)


def test_a_run_without_checkpoint_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="has no checkpoint to resume"):
        start(tmp_path / "none", OPTIONS, resume=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("steps", 11, "--steps 11: this run was started with 10; resume it with the same options"),
        ("learning_rate", 0.1, "--learning-rate 0.1: this run was started with 0.002"),
        ("photos", ["a"], "PHOTOS a: this run was started with a, b"),
        ("seed", 1, "--seed 1: this run was started with None"),
    ],
)
def test_a_run_is_resumed_with_the_same_options_only(
    tmp_path: Path, name: str, value: object, says: str
) -> None:
    start(tmp_path, OPTIONS, resume=False).save({"step": 1})
    with pytest.raises(OptionError, match=f"^{says}"):
        start(tmp_path, OPTIONS | {name: value}, resume=True)
    assert start(tmp_path, OPTIONS, resume=True).load() == {"step": 1}
    # a tuple is what JSON makes of it
    assert start(tmp_path, OPTIONS | {"photos": ("a", "b")}, resume=True).load() == {"step": 1}


def test_a_run_that_recorded_the_folder_of_its_weights_is_resumed(tmp_path: Path) -> None:
    start(tmp_path, OPTIONS | {"teacher": "/home/me/best.pth"}, resume=False).save({"step": 1})
    again = start(tmp_path, OPTIONS | {"teacher": "best.pth"}, resume=True)
    assert again.load() == {"step": 1}
    with pytest.raises(OptionError, match=r"^--teacher other.pth: this run was started with best"):
        start(tmp_path, OPTIONS | {"teacher": "other.pth"}, resume=True)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/run: .*file is a file; name a folder$"):
        start(tmp_path / "file" / "run", OPTIONS, resume=False)


def test_a_checkpoint_gives_back_what_was_put_in(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    layer(torch.ones(3)).sum().backward()
    optimizer.step()
    run.save({"step": 7, "layer": layer.state_dict(), "optimizer": optimizer.state_dict()})
    state = start(tmp_path, OPTIONS, resume=True).load()
    assert state["step"] == 7
    np.testing.assert_array_equal(state["layer"]["weight"], layer.weight.detach())
    (moment, _) = state["optimizer"]["state"].values()
    # Adam after one step: a tenth of the gradient, which is 1 everywhere
    np.testing.assert_allclose(moment["exp_avg"], np.full((2, 3), 0.1), rtol=1e-6)


def test_a_checkpoint_that_fails_midway_leaves_the_last_one(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    run.save({"step": 1, "picture": torch.zeros(10)})
    with (
        full_disk(4000),
        pytest.raises(
            OutputError, match=r"checkpoint\.pt: .*; free some disk space, then use --resume"
        ),
    ):
        run.save({"step": 2, "picture": torch.zeros(100_000)})
    assert start(tmp_path, OPTIONS, resume=True).load()["step"] == 1


class Hostile:
    """Unpickled by a careless reader, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    target = tmp_path / "was here"
    run.save({"step": 1, "more": Hostile(target)})
    with pytest.raises(InputError, match=r"checkpoint\.pt: is cut off or damaged;"):
        run.load()
    assert not target.exists()
    torch.load(run.checkpoint, weights_only=False)  # and it would have
    assert target.exists()


@pytest.mark.parametrize("kept", [0, 10, 300, -1])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, kept: int) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    run.save({"step": 1, "picture": torch.zeros(100)})
    run.checkpoint.write_bytes(run.checkpoint.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"checkpoint\.pt: is cut off or damaged;"):
        run.load()


def test_the_log_goes_back_to_the_checkpoint(tmp_path: Path) -> None:
    with start(tmp_path, OPTIONS, resume=False) as run:
        for step in (50, 100, 150, 1000):
            run.log(step, {"loss": 1 / step, "score": 0.5})
        run.save({"step": 100})
    with start(tmp_path, OPTIONS, resume=True) as run:
        run.load()
        run.log(150, {"loss": 0.25, "score": 0.75})
    assert (tmp_path / "log.csv").read_text().splitlines() == [
        "step,loss,score",
        "50,0.02,0.5",
        "100,0.01,0.5",
        "150,0.25,0.75",
    ]


def test_a_log_that_went_back_is_the_same_to_the_byte(tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        with start(tmp_path / name, OPTIONS, resume=False) as run:
            run.log(50, {"loss": 0.5})
            run.save({"step": 50})
            run.log(100, {"loss": 0.25})
    with start(tmp_path / "broken", OPTIONS, resume=True) as run:
        run.load()
        run.log(100, {"loss": 0.25})
    whole, broken = ((tmp_path / name / "log.csv").read_bytes() for name in ("whole", "broken"))
    assert whole == broken


def test_every_log_goes_back_to_the_checkpoint(tmp_path: Path) -> None:
    """One that had begun by then, one that had not, and one that was over."""
    names = ("first", "second", "third")
    for name in ("whole", "broken"):
        with start(tmp_path / name, OPTIONS, resume=False, logs=names) as run:
            run.log(5, {"warm": 1}, "first")
            run.log(10, {"loss": 0.5, "psnr": 30}, "second")
            run.save({"step": 10})
            run.log(15, {"loss": 0.25, "psnr": 31}, "second")
            run.log(20, {"other": 7}, "third")
    broken = tmp_path / "broken"
    with start(broken, OPTIONS, resume=True, logs=names) as run:
        run.load()
        found = {log.stem: log.read_text() for log in broken.glob("*.csv")}
        second = "step,loss,psnr\n10,0.5,30\n"
        assert found == {"first": "step,warm\n5,1\n", "second": second, "third": "step,other\n"}
        run.log(15, {"loss": 0.25, "psnr": 31}, "second")
        run.log(20, {"other": 7}, "third")
    for name in names:
        again = (tmp_path / "whole" / f"{name}.csv").read_bytes()
        assert (broken / f"{name}.csv").read_bytes() == again
    assert again == b"step,other\n20,7\n"


@pytest.mark.parametrize("left", ["", "step,loss\n50,0.5\n10", "step,loss\n50,0.5\n\n"])
def test_a_log_cut_off_midway_does_not_stop_a_run(tmp_path: Path, left: str) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    run.save({"step": 50})
    (tmp_path / "log.csv").write_text(left)
    assert start(tmp_path, OPTIONS, resume=True).load() == {"step": 50}


def test_a_row_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    run.save({"step": 50})
    (tmp_path / "log.csv").write_text("step,loss\n50,0.5\n10")  # of step 100, whose 10 is below 50
    start(tmp_path, OPTIONS, resume=True).load()
    assert (tmp_path / "log.csv").read_bytes() == b"step,loss\n50,0.5\n"


def test_a_first_line_that_was_cut_off_is_written_anew(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    run.log(1, {"loss": 0.5})
    whole = (tmp_path / "log.csv").read_bytes()
    run.save({"step": 0})
    (tmp_path / "log.csv").write_bytes(whole[:3])
    again = start(tmp_path, OPTIONS, resume=True)
    again.load()
    again.log(1, {"loss": 0.5})
    assert (tmp_path / "log.csv").read_bytes() == whole


def test_a_log_stays_where_it_cannot_be_written_anew(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    for step in range(100):
        run.log(step, {"loss": 0.5})
    run.save({"step": 98})
    before = (tmp_path / "log.csv").read_bytes()
    again = start(tmp_path, OPTIONS, resume=True)
    with full_disk(500), pytest.raises(OutputError, match=r"log\.csv: cannot be written"):
        again.load()
    assert (tmp_path / "log.csv").read_bytes() == before


def test_what_was_left_in_the_samples_is_removed_too(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    run.save({"step": 1})
    run.write_samples(1, torch.zeros(1, 3, 4, 4))
    (tmp_path / "samples/.limner-0123456789abcdef.part").touch()
    start(tmp_path, OPTIONS, resume=True)
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["000001.png"]


def test_samples_that_cannot_be_written_are_told_in_one_line(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    (tmp_path / "samples").touch()  # a file
    with pytest.raises(OutputError, match=r"samples: cannot be written \(File exists\); free some"):
        run.write_samples(1, torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize("left", [None, "{", "[]"])
def test_a_run_whose_options_are_lost_is_refused(tmp_path: Path, left: str | None) -> None:
    start(tmp_path, OPTIONS, resume=False).save({"step": 50})
    if left is None:
        (tmp_path / "options.json").unlink()
    else:
        (tmp_path / "options.json").write_text(left)
    with pytest.raises(LimnerError):
        start(tmp_path, OPTIONS, resume=True)


def test_a_run_stopped_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("not a log")
    with start(tmp_path, OPTIONS, resume=False, logs=("log", "other")) as run:
        run.log(3, {"loss": 0.5})
        run.log(3, {"loss": 0.5}, "other")
    with start(tmp_path, OPTIONS, resume=False, logs=("log", "other")) as run:
        run.log(1, {"loss": 0.25})
    assert (tmp_path / "log.csv").read_text() == "step,loss\n1,0.25\n"
    assert not (tmp_path / "other.csv").exists() and (tmp_path / "mine.csv").exists()


def test_numbers_in_the_log_have_six_digits(tmp_path: Path) -> None:
    with start(tmp_path, OPTIONS, resume=False) as run:
        run.log(1, {"third": 1 / 3, "many": 123456789.0, "small": 1.23456789e-7})
    (_, row) = (tmp_path / "log.csv").read_text().splitlines()
    assert row == "1,0.333333,1.23457e+08,1.23457e-07"


def test_a_checkpoint_of_another_version_is_named_as_such(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    run.save({"step": 1})
    for content, form in (({"step": 1, "format": 99}, 99), ({"step": 1}, 1)):
        torch.save(content, run.checkpoint)
        says = rf"another version of limner \(checkpoint format {form}"
        with pytest.raises(InputError, match=says):
            run.load()


def test_a_checkpoint_of_another_training_is_named_as_such(tmp_path: Path) -> None:
    start(tmp_path, OPTIONS, resume=False).save({"step": 1})
    with pytest.raises(OptionError, match=r"is a run of limner train upscaler, not of limner tra"):
        start(tmp_path, OPTIONS, resume=True, training="colorizer")


@pytest.mark.parametrize("error", [KeyError("stage"), RuntimeError("Missing key(s)"), TypeError()])
def test_a_checkpoint_whose_parts_do_not_fit_is_told_in_one_line(
    tmp_path: Path, error: Exception
) -> None:
    start(tmp_path, OPTIONS, resume=False).save({"step": 1})
    with (
        pytest.raises(InputError, match=r"checkpoint\.pt: does not fit this training; use the"),
        start(tmp_path, OPTIONS, resume=True) as run,
    ):
        run.load()
        raise error
    with pytest.raises(type(error)), start(tmp_path, OPTIONS, resume=True) as run:
        run.load()
        run.report("", 2, 3, dict)
        raise error  # a step was made, so this is no fault of the checkpoint


def test_tensors_of_another_device_come_to_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    run.save({"step": 1, "picture": torch.ones(3)})
    asked: list[object] = []
    load = torch.load

    def loading(*args: Any, **options: Any) -> Any:
        asked.append(options.get("map_location"))
        return load(*args, **options)

    monkeypatch.setattr(torch, "load", loading)
    assert run.load()["picture"].device.type == "cpu"
    assert asked == ["cpu"]


def test_a_first_checkpoint_that_was_not_renamed_is_used(tmp_path: Path) -> None:
    run = start(tmp_path, OPTIONS, resume=False)
    run.save({"step": 5})
    run.checkpoint.rename(tmp_path / ".limner-0123456789abcdef.part")  # killed before the rename
    (tmp_path / ".limner-0000000000000000.part").write_bytes(b"PK cut off")
    assert start(tmp_path, OPTIONS, resume=True).load() == {"step": 5}
    assert run.checkpoint.is_file() and not list(tmp_path.glob(".limner-*"))


def test_a_first_checkpoint_that_was_cut_off_is_not(tmp_path: Path) -> None:
    start(tmp_path, OPTIONS, resume=False)
    part = tmp_path / ".limner-0123456789abcdef.part"
    part.write_bytes(b"PK cut off")
    with pytest.raises(OutputError, match="was killed while it wrote its first checkpoint; leave"):
        start(tmp_path, OPTIONS, resume=True)
    start(tmp_path, OPTIONS, resume=False)
    assert not part.exists()


def test_a_run_killed_while_it_wrote_its_options_is_started_anew(tmp_path: Path) -> None:
    part = tmp_path / ".limner-0123456789abcdef.part"
    part.write_text("{")
    with pytest.raises(OutputError, match="has no checkpoint to resume; leave out --resume"):
        start(tmp_path, OPTIONS, resume=True)
    start(tmp_path, OPTIONS, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["options.json"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    start(tmp_path, OPTIONS, resume=False).save({"step": 5})
    for name in (".limner-0123456789abcdef.part", "checkpoint.tmp"):
        (tmp_path / name).write_bytes(b"cut off")
    assert start(tmp_path, OPTIONS, resume=True).load() == {"step": 5}
    assert {path.name for path in tmp_path.iterdir()} == {"options.json", "checkpoint.pt"}


@pytest.mark.parametrize("name", ["photos", "pictures", "folder"])
def test_another_folder_is_named_as_the_argument_it_is(tmp_path: Path, name: str) -> None:
    start(tmp_path, {name: ["a", "b"]}, resume=False).save({"step": 5})
    with pytest.raises(
        OptionError, match=rf"^{name.upper()} c: this run was started with a, b; resume it with"
    ):
        start(tmp_path, {name: ["c"]}, resume=True)


def test_a_training_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    for name, made in (("new", False), ("there", True)):
        if made:
            (tmp_path / name).mkdir()
        with pytest.raises(InputError), start(tmp_path / name, OPTIONS, resume=False):
            raise InputError("photos: holds no picture")
        assert (tmp_path / name).exists() is made


def test_a_run_folder_is_no_address() -> None:
    with pytest.raises(InputError, match=r"^s3://a/run: is an address; name a folder on this mac"):
        start(Path("s3://a/run"), OPTIONS, resume=False)


def test_a_resumed_run_says_what_it_found(tmp_path: Path) -> None:
    start(tmp_path, OPTIONS, resume=False).save({"step": 5})
    seen: list[Progress] = []
    run = start(tmp_path, OPTIONS, resume=True, on_step=seen.append)
    run.load()
    for step in (6, 7):
        run.report("stage", step, 10, dict, loss=0.5)
    assert [one.note for one in seen] == ["resuming after step 5", ""]
    assert seen[0].verb == "train upscaler" and seen[1].share == 0.7
    for steps in (5, 4):
        run = start(tmp_path, OPTIONS, resume=True, on_step=seen.append)
        run.load()
        run.report("stage", 5, steps, dict)
        assert seen[-1].note == "finished after step 5; more --steps continue it"


def test_a_run_that_is_stopped_saves_a_checkpoint(tmp_path: Path) -> None:
    def stop(_: Progress) -> None:
        raise Stop

    run = start(tmp_path, OPTIONS, resume=False, on_step=stop)
    with pytest.raises(Stop):
        run.report("stage", 3, 10, lambda: {"step": 3, "more": "state"})
    assert run.load() == {"step": 3, "more": "state"}
    saved = run.checkpoint.stat().st_mtime_ns
    with pytest.raises(Stop):  # the step is saved already
        run.report("stage", 3, 10, lambda: {"step": 3, "more": "again"})
    assert run.load()["more"] == "state" and run.checkpoint.stat().st_mtime_ns == saved


def test_a_run_leaves_the_random_state_of_the_caller(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with start(tmp_path, OPTIONS, resume=False):
        torch.manual_seed(99)
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"steps": 0}, "--steps 0: must be at least 1"),
        ({"batch_size": -1}, "--batch-size -1: must be at least 1"),
        ({"learning_rate": 0.0}, "--learning-rate 0: must be above 0 and below 1"),
        ({"learning_rate": 1.0}, "--learning-rate 1: must be above 0 and below 1"),
    ],
)
def test_options_of_every_training(given: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=f"^{says}$"):
        check_training(**given)
    check_training(0.5, steps=1, batch_size=None)


def test_a_folder_that_is_deleted_in_mid_run_is_named(tmp_path: Path) -> None:
    run = start(tmp_path / "run", OPTIONS, resume=False)
    shutil.rmtree(tmp_path / "run")
    said = "cannot be written, because its folder was deleted or renamed; put the folder back"
    with pytest.raises(OutputError) as told:
        run.save({"step": 1})
    assert str(told.value) == f"{run.checkpoint}: {said}, then use --resume"
    with pytest.raises(OutputError) as told:
        run.log(1, {"loss": 0.5})
    assert str(told.value) == f"{tmp_path / 'run' / 'log.csv'}: {said}, then use --resume"
    with pytest.raises(OutputError) as told:
        weights.write(tmp_path / "run" / "model.safetensors", {}, {})
    assert str(told.value) == f"{tmp_path / 'run' / 'model.safetensors'}: {said}"
