"""Short texts by name: each is new once, in one process and in several."""

import shutil

import pytest

from chronotile.readers.caches.records import RecordsInFolder, RecordsInMemory


@pytest.fixture(params=["memory", "folder"])
def records(request, tmp_path):
    return RecordsInMemory() if request.param == "memory" else RecordsInFolder(tmp_path / "records")


def test_the_same_text_is_new_once(records):
    text = "a date cannot be read"

    assert [records.add("one", text), records.add("one", text)] == [True, False]


def test_the_first_text_of_a_name_stays(records):
    records.add("one", "first")
    records.add("one", "second")

    assert records.read("one") == "first"
    assert list(records.names()) == ["one"]


def test_a_text_that_was_removed_is_new_again(records):
    records.add("one", "text")

    assert [records.remove("one"), records.remove("one"), records.read("one")] == [True, False, None]
    assert records.add("one", "text")


def test_a_folder_that_was_removed_is_made_again(tmp_path):
    records = RecordsInFolder(tmp_path / "records")
    records.add("one", "text")
    shutil.rmtree(tmp_path / "records")

    assert list(records.names()) == []
    assert records.add("two", "text")
    assert list(records.names()) == ["two"]


def test_record_that_cannot_be_written_counts_as_new(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    records = RecordsInFolder(tmp_path / "file" / "records")

    assert records.add("one", "text")
    assert "cannot be written" in caplog.text
