"""Starting and closing the studio."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from studio_process import Studio, missing

from limner.errors import OptionError
from limner.web.studio import _announce, _signals_as_interrupts, studio


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


def test_without_gradio_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.environ", os.environ.copy())  # the studio changes it
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(OptionError, match=r'pip install "limner\[studio\]"'):
        studio(port=free_port(), browser=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("limner.web.studio", {"gradio", "torch"}),
        ("limner.web.guard, limner.web.jobs, limner.web.session, limner.web.snippets", {"gradio"}),
    ],
)
def test_little_is_imported(modules: str, heavy: set[str]) -> None:
    code = f"import sys, {modules}; found = {heavy} & sys.modules.keys(); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_signals_that_this_system_lacks_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where there is no SIGHUP."""
    monkeypatch.delattr(signal, "SIGHUP", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    with _signals_as_interrupts():
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.browser
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_leaves_no_files_behind(name: str, tmp_path: Path) -> None:
    if why := missing():
        pytest.skip(why)
    folder = tmp_path / "temporary"
    folder.mkdir()
    running = Studio(folder)
    (inside,) = folder.glob("limner-studio-*")
    assert inside.stat().st_mode & 0o77 == 0, "other users of the machine have no access"
    running.process.send_signal(getattr(signal, name))
    assert running.process.wait(30) == 0
    assert not list(folder.glob("limner-*"))
    assert "Traceback" not in running.log.read_text()
