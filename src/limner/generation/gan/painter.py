"""A painter's weights file: a generator that describes itself."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from limner.errors import InputError, WeightsError, printable
from limner.generation.gan import dcgan, lightweight_gan, stylegan2
from limner.nn import weights

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "light": lightweight_gan.Generator,
    "dcgan": dcgan.Generator,
    "stylegan2": stylegan2.Generator,
}
# what a file says of a generator's shape, and the most it may say: it may come from anybody
_MOST = {"latent": 1024, "depth": 16, "base": 2**16, "most": 1024}
_SAID = ("size", *_MOST, "clamp")


class Painter(Protocol):
    """What every generator can do: latents to styles, styles to pictures."""

    size: tuple[int, int]  # height and width of its pictures
    latent: int  # numbers in a latent, drawn from a normal distribution
    layers: int  # styles in a picture, from coarse to fine
    mean: Tensor  # [latent], of the styles

    def map(self, z: Tensor) -> Tensor:
        """Latents [N, latent] → styles of the same shape."""

    def paint(self, styles: Tensor) -> Tensor:
        """Styles [N, latent] or [N, layers, latent] → pictures [N, 3, H, W] in 0..1."""


def save(
    path: Path, network: nn.Module, about: Mapping[str, object], *, halved: bool = True
) -> None:
    """Write a generator, in half precision or its own, with what it takes to build it again."""
    (name,) = (name for name, kind in ARCHITECTURES.items() if isinstance(network, kind))
    shape = {key: getattr(network, key) for key in _SAID if hasattr(network, key)}
    if isinstance(network, stylegan2.Generator):
        shape["generator"] = network.architecture
    state = network.state_dict()
    said = {"kind": "painter", "architecture": name, **shape, **about}
    weights.write(path, weights.halved(state) if halved else state, said)


def load(run: Path, device: torch.device) -> tuple[Painter, Path]:
    """Read a painter's weights.

    Parameters
    ----------
    run : Path
        A run folder of `limner train painter`, or a weights file.
    device : torch.device
        Where it will paint.

    Returns
    -------
    tuple
        The generator, frozen, and the weights file.

    Raises
    ------
    InputError
        A folder without a painter.
    WeightsError
        The file is missing, damaged or of another network.
    """
    path = run / "model.safetensors" if run.is_dir() else run
    if run.is_dir() and not path.is_file():
        name = printable(run)
        raise InputError(
            f"{name}: holds no painter; `limner train painter FOLDER -o {name}` trains one"
        )
    state = weights.read(path)
    about = weights.describe(path) if path.suffix == ".safetensors" else {}
    if about.get("kind") != "painter":
        raise WeightsError(
            f"{printable(path)}: no painter's weights; `limner train painter` makes some, and "
            "`limner convert` those of StyleGAN2"
        )
    try:
        network = _built({key: json.loads(about[key]) for key in _SAID if key in about}, about)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{printable(path)}: does not say how its painter is built; make it anew"
        ) from error
    weights.fill(network, state, str(path))
    network.requires_grad_(False)
    return cast(Painter, network.eval().to(device)), path


def _built(shape: dict[str, Any], about: Mapping[str, str]) -> nn.Module:
    """Build the generator that a file describes, of random weights.

    Raises
    ------
    KeyError, ValueError, TypeError
        It does not, or not one that can be built.
    """
    height, width = shape.pop("size")
    architecture, (short, long) = about["architecture"], sorted((height, width))
    whole = all(
        type(value) is int for value in (height, width, *map(shape.get, _MOST.keys() & shape))
    )
    halves = whole and 8 <= short <= 1024 and short.bit_count() == 1 and long % (short // 4) == 0
    clamp = shape.get("clamp")
    if (
        not halves
        or long > 2 * short
        or (architecture == "light" and short > 512)
        or not all(0 < shape[key] <= most for key, most in _MOST.items() if key in shape)
        or not (clamp is None or (type(clamp) in (int, float) and 0 < clamp < 1e9))
    ):
        raise ValueError(about)
    if architecture == "stylegan2":
        return stylegan2.Generator((height, width), architecture=about["generator"], **shape)  # type: ignore[arg-type]
    return ARCHITECTURES[architecture]((height, width), shape["latent"])
