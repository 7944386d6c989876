"""`convert_painter`: read StyleGAN2 files of NVIDIA's and rosinality's code, but run no code."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limner.errors import OptionError, WeightsError, printable
from limner.generation.gan import painter, safe_pickle
from limner.generation.gan.stylegan2 import Architecture, Generator, channel_counts
from limner.io import check_place
from limner.io.atomic import remove_left
from limner.nn.weights import are_stored, begin_of, sha256

MAX_BYTES = 2 * 2**30  # of an unpacked file: those for 1024 pixels have 0.4 to 0.8 GiB
_MAX_PARTS = 10**5  # of a network, counting repeated ones: the largest has some thousand
_DRAWN = 10_000  # styles from which the mean is computed if a file has none
_FIR = torch.tensor((1.0, 3.0, 3.0, 1.0))[:, None] * torch.tensor((1.0, 3.0, 3.0, 1.0)) / 64
_FILTERS = ("resample_filter", "blur.kernel", "upsample.kernel")

# From our names of tensors to theirs: patterns and replacements, applied one after the other.
_Rules = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
_NVIDIA: _Rules = (
    (r"^mean$", "mapping.w_avg"),
    (r"^mapping\.(?=\d)", "mapping.fc"),
    (r"^constant$", "synthesis.b4.const"),
    (r"^first\.", "synthesis.b4.conv1."),
    (r"^to_rgb\.", "synthesis.b4.torgb."),
    (r"^blocks\.(\d+)", lambda found: f"synthesis.b{8 << int(found[1])}"),
    (r"\.first\.", ".conv0."),
    (r"\.second\.", ".conv1."),
    (r"\.to_rgb\.", ".torgb."),
    (r"\.convolution\.style\.", ".affine."),
    (r"\.convolution\.", "."),
    (r"\.strength$", ".noise_strength"),
    (r"\.noise$", ".noise_const"),
)
_ROSINALITY: _Rules = (
    (r"^mean$", "latent_avg"),
    (r"^mapping\.(\d+)", lambda found: f"style.{int(found[1]) + 1}"),
    (r"^constant$", "input.input"),
    (r"^first\.", "conv1."),
    (r"^to_rgb\.", "to_rgb1."),
    (r"^blocks\.(\d+)\.first", lambda found: f"convs.{2 * int(found[1])}"),
    (r"^blocks\.(\d+)\.second", lambda found: f"convs.{2 * int(found[1]) + 1}"),
    (r"^blocks\.(\d+)\.to_rgb", r"to_rgbs.\1"),
    (r"^conv1\.noise$", "noises.noise_0"),
    (r"^convs\.(\d+)\.noise$", lambda found: f"noises.noise_{int(found[1]) + 1}"),
    (r"^(conv1|convs\.\d+)\.bias$", r"\1.activate.bias"),
    (r"\.convolution\.style\.", ".conv.modulation."),
    (r"\.convolution\.", ".conv."),
    (r"\.strength$", ".noise.weight"),
)


def convert_painter(
    source: Path,
    *,
    output: Path,
    license: str,  # noqa: A002 - the option's name
    overwrite: bool = False,
) -> Path:
    """Convert a StyleGAN2 file for use with limner generate.

    No code in the file is run.

    Parameters
    ----------
    source : path
        A ``.pkl`` file of NVIDIA's PyTorch code (stylegan2-ada-pytorch, or StyleGAN2 of stylegan3),
        or a ``.pt`` file of rosinality's stylegan2-pytorch.
    output : path
        The ``.safetensors`` file to write.
    license : str
        License under which the author offers the weights: ``CC0-1.0`` or ``own work``, for example.
        It is stored in the new file.
    overwrite : bool
        Replace a file that exists.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    OptionError
        The license is empty, or the output does not end in ``.safetensors``.
    OutputError
        The output exists, or cannot be written.
    WeightsError
        The file is missing, damaged, would run code, or is for another network.
    """
    source, output = Path(source), Path(output)
    if not license.strip():
        raise OptionError("--license: is empty; look it up where you got the file")
    if output.suffix != ".safetensors":
        raise OptionError(f"--output {printable(output)}: must end in .safetensors")
    check_place(output, overwrite=overwrite)
    remove_left(output.parent)
    generator = read(source)
    about = {
        "license": license.strip(),
        "recipe": f"converted from {printable(source.name)}, sha256 {sha256(source)}",
    }
    painter.save(output, generator, about, halved=False)
    return output


def read(path: Path) -> Generator:
    """Read the generator of a StyleGAN2 file. The format is recognized by the content.

    Of several networks in the file it is the average: ``G_ema`` or ``g_ema``.

    Parameters
    ----------
    path : Path
        A file of at most 2 GiB, unpacked.

    Returns
    -------
    Generator
        In evaluation mode. Its attributes say how it is built.

    Raises
    ------
    WeightsError
        The file is missing, too large, damaged, would run code, or is for another network.
    """
    head = begin_of(path, may_be_text=True)[: len(safe_pickle.TORCH_MAGIC)]
    try:
        size = path.stat().st_size
        if is_zip := head.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                size = sum(part.file_size for part in archive.infolist())
    except Exception as error:  # `zipfile` raises more than its own of a damaged archive
        raise WeightsError(f"{path}: is damaged; give a .pkl or .pt file") from error
    if size > MAX_BYTES:
        raise WeightsError(
            f"{path}: has {size / 2**30:.1f} GiB when unpacked, more than 2; give a file without "
            "optimizers"
        )
    try:
        with warnings.catch_warnings():  # of torch, about pickles
            warnings.simplefilter("ignore")
            return (_rosinality if is_zip or head == safe_pickle.TORCH_MAGIC else _nvidia)(path)
    except WeightsError:
        raise
    except Exception as error:  # a file that is not a pickle, or an odd one, raises nearly anything
        if name := re.search(r"GLOBAL ([^\s,]+)", str(error)):  # as torch.load reports it
            raise safe_pickle.refusal(path, name[1]) from error
        raise WeightsError(
            f"{path}: is damaged, or not a StyleGAN2 file of NVIDIA's or rosinality's code; "
            "download or copy it again"
        ) from error


def _nvidia(path: Path) -> Generator:
    data = safe_pickle.load(path)
    network = data.get("G_ema") if isinstance(data, dict) else data
    if not isinstance(network, safe_pickle.Network):
        raise WeightsError(f"{path}: has no network G_ema; give a snapshot of NVIDIA's training")
    if network.name != "Generator":
        name = printable(network.name[:80])
        raise WeightsError(f"{path}: its G_ema is a {name}; give one with StyleGAN2's Generator")
    tensors, settings = _flatten(network)
    if any(key.startswith("synthesis.input.") for key in (*tensors, *settings)):
        raise WeightsError(f"{path}: is StyleGAN3, which limner does not have; give StyleGAN2")
    if settings.get("c_dim") or "mapping.embed.weight" in tensors:
        raise WeightsError(
            f"{path}: makes pictures by class labels, which limner cannot; give one without"
        )
    if "synthesis.b4.const" not in tensors:
        raise WeightsError(f"{path}: is not StyleGAN2: its G_ema has no synthesis.b4.const")

    def values(pattern: str) -> list[Any]:
        return list({value for key, value in settings.items() if re.search(pattern, key)})

    for what, usual in ((r"(fc\d+|conv\d)\.activation", "lrelu"), (r"mapping.*\.bias_gain", 0.01)):
        if others := [value for value in values(what + "$") if value != usual]:
            name, value = what.rpartition(".")[2], printable(str(others[0])[:80])
            raise WeightsError(f"{path}: its {name} is {value}; limner can use only {usual}")
    clamps = values(r"(conv\d|torgb)\.conv_clamp$")
    if len(clamps) > 1:
        raise WeightsError(f"{path}: has several values of conv_clamp; limner can use only one")
    clamp = None if clamps in ([], [None]) else float(clamps[0])
    architecture: Architecture = "resnet" if "synthesis.b8.skip.weight" in tensors else "skip"
    return _build(path, tensors, _NVIDIA, architecture, clamp)


def _flatten(network: safe_pickle.Network) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return all tensors and settings of a network, by dotted names."""
    tensors: dict[str, Tensor] = {}
    settings: dict[str, Any] = {}
    waiting, parts_left = [("", network)], _MAX_PARTS
    while waiting:
        prefix, module = waiting.pop()
        parts = (module.state.get(part, {}) for part in ("_modules", "_parameters", "_buffers"))
        submodules, *tables = *parts, module.state
        parts_left -= 1 + len(submodules) + sum(map(len, tables))
        if parts_left < 0 or len(prefix) > 1000:  # modules can contain each other, or themselves
            raise pickle.UnpicklingError("a network without end")
        for key, value in chain.from_iterable(table.items() for table in tables):
            if isinstance(value, Tensor):
                tensors[f"{prefix}{key}"] = value
            elif value is None or isinstance(value, int | float | str):
                settings[f"{prefix}{key}"] = value
        for key, submodule in submodules.items():
            if isinstance(submodule, safe_pickle.Network):
                waiting.append((f"{prefix}{key}.", submodule))
    return tensors, settings


