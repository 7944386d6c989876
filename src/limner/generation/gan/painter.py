"""Weights files of painters: generators, with what is needed to build them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from limner.errors import InputError, WeightsError, printable
from limner.generation.gan import dcgan, lightweight_gan, stylegan2
from limner.generation.gan.legacy_names import current_metadata, current_weights
from limner.nn import seeding, weights

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "lightweight_gan": lightweight_gan.Generator,
    "dcgan": dcgan.Generator,
    "stylegan2": stylegan2.Generator,
}
# Metadata of a generator's shape, and the largest values that are accepted: a file can come from
# anybody, and large values would fill the memory.
_LIMITS = {"latent_size": 1024, "mapping_layers": 16, "channel_base": 2**16, "channel_max": 1024}
_SHAPE = ("size", *_LIMITS, "clamp")


class Painter(Protocol):
    """What all generators have in common: latents to styles, and styles to pictures."""

    size: tuple[int, int]  # height and width of the pictures
    latent_size: int  # numbers in a latent, drawn from a normal distribution
    layers: int  # styles in a picture, from coarse to fine
    mean: Tensor  # of the styles, [latent_size]

    def map(self, z: Tensor) -> Tensor:
        """Latents [N, latent_size] → styles of the same shape."""

    def paint(self, styles: Tensor) -> Tensor:
        """Styles [N, latent_size] or [N, layers, latent_size] → pictures [N, 3, H, W] in 0..1."""


def save(
    path: Path, network: nn.Module, about: Mapping[str, object], *, halved: bool = True
) -> None:
    """Write a generator's weights file.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``. An existing file is replaced.
    network : nn.Module
        One of `ARCHITECTURES`.
    about : mapping
        Further metadata: license and recipe.
    halved : bool
        Whether to store the weights in half precision.
    """
    (name,) = (name for name, kind in ARCHITECTURES.items() if isinstance(network, kind))
    shape = {key: getattr(network, key) for key in _SHAPE if hasattr(network, key)}
    if isinstance(network, stylegan2.Generator):
        shape["generator"] = network.architecture
    state = network.state_dict()
    metadata = {"kind": "painter", "architecture": name, **shape, **about}
    weights.write(path, weights.halved(state) if halved else state, metadata)


def load(run: Path, device: torch.device) -> tuple[Painter, Path]:
    """Load a painter.

    Parameters
    ----------
    run : Path
        A run folder of `train_painter`, or a weights file.
    device : torch.device
        Where it will run.

    Returns
    -------
    tuple
        The generator, frozen, and the path of the weights file.

    Raises
    ------
    InputError
        The folder has no painter.
    WeightsError
        The file is missing, damaged or for another network.
    """
    path = run / "model.safetensors" if run.is_dir() else run
    if run.is_dir() and not path.is_file():
        name = printable(run)
        raise InputError(
            f"{name}: has no painter; `limner train painter FOLDER -o {name}` trains one"
        )
    state, about = weights.read_described(path)
    if about.get("kind") != "painter":
        raise WeightsError(
            f"{printable(path)}: is not a painter; make one with `limner train painter`, or from a "
            "StyleGAN2 file with `limner convert`"
        )
    try:
        network = _build(current_metadata(about))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{printable(path)}: does not say how its network is built; download or copy it again"
        ) from error
    weights.fill(network, current_weights(state), str(path))
    network.requires_grad_(False)
    return cast(Painter, network.eval().to(device)), path


def _build(about: Mapping[str, str]) -> nn.Module:
    """Build the generator that a file describes, with random weights.

    Raises
    ------
    KeyError, ValueError, TypeError
        The description is incomplete, or names a network that cannot be built.
    """
    shape: dict[str, Any] = {key: json.loads(about[key]) for key in _SHAPE if key in about}
    height, width = shape.pop("size")
    architecture = about["architecture"]
    _check_shape(architecture, height, width, shape)
    with seeding.preserved():
        if architecture == "stylegan2":
            return stylegan2.Generator(
                (height, width),
                architecture=about["generator"],  # type: ignore[arg-type]
                **shape,
            )
        return ARCHITECTURES[architecture]((height, width), shape["latent_size"])


def _check_shape(architecture: str, height: Any, width: Any, shape: Mapping[str, Any]) -> None:
    """Refuse sizes that cannot be built, or that would fill the memory."""
    whole_numbers = (height, width, *(shape[key] for key in _LIMITS if key in shape))
    if not all(type(number) is int for number in whole_numbers):
        raise ValueError(shape)
    short, long = sorted((height, width))
    longest = 512 if architecture == "lightweight_gan" else 1024
    can_double = 8 <= short <= longest and short.bit_count() == 1 and long % (short // 4) == 0
    clamp = shape.get("clamp")
    is_clamp = clamp is None or (type(clamp) in (int, float) and 0 < clamp < 1e9)
    is_small = all(0 < shape[key] <= limit for key, limit in _LIMITS.items() if key in shape)
    if not (can_double and long <= 2 * short and is_clamp and is_small):
        raise ValueError(shape)
