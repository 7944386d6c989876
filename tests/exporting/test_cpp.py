"""The C++ programs of ``examples/cpp``: built with OpenCV, and compared with limner."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import limner
from limner.exporting.export import export

pytestmark = pytest.mark.cpp
ROOT = Path(__file__).parents[2]
SIZE = (600, 400)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    build = tmp_path_factory.mktemp("build")
    subprocess.run(["cmake", "-S", ROOT / "examples/cpp", "-B", build], check=True)
    made = subprocess.run(
        ["cmake", "--build", build], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert b"warning" not in made.stdout
    return build


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    with Image.open(ROOT / "examples/photo.jpg") as whole:
        whole.convert("RGB").resize(SIZE).save(path)
    return path


def run(program: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    words = [str(argument) for argument in (program, *arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def difference(path: Path, wanted: Image.Image) -> float:
    """Return how far a picture is from limner's, on average, of 255."""
    with Image.open(path) as made:
        assert made.size == wanted.size
        pair = [np.asarray(one.convert("RGB")).astype(int) for one in (made, wanted)]
    return float(np.abs(pair[0] - pair[1]).mean())


def test_tiles_are_enlarged_as_by_limner(programs: Path, photo: Path, tmp_path: Path) -> None:
    network = tmp_path / "upscaler.onnx"
    export("upscaler-fast-x4", output=network, size="256x256")
    result = tmp_path / "large.png"
    assert run(programs / "upscale", network, photo, result).returncode == 0
    wanted = limner.upscale(photo, quality="fast", detail=0, color_lock=False)
    assert difference(result, wanted) < 0.01
    small = tmp_path / "small.png"
    with Image.open(photo) as whole:
        whole.crop((0, 0, 100, 300)).save(small)
    assert run(programs / "upscale", network, small, result, 256, 10).returncode == 0
    wanted = limner.upscale(small, quality="fast", detail=0, color_lock=False)
    assert difference(result, wanted) < 0.2  # beyond its right border are repeated columns


@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_pictures_are_beautified_as_by_limner(
    programs: Path, photo: Path, tmp_path: Path, strength: float
) -> None:
    network = tmp_path / "beautifier.onnx"
    export("beautifier", output=network, size="600x400")
    result = tmp_path / "better.png"
    assert run(programs / "beautify", network, photo, result, strength).returncode == 0
    wanted = limner.beautify(photo, strength=strength)
    assert difference(result, wanted) < 0.5  # limner dithers
    with Image.open(photo) as before:
        assert difference(result, before) > 2


def test_mistakes_are_told_in_a_line(programs: Path, photo: Path, tmp_path: Path) -> None:
    network, result = tmp_path / "upscaler.onnx", tmp_path / "large.png"
    export("upscaler-fast-x4", output=network, size="64x64")
    for program in ("upscale", "beautify"):
        usage = run(programs / program)
        assert usage.returncode == 2 and usage.stderr.startswith(f"usage: {program} NETWORK.onnx")
    for arguments, message in (
        ((network, photo, result), "upscaler.onnx: cannot be read, or is for another size; export"),
        ((network, photo, result, 64, 32), "SIZE must be a number above 0, and more than twice MA"),
        ((network, photo, result, 64, "few"), "SIZE must be a number above 0, and more than twice"),
        ((network, tmp_path / "no.png", result, 64, 16), "no.png: cannot be read; name a JPEG"),
        ((network, photo, tmp_path / "no/x.png", 64, 16), "x.png: cannot be written; use a folder"),
        (
            (network, photo, tmp_path / "x.xyz", 64, 16),
            "x.xyz: is no format that OpenCV writes; us",
        ),
    ):
        failed = run(programs / "upscale", *arguments)
        assert failed.returncode and message in failed.stderr and failed.stderr.count("\n") == 1
    failed = run(programs / "beautify", network, photo, result, "much")
    assert failed.returncode == 2 and failed.stderr.startswith("STRENGTH must be from 0 to 2")
    failed = run(programs / "beautify", network, photo, result)
    assert failed.returncode == 1 and failed.stderr.count("\n") == 1
    assert not result.exists()
