"""The page in a browser: what a person does first, waits for, compares, and goes on with."""

import json
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from studio_process import Studio, StudioPage

import limner
from limner.io import recipe_of

pytestmark = pytest.mark.browser
Pictures = dict[str, Path]
BOTH = pytest.mark.parametrize("studio_page", ["light", "dark"], indirect=True)
EXAMPLES = Path(limner.__file__).parent / "web/examples"
VERBS = ("stylize", "hybridize", "sketch", "colorize", "beautify", "generate", "upscale")


def pixels(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def begin_painting(studio_page: StudioPage, pictures: Pictures, size: str) -> None:
    studio_page.add_picture("photo", pictures["photo"])
    studio_page.add_picture("styles", pictures["painting"])
    studio_page.page.locator("#field-size").fill(size)
    studio_page.click("#run")


@BOTH
def test_three_clicks_to_a_painted_picture(studio_page: StudioPage, tmp_path: Path) -> None:
    studio_page.shot(f"first-{studio_page.page.viewport_size['width']}")
    studio_page.page.evaluate("localStorage.clear()")
    studio_page.page.locator("#field-size").fill("128")  # to save time; not needed
    studio_page.click("#example-photo")
    studio_page.click("#style-1")
    studio_page.click("#run")
    assert studio_page.clicks == 3
    began = time.monotonic()
    studio_page.page.wait_for_selector("#result .preview[data-shown]")
    assert time.monotonic() - began < 10, "a second on an idle machine"
    studio_page.shot(f"waiting-{studio_page.page.viewport_size['width']}")
    assert "Done" in studio_page.wait_for_end()
    studio_page.page.wait_for_selector("#result .compare-host img")
    studio_page.shot(f"result-{studio_page.page.viewport_size['width']}")
    got = studio_page.download(tmp_path)
    assert recipe_of(got)["inputs"] == ["photo.jpg", "oil.jpg:1.0"]
    assert max(pixels(got).shape) == 128


def test_stop_keeps_what_is_there_and_a_reload_loses_nothing(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path
) -> None:
    begin_painting(studio_page, pictures, "512")
    studio_page.page.wait_for_selector("#result .preview[data-shown]")
    studio_page.page.reload()
    studio_page.wait_until_ready()
    assert studio_page.page.locator("#field-size").input_value() == "512"
    studio_page.page.wait_for_selector("#result .preview[data-shown]")
    studio_page.click("#stop")
    assert "Stopped" in studio_page.wait_for_end()
    assert max(pixels(studio_page.download(tmp_path)).shape) == 512
    studio_page.page.reload()
    studio_page.page.wait_for_selector("#download")


@BOTH
def test_comparing_with_keys(studio_page: StudioPage, pictures: Pictures) -> None:
    studio_page.open("upscale")
    studio_page.add_picture("picture", pictures["large"])
    studio_page.write("scale", "2")
    assert "Done" in studio_page.run()
    frame = studio_page.page.locator("#result .compare-host")
    for name in ("400%", "100%", "Fit"):
        button = frame.get_by_role("button", name=name, exact=True)
        button.click()
        frame.locator(f"[aria-pressed=true]:text-is('{name}')").wait_for()
        studio_page.shot(f"compare-{name.strip('%')}-{studio_page.page.viewport_size['width']}")
    pressed = frame.locator("[data-mode][aria-pressed=true]")
    before = pressed.get_attribute("data-mode")
    frame.get_by_role("slider").first.press(" ")
    assert pressed.get_attribute("data-mode") != before
    studio_page.page.keyboard.press(" ")


def test_a_chain_is_changed_and_made_again(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path
) -> None:
    page = studio_page.page
    studio_page.open("sketch")
    studio_page.add_picture("picture", EXAMPLES / "photo.jpg")
    studio_page.run()
    studio_page.click("#send-colorize")
    assert "Done" in studio_page.run()
    page.wait_for_selector("#chain button")
    studio_page.shot("chain")
    first = studio_page.download(tmp_path)
    page.locator("#chain").get_by_role("button", name="Change: Sketch").click()
    page.wait_for_selector("#verb-sketch[aria-current=page]")
    page.locator("#field-thickness").fill("2.5")
    studio_page.run()
    studio_page.open("colorize")
    page.wait_for_selector("#progress[data-state=done]")
    page.wait_for_selector("#download")
    (tmp_path / "again").mkdir()
    second = studio_page.download(tmp_path / "again")
    assert recipe_of(second)["made_from"]["options"]["thickness"] == 2.5
    assert recipe_of(first)["made_from"]["options"]["thickness"] != 2.5


@BOTH
def test_a_finished_picture_fills_the_form(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path
) -> None:
    made = limner.colorize(pictures["drawing"], palette="gold,navy", vivid=1.5)
    limner.write(made, tmp_path / "made.png")
    studio_page.drop(tmp_path / "made.png")
    studio_page.page.wait_for_selector("#verb-colorize[aria-current=page]")
    assert studio_page.page.locator("#field-palette").input_value() == "gold,navy"
    assert studio_page.page.locator("#field-vivid").input_value() == "1.5"
    assert "drawing.png" in studio_page.page.inner_text("#error"), "it was never on the page"


def test_a_painted_hint_colors_the_drawing_again(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path
) -> None:
    page = studio_page.page
    studio_page.open("colorize")
    studio_page.add_picture("sketch", pictures["drawing"])
    assert "Done" in studio_page.run()
    before = pixels(studio_page.download(tmp_path))
    page.wait_for_selector("#hints canvas")
    page.locator("#hints [data-color]").first.click()
    color = page.locator("#hints [data-color]").first.get_attribute("data-color")
    box = page.locator("#hints canvas").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.45)
    began = time.monotonic()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.47, box["y"] + box["height"] * 0.45)
    page.mouse.up()
    job = page.locator("#download").get_attribute("href")
    page.wait_for_function(
        "old => document.querySelector('#download')?.getAttribute('href') > old", arg=job
    )
    assert time.monotonic() - began < 10, "two seconds on an idle machine"
    studio_page.shot("hints")
    (tmp_path / "again").mkdir()
    after = pixels(studio_page.download(tmp_path / "again"))
    wanted = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    assert abs(after[60:100, 60:100] - wanted).max() == 0
    assert abs(before[60:100, 60:100] - wanted).max() > 0
    page.click("#hints [data-name=undo]")
    page.wait_for_function(
        "old => document.querySelector('#download')?.getAttribute('href') > old",
        arg=page.locator("#download").get_attribute("href"),
    )


