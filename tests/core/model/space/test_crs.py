"""CRS with y before x: known systems by hand, all of EPSG compared with PROJ."""

import warnings
from collections.abc import Callable

import pytest
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfUse
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import ProjError

from chronotile.core.model.space.crs import crs_of, is_north_first

KNOWN = {
    "EPSG:4326": True,
    "CRS:84": False,
    "EPSG:3857": False,
    "EPSG:32631": False,
    "EPSG:3035": True,  # LAEA Europe: northing, easting
    "EPSG:2180": True,  # Poland: northing is called x
    "EPSG:31467": True,  # Gauss-Krueger
    "EPSG:3031": False,  # Antarctic: both axes north, easting first
    "EPSG:3413": False,  # Arctic: both axes south
    "EPSG:5041": False,  # UPS North (E,N)
    "EPSG:32661": True,  # UPS North (N,E)
    "EPSG:5042": False,  # UPS South (E,N)
    "EPSG:32761": True,  # UPS South (N,E)
    "EPSG:5482": True,  # Ross Sea: northing from the pole, then easting
    "EPSG:9707": True,  # WGS 84 + EGM96 height: compound
}
HORIZONTAL = [
    *(PJType.GEOGRAPHIC_2D_CRS, PJType.GEOGRAPHIC_3D_CRS, PJType.PROJECTED_CRS, PJType.COMPOUND_CRS),
    PJType.DERIVED_PROJECTED_CRS,
]


@pytest.mark.parametrize(("name", "expected"), KNOWN.items(), ids=KNOWN)
def test_registered_crs_has_its_axis_order(name, expected):
    assert is_north_first(crs_of(name)) is expected


def test_crs_of_proj_text_is_east_first():
    assert not is_north_first(crs_of("+proj=laea +lat_0=52 +lon_0=10 +type=crs"))


def test_bound_crs_has_the_order_of_its_source():
    definition = "+proj=longlat +ellps=bessel +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7 +type=crs"

    assert not is_north_first(crs_of(definition))


def longitude_first(definition: CRS) -> CRS:
    """Return the geographic CRS `definition` with longitude before latitude, independent of EPSG."""
    members = definition.to_2d().to_json_dict()
    members["coordinate_system"]["axis"].sort(key=lambda axis: axis["direction"] != "east")
    members.pop("id", None)
    return CRS.from_json_dict(members)


def transforms_to(definition: CRS) -> tuple[Callable, Callable]:
    """Two functions of longitude and latitude: coordinates as the CRS defines them, and normalised by PROJ."""
    source = longitude_first(definition) if definition.is_geographic else definition.geodetic_crs
    as_defined = Transformer.from_crs(source, definition)
    x_first = Transformer.from_crs(source, definition, always_xy=True)
    is_longitude_first = source.axis_info[0].direction == "east"
    return (
        lambda lon, lat: as_defined.transform(*((lon, lat) if is_longitude_first else (lat, lon)), errcheck=True),
        lambda lon, lat: x_first.transform(lon, lat, errcheck=True),
    )


def proj_swaps(definition: CRS) -> bool | None:
    """Return whether PROJ's normalisation swaps the axes; `None` if no point of the area of use shows it."""
    area = definition.area_of_use or AreaOfUse(-180, -90, 180, 90)
    try:
        as_defined, x_first = transforms_to(definition)
    except ProjError:
        return None
    for share in (0.6, 0.3, 0.45):
        lon = area.west + share * (area.east - area.west)
        lat = area.south + (share + 0.07) * (area.north - area.south)
        try:
            first, second = as_defined(lon, lat)[:2]
            x, y = x_first(lon, lat)[:2]
        except ProjError:
            continue
        if abs(x - y) > 1e-9:
            return (first, second) == (y, x)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", HORIZONTAL, ids=lambda kind: kind.name)
def test_axis_rule_equals_that_of_proj_over_all_of_epsg(kind):
    codes = [info.code for info in query_crs_info(auth_name="EPSG", pj_types=kind, allow_deprecated=True)]
    codes = codes[:: 8 if kind is PJType.COMPOUND_CRS else 1]  # slow, and ordered by their first component alone

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = {code: proj_swaps(CRS.from_epsg(int(code))) for code in codes}
        ours = {code: is_north_first(crs_of(f"EPSG:{code}")) for code in codes}

    assert {code for code, swaps in told.items() if swaps is not None and swaps != ours[code]} == set()
    assert sum(swaps is not None for swaps in told.values()) >= 0.98 * len(codes)
