"""Cube tiles of closed years as files: complete, resumable, of one revision, and sent unchanged."""

import dataclasses
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.durable_files import Disk
from chronotile.core.errors import InvalidParameter, UnknownLayer, UnknownTileMatrixSet, WriteFailed
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import NO_TIME
from chronotile.optimise.cube_tiles import CubeOptions, parse_span, write_cubes
from chronotile.pipeline.caches.cube_tiles import PrebuiltCubeTiles
from chronotile.pipeline.services import make_caches
from tests.ctc1 import decode_cube
from tests.protocols import served

DAYS = served.days_of("2018-06-01", "2018-08-01", "2019-06-01", "2019-08-01", "2020-02-01")
NOW = np.datetime64("2020-03-01", "ns")
NDVI = served.make_layer(variable=served.make_variable(times=DAYS))
STATIC = served.make_layer("HEIGHT", variable=served.make_variable("HEIGHT", times=NO_TIME))
TOWN = served.make_layer("TOWN", variable=served.make_variable("TOWN", times=DAYS))
TILTED = served.make_layer(
    "TILTED",
    variable=served.make_variable(
        "TILTED",
        times=DAYS,
        grid=NativeGrid(
            crs=crs_of("EPSG:3035"), transform=Affine(100, 0, 3_000_000, 0, -100, 3_000_000), width=100, height=100
        ),
    ),
)
"""A grid whose corners in Mercator are not corners of cells."""
TILE = Path("NDVI", "WebMercatorQuad", "9", "263", "171")
OPTIONS = CubeOptions(layers=("NDVI",), zooms=(9, 9), threads=1)


@pytest.fixture
def services():
    """Return services over two closed years and an open one."""
    return served.make_services(served.make_collection(NDVI, TOWN, TILTED, STATIC, served.make_composite()), now=NOW)


@pytest.fixture
def write(services, tmp_path):
    """Return `write(**options)`: the report of a run into the folder `cubes`."""

    def run(*, disk=None, **given):
        options = dataclasses.replace(OPTIONS, **given)
        return write_cubes(services, tmp_path / "cubes", options, progress=lambda _what, _share: None, disk=disk)

    return run


@pytest.fixture
def make_client(services, tmp_path, at_end):
    """Return `make_client()`: a client of a server that has the folder."""

    def make() -> TestClient:
        written = PrebuiltCubeTiles(tmp_path / "cubes")
        caches = make_caches(payload_bytes=0, written_cubes=written)
        app = application(dataclasses.replace(services, caches=caches))
        return at_end.enter_context(TestClient(app))

    return make


def files(tmp_path) -> list[Path]:
    return sorted(path.relative_to(tmp_path / "cubes") for path in (tmp_path / "cubes").rglob("*.ctc.gz"))


def cube_in(tmp_path, name: str):
    return decode_cube(zlib.decompress((tmp_path / "cubes" / TILE / name).read_bytes(), 31))


def test_each_closed_year_of_each_tile_has_a_file_of_either_resolution(write, tmp_path):
    write()

    assert [path.name for path in files(tmp_path) if path.parent == TILE] == [
        f"{year}-res{res}.ctc.gz" for year in (2018, 2019) for res in (1, 2)
    ]


def test_at_the_native_zoom_there_are_files_of_native_cells_too(write, make_client, tmp_path):
    write(layers=("TILTED",), zooms=None)

    cells = [path for path in files(tmp_path) if path.name.endswith("-cells.ctc.gz")]
    zooms = {path.parts[2] for path in files(tmp_path)}
    assert {path.parts[2] for path in cells} == {max(zooms, key=int)}
    _layer, tms, z, x, y, name = cells[0].parts
    answer = make_client().get(f"/cubes/TILTED/{tms}/{z}/{x}/{y}.ctc?datetime={name[:4]}&cells=1")
    assert decode_cube(answer.content).header["cells"]
    assert zlib.decompress((tmp_path / "cubes" / cells[0]).read_bytes(), 31) == answer.content


