"""The forms: fields come from signatures, and their values make a call."""

import inspect
from pathlib import Path

import pytest
from PIL import Image

import limner
from limner.errors import OptionError
from limner.progress import OnStep, silent
from limner.web import forms
from limner.web.forms import TABS, Tab, fields, labels, make_call, with_labels

BY_VERB = {tab.verb: tab for tab in TABS}


def tint(
    picture: str | Image.Image,
    *,
    size: int | None = None,
    warmth: float = 0.5,
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
    folders = {"nearest"}  # a folder of the server, which the page does not open
    assert known - shown <= left_out | folders
    assert {*tab.first, *tab.pictures} <= shown, "the tab names options that do not exist"
    assert all(one.label and one.option.help for one in fields(tab))


def test_a_new_option_appears_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limner, "tint", tint, raising=False)
    tab = Tab("tint", "Tint", ("warmth",), {"picture": "Picture"})
    found = {one.option.name: one for one in fields(tab)}
    assert list(found) == ["picture", "warmth", "size", "words"]
    assert found["picture"].kind == "picture"
    assert (found["warmth"].kind, found["warmth"].low, found["warmth"].high) == ("slider", 0, 1)
    assert found["size"].kind == "integer" and found["size"].initial is None
    assert found["warmth"].help.endswith("see “Size”."), "labels, not options"
    call = make_call(tab, {"size": "80", "warmth": 0.5, "words": "a b"}, {"picture": ["/x/p.png"]})
    assert (call.inputs, call.options) == (["/x/p.png"], {"size": 80, "words": "a b"})


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.verb)
def test_a_new_form_holds_the_defaults(tab: Tab) -> None:
    values = {one.option.name: one.initial for one in fields(tab) if one.kind != "picture"}
    pictures = {name: ["a.png"] for name in tab.pictures if name != "model"}
    call = make_call(tab, values, pictures)
    assert call.options.keys() == pictures.keys() & {"like"}, "only what was dropped in"


def test_a_missing_picture_is_named() -> None:
    with pytest.raises(OptionError, match="“Painting”: is empty"):
        make_call(BY_VERB["stylize"], {}, {"photo": ["a.jpg"]})


@pytest.mark.parametrize(
    ("verb", "name", "value", "said"),
    [
        ("stylize", "size", "many", "must be a number"),
        ("stylize", "size", 80.5, "must be a whole number"),
        ("stylize", "size", float("nan"), "must be a whole number"),
        ("stylize", "steps", "3,x", "several with commas"),
        ("stylize", "preset", "other", "must be one of limner, gatys"),
        ("stylize", "styles", "half", "“Painting weights” half: must be numbers"),
        ("stylize", "styles", "1, 0.5", "has 2 numbers for 1 pictures"),
        ("colorize", "palette", "../../etc/passwd", "must be plain words"),
        ("colorize", "palette", "#" * 201, "must be plain words"),
        ("upscale", "print_", "C:\\x", "must be plain words"),
        ("upscale", "print_", "x" * 201, "must be plain words"),
    ],
)
def test_bad_values_are_refused(verb: str, name: str, value: object, said: str) -> None:
    pictures = {one.option.name: ["a.png"] for one in fields(BY_VERB[verb]) if one.option.input}
    with pytest.raises(OptionError, match=said):
        make_call(BY_VERB[verb], {name: value}, pictures)


def test_weights_are_added_to_the_paintings() -> None:
    given = {"photo": ["p.png"], "styles": ["a.png", "b.png", "c.png"]}
    for text, wanted in (
        ("", ["a.png", "b.png", "c.png"]),
        ("0.5 2", ["a.png:0.5", "b.png:2", "c.png"]),
        (" 1,1 ,.25", ["a.png:1", "b.png:1", "c.png:0.25"]),
    ):
        assert make_call(BY_VERB["stylize"], {"styles": text}, given).inputs == ["p.png", *wanted]


def test_a_text_cannot_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text("x")
    given = {"photo": ["a"], "styles": ["b"]}
    with pytest.raises(OptionError, match="must be plain words"):
        make_call(BY_VERB["stylize"], {"device": "secret"}, given)
    longer = "字" * 150  # more bytes than a name can have
    assert make_call(BY_VERB["stylize"], {"device": longer}, given).options == {"device": longer}
    assert not any(
        one.kind == "text" and one.option.kind is Path for t in TABS for one in fields(t)
    )


def test_messages_name_fields_by_their_labels() -> None:
    names = labels(BY_VERB["generate"])
    text = "-n 0: must be at least 1 (--size is for --like); a-n --sizes, or pass --allow-huge"
    assert with_labels(text, names) == (
        f"“{names['-n']}” 0: must be at least 1 (“Size” is for “Picture to vary”); "
        "a-n --sizes (on the command line), or pass --allow-huge (on the command line)"
    )


def test_generate_asks_for_a_picture_or_a_painter() -> None:
    with pytest.raises(
        OptionError, match=r"^“Picture to vary” / “Or a trained painter .*: is empty"
    ):
        make_call(BY_VERB["generate"], {}, {})


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
        ("generate", "variety"),
        ("generate", "truncation"),
        ("upscale", "dpi"),
        ("upscale", "detail"),
    }
