"""Events of webhooks: each change arrives in order and only one time, also after failures and kills."""

import json
import logging
from dataclasses import replace

import pytest

from chronotile.catalog.items import altering, opening, passes, schema
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.schema import INDEX, VERSION
from chronotile.core.database import open_engine, write_transaction
from chronotile.core.errors import SourceUnavailable
from chronotile.jobs.queue.notifier import LEASE_S, WAITS_S
from chronotile.jobs.queue.webhooks import news, positions
from chronotile.jobs.queue.webhooks.outbox import LOOK_S, PAGES
from chronotile.jobs.queue.webhooks.positions import KEPT_S
from tests.changing import scene

CLEAR = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]}


def told(web, name="all"):
    """Return the events of a subscriber, in order: the end of the type, and the item."""
    events = (json.loads(body) for url, body, _headers in web.messages if url.endswith(f"/{name}"))
    return [(event["type"].rpartition(".")[2], event["subject"]) for event in events]


def refuse():
    raise SourceUnavailable("the answer was 500 Internal Server Error")


@pytest.fixture
def forget_all(url, tmp_path):
    """Return `forget_all()`, which empties the database, as after damage."""

    def run():
        engine = open_engine(url, tmp_path, INDEX)
        with write_transaction(engine, INDEX) as connection:
            for metadata in (schema.METADATA, passes.METADATA, positions.METADATA):
                metadata.drop_all(connection)
        engine.dispose()
        open_items(url, tmp_path).close()

    return run


@pytest.fixture
def tell(simulation):
    """Return `tell(notifier)`, which sends all due events and then checks again."""

    def run(notifier):
        for _ in range(2):
            while notifier.send_next():
                pass
            simulation.now_s += LOOK_S

    return run


def test_new_webhook_gets_changes_from_its_start(make_notifier, tell, index, web):
    index.put("s2", [scene("before")])
    notifier = make_notifier(web.hook())
    tell(notifier)

    index.put("s2", [scene("b"), scene("a")])
    index.put("modis", [scene("c")])
    index.put("s2", [scene("before", platform="x")])
    index.remove("s2", ["b"])
    tell(notifier)

    assert told(web) == [("create", "a"), ("create", "c"), ("replace", "before"), ("delete", "b")]


def test_changes_without_a_sender_are_sent_by_the_next_process(make_notifier, tell, index, web):
    tell(make_notifier(web.hook()))
    index.put("s2", [scene("a"), scene("b")])
    make_notifier(web.hook()).send_next()

    tell(make_notifier(web.hook()))

    assert told(web) == [("create", "a"), ("create", "b")]


def test_event_of_a_killed_sender_is_sent_by_another(make_notifier, tell, index, web, simulation):
    tell(make_notifier(web.hook()))
    index.put("s2", [scene("a"), scene("b")])
    web.answers["all"] = lambda: simulation.sleep(1e6)
    simulation.start("notifier", make_notifier(web.hook()).send_next)
    simulation.run(lambda: web.messages)
    simulation.kill("notifier")
    web.answers.clear()
    other = make_notifier(web.hook())
    assert not other.send_next()

    simulation.now_s += LEASE_S
    tell(other)

    assert told(web) == [("create", "a"), ("create", "a"), ("create", "b")]
    assert len({json.loads(body)["id"] for _url, body, _headers in web.messages}) == 2


def test_of_two_processes_one_sends_each_event(make_notifier, tell, index, web):
    one, other = make_notifier(web.hook()), make_notifier(web.hook())
    tell(one)
    index.put("s2", [scene(f"{number:02}") for number in range(20)])

    while one.send_next() | other.send_next():
        pass

    assert told(web) == [("create", f"{number:02}") for number in range(20)]


def test_position_is_leased_by_one_process_until_it_expires(open_positions, simulation):
    here, elsewhere = open_positions(), open_positions()
    here.begin("all", "the cursor")
    found = here.find("all")

    assert [each.take("all", found, lease_s=LEASE_S) for each in (here, elsewhere)] == [True, False]
    simulation.now_s += LEASE_S
    assert elsewhere.take("all", found, lease_s=LEASE_S)


def test_only_the_collection_is_reported(make_notifier, tell, index, web):
    notifier = make_notifier(web.hook(collection="modis"))
    tell(notifier)

    index.put("s2", [scene("a")])
    index.put("modis", [scene("b")])
    tell(notifier)

    assert told(web) == [("create", "b")]


def test_filter_is_that_of_searches_and_removals_are_reported(make_notifier, tell, index, web, monkeypatch):
    monkeypatch.setattr(news, "PAGE", 3)
    notifier = make_notifier(web.hook(filter=CLEAR))
    tell(notifier)

    index.put("s2", [scene("cloudy", **{"eo:cloud_cover": 90}), scene("unknown")])
    index.put("s2", [scene("clear", **{"eo:cloud_cover": 2})])
    index.put("modis", [scene("clear", **{"eo:cloud_cover": 3}), scene("grey", **{"eo:cloud_cover": 20})])
    index.remove("s2", ["cloudy"])
    index.put("s2", [scene("unknown", **{"eo:cloud_cover": 19.9})])
    tell(notifier)

    assert told(web) == [("create", "clear"), ("create", "clear"), ("delete", "cloudy"), ("create", "unknown")]


