"""Series of many points as JSON."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from chronotile.encoders.series.json_areas import encode_area_series_json, encode_area_series_parts
from chronotile.model.geometry.area import Area
from chronotile.model.series.reducer import MEAN
from chronotile.model.series.series import AreaSeries, AreasSeries, PointsSeries


def encode_points_series_json(results: Sequence[PointsSeries]) -> bytes:
    """Return the document of points: that of areas per layer, with each point as an area of one cell or none."""
    return b'{"results":[' + b",".join(encode_area_series_json(_as_areas(each)) for each in results) + b"]}"


def encode_points_series_parts(results: Iterable[Iterable[PointsSeries]]) -> Iterator[bytes]:
    """Yield the same document in pieces, of results that come in parts of their points, at least one each."""
    yield b'{"results":['
    for number, parts in enumerate(results):
        yield b"," if number else b""
        yield from encode_area_series_parts(map(_as_areas, parts))
    yield b"]}"


def _as_areas(series: PointsSeries) -> AreasSeries:
    return AreasSeries(
        layer=series.layer,
        units=series.units,
        times=series.times,
        areas=tuple(_as_area(series, row) for row in range(len(series.points))),
        edges={},
        encoding=series.encoding,
        findings={} if series.findings is None else {MEAN.name: series.findings},
        unreadable=series.unreadable,
    )


def _as_area(series: PointsSeries, row: int) -> AreaSeries:
    counts = None if series.findings is None else series.findings.counts
    codes, is_outside = series.codes[row], bool(series.is_outside[row])
    note = f"it lies outside the layer, which {series.reach}{series.hints[row]}" if is_outside else None
    causes = () if is_outside else np.unique(codes[codes > 0]).tolist()
    return AreaSeries(
        area=Area(polygons=(), id=series.points[row].id, note=note),
        reduced={MEAN.name: series.values[row]},
        valid=(codes == 0).astype(np.int64) if counts is None else counts[row],
        total=int(not is_outside),
        totals=None if series.period_times is None else series.period_times * int(not is_outside),
        reasons={series.reasons[cause - 1]: (codes == cause).astype(np.int64) for cause in causes},
    )
