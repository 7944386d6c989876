"""Pictures that tests of training share."""

from pathlib import Path

import pytest

from blobs import fill


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("photos"))
