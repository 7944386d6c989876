"""The studio's HTTP interface, as a script uses it."""

import io
import json
import socket
import struct
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from studio_process import Studio

import limner
from limner.io import recipe_of

# Not imported: beside pydantic, cyclopts checks types twice.
pytestmark = pytest.mark.skipif(find_spec("fastapi") is None, reason="needs limner[studio]")
Pictures = dict[str, Path]
EXAMPLES = Path(limner.__file__).parent / "web/examples"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    running = Studio(tmp_path_factory.mktemp("studio") / "gallery")
    yield running
    assert running.close() == (0, "")


def pixels(data: bytes | Path) -> Any:
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.slow
def test_a_picture_is_what_the_library_makes(studio: Studio, pictures: Pictures) -> None:
    files = {"picture": [studio.add(pictures["photo"])]}
    job = studio.wait_for(studio.submit("upscale", files, scale="2", detail=0))
    assert job["state"] == "done" and job["pictures"][0]["width"] == 320
    status, data = studio.request(f"/api/pictures/{job['id']}-1/file")
    assert status == 200
    assert (
        abs(pixels(data) - np.asarray(limner.upscale(pictures["photo"], scale=2, detail=0))).max()
        <= 1
    )
    kept = studio.gallery / job["pictures"][0]["name"]
    assert kept.read_bytes() == data and kept.name.endswith("-photo-upscale.png")
    assert recipe_of(kept)["inputs"] == ["photo.png"], "without the folder"


def test_a_chain_is_queued_before_its_first_picture_exists(
    studio: Studio, pictures: Pictures
) -> None:
    styles = [studio.add(pictures["painting"])]
    first = studio.submit(
        "stylize",
        {"photo": [studio.add(pictures["photo"])], "styles": styles},
        size="96",
        steps="9",
    )
    second = studio.submit("upscale", {"picture": [f"{first}-1"]}, scale="2")
    job = studio.wait_for(second)
    assert job["state"] == "done" and job["pictures"][0]["width"] == 192
    assert job["files"]["picture"][0]["name"] == studio.wait_for(first)["pictures"][0]["name"]
    assert "preview" not in job and job["previews"] >= 0
    assert studio.request(f"/api/jobs/{first}/preview")[0] == 200


def test_stop_keeps_the_picture_so_far(studio: Studio, pictures: Pictures) -> None:
    files = {"photo": [studio.add(pictures["photo"])], "styles": [studio.add(pictures["painting"])]}
    job = studio.submit("stylize", files, size="384")
    waiting = studio.submit("stylize", files, size="384")
    while not studio.request(f"/api/jobs/{job}")[1]["previews"]:
        pass
    assert studio.request(f"/api/jobs/{waiting}/stop", {})[1]["state"] == "stopped"
    studio.request(f"/api/jobs/{job}/stop", {})
    ended = studio.wait_for(job)
    assert ended["state"] == "stopped" and ended["pictures"][0]["width"] == 384
    assert studio.wait_for(waiting)["message"] == "stopped before it started"


def test_an_error_names_its_remedy(studio: Studio, pictures: Pictures) -> None:
    job = studio.wait_for(
        studio.submit("colorize", {"sketch": [studio.add(EXAMPLES / "photo.jpg")]})
    )
    assert job["state"] == "failed" and "photo.jpg: is a photo" in job["message"]
    assert job["remedies"] == [{"option": "force", "value": True, "label": "Turn on “Force”"}]
    status, refused = studio.request("/api/jobs", {"verb": "stylize"})
    assert (status, refused["message"]) == (422, "“Photo”: is empty; drop a picture there first")
    assert studio.request("/api/jobs", {"verb": "shout"})[0] == 422


