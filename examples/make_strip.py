"""Make the README's first picture: photo, painting, and the photo in the painting's style.

limner stylize examples/photo.jpg examples/painting.jpg -o painted.png
python examples/make_strip.py painted.png
"""

import sys
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
HEIGHT = 420  # pixels

if __name__ == "__main__":
    paths = (HERE / "photo.jpg", HERE / "painting.jpg", Path(sys.argv[1]))
    found = [Image.open(path) for path in paths]
    sized = [
        p.resize((round(p.width * HEIGHT / p.height), HEIGHT), Image.Resampling.LANCZOS)
        for p in found
    ]
    strip = Image.new("RGB", (sum(p.width for p in sized) + 16, HEIGHT), "white")
    left = 0
    for picture in sized:
        strip.paste(picture.convert("RGB"), (left, 0))
        left += picture.width + 8
    strip.save(HERE / "strip.jpg", quality=90)
