"""Files of a source that are damaged or do not fit: one among many is missed only when its own time is asked for."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from rasterio.windows import Window

from chronotile.errors import UnsupportedSource
from chronotile.model.source import Finding, SourceSpec
from chronotile.readers.files import find_files
from chronotile.readers.foreign import one_line, opening, origin_of
from chronotile.readers.hrefs import common_folder
from chronotile.readers.netcdf.files import survey_findings
from chronotile.readers.raster.pool import HandlePool

MAX_FILES = 2000
"""Files of a collection looked into (about 2 ms each): the last by name, which mostly are the newest."""


def damage_findings(spec: SourceSpec, known: Collection[str]) -> Iterator[Finding]:
    """Yield an error for each file of a stack that does not open or lacks its first or last block of a band.

    Args:
        spec: A source; one of a single file is looked into as a variable, by other windows.
        known: Places of findings there are already, which are not told again.
    """
    if spec.kind == "netcdf":
        yield from _netcdf_findings(spec, known)
    if spec.kind != "cog":
        return
    paths = sorted(path for group in find_files(spec).values() for path in group)
    if len(paths) < 2:
        return
    folder = common_folder(paths)
    for path in paths[-MAX_FILES:]:
        place = f"{spec.collection}: {path.removeprefix(folder)}"
        reason = _damage(path)
        if reason is not None and place not in known:
            yield Finding("error", place, f"the file is damaged: {reason}; make it anew")
    if len(paths) > MAX_FILES:
        message = f"of {len(paths)} files the first {len(paths) - MAX_FILES} by name were not looked into"
        yield Finding("note", spec.collection, message)


def _netcdf_findings(spec: SourceSpec, known: Collection[str]) -> Iterator[Finding]:
    """What opening the files of a pattern tells that were not opened when the source was."""
    try:
        findings = survey_findings(spec, most=MAX_FILES)
    except UnsupportedSource:
        return  # of one file; the source told why
    for finding in findings:
        place = f"{spec.collection}: {finding.place}"
        if place not in known:
            yield replace(finding, place=place)


def _damage(path: str) -> str | None:
    """What keeps the ends of a file from being read."""
    try:
        with opening("it"), HandlePool(max_idle=0).lend(path) as handle:
            dataset = handle.dataset
            for band, (height, width) in enumerate(dataset.block_shapes, start=1):
                last_row, last_column = (dataset.height - 1) // height * height, (dataset.width - 1) // width * width
                dataset.read(band, window=Window(0, 0, width, height))
                dataset.read(band, window=Window(last_column, last_row, width, height))
    except UnsupportedSource as error:
        return one_line(origin_of(error))
    return None
