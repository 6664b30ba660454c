"""Plan every process with nonsensical boxes, in little memory: python -m tests.jobs.processes.odd_boxes.

It writes a JSON array for each plan: process, layer, box, CRS, and the result.
"""

import json
import resource
import sys
from itertools import product

from chronotile.core.errors import ChronotileError
from chronotile.jobs.processes.process import Process
from chronotile.jobs.processes.registry import processes
from tests.jobs.processes.doing import plan_of
from tests.protocols import served

FAR, NEAR = 1.7e308, 1e9
BOXES = {
    "what is meant": [4.4, 50.4, 4.7, 50.9],
    "everything": [-FAR, -FAR, FAR, FAR],
    "too high": [4.6, -FAR, 4.7, FAR],
    "too wide": [-FAR, 50.8, FAR, 50.9],
    "too far": [FAR, FAR, FAR, FAR],
    "too wide, and inverted": [FAR, -90, -FAR, 90],
    "all coordinates": [-NEAR, -NEAR, NEAR, NEAR],
    "many turns": [-36_000, 50.8, 36_000, 50.9],
    "west and east inverted": [4.7, 50.8, 4.6, 50.9],
    "south and north inverted": [4.6, 50.9, 4.7, 50.8],
    "a point": [4.6, 50.8, 4.6, 50.8],
    "next to a point": [0, 0, 5e-324, 5e-324],
    "less than a cell": [4.6, 50.8, 4.6 + 1e-14, 50.8 + 1e-13],
}
SYSTEMS = (None, *(f"http://www.opengis.net/def/crs/EPSG/0/{code}" for code in (4326, 3857, 3035, 32631)))
GRIDS = {"metres": served.BELGIUM_31N, "degrees": served.FLANDERS_4326, "world": served.WORLD_4326}
MEMORY_BYTES = 4 << 30
"""Limit of the address space, of which libraries reserve much."""


def asked() -> list[Process]:
    """Return the processes that take a box of a layer."""
    return [each for each in processes().values() if {"bbox", "layer"} <= each.inputs.keys()]


def main() -> None:
    """Plan every process and print the results."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    layers = [
        served.make_layer(name, collection=name, variable=served.make_variable(name, grid=grid))
        for name, grid in GRIDS.items()
    ]
    services = served.make_services(*map(served.make_collection, layers))
    for process, layer, (name, box), crs in product(asked(), layers, BOXES.items(), SYSTEMS):
        bbox = {"bbox": box} if crs is None else {"bbox": box, "crs": crs}
        inputs = {"layer": layer.id, "datetime": "2020", "bbox": bbox}
        try:
            said = plan_of(process.id, inputs, services).seconds
        except ChronotileError as error:
            said = [type(error).__name__, error.locator]
        sys.stdout.write(json.dumps([process.id, layer.id, name, crs, said]) + "\n")


if __name__ == "__main__":
    main()
