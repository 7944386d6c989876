"""What is known of the last drawing, kept: another hint takes a fraction of a second."""

import inspect
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from limner import Coloring


class KeptColoring:
    """The `limner.Coloring` of the last drawing. A file that the page was given never changes."""

    def __init__(self) -> None:
        self._kept: tuple[dict[str, Any], Coloring] | None = None  # with its arguments

    def colorize(self, sketch: str, **options: Any) -> Image.Image:
        """Do what `limner.colorize` does, but find regions only if their options have changed."""
        import limner

        known = inspect.signature(limner.Coloring).parameters
        asked = {name: value for name, value in options.items() if name in known}
        asked["drawing"] = sketch
        others = {name: value for name, value in options.items() if name not in known}
        kept, self._kept = self._kept, None
        if kept is None or kept[0] != asked:
            kept = None  # so that there are never two in memory
            kept = asked, limner.Coloring(**asked)
        try:
            return kept[1].color(**others)
        finally:
            self._kept = kept

    def drop(self) -> None:
        """Free its memory."""
        self._kept = None
