"""Show a hybrid at several distances: in a row, and as an animation."""

from io import BytesIO

from PIL import Image

from limner.nn.images import fit

_GAP = 16  # pixels between the pictures of a strip
_GIF_SIZE = 480  # longest side of an animation in pixels
_FRAMES, _PAUSE = 24, 8  # frames while it shrinks, and frames for which both ends stay
_DURATION = 80  # milliseconds per frame


def strip(picture: Image.Image) -> Image.Image:
    """Return the picture at 1, 1/2, 1/4 and 1/8 of its size, side by side on white."""
    parts = [_scaled(picture, 2**-step) for step in range(4)]
    width = sum(part.width for part in parts) + _GAP * (len(parts) - 1)
    row = Image.new("RGB", (width, picture.height), "white")
    left = 0
    for part in parts:
        row.paste(part, (left, picture.height - part.height))
        left += part.width + _GAP
    return row


def zoom(picture: Image.Image) -> Image.Image:
    """Return an animated GIF in which the picture shrinks to an eighth and grows again."""
    height, width = fit(picture.height, picture.width, min(_GIF_SIZE, max(picture.size)))
    first = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    shrinking = []
    for step in range(_FRAMES):
        part = _scaled(first, 2 ** (-3 * step / (_FRAMES - 1)))
        frame = Image.new("RGB", first.size, "white")
        frame.paste(part, ((width - part.width) // 2, (height - part.height) // 2))
        shrinking.append(frame.quantize(256))
    frames = [shrinking[0]] * _PAUSE + shrinking + [shrinking[-1]] * _PAUSE + shrinking[-2:0:-1]
    file = BytesIO()
    frames[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=_DURATION,
        loop=0,
        optimize=False,
    )
    return Image.open(file)


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS)
