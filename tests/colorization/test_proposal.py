"""One color per region: known ones stay, palettes are used, references are followed."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.color import oklab
from limner.colorization import regions
from limner.colorization.network import COLORS, Colorizer
from limner.colorization.proposal import (
    Choices,
    fill,
    from_palette,
    from_reference,
    propose,
)
from limner.colorization.tokens import Tokens
from limner.line_art import lines
from limner.nn import seeding

Build = Callable[..., Colorizer]
Grid = Callable[..., Tokens]
WHITE, RED, GREEN, BLUE, YELLOW = (
    torch.tensor(color)
    for color in ((1.0, 1, 1), (0.8, 0.1, 0.1), (0.1, 0.6, 0.2), (0.1, 0.2, 0.8), (0.9, 0.8, 0.1))
)


class Fixed:
    """Stand in for the network: given log-probabilities of given colors, [T, E]."""

    def __init__(self, colors: Tensor, logits: Tensor) -> None:
        self.colors, self.logits = colors, logits

    def choose(
        self, described: Tensor, tokens: Tokens, rgb: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As the network, with gray as mean color, which is at the same distance from all."""
        return self.logits[None], torch.full((1, len(self.logits), 3), 0.5)


def proposed(
    network: object,
    tokens: Tokens,
    choices: Choices,
    known: dict[int, Tensor] | None = None,
    noise: torch.Generator | None = None,
    described: Tensor | None = None,
) -> Tensor:
    """Colors of the regions, [T, 3]."""
    count = tokens.area.shape[1]
    rgb, mask = torch.zeros((1, count, 3)), torch.zeros((1, count), dtype=torch.bool)
    for index, color in (known or {}).items():
        rgb[0, index], mask[0, index] = color, True
    if described is None:
        described = torch.zeros((1, count, 1))
    return propose(network, described, tokens, rgb, mask, choices, noise)  # type: ignore[arg-type]


def away(made: Tensor, colors: Tensor) -> Tensor:
    """How far the farthest of some colors is from all of the others: 0 if it is one of them."""
    return (made[:, None] - colors[None]).abs().amax(-1).amin(1).max()


CORNERS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])  # all as far from gray


# --- choosing --------------------------------------------------------------------------------


def test_the_most_probable_color_is_chosen(grid: Grid) -> None:
    logits = torch.tensor([[2.0, 0, 1], [0, 1, 0.5], [-3, -5, -1], [0, 9, 0]])
    made = proposed(Fixed(CORNERS, logits), grid(2, 2), Choices(CORNERS))
    np.testing.assert_array_equal(made, CORNERS[[0, 1, 2, 1]])


def test_known_colors_stay_exact_and_the_others_are_among_the_choices(
    build: Build, grid: Grid
) -> None:
    network, tokens = build(), grid(3, 4)
    described = network.embed(network.encode(torch.zeros((1, 1, 64, 96))), tokens)
    known = {2: torch.tensor([0.123, 0.456, 0.789]), 7: torch.tensor([0.0, 0.001, 1.0])}
    made = proposed(network, tokens, Choices(network.colors), known, described=described)
    for index, color in known.items():
        np.testing.assert_array_equal(made[index], color)
    open_ = [index for index in range(12) if index not in known]
    assert away(made[open_], network.colors) == 0


def test_all_colors_may_be_known(grid: Grid) -> None:
    colors = torch.rand((4, 3))
    made = proposed(
        Fixed(CORNERS, torch.zeros((4, 3))), grid(2, 2), Choices(CORNERS), dict(enumerate(colors))
    )
    np.testing.assert_array_equal(made, colors)


