"""Parameters and reference systems of CoverageJSON."""

import dataclasses

import pytest
from covjson_pydantic.parameter import Parameter
from covjson_pydantic.reference_system import ReferenceSystemConnectionObject

from chronotile.core.model.space.crs import crs_of
from chronotile.pipeline.encoders.covjson_parts import i18n, layer_parameter, reference_systems
from tests.protocols import served

SYSTEMS = {
    "CRS:84": (["x", "y"], "GeographicCRS", "http://www.opengis.net/def/crs/OGC/1.3/CRS84"),
    "EPSG:4326": (["y", "x"], "GeographicCRS", "http://www.opengis.net/def/crs/EPSG/0/4326"),
    "EPSG:3035": (["y", "x"], "ProjectedCRS", "http://www.opengis.net/def/crs/EPSG/0/3035"),
    "EPSG:32631": (["x", "y"], "ProjectedCRS", "http://www.opengis.net/def/crs/EPSG/0/32631"),
    "+proj=sinu +R=6371007.181": (["x", "y"], "ProjectedCRS", None),
}


@pytest.mark.parametrize(("name", "expected"), SYSTEMS.items(), ids=SYSTEMS)
def test_axes_are_referenced_in_the_order_of_the_crs(name, expected):
    (spatial,) = reference_systems(crs_of(name), has_time=False)

    ReferenceSystemConnectionObject.model_validate(spatial)
    assert (spatial["coordinates"], spatial["system"]["type"], spatial["system"].get("id")) == expected


def test_time_is_gregorian():
    _spatial, temporal = reference_systems(crs_of("CRS:84"), has_time=True)

    assert temporal == {"coordinates": ["t"], "system": {"type": "TemporalRS", "calendar": "Gregorian"}}


def test_quantity_has_its_unit_and_its_name_in_cf():
    variable = dataclasses.replace(
        served.make_variable("LAI", units="m2 m-2"), standard_name="leaf_area_index", title="leaf area"
    )
    told = layer_parameter(served.make_layer("LAI", variable=variable, title={"": "Leaf area", "nl": "Bladoppervlak"}))

    Parameter.model_validate(told)
    assert told["unit"] == {"symbol": {"value": "m2 m-2", "type": "http://www.opengis.net/def/uom/UCUM/"}}
    assert told["observedProperty"] == {
        "id": "http://vocab.nerc.ac.uk/standard_name/leaf_area_index/",
        "label": {"en": "Leaf area", "nl": "Bladoppervlak"},
    }


def test_categories_replace_the_unit():
    variable = dataclasses.replace(served.make_variable("CROP"), is_categorical=True, classes=served.CROPS[:2])

    told = layer_parameter(served.make_layer("CROP", variable=variable))

    Parameter.model_validate(told)
    assert told["categoryEncoding"] == {"#0": 0, "#1": 1}
    assert told["observedProperty"]["categories"][1] == {"id": "#1", "label": {"en": "crop 1"}}
    assert "unit" not in told


def test_means_of_categories_are_numbers():
    variable = dataclasses.replace(served.make_variable("CROP"), is_categorical=True, classes=served.CROPS[:2])

    told = layer_parameter(served.make_layer("CROP", variable=variable), method="mean")

    assert told["measurementType"] == {"method": "mean"}
    assert "categoryEncoding" not in told


@pytest.mark.parametrize(
    ("texts", "expected"),
    [({"": "a"}, {"en": "a"}), ({"": "a", "en": "b"}, {"en": "b"}), ({"nl": "c"}, {"nl": "c"}), ({"": ""}, {})],
)
def test_text_for_any_language_is_used_for_english(texts, expected):
    assert i18n(texts) == expected
