"""One damaged date of a good archive: the answers of every protocol before and after its repair."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.archive.open import open_archive
from chronotile.core.errors import DateUnreadable
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.jobs.queue.service import JobService
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.pipeline.services import Services
from tests.scenes import Scene, make_dataset, save_netcdf, write_cogs, write_once, write_scene

SCENE = Scene()
DAMAGED = 2
"""Position of the damaged date."""
DAY = "2020-01-21"
INSTANT = f"{DAY}T00:00:00Z"
WARNING = f'199 - "unreadable: {INSTANT}"'
ROW, COLUMN = 10, 12
"""The requested cell."""
VALUES = [float(SCENE.number(t, ROW, COLUMN)) * SCENE.scale + SCENE.offset for t in range(len(SCENE.days))]
LACKING = [None if t == DAMAGED else pytest.approx(value) for t, value in enumerate(VALUES)]
OTHERS = [f"{day}T00:00:00Z" for day in SCENE.days if day != DAY]
STYLE = 'title: Grey\nrange: [-0.08, 0.92]\nramp: {-0.08: "#000000", 0.92: "#fafafa"}\n'

CONFIGURATION = """
collections:
  made:
    source: {SOURCE}
    variables:
      NDVI: {layer: NDVI, styles: [grey]}
      TWICE: {layer: TWICE, formula: "NDVI * 2", styles: [grey]}
      KEPT: {layer: KEPT, formula: "NDVI + 0", mask: {variable: NDVI, keep: [ALL]}, styles: [grey]}
"""


class Archive:
    """A served archive; one date can be damaged and repaired."""

    def __init__(
        self, services: Services, client: TestClient, files: Callable[[], list[Path]], damage: Callable[[Path], None]
    ) -> None:
        self.services, self.client = services, client
        self._files, self._damage = files, damage
        self._whole: dict[Path, bytes] = {}

    def damage(self) -> None:
        for path in self._files():
            self._whole[path] = path.read_bytes()
            self._damage(path)

    def repair(self) -> None:
        for path, content in self._whole.items():
            partial = path.with_name(f".{path.name}.part")
            partial.write_bytes(content)
            partial.replace(path)

    def get(self, path: str, **query: str):
        return self.client.get(path, params=query)


def place_of(row: int, column: int) -> tuple[float, float]:
    """Longitude and latitude of the middle of a cell."""
    x, y = SCENE.transform @ (column + 0.5, row + 0.5)
    return transformer(crs_of(SCENE.crs), CRS84).transform(x, y)


LONGITUDE, LATITUDE = place_of(ROW, COLUMN)
BOX = ",".join(str(each) for each in (*place_of(ROW + 3, COLUMN - 3), *place_of(ROW - 3, COLUMN + 3)))


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])


def scribble(path: Path) -> None:
    path.write_bytes(b"no chunk at all")


def scribble_over_a_chunk(path: Path) -> None:
    """Overwrite the first bytes of the date's compressed chunk in a NetCDF-4 file."""
    with h5py.File(path, locking=False) as file:  # as the server, which has it open in this process
        chunk = file["NDVI"].id.get_chunk_info(DAMAGED)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * min(64, chunk.size))


def write_chunks(path: Path, *, times: int = 1) -> None:
    dataset = make_dataset(SCENE)
    dataset["NDVI"].encoding = {"chunksizes": (times, SCENE.height, SCENE.width), "zlib": True}
    save_netcdf(dataset, path)


def write_cube(folder: Path) -> None:
    (folder / "tifs").mkdir()
    write_cogs(folder / "tifs", SCENE)
    sources = sorted(str(path) for path in (folder / "tifs").glob("*.tif"))
    optimise(sources, folder / "made.zarr", Options(layout="map", threads=1))


