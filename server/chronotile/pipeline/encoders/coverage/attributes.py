"""What files of coverages tell of themselves, whatever their format, and in the words of the CF conventions."""

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
    """What a file says of the whole of it."""

    title: str
    collection: str
    """Its id."""
    credits: Credits
    first: str | None
    """RFC 3339, as `last`; `None` without time."""
    last: str | None
    links: tuple[str, ...]
    """Of metadata."""


def about(coverage: CoverageShape) -> About:
    """Return what a file of a coverage says of the whole of it."""
    collection, instants = coverage.collection, coverage.times.instants
    name = plain_text(collection.title) or collection.id
    return About(
        title=f"{name}: {_titles(coverage.fields)}",
        collection=collection.id,
        credits=Credits.from_layers([each.layer for each in coverage.fields], collection),
        first=format_instant(instants[0]) if len(instants) else None,
        last=format_instant(instants[-1]) if len(instants) else None,
        links=tuple(link.url for link in collection.metadata),
    )


def field_attributes(field: CoverageField) -> Hashable:
    """Return all that files may say of a field beside its encoding, which is part of the state of its numbers."""
    return field.name, field.title, layer_attributes(field.layer)


def layer_attributes(layer: Layer) -> Hashable:
    """Return all that answers may say of a layer beside its encoding and what they name once for all layers."""
    variable = layer.main_variable
    texts = tuple(tuple(each.items()) for each in (layer.title, layer.abstract))
    return texts, variable.standard_name, variable.is_categorical, categories_of(layer)


def plain_text(texts: LocalisedText) -> str:
    """Return the text for any language, else the first one, else an empty text: a file has only one."""
    return texts.get("") or next(iter(texts.values()), "")


def definition_of(crs: Crs) -> CRS:
    """Return the definition that is written: EPSG's for WGS 84, which more programs know; files have x before y."""
    return crs_of(PLANE_DEGREES).definition if crs == CRS84 else crs.definition


def is_scaled(field: CoverageField) -> bool:
    """Whether values are other than the numbers."""
    return (field.encoding.scale, field.encoding.offset) != (1.0, 0.0)


def _titles(fields: Sequence[CoverageField]) -> str:
    """The title of each field; what those have in common that were all made of one layer, which may be hundreds."""
    titles = [field.title for field in fields]
    if len({field.layer.id for field in fields}) == 1:
        parts = zip(*(title.split(", ") for title in titles), strict=False)
        return ", ".join(each[0] for each in takewhile(lambda each: len(set(each)) == 1, parts))
    return ", ".join(titles)


# Coverages in the words of the CF conventions, which NetCDF and Zarr share.

CONVENTIONS = "CF-1.11"
GRID_MAPPING = "spatial_ref"
TIME, BOUNDS = "time", "bnds"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CfVariable:
    """A variable whose numbers are there already: a coordinate, bounds, or the grid mapping."""

    name: str
    dimensions: tuple[str, ...]
    numbers: AnyArray
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CfField:
    """A variable whose numbers are yet to be read."""

    name: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: float | int | None
    """The number for no value."""
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class CfDataset:
    """All of a file but the numbers of its fields."""

    attributes: Attributes
    variables: tuple[CfVariable, ...]
    fields: tuple[CfField, ...]
    """As those of the coverage."""


def cf_dataset(coverage: CoverageShape, chunks: ChunkShape) -> CfDataset:
    """Return a coverage as variables over time, y and x (time, lat and lon of a geographic grid); centres of cells.

    What is no value has the number that `_FillValue` names; values are `number * scale_factor + add_offset` in float64
    (CF-1.11 §8.1).

    Args:
        coverage: What the file is of.
        chunks: The shape of the chunks of its fields.
    """
    y, x = _axes(coverage.grid)
    coordinates = [*_time_variables(coverage.times), *_place_variables(coverage.grid, y, x), _grid_mapping(coverage)]
    taken = {*(each.name for each in coordinates), BOUNDS}
    return CfDataset(
        attributes=_global_attributes(coverage),
        variables=tuple(coordinates),
        fields=tuple(
            _field(each, name, coverage, chunks)
            for each, name in zip(
                coverage.fields, distinct_names([field.name for field in coverage.fields], taken), strict=True
            )
        ),
    )


def plain_attributes(attributes: Attributes) -> dict[str, Any]:
    """Return attributes as JSON has them."""
    return {
        name: said.tolist() if isinstance(said, np.ndarray | np.generic) else said for name, said in attributes.items()
    }