def test_files_hold_the_dates_of_their_year(write, tmp_path):
    write()

    header = cube_in(tmp_path, "2019-res2.ctc.gz").header
    assert header["times"] == ["2019-06-01T00:00:00Z", "2019-08-01T00:00:00Z"]
    assert (header["res"], header["x"], header["y"], header["z"]) == (2, 263, 171, 9)


def test_files_equal_the_answers_of_the_server(write, services, tmp_path):
    write()

    answer = (
        TestClient(application(services)).__enter__().get("/cubes/NDVI/WebMercatorQuad/9/263/171.ctc?datetime=2018")
    )

    assert zlib.decompress((tmp_path / "cubes" / TILE / "2018-res1.ctc.gz").read_bytes(), 31) == answer.content


def test_zooms_years_and_layers_limit_the_written_files(write, tmp_path):
    write(layers=("TOWN",), zooms=(7, 8), years=(2019, 2020))

    paths = files(tmp_path)
    assert {path.parts[0] for path in paths} == {"TOWN"}
    assert {path.parts[2] for path in paths} == {"7", "8"}
    assert {path.name[:4] for path in paths} == {"2019"}


def test_all_layers_with_values_and_times_are_written_by_default(write, tmp_path):
    write(layers=(), zooms=(7, 7))

    assert {path.parts[0] for path in files(tmp_path)} == {"NDVI", "TOWN", "TILTED"}


def test_levels_up_to_the_native_zoom_are_written_by_default(write, tmp_path):
    write(zooms=None, years=(2018, 2018))

    assert max(int(path.parts[2]) for path in files(tmp_path)) == 10


def test_a_second_run_writes_nothing(write):
    first = write()

    second = write()

    assert first.written > 0
    assert (second.written, second.existing, second.removed) == (0, first.written, 0)


def test_interrupted_run_is_continued(write, tmp_path):
    first = write()
    for path in files(tmp_path)[::2]:
        (tmp_path / "cubes" / path).unlink()

    second = write()

    assert second.written + second.existing == first.written
    assert len(files(tmp_path)) == first.written


@pytest.mark.parametrize("puts", range(1, 8))
def test_files_are_complete_and_of_the_stated_revision_after_any_interruption(write, services, tmp_path, puts):
    class Breaking(Disk):
        left = puts

        def put(self, path, data):
            Breaking.left -= 1
            if Breaking.left < 0:
                raise OSError(28, "No space left on device")
            super().put(path, data)

    write()
    services.readers["s2"].replaced[0] = "r2"
    with pytest.raises(WriteFailed, match="No space left"):
        write(disk=Breaking())

    told = json.loads((tmp_path / "cubes" / "cubes.json").read_text())["layers"]["NDVI"]
    found = {
        decode_cube(zlib.decompress((tmp_path / "cubes" / path).read_bytes(), 31)).header["rev"]
        for path in files(tmp_path)
        if path.name.startswith("2018-res2")
    }
    assert found <= {told.get("2018")}
    assert list((tmp_path / "cubes").rglob("*.part")) == []


