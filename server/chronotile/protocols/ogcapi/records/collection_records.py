"""Collections as records: made from the catalogue, and selected in memory."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from chronotile.catalog.offered import OfferedCollection, offered_collections
from chronotile.core.errors import MAX_SHOWN, UnknownItem
from chronotile.core.licence import licence_of, rights_of
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.space.boxes import BBox, boxes_of
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.steps import DEKAD_STEP, step_of
from chronotile.core.model.types import Json
from chronotile.pipeline.search.search_items import items_of
from chronotile.protocols.common.extent import box_of_offered
from chronotile.protocols.common.links import ATOM, collection_path, feed_path, link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import omit_empty
from chronotile.protocols.ogcapi.coverages.formats import FORMATS, lacking_formats
from chronotile.protocols.ogcapi.documents.collection_parts import CollectionContext, access_links
from chronotile.protocols.ogcapi.documents.params import CollectionsQuery
from chronotile.protocols.ogcapi.paging import Paging
from chronotile.protocols.ogcapi.records.params import RecordsQuery
from chronotile.protocols.ogcapi.records.record_collections import (
    COLLECTION_RECORDS,
    DATASET,
    HTML,
    JSON,
    RecordsPage,
    TextSearch,
    contacts_of,
    languages_of,
    record_links,
    split_templates,
)

PICTURES: Mapping[str, str] = {"PNG": MapFormat.PNG, "WebP": MapFormat.WEBP, "JPEG": MapFormat.JPEG}


def find_collections(query: RecordsQuery, context: CollectionContext) -> RecordsPage:
    """Return a page of the collections that a query selects.

    Raises:
        InvalidParameter: The filter is not accepted.
        SourceUnavailable: The index does not answer, and the list would lack collections.
    """
    for name in context.services.catalogue.unopened:  # raises if the index does not answer
        items_of(context.services).extent(name)
    holds = None
    if query.filter is not None:
        from chronotile.catalog.items.cql2.document_filter import DocumentFilter  # noqa: PLC0415 -- SQLAlchemy, with the first

        holds = DocumentFilter(query.filter).holds
    search, paging = TextSearch(query.terms), Paging(limit=query.limit, offset=query.offset)
    records = [
        record
        for offered in _list_configured(context)
        if _takes(query, offered)
        for record in [collection_record(offered, context)]
        if search.finds(record) and _has_values(query, record) and (holds is None or holds(_flat(record)))
    ]
    following = paging.following(len(records))
    return RecordsPage(
        records=_sort(records, query.order)[paging.offset : paging.end],
        matched=len(records),
        following=None if following is None else ("offset", str(following)),
    )


def find_collection(id_: str, context: CollectionContext) -> Json:
    """Return the record of a collection.

    Raises:
        UnknownItem: The collection does not exist.
        SourceUnavailable: The source of the collection is unavailable.
    """
    offered = next((collection for collection in _list_configured(context) if collection.id == id_), None)
    if offered is None:
        context.services.catalogue.require_available(id_)
        raise UnknownItem(f"record {id_[:MAX_SHOWN]!r} is not known", locator="recordId")
    return collection_record(offered, context)


def collection_record(offered: OfferedCollection, context: CollectionContext) -> Json:
    """Return a collection as a record."""
    document, changed = context.document, context.services.changed
    box, when = box_of_offered(offered), _time(offered.times)
    return {
        "id": offered.id,
        "type": "Feature",
        "time": when,
        "geometry": _geometry(box),
        "bbox": list(box),
        "properties": {
            "type": DATASET,
            "title": text_in(offered.title, document.language) or offered.id,
            **omit_empty(
                {
                    "description": text_in(offered.abstract, document.language),
                    "keywords": list(offered.keywords),
                    "updated": None if changed is None else format_instant(changed),
                }
            ),
            **({} if when is None else dict(zip(("start_datetime", "end_datetime"), when["interval"], strict=True))),
            **languages_of(document),
            **omit_empty({"externalIds": [{"value": name} for name in _aliases(offered)]}),
            "layers": [layer.id for layer in offered.layers],
            "formats": list(_formats(offered)),
            **contacts_of(document.catalogue, document.language),
            **rights_of(licence_of(offered.license), offered.attribution),
        },
        **split_templates(_links(offered, context)),
    }


def _list_configured(context: CollectionContext) -> Iterator[OfferedCollection]:
    return (collection for collection in offered_collections(context.document.catalogue) if not collection.is_layer)


def _geometry(box: BBox) -> Json:
    """Return a polygon, or two on either side of the antimeridian, counterclockwise (RFC 7946 §3.1)."""
    rings = [
        [[west, south], [east, south], [east, north], [west, north], [west, south]]
        for west, south, east, north in boxes_of(box)
    ]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}


def _time(times: TimeDomain) -> Json | None:
    """Return first and last instant and, except for dekads, the step; `None` without time or for a climatology."""
    if len(times) == 0 or times.is_climatology:
        return None
    step = step_of(times)
    ends = [format_instant(times.instants[index]) for index in (0, -1)]
    return {"interval": ends, **({} if step in {None, DEKAD_STEP} else {"resolution": step})}


def _aliases(offered: OfferedCollection) -> Sequence[str]:
    # Names of its layers on other servers.
    return list(dict.fromkeys(alias.name for layer in offered.layers for alias in layer.aliases))


def _formats(offered: OfferedCollection) -> Iterator[Json]:
    lacking = lacking_formats()
    if offered.has_values:
        picture_types = {*PICTURES.values()}
        yield from (
            {"name": name, "mediaType": type_}
            for name, type_ in FORMATS.items()
            if name not in lacking and type_ not in picture_types
        )
    yield from ({"name": name, "mediaType": type_} for name, type_ in PICTURES.items())


def _links(offered: OfferedCollection, context: CollectionContext) -> list[Json]:
    document = context.document
    about = f"{document.base}/collections/{quote(offered.id)}"
    stac = f"{document.root}{collection_path(offered.id)}"
    feed = f"{document.root}{feed_path(offered.id)}"
    feeds = [link("related", feed, ATOM, "The newest items as an Atom feed")]
    return [
        *record_links(COLLECTION_RECORDS, offered.id, document),
        link("about", about, JSON, "The collection in OGC API"),
        link("about", f"{about}?f=html", HTML, "The collection as a page"),
        link("about", stac, JSON, "The collection in STAC"),
        *access_links(offered, context),
        *(feeds if context.services.reader_caches.has_items else []),
    ]


def _takes(query: RecordsQuery, offered: OfferedCollection) -> bool:
    """Return whether id, type, extent and time of a collection match the query."""
    place = CollectionsQuery(box=query.box, time=query.time, paging=Paging(limit=query.limit))
    return (
        (not query.ids or offered.id in query.ids)
        and (not query.types or DATASET in query.types)
        and (not query.external_ids or any(name in query.external_ids for name in _aliases(offered)))
        and place.takes(offered)
    )


def _has_values(query: RecordsQuery, record: Json) -> bool:
    compared = ((record["properties"].get(name), value) for name, value in query.values.items())
    return all(value in have if isinstance(have, list) else have == value for have, value in compared)


def _flat(record: Json) -> dict[str, Any]:
    return {**record["properties"], "id": record["id"], "geometry": record["geometry"]}


def _sort(records: Sequence[Json], order: Sequence[tuple[str, bool]]) -> list[Json]:
    """Sort by properties in order of priority, then by id; records without a property come last."""
    ordered = sorted(records, key=lambda record: str(record["id"]))
    for name, is_descending in reversed(order):
        with_value = [r for r in ordered if name in r["properties"]]
        without_value = [r for r in ordered if name not in r["properties"]]
        ordered = [
            *sorted(with_value, key=lambda record: str(record["properties"][name]), reverse=is_descending),
            *without_value,
        ]
    return ordered
