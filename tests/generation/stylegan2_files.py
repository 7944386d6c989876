"""Small StyleGAN2 files, written as NVIDIA's and rosinality's code write them."""

import math
import pickle
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from stylegan2_formulas import FIR, State
from torch import Tensor, nn

from limner.errors import WeightsError
from limner.generation.gan.stylegan2_import import read

CHANNELS = {4: 7, 8: 7, 16: 5, 32: 2}  # of channel_base 80 and channel_max 7
LATENT = 6


class Drawn:
    """Random tensors, always the same."""

    def __init__(self) -> None:
        self.random = torch.Generator().manual_seed(0)

    def __call__(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.random)


def nvidias_state(
    size: int, residual: bool = False, channels: Mapping[int, int] = CHANNELS
) -> State:
    drawn, state = Drawn(), {"mapping.w_avg": Drawn()(LATENT)}
    for index in range(3):
        state[f"mapping.fc{index}.weight"] = drawn(LATENT, LATENT) * 100
        state[f"mapping.fc{index}.bias"] = drawn(LATENT) * 100

    def layer(at: str, into: int, out: int, kernel: int) -> None:
        state[f"{at}.weight"], state[f"{at}.bias"] = drawn(out, into, kernel, kernel), drawn(out)
        state[f"{at}.affine.weight"], state[f"{at}.affine.bias"] = drawn(into, LATENT), drawn(into)

    side, into = 4, channels[4]
    while side <= size:
        at, out = f"synthesis.b{side}", channels[side]
        state[f"{at}.resample_filter"] = FIR.float()
        for name in ("conv0", "conv1") if side > 4 else ("conv1",):
            layer(f"{at}.{name}", into if name == "conv0" else out, out, 3)
            state[f"{at}.{name}.noise_const"] = drawn(side, side)
            state[f"{at}.{name}.noise_strength"] = drawn()
            state[f"{at}.{name}.resample_filter"] = FIR.float()
        if side == 4:
            state[f"{at}.const"] = drawn(out, 4, 4)
        elif residual:
            state[f"{at}.skip.weight"] = drawn(out, into, 1, 1)
            state[f"{at}.skip.resample_filter"] = FIR.float()
        if not residual or side == size:
            layer(f"{at}.torgb", out, 3, 1)
        side, into = 2 * side, out
    return state