def test_year_with_a_rewritten_date_is_written_again(write, services, tmp_path):
    first = write()
    services.readers["s2"].replaced[1] = "r2"

    second = write()

    assert (second.removed, second.written, second.existing) == (first.written // 2,) * 3
    assert len(files(tmp_path)) == first.written


def test_new_date_of_the_open_year_leaves_closed_years_unchanged(write, services):
    write()
    services.readers["s2"].replaced[4] = "r2"

    assert write().written == 0


def test_tiles_without_a_pixel_have_no_file(write, tmp_path):
    report = write(layers=("TILTED",), zooms=(14, 14), years=(2018, 2018))

    assert report.empty > 0
    assert report.written == len(files(tmp_path))


def test_tiles_without_a_pixel_are_remembered(write, services, tmp_path):
    asked = {"layers": ("TILTED",), "zooms": (14, 14), "years": (2018, 2018)}
    first = write(**asked)
    (names,) = (tmp_path / "cubes").rglob("*-empty.txt")
    services.readers["s2"].windows_read.clear()

    second = write(**asked)

    assert (second.written, second.existing, second.empty) == (0, first.written, first.empty)
    assert len(names.read_text().splitlines()) == first.empty
    assert services.readers["s2"].windows_read == []


@pytest.mark.parametrize(
    "end", [*(pytest.param(each, marks=pytest.mark.slow) for each in ("", "1", "14/1")), "14/8413/54"]
)
def test_interrupted_list_of_empty_tiles_is_continued(write, tmp_path, end):
    asked = {"layers": ("TILTED",), "zooms": (14, 14), "years": (2018, 2018)}
    first = write(**asked)
    (names,) = (tmp_path / "cubes").rglob("*-empty.txt")
    whole = names.read_text().splitlines(keepends=True)
    names.write_text("".join(whole[:3]) + end)

    second = write(**asked)

    assert (second.written, second.existing, second.empty) == (0, first.written, first.empty)
    assert sorted(names.read_text().splitlines()) == sorted([*map(str.strip, whole), *filter(None, [end])])


def test_empty_tiles_are_checked_again_after_a_date_was_rewritten(write, services, tmp_path):
    asked = {"layers": ("TILTED",), "zooms": (14, 14), "years": (2018, 2018)}
    first = write(**asked)
    services.readers["s2"].replaced[0] = "r2"

    second = write(**asked)

    assert (second.written, second.existing, second.empty) == (first.written, 0, first.empty)


def redefined(services):
    """Services whose tiles of WebMercatorQuad have half as many pixels along a side."""
    (quad, *others) = services.catalogue.tile_matrix_sets
    half = {"tile_width": 128, "tile_height": 128}
    matrices = tuple(dataclasses.replace(each, cell_size=2 * each.cell_size, **half) for each in quad.matrices)
    sets = (dataclasses.replace(quad, matrices=matrices), *others)
    return dataclasses.replace(services, catalogue=dataclasses.replace(services.catalogue, tile_matrix_sets=sets))


def test_files_of_another_grid_of_the_same_name_are_not_sent(write, services, tmp_path):
    write()
    other = redefined(services)
    caches = make_caches(payload_bytes=0, written_cubes=PrebuiltCubeTiles(tmp_path / "cubes"))

    with TestClient(application(dataclasses.replace(other, caches=caches))) as client:
        answer = client.get("/cubes/NDVI/WebMercatorQuad/9/263/171.ctc?datetime=2019")

    assert decode_cube(answer.content).header["w"] == 128


def test_files_of_another_grid_are_written_again(write, services, tmp_path):
    first = write()

    second = write_cubes(redefined(services), tmp_path / "cubes", OPTIONS, progress=lambda _what, _share: None)

    assert (second.removed, second.written, second.existing) == (first.written, first.written, 0)
    assert cube_in(tmp_path, "2019-res1.ctc.gz").header["w"] == 128


def test_year_with_too_many_values_is_skipped_with_a_note(services, tmp_path):
    limits = services.catalogue.limits.model_copy(update={"max_cube_values": 65_536})
    small = dataclasses.replace(services, catalogue=dataclasses.replace(services.catalogue, limits=limits))

    report = write_cubes(small, tmp_path / "cubes", OPTIONS, progress=lambda _what, _share: None)

    assert (report.written, len(report.notes)) == (0, 2)
    assert "NDVI 2018 is left out: max_cube_values" in "\n".join(report.lines())


def test_nothing_is_written_without_a_closed_year_and_this_is_reported(write, tmp_path):
    report = write(years=(2020, 2030))

    assert "no closed year" in "\n".join(report.lines())
    assert not (tmp_path / "cubes").exists()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"layers": ("NOTHING",)}, UnknownLayer),
        ({"layers": ("TRUE_COLOUR",)}, InvalidParameter),
        ({"tile_matrix_set": "Nowhere"}, UnknownTileMatrixSet),
        ({"zooms": (0, 99)}, InvalidParameter),
    ],
    ids=str,
)
def test_unserved_layer_is_refused(write, options, error):
    with pytest.raises(error):
        write(**options)


