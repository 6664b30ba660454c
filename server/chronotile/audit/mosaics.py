"""Mosaics, read apart: which items there are by their documents, sorted and combined here, files by rasterio alone.

A statistic combines the cells that hold the centre of the cell which `first` would choose; formulas are computed of
each item.
"""

import ast
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyproj
from affine import Affine
from rasterio.enums import MaskFlags

from chronotile.audit.rasters import cells_at, reading
from chronotile.audit.truth import Meaning, Truth, meant
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.expression import Expression
from chronotile.core.model.items import Asset, IndexSettings, ItemPage, ItemSearch, MosaicRule
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import BoolArray, Float64Array, NumberArray
from chronotile.core.python_syntax import parse_python

PAGE = 1000
"""Items of one search."""
DAY, SECOND = np.timedelta64(1, "D"), np.timedelta64(1, "s")
MOST_INSTANTS = 8
"""Of which items are cached."""
COMBINED: Mapping[str, Callable[..., Float64Array]] = {"max": np.nanmax, "mean": np.nanmean, "median": np.nanmedian}
ORDERED = {"first", "latest", "least_nodata"}
"""By which items differ in their order alone, which the settings have."""


class ItemDocuments(Protocol):
    """An index that gives the documents of items."""

    def search(self, search: ItemSearch) -> ItemPage:
        """Return a page of items."""

    def assets(self, numbers: Sequence[int]) -> Mapping[int, Sequence[Asset]]:
        """Return where their files are."""


class Found(NamedTuple):
    """An item of an instant."""

    number: int
    document: Mapping[str, Any]


class Points(NamedTuple):
    """Points (y, x) or (point,)."""

    x: Float64Array
    y: Float64Array
    crs: str


class Piece(NamedTuple):
    """What an item shows at some points."""

    values: Float64Array
    """NaN where there is none."""
    is_flag: Any
    """Where a flag takes the place of a value, which is a finding."""
    centres: Points
    """Of the cells that hold the points, in the CRS of the file."""


class Opened(NamedTuple):
    """An item with its files."""

    document: Mapping[str, Any]
    files: Mapping[str, Asset]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedMosaic:
    """What a mosaic is served from."""

    collection: str
    """Its id."""
    settings: IndexSettings
    rule: MosaicRule
    """Of the variable: classes have no averages."""
    index: ItemDocuments
    crs: str
    """Of the points that are compared."""


