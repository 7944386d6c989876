"""An animation that limner writes as WebP."""

from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from PIL import Image


@dataclass(frozen=True)
class Animation:
    """Frames that repeat in a loop. It has the form of a `limner.io.openraster.Saved`.

    Attributes
    ----------
    frames : list of PIL.Image.Image
        All of one size.
    milliseconds : int
        Duration of a frame.
    """

    frames: list[Image.Image]
    milliseconds: int = 40
    ending: ClassVar[str] = ".webp"

    def save(self, file: BinaryIO) -> None:
        """Write the animation to a file."""
        first, *others = self.frames
        first.save(
            file, "WEBP", save_all=True, append_images=others, duration=self.milliseconds, loop=0
        )