def test_results_are_found_deleted_and_restored(studio: Studio, pictures: Pictures) -> None:
    job = studio.wait_for(studio.submit("sketch", {"picture": [studio.add(pictures["photo"])]}))
    path = studio.gallery / job["pictures"][0]["name"]
    for query, found in (("verb=sketch", True), ("search=photo-SKETCH", True), ("verb=x", False)):
        listed = studio.request(f"/api/results?{query}")[1]
        assert any(one["id"] == job["id"] for one in listed["results"]) == found
        assert listed["total"] == len(listed["results"])
    assert studio.request(f"/api/results/{job['id']}", method="DELETE")[0] == 200
    assert not path.exists()
    assert studio.request("/api/results?verb=sketch")[1]["total"] == 0
    assert studio.request(f"/api/pictures/{job['id']}-1")[0] == 404
    assert studio.request(f"/api/results/{job['id']}/restore", {})[0] == 200
    assert path.exists() and studio.request("/api/results?verb=sketch")[1]["total"] == 1


def test_several_results_in_one_archive(studio: Studio, pictures: Pictures) -> None:
    files = {"picture": [studio.add(pictures["photo"])]}
    jobs = [studio.wait_for(studio.submit("sketch", files, thickness=t)) for t in (0.8, 1.2)]
    _, data = studio.request(f"/api/zip?ids={','.join(job['id'] for job in jobs)}")
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert packed.namelist() == [job["pictures"][0]["name"] for job in jobs]
        assert packed.testzip() is None
    while list((studio.gallery / ".limner").glob("*.part")):
        pass  # it is deleted once it is sent


def test_the_recipe_of_a_finished_picture_fills_the_form(
    studio: Studio, pictures: Pictures
) -> None:
    drawing = studio.add(pictures["drawing"])
    job = studio.wait_for(
        studio.submit("colorize", {"sketch": [drawing]}, palette="gold,navy", vivid=1.5)
    )
    again = studio.add(studio.gallery / job["pictures"][0]["name"])  # dropped in as a file
    form = studio.request(f"/api/pictures/{again}/recipe")[1]
    assert form["verb"] == "colorize" and form["missing"] == []
    assert form["values"]["palette"] == "gold,navy" and form["values"]["vivid"] == 1.5
    assert [one["id"] for one in form["files"]["sketch"]] == [drawing]
    status, said = studio.request(f"/api/pictures/{drawing}/recipe")
    assert status == 422 and "recipe" in said["message"]


def test_a_picture_is_shown_in_the_size_that_is_asked_for(
    studio: Studio, pictures: Pictures
) -> None:
    large = studio.add(pictures["large"])
    for side, shown in ((300, 512), (0, 800), (5000, 800)):
        _, data = studio.request(f"/api/pictures/{large}/view?side={side}")
        assert pixels(data).shape[1] == shown
    assert studio.request(f"/api/pictures/{large}/view?side=-1")[0] == 422


def test_regions_are_numbered(studio: Studio, pictures: Pictures) -> None:
    _, data = studio.request(f"/api/pictures/{studio.add(pictures['drawing'])}/regions")
    red, green, blue = np.moveaxis(pixels(data), 2, 0)
    found = red + 256 * green + 65536 * blue
    assert np.array_equal(found, limner.regions(pictures["drawing"]))


def test_the_form_as_a_command(studio: Studio) -> None:
    form = {"verb": "stylize", "values": {"size": "300", "strength": 1.0}}
    said = studio.request("/api/command", form)[1]
    assert said["command"] == "limner stylize photo.jpg styles.jpg --size 300 -o stylize.png"
    assert "size=300" in said["python"]


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that claims to be very large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum_

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start, data = b"\x89PNG\r\n\x1a\n", chunk(b"IDAT", zlib.compress(b"\0" * 9))
    return start + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("text.png", b"no picture at all", "text.png: is damaged, or a text file"),
        ("empty.png", b"", "empty.png: is empty"),
        ("bomb.png", bomb(40_000, 40_000), "1600 megapixels, more than the 50"),
        ("cut.png", bomb(300, 300), "cut.png: cannot be read"),
        ("../../x%00.png", b"\0" * 64, "x?.png: is damaged"),
        ("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("long.png", bytes(64 * 2**20 + 1), "has more than the 64 MB"),
    ],
)
def test_hostile_files_are_refused(studio: Studio, name: str, data: bytes, said: str) -> None:
    status, answer = studio.request(f"/api/files?name={name}", data)
    assert status == 422 and said in answer["message"]
    assert str(studio.gallery) not in answer["message"]
    assert not list((studio.gallery / ".limner").glob("*.part"))


