"""Layers in the lists of both XML services."""

from dataclasses import replace

from affine import Affine

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext, collection_entries
from tests.protocols import served


def telling(*collections):
    return CapabilitiesContext(services=served.make_services(*collections), base="http://example.org", language="nl")


def test_texts_are_in_the_language_of_the_reader():
    layer = served.make_layer(title={"en": "Greenness", "nl": "Groenheid"}, abstract={"": "Both"})

    (collection,) = collection_entries(telling(served.make_collection(layer)))

    assert [(entry.title, entry.abstract) for entry in collection.layers] == [("Groenheid", "Both")]


def test_layer_without_a_title_has_its_name():
    (collection,) = collection_entries(telling(served.make_collection(served.make_layer(title={}), title={})))

    assert (collection.title, collection.layers[0].title) == ("s2", "NDVI")


def test_layer_without_a_place_on_earth_is_not_listed():
    """Ten thousand earth radii from the projection centre, no point has a longitude."""
    nowhere = NativeGrid(crs=crs_of("EPSG:3035"), transform=Affine(100, 0, 9e12, 0, -100, 9e12), width=10, height=10)
    layers = (served.make_layer(), served.make_layer("FAR", variable=served.make_variable("FAR", grid=nowhere)))
    collection = replace(served.make_collection(layers[0]), layers=layers)

    names = [entry.name for entry in collection_entries(telling(collection))[0].layers]

    assert names == ["NDVI"]


def test_collection_whose_layers_are_nowhere_is_not_listed():
    nowhere = NativeGrid(crs=crs_of("EPSG:3035"), transform=Affine(100, 0, 9e12, 0, -100, 9e12), width=10, height=10)
    layer = served.make_layer(variable=served.make_variable(grid=nowhere))
    collection = replace(served.make_collection(), layers=(layer,), bbox=BBox(0, 0, 1, 1))

    assert collection_entries(telling(collection)) == ()


def test_only_the_first_style_is_the_default():
    (collection,) = collection_entries(telling(served.make_collection()))

    assert [(style.name, style.is_default) for style in collection.layers[0].styles] == [
        ("steps", True),
        ("reds", False),
    ]
