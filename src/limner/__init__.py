"""Pictures made with neural networks, on the machine you already have."""

from typing import TYPE_CHECKING, Any

from limner._version import __version__ as __version__

if TYPE_CHECKING:
    from limner.batch.replay import apply, replay
    from limner.beauty.beautify import beautify
    from limner.beauty.predictability import predictability
    from limner.beauty.train import train_beautifier
    from limner.colorization.coloring import Coloring
    from limner.colorization.colorize import colorize
    from limner.colorization.train import train_colorizer
    from limner.errors import InputError, LimnerError, OptionError, OutputError, WeightsError
    from limner.exporting.export import export
    from limner.generation.folder import folder
    from limner.generation.gan.stylegan2_import import convert_painter
    from limner.generation.gan.train import train_painter
    from limner.generation.generate import generate
    from limner.generation.variations import variations
    from limner.hybrid.hybridize import hybridize
    from limner.io.writing import write
    from limner.line_art.regions import regions
    from limner.line_art.sketch import sketch
    from limner.progress import Progress, Stop
    from limner.style.stylize import stylize
    from limner.train.distillation import train_features
    from limner.upscaling.print_ready import print_ready
    from limner.upscaling.train import train_upscaler
    from limner.upscaling.upscale import upscale

# Every public name, and the module that holds it: imported, and torch with it, on first use.
_MODULES = {
    "Coloring": "colorization.coloring",
    "InputError": "errors",
    "LimnerError": "errors",
    "OptionError": "errors",
    "OutputError": "errors",
    "Progress": "progress",
    "Stop": "progress",
    "WeightsError": "errors",
    "apply": "batch.replay",
    "beautify": "beauty.beautify",
    "colorize": "colorization.colorize",
    "convert_painter": "generation.gan.stylegan2_import",
    "export": "exporting.export",
    "folder": "generation.folder",
    "generate": "generation.generate",
    "hybridize": "hybrid.hybridize",
    "predictability": "beauty.predictability",
    "print_ready": "upscaling.print_ready",
    "regions": "line_art.regions",
    "replay": "batch.replay",
    "sketch": "line_art.sketch",
    "stylize": "style.stylize",
    "train_beautifier": "beauty.train",
    "train_colorizer": "colorization.train",
    "train_features": "train.distillation",
    "train_painter": "generation.gan.train",
    "train_upscaler": "upscaling.train",
    "upscale": "upscaling.upscale",
    "variations": "generation.variations",
    "write": "io.writing",
}

__all__ = [
    "Coloring",
    "InputError",
    "LimnerError",
    "OptionError",
    "OutputError",
    "Progress",
    "Stop",
    "WeightsError",
    "apply",
    "beautify",
    "colorize",
    "convert_painter",
    "export",
    "folder",
    "generate",
    "hybridize",
    "predictability",
    "print_ready",
    "regions",
    "replay",
    "sketch",
    "stylize",
    "train_beautifier",
    "train_colorizer",
    "train_features",
    "train_painter",
    "train_upscaler",
    "upscale",
    "variations",
    "write",
]


def __getattr__(name: str) -> Any:
    """Import the module of a public name when the name is first used."""
    if name not in _MODULES:
        raise AttributeError(
            f"module 'limner' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    from importlib import import_module

    value = getattr(import_module(f"limner.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
