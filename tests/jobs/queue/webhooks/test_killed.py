"""A server that is killed amid deliveries: its successor sends each change at least once, and in order."""

import json
import urllib.request
from contextlib import closing
from itertools import pairwise

import pytest
from sqlalchemy import func, select, update

from chronotile.catalog.items.pass_tables import PASSES
from chronotile.catalog.items.schema import INDEX
from chronotile.core.database import open_engine, write_transaction
from chronotile.jobs.queue.webhooks.positions import POSITIONS, WebhookPositions
from tests.archive.index.test_files import tree, write_tile
from tests.listener import Answer, listener
from tests.running import serving, until

pytestmark = pytest.mark.slow
SECRET = "a secret of at least 24 bytes"
TOKEN = "a-token-of-the-operator-of-tests"
ITEMS = 60
KILLS = 3
CONFIGURATION = """service:
  id: hooks
  webhooks: [{{url: '{url}/hook', secret: '${{HOOK_SECRET}}', collection: tiles}}]
collections:
  tiles:
    source: {{kind: cog, href: "a/*/S2_*_{{variable}}.tif", tiles: true}}
    variables: {{NDVI: {{}}}}
"""


@pytest.fixture
def web():
    with listener() as server:
        server.answers = {"/hook": Answer(204)}
        yield server


def post(address, id_, href):
    ring = [[2.9, 50.9], [3.1, 50.9], [3.1, 51.1], [2.9, 51.1], [2.9, 50.9]]
    document = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": id_,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": "2020-06-21T00:00:00Z"},
        "assets": {"NDVI": {"href": href, "type": "image/tiff; application=geotiff"}},
    }
    headers = {"Authorization": f"Bearer {TOKEN}"}
    request = urllib.request.Request(f"{address}/layers/tiles.NDVI/items", json.dumps(document).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201


def is_ready(folder):
    """Return whether the webhook is registered and the whole source was read: later changes are sent to it."""
    if not (folder / INDEX.file).exists():
        return False
    engine = open_engine(None, folder, INDEX)
    with closing(WebhookPositions(engine, archive="")), write_transaction(engine, INDEX) as connection:
        was_read = connection.scalar(select(func.count(PASSES.c.whole_at)))
        return bool(was_read) and connection.execute(select(POSITIONS)).first() is not None


def let_leases_pass(folder):
    """Let a minute have passed for the database."""
    engine = open_engine(None, folder, INDEX)
    with write_transaction(engine, INDEX) as connection:
        connection.execute(update(POSITIONS).values(due=0))
    engine.dispose()


def test_each_change_is_sent_at_least_once_and_in_order(tmp_path, web):
    tree(tmp_path / "a")
    href = str(write_tile(tmp_path / "a" / "2020" / "S2_20200621_31UFS_NDVI.tif"))
    place, jobs = tmp_path / "c.yaml", tmp_path / "jobs"
    place.write_text(CONFIGURATION.format(url=web.url))
    environment = {
        "CHRONOTILE_JOBS_DIR": str(jobs),
        "CHRONOTILE_WRITE_TOKEN": TOKEN,
        "CHRONOTILE_SUBSCRIBER_PREFIXES": web.url,
        "HOOK_SECRET": SECRET,
    }
    names = [f"posted-{number:03}" for number in range(ITEMS)]
    written = []

    def sent():
        return [each.document["subject"] for each in web.asked if each.document["subject"].startswith("posted-")]

    for number in range(KILLS):
        with (
            (tmp_path / f"log-{number}").open("w") as log,
            serving("serve", place, "--workers", "1", log=log, **environment) as (process, address, _lines),
        ):
            until(lambda: is_ready(jobs))
            share = names[number * ITEMS // KILLS : (number + 1) * ITEMS // KILLS]
            for name in share:
                post(address, name, href)
                written.append(name)
            before = len(written) - len(share)
            until(lambda before=before: len(set(sent())) > before)
            process.kill()
            process.wait()
        let_leases_pass(jobs)
    with serving("serve", place, "--workers", "1", **environment):
        until(lambda: set(sent()) == set(names))

    told = sent()
    firsts = [told.index(name) for name in names]
    assert all(before < after for before, after in pairwise(firsts))
    assert len(told) <= ITEMS + KILLS  # of each killed server one event was on its way
    ids = {each.document["subject"]: set() for each in web.asked}
    for each in web.asked:
        ids[each.document["subject"]].add(each.document["id"])
    assert {len(ids[name]) for name in names} == {1}
    assert all(SECRET not in path.read_text() and "/hook" not in path.read_text() for path in tmp_path.glob("log-*"))
