"""Publications written into folders: their content before and after, for any error."""

import errno
import json
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from chronotile.archive.publish.documents import DATA, ITEMS
from chronotile.archive.publish.publication import (
    CatalogueOptions,
    Publication,
    PublishedAsset,
    PublishedExtent,
    PublishedItem,
)
from chronotile.archive.publish.sources import GeneratedFile, files_below
from chronotile.archive.publish.target import FolderTarget
from chronotile.archive.publish.write import write_publication
from chronotile.core.durable_files import Disk
from chronotile.core.errors import SourceUnavailable, UnsupportedSource, WriteFailed
from chronotile.core.model.space.boxes import BBox
from tests.archive.publish.published import check, check_assets, read, validate

BOX = [2.5, 49.5, 6.4, 51.5]


@dataclass
class Unknown:
    """A file without a fingerprint."""

    data: bytes
    name: str = "unknown.bin"

    def state(self):
        return ""

    def parts(self):
        yield self.data


@dataclass
class Broken:
    """A file that cannot be read to its end."""

    name: str = "broken.tif"

    def state(self):
        return "broken"

    def parts(self):
        yield b"a beginning"
        raise SourceUnavailable("broken.tif cannot be read: Input/output error")


def item(id_, *sources, day="2020-06-01", bbox=BOX):
    names = [f"asset-{number}" for number, _source in enumerate(sources)]
    document = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": id_,
        "geometry": {"type": "Point", "coordinates": bbox[:2]},
        "bbox": bbox,
        "properties": {"datetime": f"{day}T10:00:00Z"},
        "assets": {name: {} for name in names},
    }
    assets = tuple(PublishedAsset(key=name, source=source) for name, source in zip(names, sources, strict=True))
    return PublishedItem(document=document, start=np.datetime64(f"{day}T10:00:00", "ns"), assets=assets)


def publication(*items, **more):
    return Publication(
        **{"id": "made", "title": "Made", "description": "Made for tests", "items": lambda: items, "is_daily": True}
        | more
    )


def write(folder, made, *, disk=None, served_by=ITEMS):
    target = FolderTarget(folder) if disk is None else FolderTarget(folder, disk=disk)
    with target.alone():
        return write_publication(made, target, CatalogueOptions(), served_by=served_by)


def document(text):
    return GeneratedFile("a.tif", text.encode())


def test_items_of_several_days_are_linked_by_days_months_and_years(tmp_path):
    items = [item(f"i{number}", document("a"), day=day) for number, day in enumerate(("2019-12-31", "2020-01-01"))]

    summary = write(tmp_path / "out", publication(*items))

    assert (summary.added, summary.files, summary.bytes) == (2, 2, 2)
    assert {each.id for each in check(tmp_path / "out")} == {"i0", "i1"}
    links = read(tmp_path / "out" / "collection.json")["links"]
    assert [each["href"] for each in links if each["rel"] == "child"] == ["./2019/catalog.json", "./2020/catalog.json"]


def test_extent_covers_all_items_including_earlier_runs(tmp_path):
    write(tmp_path / "out", publication(item("a", document("a"), day="2019-01-01", bbox=[0.0, 0.0, 1.0, 1.0])))

    write(tmp_path / "out", publication(item("b", document("a"), day="2020-01-01", bbox=[5.0, -2.0, 6.0, 0.5])))

    extent = read(tmp_path / "out" / "collection.json")["extent"]
    assert extent["spatial"]["bbox"] == [[0.0, -2.0, 6.0, 1.0]]
    assert extent["temporal"]["interval"] == [["2019-01-01T10:00:00Z", "2020-01-01T10:00:00Z"]]


def test_boxes_across_the_antimeridian_make_the_extent_go_round(tmp_path):
    boxes = ([178.0, -10.0, -178.0, 0.0], [170.0, -12.0, 175.0, -5.0])
    items = [item(f"i{number}", document("a"), bbox=bbox) for number, bbox in enumerate(boxes)]

    write(tmp_path / "out", publication(*items))

    assert read(tmp_path / "out" / "collection.json")["extent"]["spatial"]["bbox"] == [[-180.0, -12.0, 180.0, 0.0]]


def test_a_collection_across_the_antimeridian_has_a_record_in_two_parts(tmp_path):
    extent = PublishedExtent(bbox=BBox(178, -10, -178, 0))

    write(tmp_path / "out", publication(assets=(PublishedAsset(key="data", source=document("a")),), extent=extent))

    check(tmp_path / "out")
    geometry = read(tmp_path / "out" / "record.json")["geometry"]
    assert geometry["type"] == "MultiPolygon"
    assert [part[0][0][0] for part in geometry["coordinates"]] == [178, -180]


def test_changed_file_gets_another_path_and_the_old_one_is_removed(tmp_path):
    write(tmp_path / "out", publication(item("a", document("one"))))
    before = read(tmp_path / "out/2020/06/01/a/a.json")["assets"]["asset-0"]["href"]

    summary = write(tmp_path / "out", publication(item("a", document("two"))))

    check(tmp_path / "out")
    after = read(tmp_path / "out/2020/06/01/a/a.json")["assets"]["asset-0"]["href"]
    assert (summary.added, summary.replaced, summary.files) == (0, 1, 1)
    assert before != after
    assert [path.read_text() for path in (tmp_path / "out/2020").rglob("*.tif")] == ["two"]


