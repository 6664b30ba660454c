"""Maps, tiles and styles in the OpenAPI document, as the standards require."""

import pytest

ORIGINS = {
    "": "dataset",
    "/styles/{styleId}": "dataset.style",
    "/collections/{collectionId}": "collection",
    "/collections/{collectionId}/styles/{styleId}": "collection.style",
}
TILE = "/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}"
PATHS = {
    **{f"{origin}/map": f".{name}.getMap" for origin, name in ORIGINS.items()},
    **{f"{origin}/map/tiles": f".{name}.map.getTileSetsList" for origin, name in ORIGINS.items()},
    **{f"{origin}/map/tiles/{{tileMatrixSetId}}": f".{name}.map.getTileSet" for origin, name in ORIGINS.items()},
    **{f"{origin}/map/tiles{TILE}": f".{name}.map.getTile" for origin, name in ORIGINS.items()},
    "/tiles": ".dataset.vector.getTileSetsList",
    "/tiles/{tileMatrixSetId}": ".dataset.vector.getTileSet",
    f"/tiles{TILE}": ".dataset.vector.getTile",
    "/tileMatrixSets": "getTileMatrixSetsList",
    "/tileMatrixSets/{tileMatrixSetId}": "getTileMatrixSet",
}


@pytest.fixture
def document(tree):
    return tree.get("/ogcapi/openapi?f=json").json()


@pytest.mark.checklist("tiles", "A.23/A.24")
@pytest.mark.checklist("maps", "A.22")
def test_operations_have_the_names_of_the_standards(document):
    found = {path: document["paths"][path]["get"]["operationId"] for path in PATHS}

    assert [path for path, name in found.items() if not name.endswith(PATHS[path])] == []
    assert len(set(found.values())) == len(found)


@pytest.mark.checklist("tiles", "A.3-A.5", "A.23/A.24")
@pytest.mark.parametrize("path", [path for path in PATHS if path.endswith("{tileCol}")])
def test_tile_is_in_the_path(document, path):
    parameters = {each["name"]: each for each in document["paths"][path]["get"]["parameters"] if each["in"] == "path"}

    assert {"tileMatrixSetId", "tileMatrix", "tileRow", "tileCol"} <= set(parameters)
    assert parameters["tileRow"]["schema"] == {"type": "integer", "minimum": 0}
    assert set(parameters) == {part.strip("{}") for part in path.split("/") if part.startswith("{")}


@pytest.mark.checklist("maps", "A.22", "parameters worth")
@pytest.mark.parametrize("path", [path for path in PATHS if path.endswith("/map")])
def test_a_map_has_the_parameters_of_the_standard(document, path):
    names = {each["name"] for each in document["paths"][path]["get"]["parameters"]}

    assert names >= {
        *("bbox", "bbox-crs", "crs", "width", "height", "scale-denominator", "mm-per-pixel", "center", "center-crs"),
        *("subset", "subset-crs", "datetime", "bgcolor", "transparent", "void-color", "void-transparent", "f"),
    }
    assert ("collections" in names) == ("collectionId" not in path)


@pytest.mark.parametrize("path", PATHS)
def test_the_example_of_every_path_is_answered(tree, document, path):
    parameters = document["paths"][path]["get"]["parameters"]
    examples = {each["name"]: each["example"] for each in parameters if each["in"] == "path"}

    assert tree.get(f"/ogcapi{path}".format(**examples)).status_code == 200


def test_without_places_there_are_no_paths_of_vector_tiles(client):
    assert "/tiles" not in client.get("/ogcapi/openapi?f=json").json()["paths"]
