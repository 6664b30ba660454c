"""A source elsewhere, for readers of all kinds."""

import pytest

from tests.faulty_source import faulty_source


@pytest.fixture
def source(tmp_path):
    """A server of files of the folder `tmp_path / "files"`, which is empty."""
    (tmp_path / "files").mkdir()
    with faulty_source(tmp_path / "files") as one:
        yield one
