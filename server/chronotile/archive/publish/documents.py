"""Documents of a published catalogue: STAC, Open Science Catalogue, and a record of OGC API Records."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from chronotile.archive.index.file_items import STAC_VERSION
from chronotile.archive.publish.publication import CatalogueOptions, Provenance, Publication, PublishedExtent
from chronotile.core.licence import append_licence, licence_of, rights_of
from chronotile.core.model.space.boxes import BBox, box_of_all, boxes_of
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json

# Links, times, boxes and STAC extensions, which several documents share.


JSON, GEOJSON = "application/json", "application/geo+json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
PROCESSING = "https://stac-extensions.github.io/processing/v1.1.0/schema.json"
_NAME = re.compile(r"https://stac-extensions\.github\.io/([a-z-]+)/")
_PREFIXES = {"projection": "proj", "datacube": "cube", "scientific": "sci"}
"""Prefixes of fields, for extensions whose prefix differs from their name."""


def encode(document: Json) -> bytes:
    """Return a document as indented JSON; equal documents give equal bytes."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def link(rel: str, href: str, title: str | None = None, *, media_type: str = JSON) -> Json:
    """Return a link."""
    return {"rel": rel, "href": href, "type": media_type, **({} if title is None else {"title": title})}


def box_of(bbox: BBox) -> list[float]:
    """Return west, south, east, north, rounded to 1e-8 degrees."""
    return [round(b, 8) for b in bbox]


def used_extensions(extensions: Iterable[str], members: Json) -> list[str]:
    """Return the extensions of items whose fields also occur in the members of the collection."""
    text = orjson.dumps(members).decode()
    names = ((extension, _NAME.match(extension)) for extension in extensions)
    return [x for x, name in names if name is not None and f'"{_PREFIXES.get(name[1], name[1])}:' in text]


def widen(boxes: Iterable[BBox]) -> BBox | None:
    """Return a CRS84 box around all; if one crosses the antimeridian, the box goes around the earth."""
    all_boxes = list(boxes)
    if not all_boxes:
        return None
    if len(set(all_boxes)) == 1:
        return all_boxes[0]
    whole = box_of_all(all_boxes)
    return whole._replace(xmin=-180.0, xmax=180.0) if any(box.xmin > box.xmax for box in all_boxes) else whole


def join_extents(extents: Sequence[PublishedExtent]) -> PublishedExtent:
    """Return an extent around all."""
    return PublishedExtent(
        bbox=widen(extent.bbox for extent in extents if extent.bbox is not None),
        start=min((e.start for e in extents if e.start is not None), default=None),
        last=max((e.last for e in extents if e.last is not None), default=None),
    )


def linked_titles(document: Json, rel: str) -> dict[str, str]:
    """Return the titles of linked documents by target: a folder for catalogues, a path for items."""
    links = [g for g in document.get("links", ()) if g["rel"] == rel]
    return {str(x["href"]).removeprefix("./").removesuffix("/catalog.json"): str(x["title"]) for x in links}


CORE = "http://www.opengis.net/spec/ogcapi-records-1/1.0/req/record-core"


def record_of(
    publication: Publication, extent: PublishedExtent, options: CatalogueOptions, *, formats: list[str]
) -> Json:
    """Return the record of OGC API Records.

    Args:
        publication: The publication.
        extent: The extent of collection and items.
        options: Options of the publisher.
        formats: Media types of the files.
    """
    licence = licence_of(publication.license)
    base = "." if options.url is None else options.url.rstrip("/")
    properties: Json = {
        "type": "dataset",
        "title": publication.title,
        "description": publication.description,
        "keywords": list(publication.keywords),
        "themes": _record_themes(publication),
        "formats": [{"mediaType": f} for f in formats],
        **rights_of(licence, publication.attribution),
    }
    if publication.provenance is not None:
        properties["created"] = format_instant(publication.provenance.finished)
    interval = _interval(extent)
    return {
        "type": "Feature",
        "id": publication.id,
        "conformsTo": [CORE],
        "geometry": None if extent.bbox is None else _geometry(extent.bbox),
        # Clause 7.2.4: an interval of timestamps, or null.
        "time": None if interval[0] is None else {"interval": interval},
        "properties": {name: value for name, value in properties.items() if value},
        "links": [
            link("describes", f"{base}/collection.json", "STAC collection"),
            link("root", f"{base}/catalog.json", "STAC catalogue", media_type=JSON),
            *license_links(licence.page),
        ],
    }


def _record_themes(publication: Publication) -> list[Json]:
    """Return the CF standard names as a theme; empty without any, because a theme needs a vocabulary."""
    names = [variable.standard_name for variable in publication.variables if variable.standard_name]
    concepts = [{"id": name} for name in dict.fromkeys(names)]
    return [{"concepts": concepts, "scheme": "http://vocab.nerc.ac.uk/collection/P07/current/"}] if concepts else []


