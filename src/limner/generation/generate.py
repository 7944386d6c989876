"""`generate`: new pictures by a painter that was trained, or variations of one picture."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from limner import io
from limner._version import __version__
from limner.errors import InputError, OptionError, printable
from limner.generation.gan import latent_space, metrics, painter
from limner.generation.gan.dataset import cover, crop, crops, read
from limner.generation.sheet import Animation, grid
from limner.generation.variations import variations
from limner.io import Source
from limner.nn import devices, features, weights
from limner.progress import OnStep, Progress, Stop, silent

MOST = 1000  # pictures
WIDEST = 5  # rows and columns of a sheet of mixtures
_NO_RUN = """\
generate: needs a painter of yours, for none ships, or a picture with --like
variations of one picture, at once: limner generate --like picture.jpg -n 8 -o new/
a painter of your own folder, in hours: limner train painter pictures/ -o run/"""


def generate(
    model: Path | None = None,
    *,
    like: Source | None = None,
    n: int | None = None,
    size: str | None = None,
    variety: float = 0.5,
    truncation: float = 0.8,
    interpolate: int = 0,
    mix: bool = False,
    project: Source | None = None,
    nearest: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> list[Image.Image]:
    """Paint new pictures.

    Parameters
    ----------
    model : Path
        The run folder of a painter, or its weights file; see `limner train painter`.
    like : str, path or PIL image
        Instead: make variations of this picture, without any training.
    n : int
        How many pictures; left out 25, of one picture 8.
    size : str
        With ``like``: width and height in pixels, ``1200x800``.
    variety : float
        With ``like``: how far things may wander, 0 to 1.
    truncation : float
        0 to 1: lower for pictures that are safer and more alike.
    interpolate : int
        Frames from each picture to the next, for an animation; 0 for none.
    mix : bool
        A sheet of mixtures too: the composition of some, the details of others.
    project : str, path or PIL image
        Instead of random pictures: the one this painter can make that is most like this picture.
    nearest : Path
        A sheet too of every picture beside the nearest of this folder, flips and crops included.
    seed : int
        Of the first picture; each further one's is one more.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    allow_huge : bool
        Read pictures of more than 100 megapixels too.
    on_step : callable
        Called with a `Progress` before the first picture and after every one.

    Returns
    -------
    list of PIL.Image.Image
        RGB; each carries a recipe of its own. ``info["beside"]`` of the first holds the sheets and
        the animation.

    Raises
    ------
    InputError, OptionError, WeightsError
        A picture or folder that cannot be read, an option out of its range, no painter.
    """
    if not 0 <= truncation <= 1:
        raise OptionError(f"--truncation {truncation:g}: must be from 0 to 1")
    if not 0 <= interpolate <= 240:
        raise OptionError(f"--interpolate {interpolate}: must be from 0 to 240 frames")
    if like is not None:
        if model is not None:
            raise OptionError("--like: does not go with a painter; give one of them")
        _refuse("--like", interpolate=interpolate, mix=mix, project=project, nearest=nearest)
        varied = variations(
            like,
            n=8 if n is None else n,
            size=size,
            variety=variety,
            seed=seed,
            device=device,
            allow_huge=allow_huge,
            on_step=on_step,
        )
        return _with_sheets(varied, [io.read(one).rgb for one in varied], {})
    if model is None:
        raise OptionError(_NO_RUN)
    if size is not None:
        raise OptionError(
            f"--size {size}: goes with --like; a painter's pictures have its own size"
        )
    n = 25 if n is None else n
    if not 1 <= n <= MOST:
        raise OptionError(f"-n {n}: must be from 1 to {MOST}")
    if interpolate and n < 2:
        raise OptionError("--interpolate: needs two pictures; give -n 2 or more")
    began = time.monotonic()
    network, path = painter.load(Path(model), devices.pick(device))
    if mix and (network.layers < 2 or n < 2):
        raise OptionError("--mix: needs two pictures, and a painter with several styles in each")
    height, width = network.size
    recipe: dict[str, object] = {
        "verb": "generate",
        "version": __version__,
        "inputs": [str(path)],
        "files": {str(path): weights.sha256(path)},
    }

    made: list[Image.Image] = []

    def tell(done: int, steps: int, note: str = "", loss: float | None = None) -> None:
        seconds, share = time.monotonic() - began, done / steps
        stage = f"{width}×{height} px"
        preview = made[-1].copy if made else None
        on_step(Progress("generate", stage, done, steps, seconds, loss, preview, note, share))

    if project is not None:
        _refuse("--project", interpolate=interpolate, mix=mix, nearest=nearest)
        return _projected(network, project, seed, allow_huge, recipe, tell)
    known = _known(Path(nearest), network.size) if nearest is not None else None
    tell(0, n, f"{n} picture{'s' * (n > 1)} of {width}×{height} px")
    z, rgb = [], []
    for number in range(seed, seed + n):
        z.append(latent_space.latents(network, number))
        rgb.append(
            latent_space.painted(network, latent_space.styled(network, z[-1], truncation), number)
        )
        options = {"n": 1, "truncation": truncation, "seed": number}
        made.append(io.to_picture(rgb[-1], recipe=recipe | {"options": options}))
        try:
            tell(len(made), n)
        except Stop:
            break
    beside: dict[str, Image.Image | Animation] = {}
    if interpolate:
        frames = [
            latent_space.painted(network, latent_space.styled(network, one, truncation), seed)
            for one in latent_space.between(torch.cat(z), interpolate)
        ]
        beside["interpolation"] = Animation([io.to_picture(frame) for frame in frames])
    if mix and len(made) > 1:
        beside["mix"] = _mixed(
            network, latent_space.styled(network, torch.cat(z), truncation), seed
        )
    if known is not None:
        beside["nearest"] = _nearest(torch.cat(rgb), known)
    return _with_sheets(made, rgb, beside)


def _refuse(option: str, **others: object) -> None:
    """Refuse options that do not go with another."""
    for name, value in others.items():
        if value:
            raise OptionError(f"{option}: does not go with --{name}; give one of them")


def _with_sheets(
    made: list[Image.Image], rgb: Sequence[Tensor], beside: dict[str, Image.Image | Animation]
) -> list[Image.Image]:
    """The pictures, the first with a contact sheet of all and what else lies beside."""
    if len(made) > 1:
        beside = {"sheet": io.to_picture(grid(torch.cat(list(rgb)))), **beside}
    made[0].info["beside"] = beside
    return made


def _projected(
    network: painter.Painter,
    project: Source,
    seed: int,
    allow_huge: bool,
    recipe: dict[str, object],
    tell: Callable[[int, int, str, float | None], None],
) -> list[Image.Image]:
    """What of a painter's pictures is most like one given, with both side by side."""
    subject = io.read(project, allow_huge=allow_huge)
    cut = crop(cover(io.on_white(subject), network.size), network.size, 0.5, 0.5)[None]
    tell(0, latent_space.STEPS, "looking for what is most like its middle", None)
    styles = latent_space.projected(
        network,
        cut.to(network.mean.device),
        seed,
        lambda step, loss: tell(step, latent_space.STEPS, "", loss),
    )
    rgb = latent_space.painted(network, styles, seed)
    options = {"n": 1, "seed": seed, "project": subject.name, "allow_huge": allow_huge}
    files = {**recipe["files"], subject.name: subject.sha256}  # type: ignore[dict-item]
    picture = io.to_picture(rgb, recipe=recipe | {"options": options, "files": files})
    picture.info["beside"] = {"compared": io.to_picture(grid(torch.cat((cut, rgb)), 2))}
    return [picture]


