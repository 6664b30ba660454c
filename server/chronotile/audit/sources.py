"""Which independent read gives the values of a source."""

from collections.abc import Sequence

from chronotile.audit.arrays import ArrayTruth
from chronotile.audit.mosaics import ComputedTruth, MosaicTruth, ServedMosaic
from chronotile.audit.rasters import truth_of_files
from chronotile.audit.truth import Masked, StoredTruth, Truth
from chronotile.catalog.items.index import ItemIndex
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import SourceSpec, VariableInfo, VariableSpec
from chronotile.readers.kinds import kind_of_spec


def truth_of(spec: SourceSpec, variable: str) -> Truth:
    """Return the source of a variable's values.

    Raises:
        UnsupportedSource: It cannot be read apart.
    """
    own = spec.variables.get(variable, VariableSpec(id=variable))
    if own.formula is not None and own.mask is not None:
        raise UnsupportedSource("a mask over a formula is audited of collections of items alone")
    if own.formula is not None:
        return ComputedTruth(own.formula.text, {name: truth_of(spec, name) for name in own.formula.names})
    truth = stored_truth([spec], own)
    if own.mask is None:
        return truth
    quality = spec.variables.get(own.mask.variable, VariableSpec(id=own.mask.variable))
    return Masked(truth, stored_truth([spec], quality), own.mask.keep)


def mosaic_truth_of(spec: SourceSpec, served: VariableInfo, index: object) -> Truth:
    """Return the source of a mosaic's values, at points in the CRS of its grid.

    Args:
        spec: Of the collection.
        served: The variable.
        index: Of the items.

    Raises:
        UnsupportedSource: It cannot be read apart.
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
    """Return what files hold of a variable; several specs are of arrays that are one along time.

    Raises:
        UnsupportedSource: They cannot be read apart.
    """
    spec = specs[0]
    if variable.dtype is not None:
        raise UnsupportedSource("the configuration overrides the type of its numbers")
    if "://" in spec.href and not spec.href.startswith("file://"):
        raise UnsupportedSource("its source is not on this machine")
    return truth_of_files(spec, variable) if kind_of_spec(spec).options.has_bands else ArrayTruth(specs, variable)
