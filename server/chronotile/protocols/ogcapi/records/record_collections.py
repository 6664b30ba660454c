"""The collections of records that there are, and which properties of their records queries name (OGC 20-004r1 §8).

Their ids begin with a low line. Ids in the configuration begin with a letter or digit, so that no collection, layer or
alias can have the same one, whatever it is called; a low line needs no escape in URLs (RFC 3986 §2.3).
"""

from dataclasses import dataclass

from chronotile.protocols.common.openapi import NUMBER, TEXT, Json, enum_of, list_of

RECORDS_1 = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf"
DATE_TIME: Json = {"type": "string", "format": "date-time"}
GEOMETRY: Json = {"format": "geometry-any", "x-ogc-role": "primary-geometry"}
DATASET, ITEM = "dataset", "item"
"""Types of records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordProperty:
    """A property by which records are selected or sorted."""

    name: str
    title: str
    schema: Json
    is_sortable: bool = False
    is_parameter: bool = False
    """Whether the query has a parameter of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCollection:
    """A collection of records."""

    id: str
    title: str
    description: str
    type: str
    """Of its records."""
    properties: tuple[RecordProperty, ...]
    default_order: tuple[tuple[str, bool], ...]
    """Names of properties, and whether descending."""
    has_more_properties: bool
    """Whether filters may name others."""

    @property
    def sortables(self) -> tuple[RecordProperty, ...]:
        """The properties that `sortby` takes."""
        return tuple(each for each in self.properties if each.is_sortable)

    @property
    def parameters(self) -> tuple[RecordProperty, ...]:
        """The properties that are parameters of the query."""
        return tuple(each for each in self.properties if each.is_parameter)


def _properties_of(type_: str) -> tuple[RecordProperty, ...]:
    return (
        RecordProperty(name="id", title="Id of the record", schema=TEXT),
        RecordProperty(name="type", title="Type of the resource", schema=enum_of([type_])),
        RecordProperty(name="geometry", title="Where it is", schema=GEOMETRY),
    )


COLLECTION_RECORDS = RecordCollection(
    id="_collections",
    title="Collections as records",
    description="One record for each collection that is served here: what it is, where and when, and how to get it",
    type=DATASET,
    properties=(
        *_properties_of(DATASET),
        RecordProperty(name="title", title="Title", schema=TEXT, is_sortable=True, is_parameter=True),
        RecordProperty(name="description", title="Description", schema=TEXT),
        RecordProperty(name="keywords", title="Keywords", schema=list_of(TEXT), is_parameter=True),
        RecordProperty(name="license", title="Licence", schema=TEXT, is_sortable=True, is_parameter=True),
        RecordProperty(name="updated", title="When the record changed", schema=DATE_TIME, is_sortable=True),
        RecordProperty(name="start_datetime", title="First time that there is", schema={**DATE_TIME}, is_sortable=True),
        RecordProperty(name="end_datetime", title="Last time that there is", schema={**DATE_TIME}, is_sortable=True),
    ),
    default_order=(("title", False),),
    has_more_properties=False,
)
ITEM_RECORDS = RecordCollection(
    id="_items",
    title="Items of all collections as records",
    description="One record for each item of the collections that are served here: a scene, or a date",
    type=ITEM,
    properties=(
        *_properties_of(ITEM),
        RecordProperty(
            name="title", title="Title; of items without one the record has the id", schema=TEXT, is_parameter=True
        ),
        RecordProperty(
            name="collection", title="Id of the collection", schema=TEXT, is_sortable=True, is_parameter=True
        ),
        RecordProperty(
            name="datetime",
            title="When it was observed",
            schema={**DATE_TIME, "x-ogc-role": "primary-instant"},
            is_sortable=True,
        ),
        RecordProperty(name="created", title="When the item was made", schema=DATE_TIME, is_sortable=True),
        RecordProperty(name="updated", title="When the item changed", schema=DATE_TIME, is_sortable=True),
        RecordProperty(name="platform", title="Platform", schema=TEXT, is_sortable=True, is_parameter=True),
        RecordProperty(name="constellation", title="Constellation", schema=TEXT, is_sortable=True, is_parameter=True),
        RecordProperty(
            name="eo:cloud_cover", title="Share of clouds, per cent", schema=NUMBER, is_sortable=True, is_parameter=True
        ),
        RecordProperty(name="gsd", title="Distance of pixels, m", schema=NUMBER, is_sortable=True, is_parameter=True),
    ),
    default_order=(("datetime", True),),
    has_more_properties=True,
)
RECORD_COLLECTIONS = (COLLECTION_RECORDS, ITEM_RECORDS)
