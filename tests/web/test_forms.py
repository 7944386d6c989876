"""The forms: their fields and labels come from signatures and docstrings."""

import inspect

import pytest
from PIL import Image

import limner
from limner.progress import OnStep, silent
from limner.web import forms
from limner.web.calls import make_call
from limner.web.forms import TABS, Tab, fields, labels, with_labels

BY_VERB = {tab.verb: tab for tab in TABS}


def tint(
    picture: str | Image.Image,
    *,
    size: int | None = None,
    warmth: float = 0.5,
    tone: float | None = None,
    words: str = "",
    on_step: OnStep = silent,
) -> Image.Image:
    """Change the color of a picture.

    Parameters
    ----------
    picture : str or PIL image
        What to change.
    size : int
        Pixels.
    warmth : float
        Color temperature, from 0 (cold) to 1 (warm); see --size.
    tone : float
        Tone, from -1 to 1. Default: 0.2.
    words : str
        Any.
    on_step : callable
        Called.
    """
    raise NotImplementedError


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.verb)
def test_every_option_is_on_the_form_or_left_out_on_purpose(tab: Tab) -> None:
    known = set(inspect.signature(getattr(limner, tab.verb)).parameters)
    shown = {one.option.name for one in fields(tab)}
    left_out = {"on_step", "checkpoint", "allow_huge", "resume", "save_every", "features"}
    folders = {"nearest", "pictures"}  # of the server: the page does not open them
    assert known - shown <= left_out | folders
    assert {*tab.first, *tab.pictures} <= shown, "the tab names options that do not exist"
    assert all(one.label and one.option.help for one in fields(tab))


def test_colors_can_be_written_or_taken_from_a_picture() -> None:
    tab = BY_VERB["colorize"]
    words, picture = (one for one in fields(tab) if one.option.name == "palette")
    assert (words.kind, words.label, words.initial) == ("text", "Palette", "")
    assert (picture.kind, picture.label, picture.help) == (
        "picture",
        "Palette: a picture instead",
        "",
    )
    assert forms.is_first(tab, words) and not forms.is_first(tab, picture)
    (points,) = (one for one in fields(tab) if one.option.name == "hint")
    assert points.kind == "text" and points.help.endswith(
        "There may be several. Separate them with semicolons."
    )


def test_a_new_option_appears_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limner, "tint", tint, raising=False)
    tab = Tab("tint", "Tint", ("warmth",), {"picture": "Picture"})
    found = {one.option.name: one for one in fields(tab)}
    assert list(found) == ["picture", "warmth", "size", "tone", "words"]
    assert found["picture"].kind == "picture"
    assert (found["warmth"].kind, found["warmth"].low, found["warmth"].high) == ("slider", 0, 1)
    assert found["size"].kind == "integer" and found["size"].initial is None
    assert (found["tone"].kind, found["tone"].low, found["tone"].initial) == ("slider", -1, 0.2)
    assert found["warmth"].help.endswith("see “Size”."), "labels, not options"
    values = {"size": "80", "warmth": 0.5, "tone": 0.2, "words": "a b"}
    call = make_call(tab, values, {"picture": ["/x/p.png"]})
    assert (call.inputs, call.options) == (["/x/p.png"], {"size": 80, "words": "a b"})


def test_messages_name_fields_by_their_labels() -> None:
    names = labels(BY_VERB["generate"])
    text = "-n 0: must be at least 1 (--size is for --like); a-n --sizes, or pass --allow-huge"
    assert with_labels(text, names) == (
        f"“{names['-n']}” 0: must be at least 1 (“Size” is for “Picture to vary”); "
        "a-n --sizes (on the command line), or pass --allow-huge (on the command line)"
    )


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("From 0.25 to 4.", ("0.25", "4")),
        ("Strength, from 0 (the photo) to 2 (the painting).", ("0", "2")),
        ("From -1, cold, to 1.", ("-1", "1")),
        ("From 64 to 1024 pixels.", None),
        ("Shows 2 or 3.", None),
    ],
)
def test_sliders_take_their_limits_from_the_help(text: str, limits: tuple[str, str] | None) -> None:
    found = forms._RANGE.search(text)
    assert (found and found.groups()) == limits


def test_these_options_are_sliders() -> None:
    """A help text whose limits the page can no longer read would make a plain field of them."""
    found = {
        (tab.verb, one.option.name) for tab in TABS for one in fields(tab) if one.kind == "slider"
    }
    assert found >= {
        ("stylize", "strength"),
        ("stylize", "style_scale"),
        ("sketch", "thickness"),
        ("sketch", "strength"),
        ("beautify", "strength"),
        ("colorize", "vivid"),
        ("colorize", "shading"),
        ("generate", "variety"),
        ("generate", "truncation"),
        ("upscale", "dpi"),
        ("upscale", "detail"),
        ("upscale", "clean"),
    }
