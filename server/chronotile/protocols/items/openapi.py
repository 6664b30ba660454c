"""Writing items in OpenAPI."""

from functools import partial

from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.openapi import (
    OBJECT,
    TEXT,
    WHOLE,
    Json,
    body,
    in_path,
    list_of,
    object_of,
    operation,
)

TAG = "Items"
REFUSALS = ("BadRequest", "Unauthorized", "Forbidden", "NotFound", "TooMany", "Unavailable")
WRITTEN: Json = object_of({"added": WHOLE, "replaced": WHOLE, "unchanged": WHOLE, "ids": list_of(TEXT)})
ITEM: Json = {
    "type": "Feature",
    "stac_version": "1.0.0",
    "id": "S2A_31UFS_20200601",
    "geometry": {"type": "Polygon", "coordinates": [[[4, 50], [5, 50], [5, 51], [4, 51], [4, 50]]]},
    "bbox": [4, 50, 5, 51],
    "properties": {"datetime": "2020-06-01T10:50:31Z", "gsd": 10},
    "links": [],
    "assets": {"red": {"href": "https://example.com/S2A_31UFS_20200601/red.tif"}},
}
SECURITY = [{"writeToken": list[str]()}]


def item_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths by which items are written."""
    layer = in_path("layer", "Id of a collection of items, or of one of its layers", example=examples.layer)
    item = in_path("item", "Id of the item", example=ITEM["id"])
    describe = partial(operation, tag=TAG)
    post = describe(
        "postItems",
        "Adds STAC items, or replaces those with the same id",
        parameters=[layer],
        answers={"application/json": WRITTEN},
        posted=body(OBJECT, ITEM),
        refusals=(*REFUSALS, "TooLarge"),
    )
    post["responses"]["201"] = post["responses"]["200"] | {"description": "At least one item is new"}
    delete = describe("deleteItem", "Removes an item", parameters=[layer, item], answers={}, refusals=REFUSALS)
    delete["responses"]["204"] = {"description": delete["responses"].pop("200")["description"]}
    return {
        "/layers/{layer}/items": {"post": {**post, "security": SECURITY}},
        "/layers/{layer}/items/{item}": {"delete": {**delete, "security": SECURITY}},
    }
