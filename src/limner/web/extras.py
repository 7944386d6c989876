"""What single tabs add: painted hints, alignment points, a distance slider, a map, a detail."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageDraw

from limner.errors import LimnerError, OptionError
from limner.progress import OnStep, Progress
from limner.web.jobs import small_jpeg
from limner.web.session import Result, Session, StoredFile
from limner.web.status import error_html, follow, outcome_html
from limner.web.thumbnails import details, same_size
from limner.web.view import QUEUED, UNQUEUED, View

_BRUSH_COLORS: list[Any] = [
    "#c0392b",
    "#e67e22",
    "#f1c40f",
    "#27ae60",
    "#2980b9",
    "#8e44ad",
    "#ffdbac",
    "#795548",
]
_POINT_COLORS = ("#ff3b30", "#0a84ff")  # of the first and the second point


def painted_hints(view: View) -> None:
    """Add an editor to paint color hints on the drawing."""
    with view.below_pictures:
        editor = gr.ImageEditor(
            type="pil",
            label="Paint color hints here",
            sources=[],
            transforms=[],
            buttons=[],
            brush=gr.Brush(default_size=12, colors=_BRUSH_COLORS, color_mode="defaults"),
            eraser=gr.Eraser(default_size=24),
            layers=gr.LayerOptions(allow_additional_layers=False, disabled=True),
            elem_id="colorize-painted",
            height=420,
        )

    def show_drawing(request: gr.Request) -> Any:
        session = view.sessions.get(request.session_hash)
        drawing = session.slots.get("colorize.sketch.0")
        session.painted_hints = None
        session.coloring.drop_old()
        if drawing is None or drawing.thumbnail is None:
            return None
        return {"background": str(drawing.thumbnail), "layers": [], "composite": None}

    def save_hints(request: gr.Request, painted: dict[str, Any] | None) -> None:
        session = view.sessions.get(request.session_hash)
        drawing = session.slots.get("colorize.sketch.0")
        layers = [one for one in (painted or {}).get("layers", []) if one is not None]
        session.painted_hints = None
        if drawing is None or drawing.thumbnail is None or not layers:
            return
        with Image.open(drawing.thumbnail) as shown:
            hints = Image.new("RGBA", shown.size)
        for layer in layers:
            part = layer.convert("RGBA")
            part = part if part.size == hints.size else part.resize(hints.size)
            hints = Image.alpha_composite(hints, part)
        if hints.getchannel("A").getbbox() is None:
            return
        if "colorize.hints.0" in session.slots:
            raise OptionError("“Hints”: the drawing has painted hints too; remove one of them")
        path = session.unused_path(Path("hints.png"))
        hints.save(path)
        session.painted_hints = session.register(path)

    view.slots["sketch.0"].change(
        show_drawing, None, editor, trigger_mode="always_last", **UNQUEUED
    )
    view.before_run, view.before_run_inputs = save_hints, [editor]


def alignment_points(view: View) -> None:
    """Let the user click two points in each photo that should lie on each other."""
    names = ("near_photo", "far_photo")
    with view.below_pictures:
        gr.Markdown(
            "To align the photos yourself, click the same two points in each of them, "
            "for example the eyes of two faces."
        )
        clear = gr.Button("Clear the points", size="sm", elem_id="hybridize-clear-points")
    field = view.inputs["points"]

    def clicker(name: str) -> Callable[..., tuple[Any, Any]]:
        def clicked(event: gr.SelectData, request: gr.Request) -> tuple[Any, Any]:
            session = view.sessions.get(request.session_hash)
            photo = session.slots.get(f"hybridize.{name}.0")
            if photo is None or photo.thumbnail is None:
                return gr.skip(), gr.skip()
            with Image.open(photo.thumbnail) as shown:
                scale = photo.size[0] / shown.width
                marked = shown.convert("RGB")
            of_photo, points = session.points.get(name, (photo, []))
            if of_photo != photo or len(points) == 2:
                points = []
            session.points[name] = photo, points
            x, y = (
                min(round(at * scale), side - 1)
                for at, side in zip(event.index, photo.size, strict=True)
            )
            points.append((x, y))
            _draw_points(marked, [(round(x / scale), round(y / scale)) for x, y in points])
            both = [session.points[one][1] if one in session.points else [] for one in names]
            text = ",".join(f"{x},{y}" for one in both for x, y in one)
            return marked, text if all(len(one) == 2 for one in both) else ""

        return clicked

    def clear_points(request: gr.Request) -> list[Any]:
        session = view.sessions.get(request.session_hash)
        session.points.clear()
        photos = [session.slots.get(f"hybridize.{name}.0") for name in names]
        return [*(str(one.thumbnail) if one else None for one in photos), ""]

    def photo_changed(request: gr.Request) -> Any:
        """Remove the points of a photo that is no longer in its slot."""
        session = view.sessions.get(request.session_hash)
        stale = [
            name
            for name, (photo, _) in session.points.items()
            if photo != session.slots.get(f"hybridize.{name}.0")
        ]
        for name in stale:
            del session.points[name]
        return "" if stale else gr.skip()

    slots = [view.slots[f"{name}.0"] for name in names]
    for name, slot in zip(names, slots, strict=True):
        slot.change(photo_changed, None, field, **UNQUEUED)
        slot.select(clicker(name), None, [slot, field], **UNQUEUED)
    clear.click(clear_points, None, [*slots, field], **UNQUEUED)


def _draw_points(picture: Image.Image, points: list[tuple[int, int]]) -> None:
    pen = ImageDraw.Draw(picture)
    outer, inner = max(picture.size) // 40, max(picture.size) // 50  # radii in pixels
    for (x, y), color in zip(points, _POINT_COLORS, strict=False):
        for radius, outline in ((outer, "white"), (inner, color)):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), None, outline, 5)


def distance_slider(view: View) -> None:
    """Show a hybrid picture as it looks from farther and farther away."""
    with view.below_result:
        viewer = gr.HTML(elem_id="hybridize-distance")

    def after_run(session: Session, result: Result) -> dict[Any, Any]:
        path = result.pictures[0].thumbnail
        assert path is not None
        with Image.open(path) as picture:
            data = base64.b64encode(small_jpeg(picture, 1024)).decode()
        return {viewer: _DISTANCE.format(data=data)}

    view.after_run, view.after_run_outputs = after_run, [viewer]


_DISTANCE = """<div class="limner-distance"><label>Move the slider to see it from farther away
<input type="range" min="4" max="100" value="100"
 oninput="this.closest('.limner-distance').querySelector('img').style.width = this.value + '%'"
 style="direction: rtl"></label>
