"""The coordinate reference system of an array, wherever the file says it."""

from collections.abc import Iterator

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from chronotile.errors import UnsupportedSource
from chronotile.model.crs import Crs, crs_of
from chronotile.model.source import Finding
from chronotile.readers.cf.axes import Axes
from chronotile.readers.cf.fields import Attributes, Field, FieldSet
from chronotile.readers.native_crs import source_crs

_TEXTS = (
    "crs_wkt",
    "spatial_ref",
    "proj:wkt2",
    "proj:code",
    "proj:projjson",
    "esri_pe_string",
    "epsg_code",
    "epsg",
    "EPSG",
    "proj4",
    "proj4text",
    "proj4_params",
    "proj4_string",
    "crs",
)
"""Attributes that hold a system as text, from sure to loose."""

_DEGREES = ("latitude", "lat")


def crs_of_field(field: Field, fields: FieldSet, axes: Axes) -> tuple[Crs, tuple[Finding, ...]]:
    """Return the system of an array's x and y, with a note where it was guessed (on the axis, once for all arrays).

    Raises:
        UnsupportedSource: There is none, or one that is not understood or not of the Earth.
    """
    for attributes in _places(field, fields):
        crs = _from_attributes(attributes)
        if crs is not None:
            return crs, ()
    if _is_geographic(axes):
        note = "it names no coordinate reference system; latitudes and longitudes are read as EPSG:4326"
        return crs_of("EPSG:4326"), (Finding("note", axes.y, note),)
    raise UnsupportedSource("it names no coordinate reference system; set crs: for the source")


def _places(field: Field, fields: FieldSet) -> Iterator[Attributes]:
    """Where the system may be said: the grid mapping, the array, any field that is nothing else, the whole file."""
    mapping = field.text("grid_mapping").partition(":")[0].strip()
    if mapping in fields.fields:
        yield fields.fields[mapping].attrs
    yield field.attrs
    for other in fields.coordinates_named_by(field):
        if not other.dims:
            yield other.attrs
    for other in fields.fields.values():
        if not other.dims and ("grid_mapping_name" in other.attrs or any(key in other.attrs for key in _TEXTS)):
            yield other.attrs
    yield fields.attrs


def _from_attributes(attributes: Attributes) -> Crs | None:
    texts = [attributes[key] for key in _TEXTS if key in attributes]
    for text in texts:
        crs = _from_text(text)
        if crs is not None:
            return crs
    if "grid_mapping_name" not in attributes:
        return None
    try:
        definition = CRS.from_cf({key: _plain(value) for key, value in attributes.items() if key not in _TEXTS})
    except (CRSError, KeyError, ValueError, TypeError) as error:
        name = attributes["grid_mapping_name"]
        raise UnsupportedSource(f"its grid mapping {name} is not understood: {str(error)[:120]}") from error
    return source_crs(definition.to_wkt())


def _from_text(text: object) -> Crs | None:
    """The system that a text or number names, or `None` where it names none."""
    plain = _plain(text)
    if isinstance(plain, dict):
        return source_crs(CRS.from_json_dict(plain).to_wkt())
    spelled = str(int(plain)) if isinstance(plain, int | float) else str(plain).strip()
    spelled = f"EPSG:{spelled}" if spelled.isdigit() else spelled
    try:
        CRS.from_user_input(spelled)
    except CRSError:
        return None
    return source_crs(spelled)


def _plain(value: object) -> object:
    """An attribute without numpy's types."""
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size > 1 else value.ravel()[0].item()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.item() if isinstance(value, np.generic) else value


def _is_geographic(axes: Axes) -> bool:
    y = axes.y_field
    units = y.text("units").lower() if y is not None else ""
    is_named = y is not None and y.text("standard_name") == "latitude"
    return is_named or axes.y.lower() in _DEGREES or units in {"degrees_north", "degree_north", "degree_n", "degrees_n"}
