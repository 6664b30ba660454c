"""Remote sources: opened concurrently, retried while they are unavailable, checked when a read fails."""

import gc
import threading
import weakref
from collections import Counter
from dataclasses import dataclass, field

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import SourceInfo, SourceSpec, VariableInfo
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.readers import elsewhere as module
from chronotile.readers.elsewhere import (
    JITTER,
    LONGEST_RETRY_S,
    Elsewhere,
    Opened,
    PendingSource,
    delay_s,
    revisions_of,
)
from chronotile.readers.library_errors import BeingWritten
from chronotile.readers.remote.requests import Away, Refused, refusal
from tests.running import PATIENCE_S, until

AWHILE_S = 0.05
GRID = NativeGrid(crs=crs_of("EPSG:32631"), transform=Affine(10, 0, 0, 0, -10, 0), width=8, height=8)
INFO = SourceInfo(variables={"a": VariableInfo(name="a", encoding=Encoding(dtype="uint8"), levels=(GRID,))})


@dataclass
class Reader:
    """An open source with the given info, in the state of its host."""

    info: SourceInfo
    hosts: "Hosts"
    closed: threading.Event = field(default_factory=threading.Event)

    def close(self):
        self.closed.set()

    def revision(self, variable, index):
        if self.hosts.state is None:
            raise SourceUnavailable("away")
        self.hosts.looks += 1
        return self.hosts.state


