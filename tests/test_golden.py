"""The same picture as when it was last looked at, up to what machines differ by.

After a change that is meant to change pictures, look at the new one and keep it:
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
        made.info.pop("limner", None)  # a recipe holds the paths of the machine it was made on
        io.write(made, path, overwrite=True)
    with Image.open(path) as kept:
        wanted = np.asarray(kept.convert("RGB")).astype(float)
    found = np.asarray(made.convert("RGB")).astype(float)
    assert found.shape == wanted.shape
    off = np.abs(found - wanted)
    assert off.mean() < 3, f"{off.mean():.1f} of 255 away from {path} on average"


def test_stylize() -> None:
    made = stylize(
        EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg", size=96, steps=20, device="cpu"
    )
    assert made.size == (96, 64)
    compare("stylize", made)
