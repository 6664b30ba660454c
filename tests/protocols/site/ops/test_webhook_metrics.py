"""Outcomes of webhook events, in `/metrics` of the process that sends them."""

from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.web.places import web_places
from chronotile.jobs.queue.webhooks.sender import WebhookSender
from chronotile.protocols.catalogue.changes.events import event_message
from tests.protocols import served


def test_events_are_counted_by_outcome():
    services = served.make_services()

    def not_opened():
        raise AssertionError("there is no webhook, and so no position")

    sender = WebhookSender(lambda: services, not_opened, places=web_places(), write=event_message)
    sender.counts.add("sent")
    sender.counts.add("sent")
    sender.counts.add("given_up")
    with TestClient(application(services, ServerOptions(webhooks=sender))) as client:
        lines = client.get("/metrics").text.splitlines()

    found = {line for line in lines if line.startswith("chronotile_webhook_events_total")}
    assert found == {
        'chronotile_webhook_events_total{outcome="sent"} 2.0',
        'chronotile_webhook_events_total{outcome="failed"} 0.0',
        'chronotile_webhook_events_total{outcome="given_up"} 1.0',
        'chronotile_webhook_events_total{outcome="lost"} 0.0',
    }


def test_a_process_that_sends_none_counts_none(make_client):
    assert "chronotile_webhook" not in make_client().get("/metrics").text
