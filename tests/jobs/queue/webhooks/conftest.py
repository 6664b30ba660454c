"""Fixtures of tests of webhooks: an index, a subscriber, and the notifier."""

from contextlib import closing, contextmanager

import pytest

from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.catalog.items.schema import INDEX
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.database import open_engine
from chronotile.core.model.webhook import Webhook
from chronotile.jobs.queue.notifier import Notifier
from chronotile.jobs.queue.webhooks.outbox import WebhookCounts, WebhookOutbox
from chronotile.jobs.queue.webhooks.positions import WebhookPositions
from chronotile.protocols.catalogue.changes.events import event_message
from tests.changing import services_over

BASE = "https://maps.example.org"


@pytest.fixture
def index(url, tmp_path):
    with closing(open_items(url, tmp_path)) as index:
        yield index


@pytest.fixture
def services(index):
    return services_over(index, "s2", "modis", service=ServiceInfo(url=BASE))


@pytest.fixture
def open_positions(url, tmp_path, simulation, closed_at_end):
    """Return a function that opens the positions of webhooks, as another process would."""
    clock = simulation.clock
    return lambda: closed_at_end(WebhookPositions(open_engine(url, tmp_path, INDEX), archive="", clock=clock))


@pytest.fixture
def whole_pass(url, tmp_path):
    """Return a context manager that reads the whole source of a collection at the end of its block."""

    @contextmanager
    def run(collection):
        with closing(open_passes(url, tmp_path)) as passes:
            begun = passes.begin(collection, source="x", holder="me")
            yield
            passes.finish(begun)

    return run


@pytest.fixture
def web(simulation):
    return Web(simulation)


@pytest.fixture
def counts():
    return WebhookCounts()


@pytest.fixture
def make_notifier(open_positions, services, simulation, web, counts):
    """Return `make_notifier(webhook, …)`, which makes a notifier of webhooks, as in another process."""

    def make(*webhooks, count=None, positions=None, services=services):
        outbox = WebhookOutbox(
            webhooks,
            positions or open_positions(),
            services=lambda: services,
            write=lambda event, services: event_message(event, services, clock=simulation.clock),
            counts=counts,
            clock=simulation.clock,
        )
        at_once = count or len(webhooks)
        return Notifier(
            outbox, send=web.send, runtime=simulation.runtime("notifier"), at_once=at_once, per_host=at_once
        )

    return make


class Web:
    """Subscribers, by the end of their URLs."""

    url = "https://subscriber.example.org"

    def __init__(self, simulation):
        self.messages = []
        self.answers = {}
        self.simulation = simulation

    def send(self, url, body, *, headers):
        """Record the message and answer by the path."""
        self.messages.append((url, body, headers))
        answer = self.answers.get(url.rpartition("/")[2])
        if answer is not None:
            answer()

    def hook(self, name="all", **members):
        """Return a webhook of this server."""
        key = b"a key of 24 bytes or more"
        return Webhook(**{"url": f"{self.url}/{name}", "key": key, "name": f"service.webhooks.{name}", **members})
