"""Render the two example pictures, photo.jpg and painting.jpg, next to this file.

Both are computed from a seed alone, so the README's commands run anywhere and no copyright is
involved. The photo is a height field seen by a pinhole camera, in linear light. The painting is a
stack of brush strokes, from large to small.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from landscape import CAMERA_HEIGHT, FOCAL, HEIGHT, HORIZON, OVER, WIDTH, Landscape
from light import Array, blur, rgb, to_srgb
from painting import paint
from shore import Layer, cottage, lighthouse, meadow, tree

SEED = 7
HERE = Path(__file__).parent


def develop(linear: Array, rng: np.random.Generator) -> Array:
    """Turn linear light into a photo: bloom, vignette, film curve, grain."""
    linear = 0.92 * linear + 0.08 * blur(np.minimum(linear, 8), 22 * OVER)
    size = (round(WIDTH / OVER), round(HEIGHT / OVER))
    planes = [Image.fromarray(p.astype(np.float32)) for p in np.moveaxis(linear, -1, 0)]
    small = np.stack([np.asarray(p.resize(size, Image.Resampling.BOX), float) for p in planes], -1)
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    small = small * (1 - 0.16 * (x**2 + y**2))[..., None] * 0.95
    film = small * (2.51 * small + 0.03) / (small * (2.43 * small + 0.59) + 0.14)  # ACES fit
    grain = blur(rng.standard_normal((size[1], size[0], 1)), 0.6) * 0.012
    return to_srgb(film) + grain


def photo(seed: int) -> Array:
    """Render the lighthouse on the fjord."""
    rng = np.random.default_rng(seed)
    land = Landscape(rng)
    up: Array = (HORIZON - np.arange(HEIGHT, dtype=float) - 0.5) / FOCAL
    picture, z = land.view(CAMERA_HEIGHT, up)
    mirror, _ = land.view(-CAMERA_HEIGHT, -up[up < 0])
    canvas = np.concatenate([picture[up > 0], mirror])  # the world and its reflection
    for upright in (False, True):
        layer = Layer(upright)
        things = np.random.default_rng(seed)  # the same random numbers, above the water and in it
        for x, deep, tall in ((49, 121, 8), (53, 117, 9.5), (25, 120, 6), (58, 121, 7.5)):
            foot = rgb(x, land.ground(rgb(x), rgb(deep))[0] - 0.3, deep)
            tree(layer, foot, tall, 0.17, things)
        for x, deep, draw in ((28, 112, lighthouse), (34, 110, cottage)):
            draw(layer, rgb(x, land.ground(rgb(x), rgb(deep))[0] - 0.3, deep), things)
        if not upright:
            mirror = layer.onto(canvas)[up < 0]
            # the lake beyond the cape does not mirror the cape
            beyond, _ = land.view(
                -CAMERA_HEIGHT, -up[(up < 0) & (up > -CAMERA_HEIGHT / 142)], nearest=142
            )
            mirror[: len(beyond)] = beyond
            land.water(picture, mirror, up, z)
    picture = layer.onto(picture)
    oak = Layer()
    tree(oak, rgb(-8.2, 5.4, 17.0), 9.5, 0.058, rng)
    return develop(meadow(oak.onto(picture, 1.0), rng), rng)


def save(picture: Array, path: Path, quality: int) -> None:
    """Write [H, W, 3] in sRGB 0..1 as a JPEG file."""
    pixels = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=quality, optimize=True)


if __name__ == "__main__":
    save(photo(SEED), HERE / "photo.jpg", quality=92)
    save(paint(np.random.default_rng(SEED)), HERE / "painting.jpg", quality=92)
