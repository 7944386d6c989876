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
    ridge = 1e-5 * torch.eye(3, dtype=torch.float64)
    root = _matrix_root(torch.cov(pixels) + ridge)
    inverse = torch.linalg.inv(root)
    target_covariance = torch.cov(target_pixels) + ridge
    linear_map = inverse @ _matrix_root(root @ target_covariance @ root) @ inverse
    mapped: Tensor = linear_map @ (pixels - mean) + target_mean
    return mapped.clamp(0, 1).to(picture.dtype).to(picture.device).view_as(picture)


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
