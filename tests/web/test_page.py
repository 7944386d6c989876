"""The page in a browser: every tab with real pictures, stopping, and mistakes."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from studio_process import StudioPage

import limner
from limner.batch.replay import replay
from limner.io import recipe_of
from small_painters import write_painter

pytestmark = pytest.mark.browser
Pictures = dict[str, Path]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Use one thread, as the studio does: sums depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def values(picture: Path | Image.Image) -> Any:
    image = Image.open(picture) if isinstance(picture, Path) else picture
    return np.asarray(image.convert("RGB")).astype(int)


def similar(path: Path, ours: Image.Image) -> bool:
    """Return whether a download is the library's picture. Threads add in any order: within 0.5."""
    theirs = values(path)
    same_shape = theirs.shape == values(ours).shape
    return bool(same_shape and abs(theirs - values(ours)).mean() < 0.5)


def test_stylize_shows_previews_and_equals_the_library(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio_page.add_picture("stylize-photo-0", pictures["photo"])
    studio_page.add_picture("stylize-styles-0", pictures["painting"])
    studio_page.write("stylize-size", "96")
    studio_page.more("stylize")
    studio_page.write("stylize-steps", "60")
    studio_page.page.click("#stylize-run")
    studio_page.wait_for_previews("stylize")
    assert studio_page.page.is_enabled("#stylize-stop") and not studio_page.page.is_enabled(
        "#stylize-run"
    )
    assert "Done in" in studio_page.wait_for_end("stylize")
    studio_page.page.wait_for_selector("#stylize-slider img")
    assert studio_page.page.locator("#stylize-slider img").count() == 2

    folder = tmp_path / "downloads"
    folder.mkdir()
    got = studio_page.download("stylize", folder)
    ours = limner.stylize(pictures["photo"], pictures["painting"], size=96, steps=60)
    assert similar(got, ours)
    assert recipe_of(got)["inputs"] == ["photo.png", "painting.png:1.0"]
    monkeypatch.chdir(tmp_path)  # where the pictures are
    assert similar(got, replay(got))


def test_stop_keeps_the_picture(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path
) -> None:
    studio_page.add_picture("stylize-photo-0", pictures["photo"])
    studio_page.add_picture("stylize-styles-0", pictures["painting"])
    studio_page.write("stylize-size", "512")
    studio_page.page.click("#stylize-run")
    studio_page.page.wait_for_selector("#stylize-preview img")
    began = time.monotonic()
    studio_page.page.click("#stylize-stop")
    assert "Stopped after" in studio_page.wait_for_end("stylize")
    assert time.monotonic() - began < 15
    got = studio_page.download("stylize", tmp_path)
    with Image.open(got) as kept:
        assert max(kept.size) == 512
    assert studio_page.page.is_enabled("#stylize-run") and not studio_page.page.is_enabled(
        "#stylize-stop"
    )


LONG: list[tuple[str, dict[str, str], dict[str, str], dict[str, str], str]] = [
    (
        "hybridize",
        {"near_photo-0": "photo", "far_photo-0": "painting"},
        {"method": "article"},
        {"steps": "5000"},
        "Stopped after",
    ),
    ("colorize", {"sketch-0": "large drawing"}, {}, {"variations": "16"}, "Stopped after"),
    ("beautify", {"picture-0": "large"}, {"method": "optimize"}, {}, "Stopped after"),
    ("generate", {"like-0": "painting"}, {}, {"n": "60", "size": "300x200"}, "Stopped after"),
    (
        "upscale",
        {"picture-0": "photo"},
        {"quality": "best"},
        {"tile": "32"},
        "no picture to keep yet",
    ),
]


@pytest.mark.parametrize(
    ("verb", "given", "chosen", "written", "said"), LONG, ids=[one[0] for one in LONG]
)
def test_long_jobs_show_previews_and_can_be_stopped(
    verb: str,
    given: dict[str, str],
    chosen: dict[str, str],
    written: dict[str, str],
    said: str,
    studio_page: StudioPage,
    pictures: Pictures,
    tmp_path: Path,
) -> None:
    studio_page.open(verb)
    for place, name in given.items():
        studio_page.add_picture(f"{verb}-{place}", pictures[name])
    studio_page.more(verb)
    for place, word in chosen.items():
        studio_page.page.locator(f"#{verb}-{place}").get_by_label(word, exact=True).check()
    for place, text in written.items():
        studio_page.write(f"{verb}-{place}", text)
    studio_page.page.click(f"#{verb}-run")
    studio_page.wait_for_previews(verb)
    studio_page.page.click(f"#{verb}-stop")
    assert said in studio_page.wait_for_end(verb)
    assert studio_page.page.is_enabled(f"#{verb}-run") and not studio_page.page.is_enabled(
        f"#{verb}-stop"
    )
    if said == "Stopped after":
        with Image.open(studio_page.download(verb, tmp_path)) as kept:
            kept.load()


def test_one_of_several_pictures_is_selected_and_sent_on(
    studio_page: StudioPage, pictures: Pictures
) -> None:
    studio_page.open("generate")
    studio_page.add_picture("generate-like-0", pictures["painting"])
    studio_page.write("generate-n", "3")
    studio_page.write("generate-size", "96x64")
    studio_page.run("generate")
    studio_page.page.locator("#generate-gallery button img").nth(1).click()
    studio_page.page.wait_for_selector("#generate-gallery .preview")
    time.sleep(0.5)  # until the studio has noticed
    studio_page.page.click("#generate-to-upscale")
    studio_page.page.wait_for_selector("#upscale-picture-0 img[src*='shown-']")
    assert "-02.png" in studio_page.command("upscale")


def test_generate_uses_a_painter(studio_page: StudioPage, tmp_path: Path) -> None:
    model = write_painter(tmp_path / "painter.safetensors")
    studio_page.open("generate")
    studio_page.page.set_input_files("#generate-model-0 input[type=file]", model)
    studio_page.page.wait_for_selector("#generate-model-0 :text('painter')")
    studio_page.write("generate-n", "2")
    studio_page.run("generate")
    folder = tmp_path / "downloads"
    folder.mkdir()
    got = studio_page.download("generate", folder, 1)
    assert similar(got, limner.generate(model, n=2)[1])
    assert "limner generate painter.safetensors -n 2" in studio_page.command("generate")


def test_a_pdf_is_made_and_cannot_be_sent_on(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path
) -> None:
    studio_page.open("upscale")
    studio_page.add_picture("upscale-picture-0", pictures["photo"])
    studio_page.write("upscale-width", "4")
    studio_page.write("upscale-height", "3.6")
    studio_page.more("upscale")
    studio_page.page.locator("#upscale-ending input").click()
    studio_page.page.get_by_role("option", name=".pdf").click()
    time.sleep(0.5)
    studio_page.run("upscale")
    assert studio_page.download("upscale", tmp_path).read_bytes().startswith(b"%PDF")
    studio_page.page.click("#upscale-to-stylize")
    studio_page.page.wait_for_selector(
        "#upscale-status .limner-error:has-text('PDF files are for printing')"
    )
    assert studio_page.page.is_visible("#upscale-run")


TABS: list[tuple[str, dict[str, str], dict[str, str], Callable[[Pictures], Image.Image]]] = [
    (
        "hybridize",
        {"near_photo-0": "photo", "far_photo-0": "painting"},
        {"size": "96"},
        lambda p: limner.hybridize(p["photo"], p["painting"], size=96),
    ),
    ("sketch", {"picture-0": "photo"}, {}, lambda p: limner.sketch(p["photo"])),
    (
        "colorize",
        {"sketch-0": "drawing"},
        {"palette-word": "#aa3311,#ffe0bd"},
        lambda p: limner.colorize(p["drawing"], palette="#aa3311,#ffe0bd"),
    ),
    ("beautify", {"picture-0": "photo"}, {}, lambda p: limner.beautify(p["photo"])),
    (
        "upscale",
        {"picture-0": "photo"},
        {"width": "4", "height": "3.6"},
        lambda p: limner.upscale(p["photo"], print_="4x3.6cm"),
    ),
    (
        "generate",
        {"like-0": "painting"},
        {"size": "96x64"},
        lambda p: limner.variations(p["painting"], n=1, size="96x64")[0],
    ),
]


@pytest.mark.parametrize(("verb", "given", "written", "ours"), TABS, ids=[t[0] for t in TABS])
def test_a_tab_equals_the_library(
    verb: str,
    given: dict[str, str],
    written: dict[str, str],
    ours: Callable[[Pictures], Image.Image],
    studio_page: StudioPage,
    pictures: Pictures,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    studio_page.open(verb)
    for place, name in given.items():
        studio_page.add_picture(f"{verb}-{place}", pictures[name])
    for place, text in written.items():
        studio_page.write(f"{verb}-{place}", text)
    time.sleep(0.5)  # the size in centimeters goes to the field of the paper
    studio_page.run(verb)
    assert "Done in" in studio_page.page.inner_text(f"#{verb}-status")
    folder = tmp_path / "downloads"
    folder.mkdir()
    got = studio_page.download(verb, folder)
    assert similar(got, ours(pictures))
    monkeypatch.chdir(tmp_path)
    assert similar(got, replay(got))


def test_the_page_works_after_a_mistake(studio_page: StudioPage, pictures: Pictures) -> None:
    studio_page.open("sketch")
    studio_page.add_picture("sketch-picture-0", pictures["photo"])
    studio_page.more("sketch")
    studio_page.command("sketch")
    studio_page.write("sketch-device", "字" * 100)
    studio_page.page.wait_for_function(
        "() => document.querySelector('#sketch-command textarea').value.includes('字')"
    )
    studio_page.page.click("#sketch-run")
    assert "device" in studio_page.wait_for_end("sketch").lower()
    studio_page.write("sketch-device", "auto")
    studio_page.page.wait_for_function(
        "() => !document.querySelector('#sketch-command textarea').value.includes('字')"
    )
    studio_page.run("sketch")
    assert "Done in" in studio_page.page.inner_text("#sketch-status")


def test_a_result_is_sent_to_another_verb_and_kept_in_the_history(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path
) -> None:
    studio_page.open("sketch")
    studio_page.add_picture("sketch-picture-0", pictures["drawing"])
    studio_page.run("sketch")
    studio_page.page.click("#sketch-to-colorize")
    studio_page.page.wait_for_selector("#colorize-sketch-0 img[src*='shown-']")
    studio_page.page.wait_for_selector("#colorize-run:visible")
    assert "limner colorize sketch-1.png" in studio_page.command("colorize")
    studio_page.run("colorize")
    assert recipe_of(studio_page.download("colorize", tmp_path))["inputs"] == ["sketch-1.png"]
    studio_page.page.locator("#history > button").click()
    studio_page.page.wait_for_selector("#history-gallery img")
    assert studio_page.page.locator("#history-gallery img").count() == 2
    studio_page.page.locator("#history-gallery button img").nth(1).click()
    recipe = studio_page.page.locator("#history-recipe textarea")
    studio_page.page.wait_for_function(
        "() => document.querySelector('#history-recipe textarea').value.includes('sketch')"
    )
    assert json.loads(recipe.input_value())["verb"] == "sketch"


def test_the_command_follows_the_form(studio_page: StudioPage, pictures: Pictures) -> None:
    assert studio_page.command("stylize") == "limner stylize photo.jpg styles.jpg -o stylize.png"
    studio_page.add_picture("stylize-photo-0", pictures["photo"])
    studio_page.write("stylize-size", "320")
    studio_page.page.wait_for_function(
        "() => document.querySelector('#stylize-command textarea').value.includes('--size 320')"
    )
    assert "photo.png" in studio_page.command("stylize")
    studio_page.add_picture("stylize-styles-0", pictures["painting"])
    studio_page.more("stylize")
    studio_page.add_picture("stylize-styles-1", pictures["photo"])
    studio_page.write("stylize-styles-word", "1 0.5")
    studio_page.page.wait_for_function(
        "() => document.querySelector('#stylize-command textarea').value.includes('0.5')"
    )
    assert "painting.png:1 photo.png:0.5 " in studio_page.command("stylize")
    studio_page.write("stylize-size", "many")
    studio_page.page.click("#stylize-run")
    assert "must be a number" in studio_page.wait_for_end("stylize")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_there_is_no_serious_accessibility_problem(
    width: int, scheme: str, studio_page: StudioPage, pictures: Pictures
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    studio_page.page.set_viewport_size({"width": width, "height": 844})
    studio_page.page.emulate_media(color_scheme=scheme)
    studio_page.page.reload()
    studio_page.page.wait_for_selector("#stylize-run")
    studio_page.open("sketch")
    studio_page.add_picture("sketch-picture-0", pictures["photo"])
    studio_page.run("sketch")
    problems = []
    for verb in ("sketch", "stylize", "hybridize", "colorize", "beautify", "generate", "upscale"):
        studio_page.open(verb)
        time.sleep(0.5)
        assert studio_page.page.evaluate("document.documentElement.scrollWidth") <= width, verb
        for problem in axe.Axe().run(studio_page.page).response["violations"]:
            if problem["impact"] in ("serious", "critical"):
                nodes = [" ".join(node["html"].split())[:160] for node in problem["nodes"][:4]]
                problems.append((verb, problem["id"], nodes))
    assert problems == []


def test_the_examples_of_every_tab_work(studio_page: StudioPage) -> None:
    for verb in ("sketch", "hybridize", "colorize", "beautify", "upscale", "generate", "stylize"):
        studio_page.open(verb)
        studio_page.page.click(f"#{verb}-example")
        if verb in ("generate", "stylize"):
            studio_page.write(f"{verb}-size", "96" if verb == "stylize" else "96x64")
        studio_page.page.wait_for_selector(f"#tab-{verb} img[src*='shown-']")
        studio_page.run(verb)
        assert "Done in" in studio_page.page.inner_text(f"#{verb}-status"), verb
