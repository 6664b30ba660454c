"""`/ogcapi/collections/{collectionId}/coverage`, and its documents."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.offered import OfferedCollection, offered_collection
from chronotile.core.errors import ChronotileError, OutsideData
from chronotile.core.model.coverage import CoverageRequest, ScaleFactors, ScaleSize, Trim
from chronotile.core.model.crs import CRS84, are_alike
from chronotile.core.model.grid import WHOLE_CIRCLE, Grid
from chronotile.core.model.request import IsActive
from chronotile.core.model.time.instants import ABSENT, DISTANT_FUTURE, TimePart, TimeSelection, TimeSpan, format_day
from chronotile.core.model.types import Json
from chronotile.http.base_urls import base_url
from chronotile.http.document_answers import answer_document
from chronotile.http.job_offers import offer_job
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import COVERAGES
from chronotile.pipeline.coverage.deliver import CoveragePayload, deliver_coverage
from chronotile.pipeline.coverage.extract import coverage_field
from chronotile.pipeline.coverage.grid import place_of
from chronotile.pipeline.coverage.source_coverage import coverage_bytes
from chronotile.pipeline.encoders.coverage.cog import has_geo_tags
from chronotile.pipeline.encoders.coverage.png import is_grey
from chronotile.pipeline.services import Services
from chronotile.protocols.common.coverage_files import export_offer, file_conditions, respond_with_file
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.openapi import (
    ADDRESS,
    BINARY,
    OBJECT,
    TEXT,
    Examples,
    enum_of,
    list_of,
    object_of,
    ref,
)
from chronotile.protocols.common.operation import language
from chronotile.protocols.common.query.parameter import F, documents, format_of
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.coverages.documents import domain_set_document, range_type_document, schema_document
from chronotile.protocols.ogcapi.coverages.formats import ALIASES, FORMATS, JSON, JSON_SCHEMA, lacking_formats
from chronotile.protocols.ogcapi.coverages.params import (
    OF_COVERAGE,
    SUBSET,
    CoverageQuery,
    PartialSize,
    Resolution,
    coverage_query,
    parse_coverage,
)
from chronotile.protocols.ogcapi.document_requests import document_query
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.operation_parts import collection_in_path, describe, has_values

# Errors of coverages in OGC 19-087's names of parameters.


def coverage_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error; times are those of `subset` where it has them.

    What lies outside the data is not found (/req/subsetting/subset J).
    """
    named = {name.lower() for name, text in request.query_params.multi_items() if text.strip()}
    time = "datetime" if "datetime" in named or "subset" not in named else "subset"
    spelling = {"time": time, "datetime": time, "layer": "properties"}
    status = 404 if isinstance(error, OutsideData) else None
    return problem_response(error, request, spelling=spelling, status=status)


Make = Callable[[OfferedCollection, str, str], bytes]
"""A document of a collection, the tree's address and a language."""


async def get_coverage(request: Request) -> Response:
    """Return numbers of a collection as a file."""
    services = services_of(request)
    query = coverage_query(request.query_params.multi_items())
    name = negotiate_format(
        query, request.headers.get("accept", ""), FORMATS, aliases=ALIASES, lacking=lacking_formats()
    )
    offered = offered_collection(services.catalogue, request.path_params["collectionId"])
    parsed_query = parse_coverage(query, offered, services.catalogue)
    offer_job(request, lambda: export_offer(with_scale(parsed_query, services), name, services.catalogue))
    conditions = file_conditions(request)

    def work(is_active: IsActive) -> tuple[CoveragePayload, str]:
        coverage, told = with_default_times(with_scale(parsed_query, services), services)
        return deliver_coverage(coverage, name, services, conditions=conditions, is_active=is_active), told

    delivery, told = await run(request, COVERAGES, work, layers=[parsed_query.request.layers[0]])
    response = respond_with_file(delivery)
    if told:
        response.headers.append("Warning", f'299 - "{told}"')
    return response


async def get_document(make: Make, media_type: str, request: Request) -> Response:
    """Return a document of a coverage: where and when it has values, of which kind they are, or its fields."""
    services = services_of(request)
    query = document_query(request)
    negotiate_format(query, request.headers.get("accept", ""), {"json": media_type}, aliases={JSON: "json"})
    language = language_of(request, query)
    offered = offered_collection(services.catalogue, request.path_params["collectionId"])
    base = f"{base_url(request)}/ogcapi"
    key = (make.__name__, offered.id, offered.is_layer, base, language)
    made = partial(make, offered, base, language)
    response = await answer_document(request, services, made, key=key, media_type=media_type)
    response.headers.update({"Vary": "Accept, Accept-Encoding, Accept-Language", "Content-Language": language})
    return response


