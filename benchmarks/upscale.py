"""Measure `upscale`: PSNR and SSIM, time and memory, seams between tiles, and color shifts.

    python benchmarks/upscale.py [--judge VGG] [SET …]

Each SET is a folder of pictures named ``…HR.png`` with their bicubic quarters ``…LR.png``: Set5,
Set14 or BSD100, of which the first 12 are used. PSNR and SSIM are of luma without a border of 4
pixels, as in papers. VGG is a VGG-19 of a quarter of its width (Wang et al. 2020), with keys like
``conv1_1.weight`` and ``preprocess.weight``. With it, the perceptual distance to the original is
printed, relative to bicubic's. The other measurements use the example photo. ONNX Runtime is timed
too if onnx and onnxruntime are installed.
"""

import math
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from child import measured
from limner import io
from limner.nn import images, weights
from limner.train.metrics import psnr, ssim
from limner.upscaling import models
from limner.upscaling.compact import Compact
from limner.upscaling.enlarge import DEFAULT_TILE, enlarge
from limner.upscaling.networks import DEFAULT_DETAIL, QUALITIES
from limner.upscaling.rrdb import RRDB
from limner.upscaling.tile_blending import TileBlender

EXAMPLES = Path(__file__).parents[1] / "examples"
PLAIN, ONNX = "plain torch, in one piece", "ONNX Runtime, in one piece"
FREE, LOCKED = "limner without color lock", "limner with color lock"


def network(quality: str, scale: int, variant: str = "") -> models.Upscaler:
    """Load a shipped network."""
    path = weights.SHIPPED / f"upscaler-{quality}-x{scale}{variant}.safetensors"
    return models.load(path, torch.device("cpu"))


def silent(done: int, tiles: int, note: str, picture: TileBlender | None) -> None:
    """Ignore the progress."""


def enlarged(
    net: models.Upscaler,
    photo: Tensor,
    *,
    lock: bool,
    tile: int = DEFAULT_TILE,
    depth: torch.dtype = torch.uint8,
) -> Tensor:
    """Enlarge a photo, without progress."""
    return enlarge(net, photo, color_lock=lock, tile=tile, on_tile=silent, depth=depth)


def features_of(judge: dict[str, Tensor], picture: Tensor) -> list[Tensor]:
    """Return the features of five blocks, each pixel of unit length."""
    x = F.conv2d(picture, judge["preprocess.weight"], judge["preprocess.bias"])
    found = []
    for block, depth in enumerate((2, 2, 4, 4, 1), 1):
        for index in range(1, depth + 1):
            key = f"conv{block}_{index}"
            x = F.pad(x, (1, 1, 1, 1), mode="reflect")
            x = F.relu(F.conv2d(x, judge[f"{key}.weight"], judge[f"{key}.bias"]))
            if index == min(2, depth):
                found.append(F.normalize(x, dim=1))
        x = F.max_pool2d(x, 2)
    return found


def distance(judge: dict[str, Tensor], made: Tensor, large: Tensor) -> float:
    """Return the mean squared distance of features, over five blocks: LPIPS without weights."""
    pairs = zip(features_of(judge, made), features_of(judge, large), strict=True)
    return sum((ours - theirs).square().sum(1).mean().item() for ours, theirs in pairs)


@torch.no_grad()
def scores(folder: Path, judge: dict[str, Tensor] | None) -> None:
    """Print PSNR, SSIM and perceptual distance over a test set."""
    networks: dict[str, models.Upscaler] = {}
    for quality in QUALITIES:
        for detail in (0, DEFAULT_DETAIL, 1):
            net = network(quality, 4)
            variant = network(quality, 4, "-inventive")
            models.interpolate(net, variant, detail, "the sharp network")
            networks[f"{quality}, --detail {detail}"] = net
    found: dict[str, list[tuple[float, float, float]]] = {}
    for path in sorted(folder.glob("*HR.*"))[: 12 if "BSD" in folder.name else None]:
        small = io.read(path.with_name(path.name.replace("HR", "LR"))).rgb
        height, width = (4 * side for side in images.size_of(small))
        large = io.read(path).rgb[..., :height, :width]
        made = {"bicubic": images.resize(small, (height, width)).clamp(0, 1)}
        for name, net in networks.items():
            made[name] = enlarged(net, small, lock=True).float() / 255
        for name, ours in made.items():
            far = distance(judge, ours, large) if judge else math.nan
            found.setdefault(name, []).append((psnr(ours, large, 4), ssim(ours, large, 4), far))
    for name, values in found.items():
        mean_psnr, mean_ssim, far = (fmean(column) for column in zip(*values, strict=True))
        relative = (far / fmean(row[2] for row in found["bicubic"])) ** 0.5
        print(
            f"{folder.name}, {len(values)} pictures, {name}: {mean_psnr:.2f} dB, {mean_ssim:.4f}, "
            f"perceptual distance {relative:.3f} of bicubic's"
        )


