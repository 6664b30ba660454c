"""NetCDF and HDF5 files as pieces of a mosaic."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from chronotile.core.model.items import Asset
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.readers.cf.swath import OpenSwath, open_swath
from chronotile.readers.cf.swath_header import open_stored
from chronotile.readers.cog.file_tags import tag_of_path
from chronotile.readers.mosaic.info import items_of
from chronotile.readers.netcdf.open import open_netcdf
from chronotile.readers.reader import Reader


def open_granule(
    spec: SourceSpec,
    href: str,
    variables: Mapping[str, VariableSpec],
    *,
    is_dated: bool = False,
    open_swath: OpenSwath = open_swath,
) -> Reader:
    """Return a reader of the variables that a file has; swaths are on the configured grid of the mosaic.

    Args:
        spec: The source of the collection.
        href: Path of the file.
        variables: Variables by id.
        is_dated: Whether its name has a time.
        open_swath: Opens the swath of a geolocation.

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
    return open_netcdf(granule, may_lack=True, is_dated=is_dated, open_swath=open_swath)


def open_indexed_granule(spec: SourceSpec, asset: Asset, variable: VariableSpec) -> Reader:
    """Return a reader of a variable of a file; its positions are not read if their header is in the index.

    Raises:
        UnsupportedSource: It cannot be served.
    """
    variables, arrays = {variable.id: variable}, {layout.array for layout in asset.layouts}
    if asset.header is None or (variable.name or variable.id) not in arrays:
        return open_granule(spec, asset.href, variables)
    reader = open_granule(spec, asset.href, variables, open_swath=partial(open_stored, asset.header, spec.group))
    if tag_of_path(Path(asset.href)) == asset.etag:
        return reader
    reader.close()  # the file was replaced after it was indexed
    return open_granule(spec, asset.href, variables)
