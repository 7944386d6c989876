"""The status lines of the page."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from limner.progress import Progress
from limner.web.jobs import Job
from limner.web.session import Result, StoredFile
from limner.web.status import duration, error_html, follow, outcome_html, progress_html


def running(progress: Progress | None) -> Job:
    job = Job(lambda _: None)
    job.state, job.progress = "running", progress
    return job


def test_a_job_in_the_queue_says_how_many_come_first() -> None:
    job = Job(lambda _: None)
    assert "In the queue: next" in progress_html(job, 0)
    assert "In the queue: 1 job before this one" in progress_html(job, 1)
    assert "In the queue: 2 jobs before this one" in progress_html(job, 2)


def test_a_running_job_says_its_step_and_the_time_left() -> None:
    assert "Starting" in progress_html(running(None), 0)
    text = progress_html(running(Progress("stylize", "<512 px>", 5, 20, 10.0, share=0.25)), 0)
    assert "&lt;512 px&gt; · step 5 of 20 · 30 s left" in text
    assert 'value="0.250"' in text
    assert "step" not in progress_html(running(Progress("x", "Measuring", 0, 0, 0.0)), 0)


def test_the_outcome_names_the_file_and_the_remarks() -> None:
    job = running(Progress("stylize", "", 5, 20, 100.0))
    picture = StoredFile(Path("/t/stylize-1.png"), (640, 480))
    job.result = Result("Stylize", [picture, picture], notes=["a & b"])
    job.state = "done"
    text = outcome_html(job)
    assert "Done in 2 min: stylize-1.png, 640 × 480 pixels, and 1 more" in text
    assert "<li>a &amp; b</li>" in text
    job.state = "stopped"
    assert "Stopped after 2 min, at step 5 of 20: stylize-1.png" in outcome_html(job)


def test_a_failed_job_shows_its_message() -> None:
    job = running(None)
    job.state, job.message = "failed", "<x>.png: is damaged"
    assert outcome_html(job) == error_html("<x>.png: is damaged")
    assert "&lt;x&gt;.png: is damaged" in outcome_html(job) and "alert" in outcome_html(job)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "less than a second"), (59.6, "60 s"), (150, "2 min")]
)
def test_durations_are_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_job_stops_when_its_page_stops_listening() -> None:
    job = running(Progress("stylize", "", 1, 20, 1.0))
    stopped = threading.Event()
    job.stop = stopped.set  # type: ignore[method-assign]
    sessions = SimpleNamespace(queue=SimpleNamespace(jobs_before=lambda _: 0))

    async def listen_once() -> None:
        updates = follow(job, sessions)  # type: ignore[arg-type]
        line, preview = await anext(updates)
        assert "step 1 of 20" in line and preview == ""
        await updates.aclose()  # type: ignore[attr-defined]

    asyncio.run(listen_once())
    assert stopped.is_set()
