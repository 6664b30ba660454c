"""Cubes, and files that hold many dates: assets of the collection itself, with what STAC's datacube extension says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from chronotile.archive.index.date_items import media_type
from chronotile.archive.index.file_items import PROJECTION, projection_of
from chronotile.model.collection import Collection
from chronotile.model.grid import NativeGrid
from chronotile.model.source import VariableInfo
from chronotile.model.time.instants import TimeDomain, format_instant
from chronotile.publish.collections import about, band_of, extent_of, with_renders
from chronotile.publish.documents.parts import CLASSIFICATION, CUBE, RASTER, Json
from chronotile.publish.publication import Asset, Publication
from chronotile.publish.sources import files_below, is_folder, source_at

MOST_VALUES = 2_000
"""Times that are listed one by one."""
ZARR = "application/vnd.zarr"
_OTHER_TYPES = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".zip": "application/zip",
}


def media_type_of(name: str) -> str:
    """Return the media type of a file by its name."""
    return _OTHER_TYPES.get(PurePosixPath(name).suffix.lower()) or media_type(name)


def publication_of_data(collection: Collection, places: Sequence[str]) -> Publication:
    """Return a collection whose data are some files or stores, each of many dates.

    Args:
        collection: It.
        places: Paths or URLs.

    Raises:
        SourceUnavailable: A store cannot be listed.
        UnsupportedSource: Its server lists nothing.
    """
    variables = collection.variables
    keys = {place: "data" if len(places) == 1 else f"data-{number}" for number, place in enumerate(places, start=1)}
    assets = tuple(asset_at(key, place, variables) for place, key in keys.items())
    publication = replace(
        about(collection),
        extent=extent_of(collection),
        assets=assets,
        fields=cube_of(collection, variables),
        extensions=(CUBE, *band_extensions(assets)),
    )
    return with_renders(publication, collection, dict.fromkeys(variables, keys[places[0]]), {})


def asset_at(key: str, place: str, variables: Mapping[str, VariableInfo], name: str | None = None) -> Asset:
    """Return the file or store at a place as an asset.

    Args:
        key: Of the asset.
        place: Path or URL.
        variables: That it holds.
        name: Under which it is published; `None`: its own.

    Raises:
        SourceUnavailable: A store cannot be listed.
        UnsupportedSource: Its server lists nothing.
    """
    name = name or source_at(place).name
    bands = [band_of(id_, each, each.encoding) for id_, each in variables.items()]
    grids = {each.grid: None for each in variables.values()}
    fields: Json = {
        "title": ", ".join(each.title or id_ for id_, each in variables.items()) or name,
        "type": media_type_of(name),
        "roles": ["data"],
        **({"bands": bands} if bands else {}),
        **(on_grid(next(iter(grids))) if len(grids) == 1 else {}),
    }
    if is_folder(place):
        files = files_below(place)
        version = 3 if "zarr.json" in files else 2
        return Asset(key=key, folder=files, name=name, fields=fields | {"type": f"{ZARR}; version={version}"})
    return Asset(key=key, source=source_at(place), name=name, fields=fields)


def band_extensions(assets: Sequence[Asset]) -> set[str]:
    """Return the extensions of STAC that assets use."""
    fields = {name for each in assets for name in each.fields}
    bands = {name for each in assets for band in each.fields.get("bands", ()) for name in band}
    return {
        *([PROJECTION] if any(each.startswith("proj:") for each in fields) else []),
        *([RASTER] if any(each.startswith("raster:") for each in bands) else []),
        *([CLASSIFICATION] if "classification:classes" in bands else []),
    }


def on_grid(grid: NativeGrid) -> Json:
    """Return a grid as STAC's projection extension has it."""
    return {**projection_of(grid), "proj:bbox": list(grid.bbox)}


def cube_of(collection: Collection, variables: Mapping[str, VariableInfo]) -> Json:
    """Return the dimensions and variables of a collection on one grid; of its times those of all variables."""
    grids = {each.grid: None for each in variables.values()}
    grid = next(iter(grids), None)
    if grid is None:
        return {}
    name = grid.crs.name
    reference: Json = {
        "reference_system": int(name.removeprefix("EPSG:"))
        if name.startswith("EPSG:")
        else grid.crs.definition.to_wkt()
    }
    box = grid.bbox
    dimensions: Json = {
        "x": {"type": "spatial", "axis": "x", "extent": [box.xmin, box.xmax], **reference},
        "y": {"type": "spatial", "axis": "y", "extent": [box.ymin, box.ymax], **reference},
    }
    longest = max((each.times for each in variables.values()), key=len)
    if len(longest):
        dimensions["time"] = _time(collection, longest)
    return {
        "cube:dimensions": dimensions,
        "cube:variables": {id_: _variable(id_, each) for id_, each in variables.items()},
    }


def _time(collection: Collection, times: TimeDomain) -> Json:
    extent = extent_of(collection)
    assert extent.start is not None  # noqa: S101 -- of a collection with times
    assert extent.last is not None  # noqa: S101
    listed: Json = {"values": list(map(format_instant, times.starts))} if len(times) <= MOST_VALUES else {}
    return {"type": "temporal", "extent": [format_instant(extent.start), format_instant(extent.last)], **listed}


def _variable(id_: str, variable: VariableInfo) -> Json:
    units = variable.encoding.units
    return {
        "dimensions": [*(["time"] if len(variable.times) else []), "y", "x"],
        "type": "data",
        "description": variable.title or id_,
        **({} if units == "1" else {"unit": units}),
    }
