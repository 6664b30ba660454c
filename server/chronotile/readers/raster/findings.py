"""Findings of `check` about raster files: blocks, damage, and files and bands that are not served."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from chronotile.core.errors import ChronotileError, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.space.grid import Window
from chronotile.core.yaml_source import list_names
from chronotile.readers.dated_files import find_files
from chronotile.readers.hrefs import common_folder
from chronotile.readers.library_errors import one_line, opening, origin_of
from chronotile.readers.raster.band_times import band_times_of
from chronotile.readers.raster.bands import Band, bands_of
from chronotile.readers.raster.handle import RasterHandle
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.raster.source import open_rasters
from chronotile.readers.raster.stack import RasterStack

LARGE_BYTES = 16 << 20
"""Decoded bytes of a block that are too many for one picture."""

SMALL_SIDE_PX = 1024
"""For a smaller raster any layout is fast enough."""

MAX_FILES = 2000
"""Inspected files of a collection (about 2 ms each): the last by name, usually the newest."""

MAX_OPACITY_FILES, MAX_OPACITY_BLOCKS = 20, 64
"""Inspected files of a source, and blocks per file, for opacities."""

OPAQUE = 255
"""Opaque value of a mask, and of an alpha band of any type as GDAL scales it."""

_NAMED = 3
"""Bands that a message lists."""


def block_findings(spec: SourceSpec) -> Iterator[Finding]:
    """Yield a warning for files whose blocks are whole rows, so that each tile reads far more than it shows."""
    for name, paths in find_files(spec).items():
        place = f"{spec.collection}: {name}" if name else spec.collection
        message = _first_block_warning(paths, spec.collection)
        if message:
            yield Finding("warning", place, message)


def _first_block_warning(paths: Sequence[str], collection: str) -> str:
    """Return the warning about the first file that opens, or an empty text.

    Raises:
        UnsupportedSource: No file opens.
    """
    for path in paths[:-1]:
        with suppress(UnsupportedSource):
            return _block_warning(path, collection)
    return _block_warning(paths[-1], collection)


def _block_warning(path: str, collection: str) -> str:
    with opening(collection), HandlePool(max_idle=0).lend(path) as handle:
        dataset = handle.dataset
        height, width = dataset.block_shapes[0]
        size = height * width * dataset.count * 8
        is_large = max(dataset.width, dataset.height) > SMALL_SIDE_PX
        if is_large and width == dataset.width and (height < 16 or size > LARGE_BYTES):
            return (
                f"its blocks are whole rows ({width} x {height} pixels): each tile reads far more than it shows; "
                "tile the files (gdal_translate -of COG)"
            )
    return ""


def damage_findings(spec: SourceSpec, reported: Collection[str]) -> Iterator[Finding]:
    """Yield an error for each file of a stack that does not open, or whose first or last block of a band is damaged.

    Args:
        spec: A source. A single file is skipped; it is checked like any variable.
        reported: Places of existing findings, which are not repeated.
    """
    paths = sorted(path for group in find_files(spec).values() for path in group)
    if len(paths) < 2:
        return
    folder = common_folder(paths)
    for path in paths[-MAX_FILES:]:
        place = f"{spec.collection}: {path.removeprefix(folder)}"
        reason = _damage(path)
        if reason is not None and place not in reported:
            yield Finding("error", place, f"the file is damaged: {reason}; copy it or make it again")
    if len(paths) > MAX_FILES:
        message = f"of {len(paths)} files the first {len(paths) - MAX_FILES} by name were not inspected"
        yield Finding("note", spec.collection, message)


def _damage(path: str) -> str | None:
    """Return why the first or last blocks of a file cannot be read; `None` if they can."""
    try:
        with opening("it"), HandlePool(max_idle=0).lend(path) as handle:
            dataset = handle.dataset
            for band, (height, width) in enumerate(dataset.block_shapes, start=1):
                last_row, last_column = (dataset.height - 1) // height * height, (dataset.width - 1) // width * width
                handle.read(band, Window(0, min(height, dataset.height), 0, min(width, dataset.width)))
                handle.read(band, Window(last_row, dataset.height, last_column, dataset.width))
    except UnsupportedSource as error:
        return one_line(origin_of(error))
    return None


def opacity_findings(spec: SourceSpec) -> Iterator[Finding]:
    """Yield a warning if cells are partly transparent; pictures show them opaque."""
    for name, paths in find_files(spec).items():
        for path in paths[:: max(1, len(paths) // MAX_OPACITY_FILES)]:
            message = None
            with suppress(UnsupportedSource), opening("it"), HandlePool(max_idle=0).lend(path) as handle:
                message = _partial_opacity(handle, spec)
            if message is not None:
                yield Finding("warning", f"{spec.collection}: {name}" if name else spec.collection, message)
                break


def _partial_opacity(handle: RasterHandle, spec: SourceSpec) -> str | None:
    bands = handle.bands.bands if handle.bands is not None else ()
    band = next((b.number for b in bands if b.has_mask), None)
    alpha = next((b.number for b in bands if b.is_alpha), None)
    if band is None or alpha in {v.band for v in spec.variables.values()} - {None}:
        return None
    blocks = [block for _place, block in handle.dataset.block_windows(band)]
    for block in blocks[:: max(1, len(blocks) // MAX_OPACITY_BLOCKS)]:
        (first_row, row_stop), (first_column, column_stop) = block.toranges()
        opacity = handle.read(band, Window(first_row, row_stop, first_column, column_stop), is_mask=True)
        partial = opacity[(opacity > 0) & (opacity < OPAQUE)]
        if partial.size:
            kind = "mask" if alpha is None else "alpha band"
            remedy = "" if alpha is None else f"; name band: {alpha} as a variable to serve opacities"
            return (
                f"its {kind} has cells between transparent and opaque, such as {partial[0]} of {OPAQUE}: they are "
                f"values, and pictures show them opaque{remedy}"
            )
    return None


def unlike_findings(spec: SourceSpec) -> Iterator[Finding]:
    """Yield an error for each file that cannot be decoded; files that were not inspected yet are opened (1 ms)."""
    try:
        reader = open_rasters(spec)
    except UnsupportedSource:
        return  # opening the source reports the reason
    if isinstance(reader, RasterStack):
        for finding in reader.unlike_files():
            yield replace(finding, place=f"{spec.collection}: {finding.place}")


def skipped_band_findings(spec: SourceSpec) -> Iterator[Finding]:
    """Yield a finding for each group of files with bands that no variable reads, or with several images."""
    if spec.times is not None:
        return
    try:
        files = find_files(spec)
    except (ChronotileError, OSError):
        return  # the reader reports missing files
    for word, paths in files.items():
        try:
            with opening("it"), HandlePool(max_idle=0).lend(paths[0]) as handle:
                if band_times_of(handle).series:
                    continue  # the reader reports skipped bands
                bands, images = bands_of(handle.dataset), len(handle.dataset.subdatasets)
        except UnsupportedSource:
            continue  # the reader reports files that cannot be opened
        if images > 1:
            yield Finding(
                "warning",
                f"{spec.collection}: {word}" if word else spec.collection,
                f"of its {images} images (pages) only the first is served; store each in its own file (gdal_translate "
                "GTIFF_DIR:2:IN OUT)",
            )
        yield from _band_findings(spec, word, bands)


def _band_findings(spec: SourceSpec, word: str | None, bands: Sequence[Band]) -> Iterator[Finding]:
    selected = [v for v in spec.variables.values() if word is None or (v.name or v.id) == word]
    if not selected and word is None:
        return
    plain = [band for band in bands if not band.is_alpha]
    served = {s.band for s in selected if s.band is not None}
    names = {s.name or s.id for s in selected if s.band is None}
    served |= {band.number for band in bands if band.name in names}
    if not served or (word is not None and names):
        served.add(bands[0].number)
    rest = [
        f"{band.number} ({band.title})" if band.title else str(band.number)
        for band in plain
        if band.number not in served
    ]
    if not rest:
        return
    if word is None:
        yield Finding(
            "note",
            spec.collection,
            f"bands {list_names(rest, most=_NAMED)} are not variables: name them with band: to serve them",
        )
    else:
        example = f"{word}_{rest[0].split()[0]}: {{name: {word}, band: {rest[0].split()[0]}}}"
        listed = list_names(rest, most=_NAMED)
        message = f"of its {len(plain)} bands {listed} are not served; name them as variables, such as {example}"
        yield Finding("warning", f"{spec.collection}: {word}", message)
