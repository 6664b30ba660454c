"""Downloads do not wait for searches or for clients that read nothing."""

import socket
import threading
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from chronotile.app.application import ServerOptions
from chronotile.core.model.items import product_id
from tests.protocols.catalogue.products.conftest import COLLECTION
from tests.protocols.listening import listening
from tests.running import PATIENCE_S, until

LARGE = bytes(range(256)) * (16 << 12)
"""More than the system buffers for a connection whose client reads nothing."""


def test_one_item_or_product_is_found_while_searches_use_all_their_threads(archive):
    archive.put_file(b"some")
    id_ = product_id(COLLECTION, "scene")
    limiter, end = archive.app.state.chronotile.limiters.searches, threading.Event()
    limiter.max_waiting = 0
    held = [archive.client.portal.start_task_soon(limiter.run, end.wait) for _ in range(limiter.threads)]

    try:
        statuses = {
            path: archive.client.get(path).status_code
            for path in (
                *(f"/products/{id_}", f"/products/{id_}/nodes", f"/products/{id_}/nodes/data"),
                *(f"/products/{COLLECTION}/scene", f"/odata/v1/Products({id_})"),
                *(f"/stac/collections/{COLLECTION}/items/scene", f"/ogcapi/collections/_items/items/{id_}"),
                "/stac/search",
            )
        }
    finally:
        end.set()
        assert [each.result(PATIENCE_S) for each in held] == [True] * len(held)

    assert statuses.pop("/stac/search") == 503
    assert set(statuses.values()) == {200}


@pytest.mark.slow
def test_a_client_that_takes_nothing_is_broken_off_and_the_next_has_its_turn(make_archive, monkeypatch):
    monkeypatch.setattr("chronotile.http.bounded_http.WINDOW_S", 0.1)
    archive = make_archive(ServerOptions(downloads=1))
    path = archive.put_file(LARGE)
    with listening(archive.app) as url, socket.socket() as stalled:
        stalled.settimeout(PATIENCE_S)
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect((urlsplit(url).hostname, urlsplit(url).port))
        stalled.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert stalled.recv(1) == b"H"  # the download has begun

        until(lambda: archive.app.state.chronotile.downloads.n_running == 0)

        assert urlopen(f"{url}{path}", timeout=PATIENCE_S).read() == LARGE
