"""Render the paintings of the gallery into paintings/, next to this file.

Each is computed from a seed alone, so no copyright is involved: a still life in oil, a valley in
watercolor, a wave as a woodcut, and a street at night spread with a palette knife. All four take
about five minutes. Name some to render only those: `python make_paintings.py oil knife`.
"""

import sys
from pathlib import Path

import numpy as np

import knife
import oil
import watercolor
import woodcut
from make_examples import save

SEED = 11
FOLDER = Path(__file__).parent / "paintings"
PAINTINGS = {
    "oil": oil.paint,
    "watercolor": watercolor.paint,
    "woodcut": woodcut.paint,
    "knife": knife.paint,
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PAINTINGS:
        save(PAINTINGS[name](np.random.default_rng(SEED)), FOLDER / f"{name}.jpg", quality=88)
