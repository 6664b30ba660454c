"""The item index: stored items are found by place and time, with all their metadata."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import orjson
import pytest

from chronotile.catalog.items import index as index_module
from chronotile.catalog.items.preparing import BATCH
from chronotile.core.errors import InvalidParameter, ItemExists, LimitExceeded
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import BandLayout, CollectionState, IndexSettings, ItemSearch, PutSummary
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import TimeSpan
from tests.catalog.items.conftest import GRID, instant, make_item

HERE = BBox(4.5, 50.5, 4.5, 50.5)


def ids(refs):
    return [ref.id for ref in refs]


def test_items_of_a_place_come_by_instant_and_then_by_id(index):
    index.put(
        "s2",
        [
            make_item("b", at="2024-05-02"),
            make_item("c", at="2024-05-01"),
            make_item("a", at="2024-05-02"),
            make_item("elsewhere", (10, 50, 11, 51)),
        ],
    )

    assert ids(index.covering("s2", HERE)) == ["c", "a", "b"]


def test_many_items_together_keep_every_character(index):
    """Larger numbers are streamed to PostgreSQL, in a format that gives tabs and backslashes a meaning."""
    names = [
        *("\\N", "\t", "\n", "\r", "\\", "\\.", "a\\tb", "\u00e9\U0001f30d", "\x7f\x01", '"', "'", "NULL", "{}", "%s"),
    ]
    items = [
        make_item(f"{name}{number}", properties={"text": name, "none": None}) for number in range(9) for name in names
    ]

    assert index.put("s2", items) == PutSummary(added=len(items))
    assert index.put("s2", items) == PutSummary(unchanged=len(items))
    for item in items:
        assert index.find("s2", item.id).document == item.document
        search = ItemSearch(filter={"op": "=", "args": [{"property": "text"}, item.properties["text"]]}, limit=100)
        assert item.id in {each.ref.id for each in index.search(search).items}


def test_items_of_selected_instants_are_found(index):
    index.put("s2", [make_item(f"{day}", at=f"2024-05-{day:02}") for day in range(1, 30)])

    found = index.covering("s2", HERE, instants=np.array(["2024-05-03", "2024-05-05"], "datetime64[ns]"))
    assert ids(found) == ["3", "5"]
    assert ids(index.covering("s2", HERE, span=TimeSpan(instant("2024-05-07"), instant("2024-05-09")))) == ["7", "8"]
    assert index.covering("s2", HERE, instants=np.array(["2023-05-03"], "datetime64[ns]")) == ()


def test_many_instants_are_found_like_few(index):
    hours = np.arange(300).astype("timedelta64[h]") + instant("2024-05-01")
    index.put("s2", [make_item(f"{number:04}", at=hour) for number, hour in enumerate(hours)])
    every_second = hours[::2]

    assert ids(index.covering("s2", HERE, instants=every_second)) == [f"{hour:04}" for hour in range(0, 300, 2)]


def test_half_a_swath_outside_the_box_is_excluded(index):
    western = ((4.0, 50.0), (4.4, 50.0), (4.2, 51.0), (4.0, 51.0), (4.0, 50.0))
    index.put("s2", [make_item("half", footprint=(western,)), make_item("whole")])

    assert ids(index.covering("s2", HERE)) == ["whole"]
    assert ids(index.covering("s2", BBox(4.1, 50.1, 4.15, 50.2))) == ["half", "whole"]


@pytest.mark.parametrize("box", [BBox(179.5, 0, 180, 1), BBox(-180, 0, -179.5, 1), BBox(179.9, 0.5, -179.9, 0.6)])
def test_item_across_the_antimeridian_is_found_on_both_sides(index, box):
    index.put(
        "s2",
        [
            make_item(
                "across",
                (179.0, 0.0, -179.0, 1.0),
                footprint=(
                    ((179.0, 0.0), (180.0, 0.0), (180.0, 1.0), (179.0, 1.0), (179.0, 0.0)),
                    ((-180.0, 0.0), (-179.0, 0.0), (-179.0, 1.0), (-180.0, 1.0), (-180.0, 0.0)),
                ),
            )
        ],
    )

    assert ids(index.covering("s2", box)) == ["across"]
    assert index.covering("s2", BBox(178.0, 0, 178.9, 1)) == ()
    assert index.extent("s2") == BBox(179.0, 0.0, -179.0, 1.0)


def test_unchanged_item_stays_and_changed_item_is_replaced(index):
    first = index.put("s2", [make_item("a"), make_item("b")])
    (a, b) = index.covering("s2", HERE)
    second = index.put("s2", [make_item("a"), make_item("b", properties={"eo:cloud_cover": 3}), make_item("c")])

    assert first == PutSummary(added=2)
    assert second == PutSummary(added=1, replaced=1, unchanged=1)
    (new_a, new_b, _c) = index.covering("s2", HERE)
    assert new_a == a
    assert new_b.number == b.number
    assert new_b.changed > b.changed


def test_last_item_of_an_id_wins(index):
    summary = index.put("s2", [make_item("a", at="2024-05-01"), make_item("a", at="2024-05-02")])

    assert summary == PutSummary(added=1, replaced=1)
    assert [ref.instant for ref in index.covering("s2", HERE)] == [instant("2024-05-02")]
    assert list(index.times("s2").starts) == [instant("2024-05-02")]


def test_items_are_added_all_or_none(index):
    many = [make_item(f"{number:04}") for number in range(BATCH + 100)]
    nowhere = replace(many[-1], bbox=BBox(float("nan"), 50, 5, 51))

    with pytest.raises(InvalidParameter):
        index.add("s2", [*many[:-1], nowhere])
    assert index.covering("s2", HERE) == ()
    assert index.add("s2", many) == PutSummary(added=len(many))
    with pytest.raises(ItemExists, match="'0000'"):
        index.add("s2", [make_item("new"), *many])
    assert len(index.covering("s2", HERE)) == len(many)


def test_one_of_several_concurrent_additions_succeeds(open_index):
    everyone = [open_index() for _ in range(4)]

    def add(index):
        try:
            return index.add("s2", [make_item("a")]).added
        except ItemExists:
            return 0

    with ThreadPoolExecutor(len(everyone)) as threads:
        assert sorted(threads.map(add, everyone)) == [0, 0, 0, 1]


def test_item_is_replaced_only_if_unchanged(index):
    index.put("s2", [make_item("a")])
    (found,) = index.covering("s2", HERE)
    others = [make_item("a", properties={"turn": turn}) for turn in range(3)]

    assert index.replace("s2", others[0], expected=found)
    assert not index.replace("s2", others[1], expected=found)
    assert orjson.loads(index.find("s2", "a").document)["properties"] == {"turn": 0}
    assert index.replace("s2", others[2])
    index.remove("s2", ["a"])
    assert not index.replace("s2", others[2])
    index.add("s2", others[:1])
    assert not index.replace("s2", others[2], expected=found)
    assert not index.replace("unknown", others[2])


def test_assets_are_restored(index):
    item = make_item("a")
    index.put("s2", [item])
    (ref,) = index.covering("s2", HERE)

    assert index.assets([ref.number, 12_345]) == {ref.number: item.assets}
    assert index.assets([]) == {}


def test_layouts_state_the_grid_and_the_encoding(index):
    index.put("s2", [make_item("a"), make_item("b")])

    (layout,) = index.layouts("s2")["B04"]
    assert layout.levels == (GRID,)
    assert (layout.encoding.dtype, layout.encoding.nodata, layout.band) == ("uint16", 0, 1)


def test_times_of_a_box_are_those_of_its_items(index):
    index.put("s2", [make_item("a", at="2024-05-01"), make_item("b", (10, 50, 11, 51), at="2024-05-02")])

    assert list(index.times("s2").starts) == [instant("2024-05-01"), instant("2024-05-02")]
    assert list(index.times("s2", box=HERE).starts) == [instant("2024-05-01")]
    assert list(index.times("s2", box=BBox(-180, -90, 180, 90)).starts) == list(index.times("s2").starts)


def test_unknown_collection_has_no_items(index):
    assert index.covering("s2", HERE) == ()
    assert len(index.times("s2")) == 0
    assert index.extent("s2") is None
    assert index.layouts("s2") == {}
    assert index.settings("s2") is None
    assert index.state("s2") == CollectionState(
        counter=0, times_counter=0, layouts_counter=0, is_whole=False, is_filled=False
    )


def test_archives_that_share_a_database_do_not_see_each_others_items(open_index):
    open_index(archive="a").put("s2", [make_item("a")])

    assert open_index(archive="b").covering("s2", HERE) == ()
    assert ids(open_index(archive="a").covering("s2", HERE)) == ["a"]


def test_file_state_is_stored_and_is_no_change(index):
    index.put("s2", [make_item("a")])
    (ref,) = index.covering("s2", HERE)
    levels = (GRID, GRID.coarser(2))
    layout = BandLayout(levels=levels, encoding=Encoding(dtype="uint16", nodata=0, offset=-0.1, scale=1e-4))
    before = index.state("s2")

    index.note_header(ref, "B04", header=b"header", etag='"1"', size=5)
    index.note_layouts(ref, "B04", [layout])
    index.note_header(ref, "B04", header=b"newer", etag='"1"', size=6)
    index.note_header(ref._replace(number=12_345), "B04", header=b"header", etag="", size=5)

    (asset,) = index.assets([ref.number])[ref.number]
    assert (asset.header, asset.etag, asset.size, asset.layouts) == (b"newer", '"1"', 6, (layout,))
    assert index.covering("s2", HERE) == (ref,)
    assert index.layouts("s2") == {"B04": (layout,)}
    assert index.state("s2").counter == before.counter
    assert index.state("s2").layouts_counter > before.layouts_counter or index.state("s2") == before
    assert index.put("s2", [make_item("a")]) == PutSummary(unchanged=1)


def test_a_file_in_another_state_is_a_change_of_its_item(index):
    index.put("s2", [make_item("a"), make_item("b")])
    before, _other = index.covering("s2", HERE)
    index.note_header(before, "B04", header=b"header", etag='"1"', size=5)
    counter = index.state("s2").counter

    index.note_header(before, "B04", header=b"newer", etag='"2"', size=6)

    after, other = index.covering("s2", HERE)
    assert (after.number, after.changed > before.changed, other) == (before.number, True, _other)
    assert index.state("s2").counter > counter


def test_file_state_of_a_replaced_item_is_dropped(index):
    index.put("s2", [make_item("a")])
    (before,) = index.covering("s2", HERE)
    index.put("s2", [make_item("a", properties={"eo:cloud_cover": 99})])
    layout = BandLayout(levels=(GRID,), encoding=Encoding(dtype="int16"))

    index.note_header(before, "B04", header=b"of the old file", etag='"1"', size=5)
    index.note_layouts(before, "B04", (layout,))

    (now,) = index.covering("s2", HERE)
    (asset,) = index.assets([now.number])[now.number]
    assert (now.changed > before.changed, asset.header, asset.layouts) == (True, None, ())


def test_layouts_of_most_items_come_first(index):
    wide = BandLayout(levels=(GRID,), encoding=Encoding(dtype="int16"))
    asset = replace(make_item("a").assets[0], layouts=(wide,))
    index.put("s2", [make_item("a"), make_item("b", assets=(asset,)), make_item("c", assets=(asset,))])

    assert [layout.encoding.dtype for layout in index.layouts("s2")["B04"]] == ["int16", "uint16"]
    index.remove("s2", ["b", "c"])
    assert [layout.encoding.dtype for layout in index.layouts("s2")["B04"]] == ["uint16"]


def test_numbers_are_never_used_again(index):
    index.put("s2", [make_item("a")])
    (first,) = index.covering("s2", HERE)
    index.remove("s2", ["a", "not there"])
    index.put("s2", [make_item("a")])
    (second,) = index.covering("s2", HERE)

    assert second.number != first.number
    assert index.assets([first.number]) == {}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (IndexSettings(), ["a", "b", "c", "d"]),
        (IndexSettings(order_by="cloud"), ["c", "a", "b", "d"]),
        (IndexSettings(order_by="cloud", is_descending=True), ["a", "b", "c", "d"]),
        (IndexSettings(order_by="made"), ["b", "a", "c", "d"]),
        (IndexSettings(order_by="made", is_descending=True), ["a", "b", "c", "d"]),
        (IndexSettings(order_by="absent"), ["a", "b", "c", "d"]),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_order_by_a_property_has_missing_values_last_and_equal_ones_by_id(index, settings, expected, is_first):
    items = [
        make_item("d", properties={"cloud": "many"}),
        make_item("c", properties={"cloud": 1}),
        make_item("b", properties={"cloud": 20.5, "made": "2024-05-01T00:00:00.5Z"}),
        make_item("a", properties={"cloud": 20.5, "made": "2024-05-01T02:00:00.75+01:00"}),
    ]
    if is_first:
        index.configure("s2", settings)
    index.put("s2", items)
    if not is_first:
        index.configure("s2", settings)

    assert ids(index.covering("s2", HERE)) == expected
    assert index.settings("s2") == settings


def test_solar_day_is_that_of_the_centre_of_the_item(index):
    index.configure("s2", IndexSettings(group="solar_day"))
    index.put("s2", [make_item("east", (170, 0, 171, 1), at="2024-05-01T22:30:00"), make_item("here")])

    times = index.times("s2")
    assert list(times.starts) == [instant("2024-05-01"), instant("2024-05-02")]
    assert list(times.ends) == [instant("2024-05-02"), instant("2024-05-03")]


def test_an_item_whose_time_moves_across_a_solar_day_at_the_date_line_is_of_the_other_day_alone(index):
    index.configure("s2", IndexSettings(group="solar_day", order_by="cloud"))
    across, east = (179.5, 0, -179.5, 1), (-180, 0, -179, 1)
    for at, day in (("11:59:59", "2024-05-01"), ("12:00:00", "2024-05-02"), ("11:00:00", "2024-05-01")):
        index.put("s2", [make_item("a", across, at=f"2024-05-01T{at}"), make_item("b", east, at=f"2024-05-02T{at}")])

        for box in (BBox(179.9, 0.5, 179.9, 0.5), BBox(-179.9, 0.5, -179.9, 0.5), BBox(179.9, 0, -179.9, 1)):
            of_a = [ref for ref in index.covering("s2", box) if ref.id == "a"]
            assert [ref.instant for ref in of_a] == [instant(day)]
            assert instant(day) in index.times("s2", box=box).starts
            assert ids(index.covering("s2", box, instants=np.array([day], dtype="datetime64[ns]")))[0] == "a"
    assert list(index.times("s2").starts) == [instant("2024-05-01")]


def test_items_of_a_utc_day_are_one_time(index):
    index.configure("s2", IndexSettings(group="day"))
    index.put("s2", [make_item(at[:2], (170, 0, 171, 1), at=f"2024-05-01T{at}") for at in ("00:00:00", "23:59:59")])

    times = index.times("s2")
    assert (list(times.starts), list(times.ends)) == ([instant("2024-05-01")], [instant("2024-05-02")])


@pytest.mark.parametrize(
    ("box", "there", "elsewhere"),
    [
        ((181, 0, 182, 1), -178.5, 178.5),
        ((179, 0, 181, 1), -179.5, -178.5),
        ((-181, 0, -179, 1), 179.5, 178.5),
        ((350, 0, 370, 1), 5, 15),
        ((170, 0, 530, 1), 5, None),
    ],
)
def test_items_with_longitudes_beyond_180_degrees_are_found_at_their_place(index, box, there, elsewhere):
    index.configure("s2", IndexSettings(group="solar_day"))
    index.put("s2", [make_item("a", box, at="2024-05-01T12:00:00")])

    (found,) = index.covering("s2", BBox(there, 0.5, there, 0.5))
    assert -180 <= found.bbox.xmin <= 180
    assert -180 <= found.bbox.xmax <= 180
    assert list(index.times("s2", box=BBox(there, 0.5, there, 0.5)).starts) == [found.instant]
    assert [each.ref.id for each in index.search(ItemSearch(bbox=BBox(there, 0.5, there, 0.5))).items] == ["a"]
    if elsewhere is not None:
        assert index.covering("s2", BBox(elsewhere, 0.5, elsewhere, 0.5)) == ()


def test_instant_of_composites_lasts_as_long_as_the_longest(index):
    index.put("s2", [make_item("a", until="2024-05-11"), make_item("b", until="2024-05-05")])
    assert list(index.times("s2").ends) == [instant("2024-05-11")]

    index.remove("s2", ["a"])
    assert list(index.times("s2").ends) == [instant("2024-05-05")]


def test_changes_of_other_processes_are_seen_within_a_second(open_index, url):
    index, other = (open_index() for _ in range(2))
    other.put("s2", [make_item("a")])
    before = index.state("s2")
    other.put("s2", [make_item("b")])

    assert index.state("s2") == before
    index._states._clock = lambda: time.monotonic() + 1
    assert index.state("s2").counter == before.counter + 1


def test_a_box_with_too_many_items_is_refused(index, monkeypatch):
    monkeypatch.setattr("chronotile.catalog.items.index.MAX_ITEMS", 3)
    index.put("s2", [make_item(f"{number}") for number in range(4)])

    with pytest.raises(LimitExceeded, match="items: at most 3"):
        index.covering("s2", HERE)


@pytest.mark.parametrize(
    "values", [{"box": (4.0, 50.0, 5.0, np.nan)}, {"box": (4.0, 95.0, 5.0, 96.0)}, {"id_": "a\0"}, {"at": "NaT"}]
)
def test_items_that_cannot_be_stored_are_refused(index, values):
    with pytest.raises(InvalidParameter):
        index.put("s2", [make_item(**{"id_": "a", **values})])


def test_items_of_another_size_from_another_process_are_found_immediately(open_index):
    index, other = (open_index() for _ in range(2))
    other.put("s2", [make_item("large", (0.0, 40.0, 20.0, 60.0))])
    assert ids(index.covering("s2", HERE)) == ["large"]

    other.put("s2", [make_item("small", (4.49, 50.49, 4.51, 50.51))])

    assert ids(index.covering("s2", HERE)) == ["large", "small"]
    other.remove("s2", ["large", "small"])
    assert index.covering("s2", HERE) == ()


def test_concurrent_first_writes_of_collections_keep_all_items(index):
    def put(number):
        return index.put(f"collection{number % 3}", [make_item(f"{number}")]).added

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(put, range(24))) == [1] * 24

    assert [len(index.covering(f"collection{number}", HERE)) for number in range(3)] == [8, 8, 8]
    assert index.check() == ()


def test_items_that_were_put_first_are_trimmed_some_at_a_time(index, monkeypatch):
    monkeypatch.setattr("chronotile.catalog.items.index.MAX_TRIMMED", 2)
    for id_ in "abcdef":
        index.put("s2", [make_item(id_)])
    index.put("s2", [make_item("a", at="2024-06-01")])  # replaced: it is the last one now

    assert index.trim("s2", 6) == 0
    assert index.trim("s2", 3) == 2
    assert index.trim("s2", 3) == 1
    assert {id_ for id_ in "abcdef" if index.find("s2", id_) is not None} == {"e", "f", "a"}
    assert index.trim("nothing", 0) == 0


def test_ends_are_the_first_and_the_last_instant(index):
    assert len(index.ends("s2")) == 0
    for day in ("2024-05-02", "2024-05-01", "2024-05-03"):
        index.put("s2", [make_item(day, at=day, until=f"{day}T12:00:00")])
        times, ends = index.times("s2"), index.ends("s2")
        assert [ends.starts[0], ends.ends[0]] == [times.starts[0], times.ends[0]]
        assert [ends.starts[-1], ends.ends[-1]] == [times.starts[-1], times.ends[-1]]

    assert list(ends.starts) == [instant("2024-05-01"), instant("2024-05-03")]


def test_statements_of_times_are_compiled_once(index, monkeypatch):
    index.put("s2", [make_item("a")])
    first = [len(index.times("s2")), len(index.ends("s2"))]
    monkeypatch.setattr(index_module, "Statement", None)

    assert [len(index.times("s2")), len(index.ends("s2"))] == first == [1, 1]
