"""Make the pictures of the documentation, docs/images/*.jpg, from the examples.

    python examples/make_docs.py               all of them; some ten minutes of two CPU cores
    python examples/make_docs.py stylize       those of one guide

Results are kept in build/docs, so that a second run only lays them out again. Delete that folder
to compute them anew.
"""

import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import limner
import make_drawings

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"
KEPT = HERE.parent / "build" / "docs"
PHOTO, PAINTING = HERE / "photo.jpg", HERE / "painting.jpg"
DRAWING = HERE.parent / "src/limner/web/examples/drawing.png"
WIDTH = 1000  # pixels of a sheet: the text column of the site is narrower, phones are sharper
GAP, LABEL = 8, 26  # pixels between pictures, and of the line of text below each

Labeled = tuple[str, Image.Image]


def kept(
    name: str, verb: Callable[..., Image.Image], *inputs: object, **options: object
) -> Image.Image:
    """Return what a verb makes, computed now or by an earlier run that kept it by this name."""
    path = KEPT / f"{name}.png"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        print(f"making {name}", flush=True)
        limner.write(verb(*inputs, **options), path)
    return Image.open(path)


def sheet(name: str, *rows: Sequence[Labeled], quality: int = 84) -> None:
    """Write rows of pictures, each with its text below it, as docs/images/NAME.jpg.

    The pictures of a row have one height, and fill the width.
    """
    font = ImageFont.load_default(17)
    heights = [round(_height(row)) for row in rows]
    labeled = [any(text for text, _ in row) for row in rows]
    total = sum(heights) + LABEL * sum(labeled) + GAP * (len(rows) - 1)
    made = Image.new("RGB", (WIDTH, total), "white")
    pen = ImageDraw.Draw(made)
    top = 0
    for row, height, text_below in zip(rows, heights, labeled, strict=True):
        left = 0.0
        for text, picture in row:
            width = height * picture.width / picture.height
            shown = picture.convert("RGB").resize((round(width), height), Image.Resampling.LANCZOS)
            made.paste(shown, (round(left), top))
            pen.text((round(left) + 2, top + height + 3), text, "black", font)
            left += width + GAP
        top += height + LABEL * text_below + GAP
    IMAGES.mkdir(exist_ok=True)
    made.save(IMAGES / f"{name}.jpg", quality=quality, optimize=True, progressive=True)


def _height(row: Sequence[Labeled]) -> float:
    """Return the height at which the pictures of a row fill the width."""
    aspects = sum(picture.width / picture.height for _, picture in row)
    return (WIDTH - GAP * (len(row) - 1)) / aspects


def on_white(picture: Image.Image) -> Image.Image:
    """Return a picture over white where it is transparent."""
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")


def opened(path: Path) -> Image.Image:
    """Open a picture without transparency."""
    return on_white(Image.open(path))


def painted(name: str, **options: object) -> Image.Image:
    """Return photo.jpg in the style of painting.jpg, 768 pixels wide."""
    return kept(name, limner.stylize, PHOTO, PAINTING, size=768, **options)


def sky() -> Image.Image:
    """Return a mask for photo.jpg: white for the sky, softly black from the hills down."""
    mask = Image.new("L", (1200, 800), 0)
    for row in range(800):
        shade = max(0, min(255, round(255 * (395 - row) / 60)))
        mask.paste(shade, (0, row, 1200, row + 1))
    return mask


def stylize() -> None:
    """Make the pictures of the guide to stylize."""
    plain = painted("stylize")
    sheet("stylize", [("photo", opened(PHOTO)), ("painting", opened(PAINTING)), ("result", plain)])
    strengths = [
        (f"--strength {strength:g}", painted(f"stylize-strength-{strength:g}", strength=strength))
        for strength in (0.3, 0.6, 1.6)
    ]
    strengths.insert(2, ("--strength 1 (default)", plain))
    sheet("stylize-strength", strengths[:2], strengths[2:])
    left = (90, 90, 474, 474)  # a square of the result at its full size
    scales = [
        (f"--style-scale {scale:g}", painted(f"stylize-scale-{scale:g}", style_scale=scale))
        for scale in (0.5, 2)
    ]
    scales.insert(1, ("--style-scale 1 (default)", plain))
    sheet("stylize-scale", [(text, picture.crop(left)) for text, picture in scales])
    colors = painted("stylize-keep-colors", keep_colors=True)
    masked = painted("stylize-mask", mask=[sky()])
    sheet(
        "stylize-colors",
        [("--keep-colors", colors), ("--mask sky.png", masked), ("sky.png", sky())],
    )


