"""Files of coverages among the results of a job, with the encoders of requests."""

from collections.abc import Callable, Mapping

from chronotile.core.model.coverage import Coverage
from chronotile.core.model.job import Result
from chronotile.jobs.processes.process import Work
from chronotile.jobs.processes.work.partial_results import scratch_of, translate_job_storage_errors, write_body
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, coverage_file_name
from chronotile.pipeline.encoders.bodies import Body, StreamedBody
from chronotile.pipeline.encoders.coverage.geotiff import coverage_geotiff
from chronotile.pipeline.encoders.coverage.netcdf import coverage_netcdf
from chronotile.pipeline.encoders.coverage.zarr import iter_coverage_zarr
from chronotile.pipeline.encoders.scratch_files import Scratch

_ENCODERS: Mapping[str, Callable[[Coverage, Work, Scratch], Body]] = {
    "GTiff": lambda coverage, work, scratch: coverage_geotiff(coverage, scratch=scratch, is_active=work.is_active),
    "NetCDF": lambda coverage, work, scratch: coverage_netcdf(coverage, scratch=scratch, is_active=work.is_active),
    "zarr": lambda coverage, work, _scratch: StreamedBody(iter_coverage_zarr(coverage, is_active=work.is_active)),
}
FILE_FORMATS = tuple(_ENCODERS)
"""Formats of `COVERAGE_FORMATS` that are written in bounded memory."""


def write_coverage(coverage: Coverage, format_name: str, work: Work, *, name: str | None = None) -> Result:
    """Write a coverage as a result file, with temporary files in the folder of partial results.

    Args:
        coverage: The coverage.
        format_name: A name in `FILE_FORMATS`.
        work: Work of the job.
        name: Name of the file without extension; made of collection and times if `None`.

    Raises:
        StorageFull: The disk is full.
        ClientGone: The job was dismissed.
    """
    written = COVERAGE_FORMATS[format_name]
    file = coverage_file_name(coverage, written.extension) if name is None else f"{name}.{written.extension}"
    with translate_job_storage_errors():
        body = _ENCODERS[format_name](coverage, work, scratch_of(work))
    write_body(body, work.results / file, work)
    return Result(file=file, media_type=written.media_type)
