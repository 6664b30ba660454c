"""Requests of a client to a server, by protocol, each with a comparison with the made values."""

import csv
import email
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import xarray
from PIL import Image

from tests.agreement.doors.kinds import COLUMNS, PLACES, ROWS, SCENE, area_of, collection_of, place_of, values_of
from tests.agreement.doors.site import Site
from tests.ctc1 import decode_cube
from tests.protocols.maps.animations.films import frames_of
from tests.zarr_stores import open_store
from tests.zipped import open_zipped

CELL = (11, 20)
"""Row and column of a cell that both scenes of a date have."""
DAY, DATE = SCENE.days[2], 2
UTM = "http://www.opengis.net/def/crs/EPSG/0/32631"
WMS_BOX = "500000,5649700,500400,5650000"
WMS = f"/wms?SERVICE=WMS&VERSION=1.3.0&STYLES=&CRS=EPSG:32631&BBOX={WMS_BOX}&WIDTH=40&HEIGHT=30&TIME={DAY}"
TILE = 14, 8328, 5485
"""z, x, y of WebMercatorQuad: holds the scene's north-western part."""


class NotOffered(Exception):
    """The server refuses, with a status of the client's making; made of its words."""


def taken(answer: Any) -> Any:
    """Return an answer that is well.

    Raises:
        NotOffered: It is refused.
    """
    if 400 <= answer.status_code < 500:
        raise NotOffered(answer.text)
    assert answer.status_code < 300, answer.text
    return answer


def close(found: Any, expected: Any, atol: float = 1e-6) -> None:
    """Check numbers, NaN or None for missing ones."""
    np.testing.assert_allclose(np.array(found, dtype=float), expected, rtol=0, atol=atol)


def at_cells(file: rasterio.DatasetReader) -> np.ndarray:
    """Return (band, y, x) values of a raster at the cells of the scene, NaN outside it."""
    rows, columns = np.mgrid[: SCENE.height, : SCENE.width] + 0.5
    x, y = SCENE.transform @ (columns.ravel(), rows.ravel())
    if file.crs != rasterio.crs.CRS.from_user_input(SCENE.crs):
        x, y = pyproj.Transformer.from_crs(SCENE.crs, file.crs, always_xy=True).transform(x, y)
    found = np.array([each.filled(np.nan) for each in _sampled(file, np.column_stack([x, y]))]).T
    scaled = found * np.array(file.scales)[:, np.newaxis] + np.array(file.offsets)[:, np.newaxis]
    return scaled.reshape(file.count, SCENE.height, SCENE.width)


def _sampled(file: rasterio.DatasetReader, places: np.ndarray) -> Any:
    return (each.astype(float) for each in file.sample(places, masked=True))


def of_cells(dataset: xarray.Dataset) -> np.ndarray:
    """(time, y, x) values of a dataset at the cells of the scene."""
    (array,) = (each for each in dataset.data_vars.values() if each.ndim == 3)
    _time, y_name, x_name = array.dims
    x, y = SCENE.coordinates()
    if dataset[x_name].max() < 180:  # a swath without a configured grid is in degrees
        rows, columns = np.mgrid[: SCENE.height, : SCENE.width]
        lon, lat = (xarray.DataArray(axis, dims=("row", "column")) for axis in place_of(rows, columns))
        return array.sel({y_name: lat, x_name: lon}, method="nearest").values
    return array.sel({y_name: y, x_name: x}, method="nearest", tolerance=1).values


def map_(site: Site, kind: str) -> None:
    body = taken(site.client.get(f"{WMS}&REQUEST=GetMap&LAYERS={kind}&FORMAT=image/png&TRANSPARENT=TRUE")).content
    picture = np.array(Image.open(io.BytesIO(body)).convert("RGBA")).astype(float)
    grey = np.where(picture[..., 3] == 0, np.nan, picture[..., 0])
    expected = np.round((values_of(kind)[DATE] + 0.08) * 250)
    close(grey, expected, atol=1)


def identify(site: Site, kind: str) -> None:
    row, column = CELL
    query = f"&REQUEST=GetFeatureInfo&LAYERS={kind}&QUERY_LAYERS={kind}&I={column}&J={row}&INFO_FORMAT=application/json"
    found = taken(site.client.get(WMS + query)).text
    value = json.loads(found)["features"][0]["properties"]["value"]
    close(value, values_of(kind)[DATE][CELL])


