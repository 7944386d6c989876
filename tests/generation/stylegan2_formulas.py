"""Pictures of StyleGAN2, as NVIDIA's and rosinality's code compute them, in double precision."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]
LINE = torch.tensor((1.0, 3.0, 3.0, 1.0), dtype=torch.double)
FIR = torch.outer(LINE, LINE) / 64


def zeros_between(x: Tensor) -> Tensor:
    apart = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3], dtype=x.dtype)
    apart[..., ::2, ::2] = x
    return apart


def filtered(x: Tensor, before: int, after: int, gain: float) -> Tensor:
    x = F.pad(x, (before, after, before, after))
    return F.conv2d(x, (FIR * gain).expand(x.shape[1], 1, 4, 4), groups=x.shape[1])


def grouped(x: Tensor, kernels: Tensor, padding: int = 0) -> Tensor:
    """Each picture with its own kernels [N, out, in, k, k]."""
    count, out = kernels.shape[:2]
    y = F.conv2d(
        x.reshape(1, -1, *x.shape[2:]), kernels.flatten(0, 1), padding=padding, groups=count
    )
    return y.view(count, out, *y.shape[2:])


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def held(x: Tensor, clamp: float | None) -> Tensor:
    return x if clamp is None else x.clip(-clamp, clamp)


def mapped(state: State, z: Tensor, name: Callable[[int], str], depth: int) -> Tensor:
    x = z / z.square().mean(1, keepdim=True).sqrt()
    for index in range(depth):
        weight, bias = (state[f"{name(index)}.{part}"] for part in ("weight", "bias"))
        x = leaky(x @ weight.t() * (0.01 / math.sqrt(weight.shape[1])) + 0.01 * bias)
    return x


def nvidias_picture(
    state: State, z: Tensor, size: int, residual: bool, clamp: float | None, noisy: bool
) -> Tensor:
    """stylegan2-ada-pytorch: convolutions that enlarge are flipped, others are correlations."""
    state = {name: value.double() for name, value in state.items()}
    w = mapped(state, z.double(), "mapping.fc{}".format, 3)

    def modulated(x: Tensor, at: str, style: Tensor, demodulate: bool, up: bool) -> Tensor:
        weight = state[f"{at}.weight"]
        kernels = weight[None] * style[:, None, :, None, None]
        if demodulate:
            norm = kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8
            kernels = kernels / norm.sqrt()
        if up:
            return grouped(filtered(zeros_between(x), 3, 2, 4), kernels.flip(3, 4))
        return grouped(x, kernels, weight.shape[-1] // 2)

    def style(at: str) -> Tensor:
        weight, bias = state[f"{at}.affine.weight"], state[f"{at}.affine.bias"]
        return w @ weight.t() / math.sqrt(weight.shape[1]) + bias

    def convolved(x: Tensor, at: str, up: bool, gain: float = 1.0) -> Tensor:
        x = modulated(x, at, style(at), True, up)
        if noisy:
            x = x + state[f"{at}.noise_const"] * state[f"{at}.noise_strength"]
        x = leaky(x + state[f"{at}.bias"][:, None, None]) * gain
        return held(x, None if clamp is None else clamp * gain)

    x = state["synthesis.b4.const"].expand(len(z), -1, -1, -1)
    picture: Tensor | None = None
    side = 4
    while side <= size:
        at = f"synthesis.b{side}"
        half = math.sqrt(0.5) if residual and side > 4 else 1.0
        before = x
        if side > 4:
            x = convolved(x, f"{at}.conv0", True)
        x = convolved(x, f"{at}.conv1", False, half)
        if residual and side > 4:
            kernel = state[f"{at}.skip.weight"] / math.sqrt(before.shape[1])
            around = F.conv2d(filtered(zeros_between(before), 2, 1, 4), kernel)
            x = x + around * half
        if picture is not None:
            picture = filtered(zeros_between(picture), 2, 1, 4)
        if not residual or side == size:
            scaled = style(f"{at}.torgb") / math.sqrt(x.shape[1])
            seen = modulated(x, f"{at}.torgb", scaled, False, False)
            seen = held(seen + state[f"{at}.torgb.bias"][:, None, None], clamp)
            picture = seen if picture is None else picture + seen
        side *= 2
    assert picture is not None
    return (picture + 1) / 2


def rosinalitys_picture(state: State, z: Tensor, noisy: bool) -> Tensor:
    """stylegan2-pytorch: transposed convolutions, then a blur of gain 4."""
    state = {name: value.double() for name, value in state.items()}
    w = mapped(state, z.double(), lambda index: f"style.{index + 1}", 3)

    def modulated(x: Tensor, at: str, demodulate: bool, up: bool) -> Tensor:
        weight, affine = state[f"{at}.conv.weight"], state[f"{at}.conv.modulation.weight"]
        style = w @ affine.t() / math.sqrt(affine.shape[1]) + state[f"{at}.conv.modulation.bias"]
        kernels = weight / math.sqrt(weight[0, 0].numel()) * style[:, None, :, None, None]
        if demodulate:
            kernels = kernels / (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
        if up:
            y = [
                F.conv_transpose2d(one[None], own.transpose(0, 1), stride=2)
                for one, own in zip(x, kernels, strict=True)
            ]
            return filtered(torch.cat(y), 1, 1, 4)
        return grouped(x, kernels, weight.shape[-1] // 2)

    def convolved(x: Tensor, at: str, noise: int, up: bool) -> Tensor:
        x = modulated(x, at, True, up)
        if noisy:
            x = x + state[f"{at}.noise.weight"] * state[f"noises.noise_{noise}"]
        return leaky(x + state[f"{at}.activate.bias"][:, None, None])

    x = convolved(state["input.input"].expand(len(z), -1, -1, -1), "conv1", 0, False)
    picture = modulated(x, "to_rgb1", False, False) + state["to_rgb1.bias"]
    for block in range(
        sum(key.startswith("to_rgbs.") and key.endswith("conv.weight") for key in state)
    ):
        x = convolved(x, f"convs.{2 * block}", 2 * block + 1, True)
        x = convolved(x, f"convs.{2 * block + 1}", 2 * block + 2, False)
        seen = modulated(x, f"to_rgbs.{block}", False, False) + state[f"to_rgbs.{block}.bias"]
        picture = filtered(zeros_between(picture), 2, 1, 4) + seen
    return (picture + 1) / 2
