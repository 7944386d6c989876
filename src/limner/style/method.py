"""The ways of painting: ours, and that of the article it has to beat."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from limner.nn.features import Padding
from limner.style import losses
from limner.style.losses import Moments


@dataclass(frozen=True)
class Method:
    """Everything that tells one way of painting from another.

    Attributes
    ----------
    features : str
        The perceptual network, as `limner.features.load` takes it, and its ``padding``.
    size : int
        Longest side of the result in pixels, unless the caller says.
    steps : tuple of int
        Steps of each scale from the coarsest on; the last holds for all beyond. Scales double, and
        the coarsest has a longest side from ``coarsest`` up to twice that; 0 for one scale only.
    rates : tuple of float
        Adam's learning rate of each scale likewise, in units of the full range of a channel.
    betas, epsilon : float
        Adam's.
    style_taps, content_taps : tuple of str
        Where features are compared.
    style_weight, smoothness_weight : float
        At strength 1.
    content_weights : tuple of float
        Of each scale, at strength 1. Falling: the coarse scales keep things in their places, the
        fine ones leave the brush free.
    relative_content : bool
        Divide the content loss by the variance of the content's features.
    style_loss : callable
        Distance of two `Moments`.
    window_taps, window_weight : tuple of str, float
        Taps and weight of the same style loss over a random window of half the width and height
        each step, so that every region is painted. Texture only: were colours (tap 1_1) and things
        (4_1, 5_1) asked for in every window, there would be a field of wheat in the sky.
    bleed : float
        The picture is painted this much larger on every side, as a share of its longest, and cut:
        pixels at the rim act on few features, so they go to extremes that a viewer sees.
    ring : int
        Pixels along the border left out of the style's statistics.
    recolor : bool
        Start from, and keep the content of, the photo in the painting's colours.
    keep : {"average", "best"}
        What becomes the result: the exponential moving average of the last pictures, or the one of
        least loss.
    """

    features: str
    padding: Padding
    size: int
    steps: tuple[int, ...]
    coarsest: int
    rates: tuple[float, ...]
    betas: tuple[float, float]
    epsilon: float
    style_taps: tuple[str, ...]
    content_taps: tuple[str, ...]
    style_weight: float
    content_weights: tuple[float, ...]
    relative_content: bool
    smoothness_weight: float
    style_loss: Callable[[Moments, Moments], Tensor]
    window_taps: tuple[str, ...]
    window_weight: float
    bleed: float
    ring: int
    recolor: bool
    keep: Literal["average", "best"]


METHODS = {
    "limner": Method(
        features="compact",
        padding="replicate",
        size=1024,
        steps=(120, 100, 45, 24, 8, 5),
        coarsest=112,
        rates=(0.03, 0.02),
        betas=(0.9, 0.99),
        epsilon=1e-12,
        style_taps=("1_1", "2_1", "3_1", "4_1", "5_1"),
        content_taps=("3_1", "4_2"),
        style_weight=1.0,
        content_weights=(3.0, 1.5, 0.7, 0.4),
        relative_content=True,
        smoothness_weight=2.5,
        style_loss=losses.style_loss,
        window_taps=("2_1", "3_1"),
        window_weight=1.0,
        bleed=1 / 40,
        ring=8,
        recolor=True,
        keep="average",
    ),
    # TensorFlow's tutorial of Gatys, Ecker & Bethge (2016), which the article follows. Its picture
    # runs over 0..255, so a rate of 5 is 5/255 of ours and gradients are 255 times smaller there.
    # One departure: its VGG-19 is Keras's, ours torchvision's, trained apart.
    "gatys": Method(
        features="vgg19",
        padding="zeros",
        size=512,
        steps=(1000,),
        coarsest=0,
        rates=(5 / 255,),
        betas=(0.99, 0.999),
        epsilon=0.1 * 255,
        style_taps=("1_1", "2_1", "3_1", "4_1", "5_1"),
        content_taps=("5_2",),
        style_weight=1e-2,
        content_weights=(1e3 * losses.KERAS_RANGE**2,),
        relative_content=False,
        smoothness_weight=0.0,
        style_loss=losses.gram_loss,
        window_taps=(),
        window_weight=0.0,
        bleed=0.0,
        ring=0,
        recolor=False,
        keep="best",
    ),
}
