"""`export`: write a network as an ONNX file, for other programs."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limner import io
from limner._version import __version__
from limner.checks import check_range
from limner.errors import (
    InputError,
    OptionError,
    OutputError,
    WeightsError,
    cannot_be_written,
    printable,
)
from limner.exporting.networks import Exportable, Sides, find
from limner.exporting.simplify import simplify
from limner.io import check_place
from limner.io.atomic import remove_left, whole_file
from limner.io.recipe import bare_name
from limner.nn import images
from limner.nn.onnx_model import INSTALL, OPSET, convert, onnx_runtime
from limner.train.crops import pictures_in
from limner.units import split_sides

MAX_SIDE = 4096  # pixels, of a fixed size
LIMITS = {False: 1e-3, True: 1e-2}  # largest difference of the results: full and half precision
LEAST_DECIBELS = 35  # of the results of 8 bits
_CALIBRATED, _CALIBRATED_ON = 32, (128, 160)  # pictures, and their height and width


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes
    ----------
    output : str
        The ONNX file.
    describes : str
        The file that describes it.
    difference : float
        Largest difference from limner's own network on three pictures, of results in 0..1.
    decibels : float
        The same as a peak signal-to-noise ratio.
    megabytes : float
        Size of the ONNX file.
    """

    output: str
    describes: str
    difference: float
    decibels: float
    megabytes: float

    def __str__(self) -> str:
        """Return the files, and how well they agree with limner."""
        return (
            f"{self.output}\n{self.describes}\n{self.megabytes:.2f} MB; differs from limner by at "
            f"most {self.difference:.1e}, {self.decibels:.0f} dB"
        )


def export(
    network: str,
    *,
    output: Path,
    size: str = "dynamic",
    half: bool = False,
    int8: Path | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a network as an ONNX file, for phones, C++ programs and browsers.

    Parameters
    ----------
    network : str
        A name that ``limner models`` lists, such as ``upscaler-fast-x4``, ``beautifier``,
        ``colorizer``, ``cleaner`` or ``compact-features``; or a weights file of one of these
        kinds, or a painter.
    output : path
        The ``.onnx`` file to write. Beside it, a ``.md`` file describes inputs and outputs.
    size : str
        Width and height of the pictures that the file takes, such as ``256x256``, or ``dynamic``
        for any. A painter takes none, and the colorizer needs one.
    half : bool
        Store the weights in half precision: half the file size. Computations stay in float32.
    int8 : path
        Compute the convolutions with 8 bits: a third of the file size. Needs a folder of pictures
        like those that it will be used for, from which the ranges of values are measured.
    overwrite : bool
        Replace files that exist.

    Returns
    -------
    Exported
        The files. Before they are written, ONNX Runtime computes three pictures with them, and
        the results are compared with limner's own.

    Raises
    ------
    InputError
        There are no pictures for ``int8``.
    OptionError
        The name or the size is unknown, or the package ``onnx`` is missing.
    OutputError
        The file exists or cannot be written, or its results are not those of limner.
    WeightsError
        The weights file cannot be used.
    """
    output = Path(output)
    if output.suffix != ".onnx":
        raise OptionError(f"--output {printable(output)}: must end in .onnx")
    sides = _parse(size)
    if int8 is not None and half:
        raise OptionError("--int8 and --half: cannot be used together; give only one")
    missing = [name for name in ("onnx", "onnxruntime") if not find_spec(name)]
    if missing:
        raise OptionError(f"export: needs {' and '.join(missing)}; {INSTALL}")
    import onnx  # slow, and an extra

    if onnx.defs.onnx_opset_version() < OPSET:
        raise OptionError(
            f"export: the package onnx knows operations up to opset "
            f"{onnx.defs.onnx_opset_version()}, not {OPSET}; {INSTALL} --upgrade"
        )
    about = output.with_suffix(".md")
    for path in (output, about):
        check_place(path, overwrite=overwrite)
    remove_left(output.parent)
    found = find(network)
    _check_size(found, size, sides)
    if int8 is not None and "picture" not in found.inputs:
        raise OptionError("--int8: is only for networks that take a picture; leave it out")
    samples = [] if int8 is None else _calibration(int8, sides)
    model = _convert(found, sides)
    if half:
        _halve(model)
    if samples:
        model = _quantize(model, found, samples)
    precision = "8 bits" if samples else "half precision" if half else "single precision"
    _describe(model, found, size, precision)
    content = model.SerializeToString()
    difference, decibels = _compare(content, found, sides)
    far = f"by {difference:.1e}, and {LIMITS[half]:g} is allowed"
    if samples:
        far = f"({decibels:.1f} dB), and {LEAST_DECIBELS} dB is needed"
    if not (decibels >= LEAST_DECIBELS if samples else difference <= LIMITS[half]):
        raise OutputError(
            f"{printable(output)}: is not written, since its results differ from limner's {far}; "
            f"{'leave out --int8' if samples else 'please report this'}"
        )
    agreement = f"{difference:.1e}, {decibels:.0f} dB"
    text = _text(found, output.name, size, precision, agreement).encode()
    for path, part in ((output, content), (about, text)):
        try:
            with whole_file(path, overwrite=overwrite) as file:
                file.write(part)
        except OSError as error:
            raise OutputError(f"{printable(path)}: {cannot_be_written(path, error)}") from error
    return Exported(str(output), str(about), difference, decibels, len(content) / 1e6)


def _parse(size: str) -> tuple[int, int] | None:
    """Return the height and width of ``256x192``; None for ``dynamic``."""
    if size == "dynamic":
        return None
    sides = split_sides(size)
    if sides is None:
        raise OptionError(
            f"--size {printable(size)}: must be a width and a height, such as 256x256, or dynamic"
        )
    return sides


def _check_size(found: Exportable, size: str, sides: Sides) -> None:
    """Refuse a size that the network cannot have."""
    if sides is None:
        if found.fixed:
            raise OptionError(
                f"{printable(found.name)}: needs a fixed size; give one whose sides are multiples "
                f"of {found.multiple}, such as --size 256x192"
            )
        return
    if not found.smallest:
        raise OptionError(f"--size {size}: has no effect with a painter; leave it out")
    for side in sides:
        check_range("size", side, found.smallest, MAX_SIDE)
        if side % found.multiple:
            raise OptionError(f"--size {size}: sides must be multiples of {found.multiple}")


def _convert(found: Exportable, sides: Sides) -> Any:
    """Convert a network to an ONNX model."""
    import onnx

    example = dict(zip(found.inputs, found.examples(sides)[0], strict=True))
    axes = dict(found.axes)
    takes_pictures = "picture" in found.inputs
    if sides is None and takes_pictures:
        axes["picture"] = {2: "height", 3: "width"}
    try:
        model = onnx.load_from_string(convert(found.network, example, list(found.outputs), axes))
    except WeightsError as error:
        raise WeightsError(f"{printable(found.name)}: {error}") from error
    onnx.checker.check_model(model)
    return simplify(model) if sides is not None and takes_pictures else model


def _halve(model: Any) -> None:
    """Store the weights of a model in half precision; they are converted when it is loaded."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < 16:  # constants
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)