def lay_down(kind: str, folder: Path) -> tuple[str, Callable[[], list[Path]], Callable[[Path], None]]:
    """Write the scene; return how it is configured, the files of the damaged date, and how one is damaged."""
    if kind == "cog":
        write_cogs(folder, SCENE)
        files = [folder / f"NDVI_{DAY.replace('-', '')}.tif"]
        return "kind: cog, href: 'NDVI_*.tif', time_pattern: '_(?P<time>\\d{8})'", lambda: files, truncate
    if kind == "gone":
        source, files, _damage = lay_down("cog", folder)
        return source, files, Path.unlink
    if kind == "netcdf":
        path = folder / "made.nc"
        write_once(folder, "netcdf with a chunk a date", lambda place: write_chunks(place / path.name))
        return "kind: netcdf, href: made.nc", lambda: [path], scribble_over_a_chunk
    if kind == "cube":
        write_once(folder, "serving cube of maps", write_cube)
        files = sorted((folder / "made.zarr" / "NDVI").glob(f"c.{DAMAGED}.*"))
        return "kind: zarr, href: made.zarr", lambda: files, scribble
    write_scene(kind, folder, SCENE)
    pattern = f"{DAMAGED}.*" if kind == "zarr-v2" else f"c/{DAMAGED}/*/*"
    levels = [folder / "made.zarr" / level / "NDVI" for level in "01"]
    return "kind: zarr, href: made.zarr", lambda: [path for each in levels for path in each.glob(pattern)], scribble


QUICK = ("cog", "netcdf", "zarr-v3", "cube")


@pytest.fixture(params=[*QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("gone", "zarr-v2"))])
def archive(request, tmp_path) -> Archive:
    source, files, damage = lay_down(request.param, tmp_path)
    return serve(tmp_path, source, files, damage, request)


