"""Blocks of a process done as workers do them: in any order, more than once, and ended when all are done."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chronotile.jobs.blocks import make_folders
from chronotile.jobs.execute import planned
from chronotile.jobs.job import Execution, Result
from chronotile.jobs.process import Work
from chronotile.jobs.processes import process_of
from chronotile.pipeline.services import Services


def work_in(folder: Path, services: Services) -> Work:
    """Return what blocks are done with, in the folder of a job."""
    make_folders(folder)
    return Work(services=services, folder=folder / "pieces", results=folder / "results")


def do_oddly(name: str, inputs: Mapping[str, Any], services: Services, folder: Path) -> Mapping[str, Result]:
    """Do every block twice, from the last to the first, what is told and remembered going through JSON."""
    plan, process = planned(Execution(process=name, inputs=inputs), services), process_of(name)
    work = work_in(folder, services)
    remembered: dict[int, Any] = {}
    for number in [*reversed(range(len(plan.blocks))), *range(len(plan.blocks))]:
        block = json.loads(json.dumps(plan.blocks[number]))
        remembered[number] = json.loads(json.dumps(process.run(inputs, block, work)))
    return process.finish(inputs, [remembered[number] for number in range(len(plan.blocks))], work)


def blocks_of(name: str, inputs: Mapping[str, Any], services: Services) -> Sequence[Any]:
    """Return what is planned."""
    return planned(Execution(process=name, inputs=inputs), services).blocks
