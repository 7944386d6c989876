"""What some tabs have besides: hints, points, a walk, a map, centimetres, the middle."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageDraw

from limner.errors import LimnerError, OptionError
from limner.io import formats
from limner.progress import OnStep, Progress
from limner.web.jobs import small_jpeg
from limner.web.session import Result, Session, Shelved, upright
from limner.web.view import QUEUED, QUIET, View, compared
from limner.web.watching import alarm, ended, watched

_MIDDLE = (720, 540)  # pixels, about what a page has room for
_BRUSHES: list[Any] = [
    "#c0392b",
    "#e67e22",
    "#f1c40f",
    "#27ae60",
    "#2980b9",
    "#8e44ad",
    "#ffdbac",
    "#795548",
]


def hints(view: View) -> None:
    """Dabs of colour, painted right on the drawing."""
    with view.beneath:
        editor = gr.ImageEditor(
            type="pil",
            label="Dabs of colour on the drawing",
            sources=[],
            transforms=[],
            buttons=[],
            brush=gr.Brush(default_size=12, colors=_BRUSHES, color_mode="defaults"),
            eraser=gr.Eraser(default_size=24),
            layers=gr.LayerOptions(allow_additional_layers=False, disabled=True),
            elem_id="colorize-dabs",
            height=420,
        )

    def laid(request: gr.Request) -> Any:
        session = view.sessions.of(request.session_hash)
        drawing = session.slots.get("colorize.sketch.0")
        session.dabs = None
        if drawing is None or drawing.shown is None:
            return None
        return {"background": str(drawing.shown), "layers": [], "composite": None}

    def keep(request: gr.Request, painted: dict[str, Any] | None) -> None:
        session = view.sessions.of(request.session_hash)
        drawing = session.slots.get("colorize.sketch.0")
        layers = [one for one in (painted or {}).get("layers", []) if one is not None]
        session.dabs = None
        if drawing is None or drawing.shown is None or not layers:
            return
        with Image.open(drawing.shown) as shown:
            dabs = Image.new("RGBA", shown.size)
        for layer in layers:
            part = layer.convert("RGBA")
            part = part if part.size == dabs.size else part.resize(dabs.size)
            dabs = Image.alpha_composite(dabs, part)
        if dabs.getchannel("A").getbbox() is None:
            return
        if "colorize.hints.0" in session.slots:
            raise OptionError("Hints: there are dabs on the drawing too; take one of them away")
        path = session.free(Path("hints.png"))
        dabs.save(path)
        session.dabs = session.shelve(path)

    view.slots["sketch.0"].change(laid, None, editor, trigger_mode="always_last", **QUIET)
    view.prepare, view.prepared = keep, [editor]


def points(view: View) -> None:
    """Two points in each photo, by clicking, that are to lie on each other."""
    names = ("near_photo", "far_photo")
    with view.beneath:
        gr.Markdown("Click two places in each photo, and they are laid on each other.")
        again = gr.Button("Forget the points", size="sm", elem_id="hybridize-forget")
    field = view.inputs["points"]

    def clicked(name: str) -> Any:
        def on(event: gr.SelectData, request: gr.Request) -> tuple[Any, Any]:
            session = view.sessions.of(request.session_hash)
            photo = session.slots.get(f"hybridize.{name}.0")
            if photo is None or photo.shown is None:
                return gr.skip(), gr.skip()
            with Image.open(photo.shown) as shown:
                share = photo.size[0] / shown.width
                marked = shown.convert("RGB")
            where, known = session.points.get(name, (photo, []))
            if where != photo or len(known) == 2:
                known = []
            session.points[name] = photo, known
            x, y = (
                min(round(at * share), side - 1)
                for at, side in zip(event.index, photo.size, strict=True)
            )
            known.append((x, y))
            _mark(marked, [(round(x / share), round(y / share)) for x, y in known])
            both = [session.points[one][1] if one in session.points else [] for one in names]
            text = ",".join(f"{x},{y}" for one in both for x, y in one)
            return marked, text if all(len(one) == 2 for one in both) else ""

        return on

    def forget(request: gr.Request) -> list[Any]:
        session = view.sessions.of(request.session_hash)
        session.points.clear()
        kept = [session.slots.get(f"hybridize.{name}.0") for name in names]
        return [*(str(one.shown) if one else None for one in kept), ""]

    def changed(request: gr.Request) -> Any:
        """Forget the points of a picture that lies there no more."""
        session = view.sessions.of(request.session_hash)
        stale = [
            name
            for name, (photo, _) in session.points.items()
            if photo != session.slots.get(f"hybridize.{name}.0")
        ]
        for name in stale:
            del session.points[name]
        return "" if stale else gr.skip()

    for name in names:
        slot = view.slots[f"{name}.0"]
        slot.change(changed, None, field, **QUIET)
        slot.select(clicked(name), None, [slot, field], **QUIET)
    again.click(forget, None, [*(view.slots[f"{name}.0"] for name in names), field], **QUIET)


def _mark(picture: Image.Image, places: list[tuple[int, int]]) -> None:
    pen = ImageDraw.Draw(picture)
    for (x, y), colour in zip(places, ("#ff3b30", "#0a84ff"), strict=False):
        for reach, shade in ((max(picture.size) // 40, "white"), (max(picture.size) // 50, colour)):
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), None, shade, 5)


def walk(view: View) -> None:
    """A look at a hybrid as if one walked away from it."""
    with view.besides:
        viewer = gr.HTML(elem_id="hybridize-walk")

    def after(session: Session, result: Result) -> dict[Any, Any]:
        shown = result.pictures[0].shown
        assert shown is not None
        with Image.open(shown) as picture:
            data = base64.b64encode(small_jpeg(picture, 1024)).decode()
        return {viewer: _WALK.format(data=data)}

    view.finish, view.finished = after, [viewer]


_WALK = """<div class="limner-walk"><label>Walk away from it
<input type="range" min="4" max="100" value="100"
 oninput="this.closest('.limner-walk').querySelector('img').style.width = this.value + '%'"
 style="direction: rtl"></label>
