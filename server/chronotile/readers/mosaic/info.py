"""What a mosaic holds: its variables in the encoding that all pieces have in common, on one grid over all of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import BandLayout, ItemRef, MosaicRule
from chronotile.core.model.source import ItemsSpec, SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.readers.encoding import apply_configuration
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.lattices import Lattice, lattices_of, levels_of, whole_grid, whole_lattice
from chronotile.readers.mosaic.overlap import AVERAGES, STATISTICS, mosaic_encoding
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.mosaic.scenes import Scene, Scenes

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