@pytest.mark.parametrize(
    ("text", "span"), [("7", (7, 7)), ("5-11", (5, 11)), ("2018-2020", (2018, 2020)), (None, None)]
)
def test_spans_are_a_number_or_two(text, span):
    assert parse_span(text, locator="zooms") == span


@pytest.mark.parametrize("text", ["", "a", "5-", "-5", "9-5", "1-2-3", "5..7", "12345"])
def test_other_spans_are_refused(text):
    with pytest.raises(InvalidParameter, match="--zooms"):
        parse_span(text, locator="zooms")


@pytest.mark.parametrize("query", ["datetime=2019", "datetime=2019-01-01/2019-12-31&res=1", "datetime=2019&rev=x"])
def test_a_whole_year_is_sent_from_its_file_without_reading_a_pixel(write, make_client, services, tmp_path, query):
    write()
    client = make_client()
    services.readers["s2"].windows_read.clear()

    with client.stream("GET", f"/cubes/NDVI/WebMercatorQuad/9/263/171.ctc?{query}") as answer:
        raw = b"".join(answer.iter_raw())

    assert raw == (tmp_path / "cubes" / TILE / "2019-res1.ctc.gz").read_bytes()
    assert (answer.headers["content-encoding"], services.readers["s2"].windows_read) == ("gzip", [])


def test_file_has_the_validator_of_a_computed_answer(write, make_client, services):
    url = "/cubes/NDVI/WebMercatorQuad/9/263/171.ctc?datetime=2019&res=2"
    made = make_client().get(url)

    write()

    sent = make_client().get(url)
    assert (sent.headers["etag"], sent.content) == (made.headers["etag"], made.content)
    assert make_client().get(url, headers={"if-none-match": sent.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("query", ["datetime=2019-06", "datetime=2020", "datetime=2018/2019"])
def test_other_answers_are_computed(write, make_client, services, query):
    write()
    client = make_client()
    services.readers["s2"].windows_read.clear()

    assert client.get(f"/cubes/NDVI/WebMercatorQuad/9/263/171.ctc?{query}").status_code == 200
    assert services.readers["s2"].windows_read != []


def test_a_file_of_another_revision_is_not_sent(write, make_client, services):
    write()
    services.readers["s2"].replaced[2] = "r2"
    client = make_client()
    services.readers["s2"].windows_read.clear()

    client.get("/cubes/NDVI/WebMercatorQuad/9/263/171.ctc?datetime=2019")

    assert services.readers["s2"].windows_read != []


def test_files_written_while_the_server_runs_are_sent(write, make_client, services):
    client = make_client()
    client.get("/cubes/NDVI/WebMercatorQuad/9/263/171.ctc?datetime=2019")

    write()
    services.readers["s2"].windows_read.clear()

    client.get("/cubes/NDVI/WebMercatorQuad/9/263/171.ctc?datetime=2019")
    assert services.readers["s2"].windows_read == []


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "{",
        "7",
        '{"format": "chronotile-cubes", "version": 3, "layers": {}, "tile_matrix_sets": {}}',
        '{"format": "chronotile-cubes", "version": 2}',
        '{"format": "chronotile-cubes", "version": 2, "layers": {}}',
        '{"format": "chronotile-cubes", "version": 2, "layers": [], "tile_matrix_sets": {}}',
        '{"format": "chronotile-cubes", "version": 2, "layers": {}, "tile_matrix_sets": 7}',
        '{"format": "chronotile-cubes", "version": 2, "layers": {"NDVI": 7}, "tile_matrix_sets": {}}',
        '{"format": "chronotile-cubes", "version": 2, "layers": {"NDVI": {"a": "b"}}, "tile_matrix_sets": {}}',
    ],
)
def test_empty_manifest_counts_as_absent(write, make_client, services, tmp_path, manifest):
    write()
    (tmp_path / "cubes" / "cubes.json").write_text(manifest)

    assert make_client().get("/cubes/NDVI/WebMercatorQuad/9/263/171.ctc?datetime=2019").status_code == 200
