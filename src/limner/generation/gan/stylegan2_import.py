"""StyleGAN2 painters that others trained: read without running anything, and made ours.

NVIDIA's files are pickles, which are programs. They meet a reader that knows ten names, for each of
which it has a piece of ours that makes tables, numbers or tensors. The code they carry is ignored.
"""

import io
import math
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from limner.errors import OptionError, WeightsError, printable
from limner.generation.gan import painter
from limner.generation.gan.stylegan2 import Architecture, Generator, widths
from limner.io import check_place
from limner.nn.weights import sha256

LIMIT = 2 * 2**30  # bytes of a checkpoint, unpacked: those of 1024 pixels have 0.4 to 0.8
_OPERATIONS = 10**6  # of a pickle: the largest of NVIDIA's have some ten thousand
_PARTS = 10**5  # of a network, followed wherever they lead: the largest has some thousand
_DRAWN = 10_000  # styles of which a mean is made, where a file has none
_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how files of torch's older format begin
_NUMBERS = {"f8": "d", "f4": "f", "i8": "q", "i4": "i", "u1": "B", "b1": "?"}
_FIR = torch.tensor((1.0, 3.0, 3.0, 1.0))[:, None] * torch.tensor((1.0, 3.0, 3.0, 1.0)) / 64
_FILTERS = ("resample_filter", "blur.kernel", "upsample.kernel")

# what our tensors are called elsewhere: patterns and what they become, one after the other
_Rules = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
_NVIDIA: _Rules = (
    (r"^mean$", "mapping.w_avg"),
    (r"^mapping\.(?=\d)", "mapping.fc"),
    (r"^constant$", "synthesis.b4.const"),
    (r"^first\.", "synthesis.b4.conv1."),
    (r"^colours\.", "synthesis.b4.torgb."),
    (r"^rooms\.(\d+)", lambda found: f"synthesis.b{8 << int(found[1])}"),
    (r"\.first\.", ".conv0."),
    (r"\.second\.", ".conv1."),
    (r"\.colours\.", ".torgb."),
    (r"\.around\.", ".skip."),
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
    (r"^colours\.", "to_rgb1."),
    (r"^rooms\.(\d+)\.first", lambda found: f"convs.{2 * int(found[1])}"),
    (r"^rooms\.(\d+)\.second", lambda found: f"convs.{2 * int(found[1]) + 1}"),
    (r"^rooms\.(\d+)\.colours", r"to_rgbs.\1"),
    (r"^conv1\.noise$", "noises.noise_0"),
    (r"^convs\.(\d+)\.noise$", lambda found: f"noises.noise_{int(found[1]) + 1}"),
    (r"^(conv1|convs\.\d+)\.bias$", r"\1.activate.bias"),
    (r"\.convolution\.style\.", ".conv.modulation."),
    (r"\.convolution\.", ".conv."),
    (r"\.strength$", ".noise.weight"),
)


def convert_painter(foreign: Path, *, output: Path, licence: str, overwrite: bool = False) -> Path:
    """Turn StyleGAN2 weights of others into a painter's weights of ours.

    Nothing in the checkpoint is run: neither what the pickle asks for, nor the code it carries.

    Parameters
    ----------
    foreign : path
        A `.pkl` of NVIDIA's PyTorch code (stylegan2-ada-pytorch, or StyleGAN2 of stylegan3), or a
        `.pt` of rosinality's. Of several networks it is the average, `G_ema` or `g_ema`.
    output : path
        The `.safetensors` file to write.
    licence : str
        Under which its maker gives the weights, and you may use them: "CC0-1.0", "own work".
    overwrite : bool
        Replace a file that is there already.

    Raises
    ------
    OptionError, OutputError
        No licence, or a place that cannot be written to.
    WeightsError
        The checkpoint is missing, damaged, would run code, or is of another network.
    """
    foreign, output = Path(foreign), Path(output)
    if not licence.strip():
        raise OptionError("--licence: is empty; say under which its maker gives the weights")
    if output.suffix != ".safetensors":
        raise OptionError(f"--output {printable(output)}: must end in .safetensors")
    check_place(output, overwrite=overwrite)
    generator = read(foreign)
    about = {
        "licence": licence.strip(),
        "recipe": f"converted from {printable(foreign.name)}, sha256 {sha256(foreign)}",
    }
    painter.save(output, generator, about, halved=False)
    return output


