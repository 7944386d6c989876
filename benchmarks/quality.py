"""Style and content distance over strength, judged by a network that no method optimised.

    python benchmarks/quality.py JUDGE PHOTO PAINTING [PHOTO PAINTING …] [--size 384] [--other FILE]

JUDGE is the normalised VGG-19 up to conv3_1 (layers ``conv1_1`` … and a 1×1 ``preprocess``). With
``--other``, a distilled network in the same layout stylises beside ours, as `compact`'s teacher.
Distances are means over the pairs: of the style, the moments at three taps against the painting's,
once over the whole picture and once for the worst quarter of it; of the content, the features at
the deepest tap against the photo's. The photo itself and the painting itself are the two ends.
"""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner import io
from limner.nn import features, images, weights
from limner.style import losses, paint
from limner.style.method import METHODS
from limner.style.plan import make_plan
from limner.train.distillation import Teacher

TAPS = ("1_1", "2_1", "3_1")


class Other(Teacher):
    """A teacher that can be painted with."""

    shape = "vgg19"  # its depth, and so its receptive field

    def forward(self, picture: Tensor, taps: Iterable[str] = ()) -> dict[str, Tensor]:
        """Every tap; those asked for are among them."""
        return super().forward(picture)


@torch.no_grad()
def distances(judge: Teacher, picture: Tensor, painting: Tensor, photo: Tensor) -> list[float]:
    """Style of the whole, style of the worst quarter, content: each of [1, 3, H, W]."""
    painting = images.resize(painting, images.fit(*images.size_of(painting), picture.shape[-1]))
    ours, style, content = judge(picture), judge(painting), judge(photo)

    def style_distance(part: dict[str, Tensor]) -> float:
        found = []
        for tap in TAPS:
            target = losses.of_picture(style[tap], torch.ones_like(style[tap][:, :1]))
            seen = losses.of_picture(part[tap], torch.ones_like(part[tap][:, :1]))
            found.append(losses.style_loss(seen, target).item())
        return sum(found) / len(found)

    quarters = [
        style_distance({tap: halves(halves(ours[tap], -2)[row], -1)[column] for tap in TAPS})
        for row in (0, 1)
        for column in (0, 1)
    ]
    deepest = content["3_1"]
    lost = (ours["3_1"] - deepest).square().mean() / deepest.var()
    return [style_distance(ours), max(quarters), lost.item()]


def halves(field: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The two halves of a tensor along an axis."""
    middle = field.shape[axis] // 2
    return field.narrow(axis, 0, middle), field.narrow(axis, middle, field.shape[axis] - middle)


def painted(
    network: features.VGG, photo: Tensor, painting: Tensor, size: int, strength: float
) -> Tensor:
    """Stylise with any network: what `limner.stylize` does, less files."""
    method = METHODS["limner"]
    plan = make_plan(*images.size_of(photo), size, None, method, network.shape, torch.device("cpu"))
    moments = paint.paint(
        F.pad(images.resize(photo, plan.size), (plan.bleed,) * 4, mode="reflect"),
        [painting],
        [1.0],
        [],
        network,
        method,
        plan,
        strength=strength,
        style_scale=1.0,
        start=None,
        seed=0,
        budget=float("inf"),
    )
    *_, last = moments
    bleed, (height, width) = plan.bleed, plan.size
    whole = last.canvas.result(method.keep)
    return whole[..., bleed : bleed + height, bleed : bleed + width]


def main() -> None:
    """Print the curve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("judge", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--other", type=Path)
    given = parser.parse_args()
    judge = Teacher(weights.read(given.judge), given.judge.name)
    runs: list[tuple[str, features.VGG, float]] = []
    for strength in (0.5, 1.0, 1.5, 2.0):
        runs.append((f"compact, strength {strength:g}", features.load("compact"), strength))
    if given.other:
        other = Other(weights.read(given.other), given.other.name)
        runs.append((f"{given.other.stem}, strength 1", other, 1.0))  # type: ignore[arg-type]

    pairs = list(zip(given.pictures[::2], given.pictures[1::2], strict=True))
    rows: dict[str, list[list[float]]] = {}
    for photo_path, painting_path in pairs:
        photo, painting = io.read(photo_path).rgb, io.read(painting_path).rgb
        shown = images.resize(photo, images.fit(*images.size_of(photo), given.size))
        filled = images.resize(painting, images.size_of(shown))
        for name, picture in (("the photo itself", shown), ("the painting itself", filled)):
            rows.setdefault(name, []).append([*distances(judge, picture, painting, shown), 0.0])
        for name, network, strength in runs:
            began = time.perf_counter()
            picture = painted(network, shown, painting, given.size, strength)
            seconds = time.perf_counter() - began
            found = distances(judge, picture, painting, shown)
            rows.setdefault(name, []).append([*found, seconds])
    print(f"{len(pairs)} pairs at {given.size} px    style  worst quarter  content  seconds")
    for name, found_rows in rows.items():
        style, worst, content, seconds = torch.tensor(found_rows).mean(0).tolist()
        print(f"{name:28} {style:6.3f}  {worst:13.3f}  {content:7.3f}  {seconds:7.1f}")


if __name__ == "__main__":
    main()
