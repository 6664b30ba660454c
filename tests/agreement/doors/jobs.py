"""Each process as a job, done by a real worker: its inputs, and its expected results."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from scipy import stats

from tests.agreement.doors.asking import CELL, UTM, at_cells, close, means, of_cells, taken
from tests.agreement.doors.kinds import COLUMNS, ROWS, SCENE, area_of, place_of, values_of
from tests.agreement.doors.site import Site
from tests.protocols.maps.animations.films import frames_of
from tests.zipped import open_zipped

BOX = {"bbox": [500_000, 5_649_700, 500_400, 5_650_000], "crs": UTM}
EDGES = [-0.1, 0.0995, 0.3005, 0.5005, 0.95]
DAYS_A_YEAR = 365.25
EARLY, LATE = slice(0, 3), slice(3, 5)
"""Dates of January and of February."""

Results = Callable[[str], bytes]


@dataclass(frozen=True)
class Job:
    """Inputs of a process in addition to its layer, and the check of its results."""

    inputs: Mapping[str, Any]
    check: Callable[[Results, str, Path], None]
    layer: str = "layer"
    """Name of the input that has the layer."""

    def inputs_of(self, kind: str) -> dict[str, Any]:
        """Return the inputs of a job over a kind."""
        return {**self.inputs, self.layer: [kind] if self.layer == "layers" else kind}


def submit(site: Site, kind: str, process: str) -> None:
    """Submit a job."""
    job = JOBS[process]
    body = {"inputs": job.inputs_of(kind)}
    address = f"/ogcapi/processes/{process}/execution"
    answer = taken(site.client.post(address, json=body, headers={"Prefer": "respond-async"}))
    assert answer.status_code == 201, answer.text
    site.jobs[kind, process] = answer.headers["Location"]


def done(process: str) -> Callable[[Site, str], None]:
    """Return the door of a process."""

    def ask(site: Site, kind: str) -> None:
        for each in (
            JOBS if (kind, process) not in site.jobs else ()
        ):  # all jobs of a kind: they run during the checks of others
            submit(site, kind, each)
        status = site.ended(kind, process)
        assert str(site.folder) not in json.dumps(status)
        assert status["status"] == "successful", status["message"]
        address = site.jobs[kind, process]
        scratch = site.scratch / f"{kind}-{process}"
        scratch.mkdir(exist_ok=True)
        JOBS[process].check(lambda name: taken(site.client.get(f"{address}/results/{name}")).content, kind, scratch)

    return ask


def _bands(body: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    with rasterio.open(io.BytesIO(body)) as file:
        return at_cells(file), file.descriptions


def _composite(results: Results, kind: str, _folder: Path) -> None:
    with np.errstate(invalid="ignore"):
        close(_bands(results("composite"))[0][0], np.fmax.reduce(values_of(kind), axis=0))


def _mean(values: np.ndarray) -> np.ndarray:
    """(y, x) means of dates; each cell has a value at all dates or at none."""
    return values.mean(axis=0)


def _climatology(results: Results, kind: str, _folder: Path) -> None:
    bands, names = _bands(results("climatology"))
    by_month = {name.split()[1][:2]: band for name, band in zip(names, bands, strict=True)}
    for month, dates in (("01", EARLY), ("02", LATE)):
        close(by_month[month], _mean(values_of(kind)[dates]), atol=1e-5)


def _anomaly(results: Results, kind: str, _folder: Path) -> None:
    values = values_of(kind)
    close(_bands(results("anomaly"))[0][0], values[3] - _mean(values[LATE]), atol=1e-5)


def _trend(results: Results, kind: str, _folder: Path) -> None:
    slopes = _bands(results("trend"))[0][0]
    values = values_of(kind)
    years = (SCENE.times - SCENE.times[0]) / np.timedelta64(1, "D") / DAYS_A_YEAR
    assert np.array_equal(np.isnan(slopes), np.isnan(values[0]))
    for row, column in (CELL, (3, 4), (25, 37)):
        if not np.isnan(values[0, row, column]):
            close(slopes[row, column], stats.theilslopes(values[:, row, column], years)[0], atol=1e-4)


def _animation(results: Results, kind: str, _folder: Path) -> None:
    frames = frames_of(results("animation")).astype(float)
    assert len(frames) == len(SCENE.days)
    grey = np.where(np.isnan(values_of(kind)), 255, np.round((values_of(kind) + 0.08) * 250))
    shown = frames.mean(axis=(1, 2, 3))
    assert np.abs(shown - grey.mean(axis=(1, 2))).max() < 20, (shown, grey.mean(axis=(1, 2)))


def _export(results: Results, kind: str, _folder: Path) -> None:
    close(_bands(results("export"))[0], values_of(kind))


def _histogram(results: Results, kind: str, _folder: Path) -> None:
    values = values_of(kind)
    document = json.loads(results("histogram"))
    assert document["counts"] == np.histogram(values[~np.isnan(values)], EDGES)[0].tolist()
    assert document["no_data"] == np.count_nonzero(np.isnan(values))


def _rows(body: bytes) -> list[dict[str, str]]:
    lines = (line for line in body.decode().splitlines() if not line.startswith("#"))
    return list(csv.DictReader(lines))


def _time_series(results: Results, kind: str, _folder: Path) -> None:
    rows = _rows(results("series"))
    found = [float(row["value"] or "nan") for row in rows]
    close(found, np.concatenate([values_of(kind)[:, row, column] for row, column in (CELL, (3, 4))]))


def _zonal_statistics(results: Results, kind: str, _folder: Path) -> None:
    close([float(row["mean"]) for row in _rows(results("statistics"))], means(kind))


def _optimise(results: Results, kind: str, folder: Path) -> None:
    file = folder / "cube.zarr.zip"
    file.write_bytes(results("cube"))
    with open_zipped(file) as dataset:
        close(of_cells(dataset), values_of(kind))


AREAS = {
    "type": "FeatureCollection",
    "features": [{"type": "Feature", "id": "field", "properties": {}, "geometry": area_of(ROWS, COLUMNS)}],
}
JOBS: dict[str, Job] = {
    "composite": Job({"reducer": "max"}, _composite),
    "climatology": Job({"by": "month", "bbox": BOX}, _climatology),
    "anomaly": Job({"by": "month", "datetime": SCENE.days[3]}, _anomaly),
    "trend": Job({}, _trend),
    "animation": Job({"width": 400, "height": 300, "labels": [], "bbox": BOX, "format": "image/gif"}, _animation),
    "export": Job({"format": "GTiff"}, _export),
    "histogram": Job({"edges": EDGES, "bbox": BOX}, _histogram),
    "time-series": Job({"points": [place_of(*CELL), place_of(3, 4)]}, _time_series, "layers"),
    "zonal-statistics": Job({"places": AREAS}, _zonal_statistics),
    "optimise": Job({"bbox": BOX}, _optimise),
}
WITHOUT_LAYERS = {"echo"}
"""Processes that read no collection."""
