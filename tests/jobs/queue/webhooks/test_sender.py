"""Webhooks over real HTTP: who is sent events follows the configuration; redirects and hangs harm no other."""

import base64
import hashlib
import hmac
import logging
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import select

from chronotile.catalog.items.schema import INDEX
from chronotile.core.database import read_transaction
from chronotile.core.model.webhook import Webhook
from chronotile.core.web.places import web_places
from chronotile.jobs.queue.runtime import Runtime
from chronotile.jobs.queue.webhooks import positions as positions_module
from chronotile.jobs.queue.webhooks.positions import MISSING
from chronotile.jobs.queue.webhooks.sender import KEEP_S, WebhookSender
from chronotile.protocols.catalogue.changes.events import event_message
from tests.changing import scene
from tests.listener import Answer, listener
from tests.running import until

pytestmark = pytest.mark.slow
KEY = b"a key that the subscriber knows"


@pytest.fixture
def url():
    """SQLite alone: `test_outbox` has PostgreSQL."""


@pytest.fixture
def web():
    with listener() as server:
        server.answers = {f"/{name}": Answer(200) for name in ("one", "two")}
        yield server


class Live:
    """Services that a test replaces, and how late it is."""

    now_s = 0.0

    def __init__(self, services):
        self.services = services

    def configure(self, *webhooks):
        """Have other webhooks from now on, as a reload does."""
        catalogue = self.services.catalogue
        service = replace(catalogue.service, webhooks=webhooks)
        self.services = replace(self.services, catalogue=replace(catalogue, service=service))


@pytest.fixture
def live(services):
    return Live(services)


@pytest.fixture
def sending(live, tmp_path, open_real_positions):
    """Return a context manager that sends events to webhooks below a prefix."""

    @contextmanager
    def run(*prefixes):
        sender = WebhookSender(
            lambda: live.services,
            open_real_positions,
            places=web_places(prefixes),
            write=event_message,
            runtime=Runtime(wait=lambda event, seconds: event.wait(min(seconds, 0.05)), clock=lambda: live.now_s),
        )
        sender.start()
        try:
            yield sender
        finally:
            sender.close()

    return run


@pytest.fixture
def open_real_positions(tmp_path):
    from chronotile.jobs.queue.webhooks.positions import open_positions

    return partial(open_positions, None, tmp_path, archive="")


def hook(web, name="one", **members):
    return Webhook(**{"url": f"{web.url}/{name}", "key": KEY, "name": f"service.webhooks.{name}", **members})


def has_begun(open_positions, *hooks):
    """Wait until webhooks are registered for later changes."""
    positions = open_positions()
    until(lambda: all(positions.find(each.id) for each in hooks))


def noted_missing(positions):
    """Return whether it is noted that a webhook is not configured."""
    with read_transaction(positions._engine, INDEX) as connection:
        return connection.execute(select(MISSING)).first() is not None


def subjects(web, path="/one"):
    return [each.document["subject"] for each in web.asked if each.path == path]


def test_events_are_signed_cloud_events(live, sending, index, web, open_positions):
    live.configure(hook(web))
    with sending(web.url):
        has_begun(open_positions, hook(web))
        index.put("s2", [scene("a b")])
        (asked,) = web.wait_for(1)

    assert asked.headers["content-type"] == "application/cloudevents+json"
    event = asked.document
    product = event["data"]["product"]
    assert event == {
        "specversion": "1.0",
        "id": asked.headers["webhook-id"],
        "source": "https://maps.example.org/stac/collections/s2",
        "type": "org.ogc.api.collection.item.create",
        "subject": "a b",
        "datacontenttype": "application/json",
        "data": {
            "change": "added",
            "collection": "s2",
            "id": "a b",
            "product": product,
            "datetime": "2020-06-01T10:50:00Z",
            "bbox": [4.0, 50.0, 5.0, 51.0],
            "links": [
                {
                    "rel": "item",
                    "type": "application/geo+json",
                    "href": "https://maps.example.org/stac/collections/s2/items/a%20b",
                },
                {
                    "rel": "collection",
                    "type": "application/json",
                    "href": "https://maps.example.org/stac/collections/s2",
                },
                {"rel": "enclosure", "title": "The product", "href": f"https://maps.example.org/products/{product}"},
            ],
        },
    }
    signed = f"{event['id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
    block, inner, outer = (
        64,
        bytes(each ^ 0x36 for each in KEY.ljust(64, b"\0")),
        bytes(each ^ 0x5C for each in KEY.ljust(64, b"\0")),
    )
    expected = hashlib.sha256(outer + hashlib.sha256(inner + signed).digest()).digest()  # RFC 2104 §2
    assert block == len(inner)
    assert hmac.compare_digest(asked.headers["webhook-signature"], f"v1,{base64.b64encode(expected).decode()}")


