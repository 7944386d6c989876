"""`onnx_model`: networks that ONNX Runtime computes instead of torch."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import limner
from blobs import blobs
from limner.batch.replay import replay
from limner.errors import OptionError, WeightsError
from limner.io import recipe_of
from limner.nn import onnx_model


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 3, padding=1)

    def see(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(x) + y, 2 * y

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.zeros(int(x.sum()))  # cannot be converted


@torch.no_grad()
def test_a_method_is_computed_by_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Two().eval().requires_grad_(False)
    x, y = torch.rand(1, 3, 9, 7), torch.rand(1, 1, 1, 1)
    before = network.see(x, y)
    other = torch.rand(1, 3, 5, 12)
    wanted = network.see(other, y)
    onnx_model.use_onnx_runtime(network, "see", [x, y], {"x0": {2: "height", 3: "width"}})
    monkeypatch.setattr(network.layer, "forward", lambda _: 1 / 0)  # torch is not used any more
    for pair in zip((*network.see(x, y), *network.see(other, y)), (*before, *wanted), strict=True):
        torch.testing.assert_close(*pair)


def test_a_network_that_cannot_be_converted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WeightsError, match=r"^the network cannot be converted to ONNX \(\w+\); tr"):
        onnx_model.convert(Two().eval(), {"x": torch.ones(1, 3, 4, 4)}, ["y"], {})
    assert capsys.readouterr().out == ""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    blobs(1, 90, 8).save(path)
    return path


@pytest.fixture
def sketch(tmp_path: Path) -> Path:
    pixels = np.full((160, 200), 255, np.uint8)
    pixels[20:140, [30, 31, 120, 121]] = pixels[[20, 21, 138, 139], 30:122] = 0
    Image.fromarray(pixels).save(tmp_path / "sketch.png")
    return tmp_path / "sketch.png"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "options"),
    [
        (limner.upscale, {"quality": "fast", "scale": 2, "clean": 0.5}),
        (limner.beautify, {}),
        (limner.colorize, {}),
    ],
)
def test_verbs_make_the_same_pictures(
    verb: Callable[..., Image.Image],
    options: dict[str, Any],
    photo: Path,
    sketch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = sketch if verb is limner.colorize else photo
    wanted = verb(path, **options)
    calls, start, state = [], onnx_model._session, torch.get_rng_state()

    def counting(model: bytes) -> Callable[..., Any]:
        run = start(model)
        return lambda given: calls.append(given) or run(given)

    monkeypatch.setattr(onnx_model, "_session", counting)
    made = verb(path, runtime="onnxruntime", **options)
    assert len(calls) == (2 if verb is limner.upscale else 1)  # with the cleaner
    assert torch.equal(torch.get_rng_state(), state)
    difference = np.abs(np.asarray(made).astype(int) - np.asarray(wanted))
    assert difference.max() <= 1 and difference.mean() < 0.01
    made_path = path.with_name("made.png")
    limner.write(made, made_path)
    recipe = recipe_of(made_path)
    assert recipe["options"]["runtime"] == "onnxruntime"  # type: ignore[index]
    assert np.array_equal(np.asarray(replay(made_path)), np.asarray(made))


def test_wrong_options(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=r"^--runtime tensorflow: must be one of torch, onnxrun"):
        limner.upscale(photo, runtime="tensorflow")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"^--runtime onnxruntime: computes on the CPU, not on c"):
        limner.upscale(photo, runtime="onnxruntime", device="cuda")
    with pytest.raises(OptionError, match=r"^--runtime onnxruntime: has no effect with --method p"):
        limner.beautify(photo, runtime="onnxruntime", method="progress")
    monkeypatch.setattr(onnx_model, "find_spec", lambda _: None)
    with pytest.raises(OptionError, match=r"needs onnx and onnxruntime; pip install \"limner\[ex"):
        limner.colorize(photo, runtime="onnxruntime")


def test_onnx_runtime_keeps_no_identifier_and_sends_nothing(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    code = "from limner.nn.onnx_model import onnx_runtime; onnx_runtime()"
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_onnx_runtime_is_imported_in_one_place() -> None:
    package = Path(limner.__file__).parent
    sources = {path.name: path.read_text() for path in package.rglob("*.py")}
    importing = [name for name, text in sources.items() if "import onnxruntime" in text]
    assert importing == []
