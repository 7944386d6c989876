"""Choose and load the networks that enlarge a picture."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from limner.checks import check_choice, check_range
from limner.errors import OptionError
from limner.nn import weights
from limner.upscaling import models, realesrgan
from limner.upscaling.compact import Compact
from limner.upscaling.models import Upscaler

QUALITIES = ("fast", "best")
KINDS = ("photo", "drawing")
DEFAULT_QUALITY, DEFAULT_DETAIL = "best", 0.65


@dataclass(frozen=True)
class NetworkOptions:
    """The options of `upscale` that choose its networks, as the user gave them."""

    quality: str | None
    detail: float | None
    kind: str
    clean: float
    model: str | None
    inventive: str | None

    def check(self) -> None:
        """Refuse values out of range, and options that have no effect with the chosen network.

        Raises
        ------
        OptionError
            An option is out of range or has no effect.
        """
        check_choice("kind", self.kind, KINDS)
        if self.quality is not None:
            check_choice("quality", self.quality, QUALITIES)
        check_range("detail", self.detail, 0, 1)
        check_range("clean", self.clean, 0, 1)
        if self.inventive is not None and self.model is None:
            raise OptionError("--inventive: has no effect without --model; give --model too")
        if self.inventive is not None and self.detail == 0:
            raise OptionError("--inventive: has no effect with --detail 0; use --detail above 0")
        if self.detail and self.model is not None and self.inventive is None:
            raise OptionError(
                f"--detail {self.detail:g}: needs --inventive with --model; give --inventive too, "
                "or use --detail 0"
            )
        drawing = "--kind drawing" if self.kind == "drawing" else None
        if drawing and self.model is not None:
            raise OptionError("--kind drawing: chooses a network, as --model does; give only one")
        if drawing and self.detail:
            raise OptionError(
                f"--detail {self.detail:g}: has no effect with --kind drawing; leave it out"
            )
        other = drawing if self.model is None else "--model"
        if self.quality is not None and other:
            raise OptionError(
                f"--quality {self.quality}: has no effect with {other}, which replaces the "
                "network; give only one"
            )

    def resolved(self) -> dict[str, object]:
        """Return the options with their defaults, for the recipe. None: without effect."""
        ours = self.model is None and self.kind == "photo"
        return {
            "quality": (self.quality or DEFAULT_QUALITY) if ours else None,
            "detail": self._detail,
            "kind": self.kind,
            "clean": float(self.clean),
            "model": self.model,
            "inventive": self.inventive,
        }

    def own_files(self) -> set[str]:
        """Return the names of the user's weights files, whose hashes the recipe keeps."""
        names = {name for name in (self.model, self.inventive) if name} - {*realesrgan.FILES}
        names |= {n.removesuffix("param") + "bin" for n in names if n.endswith(".param")}
        return names

    def load(self, factor: float, device: torch.device) -> list[Upscaler]:
        """Load the networks that together enlarge by the factor or more, in order.

        Parameters
        ----------
        factor : float
            How many times larger each side becomes. At 1 or below, no network is needed.
        device : torch.device
            Where to compute.

        Raises
        ------
        WeightsError
            A network cannot be loaded.
        """
        if self.model is None:
            return self._load_shipped(factor, device)
        network = models.load(realesrgan.find(self.model), device)
        if self.inventive is not None:
            variant = models.load(Path(self.inventive), device)
            models.interpolate(network, variant, self._detail, self.inventive)
        passes = math.log(factor, network.scale) if network.scale > 1 else float(factor > 1)
        return [network] * max(0, math.ceil(passes - 1e-9))

    def load_cleaner(self, device: torch.device) -> Compact | None:
        """Load the network that cleans a picture without enlarging it, if it is wanted."""
        if not self.clean:
            return None
        cleaner = _shipped("cleaner", device)
        cleaner.attenuate(self.clean)
        return cleaner

    @property
    def _detail(self) -> float:
        has_variant = self.kind == "photo" if self.model is None else self.inventive is not None
        default = DEFAULT_DETAIL if has_variant else 0.0
        return default if self.detail is None else float(self.detail)

    def _load_shipped(self, factor: float, device: torch.device) -> list[Upscaler]:
        networks: list[Upscaler] = []
        detail = self._detail
        while factor > 1:
            if self.kind == "drawing":
                network = _shipped("upscaler-drawing-x4", device)
            else:
                name = f"upscaler-{self.quality or DEFAULT_QUALITY}"
                name += "-x4" if detail or factor > 2 else "-x2"
                network = _shipped(name, device)
                if detail:
                    variant = _shipped(f"{name}-inventive", device)
                    models.interpolate(network, variant, detail, f"{name}-inventive")
            if factor <= 2 < network.scale:
                network = network.at_scale(2)
            networks.append(network)
            factor, detail = factor / network.scale, 0  # only the first pass adds texture
        return networks


def for_alpha(alpha: Tensor, quality: str | None) -> NetworkOptions:
    """Choose networks for the transparency [1, 1, H, W] of a picture.

    They must not invent texture in it. Where it has no values between 0 and 1, it is a drawing, and
    those for photos would leave specks beside its edges.
    """
    is_hard = bool(((alpha == 0) | (alpha == 1)).all())
    kind = "drawing" if is_hard else "photo"
    return NetworkOptions(None if is_hard else quality, 0, kind, 0, None, None)


def _shipped(name: str, device: torch.device) -> Compact:
    network = models.load(weights.SHIPPED / f"{name}.safetensors", device)
    assert isinstance(network, Compact), name
    return network