@BOTH
def test_many_pictures(studio_page: StudioPage, pictures: Pictures, tmp_path: Path) -> None:
    page = studio_page.page
    studio_page.open("sketch")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    studio_page.drop(pictures["photo"], pictures["painting"], bad, pictures["large"])
    page.wait_for_selector("#many :text('4')")
    studio_page.shot(f"plan-{page.viewport_size['width']}")
    page.locator("#many .primary").first.click()
    page.wait_for_selector("#many :text('bad.png')")
    page.wait_for_selector("#many a[href*='zip']")
    studio_page.shot(f"many-{page.viewport_size['width']}")
    with page.expect_download() as coming:
        page.locator("#many a[href*='zip']").click()
    coming.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        assert len(packed.namelist()) == 3


@BOTH
def test_the_gallery(studio_page: StudioPage, pictures: Pictures) -> None:
    page = studio_page.page
    files = {"picture": [studio_page.studio.add(pictures["photo"])]}
    made = [studio_page.studio.submit("sketch", files, thickness=value) for value in (0.7, 2.0)]
    jobs = [studio_page.studio.wait_for(job) for job in made]
    studio_page.open("gallery")
    page.select_option("#filter", "sketch")
    page.fill("#search", jobs[0]["pictures"][0]["name"].removesuffix(".png"))
    for job in made:
        page.wait_for_selector(f"#result-{job}, #grid")
    page.fill("#search", "photo-sketch")
    for job in made:
        page.wait_for_selector(f"#result-{job}")
        page.check(f"#choose-{job}")
    studio_page.shot(f"gallery-{page.viewport_size['width']}")
    page.click("#compare")
    page.wait_for_selector("dialog .compare-host img")
    page.keyboard.press("Escape")
    page.locator(f"#result-{made[0]} button[aria-label^=Delete]").click()
    page.wait_for_selector(f"#result-{made[0]}", state="detached")
    assert not (studio_page.studio.gallery / jobs[0]["pictures"][0]["name"]).exists()
    page.click("#undo")
    page.wait_for_selector(f"#result-{made[0]}")
    assert (studio_page.studio.gallery / jobs[0]["pictures"][0]["name"]).exists()


@BOTH
def test_an_error_has_a_button_that_helps(studio_page: StudioPage) -> None:
    studio_page.open("colorize")
    studio_page.add_picture("sketch", EXAMPLES / "photo.jpg")
    studio_page.click("#run")
    studio_page.page.wait_for_selector("#error .remedies button")
    studio_page.shot(f"error-{studio_page.page.viewport_size['width']}")
    studio_page.page.locator("#error .remedies button").first.click()
    studio_page.page.wait_for_selector("#progress[data-state=done]")


