"""Series as NetCDF, as discrete sampling geometries of the CF conventions."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from chronotile.core.model.geometry.area import Area, Polygon
from chronotile.core.model.request import Point
from chronotile.core.model.types import InstantArray, UInt8Array
from chronotile.pipeline.encoders.cf_names import distinct_names, name_of
from chronotile.pipeline.encoders.series.outlines import outline
from chronotile.pipeline.encoders.series.table import Rows, SeriesTable

if TYPE_CHECKING:
    import h5netcdf

CELL_METHODS = {
    "mean": "area: mean",
    "min": "area: minimum",
    "max": "area: maximum",
    "std": "area: standard_deviation",
    "median": "area: median",
    "sum": "area: sum",
}
"""Cell methods by reducer (CF-1.11 Appendix E)."""

STATION, TIME = "station", "time"


def encode_series_netcdf(table: SeriesTable) -> bytes:
    """Return a NetCDF-4 file with the feature type `timeSeries` in the orthogonal form (CF-1.11 §9.3.1, H.2.1).

    Variables are (station, time). In names, an underscore replaces each character that is not a letter or digit, so
    `p2.5` is `p2_5`; if two names are then equal, the second ends in `_2`. Areas have a point inside as their position
    and their outlines in a geometry container (§7.5). All places are in memory at once.
    """
    import h5netcdf

    buffer = io.BytesIO()
    (rows,) = table.parts()
    with h5netcdf.File(buffer, "w") as file:
        file.attrs.update(
            {
                "Conventions": "CF-1.11",
                "featureType": "timeSeries",
                "title": f"Series of {table.title}",
                **table.credits.texts,
            }
        )
        file.dimensions = {STATION: len(rows.places), TIME: len(table.times)}
        _write_times(file, table.times if table.has_time else None)
        _write_stations(file, rows)
        if table.has_areas and rows.places:
            _write_outlines(file, [outline(place) for place in rows.places if isinstance(place, Area)])
        _write_values(file, table, rows)
    return buffer.getvalue()


def _write_times(file: "h5netcdf.File", times: InstantArray | None) -> None:
    if times is None:
        return
    unit = "seconds" if (times == times.astype("datetime64[s]")).all() else "nanoseconds"
    numbers = times.astype("datetime64[s]" if unit == "seconds" else "datetime64[ns]").astype(np.int64)
    attributes = {"standard_name": "time", "units": f"{unit} since 1970-01-01 00:00:00", "calendar": "standard"}
    _write(file, TIME, (TIME,), numbers, attributes)


def _write_stations(file: "h5netcdf.File", rows: Rows) -> None:
    import h5py

    names = np.array([str(name).replace("\0", "") for name in rows.names], dtype=object)  # NUL ends texts in HDF5
    _write(file, "id", (STATION,), names, {"cf_role": "timeseries_id"}, dtype=h5py.string_dtype())
    places = [place.degrees if isinstance(place, Point) else _inner_point(outline(place)) for place in rows.places]
    degrees = np.array(places).reshape(-1, 2)
    for name, column, units in (("longitude", 0, "degrees_east"), ("latitude", 1, "degrees_north")):
        _write(file, name, (STATION,), degrees[:, column], {"standard_name": name, "units": units})


def _inner_point(polygons: Sequence[Polygon]) -> tuple[float, float]:
    """Return a point inside the largest polygon, since its centre may be outside it; NaN without polygons."""
    if not polygons:
        return np.nan, np.nan
    shapes = [shapely.Polygon(rings[0], rings[1:]) for rings in polygons]
    point = shapely.point_on_surface(max(shapes, key=shapely.area))
    return float(shapely.get_x(point)), float(shapely.get_y(point))


def _write_outlines(file: "h5netcdf.File", areas: Sequence[tuple[Polygon, ...]]) -> None:
    """Write the nodes of all rings, with one part per ring (CF-1.11 §7.5, Example 7.15)."""
    rings = [[ring for polygon in area for ring in polygon] for area in areas]
    is_hole = [number > 0 for area in areas for polygon in area for number in range(len(polygon))]
    sizes = [len(ring) for area_rings in rings for ring in area_rings]
    nodes = np.concatenate([np.empty((0, 2)), *(ring for area_rings in rings for ring in area_rings)])
    file.dimensions["node"], file.dimensions["part"] = len(nodes), len(sizes)
    attributes = {
        "geometry_type": "polygon",
        "node_count": "node_count",
        "node_coordinates": "node_longitude node_latitude",
        "part_node_count": "part_node_count",
        "interior_ring": "interior_ring",
        "coordinates": "longitude latitude",
        "grid_mapping": "crs",
    }
    _write(file, "outline", (), np.int32(0), attributes)
    _write(
        file,
        "node_count",
        (STATION,),
        np.array([sum(map(len, area_rings)) for area_rings in rings], dtype=np.int32),
        {},
    )
    _write(file, "part_node_count", ("part",), np.array(sizes, dtype=np.int32), {})
    _write(file, "interior_ring", ("part",), np.array(is_hole, dtype=np.int32), {})
    for name, column, units, axis in (
        ("node_longitude", 0, "degrees_east", "X"),
        ("node_latitude", 1, "degrees_north", "Y"),
    ):
        _write(file, name, ("node",), nodes[:, column], {"units": units, "axis": axis})
    ellipsoid = {"semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563}
    _write(file, "crs", (), np.int32(0), {"grid_mapping_name": "latitude_longitude", **ellipsoid})


def _write_values(file: "h5netcdf.File", table: SeriesTable, rows: Rows) -> None:
    import h5py

    shape = (STATION, TIME)
    shared = {
        "coordinates": "longitude latitude id",
        **({"geometry": "outline"} if table.has_areas and rows.places else {}),
    }
    values, columns = table.values_at_all_times(rows), table.flat_columns
    for column, written in zip(columns, distinct_names([column.name for column in columns]), strict=True):
        attributes = {"long_name": f"{table.title}, {column.name}", "units": column.units, **shared}
        if column.name in CELL_METHODS:
            attributes["cell_methods"] = CELL_METHODS[column.name]
        _write(file, written, shape, values[column.name].astype(np.float64), attributes, fillvalue=np.nan)
    if table.has_counts:
        _write(file, "valid", shape, rows.valid, {"long_name": "cells with a value", "units": "1", **shared})
        of_cells = {"long_name": "cells of the area", "units": "1", **shared}
        _write(file, "total", shape[: rows.total.ndim], rows.total, of_cells)
        if table.has_notes:
            notes = np.array([note or "" for note in rows.notes], dtype=object)
            note_attributes = {"long_name": "what was done to the area"}
            _write(file, "note", (STATION,), notes, note_attributes, dtype=h5py.string_dtype())
    elif rows.codes is not None:
        _write_reasons(file, rows, rows.codes, shared)


def _write_reasons(file: "h5netcdf.File", rows: Rows, codes: UInt8Array, shared: dict[str, str]) -> None:
    """Write the reasons for missing values as flags; 0 marks a value."""
    used_reasons = sorted({rows.labels[code - 1] for code in np.unique(codes).tolist() if code})
    flags = np.array(
        [0, *(used_reasons.index(label) + 1 if label in used_reasons else 0 for label in rows.labels)], dtype=np.int16
    )
    attributes = {
        "long_name": "why there is no value",
        "flag_values": np.arange(len(used_reasons) + 1, dtype=np.int16),
        "flag_meanings": " ".join(["value", *(name_of(reason) for reason in used_reasons)]),
        **shared,
    }
    _write(file, "reason", (STATION, TIME), flags[codes], attributes)


def _write(  # noqa: PLR0913, PLR0917 -- all that a variable is
    file: "h5netcdf.File",
    name: str,
    dimensions: tuple[str, ...],
    values: Any,  # noqa: ANN401 -- an array or one number
    attributes: dict[str, Any],
    *,
    dtype: Any = None,  # noqa: ANN401 -- what h5py takes
    fillvalue: float | None = None,
) -> None:
    variable = file.create_variable(name, dimensions, dtype=dtype or values.dtype, fillvalue=fillvalue)
    variable[...] = values
    variable.attrs.update({name: value for name, value in attributes.items() if not isinstance(value, str) or value})
