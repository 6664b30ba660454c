"""All processes: each module of this package that defines a `process`."""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

import chronotile.jobs.processes as package
from chronotile.core.errors import UnknownPath
from chronotile.core.model.types import Json
from chronotile.jobs.processes.process import Process


@cache
def processes() -> Mapping[str, Process]:
    """Return all processes by their ids, in alphabetical order."""
    modules = (import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__))
    found = [value for module in modules if isinstance(value := getattr(module, "process", None), Process)]
    return {process.id: process for process in sorted(found, key=lambda process: process.id)}


def process_of(id_: str) -> Process:
    """Return the process of that id.

    Raises:
        UnknownPath: There is none.
    """
    process = processes().get(id_)
    if process is None:
        raise UnknownPath(f"unknown process {id_[:80]!r}; there are {', '.join(processes())}", locator="processID")
    return process


def output_schema(id_: str, output: str) -> Json:
    """Return the schema of an output of a process; anything may be one that only an earlier version had."""
    process = processes().get(id_)
    return process.outputs[output].schema if process is not None and output in process.outputs else {}
