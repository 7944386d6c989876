"""Move the colours of one picture to those of another."""

import torch
from torch import Tensor

from limner.nn.images import luma


def move_colors(picture: Tensor, target: Tensor) -> Tensor:
    """Give a picture the mean and covariance of another's colours.

    The linear Monge-Kantorovich map (Pitié & Kokaram 2007): of all linear maps that do it, the one
    that moves colours least.

    Parameters
    ----------
    picture, target : Tensor
        [1, 3, H, W], sRGB in 0..1; the sizes may differ.

    Returns
    -------
    Tensor
        [1, 3, H, W], clamped to 0..1.
    """
    ours, theirs = picture[0].flatten(1).double(), target[0].flatten(1).double()
    mean, wanted = ours.mean(1, keepdim=True), theirs.mean(1, keepdim=True)
    # a grey picture has no variance in colour; a little is added so that the root exists
    little = 1e-5 * torch.eye(3, dtype=torch.float64, device=picture.device)
    root = _root(torch.cov(ours) + little)
    inverse = torch.linalg.inv(root)
    change = inverse @ _root(root @ (torch.cov(theirs) + little) @ root) @ inverse
    moved: Tensor = change @ (ours - mean) + wanted
    return moved.clamp(0, 1).to(picture.dtype).view_as(picture)


def keep_chroma(picture: Tensor, photo: Tensor) -> Tensor:
    """Give a picture the colours of a photo, and leave its lightness.

    Luma (ITU-R BT.601) of the one and the colour differences of the other, after Gatys, Bethge,
    Hertzmann & Shechtman (2016), section 3.2. Both [1, 3, H, W], sRGB in 0..1.
    """
    return (photo + luma(picture) - luma(photo)).clamp(0, 1)


def _root(matrix: Tensor) -> Tensor:
    """Symmetric square root of a positive definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return torch.einsum("ik,k,jk->ij", vectors, values.clamp(min=0).sqrt(), vectors)
