"""Publications of collections with one item per date that has separate files; cubes are assets of the collection."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import orjson

from chronotile.archive.dated_collections import dated_collections
from chronotile.archive.index.dates import CUBE, DateSource, cube_of_grid, media_type
from chronotile.archive.index.file_items import PROJECTION, RASTER, band_json, describe_file, projection_of
from chronotile.archive.index.source import ListedEntry, ReadEntry, Unread
from chronotile.archive.open import Archive
from chronotile.archive.publish.collections import about, add_renders, band_of, extent_of
from chronotile.archive.publish.documents import CLASSIFICATION, DATA, ITEMS
from chronotile.archive.publish.publication import Publication, PublishedAsset, PublishedItem
from chronotile.archive.publish.sources import files_below, is_folder, source_at
from chronotile.catalog.items.passes import SourcePass
from chronotile.core.errors import InvalidItem, SourceUnavailable, UnsupportedSource
from chronotile.core.model.collection import Collection
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import AssetBand, Item
from chronotile.core.model.source import DATA as DATA_KEY
from chronotile.core.model.source import SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json
from chronotile.readers.hrefs import is_product, local_path, split_member
from chronotile.readers.stac.fields import is_raster

_REFERENCES = (".vrt", ".json", ".parquet")
"""Suffixes of files that only refer to data in other files."""
_PASS = SourcePass(
    collection="", scope="", number=0, is_whole=True, is_resumed=False, cursor=None, since=None, holder=""
)


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a collection."""

    dated: Mapping[str, tuple[str, ...]]
    """The variables by file, for files with one date."""
    shared: tuple[str, ...]
    """Files with several dates or without dates, and stores."""


def publication_of_dates(archive: Archive, collection: Collection) -> tuple[Publication, str]:
    """Return a collection of a folder, a cube or NetCDF, and how it is served after publication.

    Args:
        archive: The archive with the collection.
        collection: The collection.

    Raises:
        SourceUnavailable: Its source is unreachable.
        UnsupportedSource: Its files only refer to other files, or are in ZIP files or folders of products.
    """
    spec, files = archive.specs[collection.id], _files_of(archive, collection)
    paths = (*files.dated, *files.shared)
    references = next((path for path in paths if path.lower().endswith(_REFERENCES)), None)
    if references is not None:
        raise UnsupportedSource(
            f"{collection.id}: {source_at(references).name} names other files and holds no data; write a cube of it "
            "first (chronotile optimise new), and publish that"
        )
    if any(map(split_member, paths)):
        raise UnsupportedSource(f"{collection.id}: its files are in ZIP files; unpack these, and publish the folders")
    if any(map(is_product, paths)):
        raise UnsupportedSource(
            f"{collection.id}: its files are folders of products; set tiles: true, and publish again"
        )
    whole = publication_of_data(collection, files.shared) if files.shared else None
    if not files.dated:
        assert whole is not None  # noqa: S101 -- each collection has files
        return whole, DATA
    dates = _PublishedDates(collection, spec, files.dated)
    publication = replace(whole or about(collection), items=lambda: dates.items(archive))
    if whole is None:
        keys = {names[0]: names[0] for names in files.dated.values() if len(names) == 1}
        publication = add_renders(publication, collection, keys, spec.variables)
    has_rasters = all(is_raster({"href": o}) for o in files.dated)
    return publication, ITEMS if whole is None and has_rasters else DATA


def _files_of(archive: Archive, collection: Collection) -> _Files:
    reader, spec = archive.services.readers.get(collection.id), archive.specs[collection.id]
    if reader is None or collection.id in archive.unavailable:
        raise SourceUnavailable(f"the source of {collection.id} is away; try again later")
    starts, variables = dict[str, set[Any]](), dict[str, dict[str, None]]()
    for name, variable in collection.variables.items():
        if name in spec.variables and spec.variables[name].formula is not None:
            continue
        for index in range(max(1, len(variable.times))):
            path = reader.file_of(name, index) or spec.href
            starts.setdefault(path, set()).add(variable.times.starts[index] if len(variable.times) else None)
            variables.setdefault(path, {})[name] = None
    dated = [path for path, times in starts.items() if len(times) == 1 and None not in times and path != spec.href]
    shared = tuple(path for path in starts if path not in set(dated))
    return _Files({path: tuple(variables[path]) for path in dated}, shared)


