"""Draw the line drawings of the guide to `colorize`, twelve kinds that people color.

    python examples/make_drawings.py FOLDER             all of them, some five seconds
    python examples/make_drawings.py FOLDER ink map     these

Each is computed from a seed alone, so no copyright is involved.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from drawings import (
    animals,
    building,
    chart,
    child,
    comic,
    emoji,
    figure,
    garden,
    scenery,
    still_life,
)

# name: how to draw it, and three hints for `colorize --hint`
DRAWINGS: dict[str, tuple[Callable[[], Image.Image], list[str]]] = {
    "pencil": (still_life.pencil, ["300,370=#4a86c5", "811,137=#dd4a3f", "200,660=#f4d03c"]),
    "ink": (animals.ink, ["400,450=#e2662e", "545,300=#8a6a4c", "226,574=#f4b3c5"]),
    "comic": (comic.comic, ["375,231=#e2483d", "498,632=#c98b4e", "500,850=#8fcbef"]),
    "child": (child.photo, ["394,342=#d9412f", "846,420=#4aa344", "212,144=#ffd23a"]),
    "architecture": (
        building.architecture,
        ["535,227=#b5523c", "590,436=#f2dfae", "86,370=#5a9e4b"],
    ),
    "character": (figure.character, ["528,732=#c43b3b", "365,620=#fbf1da", "382,136=#d98b3a"]),
    "animal": (animals.fox, ["400,339=#e37f2e", "690,780=#e37f2e", "360,870=#4d3629"]),
    "landscape": (scenery.landscape, ["650,132=#ffd23f", "300,560=#62b4dd", "78,559=#2f7f52"]),
    "emoji": (emoji.emoji, ["390,520=#ffd03a", "423,215=#e0457b", "370,750=#f0707c"]),
    "hatching": (still_life.hatching, ["270,610=#bccb4d", "730,600=#d3362e", "550,380=#3f805c"]),
    "map": (chart.chart, ["800,250=#e8c78a", "590,520=#b9cf8f", "960,500=#8fc7de"]),
    "coloring-page": (
        garden.coloring_page,
        ["67,148=#f08a24", "142,200=#4b8fd6", "414,666=#e0508a"],
    ),
}


def main() -> None:
    """Draw into a folder what the command line names."""
    folder, *names = sys.argv[1:] or sys.exit(__doc__)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names or DRAWINGS:
        draw, _ = DRAWINGS[name]
        picture = draw()
        path = Path(folder) / f"{name}.{'png' if picture.mode == 'L' else 'jpg'}"
        picture.save(path, quality=90)  # PNG ignores the quality
        print(path)


if __name__ == "__main__":
    main()