def test_filter_selects_items_of_a_collection_with_an_unavailable_source(make_notifier, tell, index, web, services):
    away = {"far": "far"}
    services = replace(services, catalogue=replace(services.catalogue, unavailable=away))
    notifier = make_notifier(web.hook(filter=CLEAR), services=services)
    tell(notifier)

    index.put("far", [scene("clear", **{"eo:cloud_cover": 2}), scene("cloudy", **{"eo:cloud_cover": 90})])
    tell(notifier)

    assert told(web) == [("create", "clear")]


def test_many_changes_that_a_filter_leaves_out_are_passed_by(make_notifier, tell, index, web, monkeypatch):
    monkeypatch.setattr(news, "PAGE", 1)
    never = {"op": "=", "args": [{"property": "platform"}, "none"]}
    notifier = make_notifier(web.hook(filter=never))
    tell(notifier)
    for number in range(PAGES + 2):
        index.put("s2", [scene(f"{number}")])

    tell(notifier)
    index.put("s2", [scene("last", platform="none")])
    tell(notifier)

    assert told(web) == [("create", "last")]


def test_a_subscriber_that_fails_is_tried_again_with_all_later_events_behind(
    make_notifier, tell, index, web, simulation, counts
):
    notifier = make_notifier(web.hook())
    tell(notifier)
    web.answers["all"] = refuse
    index.put("s2", [scene("a"), scene("b")])
    tell(notifier)
    assert told(web) == [("create", "a")]

    web.answers.clear()
    simulation.now_s += WAITS_S[0]
    tell(notifier)

    assert told(web) == [("create", "a"), ("create", "a"), ("create", "b")]
    assert [counts.count_of(each) for each in ("sent", "failed", "given_up")] == [2, 1, 0]


