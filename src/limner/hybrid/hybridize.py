"""`hybridize`: two photos become one, the first seen from near, the second from afar.

Hybrid images (Oliva, Torralba & Schyns 2006): the eye at a distance sees low frequencies only.
"""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Literal

from PIL import Image
from torch import Tensor

from limner import io
from limner._version import __version__
from limner.errors import OptionError
from limner.hybrid import metrics, optimization, viewing
from limner.hybrid.align import Similarity, common_frame, find, from_points, laid_over
from limner.hybrid.blend import blend
from limner.hybrid.optimization import Objective
from limner.io import Source
from limner.nn import devices, images
from limner.progress import OnStep, Progress, Stop, silent
from limner.units import INCH, to_metres

SMALLEST, SHORTEST = 64, 16  # pixels, of the longest and the shortest side
# Peak bytes per pixel of the result, and what is there before: see benchmarks/hybrid.py.
BYTES_PER_PIXEL = {"detail": 60, "fourier": 60, "descent": 200, "fast": 420}
BASE_BYTES = 350 * 2**20
CHOICES = {
    "method": ("detail", "article", "fourier"),
    "align": ("auto", "none"),
    "solver": ("descent", "fast"),
}
_SUIT = 0.1  # agreement of edges below which the user is told
_FLAT = 0.01  # standard deviation, of 1, below which there is nothing to see


