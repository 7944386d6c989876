"""Replaying recipes: where input files are found, and what older recipes call things."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import limner
from limner.batch import replay as module
from limner.batch.finder import FileFinder
from limner.cli import outputs
from limner.errors import InputError, OptionError
from limner.io import recipe_of
from limner.signature import of


def drawn(folder: Path) -> Image.Image:
    """A drawing made from a file in ``folder``, with its recipe."""
    Image.linear_gradient("L").resize((40, 30)).save(folder / "photo.png")
    return limner.sketch(folder / "photo.png")


def rewritten(picture: Image.Image, path: Path, **changes: object) -> Path:
    """Write a picture whose recipe says something else."""
    picture.info["limner"] = json.dumps(json.loads(picture.info["limner"]) | changes)
    limner.write(picture, path)
    return path


@pytest.mark.parametrize("name", [r"C:\pictures\photo.png", "/home/me/pictures/photo.png"])
def test_inputs_are_found_beside_the_picture_wherever_they_were(tmp_path: Path, name: str) -> None:
    made = drawn(tmp_path)
    (sha256,) = json.loads(made.info["limner"])["files"].values()
    path = rewritten(made, tmp_path / "out.png", inputs=[name], files={name: sha256})
    again = limner.replay(path)
    assert again.tobytes() == made.tobytes()
    assert json.loads(again.info["limner"])["inputs"] == ["photo.png"]
    shutil.move(tmp_path / "photo.png", tmp_path / "other.png")
    with pytest.raises(InputError, match="is neither in the current folder nor beside"):
        limner.replay(path)


def test_a_verb_that_was_renamed_is_found(tmp_path: Path) -> None:
    made = drawn(tmp_path)
    path = rewritten(made, tmp_path / "out.png", verb="draw")
    assert limner.replay(path).tobytes() == made.tobytes()


def test_the_tables_lead_to_names_of_today() -> None:
    assert set(module.RENAMED_VERBS.values()) <= set(module.VERBS)
    for verb, names in module.RENAMED_OPTIONS.items():
        known = {option.name for option in of(getattr(limner, verb))}
        assert set(names.values()) <= known and not names.keys() & known
    for verb, words in module.RENAMED_WORDS.items():
        for option in of(getattr(limner, verb)):
            if option.name in words:
                table = words[option.name]
                assert set(table.values()) <= set(option.choices)
                assert not table.keys() & set(option.choices)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"palette": None, "palette_from": "flags.png"}, {"palette": "flags.png"}),
        ({"palette": "#204060", "palette_from": None}, {"palette": "#204060"}),
        ({"palette": None, "palette_from": None, "seed": 3}, {"palette": None, "seed": 3}),
        ({"palette_from": None}, {"palette": None}),
        ({"palette": "#204060"}, {"palette": "#204060"}),
        ({"seed": 3}, {"seed": 3}),
    ],
)
def test_a_picture_of_colors_became_part_of_the_palette(
    given: dict[str, object], wanted: dict[str, object]
) -> None:
    before = dict(given)
    assert module._renamed(given, module.RENAMED_OPTIONS["colorize"], {}) == wanted
    assert given == before


@pytest.mark.parametrize("text", ["#204060,gold", "gold", "light blue,red"])
def test_a_list_of_colors_is_no_file(tmp_path: Path, text: str) -> None:
    (option,) = (o for o in of(limner.colorize) if o.name == "palette")
    finder = FileFinder(tmp_path / "out.png", {})
    assert finder.option(text, option) == text and finder.used == []
    with pytest.raises(InputError, match=r"has no valid recipe: it has no hash of flags\.png"):
        finder.option("flags.png", option)


def test_options_of_old_recipes_that_had_no_effect_are_left_out(tmp_path: Path) -> None:
    Image.linear_gradient("L").resize((160, 140)).save(tmp_path / "a.png")
    made = limner.beautify(tmp_path / "a.png")
    options = json.loads(made.info["limner"])["options"] | {"size": 700}
    path = rewritten(made, tmp_path / "out.png", options=options)
    again = limner.replay(path)
    assert again.tobytes() == made.tobytes()
    assert json.loads(again.info["limner"])["options"]["size"] == 700


def test_side_files_of_a_replayed_picture_are_known_beforehand(tmp_path: Path) -> None:
    Image.linear_gradient("L").resize((90, 70)).save(tmp_path / "a.png")
    made = limner.hybridize(tmp_path / "a.png", tmp_path / "a.png", strip=True, align="none")
    limner.write(made, tmp_path / "out.png")
    found = outputs.side_files(
        limner.replay, [tmp_path / "out.png"], {}, lambda name: tmp_path / f"again-{name}"
    )
    assert found == {"strip": tmp_path / "again-strip"}
    assert (
        outputs.side_files(
            limner.replay, [rewritten(drawn(tmp_path), tmp_path / "b.png")], {}, Path
        )
        == {}
    )


def test_a_recipe_is_applied_to_another_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, color in (("near.png", "red"), ("far.png", "blue"), ("other.png", "green")):
        Image.new("RGB", (64, 48), color).save(name)
    limner.write(limner.hybridize("near.png", "far.png", align="none", sigma=5), "made.png")
    made = limner.apply(Path("made.png"), "other.png")
    direct = limner.hybridize("other.png", "far.png", align="none", sigma=5)
    np.testing.assert_array_equal(made, direct)
    assert made.info["limner"] == direct.info["limner"]
    (tmp_path / "elsewhere").mkdir()
    Path("far.png").rename("elsewhere/renamed.png")
    with pytest.raises(InputError, match=r"far\.png: is neither in .* with --look-in$"):
        limner.apply(Path("made.png"), "other.png")
    found = limner.apply(Path("made.png"), "other.png", look_in=[Path("elsewhere")])
    np.testing.assert_array_equal(found, direct)
    Path("near.png").rename("elsewhere/other-name.png")
    again = limner.replay(Path("made.png"), look_in=[Path("elsewhere")])
    np.testing.assert_array_equal(again, Image.open("made.png"))
    with pytest.raises(OptionError, match=r"^--look-in nowhere: cannot be read "):
        limner.apply(Path("made.png"), "other.png", look_in=[Path("nowhere")])


def test_only_what_was_made_from_a_picture_is_applied(tmp_path: Path) -> None:
    path = rewritten(drawn(tmp_path), tmp_path / "out.png", verb="generate", options={})
    with pytest.raises(InputError, match=r"out\.png: was not made from a picture; use limner rep"):
        limner.apply(path, tmp_path / "photo.png")


def test_all_steps_of_a_chain_are_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, seed in (("one.png", 0), ("two.png", 1)):
        coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((48, 36)).save(name)
    limner.write(limner.beautify("one.png"), "step.jpg")
    limner.write(limner.sketch("step.jpg", style="pencil"), "step.png")
    limner.write(limner.upscale("step.png", scale=2), "last.jpg")
    recipe = recipe_of("last.jpg")
    verbs = []
    while isinstance(recipe, dict):
        verbs.append(recipe["verb"])
        recipe = recipe.get("made_from")
    assert verbs == ["upscale", "sketch", "beautify"]
    made = limner.apply(Path("last.jpg"), "two.png")
    steps = limner.upscale(limner.sketch(limner.beautify("two.png"), style="pencil"), scale=2)
    np.testing.assert_array_equal(made, steps)
    assert json.loads(made.info["limner"])["made_from"]["verb"] == "sketch"
    last = limner.apply(Path("last.jpg"), "two.png", last_step=True)
    np.testing.assert_array_equal(last, limner.upscale("two.png", scale=2))
    limner.write(made, "made.png")  # its first input was never a file
    np.testing.assert_array_equal(limner.replay(Path("made.png")), made)
    alone = limner.replay(Path("last.jpg"))  # only the last step
    np.testing.assert_array_equal(alone, limner.upscale("step.png", scale=2))


def test_a_damaged_recipe_of_an_input_is_left_out(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("limner", '{"verb": "sketch", "version"')
    Image.linear_gradient("L").resize((40, 30)).save(tmp_path / "photo.png", pnginfo=info)
    made = limner.sketch(tmp_path / "photo.png")
    assert "made_from" not in json.loads(made.info["limner"])


@pytest.mark.parametrize("verb", ["generate", "another program's"])
def test_a_chain_begins_with_the_first_step_that_can_be_applied(tmp_path: Path, verb: str) -> None:
    info = PngInfo()
    info.add_text("limner", json.dumps({"verb": verb}))
    Image.linear_gradient("L").resize((40, 30)).save(tmp_path / "photo.png", pnginfo=info)
    limner.write(limner.sketch(tmp_path / "photo.png", style="pencil"), tmp_path / "made.png")
    other = Image.linear_gradient("L").rotate(90)
    made = limner.apply(tmp_path / "made.png", other)
    np.testing.assert_array_equal(made, limner.sketch(other, style="pencil"))
