"""Opens an asset of an item as a cloud-optimised GeoTIFF."""

from chronotile.core.model.items import Asset
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.readers.cog.files import CogFile, open_cog
from chronotile.readers.cog.header import CogHeader
from chronotile.readers.cog.source import CogReader, CogVariable
from chronotile.readers.configured_encoding import apply_configuration
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.library_errors import opening
from chronotile.readers.overview_summaries import means_fault
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.tiff import UnsupportedCog

SIDE_ENDS = (".ovr", ".msk", ".aux.xml")
"""Ends of the names of side files, which only GDAL reads."""
MAX_COARSEST_PX = 2048
"""Longest side of the coarsest level. GDAL's reader makes levels and previews of files that lack overviews."""


def open_cog_asset(spec: SourceSpec, asset: Asset, variable: VariableSpec, caches: ReaderCaches) -> CogReader:
    """Return a reader of one variable of an asset; a file whose header is in the index is not opened.

    Args:
        spec: Of the collection.
        asset: The file.
        variable: From the configuration: the band, and values that replace the file's.
        caches: Of the archive.

    Raises:
        UnsupportedCog: GDAL has to read this file.
        UnsupportedSource: The file cannot be opened, or does not have the band.
    """
    if spec.crs is not None:
        raise UnsupportedCog("its CRS is configured")
    path = local_path(asset.href)
    if path is not None and any(path.with_name(path.name + end).exists() for end in SIDE_ENDS):
        raise UnsupportedCog("a file beside it has overviews, a mask or metadata")
    file = _file_of_index(asset)
    if file is None:
        with opening(base_name(asset.href)):
            file = open_cog(asset.href)
    coarsest = file.header.images[-1]
    if max(coarsest.width, coarsest.height) > MAX_COARSEST_PX:
        raise UnsupportedCog("it lacks overviews")
    band = variable.band or 1
    encoding = apply_configuration(file.header.encoding(band), variable)
    if encoding.circle is not None:
        raise UnsupportedCog("its overviews may be plain means of directions")
    fault = means_fault(file.header.resampling, file.header.nodata, encoding, is_categorical=bool(variable.has_classes))
    if fault is not None:
        raise UnsupportedCog(f"its overviews are not used: {fault}")
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


def _file_of_index(asset: Asset) -> CogFile | None:
    """Return the file from the index; `None` if the index has no usable header."""
    if asset.header is None or asset.size is None:
        return None
    try:
        header = CogHeader.from_bytes(asset.header)
    except ValueError:  # the header has another format version
        return None
    return CogFile(href=asset.href, header=header, tag=asset.etag, size=asset.size)
