"""Sizes on a screen and on paper, against exact fractions; and suggestions of errors that work."""

import itertools
import math
import re
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
import torch

from limner.errors import OptionError
from limner.upscaling.paper import Size, SizeOptions, place_on_paper, plan

FITS = ("fit", "fill", "pad")


def planned(size: tuple[int, int], **options: Any) -> Size:
    """The planned size for height and width, with the verb's defaults."""
    defaults = {"scale": None, "print_": None, "dpi": 150, "fit": "fit", "bleed": None}
    checked = SizeOptions(**{**defaults, "max_scale": 4, **options})
    checked.check()
    return plan(size, checked)


def refusal(size: tuple[int, int], **options: Any) -> str:
    with pytest.raises(OptionError) as raised:
        planned(size, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# --- geometry --------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("bleed", [0, 3, 50])
def test_the_sheet_and_the_picture_on_it(fit: str, bleed: int) -> None:
    """Paper in millimeters, 25.4 to an inch; all numbers are exact before rounding to pixels."""
    sizes = [(40, 60), (31, 97), (97, 31), (450, 450), (2000, 1300), (1, 1), (2, 500)]
    papers, found = [(60, 40), (210, 297), (33, 200)], Counter[str]()
    for size, paper, dpi in itertools.product(sizes, papers, (30, 72, 150)):
        width, height = (Fraction((side + 2 * bleed) * dpi * 10, 254) for side in paper)
        sheet = round(height), round(width)
        ratios = [Fraction(space, side) for space, side in zip(sheet, size, strict=True)]
        factor = max(ratios) if fit == "fill" else min(ratios)
        options = {"print_": f"{paper[0]}x{paper[1]}mm", "dpi": dpi, "fit": fit, "max_scale": 16}
        options["bleed"] = f"{bleed}mm" if bleed else None
        if factor > 16:
            assert "times larger, more than 16" in refusal(size, **options)
            found["refused"] += 1
            continue
        thinnest = round(min(size) * factor) or 1
        if fit == "fit" and bleed and 2 * round(Fraction(bleed * dpi * 10, 254)) >= thinnest:
            assert "would cut off the whole picture" in refusal(size, **options)
            found["cut"] += 1
            continue
        plan = planned(size, **options)
        assert math.isclose(plan.factor, factor)
        assert abs(plan.bleed - Fraction(bleed * dpi * 10, 254)) <= 0.5
        assert plan.sheet == (plan.picture if fit == "fit" else sheet)
        exact = [side * factor for side in size]
        off = [made - side for made, side in zip(plan.picture, exact, strict=True)]
        if fit == "fill":  # rounded up to reach the edges; one more pixel if a float is above
            assert all(made >= space for made, space in zip(plan.picture, sheet, strict=True))
            assert 0 <= min(off) <= max(off) <= 1
        else:
            assert all(made <= space for made, space in zip(plan.picture, sheet, strict=True))
            assert any(made == space for made, space in zip(plan.picture, sheet, strict=True))
            for made, side in zip(plan.picture, exact, strict=True):
                assert abs(made - side) <= 0.5 + 1e-9 or made == 1  # never less than a pixel
        found["larger" if factor > 1 else "smaller"] += 1
    assert min(found.values()) >= 3 and len(found) == 3 + ("cut" in found), found


@pytest.mark.parametrize(
    ("options", "picture", "sheet", "bleed"),
    [
        ({"fit": "fit"}, (157, 209), (157, 209), 0),  # into 236.2 × 157.5 pixels
        ({"fit": "pad"}, (157, 209), (157, 236), 0),
        ({"fit": "fill"}, (177, 236), (157, 236), 0),
        ({"fit": "fit", "bleed": "3mm"}, (181, 241), (181, 241), 12),  # into 259.8 × 181.1, 11.8
        ({"fit": "pad", "bleed": 0.003}, (181, 241), (181, 260), 12),
        ({"fit": "fill", "bleed": "0.3cm"}, (195, 260), (181, 260), 12),
    ],
)
def test_six_by_four_centimeters_at_100_dpi(
    options: dict[str, Any], picture: tuple[int, int], sheet: tuple[int, int], bleed: int
) -> None:
    found = planned((600, 800), print_="6x4cm", dpi=100, **options)
    assert (found.sheet, found.bleed) == (sheet, bleed)
    slack = 1 if options["fit"] == "fill" else 0  # a float just above an integer is rounded up
    assert all(0 <= a - b <= slack for a, b in zip(found.picture, picture, strict=True))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (40, 28)),
        ({"scale": 1.5}, (15, 10)),  # of 10.5, rounded to even
        ({"max_scale": 3}, (30, 21)),
        ({"max_scale": 9}, (40, 28)),
        ({"scale": 9, "max_scale": 9}, (90, 63)),
        ({"scale": 16, "max_scale": 16}, (160, 112)),
    ],
)
def test_size_without_paper(options: dict[str, Any], size: tuple[int, int]) -> None:
    found = planned((10, 7), **options)
    assert found == Size(size[0] / 10, size, size, 0)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"width": 15}, (21, 15)),  # of 21.4
        ({"height": 15}, (15, 10)),  # of 10.5, rounded to even
        ({"width": 28, "height": 15}, (15, 10)),
        ({"width": 14, "height": 40}, (20, 14)),
        ({"width": 3}, (4, 3)),  # smaller, too
        ({"width": 28}, (40, 28)),
    ],
)
def test_size_in_pixels(options: dict[str, Any], size: tuple[int, int]) -> None:
    found = planned((10, 7), **options)
    assert found.picture == found.sheet == size and found.bleed == 0


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("depth", [torch.uint8, torch.uint16])
def test_a_picture_is_centered(depth: torch.dtype, turned: bool) -> None:
    """White borders, or cropped parts, of both sides differ by at most one pixel."""
    white = torch.iinfo(depth).max
    for side, space in itertools.product(range(1, 6), repeat=2):
        picture = torch.arange(1, side + 1).expand(1, 3, 2, side)  # 1, 2, 3, … along the side
        picture, sheet = (picture.mT, (space, 2)) if turned else (picture, (2, space))
        laid = place_on_paper(picture.to(depth), sheet)
        assert laid.dtype == depth and laid.shape == (1, 3, *sheet)
        rows = (laid.mT if turned else laid).reshape(-1, space).tolist()
        assert rows == rows[:1] * 6
        inside = [value for value in rows[0] if value != white]
        assert inside == list(range(inside[0], inside[0] + min(side, space)))
        before, after = rows[0].index(inside[0]), rows[0][::-1].index(inside[-1])
        cut = inside[0] - 1, side - inside[-1]
        assert before + after == max(0, space - side) and abs(before - after) <= 1
        assert sum(cut) == max(0, side - space) and abs(cut[0] - cut[1]) <= 1