def cube_tile(site: Site, kind: str) -> None:
    z, x, y = TILE
    cube = decode_cube(taken(site.client.get(f"/cubes/{kind}/WebMercatorQuad/{z}/{x}/{y}.ctc")).content)
    found = cube.values()
    half, side = np.pi * 6_378_137, 2 * np.pi * 6_378_137 / 2**z
    to_mercator = pyproj.Transformer.from_crs(SCENE.crs, "EPSG:3857", always_xy=True)
    compared = 0
    for row, column in ((3, 14), (11, 20), (20, 30), (25, 5)):
        east, north = to_mercator.transform(*(SCENE.transform @ (column + 0.5, row + 0.5)))
        across, down = (east + half) / side - x, (half - north) / side - y
        if 0 <= across < 1 and 0 <= down < 1:
            cell = cube.cell_at(across, down)
            assert cell is not None
            close(found[:, cell[0], cell[1]], values_of(kind)[:, row, column], atol=0.003)
            compared += 1
    assert compared >= 2


def animation(site: Site, kind: str) -> None:
    query = f"bbox={WMS_BOX}&crs=EPSG:32631&width=400&height=300&labels=none&datetime=2020-01/2020-02"
    frames = frames_of(taken(site.client.get(f"/animations/{kind}.gif?{query}")).content)
    assert len(frames) == len(SCENE.days)


def point(site: Site, kind: str) -> None:
    lon, lat = place_of(*CELL)
    document = taken(site.client.get(f"/timeseries/{kind}/point?lon={lon}&lat={lat}")).json()
    close(document["values"], values_of(kind)[:, CELL[0], CELL[1]])


def points(site: Site, kind: str) -> None:
    cells = [CELL, (3, 4)]
    asked = {"layers": [kind], "points": [place_of(*cell) for cell in cells]}
    (result,) = taken(site.client.post("/timeseries/points", json=asked)).json()["results"]
    for cell, feature in zip(cells, result["features"], strict=True):
        close(feature["series"]["mean"], values_of(kind)[:, cell[0], cell[1]])


def means(kind: str) -> np.ndarray:
    """(time,) means of the cells of the area."""
    return np.nanmean(values_of(kind)[:, slice(*ROWS), slice(*COLUMNS)], axis=(1, 2))


def area(site: Site, kind: str) -> None:
    answer = taken(site.client.post(f"/timeseries/{kind}/area?reducers=mean", json=area_of(ROWS, COLUMNS)))
    (feature,) = answer.json()["features"]
    close(feature["series"]["mean"], means(kind))


def edr(site: Site, kind: str) -> None:
    lon, lat = place_of(*CELL)
    answer = taken(site.client.get(f"/ogcapi/collections/{kind}/position?coords=POINT({lon} {lat})"))
    (found,) = answer.json()["ranges"].values()
    close(found["values"], values_of(kind)[:, CELL[0], CELL[1]])


def zarr(site: Site, kind: str) -> None:
    taken(site.client.get(f"/zarr/{kind}/zarr.json"))
    close(of_cells(open_store(site.client, f"/zarr/{kind}")), values_of(kind))


def coverage(form: str) -> Callable[[Site, str], None]:
    """Return a door for each format of coverages."""

    def ask(site: Site, kind: str) -> None:
        query = f"f={form}&crs={UTM}"
        one_day = f"&datetime={DAY}&bbox={WMS_BOX}&bbox-crs={UTM}" if form in {"png", "json"} else ""
        answer = taken(site.client.get(f"/ogcapi/collections/{kind}/coverage?{query}{one_day}"))
        READ[form](answer.content, kind, site.scratch)

    return ask


def _geotiff(body: bytes, kind: str, _folder: Path) -> None:
    with rasterio.open(io.BytesIO(body)) as file:
        close(at_cells(file), values_of(kind))


def _netcdf(body: bytes, kind: str, _folder: Path) -> None:
    with xarray.open_dataset(io.BytesIO(body), engine="h5netcdf") as dataset:
        close(of_cells(dataset), values_of(kind))


def _zarr(body: bytes, kind: str, folder: Path) -> None:
    file = folder / f"{kind}.zarr.zip"
    file.write_bytes(body)
    with open_zipped(file) as dataset:
        close(of_cells(dataset), values_of(kind))


def _covjson(body: bytes, kind: str, _folder: Path) -> None:
    document = json.loads(body)
    (found,) = document["ranges"].values()
    shape = dict(zip(found["axisNames"], found["shape"], strict=True))
    assert (shape["y"], shape["x"]) == (SCENE.height, SCENE.width)
    close(np.array(found["values"], dtype=float).reshape(shape["y"], shape["x"]), values_of(kind)[DATE])


def _png(body: bytes, kind: str, _folder: Path) -> None:
    picture = np.array(Image.open(io.BytesIO(body)).convert("RGBA"))
    assert picture.shape[:2] == (SCENE.height, SCENE.width)
    assert np.array_equal(picture[..., 3] == 0, np.isnan(values_of(kind)[DATE]))


