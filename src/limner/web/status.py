"""The status lines of the page, as HTML: where a job is, how it ended, and what went wrong."""

import asyncio
import base64
from collections.abc import AsyncIterator
from html import escape

from limner.errors import printable
from limner.web.jobs import Job, seconds_left
from limner.web.session import Result, Sessions

_POLL_INTERVAL = 0.5  # seconds between two looks at a job


async def follow(job: Job, sessions: Sessions) -> AsyncIterator[tuple[str, str]]:
    """Yield a job's progress and preview, as HTML, whenever one of them changes.

    When the page stops listening, the job is stopped.
    """
    last = ("", "")
    try:
        while not job.finished.is_set():
            job.poll()
            preview = preview_html(job.preview) if job.preview is not None else ""
            if (now := (progress_html(job, sessions.queue.jobs_before(job)), preview)) != last:
                yield now
            last = now
            await asyncio.sleep(_POLL_INTERVAL)
    finally:
        if not job.finished.is_set():
            job.stop()


def progress_html(job: Job, jobs_before: int) -> str:
    """Return a line that says where a job is, with a progress bar once it runs."""
    if job.state == "waiting":
        place = f"{jobs_before} job{'s' * (jobs_before > 1)} before this one"
        return _line(f"In the queue: {place if jobs_before else 'next'}")
    progress = job.progress
    if progress is None:
        return _line("Starting")
    words = [progress.stage, f"step {progress.step} of {progress.steps}" if progress.steps else ""]
    seconds = seconds_left(progress)
    if seconds is not None:
        words.append(f"{duration(seconds)} left")
    bar = f'<progress aria-label="Progress" max="1" value="{progress.share:.3f}"></progress>'
    return _line(" · ".join(filter(None, words))) + bar


def outcome_html(job: Job) -> str:
    """Return how a job ended, with all remarks for the user."""
    if job.result is None:
        return error_html(job.message)
    result: Result = job.result
    first, progress = result.pictures[0], job.progress
    words = "Done: "
    if progress is not None:
        words = f"Done in {duration(progress.seconds)}: "
    if progress is not None and job.state == "stopped":
        after = duration(progress.seconds)
        words = f"Stopped after {after}, at step {progress.step} of {progress.steps}: "
    words += f"{first.path.name}, {first.size[0]} × {first.size[1]} pixels"
    words += f", and {len(result.pictures) - 1} more" if len(result.pictures) > 1 else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*job.notes, *result.notes))
    return f"{_line(words)}<ul>{notes}</ul>"


def duration(seconds: float) -> str:
    """Return a length of time in words, to seconds or minutes."""
    if seconds < 1:
        return "less than a second"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def error_html(text: str) -> str:
    """Return an error message for the page."""
    return f'<p class="limner-error" role="alert">{escape(printable(text))}</p>'


def preview_html(jpeg: bytes) -> str:
    """Return the picture so far, as an image in the page itself."""
    data = base64.b64encode(jpeg).decode()
    return (
        f'<img class="limner-preview" alt="The picture so far" src="data:image/jpeg;base64,{data}">'
    )


def _line(text: str) -> str:
    return f'<p class="limner-line" role="status">{escape(text)}</p>'