# --- refusals and their suggestions ----------------------------------------------------------


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("bleed", [None, "3mm"])
@pytest.mark.parametrize("max_scale", [2, 4, 7])
def test_suggestions_for_too_large_a_print_work(
    fit: str, bleed: str | None, max_scale: float
) -> None:
    for size in ((100, 150), (100, 120), (120, 110)):
        options = {"print_": "13x9cm", "dpi": 271, "fit": fit, "bleed": bleed}
        said = refusal(size, **options, max_scale=max_scale)
        assert said.startswith("--print 13x9cm: at 271 dpi the picture would become ")
        dpi = re.search(r"use --dpi (\d+), or smaller paper", said)
        larger = re.search(r"smaller paper, or --max-scale (\d+)$", said)
        assert dpi and larger
        followed = planned(size, **{**options, "dpi": int(dpi[1])}, max_scale=max_scale)
        assert 0.9 * max_scale < followed.factor <= max_scale  # and not smaller than necessary
        followed = planned(size, **options, max_scale=int(larger[1]))
        assert int(larger[1]) - 1 < followed.factor <= int(larger[1])
        assert f"become {followed.factor:.1f} times larger, more than {max_scale}" in said


def test_no_suggestion_is_above_16_times() -> None:
    """10 pixels on an inch: 160 dpi is exactly 16 times, which is allowed."""
    said = refusal((10, 10), print_="1x1in", dpi=160)
    assert said.endswith("become 16.0 times larger, more than 4; use --dpi 40, or smaller paper, "
                         "or --max-scale 16")  # fmt: skip
    assert planned((10, 10), print_="1x1in", dpi=160, max_scale=16).picture == (160, 160)
    said = refusal((10, 10), print_="1x1in", dpi=161)
    assert said.endswith("use --dpi 40, or smaller paper")
    said = refusal((10, 10), print_="1x1in", dpi=161, max_scale=16)
    assert said.endswith("more than 16; use --dpi 160, or smaller paper")
    assert planned((10, 10), print_="1x1in", dpi=160, max_scale=16).factor == 16


