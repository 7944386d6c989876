"""The description of the forms holds every field, and presets that the verbs take."""

import json

import pytest

from limner.web import forms
from limner.web.calls import make_call
from limner.web.description import PRESETS, describe, papers
from limner.web.forms import TABS, Tab
from limner.web.remedies import remedies


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.verb)
def test_every_field_and_slot_is_described(tab: Tab) -> None:
    form = describe(tab)
    json.dumps(form, allow_nan=False)
    fields = [field["name"] for group in form["groups"] for field in group["fields"]]
    slots = [slot["name"] for slot in form["slots"]]
    assert sorted(fields + slots) == sorted(one.option.name for one in forms.fields(tab))
    assert sum(slot["main"] for slot in form["slots"]) == 1
    assert {group["title"] for group in form["groups"]} <= {
        "Result",
        "Style",
        "Speed and memory",
        "Files",
        "Inputs",
    }


@pytest.mark.parametrize(
    ("verb", "values"), [(verb, values) for verb, all_ in PRESETS.items() for _, values in all_]
)
def test_presets_are_values_of_the_form(verb: str, values: dict[str, object]) -> None:
    tab = next(tab for tab in TABS if tab.verb == verb)
    files = {name: ["a.png"] for name in tab.pictures}
    call = make_call(tab, values, files)
    initial = {one.option.name: one.initial for one in forms.fields(tab)}
    assert call.options == {n: v for n, v in values.items() if initial[n] != v}


def test_papers_are_upright_and_in_centimeters() -> None:
    sizes = {one["name"]: (one["width"], one["height"]) for one in papers()}
    assert sizes["A4"] == (21.0, 29.7) and sizes["60x40"] == (60.0, 40.0)
    assert sizes["12x18 in"] == (30.48, 45.72) and sizes["letter"] == (21.59, 27.94)


@pytest.mark.parametrize(
    ("message", "verb", "found"),
    [
        ("--size 30: must be at least 64", "stylize", []),
        ("photo: is a photo; make a drawing, or give --force", "colorize", [("force", True)]),
        (
            "--print 9x9m: is large; use --dpi 33, or smaller paper, or --max-scale 12",
            "upscale",
            [("dpi", "33"), ("max_scale", "12")],
        ),
        ("--points: has no effect; leave out --align", "hybridize", []),
        ("it failed; use --allow-huge", "stylize", []),  # not on the page
        ("it failed; use --size 64", "shout", []),
    ],
)
def test_remedies_are_read_from_messages(
    message: str, verb: str, found: list[tuple[str, object]]
) -> None:
    got = remedies(message, verb)
    assert [(one["option"], one["value"]) for one in got] == found
    assert all("“" in one["label"] for one in got)
