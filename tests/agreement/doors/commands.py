"""Doors that are no requests: commands over a collection, and the providers of a foreign pygeoapi."""

import io
import json
from collections.abc import Callable

import numpy as np
import rasterio
import shapely
import xarray
from PIL import Image
from pygeoapi.provider.base import ProviderGenericError

from chronotile.pygeoapi import CoverageProvider, EDRProvider, MapProvider
from tests.agreement.doors.asking import CELL, DATE, DAY, NotOffered, at_cells, close, of_cells, taken
from tests.agreement.doors.jobs import done
from tests.agreement.doors.kinds import PARTS, SCENE, collection_of, place_of, values_of
from tests.agreement.doors.site import Site
from tests.grouped import PRODUCT


def _said(site: Site, *arguments: object) -> str:
    """Return the output of a command.

    Raises:
        NotOffered: It exits with 1 and a message.
    """
    result = site.run(*arguments)
    if result.exit_code == 1 and "Traceback" not in result.output:
        raise NotOffered(result.output)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


SOURCES = {
    "folder": "NDVI_*.tif",
    "stack": "stack.tif",
    "netcdf": "made.nc",
    "zarr": "made.zarr",
    "group": "groups.nc",
    "swath": "swath.nc",
    "cube": "cube.zarr",
}
"""Files that `optimise` accepts unchanged."""


def optimise(site: Site, kind: str) -> None:
    target = site.scratch / f"{kind}.zarr"
    made = ["--variable", "made"] if kind.endswith("formula") else ["--variable", "NDVI"]
    if kind in SOURCES:
        _said(site, "optimise", "new", *sorted(site.folder.glob(SOURCES[kind])), target)
    else:
        source = ["--collection", collection_of(kind), "--config", site.configuration]
        _said(site, "optimise", "new", target, *source, *made)
    with xarray.open_zarr(target) as dataset:
        close(of_cells(dataset), values_of(kind))


def publish(site: Site, kind: str) -> None:
    """Publish the unchanged files, without formula and mask."""
    target = site.scratch / f"published-{kind}"
    _said(site, "publish", collection_of(kind), "--to", target, "--config", site.configuration)
    plain = values_of("folder")
    if kind == "stack":
        (file,) = target.rglob("*.tif")
        _compare(file.read_bytes(), plain)
        return
    stores = [path for path in target.rglob("*") if path.name.endswith((".zarr", ".nc"))]
    if stores and kind not in {"granules", "orbits"}:
        opened = xarray.open_dataset if stores[0].suffix == ".nc" else xarray.open_zarr
        group = {"group": "0", "consolidated": False} if (stores[0] / "0").is_dir() and kind == "zarr" else {}
        if kind == "group":
            with xarray.open_datatree(stores[0]) as tree:
                places = tree["a/geolocation"].dataset[["y", "x"]]
                close(of_cells(tree[PRODUCT].dataset.assign_coords(places.variables)), plain)
            return
        with opened(stores[0], **group) as dataset:
            close(dataset["NDVI"].values[:, ::-1] if kind == "swath" else of_cells(dataset), plain)
        return
    pattern = {"granules": "G_*.nc", "orbits": "O_*.nc"}.get(kind, "NDVI_*.tif")
    files = sorted(target.rglob(pattern))
    parts = {name.stem.rpartition("_")[2] for name in files} & PARTS.keys()
    assert len(files) == len(SCENE.days) * max(1, len(parts)), files
    for file in files:
        part = file.stem.rpartition("_")[2]
        date = next(t for t, day in enumerate(SCENE.days) if day.replace("-", "") in file.name)
        first, last = PARTS.get(part, (0, SCENE.width))
        expected = np.full((SCENE.height, SCENE.width), np.nan)
        expected[:, first:last] = plain[date, :, first:last]
        if kind in {"granules", "orbits"}:
            rows = slice(None, None, -1 if kind == "orbits" else None)
            with xarray.open_dataset(file) as dataset:
                close(dataset["NDVI"].values[:, rows], plain[[date], :, first:last])
        else:
            _compare(file.read_bytes(), expected[np.newaxis])


def _compare(body: bytes, expected: np.ndarray) -> None:
    with rasterio.open(io.BytesIO(body)) as file:
        close(at_cells(file), expected)


def publish_job(site: Site, kind: str) -> None:
    """The result of a job."""
    if not (site.scratch / f"{kind}-export").exists():
        done("export")(site, kind)
    target = site.scratch / f"published-job-{kind}"
    job = site.jobs[kind, "export"].rpartition("/")[2]
    _said(site, "publish", job, "--to", target, "--config", site.configuration)
    (file,) = target.rglob("*.tif")
    _compare(file.read_bytes(), values_of(kind))


def pygeoapi(site: Site, kind: str) -> None:
    """The three providers, as pygeoapi makes them."""
    about = {"name": "ours", "data": str(site.configuration), "options": {"collection": kind}}
    lon, lat = place_of(*CELL)
    row, column = CELL
    try:
        covered = CoverageProvider({**about, "type": "coverage", "format": {"name": "GTiff", "mimetype": "image/tiff"}})
        _compare(covered.query(format_="GTiff"), values_of(kind))
        position = EDRProvider({**about, "type": "edr"}).position(wkt=shapely.Point(lon, lat))
        maps = MapProvider({**about, "type": "map", "format": {"name": "png", "mimetype": "image/png"}})
        picture = maps.query(bbox=(lon - 1e-5, lat - 1e-5, lon + 1e-5, lat + 1e-5), width=3, height=3, datetime_=DAY)
    except ProviderGenericError as error:
        raise NotOffered(error.message) from error
    (found,) = position["ranges"].values()
    close(found["values"], values_of(kind)[:, row, column])
    pixel = np.array(Image.open(io.BytesIO(picture)).convert("RGBA"))[1, 1]
    close(pixel[0], np.round((values_of(kind)[DATE][CELL] + 0.08) * 250), atol=1)


def cog(site: Site, kind: str) -> None:
    """`/cog` opens files by address, in any collection: one of each kind that has these files."""
    pattern = {"folder": f"NDVI_{DAY.replace('-', '')}.tif", "stack": "stack.tif"}.get(
        kind, f"files/NDVI_{DAY.replace('-', '')}_w.tif"
    )
    lon, lat = place_of(*CELL)
    files = {
        "cube": "made.zarr",
        **{
            name: f"files/{letter}_{DAY.replace('-', '')}_w.nc" for name, letter in (("granules", "G"), ("orbits", "O"))
        },
    } | {name: SOURCES[name] for name in ("netcdf", "group", "swath", "zarr")}
    answer = taken(
        site.client.get(f"/cog/point/{lon},{lat}", params={"url": str(site.folder / files.get(kind, pattern))})
    )
    number = json.loads(answer.text)["values"][DATE if kind == "stack" else 0]
    close(number * SCENE.scale + SCENE.offset, values_of("folder")[DATE][CELL])


RUN: dict[str, Callable[[Site, str], None]] = {
    "optimise": optimise,
    "publish": publish,
    "publish job": publish_job,
    "pygeoapi": pygeoapi,
    "cog": cog,
}
