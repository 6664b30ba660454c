"""First inspection of a STAC catalogue: its collection, some items, and the locations of their files."""

import pytest

from chronotile.archive.discovery.catalogue import MAX_DOCUMENTS, MAX_ITEMS, MAX_UNREAD, hosts_of, look_at
from chronotile.archive.index.documents import DocumentReader
from chronotile.core.errors import ConfigurationError
from chronotile.core.web.places import AllowedPlaces
from tests.archive.index.catalogues import item_document
from tests.archive.index.stac_api import StacApi, serving

ROOT = "https://stac.example.org"
NOTHING = AllowedPlaces()


def item(number, *hrefs):
    assets = {f"B0{index}": {"href": href, "type": "image/tiff"} for index, href in enumerate(hrefs)}
    return {"type": "Feature", "id": f"S2_{number}", "assets": assets}


def links(**addresses):
    return [{"rel": name, "href": href} for name, hrefs in addresses.items() for href in hrefs]


class Web:
    """Documents by address."""

    def __init__(self, documents):
        self.documents = documents
        self.read = []

    def __call__(self, href):
        self.read.append(href)
        if href not in self.documents:
            raise ConfigurationError([f"{href}: there is no such file"])
        return self.documents[href]


def catalogue(**addresses):
    return {"type": "Catalog", "id": "root", "links": links(**addresses)}


def collection(name="s2", **addresses):
    return {"type": "Collection", "id": name, "links": links(**addresses)}


def test_a_catalogue_is_followed_down_to_items():
    web = Web(
        {
            f"{ROOT}/catalog.json": catalogue(child=["./s2/collection.json"]),
            f"{ROOT}/s2/collection.json": collection(child=["2024/catalog.json"]),
            f"{ROOT}/s2/2024/catalog.json": catalogue(item=["a.json", "b.json"], child=["../../catalog.json"]),
            f"{ROOT}/s2/2024/a.json": item(1),
            f"{ROOT}/s2/2024/b.json": item(2),
        }
    )

    seen = look_at(f"{ROOT}/catalog.json", web, NOTHING)

    assert (seen.href, seen.collection["id"]) == (f"{ROOT}/catalog.json", "s2")
    assert [(each.document["id"], each.base) for each in seen.items] == [
        ("S2_1", f"{ROOT}/s2/2024/a.json"),
        ("S2_2", f"{ROOT}/s2/2024/b.json"),
    ]
    assert len(web.read) == len(set(web.read))


def test_the_collection_of_an_api_is_read_by_one_page():
    web = Web(
        {
            f"{ROOT}/collections/s2": collection(items=[f"{ROOT}/collections/s2/items"]),
            f"{ROOT}/collections/s2/items?limit={MAX_ITEMS}": {
                "type": "FeatureCollection",
                "features": [item(number) for number in range(500)],
            },
        }
    )

    seen = look_at(f"{ROOT}/collections/s2", web, NOTHING)

    assert len(seen.items) == MAX_ITEMS
    assert len(web.read) == 2


def landing(*names):
    return {
        ROOT: {"type": "Catalog", "conformsTo": ["…"], "links": links(data=["/collections"])},
        f"{ROOT}/collections": {"collections": [{"type": "Collection", "id": name} for name in names]},
    }


def test_an_api_with_one_collection_is_that_collection():
    own = {f"{ROOT}/collections/s2": collection(items=["/items"]), f"{ROOT}/items?limit={MAX_ITEMS}": item(1)}

    seen = look_at(ROOT, Web(landing("s2") | own), NOTHING)

    assert (seen.href, len(seen.items)) == (f"{ROOT}/collections/s2", 1)


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (landing("s1", "s2"), r"it has 2 collections \(s1, s2\); name one: .*stac.example.org/collections/ID"),
        ({ROOT: {"type": "FeatureCollection", "features": []}}, "no item in the first 1 documents"),
        ({ROOT: {"type": "Polygon"}}, "it is not a STAC catalogue"),
        ({ROOT: {"type": ["Catalog"], "links": {"rel": "child"}}}, "it is not a STAC catalogue"),
        (
            {ROOT: catalogue(child=["/a", "/b"]), f"{ROOT}/a": collection("a"), f"{ROOT}/b": collection("b")},
            "several collections; name one: https://stac.example.org/a, https://stac.example.org/b",
        ),
    ],
)
def test_catalogue_without_exactly_one_collection_is_refused(documents, message):
    with pytest.raises(ConfigurationError, match=message):
        look_at(ROOT, Web(documents), NOTHING)


