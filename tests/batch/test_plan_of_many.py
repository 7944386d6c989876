"""Which files a command for many pictures reads, and what it calls the results."""

from pathlib import Path

import pytest

from limner.batch.plan import NAME, Job, is_many, make_plan
from limner.errors import InputError, LimnerError, OptionError, OutputError
from limner.train.crops import pictures_in


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos in a folder and a subfolder, and files that are not pictures."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sixteen.txt").write_text("one.jpg", encoding="utf-16")
    names = ("photos/b.jpg", "photos/a.PNG", "photos/notes.txt", "photos/._b.jpg")
    for name in (
        *names,
        "photos/sub/c.tif",
        "photos/.thumbs/d.jpg",
        "far/a.jpg",
        "far/b.webp",
        "one.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def planned(
    *words: str,
    before: tuple[str, ...] = (),
    others: tuple[str, ...] = (),
    output: str = "out",
    listed: str | None = None,
    recursive: bool = False,
    name: str = NAME,
) -> list[tuple[str, ...]]:
    """The jobs as text: the inputs, and the output last."""
    jobs = make_plan(
        "sketch",
        words,
        output,
        before=before,
        after=others,
        listed=None if listed is None else Path(listed),
        recursive=recursive,
        name=name,
    )
    assert all(isinstance(job, Job) for job in jobs)
    return [
        (*(Path(str(one)).as_posix() for one in job.inputs), job.output.as_posix()) for job in jobs
    ]


def test_a_folder_gives_its_pictures_in_the_order_of_their_names() -> None:
    expected = [("photos/a.PNG", "out/a.png"), ("photos/b.jpg", "out/b.png")]
    assert planned("photos") == planned("photos/") == planned("photos/*.[jP]*") == expected
    assert planned("photos/b.jpg", "photos", "./photos/../photos/b.jpg") == expected[::-1]


@pytest.mark.parametrize("ending", ["avif", "gif", "HEIC", "heif", "jfif", "jp2", "ppm"])
def test_every_kind_of_picture_that_can_be_read_counts(folder: Path, ending: str) -> None:
    (folder / "far" / f"c.{ending}").touch()
    assert planned("far")[2] == (f"far/c.{ending}", "out/c.png")


def test_subfolders_come_with_recursive() -> None:
    assert planned("photos", recursive=True)[2:] == [("photos/sub/c.tif", "out/sub/c.png")]
    assert planned("photos/**/*.tif") == [("photos/sub/c.tif", "out/c.png")]


def test_a_list_adds_names(folder: Path) -> None:
    (folder / "list.txt").write_text("\ufeffone.jpg\n\n photos/sub \n", encoding="utf-8")
    expected = [("photos/b.jpg", "out/b.png"), ("one.jpg", "out/one.png")]
    assert planned("photos/b.jpg", listed="list.txt")[:2] == expected
    assert planned(listed="list.txt")[1] == ("photos/sub/c.tif", "out/c.png")


def test_other_inputs_are_the_same_or_go_by_name() -> None:
    rows = planned("photos", others=("far", "one.jpg"))
    assert [row[1] for row in rows] == ["far/a.jpg", "far/b.webp"]
    assert [row[2] for row in rows] == ["one.jpg", "one.jpg"]
    with pytest.raises(InputError, match=r"^far: has no picture one\.\*; add it$"):
        planned("one.jpg", others=("far",))


def test_inputs_may_come_before() -> None:
    assert planned("photos/b.jpg", before=("x.png",)) == [("x.png", "photos/b.jpg", "out/b.png")]


def test_names_have_fields() -> None:
    assert planned("photos/b.jpg", name="{stem}-{verb}.{ext}") == [
        ("photos/b.jpg", "out/b-sketch.jpg")
    ]


