"""The collection as a record of OGC API - Records - Part 1 1.0 (20-004r1), clause 7."""

from chronotile.model.grid import BBox
from chronotile.model.items import boxes_of
from chronotile.model.licence import licence_of, rights_of
from chronotile.model.time.instants import format_instant
from chronotile.publish.documents.collection import license_links
from chronotile.publish.documents.parts import JSON, Json, link
from chronotile.publish.publication import CatalogueOptions, Extent, Publication

CORE = "http://www.opengis.net/spec/ogcapi-records-1/1.0/req/record-core"


def record_of(publication: Publication, extent: Extent, options: CatalogueOptions, *, formats: list[str]) -> Json:
    """Return the record.

    Args:
        publication: What is published.
        extent: Of all.
        options: What only the publisher knows.
        formats: Media types of its files.
    """
    licence = licence_of(publication.license)
    base = "." if options.url is None else options.url.rstrip("/")
    properties: Json = {
        "type": "dataset",
        "title": publication.title,
        "description": publication.description,
        "keywords": list(publication.keywords),
        "themes": _themes(publication),
        "formats": [{"mediaType": each} for each in formats],
        **rights_of(licence, publication.attribution),
    }
    if publication.provenance is not None:
        properties["created"] = format_instant(publication.provenance.finished)
    return {
        "type": "Feature",
        "id": publication.id,
        "conformsTo": [CORE],
        "geometry": None if extent.bbox is None else _geometry(extent.bbox),
        "time": _time(extent),
        "properties": {name: value for name, value in properties.items() if value},
        "links": [
            link("describes", f"{base}/collection.json", "STAC collection"),
            link("root", f"{base}/catalog.json", "STAC catalogue", media_type=JSON),
            *license_links(licence),
        ],
    }


def _time(extent: Extent) -> Json | None:
    """Clause 7.2.4: an interval of timestamps, or null where there is none."""
    if extent.start is None or extent.last is None:
        return None
    return {"interval": [format_instant(extent.start), format_instant(extent.last)]}


def _themes(publication: Publication) -> list[Json]:
    """Quantities as CF names them, or nothing: a theme needs the vocabulary that it is of."""
    names = [each.standard_name for each in publication.variables if each.standard_name]
    concepts = [{"id": name} for name in dict.fromkeys(names)]
    return [{"concepts": concepts, "scheme": "http://vocab.nerc.ac.uk/collection/P07/current/"}] if concepts else []


def _geometry(bbox: BBox) -> Json:
    parts = [[[_ring(*part)]][0] for part in boxes_of(bbox)]
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


def _ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]
