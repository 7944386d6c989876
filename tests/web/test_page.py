"""The page in a browser: every tab with real pictures, and what people may do to it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from desk import Desk
from PIL import Image

import limner
from limner.batch.replay import replay
from limner.io import recipe_of
from small_painters import write_painter

pytestmark = pytest.mark.browser
Pictures = dict[str, Path]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The studio has one, and sums differ with how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def values(picture: Path | Image.Image) -> Any:
    image = Image.open(picture) if isinstance(picture, Path) else picture
    return np.asarray(image.convert("RGB")).astype(int)


def alike(path: Path, ours: Image.Image) -> bool:
    """Whether a download is what the library makes, up to how threads add up."""
    theirs = values(path)
    return theirs.shape == values(ours).shape and abs(theirs - values(ours)).mean() < 0.5


def test_stylize_grows_and_is_the_librarys_own(
    desk: Desk, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.give("stylize-photo-0", pictures["photo"])
    desk.give("stylize-styles-0", pictures["painting"])
    desk.write("stylize-size", "96")
    desk.more("stylize")
    desk.write("stylize-steps", "60")
    desk.page.click("#stylize-run")
    desk.grows("stylize")
    assert desk.page.is_enabled("#stylize-stop") and not desk.page.is_enabled("#stylize-run")
    assert "Done in" in desk.ended("stylize")
    desk.page.wait_for_selector("#stylize-slider img")
    assert desk.page.locator("#stylize-slider img").count() == 2

    folder = tmp_path / "downloads"
    folder.mkdir()
    got = desk.download("stylize", folder)
    ours = limner.stylize(pictures["photo"], pictures["painting"], size=96, steps=60)
    assert alike(got, ours)
    assert recipe_of(got)["inputs"] == ["photo.png", "painting.png:1.0"]
    monkeypatch.chdir(tmp_path)  # where the pictures lie
    assert alike(got, replay(got))


def test_stop_keeps_the_picture(desk: Desk, pictures: Pictures, tmp_path: Path) -> None:
    desk.give("stylize-photo-0", pictures["photo"])
    desk.give("stylize-styles-0", pictures["painting"])
    desk.write("stylize-size", "512")
    desk.page.click("#stylize-run")
    desk.page.wait_for_selector("#stylize-preview img")
    began = time.monotonic()
    desk.page.click("#stylize-stop")
    assert "Stopped after" in desk.ended("stylize")
    assert time.monotonic() - began < 15
    got = desk.download("stylize", tmp_path)
    with Image.open(got) as kept:
        assert max(kept.size) == 512
    assert desk.page.is_enabled("#stylize-run") and not desk.page.is_enabled("#stylize-stop")


LONG: list[tuple[str, dict[str, str], dict[str, str], dict[str, str], str]] = [
    (
        "hybridize",
        {"near_photo-0": "photo", "far_photo-0": "painting"},
        {"method": "article"},
        {"steps": "5000"},
        "Stopped after",
    ),
    ("colorize", {"sketch-0": "drawing"}, {}, {"variations": "16", "size": "400"}, "Stopped after"),
    ("beautify", {"picture-0": "large"}, {"method": "optimise"}, {}, "Stopped after"),
    ("generate", {"like-0": "painting"}, {}, {"n": "60", "size": "300x200"}, "Stopped after"),
    ("upscale", {"picture-0": "photo"}, {"quality": "best"}, {"tile": "32"}, "nothing to keep yet"),
]


@pytest.mark.parametrize(
    ("verb", "given", "chosen", "written", "said"), LONG, ids=[one[0] for one in LONG]
)
def test_what_takes_long_is_seen_to_grow_and_is_stopped(
    verb: str,
    given: dict[str, str],
    chosen: dict[str, str],
    written: dict[str, str],
    said: str,
    desk: Desk,
    pictures: Pictures,
    tmp_path: Path,
) -> None:
    desk.open(verb)
    for place, name in given.items():
        desk.give(f"{verb}-{place}", pictures[name])
    desk.more(verb)
    for place, word in chosen.items():
        desk.page.locator(f"#{verb}-{place}").get_by_label(word, exact=True).check()
    for place, text in written.items():
        desk.write(f"{verb}-{place}", text)
    desk.page.click(f"#{verb}-run")
    desk.grows(verb)
    desk.page.click(f"#{verb}-stop")
    assert said in desk.ended(verb)
    assert desk.page.is_enabled(f"#{verb}-run") and not desk.page.is_enabled(f"#{verb}-stop")
    if said == "Stopped after":
        with Image.open(desk.download(verb, tmp_path)) as kept:
            kept.load()


def test_one_of_several_pictures_is_picked_and_goes_on(desk: Desk, pictures: Pictures) -> None:
    desk.open("generate")
    desk.give("generate-like-0", pictures["painting"])
    desk.write("generate-n", "3")
    desk.write("generate-size", "96x64")
    desk.run("generate")
    desk.page.locator("#generate-gallery button img").nth(1).click()
    desk.page.wait_for_selector("#generate-gallery .preview")
    time.sleep(0.5)  # until the studio knows of it
    desk.page.click("#generate-to-upscale")
    desk.page.wait_for_selector("#upscale-picture-0 img[src*='shown-']")
    assert "-02.png" in desk.command("upscale")


def test_a_painter_is_given_and_paints(desk: Desk, tmp_path: Path) -> None:
    model = write_painter(tmp_path / "painter.safetensors")
    desk.open("generate")
    desk.page.set_input_files("#generate-model-0 input[type=file]", model)
    desk.page.wait_for_selector("#generate-model-0 :text('painter')")
    desk.write("generate-n", "2")
    desk.run("generate")
    folder = tmp_path / "downloads"
    folder.mkdir()
    got = desk.download("generate", folder, 1)
    assert alike(got, limner.generate(model, n=2)[1])
    assert "limner generate painter.safetensors -n 2" in desk.command("generate")


def test_a_pdf_is_made_and_does_not_go_on(desk: Desk, pictures: Pictures, tmp_path: Path) -> None:
    desk.open("upscale")
    desk.give("upscale-picture-0", pictures["photo"])
    desk.write("upscale-width", "4")
    desk.write("upscale-height", "3.6")
    desk.more("upscale")
    desk.page.locator("#upscale-ending input").click()
    desk.page.get_by_role("option", name=".pdf").click()
    time.sleep(0.5)
    desk.run("upscale")
    assert desk.download("upscale", tmp_path).read_bytes().startswith(b"%PDF")
    desk.page.click("#upscale-to-stylize")
    desk.page.wait_for_selector(
        "#upscale-status .limner-alarm:has-text('a PDF is for the printer')"
    )
    assert desk.page.is_visible("#upscale-run")


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
        {"palette": "#aa3311,#ffe0bd"},
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
def test_a_tab_makes_what_the_library_makes(
    verb: str,
    given: dict[str, str],
    written: dict[str, str],
    ours: Callable[[Pictures], Image.Image],
    desk: Desk,
    pictures: Pictures,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk.open(verb)
    for place, name in given.items():
        desk.give(f"{verb}-{place}", pictures[name])
    for place, text in written.items():
        desk.write(f"{verb}-{place}", text)
    time.sleep(0.5)  # centimetres travel to the field of the paper
    desk.run(verb)
    assert "Done in" in desk.page.inner_text(f"#{verb}-status")
    folder = tmp_path / "downloads"
    folder.mkdir()
    got = desk.download(verb, folder)
    assert alike(got, ours(pictures))
    monkeypatch.chdir(tmp_path)
    assert alike(got, replay(got))


def test_dabs_on_the_drawing_colour_it(desk: Desk, pictures: Pictures, tmp_path: Path) -> None:
    desk.open("colorize")
    desk.give("colorize-sketch-0", pictures["drawing"])
    canvas = desk.page.locator("#colorize-dabs canvas").first
    canvas.wait_for()
    time.sleep(2)  # it fits the drawing in, and moves while it does
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    desk.page.mouse.move(x - 10, y)
    desk.page.mouse.down()
    desk.page.mouse.move(x + 10, y, steps=8)
    desk.page.mouse.up()
    time.sleep(1)
    desk.run("colorize")
    recipe = recipe_of(desk.download("colorize", tmp_path))
    assert isinstance(recipe["options"], dict)
    assert recipe["options"]["hints"] == "hints.png"
    made = values(tmp_path / "colorize-1.png")
    plain = values(limner.colorize(pictures["drawing"]))
    middle = (slice(60, 84), slice(65, 95))
    assert abs(made[middle] - plain[middle]).mean() > 8, "the dab changes nothing"
    assert "--hints hints.png" in desk.command("colorize")


def test_points_are_clicked_and_a_walk_is_taken(desk: Desk, pictures: Pictures) -> None:
    desk.open("hybridize")
    for place, name in (("near_photo", "photo"), ("far_photo", "painting")):
        desk.give(f"hybridize-{place}-0", pictures[name])
    clicked: dict[float, float] = {}
    for place in ("near_photo", "far_photo"):
        for share in (0.3, 0.7):
            seen = desk.page.locator(f"#hybridize-{place}-0 img[src*='uploads']").first
            before = seen.get_attribute("src")
            time.sleep(1)  # it is still finding its size
            box = seen.bounding_box()
            assert box is not None
            scale = min(1, box["width"] / 160, box["height"] / 144)  # small ones stay small
            clicked[share] = 80 + (share - 0.5) * box["width"] / scale
            seen.click(position={"x": box["width"] * share, "y": box["height"] / 2})
            desk.page.wait_for_function(
                f"() => document.querySelector('#hybridize-{place}-0 img')?.src !== '{before}'"
            )
    desk.more("hybridize")
    text = desk.page.locator("#hybridize-points textarea, #hybridize-points input").input_value()
    points = list(map(int, text.split(",")))
    assert len(points) == 8
    assert points == pytest.approx([clicked[0.3], 72, clicked[0.7], 72] * 2, abs=2)
    desk.write("hybridize-size", "96")
    desk.run("hybridize")
    seen = desk.page.locator("#hybridize-walk img")
    wide = seen.evaluate("it => it.getBoundingClientRect().width")
    desk.page.locator("#hybridize-walk input").fill("25")
    near = seen.evaluate("it => it.getBoundingClientRect().width")
    assert near == pytest.approx(wide / 4, rel=0.05)
    desk.page.click("#hybridize-near_photo-0 button[aria-label='Remove Image']")
    desk.give("hybridize-near_photo-0", pictures["large"])  # the points were another picture's
    desk.page.wait_for_function(
        "() => !document.querySelector('#hybridize-points :is(textarea, input)').value"
    )


def test_after_a_mistake_the_page_goes_on(desk: Desk, pictures: Pictures) -> None:
    desk.open("sketch")
    desk.give("draw-picture-0", pictures["photo"])
    desk.more("sketch")
    desk.command("sketch")
    desk.write("draw-device", "字" * 100)
    desk.page.wait_for_function(
        "() => document.querySelector('#draw-command textarea').value.includes('字')"
    )
    desk.page.click("#draw-run")
    assert "device" in desk.ended("sketch").lower()
    desk.write("draw-device", "auto")
    desk.page.wait_for_function(
        "() => !document.querySelector('#draw-command textarea').value.includes('字')"
    )
    desk.run("sketch")
    assert "Done in" in desk.page.inner_text("#draw-status")


def test_the_map_lies_over_the_picture(desk: Desk, pictures: Pictures) -> None:
    desk.open("beautify")
    desk.page.click("#beautify-map")
    desk.page.wait_for_selector("#beautify-numbers .limner-alarm")
    desk.give("beautify-picture-0", pictures["photo"])
    desk.page.click("#beautify-map")
    desk.page.wait_for_selector("#beautify-overlay img")
    said = desk.page.inner_text("#beautify-numbers")
    assert f"error {limner.predictability(pictures['photo']).error:.3g}" in said


def test_a_result_goes_on_to_the_next_verb_and_into_the_history(
    desk: Desk, pictures: Pictures, tmp_path: Path
) -> None:
    desk.open("sketch")
    desk.give("draw-picture-0", pictures["photo"])
    desk.run("sketch")
    desk.page.click("#draw-to-colorize")
    desk.page.wait_for_selector("#colorize-sketch-0 img[src*='shown-']")
    desk.page.wait_for_selector("#colorize-run:visible")
    assert "limner colorize draw-1.png" in desk.command("colorize")
    desk.run("colorize")
    assert recipe_of(desk.download("colorize", tmp_path))["inputs"] == ["draw-1.png"]
    desk.page.locator("#history > button").click()
    desk.page.wait_for_selector("#history-gallery img")
    assert desk.page.locator("#history-gallery img").count() == 2
    desk.page.locator("#history-gallery button img").nth(1).click()
    recipe = desk.page.locator("#history-recipe textarea")
    desk.page.wait_for_function(
        "() => document.querySelector('#history-recipe textarea').value.includes('draw')"
    )
    assert json.loads(recipe.input_value())["verb"] == "sketch"


def test_the_command_follows_the_form(desk: Desk, pictures: Pictures) -> None:
    assert desk.command("stylize") == "limner stylize photo.jpg styles.jpg -o stylize.png"
    desk.give("stylize-photo-0", pictures["photo"])
    desk.write("stylize-size", "320")
    desk.page.wait_for_function(
        "() => document.querySelector('#stylize-command textarea').value.includes('--size 320')"
    )
    assert "photo.png" in desk.command("stylize")
    desk.give("stylize-styles-0", pictures["painting"])
    desk.more("stylize")
    desk.give("stylize-styles-1", pictures["photo"])
    desk.write("stylize-styles-word", "1 0.5")
    desk.page.wait_for_function(
        "() => document.querySelector('#stylize-command textarea').value.includes('0.5')"
    )
    assert "painting.png:1 photo.png:0.5 " in desk.command("stylize")
    desk.write("stylize-size", "many")
    desk.page.click("#stylize-run")
    assert "must be a number" in desk.ended("stylize")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_no_serious_fault_of_accessibility(
    width: int, scheme: str, desk: Desk, pictures: Pictures
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    desk.page.set_viewport_size({"width": width, "height": 844})
    desk.page.emulate_media(color_scheme=scheme)
    desk.page.reload()
    desk.page.wait_for_selector("#stylize-run")
    desk.open("sketch")
    desk.give("draw-picture-0", pictures["photo"])
    desk.run("sketch")
    faults = []
    for verb in ("sketch", "stylize", "hybridize", "colorize", "beautify", "generate", "upscale"):
        desk.open(verb)
        time.sleep(0.5)
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= width, verb
        for fault in axe.Axe().run(desk.page).response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                nodes = [" ".join(node["html"].split())[:160] for node in fault["nodes"][:4]]
                faults.append((verb, fault["id"], nodes))
    assert faults == []


def test_every_tab_has_examples_that_work_at_a_click(desk: Desk) -> None:
    for verb in ("sketch", "hybridize", "colorize", "beautify", "upscale", "generate", "stylize"):
        desk.open(verb)
        desk.page.click(f"#{verb}-example")
        if verb in ("generate", "stylize"):
            desk.write(f"{verb}-size", "96" if verb == "stylize" else "96x64")
        desk.page.wait_for_selector(f"#tab-{verb} img[src*='shown-']")
        desk.run(verb)
        assert "Done in" in desk.page.inner_text(f"#{verb}-status"), verb
