"""`hybridize`: combine two photos into a hybrid image (Oliva, Torralba & Schyns 2006).

The eye at a distance sees only low frequencies, so the hybrid has the high frequencies of one photo
and the low frequencies of the other.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from torch import Tensor

from limner import io
from limner.checks import check_choice, check_range, flag
from limner.errors import OptionError
from limner.hybrid import metrics, notes, optimization, viewing
from limner.hybrid.blend import blend
from limner.hybrid.plan import MAX_SIZE, MIN_SIZE, Plan, make_plan
from limner.io import Source
from limner.nn import devices
from limner.progress import OnStep, Reporter, Stop, silent
from limner.units import to_meters

METHODS, ALIGNMENTS = ("detail", "article", "fourier"), ("auto", "none")
SOLVERS = {"descent": optimization.gradient_descent, "fast": optimization.fast_solver}
VIEWS = {"strip": viewing.strip, "zoom": viewing.zoom}
_ONLY_ARTICLE = ("weight", "solver", "steps")  # options of ``--method article``
_NOT_ARTICLE = ("sigma", "contrast", "near", "far")  # options of the other methods
_BYTES_PER_PIXEL = 90  # of memory at the peak
_LENGTHS = ("near", "far", "print_width")


def hybridize(
    near_photo: Source,
    far_photo: Source,
    /,
    *,
    method: Literal["detail", "article", "fourier"] = "detail",
    sigma: float | None = None,
    print_width: str | float | None = None,
    near: str | float | None = None,
    far: str | float | None = None,
    align: Literal["auto", "none"] = "auto",
    points: Sequence[int] = (),
    near_gray: bool = False,
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
    """Combine two photos: one is seen from near, the other from far away.

    Parameters
    ----------
    near_photo : str, path or PIL image
        Photo to see from near. The hybrid gets its fine detail.
    far_photo : str, path or PIL image
        Photo to see from far away, or when the hybrid is small. The hybrid gets its large shapes.
    method : str
        How to combine the photos. ``detail`` takes only the fine detail of the near photo.
        ``fourier`` adds a low-pass of the far photo to a high-pass of the near one. ``article``
        minimizes a loss by gradient descent, like the article this command grew out of.
    sigma : float
        Cut-off between fine and coarse, from 0.5 to 32: the standard deviation of the blur, in
        pixels of a picture 512 pixels long. A larger value shows more of the near photo. Default:
        limner finds the best value.
    print_width : str or float
        Width of the print, such as ``40cm`` or ``16in``; in Python also a number of meters. The
        resolution in the file is set to match.
    near : str or float
        Distance from which people should see the near photo, such as ``50cm`` or ``20in``. With
        ``--far`` and ``--print-width`` it sets the cut-off, instead of ``--sigma``.
    far : str or float
        Distance from which people should see only the far photo, such as ``4m``. Needs ``--near``
        and ``--print-width``.
    align : str
        ``auto`` shifts, scales and turns the far photo if its edges then meet those of the near
        photo. ``none`` leaves it as it is.
    points : sequence of int
        Align by hand: x,y of two points in the near photo, then x,y of the same two points in the
        far photo, in pixels from the top left corner.
    near_gray : bool
        Use only the lightness of the near photo, so that all color comes from the far one.
    contrast : float
        Contrast of the far photo, from 0.1 to 1. A lower value leaves space for bright and dark
        detail of the near photo. Default: the highest value from 0.7 to 1 that leaves enough space.
    weight : float
        Weight of the near photo in ``--method article``, from 0.001 to 1000. Default: 0.1.
    solver : str
        How ``--method article`` minimizes its loss: by gradient ``descent``, or by a ``fast``
        solver. Default: descent.
    steps : int
        Number of steps of ``--method article``. Default: 200, or 4 with ``--solver fast``, which
        then reaches a lower loss.
    size : int
        Longest side of the result in pixels, at least 64. Default: that of the near photo, or 512
        with ``--method article``.
    strip : bool
        Also write the result at 1, 1/2, 1/4 and 1/8 of its size, side by side.
    zoom_gif : bool
        Also write an animation of the result shrinking and growing, as if you walked away and back.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.
    on_step : callable
        Called with a `Progress` before the first and after every step. If it raises `Stop`, the
        picture so far is returned.

    Returns
    -------
    PIL.Image.Image
        RGB, with its recipe. ``found`` in the recipe has the cut-off, the scores and the viewing
        distances. ``info["beside"]`` has what ``strip`` and ``zoom_gif`` ask for.

    Raises
    ------
    InputError
        A photo cannot be read.
    OptionError
        An option is out of its range, or has no effect with another one.
    """
    options: dict[str, Any] = {
        "method": method,
        "sigma": sigma,
        "print_width": print_width,
        "near": near,
        "far": far,
        "align": align,
        "points": list(points),
        "near_gray": near_gray,
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
    lengths = {n: to_meters(n, options[n]) for n in _LENGTHS if options[n] is not None}
    report = Reporter("hybridize", on_step)
    torch_device = devices.pick(device)
    photos = [
        io.read(source, allow_huge=allow_huge, bytes_per_pixel=_BYTES_PER_PIXEL)
        for source in (near_photo, far_photo)
    ]
    near_rgb, far_rgb = (io.on_white(photo).to(torch_device) for photo in photos)

    plan = make_plan(near_rgb, far_rgb, options, lengths)
    summary = plan.summary(4 * sum(photo.rgb.numel() for photo in photos))
    remarks = [note for photo in photos for note in photo.notes] + io.tell_transparent(photos)
    for note in (summary, *remarks, *notes.warnings(*plan.small, plan.edge_correlation)):
        report(plan.stage, 0, plan.steps, note=note, size=plan.size)

    if method == "article":
        hybrid = _optimize(plan, report)
        options["steps"] = hybrid.steps
    else:
        hybrid = _blend(plan)

    found, remarks = _measure(plan, hybrid)
    with suppress(Stop):
        for note in remarks:
            preview = partial(io.to_picture, hybrid.rgb)
            report(plan.stage, hybrid.steps, plan.steps, note=note, preview=preview)
    names = [photo.name for photo in photos]
    recipe = io.make_recipe("hybridize", names, options, photos) | {"found": found}
    like = photos[0] if plan.dpi is None else replace(photos[0], dpi=plan.dpi)
    result = io.to_picture(hybrid.rgb, like=like, recipe=recipe)
    result.info["beside"] = {name: VIEWS[name](result) for name in side_files(options)}
    return result


def side_files(options: Mapping[str, Any]) -> dict[str, str | Path]:
    """Return the files that `hybridize` makes beside its result with these options.

    Parameters
    ----------
    options : mapping
        Keyword options of `hybridize`.

    Returns
    -------
    dict
        Name to suffix; "" stands for the suffix of the result.
    """
    views = {"strip": (options.get("strip"), ""), "zoom": (options.get("zoom_gif"), ".gif")}
    return {name: suffix for name, (given, suffix) in views.items() if given}


def _check(options: Mapping[str, Any]) -> None:
    """Refuse options that are out of range, or that have no effect with the others."""
    check_choice("method", options["method"], METHODS)
    check_choice("align", options["align"], ALIGNMENTS)
    check_choice("solver", options["solver"], SOLVERS)
    check_range("sigma", options["sigma"], 0.5, 32)
    check_range("contrast", options["contrast"], 0.1, 1)
    check_range("weight", options["weight"], 0.001, 1000)
    check_range("steps", options["steps"], 1)
    check_range("size", options["size"], MIN_SIZE, MAX_SIZE)
    given = {name for name, value in options.items() if value not in (None, False, [])}
    method, article = options["method"], options["method"] == "article"
    for name in _NOT_ARTICLE if article else _ONLY_ARTICLE:
        if name in given:
            remedy = "use another method" if article else "use --method article"
            raise OptionError(
                f"{flag(name)} {options[name]}: has no effect with --method {method}; "
                f"leave it out, or {remedy}"
            )
    if given & {"near", "far"} and (missing := [n for n in _LENGTHS if n not in given]):
        raise OptionError(
            f"{flag(missing[0])}: is missing; give --near, --far and --print-width together"
        )
    if {"far", "sigma"} <= given:
        raise OptionError(
            f"--sigma {options['sigma']}: has no effect with --near and --far, which set the "
            "cut-off; leave it out"
        )
    if options["points"] and options["align"] == "none":
        raise OptionError("--align none: has no effect with --points; leave one of them out")


@dataclass(frozen=True)
class _Hybrid:
    """A hybrid, and how it was made.

    Attributes
    ----------
    rgb : Tensor
        [1, 3, H, W], sRGB in 0..1.
    far_small : Tensor
        The far photo with the contrast that it has in the hybrid, at most `metrics.SIDE` long.
    sigma : float
        The cut-off in pixels at `metrics.SIDE`.
    steps : int
        Steps done.
    about : dict of str to float
        What else the recipe says.
    """

    rgb: Tensor
    far_small: Tensor
    sigma: float
    steps: int
    about: dict[str, float]


def _blend(plan: Plan) -> _Hybrid:
    """Combine the photos with one filter; search the cut-off and the contrast if not given."""
    near_small, far_small = plan.small
    found = metrics.search_cutoff(near_small, far_small, plan.method, plan.sigma, plan.contrast)
    sigma, contrast = found
    rgb = blend(plan.near, plan.far, sigma * plan.scale, plan.method, contrast)
    about = {"contrast": contrast, "clipped": metrics.clipped_share(rgb)}
    far_small = 0.5 + contrast * (far_small - 0.5)
    return _Hybrid(rgb.clamp_(0, 1), far_small, sigma, 1, about)


def _optimize(plan: Plan, report: Reporter) -> _Hybrid:
    """Minimize the article's loss. `Stop` ends it with the picture so far, after the first step."""
    objective = optimization.Objective.prepare(plan.near, plan.far, plan.weight)
    iterations = SOLVERS[plan.solver](objective)
    rgb, loss = next(iterations)
    report(plan.stage, 0, plan.steps, preview=partial(io.to_picture, rgb))
    done = 0
    with suppress(Stop):
        for done in range(1, plan.steps + 1):
            rgb, loss = next(iterations)
            preview = partial(io.to_picture, rgb)
            report(plan.stage, done, plan.steps, loss=loss, preview=preview)
    return _Hybrid(rgb, plan.small[1], optimization.SIGMA / plan.scale, done, {"loss": loss})


def _measure(plan: Plan, hybrid: _Hybrid) -> tuple[dict[str, object], list[str]]:
    """Return what the recipe says of a hybrid, and remarks for the user."""
    scores = metrics.score(metrics.shrink(hybrid.rgb), plan.small[0], hybrid.far_small)
    widths = {
        "near": metrics.near_distance(hybrid.sigma, plan.relative_width),
        "far": metrics.far_distance(hybrid.sigma, plan.relative_width),
    }
    found: dict[str, object] = {
        **hybrid.about,
        "sigma": hybrid.sigma,
        "scores": asdict(scores),
        "widths": widths,
        "alignment": asdict(plan.similarity),
        "edge_correlation": plan.edge_correlation,
    }
    if plan.print_width is not None:
        found["meters"] = {name: times * plan.print_width for name, times in widths.items()}
    remarks = notes.results(scores, hybrid.sigma, widths, plan.print_width, plan.method)
    return found, remarks