def test_a_file_that_went_back_is_copied_again(tmp_path):
    for text in ("one", "two", "one", "two"):
        write(tmp_path / "out", publication(item("a", document(text))))

    check(tmp_path / "out")
    assert [path.read_text() for path in (tmp_path / "out/2020").rglob("*.tif")] == ["two"]


def test_a_published_file_that_is_cut_short_is_copied_again(tmp_path):
    made = publication(item("a", document("whole")))
    write(tmp_path / "out", made)
    (file,) = (tmp_path / "out/2020").rglob("*.tif")
    os.truncate(file, 3)

    assert write(tmp_path / "out", made).files == 1
    check(tmp_path / "out")


def test_a_file_of_unknown_state_is_copied_each_time(tmp_path):
    made = publication(item("a", Unknown(b"one")))
    write(tmp_path / "out", made)

    assert write(tmp_path / "out", made).files == 1
    check(tmp_path / "out")
    assert len(list((tmp_path / "out/2020").rglob("*.bin"))) == 1


def test_another_document_of_an_item_copies_nothing(tmp_path):
    first = item("a", document("one"))
    write(tmp_path / "out", publication(first))
    changed = {**first.document, "properties": {**first.document["properties"], "eo:cloud_cover": 5}}

    summary = write(tmp_path / "out", publication(replace(first, document=changed)))

    assert (summary.replaced, summary.files) == (1, 0)
    assert read(tmp_path / "out/2020/06/01/a/a.json")["properties"]["eo:cloud_cover"] == 5


def test_item_that_cannot_be_read_now_stays_unchanged(tmp_path):
    write(tmp_path / "out", publication(item("a", document("one"))))

    summary = write(tmp_path / "out", publication(item("a", Broken()), item("b", document("b"))))

    assert summary.failures == ["a is left out: broken.tif cannot be read: Input/output error"]
    assert {each.id for each in check(tmp_path / "out")} == {"a", "b"}
    assert [path.read_text() for path in (tmp_path / "out/2020/06/01/a").rglob("*.tif")] == ["one"]


def test_item_without_time_is_skipped(tmp_path):
    timeless = item("a", document("one"))
    timeless.document["properties"] = {"datetime": None}

    summary = write(tmp_path / "out", publication(timeless, item("b", document("b"))))

    assert summary.failures == ["a is left out: it has neither datetime nor start_datetime and end_datetime"]
    assert {each.id for each in check(tmp_path / "out")} == {"b"}


def test_first_reason_is_the_error_if_nothing_can_be_published(tmp_path):
    with pytest.raises(UnsupportedSource, match=r"made: a is left out: broken.tif cannot be read"):
        write(tmp_path / "out", publication(item("a", Broken())))

    assert not (tmp_path / "out").exists()


def test_nothing_to_publish_is_an_error(tmp_path):
    with pytest.raises(UnsupportedSource, match="there is nothing to publish"):
        write(tmp_path / "out", publication())


