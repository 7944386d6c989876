"""A session checks the pictures it is given, and its results can be replayed."""

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
from limner.web import session as module
from limner.web.calls import make_call
from limner.web.forms import TABS, labels
from limner.web.jobs import JobQueue
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
    """Return a small PNG that claims to be very large."""

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
def test_file_names_are_kept_where_they_are_harmless(
    session: Session, tmp_path: Path, name: str, kept: str
) -> None:
    stored = session.add_picture(picture(tmp_path / "raw.png"), name)
    assert stored.path == session.folder / kept
    assert stored.path.read_bytes() == (tmp_path / "raw.png").read_bytes()


def test_two_files_with_one_name_are_both_kept(session: Session, tmp_path: Path) -> None:
    one = session.add_picture(picture(tmp_path / "a.png", seed=1), "a.png")
    two = session.add_picture(picture(tmp_path / "b.png", seed=2), "a.png")
    assert one.path != two.path and one.path.read_bytes() != two.path.read_bytes()


def test_a_picture_given_again_keeps_its_name(session: Session, tmp_path: Path) -> None:
    first, again = (session.add_picture(picture(tmp_path / "a.png"), "a.png") for _ in range(2))
    assert first.path == again.path == session.folder / "a.png"


def test_a_size_that_the_format_cannot_hold_is_refused_before_the_work(
    session: Session, tmp_path: Path
) -> None:
    session.slots["upscale.picture.0"] = session.add_picture(
        picture(tmp_path / "a.png", (4200, 16)), "a.png"
    )
    call = make_call(BY_VERB["upscale"], {"scale": 4}, session.files("upscale"))
    steps: list[int] = []
    with pytest.raises(LimnerError, match=r"^upscale-1\.webp: WEBP holds at most 16383"):
        session.work(call, ".webp")(lambda progress: steps.append(progress.step))
    assert steps == []


def test_painted_hints_are_used_unless_a_picture_is_given(session: Session, tmp_path: Path) -> None:
    session.slots["colorize.sketch.0"] = session.add_picture(picture(tmp_path / "a.png"), "a.png")
    Image.new("RGBA", (96, 64), (200, 30, 30, 90)).save(session.folder / "hints.png")
    session.painted_hints = session.register(session.folder / "hints.png")
    call = make_call(BY_VERB["colorize"], {}, session.files("colorize"))
    assert call.options == {"hints": str(session.painted_hints.path)}
    session.slots["colorize.hints.0"] = session.add_picture(
        picture(tmp_path / "b.png", seed=1), "b.png"
    )
    assert session.files("colorize")["hints"] == [str(session.folder / "b.png")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no picture at all", "is damaged, or not a picture"),
        (b"", "is empty"),
        (bomb(40_000, 40_000), "1600 megapixels, more than the 50"),
        (bomb(300, 300), "cannot be read"),
    ],
)
def test_a_file_that_is_not_a_picture_is_refused_and_deleted(
    session: Session, tmp_path: Path, data: bytes, said: str
) -> None:
    (tmp_path / "raw").write_bytes(data)
    with pytest.raises(InputError, match=said) as refused:
        session.add_picture(tmp_path / "raw", "a.png")
    assert str(refused.value).startswith("a.png: "), (
        "the message does not name the folder of the session"
    )
    assert not list(session.folder.iterdir())


def test_messages_use_file_names_and_labels_of_the_page(session: Session) -> None:
    text = f"{session.folder}/a.png: too small; --mask or --style-scale 2 (a--b, p/--x)"
    names = labels(BY_VERB["stylize"])
    said = "a.png: too small; “Mask” or “Style scale” 2 (a--b, p/--x)"
    assert session.page_message(text, names) == said


def test_a_truncated_picture_is_refused(session: Session, tmp_path: Path) -> None:
    whole = picture(tmp_path / "whole.jpg", (400, 300)).read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half\.jpg: cannot be read"):
        session.add_picture(tmp_path / "half.jpg", "half.jpg")


def test_too_many_bytes_are_refused(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UPLOAD", 100)
    with pytest.raises(InputError, match="more than"):
        session.add_picture(picture(tmp_path / "a.png"), "a.png")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "I;16B", "I"])
def test_every_mode_of_pillow_has_a_thumbnail(session: Session, tmp_path: Path, mode: str) -> None:
    ramp = np.linspace(0, 65535, 2000 * 10).reshape(10, 2000)
    if mode.startswith("I"):
        kinds = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}
        made = Image.fromarray(ramp.astype(kinds[mode]))
        assert made.mode == mode
    else:
        made = Image.fromarray((ramp / 257).astype(np.uint8)).convert(mode)
    path = tmp_path / "a.tif"
    made.save(path)
    stored = session.add_picture(path, "a.tif")
    assert stored.size == (2000, 10) and stored.thumbnail is not None
    with Image.open(stored.thumbnail) as shown:
        gray = np.asarray(shown.convert("L")).astype(float)
        assert shown.size == (1024, 5)
    if mode != "1":
        assert gray.max() - gray.min() > 200


