"""Jobs of the page: checked, queued, done, written into the gallery, and taken up after a crash."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from PIL import Image

from limner.errors import InputError, LimnerError, OptionError, OutputError
from limner.io import check_output, ending_of, write, write_view
from limner.io.formats import WRITABLE
from limner.progress import OnStep, Progress, Stop
from limner.web import forms
from limner.web.calls import Call, make_call
from limner.web.forms import BY_VERB, Tab, labels, with_labels
from limner.web.gallery import ENDED, MEASURE, Gallery, Made, Record
from limner.web.jobs import Job, JobQueue, seconds_left
from limner.web.kept_coloring import KeptColoring
from limner.web.remedies import remedies
from limner.web.thumbnails import has_alpha

ENDINGS = tuple(ending for ending in WRITABLE if ending not in (".jpeg", ".tiff"))
_MAX_JOBS = 200  # waiting
_MAX_ENDED = 50  # that the page lists
_MAX_STARTS = 2  # of one job: another try would crash the studio again


class Service:
    """What the page can ask for.

    Parameters
    ----------
    gallery : Gallery
        Jobs that it says are waiting are started here, those that were running first.
    """

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self.queue = JobQueue()
        self.jobs: dict[str, Job] = {}
        self._coloring = KeptColoring()
        self._unsaved: dict[str, tuple[list[Image.Image], list[str]]] = {}
        self._is_closing = False
        left = [r for r in gallery.records.values() if r.state not in ENDED]
        for record in sorted(left, key=lambda one: (one.state != "running", one.id)):
            self._take_up(record)

    def _take_up(self, record: Record) -> None:
        if record.starts >= _MAX_STARTS:
            record.state = "failed"
            record.message = "the studio ended twice while it did this; try a smaller size"
            self.gallery.save(record)
            return
        record.state = "waiting"
        self._enqueue(record)

    def close(self) -> None:
        """Stop the work. Jobs that have not ended are taken up by the next studio."""
        self._is_closing = True
        self.queue.close()
        self.gallery.close()

    # ---- what the page asks for

    def check(
        self, verb: str, values: Mapping[str, Any], files: Mapping[str, Sequence[str]]
    ) -> Tab:
        """Refuse a form that cannot be run.

        Raises
        ------
        LimnerError
            A value is not allowed, or a picture is missing.
        """
        tab = BY_VERB.get(verb)
        if tab is None:
            raise OptionError(f"{verb}: is not one of {', '.join(BY_VERB)}")
        paths = {
            name: [self._path_now_or_later(key) for key in keys] for name, keys in files.items()
        }
        make_call(tab, values, paths)
        return tab

    def call_with_names(
        self, verb: str, values: Mapping[str, Any], files: Mapping[str, Sequence[str]]
    ) -> Call:
        """Return a form as a call, with made-up names for missing pictures."""
        tab = BY_VERB[verb]
        names = {name: [*map(self._path_now_or_later, keys)] for name, keys in files.items()}
        lacking = not any(names.get(name) for name in tab.pictures)
        for one in forms.fields(tab):
            option = one.option
            if one.kind == "picture" and option.name in tab.pictures and (option.input or lacking):
                names = {option.name: [f"{option.name}.jpg"], **names}
        return make_call(tab, values, names)

    def submit(
        self,
        verb: str,
        values: dict[str, Any],
        files: dict[str, list[str]],
        ending: str = ".png",
        group: str | None = None,
    ) -> Record:
        """Check a form, and add its job to the queue.

        Raises
        ------
        LimnerError
            It cannot be run, or nothing can be kept.
        """
        tab = self.check(verb, values, files)
        if ending not in ENDINGS or (tab.verb == "generate" and ending != ".png"):
            raise OptionError(f"“File type” {ending}: must be one of {', '.join(ENDINGS)}")
        return self._add(Record("", verb, values, files, ending, group))

    def measure(self, picture: str) -> Record:
        """Map where a picture is hard to predict.

        Raises
        ------
        LimnerError
            There is no such picture, or nothing can be kept.
        """
        self.gallery.stored(picture)
        return self._add(Record("", MEASURE, {}, {"picture": [picture]}))

    def _add(self, record: Record) -> Record:
        if problem := self.gallery.problem():
            raise OutputError(problem)
        if sum(not job.finished.is_set() for job in self.jobs.values()) >= _MAX_JOBS:
            raise OptionError(f"{_MAX_JOBS} jobs are waiting; wait for one, or stop it")
        self.gallery.add_record(record)
        self._enqueue(record)
        return record

    def save_again(self, record: Record) -> Record:
        """Write the pictures of a job that could not be written when they were made."""
        if record.id not in self._unsaved:
            raise InputError("these pictures are gone; run the job again")
        pictures, notes = self._unsaved[record.id]
        self._save(record, pictures)
        record.state, record.message, record.remedies = "done", "", []
        record.notes = [*notes, *record.notes]
        del self._unsaved[record.id]
        self.gallery.save(record)
        return record

    # ---- the work of a job

    def _enqueue(self, record: Record) -> None:
        ended = [key for key, job in self.jobs.items() if job.finished.is_set()]
        for key in ended[:-_MAX_ENDED]:
            del self.jobs[key]
        job = Job(partial(self._work, record), partial(self._changed, record))
        self.jobs[record.id] = job
        self.queue.add(job)

    def _changed(self, record: Record, job: Job) -> None:
        if self._is_closing:  # the record still says that it waits or runs
            if record.state == "running":
                record.starts -= 1  # it did not crash
                self.gallery.save(record)
            return
        if job.state == "running":
            record.starts += 1
        elif job.result is None:
            record.remedies = remedies(job.message, record.verb) if job.state == "failed" else []
            record.message = self._page_text(job.message, record.verb)
            if record.id in self._unsaved:
                record.remedies = [{"action": "save", "label": "Save again"}]
        if job.progress is not None:
            record.seconds = round(job.progress.seconds, 2)
        if job.state in ENDED:
            record.notes = [*job.notes, *record.notes]
        record.state = job.state  # last: the page reads the rest once it says done
        self.gallery.save(record)

    def _work(self, record: Record, on_step: OnStep) -> Record:
        if record.verb == MEASURE:
            return self._measure(record, on_step)
        tab = BY_VERB[record.verb]
        paths = {
            name: [str(self.gallery.stored(key).path) for key in keys]
            for name, keys in record.files.items()
        }
        folder = self.gallery.hidden / "work"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        call = make_call(tab, record.values, paths, folder)

        def report(progress: Progress) -> None:
            if progress.size and not progress.step:  # before minutes of work
                check_output(folder / f"picture{record.ending}", size=progress.size)
            on_step(replace(progress, note=self._page_text(progress.note, tab.verb)))

        if tab.verb == "colorize":
            made = self._coloring.colorize(*call.inputs, **call.options, on_step=report)
        else:
            self._coloring.drop()  # it can be large
            made = tab.function(*call.inputs, **call.options, on_step=report)
        if self._is_closing:
            raise Stop  # the next studio makes it from the beginning
        pictures = made if isinstance(made, list) else [made]
        try:
            self._save(record, pictures)
        except OutputError as error:
            self._unsaved = {record.id: (pictures, self.jobs[record.id].notes)}
            raise OutputError(self.gallery.problem() or str(error)) from error
        for path in folder.iterdir():  # what the verb has written itself
            target = self.gallery.unused(f"{self._stem(record)}-{path.name}")
            path.replace(target)
            record.side_files.append(target.name)
        return record

    def _measure(self, record: Record, on_step: OnStep) -> Record:
        from limner import predictability

        on_step(Progress(MEASURE, "Measuring", 0, 0, 0.0))
        found = predictability(self.gallery.stored(record.files["picture"][0]).path)
        self._save(record, [found.map])
        record.notes = [
            f"Prediction error: {found.error:.3g} of 255, or {found.relative:.3g} times the mean "
            "difference between neighboring pixels. The network predicts "
            f"{found.progress:.3g} times better than a smooth fill."
        ]
        return record

    def _save(self, record: Record, pictures: Sequence[Image.Image]) -> None:
        """Write what a verb has returned, with recipes, into the gallery."""
        notes: list[str] = []
        stem = self._stem(record)
        record.pictures, record.side_files = [], []
        for number, picture in enumerate(pictures, 1):
            name = f"{stem}-{number:02d}" if len(pictures) > 1 else stem
            path = self.gallery.unused(f"{name}{record.ending}")
            notes += write(picture, path)
            width, height = picture.size
            record.pictures.append(Made(path.name, width, height, has_alpha(picture)))
            record.recipe = record.recipe or picture.info.get("limner", "")
        for name, view in pictures[0].info.get("beside", {}).items():
            path = self.gallery.unused(f"{stem}-{name}{ending_of(view) or record.ending}")
            notes += write_view(view, path)
            record.side_files.append(path.name)
        record.notes = [self._page_text(note, record.verb) for note in notes]

    def _stem(self, record: Record) -> str:
        """Return how the names of the results begin: ``2026-11-28-photo-stylize``."""
        first = next((keys[0] for keys in record.files.values() if keys), "")
        stem = ""
        with suppress(LimnerError):
            stem = self.gallery.stored(first).path.stem + "-"
        if stem[:4].isdigit() and stem[4:5] == "-":  # a result of an earlier day
            stem = stem[11:]
        return f"{record.created[:10]}-{stem[:60]}{record.verb}"

    def _path_now_or_later(self, key: str) -> str:
        """Return the path of a picture; that of a job that has not ended will come."""
        job, _, number = key.partition("-")
        record = self.gallery.records.get(job)
        if number and record is not None and record.state not in ENDED:
            return f"{record.verb}{record.ending}"
        return str(self.gallery.stored(key).path)

    def _page_text(self, text: str, verb: str) -> str:
        """Return a message with file names as their owner knows them, and labels for options."""
        tab = BY_VERB.get(verb)
        return with_labels(self.gallery.plain_text(text), labels(tab) if tab else {})

    # ---- what the page is told

    def describe(self, record: Record) -> dict[str, Any]:
        """Return a job as the API describes it."""
        job = self.jobs.get(record.id)
        progress = job.progress if job and record.state == "running" else None
        tab = BY_VERB.get(record.verb)
        return {
            "id": record.id,
            "verb": record.verb,
            "title": tab.title if tab else "Map",
            "state": record.state,
            "values": record.values,
            "files": {name: [*map(self._file_json, keys)] for name, keys in record.files.items()},
            "ending": record.ending,
            "group": record.group,
            "created": record.created,
            "seconds": record.seconds,
            "progress": progress
            and {
                "stage": progress.stage,
                "step": progress.step,
                "steps": progress.steps,
                "share": round(progress.share, 4),
                "left": seconds_left(progress),
            },
            "previews": job.previews if job else 0,
            "before": self.queue.jobs_before(job) if job else 0,
            "message": record.message,
            "remedies": record.remedies,
            "notes": record.notes,
            "pictures": [one.as_json() for one in self.gallery.pictures_of(record)],
            "side_files": [
                {"name": name, "url": f"/api/results/{record.id}/files/{name}"}
                for name in record.side_files
            ],
            "recipe": record.recipe,
        }

    def _file_json(self, key: str) -> dict[str, Any]:
        try:
            return self.gallery.stored(key).as_json()
        except LimnerError:  # deleted, or not made yet
            missing = {"id": key, "name": "", "width": 0, "height": 0, "alpha": False}
            return missing | {"kind": "picture", "missing": True}

    def listed(self) -> list[Record]:
        """Return jobs to do, in order, then those that ended here, newest first."""
        records = [self.gallery.records[key] for key in self.jobs if key in self.gallery.records]
        going = [record for record in records if record.state not in ENDED]
        going.sort(key=lambda one: self.queue.jobs_before(self.jobs[one.id]))
        ended = [record for record in reversed(records) if record.state in ENDED]
        return going + [record for record in ended if not record.deleted][:_MAX_ENDED]