def hybridize() -> None:
    """Make the pictures of the guide to hybridize."""
    hybrid = kept("hybridize", limner.hybridize, PHOTO, PAINTING, size=960)
    parts = [("near.jpg", opened(PHOTO)), ("far.jpg", opened(PAINTING)), ("hybrid", hybrid)]
    sheet("hybridize", parts)
    small = [("", hybrid)]
    for share in (2, 4, 8):
        size = (hybrid.width // share, hybrid.height // share)
        column = Image.new("RGB", (size[0], hybrid.height), "white")
        reduced = hybrid.resize(size, Image.Resampling.LANCZOS)
        column.paste(reduced, (0, hybrid.height - size[1]))
        small.append(("", column))
    sheet("hybridize-distance", small)
    sigmas = []
    for sigma in (1.5, 4, 10):
        name = f"hybridize-sigma-{sigma:g}"
        made = kept(name, limner.hybridize, PHOTO, PAINTING, size=960, sigma=sigma)
        sigmas.append((f"--sigma {sigma:g}", made))
    sheet("hybridize-sigma", sigmas)


def hints() -> Image.Image:
    """Return hints for drawing.png: strokes and dots of color on a transparent picture."""
    made = Image.new("RGBA", Image.open(DRAWING).size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(made)
    fur, ear, eye, nose, paper = "#8d99a6", "#5b6672", "#3f9a4e", "#e57a86", "#d8e8f4"
    for points in (
        ((290, 180), (330, 160), (384, 152), (438, 160), (478, 180)),
        ((260, 290), (280, 340), (320, 375)),
        ((508, 290), (488, 340), (448, 375)),
    ):
        pen.line(points, fur, 16, "curve")
    for x, y, radius, color in (
        (280, 118, 7, ear),
        (488, 118, 7, ear),
        (311, 247, 3, eye),
        (431, 247, 3, eye),
        (384, 308, 3, nose),
        (100, 100, 10, paper),
        (668, 100, 10, paper),
        (100, 430, 10, paper),
        (668, 430, 10, paper),
    ):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), color)
    return made


def colorize() -> None:
    """Make the pictures of the guide to colorize and sketch."""
    box = (160, 50, 610, 440)  # the cat
    drawing = opened(DRAWING)
    plain = kept("colorize", limner.colorize, DRAWING)
    with TemporaryDirectory() as folder:
        path = Path(folder, "hints.png")
        hints().save(path)
        hinted = kept("colorize-hints", limner.colorize, DRAWING, hints=path)
    dotted = on_white(Image.alpha_composite(drawing.convert("RGBA"), hints()))
    shown = [
        ("drawing.png", drawing),
        ("without hints", plain),
        ("hints.png over it", dotted),
        ("with hints", hinted),
    ]
    sheet("colorize", [(text, picture.crop(box)) for text, picture in shown])
    colors = "#2b4c7e,#e8d5b5,#c0504d"
    own = kept("colorize-palette", limner.colorize, DRAWING, palette=colors)
    taken = kept("colorize-from", limner.colorize, DRAWING, palette=PAINTING)
    soft = kept("colorize-soften", limner.colorize, DRAWING, lines="soften")
    shown = [
        (f'--palette "{colors[:8]}…"', own),
        ("--palette painting.jpg", taken),
        ("--lines soften", soft),
    ]
    sheet("colorize-palette", [(text, picture.crop(box)) for text, picture in shown])
    box = (560, 250, 1200, 680)
    rows = [("photo", opened(PHOTO))]
    for style in ("ink", "contour", "pencil"):
        rows.append(
            (f"--style {style}", kept(f"sketch-{style}", limner.sketch, PHOTO, style=style))
        )
    cropped = [(text, picture.crop(box)) for text, picture in rows]
    sheet("sketch", cropped[:2], cropped[2:], quality=76)


def drawings() -> None:
    """Make the sheets of twelve drawings: each plain, without hints, and with three hints."""
    rows: list[list[Labeled]] = []
    for name, (draw, hints) in make_drawings.DRAWINGS.items():
        drawing = draw()
        plain = kept(f"drawing-{name}", limner.colorize, drawing)
        hinted = kept(f"drawing-{name}-hints", limner.colorize, drawing, hint=hints)
        labels = (name.replace("-", " "), "without hints", f"with {len(hints)} hints")
        pictures = (drawing, plain, hinted)
        rows.append([(text, picture) for text, picture in zip(labels, pictures, strict=True)])
    for number in range(3):
        sheet(f"colorize-drawings-{number + 1}", *rows[4 * number : 4 * number + 4], quality=50)


def beautify() -> None:
    """Make the pictures of the guide to beautify and predictability."""
    rows, maps = [], []
    photo = opened(PHOTO)
    dark = photo.point(lambda value: round(0.55 * value))
    hazy = photo.point(lambda value: round(110 + 0.35 * value))
    for name, before in (("before", photo), ("too dark", dark), ("hazy", hazy)):
        row = [(name, before)]
        for strength in (1, 2):
            key = f"beautify-{name.replace(' ', '-')}-{strength}"
            made = kept(key, limner.beautify, before, strength=strength)
            row.append((f"--strength {strength}", made))
        rows.append(row)
    for name, path in (("photo", PHOTO), ("painting", PAINTING)):
        maps.append((f"map of {path.name}", kept(f"map-{name}", map_of, path)))
    sheet("beautify", *rows)
    sheet("predictability", maps)


def map_of(path: Path) -> Image.Image:
    """Return the map of how predictable a picture is."""
    return limner.predictability(path).map


