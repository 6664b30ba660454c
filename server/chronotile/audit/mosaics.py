"""Mosaics, read independently: items from their documents, sorted and combined here, with files read by rasterio.

A statistic combines one cell per item: the cell that contains the centre of the cell that rule `first` would choose.
Formulas are computed per item.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyproj
from affine import Affine
from rasterio.enums import MaskFlags

from chronotile.audit.formulas import compute_formula
from chronotile.audit.rasters import cells_at, reading
from chronotile.audit.truth import NumberMeaning, keeps_values, override_meaning
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.expression import Expression
from chronotile.core.model.items import Asset, IndexSettings, ItemPage, ItemSearch, MosaicRule
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import BoolArray, Float64Array, NumberArray
from chronotile.readers.kinds import kind_of_path

PAGE = 1000
"""Items per search."""
DAY, SECOND = np.timedelta64(1, "D"), np.timedelta64(1, "s")
MAX_INSTANTS = 8
"""Number of instants whose items are cached."""
COMBINED: Mapping[str, Callable[..., Float64Array]] = {"max": np.nanmax, "mean": np.nanmean, "median": np.nanmedian}
ORDERED = {"first", "latest", "least_nodata"}
"""Rules that differ only in the order of items, which the settings contain."""


class ItemDocuments(Protocol):
    """An index with the documents of items."""

    def search(self, search: ItemSearch) -> ItemPage:
        """Return a page of items."""

    def assets(self, numbers: Sequence[int]) -> Mapping[int, Sequence[Asset]]:
        """Return the files of items by `ItemRef.number`."""


class IndexedDocument(NamedTuple):
    """An item of an instant."""

    number: int
    document: Mapping[str, Any]


class AuditPoints(NamedTuple):
    """Points (y, x) or (point,)."""

    x: Float64Array
    y: Float64Array
    crs: str


class PieceValues(NamedTuple):
    """The cells of an item at some points."""

    values: Float64Array
    """NaN for missing values."""
    is_flag: Any
    """True for flags, which hide items below like values do."""
    centres: AuditPoints
    """Centres of the cells that contain the points, in the CRS of the file."""


class ItemFiles(NamedTuple):
    """An item with its files."""

    document: Mapping[str, Any]
    files: Mapping[str, Asset]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedMosaic:
    """Configuration and index of a served mosaic."""

    collection: str
    """Id of the collection."""
    settings: IndexSettings
    rule: MosaicRule
    """Rule of the variable; classes cannot be averaged."""
    index: ItemDocuments
    crs: str
    """CRS of the compared points."""


class MosaicTruth:
    """One variable of a collection of items.

    Args:
        served: The served mosaic.
        name: Name of the variable.
        variables: Configured variables; other variables are assets of their name.

    Raises:
        UnsupportedSource: Its rule or formula is not supported, or the type of its numbers is overridden.
    """

    def __init__(self, served: ServedMosaic, name: str, variables: Mapping[str, VariableSpec]) -> None:
        if served.rule not in COMBINED and served.rule not in ORDERED:
            raise UnsupportedSource(f"the rule {served.rule} is not audited")
        self._served = served
        self._variables = variables
        self._variable = self._variable_spec(name)
        if self._variable.formula is not None:
            formula = self._variable.formula
            # Raises if the formula is not plain arithmetic.
            compute_formula(formula.text, dict.fromkeys(formula.names, np.zeros(1)))
        self._of_instant = lru_cache(MAX_INSTANTS)(self._find)

    has_known_dates = True

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:  # noqa: ARG002 -- part of the protocol
        """Return values (y, x)."""
        points, opened = AuditPoints(x, y, self._served.crs), self._open_items(instant, x, y)
        if self._served.rule in ORDERED:
            return _first(self._pieces(opened, points), x.shape)
        items = list(opened)
        chosen = _choose(self._pieces(items, points), points)
        values = np.full(x.shape, np.nan)
        for is_chosen, centres in chosen:
            layers = [piece.values for piece in self._pieces(items, centres)]
            values[is_chosen] = _combine(self._served.rule, np.stack(layers))
        return values

    def has(self, instant: np.datetime64) -> bool:
        """Return whether an item has the instant."""
        return bool(self._of_instant(instant))

    def _open_items(self, instant: np.datetime64 | None, x: Float64Array, y: Float64Array) -> Iterator[ItemFiles]:
        """Yield the items near the points, in order."""
        if instant is None:
            raise UnsupportedSource("a mosaic has times")
        near = [o for o in self._of_instant(instant) if _is_near(o.document, self._served.crs, x, y)]
        paths = self._served.index.assets([n.number for n in near])
        for item in near:
            yield ItemFiles(item.document, {asset.name: asset for asset in paths.get(item.number, ())})

    def _pieces(self, opened: Iterable[ItemFiles], points: AuditPoints) -> Iterator[PieceValues]:
        # The pieces of all items that have the variable.
        pieces = (self._piece(self._variable, item, points) for item in opened)
        return (piece for piece in pieces if piece is not None)

    def _piece(self, variable: VariableSpec, item: ItemFiles, points: AuditPoints) -> PieceValues | None:
        """Return the values of one item at the points; `None` if it has no file of the variable or its quality mask."""
        if variable.formula is None:
            piece = self._read_piece(variable, item, points)
        else:
            piece = self._compute(variable.formula, item, points)
        if piece is None or variable.mask is None:
            return piece
        quality = self._variable_spec(variable.mask.variable)
        if _asset_of(quality) not in item.files:
            return None
        numbers, is_there, meaning, _ = self._cells(quality, item, points)
        is_kept = is_there & keeps_values(variable.mask, numbers, meaning)
        return piece._replace(values=np.where(is_kept, piece.values, np.nan), is_flag=piece.is_flag & is_kept)

    def _read_piece(self, variable: VariableSpec, item: ItemFiles, points: AuditPoints) -> PieceValues | None:
        if _asset_of(variable) not in item.files:
            return None
        numbers, inside, meaning, centres = self._cells(variable, item, points)
        values = np.where(inside, meaning.values(numbers), np.nan)
        return PieceValues(values, inside & meaning.is_flag(numbers), centres)

    def _compute(self, formula: Expression, item: ItemFiles, points: AuditPoints) -> PieceValues | None:
        operands = dict[str, PieceValues]()
        for name in formula.names:
            piece = self._piece(self._variable_spec(name), item, points)
            if piece is None:
                return None
            operands[name] = piece
        values = compute_formula(formula.text, {name: piece.values for name, piece in operands.items()})
        is_flag = np.isnan(values) & np.any([piece.is_flag for piece in operands.values()], axis=0)
        return PieceValues(values, is_flag, operands[formula.names[0]].centres)

    def _variable_spec(self, name: str) -> VariableSpec:
        variable = self._variables.get(name, VariableSpec(id=name))
        if variable.dtype is not None:
            raise UnsupportedSource("the configuration overrides the type of its numbers")
        return variable

    def _cells(
        self, variable: VariableSpec, item: ItemFiles, points: AuditPoints
    ) -> tuple[NumberArray, Any, NumberMeaning, AuditPoints]:
        """Return digital numbers, a mask of points inside, the encoding, and the centres of the cells."""
        name = _asset_of(variable)
        bands = _bands(item.document, name)
        band = variable.band or next(
            (at for at, s in enumerate(bands, 1) if s.get("name") == (variable.name or variable.id)), 1
        )
        with reading(_local(item.files[name].href)) as dataset:
            crs = dataset.crs.to_wkt()
            x, y = (np.asarray(t) for t in _transformer(points.crs, crs).transform(points.x, points.y))
            centres = _centres(dataset.transform, x, y, crs)
            try:
                numbers, inside = cells_at(dataset, band, x, y)
            except UnsupportedSource:  # no point is inside the raster
                shape = points.x.shape
                return np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=bool), _NOTHING, centres
            if MaskFlags.per_dataset in dataset.mask_flag_enums[band - 1]:
                inside &= cells_at(dataset, band, x, y, is_mask=True)[0] != 0
            band_members = bands[band - 1] if band <= len(bands) else {}
            nodata = band_members.get("nodata", dataset.nodatavals[band - 1])
            meaning = NumberMeaning(
                scale=band_members.get("scale", dataset.scales[band - 1]),
                offset=band_members.get("offset", dataset.offsets[band - 1]),
                nodata=() if nodata is None else (float(nodata),),
            )
        return numbers, inside, override_meaning(meaning, variable), centres

    def _find(self, instant: np.datetime64) -> tuple[IndexedDocument, ...]:
        """Return all items of an instant, sorted."""
        settings = self._served.settings
        # The solar day may differ from the day of UTC by 12 hours.
        is_exact = settings.group == "exact"
        span = TimeSpan(instant, instant + SECOND) if is_exact else TimeSpan(instant - DAY, instant + 2 * DAY)
        search = ItemSearch(collections=(self._served.collection,), span=span, limit=PAGE)
        items = []
        while True:
            page = self._served.index.search(search)
            for item in page.items:
                document = json.loads(item.document)
                if _instant(document, settings) == instant:
                    items.append(IndexedDocument(item.ref.number, document))
            if page.next is None:
                break
            search = replace(search, cursor=page.next)
        order_by, sign = settings.order_by, -1.0 if settings.is_descending else 1.0
        return tuple(sorted(items, key=lambda e: _rank(e.document, order_by, sign)))


_NOTHING = NumberMeaning(scale=1.0, offset=0.0)


def _rank(document: Mapping[str, Any], order_by: str | None, sign: float) -> tuple[float, str]:
    """Return the sort key of an item; equal and missing values are sorted by id."""
    rank = 0.0
    if order_by == "datetime":
        rank = sign * float(_start(document).astype(np.int64))
    elif order_by is not None:
        value = document["properties"].get(order_by)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        rank = sign * float(value) if is_number else math.inf
    return rank, document["id"]


def _first(pieces: Iterator[PieceValues], shape: tuple[int, ...]) -> Float64Array:
    values, is_done = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    for piece in pieces:
        values = np.where(is_done, values, piece.values)
        is_done |= ~np.isnan(piece.values) | piece.is_flag
        if is_done.all():
            break
    return values


def _choose(pieces: Iterator[PieceValues], points: AuditPoints) -> Iterator[tuple[BoolArray, AuditPoints]]:
    """Yield masks of the points at which each piece is the first with a value or flag, and the cells' centres there."""
    is_done = np.zeros(points.x.shape, dtype=bool)
    for piece in pieces:
        is_first = ~is_done & (~np.isnan(piece.values) | piece.is_flag)
        is_done |= is_first
        if is_first.any():
            yield is_first, AuditPoints(piece.centres.x[is_first], piece.centres.y[is_first], piece.centres.crs)
        if is_done.all():
            break


