"""Untrusted files, parsed in a separate process with few resources; on Linux without access to files (`sandbox`)."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from tempfile import TemporaryFile
from time import monotonic
from typing import IO

import orjson

from chronotile.core.cancellation import IsActive, always_active, require_active
from chronotile.core.errors import (
    InvalidParameter,
    LimitExceeded,
    ServerBusy,
    StorageFull,
    UnsupportedSource,
    raised_instead,
    translate_error,
)
from chronotile.core.extras import require_extra
from chronotile.readers.places.convert import ABORTED, BROKEN, REFUSED, Conversion
from chronotile.readers.places.table import GEOPACKAGE, ZIP

PROGRAM = """\
import json, sys
options, sys.path[:] = map(json.loads, sys.argv[1:])
from chronotile.readers.places.convert import Conversion, main
main(Conversion(**options))
"""
PASSED = ("LD_LIBRARY_PATH", "PROJ_DATA", "PROJ_LIB")
"""Environment variables of the process. Others may be secret."""
SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "PROJ_NETWORK": "OFF",
    "GDAL_SKIP": "OGR_VRT",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""Settings of libraries: one thread, no network, no format that names other files, and no memory in reserve."""
S_PER_CPU_S = 10
"""Time for each second of processor time that is allowed: the machine may be busy."""
LOOK_S = 0.2
"""Time between two checks whether the client has left."""
MAX_FILE_BYTES = 10 << 20


def geojson_of_file(content: bytes, *, max_vertices: int, is_active: IsActive) -> bytes:
    """Return the first table with geometries as a FeatureCollection, with the table's `name`.

    Args:
        content: A GeoPackage, or a ZIP with a shapefile.
        max_vertices: Maximum number of vertices of all shapes together.
        is_active: Whether the client still waits.

    Raises:
        InvalidParameter: It is neither of these, it is damaged, or its CRS is missing or refused.
        LimitExceeded: It exceeds a limit of `Conversion`, or takes too long.
        ServerBusy: There is not enough processor time now.
        StorageFull: There is no space for the file or the answer.
        ClientGone: The client closed the connection.
        MissingExtra: The server lacks the library for shapefiles.
    """
    if not content.startswith((GEOPACKAGE, ZIP)):
        raise InvalidParameter("the body is neither a GeoPackage nor a ZIP with a shapefile")
    if content.startswith(ZIP):
        require_extra("places", "a shapefile")
    with translate_error(UnsupportedSource, InvalidParameter, locator=None):
        return convert_isolated(content, Conversion(max_vertices=max_vertices), is_active=is_active)


def convert_isolated(content: bytes, conversion: Conversion, *, is_active: IsActive = always_active) -> bytes:
    """Return a file of features as GeoJSON, as `convert` does.

    Raises:
        UnsupportedSource: The file cannot be read, or takes too much memory.
        LimitExceeded: It exceeds a limit of `conversion`, or takes too much processor time.
        ServerBusy: The process cannot start, or gets no processor time.
        StorageFull: There is no room for the file or the answer.
        ClientGone: The client closed the connection.
    """
    full = StorageFull("the server has no room for the file; try again later")
    with raised_instead(OSError, full), TemporaryFile(prefix="chronotile-") as file, TemporaryFile() as output:
        file.write(content)
        file.seek(0)
        code = _run(file, output, conversion, is_active)
        output.seek(0)
        body = output.read()
    if code == 0:
        return body
    if code == REFUSED:
        refusal = orjson.loads(body)
        raise UnsupportedSource(refusal) if isinstance(refusal, str) else LimitExceeded(**refusal)
    if code == -signal.SIGXCPU:
        limit, most = "seconds of processor time for a file", conversion.cpu_s
        raise LimitExceeded(limit, allowed=most, needed=most + 1, alternative="use fewer shapes, or simpler ones")
    if code in {BROKEN, ABORTED} or code < 0:
        raise UnsupportedSource(f"the file is damaged, or takes more than {conversion.memory_bytes >> 20} MB of memory")
    raise RuntimeError(f"the process that reads files could not start (exit code {code})")


def _run(file: IO[bytes], output: IO[bytes], conversion: Conversion, is_active: IsActive) -> int:
    """Return the exit code of the process, or minus the number of the signal that ended it."""
    arguments = [json.dumps(asdict(conversion)), json.dumps(sys.path)]
    environment = {name: os.environ[name] for name in PASSED if name in os.environ} | SETTINGS
    with raised_instead(OSError, ServerBusy("no process can be started to read the file; try again in a few seconds")):
        process = subprocess.Popen(  # noqa: S603 -- this program, with options of ours
            [sys.executable, "-I", "-B", "-c", PROGRAM, *arguments], stdin=file, stdout=output, env=environment
        )
    end_s = monotonic() + S_PER_CPU_S * conversion.cpu_s
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK_S)
            require_active(is_active)
            if monotonic() > end_s:
                raise ServerBusy("the server is too busy to read the file; try again in a few seconds")
    finally:
        process.kill()
        process.wait()
