"""Provenance in results."""

from chronotile.jobs.processes.sources import MAX_TIMES, JobSource, metadata_of, revision_of

DAY_NS = 86_400_000_000_000


def source(layer, *days, collection="s2", revision="1f"):
    return JobSource(collection=collection, layer=layer, times=[day * DAY_NS for day in days], revision=revision)


def test_no_sources_have_no_metadata_and_no_revision():
    assert metadata_of([]) is None
    assert revision_of([]) is None


def test_layers_of_one_collection_with_the_same_times_are_reported_together():
    told = metadata_of([source("A", 0, 1), source("C", 0, 1, collection="s1"), source("B", 0, 1), source("D", 0)])

    assert [(each["collection"], each["layers"], each["count"]) for each in told["sources"]] == [
        ("s2", ["A", "B"], 2),
        ("s1", ["C"], 2),
        ("s2", ["D"], 1),
    ]


def test_revision_of_several_layers_changes_with_each_of_them():
    assert revision_of([source("A"), source("B")]) == revision_of([source("A"), source("B")])
    assert revision_of([source("A"), source("B")]) != revision_of([source("A"), source("B", revision="2e")])
    assert revision_of([source("A")]) == "1f"


def test_a_layer_without_time_has_none():
    (told,) = metadata_of([source("A")])["sources"]

    assert (told["count"], told["times"], "first" in told) == (0, [], False)


def test_report_of_many_times_has_the_first_the_last_and_their_number():
    (all_told,) = metadata_of([source("A", *range(MAX_TIMES))])["sources"]
    (told,) = metadata_of([source("A", *range(MAX_TIMES + 1))])["sources"]

    assert len(all_told["times"]) == MAX_TIMES
    assert "times" not in told
    assert (told["count"], told["first"], told["last"]) == (1001, "1970-01-01T00:00:00Z", "1972-09-27T00:00:00Z")
