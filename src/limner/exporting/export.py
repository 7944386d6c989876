"""`export`: write a network as an ONNX file, for other programs."""

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
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
from limner.errors import InputError, OptionError, OutputError, WeightsError, printable
from limner.exporting.networks import Exportable, find
from limner.io import check_place
from limner.io.atomic import whole_file
from limner.nn import images, seeding
from limner.train.crops import pictures_in
from limner.units import split_sides

OPSET = 18  # the first with the antialiased resize that beautify uses
MAX_SIDE = 4096  # pixels, of a fixed size
LIMITS = {False: 1e-3, True: 1e-2}  # largest difference of the results: full and half precision
LEAST_DECIBELS = 35  # of the results of 8 bits
_CALIBRATED, _CALIBRATED_ON = 32, (128, 160)  # pictures, and their height and width
_TRIED = ((64, 96), (131, 75), (96, 160))  # height and width of the pictures it is checked with
_INSTALL = 'pip install "limner[export]"'


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
        ``cleaner`` or ``compact-features``; or a weights file of one of these kinds, or a painter.
    output : path
        The ``.onnx`` file to write. Beside it, a ``.md`` file describes inputs and outputs.
    size : str
        Width and height of the pictures that the file takes, such as ``256x256``, or ``dynamic``
        for any. A painter takes none.
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
    missing = [name for name in ("onnx", "onnxruntime", "onnxscript") if not find_spec(name)]
    if missing:
        raise OptionError(f"export: needs {' and '.join(missing)}; {_INSTALL}")
    about = output.with_suffix(".md")
    for path in (output, about):
        check_place(path, overwrite=overwrite)
    found = find(network)
    if found.latent_size and (sides is not None or int8 is not None):
        given = "--int8" if sides is None else f"--size {size}"
        raise OptionError(f"{given}: has no effect with a painter; leave it out")
    if sides is not None:
        for side in sides:
            check_range("size", side, found.smallest, MAX_SIDE)
    samples = [] if int8 is None else _calibration(int8, sides)
    model = _convert(found, sides)
    if half:
        _halve(model)
    if samples:
        model = _quantize(model, samples)
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
            raise OutputError(
                f"{printable(path)}: cannot be written ({error.strerror}); free some space"
            ) from error
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


def _convert(found: Exportable, sides: tuple[int, int] | None) -> Any:
    """Convert a network to an ONNX model."""
    import onnx  # slow, and an extra

    example = (_samples(found, sides)[0], *map(torch.tensor, found.more.values()))
    shapes: Any = None
    if sides is None and not found.latent_size:
        height, width = torch.export.Dim("height", min=2), torch.export.Dim("width", min=2)
        shapes = ({2: height, 3: width}, *(None for _ in found.more))
    with seeding.preserved(), warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            program = torch.onnx.export(
                found.network,
                example,
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=shapes,
                input_names=[_first(found), *found.more],
                output_names=list(found.outputs),
                verbose=False,
            )
        except Exception as error:  # of torch.export, for networks of others
            raise WeightsError(
                f"{printable(found.name)}: its network cannot be converted to ONNX "
                f"({type(error).__name__})"
            ) from error
        finally:
            logging.disable(logging.NOTSET)
    assert program is not None
    model = program.model_proto
    onnx.checker.check_model(model)
    return model


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


def _quantize(model: Any, samples: Sequence[Tensor]) -> Any:
    """Let the convolutions of a model compute with 8 bits; return the new model."""
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        left = iter(samples)

        def get_next(self) -> dict[str, np.ndarray] | None:
            sample = next(self.left, None)
            if sample is None:
                return None
            inputs = {one.name for one in model.graph.input} - {"picture"}
            return {"picture": sample.numpy(), **{n: np.array(1, np.float32) for n in inputs}}

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
    facts = {"name": found.name, **found.about, "size": size, "weights": precision}
    facts |= {"inputs": "; ".join(_inputs(found)), "outputs": "; ".join(_outputs(found))}
    del model.metadata_props[:]
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


def _first(found: Exportable) -> str:
    return "latent" if found.latent_size else "picture"


def _inputs(found: Exportable) -> list[str]:
    first = "picture: float32 [1, 3, H, W], sRGB in 0..1"
    if found.latent_size:
        first = f"latent: float32 [1, {found.latent_size}], drawn from a normal distribution"
    return [first, *(f"{name}: float32, a number" for name in found.more)]


def _outputs(found: Exportable) -> list[str]:
    return [f"{name}: float32 {shape}" for name, shape in found.outputs.items()]


def _samples(found: Exportable, sides: tuple[int, int] | None) -> list[Tensor]:
    """Make three pictures: smooth, with edges, and with noise; or three latents."""
    made = []
    if found.latent_size:
        shape = (1, found.latent_size)
        return [torch.randn(shape, generator=seeding.generator(0, n)) for n in range(3)]
    for number, (height, width) in enumerate(_TRIED if sides is None else (sides,) * 3):
        random = seeding.generator(0, number)
        rows, columns = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
        smooth = torch.stack((rows * columns, rows.expand(-1, width), 1 - columns + 0 * rows))
        edges = ((rows * 9).floor() + (columns * 7).floor()) % 2
        noise = torch.rand(3, height, width, generator=random)
        parts = (smooth, 0.5 * smooth + 0.5 * edges, 0.7 * smooth + 0.3 * noise)
        made.append(parts[number][None])
    return made


@torch.no_grad()
def _compare(
    content: bytes, found: Exportable, sides: tuple[int, int] | None
) -> tuple[float, float]:
    """Return how ONNX Runtime's results differ from limner's: at most, and in decibels."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        largest, squares = 0.0, []
        for sample in _samples(found, sides):
            more = {name: np.array(value, np.float32) for name, value in found.more.items()}
            theirs: Sequence[np.ndarray] = session.run(
                None, {_first(found): sample.numpy(), **more}
            )
            made = found.network(sample, *map(torch.tensor, found.more.values()))
            ours = made if isinstance(made, tuple) else (made,)
            for one, other in zip(ours, theirs, strict=True):
                off = (one - torch.from_numpy(other)).abs() / one.abs().max().clamp(1)
                largest = max(largest, float(off.max()))
                squares.append(float(off.square().mean()))
    except Exception as error:
        raise OutputError(
            f"{printable(found.name)}: ONNX Runtime cannot compute the exported network "
            f"({type(error).__name__}); please report this"
        ) from error
    return largest, -10 * math.log10(max(fmean(squares), 1e-12))


def _text(found: Exportable, file: str, size: str, precision: str, agreement: str) -> str:
    """Describe a file for people."""
    facts: Mapping[str, str] = {
        "network": found.name,
        "made with": f"limner {__version__}",
        "size": "any height and width" if size == "dynamic" else f"{size} pixels",
        "weights": precision,
        "largest difference from limner": agreement,
        **found.about,
    }
    lines = [f"# {file}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in facts.items()]
    lines += ["", "## Inputs", "", *(f"- {one}" for one in _inputs(found))]
    lines += ["", "## Outputs", "", *(f"- {one}" for one in _outputs(found))]
    if "margin" in found.about:
        lines += [
            "",
            f"A pixel depends on {found.about['margin']} pixels around it. To compute a picture in "
            "tiles, give each tile that margin, and cut it off afterwards.",
        ]
    return "\n".join(lines) + "\n"
