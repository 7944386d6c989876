"""`export`: networks as ONNX files, compared with limner's own, and described."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from blobs import blobs
from limner.beauty import beautifier
from limner.colorization import models as colorizers
from limner.colorization import proposal
from limner.colorization.network import Colorizer
from limner.errors import InputError, OptionError, OutputError, WeightsError
from limner.exporting import export as module
from limner.exporting.export import export
from limner.exporting.networks import find
from limner.nn import weights
from limner.upscaling.compact import Compact
from small_painters import write_painter

SIZES = [(40, 64), (57, 33)]


def run(path: Path, *given: torch.Tensor) -> list[np.ndarray]:
    """Compute a picture with ONNX Runtime alone."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    arrays = (one.numpy() for one in given)
    results: list[np.ndarray] = session.run(None, dict(zip(names, arrays, strict=True)))
    return results


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny upscaler of a user, with random weights."""
    torch.manual_seed(0)
    network = Compact(6, 1, 2)
    network.initialize()
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    weights.write(path, network.state_dict(), {"kind": "upscaler", "license": "CC0-1.0"})
    return path


def test_an_upscaler_takes_any_size_and_says_what_it_is(small: Path, tmp_path: Path) -> None:
    made = export(str(small), output=tmp_path / "net.onnx")
    assert made.difference < 1e-5
    network = find(str(small)).network
    for height, width in SIZES:
        picture = torch.rand(1, 3, height, width)
        (large,) = run(tmp_path / "net.onnx", picture)
        assert large.shape == (1, 3, 2 * height, 2 * width)
        assert np.abs(large - network(picture).numpy()).max() < 1e-5
    facts = {p.key: p.value for p in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert facts["license"] == "CC0-1.0" and facts["scale"] == "2" and facts["margin"] == "3"
    assert facts["sha256"] == weights.sha256(small)
    assert facts["inputs"] == "picture: float32 [1, 3, H, W], sRGB in 0..1"
    text = (tmp_path / "net.md").read_text()
    assert "| license | CC0-1.0 |" in text and "- large: float32 [1, 3, 2·H, 2·W]" in text
    assert facts["name"] == "mine.safetensors" and "| network | mine.safetensors |" in text
    assert str(small.parent) not in text
    assert str(small.parent).encode() not in (tmp_path / "net.onnx").read_bytes()
    assert "depends on 3 pixels around it" in text


def test_half_precision_and_a_fixed_size(small: Path, tmp_path: Path) -> None:
    whole = export(str(small), output=tmp_path / "whole.onnx", size="48x32")
    halved = export(str(small), output=tmp_path / "half.onnx", size="48x32", half=True)
    assert halved.megabytes < whole.megabytes and 0 < halved.difference < 1e-2
    model = onnx.load(tmp_path / "half.onnx")
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 3, 32, 48]
    kernels = {tensor.data_type for tensor in model.graph.initializer if tensor.dims[2:] == [3, 3]}
    assert kernels == {onnx.TensorProto.FLOAT16}
    with pytest.raises(Exception, match=r"(?i)invalid dim|got"):
        run(tmp_path / "half.onnx", torch.rand(1, 3, 40, 40))


def test_8_bits(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for seed in range(3):
        blobs(seed, 60, 8).save(pictures / f"{seed}.png")
    made = export(str(small), output=tmp_path / "net.onnx", int8=pictures)
    assert 35 < made.decibels < 80
    model = onnx.load(tmp_path / "net.onnx")
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}
    assert {p.key: p.value for p in model.metadata_props}["weights"] == "8 bits"
    monkeypatch.setattr(module, "_compare", lambda *_: (0.1, 34.0))
    with pytest.raises(
        OutputError, match=r"limner's \(34.0 dB\), and 35 dB is needed; leave out --i"
    ):
        export(str(small), output=tmp_path / "other.onnx", int8=pictures)
    assert not (tmp_path / "other.onnx").exists()
    with pytest.raises(InputError, match=r"^--int8 .*: is no folder with pictures; name one that"):
        export(str(small), output=tmp_path / "other.onnx", int8=tmp_path)
    with pytest.raises(
        OptionError, match=r"^--int8 and --half: cannot be used together; give only"
    ):
        export(str(small), output=tmp_path / "other.onnx", int8=pictures, half=True)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["dynamic", "90x70"])
def test_the_beautifier_takes_a_strength_and_a_white_balance(size: str, tmp_path: Path) -> None:
    export("beautifier", output=tmp_path / "net.onnx", size=size)
    improver = beautifier.load(weights.SHIPPED / "beautifier.safetensors").improver("relative")
    assert improver is not None
    # whole numbers, without the highest and lowest: limner keeps those from being clipped
    picture = (torch.rand(1, 3, 70, 90) * 0.4 * 255).round().clamp(1) / 255
    for strength, balance in ((0.0, 0.5), (1.5, 1.0), (1.0, 0.0)):
        scalars = (torch.full((1, 1, 1, 1), value) for value in (strength, balance))
        (better,) = run(tmp_path / "net.onnx", picture, *scalars)
        with torch.no_grad():
            wanted = improver.change(picture, strength, balance).rows(slice(None))
        assert np.abs(better - wanted.numpy()).max() < 2e-3
        assert (np.abs(better - picture.numpy()).max() < 0.01) == (strength == 0)


def test_files_of_a_fixed_size_have_operations_of_opencv(tmp_path: Path) -> None:
    export("beautifier", output=tmp_path / "net.onnx", size="64x64")
    model = onnx.load(tmp_path / "net.onnx")
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
    shapes = {
        one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim]
        for one in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    constants = {one.name: one for one in model.graph.initializer}
    found = {node.op_type for node in model.graph.node}
    assert not found & {"Clip", "Gather", "GatherElements", "Where", "Less", "CumSum", "TopK"}
    for node in model.graph.node:
        if node.op_type in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Pow"):
            results = [shapes[name] for name in node.input if name in shapes]
            assert all(shape == results[0] for shape in results), node.name
        if node.op_type in ("Min", "Max"):
            assert not set(node.input) & set(constants)
        if node.op_type == "Pow":
            assert node.input[1] in constants


def test_channels_are_sorted_for_phones(small: Path, tmp_path: Path) -> None:
    export(str(small), output=tmp_path / "net.onnx", size="48x32")
    (node,) = (
        n for n in onnx.load(tmp_path / "net.onnx").graph.node if n.op_type == "DepthToSpace"
    )
    assert {one.name: one.s for one in node.attribute}["mode"] == b"DCR"
    picture = torch.rand(1, 3, 32, 48)
    (large,) = run(tmp_path / "net.onnx", picture)
    assert np.abs(large - find(str(small)).network(picture).numpy()).max() < 1e-5


@pytest.mark.slow
def test_the_colorizer_takes_regions_and_hints(tmp_path: Path) -> None:
    made = export("colorizer", output=tmp_path / "net.onnx", size="128x64")
    assert made.difference < 1e-5
    ink = torch.zeros(1, 1, 64, 128)
    ink[..., 8:56, [40, 88]] = ink[..., [8, 55], 40:89] = 1
    regions = torch.ones(1, 1, 64, 128, dtype=torch.int64)
    regions[..., 8:56, 40:89] = 2
    hints = torch.zeros(2, 4)
    (plain,) = run(tmp_path / "net.onnx", ink, regions, hints)
    assert plain.shape == (2, 3) and plain[0].min() > 0.9  # the background is paper
    # hints are kept
    hints[1] = torch.tensor([0.2, 0.4, 0.6, 1.0])
    (hinted,) = run(tmp_path / "net.onnx", ink, regions, hints)
    np.testing.assert_allclose(hinted[1], [0.2, 0.4, 0.6], rtol=1e-6)
    # the same as limner's own proposal, which finds the regions itself
    network = colorizers.load(weights.SHIPPED / "colorizer.safetensors")
    assert isinstance(network, Colorizer)
    pixels = proposal.fill(network, ink)[0, :, [1, 30], [1, 60]].T
    np.testing.assert_allclose(plain, pixels, atol=1e-5)
    text = (tmp_path / "net.md").read_text()
    assert "- regions: int64 [1, 1, H, W], the region of each pixel, 1..T" in text


def test_features_have_a_result_for_each_layer(tmp_path: Path) -> None:
    export("compact-features", output=tmp_path / "net.onnx", size="64x32")
    results = run(tmp_path / "net.onnx", torch.rand(1, 3, 32, 64))
    assert [r.shape[1:] for r in results] == [
        (16, 32, 64), (32, 16, 32), (64, 8, 16), (128, 4, 8), (128, 2, 4),
    ]  # fmt: skip


@pytest.mark.parametrize("architecture", ["lightweight_gan", "dcgan", "stylegan2"])
def test_a_painter_takes_a_latent(architecture: str, tmp_path: Path) -> None:
    path = write_painter(tmp_path / "painter.safetensors", architecture, (16, 16))
    made = export(str(path), output=tmp_path / "net.onnx")
    assert made.difference < 1e-3
    size = find(str(path)).examples(None)[0][0].shape[1]
    latents = torch.randn(2, 1, size, generator=torch.Generator().manual_seed(0))

    def paint(latent: torch.Tensor, truncation: float) -> np.ndarray:
        (painting,) = run(tmp_path / "net.onnx", latent, torch.full((1, 1), float(truncation)))
        assert painting.shape == (1, 3, 16, 16)
        return painting

    assert np.array_equal(paint(latents[0], 1), paint(latents[0], 1))
    assert np.abs(paint(latents[0], 1) - paint(latents[1], 1)).max() > 1e-3
    assert np.abs(paint(latents[0], 0) - paint(latents[1], 0)).max() < 1e-5
    with pytest.raises(OptionError, match=r"^--size 64x64: has no effect with a painter; leave it"):
        export(str(path), output=tmp_path / "other.onnx", size="64x64")


def test_a_file_that_disagrees_is_not_written(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_compare", lambda *_: (0.002, 60.0))
    with pytest.raises(OutputError, match=r"is not written, since its results differ .* 2.0e-03"):
        export(str(small), output=tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []
    assert export(str(small), output=tmp_path / "net.onnx", half=True).difference == 0.002


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nonsense", {}, r"^nonsense: there is no such network to export; use beautifier, cleaner"),
        ("stylize", {}, r"^stylize: is a command that optimizes each picture or uses several net"),
        ("colorizer", {}, r"^colorizer: needs a fixed size; give one whose sides are multiples of"),
        ("colorizer", {"size": "100x64"}, r"^--size 100x64: sides must be multiples of 64"),
        ("cleaner", {"output": "net.txt"}, r"^--output net.txt: must end in .onnx"),
        ("cleaner", {"size": "9"}, r"^--size 9: must be a width and a height, such as 256x256"),
        ("cleaner", {"size": "9x64"}, r"^--size 9: must be from 16 to 4096"),
        ("cleaner", {"size": "64x9000"}, r"^--size 9000: must be from 16 to 4096"),
    ],
)
def test_wrong_options(
    name: str,
    options: dict[str, str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=message):
        export(name, **{"output": "net.onnx", **options})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    weights.write(Path("other.safetensors"), {"a": torch.ones(1)}, {"kind": "dream"})
    with pytest.raises(WeightsError, match=r"other.safetensors: holds a dream, which cannot be ex"):
        export("other.safetensors", output=Path("net.onnx"))
    with pytest.raises(OptionError, match=r"^--int8: is only for networks that take a picture; le"):
        export("colorizer", output=Path("net.onnx"), size="64x64", int8=tmp_path)
    with pytest.raises(WeightsError, match=r"none.pth: there is no such weights file"):
        export("none.pth", output=Path("net.onnx"))
    with pytest.raises(OutputError, match=r"the folder no is missing; make it first"):
        export("cleaner", output=Path("no/net.onnx"))
    Path("net.md").write_text("mine")
    with pytest.raises(OutputError, match=r"net.md: already exists"):
        export("cleaner", output=Path("net.onnx"))


def test_a_version_of_onnx_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx.defs, "onnx_opset_version", lambda: 15)
    with pytest.raises(OptionError, match=r"^export: the package onnx knows operations up to ops"):
        export("cleaner", output=tmp_path / "net.onnx")


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(OptionError, match=r'^export: needs onnxruntime; pip install "limner\[exp'):
        export("cleaner", output=tmp_path / "net.onnx")
