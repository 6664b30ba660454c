"""Results of pystac-client in a STAC API, as JSON: `search.py ROOT`."""

import json
import sys

from pystac_client import Client

client = Client.open(sys.argv[1])
scenes = client.get_collection("scenes")
box = [4.2, 50.2, 4.3, 50.3]


def ids(search):
    """Return the ids that a search gives in all its pages."""
    return [item.id for item in search.items()]


found = {
    "collections": [each.id for each in client.get_collections()],
    "collection_search": [each.id for each in client.collection_search(q="vegetation").collections()],
    "items": [item.id for item in scenes.get_items()],
    "item": scenes.get_item("scene-1").properties["eo:cloud_cover"],
    "queryables": sorted(client.get_queryables()["properties"]),
    "pages": ids(client.search(collections=["scenes"], limit=2)),
    "pages_get": ids(client.search(collections=["scenes"], limit=2, method="GET")),
    "filter": ids(
        client.search(filter={"op": "<", "args": [{"property": "eo:cloud_cover"}, 25]}, filter_lang="cql2-json")
    ),
    "filter_text": ids(client.search(filter="eo:cloud_cover < 25", filter_lang="cql2-text", method="GET")),
    "sorted": ids(client.search(collections=["scenes"], sortby="+eo:cloud_cover", max_items=3)),
    "box": ids(client.search(bbox=box, datetime="2020-06-02/2020-06-03", collections=["scenes"])),
    "matched": client.search(collections=["scenes"]).matched(),
    "fields": next(client.search(ids=["scene-1"], fields="id,properties.platform").items_as_dicts())["properties"],
}
json.dump(found, sys.stdout)
