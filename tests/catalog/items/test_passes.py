"""Passes over sources, in both databases: entries they read, continue with, and remove."""

from dataclasses import replace

import pytest

from chronotile.catalog.items import passes as module
from chronotile.catalog.items.passes import SourceEntry, SourcePasses, new_holder
from chronotile.catalog.items.schema import INDEX
from chronotile.core.database import open_engine
from chronotile.core.errors import SourceUnavailable


@pytest.fixture
def clock():
    return [1_000_000.0]


@pytest.fixture
def open_passes(url, tmp_path, clock, closed_at_end):
    def open_one(archive="a"):
        engine = open_engine(url, tmp_path, INDEX)
        return closed_at_end(SourcePasses(engine, INDEX, archive=archive, clock=lambda _connection: clock[0]))

    return open_one


@pytest.fixture
def passes(open_passes):
    return open_passes()


def entries(*names, state="1"):
    return [SourceEntry(key=f"/{name}.json", state=state, ids=(name,)) for name in names]


def whole(passes, *names, **more):
    """Run a whole pass that reads some entries; return the removed ones, and the number to read again."""
    run = passes.begin("s2", source="x", holder="me", **more)
    passes.note(run, read=entries(*names))
    gone = passes.unseen(run)
    passes.forget("s2", gone)
    return sorted(gone), passes.finish(run)


def test_complete_pass_finds_removed_items(passes):
    assert whole(passes, "a", "b", "c") == ([], 0)
    assert whole(passes, "b") == (["a", "c"], 0)
    assert sorted(passes.stored_entries("s2", ["/a.json", "/b.json", "/c.json"])) == ["/b.json"]


def test_existence_of_removed_items_is_determined_without_a_search(passes):
    run = passes.begin("s2", source="x", holder="me")
    passes.note(run, read=entries("a", "b"))
    assert not passes.has_gone(run)
    assert passes.finish(run, has_gone=False) == 0
    run = passes.begin("s2", source="x", holder="me")
    passes.note(run, unchanged=["/a.json"])
    assert passes.has_gone(run)  # an entry that was not seen
    passes.note(run, unchanged=["/b.json"])
    assert not passes.has_gone(run)
    passes.note(run, read=[SourceEntry(key="/b.json", state="2", ids=("c",))])
    assert passes.has_gone(run)  # an item that its entry has no longer
    passes.give_up(run)
    run = passes.begin("s2", source="x", holder="me")
    passes.note(run, unchanged=["/a.json", "/b.json"])
    assert passes.has_gone(run)  # still, after a pass that could not be completed
    assert passes.unseen(run) == ("b",)


def test_a_pass_that_was_interrupted_in_another_state_of_its_source_is_not_continued(passes):
    run = passes.begin("s2", source="x", holder="me", state="1")
    passes.note(run, read=entries("a"), cursor="row 2")
    passes.release(run)
    same = passes.begin("s2", source="x", holder="me", state="1")
    assert (same.number, same.is_resumed, same.cursor) == (run.number, True, "row 2")
    passes.release(same)
    other = passes.begin("s2", source="x", holder="me", state="2")
    assert (other.number, other.is_resumed, other.cursor) == (run.number + 1, False, None)
    passes.note(other, read=entries("b"))
    assert passes.unseen(other) == ("a",)  # though the pass before it had seen it
    assert passes.count_unchanged("s2", source="x", since="2") is None
    passes.finish(other, since="2", has_gone=True)
    assert passes.count_unchanged("s2", source="x", since="2") == 1


def test_entry_in_a_new_state_keeps_its_other_stored_values(passes):
    refused = SourceEntry(key="/r.json", state="1", problem="why", is_refused=True)
    passes.note(passes.begin("s2", source="x", holder="me"), read=[*entries("a"), refused])
    run = passes.begin("s2", source="x", holder="me")
    passes.note(run, restated={"/a.json": "2", "/r.json": "2"})
    known = passes.stored_entries("s2", ["/a.json", "/r.json"])
    assert [(each.state, each.problem) for each in known.values()] == [("2", None), ("2", "why")]
    assert not passes.has_gone(run)
    passes.release(run)
    passes.begin("s2", source="x\nplaces", holder="me")  # other places are allowed: refused entries are read again
    assert [each.state for each in passes.stored_entries("s2", ["/a.json", "/r.json"]).values()] == ["2", ""]


def test_interrupted_pass_continues_at_its_cursor(passes, clock):
    run = passes.begin("s2", source="x", holder="me")
    passes.note(run, read=entries("a"), cursor="page 2")
    passes.release(run)
    again = passes.begin("s2", source="x", holder="other")
    assert (again.number, again.is_resumed, again.cursor) == (run.number, True, "page 2")
    passes.release(again)
    clock[0] += module.RESUME_S + 1
    late = passes.begin("s2", source="x", holder="me")
    assert (late.number, late.is_resumed, late.cursor) == (run.number + 1, False, None)


