"""NetCDF and HDF5 files as pieces of a mosaic."""

from collections.abc import Mapping

from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.readers.mosaic.info import items_of
from chronotile.readers.netcdf.source import open_netcdf
from chronotile.readers.reader import Reader


def open_granule(
    spec: SourceSpec, href: str, variables: Mapping[str, VariableSpec], *, is_dated: bool = False
) -> Reader:
    """Return a reader of the variables that a file has; swaths are on the configured grid of the mosaic.

    Args:
        spec: The source of the collection.
        href: Path of the file.
        variables: Variables by id.
        is_dated: Whether its name has a time.

    Raises:
        UnsupportedSource: It cannot be served.
    """
    granule = SourceSpec(
        collection=spec.collection,
        kind="netcdf",
        href=href,
        group=spec.group,
        crs=spec.crs,
        variables=variables,
        grid=items_of(spec).grid,
    )
    return open_netcdf(granule, may_lack=True, is_dated=is_dated)
