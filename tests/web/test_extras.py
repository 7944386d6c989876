"""What single tabs add to the page: painted hints, alignment points, distance, and the map."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from studio_process import StudioPage

import limner
from limner.io import recipe_of

pytestmark = pytest.mark.browser
Pictures = dict[str, Path]


def values(picture: Path | Image.Image) -> Any:
    image = Image.open(picture) if isinstance(picture, Path) else picture
    return np.asarray(image.convert("RGB")).astype(int)


def test_painted_hints_color_the_drawing(
    studio_page: StudioPage, pictures: Pictures, tmp_path: Path
) -> None:
    studio_page.open("colorize")
    studio_page.add_picture("colorize-sketch-0", pictures["drawing"])
    canvas = studio_page.page.locator("#colorize-painted canvas").first
    canvas.wait_for()
    time.sleep(2)  # the editor moves while it fits the drawing in
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    studio_page.page.mouse.move(x - 10, y)
    studio_page.page.mouse.down()
    studio_page.page.mouse.move(x + 10, y, steps=8)
    studio_page.page.mouse.up()
    time.sleep(1)
    studio_page.run("colorize")
    recipe = recipe_of(studio_page.download("colorize", tmp_path))
    assert isinstance(recipe["options"], dict)
    assert recipe["options"]["hints"] == "hints.png"
    made = values(tmp_path / "colorize-1.png")
    plain = values(limner.colorize(pictures["drawing"]))
    middle = (slice(60, 84), slice(65, 95))
    assert abs(made[middle] - plain[middle]).mean() > 8, "the painted hint changes nothing"
    assert np.ptp(made[middle], axis=(0, 1)).max() == 0, "a hint fills its region evenly"
    assert "--hints hints.png" in studio_page.command("colorize")


def test_points_can_be_clicked_and_the_distance_changed(
    studio_page: StudioPage, pictures: Pictures
) -> None:
    studio_page.open("hybridize")
    for place, name in (("near_photo", "photo"), ("far_photo", "painting")):
        studio_page.add_picture(f"hybridize-{place}-0", pictures[name])
    clicked: dict[float, float] = {}
    for place in ("near_photo", "far_photo"):
        for share in (0.3, 0.7):
            shown = studio_page.page.locator(f"#hybridize-{place}-0 img[src*='uploads']").first
            before = shown.get_attribute("src")
            time.sleep(1)  # until its size is final
            box = shown.bounding_box()
            assert box is not None
            # small pictures are not enlarged
            scale = min(1, box["width"] / 160, box["height"] / 144)
            clicked[share] = 80 + (share - 0.5) * box["width"] / scale
            shown.click(position={"x": box["width"] * share, "y": box["height"] / 2})
            studio_page.page.wait_for_function(
                f"() => document.querySelector('#hybridize-{place}-0 img')?.src !== '{before}'"
            )
    studio_page.more("hybridize")
    text = studio_page.page.locator(
        "#hybridize-points textarea, #hybridize-points input"
    ).input_value()
    points = list(map(int, text.split(",")))
    assert len(points) == 8
    assert points == pytest.approx([clicked[0.3], 72, clicked[0.7], 72] * 2, abs=2)
    studio_page.write("hybridize-size", "96")
    studio_page.run("hybridize")
    shown = studio_page.page.locator("#hybridize-distance img")
    wide = shown.evaluate("image => image.getBoundingClientRect().width")
    studio_page.page.locator("#hybridize-distance input").fill("25")
    near = shown.evaluate("image => image.getBoundingClientRect().width")
    assert near == pytest.approx(wide / 4, rel=0.05)
    studio_page.page.click("#hybridize-near_photo-0 button[aria-label='Remove Image']")
    # the points were in the other picture
    studio_page.add_picture("hybridize-near_photo-0", pictures["large"])
    studio_page.page.wait_for_function(
        "() => !document.querySelector('#hybridize-points :is(textarea, input)').value"
    )


def test_the_map_is_compared_with_the_picture(studio_page: StudioPage, pictures: Pictures) -> None:
    studio_page.open("beautify")
    studio_page.page.click("#beautify-map")
    studio_page.page.wait_for_selector("#beautify-numbers .limner-error")
    studio_page.add_picture("beautify-picture-0", pictures["photo"])
    studio_page.page.click("#beautify-map")
    studio_page.page.wait_for_selector("#beautify-overlay img")
    said = studio_page.page.inner_text("#beautify-numbers")
    assert f"error: {limner.predictability(pictures['photo']).error:.3g}" in said