def test_a_turned_picture_is_shown_upright(session: Session, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    Image.new("RGB", (200, 100)).save(tmp_path / "a.jpg", exif=exif)
    stored = session.add_picture(tmp_path / "a.jpg", "a.jpg")
    assert stored.size == (100, 200) and stored.thumbnail is not None
    with Image.open(stored.thumbnail) as shown:
        assert shown.size == (100, 200)


def test_only_safetensors_files_are_accepted_as_weights(session: Session, tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"x")
    with pytest.raises(InputError, match=r"is not a \.safetensors file"):
        session.add_weights(tmp_path / "raw", "model.pth")


def test_a_result_equals_that_of_the_library_and_can_be_replayed(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = picture(tmp_path / "photo.png", (160, 120))
    session.slots["sketch.picture.0"] = session.add_picture(given, "photo.png")
    call = make_call(BY_VERB["sketch"], {"thickness": 2}, session.files("sketch"))
    result = session.work(call, ".png")(silent)
    path = result.pictures[0].path
    assert session.history == [result] and result.pictures[0].size == (160, 120)

    ours = limner.sketch(given, thickness=2)
    with Image.open(path) as theirs:
        assert np.array_equal(np.asarray(theirs), np.asarray(ours))
    recipe = recipe_of(path)
    assert recipe["inputs"] == ["photo.png"], "the recipe does not name the folder of the session"
    assert str(session.folder) not in json.dumps(recipe) and json.loads(result.recipe) == recipe

    download = tmp_path / "elsewhere"  # as if downloaded into the folder of the photo
    download.mkdir()
    (download / "photo.png").write_bytes(given.read_bytes())
    (download / "drawn.png").write_bytes(path.read_bytes())
    session.close()
    monkeypatch.chdir(tmp_path)
    again = replay(download / "drawn.png")
    assert np.array_equal(np.asarray(again), np.asarray(ours))


def test_notes_and_errors_of_a_verb_use_the_names_on_the_page(
    session: Session, tmp_path: Path
) -> None:
    frames = [Image.new("RGB", (64, 48), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    session.slots["sketch.picture.0"] = session.add_picture(tmp_path / "a.gif", "a.gif")
    said: list[str] = []
    call = make_call(BY_VERB["sketch"], {}, session.files("sketch"))
    session.work(call, ".png")(lambda progress: said.append(progress.note))
    assert "a.gif: only the first of 2 frames is used" in said
    with pytest.raises(OptionError, match=r"^“Thickness” 9: must be"):
        session.work(make_call(BY_VERB["sketch"], {"thickness": 9}, {"picture": ["a"]}), ".png")(
            silent
        )
    with pytest.raises(InputError, match=r"^gone\.png: there is no such file"):
        gone = {"picture": [str(session.folder / "gone.png")]}
        session.work(make_call(BY_VERB["sketch"], {}, gone), ".png")(silent)


def test_side_files_are_written_too(session: Session, tmp_path: Path) -> None:
    made = picture(tmp_path / "photo.png", (160, 128))
    session.slots["hybridize.near_photo.0"] = session.add_picture(made, "near.png")
    session.slots["hybridize.far_photo.0"] = session.add_picture(
        picture(tmp_path / "f.png", seed=3), "f.png"
    )
    values = {"strip": True, "zoom_gif": True, "size": "64"}
    call = make_call(BY_VERB["hybridize"], values, session.files("hybridize"))
    result = session.work(call, ".png")(silent)
    assert sorted(path.name for path in result.side_files) == [
        "hybridize-1-strip.png",
        "hybridize-1-zoom.gif",
    ]
    with Image.open(session.folder / "hybridize-1-zoom.gif") as moving:
        assert getattr(moving, "n_frames", 1) > 3


def test_a_color_table_is_written_into_the_folder_of_the_session(
    session: Session, tmp_path: Path
) -> None:
    session.slots["beautify.picture.0"] = session.add_picture(
        picture(tmp_path / "p.png", (160, 160)), "p.png"
    )
    values = {"save_cube": True}
    call = make_call(BY_VERB["beautify"], values, session.files("beautify"), session.folder)
    result = session.work(call, ".png")(silent)
    assert [path.name for path in result.side_files] == ["beautify-1-cube.cube"]
    assert "LUT_3D_SIZE" in result.side_files[0].read_text()


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path, JobQueue())


def test_sessions_are_separate_and_leave_nothing_behind(sessions: Sessions, tmp_path: Path) -> None:
    one, two = sessions.get("one"), sessions.get("two")
    assert sessions.get("one") is one is not two
    one.slots["sketch.picture.0"] = one.add_picture(picture(tmp_path / "a.png"), "a.png")
    assert two.files("sketch") == {} and one.folder != two.folder
    sessions.close("one")
    assert not one.folder.exists() and two.folder.exists()
    assert sessions.get("one").files("sketch") == {}
    sessions.queue.close()


def test_only_uploaded_files_are_opened(sessions: Sessions, tmp_path: Path) -> None:
    outside = picture(tmp_path / "outside.png")
    for value in ({"path": str(outside)}, {"path": "/etc/passwd"}, None, "x", {}, {"path": ""}):
        with pytest.raises(InputError, match="did not arrive"):
            sessions.uploaded(value)
    (sessions.uploads / "link.png").symlink_to(outside)
    with pytest.raises(InputError, match="did not arrive"):
        sessions.uploaded({"path": str(sessions.uploads / "link.png")})
    inside = picture(sessions.uploads / "in.png")
    assert sessions.uploaded({"path": str(inside), "orig_name": "a.png"}) == (inside, "a.png")
    sessions.queue.close()


def test_a_page_cannot_fill_the_queue(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_JOBS", 0)
    with pytest.raises(OptionError, match="are waiting"):
        sessions.submit(sessions.get("one"), lambda on_step: None, "sketch")
    sessions.queue.close()
