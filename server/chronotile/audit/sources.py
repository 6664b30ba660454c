"""Choice of the independent reader for a source."""

from collections.abc import Sequence

from chronotile.audit.arrays import ArrayTruth
from chronotile.audit.formulas import ComputedTruth
from chronotile.audit.mosaics import MosaicTruth, ServedMosaic
from chronotile.audit.rasters import truth_of_files
from chronotile.audit.truth import MaskedTruth, StoredTruth, Truth
from chronotile.catalog.items.index import ItemIndex
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import SourceSpec, VariableInfo, VariableSpec
from chronotile.readers.kinds import kind_of_spec


def truth_of(spec: SourceSpec, variable: str) -> Truth:
    """Return the independent reader of a variable.

    Raises:
        UnsupportedSource: The audit cannot read the source.
    """
    variable_spec = spec.variables.get(variable, VariableSpec(id=variable))
    if variable_spec.formula is not None and variable_spec.mask is not None:
        raise UnsupportedSource("a mask over a formula is audited only for collections of items")
    if variable_spec.formula is not None:
        return ComputedTruth(
            variable_spec.formula.text, {name: truth_of(spec, name) for name in variable_spec.formula.names}
        )
    truth = stored_truth([spec], variable_spec)
    if variable_spec.mask is None:
        return truth
    quality = spec.variables.get(variable_spec.mask.variable, VariableSpec(id=variable_spec.mask.variable))
    return MaskedTruth(truth, stored_truth([spec], quality), variable_spec.mask)


def mosaic_truth_of(spec: SourceSpec, served: VariableInfo, index: object) -> Truth:
    """Return the independent reader of a mosaic, for points in the CRS of its grid.

    Args:
        spec: The source of the collection.
        served: The variable.
        index: The index of the items.

    Raises:
        UnsupportedSource: The audit cannot read the source.
    """
    if spec.items is None or not isinstance(index, ItemIndex):
        raise UnsupportedSource("its items are not in an index")
    rule = spec.items.mosaic.rule
    mosaic = ServedMosaic(
        collection=spec.collection,
        settings=spec.items.settings,
        rule="first" if served.is_categorical and rule in {"mean", "median"} else rule,
        index=index,
        crs=served.grid.crs.definition.to_wkt(),
    )
    return MosaicTruth(mosaic, served.name, spec.variables)


def stored_truth(specs: Sequence[SourceSpec], variable: VariableSpec) -> StoredTruth:
    """Return the independent reader of files; several sources are arrays that are joined along time.

    Raises:
        UnsupportedSource: The audit cannot read the files.
    """
    spec = specs[0]
    if variable.dtype is not None:
        raise UnsupportedSource("the configuration overrides the type of its numbers")
    if "://" in spec.href and not spec.href.startswith("file://"):
        raise UnsupportedSource("its source is not on this machine")
    return truth_of_files(spec, variable) if kind_of_spec(spec).options.has_bands else ArrayTruth(specs, variable)
