"""The formats in which our own series leave."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from typing import assert_never

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from chronotile.core.extras import has_extra, require_extra
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import TableFormat
from chronotile.core.model.payload import NOTHING_MISSING, Missing
from chronotile.core.model.request import SeriesRequest
from chronotile.core.model.series.analysis import Analysis
from chronotile.core.model.series.reducers import Reducer
from chronotile.core.model.series.series import AreasSeries, PointsSeries, Series
from chronotile.http.answers import answer_payload
from chronotile.http.bodies import iterate_in_turns
from chronotile.http.cache_headers import cache_headers
from chronotile.http.disconnects import connection_check
from chronotile.http.etags import client_etags
from chronotile.http.negotiation import preferred_type
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import SERIES
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.encoders.series.covjson import encode_series_covjson
from chronotile.pipeline.encoders.series.csv import CsvOptions, encode_places_csv, encode_series_csv
from chronotile.pipeline.encoders.series.json import (
    encode_areas_json,
    encode_points_json,
    encode_series_geojson,
    encode_series_json,
    encode_series_ndjson,
)
from chronotile.pipeline.encoders.series.netcdf import encode_series_netcdf
from chronotile.pipeline.encoders.series.parquet import encode_series_parquet
from chronotile.pipeline.encoders.series.table import SeriesTable, table_of_areas, table_of_point, table_of_points
from chronotile.pipeline.series.point import SeriesFormat, deliver_series
from chronotile.protocols.common.query.csv_options import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import choice


def _encode(  # noqa: PLR0911 -- one of each format
    table: SeriesTable, format: TableFormat, options: CsvOptions
) -> bytes | Iterable[bytes]:
    """A table of points or areas, whole, or part by part where it may be long; formats but CSV have no options."""
    match format:
        case TableFormat.JSON:
            return b"".join(encode_areas_json(table))
        case TableFormat.CSV:
            return encode_places_csv(table, options)
        case TableFormat.GEOJSON:
            return encode_series_geojson(table)
        case TableFormat.COVJSON:
            return b"".join(encode_series_covjson(table))
        case TableFormat.NDJSON:
            return encode_series_ndjson(table)
        case TableFormat.PARQUET:
            return encode_series_parquet(table)
        case TableFormat.NETCDF:
            return encode_series_netcdf(table)
        case _:
            assert_never(format)


OF_SEVERAL_LAYERS = (TableFormat.JSON, TableFormat.NDJSON)
"""All others have room for one layer alone."""
FORMAT = choice("format", "Media type of the response; default: as `Accept` says", TableFormat)


def choose_table_format(query: Kvp, accept: str) -> TableFormat:
    """Return a format: as `format` says, else as the header Accept does, else `json`.

    Raises:
        InvalidParameter: `format` is not one of them.
        MissingExtra: Its library is not installed.
    """
    named = FORMAT.optional(query)
    if named is not None:
        if named.extra is not None:
            require_extra(named.extra, f"format {named}", locator="format")
        return named
    offered = {each.media_type: each for each in TableFormat if not each.extra or has_extra(each.extra)}
    return offered[preferred_type(accept, tuple(offered))]


def series_csv_options(query: Kvp, layers: Sequence[Layer], name: TableFormat, analysis: Analysis | None) -> CsvOptions:
    """Return how series are written as CSV; `name` is their format.

    Raises:
        InvalidParameter: As `csv_options`.
    """
    step = None if analysis is None else analysis.step
    return csv_options(
        query, layers, is_csv=name == TableFormat.CSV, has_steps=step is not None and step.period.is_day_or_longer
    )


def point_format(name: TableFormat, layer: Layer, options: CsvOptions) -> SeriesFormat:
    """Return how the series of a point is written."""
    named = Credits.from_layers([layer])

    def encode(series: Series) -> bytes:
        if name == TableFormat.CSV:
            return encode_series_csv(series, options=options, credits=named)
        body = _encode(table_of_point(series, named), name, options)
        return body if isinstance(body, bytes) else b"".join(body)

    written = encode_series_json if name == TableFormat.JSON else encode
    return SeriesFormat(name=f"{name} {options}", media_type=name.media_type, encode=written)


async def answer_series(request: Request, series_request: SeriesRequest, format: SeriesFormat) -> Response:
    """Return the series of a point; one that the client still holds is not read again."""
    known, is_active = client_etags(request), connection_check(request)
    work = partial(
        deliver_series, series_request, format, services_of(request), client_etags=known, is_active=is_active
    )
    return answer_payload(await run(request, SERIES, work, layers=[series_request.layer]))


def encode_areas(
    series: AreasSeries, name: TableFormat, layer: Layer, *, reducers: Sequence[Reducer], options: CsvOptions
) -> bytes | Iterable[bytes]:
    """Return series of areas in a format, whole or part by part; `reducers` are those that were requested."""
    table = table_of_areas(series, Credits.from_layers([layer]), reducers=[each.name for each in reducers])
    return _encode(table, name, options)


def encode_points(
    results: Sequence[PointsSeries], name: TableFormat, layers: Sequence[Layer], options: CsvOptions
) -> bytes | Iterable[bytes]:
    """Return series of points in a format, whole or part by part; of several layers only in `OF_SEVERAL_LAYERS`."""
    tables = [table_of_points(each, Credits.from_layers([layer])) for each, layer in zip(results, layers, strict=True)]
    if name == TableFormat.JSON:
        return b"".join(encode_points_json(tables))
    if len(tables) > 1:
        return chain.from_iterable(map(encode_series_ndjson, tables))
    return _encode(tables[0], name, options)


def respond_in(
    name: TableFormat,
    body: bytes | Iterable[bytes],
    layer: Layer,
    *,
    missing: Missing = NOTHING_MISSING,
    is_open: bool,
) -> Response:
    """Return the answer that carries series; parts are made while they are sent.

    Args:
        name: The format.
        body: Whole or part by part.
        layer: The first that the series are of.
        missing: Dates and items that they lack.
        is_open: Whether their times may be others soon (`has_open_times`).
    """
    of_cache = cache_headers(missing, is_open=is_open)
    headers = {"Vary": "Accept", **file_headers(name, layer), **of_cache}
    if isinstance(body, bytes):
        return Response(body, media_type=name.media_type, headers=headers)
    return StreamingResponse(iterate_in_turns(body), media_type=name.media_type, headers=headers)


def file_headers(name: TableFormat, layer: Layer) -> dict[str, str]:
    """Return what makes a browser save a file under the layer's name."""
    extension = name.extension
    return {} if extension is None else {"Content-Disposition": f'attachment; filename="{layer.id}.{extension}"'}
