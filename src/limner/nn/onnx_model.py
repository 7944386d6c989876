"""Networks as ONNX models: conversion, and computation with ONNX Runtime."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO, StringIO
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limner.checks import check_choice
from limner.errors import OptionError, WeightsError
from limner.nn import devices, seeding

OPSET = 17  # OpenCV 4.6 reads it
RUNTIMES = ("torch", "onnxruntime")
INSTALL = 'pip install "limner[export]"'

Axes = Mapping[str, Mapping[int, str]]  # names of the sides that may vary, for each tensor


def convert(
    network: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], axes: Axes
) -> bytes:
    """Convert a network to an ONNX model.

    Parameters
    ----------
    network : nn.Module
        Its forward takes the inputs in their order, and returns a tensor or a tuple of them.
    inputs : mapping of str to Tensor
        Names, and an example of each.
    outputs : sequence of str
        Names of the results.
    axes : mapping
        Sides of inputs that may have another length than in the example.

    Returns
    -------
    bytes
        The model.

    Raises
    ------
    WeightsError
        The network does something that ONNX cannot express.
    """
    file = BytesIO()
    with seeding.preserved(), warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        try:
            # torch's newer exporter takes 20 times as long, and cannot write this opset
            torch.onnx.export(
                network,
                tuple(inputs.values()),
                file,  # type: ignore[arg-type]  # this exporter also takes a file object
                dynamo=False,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes={name: dict(sides) for name, sides in axes.items()},
            )
        except Exception as error:  # many kinds, for networks of others
            raise WeightsError(
                f"the network cannot be converted to ONNX ({type(error).__name__}); try a "
                "fixed size, such as --size 256x256, or use another one"
            ) from error
    return file.getvalue()


def use_onnx_runtime(
    network: nn.Module, method: str, examples: Sequence[Tensor], axes: Axes | None = None
) -> None:
    """Let ONNX Runtime compute a method of a network on the CPU. Changes the network.

    Parameters
    ----------
    network : nn.Module
        The network.
    method : str
        Name of a method that takes tensors, and returns a tensor or a tuple of them.
    examples : sequence of Tensor
        An example of each argument. Only sides that `axes` names may differ from it.
    axes : mapping or None
        Sides that may vary, for the arguments, which are called ``"x0"``, ``"x1"``, ….
    """
    inputs = {f"x{number}": example for number, example in enumerate(examples)}
    original = getattr(network, method)
    results = original(*examples)
    count = len(results) if isinstance(results, tuple) else 1
    names = [f"y{number}" for number in range(count)]
    run = _session(convert(_Method(network, original), inputs, names, axes or {}))

    def compute(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        found = run(dict(zip(inputs, (one.numpy() for one in tensors), strict=True)))
        made = tuple(map(torch.from_numpy, found))
        return made if isinstance(results, tuple) else made[0]

    setattr(network, method, compute)


def pick_device(device: str, runtime: str) -> torch.device:
    """Return the device of that name (see `devices.pick`), which is the CPU for ONNX Runtime.

    Raises
    ------
    OptionError
        A name is unknown; this machine has no such device; or ONNX Runtime is missing, or is asked
        to use another device than the CPU.
    """
    check_choice("runtime", runtime, RUNTIMES)
    if runtime == "torch":
        return devices.pick(device)
    if not all(map(find_spec, ("onnx", "onnxruntime"))):
        raise OptionError(f"--runtime onnxruntime: needs onnx and onnxruntime; {INSTALL}")
    if device not in ("auto", "cpu"):
        raise OptionError(
            f"--runtime onnxruntime: computes on the CPU, not on {device}; leave out --device"
        )
    return torch.device("cpu")


class _Method(nn.Module):
    """A method of a network as a network of its own."""

    def __init__(self, network: nn.Module, method: Callable[..., Any]) -> None:
        super().__init__()
        self.network, self.method = network, method
        self.eval()

    def forward(self, *tensors: Tensor) -> Any:
        return self.method(*tensors)


def onnx_runtime() -> ModuleType:
    """Import ONNX Runtime, which is slow, and an extra.

    From version 1.32 on it writes an identifier of the device into the user's cache and sends
    statistics to Microsoft, unless an environment variable says no.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return import_module("onnxruntime")


def _session(model: bytes) -> Callable[[dict[str, np.ndarray]], list[np.ndarray]]:
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.enable_cpu_mem_arena = False  # it would keep the memory of the largest tile
    options.log_severity_level = 4  # errors are raised
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(given: dict[str, np.ndarray]) -> list[np.ndarray]:
        try:
            results: list[np.ndarray] = session.run(None, given)
        except Exception as error:  # its errors derive from nothing else
            raise RuntimeError(str(error)) from error  # as torch does if memory runs out
        return results

    return run
