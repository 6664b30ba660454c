"""Metadata of the overviews of raster files, and contradictions to the native level.

The native level decides: an overview is read only if its metadata agree. Overviews may be averages, and averages over
masked or missing cells or over classes are wrong in a way that no mask repairs. For an overview GDAL reports the mask
flags of the image, so its mask is searched for separately.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from affine import Affine
from lxml import etree
from rasterio.enums import MaskFlags

from chronotile.readers.configured_encoding import encoding_fault, is_scaled
from chronotile.readers.overview_summaries import COPYING, is_mask_of_other_cells
from chronotile.readers.raster.bands import Band, BandMetadata, FileBands, file_bands
from chronotile.readers.raster.formats import VRT_END

Dataset = Any
"""An open rasterio dataset; rasterio has no types."""

REMEDY = "build the overviews again (gdaladdo -clean FILE, then gdaladdo FILE)"

SHIFTED = (
    "its mask is of other cells than its numbers (take gdaladdo -r average, for classes -r mode, and store the mask in "
    "the file: gdal_translate --config GDAL_TIFF_INTERNAL_MASK YES IN OUT)"
)

MAX_SOURCES = 16
"""Overviews of a VRT with more source files than this are skipped."""

ENLARGED = 256

_BESIDE = (".ovr", ".msk", ".aux.xml")


class UnlikeOverview(OSError):
    """An overview contradicts the native level of its file; the native cells are read instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewFacts:
    """The metadata of an overview."""

    stated: BandMetadata
    resampling: str | None
    """Resampling that made it, in GDAL's words; `None` if unknown."""
    has_mask: bool
    """Whether a mask or an alpha band is stored at this level."""
    states_mask: bool
    """Whether flags of the overview or the image state a mask that is not an alpha band."""
    is_of_codestream: bool
    """Whether it is a lower resolution inside a JPEG 2000 codestream, without metadata."""
    fault: str | None
    """Contradiction in the files that contain it; `None` without any."""


def overview_facts(dataset: Dataset, path: str) -> OverviewFacts:
    """Return the metadata of an overview.

    Args:
        dataset: The file, opened at the overview.
        path: The file, as GDAL names it.
    """
    flags = dataset.mask_flag_enums[0]
    has_alpha, is_masked = MaskFlags.alpha in flags, MaskFlags.per_dataset in flags
    is_external = Path(f"{path}.ovr").is_file()
    native = _native_shape(path) if is_masked and not has_alpha else None
    mask_shape = native if native and _is_mask_stored(dataset, path, native) else None
    resampling = dataset.tags(1).get("RESAMPLING")
    fault = _fault_of_files(dataset, path, is_external=is_external)
    if fault is None and mask_shape:
        is_beside = Path(f"{path}.msk").is_file()
        if is_mask_of_other_cells(resampling, *dataset.shape, native=mask_shape, is_external=is_beside):
            fault = SHIFTED
    if fault is None and has_alpha and resampling == "MODE":
        fault = "its numbers are the most frequent ones of transparent cells too (gdaladdo -r mode; take -r nearest)"
    return OverviewFacts(
        stated=BandMetadata.from_dataset(dataset),
        resampling=resampling,
        has_mask=has_alpha or mask_shape is not None,
        states_mask=is_masked and not has_alpha,
        is_of_codestream=dataset.driver == "JP2OpenJPEG" and not is_external,
        fault=fault,
    )


def _native_shape(path: str) -> tuple[int, int]:
    with rasterio.open(path) as native:
        return native.height, native.width


def _is_mask_stored(dataset: Dataset, path: str, native: tuple[int, int]) -> bool:
    """Return whether the mask of a file is stored at the size of the overview.

    GDAL lists the overviews of a mask only as those of a VRT over it, and none of less than 128 pixels: this VRT is
    `ENLARGED` times as large as the mask.
    """
    height, width = native
    sizes = f'xSize="{width}" ySize="{height}"', f'xSize="{width * ENLARGED}" ySize="{height * ENLARGED}"'
    source = (
        f'<SourceFilename relativeToVRT="0">{escape(path)}</SourceFilename><SourceBand>mask,1</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" {sizes[0]}/><DstRect xOff="0" yOff="0" {sizes[1]}/>'
    )
    band = f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource>{source}</SimpleSource></VRTRasterBand>'
    size = f'rasterXSize="{width * ENLARGED}" rasterYSize="{height * ENLARGED}"'
    with rasterio.open(f"<VRTDataset {size}>{band}</VRTDataset>") as mask:
        return any(abs(factor - width / dataset.width) < 1 for factor in mask.overviews(1))


