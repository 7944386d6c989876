"""The folder of the studio: records of jobs that somebody edited, or that a disk damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from limner.web.gallery import Gallery, Made, Record
from limner.web.service import Service

SOUND: dict[str, Any] = {
    "id": "18a",
    "verb": "upscale",
    "values": {"scale": 2},
    "files": {"picture": ["ab" * 16]},
    "created": "2026-11-28T05:00:00+00:00",
    "state": "done",
    "pictures": [{"name": "a.png", "width": 20, "height": 10, "alpha": False}],
}


def records(folder: Path, content: bytes) -> list[Record]:
    """Start the studio with one record, and let it list its jobs and results."""
    jobs = folder / ".limner" / "jobs"
    jobs.mkdir(parents=True)
    (jobs / "18a.json").write_bytes(content)
    service = Service(gallery := Gallery(folder, 10**9))
    described = [service.describe(one) for one in (*service.listed(), *gallery.results())]
    service.close()
    json.dumps(described, allow_nan=False).encode()
    assert (jobs / "18a.json").read_bytes() == content
    return list(gallery.records.values())


def test_a_record_is_read(tmp_path: Path) -> None:
    (record,) = records(tmp_path, json.dumps(SOUND).encode())
    assert record.pictures == [Made("a.png", 20, 10, False)] and record.values == {"scale": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"pictures": [3]},
        {"pictures": [{"name": "a.png"}]},
        {"pictures": [{"name": "../a.png", "width": 1, "height": 1, "alpha": False}]},
        {"side_files": ["/etc/passwd"]},
        {"id": 394},
        {"id": "../18a"},
        {"created": 2026},
        {"starts": {}},
        {"state": "asleep"},
        {"values": {"scale": float("nan")}},
        {"of a version to come": 1},
    ],
    ids=str,
)
def test_a_record_that_cannot_be_is_left_alone(tmp_path: Path, change: dict[str, Any]) -> None:
    assert records(tmp_path, json.dumps(SOUND | change).encode()) == []


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff", b'{"id": "\\ud800"}'])
def test_a_record_that_is_no_json(tmp_path: Path, content: bytes) -> None:
    assert records(tmp_path, content) == []