def _mixed(network: painter.Painter, styles: Tensor, seed: int) -> Image.Image:
    """A sheet: down the side what gives the composition, along the top what gives the details."""
    half = min(WIDEST, len(styles) // 2)
    coarse, fine = styles[:half], styles[half : 2 * half]
    top, side, inner = (
        latent_space.painted(network, lot, seed)
        for lot in (fine, coarse, latent_space.mixed(coarse, fine))
    )
    rows = [torch.cat((torch.ones_like(top[:1]), top))]
    rows += [torch.cat((side[row, None], inner[row * half :][:half])) for row in range(half)]
    return io.to_picture(grid(torch.cat(rows), half + 1))


def _known(folder: Path, size: tuple[int, int]) -> Tensor:
    """All that a picture could be a copy of, [N, 3, H, W]."""
    found = read(folder, size)
    if not found.covers:
        raise InputError(
            f"{printable(folder)}: holds no picture that can be read; name the one it learnt from"
        )
    return crops(found.covers, size)


def _nearest(made: Tensor, known: Tensor) -> Image.Image:
    """A sheet of pictures [N, 3, H, W], each beside the nearest of those known."""
    network = features.load("compact")
    (_, here), (_, there) = (metrics.seen(network, lot) for lot in (made, known))
    pairs = torch.stack((made, known[torch.cdist(here, there).argmin(1)]), 1).flatten(0, 1)
    return io.to_picture(grid(pairs, 2 * min(WIDEST, len(made))))