def test_the_mean_color_pulls_the_choice(grid: Grid) -> None:
    """By 8 times the squared distance: here 8 · 0.14, less twice 0.054 more chroma: 1.01."""
    colors = torch.tensor([[0.5, 0.2, 0.2], [0.9, 0.5, 0.1]])
    logits = torch.tensor([[0.0, 0.96], [0.0, 1.06]])
    made = proposed(Fixed(colors, logits), grid(1, 2), Choices(colors))
    np.testing.assert_array_equal(made, colors)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        # twice the difference of the chroma in Oklab, and 1 less for a dull color
        ((0.5, 0.5, 0.5), (0.5, 0.2, 0.2), 1 + 2 * 0.1065),
        ((0.45, 0.35, 0.2), (0.5, 0.5, 0.5), -2 * 0.0638),  # both are dull
        ((0.05, 0.04, 0.02), (0.9, 0.88, 0.85), 1 + 2 * (0.0117 - 0.0130)),  # pale is not dull
    ],
)
def test_in_doubt_colorful_colors_are_preferred_to_dull_ones(
    one: tuple[float, ...], other: tuple[float, ...], wanted: float, grid: Grid
) -> None:
    """Logits that even out the preference and the distance from gray, but for a bit."""
    colors = torch.tensor([one, other])
    pull = 8 * ((colors - 0.5) ** 2).sum(1)
    for bit, index in ((-0.01, 1), (0.01, 0)):
        logits = pull + torch.tensor([wanted + bit, 0])
        made = proposed(Fixed(colors, logits.expand(2, 2)), grid(1, 2), Choices(colors))
        np.testing.assert_array_equal(made, colors[[index, index]])


class Following(Fixed):
    """The second region is green, but of the color of the first one where that is known."""

    def choose(
        self, described: Tensor, tokens: Tokens, rgb: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor]:
        logits, mean = super().choose(described, tokens, rgb, known)
        logits = logits.clone()
        if known[0, 0]:
            logits[0, 1] = -100 * (self.colors - rgb[0, 0]).abs().sum(-1)
        return logits, mean


def test_the_surest_region_is_colored_first_and_others_go_with_it(grid: Grid) -> None:
    logits = torch.tensor([[0.0, 0, 9], [0, 1, 0]])
    made = proposed(Following(CORNERS, logits), grid(1, 2), Choices(CORNERS))
    np.testing.assert_array_equal(made, CORNERS[[2, 2]])
    made = proposed(Following(CORNERS, logits), grid(1, 2), Choices(CORNERS), {0: CORNERS[0]})
    np.testing.assert_array_equal(made, CORNERS[[0, 0]])


def test_a_known_color_influences_the_others(build: Build, grid: Grid) -> None:
    network, tokens = build(seed=3), grid(3, 4)
    described = network.embed(network.encode(torch.zeros((1, 1, 64, 96))), tokens)
    red, blue, none = (
        proposed(network, tokens, Choices(network.colors), known, described=described)
        for known in ({0: RED}, {0: BLUE}, {})
    )
    for one, other in ((red, blue), (red, none), (blue, none)):
        assert (one - other)[1:].abs().amax(1).gt(0.05).any()


# --- variations ------------------------------------------------------------------------------