def _centres(transform: Affine, x: Float64Array, y: Float64Array, crs: str) -> AuditPoints:
    """Return the centres of the cells that contain points in the CRS of the file."""
    inverse = ~transform
    columns = np.floor(inverse.a * x + inverse.b * y + inverse.c) + 0.5
    rows = np.floor(inverse.d * x + inverse.e * y + inverse.f) + 0.5
    return AuditPoints(
        transform.a * columns + transform.b * rows + transform.c,
        transform.d * columns + transform.e * rows + transform.f,
        crs,
    )


def _combine(rule: str, values: Float64Array) -> Float64Array:
    """Combine values (piece, …) along the first axis."""
    is_empty = np.isnan(values).all(axis=0)
    combined: Float64Array = COMBINED[rule](np.where(is_empty, 0.0, values), axis=0)
    return np.where(is_empty, np.nan, combined)


def _start(document: Mapping[str, Any]) -> np.datetime64:
    properties = document["properties"]
    text = properties.get("datetime") or properties["start_datetime"]
    return np.datetime64(text.removesuffix("Z").removesuffix("+00:00"), "ns")


def _instant(document: Mapping[str, Any], settings: IndexSettings) -> np.datetime64:
    start = _start(document)
    if settings.group == "exact":
        return start
    west, _, east, _ = _box(document)
    longitude = (west + (east if east >= west else east + 360)) / 2
    shift_s = round(longitude * 240) if settings.group == "solar_day" else 0
    day: np.datetime64 = (start + np.timedelta64(shift_s, "s")).astype("datetime64[D]").astype("datetime64[ns]")
    return day