def _parameters(examples: Examples) -> list[Json]:
    """All examples of the parameters go together; that of `subset`, which is in place of `bbox`, is its schema's."""
    offered = examples.with_values[0]
    west, south, east, north = offered.collection.bbox
    middle = (west + east) / 2, (south + north) / 2
    subset = replace(SUBSET, schema={**TEXT, "example": f"Lat({south:.6g}:{middle[1]:.6g})"})
    special = {"subset": subset, "f": replace(F, schema=enum_of(tuple(FORMATS)))}
    given = {
        "bbox": [round(each, 6) for each in (*middle, east, north)],
        "bbox-crs": CRS84.uri,
        "properties": next(iter(offered.fields.values())).main_variable.name,
        "crs": CRS84.uri,
        "scale-factor": 2,
    }
    return documents([special.get(each.name, each) for each in OF_COVERAGE], given)


COLLECTION = collection_in_path("Id of a collection that has values, or id or alias of such a layer", has_values)
FORMAT = format_of(("json",))
described = partial(describe, tag="Coverages", faults=coverage_fault, is_offered=has_values)
operations = (
    described(
        "/collections/{collectionId}/coverage",
        get_coverage,
        "getCoverage",
        "Numbers of a collection",
        parameters=[COLLECTION, _parameters],
        answers={**dict.fromkeys(FORMATS.values(), BINARY), FORMATS["json"]: ref("CoverageJson")},
    ),
    described(
        "/collections/{collectionId}/coverage/domainset",
        partial(get_document, domain_set_document, JSON),
        "getCoverageDomainSet",
        "Where and when there are values",
        parameters=[COLLECTION, FORMAT],
        answers={JSON: ref("CoverageDomainSet")},
    ),
    described(
        "/collections/{collectionId}/coverage/rangetype",
        partial(get_document, range_type_document, JSON),
        "getCoverageRangeType",
        "Of which kind the values are",
        parameters=[COLLECTION, FORMAT, language],
        answers={JSON: ref("CoverageRangeType")},
    ),
    described(
        "/collections/{collectionId}/schema",
        partial(get_document, schema_document, JSON_SCHEMA),
        "getCollectionSchema",
        "The fields as a JSON Schema",
        parameters=[COLLECTION, FORMAT, language],
        answers={JSON_SCHEMA: ref("CoverageSchema")},
    ),
)


DEFAULT_BYTES = 32 << 20
"""Of numbers that a request without times has at most, unless one time alone has more."""


