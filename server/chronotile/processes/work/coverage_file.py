"""A coverage as a file among the results of a job, with the encoders that requests have."""

from collections.abc import Callable, Mapping

from chronotile.encoders.coverage.geotiff import coverage_geotiff
from chronotile.encoders.coverage.netcdf import coverage_netcdf
from chronotile.encoders.coverage.zarr import iter_coverage_zarr
from chronotile.encoders.file_parts import Body, Streamed
from chronotile.encoders.scratch import Scratch
from chronotile.model.coverage import Coverage
from chronotile.model.job import Result
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, coverage_file_name
from chronotile.processes.process import Work
from chronotile.processes.work.partial_results import keep, scratch_of, translate_job_storage_errors

_ENCODERS: Mapping[str, Callable[[Coverage, Work, Scratch], Body]] = {
    "GTiff": lambda coverage, work, scratch: coverage_geotiff(coverage, scratch=scratch, is_active=work.is_active),
    "NetCDF": lambda coverage, work, scratch: coverage_netcdf(coverage, scratch=scratch, is_active=work.is_active),
    "zarr": lambda coverage, work, _scratch: Streamed(iter_coverage_zarr(coverage, is_active=work.is_active)),
}
FILE_FORMATS = tuple(_ENCODERS)
"""Those of `COVERAGE_FORMATS` that are written in bounded memory."""


def write_coverage(coverage: Coverage, format_name: str, work: Work, *, name: str | None = None) -> Result:
    """Write a coverage, by way of files without a name beside the partial results of the job.

    Args:
        coverage: What is written.
        format_name: One of `FILE_FORMATS`.
        work: Of the job.
        name: Of the file, without its extension; of collection and times where none is given.

    Raises:
        StorageFull: There is no room.
        ClientGone: The job was dismissed.
    """
    written = COVERAGE_FORMATS[format_name]
    file = coverage_file_name(coverage, written.extension) if name is None else f"{name}.{written.extension}"
    with translate_job_storage_errors():
        body = _ENCODERS[format_name](coverage, work, scratch_of(work))
    keep(body, work.results / file, work)
    return Result(file=file, media_type=written.media_type)