def _box(document: Mapping[str, Any]) -> tuple[float, float, float, float]:
    box = document["bbox"]
    west, south, east, north = box if len(box) == 4 else (box[0], box[1], box[3], box[4])
    return west, south, east, north


def _is_near(document: Mapping[str, Any], crs: str, x: Float64Array, y: Float64Array) -> bool:
    """Return whether an item may contain a point; True for items that may contain a pole or the antimeridian."""
    west, south, east, north = _box(document)
    longitude, latitude = _transformer(crs, "OGC:CRS84").transform(x, y)
    margin = 0.1
    is_level = (latitude >= south - margin) & (latitude <= north + margin)
    is_beside = (longitude >= west - margin) & (longitude <= east + margin)
    return bool(np.any(is_level & is_beside)) or (bool(np.any(is_level)) and (west > east or east > 179))


def _bands(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return name, scale, offset and nodata of the bands of an asset by the item's document."""
    asset, properties = document["assets"].get(name, {}), document["properties"]
    older, newer = asset.get("raster:bands") or [], asset.get("bands") or []
    eo_bands = asset.get("eo:bands") or []
    bands = []
    for at in range(max(len(older), len(newer), len(eo_bands), 1)):
        places = [(older, ""), (newer, "raster:")]
        band: dict[str, Any] = {}
        for listed, prefix in (*places, ([asset] * (at + 1), "raster:")):
            of_band = listed[at] if at < len(listed) else {}
            for key, spelled in (("scale", f"{prefix}scale"), ("offset", f"{prefix}offset"), ("nodata", "nodata")):
                if of_band.get(spelled) is not None:
                    band.setdefault(key, of_band[spelled])
        names = [e[at].get("name") for e in (newer, eo_bands) if at < len(e) and isinstance(e[at], dict)]
        band["name"] = next(filter(None, names), None)
        if properties.get("earthsearch:boa_offset_applied") or properties.get("sentinel:boa_offset_applied"):
            band["offset"] = 0.0
        bands.append(band)
    return bands


def _local(href: str) -> str:
    path = href.removeprefix("file://")
    if "://" in path:
        raise UnsupportedSource("its files are not on this machine")
    if not Path(path).exists():
        raise UnsupportedSource(f"{Path(path).name} is missing")
    kind = kind_of_path(Path(path))
    if kind is not None and not kind.options.has_bands:
        raise UnsupportedSource("arrays of items are not audited")
    return path


@lru_cache(256)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def _asset_of(variable: VariableSpec) -> str:
    return variable.asset or variable.id
