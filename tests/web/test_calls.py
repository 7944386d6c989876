"""The values of a form make a call, or are refused."""

from pathlib import Path

import pytest

from limner.errors import OptionError
from limner.web.calls import make_call
from limner.web.forms import TABS, Tab, fields

BY_VERB = {tab.verb: tab for tab in TABS}


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.verb)
def test_a_new_form_holds_the_defaults(tab: Tab) -> None:
    values = {one.option.name: one.initial for one in fields(tab) if one.kind != "picture"}
    pictures = {name: ["a.png"] for name in tab.pictures if name != "model"}
    call = make_call(tab, values, pictures)
    assert call.options.keys() == pictures.keys() & {"like"}, "only what was dropped in"


def test_a_missing_picture_is_named() -> None:
    with pytest.raises(OptionError, match="“Painting”: is empty"):
        make_call(BY_VERB["stylize"], {}, {"photo": ["a.jpg"]})


def test_generate_asks_for_a_picture_or_a_painter() -> None:
    with pytest.raises(OptionError, match=r"^“Picture to vary” and “Trained painter”: are empty"):
        make_call(BY_VERB["generate"], {}, {})


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
        ("colorize", "palette", "#" * 4001, "must be plain words .* at most 4000"),
        ("colorize", "hint", "1,2=" + "e" * 4000, "must be plain words .* at most 4000"),
        ("colorize", "gap", "2.5", "“Gap” 2.5: must be a whole number"),
        ("upscale", "print_", "C:\\x", "must be plain words"),
        ("upscale", "print_", "x" * 201, "must be plain words"),
    ],
)
def test_bad_values_are_refused(verb: str, name: str, value: object, said: str) -> None:
    pictures = {one.option.name: ["a.png"] for one in fields(BY_VERB[verb]) if one.option.input}
    with pytest.raises(OptionError, match=said):
        make_call(BY_VERB[verb], {name: value}, pictures)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("120,80=gold", ["120,80=gold"]),
        (" 1,2=#FC0; 3.5,4=sky blue ;", ["1,2=#FC0", "3.5,4=sky blue"]),
        ("nonsense", ["nonsense"]),  # colorize says what is wrong with it
    ],
)
def test_points_are_separated_by_semicolons(text: str, points: list[str]) -> None:
    call = make_call(BY_VERB["colorize"], {"hint": text}, {"sketch": ["a.png"]})
    assert call.options == {"hint": points}


@pytest.mark.parametrize("text", ["", " ; "])
def test_no_points_are_the_default(text: str) -> None:
    assert make_call(BY_VERB["colorize"], {"hint": text}, {"sketch": ["a"]}).options == {}


def test_a_palette_is_colors_or_a_picture() -> None:
    many = ",".join(["#aa3311"] * 256)
    given = {"sketch": ["a.png"]}
    assert make_call(BY_VERB["colorize"], {"palette": many}, given).options == {"palette": many}
    given["palette"] = ["/t/flag.png"]
    for nothing in ("", None, " "):
        call = make_call(BY_VERB["colorize"], {"palette": nothing}, given)
        assert call.options == {"palette": "/t/flag.png"}
    with pytest.raises(OptionError, match=r"^“Palette” gold,#f00: there is a file too; remove"):
        make_call(BY_VERB["colorize"], {"palette": "gold,#f00"}, given)


def test_hints_are_of_the_drawing_or_of_a_picture() -> None:
    given = {"sketch": ["a.png"]}
    assert make_call(BY_VERB["colorize"], {"hints": "self"}, given).options == {"hints": "self"}
    given["hints"] = ["/t/hints.png"]
    with pytest.raises(OptionError, match=r"^“Hints” self: there is a file too; remove"):
        make_call(BY_VERB["colorize"], {"hints": "self"}, given)


def test_a_network_is_a_name_or_a_file() -> None:
    given = {"picture": ["a.png"]}
    chosen = {"model": "realesrgan", "detail": 0.65}  # where the slider is at first
    assert make_call(BY_VERB["upscale"], chosen, given).options == {"model": "realesrgan"}
    given["model"] = ["/t/own.safetensors"]
    call = make_call(BY_VERB["upscale"], {"model": ""}, given)
    assert call.options == {"model": "/t/own.safetensors"}
    with pytest.raises(OptionError, match=r"^“Other weights” realesrgan: there is a file too;"):
        make_call(BY_VERB["upscale"], chosen, given)


def test_weights_are_added_to_the_paintings() -> None:
    given = {"photo": ["p.png"], "styles": ["a.png", "b.png", "c.png"]}
    for text, inputs in (
        ("", ["a.png", "b.png", "c.png"]),
        ("0.5 2", ["a.png:0.5", "b.png:2", "c.png"]),
        (" 1,1 ,.25", ["a.png:1", "b.png:1", "c.png:0.25"]),
    ):
        assert make_call(BY_VERB["stylize"], {"styles": text}, given).inputs == ["p.png", *inputs]


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
