"""Items whose day changed since their publication: each exists only one time, also after any failure."""

import errno
import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from chronotile.archive.publish.groups import ItemListing
from chronotile.archive.publish.publication import PublishedAsset, PublishedItem
from chronotile.archive.publish.sources import GeneratedFile
from chronotile.core.durable_files import Disk
from chronotile.core.errors import WriteFailed
from tests.archive.publish.published import check, check_assets, read, validate
from tests.archive.publish.test_write import Broken, document, item, publication, write


def folders_and_files(folder):
    """Return all below a folder of a year, month or day."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "open-science" not in str(path))


def ids(items):
    return sorted(each.id for each in items)


@pytest.mark.parametrize("day", ["2020-06-02", "2020-07-01", "2019-12-31", "2021-01-01"])
def test_item_of_another_day_exists_once_without_its_old_files(day, tmp_path):
    write(tmp_path / "out", publication(item("a", document("one"), day="2020-06-01")))

    summary = write(tmp_path / "out", publication(item("a", document("one"), day=day)))

    (found,) = check(tmp_path / "out")
    write(tmp_path / "new", publication(item("a", document("one"), day=day)))
    assert found.self_href.endswith(f"/out/{day.replace('-', '/')}/a/a.json")
    assert (summary.added, summary.files) == (1, 1)
    assert folders_and_files(tmp_path / "out") == folders_and_files(tmp_path / "new")


def test_items_of_the_old_day_of_a_moved_item_stay(tmp_path):
    write(
        tmp_path / "out", publication(item("a", document("a")), item("b", document("b")), item("gone", document("c")))
    )

    write(tmp_path / "out", publication(item("a", document("a")), item("b", document("b"), day="2020-06-02")))

    found = {each.id: each.self_href for each in check(tmp_path / "out")}
    assert ids(validate(tmp_path / "out")) == ["a", "b", "gone"]
    assert {id_: Path(place).parent.parent.name for id_, place in found.items()} == {"a": "01", "b": "02", "gone": "01"}


def test_part_of_the_source_removes_only_its_moved_items(tmp_path):
    write(tmp_path / "out", publication(item("a", document("a")), item("b", document("b"), day="2019-01-01")))

    write(tmp_path / "out", publication(item("c", document("c"), day="2021-01-01")))

    assert ids(check(tmp_path / "out")) == ["a", "b", "c"]


def test_unreadable_item_of_another_day_stays_at_its_old_path(tmp_path):
    write(tmp_path / "out", publication(item("a", document("one"))))

    summary = write(tmp_path / "out", publication(item("a", Broken(), day="2021-01-01"), item("b", document("b"))))

    found = {each.id: each.self_href for each in check(tmp_path / "out")}
    assert summary.failed == 1
    assert found["a"].endswith("/2020/06/01/a/a.json")


def test_stores_and_files_that_were_replaced_go_with_their_item(tmp_path):
    def made(day, text):
        store = {"c/0": GeneratedFile("0", text), "zarr.json": GeneratedFile("zarr.json", b"{}")}
        plain = item("a", day=day)
        shown = plain.document | {"assets": {"cube": {}, "file": {}}}
        assets = (
            PublishedAsset(key="cube", folder=store, name="cube.zarr"),
            PublishedAsset(key="file", source=GeneratedFile("a.tif", text)),
        )
        return publication(PublishedItem(document=shown, start=plain.start, assets=assets))

    for day, text in (("2020-06-01", b"one"), ("2020-06-01", b"two"), ("2021-06-01", b"two")):
        write(tmp_path / "out", made(day, text))

    (found,) = validate(tmp_path / "out")
    check_assets(Path(found.self_href))
    assert not (tmp_path / "out" / "2020").exists()


def test_other_files_of_the_old_folder_of_an_item_are_not_touched(tmp_path):
    write(tmp_path / "out", publication(item("a", document("one"))))
    mine = tmp_path / "out" / "2020" / "06" / "01" / "a" / "mine.txt"
    mine.write_text("mine")

    write(tmp_path / "out", publication(item("a", document("one"), day="2021-01-01")))

    assert ids(check(tmp_path / "out")) == ["a"]
    assert [path for path in (tmp_path / "out" / "2020").rglob("*") if path.is_file()] == [mine]


@pytest.mark.parametrize("is_daily", [True, False])
def test_items_move_between_folders_of_years_and_of_days(is_daily, tmp_path):
    items = [item("06", document("a")), item("b", document("b"), day="2019-01-01")]
    write(tmp_path / "out", publication(*items, is_daily=is_daily))

    write(tmp_path / "out", publication(*items, is_daily=not is_daily))

    assert ids(check(tmp_path / "out")) == ["06", "b"]


def test_a_catalogue_that_has_an_item_twice_is_mended(tmp_path):
    write(tmp_path / "out", publication(item("a", document("one"))))
    old = read(tmp_path / "out" / "2020" / "06" / "01" / "catalog.json")
    write(tmp_path / "out", publication(item("a", document("one")), item("b", document("b"), day="2020-06-02")))
    new = tmp_path / "out" / "2020" / "06" / "02"
    (new / "a").mkdir()
    for name in ("a.json", "a.tif"):
        (new / "a" / name).write_bytes((tmp_path / "out" / "2020" / "06" / "01" / "a" / name).read_bytes())
    listed = read(new / "catalog.json")
    listed["links"] += [each for each in old["links"] if each["rel"] == "item"]
    (new / "catalog.json").write_bytes(json.dumps(listed).encode())
    assert ids(validate(tmp_path / "out")) == ["a", "a", "b"]

    write(tmp_path / "out", publication(item("a", document("one"))))

    assert ids(check(tmp_path / "out")) == ["a", "b"]
    assert not (new / "a").exists()


@pytest.mark.parametrize("operation", ["rename", "remove"])
@pytest.mark.parametrize("number", range(16))
def test_any_failure_loses_no_item_and_the_next_run_completes_it(operation, number, tmp_path):
    write(tmp_path / "out", publication(item("a", document("one")), item("b", document("b"))))
    changed = publication(item("b", document("b")), item("a", document("one"), day="2021-01-01"))
    calls = [0]

    def fail(self, *arguments):
        calls[0] += 1
        if calls[0] == number + 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return getattr(Disk, operation)(self, *arguments)

    try:
        write(tmp_path / "out", changed, disk=type("Faulty", (Disk,), {operation: fail})())
    except WriteFailed:
        found = validate(tmp_path / "out")
        assert {each.id for each in found} == {"a", "b"}
        for each in found:
            check_assets(Path(each.self_href))
    write(tmp_path / "out", changed)

    assert ids(check(tmp_path / "out")) == ["a", "b"]


def test_an_item_that_is_listed_in_two_folders_has_moved_from_neither():
    with closing(ItemListing()) as listed:
        for group, id_ in (("2021", "b"), ("2020", "a"), ("2021", "a"), ("2021", "a")):
            listed.add(group, id_)

        assert list(listed.groups()) == [("2020", ["a"]), ("2021", ["a", "b"])]
        assert [listed.moved_items(group, ["a", "b", "c"]) for group in ("2019", "2020", "2021")] == [
            {"a", "b"},
            {"b"},
            set(),
        ]


def test_run_without_room_for_the_list_of_items_reports_it():
    with closing(ItemListing()) as listed:
        listed._database.execute("PRAGMA max_page_count = 2")

        with pytest.raises(WriteFailed, match=r"the list of items, a temporary file, cannot be written: .* is full"):
            listed.add("2020", "a" * 100_000)
