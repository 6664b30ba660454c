"""The formats in which our own series leave."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from starlette.responses import Response, StreamingResponse

from chronotile.encoders.credits import Credits
from chronotile.encoders.series.covjson import encode_series_covjson
from chronotile.encoders.series.csv import CsvOptions, encode_places_csv, encode_series_csv
from chronotile.encoders.series.geojson import encode_series_geojson, encode_series_ndjson
from chronotile.encoders.series.json import encode_areas_json, encode_points_json, encode_series_json
from chronotile.encoders.series.media_types import SERIES_MEDIA_TYPES
from chronotile.encoders.series.netcdf import encode_series_netcdf
from chronotile.encoders.series.parquet import encode_series_parquet
from chronotile.encoders.series.table import SeriesTable, table_of_areas, table_of_point, table_of_points
from chronotile.extras import has_extra, require_extra
from chronotile.model.collection import Layer
from chronotile.model.series.analysis import Analysis
from chronotile.model.series.reducer import Reducer
from chronotile.model.series.series import AreasSeries, PointsSeries, Series
from chronotile.model.time.instants import Instant
from chronotile.pipeline.series.point import SeriesFormat
from chronotile.protocols.common.query.accept import preferred_type
from chronotile.protocols.common.query.csv_options import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import choice
from chronotile.protocols.common.responses.respond import caching


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to write series."""

    encode: Callable[[SeriesTable, CsvOptions], bytes | Iterable[bytes]]
    """Of points and areas; whole, or part by part where it may be long. Formats but CSV have no options."""
    extension: str | None = None
    """Of a file that a browser had better save than show."""
    extra: str | None = None
    """What must be installed for it."""


FORMATS: Mapping[str, Format] = {
    "json": Format(encode=lambda table, _: b"".join(encode_areas_json(table))),
    "csv": Format(encode=encode_places_csv, extension="csv"),
    "geojson": Format(encode=lambda table, _: encode_series_geojson(table)),
    "covjson": Format(encode=lambda table, _: b"".join(encode_series_covjson(table))),
    "ndjson": Format(encode=lambda table, _: encode_series_ndjson(table)),
    "parquet": Format(encode=lambda table, _: encode_series_parquet(table), extension="parquet", extra="parquet"),
    "netcdf": Format(encode=lambda table, _: encode_series_netcdf(table), extension="nc", extra="netcdf"),
}
"""Points have a JSON document of their own, and one point has a CSV too."""


OF_SEVERAL_LAYERS = ("json", "ndjson")
"""All others have room for one layer alone."""
FORMAT = choice("format", "Media type of the response; default: as `Accept` says", SERIES_MEDIA_TYPES)


def negotiate_format(query: Kvp, accept: str) -> str:
    """Return the name of a format: as `format` says, else as the header Accept does, else `json`.

    Raises:
        InvalidParameter: `format` is not one of them.
        MissingExtra: Its library is not installed.
    """
    named = FORMAT.given(query)
    if named is not None:
        extra = FORMATS[named].extra
        if extra is not None:
            require_extra(extra, f"format {named}", locator="format")
        return named
    offered = {
        SERIES_MEDIA_TYPES[name]: name for name, each in FORMATS.items() if not each.extra or has_extra(each.extra)
    }
    return offered[preferred_type(accept, tuple(offered))]


def series_csv_options(query: Kvp, layers: Sequence[Layer], name: str, analysis: Analysis | None) -> CsvOptions:
    """Return how series are written as CSV; `name` is that of their format.

    Raises:
        InvalidParameter: As `csv_options`.
    """
    step = None if analysis is None else analysis.step
    return csv_options(query, layers, is_csv=name == "csv", has_steps=step is not None and step.period.is_of_days)


def point_format(name: str, layer: Layer, options: CsvOptions) -> SeriesFormat:
    """Return how the series of a point is written."""
    named = Credits.of([layer])

    def encode(series: Series) -> bytes:
        if name == "csv":
            return encode_series_csv(series, options=options, credits=named)
        body = FORMATS[name].encode(table_of_point(series, named), options)
        return body if isinstance(body, bytes) else b"".join(body)

    written = encode_series_json if name == "json" else encode
    return SeriesFormat(name=f"{name} {options}", media_type=SERIES_MEDIA_TYPES[name], encode=written)


def encode_areas(
    series: AreasSeries, name: str, layer: Layer, *, reducers: Sequence[Reducer], options: CsvOptions
) -> bytes | Iterable[bytes]:
    """Return series of areas in a format, whole or part by part; `reducers` are those that were requested."""
    table = table_of_areas(series, Credits.of([layer]), reducers=[each.name for each in reducers])
    return FORMATS[name].encode(table, options)


def encode_points(
    results: Sequence[PointsSeries], name: str, layers: Sequence[Layer], options: CsvOptions
) -> bytes | Iterable[bytes]:
    """Return series of points in a format, whole or part by part; of several layers only in `OF_SEVERAL_LAYERS`."""
    tables = [table_of_points(each, Credits.of([layer])) for each, layer in zip(results, layers, strict=True)]
    if name == "json":
        return b"".join(encode_points_json(tables))
    if len(tables) > 1:
        return chain.from_iterable(map(encode_series_ndjson, tables))
    return FORMATS[name].encode(tables[0], options)


def respond_in(
    name: str,
    body: bytes | Iterable[bytes],
    layer: Layer,
    *,
    unreadable: Sequence[Instant] = (),
    left_out: Sequence[str] = (),
    is_open: bool,
) -> Response:
    """Return the answer that carries series; parts are made while they are sent.

    Args:
        name: Of the format.
        body: Whole or part by part.
        layer: The first that the series are of.
        unreadable: Dates that they lack.
        left_out: Ids of items of mosaics that they lack.
        is_open: Whether their times may be others soon (`has_open_times`).
    """
    of_cache = caching(unreadable, is_open=is_open, left_out=left_out)
    headers = {"Vary": "Accept", **file_headers(name, layer), **of_cache}
    if isinstance(body, bytes):
        return Response(body, media_type=SERIES_MEDIA_TYPES[name], headers=headers)
    return StreamingResponse(body, media_type=SERIES_MEDIA_TYPES[name], headers=headers)


def file_headers(name: str, layer: Layer) -> dict[str, str]:
    """Return what makes a browser save a file under the layer's name."""
    extension = FORMATS[name].extension
    return {} if extension is None else {"Content-Disposition": f'attachment; filename="{layer.id}.{extension}"'}
