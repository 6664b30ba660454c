"""Files and Zarr stores in buckets of Google and containers of Azure, as their servers send them without signatures.

A file server answers the same unsigned requests for objects. Signed requests and lists of objects are not tested.
"""

import numpy as np
import pytest
import rasterio

from chronotile.catalog.source_section import SourceSection
from chronotile.core.errors import AddressRefused, ConfigurationError, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.core.web.item_places import ItemPlaces, absolute
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote import buckets
from chronotile.readers.remote.files import first_part
from chronotile.readers.remote.requests import Refused, place_of
from chronotile.readers.stac.fields import absolute_address
from tests.faulty_source import faulty_source
from tests.scenes import Scene, make_dataset, make_spec, write_tif

SCENE = Scene()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A file server as the endpoint of both clouds; its first folders are the buckets."""
    for name in (*buckets._GOOGLE, *buckets._AZURE):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "archive").mkdir()
    with faulty_source(tmp_path) as server:
        endpoint = server.url_of("").rstrip("/")
        buckets._google_store.cache_clear()  # the endpoint is constant in a process
        buckets._azure_store.cache_clear()
        monkeypatch.setenv("GOOGLE_BASE_URL", endpoint)
        monkeypatch.setenv("GS_NO_SIGN_REQUEST", "YES")
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "account")
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", endpoint)
        yield server


def read(kind: str, href: str) -> np.ndarray:
    options = {"variables": {}} if kind == "cog" else {}  # arrays of a store elsewhere are named
    reader = open_source(make_spec(kind, href, **options), ReaderCaches())
    try:
        name = next(iter(reader.info.variables))
        grid = reader.info.variables[name].grid
        return reader.read_window(name, index=0, level=0, window=Window(0, grid.height, 0, grid.width)).numbers
    finally:
        reader.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_geotiff_in_a_bucket_equals_rasterio(server, tmp_path, scheme):
    path = write_tif(tmp_path / "archive" / "ndvi_20200601.tif", SCENE.numbers(0), SCENE)

    numbers = read("cog", f"{scheme}://archive/ndvi_20200601.tif")

    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(numbers, dataset.read(1))
    assert server.count("archive/ndvi_20200601.tif") > 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_zarr_store_in_a_bucket_has_its_numbers(server, tmp_path, scheme):
    make_dataset(SCENE).to_zarr(tmp_path / "archive" / "made.zarr", zarr_format=2, consolidated=True)

    np.testing.assert_array_equal(read("zarr", f"{scheme}://archive/made.zarr"), SCENE.cube()[0])


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_missing_object_is_refused(server, scheme):
    with pytest.raises(Refused, match="404"):
        first_part(f"{scheme}://archive/missing.tif", 10)


def test_container_needs_an_account():
    with pytest.raises(UnsupportedSource, match="AZURE_STORAGE_ACCOUNT"):
        buckets.azure_store("archive", environment={})


def test_other_schemes_name_the_accepted_ones():
    with pytest.raises(UnsupportedSource, match=r"accepted are https://, s3://, gs://, az://"):
        place_of("ftp://host/a.tif")
    with pytest.raises(ValueError, match="gs://, az://"):
        SourceSection(kind="cog", href="ftp://host/a.tif")


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_items_may_name_only_allowed_buckets(scheme):
    places = ItemPlaces(f"{scheme}://archive/catalogue/collection.json", AllowedPlaces([f"{scheme}://scenes/2020"]))

    assert places.require_allowed(f"{scheme}://archive/a.tif") == f"{scheme}://archive/a.tif"
    assert places.require_allowed(f"{scheme}://scenes/2020/a.tif") == f"{scheme}://scenes/2020/a.tif"
    for address in (f"{scheme}://scenes/2021/a.tif", f"{scheme}://other/a.tif", "s3://archive/a.tif", "/etc/passwd"):
        with pytest.raises(AddressRefused):
            places.require_allowed(address)


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_relative_links_stay_in_the_bucket(scheme):
    base = f"{scheme}://archive/a/collection.json"

    assert absolute("../../../b.tif", base) == f"{scheme}://archive/b.tif"
    assert absolute_address(f"{scheme}://archive/c d.tif", base) == f"{scheme}://archive/c d.tif"


def test_prefix_of_an_unknown_scheme_is_refused():
    with pytest.raises(ConfigurationError, match="gs:// and az://"):
        AllowedPlaces(["ftp://archive"], setting="CHRONOTILE_SOURCE_PREFIXES")


def test_home_folder_may_be_unknown(monkeypatch):
    monkeypatch.setattr(buckets.os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(buckets, "_google_store", lambda _bucket, *, is_unsigned: is_unsigned)
    monkeypatch.setattr(buckets, "has_vendor", lambda _name: False)

    assert buckets.google_store("b", {})