def _rosinality(path: Path) -> Generator:
    # the file also has the arguments of the training, which are not used
    with torch.serialization.safe_globals([(safe_pickle.Table, "argparse.Namespace")]):
        data = torch.load(path, map_location="cpu", weights_only=True)
    state = data.get("g_ema", data) if isinstance(data, dict) else {}
    tensors = {k: v for k, v in state.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if not are_stored(tensors.values(), path):
        raise pickle.UnpicklingError("tensors of more than the file stores")
    if "input.input" not in tensors:
        raise WeightsError(
            f"{path}: has no g_ema with input.input; give a file of rosinality's code, or a .pkl"
        )
    latent_size = tensors["style.1.weight"].shape[1]
    mean = data.get("latent_avg")
    has_mean = isinstance(mean, Tensor) and mean.numel() == latent_size
    tensors["latent_avg"] = mean if has_mean else torch.zeros(latent_size)
    generator = _build(path, tensors, _ROSINALITY, "skip", None)
    if not has_mean:  # as rosinality's generate.py does, but always from the same numbers
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            styles = generator.map(torch.randn((_DRAWN, latent_size), generator=random))
        generator.mean.copy_(styles.mean(0))
    return generator


def _build(
    path: Path,
    theirs: dict[str, Tensor],
    rules: _Rules,
    architecture: Architecture,
    clamp: float | None,
) -> Generator:
    """Build the generator that their tensors fit, and load them into it."""

    def name(key: str) -> str:
        for pattern, new in rules:
            key = re.sub(pattern, new, key)
        return key

    first, height, width = theirs[name("constant")].shape[-3:]
    channels = [first]
    while (key := name(f"blocks.{len(channels) - 1}.second.bias")) in theirs:
        channels.append(len(theirs[key]))
    doublings, mapping_layers = len(channels) - 1, 0
    while name(f"mapping.{mapping_layers}.weight") in theirs:
        mapping_layers += 1
    if min(height, width) != 4:
        raise WeightsError(f"{path}: starts at {height}×{width} pixels; its short side must be 4")
    size = height << doublings, width << doublings
    channel_max = max(channels)
    channel_base = max((4 << level) * count for level, count in enumerate(channels))
    if channel_counts(size, channel_base, channel_max) != channels:
        raise WeightsError(f"{path}: has {channels} channels, which limner cannot use")
    with torch.device("meta"):  # only shapes: the sizes are not to be trusted yet
        generator = Generator(
            size,
            latent_size=len(theirs[name("mean")]),
            mapping_layers=mapping_layers,
            channel_base=channel_base,
            channel_max=channel_max,
            architecture=architecture,
            clamp=clamp,
        )
    state = {}
    for ours, expected in generator.state_dict().items():
        if (found := theirs.pop(name(ours), None)) is None:
            raise WeightsError(f"{path}: is not StyleGAN2: {name(ours)} is missing")
        if [n for n in found.shape if n > 1] != [n for n in expected.shape if n > 1]:
            shape = tuple(found.shape)
            raise WeightsError(f"{path}: {name(ours)} is {shape}, not {tuple(expected.shape)}")
        # rosinality's have additional dimensions of 1; a copy, so that no view keeps the whole file
        state[ours] = found.reshape(expected.shape).to(torch.float32, copy=True).contiguous()
    _check_rest(path, theirs)
    generator.load_state_dict(state, assign=True)
    return generator.requires_grad_(False).eval()


def _check_rest(path: Path, rest: dict[str, Tensor]) -> None:
    """Refuse tensors that we have no use for, unless they are StyleGAN2's low-pass filter."""
    for key, tensor in rest.items():
        kernel = tensor.float() / tensor.float().sum() if key.endswith(_FILTERS) else None
        if kernel is None or kernel.shape != _FIR.shape or not torch.allclose(kernel, _FIR):
            raise WeightsError(
                f"{path}: {printable(key[:60])} differs from StyleGAN2; limner cannot use it"
            )