def test_ids_that_would_lead_elsewhere_stay_below_the_folder(tmp_path):
    write(tmp_path / "out", publication(item("../../../escape", document("a"))))

    assert {each.id for each in check(tmp_path / "out")} == {"../../../escape"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize(
    "names",
    [["scene.json"], ["SCENE.JSON"], ["scene.json.part"], ["a.tif.part", "a.tif"], ["a.tif", "A.tif", "../a.tif"]],
    ids=repr,
)
def test_files_named_like_documents_or_like_each_other_are_all_published(names, tmp_path):
    files = [GeneratedFile(name, name.encode()) for name in names]

    write(tmp_path / "out", publication(item("scene", *files)))

    (found,) = validate(tmp_path / "out")
    check_assets(Path(found.self_href))
    copied = [Path(asset.get_absolute_href()).read_bytes().decode() for asset in found.assets.values()]
    assert copied == names


@pytest.mark.parametrize("is_daily", [True, False])
def test_item_named_like_a_catalogue_is_next_to_it(is_daily, tmp_path):
    items = [item(id_, document(id_)) for id_ in ("catalog.json", "a", "Catalog.JSON")]

    write(tmp_path / "out", publication(*items, is_daily=is_daily))

    assert {each.id for each in check(tmp_path / "out")} == {"catalog.json", "a", "Catalog.JSON"}


def test_folder_is_copied_with_its_checksums_and_continues_after_a_stop(tmp_path):
    store = tmp_path / "cube.zarr"
    for number in range(20):
        (store / "0").mkdir(parents=True, exist_ok=True)
        (store / "0" / str(number)).write_bytes(bytes([number]))
    (store / "zarr.json").write_text("{}")
    assets = (PublishedAsset(key="data", folder=files_below(str(store)), name="cube.zarr"),)
    names = list(assets[0].folder)

    with pytest.raises(WriteFailed):
        write(tmp_path / "out", publication(assets=assets), disk=failing_after(12), served_by=DATA)
    summary = write(tmp_path / "out", publication(assets=assets), served_by=DATA)

    check(tmp_path / "out")
    assert names[-1] == "zarr.json"
    assert 0 < summary.files < 21
    assert write(tmp_path / "out", publication(assets=assets), served_by=DATA).files == 0
    (store / "0" / "1").write_bytes(b"new")
    changed = (PublishedAsset(key="data", folder=files_below(str(store)), name="cube.zarr"),)
    write(tmp_path / "out", publication(assets=changed), served_by=DATA)
    check(tmp_path / "out")
    assert len(list((tmp_path / "out" / "data").rglob("zarr.json"))) == 1


def failing_after(count):
    """Return a disk that has no room after so many writes."""
    left = [count]

    class Full(Disk):
        def write(self, descriptor, data):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super().write(descriptor, data)

    return Full()


@pytest.mark.parametrize("operation", ["write", "fsync", "rename"])
@pytest.mark.parametrize("number", range(0, 24, 3))
def test_next_run_completes_after_any_failure(operation, number, tmp_path):
    calls = [0]

    def fail(self, *arguments):
        calls[0] += 1
        if calls[0] == number + 1:
            raise OSError(errno.EIO, "Input/output error")
        return getattr(Disk, operation)(self, *arguments)

    faulty = type("Faulty", (Disk,), {operation: fail})()
    made = publication(item("a", document("one")), item("b", document("two")))

    try:
        write(tmp_path / "out", made, disk=faulty)
    except WriteFailed:
        assert not (tmp_path / "out").exists() or check(tmp_path / "out")
    write(tmp_path / "out", made)

    assert {each.id for each in check(tmp_path / "out")} == {"a", "b"}


@pytest.mark.parametrize("number", range(0, 15, 2))
def test_any_failure_of_an_update_leaves_a_valid_catalogue(number, tmp_path):
    write(tmp_path / "out", publication(item("a", document("one"))))
    changed = publication(item("a", document("two")), item("b", document("b"), day="2021-01-01"))
    calls = [0]

    class Faulty(Disk):
        def rename(self, source, target):
            calls[0] += 1
            if calls[0] == number + 1:
                raise OSError(errno.EIO, "Input/output error")
            super().rename(source, target)

    try:
        write(tmp_path / "out", changed, disk=Faulty())
    except WriteFailed:
        for each in validate(tmp_path / "out"):  # readers see only linked files
            check_assets(Path(each.self_href))
    write(tmp_path / "out", changed)

    assert {each.id for each in check(tmp_path / "out")} == {"a", "b"}


def test_a_catalogue_of_others_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "catalog.json").write_text('{"type": "Catalog", "id": "made-catalogue"}')

    with pytest.raises(UnsupportedSource, match="holds a catalogue that was not published here"):
        write(tmp_path / "out", publication(item("a", document("one"))))


def test_another_collection_is_not_mixed_in(tmp_path):
    write(tmp_path / "out", publication(item("a", document("one"))))

    with pytest.raises(UnsupportedSource, match="holds 'Made' and not other"):
        write(tmp_path / "out", publication(item("a", document("one")), id="other"))


def test_unfinished_run_of_another_collection_is_not_mixed_in(tmp_path):
    with pytest.raises(WriteFailed, match="there is no room for"):
        write(tmp_path / "out", publication(item("a", document("one"))), disk=failing_after(3))

    with pytest.raises(UnsupportedSource, match="holds the beginning of 'made'"):
        write(tmp_path / "out", publication(item("a", document("one")), id="other"))


def test_damaged_documents_are_named(tmp_path):
    write(tmp_path / "out", publication(item("a", document("one"))))
    (tmp_path / "out" / "collection.json").write_text("{")

    with pytest.raises(WriteFailed, match=r"collection.json of .* is not valid JSON"):
        write(tmp_path / "out", publication(item("a", document("one"))))


def test_two_runs_do_not_write_concurrently(tmp_path):
    target = FolderTarget(tmp_path / "out")

    with target.alone(), pytest.raises(UnsupportedSource, match="another publish is writing"):
        write(tmp_path / "out", publication(item("a", document("one"))))


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")

    with pytest.raises(WriteFailed, match="is a file; name a folder"):
        FolderTarget(tmp_path / "out")


def test_many_items_are_read_a_few_at_a_time(tmp_path):
    lock, waiting, most = threading.Lock(), [0], [0]

    class Slow(GeneratedFile):
        def parts(self):
            with lock:
                waiting[0] -= 1
            yield from super().parts()

    def items():
        for number in range(200):
            with lock:
                waiting[0] += 1
                most[0] = max(most[0], waiting[0])
            yield item(f"i{number}", Slow("a.tif", b"a"))

    write(tmp_path / "out", publication(items=items))

    assert len(json.loads((tmp_path / "out/2020/06/01/catalog.json").read_bytes())["links"]) == 202
    assert most[0] <= 9
