"""Folders of Sentinel-3 as items and as collections of a folder."""

import io
from dataclasses import replace

import numpy as np
import pytest
import xarray
from scipy.spatial import cKDTree

from chronotile.archive.index.files import FilesSource
from chronotile.archive.index.fill import fill
from chronotile.core.model.source import DATA, ItemsSpec, SourceSpec, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.mosaic.granules import open_indexed_granule
from tests.archive.index.catalogues import S2
from tests.readers.made_sentinel3 import MIDDLE, OLCI, write_olci
from tests.walk.serving import served

OTHER = OLCI.replace("S3A", "S3B")
CONFIGURATION = """collections:
  olci:
    source: {{kind: netcdf, href: '{href}', tiles: true}}
    time: {{group: day}}
    variables: {{chl: {{layer: chl, range: [-2, 2], name: CHL_NN}}}}
"""


def spec_of(href, array="CHL_NN"):
    variables = {"v": VariableSpec(id="v", name=array, asset=DATA)}
    return SourceSpec(collection="s2", kind="netcdf", href=str(href), variables=variables, items=ItemsSpec())


def cells_of(folder):
    """Return unit vectors of all cells, and their values."""
    with xarray.open_dataset(folder / "geo_coordinates.nc") as places, xarray.open_dataset(folder / "chl_nn.nc") as chl:
        x, y = np.radians(places.longitude.to_numpy().ravel()), np.radians(places.latitude.to_numpy().ravel())
        return vectors_of(x, y), chl.CHL_NN.to_numpy().ravel()


def vectors_of(x, y):
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


@pytest.mark.slow
def test_folders_are_items_of_one_map(tmp_path):
    folders = [write_olci(tmp_path, node=node, name=name) for name, node in ((OLCI, 0), (OTHER, -25))]
    place = tmp_path / "chronotile.yaml"
    place.write_text(CONFIGURATION.format(href=tmp_path / "*.SEN3"))

    with served(place, tmp_path / "server") as client:
        items = client.get("/stac/collections/olci/items").json()["features"]
        documents = []
        for folder in folders:
            vectors, values = cells_of(folder)
            for number in (70 * 129 + 64, 30 * 129 + 10):
                x, y, z = vectors[number]
                lon, lat = np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z))
                answer = client.get(f"/timeseries/chl/point?lon={lon}&lat={lat}").json()
                nearest = cKDTree(vectors).query(vectors_of(np.radians(lon), np.radians(lat)), k=9)[1]
                documents.append((answer["values"][-1], values[nearest]))

    assert {item["id"] for item in items} == {OLCI.removesuffix(".SEN3"), OTHER.removesuffix(".SEN3")}
    assert {item["properties"]["datetime"] for item in items} == {"2024-06-01T10:01:30Z"}
    for value, near in documents:
        assert np.isclose(value, near, atol=1e-5).any()


