"""Valid fractions are counted on request, cached by the fingerprint of each time, and shared through a folder."""

import threading
from dataclasses import replace

import numpy as np
import orjson
import pytest

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84
from chronotile.pipeline import valid_shares as module
from chronotile.pipeline.valid_share import LayerArea
from chronotile.pipeline.valid_shares import ValidShares
from chronotile.readers.elsewhere import Elsewhere
from chronotile.readers.kinds import open_source
from tests.looked_at import looked_at
from tests.protocols import served
from tests.running import PATIENCE_S
from tests.scenes import Scene, make_dataset, make_spec, save_zarr

AREA = LayerArea(BBox(4.5, 50.8, 4.7, 50.9), CRS84)
WHOLE = round(299 / 300, 4)
"""All rows but the first."""


@pytest.fixture
def still(monkeypatch):
    """Nothing is counted but by `count_next`."""
    monkeypatch.setattr(ValidShares, "_start", lambda _self: None)


def services_of(*revisions: str):
    """Services of NDVI, whose times have these states."""
    services = served.make_services()
    services.readers["s2"].replaced.update(enumerate(revisions))
    return services


def count_all(shares: ValidShares) -> int:
    """Count the requested fractions, and return their number."""
    return sum(1 for _ in iter(shares.count_next, False))


def ask(shares, services, *indexes, area=None):
    return shares.shares(services.catalogue.layer("NDVI"), indexes or range(4), services, area=area)


def reads_of(services) -> int:
    return len(services.readers["s2"].windows_read)


def test_share_is_unknown_until_it_was_counted(still):
    shares, services = ValidShares(None), served.make_services()

    before = ask(shares, services)
    assert (before.values, before.pending, shares.waiting) == ((None,) * 4, 4, 4)
    assert count_all(shares) == 4

    after = ask(shares, services)
    assert (after.values, after.pending, shares.waiting) == ((WHOLE,) * 4, 0, 0)


def test_only_requested_times_are_counted_newest_first(still):
    shares, services = ValidShares(None), served.make_services()
    ask(shares, services, 1, 3)

    shares.count_next()

    assert ask(shares, services).values == (None, None, None, WHOLE)
    assert shares.waiting == 3


def test_last_requested_times_are_counted_first(still):
    shares, services = ValidShares(None), served.make_services()
    ask(shares, services)
    ask(shares, services, 0, area=AREA)

    shares.count_next()

    assert ask(shares, services, 0, area=AREA).values == (1.0,)
    assert ask(shares, services).pending == 4


def test_only_a_replaced_time_is_counted_again(still, monkeypatch):
    monkeypatch.setattr("chronotile.pipeline.revision.KEPT_S", 0.0)
    shares, services = ValidShares(None), services_of("a", "b", "c", "d")
    ask(shares, services)
    count_all(shares)
    read = reads_of(services)
    services.readers["s2"].replaced[1] = "another"

    assert ask(shares, services).pending == 4
    count_all(shares)

    assert ask(shares, services).pending == 0
    assert reads_of(services) == read + 1


def test_source_whose_share_cannot_be_read_is_checked(still):
    suspected = []

    class Noting(Elsewhere):
        def suspect(self, collections):
            suspected.extend(collections)

    shares = ValidShares(None)
    services = replace(served.make_services(broken=["NDVI"]), elsewhere=Noting())
    ask(shares, services)
    shares.count_next()

    assert suspected == ["s2"]


def test_unreadable_share_is_unknown_and_tried_again_later(still, monkeypatch):
    shares, services = ValidShares(None), served.make_services(broken=["NDVI"])
    ask(shares, services)
    count_all(shares)
    assert ask(shares, services) == module.Shares((None,) * 4, 0)

    monkeypatch.setattr(module, "RETRY_S", -1.0)

    assert ask(shares, services).pending == 4


def test_an_unforeseen_error_does_not_end_the_counting(still, monkeypatch, caplog):
    shares, services = ValidShares(None), served.make_services()
    monkeypatch.setattr(services.readers["s2"], "read_window", lambda *_args, **_kwargs: np.zeros(3))
    ask(shares, services)

    assert count_all(shares) == 4
    assert "cannot be counted" in caplog.text


def test_an_area_without_cells_has_no_shares(still):
    shares, services = ValidShares(None), served.make_services()
    elsewhere = LayerArea(BBox(10, 10, 11, 11), CRS84)
    ask(shares, services, area=elsewhere)
    count_all(shares)

    assert ask(shares, services, area=elsewhere) == module.Shares((None,) * 4, 0)
    assert reads_of(services) == 0


def test_another_process_takes_shares_from_the_folder(still, tmp_path):
    first, services = ValidShares(tmp_path / "shares"), served.make_services()
    ask(first, services)
    count_all(first)
    read = reads_of(services)

    second = ValidShares(tmp_path / "shares")
    ask(second, services)
    count_all(second)

    assert ask(second, services).values == (WHOLE,) * 4
    assert reads_of(services) == read


