"""The page with hostile files, other websites, closed pages, and many jobs at once."""

import io
import json
import socket
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from studio_process import Client, Studio, StudioPage

import limner

pytestmark = pytest.mark.browser
Pictures = dict[str, Path]


def bomb() -> bytes:
    """Return a PNG of a hundred bytes that claims to have 1.6 gigapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def test_hostile_files_are_refused_and_the_page_goes_on(
    studio_page: StudioPage, pictures: Pictures
) -> None:
    encoded = io.BytesIO()
    with Image.open(pictures["photo"]) as picture:
        picture.save(encoded, "JPEG")
    cases = [
        ("half.jpg", encoded.getvalue()[: encoded.tell() // 2], "half.jpg: cannot be read"),
        ("text.png", b"no picture at all", "text.png: is damaged, or not a picture"),
        ("bomb.png", bomb(), "bomb.png: is 40000 × 40000 = 1600 megapixels"),
        ("<b>.png", b"\0" * 64, "_b_.png: is damaged"),
    ]
    studio_page.open("sketch")
    for name, data, said in cases:
        file = {"name": name, "mimeType": "image/png", "buffer": data}
        studio_page.page.set_input_files("#sketch-picture-0 input[type=file]", file)
        studio_page.page.wait_for_selector(f"#sketch-status .limner-error:has-text('{said}')")
        studio_page.page.wait_for_selector("#sketch-picture-0 input[type=file]", state="attached")
    good = {
        "name": "../../x.png",
        "mimeType": "image/png",
        "buffer": pictures["photo"].read_bytes(),
    }
    studio_page.page.set_input_files("#sketch-picture-0 input[type=file]", good)
    studio_page.page.wait_for_selector("#sketch-picture-0 img[src*='shown-']")
    studio_page.run("sketch")
    assert "Done in" in studio_page.page.inner_text("#sketch-status")
    assert "limner sketch x.png" in studio_page.command("sketch")


def test_other_devices_need_the_password(chromium: Any, tmp_path: Path, pictures: Pictures) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    studio = Studio(folder, "0.0.0.0")
    try:
        page = chromium.new_page(viewport={"width": 390, "height": 844})
        page.goto(studio.url)
        page.fill("input[name=password]", "guess")
        page.click("button")
        page.wait_for_selector("[role=alert]:not(:empty)")
        assert page.locator("#stylize-run").count() == 0
        said = studio.log.read_text()
        password = said.partition("the password is ")[2].split()[0]
        phone = StudioPage(page, studio.url, password)
        phone.open("sketch")
        phone.add_picture("sketch-picture-0", pictures["photo"])
        phone.run("sketch")
        assert phone.other_requests == [] and phone.errors == []
        assert password not in studio.log.read_text().removeprefix(said), "a password works once"
    finally:
        page.close()
        studio.close()


def test_two_pages_are_separate(
    studio_page: StudioPage, studio: Studio, chromium: Any, pictures: Pictures
) -> None:
    studio_page.open("sketch")
    studio_page.add_picture("sketch-picture-0", pictures["photo"])
    studio_page.run("sketch")
    page = chromium.new_page()
    other = StudioPage(page, studio.url)
    other.open("sketch")
    assert other.page.locator("#sketch-picture-0 img[src*='shown-']").count() == 0
    other.page.click("#sketch-run")
    assert "“Picture”: is empty" in other.wait_for_end("sketch")
    other.page.locator("#history > button").click()
    assert other.page.locator("#history-gallery img").count() == 0
    page.close()


def test_a_closed_page_stops_its_job_and_its_pictures_are_deleted(
    studio: Studio, chromium: Any, studio_page: StudioPage, pictures: Pictures
) -> None:
    page = chromium.new_page()
    left = StudioPage(page, studio.url)
    before = set(studio.folder.glob("*/*"))
    left.add_picture("stylize-photo-0", pictures["photo"])
    left.add_picture("stylize-styles-0", pictures["painting"])
    (mine,) = (one for one in set(studio.folder.glob("*/*")) - before if one.name != "uploads")
    left.write("stylize-size", "2048")
    left.page.click("#stylize-run")
    left.page.wait_for_selector("#stylize-preview img")
    page.close()
    studio_page.open("sketch")
    studio_page.add_picture("sketch-picture-0", pictures["photo"])
    studio_page.run("sketch")  # it would wait for many minutes if the other job went on
    deadline = time.monotonic() + 30
    while mine.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not mine.exists()


def test_a_broken_upload_is_not_an_error(studio: Studio) -> None:
    """The studio must not print anything; the fixture checks that when it closes it."""
    head = "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 9999\r\n"
    kind = "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    with socket.create_connection(("127.0.0.1", studio.port)) as torn:
        torn.sendall((head.format(studio.port) + kind).encode())
        time.sleep(0.5)
    time.sleep(0.5)


def test_twenty_jobs_at_once_all_end(studio: Studio) -> None:
    ends: dict[int, list[dict[str, Any]]] = {}

    def one(number: int) -> None:
        client = Client(studio, f"client{number:02d}")
        client.request("gradio_api/run/predict", client.call("sketch-example"))
        client.request("gradio_api/queue/join", client.call("sketch-run"))
        stream = client.request(f"gradio_api/queue/data?session_hash={client.name}")
        ends[number] = [
            json.loads(line[5:]) for line in stream.splitlines() if line.startswith("data:")
        ]

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(ends) == 20
    said = {number: json.dumps(messages) for number, messages in ends.items()}
    assert all("Done in" in text for text in said.values())
    assert any("In the queue: " in text for text in said.values())
    for messages in ends.values():
        (last,) = (one for one in messages if one["msg"] == "process_completed")
        assert last["success"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_host_names_and_websites_are_refused(studio: Studio, headers: dict[str, str]) -> None:
    client = Client(studio, "outside")
    assert client.refused("config", **headers) == 403


def test_no_other_file_of_the_machine_is_served(studio: Studio, tmp_path: Path) -> None:
    client = Client(studio, "outside")
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    session = studio.folder.glob("limner-studio-*/*/*.png")
    places = ["/etc/passwd", str(secret), "pyproject.toml", *map(str, session)]
    places += [str(Path(limner.__file__)), f"{studio.folder}/../secret", "http://127.0.0.1:1/x"]
    for place in places:
        assert client.refused(f"gradio_api/file={place}") in (403, 404), place

    target = [client.ids["sketch-picture-0"], "upload"]
    found = next(d for d in client.config["dependencies"] if target in d["targets"])
    for path in (str(secret), "/etc/passwd", "http://127.0.0.1:1/x.png"):
        file = {"path": path, "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
        call = {"fn_index": found["id"], "data": [file], "session_hash": "outside"}
        assert client.refused("gradio_api/run/predict", call) == 403, path