class MosaicTruth:
    """One variable of a collection of items.

    Args:
        served: What it is served from.
        name: Of the variable.
        variables: By the configuration; others are assets of their name.

    Raises:
        UnsupportedSource: Its rule or formula is not known here, or the type of its numbers is overridden.
    """

    def __init__(self, served: ServedMosaic, name: str, variables: Mapping[str, VariableSpec]) -> None:
        if served.rule not in COMBINED and served.rule not in ORDERED:
            raise UnsupportedSource(f"the rule {served.rule} is not audited")
        self._served = served
        self._variables = variables
        self._variable = self._named(name)
        if self._variable.formula is not None:
            formula = self._variable.formula
            computed(formula.text, dict.fromkeys(formula.names, np.zeros(1)))  # refuses what is more than arithmetic
        self._of_instant = lru_cache(MOST_INSTANTS)(self._find)

    tells_dates = True

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:  # noqa: ARG002 -- as other sources have it
        """Return values (y, x)."""
        points, opened = Points(x, y, self._served.crs), self._opened(instant, x, y)
        if self._served.rule in ORDERED:
            return _first(self._pieces(opened, points), x.shape)
        items = list(opened)
        chosen = _chosen(self._pieces(items, points), points)
        values = np.full(x.shape, np.nan)
        for is_chosen, centres in chosen:
            found = [piece.values for piece in self._pieces(items, centres)]
            values[is_chosen] = _combined(self._served.rule, np.stack(found))
        return values

    def has(self, instant: np.datetime64) -> bool:
        """Return whether an item is of that instant."""
        return bool(self._of_instant(instant))

    def _opened(self, instant: np.datetime64 | None, x: Float64Array, y: Float64Array) -> Iterator[Opened]:
        """Each item in order; not those far away."""
        if instant is None:
            raise UnsupportedSource("a mosaic has times")
        near = [each for each in self._of_instant(instant) if _is_near(each.document, self._served.crs, x, y)]
        paths = self._served.index.assets([each.number for each in near])
        for found in near:
            yield Opened(found.document, {asset.name: asset for asset in paths.get(found.number, ())})

    def _pieces(self, opened: Iterable[Opened], points: Points) -> Iterator[Piece]:
        # What each item shows, as far as it has the variable.
        found = (self._piece(self._variable, item, points) for item in opened)
        return (piece for piece in found if piece is not None)

    def _piece(self, variable: VariableSpec, item: Opened, points: Points) -> Piece | None:
        """What an item shows of a variable; `None` where it lacks a file of it."""
        if variable.formula is None:
            piece = self._stored(variable, item, points)
        else:
            piece = self._computed(variable.formula, item, points)
        if piece is None or variable.mask is None:
            return piece
        quality = self._named(variable.mask.variable)
        if _asset_of(quality) not in item.files:
            return None
        classes, is_there, _, _ = self._cells(quality, item, points)
        is_kept = is_there & np.isin(classes, variable.mask.keep)
        return piece._replace(values=np.where(is_kept, piece.values, np.nan), is_flag=piece.is_flag & is_kept)

    def _stored(self, variable: VariableSpec, item: Opened, points: Points) -> Piece | None:
        if _asset_of(variable) not in item.files:
            return None
        numbers, inside, meaning, centres = self._cells(variable, item, points)
        values = np.where(inside, meaning.values(numbers), np.nan)
        return Piece(values, inside & meaning.is_flag(numbers), centres)

    def _computed(self, formula: Expression, item: Opened, points: Points) -> Piece | None:
        operands = dict[str, Piece]()
        for name in formula.names:
            piece = self._piece(self._named(name), item, points)
            if piece is None:
                return None
            operands[name] = piece
        values = computed(formula.text, {name: piece.values for name, piece in operands.items()})
        is_flag = np.isnan(values) & np.any([piece.is_flag for piece in operands.values()], axis=0)
        return Piece(values, is_flag, operands[formula.names[0]].centres)

    def _named(self, name: str) -> VariableSpec:
        variable = self._variables.get(name, VariableSpec(id=name))
        if variable.dtype is not None:
            raise UnsupportedSource("the configuration overrides the type of its numbers")
        return variable

    def _cells(self, variable: VariableSpec, item: Opened, points: Points) -> tuple[NumberArray, Any, Meaning, Points]:
        """Digital numbers, where there are any, what they mean, and the centres of their cells."""
        name = _asset_of(variable)
        stated = _bands(item.document, name)
        band = variable.band or next(
            (at for at, each in enumerate(stated, 1) if each.get("name") == (variable.name or variable.id)), 1
        )
        with reading(_local(item.files[name].href)) as dataset:
            crs = dataset.crs.to_wkt()
            x, y = (np.asarray(each) for each in _between(points.crs, crs).transform(points.x, points.y))
            centres = _centres(dataset.transform, x, y, crs)
            try:
                numbers, inside = cells_at(dataset, band, x, y)
            except UnsupportedSource:  # no point lies in it
                shape = points.x.shape
                return np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=bool), _NOTHING, centres
            if MaskFlags.per_dataset in dataset.mask_flag_enums[band - 1]:
                inside &= cells_at(dataset, band, x, y, is_mask=True)[0] != 0
            own = stated[band - 1] if band <= len(stated) else {}
            nodata = own.get("nodata", dataset.nodatavals[band - 1])
            meaning = Meaning(
                scale=own.get("scale", dataset.scales[band - 1]),
                offset=own.get("offset", dataset.offsets[band - 1]),
                nodata=() if nodata is None else (float(nodata),),
            )
        return numbers, inside, meant(meaning, variable), centres

    def _find(self, instant: np.datetime64) -> tuple[Found, ...]:
        """All items of an instant, sorted."""
        settings = self._served.settings
        is_solar = settings.group == "solar_day"
        # Longitudes shift a day by up to 12 hours.
        span = TimeSpan(instant - DAY, instant + 2 * DAY) if is_solar else TimeSpan(instant, instant + SECOND)
        search = ItemSearch(collections=(self._served.collection,), span=span, limit=PAGE)
        found = []
        while True:
            page = self._served.index.search(search)
            for each in page.items:
                document = json.loads(each.document)
                if _instant(document, is_solar=is_solar) == instant:
                    found.append(Found(each.ref.number, document))
            if page.next is None:
                break
            search = replace(search, cursor=page.next)
        order_by, sign = settings.order_by, -1.0 if settings.is_descending else 1.0
        return tuple(sorted(found, key=lambda each: _rank(each.document, order_by, sign)))


