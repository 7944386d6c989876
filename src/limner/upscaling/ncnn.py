"""Read upscalers in the format of ncnn: a ``.param`` file, which is text, and a ``.bin`` beside it.

The weights get the key names that other tools use for the same network. To check that the files
describe that network, their layers are run on a small picture.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.errors import WeightsError, printable

_MAGIC = "7767517"
_HALF, _FLOAT = 0x01306B47, (0, 0x0002C056)  # flags before weights of 16 and of 32 bits
_TEXT_LIMIT = 2**22  # bytes of a .param file; ESRGAN's has 2**17
_PROBE = 8  # pixels a side of the small picture
_VALUES_LIMIT = 2**22  # that a layer may make of it
_TOLERANCE = 1e-3
_ARRAY = -23300  # minus the key of an array
_MOST = 4  # times larger, in one layer
_INNER = 5  # convolutions of a dense block of ESRGAN
_BEFORE, _AFTER = 1, 3  # other convolutions: the first, and conv_body, conv_hr, conv_last

# what wrong files can cause here
_MISTAKES = (ValueError, KeyError, IndexError, TypeError, OverflowError, RuntimeError)


class Layer(NamedTuple):
    """A line of the ``.param`` file, and the weights of the layer."""

    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    numbers: dict[int, list[float]]
    weights: Sequence[Tensor] = ()

    def number(self, key: int, default: float = 0) -> float:
        """Return one of the layer's numbers."""
        return self.numbers.get(key, [default])[0]

    @property
    def factors(self) -> list[float]:
        """What the two inputs of a sum are multiplied by; only ``Eltwise`` says it."""
        return self.numbers.get(1, [1.0, 1.0]) if self.kind == "Eltwise" else [1.0, 1.0]


class Graph:
    """The layers of an upscaler, in the order in which they are computed.

    Parameters
    ----------
    path : Path
        The ``.param`` file.

    Attributes
    ----------
    layers : list of Layer
    state : dict of str to Tensor
        Their weights, in float32, as Real-ESRGAN names them.

    Raises
    ------
    WeightsError
        A file is missing or damaged, or has a layer that limner does not know.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        binary = path.with_suffix(".bin")
        for file in (path, binary):
            if not os.path.isfile(file):  # noqa: PTH113 (it takes any text)
                raise WeightsError(
                    f"{printable(file)}: there is no such file; a network of ncnn is a .param file "
                    "and a .bin file"
                )
        try:
            if path.stat().st_size > _TEXT_LIMIT:
                raise ValueError("the .param file is too long")
            self.layers = list(_layers(path.read_text(encoding="utf-8"), binary.read_bytes()))
            last = self.layers[-1]
            if last.kind == "Interp" and last.number(0) != 1:
                self.layers.pop()  # resizes the result, as limner does itself
            self.state = _named(self.layers)
        except (OSError, *_MISTAKES) as error:
            raise self._refused(error) from error

    def check(self, network: Callable[[Tensor], Tensor]) -> None:
        """Refuse the files if a network does not compute what their layers do.

        Raises
        ------
        WeightsError
            It does not.
        """
        picture = torch.rand((1, 3, _PROBE, _PROBE), generator=torch.Generator().manual_seed(0))
        try:
            theirs = _run(self.layers, picture)
            ours = network(picture)
            if not torch.allclose(ours, theirs, rtol=_TOLERANCE, atol=_TOLERANCE):
                raise ValueError("its layers are connected in another way")
        except _MISTAKES as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> WeightsError:
        why = printable(" ".join(str(error).split()))[:100]
        return WeightsError(
            f"{printable(self._path)}: is damaged, or not an upscaler that limner knows ({why}); "
            "copy both files again, or use a compact upscaler or ESRGAN"
        )


def _layers(text: str, data: bytes) -> Iterator[Layer]:
    """Parse the two files."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if lines[0] != [_MAGIC]:
        raise ValueError(f"it does not begin with {_MAGIC}")
    if len(lines) - 2 != int(lines[1][0]):
        raise ValueError(f"{lines[1][0]} layers are announced, {len(lines) - 2} are there")
    stream = _Stream(data)
    for kind, _, inputs, outputs, *rest in lines[2:]:
        into, out = int(inputs), int(outputs)
        blobs, numbers = rest[: into + out], dict(map(_number, rest[into + out :]))
        layer = Layer(kind, blobs[:into], blobs[into:], numbers)
        if kind == "Convolution":
            layer = layer._replace(weights=stream.convolution(layer))
        elif kind == "PReLU":
            layer = layer._replace(weights=(stream.values(int(layer.number(0)), "<f4"),))
        elif kind not in _OPERATIONS:
            raise ValueError(f"layer {kind}")
        yield layer
    if stream.rest:
        raise ValueError(f"{stream.rest} bytes too many")


