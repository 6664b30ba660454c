"""Changes of items in OpenAPI."""

from functools import partial

from chronotile.protocols.changes.params import OF_CHANGES
from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.item_links import ATOM
from chronotile.protocols.common.openapi import (
    ADDRESS,
    BOX,
    FILE,
    OBJECT,
    TEXT,
    UNANSWERED,
    Json,
    enum_of,
    in_path,
    list_of,
    object_of,
    operation,
    or_null,
)
from chronotile.protocols.common.query.parameter import documents, language

TAG = "Items"
CHANGE = object_of(
    {"change": enum_of(["added", "replaced", "removed"]), "collection": TEXT, "id": TEXT, "product": TEXT},
    {
        **dict.fromkeys(("datetime", "start_datetime", "end_datetime", "updated"), TEXT),
        "bbox": BOX,
        "links": list_of(OBJECT),
    },
)
CHANGES = object_of({"changes": list_of(CHANGE), "since": TEXT, "next": or_null(ADDRESS)}, {"unanswered": UNANSWERED})


def change_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of changes."""
    describe = partial(operation, tag=TAG)
    collection = in_path("collection", "Id of a collection", example=examples.collection)
    changes = describe(
        "getChanges",
        "Items that were added, replaced or removed, in pages",
        parameters=documents(OF_CHANGES),
        answers={"application/json": CHANGES},
        refusals=("BadRequest", "Gone", "Unavailable"),
    )
    feed = describe(
        "getFeed",
        "The newest items of a collection as an Atom feed",
        parameters=[collection, language(examples.languages)],
        answers={ATOM: FILE},
    )
    return {"/stac/changes": {"get": changes}, "/stac/collections/{collection}/feed.atom": {"get": feed}}
