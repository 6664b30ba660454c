"""What a mosaic holds: its variables in the encoding that all pieces have in common, on one grid over all of them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter

from affine import Affine

from chronotile.core.errors import InvalidParameter, SourceUnavailable, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import BandLayout, ItemRef, MosaicRule
from chronotile.core.model.request import Point
from chronotile.core.model.source import ItemsSpec, SourceInfo, SourceSpec, TargetGrid, VariableInfo, VariableSpec
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox, are_corners_enough, box_in, box_of_all, reach_in
from chronotile.core.model.space.crs import CRS84, Crs, crs_of, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.readers.encoding import apply_configuration
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.mosaic.overlap import AVERAGES, STATISTICS, mosaic_encoding
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.mosaic.scenes import Scene, Scenes
from chronotile.readers.reader import SHARE_OF_CELL, Lattice, cell_at

UNKNOWN_UNITS = "1"
"""What an encoding has where neither a file nor its item says more."""
MOST_AWAY = 8
"""Scenes whose store does not answer, after which others are not tried: each may take as long as is waited for one."""
SAMPLES_A_TIME = 4
"""Scenes of a time that are tried until one can be opened: it shows what no index knows of its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PiecesInfo:
    """What the pieces of a variable have in common."""

    encoding: Encoding
    """That holds all their numbers."""
    rule: MosaicRule
    """How they are combined."""
    grids: tuple[NativeGrid, ...]
    """Native ones of the pieces."""
    lattices: tuple[Lattice, ...]
    """Those of the north-up ones, of most pieces first."""
    has_native_grid: bool
    """Whether the levels of the variable are native cells of all pieces, or configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MosaicInfo:
    """What is learnt when a mosaic is opened."""

    info: SourceInfo
    variables: Mapping[str, PiecesInfo]


NONE_FOUND = "no item of it is known yet; chronotile serve requests the newest from its API"
"""Of a collection whose items are found in the catalogue of others."""
NONE_INDEXED = "the item index has no item of it yet; chronotile serve and chronotile index fill it"


def mosaic_info(spec: SourceSpec, index: PieceIndex, scenes: Scenes) -> MosaicInfo:
    """Return what a mosaic holds.

    Raises:
        UnsupportedSource: It has no item.
        SourceUnavailable: The index does not answer, or none of the items that were tried can be opened.
    """
    times, extent = index.times(spec.collection), index.extent(spec.collection)
    if extent is None or not len(times):
        raise UnsupportedSource(NONE_FOUND if spec.is_live else NONE_INDEXED)
    sample = _sample(spec, index, scenes, times)
    layouts = index.layouts(spec.collection)
    held = sample.reader.info.variables
    found = {name: _MosaicVariable(spec, each, layouts.get(_asset_of(name, spec), ())) for name, each in held.items()}
    variables = {name: each.info(times, extent.unwound()) for name, each in found.items()}
    return MosaicInfo(
        info=SourceInfo(
            variables=variables,
            findings=(*sample.reader.info.findings, *_rule_findings(spec, variables)),
            is_of_files=True,
        ),
        variables={name: each.pieces for name, each in found.items()},
    )


@dataclass(frozen=True, slots=True)
class _MosaicVariable:
    """A variable of a mosaic, as a sample of it and what is known of its files tell."""

    spec: SourceSpec
    sampled: VariableInfo
    layouts: tuple[BandLayout, ...]
    """Of the files that it is read from, of a formula those of its first operand."""

    @property
    def grids(self) -> tuple[NativeGrid, ...]:
        """Native ones of the pieces."""
        return tuple({each.levels[0]: None for each in self.layouts}) or (self.sampled.grid,)

    @property
    def lattice(self) -> Lattice:
        """Of its levels."""
        return whole_lattice(self.grids, items_of(self.spec).grid)

    @property
    def pieces(self) -> PiecesInfo:
        """What its pieces have in common."""
        lattices = lattices_of(self.grids)
        return PiecesInfo(
            encoding=self.encoding,
            rule=rule_of(self.spec, self.sampled),
            grids=self.grids,
            lattices=lattices,
            has_native_grid=items_of(self.spec).grid is not None or self.lattice in lattices,
        )

    @property
    def encoding(self) -> Encoding:
        """That holds the numbers of all pieces; of a formula, that of any."""
        variable = self.spec.variables.get(self.sampled.name)
        if variable is None or variable.formula is not None:
            return self.sampled.encoding
        of_band = (each.encoding for each in self.layouts if each.band == (variable.band or 1))
        known = (own for each in of_band if each is not None for own in _configured(each, variable))
        return _of_one_unit([self.sampled.encoding, *known])

    def info(self, times: TimeDomain, extent: BBox) -> VariableInfo:
        """Return the variable as it is handed out."""
        return replace(
            self.sampled,
            encoding=mosaic_encoding(self.encoding, rule_of(self.spec, self.sampled)),
            levels=levels_of(whole_grid(self.lattice, self.grids, extent)),
            made_levels=frozenset(),
            times=times,
            is_mosaic=True,
            pieces_crs=tuple(sorted({grid.crs for grid in self.grids}, key=attrgetter("name"))),
        )


def _configured(encoding: Encoding, variable: VariableSpec) -> Iterator[Encoding]:
    # Yield an encoding under what the configuration says; none of files that cannot be served, which are left out.
    with suppress(UnsupportedSource):
        yield apply_configuration(encoding, variable)


def _of_one_unit(encodings: Sequence[Encoding]) -> Encoding:
    """The common encoding of those of the same units, which are those of most items; unknown ones are taken as these.

    A file of other units is left out of what is shown; one item with a slip of the pen is no reason to show nothing.

    Args:
        encodings: Of the sample, then those that are known, of most items first.
    """
    sampled, known = encodings[0].units, [each.units for each in encodings[1:]]
    units = known[0] if known and known[0] != UNKNOWN_UNITS else sampled
    alike = [replace(each, units=units) for each in encodings if each.units in {units, UNKNOWN_UNITS}]
    return common_encoding(alike)


def _asset_of(name: str, spec: SourceSpec) -> str:
    """The asset on whose cells a variable lies: of a formula that of its first operand."""
    variable = spec.variables.get(name)
    while variable is not None and variable.formula is not None:
        name = variable.formula.names[0]
        variable = spec.variables.get(name)
    return name if variable is None else variable.asset or variable.id


def items_of(spec: SourceSpec) -> ItemsSpec:
    """Return how the items of a source are configured; the defaults if they are not."""
    return spec.items or ItemsSpec()


def _sample(spec: SourceSpec, index: PieceIndex, scenes: Scenes, times: TimeDomain) -> Scene:
    """A scene that can be opened, of the newest that have all variables if there are such."""
    best: Scene | None = None
    failure: Exception | None = None
    tried = away = 0
    for ref in _candidates(spec, index, times):
        tried += 1
        try:
            scene = scenes.open(ref, None)
        except (SourceUnavailable, UnsupportedSource, OSError) as error:
            failure = error
            away += type(error) is SourceUnavailable
            if away == MOST_AWAY:
                break
            continue
        if scene is None:
            continue
        if set(scene.reader.info.variables) >= set(spec.variables):
            return scene
        if best is None or len(scene.reader.info.variables) > len(best.reader.info.variables):
            best = scene
    if best is None:
        raise SourceUnavailable(  # however they fail: the items are known, and their files may be there later
            f"none of {tried} items, of the newest and older times, can be opened: {failure}"
        ) from failure
    return best


def _candidates(spec: SourceSpec, index: PieceIndex, times: TimeDomain) -> Iterator[ItemRef]:
    """Some items of the newest times, then of times ever farther back: a whole day or month may be broken."""
    whole = BBox(-180.0, -90.0, 180.0, 90.0)
    newest = len(times) - 1
    backs = (0, *(2**power for power in range(newest.bit_length())), newest)
    for at in dict.fromkeys(newest - back for back in backs):
        refs = index.covering(spec.collection, whole, instants=times.instants[at : at + 1])
        yield from refs[:SAMPLES_A_TIME]


def with_rule(mosaic: MosaicInfo, rule: MosaicRule) -> MosaicInfo:
    """Return what a mosaic holds whose pieces are combined by another rule."""
    held = mosaic.info.variables
    rules = {name: _rule_for(each, rule) for name, each in held.items()}
    variables = {
        name: replace(each, encoding=mosaic_encoding(mosaic.variables[name].encoding, rules[name]))
        for name, each in held.items()
    }
    pieces = {name: replace(each, rule=rules[name]) for name, each in mosaic.variables.items()}
    return MosaicInfo(info=replace(mosaic.info, variables=variables), variables=pieces)


def rule_of(spec: SourceSpec, variable: VariableInfo) -> MosaicRule:
    """Return how pieces of a variable are combined: classes have no averages, directions no statistics."""
    return _rule_for(variable, items_of(spec).mosaic.rule)


def _rule_for(variable: VariableInfo, rule: MosaicRule) -> MosaicRule:
    is_refused = rule in (AVERAGES if variable.is_categorical else STATISTICS)
    return "first" if is_refused and not variable.has_means else rule


def _rule_findings(spec: SourceSpec, variables: Mapping[str, VariableInfo]) -> Sequence[Finding]:
    rule = items_of(spec).mosaic.rule
    return tuple(
        Finding(
            "note",
            name,
            f"it has {'classes' if each.is_categorical else 'directions'}, which have no {rule}; its pieces are shown "
            "in their order",
        )
        for name, each in variables.items()
        if _rule_for(each, rule) != rule
    )


# The lattices that cells of pieces lie on, and the one grid that stands for all of a mosaic.

MOST_HALVINGS = 4
"""Coarser levels of the grid of a mosaic: about as many as overviews of its pieces have."""
LEAST_SIDE = 256


def lattice_of(grid: NativeGrid) -> Lattice | None:
    """Return the lattice that a grid is part of; `None` of one that is not north-up."""
    a, b, c, d, e, f = grid.transform[:6]
    if b or d or a <= 0 or e >= 0:
        return None
    return Lattice(crs=grid.crs, width=a, height=-e, x=_phase(c, a), y=_phase(f, -e))


def _phase(corner: float, size: float) -> float:
    """A corner modulo the size of a cell, to a thousandth of it: 0 and nearly 1 are one place."""
    steps = corner / size
    share = round((steps - math.floor(steps)) / SHARE_OF_CELL) * SHARE_OF_CELL
    return 0.0 if share >= 1 - SHARE_OF_CELL / 2 else share * size


def lattices_of(grids: Iterable[NativeGrid]) -> tuple[Lattice, ...]:
    """Return the lattices of grids, those of most first."""
    counts: dict[Lattice, int] = {}
    for grid in grids:
        lattice = lattice_of(grid)
        if lattice is not None:
            counts[lattice] = counts.get(lattice, 0) + 1
    return tuple(sorted(counts, key=lambda each: -counts[each]))


def require_same_cells(lattices: Mapping[str, Sequence[Lattice]]) -> None:
    """Raise `InvalidParameter` where no piece can have the cells of all variables that an expression is over.

    Args:
        lattices: Of the pieces of each variable, those of most first; none where they are not north-up.
    """
    (first, own), *rest = lattices.items()
    for other, found in rest:
        if own and found and set(own).isdisjoint(found):
            raise InvalidParameter(
                f"cells of {first} and {other} differ: they are {own[0].width:g} and {found[0].width:g} units of their "
                "CRS wide, or begin elsewhere; accepted are variables of one grid",
                locator="expression",
            )


def whole_lattice(grids: Iterable[NativeGrid], target: TargetGrid | None) -> Lattice:
    """Return the lattice on which a mosaic is handed out as a whole.

    It is the configured one; else that of all pieces if they share one; else cells in longitude and latitude, a whole
    number in a degree, about as large as the finest of the pieces.
    """
    grids = tuple(grids)
    if target is not None:
        return Lattice(crs=crs_of(target.crs), width=target.resolution, height=target.resolution, x=0.0, y=0.0)
    lattices = lattices_of(grids)
    if len(lattices) == 1 and all(lattice_of(grid) is not None for grid in grids):
        return lattices[0]
    finest = min(grid.resolution * grid.crs.metres_per_unit for grid in grids)
    cell = 1 / max(1, round(METRES_A_DEGREE / finest))
    return Lattice(crs=CRS84, width=cell, height=cell, x=0.0, y=0.0)


def whole_grid(lattice: Lattice, grids: Iterable[NativeGrid], extent: BBox) -> NativeGrid:
    """Return the cells of a lattice that hold all pieces.

    Args:
        lattice: Of `whole_lattice`.
        grids: Of the pieces.
        extent: A CRS84 box of all pieces, with longitudes beyond 180 where it crosses the antimeridian.
    """
    grids = tuple(grids)
    if all(grid.crs == lattice.crs for grid in grids) and _holds(grids, extent):
        return lattice.grid(box_of_all([grid.bbox for grid in grids]))
    return lattice.grid(reach_in(extent, CRS84, lattice.crs))


def _holds(grids: tuple[NativeGrid, ...], extent: BBox) -> bool:
    """Whether grids together reach as far as a CRS84 box: there may be pieces of which no grid is known."""
    held = box_of_all([grid.unwound_box_in(CRS84) for grid in grids])
    near = grids[0].resolution / (1.0 if grids[0].crs.is_geographic else METRES_A_DEGREE)
    return (
        held.xmin <= extent.xmin + near
        and held.ymin <= extent.ymin + near
        and held.xmax >= extent.xmax - near
        and held.ymax >= extent.ymax - near
    )


def levels_of(grid: NativeGrid) -> tuple[NativeGrid, ...]:
    """Return a grid with coarser ones, each with cells twice as wide and high."""
    levels = [grid]
    while len(levels) <= MOST_HALVINGS and min(levels[-1].width, levels[-1].height) >= 2 * LEAST_SIDE:
        levels.append(grid.coarser(2 ** len(levels)))
    return tuple(levels)


def lattice_at(grids: Iterable[NativeGrid], lattices: Sequence[Lattice], point: Point) -> Lattice | None:
    """Return the first of some lattices that a grid which holds a place is part of; the first of all where none does.

    Args:
        grids: Of the pieces.
        lattices: In order.
        point: Anywhere.
    """
    there = {lattice_of(grid) for grid in grids if cell_at(grid, point) is not None}
    return next((each for each in lattices if each in there), next(iter(lattices), None))


# Where grids and places lie in longitude and latitude, by which the item index is queried.

HALF = WHOLE_CIRCLE / 2
METRES_A_DEGREE = 111_319.49079327358
MOST_AROUND = 0.25
"""Sides in degrees of boxes about which items are looked for: of larger ones there may be many more."""
LEAST_AROUND = 2.0**-6
"""Sides in degrees of what is looked for about small boxes."""


def box_of_grid(grid: Grid) -> BBox:
    """Return a CRS84 box that holds a grid; west > east where it crosses the antimeridian.

    Raises:
        InvalidParameter: No part of it has longitude and latitude.
    """
    return _box_of(grid.crs, grid.bbox)


@lru_cache(maxsize=4096)
def _box_of(crs: Crs, box: BBox) -> BBox:
    if are_corners_enough(box, crs, CRS84):
        return box_in(box, crs, CRS84)
    size_x, size_y = box.xmax - box.xmin, box.ymax - box.ymin
    as_cell = NativeGrid(crs=crs, transform=Affine(size_x, 0, box.xmin, 0, -size_y, box.ymax), width=1, height=1)
    return wrapped(as_cell.unwound_box_in(CRS84))


def wrapped(box: BBox) -> BBox:
    """Return a box whose longitudes may go on beyond 180 with west > east instead."""
    if box.xmax - box.xmin >= WHOLE_CIRCLE:
        return box._replace(xmin=-HALF, xmax=HALF)
    return box if box.xmax <= HALF else box._replace(xmax=box.xmax - WHOLE_CIRCLE)


def box_of_place(x: float, y: float, crs: Crs) -> BBox:
    """Return the CRS84 box without extent of a place."""
    longitude, latitude = transformer(crs, CRS84).transform(x, y)
    return BBox(longitude, latitude, longitude, latitude)


def widen_box(box: BBox, metres: float) -> BBox:
    """Return a CRS84 box with so many metres more on each side; all longitudes near a pole."""
    up = metres / METRES_A_DEGREE
    narrowest = math.cos(math.radians(min(HALF / 2, max(abs(box.ymin), abs(box.ymax)) + up)))
    across = up / max(narrowest, 1e-9)
    if across >= HALF / 2:
        return BBox(-HALF, box.ymin - up, HALF, box.ymax + up)
    west, east = box.xmin - across, box.xmax + across
    return BBox(
        west + WHOLE_CIRCLE if west < -HALF else west,
        box.ymin - up,
        east - WHOLE_CIRCLE if east > HALF else east,
        box.ymax + up,
    )


@lru_cache(maxsize=4096)
def place_around(box: BBox) -> BBox | None:
    """Return a CRS84 box about a small one, which is the same for many boxes nearby; `None` for others.

    It is made of one square, or of two or four, whose sides are 2 to 4 times the box's, and a power of two.
    """
    side = max(box.xmax - box.xmin, box.ymax - box.ymin)
    if not 0 < side <= MOST_AROUND or box.xmin > box.xmax or max(map(abs, box[::2])) > HALF - 1:
        return None
    size = max(LEAST_AROUND, 2.0 ** math.ceil(math.log2(2 * side)))
    west, south = (math.floor(edge / size) * size for edge in box[:2])
    east, north = (math.ceil(edge / size) * size for edge in box[2:])
    return BBox(west, max(-90.0, south), east, min(90.0, north))
