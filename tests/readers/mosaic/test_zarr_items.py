"""Items whose assets are Zarr products of EOPF: stores, groups and arrays of them."""

from functools import partial

import numpy as np
import pytest

from chronotile.core.model.items import Asset
from chronotile.core.model.source import ItemsSpec, SourceSpec, VariableSpec
from chronotile.readers.mosaic.kind import open_asset
from chronotile.readers.mosaic.source import open_mosaic
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.fields import is_zarr, zarr_place
from chronotile.readers.stac.items import item_of
from tests.readers.mosaic.brute_index import BruteIndex
from tests.readers.stac.documents import item, polygon
from tests.readers.zarr.products import CODE, NORTH, RESOLUTIONS, SIDE_M, WEST, classes_of, numbers_of, write_product

CORNERS = [[4.438877, 51.442352], [4.452681, 51.442112], [4.452295, 51.433485], [4.438494, 51.433725]]
"""Corners of the products, in longitude and latitude."""
VARIABLES = (
    VariableSpec(id="RED", asset="product", name="measurements/reflectance/r10m/b04"),
    VariableSpec(id="NIR", asset="B08_10m"),
    VariableSpec(id="SWIR", asset="SR_20m", name="b11"),
    VariableSpec(id="scl", asset="product"),
)


def asset_of(place):
    """Return an asset of a store, or of a group or array in it."""
    return {"href": place, "type": "application/vnd+zarr"}


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Return a folder with products of both versions of the processors."""
    folder = tmp_path_factory.mktemp("products")
    for version in (2, 3):
        write_product(folder / f"S2_{version}.zarr", version=version)
    return folder


@pytest.fixture
def reader(products):
    """Return a reader of two items, on two days."""
    index = BruteIndex()
    for day, version in enumerate((2, 3)):
        assets = {
            "product": asset_of(f"./S2_{version}.zarr"),
            "B08_10m": asset_of(f"./S2_{version}.zarr/measurements/reflectance/r10m/b08"),
            "SR_20m": asset_of(f"./S2_{version}.zarr/measurements/reflectance/r20m"),
        }
        transform = [10, 0, WEST, 0, -10, NORTH]
        properties = {
            "datetime": f"2025-04-1{day}T09:40:41Z", "proj:code": f"EPSG:{CODE}",
            "proj:shape": [SIDE_M // 10] * 2, "proj:transform": transform,
        }  # fmt: skip
        document = item(id=f"S2_{version}", assets=assets, properties=properties, geometry=polygon(*CORNERS))
        index.put("s2", item_of(document, str(products / "item.json")))
    spec = SourceSpec(
        collection="s2",
        kind="stac",
        href=str(products / "catalog.json"),
        variables={variable.id: variable for variable in VARIABLES},
        items=ItemsSpec(),
    )
    return open_mosaic(spec, index, partial(open_asset, spec, ReaderCaches()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "numbers"),
    [
        ("RED", numbers_of("b04", RESOLUTIONS["r10m"])),
        ("NIR", numbers_of("b08", RESOLUTIONS["r10m"])),
        ("SWIR", numbers_of("b11", RESOLUTIONS["r20m"])),
        ("scl", classes_of(RESOLUTIONS["r20m"])),
    ],
    ids=["store", "array", "group", "classes"],
)
def test_the_arrays_of_products_are_a_series(reader, variable, numbers):
    info = reader.info.variables[variable]
    row, column = info.grid.cell_at(WEST + 405, NORTH - 325)

    read = reader.read_cell(variable, indexes=[0, 1], row=row, column=column).numbers

    size = SIDE_M // len(numbers)
    expected = numbers[325 // size, 405 // size]
    np.testing.assert_array_equal(read, [expected, expected])


@pytest.mark.slow
def test_reflectances_of_products_have_their_scale(reader):
    encoding = reader.info.variables["RED"].encoding

    assert (encoding.scale, encoding.offset, encoding.nodata) == (0.0001, -0.1, 0)


@pytest.mark.parametrize(
    ("href", "place"),
    [
        ("s3://b/a.zarr", ("s3://b/a.zarr", "")),
        ("s3://b/a.zarr/", ("s3://b/a.zarr", "")),
        ("https://h/a.zarr/r10m/b04", ("https://h/a.zarr", "r10m/b04")),
        ("https://h/a.zarr/x.zarr", ("https://h/a.zarr", "x.zarr")),
        ("https://h/a.zarrx", None),
        ("https://h/a.tif", None),
    ],
)
def test_the_place_of_an_array(href, place):
    found = zarr_place(href)

    assert found == place
    assert is_zarr(Asset(name="a", href=href)) == (place is not None)