def varied(*sources: Path | Image.Image, **options: Any) -> Image.Image:
    """Return one variation of pictures."""
    return limner.variations(*sources, n=1, **options)[0]


def generate() -> None:
    """Make the pictures of the guide to generate."""
    fields, photo = opened(PAINTING).crop((0, 430, 1000, 800)), opened(PHOTO)
    wide = kept("generate-wide", varied, fields, size="1500x500")
    sheet("generate-wide", [("--size 1500x500", wide)])
    whole = kept("generate-whole", varied, photo, size="1536x768", variety=1)
    sheet("generate-objects", [("source", photo), ("--size 1536x768", whole)])
    sun = opened(PAINTING)
    river, oil, wave = (
        opened(HERE / "paintings" / f"{name}.jpg") for name in ("watercolor", "oil", "woodcut")
    )
    tile = kept("generate-tile", varied, river, size="480x360", tileable=True)
    repeated = Image.new("RGB", (960, 640))
    for left, top in ((0, 0), (480, 0), (0, 360), (480, 360)):
        repeated.paste(tile, (left, top))
    mixed = kept("generate-mixed", varied, sun, river, size="960x640")
    sheet(
        "generate-layout",
        [("painting 1", sun), ("painting 2", river), ("1 and 2 mixed", mixed)],
        [
            ("--keep-layout 1", kept("generate-kept", varied, river, keep_layout=1)),
            (
                "a woodcut, strokes of an oil",
                kept("generate-oil", varied, wave, oil, keep_layout=1, size="960x640"),
            ),
            ("--tileable, repeated", repeated),
        ],
    )


def phone_photo(photo: Image.Image) -> Image.Image:
    """Add the noise of a small sensor, and compress a photo as JPEG."""
    noise = np.random.default_rng(0).normal(0, 5, (photo.height, photo.width, 3))
    noisy = Image.fromarray((np.asarray(photo) + noise).clip(0, 255).astype(np.uint8))
    file = BytesIO()
    noisy.save(file, "JPEG", quality=55)
    return Image.open(file)


def old_scan(photo: Image.Image) -> Image.Image:
    """Make a gray picture with grain, dust and scratches."""
    random = np.random.default_rng(1)
    grain = random.normal(0, 9, (photo.height, photo.width))
    scan = Image.fromarray((np.asarray(photo.convert("L")) + grain).clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(scan)
    for x, y in random.random((photo.width * photo.height // 400, 2)) * photo.size:
        pen.ellipse((x, y, x + random.integers(1, 3), y + random.integers(1, 3)), fill=245)
    for x, y in random.random((photo.width // 30, 2)) * photo.size:
        pen.line((x, y, x + random.normal(0, 6), y + random.normal(0, 14)), fill=235)
    return scan


def upscale() -> None:
    """Make the pictures of the guides to upscale and to printing."""
    photo = opened(PHOTO)
    small = photo.resize((photo.width // 4, photo.height // 4), Image.Resampling.BICUBIC)
    shown = (
        ("bicubic, as image editors do", small.resize(photo.size, Image.Resampling.BICUBIC)),
        ("--detail 0", kept("upscale-faithful", limner.upscale, small, detail=0)),
        ("--detail 0.65 (default)", kept("upscale", limner.upscale, small)),
        ("--quality fast", kept("upscale-fast", limner.upscale, small, quality="fast")),
        (
            "--model realesrgan",
            kept("upscale-realesrgan", limner.upscale, small, model="realesrgan"),
        ),
        ("the photo itself", photo),
    )
    parts = []
    for text, picture in shown:
        part = picture.crop((784, 336, 1008, 484))
        parts.append((text, part.resize((672, 444), Image.Resampling.NEAREST)))
    sheet("upscale", parts[:3], parts[3:])
    cleaned: list[list[Labeled]] = []
    for name, worn, box in (
        ("phone photo", phone_photo(small), (160, 70, 272, 144)),
        ("old scan", old_scan(small), (160, 70, 272, 144)),
    ):
        part = worn.crop(box)
        row = [(name, part.resize((448, 296), Image.Resampling.NEAREST))]
        for clean in (0, 0.5, 1):
            made = kept(f"clean-{name}-{clean}", limner.upscale, part, clean=clean)
            row.append((f"--clean {clean}", made))
        cleaned.append(row)
    sheet("upscale-clean", *cleaned)
    placed = []
    for fit in ("fit", "fill", "pad"):
        made = kept(f"print-{fit}", limner.upscale, photo, print_="20x20cm", dpi=100, fit=fit)
        made = made.resize((made.width // 4, made.height // 4), Image.Resampling.LANCZOS)
        wall = Image.new("RGB", (300, 300), "#b9b4ac")
        wall.paste(made, ((300 - made.width) // 2, (300 - made.height) // 2))
        placed.append((f"--fit {fit}", wall))
    sheet("print-fit", placed)


GUIDES = {
    one.__name__: one
    for one in (stylize, hybridize, colorize, drawings, beautify, generate, upscale)
}

if __name__ == "__main__":
    for guide in sys.argv[1:] or GUIDES:
        GUIDES[guide]()
