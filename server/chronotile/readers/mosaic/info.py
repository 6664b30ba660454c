"""Contents of a mosaic: each variable in an encoding common to its pieces, on one grid over all pieces."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import BandLayout, ItemRef, MosaicRule
from chronotile.core.model.source import ItemsSpec, SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.boxes import WORLD, BBox
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.readers.configured_encoding import apply_configuration
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.lattices import Lattice, lattices_of, levels_of, whole_grid, whole_lattice
from chronotile.readers.mosaic.overlap import AVERAGES, STATISTICS, mosaic_encoding
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.mosaic.scenes import Scene, Scenes

UNKNOWN_UNITS = "1"
"""Units of an encoding if file and item state no units."""
MAX_UNAVAILABLE = 8
"""Maximum number of scenes with an unavailable store. More let opening fail, because each may take a whole timeout."""
SAMPLES_PER_TIME = 4
"""Scenes that are tried per time until one opens. It shows properties of files that the index does not store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PiecesInfo:
    """Common properties of the pieces of a variable."""

    encoding: Encoding
    """Encoding that can represent the numbers of all pieces."""
    rule: MosaicRule
    """How overlapping pieces are combined."""
    grids: tuple[NativeGrid, ...]
    """Native grids of the pieces."""
    lattices: tuple[Lattice, ...]
    """Lattices of the north-up grids; the lattice of most pieces is first."""
    has_native_grid: bool
    """Whether the cells of the levels are native cells of all pieces, or configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MosaicInfo:
    """Contents of a mosaic when it was opened."""

    info: SourceInfo
    variables: Mapping[str, PiecesInfo]


NONE_FOUND = "no item of it is known yet; chronotile serve requests the newest from its API"
"""Reason if items are found in the catalogue of another server."""
NONE_INDEXED = "the item index has no item of it yet; chronotile serve and chronotile index fill it"


def mosaic_info(spec: SourceSpec, index: PieceIndex, scenes: Scenes) -> MosaicInfo:
    """Return the contents of a mosaic.

    Raises:
        UnsupportedSource: The mosaic has no item.
        SourceUnavailable: The item index is unreachable, or no tried item can be opened.
    """
    times, extent = index.times(spec.collection), index.extent(spec.collection)
    if extent is None or not len(times):
        raise UnsupportedSource(NONE_FOUND if spec.is_live else NONE_INDEXED)
    sample = _sample(spec, index, scenes, times)
    layouts = index.layouts(spec.collection)
    mosaic_variables = {
        name: _MosaicVariable(spec, variable, _select_layouts(_find_stored(name, spec), layouts))
        for name, variable in sample.reader.info.variables.items()
    }
    variables = {name: variable.info(times, extent.unwound()) for name, variable in mosaic_variables.items()}
    return MosaicInfo(
        info=SourceInfo(
            variables=variables,
            findings=(*sample.reader.info.findings, *_rule_findings(spec, variables)),
            is_of_files=True,
        ),
        variables={name: variable.pieces for name, variable in mosaic_variables.items()},
    )


@dataclass(frozen=True, slots=True)
class _MosaicVariable:
    """A variable of a mosaic, derived from a sample and from the files in the index."""

    spec: SourceSpec
    sampled: VariableInfo
    layouts: tuple[BandLayout, ...]
    """Layouts of its files; for a formula, of the files of its first operand."""

    @property
    def grids(self) -> tuple[NativeGrid, ...]:
        """Native grids of the pieces."""
        return tuple({layout.levels[0]: None for layout in self.layouts}) or (self.sampled.grid,)

    @property
    def lattice(self) -> Lattice:
        """Lattice of the levels."""
        return whole_lattice(self.grids, items_of(self.spec).grid)

    @property
    def pieces(self) -> PiecesInfo:
        """Common properties of the pieces."""
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
        """Encoding that can represent the numbers of all pieces; for a formula, the encoding of the sample."""
        variable = self.spec.variables.get(self.sampled.name)
        if variable is None or variable.formula is not None:
            return self.sampled.encoding
        stored = (layout.encoding for layout in self.layouts if layout.band == (variable.band or 1))
        configured = (
            x for encoding in stored if encoding is not None for x in _configure_if_supported(encoding, variable)
        )
        return _encoding_of_main_units([self.sampled.encoding, *configured])

    def info(self, times: TimeDomain, extent: BBox) -> VariableInfo:
        """Return the public description of the variable."""
        return replace(
            self.sampled,
            encoding=mosaic_encoding(self.encoding, rule_of(self.spec, self.sampled)),
            levels=levels_of(whole_grid(self.lattice, self.grids, extent)),
            made_levels=frozenset(),
            times=times,
            is_mosaic=True,
            pieces_crs=tuple(sorted({grid.crs for grid in self.grids}, key=attrgetter("name"))),
        )


def _configure_if_supported(encoding: Encoding, variable: VariableSpec) -> Iterator[Encoding]:
    # Yields the encoding with the configuration applied; nothing for unsupported files, which are skipped.
    with suppress(UnsupportedSource):
        yield apply_configuration(encoding, variable)


def _encoding_of_main_units(encodings: Sequence[Encoding]) -> Encoding:
    """The common encoding of all encodings with the units of most items; unknown units count as these.

    Files in other units are skipped in pictures: one wrong item must not make the whole mosaic unavailable.

    Args:
        encodings: Encoding of the sample, then the encodings in the index, the most frequent first.
    """
    sample, *indexed = (encoding.units for encoding in encodings)
    units = indexed[0] if indexed and indexed[0] != UNKNOWN_UNITS else sample
    alike = [replace(encoding, units=units) for encoding in encodings if encoding.units in {units, UNKNOWN_UNITS}]
    return common_encoding(alike)


def _find_stored(name: str, spec: SourceSpec) -> VariableSpec:
    # The variable whose cells a variable has: for a formula, its first operand.
    variable = spec.variables.get(name, VariableSpec(id=name))
    return variable if variable.formula is None else _find_stored(variable.formula.names[0], spec)


def _select_layouts(variable: VariableSpec, layouts: Mapping[str, tuple[BandLayout, ...]]) -> tuple[BandLayout, ...]:
    array = variable.name or variable.id
    of_asset = layouts.get(variable.asset or variable.id, ())
    return tuple(layout for layout in of_asset if layout.array in {None, array})


def items_of(spec: SourceSpec) -> ItemsSpec:
    """Return the configuration of the items of a source, or the defaults."""
    return spec.items or ItemsSpec()


def _sample(spec: SourceSpec, index: PieceIndex, scenes: Scenes, times: TimeDomain) -> Scene:
    """The first candidate with all variables, else the readable candidate with most variables."""
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
            if away == MAX_UNAVAILABLE:
                break
            continue
        if scene is None:
            continue
        if set(scene.reader.info.variables) >= set(spec.variables):
            return scene
        if best is None or len(scene.reader.info.variables) > len(best.reader.info.variables):
            best = scene
    if best is None:
        raise SourceUnavailable(  # not UnsupportedSource: files of the indexed items may appear later
            f"none of {tried} items, of the newest and older times, can be opened: {failure}"
        ) from failure
    return best


def _candidates(spec: SourceSpec, index: PieceIndex, times: TimeDomain) -> Iterator[ItemRef]:
    """Some items of the newest times, then of exponentially older times: a whole day or month may be damaged."""
    newest = len(times) - 1
    backs = (0, *(2**power for power in range(newest.bit_length())), newest)
    for at in dict.fromkeys(newest - back for back in backs):
        refs = index.covering(spec.collection, WORLD, instants=times.instants[at : at + 1])
        yield from refs[:SAMPLES_PER_TIME]


def replace_rule(mosaic: MosaicInfo, rule: MosaicRule) -> MosaicInfo:
    """Return the contents of a mosaic whose pieces are combined by another rule."""
    rules = {name: _rule_for(variable, rule) for name, variable in mosaic.info.variables.items()}
    variables = {
        name: replace(variable, encoding=mosaic_encoding(mosaic.variables[name].encoding, rules[name]))
        for name, variable in mosaic.info.variables.items()
    }
    pieces = {name: replace(info, rule=rules[name]) for name, info in mosaic.variables.items()}
    return MosaicInfo(info=replace(mosaic.info, variables=variables), variables=pieces)


def rule_of(spec: SourceSpec, variable: VariableInfo) -> MosaicRule:
    """Return the rule for a variable; `first` if the configured rule does not fit it.

    An average of class numbers and any statistic of directions, such as `max`, have no meaning.
    """
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
            f"it has {'classes' if variable.is_categorical else 'directions'}, which have no {rule}; its pieces are "
            "shown in their order",
        )
        for name, variable in variables.items()
        if _rule_for(variable, rule) != rule
    )
