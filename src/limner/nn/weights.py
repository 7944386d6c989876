"""Shipped and user weights: find, check, load, save.

A weights file is safetensors; its metadata holds, as text, what it is and how to use it: ``kind``,
``licence``, ``recipe``, ``version`` and whatever its network needs to be built. ``.pth`` files of
others are read with ``weights_only=True``. Nothing else is ever unpickled.
"""

import hashlib
import json
import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from limner._version import __version__
from limner.errors import OutputError, WeightsError
from limner.io.atomic import whole_file

SHIPPED = Path(__file__).parent.parent / "shipped"
SUFFIXES = (".safetensors", ".pth", ".pt")
WRAPPERS = ("params_ema", "params", "state_dict")  # what training codes put a state dict into

# What safetensors and torch raise on files that are cut off, or are something else.
_DAMAGED = (SafetensorError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError)


def sha256(path: Path) -> str:
    """Return the hash of a weights file, in hexadecimal, as recipes name it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a weights file, in float32 where they are floating point.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file, or a ``.pth``/``.pt`` one that holds nothing but tensors.

    Raises
    ------
    WeightsError
        The file is missing, damaged, or would run code when unpickled.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - raises nothing, however odd the name
        raise WeightsError(f"{path}: no such weights file; `limner models` lists those that ship")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        else:
            with warnings.catch_warnings():  # that it is an old or plain pickle, we say ourselves
                warnings.simplefilter("ignore")
                state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: holds more than tensors and could run code, so it was not opened; "
            "ask its maker for safetensors"
        ) from error
    except (OSError, *_DAMAGED) as error:
        raise WeightsError(f"{path}: damaged, or no weights file; get it again") from error
    if isinstance(state, dict):
        state = next((state[w] for w in WRAPPERS if isinstance(state.get(w), dict)), state)
    plain = isinstance(state, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    )
    if not plain:
        raise WeightsError(f"{path}: is no plain table of tensors; save the state_dict alone")
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def describe(path: Path) -> dict[str, str]:
    """Read what a safetensors file says of itself: its metadata, empty where it has none.

    Raises
    ------
    WeightsError
        The file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: missing, damaged, or no safetensors file; get it again"
        ) from error


def fetch(url: str) -> dict[str, Tensor]:
    """Read a file of torch's cache; fetched on first use, and then checked against its name's hash.

    Nothing is fetched where the environment has ``LIMNER_OFFLINE``, as in the studio.

    Raises
    ------
    WeightsError
        It is neither in the cache nor to be had.
    """
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    try:
        if os.environ.get("LIMNER_OFFLINE") and not cached.exists():
            raise FileNotFoundError(cached)
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, progress=False, weights_only=True
        )
    except (URLError, OSError, *_DAMAGED) as error:
        why = "damaged" if cached.exists() else "not in torch's cache and not to be fetched"
        raise WeightsError(
            f"{cached.name}: {why}; put it into {cached.parent}, give its path, or leave out "
            "--preset and --features: what they then are ships with limner"
        ) from error
    return state


def fill(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Put the tensors into the network, or say which do not fit.

    Raises
    ------
    WeightsError
        A tensor is missing or has another shape.
    """
    expected = network.state_dict()
    for key, tensor in expected.items():
        if key not in state:
            raise WeightsError(f"{name}: not weights of this network: {key} is missing")
        if state[key].shape != tensor.shape:
            found, wanted = tuple(state[key].shape), tuple(tensor.shape)
            raise WeightsError(
                f"{name}: not weights of this network: {key} is {found}, not {wanted}"
            )
    network.load_state_dict({key: state[key] for key in expected})


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring tensors to half precision; counts stay what they are."""
    return {key: t.half() if t.is_floating_point() else t for key, t in state.items()}


def write(path: Path, state: Mapping[str, Tensor], about: Mapping[str, object]) -> None:
    """Write a weights file, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``. An existing file is replaced.
    state : mapping of str to Tensor
        The tensors, in the precision wanted on disk.
    about : mapping
        What the file is and how to use it; each value becomes text, in JSON unless it is text.

    Raises
    ------
    OutputError
        There is no room, or no leave to write.
    """
    described = {"version": __version__} | dict(about)
    metadata = {k: v if isinstance(v, str) else json.dumps(v) for k, v in described.items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    try:
        with whole_file(path) as file:
            file.write(_ordered(save(tensors, metadata)))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); make room") from error


def _ordered(file: bytes) -> bytes:
    """Put the header of a safetensors file in order, so that the same weights are the same bytes.

    The library writes the metadata in an order that differs from process to process.
    """
    end = 8 + int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the tensors stay aligned
    return len(header).to_bytes(8, "little") + header + file[end:]
