"""Metadata of coverage files: texts of all formats, and variables and attributes of the CF conventions."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np
from pyproj import CRS

from chronotile import __version__
from chronotile.core.model.collection import Layer, LocalisedText
from chronotile.core.model.coverage import CoverageField, CoverageShape
from chronotile.core.model.space.crs import CRS84, Crs, crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.cf_bounds import bounds_form
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import ONE_NS, format_instant
from chronotile.core.model.types import AnyArray, Attributes, InstantArray
from chronotile.pipeline.encoders.cf_names import distinct_names, name_of
from chronotile.pipeline.encoders.coverage.strips import ChunkShape
from chronotile.pipeline.encoders.covjson_parts import categories_of
from chronotile.pipeline.encoders.credits import Credits

SOFTWARE = f"chronotile {__version__}"
PLANE_DEGREES = "EPSG:4326"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Metadata of a whole file. Its text is part of ETags."""

    title: str
    collection: str
    """Id of the collection."""
    credits: Credits
    first: str | None
    """First and last instant as RFC 3339; `None` without time."""
    last: str | None
    links: tuple[str, ...]
    """Links to metadata."""


def about(coverage: CoverageShape) -> About:
    """Return the metadata of a file of a coverage."""
    collection, instants = coverage.collection, coverage.times.instants
    name = plain_text(collection.title) or collection.id
    return About(
        title=f"{name}: {_titles(coverage.fields)}",
        collection=collection.id,
        credits=Credits.from_layers([field.layer for field in coverage.fields], collection),
        first=format_instant(instants[0]) if len(instants) else None,
        last=format_instant(instants[-1]) if len(instants) else None,
        links=tuple(link.url for link in collection.metadata),
    )


def field_attributes(field: CoverageField) -> Hashable:
    """Return all metadata of a field except its encoding, which is part of the revision of its numbers."""
    return field.name, field.title, layer_attributes(field.layer)


def layer_attributes(layer: Layer) -> Hashable:
    """Return all metadata of a layer except its encoding and those of its collection."""
    variable = layer.main_variable
    texts = tuple(tuple(text.items()) for text in (layer.title, layer.abstract))
    return texts, variable.standard_name, variable.is_categorical, categories_of(layer)


def plain_text(texts: LocalisedText) -> str:
    """Return the text without a language, else the first one, else an empty text: files have only one language."""
    return texts.get("") or next(iter(texts.values()), "")


def definition_of(crs: Crs) -> CRS:
    """Return the definition in files: that of EPSG:4326 for CRS84, as more programs support it; x is still first."""
    return crs_of(PLANE_DEGREES).definition if crs == CRS84 else crs.definition


def is_scaled(field: CoverageField) -> bool:
    """Return whether values differ from digital numbers."""
    return (field.encoding.scale, field.encoding.offset) != (1.0, 0.0)


def _titles(fields: Sequence[CoverageField]) -> str:
    """Return the titles of the fields; the common start of titles if all fields were made from one layer."""
    titles = [field.title for field in fields]
    if len({field.layer.id for field in fields}) == 1:
        parts = zip(*(title.split(", ") for title in titles), strict=False)
        return ", ".join(same[0] for same in takewhile(lambda words: len(set(words)) == 1, parts))
    return ", ".join(titles)


# Variables and attributes of the CF conventions, for NetCDF and Zarr.

CONVENTIONS = "CF-1.11"
GRID_MAPPING = "spatial_ref"
TIME, BOUNDS = "time", "bnds"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CfCoordinate:
    """A variable with its numbers: a coordinate, bounds, or the grid mapping."""

    name: str
    dimensions: tuple[str, ...]
    numbers: AnyArray
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CfField:
    """A variable whose numbers are read later."""

    name: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: float | int | None
    """The number for missing values."""
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class CfDataset:
    """A file without the numbers of its fields."""

    attributes: Attributes
    variables: tuple[CfCoordinate, ...]
    fields: tuple[CfField, ...]
    """In the order of the coverage."""


def cf_dataset(coverage: CoverageShape, chunks: ChunkShape) -> CfDataset:
    """Return a coverage as variables over time, y and x (lat and lon for a geographic grid), at centres of cells.

    Missing values have the number `_FillValue`; values are `number * scale_factor + add_offset` in float64 (CF-1.11
    §8.1).

    Args:
        coverage: The coverage.
        chunks: The shape of the chunks of its fields.
    """
    y, x = _axes(coverage.grid)
    coordinates = [*_time_variables(coverage.times), *_place_variables(coverage.grid, y, x), _grid_mapping(coverage)]
    existing = {*(variable.name for variable in coordinates), BOUNDS}
    names = distinct_names([field.name for field in coverage.fields], existing)
    return CfDataset(
        attributes=_global_attributes(coverage),
        variables=tuple(coordinates),
        fields=tuple(
            _cf_field(field, name, coverage, chunks) for field, name in zip(coverage.fields, names, strict=True)
        ),
    )