def onnx_of(net: Compact) -> bytes:
    """Convert a compact network to ONNX."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, name = [], [], "picture"
    for index, layer in enumerate(net.body):
        inputs = [name]
        for key, value in layer.state_dict().items():
            # slopes need the shape [C, 1, 1]
            array = value.numpy() if isinstance(layer, nn.Conv2d) else value.numpy()[:, None, None]
            constants.append(numpy_helper.from_array(array, f"{index}.{key}"))
            inputs.append(f"{index}.{key}")
        name = f"x{index}"
        if isinstance(layer, nn.Conv2d):
            nodes.append(helper.make_node("Conv", inputs, [name], pads=[1, 1, 1, 1]))
        else:
            nodes.append(helper.make_node("PRelu", inputs, [name]))
    scales = numpy_helper.from_array(np.array([1, 1, net.scale, net.scale], np.float32), "scales")
    nodes += [
        helper.make_node("DepthToSpace", [name], ["residue"], blocksize=net.scale, mode="CRD"),
        helper.make_node(
            "Resize",
            ["picture", "", "scales"],
            ["nearest"],
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        helper.make_node("Add", ["residue", "nearest"], ["large"]),
    ]
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, None, None])
        for name in ("picture", "large")
    ]
    graph = helper.make_graph(nodes, "compact", shapes[:1], shapes[1:], [*constants, scales])
    opset = [helper.make_opsetid("", 17)]
    model: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return model


def timed(kind: str, side: int, quality: str = "fast") -> float:
    """Return the seconds it takes to enlarge a square four times, the best of three."""
    net = network(quality, 4)
    photo = images.resize(io.read(EXAMPLES / "photo.jpg").rgb, (side, side))
    if kind == ONNX:
        import onnxruntime

        assert isinstance(net, Compact)
        session = onnxruntime.InferenceSession(onnx_of(net), providers=["CPUExecutionProvider"])
    seconds = []
    for _ in range(3 if side <= 1024 else 1):
        began = time.perf_counter()
        if kind == PLAIN:
            with torch.no_grad():
                net(photo)
        elif kind == ONNX:
            session.run(None, {"picture": photo.numpy()})
        else:
            enlarged(net, photo, lock=kind == LOCKED)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def seams(photo: Tensor, radius: int) -> tuple[float, float]:
    """Measure seams of tiles of 64 pixels with too narrow a margin, with and without blending.

    As for networks whose receptive field is too large for exact tiles. Seams are the mean square of
    what the tiles add to the differences of neighboring pixels across cuts, relative to the mean
    square of these differences in one piece.
    """
    net, found = network("best", 4), []
    whole = enlarged(net, photo, lock=False, tile=4096, depth=torch.uint16).float()
    net.radius = radius
    for net.feather in (RRDB(1, 1, 1, 1, 1).feather, 0):
        cut = enlarged(net, photo, lock=False, tile=64, depth=torch.uint16).float()
        ours, theirs = (p.diff(dim=-1)[..., 255::256] for p in (cut, whole))
        found.append(((ours - theirs).square().mean() / theirs.square().mean()).item())
    return found[0], found[1]


def color_shifts(photo: Tensor, lock: bool) -> tuple[float, float]:
    """Return the mean and largest change of mean colors of 16×16 squares, out of 255."""
    large = enlarged(network("fast", 4), photo, lock=lock).float()
    moved = (F.avg_pool2d(large, 64) - F.avg_pool2d(photo * 255, 16)).abs()
    return moved.mean().item(), moved.max().item()


def main() -> None:
    """Run and print all measurements."""
    arguments = sys.argv[1:]
    judge = None
    if arguments[:1] == ["--judge"]:
        judge, arguments = weights.read(Path(arguments[1])), arguments[2:]
    for argument in arguments:
        scores(Path(argument), judge)
    kinds = (PLAIN, ONNX, FREE, LOCKED) if find_spec("onnxruntime") else (PLAIN, FREE, LOCKED)
    for quality in QUALITIES:
        fastest = math.inf
        for kind in kinds:
            seconds, _, peak = measured(timed, kind, 1024, quality)
            if kind in (PLAIN, ONNX):
                fastest = min(fastest, seconds)
            ratio = f"{seconds / fastest:.2f} × the fastest in one piece"
            gigabytes = f"peak {peak / 2**30:.2f} GiB"
            print(f"1024² × 4, {quality}, {kind}: {seconds:.2f} s ({ratio}), {gigabytes}")
        seconds, _, peak = measured(timed, LOCKED, 3464, quality)
        print(f"12 megapixels × 4, {quality}: {seconds:.0f} s, peak {peak / 2**30:.2f} GiB")

    photo = io.read(EXAMPLES / "photo.jpg").rgb
    photo = images.resize(photo, (512, 768))
    with torch.no_grad():
        whole = network("fast", 4)(photo)
        parts = network("fast", 4).double()
        top = parts(photo.double()[..., :266, :])[..., : 4 * 256, :]
        double = parts(photo.double())[..., : 4 * 256, :]
    for radius in (4, 10):
        blended, hard = seams(photo, radius)
        print(
            f"best, margin {radius} of 18, seam energy: "
            f"{blended:.1e} with blending, {hard:.1e} without"
        )
    cut = enlarged(network("fast", 4), photo, lock=False, tile=128)
    off = (cut.float() / 255 - whole.clamp(0, 1)).abs().max().item()
    print(f"tiles of 128 against one piece: {off * 255:.3f} / 255 at most, 0.5 of it rounding")
    print(f"one cut, before rounding: {(top - double).abs().max().item():.0e}")
    for lock in (False, True):
        mean, largest = color_shifts(photo, lock)
        print(
            f"color shift {'with' if lock else 'without'} color lock, of 255: "
            f"{mean:.3f} on average, {largest:.2f} at most"
        )


if __name__ == "__main__":
    main()
