"""Measure style and content distance over strength with a network that no result was optimized for.

    python benchmarks/quality.py JUDGE PHOTO PAINTING [PHOTO PAINTING …] [--size 384] [--other FILE]

JUDGE is the normalized VGG-19 up to conv3_1 (layers ``conv1_1`` … and a 1×1 ``preprocess``).
``--other`` adds results with a distilled network of the same layout, such as `compact`'s teacher.
Distances are averaged over the pairs. The style distance compares feature statistics at three
layers with the painting's, over the whole picture and in its worst quarter. The content distance
compares features at the deepest layer with the photo's. The photo and the painting themselves are
the two extremes.
"""

import argparse
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from limner import io
from limner.io import Picture
from limner.nn import features, images, weights
from limner.style import losses
from limner.style.inputs import InputPictures, Style, prepare
from limner.style.method import METHODS
from limner.style.paint import paint
from limner.style.plan import make_plan, within_memory
from limner.train.distillation import Teacher

LAYERS = ("1_1", "2_1", "3_1")


class Other(Teacher):
    """A teacher as a network for `stylize`."""

    shape = "vgg19"  # it has the same receptive field

    def forward(self, picture: Tensor, layers: Iterable[str] = ()) -> dict[str, Tensor]:
        """Return the features of all layers; the requested ones are among them."""
        return super().forward(picture)


@torch.no_grad()
def distances(judge: Teacher, picture: Tensor, painting: Tensor, photo: Tensor) -> list[float]:
    """Return the style distance, that of the worst quarter, and the content distance."""
    painting = images.resize(painting, images.fit(*images.size_of(painting), picture.shape[-1]))
    ours, style, content = judge(picture), judge(painting), judge(photo)

    def style_distance(part: dict[str, Tensor]) -> float:
        found = []
        for layer in LAYERS:
            target = losses.feature_statistics(style[layer], torch.ones_like(style[layer][:, :1]))
            found_style = losses.feature_statistics(
                part[layer], torch.ones_like(part[layer][:, :1])
            )
            found.append(losses.style_loss(found_style, target).item())
        return sum(found) / len(found)

    quarters = [
        style_distance(
            {layer: halves(halves(ours[layer], -2)[row], -1)[column] for layer in LAYERS}
        )
        for row in (0, 1)
        for column in (0, 1)
    ]
    deepest = content["3_1"]
    lost = (ours["3_1"] - deepest).square().mean() / deepest.var()
    return [style_distance(ours), max(quarters), lost.item()]


def halves(field: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Split a tensor into two halves along an axis."""
    middle = field.shape[axis] // 2
    return field.narrow(axis, 0, middle), field.narrow(axis, middle, field.shape[axis] - middle)


def painted(
    network: features.VGG, photo: Picture, painting: Picture, size: int, strength: float
) -> Tensor:
    """Stylize with any network, as `limner.stylize` does with its own: [1, 3, H, W]."""
    cpu = torch.device("cpu")
    plan = make_plan(*images.size_of(photo.rgb), METHODS["network"], size=size, strength=strength)
    plan = within_memory(plan, network.shape, cpu)
    inputs = prepare(InputPictures(photo, (Style(painting, 1.0, None),), "content"), plan, cpu)
    *_, last = paint(inputs, network, plan)
    pad, (height, width) = plan.pad, plan.size
    whole = last.optimizer.result(plan.method.keep)
    return whole[..., pad : pad + height, pad : pad + width]


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
        photo, style = io.read(photo_path), io.read(painting_path)
        painting = style.rgb
        shown = images.resize(photo.rgb, images.fit(*images.size_of(photo.rgb), given.size))
        filled = images.resize(painting, images.size_of(shown))
        for name, picture in (("the photo itself", shown), ("the painting itself", filled)):
            rows.setdefault(name, []).append([*distances(judge, picture, painting, shown), 0.0])
        for name, network, strength in runs:
            began = time.perf_counter()
            picture = painted(network, replace(photo, rgb=shown), style, given.size, strength)
            seconds = time.perf_counter() - began
            found = distances(judge, picture, painting, shown)
            rows.setdefault(name, []).append([*found, seconds])
    print(f"{len(pairs)} pairs at {given.size} px    style  worst quarter  content  seconds")
    for name, found_rows in rows.items():
        style, worst, content, seconds = torch.tensor(found_rows).mean(0).tolist()
        print(f"{name:28} {style:6.3f}  {worst:13.3f}  {content:7.3f}  {seconds:7.1f}")


if __name__ == "__main__":
    main()
