"""The file of an item's asset as a reader, by what the index knows of it."""

from chronotile.model.items import Asset
from chronotile.model.source import SourceSpec, VariableSpec
from chronotile.readers.cog.files import CogFile, open_cog
from chronotile.readers.cog.header import CogHeader
from chronotile.readers.cog.source import CogReader, CogVariable
from chronotile.readers.cog.tiff import UnsupportedCog
from chronotile.readers.encoding import apply_configuration
from chronotile.readers.foreign import opening
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.reader_caches import ReaderCaches

BESIDE = (".ovr", ".msk", ".aux.xml")
"""Ends of the names of files beside a file of this machine that only GDAL reads."""
MOST_COARSE_PX = 2048
"""Longest side of the coarsest level; of files that lack overviews, GDAL's way makes levels and previews."""


def open_cog_asset(spec: SourceSpec, asset: Asset, variable: VariableSpec, caches: ReaderCaches) -> CogReader:
    """Return a reader of one variable of an asset; one whose header is in the index is not opened.

    Args:
        spec: Of the collection.
        asset: The file.
        variable: With the number of its band, and what replaces what the file says.
        caches: Of the archive.

    Raises:
        UnsupportedCog: GDAL has to read this file.
        UnsupportedSource: The file cannot be opened, or does not have the band.
    """
    if spec.crs is not None:
        raise UnsupportedCog("its CRS is configured")
    path = local_path(asset.href)
    if path is not None and any(path.with_name(path.name + end).exists() for end in BESIDE):
        raise UnsupportedCog("a file beside it has overviews, a mask or metadata")
    file = _known(asset)
    if file is None:
        with opening(base_name(asset.href)):
            file = open_cog(asset.href)
    coarsest = file.header.images[-1]
    if max(coarsest.width, coarsest.height) > MOST_COARSE_PX:
        raise UnsupportedCog("it lacks overviews")
    band = variable.band or 1
    encoding = apply_configuration(file.header.encoding(band), variable)
    return CogReader(
        spec.collection,
        file,
        {
            variable.id: CogVariable(
                band=band, encoding=encoding, title=variable.title, is_categorical=bool(variable.has_classes)
            )
        },
        caches,
    )


def _known(asset: Asset) -> CogFile | None:
    """The file by the index; `None` where it knows too little."""
    if asset.header is None or asset.size is None:
        return None
    try:
        header = CogHeader.from_bytes(asset.header)
    except ValueError:  # of another version
        return None
    return CogFile(href=asset.href, header=header, tag=asset.etag, size=asset.size)