<div><img alt="The hybrid picture, as large as it looks from there" style="width: 100%"
 src="data:image/jpeg;base64,{data}"></div></div>"""


def map_(view: View) -> None:
    """Where a picture is hard to predict."""
    with view.besides:
        button = gr.Button(
            "Show where the picture is hard to predict", size="sm", elem_id="beautify-map"
        )
        numbers = gr.HTML(elem_id="beautify-numbers")
        slider = gr.ImageSlider(
            label="The picture and its map: blue is easy, orange hard",
            visible=False,
            elem_id="beautify-overlay",
            buttons=["fullscreen"],
        )

    async def look(request: gr.Request) -> AsyncIterator[tuple[str, str]]:
        session = view.sessions.of(request.session_hash)
        try:
            subject = session.slots.get("beautify.picture.0")
            if subject is None:
                raise OptionError("Picture: there is none yet; drop a picture in first")
            job = view.sessions.begin(session, _measuring(session, subject), "beautify")
        except LimnerError as error:
            yield alarm(str(error)), ""
            return
        async for now in watched(job, view.sessions):
            yield now
        if job.result is None:
            yield ended(job), ""
            return
        session.latest["map"] = job.result
        yield f'<p role="status">{job.result.notes[0]}</p>', ""

    def overlay(request: gr.Request) -> Any:
        found = view.sessions.of(request.session_hash).latest.pop("map", None)
        if found is None or found.before is None:
            return gr.skip()
        return gr.ImageSlider(value=compared(found.before, found.pictures[0]), visible=True)

    button.click(look, None, [numbers, view.preview], show_progress="hidden", **QUEUED).then(
        overlay, None, slider, **QUIET
    )


def _measuring(session: Session, subject: Shelved) -> Any:
    def work(on_step: OnStep) -> Result:
        from limner import predictability

        on_step(Progress("predictability", "looking", 0, 0, 0.0))
        with session.plainly():
            found = predictability(subject.path)
        path = session.free(Path("map.png"))
        found.map.save(path)
        said = (
            f"Prediction error {found.error:.3g} of 255, {found.relative:.3g} of the contrast; "
            f"{found.progress:.3g} times better than a smooth filling"
        )
        return Result("Map", [session.shelve(path)], notes=[said], before=subject)

    return work


def middle(view: View) -> None:
    """The middle of an enlarged picture: on the whole of it nothing is to be seen."""
    with view.besides:
        slider = gr.ImageSlider(
            label="The middle, pixel for pixel",
            visible=False,
            elem_id="upscale-middle",
            buttons=["fullscreen"],
        )

    def after(session: Session, result: Result) -> dict[Any, Any]:
        made = result.pictures[0].path
        if result.before is None or made.suffix == ".pdf":
            return {slider: gr.ImageSlider(visible=False)}
        filled = json.loads(result.recipe)["options"]["fit"] == "fill"
        shown = middles(result.before.path, made, filled=filled)
        return {slider: gr.ImageSlider(value=shown, visible=True)}

    view.finish, view.finished = after, [slider]


def middles(before: Path, after: Path, *, filled: bool) -> tuple[Image.Image, Image.Image]:
    """The middle of a large picture, and of the small one enlarged as any viewer does it.

    Parameters
    ----------
    before, after : path
        The small one and the large one.
    filled : bool
        The large one fills its paper, and lost what sticks out; else all of the small one is on it.
    """
    with formats.opened(before) as (image, _):
        source = upright(image)
    with formats.opened(after) as (image, _):
        large = upright(image)
    times = [new / old for new, old in zip(large.size, source.size, strict=True)]
    scale = max(times) if filled else min(times)
    part = [min(most, side) for most, side in zip(_MIDDLE, large.size, strict=True)]
    seen = [min(wide / scale, side) for wide, side in zip(part, source.size, strict=True)]
    old, new = (
        whole.convert("RGB").resize(part, Image.Resampling.BICUBIC, _centre(whole.size, cut))
        for whole, cut in ((source, seen), (large, part))
    )
    return old, new


def _centre(size: Sequence[int], cut: Sequence[float]) -> tuple[float, float, float, float]:
    x, y = ((side - part) / 2 for side, part in zip(size, cut, strict=True))
    return x, y, x + cut[0], y + cut[1]


def centimetres(view: View) -> None:
    """The paper to be filled, in centimetres."""
    field = view.inputs["print_"]
    with view.beneath, gr.Row():
        width, height = (
            gr.Textbox(
                label=f"{side} on paper, cm", max_length=10, elem_id=f"upscale-{side.lower()}"
            )
            for side in ("Width", "Height")
        )

    def written(across: str, down: str) -> str:
        return f"{across.strip()}x{down.strip()}cm" if across.strip() and down.strip() else ""

    gr.on([width.change, height.change], written, [width, height], field, **QUIET)
