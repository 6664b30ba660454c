"""The processes, a file each: whatever module here has a `process` is one."""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from chronotile.errors import UnknownPath
from chronotile.jobs.job import Json
from chronotile.jobs.process import Process


@cache
def processes() -> Mapping[str, Process]:
    """Return all processes by their ids, in alphabetical order."""
    modules = (import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    found = [module.process for module in modules if hasattr(module, "process")]
    return {process.id: process for process in sorted(found, key=lambda process: process.id)}


def process_of(id_: str) -> Process:
    """Return the process of that id.

    Raises:
        UnknownPath: There is none.
    """
    process = processes().get(id_)
    if process is None:
        raise UnknownPath(f"there is no process {id_[:80]!r}; there are {', '.join(processes())}", locator="processID")
    return process


def output_schema(id_: str, output: str) -> Json:
    """Return the schema of an output of a process; anything may be one that only an earlier version had."""
    process = processes().get(id_)
    return process.outputs[output].schema if process is not None and output in process.outputs else {}
