"""The methods of `stylize`: two of ours, and that of a published tutorial for comparison.

The tutorial is TensorFlow's "Neural style transfer" (tensorflow.org), after Gatys, Ecker & Bethge,
"Image style transfer using convolutional neural networks" (2016).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from limner.nn.features import Padding
from limner.style import losses
from limner.style.losses import FeatureStatistics


@dataclass(frozen=True)
class Method:
    """All settings in which the methods differ.

    Attributes
    ----------
    network : str
        The perceptual network, as `limner.nn.features.load` takes it.
    conv_padding : str
        How its convolutions pad.
    size : int
        Default of the longest side of the result, in pixels.
    steps : tuple of int
        Steps at each scale, the coarsest first. The last value holds for all further scales.
    coarsest : int
        Each scale has twice the size of the one before. The longest side of the first is from
        this many pixels to less than twice as many. 0 for a single scale.
    learning_rates : tuple of float
        Adam's learning rate at each scale, like ``steps``, in units of the full range of a channel.
    betas, epsilon : float
        Parameters of Adam.
    style_layers, content_layers : tuple of str
        The layers whose features the losses compare.
    style_weight, tv_weight : float
        Weights of the style loss and of total variation at strength 1.
    content_weights : tuple of float
        Weight of the content loss at strength 1 at each scale, like ``steps``. They fall: coarse
        scales keep things in their places, fine scales give the brush freedom.
    relative_content : bool
        Divide the content loss by the variance of the content features.
    style_loss : callable
        Distance of two `FeatureStatistics`.
    window_layers, window_weight : tuple of str, float
        Layers and weight of a second style loss. It takes a random window of half the height and
        half the width at each step, so that every region is painted. It has texture layers only:
        if every window had to match colors (1_1) and objects (4_1, 5_1), a wheat field would
        appear in the sky.
    pad : float
        The picture is optimized with this much reflection padding on each side, as a share of its
        longest side, and cropped at the end. Pixels at the border influence few features, so they
        go to visible extremes.
    border : int
        Width in pixels of the border that the style statistics leave out.
    transfer_colors : bool
        Give the photo the colors of the paintings before it becomes start and content.
    keep : {"ema", "best"}
        The result: the exponential moving average of the iterates, or the iterate with the lowest
        loss.
    network_size : int or None
        Most pixels of the longest side that is optimized; None for no limit.
    strokes : bool
        Lay patches of the paintings over the result, up to its full size.
    """

    network: str
    conv_padding: Padding
    size: int
    steps: tuple[int, ...]
    coarsest: int
    learning_rates: tuple[float, ...]
    betas: tuple[float, float]
    epsilon: float
    style_layers: tuple[str, ...]
    content_layers: tuple[str, ...]
    style_weight: float
    content_weights: tuple[float, ...]
    relative_content: bool
    tv_weight: float
    style_loss: Callable[[FeatureStatistics, FeatureStatistics], Tensor]
    window_layers: tuple[str, ...]
    window_weight: float
    pad: float
    border: int
    transfer_colors: bool
    keep: Literal["ema", "best"]
    network_size: int | None = None
    strokes: bool = False

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers that the losses need."""
        return (*self.style_layers, *self.content_layers)


_NETWORK = Method(
    network="compact",
    conv_padding="replicate",
    size=1024,
    steps=(120, 100, 45, 24, 8, 5),
    coarsest=112,
    learning_rates=(0.03, 0.02),
    betas=(0.9, 0.99),
    epsilon=1e-12,
    style_layers=("1_1", "2_1", "3_1", "4_1", "5_1"),
    content_layers=("3_1", "4_2"),
    style_weight=1.0,
    content_weights=(3.0, 1.5, 0.7, 0.4),
    relative_content=True,
    tv_weight=2.5,
    style_loss=losses.style_loss,
    window_layers=("2_1", "3_1"),
    window_weight=1.0,
    pad=1 / 40,
    border=8,
    transfer_colors=True,
    keep="ema",
)

METHODS = {
    # The network decides where strokes flow, for which 256 pixels are enough.
    "patches": replace(_NETWORK, network_size=256, steps=(100, 45), strokes=True),
    "network": _NETWORK,
    # The tutorial, with its picture in 0..255 brought to 0..1: a learning rate of 5 becomes 5/255,
    # and gradients are 255 times larger, so epsilon is too. One thing differs: its VGG-19 is that
    # of Keras, ours is torchvision's, which was trained separately.
    "gatys": Method(
        network="vgg19",
        conv_padding="zeros",
        size=512,
        steps=(1000,),
        coarsest=0,
        learning_rates=(5 / 255,),
        betas=(0.99, 0.999),
        epsilon=0.1 * 255,
        style_layers=("1_1", "2_1", "3_1", "4_1", "5_1"),
        content_layers=("5_2",),
        style_weight=1e-2,
        content_weights=(1e3 * losses.KERAS_RANGE**2,),
        relative_content=False,
        tv_weight=0.0,
        style_loss=losses.gram_loss,
        window_layers=(),
        window_weight=0.0,
        pad=0.0,
        border=0,
        transfer_colors=False,
        keep="best",
    ),
}