def _number(word: str) -> tuple[int, list[float]]:
    """Parse ``9=2``, or ``-23310=1,0.2``: array number 10, with one value."""
    key, _, value = word.partition("=")
    numbers = list(map(float, value.split(",")))
    if int(key) > _ARRAY:
        return int(key), numbers
    if len(numbers) != 1 + numbers[0]:
        raise ValueError(word)
    return _ARRAY - int(key), numbers[1:]


class _Stream:
    """The ``.bin`` file, read from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def rest(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def values(self, count: int, kind: str) -> Tensor:
        """Read numbers as float32."""
        size = count * np.dtype(kind).itemsize
        if not 0 <= size <= self.rest:
            raise ValueError("the .bin file is too short")
        found = np.frombuffer(self._data, kind, count, self._at)
        self._at += size
        return torch.from_numpy(found.astype(np.float32))

    def convolution(self, layer: Layer) -> tuple[Tensor, Tensor]:
        """Read weights [O, I, K, K] and biases [O]."""
        out, side, count = (int(layer.number(key)) for key in (0, 1, 6))
        others = [layer.number(key, usual) for key, usual in ((11, side), (2, 1), (3, 1))]
        if others != [side, 1, 1] or layer.number(4) != side // 2 or layer.number(5) != 1:
            raise ValueError("a convolution of another kind")
        flag = int(np.frombuffer(self._data, "<u4", 1, self._at)[0])
        self._at += 4
        if flag == _HALF:
            weights = self.values(count, "<f2")
            self._at += -2 * count % 4
        elif flag in _FLOAT:
            weights = self.values(count, "<f4")
        else:
            raise ValueError("its weights are neither of 16 nor of 32 bits")
        return weights.reshape(out, -1, side, side), self.values(out, "<f4")


def _named(layers: Sequence[Layer]) -> dict[str, Tensor]:
    """Give the weights the names of a compact network, or of ESRGAN's."""
    weighted = [layer for layer in layers if layer.weights]
    if any(layer.kind == "PReLU" for layer in weighted):
        names = [f"body.{index}" for index in range(len(weighted))]
    else:
        doublings = sum(layer.kind == "Interp" for layer in layers)
        blocks = (len(weighted) - _BEFORE - _AFTER - doublings) // (3 * _INNER)
        places = product(range(blocks), "123", "12345")
        names = ["conv_first"]
        names += [f"body.{block}.rdb{part}.conv{index}" for block, part, index in places]
        names += ["conv_body", *(f"conv_up{1 + index}" for index in range(doublings))]
        names += ["conv_hr", "conv_last"]
    return {
        f"{name}.{part}": tensor
        for name, layer in zip(names, weighted, strict=True)
        for part, tensor in zip(("weight", "bias"), layer.weights, strict=False)
    }


def _run(layers: Sequence[Layer], picture: Tensor) -> Tensor:
    """Compute what the layers make of a picture."""
    blobs: dict[str, Tensor] = {}
    for layer in layers:
        inputs = [blobs[name] for name in layer.inputs] if layer.kind != "Input" else [picture]
        result = _OPERATIONS[layer.kind](layer, inputs)
        blobs |= dict.fromkeys(layer.outputs, result)
        if result.numel() > _VALUES_LIMIT:
            raise ValueError("a layer is too large")
    return result


def _convolution(layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    weights, bias = layer.weights
    result = F.conv2d(inputs[0], weights, bias, padding="same")
    kind = layer.number(9)
    if kind not in (0, 2):
        raise ValueError(f"activation {kind:g}")
    return F.leaky_relu(result, layer.number(10)) if kind else result


def _enlarged(layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    factor = layer.number(2)
    if layer.number(0) != 1 or layer.number(1) != factor or not 1 <= factor <= _MOST:
        raise ValueError("a resize of another kind")
    return F.interpolate(inputs[0], scale_factor=factor, mode="nearest")


def _sum(layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    if layer.number(0) != (1 if layer.kind == "Eltwise" else 0):
        raise ValueError(f"another {layer.kind}")
    one, other = (factor * tensor for factor, tensor in zip(layer.factors, inputs, strict=True))
    return one + other


_OPERATIONS: dict[str, Callable[[Layer, Sequence[Tensor]], Tensor]] = {
    "Input": lambda _, inputs: inputs[0],
    "Split": lambda _, inputs: inputs[0],
    "Concat": lambda _, inputs: torch.cat(tuple(inputs), 1),
    "Convolution": _convolution,
    "PReLU": lambda layer, inputs: F.prelu(inputs[0], layer.weights[0]),
    "PixelShuffle": lambda layer, inputs: F.pixel_shuffle(inputs[0], int(layer.number(0))),
    "Interp": _enlarged,
    "BinaryOp": _sum,
    "Eltwise": _sum,
}
