"""Transfer colors from one picture to another, or keep those of a photo."""

import torch
from torch import Tensor

from limner.nn.images import luma


def transfer_colors(picture: Tensor, target: Tensor) -> Tensor:
    """Give a picture the mean and covariance of another picture's colors.

    The linear Monge-Kantorovich map (Pitié & Kokaram 2007): of all linear maps that do this, it
    changes the colors least.

    Parameters
    ----------
    picture, target : Tensor
        [1, 3, H, W], sRGB in 0..1. The sizes may differ.

    Returns
    -------
    Tensor
        [1, 3, H, W] on the device of the picture, clipped to 0..1.
    """
    # in float64 and so on the CPU: MPS has no float64
    pixels = picture[0].flatten(1).cpu().double()
    target_pixels = target[0].flatten(1).cpu().double()
    mean, target_mean = (values.mean(1, keepdim=True) for values in (pixels, target_pixels))
    # gray has no variance across gray: this keeps the covariance invertible
    mapped = _linear_map(pixels, target_pixels, 1e-5) @ (pixels - mean) + target_mean
    return mapped.clamp(0, 1).to(picture.dtype).to(picture.device).view_as(picture)


def color_map(pixels: Tensor, target_pixels: Tensor, ridge: float) -> Tensor:
    """Return the map of `transfer_colors` from colors [3, N] to colors [3, M].

    Returns
    -------
    Tensor
        [3, 4], float32 on the CPU: a matrix, and what is added. `ridge` is added to both variances;
        it limits how much the contrast of nearly flat colors can grow.
    """
    one, other = pixels.cpu().double(), target_pixels.cpu().double()
    matrix = _linear_map(one, other, ridge)
    added = other.mean(1, keepdim=True) - matrix @ one.mean(1, keepdim=True)
    return torch.cat((matrix, added), 1).float()


def apply_color_map(picture: Tensor, change: Tensor) -> Tensor:
    """Apply a map [3, 4] of `color_map` to a picture [N, 3, H, W]. Nothing is clipped."""
    mapped = torch.einsum("ij,njhw->nihw", change[:, :3], picture)
    return mapped + change[:, 3].view(1, 3, 1, 1)


def _linear_map(pixels: Tensor, target_pixels: Tensor, ridge: float) -> Tensor:
    """Return the Monge-Kantorovich matrix [3, 3] between two sets of colors, in float64."""
    added = ridge * torch.eye(3, dtype=torch.float64)
    root = _matrix_root(torch.cov(pixels) + added)
    inverse = torch.linalg.inv(root)
    target_covariance = torch.cov(target_pixels) + added
    matrix: Tensor = inverse @ _matrix_root(root @ target_covariance @ root) @ inverse
    return matrix


def keep_chroma(picture: Tensor, photo: Tensor) -> Tensor:
    """Combine the luma of a picture with the chroma of a photo.

    Luma and color differences are those of ITU-R BT.601. After Gatys, Bethge, Hertzmann &
    Shechtman (2016), section 3.2. Both are [1, 3, H, W], sRGB in 0..1.
    """
    return (photo + luma(picture) - luma(photo)).clamp(0, 1)


def _matrix_root(matrix: Tensor) -> Tensor:
    """Return the symmetric square root of a positive definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return torch.einsum("ik,k,jk->ij", vectors, values.clamp(min=0).sqrt(), vectors)
