"""`python -m benchmarks.fuzz [COUNT]`: broken requests of every protocol, half over layers in memory, half over files.

The requests come from `tests/protocols/test_fuzz.py`, reproducible by their seed. An answer is a fault if its
status is 5xx (except 501 if a standard requires it, and 503 with Retry-After), if it is not the
protocol's error document, if its media type is wrong, if it names a folder of the server or shows a
traceback, if it lacks the headers that all answers have, or if HEAD differs from GET. Over files some dates are
damaged and one source is missing.
"""

import argparse
import logging
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import numpy as np
import rasterio

from chronotile.archive.open import open_archive
from chronotile.core.model.collection import Layer
from chronotile.pipeline.services import Services
from tests.places import feature, write_places
from tests.protocols import served
from tests.protocols.fuzzing.breaking import requests
from tests.protocols.fuzzing.site import Findings, Site, fuzz, made_services, running

if TYPE_CHECKING:
    import xarray

COUNT, SEED = 100_000, 1
SHOWN = 40
"""Faults that are printed."""
EVERY = 2_000
"""Number of requests between two lines of progress."""
STYLES = {"steps": "#fafafa", "reds": "#fa0000"}
"""Colours of the digital number 250."""
CONFIGURATION = """
service: {title: Fuzz, url: null}
places: {squares: {href: places.geojson, id: code}}
collections:
  s2:
    keywords: [vegetation]
    source: {kind: cog, href: "s2/{variable}_*.tif", time_pattern: '_(?P<time>\\d{8})'}
    variables:
      NDVI: {layer: NDVI, styles: [steps, reds], aliases: [CGS_S2_NDVI, {name: S2_NDVI, advertise: true}]}
      RED: {styles: [steps]}
      GREEN: {styles: [steps]}
      BLUE: {styles: [steps]}
    composites: {TRUE_COLOUR: {layer: TRUE_COLOUR, variables: [RED, GREEN, BLUE], range: [0, 250]}}
  terrain:
    source: {kind: cog, href: HEIGHT.tif}
    variables: {HEIGHT: {layer: HEIGHT, styles: [steps, reds]}}
  lost:
    source: {kind: cog, href: "lost/GONE_*.tif", time_pattern: '_(?P<time>\\d{8})'}
    variables: {GONE: {layer: GONE, styles: [steps]}}
  times: {source: {kind: zarr, href: TIMED.zarr}, variables: {TIMED: {layer: TIMED, styles: [steps, reds]}}}
  earth: {source: {kind: netcdf, href: WORLD.nc}, variables: {WORLD: {layer: WORLD, styles: [steps, reds]}}}
  south: {source: {kind: zarr, href: POLE.zarr}, variables: {POLE: {layer: POLE, styles: [steps, reds]}}}
"""


