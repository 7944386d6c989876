"""Tell photos from drawings."""

from torch import Tensor

from limner.line_art.paper import Mask


def is_photo(rgb: Tensor, sheet: Mask | None, step: int) -> bool:
    """Whether a picture is a photo."""
    return False