@pytest.mark.parametrize(("side", "paper"), [(1, "60x40cm"), (29, "4x4in")])
def test_no_suggestion_is_below_30_dpi(side: int, paper: str) -> None:
    assert not re.search(r"--dpi [12]?\d\b", refusal((side, side), print_=paper))


def test_suggestions_work_for_a_fractional_scale() -> None:
    """5 pixels times 2.5 are 12.5, which is rounded to 12 or 13."""
    options: dict[str, Any] = {"print_": "0.1x0.1in", "max_scale": 2.5}
    (dpi,) = re.findall(r"use --dpi (\d+)", refusal((5, 5), dpi=142, **options))
    assert planned((5, 5), dpi=int(dpi), **options).factor <= 2.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_scale": 0.9}, "--max-scale 0.9: must be from 1 to 16"),
        ({"max_scale": 16.1}, "--max-scale 16.1: must be from 1 to 16"),
        ({"max_scale": math.nan}, "--max-scale nan: must be from 1 to 16"),
        (
            {"scale": 8.1, "max_scale": 8},
            "--scale 8.1: must be above 1 and at most 8, the",
        ),
        ({"scale": 1.5, "max_scale": 1}, "--scale 1.5: must be above 1 and at most 1"),
        ({"print_": "1x1in", "dpi": 1201}, "--dpi 1201: must be from 30 to 1200"),
        ({"print_": "1x1in", "dpi": math.nan}, "--dpi nan: must be from 30 to 1200"),
        ({"print_": "1x1in", "bleed": "5.1cm"}, "--bleed 5.1cm: must be at most 5cm"),
        ({"dpi": 300}, "--dpi 300: has no effect without --print"),
        ({"fit": "fill"}, "--fit fill: has no effect without --print"),
        ({"bleed": "3mm"}, "--bleed 3mm: has no effect without --print"),
        ({"scale": 2, "print_": "1x1in"}, "--scale and --print: both set the size"),
        ({"scale": 2, "width": 90}, "--scale and --width: both set the size; give only one"),
        ({"height": 9, "print_": "1x1in"}, "--print and --height: both set the size"),
        ({"width": 0}, "--width 0: must be at least 1"),
        (
            {"width": 300},
            "--width 300: the picture would become 5.0 times larger, more than 4; use --width 240, "
            "or --max-scale 5",
        ),
        (
            {"height": 2000, "width": 3000},
            "--height 2000: the picture would become 50.0 times larger, more than 4; use --height "
            "160",
        ),
        ({"print_": "1x1in", "bleed": "-3mm"}, "--bleed '-3mm': must be a length above 0"),
    ],
)
def test_invalid_sizes_are_refused(options: dict[str, Any], says: str) -> None:
    assert refusal((40, 60), **options).startswith(says)
