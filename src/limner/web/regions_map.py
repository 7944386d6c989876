"""The regions of a line drawing as a picture, so that the page can show the one under a pointer."""

from pathlib import Path

import numpy as np
from PIL import Image

from limner.io.atomic import whole_file

_LONGEST = 1024  # pixels


def write_regions(drawing: Path, target: Path) -> None:
    """Write the number of each pixel's region as PNG: red + 256 green + 65536 blue; 0 on lines.

    The longest side is at most 1024 pixels.

    Raises
    ------
    InputError
        The drawing cannot be read, or has no lines.
    """
    import limner

    labels = limner.regions(drawing)
    step = -(-max(labels.shape) // _LONGEST)
    small = labels[step // 2 :: step, step // 2 :: step]
    channels = np.stack([small >> shift & 255 for shift in (0, 8, 16)], axis=2)
    with whole_file(target) as file:
        Image.fromarray(channels.astype(np.uint8)).save(file, "PNG")