def _fault_of_files(dataset: Dataset, path: str, *, is_external: bool) -> str | None:
    if is_external:
        return _fault_of_copy(f"{path}.ovr", dataset)
    if not path.lower().endswith(VRT_END):
        return None
    listed = list(listed_files(path, ".//Overview/SourceFilename"))
    faults = (_fault_of_copy(i, dataset, is_band=True) for i in listed)
    return next(filter(None, faults), None) or (None if listed else _fault_of_sources(path, dataset))


def listed_files(path: str, elements: str) -> Iterator[str]:
    """Yield the paths and URLs that the elements of a VRT name."""
    with rasterio.open(path) as native:
        (text,) = native.tags(ns="xml:VRT").values()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    for source in etree.fromstring(text, parser).iterfind(elements):
        is_relative = source.get("relativeToVRT") == "1"
        yield str(Path(path).parent / (source.text or "")) if is_relative else source.text or ""


def _fault_of_copy(path: str, dataset: Dataset, *, is_band: bool = False) -> str | None:
    """Return how the bands or the georeference of a file with overviews contradict the image.

    Args:
        path: The file.
        dataset: The image, opened at an overview.
        is_band: Whether it holds single bands.
    """
    with rasterio.open(path) as file:
        if file.count != dataset.count and not is_band:
            return f"its file has {file.count} bands, the image {dataset.count}"
        if file.crs and dataset.crs and file.crs != dataset.crs:
            return "its file names another CRS than the image"
        if file.transform == Affine.identity():
            return None
        corners = ((0, 0), (1, 0), (1, 1))
        corners_of_file, image = (
            np.array([z.transform @ (x * z.width, y * z.height) for x, y in corners]) for z in (file, dataset)
        )
        cell = np.abs(file.transform[:6]).reshape(2, 3)[:, :2].max()
        is_aligned = np.abs(corners_of_file - image).max() <= cell
        return None if is_aligned else "its file places it elsewhere than the image, or the other way round"


def _fault_of_sources(path: str, dataset: Dataset) -> str | None:
    """Return why overviews that GDAL derives from the sources of a VRT may have other numbers than the VRT."""
    with rasterio.open(path) as vrt:
        sources = [f for f in vrt.files if f != path and not f.endswith(_BESIDE)]
    if len(sources) > MAX_SOURCES:
        return f"it is made of overviews of {len(sources)} files, of which at most {MAX_SOURCES} are compared"
    for source in sources:
        with rasterio.open(source) as file:
            bands, nodata = file_bands(file), set(file.nodatavals)
            count = len(file.overviews(1))
        for level in range(count):
            with rasterio.open(source, OVERVIEW_LEVEL=level) as overview:
                facts = overview_facts(overview, source)
            reason = overview_fault(bands, facts)
            if reason is None and facts.resampling not in COPYING and not set(dataset.nodatavals) <= nodata:
                reason = "its source has means over numbers that are missing in the VRT"
            if reason is not None:
                return f"an overview of a file that it is made of: {reason}"
    return None


@lru_cache(maxsize=4096)
def overview_fault(bands: FileBands, facts: OverviewFacts) -> str | None:
    """Return how an overview contradicts the native bands of its file; `None` if it can be read like them."""
    if facts.fault is not None or facts.is_of_codestream:
        return facts.fault
    count = len(facts.stated.dtypes)
    if len(bands.bands) != count:
        return f"it has {count} bands, the image {len(bands.bands)}"
    return next(filter(None, (_fault_of_band(band, facts) for band in bands.bands)), None)


def _fault_of_band(band: Band, facts: OverviewFacts) -> str | None:
    native, index = band.encoding, band.number - 1
    encoding, title = facts.stated.encoding(index), facts.stated.descriptions[index]
    if not is_scaled(encoding):
        encoding = replace(encoding, scale=native.scale, offset=native.offset)
    if encoding.nodata is None and facts.resampling in COPYING:
        encoding = replace(encoding, nodata=native.nodata)
    fault = encoding_fault(encoding, native)
    if fault is not None:
        return fault
    if title and title != band.title:
        return f"its description is {title}, that of the image {band.title}"
    if band.has_mask and not facts.has_mask:
        return "it has no mask, as the image has"
    if facts.states_mask and not band.has_mask and not band.is_alpha:
        return "it has a mask, and the image has none"
    return None
