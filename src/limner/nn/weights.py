"""Weights files: find, check, load, save.

A weights file is safetensors. Its metadata says, as text, what the weights are and how to use them:
``kind``, ``license``, ``recipe``, ``version``, and what is needed to build the network. ``.pth``
files are read with ``weights_only=True``. Nothing else is unpickled.
"""

import hashlib
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

from limner._version import __version__
from limner.errors import (
    OutputError,
    WeightsError,
    cannot_be_written,
    check_no_address,
    not_a_folder,
    reason,
)
from limner.io import foreign
from limner.io.atomic import whole_file

SHIPPED = Path(__file__).parent.parent / "shipped"
SUFFIXES = (".safetensors", ".pth", ".pt")
# Keys under which training code stores a state dict.
WRAPPERS = ("params_ema", "params", "state_dict")

# What safetensors and torch raise on files that are cut off or of another kind.
_DAMAGED = (SafetensorError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError)
_PICKLED = (b"PK", b"\x80")  # how files of torch begin: a zip archive, or a pickle
_MOST = 4  # bytes of tensors for each byte of the file: a tensor can repeat one number
_RENAMED = {"licence": "license"}  # metadata keys of files written before 0.2


_INSTEAD = {
    "web page": "download the file itself",
    "Git LFS pointer": "get them with git lfs pull",
}


def _kind_of_text(begin: bytes) -> str | None:
    """Say what a text file that begins so is, and the remedy; None if it is no text."""
    if kind := foreign.kind_of_text(begin):
        return f"a {kind}, not weights; {_INSTEAD[kind]}"
    if begin.strip() and all(byte >= 32 or byte in b"\t\n\r\f" for byte in begin):
        return "a text file, not weights; download them again"
    return None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a weights file, in hexadecimal, as in recipes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a weights file; floating-point tensors become float32.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file, or a ``.pth``/``.pt`` file that holds nothing but tensors.

    Raises
    ------
    WeightsError
        The file is missing, damaged, or would run code when unpickled.
    """
    begin = begin_of(path)
    try:
        if path.suffix == ".safetensors":
            # not `safe_open`: each tensor that it gives leaves 100 bytes behind
            state: Any = load(path.read_bytes())
        elif not begin.startswith(_PICKLED) or _unpacks_to_more(path):
            raise ValueError("not a pickle, or a compressed one")
        else:
            with warnings.catch_warnings():  # about old pickles: we have our own message
                warnings.simplefilter("ignore")
                state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: holds more than tensors and could run code, so limner does not open it; "
            "check that it is a weights file, or use a .safetensors file"
        ) from error
    except (WeightsError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise WeightsError(
            f"{path}: is damaged, or not a weights file; download or copy it again"
        ) from error
    if isinstance(state, dict):
        state = next((state[w] for w in WRAPPERS if isinstance(state.get(w), dict)), state)
    plain = isinstance(state, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    )
    if not plain or not are_stored(state.values(), path):
        raise WeightsError(f"{path}: is not a plain state_dict; save the state_dict alone")
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def begin_of(path: Path, *, may_be_text: bool = False) -> bytes:
    """Return the first bytes of a weights file. Old pickles may be text.

    Raises
    ------
    WeightsError
        There is no such file, it cannot be read, or it is a text.
    """
    check_no_address(path)
    if os.path.isdir(path):  # noqa: PTH112 - never raises, however odd the name
        raise WeightsError(f"{path}: is a folder; name a weights file")
    if not os.path.isfile(path):  # noqa: PTH113
        raise WeightsError(
            f"{path}: there is no such weights file{not_a_folder(path)}; check its name and folder"
        )
    try:
        with path.open("rb") as file:
            begin = file.read(1024)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({reason(error)})") from error
    kind = _kind_of_text(begin)
    if kind and not (may_be_text and kind.startswith("a text file")):
        raise WeightsError(f"{path}: is {kind}")
    return begin


def _unpacks_to_more(path: Path) -> bool:
    """Whether a zip archive is compressed, as torch never writes it: it could fill the memory."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return sum(part.file_size for part in archive.infolist()) > path.stat().st_size


def are_stored(tensors: Collection[Tensor], path: Path) -> bool:
    """Whether tensors read from a file have their numbers in it, as they are, and about once."""
    return (
        all(t.layout is torch.strided and t.is_cpu and not t.is_quantized for t in tensors)
        and sum(t.nbytes for t in tensors) <= _MOST * path.stat().st_size
    )


def describe(path: Path) -> dict[str, str]:
    """Read the metadata of a safetensors file; empty if there is none.

    Raises
    ------
    WeightsError
        The file is missing or damaged.
    """
    begin_of(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: is damaged, or not a safetensors file; download or copy it again"
        ) from error
    return {_RENAMED.get(key, key): value for key, value in metadata.items()}


def read_described(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the metadata of a weights file. A ``.pth`` file has no metadata.

    Raises
    ------
    WeightsError
        As for `read` and `describe`.
    """
    return read(path), describe(path) if path.suffix == ".safetensors" else {}


def fetch(url: str) -> dict[str, Tensor]:
    """Read a file from torch's cache, downloading it on first use; its hash is checked.

    Nothing is downloaded if the environment variable ``LIMNER_OFFLINE`` is set, as in the studio.

    Raises
    ------
    WeightsError
        It is not in the cache and cannot be downloaded.
    """
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    try:
        if os.environ.get("LIMNER_OFFLINE") and not cached.exists():
            raise FileNotFoundError(cached)
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, progress=False, weights_only=True
        )
    except (URLError, OSError, *_DAMAGED) as error:
        why = "is damaged" if cached.exists() else "is not in torch's cache and was not downloaded"
        raise WeightsError(
            f"{cached.name}: {why}; put it into {cached.parent}, give its path with --features, or "
            "use the default preset, which needs no download"
        ) from error
    return state


def fill(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load tensors into a network, or say which of them does not fit.

    Raises
    ------
    WeightsError
        A tensor is missing or has another shape.
    """
    expected = network.state_dict()
    for key, tensor in expected.items():
        if key not in state:
            raise WeightsError(
                f"{name}: is for another network ({key} is missing); give weights made for this one"
            )
        if state[key].shape != tensor.shape:
            found, needed = tuple(state[key].shape), tuple(tensor.shape)
            raise WeightsError(
                f"{name}: is for another network ({key} is {found}, not {needed}); give weights "
                "made for this one"
            )
    network.load_state_dict({key: state[key] for key in expected})


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert floating-point tensors to half precision; integers stay as they are."""
    return {key: t.half() if t.is_floating_point() else t for key, t in state.items()}


def write(path: Path, state: Mapping[str, Tensor], about: Mapping[str, object]) -> None:
    """Write a weights file, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``. An existing file is replaced.
    state : mapping of str to Tensor
        The tensors, in the precision to store.
    about : mapping
        The metadata: what the weights are and how to use them. Values other than text become
        JSON.

    Raises
    ------
    OutputError
        The disk is full, or the folder is read-only.
    """
    described = {"version": __version__} | dict(about)
    metadata = {k: v if isinstance(v, str) else json.dumps(v) for k, v in described.items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    try:
        with whole_file(path) as file:
            file.write(_ordered(save(tensors, metadata)))
    except OSError as error:
        raise OutputError(f"{path}: {cannot_be_written(path, error)}") from error


def _ordered(file: bytes) -> bytes:
    """Sort the header of a safetensors file, so that the same weights give the same bytes.

    The library writes the metadata in an order that differs between processes.
    """
    end = 8 + int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the tensors stay aligned
    return len(header).to_bytes(8, "little") + header + file[end:]
