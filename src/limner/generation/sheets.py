"""What lies beside a painter's pictures: an animation, mixtures, and the nearest originals."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from limner import io
from limner.errors import InputError, printable
from limner.generation.animation import Animation
from limner.generation.contact_sheet import contact_sheet
from limner.generation.gan import latent_space, metrics, painter
from limner.generation.gan.dataset import crops_and_mirrors, read_folder
from limner.nn import features

MAX_COLUMNS = 5  # of a sheet of mixed pictures, or of nearest pictures


def animate(
    network: painter.Painter, latents: Tensor, truncation: float, frames: int, seed: int
) -> Animation:
    """Make an animation from each picture to the next, and back to the first."""
    made = []
    for z in latent_space.interpolate(latents, frames):
        styles = latent_space.to_styles(network, z, truncation)
        made.append(io.to_picture(latent_space.paint(network, styles, seed)))
    return Animation(made)


def mix(network: painter.Painter, styles: Tensor, seed: int) -> Image.Image:
    """Make a sheet of mixtures: each row has one composition, each column the details of one."""
    half = min(MAX_COLUMNS, len(styles) // 2)
    coarse, fine = styles[:half], styles[half : 2 * half]
    top, left, inner = (
        latent_space.paint(network, some, seed)
        for some in (fine, coarse, latent_space.mix_styles(coarse, fine))
    )
    rows = [torch.cat((torch.ones_like(top[:1]), top))]
    rows += [torch.cat((left[row, None], inner[row * half :][:half])) for row in range(half)]
    return io.to_picture(contact_sheet(torch.cat(rows), half + 1))


def read_originals(folder: Path, size: tuple[int, int]) -> Tensor:
    """Read what a picture could be a copy of: crops of a folder's pictures, [N, 3, H, W]."""
    contents = read_folder(folder, size)
    if not contents.covers:
        raise InputError(
            f"{printable(folder)}: has no picture that can be read; name the folder that the "
            "painter was trained on"
        )
    return crops_and_mirrors(contents.covers, size)


def show_nearest(generated: Tensor, originals: Tensor) -> Image.Image:
    """Make a sheet of pictures [N, 3, H, W], each beside the most similar original."""
    network = features.load("compact")
    layouts, original_layouts = (
        metrics.extract_features(network, some)[1] for some in (generated, originals)
    )
    most_similar = originals[torch.cdist(layouts, original_layouts).argmin(1)]
    pairs = torch.stack((generated, most_similar), 1).flatten(0, 1)
    return io.to_picture(contact_sheet(pairs, 2 * min(MAX_COLUMNS, len(generated))))
