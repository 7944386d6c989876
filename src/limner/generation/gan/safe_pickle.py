"""Read the pickles of NVIDIA's StyleGAN2 code without running what they contain.

A pickle is a program. This reader knows ten names, and replaces each by code of ours that makes
tables, numbers or tensors. It refuses all other names, and ignores the code in the files.
"""

import io
import math
import pickle
import pickletools
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from limner.errors import WeightsError, printable

TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # first bytes of torch's old format
_MAX_OPERATIONS = 10**6  # of a pickle: the largest of NVIDIA's have some ten thousand
_STRUCT_CODES = {"f8": "d", "f4": "f", "i8": "q", "i4": "i", "u1": "B", "b1": "?"}


class Table(dict[Any, Any]):
    """Replaces OrderedDict, EasyDict and argparse.Namespace. Attributes are dropped."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()  # no arguments: many copies of a large table would fill the memory

    def __setstate__(self, state: object) -> None:
        """Drop the attributes."""


class Network:
    """Replaces a network: the name of its class, and its attributes."""

    __slots__ = ("name", "state")

    def __init__(self, meta: dict[str, Any]) -> None:
        self.name, self.state = str(meta["class_name"]), meta["state"]

    def __setstate__(self, state: object) -> None:
        """Refuse: a network has its state already."""
        raise pickle.UnpicklingError("a network takes no further state")


class _Function:
    """Replaces a function. It can only be called: it has no attributes that could be changed."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a function has no state")


class _DType:
    """Replaces numpy.dtype."""

    __slots__ = ("code",)

    def __init__(self, code: str, *_: object) -> None:
        self.code = _STRUCT_CODES[code]

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] == ">":
            raise pickle.UnpicklingError("a big-endian number")


def _rebuild_tensor(
    storage: Tensor, offset: int, size: tuple[int, ...], stride: Any, *_: object
) -> Tensor:
    if math.prod(size) > storage.numel():  # a stride of 0 would make terabytes of nothing
        raise pickle.UnpicklingError("a tensor of more than it stores")
    return storage.as_strided(size, stride, offset)  # checks that this lies within the storage


class _Unpickler(pickle.Unpickler):
    """An unpickler of ten names, for one file."""

    def __init__(self, path: Path, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._path, self._bytes_left = path, len(data)
        scalar = _Function(lambda dtype, data: struct.unpack(f"<{dtype.code}", data)[0])
        self._known: dict[tuple[str, str], object] = {
            ("collections", "OrderedDict"): Table,
            ("dnnlib.util", "EasyDict"): Table,
            ("builtins", "set"): _Function(lambda *_: set()),  # not used
            ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Function(Network),
            ("torch._utils", "_rebuild_parameter"): _Function(lambda tensor, *_: tensor),
            ("torch._utils", "_rebuild_tensor_v2"): _Function(_rebuild_tensor),
            ("torch.storage", "_load_from_bytes"): _Function(self._load_storage),
            ("numpy", "dtype"): _Function(_DType),
            ("numpy.core.multiarray", "scalar"): scalar,
            ("numpy._core.multiarray", "scalar"): scalar,
        }

    def find_class(self, module: str, name: str) -> Any:
        """Return the replacement of a name, or refuse it."""
        if module.startswith("dnnlib.tflib"):
            raise WeightsError(
                f"{self._path}: is from NVIDIA's TensorFlow code, which limner cannot read; "
                "convert it with legacy.py of stylegan2-ada-pytorch first"
            )
        if (known := self._known.get((module, name))) is None:
            raise refusal(self._path, f"{module}.{name}")
        return known

    def _load_storage(self, data: bytes) -> Tensor:
        """Load the numbers of a tensor: a file of torch's old format within the pickle."""
        self._bytes_left -= len(data)
        # torch's new format is a zip file, which can unpack to any size
        if self._bytes_left < 0 or not data.startswith(TORCH_MAGIC):
            raise pickle.UnpicklingError("a storage of another format, or one that is there twice")
        with warnings.catch_warnings():  # typed storages are deprecated
            warnings.simplefilter("ignore")
            stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            if not isinstance(stored, torch.storage.TypedStorage):
                raise pickle.UnpicklingError("not a storage")
            return torch.empty(0, dtype=stored.dtype).set_(cast(Any, stored).untyped())


def refusal(path: Path, name: str) -> WeightsError:
    """Make the error for a file that asks to run something."""
    return WeightsError(
        f"{path}: asks to run {printable(name[:80])}, which no StyleGAN2 file needs, so limner did "
        "not open it; download it from its author again"
    )


def load(path: Path) -> Any:
    """Read a pickle.

    Raises
    ------
    WeightsError
        It asks to run something.
    pickle.UnpicklingError
        It would fill the memory, or is damaged.
    Exception
        Nearly any other, if it is not a pickle.
    """
    data = path.read_bytes()
    for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
        # a memo slot far beyond those in use is allocated with all before it: gigabytes
        is_far = "PUT" in operation.name and argument is not None and int(argument) > count
        if is_far or count > _MAX_OPERATIONS:
            raise pickle.UnpicklingError("a pickle made to fill the memory")
    return _Unpickler(path, data).load()