_NOTHING = Meaning(scale=1.0, offset=0.0)


def _rank(document: Mapping[str, Any], order_by: str | None, sign: float) -> tuple[float, str]:
    """The key of an item: equal and missing values go by id."""
    rank = 0.0
    if order_by == "datetime":
        rank = sign * float(_start(document).astype(np.int64))
    elif order_by is not None:
        value = document["properties"].get(order_by)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        rank = sign * float(value) if is_number else math.inf
    return rank, document["id"]


def _first(pieces: Iterator[Piece], shape: tuple[int, ...]) -> Float64Array:
    values, is_done = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    for piece in pieces:
        values = np.where(is_done, values, piece.values)
        is_done |= ~np.isnan(piece.values) | piece.is_flag
        if is_done.all():
            break
    return values


def _chosen(pieces: Iterator[Piece], points: Points) -> Iterator[tuple[BoolArray, Points]]:
    """Yield where each piece is the first with a value or a flag, and the centres of its cells there."""
    is_done = np.zeros(points.x.shape, dtype=bool)
    for piece in pieces:
        is_first = ~is_done & (~np.isnan(piece.values) | piece.is_flag)
        is_done |= is_first
        if is_first.any():
            yield is_first, Points(piece.centres.x[is_first], piece.centres.y[is_first], piece.centres.crs)
        if is_done.all():
            break


def _centres(transform: Affine, x: Float64Array, y: Float64Array, crs: str) -> Points:
    """The centres of the cells of a file that hold points of its CRS."""
    inverse = ~transform
    columns = np.floor(inverse.a * x + inverse.b * y + inverse.c) + 0.5
    rows = np.floor(inverse.d * x + inverse.e * y + inverse.f) + 0.5
    return Points(
        transform.a * columns + transform.b * rows + transform.c,
        transform.d * columns + transform.e * rows + transform.f,
        crs,
    )


def _combined(rule: str, values: Float64Array) -> Float64Array:
    """Of (piece, …) values."""
    is_empty = np.isnan(values).all(axis=0)
    found: Float64Array = COMBINED[rule](np.where(is_empty, 0.0, values), axis=0)
    return np.where(is_empty, np.nan, found)


def _start(document: Mapping[str, Any]) -> np.datetime64:
    properties = document["properties"]
    text = properties.get("datetime") or properties["start_datetime"]
    return np.datetime64(text.removesuffix("Z").removesuffix("+00:00"), "ns")


def _instant(document: Mapping[str, Any], *, is_solar: bool) -> np.datetime64:
    start = _start(document)
    if not is_solar:
        return start
    west, _, east, _ = _box(document)
    shift_s = round(((west + (east if east >= west else east + 360)) / 2) * 240)
    day: np.datetime64 = (start + np.timedelta64(shift_s, "s")).astype("datetime64[D]").astype("datetime64[ns]")
    return day


def _box(document: Mapping[str, Any]) -> tuple[float, float, float, float]:
    box = document["bbox"]
    west, south, east, north = box if len(box) == 4 else (box[0], box[1], box[3], box[4])
    return west, south, east, north


