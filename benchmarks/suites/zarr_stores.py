"""A cube opened by xarray over HTTP: ours as a Zarr store, compared with xpublish over the same plain store."""

import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import xarray
from numpy.typing import NDArray

from benchmarks.findings import Findings, Row
from benchmarks.peers import chronotile, xpublish
from benchmarks.peers.ground import Ground
from benchmarks.suites.closed_loop import Standing, start
from benchmarks.suites.options import Options

OURS = chronotile.SAME_STORE
REGION = 256
"""Cells of a side of a region."""
DAYS = 36
"""Dates of a series of regions."""
Values = NDArray[np.floating[Any]]
Task = Callable[[xarray.Dataset, int], Values]


def run(ground: Ground, options: Options) -> Findings:
    """Measure."""
    side = ground.archive.size.cube_side
    findings = Findings(
        suite="zarr-stores",
        title=f"Zarr over HTTP, read by xarray: cube of 365 x {side}²",
        about="One worker each, chunks of one date and 512² cells; xarray, zarr-python and fsspec with dask's threads "
        "in the measuring process, ms with the time to open the store; each round other dates and another region.",
        ours=OURS,
    )
    found = [
        chronotile.stores(ground, "PLAIN"),
        chronotile.stores(ground, "SERVING"),
        xpublish.stores(ground, ground.archive.map_cube),
    ]
    tasks: dict[str, Task] = {
        "open": lambda dataset, _number: np.asarray(dataset["time"].values[:1].astype(np.int64), dtype=np.float64),
        f"one date, {side}²": lambda dataset, number: np.asarray(dataset["NDVI"].isel(time=7 * number + 3).values),
        f"mean of {REGION}², {DAYS} dates": _mean_of_region,
    }
    with ExitStack() as stack:
        standing = start(stack, found, findings, ground)
        _measure(standing, tasks, findings, options)
    if not any(each.contender.name == "xpublish-zarr" for each in standing):
        findings.notes.append("no other server of Zarr stores was measured")
    findings.notes.append("likeness: the largest difference of any number to ours in all rounds")
    return findings


def _measure(standing: list[Standing], tasks: dict[str, Task], findings: Findings, options: Options) -> None:
    """Add rows, measured alternately, and the difference of the numbers."""
    taken: dict[tuple[str, str], list[float]] = {}
    apart = dict.fromkeys((each.contender.name for each in standing), 0.0)
    for number in range(-1, options.rounds):  # the first is to warm up
        for case, task in tasks.items():
            values: dict[str, Values] = {}
            turn = max(number, 0) % len(standing)
            for each in [*standing[turn:], *standing[:turn]]:
                name = each.contender.name
                began = time.perf_counter()
                values[name] = task(_opened(each), number + 1)
                if number >= 0:
                    taken.setdefault((case, name), []).append((time.perf_counter() - began) * 1000)
            for name, own in values.items():
                apart[name] = max(apart[name], _difference(own, values[findings.ours]))
    findings.rows += [
        Row(case=case, contender=each.contender.name, unit="ms", rounds=taken[case, each.contender.name])
        for each in standing
        for case in tasks
    ]
    findings.told = [replace(told, likeness=f"differs by up to {apart[told.name]:.1g}") for told in findings.told]


def _opened(each: Standing) -> xarray.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr-python warns about metadata that the peer's format lacks
        dataset: xarray.Dataset = xarray.open_zarr(f"http://127.0.0.1:{each.port}{each.contender.ask('').path}")
    return dataset


def _mean_of_region(dataset: xarray.Dataset, number: int) -> Values:
    ndvi = dataset["NDVI"]
    row, column = (97 * number) % (ndvi.shape[1] - REGION), (211 * number) % (ndvi.shape[2] - REGION)
    part = ndvi[5 * number : 5 * number + DAYS, row : row + REGION, column : column + REGION]
    return np.asarray(part.mean(ndvi.dims[1:]).values)


def _difference(own: Values, ours: Values) -> float:
    if own.shape != ours.shape or (np.isnan(own) != np.isnan(ours)).any():
        return float("inf")
    return float(np.nanmax(np.abs(own - ours), initial=0.0))
