"""What `upscale` is measured by: PSNR, seconds and memory, seams, colours.

    python benchmarks/upscale.py [SET …]

Each SET is a folder of pictures named ``…HR.png`` with their bicubic quarters ``…LR.png`` (Set5,
Set14): PSNR of luma, less a border of 4 pixels, as papers give it. The rest runs on the example.
"""

import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from child import measured
from limner import images, weights
from limner.scores import psnr
from limner.upscaling import models
from limner.upscaling.upscale import TILE, enlarged

EXAMPLES = Path(__file__).parents[1] / "examples"
QUALITIES = ("fast",)
PLAIN, FREE, LOCKED = "plain torch, whole", "limner", "limner, colours locked"


def network(quality: str, scale: int) -> models.Upscaler:
    """The shipped network."""
    path = weights.SHIPPED / f"upscaler-{quality}-x{scale}.safetensors"
    return models.load(path, torch.device("cpu"))


def silent(done: int, tiles: int, note: str) -> None:
    """Say nothing."""


def scores(folder: Path) -> None:
    """Print the PSNR of a test set."""
    found: dict[str, list[float]] = {}
    networks = {quality: network(quality, 4) for quality in QUALITIES}
    for path in sorted(folder.glob("*HR.*")):
        small = images.read(path.with_name(path.name.replace("HR", "LR"))).rgb
        height, width = (4 * side for side in images.size_of(small))
        large = images.read(path).rgb[..., :height, :width]
        bicubic = images.resize(small, (height, width))
        found.setdefault("bicubic", []).append(psnr(bicubic, large, 4))
        for quality, net in networks.items():
            for lock in (False, True):
                ours = enlarged(net, small, lock, TILE, silent).float() / 255
                name = f"{quality}{', colours locked' if lock else ''}"
                found.setdefault(name, []).append(psnr(ours, large, 4))
    for name, values in found.items():
        print(f"{folder.name}, {len(values)} pictures, {name}: {sum(values) / len(values):.2f} dB")


def timed(kind: str, side: int) -> float:
    """Seconds of enlarging a square four times, the best of two."""
    net = network("fast", 4)
    photo = images.resize(images.read(EXAMPLES / "photo.jpg").rgb, (side, side))
    seconds = []
    for _ in range(2 if side <= 1024 else 1):
        began = time.perf_counter()
        if kind == PLAIN:
            with torch.no_grad():
                net(photo)
        else:
            enlarged(net, photo, kind == LOCKED, TILE, silent)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def colours(photo: Tensor, lock: bool) -> tuple[float, float]:
    """Mean and largest change of the mean colour of 16×16 squares, in 255ths."""
    large = enlarged(network("fast", 4), photo, lock, TILE, silent).float()
    moved = (F.avg_pool2d(large, 64) - F.avg_pool2d(photo * 255, 16)).abs()
    return moved.mean().item(), moved.max().item()


def main() -> None:
    """Print everything."""
    for argument in sys.argv[1:]:
        scores(Path(argument))
    reference = 0.0
    for kind in (PLAIN, FREE, LOCKED):
        seconds, _, peak = measured(timed, kind, 1024)
        reference = reference or seconds
        ratio = f"{seconds / reference:.2f} of plain torch"
        print(f"1024² × 4, {kind}: {seconds:.2f} s ({ratio}), peak {peak / 2**30:.2f} GiB")
    seconds, _, peak = measured(timed, LOCKED, 3464)
    print(f"12 megapixels × 4: {seconds:.0f} s, peak {peak / 2**30:.2f} GiB")

    photo = images.read(EXAMPLES / "photo.jpg").rgb
    photo = images.resize(photo, (512, 768))
    with torch.no_grad():
        whole = network("fast", 4)(photo)
        parts = network("fast", 4).double()
        top = parts(photo.double()[..., :266, :])[..., : 4 * 256, :]
        double = parts(photo.double())[..., : 4 * 256, :]
    cut = enlarged(network("fast", 4), photo, False, 128, silent)
    off = (cut.float() / 255 - whole.clamp(0, 1)).abs().max().item()
    print(f"tiles of 128 against one piece: {off * 255:.3f} / 255 at most, 0.5 of it rounding")
    print(f"one cut, before rounding: {(top - double).abs().max().item():.0e}")
    for lock in (False, True):
        mean, most = colours(photo, lock)
        print(f"colours {'locked' if lock else 'free'}: {mean:.3f} / 255 mean, {most:.2f} most")


if __name__ == "__main__":
    main()
