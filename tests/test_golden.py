"""A result of `stylize` against a picture that was checked by eye.

After a change that is meant to change pictures, make the new one and look at it:
``LIMNER_GOLDEN=write pytest tests/test_golden.py``.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from limner import io
from limner.style.stylize import stylize

EXAMPLES = Path(__file__).parents[1] / "examples"
GOLDEN = Path(__file__).parent / "golden"


def compare(name: str, made: Image.Image) -> None:
    path = GOLDEN / f"{name}.png"
    if os.environ.get("LIMNER_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        made.info.pop("limner", None)  # the recipe has the paths of this machine
        io.write(made, path, overwrite=True)
    with Image.open(path) as kept:
        wanted = np.asarray(kept.convert("RGB")).astype(float)
    found = np.asarray(made.convert("RGB")).astype(float)
    assert found.shape == wanted.shape
    off = np.abs(found - wanted)
    # rounding differs between CPUs, and 20 steps of Adam amplify it
    assert off.mean() < 3, f"{path.name}: differs by {off.mean():.1f} of 255 on average"


def test_stylize() -> None:
    made = stylize(
        EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg", size=96, steps=20, device="cpu"
    )
    assert made.size == (96, 64)
    compare("stylize", made)