class Hosts:
    """Opens sources; by collection, one may hang or fail."""

    def __init__(self):
        self.doors: dict[str, threading.Event] = {}
        self.failures: dict[str, str] = {}
        self.cause: Exception | None = Away("its server did not respond")
        self.begun = Counter()
        self.readers: list[Reader] = []
        self.changed = threading.Condition()
        self.state: str | None = "first"
        self.looks = 0

    def open(self, wanted):
        name = wanted.spec.collection
        with self.changed:
            self.begun[name] += 1
            self.changed.notify_all()
        door = self.doors.get(name)
        if door is not None:
            assert door.wait(PATIENCE_S)
        if name in self.failures:
            raise UnsupportedSource(self.failures[name]) from self.cause
        reader = Reader(INFO, self)
        self.readers.append(reader)
        return Opened(reader=reader, info=reader.info, revisions=revisions_of(reader))

    def wait_for(self, name, count):
        """Wait until a source was begun to be opened so many times."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.begun[name] >= count, PATIENCE_S)


def wanted(*names, host="a.example", **rest):
    specs = {name: SourceSpec(collection=name, kind="zarr", href=f"https://{host}/{name}", **rest) for name in names}
    return {name: PendingSource(spec=spec) for name, spec in specs.items()}


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    """Retries follow immediately, and a slow check counts as unavailable only when it fails."""
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(module, "LOOK_S", 10 * PATIENCE_S)
    monkeypatch.setattr(module, "QUIET_S", 10 * PATIENCE_S)
    monkeypatch.setattr(module, "BETWEEN_LOOKS_S", AWHILE_S)


@pytest.fixture
def impatient(monkeypatch):
    """A source that was open counts as away soon after a read failed."""
    monkeypatch.setattr(module, "LOOK_S", AWHILE_S)


@pytest.fixture
def hosts():
    one = Hosts()
    yield one
    for door in one.doors.values():
        door.set()


@pytest.fixture
def elsewhere(hosts, closed_at_end):
    return closed_at_end(Elsewhere(hosts.open))


def test_answering_source_is_open_while_others_hang(elsewhere, hosts, monkeypatch):
    hosts.doors = {"hangs": threading.Event()}
    wait_for = elsewhere._changed.wait_for

    def wait_until_one_is_open(_are_all_known, _patience_s):  # so that patience ends after that
        assert wait_for(lambda: elsewhere._sources["good"].opened is not None, PATIENCE_S)

    monkeypatch.setattr(elsewhere._changed, "wait_for", wait_until_one_is_open)

    found = elsewhere.open(wanted("hangs", "good"), patience_s=1.0)

    assert set(found.opened) == {"good"}
    assert found.unavailable == {"hangs": "not open yet after 1 s; a server serves it as soon as it opens"}


def test_wait_ends_when_all_have_opened_or_failed(elsewhere, hosts):
    hosts.failures = {"bad": "it is no store"}

    found = elsewhere.open(wanted("bad", "good"), patience_s=10 * PATIENCE_S)

    assert (set(found.opened), found.unavailable) == ({"good"}, {"bad": "it is no store"})


def test_late_source_is_available_as_soon_as_it_answers(elsewhere, hosts):
    hosts.doors = {"late": threading.Event()}
    told = threading.Event()
    elsewhere.on_change = told.set
    before = elsewhere.open(wanted("late"), patience_s=AWHILE_S)
    hosts.doors["late"].set()

    assert told.wait(PATIENCE_S)
    assert elsewhere.found.changes != before.changes
    assert set(elsewhere.found.opened) == {"late"}
    assert hosts.begun["late"] == 1
    elsewhere.require(["late"])


def test_failed_source_is_tried_until_it_opens(elsewhere, hosts):
    hosts.failures = {"bad": "503"}
    elsewhere.open(wanted("bad"), patience_s=PATIENCE_S)
    hosts.wait_for("bad", 3)
    with pytest.raises(SourceUnavailable, match="source of collection bad cannot be read now"):
        elsewhere.require(["good", "bad"])
    hosts.failures.clear()

    until(lambda: not elsewhere.is_away("bad"))
    assert set(elsewhere.found.opened) == {"bad"}


def test_unavailable_sources_are_tried_immediately_on_request(elsewhere, hosts, monkeypatch):
    monkeypatch.setattr(module, "FIRST_RETRY_S", 100 * PATIENCE_S)
    monkeypatch.setattr(module, "LONGEST_RETRY_S", 100 * PATIENCE_S)
    hosts.failures = {"bad": "503"}
    elsewhere.open(wanted("bad", "good"), patience_s=PATIENCE_S)

    elsewhere.retry()
    hosts.wait_for("bad", 2)
    hosts.failures.clear()
    until(lambda: elsewhere._sources["bad"].due_s is not None)
    elsewhere.retry()

    until(lambda: not elsewhere.is_away("bad"))
    assert hosts.begun["good"] == 1


def test_failures_are_news_once(elsewhere, hosts):
    hosts.failures = {"bad": "503"}
    before = elsewhere.open(wanted("bad"), patience_s=PATIENCE_S)
    hosts.wait_for("bad", 4)

    assert elsewhere.found.changes == before.changes


def test_stored_failure_keeps_nothing_of_the_attempt_in_memory(hosts):
    hosts.doors["bad"] = threading.Event()
    held: list[weakref.ref] = []

    def fail(error):
        chunk = Reader(INFO, hosts)
        held.append(weakref.ref(chunk))
        raise error

    def open_(wanted):
        if held:
            return hosts.open(wanted)  # hangs
        try:
            try:
                fail(ValueError("no chunk"))
            except ValueError:
                fail(Away("its server did not respond"))
        except Away as error:
            raise UnsupportedSource("503") from error

    one = Elsewhere(open_)
    try:
        found = one.open(wanted("bad"), patience_s=PATIENCE_S)
        hosts.wait_for("bad", 1)  # with the next attempt the thread of the first has ended, or let go of it
        gc.collect()

        assert found.causes == {"bad": "its server did not respond"}
        assert [each() for each in held] == [None, None]
    finally:
        one.close()


def test_refusal_of_an_unavailable_source_is_reported_once(elsewhere, hosts):
    hosts.failures = {"bad": "503"}
    before = elsewhere.open(wanted("bad"), patience_s=PATIENCE_S)
    hosts.failures, hosts.cause = {"bad": "404"}, Refused(404)
    until(lambda: elsewhere.found.causes == {"bad": refusal(404)})
    hosts.wait_for("bad", hosts.begun["bad"] + 3)

    assert elsewhere.found.changes == before.changes + 1
    hosts.failures = {}
    until(lambda: not elsewhere.is_away("bad"))
    assert elsewhere.found.causes == {}


def test_wrong_source_is_tried_again_and_not_unavailable(elsewhere, hosts):
    hosts.failures, hosts.cause = {"bad": "no raster", "off": "no raster"}, None
    before = elsewhere.open(wanted("bad", "off"), patience_s=PATIENCE_S)
    hosts.wait_for("bad", 3)

    assert elsewhere.found.wrong == {"bad": "no raster", "off": "no raster"}
    assert elsewhere.found.unavailable == {}
    assert not elsewhere.is_away("bad")
    assert elsewhere.found.changes == before.changes
    hosts.cause = Away("its server did not respond")
    until(lambda: set(elsewhere.found.unavailable) == {"bad", "off"})
    hosts.failures = {}
    until(lambda: set(elsewhere.found.opened) == {"bad", "off"})


def test_open_source_with_invalid_content_becomes_unavailable(elsewhere, hosts):
    elsewhere.open(wanted("bad"), patience_s=PATIENCE_S)
    hosts.failures, hosts.cause = {"bad": "no raster"}, None
    elsewhere.suspect(["bad"])

    until(lambda: elsewhere.is_away("bad"))
    assert elsewhere.found.wrong == {}


def test_late_failure_of_an_unopened_source_is_a_change(elsewhere, hosts):
    hosts.doors["late"] = threading.Event()
    hosts.failures = {"late": "it does not work"}
    before = elsewhere.open(wanted("late"), patience_s=AWHILE_S)
    hosts.doors["late"].set()

    until(lambda: elsewhere.found.unavailable == {"late": "it does not work"})
    assert elsewhere.found.changes != before.changes
    assert before.unavailable["late"].startswith("not open yet")


def test_unavailable_source_is_not_awaited(elsewhere, hosts):
    hosts.doors = {"hangs": threading.Event()}
    elsewhere.open(wanted("hangs"), patience_s=AWHILE_S)
    hosts.wait_for("hangs", 1)

    found = elsewhere.open(wanted("hangs", "new"), patience_s=10 * PATIENCE_S)

    assert (set(found.opened), set(found.unavailable)) == ({"new"}, {"hangs"})
    assert hosts.begun["hangs"] == 1


def test_open_source_survives_reloads(elsewhere):
    first = elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    second = elsewhere.open(wanted("good", "more"), patience_s=PATIENCE_S)

    assert second.opened["good"] is first.opened["good"]


def test_reconfigured_source_is_opened_again(elsewhere, hosts):
    elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    elsewhere.open(wanted("good", crs="EPSG:4326"), patience_s=PATIENCE_S)

    assert hosts.begun["good"] == 2


def test_late_unneeded_source_is_closed(elsewhere, hosts):
    hosts.doors = {"late": threading.Event()}
    elsewhere.open(wanted("late"), patience_s=AWHILE_S)
    hosts.wait_for("late", 1)
    elsewhere.open({}, patience_s=AWHILE_S)
    hosts.doors["late"].set()

    until(lambda: hosts.readers)
    assert hosts.readers[0].closed.wait(PATIENCE_S)
    assert not elsewhere.found.opened
    assert "late" not in elsewhere


def test_open_source_with_a_failed_read_is_unavailable_if_it_does_not_open(elsewhere, hosts):
    before = elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    hosts.failures = {"good": "refused"}
    elsewhere.suspect(["good"])

    until(lambda: elsewhere.is_away("good"))
    assert elsewhere.found.opened == before.opened
    assert elsewhere.found.unavailable == {"good": "refused"}
    hosts.failures.clear()
    until(lambda: not elsewhere.is_away("good"))
    assert elsewhere.found.opened["good"] is not before.opened["good"]


def test_open_source_with_a_failed_read_is_unavailable_if_it_hangs(elsewhere, hosts, impatient):
    elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    hosts.doors = {"good": threading.Event()}
    elsewhere.suspect(["good"])

    until(lambda: elsewhere.is_away("good"))
    hosts.doors["good"].set()
    until(lambda: not elsewhere.is_away("good"))


def test_open_source_with_an_unreadable_part_is_unchanged(elsewhere, hosts):
    before = elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    elsewhere.suspect(["good", "of this machine"])

    hosts.wait_for("good", 2)
    until(lambda: len(hosts.readers) == 2)
    assert hosts.readers[1].closed.wait(PATIENCE_S)
    assert elsewhere.found == before
    elsewhere.suspect(["good"])  # too soon after it was found there
    elsewhere.open(wanted("good", "next"), patience_s=PATIENCE_S)
    assert hosts.begun["good"] == 2


def test_concurrent_openings_of_one_host_are_bounded(elsewhere, hosts):
    names = [f"s{number}" for number in range(module.MOST_AT_ONCE + 3)]
    hosts.doors = dict.fromkeys(names, threading.Event())
    elsewhere.open(wanted(*names) | wanted("other", host="b.example"), patience_s=AWHILE_S)
    until(lambda: "other" in elsewhere.found.opened)
    until(lambda: hosts.begun.total() > module.MOST_AT_ONCE)

    assert sum(hosts.begun[name] for name in names) == module.MOST_AT_ONCE
    hosts.doors["s0"].set()
    until(lambda: len(elsewhere.found.opened) == len(names) + 1)


def test_hosts_are_shown_without_passwords(elsewhere):
    specs = [
        SourceSpec(collection="a", kind="zarr", href="https://me:secret@a.example:8443/x.zarr"),
        SourceSpec(collection="b", kind="cog", href="s3://bucket/x.tif"),
    ]
    elsewhere.open({each.collection: PendingSource(spec=each) for each in specs}, patience_s=PATIENCE_S)

    assert elsewhere.hosts(["a", "b", "here"]) == {"https://a.example:8443", "s3://bucket"}


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_delays_grow_and_are_bounded(failures, chance):
    delay = delay_s(failures, chance)

    assert 0 < delay <= LONGEST_RETRY_S
    assert delay_s(failures + 1, chance) >= delay
    assert delay >= delay_s(failures, 0.0) * (1 - JITTER)


@pytest.fixture
def looked_at_often(monkeypatch):
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)


def test_open_source_is_checked_and_reused_while_unchanged(elsewhere, hosts, looked_at_often):
    before = elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    until(lambda: hosts.looks > 5)

    assert elsewhere.found == before
    assert hosts.begun["good"] == 1


def test_source_in_another_state_is_opened_again(elsewhere, hosts, looked_at_often):
    before = elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    hosts.state = "second"

    until(lambda: elsewhere.found.changes == before.changes + 1)
    assert elsewhere.found.opened["good"] is not before.opened["good"]
    assert elsewhere.found.unavailable == {}
    until(lambda: hosts.looks > 10)
    assert hosts.begun["good"] == 2


def test_source_missed_by_a_check_is_unavailable_until_it_returns(elsewhere, hosts, looked_at_often):
    elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    hosts.failures, hosts.state = {"good": "refused"}, None

    until(lambda: elsewhere.is_away("good"))
    hosts.failures, hosts.state = {}, "first"
    until(lambda: not elsewhere.is_away("good"))


def test_source_rewritten_soon_is_opened_again_without_another_failure(elsewhere, hosts):
    elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    for number, state in enumerate(["second", "third", "fourth"], start=2):
        hosts.state = state
        elsewhere.suspect(["good"])

        until(lambda: elsewhere.found.opened["good"].revisions == (hosts.state,))
        assert hosts.begun["good"] == number
    assert elsewhere.found.unavailable == {}


def test_source_with_an_unreadable_part_is_opened_again_when_rewritten(elsewhere, hosts):
    elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    elsewhere.suspect(["good"])
    until(lambda: len(hosts.readers) == 2)
    assert hosts.readers[1].closed.wait(PATIENCE_S)
    hosts.state = "second"
    elsewhere.suspect(["good"])

    until(lambda: elsewhere.found.opened["good"].revisions == ("second",))
    assert hosts.begun["good"] == 3


def test_source_written_during_its_opening_is_tried_again_soon(elsewhere, hosts, monkeypatch):
    """However often: the time between tries is that after a first failure."""
    monkeypatch.setattr(module, "LONGEST_RETRY_S", 10 * PATIENCE_S)
    elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    hosts.failures, hosts.cause = {"good": "it was written"}, BeingWritten("it was written")
    elsewhere.suspect(["good"])
    hosts.wait_for("good", 20)  # with tries that are twice as late each time, after 2,600 s
    hosts.failures = {}

    until(lambda: not elsewhere.is_away("good"))


def test_slow_source_in_another_state_is_not_unavailable(elsewhere, hosts, looked_at_often, impatient):
    before = elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    hosts.doors, hosts.state = dict.fromkeys(["good", "hangs"], threading.Event()), "second"
    hosts.wait_for("good", 2)
    elsewhere.open(wanted("good", "hangs"), patience_s=4 * AWHILE_S)  # longer than a look after a failed read may take
    is_away = elsewhere.is_away("good")
    hosts.doors["good"].set()

    until(lambda: elsewhere.found.opened["good"] is not before.opened["good"])
    assert not is_away


def test_slow_source_with_a_failed_read_is_unavailable(elsewhere, hosts, looked_at_often, impatient):
    elsewhere.open(wanted("good"), patience_s=PATIENCE_S)
    hosts.doors, hosts.state = {"good": threading.Event()}, "second"
    hosts.wait_for("good", 2)
    elsewhere.suspect(["good"])

    until(lambda: elsewhere.is_away("good"))
    assert hosts.begun["good"] == 2


def test_concurrent_openings_of_all_hosts_are_bounded(elsewhere, hosts, monkeypatch):
    monkeypatch.setattr(module, "MOST_IN_ALL", 3)
    names = [f"s{number}" for number in range(5)]
    hosts.doors = dict.fromkeys(names, threading.Event())
    sources = {name: one for name in names for one in wanted(name, host=f"{name}.example").values()}
    elsewhere.open(sources, patience_s=AWHILE_S)
    until(lambda: hosts.begun.total() >= 3)
    elsewhere.open({}, patience_s=AWHILE_S)
    elsewhere.open(sources, patience_s=AWHILE_S)  # threads of sources that are no longer configured count too

    assert hosts.begun.total() == 3
    hosts.doors["s0"].set()
    until(lambda: len(elsewhere.found.opened) == len(names))


def test_repeatedly_failing_sources_delay_no_other(elsewhere, hosts, monkeypatch):
    monkeypatch.setattr(module, "MOST_IN_ALL", 1)
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.0)
    names = [f"s{number}" for number in range(5)]
    hosts.failures = dict.fromkeys(names, "503")
    elsewhere.open(wanted(*names, "good"), patience_s=AWHILE_S)

    until(lambda: "good" in elsewhere.found.opened)