@BOTH
def test_printing_offers_a_remedy_instead_of_an_error(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path
) -> None:
    page = studio_page.page
    studio_page.open("upscale")
    studio_page.add_picture("picture", pictures["large"])
    page.click("#print > summary")
    page.locator("#print").get_by_role("button", name="60x40 cm").click()
    page.wait_for_selector("#print svg")
    studio_page.shot(f"print-{page.viewport_size['width']}")
    assert "soft" in page.inner_text("#print"), "800 pixels are few for 60 cm"
    fill = page.locator("#print .tool-note + .tool-group button").first
    fill.click()
    page.locator("#print").get_by_role("button", name="A4").first.click()
    command = page.locator("#command > summary")
    command.click()
    page.wait_for_selector("#command-text pre:has-text('--print')")
    assert "Done" in studio_page.run()
    with Image.open(studio_page.download(tmp_path)) as printed:
        assert printed.info["dpi"][0] == pytest.approx(150, abs=1)


def test_twenty_hostile_files(studio_page: StudioPage, tmp_path: Path, pictures: Pictures) -> None:
    page = studio_page.page
    whole = pictures["photo"].read_bytes()
    bad = []
    for number in range(20):
        bad.append(tmp_path / f"bad-{number}.png")
        bad[-1].write_bytes(whole[: 50 * number] if number % 2 else bytes([number]) * 100)
    studio_page.open("sketch")
    studio_page.drop(*bad)
    page.locator("#many .primary").first.click()
    page.wait_for_selector("#many :text('bad-19.png')", timeout=60_000)
    studio_page.open("sketch")
    studio_page.add_picture("picture", pictures["photo"])
    assert "Done" in studio_page.run()


def test_other_devices_need_the_password(chromium: Any, tmp_path: Path, pictures: Pictures) -> None:
    studio = Studio(tmp_path / "gallery", host="0.0.0.0")
    try:
        page = chromium.new_page(viewport={"width": 390, "height": 844})
        page.goto(studio.url)
        page.fill("input[name=password]", "guess")
        page.click("button")
        page.wait_for_selector("[role=alert]:not(:empty)")
        assert page.locator("#run").count() == 0
        said = studio.log.read_text()
        password = said.partition("the password is ")[2].split()[0]
        phone = StudioPage(page, studio, password)
        phone.open("sketch")
        phone.add_picture("picture", pictures["photo"])
        assert "Done" in phone.run()
        assert phone.other_requests == [] and phone.errors == []
        assert password not in studio.log.read_text().removeprefix(said), "a password works once"
    finally:
        page.close()
        studio.close()


def test_two_tabs_share_the_queue_and_the_gallery(
    studio_page: StudioPage, chromium: Any, pictures: Pictures
) -> None:
    begin_painting(studio_page, pictures, "384")
    other = StudioPage(chromium.new_page(), studio_page.studio)
    other.open("queue")
    other.page.wait_for_selector("[id^=cancel-]")
    other.shot("queue")
    other.page.locator("[id^=cancel-]").first.click()
    assert "Stopped" in studio_page.wait_for_end()
    other.page.close()


@pytest.mark.parametrize("language", ["de", "ru"])
def test_another_language(studio_page: StudioPage, language: str) -> None:
    page = studio_page.page
    page.select_option("#language", language)
    page.wait_for_selector(f"html[lang={language}]", state="attached")
    studio_page.wait_until_ready()
    texts = json.loads((EXAMPLES.parent / f"static/texts/{language}.json").read_text("utf-8"))
    assert page.inner_text("#run").strip() == texts["Stylize"]
    assert texts["Gallery"] in page.inner_text("#nav")
    studio_page.shot(f"language-{language}")


@pytest.mark.parametrize("width", [360, 390, 1280, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_there_is_no_accessibility_problem(
    width: int, scheme: str, studio_page: StudioPage, pictures: Pictures
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = studio_page.page
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    studio_page.open("sketch")
    studio_page.add_picture("picture", pictures["photo"])
    studio_page.run()
    problems = []
    for place in (*VERBS, "gallery", "queue"):
        studio_page.open(place)
        if place in VERBS and page.locator("#more:not([open])").count():
            page.click("#more > summary")
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        for problem in axe.Axe().run(page).response["violations"]:
            nodes = [" ".join(node["html"].split())[:160] for node in problem["nodes"][:4]]
            problems.append((place, problem["id"], nodes))
    assert problems == []


def test_by_keyboard_alone(studio_page: StudioPage) -> None:
    page = studio_page.page
    page.locator("#field-size").fill("96")

    def go_to(element: str) -> None:
        for _ in range(60):
            if page.evaluate("document.activeElement.id") == element:
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{element} cannot be reached")

    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    go_to("example-photo")
    page.keyboard.press("Enter")
    page.wait_for_selector("#slot-photo img")
    go_to("style-2")
    page.keyboard.press("Enter")
    page.wait_for_selector("#style-2[aria-pressed=true]")
    go_to("run")
    page.keyboard.press("Enter")
    assert "Done" in studio_page.wait_for_end()
    go_to("download")
