"""Starting and closing the studio."""

import os
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from studio_process import Studio

from limner.errors import LimnerError, OptionError, OutputError
from limner.web.gallery import Gallery
from limner.web.studio import _announce, _signals_as_interrupts, pictures_folder, studio


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_port_in_use_is_refused_with_a_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            OptionError, match=rf"--port {port}: cannot be used .*try another --port"
        ):
            studio(port=port, browser=False)


@pytest.mark.parametrize("port", [0, -1, 70_000])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(OptionError, match="must be from 1 to 65535"):
        studio(port=port, browser=False)


def test_an_unknown_host_is_refused() -> None:
    with pytest.raises(OptionError, match="cannot be used"):
        studio(host="203.0.113.7", port=free_port(), browser=False)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("studio", "studio")],
)
def test_it_prints_its_address(host: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    _announce(host, 7000, browser=False)
    first, *more = capsys.readouterr().err.splitlines()
    assert f"at http://{url}:7000/ (press Ctrl-C" in first
    assert not more or (host == "0.0.0.0" and "another device" in more[0])


def test_without_its_packages_the_message_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.environ", os.environ.copy())  # the studio changes it
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(OptionError, match=r'needs uvicorn; .*pip install "limner\[studio\]"'):
        studio(port=free_port(), browser=False, gallery=tmp_path / "gallery")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gallery_limit": 0.0}, "--gallery-limit 0: must be above 0"),
        ({"styles": Path("nowhere")}, "--styles nowhere: cannot be read"),
        ({"styles": Path()}, "--styles .: has no pictures"),
        ({"gallery": Path("file/x")}, "--gallery file/x: cannot be written"),
    ],
)
def test_folders_that_cannot_be_used_are_refused(
    options: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", os.environ.copy())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(LimnerError, match=said):
        studio(port=free_port(), browser=False, **options)


def test_a_gallery_is_used_by_one_studio(tmp_path: Path) -> None:
    first = Gallery(tmp_path, 2**30)
    with pytest.raises(OutputError, match="another studio uses it"):
        Gallery(tmp_path, 2**30)
    first.close()
    Gallery(tmp_path, 2**30).close()


def test_the_folder_for_pictures_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert pictures_folder() == tmp_path / "Pictures"
    (tmp_path / "config").mkdir()
    named = 'XDG_MUSIC_DIR="$HOME/M"\nXDG_PICTURES_DIR="$HOME/Bilder"\n'
    (tmp_path / "config/user-dirs.dirs").write_text(named)
    assert pictures_folder() == tmp_path / "Bilder"


def test_little_is_imported() -> None:
    code = "import sys, limner.web.studio; assert not {'fastapi', 'torch'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_signals_that_this_system_lacks_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where there is no SIGHUP."""
    monkeypatch.delattr(signal, "SIGHUP", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    with _signals_as_interrupts():
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
@pytest.mark.skipif(find_spec("fastapi") is None, reason="needs limner[studio]")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_ends_with_its_terminal(name: str, tmp_path: Path) -> None:
    running = Studio(tmp_path / "gallery")
    hidden = tmp_path / "gallery/.limner"
    assert hidden.stat().st_mode & 0o77 == 0, "other users of the machine have no access"
    running.process.send_signal(getattr(signal, name))
    assert running.process.wait(30) == 0
    assert not list(hidden.rglob("*.part"))
    assert "Traceback" not in running.log.read_text()