def rosinalitys_state(size: int) -> State:
    drawn, state = Drawn(), {}
    for index in range(1, 4):
        state[f"style.{index}.weight"] = drawn(LATENT, LATENT) * 100
        state[f"style.{index}.bias"] = drawn(LATENT) * 100
    state["input.input"] = drawn(1, CHANNELS[4], 4, 4)

    def layer(at: str, into: int, out: int, kernel: int) -> None:
        state[f"{at}.conv.weight"] = drawn(1, out, into, kernel, kernel)
        state[f"{at}.conv.modulation.weight"] = drawn(into, LATENT)
        state[f"{at}.conv.modulation.bias"] = drawn(into)
        if kernel == 3:
            state[f"{at}.noise.weight"], state[f"{at}.activate.bias"] = drawn(1), drawn(out)
        else:
            state[f"{at}.bias"] = drawn(1, 3, 1, 1)

    layer("conv1", CHANNELS[4], CHANNELS[4], 3)
    layer("to_rgb1", CHANNELS[4], 3, 1)
    state["noises.noise_0"] = drawn(1, 1, 4, 4)
    for block in range(int(math.log2(size)) - 2):
        side = 8 << block
        into, out = CHANNELS[side // 2], CHANNELS[side]
        layer(f"convs.{2 * block}", into, out, 3)
        layer(f"convs.{2 * block + 1}", out, out, 3)
        layer(f"to_rgbs.{block}", out, 3, 1)
        state[f"convs.{2 * block}.conv.blur.kernel"] = FIR.float() * 4
        state[f"to_rgbs.{block}.upsample.kernel"] = FIR.float() * 4
        for index in (2 * block + 1, 2 * block + 2):
            state[f"noises.noise_{index}"] = drawn(1, 1, side, side)
    return state


SOURCE = "import pathlib; pathlib.Path({!r}).write_text('run')"


class Persistent(nn.Module):
    """A module that pickles as NVIDIA's do: by its class's source, its name and its state."""

    source, called = "", "Module"

    def __reduce__(self) -> Any:
        meta = {"type": "class", "version": 6, "module_src": self.source}
        meta |= {"class_name": self.called, "state": dict(self.__dict__)}
        meta["state"].pop("called", None)
        reconstruct = sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj
        return reconstruct, (meta,), None


def nvidia_writer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Make a function that writes a file of NVIDIA's. Its own modules are gone when it is read."""

    def write(
        state: State,
        protocol: int = 4,
        called: str = "Generator",
        clamp: float | None = None,
        more: dict[str, Any] | None = None,
        **settings: object,
    ) -> Path:
        persistence, util = ModuleType("torch_utils.persistence"), ModuleType("dnnlib.util")
        exec("def _reconstruct_persistent_obj(meta): raise AssertionError", persistence.__dict__)
        exec("class EasyDict(dict): pass", util.__dict__)
        util.EasyDict.__module__ = "dnnlib.util"
        names = ("torch_utils", "dnnlib")
        with monkeypatch.context() as patch:
            for module in (*map(ModuleType, names), persistence, util):
                patch.setitem(sys.modules, module.__name__, module)
            patch.setattr(Persistent, "source", SOURCE.format(str(tmp_path / "was-run")))
            network = tree(state, clamp)
            network.called = called
            network.c_dim, network.z_dim, network.img_channels = 0, LATENT, 3
            network._init_kwargs = util.EasyDict(synthesis_kwargs=util.EasyDict(channel_base=80))
            vars(network).update(settings)
            data = {"training_set_kwargs": util.EasyDict(path="set.zip"), "D": None}
            data |= {"G": network, "G_ema": network, **(more or {})}
            (tmp_path / "network.pkl").write_bytes(pickle.dumps(data, protocol))
        assert "torch_utils.persistence" not in sys.modules
        return tmp_path / "network.pkl"

    return write


def tree(state: State, clamp: float | None) -> Persistent:
    """Modules within modules, and the settings that NVIDIA's keep, out of dotted names."""
    root = Persistent()
    for key, value in state.items():
        *path, name = key.split(".")
        module = root
        for part in path:
            if part not in module._modules:
                module.add_module(part, Persistent())
            module = module.get_submodule(part)  # type: ignore[assignment]
        if name in ("weight", "bias", "const", "noise_strength"):
            module.register_parameter(name, nn.Parameter(value, requires_grad=False))
        else:
            module.register_buffer(name, value)
        if re.fullmatch(r"fc\d+|conv\d", path[-1]):
            module.activation = "lrelu"  # type: ignore[assignment]
        if re.fullmatch(r"torgb|conv\d", path[-1]):
            module.conv_clamp = clamp  # type: ignore[assignment]
        if re.fullmatch(r"fc\d+", path[-1]):
            module.bias_gain = 0.01  # type: ignore[assignment]
            module.weight_gain = 0.01 / np.sqrt(LATENT)  # a float64 of numpy, as theirs is
    return root


def saved(path: Path, data: object, zipped: bool = True) -> Path:
    torch.save(data, path, _use_new_zipfile_serialization=zipped)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as raised:
        read(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ") and message.isprintable()
    assert not (path.parent / "was-run").exists()
    return message.removeprefix(f"{path}: ")


def cause(path: Path) -> str:
    """The reason why a file counts as damaged."""
    with pytest.raises(WeightsError, match="damaged") as raised:
        read(path)
    return str(raised.value.__cause__)
