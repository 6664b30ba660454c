"""NetCDF files, which xarray reads."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.finding import Finding
from chronotile.core.model.source import KindOptions, SourceSpec
from chronotile.readers.cf.scope import groups_above
from chronotile.readers.hrefs import PRODUCT_END
from chronotile.readers.kind import AS_STORED, SourceKind, add_coordinates
from chronotile.readers.netcdf.files import open_netcdf_source
from chronotile.readers.netcdf.source import HDF5, engine_options, survey_inside
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches

if TYPE_CHECKING:
    import xarray

MAX_CHECKED_FILES = 2000
"""Number of files of a collection that `check` opens if their names contain the times."""


class NetcdfKind(SourceKind):
    """NetCDF files: a single file with all times, or a file per date, month or year."""

    options = KindOptions(name="netcdf", is_of_files=True, has_groups=True, may_have_items=True)
    file_ends = (".nc", ".nc4", ".cdf")
    folder_ends = (PRODUCT_END,)
    shared_ends = (".h5", ".hdf5", ".he5", ".hdf")

    def has_content(self, path: Path, head: bytes) -> bool:
        """Return whether a file is HDF5, as NetCDF-4 is."""
        return head.startswith(HDF5)

    def open(self, spec: SourceSpec, caches: ReaderCaches) -> Reader:
        """Return a reader of the file, or of all files of the pattern."""
        _require_libraries()
        return open_netcdf_source(spec)

    def findings(self, spec: SourceSpec, reported: Collection[str]) -> Iterator[Finding]:
        """Yield findings about files of a pattern that were not opened together with the source."""
        try:
            findings = open_netcdf_source(spec, most=MAX_CHECKED_FILES).info.findings
        except UnsupportedSource:
            return  # opening the source has reported the reason
        for finding in findings:
            place = f"{spec.collection}: {finding.place}"
            if place not in reported:
                yield replace(finding, place=place)

    def datasets(self, path: Path, group: str | None = None) -> "Iterator[xarray.Dataset]":
        """Yield the root and all groups with arrays, or one group."""
        _require_libraries()
        import xarray

        survey = survey_inside(path)

        def open_group(name: str) -> "xarray.Dataset":
            dataset = xarray.open_dataset(path, group=name or None, **AS_STORED, **engine_options(path))
            return dataset if survey.producer is None else survey.producer.as_cf(name, dataset)[0]

        names = dict.fromkeys(("", *survey.shapes))
        for name in names if group is None else (group,):
            yield add_coordinates(open_group(name), (open_group(n) for n in (*groups_above(name), *names) if n != name))


def _require_libraries() -> None:
    require_extra("netcdf", "NetCDF", error=UnsupportedSource)
