"""Names in the weights files and checkpoints of limner 0.1, translated to today's."""

from collections.abc import Mapping
from typing import Any

_GENERATOR = {"rooms": "blocks", "colours": "to_rgb", "around": "skip"}
_DISCRIMINATOR = {
    "rooms": "blocks",
    "colours": "from_rgb",
    "around": "skip",
    "together": "last_conv",
    "judge": "linear",
}
_ARCHITECTURES = {"light": "lightweight_gan"}
_METADATA = {
    "latent": "latent_size",
    "depth": "mapping_layers",
    "base": "channel_base",
    "most": "channel_max",
}


def current_weights(state: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the names of a generator's tensors. Today's names stay."""
    return _renamed(state, _GENERATOR)


def current_metadata(about: Mapping[str, str]) -> dict[str, str]:
    """Translate the metadata of a weights file. Today's metadata stays."""
    current = {_METADATA.get(key, key): value for key, value in about.items()}
    if "architecture" in current:
        name = current["architecture"]
        current["architecture"] = _ARCHITECTURES.get(name, name)
    return current


def current_checkpoint(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a checkpoint of `train_painter`. Today's checkpoints stay."""
    if "game" not in saved:
        return dict(saved)
    parts = saved["game"]
    average, augmentation = parts["average"], parts["augmentation"]
    return {
        **{key: saved[key] for key in ("step", "seconds", "scores", "best")},
        "rate_share": saved["share"],
        "divergences": saved["falls"],
        "last_good": None,
        "stage": {
            "network": current_weights(parts["network"]),
            "average": {**average, "state": current_weights(average["state"])},
            "adam": parts["adam"],
            "discriminator": _renamed(parts["rival"], _DISCRIMINATOR),
            "discriminator_adam": parts["rival_adam"],
            "augmentation": {
                "share": augmentation["share"],
                "overfitting": augmentation["sure"],
            },
            "path_mean": {"mean": parts["usual"]["length"]},
        },
    }


def _renamed(state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Rename the parts of dotted names: ``rooms.0.colours.bias`` to ``blocks.0.to_rgb.bias``."""
    return {
        ".".join(names.get(part, part) for part in key.split(".")): value
        for key, value in state.items()
    }
