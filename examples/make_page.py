"""Make the example pictures of the page: small copies of those here, and a drawing."""

from pathlib import Path

from PIL import Image, ImageDraw

HERE = Path(__file__).parent
PAGE = HERE.parent / "src/limner/web/examples"
SIZE = (768, 512)


def drawing() -> Image.Image:
    """Return a cat in outlines, drawn at twice the size for smooth lines."""
    sheet = Image.new("L", (SIZE[0] * 2, SIZE[1] * 2), 255)
    pen = ImageDraw.Draw(sheet)
    for foot, tip, head in ((508, 528, 718), (1028, 1008, 818)):
        pen.polygon([(foot, 394), (tip, 154), (head, 284)], 255, 0, 9)
    pen.ellipse((468, 224, 1068, 824), 255, 0, 9)
    for x in (648, 888):
        pen.ellipse((x - 40, 444, x + 40, 544), 255, 0, 8)
        pen.ellipse((x - 14, 464, x + 14, 524), 0)
    pen.polygon([(733, 604), (803, 604), (768, 644)], 255, 0, 7)
    pen.arc((668, 604, 768, 704), 10, 120, 0, 7)
    pen.arc((768, 604, 868, 704), 60, 170, 0, 7)
    return sheet.resize(SIZE, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    PAGE.mkdir(exist_ok=True)
    for name in ("photo", "painting"):
        with Image.open(HERE / f"{name}.jpg") as picture:
            picture.thumbnail(SIZE, Image.Resampling.LANCZOS)
            picture.save(PAGE / f"{name}.jpg", quality=88)
    for path in sorted((HERE / "paintings").glob("*.jpg")):
        with Image.open(path) as picture:
            picture.thumbnail(SIZE, Image.Resampling.LANCZOS)
            picture.save(PAGE / path.name, quality=85)
    drawing().save(PAGE / "drawing.png", optimize=True)