def _axes(grid: Grid) -> tuple[str, str]:
    return ("lat", "lon") if grid.crs.is_geographic else ("y", "x")


def _global_attributes(coverage: CoverageShape) -> Attributes:
    """CF-1.11 §2.6, and of ACDD 1.3 what there is."""
    said = about(coverage)
    attributes = {
        "Conventions": f"{CONVENTIONS}, ACDD-1.3",
        "title": said.title,
        "id": said.collection,
        "source": f"collection {said.collection}",
        "history": f"written by {SOFTWARE}",
        **said.credits.texts,
        "acknowledgement": said.credits.attribution,
        "references": " ".join(said.links),
        "time_coverage_start": said.first,
        "time_coverage_end": said.last,
    }
    return {name: text for name, text in attributes.items() if text}


def _field(each: CoverageField, name: str, coverage: CoverageShape, chunks: ChunkShape) -> CfField:
    encoding, variable = each.encoding, each.layer.main_variable
    dtype = _written_type(each)
    fill = None if encoding.nodata is None else dtype.type(encoding.nodata).item()
    attributes: dict[str, Any] = {"long_name": each.title, "units": encoding.units}
    if variable.standard_name:
        attributes["standard_name"] = variable.standard_name
    attributes |= {"grid_mapping": GRID_MAPPING}
    if is_scaled(each):
        attributes |= {"scale_factor": float(encoding.scale), "add_offset": float(encoding.offset)}
    attributes |= _flags(each, dtype)
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


def _written_type(each: CoverageField) -> np.dtype[Any]:
    """That of the numbers; of short floats one that NetCDF has, and in which programs scale them without loss."""
    dtype = np.dtype(each.encoding.dtype)
    if dtype.kind != "f":
        return dtype
    return np.dtype(np.float64) if is_scaled(each) else np.promote_types(dtype, np.float32)


def _flags(each: CoverageField, dtype: np.dtype[Any]) -> Attributes:
    """Classes by their numbers (CF-1.11 §3.5), where these are the values."""
    classes = categories_of(each.layer)
    if not classes or is_scaled(each) or dtype.kind == "f":
        return {}
    return {
        "flag_values": np.array([one.value for one in classes]).astype(dtype),
        "flag_meanings": " ".join(name_of(one.label) or "_" for one in classes),
    }


def _time_variables(times: TimeDomain) -> list[CfVariable]:
    """CF-1.11 §4.4; with bounds (§7.1, of climatologies §7.4) unless all are instants."""
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
    starts, both = (each.astype(step).astype(np.int64) for each in (times.starts, times.periods))
    time = CfVariable(name=TIME, dimensions=(TIME,), numbers=starts, attributes=attributes)
    return [time] if form.name is None else [time, CfVariable(name=form.name, dimensions=(TIME, BOUNDS), numbers=both)]


def _are_whole(instants: InstantArray, step: str) -> bool:
    return bool((instants == instants.astype(step)).all())


def _place_variables(grid: Grid, y: str, x: str) -> list[CfVariable]:
    axes = {each["axis"]: each for each in definition_of(grid.crs).cs_to_cf() if each.get("axis") in {"X", "Y"}}
    centres = {y: grid.y_of(np.arange(grid.height) + 0.5), x: grid.x_of(np.arange(grid.width) + 0.5)}
    return [
        CfVariable(name=name, dimensions=(name,), numbers=centres[name], attributes=axes.get(axis, {"axis": axis}))
        for name, axis in ((y, "Y"), (x, "X"))
    ]


def _grid_mapping(coverage: CoverageShape) -> CfVariable:
    """CF-1.11 §5.6 and Appendix F, with `crs_wkt`; and what GDAL reads: where the grid begins, exactly."""
    grid = coverage.grid
    x_size, y_size = grid.resolution
    mapping = definition_of(grid.crs).to_cf()
    if mapping.get("grid_mapping_name") == "unknown":
        del mapping["grid_mapping_name"]
    place = (grid.bbox.xmin, x_size, 0.0, grid.bbox.ymax, 0.0, -y_size)
    attributes = {
        **mapping,
        "spatial_ref": mapping["crs_wkt"],
        "GeoTransform": " ".join(repr(float(number)) for number in place),
    }
    return CfVariable(name=GRID_MAPPING, dimensions=(), numbers=np.array(0, dtype=np.int32), attributes=attributes)
