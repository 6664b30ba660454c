"""Raster files: GeoTIFF, JPEG 2000, VRT, GRIB and other formats of GDAL that hold their pixels themselves."""

from collections.abc import Collection, Iterator
from pathlib import Path

from chronotile.core.finding import Finding
from chronotile.core.model.source import KindOptions, SourceSpec
from chronotile.readers.dated_files import find_files
from chronotile.readers.hrefs import base_name
from chronotile.readers.kind import SourceKind
from chronotile.readers.library_errors import opening
from chronotile.readers.raster.further_formats import FILE_ENDS, SHARED_ENDS, WORLD_ENDS, further_format
from chronotile.readers.raster.sentinel2 import is_in_product
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches

SIDE_ENDS = (
    ".aux.xml", ".ovr", ".msk", ".tfw", ".tifw", ".tiffw", ".j2w", ".vat.dbf", ".hdr", ".rdc", ".stx", ".clr", ".ige",
    *WORLD_ENDS,
)  # fmt: skip
"""Ends of the names of side files, which belong to a raster of the same name."""

_BOTH_CASES = tuple(x for end in (*FILE_ENDS, *SHARED_ENDS) for x in (end, end.upper()))
_LONE = "it belongs to a raster that is missing here"

MAX_BLOCK_PX = 1024
"""Longest side of a tile of a file that is suitable for maps without rewriting it."""


class RasterKind(SourceKind):
    """Raster files: one per date, or files whose bands are dates."""

    options = KindOptions(name="cog", is_of_files=True, has_bands=True, may_have_items=True)
    file_ends = FILE_ENDS
    shared_ends = SHARED_ENDS

    def has_content(self, path: Path, head: bytes) -> bool:
        """Return whether a file with one of `shared_ends` is a raster in a supported format."""
        return further_format(path, head) is not None

    def open(self, spec: SourceSpec, caches: ReaderCaches) -> Reader:
        """Return a reader of the files."""
        from chronotile.readers.raster.source import open_rasters

        return open_rasters(spec, caches)

    def side_reason(self, path: Path) -> str | None:
        """Return why a side file is skipped: its raster is missing. `None` for other files, `""` in a product."""
        if is_in_product(path.as_posix()):
            return ""
        name = path.name.lower()
        end = next((end for end in SIDE_ENDS if name.endswith(end)), None)
        if end is not None:
            base = path.name[: -len(end)]
            return "" if any((path.parent / f"{base}{x}").exists() for x in ("", *_BOTH_CASES)) else _LONE
        is_side_file = name.endswith(".prj") and any(path.with_suffix(b).exists() for b in _BOTH_CASES)
        return "" if is_side_file else None

    def findings(self, spec: SourceSpec, reported: Collection[str]) -> Iterator[Finding]:
        """Yield findings about blocks of whole rows, damaged files, files that differ, and opacities."""
        from chronotile.readers.raster.findings import (
            block_findings,
            damage_findings,
            opacity_findings,
            unlike_findings,
        )

        yield from block_findings(spec)
        yield from damage_findings(spec, reported)
        yield from unlike_findings(spec)
        yield from opacity_findings(spec)

    def unused_data_findings(self, spec: SourceSpec) -> Iterator[Finding]:
        """Yield a finding for each group of files with bands that no variable reads."""
        from chronotile.readers.raster.findings import skipped_band_findings

        yield from skipped_band_findings(spec)

    def has_map_layout(self, spec: SourceSpec) -> bool:
        """Return whether the first file is tiled."""
        from chronotile.readers.raster.pool import HandlePool

        path = next(iter(find_files(spec).values()))[0]
        with opening(base_name(path)), HandlePool(max_idle=0).lend(path) as handle:
            return bool(max(handle.dataset.block_shapes[0]) <= MAX_BLOCK_PX)

    def has_times_in_blocks(self, spec: SourceSpec) -> bool:
        """Return whether bands are times."""
        return spec.times is not None
