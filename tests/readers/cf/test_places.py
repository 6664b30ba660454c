"""Georeferencing of arrays: the CRS and transform that apply among those in a file, and contradictions.

CHRONOTILE_TEST_FULL=1 tries 600 random members of `tests.odd_archives.places`, else a few.
"""

from contextlib import closing

import numpy as np
import pytest
import xarray
from pyproj import CRS, Transformer

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.cf.dataset import understand
from chronotile.readers.kinds import open_source
from tests.odd_archives.places import POLE, Member, member_of
from tests.readers.fieldsets import make_cube, make_field, make_fields
from tests.sampling import IS_FULL

SPEC = SourceSpec(collection="made", kind="netcdf", href="made.nc")
SEEDS = range(600 if IS_FULL else 6)
UTM_31, UTM_35 = CRS.from_epsg(32631), CRS.from_epsg(32635)
METRES = {"units": "m", "standard_name": "projection_x_coordinate"}
ROTATED = {"units": "degrees", "standard_name": "grid_latitude"}
LATITUDES = {"units": "degrees_north", "standard_name": "latitude"}


def placed(fields, **spec):
    (variable,) = understand(
        fields, SourceSpec(collection="made", kind="netcdf", href="made.nc", **spec)
    ).variables.values()
    return variable


def severities(variable):
    return [finding.severity for finding in variable.findings if "time" not in finding.message]


def values_at(member: Member, reader) -> list[float | None]:
    grid = reader.info.variables["made"].grid
    to_grid = Transformer.from_crs("OGC:CRS84", grid.crs.definition, always_xy=True)
    cells = [grid.cell_at(*to_grid.transform(*place)) for place in member.places]
    return [
        None
        if cell is None
        else float(reader.read_window("made", index=0, level=0, window=Window.from_cell(*cell)).numbers[0, 0])
        for cell in cells
    ]


def outcome_of(member: Member, folder) -> tuple[str, list[float | None]]:
    """Return the outcome of a member, and the values at its points."""
    path = next(member.make(folder).iterdir())
    spec = SourceSpec(collection="made", kind="zarr" if path.suffix == ".zarr" else "netcdf", href=str(path))
    try:
        reader = open_source(spec)
    except UnsupportedSource:
        return "refused", list(member.values)
    with closing(reader):
        warned = any(each.severity == "warning" for each in reader.info.findings)
        return "warned" if warned else "served", values_at(member, reader)


@pytest.mark.every_case
@pytest.mark.parametrize("seed", SEEDS)
def test_random_georeferencing_is_right_or_reported(seed, tmp_path):
    member = member_of(seed)

    assert (member.title, *outcome_of(member, tmp_path)) == (member.title, member.outcome, list(member.values))


def mapping(name, **attrs):
    return make_field(name, (), 0, **attrs)


def test_unnamed_mappings_that_differ_are_refused():
    others = [mapping("a", crs_wkt=UTM_31.to_wkt()), mapping("b", crs_wkt=UTM_35.to_wkt())]

    with pytest.raises(UnsupportedSource, match="names neither; set crs: for the source"):
        understand(make_cube(crs="", x_attrs=METRES, others=others), SPEC)


def test_set_crs_decides_between_unnamed_mappings():
    others = [mapping("a", crs_wkt=UTM_31.to_wkt()), mapping("b", crs_wkt=UTM_35.to_wkt())]

    variable = placed(make_cube(crs="", x_attrs=METRES, others=others), crs="EPSG:32635")

    assert (variable.grid.crs.name, severities(variable)) == ("EPSG:32635", [])


def test_named_mapping_is_used_and_a_contradiction_warns():
    fields = make_cube(crs="EPSG:32635", grid_mapping="a", x_attrs=METRES, others=[mapping("a", **UTM_31.to_cf())])

    variable = placed(fields)

    assert (variable.grid.crs.name, severities(variable)) == ("EPSG:32631", ["warning"])


def test_latitudes_below_a_projected_mapping_are_degrees():
    fields = make_cube(crs="", grid_mapping="a", y_attrs=LATITUDES, others=[mapping("a", **UTM_31.to_cf())])

    variable = placed(fields)

    assert (variable.grid.crs.name, severities(variable)) == ("EPSG:4326", ["warning"])


@pytest.mark.parametrize("attrs", [{"x_attrs": METRES}, {"y_attrs": ROTATED}], ids=["metres", "rotated"])
def test_geographic_mapping_is_not_combined_with_others(attrs):
    fields = make_cube(crs="", grid_mapping="a", **attrs, others=[mapping("a", **CRS.from_epsg(4326).to_cf())])

    with pytest.raises(UnsupportedSource, match="states 'WGS 84', which has longitudes and latitudes"):
        understand(fields, SPEC)


def test_mapping_of_other_coordinates_is_not_used():
    others = [mapping("geo", **CRS.from_epsg(4326).to_cf()), mapping("pole", **POLE)]
    fields = make_cube(crs="", grid_mapping="geo: lat lon", y_attrs=ROTATED, others=others)

    assert placed(fields).grid.crs.definition.is_derived