def plain_attributes(attributes: Attributes) -> dict[str, Any]:
    """Return attributes as JSON."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in attributes.items()
    }


def _axes(grid: Grid) -> tuple[str, str]:
    return ("lat", "lon") if grid.crs.is_geographic else ("y", "x")


def _global_attributes(coverage: CoverageShape) -> Attributes:
    """Return the global attributes of CF-1.11 §2.6 and the available ones of ACDD 1.3."""
    metadata = about(coverage)
    attributes = {
        "Conventions": f"{CONVENTIONS}, ACDD-1.3",
        "title": metadata.title,
        "id": metadata.collection,
        "source": f"collection {metadata.collection}",
        "history": f"written by {SOFTWARE}",
        **metadata.credits.texts,
        "acknowledgement": metadata.credits.attribution,
        "references": " ".join(metadata.links),
        "time_coverage_start": metadata.first,
        "time_coverage_end": metadata.last,
    }
    return {name: text for name, text in attributes.items() if text}


def _cf_field(field: CoverageField, name: str, coverage: CoverageShape, chunks: ChunkShape) -> CfField:
    encoding, variable = field.encoding, field.layer.main_variable
    dtype = _written_type(field)
    fill = None if encoding.nodata is None else dtype.type(encoding.nodata).item()
    attributes: dict[str, Any] = {"long_name": field.title, "units": encoding.units}
    if variable.standard_name:
        attributes["standard_name"] = variable.standard_name
    attributes |= {"grid_mapping": GRID_MAPPING}
    if is_scaled(field):
        attributes |= {"scale_factor": float(encoding.scale), "add_offset": float(encoding.offset)}
    attributes |= _flags(field, dtype)
    grid, has_time = coverage.grid, len(coverage.times) > 0
    shape = ChunkShape(len(coverage.times), grid.height, grid.width)
    return CfField(
        name=name,
        dimensions=((TIME,) if has_time else ()) + _axes(grid),
        shape=shape if has_time else shape[1:],
        chunks=chunks if has_time else chunks[1:],
        dtype=dtype,
        fill=fill,
        attributes=attributes,
    )


def _written_type(field: CoverageField) -> np.dtype[Any]:
    """Return the type of the numbers in files; short floats become types of NetCDF that scaling does not round."""
    dtype = np.dtype(field.encoding.dtype)
    if dtype.kind != "f":
        return dtype
    return np.dtype(np.float64) if is_scaled(field) else np.promote_types(dtype, np.float32)


def _flags(field: CoverageField, dtype: np.dtype[Any]) -> Attributes:
    """Return the classes by number (CF-1.11 §3.5), if numbers are values."""
    classes = categories_of(field.layer)
    if not classes or is_scaled(field) or dtype.kind == "f":
        return {}
    return {
        "flag_values": np.array([entry.value for entry in classes]).astype(dtype),
        "flag_meanings": " ".join(name_of(entry.label) or "_" for entry in classes),
    }


def _time_variables(times: TimeDomain) -> list[CfCoordinate]:
    """Return the time axis (CF-1.11 §4.4), with bounds (§7.1, for climatologies §7.4) unless all times are instants."""
    if not len(times):
        return []
    form = bounds_form(times, are_periods=bool((times.ends > times.starts + ONE_NS).any()))
    unit, step = "seconds", "datetime64[s]"
    if not (_are_whole(times.starts, step) and (form.name is None or _are_whole(times.periods, step))):
        unit, step = "nanoseconds", "datetime64[ns]"
    attributes = {
        "standard_name": "time",
        "long_name": "time",
        "axis": "T",
        "units": f"{unit} since 1970-01-01 00:00:00",
        "calendar": "standard",
        **form.attributes,
    }
    starts, both = (instants.astype(step).astype(np.int64) for instants in (times.starts, times.periods))
    time = CfCoordinate(name=TIME, dimensions=(TIME,), numbers=starts, attributes=attributes)
    return (
        [time] if form.name is None else [time, CfCoordinate(name=form.name, dimensions=(TIME, BOUNDS), numbers=both)]
    )


def _are_whole(instants: InstantArray, step: str) -> bool:
    return bool((instants == instants.astype(step)).all())


def _place_variables(grid: Grid, y: str, x: str) -> list[CfCoordinate]:
    definitions = definition_of(grid.crs).cs_to_cf()
    axes = {definition["axis"]: definition for definition in definitions if definition.get("axis") in {"X", "Y"}}
    centres = {y: grid.y_of(np.arange(grid.height) + 0.5), x: grid.x_of(np.arange(grid.width) + 0.5)}
    return [
        CfCoordinate(name=name, dimensions=(name,), numbers=centres[name], attributes=axes.get(axis, {"axis": axis}))
        for name, axis in ((y, "Y"), (x, "X"))
    ]


def _grid_mapping(coverage: CoverageShape) -> CfCoordinate:
    """Return the grid mapping (CF-1.11 §5.6 and Appendix F) with `crs_wkt`, and the exact origin for GDAL."""
    grid = coverage.grid
    x_size, y_size = grid.resolution
    mapping = definition_of(grid.crs).to_cf()
    if mapping.get("grid_mapping_name") == "unknown":
        del mapping["grid_mapping_name"]
    geotransform = (grid.bbox.xmin, x_size, 0.0, grid.bbox.ymax, 0.0, -y_size)
    attributes = {
        **mapping,
        "spatial_ref": mapping["crs_wkt"],
        "GeoTransform": " ".join(repr(float(number)) for number in geotransform),
    }
    return CfCoordinate(name=GRID_MAPPING, dimensions=(), numbers=np.array(0, dtype=np.int32), attributes=attributes)