def _calibration(folder: Path, sides: tuple[int, int] | None) -> list[Tensor]:
    """Read pictures [1, 3, H, W] from which the ranges of values are measured."""
    paths = pictures_in(Path(folder), subfolders=False)
    if not paths:
        raise InputError(
            f"--int8 {printable(folder)}: is no folder with pictures; name one that holds some"
        )
    read = (io.on_white(io.read(path)) for path in paths[:_CALIBRATED])
    return [images.resize(rgb, sides or _CALIBRATED_ON).clamp(0, 1) for rgb in read]


def _quantize(model: Any, found: Exportable, samples: Sequence[Tensor]) -> Any:
    """Let the convolutions of a model compute with 8 bits; return the new model."""
    import onnx

    onnx_runtime()
    from onnxruntime import quantization

    others = dict(zip(found.inputs, found.examples(None)[0], strict=True))
    del others["picture"]
    fixed = {name: value.numpy() for name, value in others.items()}

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        left = iter(samples)

        def get_next(self) -> dict[str, np.ndarray] | None:
            sample = next(self.left, None)
            return None if sample is None else {"picture": sample.numpy(), **fixed}

    with TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        onnx.save(model, before)
        logging.disable(logging.WARNING)
        try:
            quantization.quantize_static(
                before,
                after,
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                op_types_to_quantize=["Conv"],
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(after)


def _describe(model: Any, found: Exportable, size: str, precision: str) -> None:
    """Write what the network is into the metadata of a model."""
    model.producer_name, model.producer_version = "limner", __version__
    facts = {"name": bare_name(found.name), **found.about, "size": size, "weights": precision}
    for name, tensors in (("inputs", found.inputs), ("outputs", found.outputs)):
        facts[name] = "; ".join(f"{tensor}: {about}" for tensor, about in tensors.items())
    del model.metadata_props[:]
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


@torch.no_grad()
def _compare(content: bytes, found: Exportable, sides: Sides) -> tuple[float, float]:
    """Return how ONNX Runtime's results differ from limner's: at most, and in decibels."""
    onnxruntime = onnx_runtime()
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        largest, squares = 0.0, []
        for example in found.examples(sides):
            given = {n: one.numpy() for n, one in zip(found.inputs, example, strict=True)}
            theirs: Sequence[np.ndarray] = session.run(None, given)
            made = found.network(*example)
            ours = made if isinstance(made, tuple) else (made,)
            for one, other in zip(ours, theirs, strict=True):
                off = (one - torch.from_numpy(other)).abs() / one.abs().max().clamp(1)
                largest = max(largest, float(off.max()))
                squares.append(float(off.square().mean()))
    except Exception as error:
        remedy = "please report this" if sides else "try a fixed size, such as --size 256x256"
        raise OutputError(
            f"{printable(found.name)}: ONNX Runtime cannot compute the exported network "
            f"({type(error).__name__}); {remedy}"
        ) from error
    return largest, -10 * math.log10(max(fmean(squares), 1e-12))


def _text(found: Exportable, file: str, size: str, precision: str, agreement: str) -> str:
    """Describe a file for people."""
    facts: Mapping[str, str] = {
        "network": bare_name(found.name),
        "made with": f"limner {__version__}",
        "size": "any height and width" if size == "dynamic" else f"{size} pixels",
        "weights": precision,
        "largest difference from limner": agreement,
        **found.about,
    }
    lines = [f"# {file}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in facts.items()]
    for title, tensors in (("Inputs", found.inputs), ("Outputs", found.outputs)):
        lines += ["", f"## {title}", "", *(f"- {name}: {is_}" for name, is_ in tensors.items())]
    if "margin" in found.about:
        lines += [
            "",
            f"A pixel depends on {found.about['margin']} pixels around it. To compute a picture in "
            "tiles, give each tile that margin, and cut it off afterwards.",
        ]
    return "\n".join(lines) + "\n"
