"""Items of collections with one item per date: folders of rasters, cubes and NetCDF."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
import orjson

from chronotile.archive.index import file_items
from chronotile.archive.index.fill import FillSummary, IndexedCollection, IndexStore, PassProgress, fill
from chronotile.archive.index.source import Listed, ListedEntry, ReadEntry, Unread, any_address
from chronotile.catalog.items.passes import SourcePass
from chronotile.core.errors import InvalidItem
from chronotile.core.model.collection import Collection
from chronotile.core.model.formats import GEOTIFF_TYPE
from chronotile.core.model.items import Asset, IndexSettings, Item
from chronotile.core.model.number_text import json_nodata, json_number
from chronotile.core.model.source import DATA, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.instants import DAY, ONE_NS, TimeSpan, format_day, format_instant
from chronotile.core.model.types import Instant, Json
from chronotile.readers.file_states import file_state
from chronotile.readers.hrefs import PRODUCT_END, base_name, is_product, stored_file, without_query
from chronotile.readers.name_parts import consolidation_of
from chronotile.readers.reader import Reader
from chronotile.readers.stac.footprints import Footprint, footprint_of

CUBE = "https://stac-extensions.github.io/datacube/v2.2.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
VERSION_FIELDS = "https://stac-extensions.github.io/version/v1.2.0/schema.json"
MEDIA_TYPES: Mapping[str, str] = {
    **dict.fromkeys((".tif", ".tiff", ".gtiff"), GEOTIFF_TYPE),
    **dict.fromkeys((".nc", ".nc4", ".cdf"), "application/netcdf"),
    **dict.fromkeys((".h5", ".hdf5", ".he5"), "application/x-hdf5"),
    **dict.fromkeys((".grb", ".grib", ".grb2", ".grib2"), "application/wmo-GRIB2"),
    ".jp2": "image/jp2",
    ".png": "image/png",
    **dict.fromkeys((".jpg", ".jpeg"), "image/jpeg"),
    **dict.fromkeys((".zip", PRODUCT_END), "application/zip"),
}
"""Media types of downloads by suffix; folders of products are sent as ZIP."""
DECIMALS = 7
"""Decimals of longitudes and latitudes: about a centimetre."""
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class DateFile:
    """A file of one date."""

    path: str
    """Absolute path, or a URL."""
    variables: tuple[str, ...]
    """The variables in the file."""
    size: int | None = None
    """In bytes; `None` if unknown, also for a folder, whose download is larger than its files."""
    updated: Instant | None = None
    state: str = ""
    """Fingerprint of a local file."""


def date_id(span: TimeSpan) -> str:
    """Return the id of a date: its day, or a time of day such as `20200601T105000Z`. Ids of different starts differ.

    Midnight is written as a day only if the date spans at least a day.
    """
    is_midnight = span.start == span.start.astype("datetime64[D]")
    if is_midnight and span.end - span.start >= DAY:
        return format_day(span.start)
    return format_instant(span.start).replace("-", "").replace(":", "")


class DateItems:
    """Makes the items of the dates of one collection, which share most of their content.

    Args:
        collection: The collection.
        variables: At least one variable, by id.
        spec: Its configured source.
    """

    def __init__(self, collection: Collection, variables: Mapping[str, VariableInfo], spec: SourceSpec) -> None:
        self._variables, self._spec = variables, spec
        grids = {variable.grid: None for variable in variables.values()}
        self._grid = next(iter(grids)) if len(grids) == 1 else None
        outline = _ring(collection.bbox) if self._grid is None else file_items.outline_of(self._grid)
        ring = _counter_clockwise([(round(x, DECIMALS), round(y, DECIMALS)) for x, y in outline])
        self._footprint = footprint_of({"type": "Polygon", "coordinates": [ring]}, self._grid)
        self._place = _place(ring, self._footprint)

    def item(self, span: TimeSpan, variables: Sequence[str], files: Sequence[DateFile]) -> Item:
        """Return the item of a date.

        Args:
            span: The time of the date.
            variables: Ids of the variables that have the date.
            files: The files that contain only this date.
        """
        id_ = date_id(span)
        # An asset has the name of the first variable in its file, or `data` if one file has several variables.
        is_one = len(files) == 1 and len(files[0].variables) > 1 and len(variables) > 1
        assets = {DATA if is_one else file.variables[0]: file for file in files}
        updated = max((f.updated for f in files if f.updated is not None), default=None)
        properties: Json = {"datetime": format_instant(span.start)}
        if span.end - span.start > ONE_NS:
            properties["start_datetime"] = format_instant(span.start)
            properties["end_datetime"] = format_instant(max(span.start, span.end + file_items.BEFORE))
        if updated is not None:
            properties["updated"] = format_instant(updated)
        if self._grid is not None:
            first = properties["datetime"]
            extent = [first, properties.get("end_datetime", first)]
            properties |= file_items.projection_of(self._grid)
            if not (self._grid.transform.b or self._grid.transform.d):
                # `cube:dimensions` describes the axes x and y, which a rotated grid does not have.
                time = {"type": "temporal", "extent": extent, "values": [first]}
                properties |= cube_of_grid(self._grid, time, {name: self._variables[name] for name in variables})
        described = {name: self._asset_json(asset) for name, asset in assets.items()}
        extensions = [
            *([] if self._grid is None else [file_items.PROJECTION]),
            *([CUBE] if "cube:dimensions" in properties else []),
            *([FILE] if any("file:size" in d for d in described.values()) else []),
            *([VERSION_FIELDS] if any("version" in d for d in described.values()) else []),
            *([file_items.RASTER] if any("bands" in d for d in described.values()) else []),
        ]
        document = {
            "type": "Feature",
            "stac_version": file_items.STAC_VERSION,
            "stac_extensions": extensions,
            "id": id_,
            **self._place,
            "properties": properties,
            "links": [],
            "assets": described,
        }
        return Item(
            id=id_,
            footprint=self._footprint.rings,
            bbox=self._footprint.bbox,
            start=span.start,
            end=span.end,
            updated=updated,
            assets=tuple(
                Asset(name=name, href=x.path, media_type=media_type(x.path), size=x.size)
                for name, x in sorted(assets.items())
            ),
            properties=properties,
            document=orjson.dumps(document),
        )

    def _asset_json(self, file: DateFile) -> Json:
        return {
            "href": file.path,
            "title": ", ".join([self._variables[name].title or name for name in file.variables]),
            "type": media_type(file.path),
            "roles": ["data"],
            **({} if file.size is None else {"file:size": file.size}),
            **({} if (level := consolidation_of(base_name(file.path))) is None else {"version": level}),
            **({"bands": bands} if (bands := self._bands(file)) else {}),
        }

    def _bands(self, file: DateFile) -> Sequence[Json]:
        """Return the bands of a local GeoTIFF as stated in the file, corrected by the configuration; else none."""
        if file.size is None or media_type(file.path) != GEOTIFF_TYPE:
            return []
        try:
            bands = [
                file_items.band_json(band)
                for band in file_items.describe_file(DATA, file.path, crs=self._spec.crs).bands
            ]
        except InvalidItem:  # the reader of the collection reports the file
            return []
        for name in file.variables:
            spec = self._spec.variables.get(name) or VariableSpec(id=name)
            number = spec.band or (1 if len(bands) == 1 else None)
            if number is not None and number <= len(bands):
                bands[number - 1] |= _override_band(name, spec)
        return bands


def _override_band(name: str, spec: VariableSpec) -> Json:
    """Return the configured properties of a variable's band, which override those of its files."""
    members = {
        "name": name,
        "data_type": spec.dtype,
        "raster:scale": json_number(spec.scale),
        "raster:offset": json_number(spec.offset),
        "nodata": json_nodata(spec.nodata),
        "unit": spec.units,
    }
    return {member: value for member, value in members.items() if value is not None}


