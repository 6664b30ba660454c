"""Existing cubes: their layouts, names and encodings, which new dates must have too."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.types import Json
from chronotile.optimise.conversion import NumberConversion, conversion_into, conversion_of_files
from chronotile.optimise.inputs import CubeInputs
from chronotile.optimise.journal import FOLDER, Journal
from chronotile.optimise.options import Options
from chronotile.optimise.plan import ServingCubePlan, is_written_as, written_encoding
from chronotile.optimise.store import CubeFolder, variables_of
from chronotile.readers.configured_encoding import encoding_text
from chronotile.readers.zarr.commit import Commit


def require_new(target: Path) -> None:
    """Check that no complete cube exists; an interrupted run may have left an incomplete one.

    Raises:
        UnsupportedSource: A cube exists.
    """
    disk = Disk()
    if CubeFolder(target, disk).root_document() is not None and not Journal(target / FOLDER, disk).is_there:
        raise UnsupportedSource(
            f"{target.name} exists: chronotile optimise update writes new and changed dates to it; name another path "
            "for a new cube"
        )


def require_existing(target: Path) -> Json:
    """Return the root document of a cube after checking that it exists.

    Raises:
        UnsupportedSource: It does not exist, or has no visible date.
    """
    disk = Disk()
    document = CubeFolder(target, disk).root_document()
    if document is not None:
        return document
    if Journal(target / FOLDER, disk).is_there:
        raise UnsupportedSource(
            f"the run that writes {target.name} was interrupted; use chronotile optimise new --resume to continue it"
        )
    raise UnsupportedSource(f"{target.name} is not a serving cube; chronotile optimise new writes one")


def require_layout(shape: Commit, options: Options) -> None:
    """Check that a cube has the requested layouts.

    Raises:
        UnsupportedSource: It has other layouts.
    """
    layout = {(True, True): "both", (True, False): "map", (False, True): "series"}[shape.has_map, shape.has_series]
    if options.layout is not None and options.layout != layout:
        raise UnsupportedSource(f"the existing cube has --layout {layout}; name another cube for {options.layout}")


def conversion_for(
    info: VariableInfo, options: Options, node: Json | None, *, may_round: bool = False
) -> NumberConversion:
    """Return the conversion of a variable, into the encoding of an existing cube.

    Args:
        info: Variable of the source.
        options: Options of the run.
        node: Document of the variable in the existing cube; `None` without one.
        may_round: Whether the existing encoding need not hold all values.

    Raises:
        UnsupportedSource: The existing encoding does not hold all values, or differs from `--dtype`.
    """
    planned = conversion_of_files(info.encoding, options.packing)
    existing = None if node is None else written_encoding(node)
    if existing is None or is_written_as(info, planned.target, existing):
        return planned
    if may_round:
        return NumberConversion(source=info.encoding, target=existing)
    conversion = None if options.packing is not None else conversion_into(info.encoding, existing)
    if conversion is None:
        raise UnsupportedSource(
            f"the existing cube has another {info.name} than the source: {encoding_text(existing)}, which cannot "
            f"hold all values of {encoding_text(planned.target)}; write another cube, of all files"
        )
    return conversion


def rounding_findings(plan: ServingCubePlan) -> Iterator[str]:
    """Yield a message per variable whose values are not stored exactly."""
    for name, variable in plan.variables.items():
        target = variable.conversion.target
        if variable.conversion.is_exact:
            continue
        if np.dtype(target.dtype).kind == "f":
            yield f"{name}: no whole numbers hold the values of all files, which differ; written as float32 values"
        else:
            yield f"{name}: values are rounded to steps of {target.scale:g}, as set by --dtype"


def require_nodata(plan: ServingCubePlan) -> None:
    """Check that each variable of a mosaic has a number for cells without an item.

    Raises:
        UnsupportedSource: A variable has no nodata.
    """
    for name, variable in plan.variables.items():
        if variable.encoding.nodata is None:
            raise UnsupportedSource(
                f"{name}: its files declare no nodata, which a mosaic needs for cells without a value; set nodata: for "
                "the variable, or use --dtype"
            )


def names_in_cube(inputs: CubeInputs, document: Json | None) -> dict[str, str]:
    """Return the names in the cube by names of the source; a single variable of files may have another name.

    Raises:
        UnsupportedSource: The cube has other variables.
    """
    names = {name: name for name in inputs.variables}
    if document is None:
        return names
    existing_names = variables_of(document)
    if len(names) == len(existing_names) == 1 and inputs.mosaic is None:
        return dict(zip(names, existing_names, strict=True))
    if set(names) != set(existing_names):
        raise UnsupportedSource(
            f"the existing cube has {', '.join(existing_names)}, the source {', '.join(names)}; use --variable, or "
            "name another cube"
        )
    return {name: name for name in existing_names}