def test_abandoned_event_is_logged_without_the_path_of_the_webhook(
    make_notifier, tell, index, web, simulation, counts, caplog
):
    notifier = make_notifier(web.hook("token-in-the-path"))
    tell(notifier)
    web.answers["token-in-the-path"] = refuse
    index.put("s2", [scene("a"), scene("b")])
    caplog.set_level(logging.INFO)

    for wait_s in (*WAITS_S, 0.0):
        tell(notifier)
        simulation.now_s += wait_s

    (line,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert line == (
        "service.webhooks.token-in-the-path (subscriber.example.org): item a of s2, added is given up: the answer was "
        "500 Internal Server Error; it was tried 5 times"
    )
    assert told(web, "token-in-the-path") == [("create", "a")] * 5 + [("create", "b")]
    assert [counts.count_of(each) for each in ("sent", "failed", "given_up")] == [0, 6, 1]
    assert "a key of 24 bytes" not in caplog.text


def test_tries_outlast_a_restart(make_notifier, tell, index, web, simulation):
    tell(make_notifier(web.hook()))
    web.answers["all"] = refuse
    index.put("s2", [scene("a")])

    for wait_s in (*WAITS_S, 0.0):
        tell(make_notifier(web.hook()))
        simulation.now_s += wait_s
    tell(make_notifier(web.hook()))

    assert told(web) == [("create", "a")] * 5


def test_a_subscriber_that_hangs_does_not_delay_others(make_notifier, tell, index, web, simulation):
    hooks = [web.hook("hangs"), web.hook("quick")]
    tell(make_notifier(*hooks))
    web.answers["hangs"] = lambda: simulation.sleep(1e6)
    index.put("s2", [scene(f"{number:02}") for number in range(30)])

    def run(notifier):
        with notifier:
            simulation.sleep(1e6)

    simulation.start("notifier", run, make_notifier(*hooks))
    simulation.run(lambda: len(told(web, "quick")) == 30, within_s=5)

    assert told(web, "quick") == [("create", f"{number:02}") for number in range(30)]
    assert len(told(web, "hangs")) == 1


def test_webhook_with_expired_changes_continues_from_now(make_notifier, tell, index, web, monkeypatch, counts, caplog):
    monkeypatch.setattr(altering, "MAX_REMOVED", 2)
    tell(make_notifier(web.hook()))
    index.put("s2", [scene(name) for name in "abcdef"])
    for name in "abcdef":
        index.remove("s2", [name])
    notifier = make_notifier(web.hook())
    tell(notifier)
    index.put("s2", [scene("new")])
    tell(notifier)

    assert told(web) == [("create", "new")]
    assert counts.count_of("lost") == 1
    assert "changes since its last event are no longer listed" in caplog.text


def test_first_fill_of_a_collection_sends_no_events(make_notifier, tell, index, web, whole_pass):
    notifier = make_notifier(web.hook())
    tell(notifier)
    with whole_pass("s2"):
        index.put("s2", [scene("a"), scene("b")])
        index.put("modis", [scene("posted")])
        tell(notifier)
        index.put("s2", [scene("c")])
        index.remove("s2", ["b"])
    tell(notifier)
    index.put("s2", [scene("a", platform="x"), scene("d")])
    tell(notifier)

    assert told(web) == [("create", "posted"), ("replace", "a"), ("create", "d")]


def test_a_second_pass_over_a_source_is_news(make_notifier, tell, index, web, whole_pass):
    with whole_pass("s2"):
        index.put("s2", [scene("a")])
    tell(make_notifier(web.hook()))
    with whole_pass("s2"):
        index.put("s2", [scene("b")])
        tell(make_notifier(web.hook()))

    assert told(web) == [("create", "b")]


def test_rebuilt_index_sends_no_events_and_the_loss_is_logged(
    make_notifier, tell, index, web, whole_pass, forget_all, counts, caplog
):
    with whole_pass("s2"):
        index.put("s2", [scene("a"), scene("b")])
    notifier = make_notifier(web.hook())
    tell(notifier)
    forget_all()
    tell(notifier)
    with whole_pass("s2"):
        index.put("s2", [scene("a"), scene("b"), scene("c")])
        tell(notifier)
    tell(notifier)
    index.put("s2", [scene("d")])
    tell(notifier)

    assert told(web) == [("create", "d")]
    assert counts.count_of("lost") == 1
    assert (
        "service.webhooks.all (subscriber.example.org): its position is gone with the item index, so it continues with "
        "changes from now on; its subscriber has to list all items"
    ) in caplog.messages


def test_an_index_of_another_version_is_no_news(
    make_notifier, tell, index, web, whole_pass, url, tmp_path, monkeypatch, counts
):
    with whole_pass("s2"):
        index.put("s2", [scene("a"), scene("b")])
    notifier = make_notifier(web.hook())
    tell(notifier)
    monkeypatch.setattr(opening, "VERSION", VERSION + 1)
    open_items(url, tmp_path).close()
    tell(notifier)
    with whole_pass("s2"):
        index.put("s2", [scene("a"), scene("b")])
    tell(notifier)
    index.put("s2", [scene("c")])
    tell(notifier)

    assert told(web) == [("create", "c")]
    assert counts.count_of("lost") == 1


def test_another_filter_is_another_webhook(make_notifier, tell, index, web):
    tell(make_notifier(web.hook()))
    index.put("s2", [scene("a")])
    notifier = make_notifier(web.hook(filter={"op": "=", "args": [{"property": "platform"}, "x"]}))
    tell(notifier)
    index.put("s2", [scene("b", platform="x")])

    tell(notifier)

    assert told(web) == [("create", "b")]


def test_a_webhook_that_was_not_configured_for_a_day_is_new(
    make_notifier, tell, index, web, open_positions, simulation
):
    tell(make_notifier(web.hook()))
    open_positions().remove_obsolete([])
    index.put("s2", [scene("a")])
    simulation.now_s += KEPT_S + 1

    assert open_positions().remove_obsolete([web.hook().id]) == 1
    notifier = make_notifier(web.hook())
    tell(notifier)
    index.put("s2", [scene("b")])
    tell(notifier)

    assert told(web) == [("create", "b")]


@pytest.mark.parametrize(
    ("is_configured", "passed_s"),
    [(False, 3600), (True, 100 * KEPT_S)],
    ids=["a webhook that was not configured for an hour", "a server that was not running"],
)
def test_a_webhook_continues(make_notifier, tell, index, web, open_positions, simulation, is_configured, passed_s):
    tell(make_notifier(web.hook()))
    open_positions().remove_obsolete([web.hook().id] if is_configured else [])
    index.put("s2", [scene("a")])
    simulation.now_s += passed_s

    assert open_positions().remove_obsolete([web.hook().id]) == 0
    tell(make_notifier(web.hook()))

    assert told(web) == [("create", "a")]


def test_a_server_with_another_configuration_removes_no_webhook_of_this_one(
    make_notifier, tell, web, open_positions, simulation
):
    hook = web.hook()
    tell(make_notifier(hook))
    here, elsewhere = open_positions(), open_positions()
    for _hour in range(72):
        assert elsewhere.remove_obsolete(["another"]) == here.remove_obsolete([hook.id]) == 0
        simulation.now_s += 3600

    assert here.find(hook.id) is not None


def test_another_key_is_the_same_webhook(make_notifier, tell, index, web):
    tell(make_notifier(web.hook()))
    index.put("s2", [scene("a")])

    tell(make_notifier(web.hook(key=b"another key of many bytes")))

    assert told(web) == [("create", "a")]