@pytest.mark.parametrize(
    ("words", "options", "error", "message"),
    [
        (["gone"], {}, InputError, "gone: no such file or folder; check the name"),
        (["*.gif"], {}, InputError, "*.gif: matches no picture; check the pattern"),
        (["x" * 300], {}, InputError, "x" * 300 + ": no such file or folder"),
        (["one.jpg", "photos"], {"output": "out.jpg"}, OptionError, "-o out.jpg: is the name of"),
        (["out"], {}, InputError, "out: no such file"),
        (["photos"], {"output": "photos"}, OutputError, "photos: holds the pictures to read"),
        (
            ["photos"],
            {"output": "photos/x", "recursive": True},
            OutputError,
            "photos/x: is inside photos, which --recursive searches",
        ),
        (["photos"], {"output": "one.jpg"}, OutputError, "one.jpg: is a file; name a folder"),
        (["photos"], {"name": "{date}.png"}, OptionError, "--name {date}.png: may hold {stem}, "),
        (["photos"], {"name": "{stem.x}"}, OptionError, "--name {stem.x}: may hold"),
        (["photos"], {"name": "{stem:>99}"}, OptionError, "--name {stem:>99}: may hold"),
        (["photos"], {"name": "{stem"}, OptionError, "--name {stem: may hold"),
        (["photos"], {"listed": "sixteen.txt"}, InputError, "--from sixteen.txt: is not text"),
        (["photos"], {"others": ("far",), "output": "far"}, OutputError, "far: holds the pictures"),
        (["photos"], {"name": "x/{stem}.png"}, OptionError, "--name x/{stem}.png: must be the"),
        (["photos"], {"listed": "gone.txt"}, InputError, "--from gone.txt: cannot be read"),
        ([], {}, OptionError, "no picture is named; name a file, a folder or --from LIST"),
    ],
)
def test_mistakes_are_told_in_one_line(
    words: list[str],
    options: dict[str, object],
    error: type[LimnerError],
    message: str,
) -> None:
    with pytest.raises(error) as told:
        planned(*words, **options)  # type: ignore[arg-type]
    assert str(told.value).startswith(message) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("words", "output", "listed", "expected"),
    [
        (["one.jpg"], "out.png", None, False),
        (["gone.jpg"], "out.png", None, False),
        (["one.jpg"], "out/", None, True),
        (["one.jpg"], "photos", None, True),
        (["photos"], "out", None, True),
        (["*.jpg"], "out", None, True),
        (["*.jpg"], "out.png", None, True),
        (["gone*.jpg"], "out", None, True),
        (["gone[2].jpg"], "out.png", None, False),
        (["one.jpg", "photos/b.jpg"], "out", None, True),
        (["one.jpg"], "out", Path("list.txt"), True),
        ([], "out", None, True),
    ],
)
def test_when_a_command_is_for_many_pictures(
    words: list[str], output: str, listed: Path | None, expected: bool
) -> None:
    assert is_many(words, output, listed) == expected


def test_results_may_go_into_a_subfolder_that_is_not_searched() -> None:
    assert planned("photos", output="photos/done")[0] == ("photos/a.PNG", "photos/done/a.png")


def test_brackets_in_the_name_of_a_file_are_no_pattern(folder: Path) -> None:
    (folder / "a[1].jpg").write_bytes(b"")
    assert not is_many(["a[1].jpg"], "out.png", None)
    assert planned("a[1].jpg") == [("a[1].jpg", "out/a[1].png")]


@pytest.mark.parametrize("ending", ["CR2", "nef", "arw", "dng", "raf", "orf", "rw2", "jxl", "exr"])
def test_pictures_that_are_not_read_count_unless_their_camera_made_a_jpeg_too(
    folder: Path, ending: str
) -> None:
    for name in ("photos/b", "photos/x", "far/b"):
        (folder / f"{name}.{ending}").touch()
    expected = ["photos/a.PNG", "photos/b.jpg", f"photos/x.{ending}"]
    assert [row[0] for row in planned("photos")] == expected
    assert [row[0] for row in planned("photos/*")] == expected
    assert planned("photos/b.jpg", others=("far",)) == [("photos/b.jpg", "far/b.webp", "out/b.png")]
    found = pictures_in(folder / "photos", subfolders=False)
    assert [path.as_posix() for path in found] == [str(folder / name) for name in expected]


@pytest.mark.parametrize("ending", ["jfif", "JPE", "jp2", "ppm", "pgm", "HEIC", "gif", "bmp"])
def test_every_format_that_is_read_is_found(folder: Path, ending: str) -> None:
    (folder / "photos" / f"x.{ending}").write_bytes(b"")
    assert (f"photos/x.{ending}", "out/x.png") in planned("photos")


def test_brackets_of_a_folder_are_no_pattern(folder: Path) -> None:
    (folder / "holidays [2024]" / "a").mkdir(parents=True)
    (folder / "holidays [2024]" / "a" / "b.jpg").write_bytes(b"")
    expected = [("holidays [2024]/a/b.jpg", "out/b.png")]
    for pattern in ("holidays [2024]/a/*.jpg", "holidays [2024]/*/b.jpg", "holidays*/a/[b].jpg"):
        assert planned(pattern) == expected
        assert planned(str(folder / pattern)) == [(str(folder / expected[0][0]), "out/b.png")]
