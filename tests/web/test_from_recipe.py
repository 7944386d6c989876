"""Recipes that somebody wrote, as forms of the page."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from limner.errors import InputError
from limner.web.from_recipe import form_of
from limner.web.gallery import Gallery


def form(folder: Path, inputs: list[str], options: dict[str, Any]) -> dict[str, Any]:
    text = PngInfo()
    recipe = {"verb": "stylize", "inputs": inputs, "options": options, "files": {}}
    text.add_text("limner", json.dumps(recipe))
    Image.new("RGB", (4, 4)).save(folder / "a.png", pnginfo=text)
    gallery = Gallery(folder / "gallery", 10**9)
    try:
        return form_of(folder / "a.png", gallery)
    finally:
        gallery.close()


def test_words_and_numbers_are_used_and_files_are_missing(tmp_path: Path) -> None:
    names = ["photo.png", "wave.png:0.7", "moon.png:.3"]
    made = form(tmp_path, names, {"strength": 1.5, "mask": []})
    assert made["values"] == {"strength": 1.5, "styles": "0.7, .3"}
    assert made["missing"] == ["photo.png", "wave.png", "moon.png"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"], ids=ascii)
def test_values_that_no_answer_can_hold_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(InputError, match=r"^a\.png: its recipe has values that no form holds$"):
        form(tmp_path, ["photo.png", "wave.png"], {"strength": value})


@pytest.mark.parametrize("weight", ["1.2.3", ".", "..", ""])
def test_a_weight_that_is_no_number_belongs_to_the_name(tmp_path: Path, weight: str) -> None:
    made = form(tmp_path, ["photo.png", f"wave.png:{weight}"], {})
    assert made["missing"] == ["photo.png", f"wave.png:{weight}"] and made["values"] == {}


@pytest.mark.parametrize("folder", ["C:\\Users\\me\\", "C:/Users/me/", "\\\\server\\share\\", "a/"])
def test_missing_files_are_named_without_their_folders(tmp_path: Path, folder: str) -> None:
    made = form(tmp_path, [f"{folder}photo.png", f"{folder}wave.png:0.7"], {})
    assert made["missing"] == ["photo.png", "wave.png"] and made["values"] == {"styles": "0.7"}
