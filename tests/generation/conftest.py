"""Small pictures that the tests of this package share."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from small_training import ARTICLE, AUTO, Run, learn, small_networks
from stylegan2_files import nvidia_writer

from limner.cli import main
from limner.generation.gan import latent_space
from limner.progress import Progress
from small_painters import write_painter

COUNT = 15


def painted(seed: int, width: int, height: int) -> Image.Image:
    random = np.random.default_rng(seed)
    colors = [tuple(color) for color in random.integers(0, 256, (5, 3)).tolist()]
    picture = Image.new("RGB", (width, height), colors[0])
    pen = ImageDraw.Draw(picture)
    for color in colors[1:]:
        x, y = random.integers(0, (width - 12, height - 12)).tolist()
        pen.ellipse((x, y, x + width // 3, y + height // 3), fill=color)
    return picture


@pytest.fixture(scope="session")
def paint() -> Callable[[int, int, int], Image.Image]:
    """Draw random discs on a plain background."""
    return painted


@pytest.fixture(scope="session")
def held_out() -> Callable[[list[str]], list[str]]:
    """Choose the fifth of some names with the smallest SHA-256."""

    def choose(names: list[str]) -> list[str]:
        ranked = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        return sorted(ranked[: round(len(names) / 5)])

    return choose


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen pictures of mixed sizes, some in a folder in the folder."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "more").mkdir()
    random = np.random.default_rng(0)
    for number in range(COUNT):
        width, height = random.integers(50, 110, 2).tolist()
        place = folder / "more" if number > 11 else folder
        painted(number, width, height).save(place / f"{number:02d}.png")
    return folder


@pytest.fixture
def nvidia(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Write a StyleGAN2 file of NVIDIA's code."""
    return nvidia_writer(monkeypatch, tmp_path)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights file of a small StyleGAN2 with random weights."""
    return write_painter(tmp_path_factory.mktemp("run") / "model.safetensors")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make projections short."""
    monkeypatch.setattr(latent_space, "STARTS", 3)
    monkeypatch.setattr(latent_space, "STEPS", 4)


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line; return its exit code, stdout and stderr."""

    def run(line: str, *more: str) -> tuple[int, str, str]:
        code = main.main([*line.split(), *more])
        out, err = capsys.readouterr()
        assert "Traceback" not in err and "a bug in limner" not in err
        return code, out, err

    return run


@pytest.fixture(scope="session")
def auto_run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the preset `auto`: its folder, scores and progress."""
    run, told = tmp_path_factory.mktemp("runs") / "auto", list[Progress]()
    with small_networks():
        return run, learn(run, pictures, **AUTO, on_step=told.append), told


@pytest.fixture(scope="session")
def article_run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the preset `relativistic`, with batch normalization and adaptive augmentation."""
    run, told = tmp_path_factory.mktemp("runs") / "article", list[Progress]()
    with small_networks():
        return run, learn(run, pictures, **ARTICLE, on_step=told.append), told
