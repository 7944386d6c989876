"""Combine a near and a far photo with a single filter, in one of two ways.

A gain is a function of the gain of a Gaussian at each frequency, 0 to 1; see `Response`.
"""

from torch import Tensor

from limner.hybrid.spectrum import Response, low_pass


def detail(gaussian: Tensor) -> Tensor:
    """Gain for the far photo that takes only the high frequencies of the near one.

    With H the gain of the Gaussian, N the near and F the far photo, the hybrid X minimizes
    |(1 - H)(X - N)|² + |H(X - F)|². So X = ((1 - H)² N + H² F) / ((1 - H)² + H²): it is N where H
    is 0, and F where H is 1.
    """
    return gaussian**2 / ((1 - gaussian) ** 2 + gaussian**2)


def fourier(gaussian: Tensor) -> Tensor:
    """Gain for the far photo in Oliva, Torralba & Schyns (2006), section 2: X = HF + (1 - H)N."""
    return gaussian


RESPONSES: dict[str, Response] = {"detail": detail, "fourier": fourier}


def blend(near: Tensor, far: Tensor, sigma: float, method: str, contrast: float) -> Tensor:
    """Combine two photos.

    Parameters
    ----------
    near, far : Tensor
        [1, 3, H, W], sRGB in 0..1, of the same size.
    sigma : float
        Standard deviation of the Gaussian in pixels.
    method : str
        A key of ``RESPONSES``.
    contrast : float
        Contrast of the far photo around middle gray, from 0 to 1.

    Returns
    -------
    Tensor
        [1, 3, H, W]. Values may lie outside 0..1.
    """
    softer = 0.5 + contrast * (far - 0.5)
    return near + low_pass(softer - near, sigma, RESPONSES[method])