def hybridize(
    near_photo: Source,
    far_photo: Source,
    /,
    *,
    method: Literal["detail", "article", "fourier"] = "detail",
    sigma: float | None = None,
    print_width: float | str | None = None,
    near: float | str | None = None,
    far: float | str | None = None,
    align: Literal["auto", "none"] = "auto",
    points: Sequence[int] = (),
    near_grey: bool = False,
    contrast: float | None = None,
    weight: float | None = None,
    solver: Literal["descent", "fast"] | None = None,
    steps: int | None = None,
    size: int | None = None,
    strip: bool = False,
    zoom_gif: bool = False,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Make one picture of two photos: the first seen from near, the second from afar.

    Parameters
    ----------
    near_photo, far_photo : str, path or PIL image
        What is seen from near, and what from afar or when the picture is small.
    method : str
        ``detail`` asks of the near photo only its detail, in closed form; ``fourier`` is low-pass
        plus high-pass; ``article`` asks for all of it by a small weight, by gradient descent.
    sigma : float
        The cut-off between the two: the Gaussian's standard deviation, in pixels of a picture of
        512, 0.5 to 32. Left out: found, so that the far photo rules from afar.
    print_width : float or str
        Width of the picture on the wall: metres, or ``"40cm"``, ``"16in"``.
    near, far : float or str
        With ``print_width``, the distances from which the one and the other is to be seen, instead
        of ``sigma``; ``"50cm"``, ``"4m"``.
    align : str
        ``auto`` shifts, scales and turns the far photo where its edges then meet the near one's;
        ``none`` leaves it.
    points : sequence of int
        Instead, x,y,x,y of two points in the near photo and x,y,x,y of the same two in the far.
    near_grey : bool
        Take the near photo's lightness only, so that all colours are the far one's.
    contrast : float
        Of the far photo, 0.1 to 1; less leaves room for the near one's detail. Left out: as much
        as hardly clips, 0.7 at least.
    weight : float
        The near photo's, for ``article``: 0.1, 0.3 and 1 are its own. Left out: 0.1.
    solver : str
        For ``article``: its own ``descent``, or a ``fast`` one for the same objective.
    steps : int
        For ``article``. Left out: 200 of descent, or the 4 with which the fast one gets below.
    size : int
        Longest side of the result in pixels, at least 64. Left out: the near photo's own, or 512
        for ``article``.
    strip : bool
        Show it beside at 1, ½, ¼ and ⅛ of its size.
    zoom_gif : bool
        Show it beside as an animation, as if one walked away from it.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    allow_huge : bool
        Read pictures of more than 100 megapixels too.
    on_step : callable
        Called with a `Progress` before the first and after every step. Raise `Stop` in it to end
        early and have the picture so far.

    Returns
    -------
    PIL.Image.Image
        RGB, with sRGB profile, resolution and recipe; under ``found``, the recipe says the
        cut-off, the scores and the distances. What ``strip`` and ``zoom_gif`` show lies in its
        ``info`` under ``beside``.

    Raises
    ------
    InputError
        A picture that cannot be read.
    OptionError
        An option out of its range, or one that does not go with another.
    """
    began = time.monotonic()
    options: dict[str, object] = {
        "method": method,
        "sigma": sigma,
        "print_width": print_width,
        "near": near,
        "far": far,
        "align": align,
        "points": list(points),
        "near_grey": near_grey,
        "contrast": contrast,
        "weight": weight,
        "solver": solver,
        "steps": steps,
        "size": size,
        "strip": strip,
        "zoom_gif": zoom_gif,
        "allow_huge": allow_huge,
    }
    _check(options)
    metres = None if print_width is None else to_metres(print_width)
    distances = [to_metres(length) for length in (near, far) if length is not None]
    where = devices.pick(device)
    pictures = [io.read(source, allow_huge=allow_huge) for source in (near_photo, far_photo)]

    # where the far photo lies, and what both have in common
    sharp, soft = (io.on_white(picture).to(where) for picture in pictures)
    similarity, agreement = _similarity(sharp, soft, align, points)
    longest = optimization.SIZE if method == "article" and size is None else size
    sharp, soft = in_common(sharp, soft, similarity, longest)
    sharp = images.luma(sharp).expand_as(sharp) if near_grey else sharp
    height, width = images.size_of(sharp)
    longest = max(height, width)
    scale, aspect = longest / metrics.SIDE, width / longest

    solver = solver or "descent"
    steps = steps or (optimization.FAST_STEPS if solver == "fast" else optimization.STEPS)
    planned, way = (steps, solver) if method == "article" else (1, method)

    def tell(
        done: int, note: str = "", loss: float | None = None, shown: Tensor | None = None
    ) -> None:
        preview = None if shown is None else lambda: io.to_picture(shown)
        seconds, share = time.monotonic() - began, done / planned
        stage = f"{longest} px"
        on_step(Progress("hybridize", stage, done, planned, seconds, loss, preview, note, share))

    memory = BASE_BYTES + height * width * BYTES_PER_PIXEL[way]
    memory += 4 * sum(picture.rgb.numel() for picture in pictures)
    plan = f"{width}×{height} px, {method}; about {memory / 2**30:.1f} GiB of memory"
    remarks = [note for picture in pictures for note in picture.notes]
    small = metrics.shrunk(sharp), metrics.shrunk(soft)
    for note in (plan, *remarks, *_warnings(*small, agreement)):
        tell(0, note)

    # how they become one
    found: dict[str, object] = {}
    if method == "article":
        cut = optimization.SIGMA / scale
        objective = Objective.of(sharp, soft, 0.1 if weight is None else weight)
        descent = optimization.solve if solver == "fast" else optimization.descend
        moments = descent(objective)
        hybrid, loss = next(moments)
        tell(0, shown=hybrid)
        with suppress(Stop):
            for done in range(1, steps + 1):
                hybrid, loss = next(moments)
                tell(done, loss=loss, shown=hybrid)
        options["steps"] = done
        found = {"loss": loss}
    else:
        wanted = sigma
        if distances and metres is not None:
            wanted = metrics.sigma_for(distances[0], distances[1], metres, aspect)
        cut, level = metrics.search(*small, method, wanted, contrast)
        hybrid = blend(sharp, soft, cut * scale, method, level)
        small = small[0], 0.5 + level * (small[1] - 0.5)
        found = {"contrast": level, "clipped": metrics.clipped(hybrid)}
        hybrid = hybrid.clamp_(0, 1)
        done = 1

    # what has become of it
    scored = metrics.score(metrics.shrunk(hybrid), *small)
    widths = {"near": metrics.near_distance(cut, aspect), "far": metrics.distance(cut, aspect)}
    found |= {"sigma": cut, "scores": asdict(scored), "widths": widths}
    found |= {"alignment": asdict(similarity), "agreement": agreement}
    if metres is not None:
        found["metres"] = {name: times * metres for name, times in widths.items()}
    with suppress(Stop):
        for note in _results(scored, cut, widths, metres, method):
            tell(done, note, shown=hybrid)
    recipe = {
        "verb": "hybridize",
        "version": __version__,
        "inputs": [picture.name for picture in pictures],
        "options": options,
        "files": {picture.name: picture.sha256 for picture in pictures},
        "found": found,
    }
    dpi = None if metres is None else (round(width / metres * INCH, 1),) * 2
    like = pictures[0] if dpi is None else replace(pictures[0], dpi=dpi)
    picture = io.to_picture(hybrid, like=like, recipe=recipe)
    beside = {"strip": viewing.strip} if strip else {}
    beside |= {"zoom": viewing.zoom} if zoom_gif else {}
    picture.info["beside"] = {name: view(picture) for name, view in beside.items()}
    return picture


def _check(options: Mapping[str, object]) -> None:
    """Refuse what is out of its range, and what does not go together."""
    ranges = {
        "sigma": (0.5, 32),
        "contrast": (0.1, 1),
        "weight": (0.001, 1000),
        "steps": (1, math.inf),
        "size": (SMALLEST, math.inf),
    }
    for name, (low, high) in ranges.items():
        value = options[name]
        if value is not None and not low <= value <= high:  # type: ignore[operator]
            limits = f"from {low:g} to {high:g}" if high < math.inf else f"{low:g} or more"
            raise OptionError(f"--{name} {value}: must be {limits}")
    for name, known in CHOICES.items():
        if options[name] is not None and options[name] not in known:
            raise OptionError(f"--{name} {options[name]}: must be one of {', '.join(known)}")
    given = {name for name in options if options[name] not in (None, False, [])}
    flags = {name: f"--{name.replace('_', '-')}" for name in options}
    own, others = {"weight", "solver", "steps"}, {"sigma", "contrast", "near", "far"}
    for name in sorted(given & (others if options["method"] == "article" else own)):
        raise OptionError(f"{flags[name]}: is not of --method {options['method']}; leave it out")
    if given & {"near", "far"}:
        for name in ("near", "far", "print_width"):
            if name not in given:
                raise OptionError(f"{flags[name]}: must be given with --near, --far, --print-width")
        if "sigma" in given:
            raise OptionError("--sigma: is what --near and --far decide; give it or them")


def _similarity(
    near: Tensor, far: Tensor, align: str, points: Sequence[int]
) -> tuple[Similarity, float | None]:
    """How the far photo lies, and how well the edges then meet."""
    if points:
        return from_points(points, images.size_of(near), images.size_of(far)), None
    return find(near, far) if align == "auto" else (Similarity(), None)


def in_common(
    near: Tensor, far: Tensor, similarity: Similarity, longest: int | None
) -> tuple[Tensor, Tensor]:
    """Both photos, cut to what they have in common and brought to one size."""
    frame = images.size_of(near)
    rows, columns = common_frame(similarity, frame, images.size_of(far))
    near = near[..., rows, columns]
    common = images.size_of(near)
    size = common if longest is None else images.fit(*common, longest)
    if min(size) < SHORTEST:
        raise OptionError(
            f"{size[1]}×{size[0]} px: the short side must be at least {SHORTEST}; give a larger "
            "--size, or crop the photos"
        )
    return (
        near if size == common else images.resize(near, size),
        laid_over(far, similarity, frame, rows, columns, size),
    )


def _warnings(near: Tensor, far: Tensor, agreement: float | None) -> list[str]:
    """Say if the pictures do not suit each other."""

    def contrast_of(picture: Tensor) -> float:
        return picture.std((-2, -1)).max().item()

    found = []
    if contrast_of(metrics.fine_detail(near)) < _FLAT:
        found.append("the near photo has hardly any detail, so little of it will be seen")
    if contrast_of(far) < _FLAT:
        found.append("the far photo is flat, so there is nothing to see from afar")
    if (near - far).abs().max() < 1 / 255:
        found.append("the two photos are the same, and so is the result")
    elif agreement is not None and agreement < _SUIT:
        found.append(
            f"the two photos do not suit each other well: their edges meet to {agreement:.2f} "
            f"of 1, less than {_SUIT}; --points lays one thing over another"
        )
    return found


def _results(
    scored: metrics.Scores,
    cut: float,
    widths: Mapping[str, float],
    metres: float | None,
    method: str,
) -> list[str]:
    """Say how well it went, and from where to look."""
    near, far = widths["near"], widths["far"]
    if metres is None:
        places = f"{near:.1f} and {far:.1f} times its width"
    else:
        places = f"{near * metres:.2g} m and {far * metres:.2g} m"
    found = [
        f"cut-off σ {cut:.3g}; near {scored.near:.2f}, far {scored.far:.2f}, "
        f"leak {scored.leak:.2f} of {scored.floor:.2f}",
        f"the near photo is seen up to, and the far one alone from: {places}",
    ]
    better = "--method detail does better" if method == "article" else ""
    if scored.near < metrics.LEAST_NEAR:
        bolder = "a larger --sigma, or a smaller print seen from further off, shows more of it"
        found.append(f"from near the near photo stays faint; {better or bolder}")
    if scored.lack > 0:
        stronger = "a smaller --sigma, or a far photo with bolder shapes, helps"
        found.append(f"from afar the far photo does not rule everywhere; {better or stronger}")
    return found
