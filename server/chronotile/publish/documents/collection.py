"""The STAC catalogue, its collection and the catalogues of years, months and days."""

from collections.abc import Iterable
from typing import Any

from chronotile.model.licence import Licence, licence_of, with_licence
from chronotile.model.time.instants import format_instant
from chronotile.publish.documents.parts import (
    GEOJSON,
    PROCESSING,
    STAC_VERSION,
    Json,
    box_of,
    link,
)
from chronotile.publish.publication import Extent, Provenance, Publication

FORM = "chronotile:published"
"""Member of the catalogue's document by which a folder is known to be ours; its value is how it is served."""
ITEMS, DATA = "items", "data"


def catalogue_of(publication: Publication, *, served_by: str) -> Json:
    """Return the document at the top."""
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
    publication: Publication, extent: Extent, *, members: Json, years: Iterable[str], extensions: Iterable[str]
) -> Json:
    """Return the document of the collection.

    Args:
        publication: What is published.
        extent: Of all.
        members: Assets of the collection itself, with their places, and those of its items.
        years: Of its items.
        extensions: Of STAC that these use.
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
        "description": with_licence(publication.description, licence),
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
            *license_links(licence),
        ],
    }


def group_of(publication: Publication, path: str, *, children: Iterable[str], items: Iterable[tuple[str, str]]) -> Json:
    """Return the catalogue of a year, month or day.

    Args:
        publication: What is published.
        path: Its folder, such as `2024/06`.
        children: Names of the folders in it that have catalogues of their own.
        items: Paths of documents in it, with ids.
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


def extent_of(extent: Extent) -> Json:
    """Return the extent; of what has no place the Earth, of what has no time an interval without ends."""
    box = [-180.0, -90.0, 180.0, 90.0] if extent.bbox is None else box_of(extent.bbox)
    interval: list[str | None] = [None, None]
    if extent.start is not None and extent.last is not None:
        interval = [format_instant(extent.start), format_instant(extent.last)]
    return {"spatial": {"bbox": [box]}, "temporal": {"interval": [interval]}}


def license_links(licence: Licence) -> list[Json]:
    """Return the link to a licence that is an address."""
    return [] if licence.page is None else [link("license", licence.page, "License", media_type="text/html")]


def _providers(publication: Publication) -> list[Json]:
    providers = list[Json]()
    if publication.attribution:
        providers.append({"name": publication.attribution, "roles": ["licensor"]})
    if publication.provenance is not None:
        software = {"name": "chronotile", "roles": ["processor"], **processing_of(publication.provenance)}
        providers.append(software)
    return providers


def processing_of(provenance: Provenance) -> Json:
    """Return what the processing extension says of a job."""
    read = ", ".join(dict.fromkeys(str(each["collection"]) for each in provenance.sources))
    made = f"process {provenance.process} {provenance.process_version}, finished {format_instant(provenance.finished)}"
    execution: dict[str, Any] = {
        "process": provenance.process,
        "version": provenance.process_version,
        "inputs": dict(provenance.inputs),
        "finished": format_instant(provenance.finished),
        "sources": list(provenance.sources),
    }
    return {
        "processing:software": {"chronotile": provenance.software},
        "processing:lineage": f"{made}; made of {read}" if read else made,
        "processing:expression": {"format": "ogcapi-processes", "expression": execution},
    }