def test_states_of_counted_times_are_found_by_one_look_at_each_file(still, tmp_path):
    dataset = make_dataset(Scene())
    store = save_zarr(dataset, tmp_path / "made.zarr", NDVI={"chunks": (dataset.sizes["time"], 16, 16)})
    services = served.make_services_of(open_source(make_spec("zarr", store)))
    first, second = (ValidShares(tmp_path / "shares") for _ in range(2))
    ask(first, services)
    count_all(first)
    ask(second, services)

    with looked_at(store) as looks:
        count_all(second)

    assert ask(second, services).values == ask(first, services).values
    assert ask(second, services).pending == 0
    assert looks
    assert set(looks.values()) == {1}


def test_processes_extend_the_stored_shares_of_others(still, tmp_path):
    services = served.make_services()
    both = [ValidShares(tmp_path) for _ in range(2)]
    for each, index in zip(both, (0, 3), strict=True):
        ask(each, services, index)
    for each in both:
        count_all(each)

    (file,) = tmp_path.glob("*.shares")
    assert list(orjson.loads(file.read_bytes()).values()) == [WHOLE, WHOLE]


def test_shares_of_areas_are_cached_in_memory_only(still, tmp_path):
    shares, services = ValidShares(tmp_path), served.make_services()
    ask(shares, services, area=AREA)
    count_all(shares)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"a": "b"}', b"\xff\x00"])
def test_damaged_file_of_shares_is_counted_again(still, tmp_path, content):
    shares, services = ValidShares(tmp_path), served.make_services()
    (tmp_path / f"{module._name(services.catalogue.layer('NDVI'))}.shares").write_bytes(content)
    ask(shares, services)

    count_all(shares)

    assert ask(shares, services).values == (WHOLE,) * 4


def test_read_only_folder_is_reported_once(still, tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    shares, services = ValidShares(tmp_path / "file" / "shares"), served.make_services()
    ask(shares, services)
    count_all(shares)
    ask(shares, services, area=AREA)
    count_all(shares)

    assert caplog.text.count("only in memory") == 1
    assert ask(shares, services).values == (WHOLE,) * 4


def test_a_folder_has_no_more_than_twice_as_many_shares_as_the_layer_has_times(still, tmp_path):
    shares, services = ValidShares(tmp_path), served.make_services()
    layer = services.catalogue.layer("NDVI")
    many = {f"{number}-gone": 0.5 for number in range(100)}
    file = tmp_path / f"{module._name(layer)}.shares"
    file.write_bytes(orjson.dumps(many))
    ask(shares, services)

    count_all(shares)

    assert len(orjson.loads(file.read_bytes())) == 8


def test_number_of_cached_tables_is_bounded(still, monkeypatch):
    monkeypatch.setattr(module, "MAX_TABLES", 2)
    shares, services = ValidShares(None), served.make_services()
    for west in (4.4, 4.5, 4.6):
        ask(shares, services, area=replace(AREA, box=BBox(west, 50.8, 4.7, 50.9)))

    assert shares.waiting == 8


def test_abandoned_areas_are_not_counted(still, monkeypatch):
    shares, services = ValidShares(None), served.make_services()
    ask(shares, services, area=AREA)
    ask(shares, services)
    monkeypatch.setattr(module, "ABANDONED_S", -1.0)

    assert (count_all(shares), shares.waiting) == (4, 0)
    assert ask(shares, services).values == (WHOLE,) * 4
    assert ask(shares, services, area=AREA).pending == 4


def test_counting_runs_in_the_background_and_ends(monkeypatch):
    monkeypatch.setattr(module, "CLOSING_S", PATIENCE_S)  # the last share may be under way
    shares, services = ValidShares(None), served.make_services()
    ask(shares, services)
    count_all(shares)

    shares.close()

    assert ask(shares, services).values == (WHOLE,) * 4
    assert not shares.count_next()


def test_a_store_that_hangs_does_not_keep_a_process_from_ending(monkeypatch, caplog):
    monkeypatch.setattr(module, "CLOSING_S", 0.01)
    shares, services = ValidShares(None), served.make_services()
    reader, begun, let_go = services.readers["s2"], threading.Event(), threading.Event()
    read = reader.read_window

    def hang(*given, **named):
        begun.set()
        let_go.wait()
        return read(*given, **named)

    monkeypatch.setattr(reader, "read_window", hang)
    ask(shares, services)
    begun.wait()

    shares.close()

    assert "continuing without it" in caplog.text
    let_go.set()
    shares._counter.join()
    assert shares.waiting == 3


def test_requests_after_the_end_are_not_counted():
    shares, services = ValidShares(None), served.make_services()
    shares.close()

    assert ask(shares, services).pending == 4
    assert shares.waiting == 0


def test_share_of_a_closed_source_is_unknown(still):
    services = replace(served.make_services(), readers={})
    with pytest.raises(SourceUnavailable):
        services.reader(services.catalogue.layer("NDVI"))
    shares = ValidShares(None)
    ask(shares, services)
    count_all(shares)

    assert ask(shares, services).values == (None,) * 4