def test_two_crs_of_one_mapping_that_differ_warn():
    attrs = {"crs_wkt": UTM_31.to_wkt(), "epsg_code": 32635}

    variable = placed(make_cube(crs="", grid_mapping="a", x_attrs=METRES, others=[mapping("a", **attrs)]))

    assert (variable.grid.crs.name, severities(variable)) == ("EPSG:32631", ["warning"])


def test_unknown_unit_of_coordinates_warns():
    variable = placed(make_cube(crs="EPSG:32631", x_attrs={"units": "furlong"}))

    assert severities(variable) == ["warning"]


def test_feet_become_metres():
    variable = placed(make_cube(crs="EPSG:32631", x_attrs={"units": "ft"}, y_attrs={"units": "feet"}))

    assert variable.grid.transform.a == pytest.approx(0.3048)


FEET = CRS.from_epsg(2263)
IN_FEET = {"units": "US_survey_foot"}


@pytest.mark.parametrize("spelled", [{}, {"crs_wkt": FEET.to_wkt()}], ids=["CF", "CF and crs_wkt"])
def test_false_easting_below_coordinates_in_feet_is_in_feet(spelled):
    parameters = {key: value for key, value in FEET.to_cf().items() if key != "crs_wkt"} | spelled
    x = 980_000 + 500.0 * np.arange(4)
    others = [mapping("a", **parameters)]
    variable = placed(make_cube(x=x, crs="", grid_mapping="a", x_attrs=IN_FEET, y_attrs=IN_FEET, others=others))

    grid = variable.grid
    found = Transformer.from_crs(grid.crs.definition, FEET, always_xy=True).transform(*grid.centre_of(0, 3))
    assert (found[0], severities(variable)) == (pytest.approx(x[3]), [])


def cells(latitude, longitude):
    return [
        make_field("lat", ("y", "x"), latitude, units="degrees_north"),
        make_field("lon", ("y", "x"), longitude, units="degrees_east"),
    ]


def test_index_coordinates_are_refused_with_any_crs():
    rows, columns = np.mgrid[:3, :4]
    fields = make_cube(
        x=range(4), y=range(3), crs="", x_attrs=METRES, others=cells(-30 - rows / 10 + columns / 50, 15 + columns / 10)
    )

    with pytest.raises(UnsupportedSource, match=r"its own latitude and longitude .* km from where its coordinates"):
        understand(fields, SourceSpec(collection="made", kind="netcdf", href="made.nc", crs="EPSG:32633"))


def test_coordinates_of_cells_on_a_sphere_warn():
    x, y = 500_000 + 1000.0 * np.arange(4), 5_600_000 - 1000.0 * np.arange(3)
    longitude, latitude = Transformer.from_crs(UTM_31, 4326, always_xy=True).transform(*np.meshgrid(x, y))

    variable = placed(make_cube(x=x, y=y, crs="EPSG:32631", others=cells(latitude - 0.1, longitude)))

    assert severities(variable) == ["warning"]


def test_coordinates_of_cells_that_agree_are_no_finding():
    x, y = 500_000 + 1000.0 * np.arange(40), 5_600_000 - 1000.0 * np.arange(30)
    longitude, latitude = Transformer.from_crs(UTM_31, 4326, always_xy=True).transform(*np.meshgrid(x, y))

    variable = placed(
        make_cube(x=x, y=y, crs="EPSG:32631", others=cells(latitude.astype("f4"), longitude.astype("f4")))
    )

    assert severities(variable) == []


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("attrs", "box"),
    [
        ({}, (500_000, 5_600_000, 504_000, 5_600_600)),
        ({"spatial:registration": "pixel"}, (500_000, 5_600_000, 504_000, 5_600_600)),
        # From the first centre to the last.
        ({"spatial:registration": "node"}, (500_500, 5_600_100, 503_500, 5_600_500)),
    ],
    ids=["default", "pixel", "node"],
)
def test_box_of_a_group_alone_is_the_extent_of_its_array(tmp_path, version, attrs, box):
    numbers = np.arange(12, dtype="uint8").reshape(3, 4)
    attributes = {"proj:code": "EPSG:32631", "spatial:bbox": list(box), **attrs}
    made = xarray.Dataset({"made": (("y", "x"), numbers)}, attrs=attributes)
    made.to_zarr(tmp_path / "made.zarr", zarr_format=version, consolidated=False)

    with closing(open_source(SourceSpec(collection="made", kind="zarr", href=str(tmp_path / "made.zarr")))) as reader:
        grid = reader.info.variables["made"].grid

    centres = [grid.centre_of(row, column) for row, column in np.ndindex(3, 4)]
    assert (grid.height, grid.width) == (3, 4)
    np.testing.assert_allclose(centres, [(x, y) for y in (5_600_500, 5_600_300, 5_600_100)
                                         for x in (500_500, 501_500, 502_500, 503_500)])  # fmt: skip


@pytest.mark.parametrize("box", [(0, 10, 4, 10), (4, 0, 0, 3), (0, 3, 4, 0)], ids=["no height", "turned x", "turned y"])
def test_box_without_extent_or_with_turned_sides_gives_no_cells(box):
    fields = make_fields(make_field("made", ("y", "x"), np.zeros((3, 4)), crs="EPSG:32631"), **{"spatial:bbox": box})

    with pytest.raises(UnsupportedSource):
        understand(fields, SPEC)
