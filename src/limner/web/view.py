"""A verb on the page: its form, its picture as it grows, its result, and what a click does."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from limner.errors import LimnerError
from limner.io.formats import WRITABLE as FORMATS
from limner.web import forms
from limner.web.forms import SEVERAL, Field, Tab
from limner.web.jobs import short
from limner.web.session import Result, Session, Sessions, Shelved
from limner.web.watching import alarm, ended, watched

# what an event is unless it says so: at once, without a veil over the page, for this page alone
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
QUEUED: dict[str, Any] = {
    "concurrency_limit": None,  # jobs wait for each other on the bench, and say so
    "api_visibility": "private",
    "trigger_mode": "once",
}
_EXAMPLES = {
    "photo": "photo.jpg",
    "styles": "painting.jpg",
    "near_photo": "photo.jpg",
    "far_photo": "painting.jpg",
    "picture": "photo.jpg",
    "sketch": "drawing.png",
    "like": "painting.jpg",
}
_ON, _OFF = gr.update(interactive=True), gr.update(interactive=False)
_BUSY = f"() => [{json.dumps(_OFF)}, {json.dumps(_ON)}]"
_BLANK = '<p class="limner-blank">The picture grows here.</p>'
_ENDINGS = [ending for ending in FORMATS if ending not in (".jpeg", ".tiff")]


class View:
    """One tab of the page; made inside of gradio's ``Blocks``."""

    def __init__(self, tab: Tab, sessions: Sessions) -> None:
        self.tab = tab
        self.sessions = sessions
        self.slots: dict[str, Any] = {}  # "photo.0" → where a picture or weights are dropped
        self.inputs: dict[str, Any] = {}  # option → where its value stands
        self.prepare: Callable[..., None] = lambda request: None  # before a run
        self.prepared: list[Any] = []  # what it looks at
        self.finish: Callable[[Session, Result], dict[Any, Any]] = lambda session, result: {}
        self.finished: list[Any] = []  # what `finish` changes
        with gr.Tab(tab.title, id=tab.verb, elem_id=f"tab-{tab.verb}"), gr.Row():
            with gr.Column(scale=2, min_width=300):
                self._form()
            with gr.Column(scale=3, min_width=300):
                self._easel()

    def _form(self) -> None:
        asked = forms.fields(self.tab)
        first = [one for one in asked if forms.is_first(self.tab, one)]
        rest = [one for one in asked if not forms.is_first(self.tab, one)]
        with gr.Row():
            for one in first:
                if one.kind == "picture":
                    self._slot(one, 0)
        self.examples = gr.Button(
            "Use example pictures", size="sm", elem_id=f"{self.tab.verb}-example"
        )
        self.beneath = gr.Column()  # for what a tab has besides
        for one in first:
            if one.kind == "weights":
                self._slot(one, 0)
            elif one.kind != "picture":
                self._input(one)
        with gr.Row():
            self.run = gr.Button(self.tab.title, variant="primary", elem_id=f"{self.tab.verb}-run")
            self.stop = gr.Button(
                "Stop", variant="stop", interactive=False, elem_id=f"{self.tab.verb}-stop"
            )
        with gr.Accordion("More", open=False, elem_id=f"{self.tab.verb}-more"):
            for one in first:
                for place in range(1, SEVERAL if one.option.several else 1):
                    self._slot(one, place)
            for one in rest:
                if one.kind == "weights":
                    self._slot(one, 0)
                elif one.kind == "picture":
                    for place in range(SEVERAL if "list" in str(one.option.kind) else 1):
                        self._slot(one, place)
                else:
                    self._input(one)
            self.ending = gr.Dropdown(
                _ENDINGS if self.tab.verb != "generate" else [".png"],  # all that a folder gets
                value=".png",
                label="File",
                info="The kind of file to download.",
                elem_id=f"{self.tab.verb}-ending",
            )

    def _slot(self, one: Field, place: int) -> None:
        name = f"{one.option.name}.{place}"
        label = f"{one.label} {place + 1}" if place else one.label
        known: dict[str, Any] = {
            "label": label,
            "elem_id": f"{self.tab.verb}-{name.replace('.', '-')}",
        }
        if one.kind == "weights":
            self.slots[name] = gr.File(file_types=[".safetensors"], height=150, **known)
        else:
            self.slots[name] = gr.Image(
                type="filepath",
                sources=["upload", "clipboard"],
                height=220,
                buttons=[],
                placeholder="Drop a picture here, or click",
                alt_text=label,
                **known,
            )

    def _input(self, one: Field) -> None:
        option = one.option
        name = f"{option.name}.word" if option.picture else option.name
        known: dict[str, Any] = {
            "label": one.label,
            "info": one.help,
            "value": one.start,
            "elem_id": f"{self.tab.verb}-{name.replace('.', '-')}",
        }
        if one.kind in ("tick", "save"):
            made: Any = gr.Checkbox(**known)
        elif one.kind == "choice":
            words = [(word or "as it comes", word) for word in one.choices]
            made = gr.Dropdown(words, **known) if len(words) > 4 else gr.Radio(words, **known)
        elif one.kind == "range":
            step = 0.05 if one.high - one.low <= 4 else 1
            made = gr.Slider(one.low, one.high, step=step, buttons=[], **known)
        elif one.kind in ("whole", "number") and one.start is not None:
            made = gr.Number(precision=0 if one.kind == "whole" else None, **known)
        else:
            made = gr.Textbox(max_length=200, placeholder="as it comes", **known)
        self.inputs[option.name] = made

    def _easel(self) -> None:
        verb = self.tab.verb
        self.status = gr.HTML(_BLANK, elem_id=f"{verb}-status")
        self.preview = gr.HTML(elem_id=f"{verb}-preview")
        self.slider = gr.ImageSlider(
            label="Before and after",
            visible=False,
            elem_id=f"{verb}-slider",
            buttons=["fullscreen"],
        )
        self.gallery = gr.Gallery(
            label="New pictures",
            visible=False,
            columns=4,
            object_fit="contain",
            buttons=["fullscreen"],
            interactive=False,
            elem_id=f"{verb}-gallery",
        )
        self.besides = gr.Column()
        self.files = gr.File(
            label="Download: full size, with its recipe",
            file_count="multiple",
            visible=False,
            interactive=False,
            elem_id=f"{verb}-files",
        )
        with gr.Row(visible=False) as self.onward:
            self.sends = {
                tab.verb: gr.Button(
                    f"→ {tab.title}", size="sm", min_width=90, elem_id=f"{verb}-to-{tab.verb}"
                )
                for tab in forms.TABS
                if tab is not self.tab
            }
        with gr.Accordion("As a command, and in Python", open=False, elem_id=f"{verb}-words"):
            command, python = self.words({}, {})
            copied: dict[str, Any] = {"interactive": False, "buttons": ["copy"], "max_lines": 12}
            self.command = gr.Textbox(command, label="Command", elem_id=f"{verb}-command", **copied)
            self.python = gr.Textbox(python, label="Python", elem_id=f"{verb}-python", **copied)

    def words(self, values: dict[str, Any], pictures: dict[str, list[str]]) -> tuple[str, str]:
        """What stands on the form, as a command and as Python; names stand for what is missing."""
        for one in forms.fields(self.tab):
            option = one.option
            if one.kind == "picture" and one.label in self.tab.pictures.values():
                pictures = {option.name: [f"{option.name}.jpg"], **pictures}
        several = self.tab.verb == "generate"
        ending = values.get("", ".png")
        output = "new/" if several else f"{self.tab.verb}{ending}"
        try:
            call = forms.called(self.tab, values, pictures)
        except LimnerError as error:
            return str(error), str(error)
        return forms.command_line(call, output), forms.python_call(call, output)

    @property
    def subject(self) -> str:
        """The first place: what a result is compared with, and what another's is sent to."""
        return next(iter(self.slots))

    @property
    def given(self) -> list[Any]:
        """What a run looks at."""
        return [*self.inputs.values(), self.ending]

    def values(self, given: Sequence[Any]) -> dict[str, Any]:
        """The same by name; the ending of the file has none."""
        return dict(zip((*self.inputs, ""), given, strict=True))

    def connect(self, history: Any, look: Callable[[Session], Any]) -> None:
        """Say what a click does."""
        told = [self.command, self.python]
        for name, slot in self.slots.items():
            slot.upload(
                self._dropper(name), [slot], [slot, self.status], preprocess=False, **QUIET
            ).then(self.show_words, self.given, told, **QUIET)
            slot.clear(self._clearer(name), None, None, **QUIET).then(
                self.show_words, self.given, told, **QUIET
            )
        self.examples.click(self.fill, None, [*self.slots.values()], **QUIET).then(
            self.show_words, self.given, told, **QUIET
        )
        gr.on(
            [one.change for one in self.given],
            self.show_words,
            self.given,
            told,
            trigger_mode="always_last",
            **QUIET,
        )
        results = [self.slider, self.gallery, self.files, self.onward, history, *self.finished]
        buttons = [self.run, self.stop]
        # by the browser itself: an answer to this could come after that of `show`
        self.run.click(None, None, buttons, js=_BUSY)
        self.run.click(
            self.paint,
            [*self.given, *self.prepared],
            [self.status, self.preview],  # no more: gradio makes each anew at every change
            show_progress="hidden",
            **QUEUED,
        ).then(self.show, None, [self.status, *results, *buttons], **QUIET).then(
            self.show_words, self.given, told, **QUIET
        )
        self.stop.click(self.halt, None, None, **QUIET)
        self.gallery.select(self.choose, None, None, **QUIET)
        self.look = look
        self.history = history

    def show_words(self, request: gr.Request, *given: Any) -> tuple[str, str]:
        """Write what is on the form as a command and as Python."""
        session = self.sessions.of(request.session_hash)
        return self.words(self.values(given), session.pictures(self.tab.verb))

    def _dropper(self, name: str) -> Callable[..., Any]:
        key = f"{self.tab.verb}.{name}"

        def dropped(value: Any, request: gr.Request) -> tuple[Any, str]:
            session = self.sessions.of(request.session_hash)
            session.slots.pop(key, None)
            try:
                source, called = self.sessions.uploaded(value)
                weights = name.split(".")[0] in forms.WEIGHTS
                take = session.take_weights if weights else session.take
                session.slots[key] = kept = take(source, called)
            except LimnerError as error:
                return None, alarm(str(error))
            return gr.skip() if weights else str(kept.shown), ""

        return dropped

    def _clearer(self, name: str) -> Callable[..., None]:
        def cleared(request: gr.Request) -> None:
            self.sessions.of(request.session_hash).slots.pop(f"{self.tab.verb}.{name}", None)

        return cleared

    def fill(self, request: gr.Request) -> dict[Any, Any]:
        """Put examples where pictures are wanted."""
        session = self.sessions.of(request.session_hash)
        shown: dict[Any, Any] = {}
        for place, slot in self.slots.items():
            name, number = place.split(".")
            if name in self.tab.pictures and name in _EXAMPLES and number == "0":
                path = Path(__file__).parent / "examples" / _EXAMPLES[name]
                kept = session.take(path, path.name)
                session.slots[f"{self.tab.verb}.{place}"] = kept
                shown[slot] = str(kept.shown)
        return shown

    def choose(self, event: gr.SelectData, request: gr.Request) -> None:
        """Take note of which of several pictures is to be handed on."""
        self.sessions.of(request.session_hash).chosen[self.tab.verb] = int(event.index)

    def halt(self, request: gr.Request) -> None:
        """Stop what this tab does."""
        session = self.sessions.of(request.session_hash)
        for job in session.jobs:
            if job.owner == self.tab.verb:
                job.stop()

    async def paint(self, request: gr.Request, *given: Any) -> AsyncIterator[tuple[str, str]]:
        """Do what is on the form, and say how far it is."""
        session = self.sessions.of(request.session_hash)
        values = self.values(given[: len(self.given)])
        try:
            self.prepare(request, *given[len(self.given) :])
            ending = values[""] if values[""] in _ENDINGS else ".png"
            call = forms.called(self.tab, values, session.pictures(self.tab.verb), session.folder)
            job = self.sessions.begin(session, session.painting(call, ending), self.tab.verb)
            before = session.slots.get(f"{self.tab.verb}.{self.subject}")
        except LimnerError as error:
            yield alarm(str(error)), ""
            return
        except Exception as error:  # a bug: the page lives on
            yield alarm(short(error)), ""
            return
        async for now in watched(job, self.sessions):
            yield now
        if job.result is not None:
            job.result.before = before
            session.latest[self.tab.verb], session.chosen[self.tab.verb] = job.result, 0
        yield ended(job), ""

    def show(self, request: gr.Request) -> dict[Any, Any]:
        """Show what a job has made, if it has made something."""
        session = self.sessions.of(request.session_hash)
        result = session.latest.get(self.tab.verb)
        shown: dict[Any, Any] = {self.run: _ON, self.stop: _OFF}
        if result is not None and result.fresh:
            result.fresh = False
            try:
                shown |= self.shown(session, result)
            except Exception as error:  # a bug: the page lives on
                shown[self.status] = alarm(short(error))
        return shown

    def shown(self, session: Session, result: Result) -> dict[Any, Any]:
        """A result, where it is looked at and taken from."""
        first = result.pictures[0]
        several = len(result.pictures) > 1 or self.tab.verb == "generate"
        paths = [str(one.path) for one in result.pictures] + [str(one) for one in result.beside]
        shown: dict[Any, Any] = {
            self.files: gr.File(value=paths, visible=True),
            self.onward: gr.Row(visible=True),
            self.history: self.look(session),
        }
        if several or result.before is None:
            pictures = [(str(one.shown), one.path.name) for one in result.pictures]
            shown[self.gallery] = gr.Gallery(value=pictures, visible=True)
            shown[self.slider] = gr.ImageSlider(visible=False)
        else:
            shown[self.gallery] = gr.Gallery(visible=False)
            shown[self.slider] = gr.ImageSlider(value=compared(result.before, first), visible=True)
        return shown | self.finish(session, result)


def compared(before: Shelved, after: Shelved) -> tuple[Image.Image, Image.Image]:
    """Two pictures for a slider, of one size."""
    assert before.shown is not None and after.shown is not None
    with Image.open(before.shown) as one, Image.open(after.shown) as other:
        new = other.convert("RGB")
        return ImageOps.fit(one.convert("RGB"), new.size, Image.Resampling.BICUBIC), new


def recipe_text(result: Result) -> str:
    """A recipe as people read it."""
    return json.dumps(json.loads(result.recipe), indent=2) if result.recipe else ""
