"""The forms of the page, as JSON: slots, fields in the groups of the help, and presets."""

from collections.abc import Sequence
from typing import Any

from limner.cli.options import group_title
from limner.units import PAPERS
from limner.web import forms
from limner.web.forms import SEVERAL, Field, Tab

# Sizes of frames and prints that shops sell, in centimeters
_FRAMES = {"30x40": (30.0, 40.0), "60x40": (60.0, 40.0), "12x18 in": (30.48, 45.72)}

PRESETS: dict[str, Sequence[tuple[str, dict[str, Any]]]] = {
    "stylize": (
        ("Subtle", {"strength": 0.5}),
        ("Painting", {"strength": 1.0}),
        ("Wild", {"strength": 1.6, "style_scale": 1.6}),
    ),
    "upscale": (
        ("Sharp", {}),
        ("Restore", {"clean": 0.7, "detail": 0.5}),
        ("Invent", {"detail": 1.0}),
    ),
    "beautify": (
        ("Subtle", {"strength": 0.5}),
        ("Developed", {}),
        ("Strong", {"strength": 1.6}),
    ),
    "colorize": (
        ("Soft", {"vivid": 0.7}),
        ("Natural", {}),
        ("Vivid", {"vivid": 1.5, "shading": 0.4}),
    ),
    "sketch": (("Fine", {"thickness": 0.6}), ("Pencil", {}), ("Bold", {"thickness": 1.8})),
}


def papers() -> list[dict[str, Any]]:
    """Return the paper sizes of the page, upright, in centimeters."""
    named = {name.upper() if name[0] == "a" else name: size for name, size in PAPERS.items()}
    sizes = {name: (100 * width, 100 * height) for name, (width, height) in named.items()}
    return [
        {"name": name, "width": round(width, 2), "height": round(height, 2)}
        for name, (width, height) in (sizes | _FRAMES).items()
    ]


def describe(tab: Tab) -> dict[str, Any]:
    """Return the form of a verb; the keys are those of the API."""
    found = forms.fields(tab)
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        if one.kind not in ("picture", "weights_file"):
            of_style = one.kind == "picture_weights"
            title = "Style" if of_style else group_title(one.option.name)
            groups.setdefault(title, []).append(_field(tab, one))
    main = next(iter(tab.pictures))
    return {
        "verb": tab.verb,
        "title": tab.title,
        "summary": tab.summary,
        "several": tab.verb == "generate",
        "slots": [
            _slot(tab, one, main) for one in found if one.kind in ("picture", "weights_file")
        ],
        "groups": [{"title": title, "fields": fields} for title, fields in groups.items()],
        "presets": [
            {"title": title, "values": values} for title, values in PRESETS.get(tab.verb, ())
        ],
    }


def _slot(tab: Tab, one: Field, main: str) -> dict[str, Any]:
    return {
        "name": one.option.name,
        "label": one.label,
        "help": one.help,
        "kind": "weights" if one.kind == "weights_file" else "picture",
        "required": one.option.input,
        "several": SEVERAL if one.several else 1,
        "main": one.option.name == main,
        "first": forms.is_first(tab, one),
    }


def _field(tab: Tab, one: Field) -> dict[str, Any]:
    kind = {"save": "checkbox", "picture_weights": "text"}.get(one.kind, one.kind)
    if kind in ("integer", "number") and one.initial is None:
        kind = "text"  # an empty field stands for the default
    return {
        "name": one.option.name,
        "label": one.label,
        "help": one.help,
        "kind": kind,
        "choices": list(one.choices) if one.kind == "choice" else None,
        "low": one.low,
        "high": one.high,
        "step": 0.05 if one.high - one.low <= 4 else 1,
        "initial": one.initial,
        "first": forms.is_first(tab, one),
    }
