"""Changes that make new addresses with `rev=`."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from chronotile.core.errors import Overtaken, PlanOutdated, PlanStale, SourceChanged
from chronotile.pipeline import revision
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.retries import Attempts, retry_overtaken
from chronotile.pipeline.revision import last_layer_revision, layer_revision, refresh_revisions
from chronotile.pipeline.services import CachedRevision
from chronotile.readers.reader import Reader
from tests.protocols import served


def revision_of(layer, services):
    """Return the revision, with nothing kept from before."""
    services.layer_revisions.clear()
    return layer_revision(services.catalogue.layer(layer), services)


def test_rewritten_date_of_any_age_changes_the_revision():
    services = served.make_services()
    before = revision_of("NDVI", services)

    services.readers["s2"].replaced[0] = "again"

    assert revision_of("NDVI", services) != before


def test_dates_that_lie_elsewhere_are_another_revision():
    moved = served.make_variable(times=served.days_of("2020-05-20", "2020-06-01", "2020-06-11", "2020-06-21"))

    revisions = {
        revision_of("NDVI", served.make_services(served.make_collection(served.make_layer(variable=variable))))
        for variable in (moved, served.make_variable())
    }

    assert len(revisions) == 2


def test_the_day_that_makes_another_time_the_newest_makes_a_new_revision():
    """The default time changes on that day, though no file does."""
    layer = served.make_layer(variable=served.make_variable(times=served.days_of("2020-06-21", "2020-09-01")))

    revisions = {
        revision_of("NDVI", served.make_services(served.make_collection(layer), now=np.datetime64(now, "ns")))
        for now in ("2020-07-01", "2020-07-02", "2020-09-01")
    }

    assert len(revisions) == 2


def test_removed_date_does_not_hide_changes_of_others():
    services = served.make_services()
    services.readers["s2"].replaced[1] = None
    before = revision_of("NDVI", services)

    services.readers["s2"].replaced[0] = "again"

    assert revision_of("NDVI", services) != before


def test_a_source_that_did_not_open_has_a_revision():
    services = served.make_services(broken=["NDVI"])

    assert revision_of("NDVI", services)


def test_files_of_all_dates_are_checked_at_intervals(monkeypatch):
    services, layer = served.make_services(), served.make_layer()
    clock = iter([100.0, 100.0 + revision.KEPT_S - 1, 100.0 + revision.KEPT_S])
    monkeypatch.setattr(revision, "monotonic", lambda: next(clock))
    first = layer_revision(layer, services)
    services.readers["s2"].replaced[0] = "again"

    later = [layer_revision(layer, services), layer_revision(layer, services)]

    assert [each == first for each in later] == [True, False]


class Hanging(Reader):
    """A source whose files do not answer until `door` is open."""

    def __init__(self, door):
        self._door = door

    def revision(self, variable, index):
        self._door.wait()
        return "late"


@pytest.fixture
def hanging():
    """Services whose source hangs, but no longer than the test."""
    door = threading.Event()
    yield replace(served.make_services(), readers={"s2": Hanging(door)}, bounded_checks=BoundedChecks(max_wait_s=0.05))
    door.set()


def test_source_that_hangs_has_its_last_known_revision(hanging):
    layer, kept = hanging.catalogue.layer("NDVI"), CachedRevision("known", -np.inf)
    hanging.layer_revisions["NDVI"] = kept

    refresh_revisions(hanging)

    assert layer_revision(layer, hanging) == last_layer_revision(layer, hanging) == "known"


def test_undetermined_revision_differs_from_every_determined_one(hanging):
    layer = hanging.catalogue.layer("NDVI")

    assert layer_revision(layer, hanging) == last_layer_revision(layer, hanging)
    assert layer_revision(layer, hanging) != revision_of("NDVI", served.make_services())


# Work that is repeated because its inputs were replaced.


def failing(*errors):
    """Return work that raises these errors, one per attempt, and then returns a text."""
    remaining = list(errors)

    def work():
        if remaining:
            raise remaining.pop(0)
        return "done"

    return work


@pytest.mark.parametrize(("kind", "most"), [(SourceChanged, 1), (PlanOutdated, 2)])
def test_each_kind_of_change_has_its_bound(kind, most):
    errors = [kind("changed") for _ in range(most + 1)]

    assert retry_overtaken(failing(*errors[:most]), kind) == "done"
    with pytest.raises(kind):
        retry_overtaken(failing(*errors), kind)


def test_repeated_cause_is_no_reason_to_retry():
    first, second = PlanStale("a"), PlanStale("b")

    assert retry_overtaken(failing(first, second), PlanStale) == "done"
    with pytest.raises(PlanStale, match=r"^a$"):
        retry_overtaken(failing(first, second, first), PlanStale)


def test_new_cause_is_a_reason_to_retry():
    attempts = Attempts(2)

    assert [attempts.are_worthwhile(*lacking) for lacking in ("a", "ab", "ab")] == [True, True, False]


def test_new_encodings_are_retried_at_most_a_hundred_times():
    errors = [PlanStale(str(number)) for number in range(Overtaken.max_retries + 1)]

    assert retry_overtaken(failing(*errors[:100]), PlanStale) == "done"
    with pytest.raises(PlanStale, match=r"^100$"):
        retry_overtaken(failing(*errors), PlanStale)


def test_another_kind_of_change_is_not_waited_for():
    with pytest.raises(SourceChanged):
        retry_overtaken(failing(SourceChanged("changed")), PlanStale)


def test_next_attempt_gets_the_reason():
    heard, error = [], SourceChanged("changed")

    retry_overtaken(failing(error), SourceChanged, heard.append)

    assert heard == [error]