def serve(tmp_path, source, files, damage, request) -> Archive:
    (tmp_path / "styles").mkdir(exist_ok=True)
    (tmp_path / "styles" / "grey.yaml").write_text(STYLE)
    configuration = tmp_path / "chronotile.yaml"
    kept = ", ".join(map(str, range(250)))
    configuration.write_text(CONFIGURATION.replace("SOURCE", source).replace("ALL", kept))
    archive = open_archive(configuration, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    client = TestClient(
        application(archive.services, ServerOptions(jobs=JobService(tmp_path / "jobs", archive="a"))),
        raise_server_exceptions=False,
    )
    request.addfinalizer(lambda: client.__exit__(None, None, None))
    return Archive(archive.services, client.__enter__(), files, damage)


def require_told(answer) -> None:
    """Assert that an answer without the date has a warning and a short lifetime."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["warning"] == WARNING
    assert answer.headers["cache-control"] == "public, max-age=60"


def point(archive: Archive, layer: str = "NDVI", **query: str):
    return archive.get(f"/timeseries/{layer}/point", lon=str(LONGITUDE), lat=str(LATITUDE), **query)


def tile_of(archive: Archive, layer: str = "NDVI") -> str:
    """Return the path of the tile of the native zoom with the cell, without prefix and extension."""
    zoom = archive.get(f"/tiles/{layer}/WebMercatorQuad/tilejson.json").json()["maxzoom"]
    x, y = transformer(CRS84, crs_of("EPSG:3857")).transform(LONGITUDE, LATITUDE)
    half, count = 20037508.342789244, 2**zoom
    return f"WebMercatorQuad/{zoom}/{int((x + half) / (2 * half) * count)}/{int((half - y) / (2 * half) * count)}"


def header_of(cube) -> dict:
    length = int.from_bytes(cube.content[4:8], "little")
    return json.loads(cube.content[8 : 8 + length])


def test_series_of_a_point_has_null_and_a_reason(archive):
    archive.damage()

    answer = point(archive)

    require_told(answer)
    assert answer.json()["values"] == LACKING
    assert answer.json()["reasons"] == [None, None, "unreadable", None, None]


def test_the_date_alone_is_null_too(archive):
    archive.damage()

    answer = point(archive, datetime=DAY)

    require_told(answer)
    assert (answer.json()["values"], answer.json()["reasons"]) == ([None], ["unreadable"])


def test_csv_has_the_reason(archive):
    archive.damage()

    answer = point(archive, format="csv")

    require_told(answer)
    assert answer.text.splitlines()[DAMAGED + 1] == f"{INSTANT},,unreadable"


@pytest.mark.parametrize("layer", ["TWICE", "KEPT"])
def test_formulas_and_masks_over_the_date_are_null_too(archive, layer):
    archive.damage()

    answer = point(archive, layer)

    require_told(answer)
    assert [value is None for value in answer.json()["values"]] == [False, False, True, False, False]
    assert answer.json()["reasons"][DAMAGED] == "unreadable"
    factor = 2 if layer == "TWICE" else 1
    assert answer.json()["values"][0] == pytest.approx(VALUES[0] * factor, abs=1e-6)


@pytest.mark.quick_cases("cog-", "cube-NDVI")
@pytest.mark.parametrize("layer", ["NDVI", "TWICE", "KEPT"])
def test_areas_list_the_date(archive, layer):
    archive.damage()

    answer = archive.get(f"/timeseries/{layer}/area", bbox=BOX, reducers="mean,count,valid_share,median")

    require_told(answer)
    document = answer.json()
    (feature,) = document["features"]
    assert document["unreadable"] == [INSTANT]
    assert {name: column[DAMAGED] for name, column in feature["series"].items()} == {
        "mean": None,
        "count": 0,
        "valid_share": None,
        "median": None,
    }
    assert feature["valid"][DAMAGED] == 0
    assert feature["reasons"]["unreadable"] == [0, 0, feature["total"], 0, 0]
    assert all(feature["series"]["mean"][t] is not None for t in (0, 1, 3, 4))


def test_points_list_the_date(archive):
    archive.damage()
    asked = {"layers": ["NDVI", "TWICE"], "points": [[LONGITUDE, LATITUDE], [*place_of(3, 4)]]}

    answer = archive.client.post("/timeseries/points", json=asked)

    require_told(answer)
    first, _second = answer.json()["results"]
    assert first["unreadable"] == [INSTANT]
    assert first["features"][0]["series"]["mean"] == LACKING
    assert first["features"][0]["reasons"] == {"unreadable": [0, 0, 1, 0, 0]}


def test_points_as_csv_have_the_reason(archive):
    archive.damage()
    asked = {"layers": ["NDVI"], "points": [[LONGITUDE, LATITUDE]]}

    answer = archive.client.post("/timeseries/points", json=asked, params={"format": "csv"})

    require_told(answer)
    assert answer.text.splitlines()[DAMAGED + 1] == f"1,{INSTANT},,unreadable"


def test_terrascope_counts_no_valid_value(archive):
    archive.damage()

    answer = archive.get("/timeseries/v1.1/ts/NDVI/point", lon=str(LONGITUDE), lat=str(LATITUDE))

    require_told(answer)
    result = answer.json()["results"][DAMAGED]
    assert result == {"date": DAY, "result": {"totalCount": 1, "validCount": 0, "average": None}}


def test_terrascope_areas_count_no_valid_value(archive):
    archive.damage()
    (west, south), (east, north) = place_of(ROW + 3, COLUMN - 3), place_of(ROW - 3, COLUMN + 3)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]

    answer = archive.client.post("/timeseries/v1.1/ts/NDVI/geometry", json={"type": "Polygon", "coordinates": [ring]})

    require_told(answer)
    result = answer.json()["results"][DAMAGED]["result"]
    assert (result["validCount"], result["average"]) == (0, None)


def test_edr_position_has_null(archive):
    archive.damage()

    answer = archive.get("/ogcapi/collections/NDVI/position", coords=f"POINT({LONGITUDE} {LATITUDE})", f="CoverageJSON")

    require_told(answer)
    assert answer.json()["ranges"]["NDVI"]["values"] == LACKING


@pytest.mark.quick_cases("cog-", "cube-")
@pytest.mark.parametrize("path", ["cube", "area", "coverage"])
def test_cells_of_several_dates_have_null(archive, path):
    archive.damage()
    (west, south), (east, north) = place_of(ROW + 3, COLUMN - 3), place_of(ROW - 3, COLUMN + 3)
    polygon = f"POLYGON(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))"
    where = {"coords": polygon} if path == "area" else {"bbox": BOX}

    answer = archive.get(f"/ogcapi/collections/NDVI/{path}", f="CoverageJSON", **where)

    require_told(answer)
    cells = answer.json()["ranges"]["NDVI"]
    frames = np.array(cells["values"], dtype=object).reshape(cells["shape"])
    assert all(value is None for value in frames[DAMAGED].flat)
    assert all(any(value is not None for value in frames[t].flat) for t in (0, 1, 3, 4))


@pytest.mark.quick_cases("cog-", "cube-zarr")
@pytest.mark.parametrize("format_", ["GTiff", "NetCDF", "zarr"])
def test_damaged_date_is_reported_with_files_of_several_dates(archive, format_):
    archive.damage()

    require_told(archive.get("/ogcapi/collections/NDVI/coverage", f=format_))


def test_cube_tile_leaves_the_date_out_and_is_not_immutable(archive):
    archive.damage()
    revision = archive.get("/layers/NDVI").json()["revision"]

    answer = archive.get(f"/cubes/NDVI/{tile_of(archive)}.ctc", rev=revision)

    require_told(answer)
    header = header_of(answer)
    assert (header["times"], header["unreadable"]) == (OTHERS, [INSTANT])
    assert answer.headers["chronotile-time"].split(",") == OTHERS[::-1]
    assert len(header["valid"]) == sum(block["n"] for block in header["blocks"]) == len(OTHERS)


def test_picture_of_an_interval_leaves_the_date_out(archive):
    archive.damage()
    revision = archive.get("/layers/NDVI").json()["revision"]
    span = f"{SCENE.days[0]}/{SCENE.days[-1]}"

    answer = archive.get(f"/tiles/NDVI/{tile_of(archive)}.npy", datetime=span, reducer="max", rev=revision)

    require_told(answer)
    assert answer.headers["chronotile-time"].split(",") == OTHERS[::-1]
    values = np.load(io.BytesIO(answer.content))
    numbers = np.delete(SCENE.cube(), DAMAGED, axis=0).astype(float)
    numbers[numbers == 255] = np.nan
    greatest = np.nanmax(np.where(np.isnan(numbers), -1, numbers), axis=0) * SCENE.scale + SCENE.offset
    shown = values[np.isfinite(values)]
    assert shown.size
    assert np.isin(shown.round(4), greatest.astype("float32").round(4)).all()


@pytest.mark.parametrize("service", ["wms", "map"])
def test_damaged_date_is_reported_with_maps_of_an_interval(archive, service):
    archive.damage()
    west, south, east, north = BOX.split(",")
    span = f"{SCENE.days[0]}/{SCENE.days[-1]}"

    answers = {
        "wms": lambda: archive.client.get(
            "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI,TWICE&STYLES=&CRS=CRS:84"
            f"&BBOX={BOX}&WIDTH=32&HEIGHT=32&FORMAT=image/png&TIME={span}"
        ),
        "map": lambda: archive.get(
            "/ogcapi/collections/NDVI/map", bbox=f"{west},{south},{east},{north}", datetime=span, width="32"
        ),
    }

    require_told(answers[service]())


def test_animation_leaves_the_frame_out(archive):
    archive.damage()

    answer = archive.get("/animations/NDVI.gif", bbox=BOX, width="32", height="32")

    require_told(answer)
    with Image.open(io.BytesIO(answer.content)) as film:
        assert film.n_frames == len(SCENE.days) - 1


def test_feature_info_of_an_interval_is_like_a_series(archive):
    archive.damage()

    answer = feature_info(archive, f"{SCENE.days[0]}/{SCENE.days[-1]}")

    require_told(answer)
    found = answer.json()["features"][0]["properties"]
    assert found["values"] == LACKING
    assert found["reasons"][DAMAGED] == "unreadable"
    assert found["numbers"][DAMAGED] is None


def feature_info(archive: Archive, time: str):
    box = ",".join(str(each) for each in (*place_of(ROW + 1, COLUMN - 1), *place_of(ROW - 1, COLUMN + 1)))
    return archive.client.get(
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=NDVI&QUERY_LAYERS=NDVI&STYLES=&CRS=CRS:84"
        f"&BBOX={box}&WIDTH=3&HEIGHT=3&I=1&J=1&FORMAT=image/png&INFO_FORMAT=application/json"
        f"&TIME={time}&EXCEPTIONS=XML"
    )


@pytest.mark.quick_cases("cog-", "cube-")
@pytest.mark.parametrize("path", ["tile", "cube", "coverage", "map", "animation"])
def test_picture_and_coverage_of_the_date_alone_fail(archive, path):
    archive.damage()
    tile = tile_of(archive)
    paths = {
        "tile": f"/tiles/NDVI/{tile}.png",
        "cube": f"/cubes/NDVI/{tile}.ctc",
        "coverage": "/ogcapi/collections/NDVI/coverage",
        "map": "/ogcapi/collections/NDVI/map",
        "animation": "/animations/NDVI.gif",
    }

    answer = archive.get(paths[path], datetime=DAY)

    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    assert answer.headers["retry-after"]


def test_repaired_date_is_served_immediately(archive):
    archive.damage()
    before = point(archive).headers["etag"]
    tile = tile_of(archive)
    archive.get(f"/cubes/NDVI/{tile}.ctc")
    archive.get(f"/tiles/NDVI/{tile}.npy", datetime=f"{SCENE.days[0]}/{SCENE.days[-1]}", reducer="mean")

    archive.repair()

    after = point(archive)
    assert after.json()["values"] == pytest.approx(VALUES)
    assert "warning" not in after.headers
    assert after.headers["etag"] != before
    assert header_of(archive.get(f"/cubes/NDVI/{tile}.ctc"))["times"] == [f"{day}T00:00:00Z" for day in SCENE.days]
    mean = archive.get(f"/tiles/NDVI/{tile}.npy", datetime=f"{SCENE.days[0]}/{SCENE.days[-1]}", reducer="mean")
    assert "warning" not in mean.headers
    assert archive.get(f"/tiles/NDVI/{tile}.png", datetime=DAY).status_code == 200


def test_etag_of_an_answer_without_the_date_never_matches_the_complete_one(archive):
    archive.damage()
    known = {"If-None-Match": point(archive).headers["etag"]}
    asked = {"lon": str(LONGITUDE), "lat": str(LATITUDE)}

    while_damaged = archive.client.get("/timeseries/NDVI/point", params=asked, headers=known)
    archive.repair()
    repaired = archive.client.get("/timeseries/NDVI/point", params=asked, headers=known)

    require_told(while_damaged)
    assert repaired.json()["values"] == pytest.approx(VALUES)


def test_a_chunk_of_a_zarr_store_is_never_blank(archive):
    group = archive.get("/zarr/NDVI/zarr.json").json()
    chunks = group["consolidated_metadata"]["metadata"]["NDVI"]["chunk_grid"]["configuration"]["chunk_shape"]
    path = f"/zarr/NDVI/NDVI/c/{DAMAGED // chunks[0]}/0/0"
    archive.damage()

    answer = archive.get(path)

    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    assert [each["time"] for each in archive.get("/health/ready").json()["faults"]] == [INSTANT]
    archive.repair()
    assert archive.get(path).status_code == 200


def fail_once(archive: Archive, monkeypatch) -> list[list[int]]:
    """Let the first read of several dates fail, as by an error of a disk that passes; return the dates of that read."""
    reader = type(archive.services.readers["made"])
    failed: list[list[int]] = []

    def failing_once(read):
        def wrapper(self, variable, *, indexes, **options):
            if not failed and len(indexes) > 1:
                failed.append(list(indexes))
                raise DateUnreadable("the files of layer made.NDVI cannot be read")
            return read(self, variable, indexes=indexes, **options)

        return wrapper

    monkeypatch.setattr(reader, "read_block", failing_once(reader.read_block))
    monkeypatch.setattr(reader, "read_cell", failing_once(reader.read_cell))
    return failed


@pytest.mark.parametrize(
    "path",
    [
        "/zarr/NDVI/NDVI/c/0/0/0",
        "/ogcapi/collections/NDVI/coverage?f=CoverageJSON",
        "/ogcapi/collections/NDVI/coverage?f=GTiff",
        "/cubes/NDVI/TILE.ctc",
        "/timeseries/NDVI/area?bbox=BOX",
        "/timeseries/NDVI/point?lon=LONGITUDE&lat=LATITUDE",
    ],
)
def test_a_fault_that_passes_changes_no_number(tmp_path, request, monkeypatch, path):
    write_chunks(tmp_path / "made.nc", times=len(SCENE.days))
    archive = serve(tmp_path, "kind: netcdf, href: made.nc", list, truncate, request)
    for name, value in {"BOX": BOX, "LONGITUDE": LONGITUDE, "LATITUDE": LATITUDE, "TILE": tile_of(archive)}.items():
        path = path.replace(name, str(value))
    failed = fail_once(archive, monkeypatch)

    answer = archive.client.get(path)

    assert failed == [list(range(len(SCENE.days)))]
    assert (answer.status_code, answer.headers.get("warning")) == (200, None)
    monkeypatch.undo()
    without_fault = serve(tmp_path, "kind: netcdf, href: made.nc", list, truncate, request).client.get(path)
    assert answer.content == without_fault.content