def test_another_configuration_takes_effect(live, sending, index, web, open_positions):
    one, two = hook(web), hook(web, "two")
    live.configure(one)
    with sending(web.url):
        has_begun(open_positions, one)
        live.configure(two)
        has_begun(open_positions, two)
        index.put("s2", [scene("a")])
        web.wait_for(1)
        live.configure(one, two)
        until(lambda: subjects(web, "/one") == ["a"])

    assert subjects(web, "/two") == ["a"]


def test_last_webhook_expires_a_day_after_its_removal_from_the_configuration(
    live, sending, web, open_positions, monkeypatch
):
    live.configure(hook(web))
    with sending(web.url):
        has_begun(open_positions, hook(web))
        monkeypatch.setattr(positions_module, "KEPT_S", -1.0)  # a day has passed
        live.configure()
        positions = open_positions()
        until(lambda: noted_missing(positions))
        live.now_s += KEEP_S
        until(lambda: positions.find(hook(web).id) is None)


def test_collections_without_events_yet_are_logged(live, sending, index, web, whole_pass, caplog):
    caplog.set_level(logging.INFO)
    index.put("modis", [scene("a")])
    live.configure(hook(web))
    with sending(web.url):
        with whole_pass("s2"):
            index.put("s2", [scene("a")])
            until(lambda: "webhooks get no events of s2 until all of the source was read" in caplog.messages)
        until(lambda: "webhooks get events of s2 from now on" in caplog.messages)


def test_subscriber_outside_the_prefixes_is_not_notified(live, sending, index, web, open_positions, caplog):
    outside, inside = hook(web, "two"), hook(web)
    live.configure(outside, inside)
    with sending(f"{web.url}/one"):
        has_begun(open_positions, inside)
        index.put("s2", [scene("a")])
        web.wait_for(1)

    assert web.paths() == ["/one"]
    assert any(
        f"service.webhooks.two: gets no events: its URL is not below a prefix that is allowed; add {web.url}/" in line
        and "to CHRONOTILE_SUBSCRIBER_PREFIXES" in line
        for line in caplog.messages
    )
    assert "/two" not in caplog.text


def test_redirects_are_not_followed(live, sending, index, web, open_positions):
    web.answers["/one"] = Answer(307, headers={"Location": f"{web.url}/two"})
    live.configure(hook(web))
    with sending(web.url) as sender:
        has_begun(open_positions, hook(web))
        index.put("s2", [scene("a")])
        until(lambda: sender.counts.count_of("failed") == 1)

    assert web.paths() == ["/one"]


def test_subscriber_that_hangs_delays_no_other_and_ends_with_the_server(live, sending, index, web, open_positions):
    web.answers["/one"] = web.hang
    hooks = [hook(web, "one", collection="s2"), hook(web, "one"), hook(web, "two")]
    live.configure(*hooks)
    with sending(web.url):
        has_begun(open_positions, *hooks)
        index.put("s2", [scene(f"{number:02}") for number in range(20)])
        until(lambda: len(subjects(web, "/two")) == 20 and len(subjects(web, "/one")) == 2)

    assert subjects(web, "/two") == [f"{number:02}" for number in range(20)]
    assert subjects(web, "/one") == ["00", "00"]
