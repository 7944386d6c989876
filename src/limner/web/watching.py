"""How far a job is, as the page says it."""

import asyncio
import base64
from collections.abc import AsyncIterator
from html import escape

from limner.errors import printable
from limner.web.jobs import Job, time_left
from limner.web.session import Result, Sessions

_LOOKED = 0.5  # seconds between two looks at a job


async def watched(job: Job, sessions: Sessions) -> AsyncIterator[tuple[str, str]]:
    """Give a line on how far a job is, and the picture so far, whenever one of them changes.

    It is ended when nobody listens any more.
    """
    last = ("", "")
    try:
        while not job.over.is_set():
            job.touch()
            shown = growing(job.preview) if job.preview is not None else ""
            if (now := (going(job, sessions.bench.place(job)), shown)) != last:
                yield now
            last = now
            await asyncio.sleep(_LOOKED)
    finally:
        if not job.over.is_set():
            job.stop()


def going(job: Job, place: int) -> str:
    """Where a job stands, as a bar and a line."""
    if job.state == "waiting":
        before = f"{place} job{'s' * (place > 1)} before this one" if place else "next"
        return f'<p class="limner-line" role="status">In the queue: {before}</p>'
    moment = job.progress
    if moment is None:
        return '<p class="limner-line" role="status">Beginning</p>'
    words = [moment.stage, f"step {moment.step} of {moment.steps}"]
    left = time_left(moment)
    if left is not None:
        words.append(f"{lasting(left)} left")
    bar = f'<progress aria-label="Progress" max="1" value="{moment.share:.3f}"></progress>'
    return (
        f'<p class="limner-line" role="status">{escape(" · ".join(filter(None, words)))}</p>{bar}'
    )


def ended(job: Job) -> str:
    """What has become of a job, with all remarks."""
    if job.result is None:
        return alarm(job.message)
    result: Result = job.result
    first = result.pictures[0]
    words, moment = "Done: ", job.progress
    if moment is not None:
        words = f"Done in {lasting(moment.seconds)}: "
    if moment is not None and job.state == "stopped":
        after = lasting(moment.seconds)
        words = f"Stopped after {after}, at step {moment.step} of {moment.steps}: "
    words += f"{first.path.name}, {first.size[0]}×{first.size[1]} px"
    words += f", and {len(result.pictures) - 1} more" if len(result.pictures) > 1 else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*job.notes, *result.notes))
    return f'<p class="limner-line" role="status">{escape(words)}</p><ul>{notes}</ul>'


def lasting(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 1:
        return "less than a second"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def alarm(text: str) -> str:
    """A line about what went wrong."""
    return f'<p class="limner-alarm" role="alert">{escape(printable(text))}</p>'


def growing(jpeg: bytes) -> str:
    """The picture so far."""
    data = base64.b64encode(jpeg).decode()
    return (
        f'<img class="limner-growing" alt="The picture so far" src="data:image/jpeg;base64,{data}">'
    )