def _is_near(document: Mapping[str, Any], crs: str, x: Float64Array, y: Float64Array) -> bool:
    """Whether an item may hold one of the points; a pole or antimeridian may be anywhere."""
    west, south, east, north = _box(document)
    longitude, latitude = _between(crs, "OGC:CRS84").transform(x, y)
    margin = 0.1
    is_level = (latitude >= south - margin) & (latitude <= north + margin)
    is_beside = (longitude >= west - margin) & (longitude <= east + margin)
    return bool(np.any(is_level & is_beside)) or (bool(np.any(is_level)) and (west > east or east > 179))


def _bands(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """What an item states of the bands of an asset: name, scale, offset, nodata."""
    asset, properties = document["assets"].get(name, {}), document["properties"]
    older, newer = asset.get("raster:bands") or [], asset.get("bands") or []
    named = asset.get("eo:bands") or []
    found = []
    for at in range(max(len(older), len(newer), len(named), 1)):
        places = [(older, ""), (newer, "raster:")]
        band: dict[str, Any] = {}
        for listed, prefix in (*places, ([asset] * (at + 1), "raster:")):
            of_band = listed[at] if at < len(listed) else {}
            for key, spelled in (("scale", f"{prefix}scale"), ("offset", f"{prefix}offset"), ("nodata", "nodata")):
                if of_band.get(spelled) is not None:
                    band.setdefault(key, of_band[spelled])
        names = [each[at].get("name") for each in (newer, named) if at < len(each) and isinstance(each[at], dict)]
        band["name"] = next(filter(None, names), None)
        if properties.get("earthsearch:boa_offset_applied") or properties.get("sentinel:boa_offset_applied"):
            band["offset"] = 0.0
        found.append(band)
    return found


def _local(href: str) -> str:
    path = href.removeprefix("file://")
    if "://" in path:
        raise UnsupportedSource("its files are not on this machine")
    if not Path(path).exists():
        raise UnsupportedSource(f"{Path(path).name} is gone")
    return path


@lru_cache(256)
def _between(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def _asset_of(variable: VariableSpec) -> str:
    return variable.asset or variable.id


# Formulas, computed apart of audited values: Python's grammar and numpy alone, nothing of `model.expression`.

OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: lambda first, second: first + second,
    ast.Sub: lambda first, second: first - second,
    ast.Mult: lambda first, second: first * second,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: lambda value: -value,
    ast.UAdd: lambda value: value,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "min": lambda *values: reduce(np.minimum, values),
    "max": lambda *values: reduce(np.maximum, values),
}


class ComputedTruth(NamedTuple):
    """A formula over variables of one grid."""

    text: str
    operands: Mapping[str, Truth]

    @property
    def tells_dates(self) -> bool:
        """Whether all operands do."""
        return all(truth.tells_dates for truth in self.operands.values())

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:
        """Return values, NaN where an operand has none or the result is not finite."""
        return computed(self.text, {name: truth.values(instant, index, x, y) for name, truth in self.operands.items()})

    def has(self, instant: np.datetime64) -> bool:
        """Return whether all operands have a date of that name."""
        return all(truth.has(instant) for truth in self.operands.values())


def computed(text: str, values: Mapping[str, Float64Array]) -> Float64Array:
    """Return a formula of values, NaN where it has no finite result.

    Raises:
        UnsupportedSource: It has more than arithmetic.
    """
    with np.errstate(all="ignore"):
        result = np.asarray(_computed(parse_python(text), values), dtype=np.float64)
    return np.where(np.isfinite(result), result, np.nan)


def _computed(node: ast.expr, values: Mapping[str, Float64Array]) -> Any:  # noqa: ANN401 -- an array or a number
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            return OPERATORS[type(operator)](_computed(left, values), _computed(right, values))
        case ast.UnaryOp(op=operator, operand=operand) if type(operator) in OPERATORS:
            return OPERATORS[type(operator)](_computed(operand, values))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_computed(each, values) for each in arguments))
    raise UnsupportedSource(f"its formula has {ast.unparse(node)[:40]}, which is not computed apart")
