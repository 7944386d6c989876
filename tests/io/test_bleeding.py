"""Colors under transparent pixels: they come from what is visible near them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from limner import io
from limner.beauty.beautify import beautify
from limner.io.bleeding import bleed
from limner.upscaling.upscale import upscale


def test_visible_colors_stay_and_spread() -> None:
    rgb, alpha = torch.rand((1, 3, 13, 20)), torch.zeros((1, 1, 13, 20))
    rgb[..., :7], alpha[..., :7] = torch.tensor([1.0, 0.5, 0.25]).reshape(3, 1, 1), 1
    rgb[..., 14:], alpha[..., 14:] = torch.tensor([0.0, 0.5, 0.75]).reshape(3, 1, 1), 0.2
    filled = bleed(rgb, alpha)
    assert torch.equal(filled[..., :7], rgb[..., :7])
    assert torch.equal(filled[..., 14:], rgb[..., 14:])
    hole = filled[..., 7:14]
    assert (hole[:, 1] - 0.5).abs().max() < 1e-4  # both sides have it
    assert hole.amin() >= 0 and hole.amax() <= 1
    assert (hole[0, 0, :, 0] > 0.8).all() and (hole[0, 2, :, -1] > 0.6).all()  # like its neighbor


def test_a_single_faint_pixel_colors_a_large_picture() -> None:
    rgb, alpha = torch.zeros((1, 3, 700, 600)), torch.zeros((1, 1, 700, 600))
    rgb[..., 3, 5], alpha[..., 3, 5] = torch.tensor([0.2, 0.5, 1.0]), 1 / 65535
    filled = bleed(rgb, alpha)
    assert (filled - torch.tensor([0.2, 0.5, 1.0]).reshape(3, 1, 1)).abs().max() < 1e-4


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_an_edge_nothing_changes(value: float) -> None:
    rgb = torch.rand((1, 3, 5, 4))
    assert torch.equal(bleed(rgb, torch.full((1, 1, 5, 4), value)), rgb)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_white_disc_on_transparent_black_stays_white(tmp_path: Path, mode: str) -> None:
    disc = Image.new("L", (96, 96))
    ImageDraw.Draw(disc).ellipse((15, 15, 80, 80), fill=255)
    white = Image.merge("RGBA", [disc] * 4)
    path = tmp_path / "disc.png"
    white.convert(mode).save(path)
    assert io.read(path).rgb.min() == 1
    for made in (upscale(path, scale=1.5), upscale(path, scale=4), beautify(path)):
        values = np.asarray(made.convert("RGBA"))
        assert values[values[..., 3] > 10][:, :3].min() >= 247


def test_16_bits_of_color_and_alpha(tmp_path: Path) -> None:
    color = torch.tensor([65535, 40000, 257]).reshape(1, 3, 1, 1)
    is_visible = torch.zeros((1, 1, 8, 8), dtype=torch.int64)
    is_visible[..., 2:6, 2:6] = 1
    planes = (color * is_visible, 65535 * is_visible)
    io.write(io.to_picture(*(part.to(torch.uint16) for part in planes)), tmp_path / "a.png")
    read = io.read(tmp_path / "a.png", native=True)
    assert read.deep and read.alpha is not None and read.alpha.sum() == 16
    assert (read.rgb - color / 65535).abs().max() < 1e-4
