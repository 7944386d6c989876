"""What belongs to one page: pictures taken with care, results with recipes that can be replayed."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

import limner
from limner.batch.replay import replay
from limner.errors import InputError, LimnerError, OptionError
from limner.io import recipe_of
from limner.progress import silent
from limner.web import session as rooms
from limner.web.forms import TABS, called
from limner.web.jobs import Bench
from limner.web.session import Session, Sessions

BY_VERB = {tab.verb: tab for tab in TABS}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "page")


def picture(path: Path, size: tuple[int, int] = (96, 64), seed: int = 0) -> Path:
    values = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(values).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def bomb(width: int, height: int) -> bytes:
    """A PNG of some bytes that says it is of so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 9))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../x.png", "x.png"),
        ("my photo & more.png", "my_photo___more.png"),
        (".hidden.png", "hidden.png"),
        ("/etc/passwd", "passwd"),
        ("a" * 300 + ".png", "a" * 76 + ".png"),
    ],
)
def test_names_are_kept_as_far_as_they_are_harmless(
    session: Session, tmp_path: Path, name: str, kept: str
) -> None:
    shelved = session.take(picture(tmp_path / "raw.png"), name)
    assert shelved.path == session.folder / kept
    assert shelved.path.read_bytes() == (tmp_path / "raw.png").read_bytes()


def test_two_of_one_name_are_both_kept(session: Session, tmp_path: Path) -> None:
    one = session.take(picture(tmp_path / "a.png", seed=1), "a.png")
    two = session.take(picture(tmp_path / "b.png", seed=2), "a.png")
    assert one.path != two.path and one.path.read_bytes() != two.path.read_bytes()


def test_a_picture_given_again_keeps_its_name(session: Session, tmp_path: Path) -> None:
    first, again = (session.take(picture(tmp_path / "a.png"), "a.png") for _ in range(2))
    assert first.path == again.path == session.folder / "a.png"


def test_a_size_that_a_format_cannot_hold_is_refused_before_the_work(
    session: Session, tmp_path: Path
) -> None:
    session.slots["upscale.picture.0"] = session.take(
        picture(tmp_path / "a.png", (4200, 16)), "a.png"
    )
    call = called(BY_VERB["upscale"], {"scale": 4}, session.pictures("upscale"))
    steps: list[int] = []
    with pytest.raises(LimnerError, match=r"^upscale-1\.webp: WEBP holds at most 16383"):
        session.painting(call, ".webp")(lambda progress: steps.append(progress.step))
    assert steps == []


def test_dabs_are_given_back_with_the_picture(session: Session, tmp_path: Path) -> None:
    session.slots["colorize.sketch.0"] = session.take(picture(tmp_path / "a.png"), "a.png")
    Image.new("RGBA", (96, 64), (200, 30, 30, 90)).save(session.folder / "hints.png")
    session.dabs = session.shelve(session.folder / "hints.png")
    call = called(BY_VERB["colorize"], {}, session.pictures("colorize"))
    result = session.painting(call, ".png")(silent)
    assert call.options == {"hints": str(session.dabs.path)}
    assert result.beside == [session.dabs.path]
    session.slots["colorize.hints.0"] = session.take(picture(tmp_path / "b.png", seed=1), "b.png")
    assert session.pictures("colorize")["hints"] == [str(session.folder / "b.png")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no picture at all", "is damaged, or none of"),
        (b"", "is empty"),
        (bomb(40_000, 40_000), "1600 megapixels, more than the 50"),
        (bomb(300, 300), "cannot be read"),
    ],
)
def test_what_is_no_picture_is_refused_and_not_kept(
    session: Session, tmp_path: Path, data: bytes, said: str
) -> None:
    (tmp_path / "raw").write_bytes(data)
    with pytest.raises(InputError, match=said) as refused:
        session.take(tmp_path / "raw", "a.png")
    assert str(refused.value).startswith("a.png: "), "it knows nothing of our folder"
    assert not list(session.folder.iterdir())


def test_messages_name_files_and_options_as_the_page_does(session: Session) -> None:
    text = f"{session.folder}/a.png: too small; --points or --style-scale 2 (a--b, p/--x)"
    assert session.plain(text) == "a.png: too small; “Points” or “Style scale” 2 (a--b, p/--x)"


def test_a_truncated_picture_is_refused(session: Session, tmp_path: Path) -> None:
    whole = picture(tmp_path / "whole.jpg", (400, 300)).read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half\.jpg: cannot be read"):
        session.take(tmp_path / "half.jpg", "half.jpg")


def test_too_many_bytes_are_refused(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "BYTES", 100)
    with pytest.raises(InputError, match="more than"):
        session.take(picture(tmp_path / "a.png"), "a.png")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "I;16B", "I"])
def test_pictures_of_every_mode_can_be_looked_at(
    session: Session, tmp_path: Path, mode: str
) -> None:
    ramp = np.linspace(0, 65535, 2000 * 10).reshape(10, 2000)
    if mode.startswith("I"):
        kinds = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}
        made = Image.fromarray(ramp.astype(kinds[mode]))
        assert made.mode == mode
    else:
        made = Image.fromarray((ramp / 257).astype(np.uint8)).convert(mode)
    path = tmp_path / "a.tif"
    made.save(path)
    shelved = session.take(path, "a.tif")
    assert shelved.size == (2000, 10) and shelved.shown is not None
    with Image.open(shelved.shown) as shown:
        grey = np.asarray(shown.convert("L")).astype(float)
        assert shown.size == (1024, 5)
    if mode != "1":
        assert grey.max() - grey.min() > 200


