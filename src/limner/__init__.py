"""Pictures made with neural networks, on the machine you already have."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "beautify",
    "colorize",
    "convert_painter",
    "draw",
    "folder",
    "generate",
    "hybridize",
    "predictability",
    "print_ready",
    "stylize",
    "train_painter",
    "upscale",
    "variations",
]

if TYPE_CHECKING:
    from limner.beauty.beautify import beautify
    from limner.beauty.predictability import predictability
    from limner.hybrid.hybridize import hybridize
    from limner.painting.folder import folder
    from limner.painting.foreign import convert_painter
    from limner.painting.generate import generate
    from limner.painting.train import train_painter
    from limner.painting.variations import variations
    from limner.sketch.colorize import colorize
    from limner.sketch.draw import draw
    from limner.style.stylize import stylize
    from limner.upscaling.print import print_ready
    from limner.upscaling.upscale import upscale

_ROOMS = {
    "beautify": "limner.beauty.beautify",
    "colorize": "limner.sketch.colorize",
    "convert_painter": "limner.painting.foreign",
    "draw": "limner.sketch.draw",
    "folder": "limner.painting.folder",
    "generate": "limner.painting.generate",
    "hybridize": "limner.hybrid.hybridize",
    "predictability": "limner.beauty.predictability",
    "print_ready": "limner.upscaling.print",
    "stylize": "limner.style.stylize",
    "train_painter": "limner.painting.train",
    "upscale": "limner.upscaling.upscale",
    "variations": "limner.painting.variations",
}


def __getattr__(name: str) -> Any:
    """Import a verb's room, and torch with it, when the verb is first used."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'limner' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ROOMS[name]), name)
