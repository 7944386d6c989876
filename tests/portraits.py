"""A portrait drawn here, with one face, for tests of `generate --like`."""

import numpy as np
from PIL import Image, ImageDraw
from skimage.feature import match_template, peak_local_max

WIDTH, HEIGHT = 240, 160
FACE = (85, 32, 155, 112)  # left, top, right, bottom


def portrait() -> Image.Image:
    """A person with brown hair before a pale wall with a shelf of equal jars."""
    width, height = 2 * WIDTH, 2 * HEIGHT
    picture = Image.new("RGB", (width, height), (168, 190, 200))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 250, width, height), fill=(150, 120, 90))
    for left in range(6, width, 40):
        draw.rectangle((left, 214, left + 26, 249), fill=(190, 150, 60), outline=(110, 80, 30))
    draw.polygon([(120, 320), (150, 240), (330, 240), (360, 320)], fill=(70, 60, 120))
    draw.rectangle((215, 200, 265, 260), fill=(220, 170, 140))
    draw.ellipse((170, 60, 310, 230), fill=(230, 185, 155))
    draw.pieslice((160, 40, 320, 200), 180, 360, fill=(80, 45, 20))
    for x in (205, 275):
        draw.ellipse((x - 14, 130, x + 14, 146), fill="white")
        draw.ellipse((x - 7, 131, x + 7, 145), fill=(40, 60, 90))
        draw.line((x - 16, 120, x + 16, 118), fill=(70, 40, 20), width=5)
    draw.line((240, 140, 234, 175, 244, 176), fill=(180, 120, 100), width=4)
    draw.arc((210, 170, 270, 205), 20, 160, fill=(170, 50, 60), width=7)
    return picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def faces(picture: Image.Image) -> int:
    """Count the places that look like the face."""
    face = np.asarray(portrait().convert("L").crop(FACE), float)
    found = match_template(np.asarray(picture.convert("L"), float), face)
    return len(peak_local_max(found, min_distance=20, threshold_abs=0.6, exclude_border=False))
