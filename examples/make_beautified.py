"""Put pictures, what `limner beautify` makes of them, and their maps into docs/beautify.jpg.

python examples/make_beautified.py examples/photo.jpg examples/painting.jpg
"""

import sys
from pathlib import Path

from PIL import Image

from limner import beautify, predictability

WIDTH = 420  # pixels of each

if __name__ == "__main__":
    rows = []
    for path in sys.argv[1:]:
        views = (Image.open(path), beautify(path), beautify(path, strength=2))
        height = round(WIDTH * views[0].height / views[0].width)
        shown = [*views, predictability(path).map]
        rows.append(
            [v.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS) for v in shown]
        )
    sheet = Image.new("RGB", (4 * WIDTH, sum(row[0].height for row in rows)), "white")
    top = 0
    for row in rows:
        for place, view in enumerate(row):
            sheet.paste(view, (place * WIDTH, top))
        top += row[0].height
    folder = Path(__file__).parents[1] / "docs"
    folder.mkdir(exist_ok=True)
    sheet.save(folder / "beautify.jpg", quality=88, optimize=True)