def read(path: Path) -> Generator:
    """Read the generator of a checkpoint of NVIDIA's or rosinality's, told by what it holds.

    Parameters
    ----------
    path : Path
        At most 2 GiB.

    Returns
    -------
    Generator
        In evaluation; its attributes say how it is built.

    Raises
    ------
    WeightsError
        The file is missing, too large, damaged, would run code, or is of another network.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(_TORCH))
        length = path.stat().st_size
        if zipped := head.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                length = sum(part.file_size for part in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path}: missing, or damaged; give a .pkl or .pt file") from error
    if length > LIMIT:
        raise WeightsError(
            f"{path}: unpacks to {length / 2**30:.1f} GiB, above 2; take one without optimisers"
        )
    try:
        return (_rosinality if zipped or head == _TORCH else _nvidia)(path)
    except WeightsError:
        raise
    except Exception as error:  # what is no pickle, or an odd one, raises nearly anything
        if asked := re.search(r"GLOBAL ([^\s,]+)", str(error)):  # how torch.load names it
            raise _refusal(path, asked[1]) from error
        raise WeightsError(
            f"{path}: damaged, or no StyleGAN2 checkpoint of NVIDIA's or rosinality's; get it again"
        ) from error


class _Table(dict[Any, Any]):
    """What stands for OrderedDict and EasyDict; attributes of it are dropped."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()  # empty: copies of a large one, again and again, would fill the memory

    def __setstate__(self, state: object) -> None:
        pass


class _Function:
    """What a pickle may call, and nothing but call: it has no attributes to be changed."""

    __slots__ = ("_made",)

    def __init__(self, made: Callable[..., object]) -> None:
        self._made = made

    def __call__(self, *given: object) -> object:
        return self._made(*given)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a function has no state")


class _Network:
    """What stands for a network: its class's name and its attributes."""

    __slots__ = ("name", "state")

    def __init__(self, meta: dict[str, Any]) -> None:
        self.name, self.state = str(meta["class_name"]), meta["state"]

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a network has all it needs")


class _Kind:
    """What stands for numpy.dtype."""

    __slots__ = ("code",)

    def __init__(self, code: str, *_: object) -> None:
        self.code = _NUMBERS[code]

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] == ">":
            raise pickle.UnpicklingError("a number of another machine")


def _tensor(flat: Tensor, offset: int, size: tuple[int, ...], stride: Any, *_: object) -> Tensor:
    if math.prod(size) > flat.numel():  # strides of 0 make terabytes of nothing
        raise pickle.UnpicklingError("a tensor of more than it stores")
    return flat.as_strided(size, stride, offset)  # it checks that this lies within


