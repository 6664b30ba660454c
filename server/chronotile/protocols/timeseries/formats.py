"""Formats of series from `/timeseries`."""

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
from chronotile.http.if_none_match import client_etags
from chronotile.http.negotiation import preferred_type
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import SERIES
from chronotile.pipeline.download_names import plain_name
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


def _encode(  # noqa: PLR0911 -- one return per format
    table: SeriesTable, format: TableFormat, options: CsvOptions
) -> bytes | Iterable[bytes]:
    """Return a table of points or areas, in parts if it may be long; only CSV has options."""
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
"""Formats of several layers; other formats contain one layer."""
FORMAT = choice("format", "Media type of the response; default: as `Accept` says", TableFormat)


def choose_table_format(query: Kvp, accept: str) -> TableFormat:
    """Return the format of the parameter `format`, else of the header Accept, else JSON.

    Raises:
        InvalidParameter: `format` is unknown.
        MissingExtra: The library of the format is not installed.
    """
    requested = FORMAT.optional(query)
    if requested is not None:
        if requested.extra is not None:
            require_extra(requested.extra, f"format {requested}", locator="format")
        return requested
    offered = {
        table_format.media_type: table_format
        for table_format in TableFormat
        if not table_format.extra or has_extra(table_format.extra)
    }
    return offered[preferred_type(accept, tuple(offered))]


def series_csv_options(query: Kvp, layers: Sequence[Layer], name: TableFormat, analysis: Analysis | None) -> CsvOptions:
    """Return the options of series as CSV; `name` is the requested format.

    Raises:
        InvalidParameter: An option is not accepted, or the format is not CSV.
    """
    step = None if analysis is None else analysis.step
    return csv_options(
        query, layers, is_csv=name == TableFormat.CSV, has_steps=step is not None and step.period.is_day_or_longer
    )


def point_format(name: TableFormat, layer: Layer, options: CsvOptions) -> SeriesFormat:
    """Return the format of the series of a point."""
    credit = Credits.from_layers([layer])

    def encode(series: Series) -> bytes:
        if name == TableFormat.CSV:
            return encode_series_csv(series, options=options, credits=credit)
        body = _encode(table_of_point(series, credit), name, options)
        return body if isinstance(body, bytes) else b"".join(body)

    encode_body = encode_series_json if name == TableFormat.JSON else encode
    return SeriesFormat(name=f"{name} {options}", media_type=name.media_type, encode=encode_body)


async def answer_series(request: Request, series_request: SeriesRequest, format: SeriesFormat) -> Response:
    """Return the series of a point; if the client's copy is unchanged, nothing is read."""
    etags, is_active = client_etags(request), connection_check(request)
    work = partial(
        deliver_series, series_request, format, services_of(request), client_etags=etags, is_active=is_active
    )
    return answer_payload(await run(request, SERIES, work, layers=[series_request.layer]))


def encode_areas(
    series: AreasSeries, name: TableFormat, layer: Layer, *, reducers: Sequence[Reducer], options: CsvOptions
) -> bytes | Iterable[bytes]:
    """Return series of areas in a format, whole or in parts; `reducers` are the requested ones."""
    table = table_of_areas(series, Credits.from_layers([layer]), reducers=[reducer.name for reducer in reducers])
    return _encode(table, name, options)


def encode_points(
    results: Sequence[PointsSeries], name: TableFormat, layers: Sequence[Layer], options: CsvOptions
) -> bytes | Iterable[bytes]:
    """Return series of points in a format, whole or in parts; only `OF_SEVERAL_LAYERS` contain several layers."""
    tables = [
        table_of_points(result, Credits.from_layers([layer])) for result, layer in zip(results, layers, strict=True)
    ]
    if name == TableFormat.JSON:
        return b"".join(encode_points_json(tables))
    if len(tables) > 1:
        return chain.from_iterable(map(encode_series_ndjson, tables))
    return _encode(tables[0], name, options)


def respond_in(
    name: TableFormat,
    body: bytes | Iterable[bytes],
    title: str,
    *,
    missing: Missing = NOTHING_MISSING,
    is_open: bool,
) -> Response:
    """Return the answer with series; parts are encoded while they are sent.

    Args:
        name: The format.
        body: The encoded series, whole or in parts.
        title: Name of the file: its layer, and the place if one was requested.
        missing: Dates and items that the series lack.
        is_open: Whether the selected times may change soon (`has_open_times`).
    """
    of_cache = cache_headers(missing, is_open=is_open)
    headers = {"Vary": "Accept", **file_headers(name, title), **of_cache}
    if isinstance(body, bytes):
        return Response(body, media_type=name.media_type, headers=headers)
    return StreamingResponse(iterate_in_turns(body), media_type=name.media_type, headers=headers)


def file_headers(name: TableFormat, title: str) -> dict[str, str]:
    """Return the header that makes browsers save a file under a title; empty for formats without extension."""
    file = f"{plain_name(title)}.{name.extension}"
    return {} if name.extension is None else {"Content-Disposition": f'attachment; filename="{file}"'}