def media_type(path: str) -> str:
    """Return the media type of a file by its suffix."""
    return MEDIA_TYPES.get(PurePosixPath(without_query(path)).suffix.lower(), UNKNOWN_TYPE)


def _ring(box: BBox) -> tuple[tuple[float, float], ...]:
    xmin, ymin, xmax, ymax = box
    return ((xmin, ymin), (xmax, ymin), (xmax, ymax), (xmin, ymax), (xmin, ymin))


def _counter_clockwise(ring: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    # Returns a closed ring in the direction of outer rings (RFC 7946 §3.1.6).
    twice_area = sum(x * below - right * y for (x, y), (right, below) in pairwise(ring))
    return ring if twice_area >= 0 else ring[::-1]


def _place(ring: Sequence[tuple[float, float]], footprint: Footprint) -> Json:
    """Return geometry and bbox of the document, split at the antimeridian (RFC 7946 §3.1.9)."""
    xs, ys = [x for x, _y in ring], [y for _x, y in ring]
    if min(xs) >= -180 and max(xs) <= 180:
        geometry: Json = {"type": "Polygon", "coordinates": [ring]}
        return {"geometry": geometry, "bbox": [min(xs), min(ys), max(xs), max(ys)]}
    parts = [[(min(180.0, max(-180.0, x)), y) for x, y in part] for part in footprint.rings]
    geometry = {"type": "MultiPolygon", "coordinates": [[part] for part in parts]}
    return {"geometry": geometry, "bbox": list(footprint.bbox)}


def cube_of_grid(grid: NativeGrid, time: Json | None, variables: Mapping[str, VariableInfo]) -> Json:
    """Return dimensions and variables by STAC's datacube extension; `time` is the dimension of that name."""
    box, crs = grid.bbox, grid.crs
    code = int(crs.name.removeprefix("EPSG:")) if crs.name.startswith("EPSG:") else crs.definition.to_wkt()
    horizontal = {
        axis: {"type": "spatial", "axis": axis, "extent": extent, "reference_system": code}
        for axis, extent in {"x": [box.xmin, box.xmax], "y": [box.ymin, box.ymax]}.items()
    }
    return {
        "cube:dimensions": horizontal | ({} if time is None else {"time": time}),
        "cube:variables": {name: _cube_variable(name, variable) for name, variable in variables.items()},
    }


def _cube_variable(name: str, variable: VariableInfo) -> Json:
    unit = variable.encoding.units
    return {
        "dimensions": [*(["time"] if len(variable.times) else []), "y", "x"],
        "type": "data",
        "description": variable.title or name,
        **({} if unit == "1" else {"unit": unit}),
    }


IDENTITY = "dates of layers"
"""Name of this source in passes. Dates of sources with another name are listed again."""
DATED = IndexSettings(group="dates")
VERSION = 3
"""Version of the items; a new version replaces all stored items."""
BATCH = 32
"""Dates stored together. Small, because requests wait for the interpreter lock while items are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedCollection:
    """A collection of dated files or arrays, which the item index lists with one item per date."""

    collection: Collection = field(compare=False, repr=False)
    reader: Reader = field(compare=False, repr=False)
    spec: SourceSpec = field(compare=False, repr=False)
    """Configured source of the collection."""
    id: str
    digest: str
    """Changes when a date appears or disappears, a file is replaced, or items are made in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDate:
    """A time of at least one variable."""

    span: TimeSpan
    indices: tuple[tuple[str, int], ...]
    """The variables with this time, each with the index of the time."""


def dated_collection(collection: Collection, reader: Reader, spec: SourceSpec, *, state: str) -> DatedCollection:
    """Return a collection whose dates are listed as items.

    Args:
        collection: The served collection.
        reader: The reader of its source.
        spec: Its configured source.
        state: Digest of the files of its source.
    """
    digest = blake2b(f"{state} {_common_to_dates(collection, spec.variables)}".encode(), digest_size=16)
    for variable in collection.variables.values():
        digest.update(variable.times.starts.tobytes() + variable.times.ends.tobytes())
    return DatedCollection(collection=collection, reader=reader, spec=spec, id=collection.id, digest=digest.hexdigest())


def _common_to_dates(collection: Collection, specs: Mapping[str, VariableSpec]) -> str:
    """Return a text with everything that the items of all dates share."""
    variables = collection.variables
    grids = [variable.grid for variable in variables.values()]
    about = [(name, v.title, v.encoding.units, specs.get(name)) for name, v in variables.items()]
    cells = [(grid.crs.name, *grid.transform, grid.width, grid.height) for grid in grids]
    return repr((VERSION, tuple(collection.bbox), about, cells))


def dates_of(variables: Mapping[str, VariableInfo]) -> Iterator[ListedDate]:
    """Yield the dates of all variables in order. Dates with the same start are one date, up to their last end."""
    starts = [v.times.starts for v in variables.values()]
    for start in np.unique(np.concatenate(starts)) if starts else ():
        indices, end = list[tuple[str, int]](), start
        for name, variable in variables.items():
            times = variable.times
            index = int(np.searchsorted(times.starts, start))
            if index < len(times) and times.starts[index] == start:
                indices.append((name, index))
                end = max(end, times.ends[index])
        yield ListedDate(span=TimeSpan(start, end), indices=tuple(indices))


class DateSource:
    """The dates of one collection, as a source of items.

    Only files that contain one date alone are assets: a file of a whole year is not an asset of its dates.
    """

    identity = IDENTITY
    allowed = staticmethod(any_address)
    state = ""
    threads = 1
    is_computing = False
    knows_changes = False
    is_here = True

    def __init__(self, dated: DatedCollection) -> None:
        self._dated = dated
        self._variables = dated.collection.variables
        self._common = _common_to_dates(dated.collection, dated.spec.variables)

    def next_since(self) -> str:
        """Return the digest of the collection."""
        return self._dated.digest

    def has_changed(self, *, most_files: int) -> bool:  # noqa: ARG002 -- no file is checked
        """Return False: for a changed archive, a new `DateSource` with another digest is made."""
        return False

    def entries(self, _run: SourcePass) -> Iterator[Listed]:
        """Yield each date; as `Unread` if one of its files is missing."""
        if not any(len(variable.times) for variable in self._variables.values()):
            return
        shared = self._shared_files()
        items = DateItems(self._dated.collection, self._variables, self._dated.spec)
        for date in dates_of(self._variables):
            key = date_id(date.span)
            try:
                paths = ((path, names) for path, names in self._paths(date).items() if path not in shared)
                files = tuple(_date_file(path, names) for path, names in paths)
            except OSError as error:
                yield Unread(key=key, reason=error.strerror or str(error))
                continue
            state = self._state(date, files)
            yield ListedEntry(key=key, state=state, read=partial(_read, items, date, files, state))

    def _paths(self, date: ListedDate) -> dict[str, list[str]]:
        """Return the variables of a date by file."""
        paths = dict[str, list[str]]()
        for name, index in date.indices:
            path = self._dated.reader.file_of(name, index)
            if path is not None:
                paths.setdefault(stored_file(path), []).append(name)
        return paths

    def _shared_files(self) -> set[str]:
        """Return the files with several dates."""
        first, shared = dict[str, Instant](), set[str]()
        for date in dates_of(self._variables):
            for path in self._paths(date):
                if first.setdefault(path, date.span.start) != date.span.start:
                    shared.add(path)
        return shared

    def _state(self, date: ListedDate, files: Sequence[DateFile]) -> str:
        when = date.span.start.astype(np.int64), date.span.end.astype(np.int64)
        names = [name for name, _index in date.indices]
        states = [(file.path, file.variables, file.state) for file in files]
        return blake2b(f"{when} {names} {states} {self._common}".encode(), digest_size=12).hexdigest()


def _date_file(path: str, names: Sequence[str]) -> DateFile:
    if "://" in path:
        return DateFile(path=path, variables=tuple(names))
    state = file_state(path)
    updated: Instant = np.datetime64(state.mtime_ns, "ns")
    size = None if is_product(path) else state.size
    return DateFile(path=path, variables=tuple(names), size=size, updated=updated, state=state.text)


def _read(items: DateItems, date: ListedDate, files: Sequence[DateFile], state: str, _before: str) -> ReadEntry:
    names = [name for name, _index in date.indices]
    return ReadEntry(items=(items.item(date.span, names, files),), state=state)


def reason_to_list(dated: DatedCollection, store: IndexStore) -> str | None:
    """Return why the dates of a collection have to be listed; `None` if the index is up to date.

    Raises:
        SourceUnavailable: The database is unreachable.
    """
    settings = store.items.settings(dated.id)
    if settings is None:
        return "its dates are not listed yet, as /stac needs them"
    if settings != DATED or store.passes.source(dated.id) != IDENTITY:
        return "its items are those of another source"
    if store.passes.last_since(dated.id) != dated.digest:
        return "its dates or files have changed"
    return None


def list_dates(
    dated: DatedCollection,
    store: IndexStore,
    *,
    progress: PassProgress | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> FillSummary:
    """Update the items of a collection to its dates; an interrupted call continues at the next one.

    If the collection had items of scenes or tiles before, these are removed first, also items added by clients.

    Args:
        dated: The collection.
        store: The index.
        progress: Called after each `BATCH` of dates.
        is_stopped: Whether to stop after the current batch is stored.

    Raises:
        Interrupted: The call was stopped.
        SourceUnavailable: The database is unreachable, or another process updates the collection.
    """
    store.passes.forget_since(dated.id)  # an interrupted call must not count as a complete pass
    listed = IndexedCollection(id=dated.id, settings=DATED)
    return fill(listed, DateSource(dated), store, batch=BATCH, progress=progress, is_stopped=is_stopped)