class _Reader(pickle.Unpickler):
    """An unpickler of ten names, for one file."""

    def __init__(self, path: Path, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._path, self._left = path, len(data)
        scalar = _Function(lambda kind, data: struct.unpack(f"<{kind.code}", data)[0])
        self._known: dict[tuple[str, str], object] = {
            ("collections", "OrderedDict"): _Table,
            ("dnnlib.util", "EasyDict"): _Table,
            ("builtins", "set"): _Function(lambda *_: set()),  # nobody looks at one
            ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Function(_Network),
            ("torch._utils", "_rebuild_parameter"): _Function(lambda tensor, *_: tensor),
            ("torch._utils", "_rebuild_tensor_v2"): _Function(_tensor),
            ("torch.storage", "_load_from_bytes"): _Function(self._storage),
            ("numpy", "dtype"): _Function(_Kind),
            ("numpy.core.multiarray", "scalar"): scalar,
            ("numpy._core.multiarray", "scalar"): scalar,
        }

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name, or a refusal."""
        if module.startswith("dnnlib.tflib"):
            raise WeightsError(
                f"{self._path}: of NVIDIA's TensorFlow code, which limner does not read; "
                "legacy.py of stylegan2-ada-pytorch makes a .pkl of StyleGAN2 that it does"
            )
        if (known := self._known.get((module, name))) is None:
            raise _refusal(self._path, f"{module}.{name}")
        return known

    def _storage(self, data: bytes) -> Tensor:
        """The numbers of a tensor, which lie in the pickle as a file of torch's older format."""
        self._left -= len(data)
        if self._left < 0 or not data.startswith(_TORCH):  # the newer is a zip, which can swell
            raise pickle.UnpicklingError("a storage that is none, or is there twice")
        with warnings.catch_warnings():  # storages of a type are to go from torch
            warnings.simplefilter("ignore")
            stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            if not isinstance(stored, torch.storage.TypedStorage):
                raise pickle.UnpicklingError("a storage that is none")
            return torch.empty(0, dtype=stored.dtype).set_(cast(Any, stored).untyped())


def _refusal(path: Path, asked: str) -> WeightsError:
    return WeightsError(
        f"{path}: asks to run {printable(asked[:80])}; it was not opened, for no StyleGAN2 painter "
        "needs that; get the file from its maker"
    )


def _unpickled(path: Path) -> Any:
    data = path.read_bytes()
    for count, (operation, given, _) in enumerate(pickletools.genops(data)):
        # a slot far beyond what was stored so far is made with all before it: gigabytes of them
        far = "PUT" in operation.name and given is not None and int(given) > count
        if far or count > _OPERATIONS:
            raise pickle.UnpicklingError("a pickle made to fill the memory")
    return _Reader(path, data).load()


def _nvidia(path: Path) -> Generator:
    data = _unpickled(path)
    network = data.get("G_ema") if isinstance(data, dict) else data
    if not isinstance(network, _Network):
        raise WeightsError(f"{path}: has no network G_ema; give a snapshot of NVIDIA's training")
    if network.name != "Generator":
        name = printable(network.name[:80])
        raise WeightsError(f"{path}: its G_ema is a {name}, not StyleGAN2's Generator")
    tensors, settings = _flat(network)
    if any(key.startswith("synthesis.input.") for key in (*tensors, *settings)):
        raise WeightsError(f"{path}: of StyleGAN3, which limner does not have; give StyleGAN2's")
    if settings.get("c_dim") or "mapping.embed.weight" in tensors:
        raise WeightsError(f"{path}: paints by labels, which limner does not; give one without")
    if "synthesis.b4.const" not in tensors:
        raise WeightsError(f"{path}: its G_ema has no synthesis.b4.const, so it is no StyleGAN2")

    def told(pattern: str) -> list[Any]:
        return list({value for key, value in settings.items() if re.search(pattern, key)})

    for what, usual in ((r"(fc\d+|conv\d)\.activation", "lrelu"), (r"mapping.*\.bias_gain", 0.01)):
        if odd := [value for value in told(what + "$") if value != usual]:
            name, value = what.rpartition(".")[2], printable(str(odd[0])[:80])
            raise WeightsError(f"{path}: its {name} is {value}; only {usual} can be used")
    clamps = told(r"(conv\d|torgb)\.conv_clamp$")
    if len(clamps) > 1:
        raise WeightsError(f"{path}: has more than one conv_clamp; only one can be used")
    clamp = None if clamps in ([], [None]) else float(clamps[0])
    kind: Architecture = "resnet" if "synthesis.b8.skip.weight" in tensors else "skip"
    return _made(path, tensors, _NVIDIA, kind, clamp)


def _flat(network: _Network) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All tensors of a network and its settings, by dotted names."""
    tensors: dict[str, Tensor] = {}
    settings: dict[str, Any] = {}
    waiting, left = [("", network)], _PARTS
    while waiting:
        prefix, one = waiting.pop()
        parts = (one.state.get(part, {}) for part in ("_modules", "_parameters", "_buffers"))
        inner, *tables = *parts, one.state
        left -= 1 + len(inner) + sum(map(len, tables))
        if left < 0 or len(prefix) > 1000:  # modules may hold each other, or themselves
            raise pickle.UnpicklingError("a network without end")
        for key, value in chain.from_iterable(table.items() for table in tables):
            if isinstance(value, Tensor):
                tensors[f"{prefix}{key}"] = value
            elif value is None or isinstance(value, int | float | str):
                settings[f"{prefix}{key}"] = value
        for key, module in inner.items():
            if isinstance(module, _Network):
                waiting.append((f"{prefix}{key}.", module))
    return tensors, settings


def _rosinality(path: Path) -> Generator:
    # what the training was called with lies in it too; nobody looks at that
    with torch.serialization.safe_globals([(_Table, "argparse.Namespace")]):
        data = torch.load(path, map_location="cpu", weights_only=True)
    state = data.get("g_ema", data) if isinstance(data, dict) else {}
    tensors = {k: v for k, v in state.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if "input.input" not in tensors:
        raise WeightsError(f"{path}: has no g_ema with input.input; give rosinality's, or a .pkl")
    latent = tensors["style.1.weight"].shape[1]
    mean = data.get("latent_avg")
    known = isinstance(mean, Tensor) and mean.numel() == latent
    tensors["latent_avg"] = mean if known else torch.zeros(latent)
    generator = _made(path, tensors, _ROSINALITY, "skip", None)
    if not known:  # as its generate.py does, but from numbers that are always the same
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            styles = generator.map(torch.randn((_DRAWN, latent), generator=random))
        generator.mean.copy_(styles.mean(0))
    return generator


def _made(
    path: Path, theirs: dict[str, Tensor], rules: _Rules, kind: Architecture, clamp: float | None
) -> Generator:
    """Build what tensors of theirs fit, and fill it."""

    def name(key: str) -> str:
        for pattern, new in rules:
            key = re.sub(pattern, new, key)
        return key

    colours, height, width = theirs[name("constant")].shape[-3:]
    channels = [colours]
    while (key := name(f"rooms.{len(channels) - 1}.second.bias")) in theirs:
        channels.append(len(theirs[key]))
    doublings, depth, most = len(channels) - 1, 0, max(channels)
    while name(f"mapping.{depth}.weight") in theirs:
        depth += 1
    if min(height, width) != 4:
        raise WeightsError(f"{path}: begins at {height}×{width} pixels; its short side must be 4")
    base = max((4 << level) * count for level, count in enumerate(channels))  # or a little more
    size = height << doublings, width << doublings
    if widths(size, base, most) != channels:
        raise WeightsError(f"{path}: has {channels} channels, which no StyleGAN2 has; not usable")
    latent = len(theirs[name("mean")])
    with torch.device("meta"):  # shapes alone: sizes are not to be trusted yet
        generator = Generator(
            size, latent=latent, depth=depth, base=base, most=most, architecture=kind, clamp=clamp
        )
    state = {}
    for ours, wanted in generator.state_dict().items():
        if (found := theirs.pop(name(ours), None)) is None:
            raise WeightsError(f"{path}: no StyleGAN2 painter of limner's: {name(ours)} is missing")
        if [n for n in found.shape if n > 1] != [n for n in wanted.shape if n > 1]:
            shape = tuple(found.shape)
            raise WeightsError(f"{path}: {name(ours)} is {shape}, not {tuple(wanted.shape)}")
        # rosinality's have 1s in front; a copy, lest one view keep all of a file
        state[ours] = found.reshape(wanted.shape).to(torch.float32, copy=True).contiguous()
    for key, tensor in theirs.items():
        kernel = tensor.float() / tensor.float().sum() if key.endswith(_FILTERS) else None
        if kernel is None or kernel.shape != _FIR.shape or not torch.allclose(kernel, _FIR):
            raise WeightsError(f"{path}: {printable(key[:60])} is not as in StyleGAN2; not usable")
    generator.load_state_dict(state, assign=True)
    return generator.requires_grad_(False).eval()
