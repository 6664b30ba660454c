"""Collections whose items are their dates: folders of rasters, cubes and NetCDF."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
import orjson

from chronotile.archive.index import file_items
from chronotile.archive.index.fill import FillSummary, IndexedCollection, IndexStore, Progress, fill
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
from chronotile.readers.hrefs import file_state, without_query
from chronotile.readers.reader import Reader
from chronotile.readers.stac.footprints import Footprint, footprint_of

CUBE = "https://stac-extensions.github.io/datacube/v2.2.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
MEDIA_TYPES: Mapping[str, str] = {
    **dict.fromkeys((".tif", ".tiff", ".gtiff"), GEOTIFF_TYPE),
    **dict.fromkeys((".nc", ".nc4", ".cdf"), "application/netcdf"),
    **dict.fromkeys((".h5", ".hdf5", ".he5"), "application/x-hdf5"),
    **dict.fromkeys((".grb", ".grib", ".grb2", ".grib2"), "application/wmo-GRIB2"),
    ".jp2": "image/jp2",
    ".png": "image/png",
    **dict.fromkeys((".jpg", ".jpeg"), "image/jpeg"),
}
"""By the end of a file's name."""
DECIMALS = 7
"""Of longitudes and latitudes: a centimetre."""
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class DateFile:
    """A file of one date."""

    path: str
    """Absolute, or a URL."""
    variables: tuple[str, ...]
    """That it holds."""
    size: int | None = None
    """In bytes; `None`: not known."""
    updated: Instant | None = None
    state: str = ""
    """Fingerprint of a local file."""


def date_id(span: TimeSpan) -> str:
    """Return the id of a date: its day, or for a time of day `20200601T105000Z`. Different starts have different ids.

    A midnight that spans less than a day is a time of day.
    """
    is_midnight = span.start == span.start.astype("datetime64[D]")
    if is_midnight and span.end - span.start >= DAY:
        return format_day(span.start)
    return format_instant(span.start).replace("-", "").replace(":", "")


class DateItems:
    """Makes the items of the dates of one collection, which have most of what is in them in common.

    Args:
        collection: It.
        variables: By id, at least one.
        spec: What the configuration says of its source.
    """

    def __init__(self, collection: Collection, variables: Mapping[str, VariableInfo], spec: SourceSpec) -> None:
        self._variables, self._spec = variables, spec
        grids = {each.grid: None for each in variables.values()}
        self._grid = next(iter(grids)) if len(grids) == 1 else None
        outline = _ring(collection.bbox) if self._grid is None else file_items.outline_of(self._grid)
        ring = _counter_clockwise([(round(x, DECIMALS), round(y, DECIMALS)) for x, y in outline])
        self._footprint = footprint_of({"type": "Polygon", "coordinates": [ring]}, self._grid)
        self._place = _place(ring, self._footprint)

    def item(self, span: TimeSpan, held: Sequence[str], files: Sequence[DateFile]) -> Item:
        """Return the item of a date.

        Args:
            span: When it is.
            held: The variables that have the date.
            files: The files of this date alone.
        """
        id_ = date_id(span)
        # The variable that a file holds, the first of several; `data` of the one file that has several.
        is_one = len(files) == 1 and len(files[0].variables) > 1 and len(held) > 1
        assets = {DATA if is_one else each.variables[0]: each for each in files}
        updated = max((each.updated for each in files if each.updated is not None), default=None)
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
            if not (self._grid.transform.b or self._grid.transform.d):  # rotated grids have no axes x and y
                time = {"type": "temporal", "extent": extent, "values": [first]}
                properties |= cube_of_grid(self._grid, time, {name: self._variables[name] for name in held})
        described = {name: self._asset_json(each) for name, each in assets.items()}
        extensions = [
            *([] if self._grid is None else [file_items.PROJECTION]),
            *([CUBE] if "cube:dimensions" in properties else []),
            *([FILE] if any("file:size" in each for each in described.values()) else []),
            *([file_items.RASTER] if any("bands" in each for each in described.values()) else []),
        ]
        document = {
            "type": "Feature",
            "stac_version": "1.1.0",
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
                Asset(name=name, href=each.path, media_type=media_type(each.path), size=each.size)
                for name, each in sorted(assets.items())
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
            **({"bands": bands} if (bands := self._bands(file)) else {}),
        }

    def _bands(self, file: DateFile) -> Sequence[Json]:
        """The bands of a GeoTIFF on a disk as it states them, corrected as configured."""
        if file.size is None or media_type(file.path) != GEOTIFF_TYPE:
            return []
        try:
            bands = [
                file_items.band_json(each)
                for each in file_items.describe_file(DATA, file.path, crs=self._spec.crs).bands
            ]
        except InvalidItem:  # which readers tell
            return []
        for name in file.variables:
            spec = self._spec.variables.get(name) or VariableSpec(id=name)
            number = spec.band or (1 if len(bands) == 1 else None)
            if number is not None and number <= len(bands):
                bands[number - 1] |= _configured(name, spec)
        return bands