MASKED = """collections:
  olci:
    source: {{kind: netcdf, href: '{href}'}}
    variables:
      chl: {{layer: chl, range: [-2, 2], name: CHL_NN, mask: {{variable: wqsf, without: [LAND, INVALID]}}}}
      wqsf: {{layer: wqsf, name: WQSF}}
      raw: {{layer: raw, range: [-2, 2], name: CHL_NN}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["*.SEN3", OLCI])
def test_item_of_a_folder_states_the_download(tmp_path, pattern):
    write_olci(tmp_path)
    place = tmp_path / "chronotile.yaml"
    place.write_text(MASKED.format(href=tmp_path / pattern))

    with served(place, tmp_path / "server") as client:
        (item,) = client.get("/stac/collections/olci/items").json()["features"]
        asset = item["assets"][DATA]
        answer = client.get(asset["href"])

    assert asset["type"] == answer.headers["content-type"] == "application/zip"
    assert asset.get("file:size", len(answer.content)) == len(answer.content)


@pytest.mark.slow
def test_flags_of_another_file_mask_an_array(tmp_path):
    place = tmp_path / "chronotile.yaml"
    place.write_text(MASKED.format(href=write_olci(tmp_path)))

    with served(place, tmp_path / "server") as client:
        masked, flags, raw = (coverage_of(client, name) for name in ("chl", "wqsf", "raw"))

    is_valid = np.isfinite(raw) & (np.nan_to_num(flags).astype("uint64") & 5 == 0)
    assert 0 < is_valid.sum() < np.isfinite(raw).sum() / 2
    np.testing.assert_array_equal(masked, np.where(is_valid, raw, np.nan))


def coverage_of(client, name):
    body = client.get(f"/ogcapi/collections/{name}/coverage?f=netcdf").content
    with xarray.open_dataset(io.BytesIO(body), engine="h5netcdf") as dataset:
        return dataset[name].squeeze().to_numpy()


@pytest.mark.parametrize("file", ["", "chl_nn.nc"], ids=["folder", "file"])
def test_changed_positions_in_a_folder_make_a_new_item(tmp_path, store, file):
    folder, source = write_olci(tmp_path), FilesSource(spec_of(tmp_path / "*.SEN3" / file))
    fill(S2, source, store)
    ((key, item),) = store.items.collections["s2"].items()
    (asset,) = item.assets

    assert not source.has_changed(most_files=100)
    write_olci(tmp_path / "new", node=40)
    (tmp_path / "new" / OLCI / "geo_coordinates.nc").replace(folder / "geo_coordinates.nc")

    assert source.has_changed(most_files=100)
    fill(S2, source, store)
    (changed,) = store.items.collections["s2"][key].assets
    assert (asset.href, item.start) == (str(folder / file), MIDDLE)
    assert asset.etag != changed.etag
    assert asset.grid != changed.grid


def test_stored_header_draws_the_same_pixels(tmp_path, store):
    write_olci(tmp_path)
    spec = spec_of(tmp_path / "*.SEN3")
    fill(S2, FilesSource(spec), store)
    (asset,) = store.items.collections["s2"][OLCI.removesuffix(".SEN3")].assets

    reader = open_indexed_granule(spec, asset, spec.variables["v"])
    plain = open_indexed_granule(spec, replace(asset, header=None), spec.variables["v"])

    assert reader.swaths["v"].stored
    assert not plain.swaths["v"].stored
    for level, grid in enumerate(reader.info.variables["v"].levels):
        window = Window(0, grid.height, 0, grid.width)
        images = [r.read_window("v", index=0, level=level, window=window).numbers for r in (reader, plain)]
        np.testing.assert_array_equal(*images)


def test_folder_without_positions_is_reported_and_others_are_indexed(tmp_path, store):
    write_olci(tmp_path)
    damaged = write_olci(tmp_path, name=OTHER, has_cells=False)
    (damaged / "tie_geo_coordinates.nc").write_bytes(b"no HDF5")

    summary = fill(S2, FilesSource(spec_of(tmp_path / "*.SEN3")), store)

    (problem,) = summary.problems
    assert summary.put.added == 1
    assert problem.keys == (str(damaged),)
    assert problem.reason.startswith(
        "CHL_NN: no file of the folder has the latitudes and longitudes of its cells; tie_geo"
    )


def test_damaged_file_is_reported_and_the_rest_is_an_item(tmp_path, store):
    folder, spec = write_olci(tmp_path), spec_of(tmp_path / "*.SEN3")
    (folder / "wqsf.nc").write_bytes((folder / "wqsf.nc").read_bytes()[:3000])
    variables = dict(spec.variables) | {"w": VariableSpec(id="w", name="WQSF", asset=DATA)}

    summary = fill(S2, FilesSource(replace(spec, variables=variables)), store)

    (asset,) = store.items.collections["s2"][OLCI.removesuffix(".SEN3")].assets
    (problem,) = summary.problems
    assert [layout.array for layout in asset.layouts] == ["CHL_NN"]
    assert problem.reason.startswith(
        "WQSF is left out: no file of the folder that can be read has it; wqsf.nc: it cannot"
    )
