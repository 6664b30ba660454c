"""Places as GIS files: GeoPackage (OGC 12-128r18) and FlatGeobuf."""

import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely

from chronotile.core.errors import StorageFull
from chronotile.core.model.places import ChosenPlaces
from chronotile.core.model.space.crs import CRS84
from chronotile.pipeline.encoders.bodies import READ_BYTES, ConcatenatedFiles, store_parts

WRITTEN_AT = "1970-01-01T00:00:00.000Z"
"""The time of writing stated in a GeoPackage; it is constant, so that the same places give the same bytes."""
RESERVED = ("fid", "geom")
"""Names of columns that GeoPackage itself uses."""


class PlaceFormat(NamedTuple):
    """A file format for places."""

    driver: str
    """The name of the driver in GDAL."""
    media_type: str
    extension: str


PLACE_FORMATS: Mapping[str, PlaceFormat] = {
    "fgb": PlaceFormat("FlatGeobuf", "application/flatgeobuf", "fgb"),
    "gpkg": PlaceFormat("GPKG", "application/geopackage+sqlite3", "gpkg"),
}
"""Formats by their value of the parameter `f`."""


def write_place_file(chosen: ChosenPlaces, written: PlaceFormat) -> ConcatenatedFiles:
    """Return a file of multipolygons with properties, in a table named by the id of the set.

    Raises:
        StorageFull: GDAL could not write the file.
        OSError: The disk is full.
    """
    from pyogrio import raw, set_gdal_config_options

    geometries, is_empty = shapely.to_wkb(chosen.shapes), shapely.is_empty(chosen.shapes)
    geometries[is_empty] = None
    typed_columns = chosen.places.typed_columns
    further = [
        np.array(values, dtype=np.float64) for name, values in chosen.columns.items() if name not in typed_columns
    ]
    set_gdal_config_options({"OGR_CURRENT_DATE": WRITTEN_AT})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"places.{written.extension}"
        try:
            raw.write(
                path,
                geometries,
                [*(column.values[chosen.numbers] for column in typed_columns.values()), *further],
                field_names(chosen.columns),
                field_mask=[
                    *(~column.is_known[chosen.numbers] for column in typed_columns.values()),
                    *map(np.isnan, further),
                ],
                layer=chosen.places.id,
                driver=written.driver,
                geometry_type="MultiPolygon",
                promote_to_multi=True,
                layer_options={"SPATIAL_INDEX": "NO" if is_empty.any() else "YES"},  # not for empty geometries
                crs="EPSG:4326" if chosen.crs == CRS84 else chosen.crs.name,
            )
        except RuntimeError as error:  # base class of pyogrio's errors
            raise StorageFull("the file could not be written; request fewer places, or try later") from error
        with path.open("rb") as file:
            return store_parts(iter(partial(file.read, READ_BYTES), b""))


def field_names(names: Iterable[str]) -> list[str]:
    """Return names that differ in more than upper and lower case, as required for columns of a table."""
    used_names = list[str](RESERVED)
    for name in names:
        free = name
        while free.lower() in map(str.lower, used_names):
            free += "_"
        used_names.append(free)
    return used_names[len(RESERVED) :]