<div><img alt="The hybrid picture, as large as it looks from there" style="width: 100%"
 src="data:image/jpeg;base64,{data}"></div></div>"""


def predictability_map(view: View) -> None:
    """Add a map of where a picture is hard to predict."""
    with view.below_result:
        button = gr.Button(
            "Show where the picture is hard to predict", size="sm", elem_id="beautify-map"
        )
        numbers = gr.HTML(elem_id="beautify-numbers")
        slider = gr.ImageSlider(
            label="The picture and its map (blue is easy to predict, orange is hard)",
            visible=False,
            elem_id="beautify-overlay",
            buttons=["fullscreen"],
        )

    async def measure(request: gr.Request) -> AsyncIterator[tuple[str, str]]:
        session = view.sessions.get(request.session_hash)
        try:
            picture = session.slots.get("beautify.picture.0")
            if picture is None:
                raise OptionError("“Picture”: is empty; drop a picture there first")
            job = view.sessions.submit(session, _measuring(session, picture), "beautify")
        except LimnerError as error:
            yield error_html(str(error)), ""
            return
        async for update in follow(job, view.sessions):
            yield update
        if job.result is None:
            yield outcome_html(job), ""
            return
        session.latest["map"] = job.result
        yield f'<p role="status">{job.result.notes[0]}</p>', ""

    def show_map(request: gr.Request) -> Any:
        result = view.sessions.get(request.session_hash).latest.pop("map", None)
        if result is None or result.before is None:
            return gr.skip()
        before, after = result.before.thumbnail, result.pictures[0].thumbnail
        assert before is not None and after is not None
        return gr.ImageSlider(value=same_size(before, after), visible=True)

    button.click(measure, None, [numbers, view.preview], show_progress="hidden", **QUEUED).then(
        show_map, None, slider, **UNQUEUED
    )


def _measuring(session: Session, picture: StoredFile) -> Callable[[OnStep], Result]:
    def work(on_step: OnStep) -> Result:
        from limner import predictability

        on_step(Progress("predictability", "Measuring", 0, 0, 0.0))
        with session.page_errors({}):
            found = predictability(picture.path)
        path = session.unused_path(Path("map.png"))
        found.map.save(path)
        text = (
            f"Prediction error: {found.error:.3g} of 255, or {found.relative:.3g} times the mean "
            "difference between neighboring pixels. The network predicts "
            f"{found.progress:.3g} times better than a smooth fill."
        )
        return Result("Map", [session.register(path)], notes=[text], before=picture)

    return work


def detail_slider(view: View) -> None:
    """Compare the center of an enlarged picture, pixel for pixel: scaled down it shows nothing."""
    with view.below_result:
        slider = gr.ImageSlider(
            label="The center at full size: before and after",
            visible=False,
            elem_id="upscale-detail-slider",
            buttons=["fullscreen"],
        )

    def after_run(session: Session, result: Result) -> dict[Any, Any]:
        made = result.pictures[0].path
        if result.before is None or made.suffix == ".pdf":
            return {slider: gr.ImageSlider(visible=False)}
        fills = json.loads(result.recipe)["options"]["fit"] == "fill"
        pair = details(result.before.path, made, fills=fills)
        return {slider: gr.ImageSlider(value=pair, visible=True)}

    view.after_run, view.after_run_outputs = after_run, [slider]


def paper_size(view: View) -> None:
    """Add two fields for the paper size in centimeters, which fill the field of the option."""
    field = view.inputs["print_"]
    with view.below_pictures, gr.Row():
        width, height = (
            gr.Textbox(
                label=f"{side} on paper, in cm",
                max_length=10,
                elem_id=f"upscale-{side.lower()}",
            )
            for side in ("Width", "Height")
        )

    def joined(across: str, down: str) -> str:
        return f"{across.strip()}x{down.strip()}cm" if across.strip() and down.strip() else ""

    gr.on([width.change, height.change], joined, [width, height], field, **UNQUEUED)
