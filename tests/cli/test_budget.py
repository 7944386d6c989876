"""Limits of time and money for trainings, their forecasts, and the command at the end."""

import json
import math
import os
import signal
import sys
from pathlib import Path

import pytest

from limner.cli import budget, main, training
from limner.cli.budget import Budget
from limner.errors import InputError, LimnerError, OptionError
from limner.progress import OnStep, Progress, Stop, silent


class Clock:
    """Time that passes when a step is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(budget.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def steps_until_stopped(limits: Budget, clock: Clock, seconds: float, steps: int = 1000) -> int:
    """Train with steps of so many seconds; return how many were done."""
    on_step = limits.watch(silent)
    for step in range(1, steps + 1):
        clock.now += seconds
        try:
            on_step(Progress("train", "", step, steps, 0.0, share=step / steps))
        except Stop:
            return step
    return steps


@pytest.mark.parametrize(
    ("given", "hours"),
    [
        ((2.0, None, None), 2.0),
        ((None, 3.0, 0.5), 6.0),
        ((4.0, 3.0, 0.5), 4.0),
        ((8.0, 3.0, 0.5), 6.0),
    ],
)
def test_the_run_ends_before_the_limit_with_time_for_the_checkpoint(
    clock: Clock, given: tuple[float | None, ...], hours: float
) -> None:
    limits = Budget(*given)
    done = steps_until_stopped(limits, clock, 60)
    assert limits.is_used_up and 60 * done <= 3600 * hours - 60
    assert 60 * done >= 3600 * hours - 180


def test_without_a_limit_or_within_it_nothing_is_stopped(clock: Clock) -> None:
    for given in ((None, None, None), (None, None, 0.5), (1.0, 9.0, 1.0)):
        limits = Budget(*given)
        assert steps_until_stopped(limits, clock, 3) == 1000 and not limits.is_used_up


def test_the_forecast_comes_once_after_a_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    steps_until_stopped(Budget(None, None, 0.9), clock, 11.4)
    assert (
        capsys.readouterr().err == "limner: 1,000 steps: about 3 h 10 min, 2.85 at 0.90 an hour\n"
    )
    steps_until_stopped(Budget(1.0, None, None), clock, 11.4)
    told = "1,000 steps: about 3 h 10 min; stops before 1 h 0 min, continue with --resume"
    assert capsys.readouterr().err == f"limner: {told}\n"
    steps_until_stopped(Budget(1.0, None, None), clock, 0.05)  # it is over within a minute
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0.0, None, None), "--max-hours 0: must be above 0"),
        ((math.nan, None, None), "--max-hours nan: must be above 0"),
        ((None, -1.0, 2.0), "--budget -1: must be above 0"),
        ((None, 5.0, 0.0), "--price-per-hour 0: must be above 0"),
        ((None, 5.0, None), "--budget 5: needs the price of an hour; add --price-per-hour"),
    ],
)
def test_wrong_limits(given: tuple[float | None, ...], message: str) -> None:
    with pytest.raises(OptionError) as told:
        Budget(*given)
    assert str(told.value) == message


def teach(ending: str, run: Path, *, on_step: OnStep = silent) -> dict[str, float]:
    """Stand in for a training that ends in different ways."""
    run.mkdir(exist_ok=True)
    on_step(Progress("train", "", 1, 2, 0.0))
    if ending == "failed":
        raise InputError("x: is damaged")
    if ending == "interrupted":
        raise Stop
    if ending == "killed":
        raise KeyboardInterrupt
    return {"score": 1.0}


@pytest.mark.parametrize(
    ("ending", "state", "expected"),
    [
        ("done", "done", 0),
        ("failed", "failed", 1),
        ("interrupted", "interrupted", 130),
        ("killed", "interrupted", KeyboardInterrupt),
        ("budget", "budget", 4),
    ],
)
def test_the_command_runs_at_every_end(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    state: str,
    expected: int | type[BaseException],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note.py").write_text(
        "import json, os; told = [os.environ['LIMNER_STATE'], os.environ['LIMNER_RUN']]\n"
        "open('told.json', 'w').write(json.dumps(told))\n"
    )
    options = {"output": Path("run"), "when_done": f'"{sys.executable}" note.py'}
    hours = 1e-9 if ending == "budget" else 1.0
    if isinstance(expected, int):
        assert training.train(teach, [ending], {}, max_hours=hours, **options) == expected
    else:
        with pytest.raises(expected):
            training.train(teach, [ending], {}, max_hours=hours, **options)
    assert json.loads(Path("told.json").read_text()) == [state, str(tmp_path / "run")]


def test_a_failing_command_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert training.train(teach, ["done"], {}, output=tmp_path / "run", when_done="exit 3") == 0
    assert "limner: --when-done exit 3: ended with exit code 3\n" in capsys.readouterr().err


def test_the_result_comes_before_the_command_and_alone_on_standard_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = {"output": tmp_path / "run", "when_done": "echo switched off"}
    assert training.train(teach, ["done"], {}, json=True, **options) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["scores"] == {"score": 1.0}
    assert err.endswith("score: 1.0000\nswitched off\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
def test_a_lost_terminal_ends_the_training_in_order(tmp_path: Path) -> None:
    def teach(run: Path, *, on_step: OnStep = silent) -> dict[str, float]:
        signal.raise_signal(signal.SIGHUP)
        on_step(Progress("train", "", 1, 2, 0.0))
        raise AssertionError

    told = tmp_path / "told"
    when_done = f'echo "$LIMNER_STATE" > "{told}"'
    assert training.train(teach, [], {}, output=tmp_path / "run", when_done=when_done) == 130
    assert told.read_text() == "interrupted\n"


def test_mistakes_in_the_limits_run_no_command(tmp_path: Path) -> None:
    with pytest.raises(LimnerError):
        training.train(teach, ["done"], {}, output=tmp_path / "run", budget=1.0, when_done="exit 3")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["painter", "colorizer", "upscaler", "beautifier", "features"])
def test_every_training_has_the_limits(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["train", name, "--help"])
    text = capsys.readouterr().out
    for option in ("--max-hours", "--budget", "--price-per-hour", "--when-done"):
        assert text.count(f" {option} ") >= 1
