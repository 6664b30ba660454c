"""Tile matrix sets by name and from files."""

import json

import morecantile
import pytest

from chronotile.catalog.tile_matrix_sets import MAX_FILE_BYTES, load_tile_matrix_set
from chronotile.core.errors import InvalidParameter

SERVED = [name for name in morecantile.tms.list() if not morecantile.tms.get(name).is_variable]


def named(name):
    return load_tile_matrix_set(name, folder=None)


@pytest.fixture
def from_file(tmp_path):
    """Return `from_file(**changes)`: EuropeanETRS89_LAEAQuad as a file with changed members."""

    def read(**changes):
        document = json.loads(morecantile.tms.get("EuropeanETRS89_LAEAQuad").model_dump_json(exclude_none=True))
        text = json.dumps({key: value for key, value in {**document, **changes}.items() if value is not None})
        (tmp_path / "set.json").write_text(text)
        return load_tile_matrix_set("set.json", folder=tmp_path)

    return read


@pytest.mark.parametrize("name", SERVED)
def test_corners_and_cells_are_morecantiles(name):
    ours, theirs = named(name), morecantile.tms.get(name)

    assert [(each.left, each.top) for each in ours.matrices] == [theirs._matrix_origin(m) for m in theirs.tileMatrices]
    assert [each.cell_size for each in ours.matrices] == [matrix.cellSize for matrix in theirs.tileMatrices]
    assert [each.id for each in ours.matrices] == [matrix.id for matrix in theirs.tileMatrices]


@pytest.mark.parametrize("name", SERVED)
def test_tile_bounds_equal_those_of_morecantile(name):
    ours, theirs = named(name), morecantile.tms.get(name)
    matrix = ours.matrices[2]
    row, column = matrix.matrix_height // 2, matrix.matrix_width // 2

    box = ours.tile_grid(matrix, row=row, column=column).bbox

    assert tuple(box) == pytest.approx(
        tuple(theirs.xy_bounds(morecantile.Tile(column, row, int(matrix.id)))), abs=1e-6 * matrix.cell_size
    )


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("WebMercatorQuad", 559082264.0287178),
        ("WorldCRS84Quad", 279541132.0143589),
        ("WGS1984Quad", 279541132.0143589),
        ("CanadianNAD83_LCC", 38364.6600626534 / 0.00028),
    ],
)
def test_scales_count_pixels_of_a_quarter_millimetre(name, scale):
    assert named(name).matrices[0].scale_denominator == pytest.approx(scale, rel=1e-15)


@pytest.mark.parametrize("name", SERVED)
def test_only_web_mercator_has_a_well_known_scale_set(name):
    google = "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible"

    assert named(name).well_known_scale_set == (google if name == "WebMercatorQuad" else None)


def test_a_geographic_set_that_begins_with_one_tile_is_annex_es(from_file):
    sizes = [360 / 256 / 2**level for level in range(3)]
    matrices = [
        {"id": str(level), "scaleDenominator": 1, "cellSize": size, "pointOfOrigin": [-180, 180], "tileWidth": 256,
         "tileHeight": 256, "matrixWidth": 2**level, "matrixHeight": 2**level}
        for level, size in enumerate(sizes)
    ]  # fmt: skip

    found = from_file(crs="http://www.opengis.net/def/crs/OGC/1.3/CRS84", orderedAxes=None, tileMatrices=matrices)

    assert found.well_known_scale_set == "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad"


def test_a_set_that_skips_a_level_is_not_annex_es(from_file):
    mercator = json.loads(morecantile.tms.get("WebMercatorQuad").model_dump_json(exclude_none=True))
    matrices = [matrix for matrix in mercator["tileMatrices"] if matrix["id"] != "3"]

    assert from_file(**{**mercator, "tileMatrices": matrices}).well_known_scale_set is None


@pytest.mark.parametrize("name", ["EPSG:3857", "EPSG:900913", "GoogleMapsCompatible"])
def test_web_mercator_has_other_names(name):
    assert named(name) is named("WebMercatorQuad")
    assert name in named("WebMercatorQuad").aliases


