"""The process that parses a file, started quickly: it forks from a process with its imports."""

import multiprocessing
import os
import sys
from pathlib import Path

from chronotile.readers.places import convert

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([__name__, "tests.readers.places.prepared"])


def exit_code_of(content: bytes, conversion: convert.Conversion, folder: Path) -> int:
    """Return how the process ends that converts a file; its answer is in `folder`."""
    (folder / "input").write_bytes(content)
    process = SERVER.Process(target=_convert, args=(conversion, folder))
    process.start()
    process.join()
    return process.exitcode


def _convert(conversion: convert.Conversion, folder: Path) -> None:
    for number, (name, flags) in enumerate([("input", os.O_RDONLY), ("answer", os.O_RDWR | os.O_CREAT | os.O_TRUNC)]):
        os.dup2(os.open(folder / name, flags), number)
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115 -- for as long as the process runs
    try:
        convert.main(conversion)
    finally:
        os._exit(convert.BROKEN)
