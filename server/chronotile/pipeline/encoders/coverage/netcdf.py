"""Coverages as NetCDF-4 with the CF conventions."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.model.coverage import Coverage
from chronotile.pipeline.encoders.bodies import ConcatenatedFiles
from chronotile.pipeline.encoders.coverage.attributes import CfField, cf_dataset
from chronotile.pipeline.encoders.coverage.strips import ChunkShape, Strip, chunk_shape, chunks_of, strips
from chronotile.pipeline.encoders.deflated import deflate
from chronotile.pipeline.encoders.scratch_files import TEMPORARY, Scratch, UnfailingFile

if TYPE_CHECKING:
    import h5netcdf

LEVEL = 1
"""Level of compression; at 1, this library compresses as well as others at 3."""


def coverage_netcdf(
    coverage: Coverage, *, scratch: Scratch = TEMPORARY, is_active: IsActive = always_active
) -> ConcatenatedFiles:
    """Return a NetCDF-4 file of the digital numbers, chunked, shuffled and deflated.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The client closed the connection.
        OSError: The file cannot be written.
    """
    with ExitStack() as opened:
        file = opened.enter_context(scratch.file(coverage.nbytes))
        target = UnfailingFile(file)
        _write(coverage, target, is_active)
        target.check()
        opened.pop_all()
        return ConcatenatedFiles([file])


def _write(coverage: Coverage, target: UnfailingFile, is_active: IsActive) -> None:
    import h5netcdf

    dataset = cf_dataset(coverage, chunk_shape(coverage))
    with h5netcdf.File(target, "w") as file:
        file.attrs.update(dataset.attributes)
        for variable in dataset.variables:
            for name, size in zip(variable.dimensions, variable.numbers.shape, strict=True):
                if name not in file.dimensions:
                    file.dimensions[name] = size
            written = file.create_variable(variable.name, variable.dimensions, dtype=variable.numbers.dtype)
            written[...] = variable.numbers
            written.attrs.update(variable.attributes)
        for number, field in enumerate(dataset.fields):
            created = _create_field(file, field)
            for strip in strips(coverage, number, shape=chunk_shape(coverage), is_active=is_active):
                target.check()
                _write_strip(created, strip, chunk_shape(coverage), field)
                del strip  # before the next one is read


def _create_field(file: "h5netcdf.File", field: CfField) -> Any:  # noqa: ANN401 -- h5py has no types
    """Create a variable without numbers, and return its object of HDF5."""
    created = file.create_variable(
        field.name,
        field.dimensions,
        dtype=field.dtype,
        fillvalue=field.fill,
        chunks=field.chunks,
        compression="gzip",
        compression_opts=LEVEL,
        shuffle=True,
    )
    created.attrs.update(field.attributes)
    return created._h5ds.id  # noqa: SLF001 -- h5netcdf cannot write chunks


def _write_strip(created: Any, strip: Strip, shape: ChunkShape, field: CfField) -> None:  # noqa: ANN401 -- as above
    """Write chunks that are compressed here: HDF5 would hold its global lock during the compression."""
    for chunk in chunks_of(strip, shape, dtype=field.dtype, fill=field.fill):
        # The first bytes of all numbers, then all second bytes (HDF5's filter 2).
        planes = np.ascontiguousarray(chunk.numbers).view(np.uint8).reshape(-1, chunk.numbers.itemsize).T
        created.write_direct_chunk(chunk.start[-len(field.shape) :], deflate.compress(planes.tobytes(), LEVEL))
