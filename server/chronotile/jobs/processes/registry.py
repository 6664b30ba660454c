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
    """Return all processes by id, in alphabetical order."""
    modules = (
        import_module(f"{package.__name__}.{module_info.name}")
        for module_info in pkgutil.iter_modules(package.__path__)
    )
    defined = [value for module in modules if isinstance(value := getattr(module, "process", None), Process)]
    return {process.id: process for process in sorted(defined, key=lambda process: process.id)}


def process_of(id_: str) -> Process:
    """Return a process.

    Raises:
        UnknownPath: No process has that id.
    """
    process = processes().get(id_)
    if process is None:
        raise UnknownPath(f"unknown process {id_[:80]!r}; there are {', '.join(processes())}", locator="processID")
    return process


def output_schema(id_: str, output: str) -> Json:
    """Return the schema of an output; `{}`, which allows any value, if only an earlier version had the output."""
    process = processes().get(id_)
    return process.outputs[output].schema if process is not None and output in process.outputs else {}
