"""Jobs run one at a time and in order, stop within a step, and none is lost."""

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
from limner.web.jobs import Job, JobQueue, seconds_left, small_jpeg


def progress_at(
    step: int, steps: int, preview: Callable[[], Image.Image] | None = None
) -> Progress:
    return Progress("test", "here", step, steps, float(step), preview=preview, share=step / steps)


def slow(steps: int, took: list[int], gate: threading.Event | None = None) -> Callable[..., str]:
    """Return work of several slow steps that returns what it has when it is stopped."""

    def work(on_step: OnStep) -> str:
        if gate is not None:
            assert gate.wait(10)
        try:
            for step in range(1, steps + 1):
                time.sleep(0.005)
                took.append(step)
                on_step(progress_at(step, steps))
        except Stop:
            return f"after {step}"
        return "whole"

    return work


@pytest.fixture
def queue() -> JobQueue:
    return JobQueue()


def test_jobs_are_done_one_at_a_time_in_order(queue: JobQueue) -> None:
    inside, most, done = [0], [0], []

    def work(number: int) -> Callable[[OnStep], None]:
        def doing(_: OnStep) -> None:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.002)
            done.append(number)
            inside[0] -= 1

        return doing

    many = [queue.add(Job(work(number))) for number in range(20)]
    assert all(job.finished.wait(10) for job in many)
    assert done == list(range(20)) and most == [1]
    assert {job.state for job in many} == {"done"}
    queue.close()


def test_the_queue_counts_the_jobs_before_one(queue: JobQueue) -> None:
    gate = threading.Event()
    many = [queue.add(Job(slow(1, [], gate))) for _ in range(4)]
    while many[0].state != "running":
        time.sleep(0.001)
    assert [queue.jobs_before(job) for job in many] == [0, 1, 2, 3]
    many[1].stop()
    assert many[1].state == "stopped"
    assert [queue.jobs_before(job) for job in many] == [0, 0, 1, 2]
    gate.set()
    assert all(job.finished.wait(10) for job in many)
    assert [job.state for job in many] == ["done", "stopped", "done", "done"]
    queue.close()


def test_stop_ends_a_job_within_a_step_and_keeps_its_result(queue: JobQueue) -> None:
    took: list[int] = []
    job = queue.add(Job(slow(10_000, took)))
    while len(took) < 3:
        time.sleep(0.001)
    job.stop()
    at = len(took)
    assert job.finished.wait(5)
    assert len(took) <= at + 1
    assert job.state == "stopped" and job.result == f"after {len(took)}"
    queue.close()


def test_stop_before_the_first_step_leaves_a_message(queue: JobQueue) -> None:
    started = threading.Event()

    def work(on_step: OnStep) -> None:
        started.set()
        while True:
            on_step(progress_at(0, 5))
            time.sleep(0.001)

    job = queue.add(Job(work))
    assert started.wait(5)
    job.stop()
    assert job.finished.wait(5)
    assert (job.state, job.result) == ("stopped", None)
    assert "no picture to keep" in job.message
    queue.close()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InputError("x.png: is damaged"), "x.png: is damaged"),
        (ZeroDivisionError("oh"), "ZeroDivisionError: oh (a bug in limner; please report it)"),
        (MemoryError(), "there is not enough memory; use a smaller size"),
    ],
)
def test_an_error_becomes_a_message_and_the_next_job_runs(
    queue: JobQueue, error: Exception, message: str
) -> None:
    def work(_: OnStep) -> None:
        raise error

    first, second = queue.add(Job(work)), queue.add(Job(lambda _: "fine"))
    assert first.finished.wait(5) and second.finished.wait(5)
    assert (first.state, first.message) == ("failed", message)
    assert (second.state, second.result) == ("done", "fine")
    queue.close()


def test_previews_are_small_and_rare() -> None:
    made: list[int] = []

    def preview() -> Image.Image:
        made.append(1)
        return Image.new("RGB", (1600, 800), (200, 30, 30))

    job = Job(lambda _: None)
    start = time.monotonic()
    for step in range(1, 200):
        job.on_step(progress_at(step, 200, preview))
        time.sleep(0.003)
    took = time.monotonic() - start
    assert 1 <= len(made) <= 1 + took / jobs._PREVIEW_INTERVAL
    assert job.previews == len(made) and job.preview is not None
    with Image.open(BytesIO(job.preview)) as opened:
        assert opened.format == "JPEG" and opened.size == (512, 256)


def test_slow_previews_are_made_even_less_often() -> None:
    spent = [0.0]

    def preview() -> Image.Image:
        time.sleep(0.1)
        spent[0] += 0.1
        return Image.new("RGB", (8, 8))

    job = Job(lambda _: None)
    start = time.monotonic()
    while time.monotonic() - start < 1.0:
        job.on_step(progress_at(1, 200, preview))
    assert spent[0] == pytest.approx(0.1)  # the next one is due after 2.5 s


def test_a_waiting_job_can_be_put_first(queue: JobQueue) -> None:
    gate = threading.Event()
    done: list[int] = []
    running = queue.add(Job(slow(1, [], gate)))
    while running.state != "running":
        time.sleep(0.001)
    many = [queue.add(Job(lambda _, number=number: done.append(number))) for number in range(3)]
    queue.put_first(many[2])
    assert [queue.jobs_before(job) for job in many] == [2, 3, 1]
    gate.set()
    assert all(job.finished.wait(10) for job in (running, *many))
    assert done == [2, 0, 1]
    queue.close()


def test_changes_are_told(queue: JobQueue) -> None:
    states: list[str] = []
    job = queue.add(Job(lambda _: "fine", lambda job: states.append(job.state)))
    assert job.finished.wait(10)
    assert states == ["running", "done"]
    queue.close()


def test_closing_stops_waiting_and_running_jobs(queue: JobQueue) -> None:
    took: list[int] = []
    many = [queue.add(Job(slow(10_000, took))) for _ in range(3)]
    while not took:
        time.sleep(0.001)
    queue.close()
    assert [job.state for job in many] == ["stopped"] * 3
    assert not queue._thread.is_alive()


def test_transparent_parts_of_a_small_picture_are_white() -> None:
    clear = Image.new("RGBA", (40, 20), (255, 0, 0, 0))
    with Image.open(BytesIO(small_jpeg(clear))) as opened:
        assert np.asarray(opened).min() >= 250


def test_seconds_left() -> None:
    assert seconds_left(Progress("", "", 0, 0, 0.0)) is None
    assert seconds_left(Progress("", "", 1, 4, 10.0, share=0.25)) == pytest.approx(30)
    assert seconds_left(Progress("", "", 4, 4, 10.0, share=1.0)) is None
