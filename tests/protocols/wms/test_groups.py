"""Collections are groups of layers, which are asked for as one."""

import pytest

from tests.protocols import served
from tests.protocols.pictures import rgba_of

INFO = {"REQUEST": "GetFeatureInfo", "INFO_FORMAT": "application/json", "I": "50", "J": "50"}


def collection_of(count):
    layers = [served.make_layer(f"L{number}") for number in range(count)]
    return served.make_collection(*layers, collection_id="s2")


@pytest.fixture
def grouped(make_client):
    """A client of a group of two layers, the upper one in red, one layer that cannot be queried, and one alone."""
    lower, upper = served.make_layer("LOWER"), served.make_layer("UPPER", styles=(served.REDS, served.STEPS))
    mute = served.make_layer("MUTE", queryable=False)
    alone = served.make_layer("ALONE", collection="single")
    return make_client(
        served.make_services(
            served.make_collection(mute, lower, upper), served.make_collection(alone, collection_id="single")
        )
    )


@pytest.mark.parametrize(("count", "kind"), [(1, "image/png"), (20, "image/png"), (21, "text/xml")])
def test_a_group_has_as_many_layers_as_a_map_shows(make_client, get_map, count, kind):
    client = make_client(served.make_services(collection_of(count)))

    assert get_map(client, LAYERS="s2").headers["Content-Type"] == kind


def test_a_group_is_the_map_of_its_layers(grouped, get_map):
    group, layers = (get_map(grouped, LAYERS=names, STYLES="") for names in ("s2", "MUTE,LOWER,UPPER"))

    assert group.content == layers.content
    assert not rgba_of(group.content)[..., 1].all()


def test_a_group_is_one_of_several_names(grouped, get_map):
    mixed = get_map(grouped, LAYERS="s2,ALONE", STYLES=",reds")
    listed = get_map(grouped, LAYERS="MUTE,LOWER,UPPER,ALONE", STYLES=",,,reds")

    assert mixed.content == listed.content


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"LAYERS": "s2", "STYLES": "reds"}, "StyleNotDefined"),
        ({"LAYERS": "s2,s2,s2,s2,s2,s2,s2", "STYLES": ""}, "InvalidParameterValue"),
        ({"LAYERS": "s2", "STYLES": ",,reds"}, "InvalidParameterValue"),
    ],
    ids=["a style", "too many layers", "too many styles"],
)
def test_what_a_group_is_not(grouped, get_map, changes, code):
    assert f'code="{code}"' in get_map(grouped, **changes).text


def test_feature_info_of_a_group_has_its_layers_that_can_be_queried(grouped, get_map):
    answer = get_map(grouped, LAYERS="s2", QUERY_LAYERS="s2", STYLES="", **INFO)

    assert [each["properties"]["layer"] for each in answer.json()["features"]] == ["LOWER", "UPPER"]