def test_another_source_is_read_from_the_start(passes):
    whole(passes, "a")
    run = passes.begin("s2", source="y", holder="me", is_whole=False)
    assert (run.is_whole, run.is_resumed, run.since) == (True, False, None)
    assert passes.stored_entries("s2", ["/a.json"])["/a.json"].state == ""


def test_only_changes_are_read_after_a_pass_with_a_start_time(passes):
    run = passes.begin("s2", source="x", holder="me", is_whole=False)
    assert run.is_whole  # the first one
    passes.finish(run, since="2024")
    run = passes.begin("s2", source="x", holder="me", is_whole=False)
    assert (run.is_whole, run.since) == (False, "2024")
    passes.release(run)
    assert passes.begin("s2", source="x", holder="me").is_whole  # not a continuation with changes alone


def test_only_one_pass_runs_at_a_time(passes, open_passes, clock):
    run = passes.begin("s2", source="x", holder="me")
    other = open_passes()
    with pytest.raises(SourceUnavailable, match="s2 is being indexed by another process"):
        other.begin("s2", source="x", holder="other")
    other.begin("s3", source="x", holder="other")
    open_passes("another archive").begin("s2", source="x", holder="other")
    clock[0] += module.LEASE_S + 1
    other.begin("s2", source="x", holder="other")
    with pytest.raises(SourceUnavailable, match="by another process"):
        passes.note(run, read=entries("a"))


def test_a_process_that_ended_is_not_waited_for(passes):
    host, _, rest = new_holder().partition(" ")
    ended = f"{host} {2**22 + 1} {rest.partition(' ')[2]}"  # beyond the largest number of a process
    passes.begin("s2", source="x", holder=ended)
    passes.begin("s2", source="x", holder=new_holder())


def test_remaining_entry_takes_over_an_item(passes):
    first = SourceEntry(key="/1.json", state="1", ids=("a",))
    second = replace(first, key="/2.json")
    run = passes.begin("s2", source="x", holder="me")
    passes.note(run, read=[first, second])
    assert passes.holders("s2", ["a", "b"]) == {"a": "/1.json"}
    assert passes.finish(run) == 0
    run = passes.begin("s2", source="x", holder="me")
    passes.note(run, unchanged=["/2.json"])
    assert passes.unseen(run) == ()
    assert passes.finish(run) == 1
    assert passes.stored_entries("s2", ["/2.json"])["/2.json"].state == ""
    assert passes.holders("s2", ["a"]) == {"a": "/2.json"}


def test_removed_entries_leave_items_of_others(passes):
    run = passes.begin("s2", source="x", holder="me")
    shared = SourceEntry(key="/3.json", state="1", ids=("a",))
    passes.note(run, read=[*entries("a", "b"), shared])
    assert passes.items_only_in("s2", ["/a.json", "/b.json"]) == ("b",)
    assert passes.drop_entries(run, ["/a.json", "/b.json"]) == 1
    assert passes.stored_entries("s2", ["/a.json", "/b.json"]) == {}


def test_abandoned_pass_keeps_unread_entries(passes):
    whole(passes, "a", "b")
    run = passes.begin("s2", source="x", holder="me")
    passes.note(run, unchanged=["/a.json"])
    passes.give_up(run)
    run = passes.begin("s2", source="x", holder="me")
    assert not run.is_resumed
    assert sorted(passes.stored_entries("s2", ["/a.json", "/b.json"])) == ["/a.json", "/b.json"]


def test_problems_are_counted_by_reason(passes):
    run = passes.begin("s2", source="x", holder="me")
    broken = [SourceEntry(key=f"/{number}", state="1", problem="it has no geometry") for number in range(5)]
    odd = SourceEntry(key="/odd", state="1", problem="it is odd")
    left_out = SourceEntry(key="/filtered", state="1", problem="")
    passes.note(run, read=[*broken, odd, left_out])
    found = passes.problems("s2")
    assert [(each.reason, each.count, each.keys) for each in found] == [
        ("it has no geometry", 5, ("/0", "/1", "/2")),
        ("it is odd", 1, ("/odd",)),
    ]


def test_time_of_the_last_complete_pass_is_stored(passes, clock):
    assert (passes.was_whole("s2"), passes.whole_age_s("s2", source="x")) == (False, None)
    whole(passes, "a")
    clock[0] += 30
    assert (passes.was_whole("s2"), passes.whole_age_s("s2", source="x")) == (True, 30.0)
    assert passes.whole_age_s("s2", source="y") is None


def test_many_entries_are_written_together(passes):
    names = [f"{number:05}" for number in range(3 * module.CHUNK + 7)]
    assert whole(passes, *names) == ([], 0)
    assert len(passes.stored_entries("s2", [f"/{name}.json" for name in names])) == len(names)
    run = passes.begin("s2", source="x", holder="me")
    passes.note(run, unchanged=[f"/{name}.json" for name in names[10:]])
    assert sorted(passes.unseen(run)) == names[:10]