def test_a_torn_upload_leaves_nothing(studio: Studio) -> None:
    with socket.create_connection(("127.0.0.1", studio.port)) as torn:
        head = f"POST /api/files?name=a.png HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n"
        torn.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode() + b"x" * 50_000)
        while not list((studio.gallery / ".limner").glob("*.part")):
            pass
    while list((studio.gallery / ".limner").glob("*.part")):
        pass  # the studio notices a moment later


@pytest.mark.parametrize(
    "key",
    ["..%2f..%2fetc%2fpasswd", "zz", "a" * 32, "%2e%2e", "0" * 8 + "-1", "0" * 8 + "-99999"],
)
def test_only_known_files_are_sent(studio: Studio, key: str) -> None:
    for path in (f"/api/pictures/{key}/file", f"/api/pictures/{key}/view", f"/api/jobs/{key}"):
        assert studio.request(path)[0] in (404, 422)
    assert studio.request(f"/api/styles/{key}/view")[0] in (404, 422)


def test_static_files_stay_in_their_folder(studio: Studio) -> None:
    assert b"<title>" in studio.request("/")[1]
    for path in ("/../api.py", "/%2e%2e/api.py", "/js/../../api.py", "//etc/passwd"):
        assert studio.request(path)[0] in (404, 422)


def test_other_websites_and_host_names_are_refused(studio: Studio) -> None:
    assert studio.request("/api/jobs", Host="evil.example")[0] == 403
    assert studio.request("/api/jobs", {"verb": "sketch"}, Origin="http://evil.example")[0] == 403


def test_the_description_lists_every_path(studio: Studio) -> None:
    described = studio.request("/api/openapi.json")[1]["paths"]
    assert {"/api/jobs", "/api/files", "/api/results", "/api/pictures/{key}/view"} <= set(described)
    for path, methods in described.items():
        assert all(one.get("description") for one in methods.values()), path


@pytest.mark.slow
def test_many_requests_at_once(studio: Studio, pictures: Pictures) -> None:
    photo = studio.add(pictures["photo"])
    jobs: list[str] = []

    def ask(number: int) -> None:
        jobs.append(studio.submit("sketch", {"picture": [photo]}, thickness=0.5 + number / 20))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    ended = [studio.wait_for(job) for job in jobs]
    assert {job["state"] for job in ended} == {"done"}
    assert len({job["pictures"][0]["name"] for job in ended}) == 20, "none takes another's place"


@pytest.mark.slow
def test_a_killed_studio_goes_on_with_its_queue(tmp_path: Path, pictures: Pictures) -> None:
    studio = Studio(tmp_path / "gallery")
    photo, painting = studio.add(pictures["photo"]), studio.add(pictures["painting"])
    done = studio.submit("sketch", {"picture": [photo]})
    running = studio.submit("stylize", {"photo": [photo], "styles": [painting]}, size="256")
    waiting = studio.submit("upscale", {"picture": [f"{running}-1"]}, scale="2")
    while not studio.request(f"/api/jobs/{running}")[1]["previews"]:
        pass
    studio.kill()
    (tmp_path / "gallery/.limner-0123456789abcdef.part").write_bytes(b"half a picture")

    again = Studio(tmp_path / "gallery")
    assert not list((tmp_path / "gallery").rglob("*.part"))
    assert again.request("/api/results")[1]["results"][0]["id"] == done
    listed = [job["id"] for job in again.request("/api/jobs")[1]]
    assert listed == [running, waiting]
    assert again.wait_for(waiting)["pictures"][0]["width"] == 512
    assert again.wait_for(running)["state"] == "done"
    again.close()


@pytest.mark.slow
def test_closing_keeps_the_queue_too_but_no_job_crashes_it_forever(
    tmp_path: Path, pictures: Pictures
) -> None:
    studio = Studio(tmp_path / "gallery")
    files = {"photo": [studio.add(pictures["photo"])], "styles": [studio.add(pictures["painting"])]}
    job = studio.submit("stylize", files, size="1024")
    for _ in range(2):
        studio.wait_for(job, "running")
        studio.kill()
        studio = Studio(tmp_path / "gallery")
    ended = studio.wait_for(job)
    assert ended["state"] == "failed" and "try a smaller size" in ended["message"]
    second = studio.submit("stylize", files, size="512")
    studio.wait_for(second, "running")
    studio.close()
    record = json.loads((tmp_path / f"gallery/.limner/jobs/{second}.json").read_text())
    assert record["state"] == "running" and not record["pictures"]
    assert record["starts"] == 0, "closing is no crash"