def test_a_turned_picture_is_shown_upright(session: Session, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    Image.new("RGB", (200, 100)).save(tmp_path / "a.jpg", exif=exif)
    shelved = session.take(tmp_path / "a.jpg", "a.jpg")
    assert shelved.size == (100, 200) and shelved.shown is not None
    with Image.open(shelved.shown) as shown:
        assert shown.size == (100, 200)


def test_only_weights_are_taken_as_weights(session: Session, tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"x")
    with pytest.raises(InputError, match=r"no \.safetensors"):
        session.take_weights(tmp_path / "raw", "model.pth")


def test_a_result_is_the_librarys_own_and_can_be_replayed(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = picture(tmp_path / "photo.png", (160, 120))
    session.slots["draw.picture.0"] = session.take(given, "photo.png")
    call = called(BY_VERB["sketch"], {"thickness": 2}, session.pictures("sketch"))
    result = session.painting(call, ".png")(silent)
    path = result.pictures[0].path
    assert session.history == [result] and result.pictures[0].size == (160, 120)

    ours = limner.sketch(given, thickness=2)
    with Image.open(path) as theirs:
        assert np.array_equal(np.asarray(theirs), np.asarray(ours))
    recipe = recipe_of(path)
    assert recipe["inputs"] == ["photo.png"], "the recipe knows nothing of our folder"
    assert str(session.folder) not in json.dumps(recipe) and json.loads(result.recipe) == recipe

    taken = tmp_path / "elsewhere"  # as somebody who downloads it beside the photo
    taken.mkdir()
    (taken / "photo.png").write_bytes(given.read_bytes())
    (taken / "drawn.png").write_bytes(path.read_bytes())
    session.close()
    monkeypatch.chdir(tmp_path)
    again = replay(taken / "drawn.png")
    assert np.array_equal(np.asarray(again), np.asarray(ours))


def test_what_a_verb_says_names_files_as_their_owner_does(session: Session, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    session.slots["draw.picture.0"] = session.take(tmp_path / "a.gif", "a.gif")
    said: list[str] = []
    call = called(BY_VERB["sketch"], {}, session.pictures("sketch"))
    session.painting(call, ".png")(lambda progress: said.append(progress.note))
    assert "a.gif: the first of 2 frames is used" in said
    with pytest.raises(OptionError, match=r"^“Thickness” 9: must be"):
        session.painting(called(BY_VERB["sketch"], {"thickness": 9}, {"picture": ["a"]}), ".png")(
            silent
        )
    with pytest.raises(InputError, match=r"^gone\.png: there is no such file"):
        gone = {"picture": [str(session.folder / "gone.png")]}
        session.painting(called(BY_VERB["sketch"], {}, gone), ".png")(silent)


def test_what_lies_beside_a_result_is_written_too(session: Session, tmp_path: Path) -> None:
    made = picture(tmp_path / "photo.png", (160, 128))
    session.slots["hybridize.near_photo.0"] = session.take(made, "near.png")
    session.slots["hybridize.far_photo.0"] = session.take(
        picture(tmp_path / "f.png", seed=3), "f.png"
    )
    values = {"strip": True, "zoom_gif": True, "size": "64"}
    call = called(BY_VERB["hybridize"], values, session.pictures("hybridize"))
    result = session.painting(call, ".png")(silent)
    assert sorted(path.name for path in result.beside) == [
        "hybridize-1-strip.png",
        "hybridize-1-zoom.gif",
    ]
    with Image.open(session.folder / "hybridize-1-zoom.gif") as moving:
        assert getattr(moving, "n_frames", 1) > 3


def test_a_look_is_written_into_the_folder_of_the_page(session: Session, tmp_path: Path) -> None:
    session.slots["beautify.picture.0"] = session.take(
        picture(tmp_path / "p.png", (160, 160)), "p.png"
    )
    values = {"save_look": True}
    call = called(BY_VERB["beautify"], values, session.pictures("beautify"), session.folder)
    result = session.painting(call, ".png")(silent)
    assert [path.name for path in result.beside] == ["beautify-1-look.cube"]
    assert "LUT_3D_SIZE" in result.beside[0].read_text()


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path, Bench())


def test_pages_do_not_see_each_other_and_leave_nothing(sessions: Sessions, tmp_path: Path) -> None:
    one, two = sessions.of("one"), sessions.of("two")
    assert sessions.of("one") is one is not two
    one.slots["draw.picture.0"] = one.take(picture(tmp_path / "a.png"), "a.png")
    assert two.pictures("sketch") == {} and one.folder != two.folder
    sessions.close("one")
    assert not one.folder.exists() and two.folder.exists()
    assert sessions.of("one").pictures("sketch") == {}
    sessions.bench.close()


def test_only_what_was_sent_is_opened(sessions: Sessions, tmp_path: Path) -> None:
    outside = picture(tmp_path / "outside.png")
    for value in ({"path": str(outside)}, {"path": "/etc/passwd"}, None, "x", {}, {"path": ""}):
        with pytest.raises(InputError, match="did not arrive"):
            sessions.uploaded(value)
    (sessions.uploads / "link.png").symlink_to(outside)
    with pytest.raises(InputError, match="did not arrive"):
        sessions.uploaded({"path": str(sessions.uploads / "link.png")})
    inside = picture(sessions.uploads / "in.png")
    assert sessions.uploaded({"path": str(inside), "orig_name": "a.png"}) == (inside, "a.png")
    sessions.bench.close()


def test_a_page_may_not_fill_the_queue(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "_QUEUED", 0)
    with pytest.raises(OptionError, match="wait already"):
        sessions.begin(sessions.of("one"), lambda on_step: None, "sketch")
    sessions.bench.close()
