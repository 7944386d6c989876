"""Names of files that Windows does not allow."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from limner.errors import OutputError
from limner.io import writing
from limner.io.writing import NOT_ON_WINDOWS, plain_name

FORBIDDEN = (
    *("CON", "con.png", "Aux.tar.gz", "COM1.png", "lpt¹", "nul .png", "CONIN$", "a.png.", "a.png "),
    *("a:b.png", "a?.png", 'a".png', "a|b", "a<b", "a*", "a\tb.png"),
)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_names_that_windows_does_not_allow(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert NOT_ON_WINDOWS.search(name)
    assert not NOT_ON_WINDOWS.search(plain_name(name))
    monkeypatch.setattr(writing, "os", SimpleNamespace(name="nt", PathLike=os.PathLike))
    with pytest.raises(OutputError, match=r": Windows does not allow this name; choose another$"):
        writing.check_place(tmp_path / name, overwrite=True)


@pytest.mark.parametrize(
    "name",
    ["console.png", "a.con", "com.png", "com10.png", "лодка.png", "a b.png", "null", "$.png"],
)
def test_names_that_windows_allows(name: str) -> None:
    assert not NOT_ON_WINDOWS.search(name)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (r"C:\fakepath\photo 1.jpg", "photo_1.jpg"),
        ("//server/share/photo.jpg", "photo.jpg"),
        ("../../photo.jpg", "photo.jpg"),
        ("con.png", "_con.png"),
        ("...", "file"),
        (f"{'a' * 90}.png", f"{'a' * 76}.png"),
    ],
)
def test_names_of_uploads(given: str, plain: str) -> None:
    assert plain_name(given) == plain


def test_names_that_the_encoding_of_the_system_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "iso8859-9")
    assert plain_name("İstanbul 写真.jpg") == "İstanbul___.jpg"