def main() -> None:
    """Send the requests, and end with 1 if any answer was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=COUNT, help=f"requests; default {COUNT}")
    parser.add_argument("--seed", type=int, default=SEED, help=f"default {SEED}")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    faults = 0
    for name, seed in (("memory", given.seed), ("files", given.seed + 1)):
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            findings = anyio.run(_fuzzed, Path(folder), name == "files", given.count // 2, seed)
        _print(name, findings)
        faults += len(findings.faults)
    print(f"{given.count} requests, {faults} faults")
    sys.exit(1 if faults else 0)


async def _fuzzed(folder: Path, has_files: bool, count: int, seed: int) -> Findings:
    services = file_services(folder) if has_files else made_services()
    if has_files:
        damage(folder)
    async with running(folder, services) as site:
        return await _in_steps(site, count, seed)


async def _in_steps(site: Site, count: int, seed: int) -> Findings:
    whole = Findings()
    asked = requests(count, seed)
    for done in range(0, count, EVERY):
        part = await fuzz(site, islice(asked, EVERY))
        whole.faults += part.faults
        whole.statuses += part.statuses
        whole.slowest = sorted(whole.slowest + part.slowest, reverse=True)[: len(part.slowest)]
        whole.heads += part.heads
        print(f"{done + part.statuses.total()} of {count}, {len(whole.faults)} faults", file=sys.stderr)
    return whole


def _print(name: str, findings: Findings) -> None:
    statuses = Counter[str]()
    for key, count in findings.statuses.items():
        statuses[key.rpartition(" ")[2]] += count
    told = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
    print(f"{name}: {findings.statuses.total()} requests ({told}), {findings.heads} also by HEAD")
    for seconds, request in findings.slowest:
        print(f"{seconds:8.3f} s {request[:200]}")
    for fault in findings.faults[:SHOWN]:
        print(f"FAULT {fault}")


def file_services(folder: Path) -> Services:
    """Write an archive with the layers that the requests name, and return it open."""
    layers = {each.id: each for collection in served.varied_collections() for each in collection.layers}
    _write_tifs(folder / "s2", layers["NDVI"], "NDVI", "RED", "GREEN", "BLUE")
    _write_tifs(folder / "lost", layers["GONE"], "GONE")
    _write_tif(folder / "HEIGHT.tif", layers["HEIGHT"], 0)
    made = made_services().catalogue
    _dataset(layers["TIMED"]).to_zarr(folder / "TIMED.zarr", zarr_format=3, encoding={"TIMED": {"chunks": (1, 64, 64)}})
    _dataset(made.layer("POLE")).to_zarr(
        folder / "POLE.zarr", zarr_format=3, encoding={"POLE": {"chunks": (1, 64, 64)}}
    )
    _dataset(made.layer("WORLD")).to_netcdf(folder / "WORLD.nc", engine="h5netcdf")
    write_places(folder / "places.geojson", *(feature(number) for number in range(3)))
    (folder / "styles").mkdir()
    for style, colour in STYLES.items():
        ramp = f'{{0: "#000000", 250: "{colour}"}}'
        (folder / "styles" / f"{style}.yaml").write_text(f"title: {style}\nrange: [0, 250]\nramp: {ramp}\n")
    configuration = folder / "fuzz.yaml"
    configuration.write_text(CONFIGURATION)
    return open_archive(configuration, environment={}, clock=lambda: served.NOW).services


def damage(folder: Path) -> None:
    """Truncate a file of NDVI and a file of RED, and remove a source."""
    for path in (folder / "s2" / "NDVI_20200521.tif", folder / "s2" / "RED_20200611.tif"):
        path.write_bytes(path.read_bytes()[:2000])
    shutil.rmtree(folder / "lost")


def _write_tifs(folder: Path, layer: Layer, *names: str) -> None:
    folder.mkdir()
    for name in names:
        for time, instant in enumerate(layer.times.instants):
            _write_tif(folder / f"{name}_{str(instant)[:10].replace('-', '')}.tif", layer, time)


def _write_tif(path: Path, layer: Layer, time: int) -> None:
    grid = layer.main_variable.grid
    profile = {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": 1,
        "dtype": "uint8",
        "crs": grid.crs.name,
        "transform": grid.transform,
        "nodata": served.NODATA,
        "compress": "deflate",
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 64,
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(_numbers(layer, [time])[0], 1)
        file.build_overviews([2, 4])


def _dataset(layer: Layer) -> "xarray.Dataset":
    import xarray  # noqa: PLC0415 -- takes seconds

    grid, times = layer.main_variable.grid, layer.times.instants
    x = grid.transform.c + (np.arange(grid.width) + 0.5) * grid.transform.a
    y = grid.transform.f + (np.arange(grid.height) + 0.5) * grid.transform.e
    attributes = {"_FillValue": np.uint8(served.NODATA), "grid_mapping": "spatial_ref"}
    return xarray.Dataset(
        {
            layer.id: (("time", "y", "x"), _numbers(layer, range(len(times))), attributes),
            "spatial_ref": ((), 0, {"crs_wkt": grid.crs.definition.to_wkt()}),
        },
        {"time": list(times), "y": y, "x": x},
    )


def _numbers(layer: Layer, times: Iterable[int]) -> np.ndarray:
    """(time, y, x)."""
    rows, columns = np.mgrid[: layer.main_variable.grid.height, : layer.main_variable.grid.width]
    return np.stack([served.number_at(rows, columns, time) for time in times])


if __name__ == "__main__":
    main()