@pytest.mark.slow
def test_a_gallery_that_vanishes_loses_no_picture(tmp_path: Path, pictures: Pictures) -> None:
    studio = Studio(tmp_path / "gallery")
    files = {"photo": [studio.add(pictures["photo"])], "styles": [studio.add(pictures["painting"])]}
    job = studio.submit("stylize", files, size="256")
    while not studio.request(f"/api/jobs/{job}")[1]["previews"]:
        pass
    (tmp_path / "gallery").rename(tmp_path / "elsewhere")
    ended = studio.wait_for(job)
    assert ended["state"] == "failed" and "is gone; put it back" in ended["message"]
    assert ended["remedies"] == [{"action": "save", "label": "Save again"}]
    assert "is gone" in studio.request("/api/studio")[1]["gallery"]["error"]
    assert studio.request("/api/jobs", {"verb": "stylize", "files": files})[0] == 422
    assert not (tmp_path / "gallery").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "gallery")
    saved = studio.request(f"/api/jobs/{job}/save", {})[1]
    assert saved["state"] == "done" and saved["pictures"][0]["width"] == 256
    assert (tmp_path / "gallery" / saved["pictures"][0]["name"]).is_file()
    assert studio.request(f"/api/jobs/{job}/save", {})[0] == 422
    assert studio.request("/api/studio")[1]["gallery"]["error"] is None
    studio.close()


def test_a_full_gallery_is_told(tmp_path: Path, pictures: Pictures) -> None:
    studio = Studio(tmp_path / "gallery", gallery_limit=1e-6)
    photo = studio.add(pictures["photo"])
    form = {"verb": "sketch", "files": {"picture": [photo]}}
    status, said = studio.request("/api/jobs", form)
    assert status == 422 and "the gallery is full" in said["message"]
    studio.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit it from outside")
def test_a_full_disk_loses_no_picture(tmp_path: Path, pictures: Pictures) -> None:
    import resource

    studio = Studio(tmp_path / "gallery")
    photo = studio.add(pictures["photo"])
    before = resource.prlimit(studio.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(studio.process.pid, resource.RLIMIT_FSIZE, (20_000, before[1]))
    job = studio.submit("upscale", {"picture": [photo]}, scale="4")
    ended = studio.wait_for(job)
    assert ended["state"] == "failed" and "cannot be written" in ended["message"]
    assert studio.request(f"/api/jobs/{job}/save", {})[0] == 422
    assert not list(studio.gallery.glob("*.png")) + list(studio.gallery.glob(".limner-*"))
    status, refused = studio.request("/api/files?name=a.png", bytes(30_000))
    assert status == 422 and "cannot be kept" in refused["message"]
    resource.prlimit(studio.process.pid, resource.RLIMIT_FSIZE, before)
    assert studio.request(f"/api/jobs/{job}/save", {})[1]["state"] == "done"
    assert pixels(next(studio.gallery.glob("*.png"))).shape == (576, 640, 3)
    assert studio.close() == (0, "")


def test_a_body_that_is_no_text_is_refused(studio: Studio) -> None:
    kind = {"Content-Type": "application/octet-stream"}
    status, answer = studio.request("/api/command", b"\x89PNG\xff", **kind)
    assert status == 422 and answer["detail"][0]["loc"] == ["body"]


def test_an_archive_leaves_no_file_and_holds_each_picture_once(
    studio: Studio, pictures: Pictures
) -> None:
    job = studio.submit("sketch", {"picture": [studio.add(pictures["photo"])]})
    studio.wait_for(job)
    assert studio.request(f"/api/zip?ids={job},abcdef12")[0] == 404
    assert not list((studio.gallery / ".limner").glob("*.part"))
    _, data = studio.request(f"/api/zip?ids={job},{job}")
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert len(packed.namelist()) == 1
