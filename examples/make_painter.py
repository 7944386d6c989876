"""Make the pictures of a painter of our own, docs/images/generate-painter.jpg.

    python examples/make_painter.py works PHOTOS    the works: photos painted, and variations
    limner train painter build/painter/works -o build/painter/run --resolution 64 --mirror
    python examples/make_painter.py sheet           twelve large pictures, and their sheet

PHOTOS is a folder with the CC0 photos named below. The works take half an hour of one CPU core, the
training an hour, the sheet two minutes.
"""

import sys
from pathlib import Path

from PIL import Image

import limner

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"
FOLDER = HERE.parent / "build" / "painter"
PHOTOS = (
    *("beacon-street-sunset", "extreme-desert-hike", "high-trestle-trail", "lake-sherburne"),
    *("midsummer-sunrise", "ocean-waves", "san-francisco-skyline", "serene"),
)
PAINTINGS = ("painting", "paintings/oil", "paintings/watercolor", "paintings/knife")
SEED, COUNT, COLUMNS = 20, 12, 4
WIDTH, HEIGHT = 250, 188  # of a picture on the sheet


def make_works(photos: Path) -> None:
    """Paint each photo after each painting, and vary the result twice."""
    works = FOLDER / "works"
    works.mkdir(parents=True, exist_ok=True)
    for photo in (HERE / "photo.jpg", *(photos / f"{name}.jpg" for name in PHOTOS)):
        for name in PAINTINGS:
            painted = limner.stylize(photo, HERE / f"{name}.jpg", size=576)
            stem = f"{photo.stem}-{Path(name).name}"
            limner.write(painted, works / f"{stem}.jpg")
            for number, one in enumerate(limner.variations(painted, n=2, variety=1)):
                limner.write(one, works / f"{stem}-{number}.jpg")
            print(stem, flush=True)


def make_sheet() -> None:
    """Draw large pictures, and put them side by side."""
    run = FOLDER / "run"
    pictures = limner.generate(run / "best.safetensors", n=COUNT, seed=SEED, size="600x450")
    lay_out(pictures)


def lay_out(pictures: list[Image.Image]) -> None:
    """Write pictures as a sheet."""
    rows = COUNT // COLUMNS
    sheet = Image.new("RGB", (COLUMNS * WIDTH, rows * HEIGHT), "white")
    for number, picture in enumerate(pictures):
        place = number % COLUMNS * WIDTH, number // COLUMNS * HEIGHT
        small = picture.resize((WIDTH - 6, HEIGHT - 6), Image.Resampling.LANCZOS)
        sheet.paste(small, (place[0] + 3, place[1] + 3))
    sheet.save(IMAGES / "generate-painter.jpg", quality=76, optimize=True, progressive=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["works"] and len(sys.argv) == 3:
        make_works(Path(sys.argv[2]))
    elif sys.argv[1:] == ["sheet"]:
        make_sheet()
    else:
        print(__doc__)