def _geometry(bbox: BBox) -> Json:
    parts = [
        [[[west, south], [east, south], [east, north], [west, north], [west, south]]]
        for west, south, east, north in boxes_of(bbox)
    ]
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


FORM = "chronotile:published"
"""Member of the root document that marks a folder as published by chronotile; its value is `ITEMS` or `DATA`."""
ITEMS, DATA = "items", "data"


def catalogue_of(publication: Publication, *, served_by: str) -> Json:
    """Return the root document."""
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": f"{publication.id}-catalogue",
        "title": publication.title,
        "description": publication.description,
        FORM: served_by,
        "links": [
            link("root", "./catalog.json", publication.title),
            link("child", "./collection.json", publication.title),
        ],
    }


def collection_of(
    publication: Publication, extent: PublishedExtent, *, members: Json, years: Iterable[str], extensions: Iterable[str]
) -> Json:
    """Return the document of the collection.

    Args:
        publication: The publication.
        extent: The extent of collection and items.
        members: Assets of the collection with hrefs, and `item_assets`.
        years: Years with items.
        extensions: STAC extensions of `members`.
    """
    provenance, licence = publication.provenance, licence_of(publication.license)
    processing = [] if provenance is None else [PROCESSING]
    about = {"keywords": list(publication.keywords), "providers": _providers(publication)}
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": sorted({*extensions, *publication.extensions, *processing}),
        "id": publication.id,
        "title": publication.title,
        "description": append_licence(publication.description, licence),
        **{name: value for name, value in about.items() if value},
        "license": licence.stac,
        "extent": extent_of(extent),
        **publication.fields,
        **members,
        "links": [
            link("root", "./catalog.json", publication.title),
            link("parent", "./catalog.json", publication.title),
            *(link("child", f"./{year}/catalog.json", year) for year in years),
            link("describedby", "./record.json", "OGC API Record", media_type=GEOJSON),
            *license_links(licence.page),
        ],
    }


def group_of(publication: Publication, path: str, *, children: Iterable[str], items: Iterable[tuple[str, str]]) -> Json:
    """Return the catalogue of a year, month or day.

    Args:
        publication: The publication.
        path: Its folder, such as `2024/06`.
        children: Names of its folders with catalogues.
        items: Relative paths of item documents, with ids.
    """
    up = "../" * (path.count("/") + 1)
    parent = f"{up}collection.json" if "/" not in path else "../catalog.json"
    name = path.replace("/", "-")
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": f"{publication.id}-{name}",
        "title": name,
        "description": f"{publication.title}: {name}",
        "links": [
            link("root", f"{up}catalog.json", publication.title),
            link("parent", parent, publication.title if "/" not in path else name.rpartition("-")[0]),
            *(link("child", f"./{child}/catalog.json", f"{name}-{child}") for child in children),
            *(link("item", f"./{place}", id_, media_type=GEOJSON) for place, id_ in items),
        ],
    }


def extent_of(extent: PublishedExtent) -> Json:
    """Return the STAC extent: the whole earth without a box, an open interval without times."""
    box = [-180.0, -90.0, 180.0, 90.0] if extent.bbox is None else box_of(extent.bbox)
    return {"spatial": {"bbox": [box]}, "temporal": {"interval": [_interval(extent)]}}


def _interval(extent: PublishedExtent) -> list[str | None]:
    if extent.start is None or extent.last is None:
        return [None, None]
    return [format_instant(extent.start), format_instant(extent.last)]


def license_links(page: str | None) -> list[Json]:
    """Return a link to the page of a licence; empty without a page."""
    return [] if page is None else [link("license", page, "License", media_type="text/html")]


def _providers(publication: Publication) -> list[Json]:
    providers: list[Json] = []
    if publication.attribution:
        providers.append({"name": publication.attribution, "roles": ["licensor"]})
    if publication.provenance is not None:
        providers.append({"name": "chronotile", "roles": ["processor"], **processing_of(publication.provenance)})
    return providers


def processing_of(provenance: Provenance) -> Json:
    """Return members of the processing extension about a job."""
    read = ", ".join(dict.fromkeys(str(source["collection"]) for source in provenance.sources))
    text = f"process {provenance.process} {provenance.process_version}, finished {format_instant(provenance.finished)}"
    execution: dict[str, Any] = {
        "process": provenance.process,
        "version": provenance.process_version,
        "inputs": dict(provenance.inputs),
        "finished": format_instant(provenance.finished),
        "sources": list(provenance.sources),
    }
    return {
        "processing:software": {"chronotile": provenance.software},
        "processing:lineage": f"{text}; made of {read}" if read else text,
        "processing:expression": {"format": "ogcapi-processes", "expression": execution},
    }
