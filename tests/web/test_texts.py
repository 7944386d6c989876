"""Every text of the page is translated, and nothing else is in the lists."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import limner
from limner.web.description import describe
from limner.web.forms import TABS

STATIC = Path(limner.__file__).parent / "web/static"
LANGUAGES = ("de", "ru")
_CALL = re.compile(r"""\bt\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`$]*`)""")
_PLACE = re.compile(r"\{\w+\}")
_NUMBER = re.compile(r"\d+")


def texts_of_scripts() -> Iterator[str]:
    for path in sorted((STATIC / "js").glob("*.js")):
        for found in _CALL.findall(path.read_text(encoding="utf-8")):
            yield json.loads(f'"{found[1:-1]}"') if found[0] != "'" else found[1:-1]
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    yield from re.findall(r'data-text="([^"]+)"', html)


def texts_of_forms() -> Iterator[str]:
    for tab in TABS:
        form = describe(tab)
        yield from (form["title"], form["summary"])
        for slot in form["slots"]:
            yield from (slot["label"], slot["help"])
        for group in form["groups"]:
            yield group["title"]
            for field in group["fields"]:
                yield from (field["label"], field["help"])
                yield from field["choices"] or ()
        yield from (preset["title"] for preset in form["presets"])


TEXTS = {text for text in (*texts_of_scripts(), *texts_of_forms()) if text}


def translations(language: str) -> dict[str, str]:
    path = STATIC / f"texts/{language}.json"
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language: str) -> None:
    found = translations(language)
    assert sorted(TEXTS - found.keys()) == [], "add them to the list"
    assert sorted(found.keys() - TEXTS) == [], "no longer used"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_the_places_of_values(language: str) -> None:
    for text, translated in translations(language).items():
        assert translated.strip(), text
        forms = translated.split(" | ")  # singular and plural
        assert len(forms) == (1 if " | " not in text else {"de": 2, "ru": 3}[language]), text
        for form in forms:
            assert {*_PLACE.findall(form)} == {*_PLACE.findall(text)}, text
            if len(forms) == 1:
                assert sorted(_NUMBER.findall(text)) == sorted(_NUMBER.findall(form)), text


def test_russian_is_written_in_cyrillic() -> None:
    for text, translated in translations("ru").items():
        words = re.findall(r"[a-z]{4,}", text)
        assert not words or re.search(r"[а-яё]", translated) or translated == text, text
