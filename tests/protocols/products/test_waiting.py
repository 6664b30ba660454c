"""Downloads wait neither for searches nor for clients that take nothing."""

import threading

from chronotile.model.items import product_id
from tests.protocols.products.conftest import COLLECTION
from tests.running import PATIENCE_S


def test_one_item_or_product_is_found_while_searches_take_all_their_threads(archive):
    archive.put_file(b"some")
    id_ = product_id(COLLECTION, "scene")
    limiter, end = archive.app.state.chronotile.limiters.searches, threading.Event()
    limiter.max_waiting = 0
    held = [archive.client.portal.start_task_soon(limiter.run, end.wait) for _ in range(limiter.threads)]

    try:
        statuses = {
            path: archive.client.get(path).status_code
            for path in (
                f"/products/{id_}",
                f"/products/{id_}/nodes",
                f"/products/{id_}/nodes/data",
                f"/products/{COLLECTION}/scene",
                f"/odata/v1/Products({id_})",
                f"/stac/collections/{COLLECTION}/items/scene",
                f"/ogcapi/collections/_items/items/{id_}",
                "/stac/search",
            )
        }
    finally:
        end.set()
        assert [each.result(PATIENCE_S) for each in held] == [True] * len(held)

    assert statuses.pop("/stac/search") == 503
    assert set(statuses.values()) == {200}
