"""Searches passed to stac-fastapi over pgSTAC, which pages, filters, sorts and counts in its own way."""

import operator

import pytest

from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.live.collections import LiveCollections
from chronotile.archive.index.sources import SourceAccess
from chronotile.catalog.items.cql2.tree import filter_from_text
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.source import ItemsSpec, SourceSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.web.places import AllowedPlaces
from tests.scenes_archive import documents
from tests.scenes_archive.pgstac import serving_stac_api
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.client("pypgstac", "postgres")

SCENES = sorted(SMALL.all_scenes(), key=operator.attrgetter("id"))


@pytest.fixture(scope="module")
def api(postgresql, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pgstac")
    with serving_stac_api(postgresql) as api:
        api.load_collection(documents.collection(SMALL), folder)
        # The tests never request the files, which seem to be at the host of the API.
        api.load_items((documents.item(scene, lambda path: f"{api.url}/{path}") for scene in SCENES), folder)
        yield api


@pytest.fixture
def live(api, tmp_path):
    index = open_items(None, tmp_path / "index")
    href = f"{api.url}/collections/{documents.COLLECTION}"
    spec = SourceSpec(collection="ours", kind="stac", href=href, items=ItemsSpec(mode="live"))
    access = SourceAccess(prefixes=AllowedPlaces(), documents=DocumentReader())
    yield LiveCollections(lambda: {"ours": spec}, lambda: index, access)
    index.close()


def walk(live, **search):
    """Return the ids of all items, and how many match by the last page."""
    found, at, is_first = [], None, True
    while is_first or at is not None:
        page = live.page("ours", ItemSearch(**search), at=at)
        found += [each.ref.id for each in page.items]
        at, is_first = page.next, False
    return found, page.matched


@pytest.mark.parametrize("limit", [4, 10, 100])
def test_all_items_once_newest_first(live, limit):
    found, matched = walk(live, limit=limit)
    times = {scene.id: scene.datetime for scene in SCENES}
    assert sorted(found) == [scene.id for scene in SCENES]
    assert [times[id_] for id_ in found] == sorted(times.values(), reverse=True)
    assert matched in {None, len(SCENES)}


def test_times_and_boxes(live):
    day = SMALL.days[0]
    box = BBox(*documents.footprint(SCENES[0]).bounds)
    wanted = {scene.id for scene in SCENES if scene.datetime.startswith(str(day))}
    assert set(walk(live, limit=7, span=parse_instant(str(day)))[0]) == wanted
    assert SCENES[0].id in walk(live, limit=7, bbox=box)[0]
    assert walk(live, limit=7, bbox=BBox(100, 10, 101, 11))[0] == []


def test_filters_orders_and_ids(live):
    middle = sorted(scene.cloud_cover for scene in SCENES)[len(SCENES) // 2]
    clear = sorted((scene for scene in SCENES if scene.cloud_cover < middle), key=lambda scene: scene.cloud_cover)
    text = f"eo:cloud_cover < {middle} AND collection = 'ours'"

    found, _matched = walk(live, limit=5, filter=filter_from_text(text), sort=(("eo:cloud_cover", False),))

    assert found == [scene.id for scene in clear]
    assert walk(live, limit=5, ids=(SCENES[3].id,))[0] == [SCENES[3].id]
    assert live.find("ours", SCENES[4].id).ref.id == SCENES[4].id
    assert live.find("ours", "nothing") is None
