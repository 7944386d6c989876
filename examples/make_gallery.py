"""Make the gallery of `stylize`, docs/images/gallery-*.jpg, with the defaults at 1024 pixels.

    python examples/make_gallery.py PHOTOS

PHOTOS is a folder with the CC0 photos named below; the photo and the paintings that are not there
are in this folder. Results are kept in build/gallery, so that a second run only lays them out
again. Five minutes of two CPU cores.
"""

import sys
from pathlib import Path

from PIL import Image

import limner

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"
KEPT = HERE.parent / "build" / "gallery"
PAIRS = (
    ("photo", "painting"),
    ("lake-sherburne", "watercolor"),
    ("budgie-branch", "oil"),
    ("singaporean-cityscape", "knife"),
    ("extreme-desert-hike", "watercolor"),
    ("oakland-zoo-otters", "oil"),
    ("san-francisco-skyline", "painting"),
    ("serene", "watercolor"),
    ("egg-basket", "knife"),
    ("photo", "woodcut"),
    ("orange-hallway", "woodcut"),
    ("piazza-gae-aulenti", "painting"),
)
WIDTH = 1024  # pixels of a page of the gallery: one result at full size
SMALL = 240  # pixels of the height of photo and painting


def find(name: str, *folders: Path) -> Path:
    """Return the picture of this name in the first folder that has it."""
    paths = [folder / f"{name}.jpg" for folder in folders]
    return next(path for path in paths if path.exists())


def made(photo: Path, painting: Path) -> Image.Image:
    """Return a photo in the style of a painting, computed now or kept by an earlier run."""
    path = KEPT / f"{photo.stem}-{painting.stem}.png"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        print(f"making {path.stem}", flush=True)
        limner.write(limner.stylize(photo, painting, size=WIDTH), path)
    return Image.open(path).convert("RGB")


def page(photo: Path, painting: Path) -> Image.Image:
    """Return photo and painting, and below them the result at full size."""
    result = made(photo, painting)
    sheet = Image.new("RGB", (WIDTH, SMALL + 8 + result.height), "white")
    left = 0
    for path in (photo, painting):
        small = Image.open(path).convert("RGB")
        small.thumbnail((WIDTH // 2 - 4, SMALL))
        sheet.paste(small, (left, 0))
        left += small.width + 8
    sheet.paste(result, (0, SMALL + 8))
    return sheet


def main() -> None:
    """Make all pages."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    photos = Path(sys.argv[1])
    IMAGES.mkdir(exist_ok=True)
    for photo, painting in PAIRS:
        sheet = page(find(photo, HERE, photos), find(painting, HERE, HERE / "paintings"))
        path = IMAGES / f"gallery-{photo}-{painting}.jpg"
        sheet.save(path, quality=81, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