@dataclass(frozen=True, slots=True)
class _PublishedDates:
    """Makes the items of dates."""

    collection: Collection
    spec: SourceSpec
    files: Mapping[str, tuple[str, ...]]

    def items(self, archive: Archive) -> Iterator[PublishedItem]:
        """Yield the items of dates with files.

        Raises:
            SourceUnavailable: A file is missing.
        """
        (dated,) = (c for c in dated_collections(archive) if c.id == self.collection.id)
        for entry in DateSource(dated).entries(_PASS):
            if isinstance(entry, Unread):
                raise SourceUnavailable(f"{self.collection.id}: {entry.key}: {entry.reason}")
            read = entry.read("") if isinstance(entry, ListedEntry) else None
            for item in read.items if isinstance(read, ReadEntry) else ():
                if item.assets:
                    yield self._item(item)

    def _item(self, item: Item) -> PublishedItem:
        document = orjson.loads(item.document)
        written = document["assets"]
        assets = tuple(
            PublishedAsset(
                key=asset.name, source=source_at(asset.href), fields=self._fields(asset.href, written[asset.name])
            )
            for asset in item.assets
        )
        extensions = {*document["stac_extensions"], *band_extensions(assets)}
        members = {name: value for name, value in document.items() if name != "links"}
        return PublishedItem(
            document={**members, "stac_extensions": sorted(extensions)}, start=item.start, assets=assets
        )

    def _fields(self, path: str, written: Json) -> Json:
        """Return the fields of a file's asset, with its bands as stated in the file, corrected by the configuration."""
        fields = {key: value for key, value in written.items() if key != "href" and not key.startswith("file:")}
        variables = self.collection.variables
        names = self.files.get(path, ())
        if local_path(path) is None or not is_raster({"href": path}):
            return fields | {"bands": [band_of(name, variables[name], variables[name].encoding) for name in names]}
        try:
            file = describe_file(DATA_KEY, path, crs=self.spec.crs)
        except InvalidItem:  # the file is copied, but its bands are not described
            return fields
        specs = self.spec.variables
        by_number = {(specs[name].band if name in specs else None) or 1: name for name in names}
        bands = [
            self._band(by_number[number], band) if number in by_number else band_json(band)
            for number, band in enumerate(file.bands, start=1)
        ]
        return fields | {"bands": bands} | ({} if file.grid is None else projection_members(file.grid))

    def _band(self, name: str, asset_band: AssetBand) -> Json:
        """Return the band of a variable; files of a collection may differ in their encoding."""
        variable, spec = self.collection.variables[name], self.spec.variables.get(name) or VariableSpec(id=name)
        encoding = Encoding(
            dtype=spec.dtype or asset_band.dtype or variable.encoding.dtype,
            scale=_first(spec.scale, asset_band.scale, 1.0),
            offset=_first(spec.offset, asset_band.offset, 0.0),
            nodata=asset_band.nodata if spec.nodata is None else spec.nodata,
            flags=variable.encoding.flags,
            units=spec.units or asset_band.unit or variable.encoding.units,
        )
        return band_of(name, variable, encoding)


def _first(*numbers: float | None) -> float:
    return next(number for number in numbers if number is not None)


# Cubes and files with many dates: assets of the collection, described by STAC's datacube extension.

MAX_VALUES = 2_000
"""Number of times up to which all are listed."""
ZARR = "application/vnd.zarr"
_OTHER_TYPES = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
}


def media_type_of(name: str) -> str:
    """Return the media type of a file by its suffix."""
    return _OTHER_TYPES.get(PurePosixPath(name).suffix.lower()) or media_type(name)


def publication_of_data(collection: Collection, places: Sequence[str]) -> Publication:
    """Return a collection whose data are files or stores with many dates.

    Args:
        collection: The collection.
        places: Paths or URLs.

    Raises:
        SourceUnavailable: A store cannot be listed.
        UnsupportedSource: Its server does not list files.
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
    return add_renders(publication, collection, dict.fromkeys(variables, keys[places[0]]), {})


def asset_at(key: str, place: str, variables: Mapping[str, VariableInfo]) -> PublishedAsset:
    """Return the file or store at a location as an asset.

    Args:
        key: Key of the asset.
        place: Path or URL.
        variables: The variables in the file or store.

    Raises:
        SourceUnavailable: A store cannot be listed.
        UnsupportedSource: Its server does not list files.
    """
    name = source_at(place).name
    bands = [band_of(id_, variable, variable.encoding) for id_, variable in variables.items()]
    grids = {v.grid: None for v in variables.values()}
    fields: Json = {
        "title": ", ".join(v.title or id_ for id_, v in variables.items()) or name,
        "type": media_type_of(name),
        "roles": ["data"],
        **({"bands": bands} if bands else {}),
        **(projection_members(next(iter(grids))) if len(grids) == 1 else {}),
    }
    if is_folder(place):
        files = files_below(place)
        version = 3 if "zarr.json" in files else 2
        return PublishedAsset(key=key, folder=files, name=name, fields=fields | {"type": f"{ZARR}; version={version}"})
    return PublishedAsset(key=key, source=source_at(place), name=name, fields=fields)


def band_extensions(assets: Sequence[PublishedAsset]) -> set[str]:
    """Return the STAC extensions that assets use."""
    fields = {name for asset in assets for name in asset.fields}
    bands = {name for a in assets for band in a.fields.get("bands", ()) for name in band}
    return {
        *([PROJECTION] if any(field.startswith("proj:") for field in fields) else []),
        *([RASTER] if any(b.startswith("raster:") for b in bands) else []),
        *([CLASSIFICATION] if "classification:classes" in bands else []),
    }


def projection_members(grid: NativeGrid) -> Json:
    """Return a grid as members of STAC's projection extension."""
    return {**projection_of(grid), "proj:bbox": list(grid.bbox)}


def cube_of(collection: Collection, variables: Mapping[str, VariableInfo]) -> Json:
    """Return the dimensions and variables of a collection; the grid is that of the first variable."""
    grids = {variable.grid: None for variable in variables.values()}
    grid = next(iter(grids), None)
    if grid is None:
        return {}
    longest = max((v.times for v in variables.values()), key=len)
    return cube_of_grid(grid, _time(collection, longest) if len(longest) else None, variables)


def _time(collection: Collection, times: TimeDomain) -> Json:
    extent = extent_of(collection)
    assert extent.start is not None  # noqa: S101 -- of a collection with times
    assert extent.last is not None  # noqa: S101
    listed: Json = {"values": list(map(format_instant, times.starts))} if len(times) <= MAX_VALUES else {}
    return {"type": "temporal", "extent": [format_instant(extent.start), format_instant(extent.last)], **listed}