def test_the_same_random_numbers_give_the_same_colors(build: Build, grid: Grid) -> None:
    network, tokens = build(), grid(3, 4)
    described = network.embed(network.encode(torch.zeros((1, 1, 64, 96))), tokens)
    one, again, other = (
        proposed(
            network,
            tokens,
            Choices(network.colors),
            {3: RED},
            seeding.generator(seed, 2),
            described,
        )
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert (one - other).abs().amax(1).gt(0.05).sum() > 5
    for made in (one, other):
        np.testing.assert_array_equal(made[3], RED)


def test_variations_draw_probable_colors_more_often(grid: Grid) -> None:
    """At a temperature of 0.6: as often as the probability to the power of 1 / 0.6."""
    shares = torch.tensor([0.6, 0.3, 0.1])
    network = Fixed(CORNERS, shares.log().expand(900, 3))
    made = proposed(network, grid(30, 30), Choices(CORNERS), noise=seeding.generator(0, 0))
    found = (made[:, None] == CORNERS).all(-1).float().mean(0)
    wanted = shares ** (1 / 0.6) / (shares ** (1 / 0.6)).sum()
    np.testing.assert_allclose(found, wanted, atol=0.06)  # four standard deviations


# --- palettes --------------------------------------------------------------------------------


def test_colors_vote_for_the_nearest_of_the_palette(grid: Grid) -> None:
    """And white for white, which is none of the palette's."""
    network = Fixed(torch.stack((RED, GREEN, BLUE, WHITE)), torch.eye(4) * 30)
    near = torch.tensor([[0.1, 0.3, 0.7], [0.7, 0.2, 0.1], [0.2, 0.6, 0.3]])  # mixed up
    choices = from_palette(network, near)  # type: ignore[arg-type]
    np.testing.assert_array_equal(choices.colors, [*near.numpy(), WHITE.numpy()])
    assert choices.used == 3
    made = proposed(network, grid(2, 2), choices)
    np.testing.assert_array_equal(made, choices.colors[[1, 2, 0, 3]])


def test_off_white_becomes_a_color_of_the_palette(grid: Grid) -> None:
    """Only what is nearly white stays white."""
    cream = torch.tensor([1.0, 0.95, 0.8])
    network = Fixed(torch.stack((cream, WHITE)), torch.tensor([[9.0, 0], [0, 9], [9, 0], [9, 0]]))
    choices = from_palette(network, torch.stack((YELLOW, BLUE)))  # type: ignore[arg-type]
    made = proposed(network, grid(2, 2), choices)
    np.testing.assert_array_equal(made[1], WHITE)
    assert (made[[0, 2, 3]] == YELLOW).all(1).sum() == 2


def test_the_votes_are_a_gaussian_of_the_distance_in_oklab() -> None:
    network = Fixed(torch.stack((RED, WHITE)), torch.zeros((1, 2)))
    choices = from_palette(network, torch.stack((YELLOW, BLUE)))  # type: ignore[arg-type]
    assert choices.votes is not None and choices.votes.shape == (2, 3)
    red, yellow, white = (oklab.of_colors(color).double().numpy() for color in (RED, YELLOW, WHITE))
    squared = [((red - other) ** 2).sum() for other in (yellow, white)]
    np.testing.assert_allclose(choices.votes[0, 0], -squared[0] / 0.12**2, rtol=1e-4)
    np.testing.assert_allclose(choices.votes[0, 2], -squared[1] / 0.03**2, rtol=1e-4)
    np.testing.assert_allclose(choices.votes[1, 2], 0, atol=1e-4)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_every_color_of_a_palette_appears(seed: int | None, build: Build, grid: Grid) -> None:
    network, tokens = build(), grid(3, 4)
    network.colors[1:] = 0.2 * network.colors[1:] + 0.8 * RED  # it would choose nothing but red
    described = network.embed(network.encode(torch.zeros((1, 1, 64, 96))), tokens)
    palette = torch.stack((RED, GREEN, BLUE, YELLOW, 0.1 * WHITE, 0.5 * WHITE, 0.9 * WHITE))
    noise = None if seed is None else seeding.generator(seed, 2)
    made = proposed(network, tokens, from_palette(network, palette), {0: GREEN}, noise, described)
    assert away(palette, made) == 0
    assert away(made, torch.cat((palette, WHITE[None]))) == 0
    np.testing.assert_array_equal(made[0], GREEN)


def test_an_unused_color_goes_to_the_region_that_loses_least(grid: Grid) -> None:
    logits = torch.tensor([[9.0, 0, 1], [9, 0, 6], [9, 8, 0], [9, 0, 0]])
    made = proposed(Fixed(CORNERS, logits), grid(2, 2), Choices(CORNERS, used=3))
    np.testing.assert_array_equal(made, CORNERS[[0, 2, 1, 0]])
    # a hint is never taken for it
    made = proposed(Fixed(CORNERS, logits), grid(2, 2), Choices(CORNERS, used=3), {2: CORNERS[0]})
    np.testing.assert_array_equal(made[2], CORNERS[0])
    assert away(CORNERS, made) == 0


def test_a_color_that_only_one_region_has_stays_there(grid: Grid) -> None:
    """Two regions have no room for three colors."""
    logits = torch.tensor([[9.0, 0, 8], [0, 9, 8]])
    made = proposed(Fixed(CORNERS, logits), grid(1, 2), Choices(CORNERS, used=3))
    np.testing.assert_array_equal(made, CORNERS[[0, 1]])


def test_specks_are_not_used_for_a_color(grid: Grid) -> None:
    logits = torch.tensor([9.0, 0, 8]).repeat(24 * 32, 1)
    tokens = grid(24, 32)
    assert tokens.area.max() < 0.002
    made = proposed(Fixed(CORNERS, logits), tokens, Choices(CORNERS, used=3))
    np.testing.assert_array_equal(made, CORNERS[[0] * 24 * 32])


@pytest.mark.parametrize("count", [1, 100])
def test_palettes_of_one_and_of_100_colors_work(count: int, build: Build, grid: Grid) -> None:
    network, tokens = build(), grid(3, 4)
    described = network.embed(network.encode(torch.zeros((1, 1, 64, 96))), tokens)
    palette = torch.rand((count, 3), generator=torch.Generator().manual_seed(0))
    made = proposed(network, tokens, from_palette(network, palette), described=described)
    assert away(made, torch.cat((palette, WHITE[None]))) == 0
    assert len(made.unique(dim=0)) >= min(count, 12)


# --- references ------------------------------------------------------------------------------


def patchwork() -> Tensor:
    """Nine fields of different sizes and colors, [1, 3, 96, 96]."""
    colors = torch.rand((3, 3, 3), generator=torch.Generator().manual_seed(3)) * 0.9
    picture = torch.zeros((1, 3, 96, 96))
    edges = ((0, 24, 58, 96), (0, 38, 62, 96))
    for row in range(3):
        for column in range(3):
            part = (slice(edges[0][row], edges[0][row + 1]), slice(*edges[1][column : column + 2]))
            picture[(0, slice(None), *part)] = colors[row, column][:, None, None]
    return picture


def test_a_drawing_of_the_reference_gets_its_colors(build: Build) -> None:
    """By likeness of the regions, whatever an untrained network prefers."""
    network = build()
    network.size = 96
    rgb = patchwork()
    tokens, true = regions.colored(lines.contour(rgb), rgb, 50)
    described = network.embed(network.encode(lines.contour(rgb)), tokens)
    choices = from_reference(network, described, rgb)
    assert choices.used == 0 and choices.bonus is not None
    assert choices.bonus[0].argmax(1).tolist() == list(range(true.shape[1]))
    made = proposed(network, tokens, choices, described=described)
    plain = proposed(network, tokens, Choices(network.colors), described=described)
    right, before = (
        (((one - true[0]).abs().amax(1) < 0.02) * tokens.area[0]).sum() for one in (made, plain)
    )
    assert away(made, true[0]) < 1e-6
    assert right > 0.7 > 0.2 > before


# --- fill ------------------------------------------------------------------------------------


def test_drawings_are_filled_with_one_color_per_region(build: Build) -> None:
    network = build()
    ink = torch.zeros((2, 1, 64, 96))
    ink[0, :, [12, 50], 20:80] = ink[0, :, 12:51, [20, 79]] = 1
    made = fill(network, ink)
    assert made.shape == (2, 3, 64, 96)
    box, around, blank = made[0, :, 14:49, 22:78], made[0, :, :, :18], made[1]
    for part in (box, around, blank):
        assert part.flatten(1).std(1).max() < 1e-6
    assert away(made.movedim(1, -1).reshape(-1, 3).unique(dim=0), network.colors) < 1e-5
    assert network.colors.shape == (COLORS, 3)


def test_a_drawing_that_is_all_ink_is_filled_too(build: Build) -> None:
    made = fill(build(), torch.ones((1, 1, 32, 32)))
    assert made.shape == (1, 3, 32, 32) and made.isfinite().all()