def test_links_to_other_hosts_are_not_followed():
    far = "https://far.example.org/s2.json"
    web = Web({ROOT: catalogue(child=[far], item=["a.json"]), f"{ROOT}/a.json": item(1), far: collection(item=[])})

    look_at(ROOT, web, NOTHING)
    assert far not in web.read
    look_at(ROOT, web, AllowedPlaces(["https://far.example.org/"]))
    assert far in web.read


def test_a_look_reads_a_bounded_number_of_documents():
    class Endless:
        count = 0

        def __call__(self, href):
            self.count += 1
            return catalogue(child=[f"{ROOT}/{self.count}/{number}" for number in range(20)])

    web = Endless()

    with pytest.raises(ConfigurationError, match="no item"):
        look_at(ROOT, web, NOTHING)
    assert web.count <= MAX_DOCUMENTS


def test_hosts_of_files_are_listed_with_the_key_that_allows_them():
    features = [
        item(1, f"{ROOT}/a.tif", "https://data.example.org/1.tif", "s3://bucket/1.tif"),
        item(2, f"{ROOT}/a.tif", "https://data.example.org/2.tif"),
        item(3, "file:///etc/passwd.tif", "https://data.example.org/3.tif"),
    ]
    prefixes = AllowedPlaces(["s3://bucket/"])
    seen = look_at(ROOT, Web({ROOT: {"type": "FeatureCollection", "features": features}}), prefixes)

    hosts = hosts_of(seen, prefixes)

    assert [(each.prefix, each.is_allowed, each.items, each.assets) for each in hosts] == [
        ("https://data.example.org/", False, 3, ("B01",)),
        (f"{ROOT}/", True, 2, ("B00",)),
        ("s3://bucket/", True, 1, ("B02",)),
    ]
    assert hosts[0].line.endswith("not allowed; to read them, add --allow https://data.example.org/")


def test_folders_of_this_machine_are_one_line():
    features = [item(number, f"/data/tiles/{number}/a.tif", f"/else/{number}/b.tif") for number in range(3)]
    place = "/data/items.json"
    seen = look_at(place, Web({place: {"type": "FeatureCollection", "features": features}}), NOTHING)

    hosts = hosts_of(seen, NOTHING)

    assert [(each.prefix, each.is_allowed, each.items, each.assets) for each in hosts] == [
        ("/data/tiles", True, 3, ("B00",)),
        ("/else", False, 3, ("B01",)),
    ]


@pytest.mark.slow
def test_collection_of_an_api_is_read_over_http():
    documents = [item_document(name, href=f"https://data.example.org/{name}.tif") for name in "abc"]
    with serving(StacApi(page=2).add(*documents)) as api:
        seen = look_at(api.href, lambda href: DocumentReader().read(href).body, NOTHING)

        assert [each.document["id"] for each in seen.items] == ["a", "b"]
        assert [each.prefix for each in hosts_of(seen, NOTHING)] == ["https://data.example.org/"]


def test_unreadable_child_document_is_skipped_and_named():
    documents = {
        ROOT: catalogue(child=["/gone", "/s2"]),
        f"{ROOT}/s2": collection(item=["/gone.json", "/a.json"]),
        f"{ROOT}/a.json": item(1),
    }

    seen = look_at(ROOT, Web(documents), NOTHING)

    assert [each.document["id"] for each in seen.items] == ["S2_1"]
    assert [line.split(" is left out: ")[0] for line in seen.left_out] == [f"{ROOT}/gone", f"{ROOT}/gone.json"]


def test_a_catalogue_whose_documents_all_fail_is_refused_after_a_few():
    web = Web({ROOT: collection(item=[f"/{number}.json" for number in range(50)])})

    with pytest.raises(ConfigurationError, match="there is no such file"):
        look_at(ROOT, web, NOTHING)

    assert len(web.read) == 1 + MAX_UNREAD + 1


def test_a_catalogue_whose_only_item_fails_is_refused_with_the_reason():
    with pytest.raises(ConfigurationError, match=r"no item in the first 2 documents; .*there is no such file"):
        look_at(ROOT, Web({ROOT: collection(item=["/gone.json"])}), NOTHING)