def with_default_times(request: CoverageRequest, services: Services) -> tuple[CoverageRequest, str]:
    """Return a request that names no times with the newest ones that are no more than `DEFAULT_BYTES`.

    Returns:
        It, and a sentence with the request for all times; empty where all are in it.

    Raises:
        ChronotileError: The request is not accepted.
    """
    layers = [services.catalogue.layer(name) for name in request.layers]
    starts = [layer.times.starts for layer in layers if len(layer.times)]
    if request.time != ABSENT or not starts:
        return request, ""
    every = np.unique(np.concatenate(starts))
    grid = place_of(request, layers[0].main_variable.grid).grid
    newest = max(1, DEFAULT_BYTES // coverage_bytes([coverage_field(layer) for layer in layers], grid, times=1))
    if newest >= every.size:
        return request, ""
    part = TimePart(TimeSpan(every[-newest], DISTANT_FUTURE), is_interval=True)
    told = f"the newest {newest} of {every.size} times; datetime={format_day(every[0])}/.. requests all"
    return replace(request, time=TimeSelection("parts", (part,))), told


def with_scale(query: CoverageQuery, services: Services) -> CoverageRequest:
    """Return the request for numbers with its scale.

    Requested sizes count along all that is requested (OGC 19-087 /req/coverage-scaling/size D): where that
    reaches beyond the data, the answer has as many of the cells as lie on them.

    Raises:
        ChronotileError: The request is not accepted.
    """
    request, scaling = query.request, query.scaling
    if scaling is None or isinstance(scaling, ScaleFactors):
        return replace(request, scale=scaling)
    native = place_of(request, services.catalogue.layer(request.layers[0]).main_variable.grid).grid
    if isinstance(scaling, Resolution):
        x, y = native.resolution
        factors = ScaleFactors(x=(scaling.x or x) / x, y=(scaling.y or y) / y, locator="resolution")
        return replace(request, scale=factors)
    across, down = _shares(native, request.trims)
    width, height = _share_of(scaling.width, across), _share_of(scaling.height, down)
    if isinstance(scaling, PartialSize):
        return replace(request, scale=ScaleSize(width=width or native.width, height=height or native.height))
    return replace(request, scale=replace(scaling, width=width, height=height))


def _shares(grid: Grid, trims: tuple[Trim, ...]) -> tuple[float, float]:
    """How much of what is requested along x and y a grid covers; all of it where that is in another CRS."""
    boxes = [trim.box for trim in trims if are_alike(trim.crs, grid.crs)]
    if not boxes:
        return 1.0, 1.0
    xmin, ymin, xmax, ymax = boxes[0]
    across, down = xmax - xmin + (WHOLE_CIRCLE if xmax < xmin else 0.0), ymax - ymin
    sides = ((grid.bbox.xmax - grid.bbox.xmin, across), (grid.bbox.ymax - grid.bbox.ymin, down))
    x, y = (min(1.0, own / side) if side and math.isfinite(side) else 1.0 for own, side in sides)
    return x, y


def _share_of(size: int | None, share: float) -> int | None:
    return None if size is None else max(1, round(size * share))


# What coverages bring to the tree (OGC 19-087, draft).

RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
TITLES = {
    "GTiff": "Values as GeoTIFF",
    "NetCDF": "Values as NetCDF",
    "zarr": "Values as a zipped Zarr store",
    "json": "Values as CoverageJSON",
    "png": "Numbers of one field at one time as PNG",
}


def coverage_links(offered: OfferedCollection, context: DocumentContext) -> Sequence[Json]:
    """Return the links of a collection, one a format that can hold the whole; none of one that has colours alone.

    The newer draft lists the fields by `schema`, the older ones by `coverage-rangetype` and `coverage-domainset`.
    """
    if not offered.has_values:
        return ()
    base = f"{context.base}/collections/{quote(offered.id)}"
    left_out = set[str]() if _is_one_picture(offered) else {"png"}
    left_out |= set[str]() if has_geo_tags(next(iter(offered.fields.values())).main_variable.grid.crs) else {"GTiff"}
    left_out |= {"json"} if _values(offered) > context.catalogue.limits.max_series_values else set()
    left_out |= lacking_formats()
    names = [name for name in FORMATS if name not in left_out]
    return [
        *(link(f"{RELATIONS}/coverage", f"{base}/coverage?f={name}", FORMATS[name], TITLES[name]) for name in names),
        link(f"{RELATIONS}/coverage-domainset", f"{base}/coverage/domainset", JSON, "Where and when there are values"),
        link(f"{RELATIONS}/coverage-rangetype", f"{base}/coverage/rangetype", JSON, "Of which kind the values are"),
        link(f"{RELATIONS}/schema", f"{base}/schema", JSON_SCHEMA, "The fields as a JSON Schema"),
    ]


def _is_one_picture(offered: OfferedCollection) -> bool:
    # Whether the whole of it is one field of greys at one time: the address of a PNG of more has to say which.
    dtypes = [np.dtype(each.main_variable.encoding.dtype) for each in offered.fields.values()]
    return len(offered.times) <= 1 and len(dtypes) == 1 and is_grey(dtypes[0])


def _values(offered: OfferedCollection) -> int:
    """How many the whole of it has."""
    fields = offered.fields.values()
    grid = next(iter(fields)).main_variable.grid
    return len(fields) * max(1, len(offered.times)) * grid.width * grid.height


STANDARD = "http://www.opengis.net/spec/ogcapi-coverages-1/1.0/conf"
CONFORMANCE = tuple(
    f"{STANDARD}/{name}"
    for name in (
        *("core", "subsetting", "subsetting-spatial", "subsetting-temporal", "scaling", "scaling-spatial"),
        *("fieldselection", "crs", "geotiff", "netcdf", "coveragejson", "oas30"),
    )
)
"""By the names of OGC's bundle, and of the current draft, which parts subsetting and scaling by space and time."""

SCHEMAS: Mapping[str, Json] = {
    "CoverageJson": {
        "type": "object",
        "description": "A coverage as CoverageJSON 1.0 has it (OGC 21-069r2)",
        **object_of({"type": enum_of(["Coverage"]), **dict.fromkeys(("domain", "parameters", "ranges"), OBJECT)}),
    },
    "CoverageDomainSet": {
        "type": "object",
        "description": "Where and when there are values (CIS 1.1)",
        "required": ["type", "generalGrid"],
        "properties": {
            "type": enum_of(["DomainSet"]),
            "generalGrid": {
                "type": "object",
                "required": ["type", "axisLabels", "axis", "gridLimits"],
                "properties": {
                    "type": enum_of(["GeneralGridCoverage"]),
                    "srsName": ADDRESS,
                    "axisLabels": list_of(TEXT),
                    "axis": {"type": "array", "minItems": 2, "items": OBJECT},
                    "gridLimits": OBJECT,
                },
            },
        },
    },
    "CoverageRangeType": {
        "type": "object",
        "description": "Of which kind the values are (CIS 1.1)",
        "required": ["type", "field"],
        "properties": {
            "type": enum_of(["DataRecord"]),
            "field": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["type", "name", "definition", "uom"],
                    "properties": {"type": enum_of(["Quantity"]), "name": TEXT, "uom": OBJECT},
                },
            },
        },
    },
    "CoverageSchema": {
        "type": "object",
        "description": "A JSON Schema of the fields (OGC 23-058r2)",
        "required": ["type", "properties"],
        "properties": {
            "type": enum_of(["object"]),
            "title": TEXT,
            "properties": {"type": "object", "additionalProperties": {"type": "object", "required": ["title", "type"]}},
        },
    },
}

block = BuildingBlock(operations=operations, conformance=CONFORMANCE, schemas=SCHEMAS, collection_links=coverage_links)
