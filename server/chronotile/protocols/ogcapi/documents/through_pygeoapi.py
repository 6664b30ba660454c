"""Documents of pygeoapi: its `API`, created in memory from the catalogue with our providers.

It is created again for each document that is not cached: this takes a millisecond and includes reloaded configuration.
The module is imported only when needed: workers that never document collections save its 70 MB.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from pygeoapi.api import API, APIRequest, describe_collections, landing_page

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.formats import GEOTIFF_TYPE, MapFormat
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.types import Instant, Json
from chronotile.protocols.common.extent import box_of_offered
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.documents.collection_parts import CollectionContext
from chronotile.pygeoapi.archives import OpenData

PROVIDERS = "chronotile.pygeoapi"
COVERAGE_FORMAT = {"name": "GTiff", "mimetype": GEOTIFF_TYPE}
MAP_FORMAT = {"name": "png", "mimetype": MapFormat.PNG}

AT_ONCE = 50
"""Collections per API object: with more, garbage collection stops all threads noticeably."""


class _JsonRequest:
    """The attributes of a request that pygeoapi reads; format and language are negotiated before."""

    args = {"f": "json"}  # noqa: RUF012 -- pygeoapi only reads it
    headers: dict[str, str] = {}  # noqa: RUF012 -- as above
    path_info = ""


def pygeoapi_landing(context: CollectionContext) -> Json:
    """Return pygeoapi's landing page."""
    return _pygeoapi_document(API(_configuration(context), {}), landing_page)


def pygeoapi_collections(context: CollectionContext, offered: Sequence[OfferedCollection]) -> Iterator[Json]:
    """Yield pygeoapi's description of each collection."""
    api = API(_configuration(context), {})
    live = OpenData(context.services)
    for start in range(0, len(offered), AT_ONCE):
        # Set after the API was created, as its constructor copies its configuration for HTML pages that are not used.
        api.config["resources"] = {
            collection.id: _resource(collection, context.document, live)
            for collection in offered[start : start + AT_ONCE]
        }
        yield from _pygeoapi_document(api, describe_collections)["collections"]


def _pygeoapi_document(api: API, ask: Callable[[API, APIRequest], Any]) -> Json:
    _headers, _status, body = ask(api, APIRequest(_JsonRequest(), api.locales))
    document: Json = orjson.loads(body)
    return document


def _configuration(context: CollectionContext) -> Json:
    """Return the configuration. Texts are in the language of the document, so pygeoapi gets only one language."""
    document_context = context.document
    service = document_context.catalogue.service
    identification = {
        "title": text_in(service.title, document_context.language),
        "description": text_in(service.abstract, document_context.language),
        "keywords": [],
        "url": f"{document_context.root}/",
    }
    return {
        "server": {"url": document_context.base, "languages": ["en"], "encoding": "utf-8", "gzip": False},
        "logging": {"level": "ERROR"},
        "metadata": {"identification": identification, "license": {}, "provider": {}, "contact": {}},
        "resources": {},
    }


def _resource(offered: OfferedCollection, context: DocumentContext, live: OpenData) -> Json:
    times = offered.times.instants
    spatial = {"bbox": list(box_of_offered(offered)), "crs": CRS84.uri}
    temporal = {"temporal": {"begin": _datetime(times[0]), "end": _datetime(times[-1])}} if len(times) else {}
    return {
        "type": "collection",
        "title": text_in(offered.title, context.language) or offered.id,
        "description": text_in(offered.abstract, context.language),
        "keywords": list(offered.keywords),
        "links": [],
        "extents": {"spatial": spatial, **temporal},
        "providers": _providers(offered, live),
    }


def _providers(offered: OfferedCollection, live: OpenData) -> list[Json]:
    # The documents do not contain this CRS. As a name, pygeoapi 0.24 would look it up for each provider.
    shared = {"data": live, "options": {"collection": offered.id}, "storage_crs": CRS84.definition}
    picture = {"type": "map", "name": f"{PROVIDERS}.MapProvider", "format": MAP_FORMAT, **shared}
    if not offered.has_values:
        return [picture]
    coverage = {"type": "coverage", "name": f"{PROVIDERS}.CoverageProvider", "format": COVERAGE_FORMAT, **shared}
    return [coverage, {"type": "edr", "name": f"{PROVIDERS}.EDRProvider", **shared}, picture]


def _datetime(instant: Instant) -> datetime:
    # pygeoapi's configuration contains Python datetimes.
    microseconds = int(instant.astype("datetime64[us]").astype(np.int64))
    return datetime.fromtimestamp(microseconds / 1e6, UTC)