def _configured(name: str, spec: VariableSpec) -> Json:
    """What the configuration says of a variable's band in place of its files."""
    known = {
        "name": name,
        "data_type": spec.dtype,
        "raster:scale": json_number(spec.scale),
        "raster:offset": json_number(spec.offset),
        "nodata": json_nodata(spec.nodata),
        "unit": spec.units,
    }
    return {member: value for member, value in known.items() if value is not None}


def media_type(path: str) -> str:
    """Return the media type of a file by its name."""
    return MEDIA_TYPES.get(PurePosixPath(without_query(path)).suffix.lower(), UNKNOWN_TYPE)


def _ring(box: BBox) -> tuple[tuple[float, float], ...]:
    xmin, ymin, xmax, ymax = box
    return ((xmin, ymin), (xmax, ymin), (xmax, ymax), (xmin, ymax), (xmin, ymin))


def _counter_clockwise(ring: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    # A closed ring in the direction of outer rings (RFC 7946 §3.1.6).
    twice_area = sum(x * below - right * y for (x, y), (right, below) in pairwise(ring))
    return ring if twice_area >= 0 else ring[::-1]


def _place(ring: Sequence[tuple[float, float]], footprint: Footprint) -> Json:
    """The geometry and box of the document: beyond the antimeridian in two parts (RFC 7946 §3.1.9)."""
    xs, ys = [x for x, _y in ring], [y for _x, y in ring]
    if min(xs) >= -180 and max(xs) <= 180:
        geometry: Json = {"type": "Polygon", "coordinates": [ring]}
        return {"geometry": geometry, "bbox": [min(xs), min(ys), max(xs), max(ys)]}
    parts = [[(min(180.0, max(-180.0, x)), y) for x, y in part] for part in footprint.rings]
    geometry = {"type": "MultiPolygon", "coordinates": [[part] for part in parts]}
    return {"geometry": geometry, "bbox": list(footprint.bbox)}


def cube_of_grid(grid: NativeGrid, time: Json | None, variables: Mapping[str, VariableInfo]) -> Json:
    """Return dimensions, of which `time` is one, and variables as STAC's datacube extension has them."""
    box, crs = grid.bbox, grid.crs
    code = int(crs.name.removeprefix("EPSG:")) if crs.name.startswith("EPSG:") else crs.definition.to_wkt()
    horizontal = {
        axis: {"type": "spatial", "axis": axis, "extent": extent, "reference_system": code}
        for axis, extent in {"x": [box.xmin, box.xmax], "y": [box.ymin, box.ymax]}.items()
    }
    return {
        "cube:dimensions": horizontal | ({} if time is None else {"time": time}),
        "cube:variables": {name: _cube_variable(name, each) for name, each in variables.items()},
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
"""What passes over dates call their source; those under another name, at days by the sun, are listed again."""
DATED = IndexSettings(group="dates")
VERSION = 2
"""Of the items that are made: another one replaces those that are there."""
BATCH = 32
"""Dates that are stored together: requests wait for the interpreter while they are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedCollection:
    """A collection whose dates are listed."""

    collection: Collection = field(compare=False, repr=False)
    reader: Reader = field(compare=False, repr=False)
    spec: SourceSpec = field(compare=False, repr=False)
    """What the configuration says of its source."""
    id: str
    digest: str
    """What changes if a date appears or vanishes, if a file is replaced, or if the items are made in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDate:
    """A time of any of the variables."""

    span: TimeSpan
    held: tuple[tuple[str, int], ...]
    """The variables that have it, each with its index there."""


def dated_collection(collection: Collection, reader: Reader, spec: SourceSpec, *, state: str) -> DatedCollection:
    """Return a collection whose dates are listed.

    Args:
        collection: It, as it is served.
        reader: Of its source.
        spec: What the configuration says of its source.
        state: Of the files of its source.
    """
    digest = blake2b(f"{state} {_common_to_dates(collection, spec.variables)}".encode(), digest_size=16)
    for variable in collection.variables.values():
        digest.update(variable.times.starts.tobytes() + variable.times.ends.tobytes())
    return DatedCollection(collection=collection, reader=reader, spec=spec, id=collection.id, digest=digest.hexdigest())


def _common_to_dates(collection: Collection, specs: Mapping[str, VariableSpec]) -> str:
    """What the items of all dates have of their collection."""
    variables = collection.variables
    grids = [each.grid for each in variables.values()]
    about = [(name, each.title, each.encoding.units, specs.get(name)) for name, each in variables.items()]
    cells = [(grid.crs.name, *grid.transform, grid.width, grid.height) for grid in grids]
    return repr((VERSION, tuple(collection.bbox), about, cells))


def dates_of(variables: Mapping[str, VariableInfo]) -> Iterator[ListedDate]:
    """Yield the dates of all variables in order; of several that begin at one instant, one until the last end."""
    starts = [each.times.starts for each in variables.values()]
    for start in np.unique(np.concatenate(starts)) if starts else ():
        held, end = list[tuple[str, int]](), start
        for name, variable in variables.items():
            times = variable.times
            index = int(np.searchsorted(times.starts, start))
            if index < len(times) and times.starts[index] == start:
                held.append((name, index))
                end = max(end, times.ends[index])
        yield ListedDate(span=TimeSpan(start, end), held=tuple(held))


class DateSource:
    """The dates of one collection, as a source of items.

    Files of a date are those that hold this date alone: a file of a whole year is not handed out as a date.
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

    def since(self) -> str:
        """Return the state of the collection that is listed."""
        return self._dated.digest

    def has_changed(self, *, most_files: int) -> bool:  # noqa: ARG002 -- none is looked at
        """Return that it has not: another state of the archive is another source."""
        return False

    def entries(self, _run: SourcePass) -> Iterator[Listed]:
        """Yield each date; one with a file that is gone, while the collection has it still, as one that is not read."""
        if not any(len(each.times) for each in self._variables.values()):
            return
        shared = self._shared_files()
        items = DateItems(self._dated.collection, self._variables, self._dated.spec)
        for date in dates_of(self._variables):
            key = date_id(date.span)
            try:
                own = ((path, names) for path, names in self._paths(date).items() if path not in shared)
                files = tuple(_date_file(path, names) for path, names in own)
            except OSError as error:
                yield Unread(key=key, reason=error.strerror or str(error))
                continue
            state = self._state(date, files)
            yield ListedEntry(key=key, state=state, read=partial(_read, items, date, files, state))

    def _paths(self, date: ListedDate) -> dict[str, list[str]]:
        """The variables in each file."""
        paths = dict[str, list[str]]()
        for name, index in date.held:
            path = self._dated.reader.file_of(name, index)
            if path is not None:
                paths.setdefault(path, []).append(name)
        return paths

    def _shared_files(self) -> set[str]:
        """The files that hold several dates."""
        first, shared = dict[str, Instant](), set[str]()
        for date in dates_of(self._variables):
            for path in self._paths(date):
                if first.setdefault(path, date.span.start) != date.span.start:
                    shared.add(path)
        return shared

    def _state(self, date: ListedDate, files: Sequence[DateFile]) -> str:
        when = date.span.start.astype(np.int64), date.span.end.astype(np.int64)
        held = [name for name, _index in date.held]
        states = [(each.path, each.variables, each.state) for each in files]
        return blake2b(f"{when} {held} {states} {self._common}".encode(), digest_size=12).hexdigest()


def _date_file(path: str, names: Sequence[str]) -> DateFile:
    if "://" in path:
        return DateFile(path=path, variables=tuple(names))
    state = file_state(path)
    updated: Instant = np.datetime64(state.mtime_ns, "ns")
    return DateFile(path=path, variables=tuple(names), size=state.size, updated=updated, state=state.text)


def _read(items: DateItems, date: ListedDate, files: Sequence[DateFile], state: str, _before: str) -> ReadEntry:
    held = [name for name, _index in date.held]
    return ReadEntry(items=(items.item(date.span, held, files),), state=state)


def reason_to_list(dated: DatedCollection, store: IndexStore) -> str | None:
    """Return why the dates of a collection have to be listed; `None`: the index has them as they are.

    Raises:
        SourceUnavailable: The database does not answer.
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
    progress: Progress | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> FillSummary:
    """Bring the items of a collection in line with its dates; what is interrupted goes on the next time.

    Items of a collection that had scenes or tiles before are removed first, those that clients have added among them.

    Args:
        dated: The collection.
        store: The index.
        progress: Called after each `BATCH` of dates.
        is_stopped: Whether to stop after what is stored now.

    Raises:
        Interrupted: It was stopped.
        SourceUnavailable: The database does not answer, or another process is at it.
    """
    store.passes.forget_since(dated.id)  # until all is in line again
    listed = IndexedCollection(id=dated.id, settings=DATED)
    return fill(listed, DateSource(dated), store, batch=BATCH, progress=progress, is_stopped=is_stopped)
