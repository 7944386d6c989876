"""One tab of the page: its form, its result, and what its buttons do."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from limner.errors import LimnerError
from limner.io.formats import WRITABLE
from limner.web import forms
from limner.web.calls import make_call
from limner.web.forms import SEVERAL, Field, Tab
from limner.web.jobs import describe_unexpected
from limner.web.session import Result, Session, Sessions
from limner.web.snippets import command_line, python_call
from limner.web.status import error_html, follow, outcome_html
from limner.web.thumbnails import same_size

# Options of gradio's events. Most are answered at once, without an overlay, for this page only.
UNQUEUED: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
QUEUED: dict[str, Any] = {
    "concurrency_limit": None,  # jobs wait in our own queue, which says so on the page
    "api_visibility": "private",
    "trigger_mode": "once",
}
_EXAMPLES = {  # by option
    "photo": "photo.jpg",
    "styles": "painting.jpg",
    "near_photo": "photo.jpg",
    "far_photo": "painting.jpg",
    "picture": "photo.jpg",
    "sketch": "drawing.png",
    "like": "painting.jpg",
}
_ENABLED, _DISABLED = gr.update(interactive=True), gr.update(interactive=False)
_SHOW_RUNNING = f"() => [{json.dumps(_DISABLED)}, {json.dumps(_ENABLED)}]"  # JavaScript
_EMPTY = '<p class="limner-empty">Your picture will appear here.</p>'
_ENDINGS = [ending for ending in WRITABLE if ending not in (".jpeg", ".tiff")]


class View:
    """One tab of the page. Make it inside gradio's ``Blocks``."""

    def __init__(self, tab: Tab, sessions: Sessions) -> None:
        self.tab = tab
        self.sessions = sessions
        self.slots: dict[str, Any] = {}  # "photo.0" -> where a picture or weights file is dropped
        self.inputs: dict[str, Any] = {}  # option -> the component with its value
        # What a tab adds: work before a run, with the components it reads, and components that
        # are filled after it.
        self.before_run: Callable[..., None] = lambda request: None
        self.before_run_inputs: list[Any] = []
        self.after_run: Callable[[Session, Result], dict[Any, Any]] = lambda session, result: {}
        self.after_run_outputs: list[Any] = []
        with gr.Tab(tab.title, id=tab.verb, elem_id=f"tab-{tab.verb}"):
            gr.Markdown(tab.summary)
            with gr.Row():
                with gr.Column(scale=2, min_width=300):
                    self._form_column()
                with gr.Column(scale=3, min_width=300):
                    self._result_column()

    def _form_column(self) -> None:
        fields = forms.fields(self.tab)
        first = [one for one in fields if forms.is_first(self.tab, one)]
        more = [one for one in fields if not forms.is_first(self.tab, one)]
        with gr.Row():
            for one in first:
                if one.kind == "picture":
                    self._slot(one, 0)
        self.examples = gr.Button(
            "Use example pictures", size="sm", elem_id=f"{self.tab.verb}-example"
        )
        self.below_pictures = gr.Column()  # for what a tab adds
        for one in first:
            if one.kind == "weights_file":
                self._slot(one, 0)
            elif one.kind != "picture":
                self._input(one)
        with gr.Row():
            self.run = gr.Button(self.tab.title, variant="primary", elem_id=f"{self.tab.verb}-run")
            self.stop = gr.Button(
                "Stop", variant="stop", interactive=False, elem_id=f"{self.tab.verb}-stop"
            )
        with gr.Accordion("More options", open=False, elem_id=f"{self.tab.verb}-more"):
            for one in first:
                for number in range(1, SEVERAL if one.several else 1):
                    self._slot(one, number)
            for one in more:
                if one.kind in ("picture", "weights_file"):
                    if one.help:  # a slot has no space for it
                        gr.Markdown(one.help, elem_classes="limner-help")
                    for number in range(SEVERAL if one.several else 1):
                        self._slot(one, number)
                else:
                    self._input(one)
            self.ending = gr.Dropdown(
                _ENDINGS if self.tab.verb != "generate" else [".png"],  # as on the command line
                value=".png",
                label="File type",
                info="The type of the file to download.",
                elem_id=f"{self.tab.verb}-ending",
            )

    def _slot(self, one: Field, number: int) -> None:
        name = f"{one.option.name}.{number}"
        label = f"{one.label} {number + 1}" if number else one.label
        common: dict[str, Any] = {
            "label": label,
            "elem_id": f"{self.tab.verb}-{name.replace('.', '-')}",
        }
        if one.kind == "weights_file":
            common["label"] = f"{label} (.safetensors file)"
            self.slots[name] = gr.File(file_types=[".safetensors"], height=150, **common)
        else:
            self.slots[name] = gr.Image(
                type="filepath",
                sources=["upload", "clipboard"],
                height=220,
                buttons=[],
                placeholder="Drop a picture here, or click",
                alt_text=label,
                **common,
            )

    def _input(self, one: Field) -> None:
        option = one.option
        name = f"{option.name}-word" if option.picture else option.name
        common: dict[str, Any] = {
            "label": one.label,
            "info": one.help,
            "value": one.initial,
            "elem_id": f"{self.tab.verb}-{name}",
        }
        if one.kind in ("checkbox", "save"):
            made: Any = gr.Checkbox(**common)
        elif one.kind == "choice":
            words = [(word or "default", word) for word in one.choices]
            made = gr.Dropdown(words, **common) if len(words) > 4 else gr.Radio(words, **common)
        elif one.kind == "slider":
            step = 0.05 if one.high - one.low <= 4 else 1
            made = gr.Slider(one.low, one.high, step=step, buttons=[], **common)
        elif one.kind in ("integer", "number") and one.initial is not None:
            made = gr.Number(precision=0 if one.kind == "integer" else None, **common)
        else:
            made = gr.Textbox(max_length=one.longest, placeholder="default", **common)
        self.inputs[option.name] = made

    def _result_column(self) -> None:
        verb = self.tab.verb
        self.status = gr.HTML(_EMPTY, elem_id=f"{verb}-status")
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
        self.below_result = gr.Column()  # for what a tab adds
        self.files = gr.File(
            label="Download (full size, with recipe)",
            file_count="multiple",
            visible=False,
            interactive=False,
            elem_id=f"{verb}-files",
        )
        with gr.Row(visible=False) as self.send_row:
            self.send_buttons = {
                tab.verb: gr.Button(
                    f"→ {tab.title}", size="sm", min_width=90, elem_id=f"{verb}-to-{tab.verb}"
                )
                for tab in forms.TABS
                if tab is not self.tab
            }
        with gr.Accordion("Command line and Python", open=False, elem_id=f"{verb}-code"):
            command, python = self.write_snippets({}, ".png", {})
            common: dict[str, Any] = {
                "interactive": False,
                "buttons": ["copy"],
                "max_lines": 12,
                "elem_classes": "limner-code",
            }
            self.snippets = [
                gr.Textbox(command, label="Command", elem_id=f"{verb}-command", **common),
                gr.Textbox(python, label="Python", elem_id=f"{verb}-python", **common),
            ]

    @property
    def main_slot(self) -> str:
        """The first slot: its picture is compared with the result, and other tabs send to it."""
        return next(iter(self.slots))

    @property
    def form(self) -> list[Any]:
        """The components that a run reads: the values of the options, and the file type."""
        return [*self.inputs.values(), self.ending]

    def read_form(self, form: Sequence[Any]) -> tuple[dict[str, Any], str]:
        """Return the values by option, and the suffix of the file."""
        *values, ending = form
        return dict(zip(self.inputs, values, strict=True)), ending if ending in _ENDINGS else ".png"

    def write_snippets(
        self, values: dict[str, Any], ending: str, files: dict[str, list[str]]
    ) -> tuple[str, str]:
        """Write the form as a command and as Python, with made-up names for missing pictures."""
        lacking = not any(files.get(name) for name in self.tab.pictures)
        for one in forms.fields(self.tab):
            option = one.option
            is_visible = one.kind == "picture" and option.name in self.tab.pictures
            if is_visible and (option.input or lacking):
                files = {option.name: [f"{option.name}.jpg"], **files}
        output = "new/" if self.tab.verb == "generate" else f"{self.tab.verb}{ending}"
        try:
            call = make_call(self.tab, values, files)
        except LimnerError as error:
            return str(error), str(error)
        return command_line(call, output), python_call(call, output)

    def connect(self, history: Any, history_items: Callable[[Session], Any]) -> None:
        """Connect events with what they do."""
        self.history, self.history_items = history, history_items
        update: dict[str, Any] = {
            "fn": self.update_snippets,
            "inputs": self.form,
            "outputs": self.snippets,
            **UNQUEUED,
        }
        for name, slot in self.slots.items():
            slot.upload(
                self._dropper(name), [slot], [slot, self.status], preprocess=False, **UNQUEUED
            ).then(**update)
            slot.clear(self._clearer(name), None, None, **UNQUEUED).then(**update)
        self.examples.click(self.use_examples, None, [*self.slots.values()], **UNQUEUED).then(
            **update
        )
        gr.on([one.change for one in self.form], trigger_mode="always_last", **update)
        buttons = [self.run, self.stop]
        results = [self.slider, self.gallery, self.files, self.send_row, history]
        # In the browser: an answer of the server could arrive after that of `show_result`.
        self.run.click(None, None, buttons, js=_SHOW_RUNNING)
        self.run.click(
            self.run_job,
            [*self.form, *self.before_run_inputs],
            [self.status, self.preview],  # only these: gradio redraws every output each time
            show_progress="hidden",
            **QUEUED,
        ).then(
            self.show_result,
            None,
            [self.status, *results, *self.after_run_outputs, *buttons],
            **UNQUEUED,
        ).then(**update)
        self.stop.click(self.stop_jobs, None, None, **UNQUEUED)
        self.gallery.select(self.select_picture, None, None, **UNQUEUED)

    def update_snippets(self, request: gr.Request, *form: Any) -> tuple[str, str]:
        """Write the form of a page as a command and as Python."""
        session = self.sessions.get(request.session_hash)
        return self.write_snippets(*self.read_form(form), session.files(self.tab.verb))

    def _dropper(self, name: str) -> Callable[..., Any]:
        key = f"{self.tab.verb}.{name}"

        def dropped(value: Any, request: gr.Request) -> tuple[Any, str]:
            session = self.sessions.get(request.session_hash)
            session.slots.pop(key, None)
            is_weights = name.split(".")[0] in forms.WEIGHTS_FILES
            try:
                source, original_name = self.sessions.uploaded(value)
                add = session.add_weights if is_weights else session.add_picture
                session.slots[key] = stored = add(source, original_name)
            except LimnerError as error:
                return None, error_html(str(error))
            return gr.skip() if is_weights else str(stored.thumbnail), ""

        return dropped

    def _clearer(self, name: str) -> Callable[..., None]:
        def cleared(request: gr.Request) -> None:
            self.sessions.get(request.session_hash).slots.pop(f"{self.tab.verb}.{name}", None)

        return cleared

    def use_examples(self, request: gr.Request) -> dict[Any, Any]:
        """Put the example pictures into the form."""
        session = self.sessions.get(request.session_hash)
        updates: dict[Any, Any] = {}
        for name, slot in self.slots.items():
            option, number = name.split(".")
            if option in self.tab.pictures and option in _EXAMPLES and number == "0":
                path = Path(__file__).parent / "examples" / _EXAMPLES[option]
                stored = session.add_picture(path, path.name)
                session.slots[f"{self.tab.verb}.{name}"] = stored
                updates[slot] = str(stored.thumbnail)
        return updates

    def select_picture(self, event: gr.SelectData, request: gr.Request) -> None:
        """Remember which of several pictures to send to another tab."""
        self.sessions.get(request.session_hash).selected[self.tab.verb] = int(event.index)

    def stop_jobs(self, request: gr.Request) -> None:
        """Stop the jobs of this tab."""
        session = self.sessions.get(request.session_hash)
        for job in session.jobs:
            if job.owner == self.tab.verb:
                job.stop()

    async def run_job(
        self, request: gr.Request, *components: Any
    ) -> AsyncIterator[tuple[str, str]]:
        """Call the verb with the values of the form; yield progress and previews."""
        verb = self.tab.verb
        session = self.sessions.get(request.session_hash)
        count = len(self.form)
        values, ending = self.read_form(components[:count])
        try:
            self.before_run(request, *components[count:])
            call = make_call(self.tab, values, session.files(verb), session.folder)
            job = self.sessions.submit(session, session.work(call, ending), verb)
            before = session.slots.get(f"{verb}.{self.main_slot}")
        except LimnerError as error:
            yield error_html(str(error)), ""
            return
        except Exception as error:  # a bug: the page must go on
            yield error_html(describe_unexpected(error)), ""
            return
        async for update in follow(job, self.sessions):
            yield update
        if job.result is not None:
            job.result.before = before
            session.latest[verb], session.selected[verb] = job.result, 0
        yield outcome_html(job), ""

    def show_result(self, request: gr.Request) -> dict[Any, Any]:
        """Show the result of the last job if it is new, and enable the button again."""
        session = self.sessions.get(request.session_hash)
        result = session.latest.get(self.tab.verb)
        updates: dict[Any, Any] = {self.run: _ENABLED, self.stop: _DISABLED}
        if result is not None and result.is_new:
            result.is_new = False
            try:
                updates |= self._result_updates(session, result)
            except Exception as error:  # a bug: the page must go on
                updates[self.status] = error_html(describe_unexpected(error))
        return updates

    def _result_updates(self, session: Session, result: Result) -> dict[Any, Any]:
        first, before = result.pictures[0], result.before
        several = len(result.pictures) > 1 or self.tab.verb == "generate"
        paths = [*(one.path for one in result.pictures), *result.side_files]
        updates: dict[Any, Any] = {
            self.files: gr.File(value=[str(path) for path in paths], visible=True),
            self.send_row: gr.Row(visible=True),
            self.history: self.history_items(session),
        }
        if several or before is None:
            pictures = [(str(one.thumbnail), one.path.name) for one in result.pictures]
            updates[self.gallery] = gr.Gallery(value=pictures, visible=True)
            updates[self.slider] = gr.ImageSlider(visible=False)
        else:
            assert before.thumbnail is not None and first.thumbnail is not None
            pair = same_size(before.thumbnail, first.thumbnail)
            updates[self.gallery] = gr.Gallery(visible=False)
            updates[self.slider] = gr.ImageSlider(value=pair, visible=True)
        return updates | self.after_run(session, result)


def recipe_text(result: Result) -> str:
    """Return a recipe as indented JSON; empty if there is none."""
    return json.dumps(json.loads(result.recipe), indent=2) if result.recipe else ""
