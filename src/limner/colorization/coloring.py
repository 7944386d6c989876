"""`Coloring`: a drawing with its regions, colored again and again with other hints or palettes."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from limner import io
from limner.checks import check_choice, check_range, flag
from limner.color import oklab
from limner.color import palette as palettes
from limner.colorization import pixels, proposal, regions
from limner.colorization.compose import LINES, is_background, lay_lines, shade, to_image, to_layers
from limner.colorization.division import divide, soften
from limner.colorization.models import MAX_SIZE, MIN_SIZE, load, use_onnx_runtime
from limner.colorization.pix2pix import UNet
from limner.colorization.spots import Spots, join, parse_spots, read_spots
from limner.colorization.tokens import Features, describe
from limner.errors import OptionError, printable
from limner.io import Picture, Source
from limner.io.openraster import Layers
from limner.line_art.drawing import read_drawing
from limner.line_art.lines import lines_of_size
from limner.line_art.regions import MAX_GAP, cover_lines
from limner.nn import images, onnx_model, seeding, weights
from limner.progress import OnStep, Reporter, Stop, silent

MAX_VARIATIONS = 16
HINT_EDGES = ("hard", "soft")
_BYTES_PER_PIXEL = 95  # of memory at the peak, of the drawing
_LABELS_SIZE = 1024  # pixels of the longest side at which regions are described to the network

Labels = NDArray[np.int32]
Colors = NDArray[np.float32]
Hints = Source | Literal["self"] | Sequence[tuple[tuple[float, float], str]]


class Coloring:
    """A line drawing with its regions and what the network sees in it.

    Finding the regions takes most of the time of `colorize`. The first call of `color` does it; the
    next ones need a fraction of a second for other hints, palettes or variations.

    Parameters
    ----------
    drawing : str, path or PIL image
        The line drawing.
    gap, size, model, device, runtime, force, allow_huge
        As in `colorize`.

    Raises
    ------
    InputError
        The drawing cannot be read, has no lines, or is a photo.
    OptionError
        An option is out of its range.
    WeightsError
        The weights of the network are missing, damaged or of another kind.
    """

    def __init__(
        self,
        drawing: Source,
        *,
        gap: int | None = None,
        size: int | None = None,
        model: str | None = None,
        device: str = "auto",
        runtime: Literal["torch", "onnxruntime"] = "torch",
        force: bool = False,
        allow_huge: bool = False,
    ) -> None:
        check_range("gap", gap, 0, MAX_GAP)
        check_range("size", size, MIN_SIZE, MAX_SIZE)
        self._device = onnx_model.pick_device(device, runtime)
        self._allow_huge = allow_huge
        self.picture = io.read(drawing, allow_huge=allow_huge, bytes_per_pixel=_BYTES_PER_PIXEL)
        path = weights.SHIPPED / "colorizer.safetensors" if model is None else Path(model)
        self._network = load(path).to(self._device)
        if runtime == "onnxruntime":
            use_onnx_runtime(self._network)
        self._hashes = {str(model): weights.sha256(path)} if model else {}
        self._drawing = read_drawing(self.picture, force=force)
        self._gap = gap
        self._options: dict[str, object] = {
            "gap": gap,
            "size": size,
            "model": model and str(model),
            "runtime": runtime,
            "force": force,
            "allow_huge": allow_huge,
        }
        self._size = size or self._network.size
        self._ink: Colors = self._drawing.ink[0, 0].numpy()

    @cached_property
    def regions(self) -> Labels:
        """The regions: int32 [H, W], 0 on lines, 1 to n. Found on first use."""
        return regions.find(self._ink, proposal.MAX_REGIONS, self._gap)

    def color(
        self,
        *,
        hints: Hints | None = None,
        hint: Sequence[str] = (),
        hint_edges: Literal["hard", "soft"] = "hard",
        palette: Source | None = None,
        reference: Source | None = None,
        vivid: float = 1.0,
        shading: float = 0.0,
        lines: Literal["keep", "soften", "drop"] = "keep",
        layers: bool = False,
        flats: bool = False,
        variations: int = 1,
        seed: int = 0,
        keep_alpha: bool = False,
        on_step: OnStep = silent,
    ) -> Image.Image:
        """Color the drawing. Options, result and errors are those of `colorize`."""
        report = Reporter("colorize", on_step)
        check_choice("hint_edges", hint_edges, HINT_EDGES)
        check_choice("lines", lines, LINES)
        check_range("vivid", vivid, 0, 2)
        check_range("shading", shading, 0, 1)
        check_range("variations", variations, 1, MAX_VARIATIONS)
        if palette is not None and reference is not None:
            raise OptionError("--palette and --reference: both choose the colors; give only one")
        self._check_network(
            palette=palette, reference=reference, vivid=vivid, variations=variations
        )
        spots, hinted, points = self._read_hints(hints, hint)
        entries, example = palettes.read(palette, allow_huge=self._allow_huge)
        model = None if reference is None else io.read(reference, allow_huge=self._allow_huge)
        pictures = [one for one in (self.picture, hinted, example, model) if one is not None]
        options: dict[str, object] = {
            "hints": hints if hints == "self" else hinted and hinted.name,
            "hint": points,
            "hint_edges": hint_edges,
            "palette": example.name if example else palette,
            "reference": model and model.name,
            "vivid": float(vivid),
            "shading": float(shading),
            "lines": lines,
            "layers": layers,
            "flats": flats,
            "variations": variations,
            "seed": seed,
            "keep_alpha": keep_alpha,
        }
        recipe = io.make_recipe(
            "colorize", [self.picture.name], self._options | options, pictures, self._hashes
        )
        height, width = size = images.size_of(self.picture.rgb)
        stage = f"{width}×{height} px"
        report(stage, 0, variations, size=size)  # finding the regions takes a while
        notes = [f"{stage}, {self.regions.max()} regions", *self._drawing.notes]
        if keep_alpha:  # the remark recommends what is already given
            notes = [note for note in notes if "--keep-alpha" not in note]
        notes += io.tell_transparent([model] if model is not None else [])
        for note in (*notes, *(note for picture in pictures for note in picture.notes)):
            report(stage, 0, variations, note=note, size=size)

        ink, whole = self._without_strokes if hints == "self" else (self._ink, self.regions)
        parts, hinted_colors = divide(whole, ink, spots)
        hinted_colors = hinted_colors[1:]  # the first is that of the lines
        labels = cover_lines(parts, ink)
        choose = self._chooser(labels, hinted_colors, entries, model)
        opaque = ~is_background(labels)[labels] if keep_alpha else None
        results: list[Image.Image] = []
        beside: dict[str, Image.Image | Layers] = {}
        for number in range(1, variations + 1):
            colors = choose(None if number == 1 else seeding.generator(seed, number))
            flat = self._fill(labels, _saturated(colors, hinted_colors, vivid))
            if hint_edges == "soft":
                flat = soften(flat, whole, parts, spots)
            shades = shade(labels, flat, shading) if shading else None
            shaded = flat if shades is None else (flat * shades).clip(max=1)
            rgb = lay_lines(shaded, ink, lines)
            results.append(self._to_picture(rgb, recipe, opaque))
            if number == 1 and flats:
                beside["flats"] = to_image(flat)
            if number == 1 and layers:
                beside["layers"] = to_layers(flat, labels, shades, ink, lines, results[0])
            if number > 1:
                beside[str(number)] = results[-1]
            try:
                report(stage, number, variations, preview=results[-1].copy, size=size)
            except Stop:
                break
        results[0].info["beside"] = beside
        return results[0]

    def _read_hints(
        self, hints: Hints | None, hint: Sequence[str]
    ) -> tuple[Spots, Picture | None, list[str]]:
        """Return all spots, the picture of hints, and the points as text."""
        size = images.size_of(self.picture.rgb)
        texts, read, spots = list(hint), None, parse_spots((), size)
        if hints == "self":
            own = torch.from_numpy(self._drawing.strokes()).permute(2, 0, 1)[None]
            if not own[:, 3:].any():
                raise OptionError(
                    f"--hints self: {printable(self.picture.name)} has no colored strokes; draw "
                    "some, or give a picture of hints"
                )
            spots = read_spots(
                replace(self.picture, rgb=own[:, :3], alpha=own[:, 3:]), self.picture
            )
        elif isinstance(hints, (str, os.PathLike, Image.Image)):
            read = io.read(hints, allow_huge=self._allow_huge)
            spots = read_spots(read, self.picture)
        elif hints is not None:
            texts = [f"{x:g},{y:g}={color}" for (x, y), color in hints] + texts
        return join(spots, parse_spots(texts, size)), read, texts

    @cached_property
    def _without_strokes(self) -> tuple[Colors, Labels]:
        """Return ink and regions of the drawing without its own colored strokes."""
        ink = self._drawing.without_strokes()[0, 0].numpy()
        return ink, regions.find(ink, proposal.MAX_REGIONS, self._gap)

    def _check_network(self, **options: object) -> None:
        """Refuse options that a network of pixels, not of regions, cannot follow."""
        if isinstance(self._network, UNet):
            for name, value in options.items():
                if value not in (None, 1):
                    raise OptionError(
                        f"{flag(name)}: a network of --preset article cannot do it; "
                        "leave out --model"
                    )

    @cached_property
    def _features(self) -> Features | Colors:
        """What the network sees in the ink, or its colors if it is one of pixels."""
        ink = self._drawing.ink
        whole = images.size_of(ink)
        if isinstance(self._network, UNet):
            scale = min(1.0, self._size / min(whole))
            colors = pixels.predict(self._network, ink.to(self._device), scale)
            return colors[0].permute(1, 2, 0).cpu().numpy()
        small = lines_of_size(ink, proposal.working_size(whole, self._size, self._network.multiple))
        return self._network.encode(small.to(self._device))

    def _chooser(
        self,
        labels: Labels,
        hinted: Colors,
        palette: Tensor | None,
        reference: Picture | None,
    ) -> Callable[[torch.Generator | None], Colors]:
        """Return a function from random numbers to the colors of the regions [T, 3].

        A network of pixels leaves NaN where there is no hint.
        """
        network, features = self._network, self._features
        if isinstance(network, UNet) or isinstance(features, np.ndarray):
            return lambda _: hinted
        step = images.reduction(_LABELS_SIZE, *labels.shape)
        tokens = describe(
            torch.from_numpy(labels[::step, ::step]),
            self._drawing.ink[0, 0, ::step, ::step],
            images.size_of(features[0]),
            count=len(hinted),
        ).to(self._device)
        described = network.embed(features, tokens)
        choices = proposal.Choices(network.colors)
        if palette is not None:
            choices = proposal.from_palette(network, palette.to(self._device))
        if reference is not None:
            choices = proposal.from_reference(network, described, io.on_white(reference))
        # the network knows white backgrounds: another one would tint all the rest
        told = np.where(is_background(labels)[1:, None], 1, np.nan_to_num(hinted))
        rgb = torch.from_numpy(told.astype(np.float32))[None].to(self._device)
        known = torch.from_numpy(~np.isnan(hinted[:, 0]))[None].to(self._device)

        def choose(noise: torch.Generator | None) -> Colors:
            made = proposal.propose(network, described, tokens, rgb, known, choices, noise)
            return np.where(np.isnan(hinted), made.cpu().numpy(), hinted)

        return choose

    def _fill(self, labels: Labels, colors: Colors) -> Colors:
        """Fill the regions: [H, W, 3]."""
        flat = colors[labels - 1]
        if isinstance(self._features, np.ndarray):
            return np.where(np.isnan(flat), self._features, flat)
        return flat

    def _to_picture(
        self, rgb: Colors, recipe: dict[str, object], opaque: NDArray[np.bool_] | None
    ) -> Image.Image:
        """Return the result: around a sheet of paper the photo stays as it is.

        With `opaque` [H, W], all else is as transparent as in the drawing.
        """
        made = torch.from_numpy(rgb).permute(2, 0, 1)[None]
        if self._drawing.paper is not None:
            paper = torch.from_numpy(self._drawing.paper.astype(np.float32))
            made = torch.lerp(self.picture.rgb, made, paper)
        alpha = self.picture.alpha
        if opaque is None or alpha is None:
            alpha = None
        else:
            alpha = torch.maximum(alpha, torch.from_numpy(opaque)[None, None].to(alpha))
        return io.to_picture(made, alpha, like=self.picture, recipe=recipe)


def _saturated(colors: Colors, hinted: Colors, vivid: float) -> Colors:
    """Multiply the chroma of all colors but hints."""
    if vivid == 1:
        return colors
    lab = oklab.of_colors(torch.from_numpy(colors))
    lab[:, 1:] *= vivid
    return np.where(np.isnan(hinted), oklab.to_colors(lab).numpy(), colors)
