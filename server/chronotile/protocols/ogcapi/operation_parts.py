"""Parts of operations that building blocks share: path segments, parameters and conditions."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.types import Json
from chronotile.protocols.common.openapi import REFUSALS_OF_TREE, enum_of_few, in_path
from chronotile.protocols.common.openapi_examples import Examples
from chronotile.protocols.common.operation import Described, OfExamples, Operation, language, segment
from chronotile.protocols.common.query.parameter import format_of

describe = partial(Operation, refusals=REFUSALS_OF_TREE)

JSON_OR_HTML: Sequence[Described] = (format_of(["json", "html"]), language)
JSON_ALONE: Sequence[Described] = (format_of(["json"]), language)

has_collections: OfExamples = attrgetter("offered")
"""Collections that can be shown."""
has_values: OfExamples = attrgetter("value_collections")
"""Collections with values, not only colours."""


def collection_in_path(description: str, collections: Callable[[Examples], Sequence[OfferedCollection]]) -> OfExamples:
    """Return the segment `{collectionId}` of a path, with the ids of `collections` as examples."""

    def segment_of(examples: Examples) -> Json:
        names = [offered.id for offered in collections(examples)]
        return in_path("collectionId", description, enum_of_few(names), example=next(iter(names), None))

    return segment_of


COLLECTION = collection_in_path("Id of a collection, or id or alias of a layer", lambda of: of.offered)
STYLE = segment("styleId", "Id of a style of what is shown", example=lambda of: of.offered[0].drawn_layer.styles[0].id)


def shown_segments(path: str) -> list[Described]:
    """Return the segments of a path that select a collection or a style."""
    segments = (("{collectionId}", COLLECTION), ("{styleId}", STYLE))
    return [segment for name, segment in segments if name in path]
