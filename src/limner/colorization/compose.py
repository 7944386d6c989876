"""From flat colors to the picture: soft shading, the lines on top, and layers for other programs.

Pictures are float32 [H, W, 3], sRGB in 0..1; labels are int32 [H, W], 1..T, without lines.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from limner import io
from limner.io.openraster import Layers
from limner.nn import images

LINES = ("keep", "soften", "drop")
_SOFT = 0.4  # brightness of softened lines, relative to the color under them
_SHADE = 0.2  # of the light: the difference between the lit and the dark side
_AWAY = (0.8, 0.6)  # direction away from the light, down and to the right
_DEPTH = 1 / 24  # of the longest side: how far light and shade reach into a region
_RAYS = 16  # samples along that way
_PAPER = 0.97  # brightness from which a region is white paper

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]


def lay_lines(colors: Floats, ink: Floats, lines: str) -> Floats:
    """Lay the lines of a drawing [H, W] over its colors."""
    if lines == "drop":
        return colors
    # black lines, or a dark shade of the color under them
    brightness = 1 - ink * (1 - _SOFT) if lines == "soften" else 1 - ink
    return colors * brightness[..., None]


def shade(labels: Labels, flat: Floats, amount: float) -> Floats:
    """Return soft light and shade for every region, to multiply with its color: [H, W, 1].

    A pixel is in the shade if its region ends soon on the side away from the light, and lit if it
    ends soon on the other side. The mean brightness of a region stays. White paper and the
    background have no shade.

    Parameters
    ----------
    labels : ndarray
        The regions.
    flat : ndarray
        Their colors.
    amount : float
        From 0 (flat) to 1.
    """
    reach = images.page_side(*labels.shape) * _DEPTH
    light = np.zeros(labels.shape, np.float32)
    padded = np.pad(labels, int(reach) + 1, mode="edge")
    for step in range(1, _RAYS + 1):
        down, across = (round(step * reach / _RAYS * part) for part in _AWAY)
        light += _shifted(padded, labels.shape, down, across) == labels
        light -= _shifted(padded, labels.shape, -down, -across) == labels
    light = ndimage.gaussian_filter(light / _RAYS, reach / 4)
    light *= flat.min(2) < _PAPER
    light *= ~is_background(labels)[labels]
    count = np.bincount(labels.ravel()).clip(1)
    mean = np.bincount(labels.ravel(), light.ravel()) / count
    lit: Floats = 1 + amount * _SHADE * (light - mean[labels].astype(np.float32))
    return lit[..., None]


def is_background(labels: Labels) -> NDArray[np.bool_]:
    """Whether a region holds a good part of the drawing's border: [T + 1]."""
    border = np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1]))
    found: NDArray[np.bool_] = np.bincount(border, minlength=labels.max() + 1) > len(border) / 4
    return found


def _shifted(padded: Labels, shape: tuple[int, ...], down: int, across: int) -> Labels:
    """Return what lies so many pixels below and to the right of each pixel."""
    margin = (padded.shape[0] - shape[0]) // 2
    return padded[
        margin + down : margin + down + shape[0], margin + across : margin + across + shape[1]
    ]


def to_image(rgb: Floats, alpha: Floats | None = None) -> Image.Image:
    """Make a PIL image of colors, and of an opacity [H, W]."""
    opacity = None if alpha is None else torch.from_numpy(alpha)[None, None]
    return io.to_picture(torch.from_numpy(rgb).permute(2, 0, 1)[None], opacity)


def to_layers(
    flat: Floats,
    labels: Labels,
    shades: Floats | None,
    ink: Floats,
    lines: str,
    merged: Image.Image,
) -> Layers:
    """Return lines, shading and one flat per region as layers; dropped lines are hidden.

    Shading is two layers: a multiplication darkens, a color dodge brightens.
    """
    shaded: Floats = flat if shades is None else (flat * shades).clip(max=1)
    dark = shaded * _SOFT if lines == "soften" else np.zeros_like(flat)
    layers = {"lines": to_image(dark, ink)}
    places = {}
    if shades is not None:
        layers["light"] = to_image(np.repeat(1 - 1 / shades.clip(min=1), 3, 2))
        layers["shade"] = to_image(np.repeat(shades.clip(max=1), 3, 2))
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        inside = (labels[box] == number).astype(np.float32)
        name = f"region {number}"
        layers[name] = to_image(np.ascontiguousarray(flat[box]), inside)
        places[name] = box[1].start, box[0].start
    return Layers(
        layers,
        merged,
        hidden=("lines",) if lines == "drop" else (),
        places=places,
        blends={"light": "svg:color-dodge", "shade": "svg:multiply"} if shades is not None else {},
    )
