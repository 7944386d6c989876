"""A hybrid seen from several distances: in a row, and as if one walked away from it."""

from io import BytesIO

from PIL import Image

from limner.nn.images import fit

_GAP = 16  # pixels between the pictures of a strip
_ANIMATED = 480  # longest side of an animation, in pixels
_FRAMES, _PAUSE = 24, 8  # frames of the way out, and how many the ends stay


def strip(picture: Image.Image) -> Image.Image:
    """Return the picture at 1, ½, ¼ and ⅛ of its size, side by side on white."""
    parts = [_shrunk(picture, 2**-step) for step in range(4)]
    width = sum(part.width for part in parts) + _GAP * (len(parts) - 1)
    row = Image.new("RGB", (width, picture.height), "white")
    left = 0
    for part in parts:
        row.paste(part, (left, picture.height - part.height))
        left += part.width + _GAP
    return row


def zoom(picture: Image.Image) -> Image.Image:
    """Return an animated GIF: the picture, smaller and smaller down to an eighth, and back."""
    height, width = fit(picture.height, picture.width, min(_ANIMATED, max(picture.size)))
    first = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    way = []
    for step in range(_FRAMES):
        part = _shrunk(first, 2 ** (-3 * step / (_FRAMES - 1)))
        frame = Image.new("RGB", first.size, "white")
        frame.paste(part, ((width - part.width) // 2, (height - part.height) // 2))
        way.append(frame.quantize(256))
    frames = [way[0]] * _PAUSE + way + [way[-1]] * _PAUSE + way[-2:0:-1]
    file = BytesIO()
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:], duration=80, loop=0, optimize=False
    )
    return Image.open(file)


def _shrunk(picture: Image.Image, share: float) -> Image.Image:
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.resize(size, Image.Resampling.LANCZOS)
