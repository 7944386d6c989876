"""`--upload`: results are copied to a URL, whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.batch.plan import SHEET
from limner.batch.upload import Upload
from limner.cli import main
from limner.errors import LimnerError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with two photos, one of them in a subfolder."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a.png", "sub/b.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(exist_ok=True)
        coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 48)).save(path)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_results_and_the_sheet_are_copied(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = folder / "there"
    command = ["sketch", "photos", "-o", "out", "--recursive", "--sheet"]
    command += ["--upload", f"{there.as_uri()}/"]
    assert main.main(command) == 0
    ours = files(Path("out"))
    assert ours.pop("limner.jsonl")
    assert set(ours) == {"a.png", "sub/b.png", SHEET}
    assert files(there) == ours
    capsys.readouterr()
    assert main.main(command) == 0
    assert "2 of 2 pictures are done already" in capsys.readouterr().err


def test_a_picture_made_without_upload_is_made_again_to_be_copied(folder: Path) -> None:
    assert main.main(["sketch", "photos", "-o", "out"]) == 0
    there = folder / "there"
    assert main.main(["sketch", "photos", "-o", "out", "--upload", there.as_uri()]) == 0
    assert files(there) == {"a.png": Path("out/a.png").read_bytes()}


def test_side_files_are_copied(folder: Path) -> None:
    there = folder / "there"
    command = ["hybridize", "photos", "photos/a.png", "-o", "out", "--strip"]
    assert main.main([*command, "--upload", there.as_uri()]) == 0
    ours = files(Path("out"))
    assert ours.pop("limner.jsonl")
    assert len(ours) == 2
    assert files(there) == ours


def test_a_copy_that_fails_is_made_up_for_by_the_next_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Upload.copy

    def failing(self: Upload, paths: Iterable[Path]) -> None:
        if next(iter(paths)).name == "b.png":
            raise LimnerError("out/sub/b.png: is made, but the line is down")
        copy(self, paths)

    there = folder / "there"
    command = ["sketch", "photos", "-o", "out", "--recursive", "--upload", there.as_uri()]
    monkeypatch.setattr(Upload, "copy", failing)
    assert main.main(command) == 3
    assert "but the line is down" in capsys.readouterr().err
    assert set(files(there)) == {"a.png"}
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert main.main(command) == 0
    assert set(files(there)) == {"a.png", "sub/b.png"}


def test_a_file_is_copied_whole_or_not_at_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out").mkdir()
    Path("out/a.png").write_bytes(b"new" * 10**6)
    there = folder / "there"
    there.mkdir()
    (there / "a.png").write_bytes(b"old")

    def cut_off(source: object, target: object, length: int) -> None:
        target.write(b"new")  # type: ignore[attr-defined]
        raise ConnectionError("the line is down")

    monkeypatch.setattr("shutil.copyfileobj", cut_off)
    with pytest.raises(LimnerError, match=r"a\.png: is made, but cannot be copied to file:.*down"):
        Upload(Path("out"), there.as_uri()).copy([Path("out/a.png")])
    assert files(there) == {"a.png": b"old"}
    monkeypatch.undo()
    Upload(folder / "out", there.as_uri()).copy([folder / "out/a.png"])
    assert files(there) == {"a.png": b"new" * 10**6}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("there", "--upload there: must be a URL, such as s3://bucket/folder"),
        ("spam://there", "--upload spam://there: Protocol not known: spam"),
    ],
)
def test_no_url_is_refused(url: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["sketch", "photos", "-o", "out", "--upload", url]) == 2
    assert capsys.readouterr().err == f"limner: error: {message}\n"
    assert not Path("out").exists()


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{(folder / 'photos/a.png').as_uri()}/there"
    assert main.main(["sketch", "photos", "-o", "out", "--upload", url]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"limner: error: --upload {url}: cannot be written (")
    assert err.count("\n") == 1
    assert not Path("out").exists()


def test_a_single_picture_is_not_uploaded_and_no_folder_is_a_url(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["sketch", "photos/a.png", "-o", "a.png", "--upload", "file:///there"]) == 2
    assert "--upload: is for the pictures of a folder" in capsys.readouterr().err
    assert main.main(["sketch", "photos", "-o", "s3://bucket/out"]) == 2
    err = capsys.readouterr().err
    assert err.endswith("is a URL; name a folder, and add --upload URL\n")
