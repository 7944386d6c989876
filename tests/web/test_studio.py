"""What a studio says before there is a page."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from desk import Studio, lacking

from limner.errors import OptionError
from limner.web.studio import _ready, studio


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_taken_port_is_one_line_with_a_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=rf"--port {port}: cannot be .*try another --port"):
            studio(port=port, browser=False)


@pytest.mark.parametrize("port", [0, -1, 70_000])
def test_there_are_only_so_many_ports(port: int) -> None:
    with pytest.raises(OptionError, match="must be from 1 to 65535"):
        studio(port=port, browser=False)


def test_no_such_host() -> None:
    with pytest.raises(OptionError, match="cannot be listened at"):
        studio(host="203.0.113.7", port=free_port(), browser=False)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("desk", "desk")],
)
def test_it_says_where_it_is(host: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    _ready(host, 7000, browser=False)
    first, *more = capsys.readouterr().err.splitlines()
    assert f"at http://{url}:7000/ (Ctrl-C" in first
    assert not more or (host == "0.0.0.0" and "another machine" in more[0])


def test_without_gradio_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.environ", os.environ.copy())  # so that what it sets is put back
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(OptionError, match=r'pip install "limner\[studio\]"'):
        studio(port=free_port(), browser=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("limner.web.studio", {"gradio", "torch"}),
        ("limner.web.guard, limner.web.jobs, limner.web.session, limner.web.forms", {"gradio"}),
    ],
)
def test_little_is_imported(modules: str, heavy: set[str]) -> None:
    code = f"import sys, {modules}; found = {heavy} & sys.modules.keys(); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.browser
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    if why := lacking():
        pytest.skip(why)
    folder = tmp_path / "temporary"
    folder.mkdir()
    running = Studio(folder)
    (inside,) = folder.glob("limner-studio-*")
    assert inside.stat().st_mode & 0o77 == 0, "others on this machine may not look in"
    running.process.send_signal(number)
    assert running.process.wait(30) == 0
    assert not list(folder.glob("limner-*"))
    assert "Traceback" not in running.said.read_text()