def test_a_file_gives_the_set_that_it_holds(from_file):
    found = from_file(id="Ours", title="Our grid")

    assert (found.id, found.title, found.crs.name) == ("Ours", "Our grid", "EPSG:3035")
    assert found.matrices == named("EuropeanETRS89_LAEAQuad").matrices


@pytest.mark.parametrize("axes", [["Y", "X"], None, ["N", "E"], ["Northing", "Easting"]])
def test_corners_follow_the_named_axes_or_the_crs(from_file, axes):
    matrix = from_file(orderedAxes=axes).matrices[0]

    assert (matrix.left, matrix.top) == (2_000_000, 5_500_000)


def test_corners_written_x_first_are_read_so(from_file):
    matrices = [
        {"id": "0", "scaleDenominator": 1, "cellSize": 10, "pointOfOrigin": [2_000_000, 5_500_000], "tileWidth": 256,
         "tileHeight": 256, "matrixWidth": 1, "matrixHeight": 1}
    ]  # fmt: skip

    matrix = from_file(orderedAxes=["X", "Y"], tileMatrices=matrices).matrices[0]

    assert (matrix.left, matrix.top) == (2_000_000, 5_500_000)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tileMatrices": None}, "set.json is not a tile matrix set: tileMatrices: Field required"),
        ({"tileMatrices": []}, "EuropeanETRS89_LAEAQuad has no tile matrix"),
        ({"supportedCRS": "x"}, "set.json is not a tile matrix set: Tile Matrix Set must be version 2.0"),
        ({"crs": "EPSG:0"}, "set.json is not a tile matrix set"),
    ],
)
def test_a_file_that_holds_no_set_is_refused(from_file, changes, reason):
    with pytest.raises(InvalidParameter, match=reason):
        from_file(**changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cellSize": 0}, "cellSize is not positive"),
        ({"cornerOfOrigin": "bottomLeft"}, "counts rows from the bottom"),
        ({"variableMatrixWidths": [{"coalesce": 2, "minTileRow": 0, "maxTileRow": 0}]}, "matrices of variable width"),
    ],
)
def test_matrices_that_are_not_served_are_refused(from_file, changes, reason):
    matrix = {"id": "0", "scaleDenominator": 1, "cellSize": 10, "pointOfOrigin": [0, 0], "tileWidth": 256,
              "tileHeight": 256, "matrixWidth": 1, "matrixHeight": 1}  # fmt: skip

    with pytest.raises(InvalidParameter, match=reason):
        from_file(tileMatrices=[{**matrix, **changes}])


def test_matrices_go_from_coarse_to_fine(from_file):
    matrices = [
        {"id": str(level), "scaleDenominator": 1, "cellSize": 10, "pointOfOrigin": [0, 0], "tileWidth": 256,
         "tileHeight": 256, "matrixWidth": 1, "matrixHeight": 1}
        for level in range(2)
    ]  # fmt: skip

    with pytest.raises(InvalidParameter, match="do not go from coarse to fine"):
        from_file(tileMatrices=matrices)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not valid JSON"),
        (b"\xff", "is not valid JSON"),
        (b"[]", "does not contain a JSON object"),
        (b"{}", "is not a tile matrix set"),
        (b"[" * 100_000, "is not valid JSON"),
        (b" " * (MAX_FILE_BYTES + 1), "is larger than"),
    ],
    ids=["empty", "bytes", "list", "object", "deep", "large"],
)
def test_a_file_that_is_something_else_is_refused(tmp_path, content, reason):
    (tmp_path / "set.json").write_bytes(content)

    with pytest.raises(InvalidParameter, match=reason) as caught:
        load_tile_matrix_set("set.json", folder=tmp_path)

    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["GNOSISGlobalGrid", "CDB1GlobalGrid"])
def test_sets_of_variable_width_are_refused(name):
    with pytest.raises(InvalidParameter, match="variable width"):
        named(name)