READ: dict[str, Callable[[bytes, str, Path], None]] = {
    "GTiff": _geotiff,
    "NetCDF": _netcdf,
    "zarr": _zarr,
    "json": _covjson,
    "png": _png,
}


def wcs_2(site: Site, kind: str) -> None:
    query = f"VERSION=2.0.1&REQUEST=GetCoverage&COVERAGEID={kind}&FORMAT=image/tiff&OUTPUTCRS={UTM}"
    _geotiff(taken(site.client.get(f"/wcs?SERVICE=WCS&{query}")).content, kind, site.scratch)


def wcs_1_1(site: Site, kind: str) -> None:
    centres = "500005,5649705,500395,5649995,urn:ogc:def:crs:EPSG::32631"
    grid = "GRIDBASECRS=urn:ogc:def:crs:EPSG::32631&GRIDORIGIN=500005,5649995&GRIDOFFSETS=10,-10"
    query = f"VERSION=1.1.1&REQUEST=GetCoverage&IDENTIFIER={kind}&BOUNDINGBOX={centres}&{grid}&FORMAT=image/tiff"
    answer = taken(site.client.get(f"/wcs?SERVICE=WCS&{query}&TIMESEQUENCE={DAY}"))
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    _manifest, file = email.message_from_bytes(head + answer.content).get_payload()
    _one_date(file.get_payload(decode=True), kind)


def wcs_1_0(site: Site, kind: str) -> None:
    query = f"VERSION=1.0.0&REQUEST=GetCoverage&COVERAGE={kind}&CRS=EPSG:32631&BBOX={WMS_BOX}&WIDTH=40&HEIGHT=30"
    answer = taken(site.client.get(f"/wcs?SERVICE=WCS&{query}&FORMAT=GeoTIFF&TIME={DAY}"))
    _one_date(answer.content, kind)


def _one_date(body: bytes, kind: str) -> None:
    with rasterio.open(io.BytesIO(body)) as file:
        close(at_cells(file), values_of(kind)[DATE : DATE + 1])


def features(site: Site, kind: str) -> None:
    answer = taken(site.client.get(f"/ogcapi/collections/{PLACES}/items?value={kind}&datetime={DAY}"))
    (feature,) = answer.json()["features"]
    close(feature["properties"][kind], means(kind)[DATE])


def wps(site: Site, kind: str) -> None:
    inputs = f"layer%3D{kind};places%3D{PLACES};reducers%3Dmean"
    query = f"REQUEST=Execute&IDENTIFIER=zonal-statistics&DATAINPUTS={inputs}&RAWDATAOUTPUT=statistics"
    text = taken(site.client.get(f"/wps?SERVICE=WPS&VERSION=1.0.0&{query}")).text
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    close([row["mean"] for row in rows], means(kind))


def opensearch(site: Site, kind: str) -> None:
    document = taken(site.client.get(f"/opensearch/products?collection={collection_of(kind)}&count=100")).json()
    assert {feature["properties"]["date"][:10] for feature in document["features"]} == set(SCENE.days)


def stac(site: Site, kind: str) -> None:
    document = taken(site.client.get(f"/stac/collections/{collection_of(kind)}/items?limit=100")).json()
    days = {feature["properties"]["datetime"][:10] for feature in document["features"]}
    assert days == set(SCENE.days)


def odata(site: Site, kind: str) -> None:
    query = {"$filter": f"Collection/Name eq '{collection_of(kind)}'", "$top": "100"}
    found = taken(site.client.get("/odata/v1/Products", params=query)).json()["value"]
    assert {each["ContentDate"]["Start"][:10] for each in found} == set(SCENE.days)


def products(site: Site, kind: str) -> None:
    listed = site.client.get(f"/stac/collections/{collection_of(kind)}/items?limit=1").json()["features"]
    answer = taken(site.client.get(f"/products/{collection_of(kind)}/{listed[0]['id']}"))
    assert answer.content[:2] in {b"PK", b"II", b"\x89H"}  # ZIP, TIFF, HDF5


ASKED: dict[str, Callable[[Site, str], None]] = {
    "map": map_,
    "identify": identify,
    "cube tile": cube_tile,
    "animation": animation,
    "point": point,
    "points": points,
    "area": area,
    "edr": edr,
    "zarr": zarr,
    **{f"coverage {form}": coverage(form) for form in READ},
    "WCS 2.0.1": wcs_2,
    "WCS 1.1.1": wcs_1_1,
    "WCS 1.0.0": wcs_1_0,
    "WPS": wps,
    "features": features,
    "opensearch": opensearch,
    "stac": stac,
    "odata": odata,
    "products": products,
}
