"""Two ways to put a near and a far picture into one, each a single filter."""

from torch import Tensor

from limner.hybrid.spectrum import Response, low_pass


def detail(gaussian: Tensor) -> Tensor:
    """The filter that asks of the near picture only its high frequencies.

    With H the Gaussian, N near and F far, the hybrid X makes |(1−H)(X−N)|² + |H(X−F)|² least:
    X = ((1−H)²N + H²F) / ((1−H)² + H²), which is N where H is 0 and F where it is 1.
    """
    return gaussian**2 / ((1 - gaussian) ** 2 + gaussian**2)


def fourier(gaussian: Tensor) -> Tensor:
    """Low-pass plus high-pass (Oliva, Torralba & Schyns 2006, section 2): X = HF + (1−H)N."""
    return gaussian


RESPONSES: dict[str, Response] = {"detail": detail, "fourier": fourier}


def blend(near: Tensor, far: Tensor, sigma: float, method: str, contrast: float) -> Tensor:
    """Put two pictures into one.

    Parameters
    ----------
    near, far : Tensor
        [1, 3, H, W], sRGB in 0..1, of one size.
    sigma : float
        Of the Gaussian, in pixels.
    method : str
        A key of ``RESPONSES``.
    contrast : float
        0 to 1, of the far picture, about middle grey: less leaves room for the near one's detail.

    Returns
    -------
    Tensor
        [1, 3, H, W]; where there was not room enough, beyond 0..1.
    """
    softer = 0.5 + contrast * (far - 0.5)
    return near + low_pass(softer - near, sigma, RESPONSES[method])
