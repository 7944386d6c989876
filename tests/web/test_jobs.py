"""Jobs: one at a time, in order, each of them stopped within a step, and none lost."""

import threading
import time
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from limner.errors import InputError
from limner.progress import OnStep, Progress, Stop
from limner.web import jobs
from limner.web.jobs import Bench, Job, small_jpeg, time_left


def moment(step: int, steps: int, preview: Callable[[], Image.Image] | None = None) -> Progress:
    return Progress("test", "here", step, steps, float(step), preview=preview, share=step / steps)


def slow(steps: int, took: list[int], gate: threading.Event | None = None) -> Callable[..., str]:
    """Work of so many steps that keeps what it has when it is stopped."""

    def work(on_step: OnStep) -> str:
        if gate is not None:
            assert gate.wait(10)
        try:
            for step in range(1, steps + 1):
                time.sleep(0.005)
                took.append(step)
                on_step(moment(step, steps))
        except Stop:
            return f"after {step}"
        return "whole"

    return work


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_jobs_are_done_one_at_a_time_in_order(bench: Bench) -> None:
    inside, most, done = [0], [0], []

    def work(number: int) -> Callable[[OnStep], None]:
        def doing(_: OnStep) -> None:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.002)
            done.append(number)
            inside[0] -= 1

        return doing

    many = [bench.add(Job(work(number))) for number in range(20)]
    assert all(job.over.wait(10) for job in many)
    assert done == list(range(20)) and most == [1]
    assert {job.state for job in many} == {"done"}
    bench.close()


def test_the_queue_says_its_places(bench: Bench) -> None:
    gate = threading.Event()
    many = [bench.add(Job(slow(1, [], gate))) for _ in range(4)]
    while many[0].state != "running":
        time.sleep(0.001)
    assert [bench.place(job) for job in many] == [0, 1, 2, 3]
    many[1].stop()
    assert many[1].state == "stopped"
    assert [bench.place(job) for job in many] == [0, 0, 1, 2]
    gate.set()
    assert all(job.over.wait(10) for job in many)
    assert [job.state for job in many] == ["done", "stopped", "done", "done"]
    bench.close()


def test_stop_ends_within_a_step_and_keeps_what_there_is(bench: Bench) -> None:
    took: list[int] = []
    job = bench.add(Job(slow(10_000, took)))
    while len(took) < 3:
        time.sleep(0.001)
    job.stop()
    at = len(took)
    assert job.over.wait(5)
    assert len(took) <= at + 1
    assert job.state == "stopped" and job.result == f"after {len(took)}"
    bench.close()


def test_stop_before_there_is_anything_says_so(bench: Bench) -> None:
    begun = threading.Event()

    def work(on_step: OnStep) -> None:
        begun.set()
        while True:
            on_step(moment(0, 5))
            time.sleep(0.001)

    job = bench.add(Job(work))
    assert begun.wait(5)
    job.stop()
    assert job.over.wait(5)
    assert (job.state, job.result) == ("stopped", None)
    assert "nothing to keep" in job.message
    bench.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputError("x.png: is damaged"), "x.png: is damaged"),
        (ZeroDivisionError("oh"), "ZeroDivisionError: oh (a bug in limner; please report it)"),
        (MemoryError(), "there is not enough memory; use a smaller size"),
    ],
)
def test_what_goes_wrong_is_a_line_and_the_next_job_is_done(
    bench: Bench, error: Exception, said: str
) -> None:
    def work(_: OnStep) -> None:
        raise error

    first, second = bench.add(Job(work)), bench.add(Job(lambda _: "fine"))
    assert first.over.wait(5) and second.over.wait(5)
    assert (first.state, first.message) == ("failed", said)
    assert (second.state, second.result) == ("done", "fine")
    bench.close()


def test_previews_are_small_and_seldom() -> None:
    made: list[int] = []

    def preview() -> Image.Image:
        made.append(1)
        return Image.new("RGB", (1600, 800), (200, 30, 30))

    job = Job(lambda _: None)
    began = time.monotonic()
    for step in range(1, 200):
        job.on_step(moment(step, 200, preview))
        time.sleep(0.003)
    took = time.monotonic() - began
    assert 1 <= len(made) <= 1 + took / jobs._PAUSE
    assert job.previews == len(made) and job.preview is not None
    with Image.open(BytesIO(job.preview)) as seen:
        assert seen.format == "JPEG" and seen.size == (512, 256)


def test_costly_previews_come_more_seldom_still() -> None:
    spent = [0.0]

    def preview() -> Image.Image:
        time.sleep(0.1)
        spent[0] += 0.1
        return Image.new("RGB", (8, 8))

    job = Job(lambda _: None)
    began = time.monotonic()
    while time.monotonic() - began < 1.0:
        job.on_step(moment(1, 200, preview))
    assert spent[0] == pytest.approx(0.1)  # the next is due after 2.5 s


def test_a_job_that_nobody_asks_for_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_WAITS", 0.05)
    took: list[int] = []
    job = bench.add(Job(slow(10_000, took)))
    assert job.over.wait(5)
    assert job.state == "stopped" and len(took) < 1000
    bench.close()


def test_closing_ends_what_waits_and_what_runs(bench: Bench) -> None:
    took: list[int] = []
    many = [bench.add(Job(slow(10_000, took))) for _ in range(3)]
    while not took:
        time.sleep(0.001)
    bench.close()
    assert [job.state for job in many] == ["stopped"] * 3
    assert not bench._thread.is_alive()


def test_small_pictures_lie_on_white() -> None:
    clear = Image.new("RGBA", (40, 20), (255, 0, 0, 0))
    with Image.open(BytesIO(small_jpeg(clear))) as seen:
        assert np.asarray(seen).min() >= 250


def test_time_left() -> None:
    assert time_left(Progress("", "", 0, 0, 0.0)) is None
    assert time_left(Progress("", "", 1, 4, 10.0, share=0.25)) == pytest.approx(30)
    assert time_left(Progress("", "", 4, 4, 10.0, share=1.0)) is None
