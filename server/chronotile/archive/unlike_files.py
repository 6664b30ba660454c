"""Files of a large stack that differ from those looked at when it is opened, so that their dates are not served."""

from collections.abc import Iterator
from dataclasses import replace

from chronotile.errors import UnsupportedSource
from chronotile.model.source import Finding, SourceSpec
from chronotile.readers.raster.source import open_rasters
from chronotile.readers.raster.stack import RasterStack


def unlike_findings(spec: SourceSpec) -> Iterator[Finding]:
    """Yield an error for each file that cannot be read as what it is; each not looked at yet is opened (1 ms).

    Args:
        spec: A source; one of another kind has no such files.
    """
    if spec.kind != "cog":
        return
    try:
        reader = open_rasters(spec)
    except UnsupportedSource:
        return  # which opening it has told already
    if isinstance(reader, RasterStack):
        for finding in reader.unlike_files():
            yield replace(finding, place=f"{spec.collection}: {finding.place}")
