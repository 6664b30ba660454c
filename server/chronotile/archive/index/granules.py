"""Items of NetCDF and HDF5 files with one time: swaths and grids."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import orjson
import shapely

from chronotile.archive.index.file_items import document_of
from chronotile.core.errors import ChronotileError, InvalidItem
from chronotile.core.model.formats import NETCDF_TYPE
from chronotile.core.model.items import Asset, AssetBand, BandLayout, Item
from chronotile.core.model.source import DATA, SourceSpec, VariableInfo
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import Instant, Json
from chronotile.readers.cf.footprints import outlines_of
from chronotile.readers.cf.swath import Swath, open_swath
from chronotile.readers.cf.swath_header import header_of
from chronotile.readers.cf.swath_reader import SwathReader
from chronotile.readers.cog.file_tags import tag_of_state
from chronotile.readers.configured_encoding import round_nodata
from chronotile.readers.file_states import state_now
from chronotile.readers.hrefs import product_of
from chronotile.readers.mosaic.granules import open_granule
from chronotile.readers.mosaic.info import items_of
from chronotile.readers.stac.footprints import Footprint, footprint_of
from chronotile.readers.stac.items import item_of

EARTH = shapely.box(-180, -90, 180, 90)


def read_granule(id_: str, path: str, spec: SourceSpec, span: TimeSpan | None) -> tuple[Item, str | None]:
    """Return the item of a file, and why it lacks variables. Its time is in the file, or else in its name.

    Args:
        id_: Its id.
        path: Path of the file.
        spec: The source.
        span: The time in its name; `None` without one.

    Raises:
        InvalidItem: It cannot be read, or has no time or several.
    """
    try:
        return _read(id_, path, spec, span)
    except ChronotileError as error:
        raise InvalidItem(error.message) from error
    except (OSError, shapely.errors.GEOSException) as error:
        text = error.strerror if isinstance(error, OSError) else None
        raise InvalidItem(f"it cannot be read: {text or error}") from error


def _read(id_: str, path: str, spec: SourceSpec, span: TimeSpan | None) -> tuple[Item, str | None]:
    # Whole: the positions of its cells are in this file, not in other files of a product.
    state, is_whole = state_now(path), product_of(Path(path)) in {None, Path(path)}
    reader = open_granule(
        spec,
        path,
        spec.stored.variables,
        is_dated=span is not None,
        open_swath=partial(open_swath, keeps_positions=True),
    )
    with closing(reader):
        infos = reader.info.variables
        by_digest = {swath.digest: swath for swath in reader.swaths.values()} if isinstance(reader, SwathReader) else {}
        swaths = list(by_digest.values())
        asset = Asset(
            name=DATA,
            href=path,
            grid=next(iter(infos.values())).grid,
            bands=tuple(AssetBand(name=array_of(spec, name)) for name in infos),
            layouts=tuple(_layout(array_of(spec, name), info) for name, info in infos.items()),
            media_type=NETCDF_TYPE,
            etag=tag_of_state(state),
            size=state.size,
            header=header_of(swaths[0], spec.group, items_of(spec).grid) if len(swaths) == 1 and is_whole else None,
        )
        footprint = _footprint(swaths) if swaths else None
    span = _time_of(infos.values(), span)
    updated: Instant = np.datetime64(state.mtime_ns, "ns")
    document = document_of(id_, (asset,), span, updated=updated)
    if footprint is not None:
        document |= {"geometry": _geometry(footprint), "bbox": list(footprint.bbox)}
    item = item_of(document, path)
    if footprint is not None:
        item = replace(item, footprint=footprint.rings, bbox=footprint.bbox)
    item = replace(item, start=span.start, end=span.end, assets=(asset,), document=orjson.dumps(document))
    lacking = {array_of(spec, name) for name in spec.stored.variables.keys() - infos.keys()}
    reasons = [f"{note.place} is {note.message}" for note in reader.info.findings if note.place in lacking]
    return item, "; ".join(reasons) or None


def array_of(spec: SourceSpec, variable: str) -> str:
    """Return the name of the array of a variable."""
    return spec.variables[variable].name or variable


def _layout(array: str, info: VariableInfo) -> BandLayout:
    return BandLayout(levels=info.levels, encoding=round_nodata(info.stated or info.encoding), array=array)


def _time_of(infos: Iterable[VariableInfo], span: TimeSpan | None) -> TimeSpan:
    for times in (info.times for info in infos):
        if len(times) > 1:
            raise InvalidItem(f"it has {len(times)} times; an item has one")
        if len(times):
            return TimeSpan(times.starts[0], times.ends[0])
    if span is None:
        raise InvalidItem("neither the file nor its name has a time; set time_pattern: with a group (?P<time>…)")
    return span


def _footprint(swaths: Iterable[Swath]) -> Footprint:
    rings = [[outline.tolist()] for swath in swaths for outline in outlines_of(swath.cells, swath.index)]
    return footprint_of({"type": "MultiPolygon", "coordinates": rings})


def _geometry(footprint: Footprint) -> Json:
    """Return the parts of a footprint as one geometry, whose polygons do not overlap."""
    shape = shapely.union_all([shapely.make_valid(shapely.Polygon(ring)) for ring in footprint.rings])
    shape = shapely.intersection(shape, EARTH)  # rings are wider than the parts by a margin
    geometry: Json = orjson.loads(shapely.to_geojson(shape))
    return geometry
