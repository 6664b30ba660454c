"""Extras of the package: their names, and the error if one is missing."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from numcodecs import FixedScaleOffset
from typer.testing import CliRunner

from chronotile.cli.main import app
from chronotile.core.errors import ConfigurationError, MissingExtra, UnsupportedSource
from chronotile.core.extras import LIBRARIES, has_extra, missing_extra, require_extra
from chronotile.jobs.runner.connection import connect
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.optimise.verify import verify_cube
from chronotile.readers.remote.requests import place_of

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
TOOLS = {"all", "bench", "dev", "docs", "notebooks", "test"}
"""Extras that no request needs."""
COLLECTION = "collections:\n  made:\n    source: {{{}, crs: 'EPSG:4326'}}\n    variables: {{NDVI: {{}}}}\n"


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace(".", "-").replace("_", "-")


def test_every_extra_needed_by_a_request_is_listed():
    assert set(LIBRARIES) == set(EXTRAS) - TOOLS


def test_extra_all_includes_every_other():
    (all_,) = EXTRAS["all"]

    assert all_ == f"chronotile[{','.join(sorted(LIBRARIES))}]"


@pytest.fixture(scope="module")
def distributions():
    """Return the installed distributions by library."""
    return packages_distributions()


@pytest.mark.parametrize("extra", LIBRARIES)
def test_an_extra_brings_its_libraries(distributions, extra):
    wanted = {name_of(each) for each in EXTRAS[extra]}
    brought = {name_of(each) for library in LIBRARIES[extra] for each in distributions[library]}

    # FastAPI comes with titiler.core, distributed with dask[distributed].
    assert brought - {"fastapi", "distributed"} <= wanted | {name for name in brought if name.startswith("titiler")}


def test_no_library_of_an_extra_is_a_requirement_of_the_base():
    base = {name_of(each) for each in PROJECT["dependencies"]}

    assert not base & {name_of(each) for extra in LIBRARIES for each in EXTRAS[extra]}


def test_absent_library_is_reported_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)

    assert missing_extra("netcdf", "NetCDF") == (
        "NetCDF needs h5py, which is not installed: pip install 'chronotile[netcdf]'"
    )
    assert not has_extra("netcdf")
    with pytest.raises(MissingExtra) as caught:
        require_extra("netcdf", "format NetCDF", locator="f")
    assert (caught.value.status, caught.value.locator) == (501, "f")
    assert str(caught.value) == (
        "format NetCDF needs h5py, which the server lacks: in its environment, pip install 'chronotile[netcdf]'"
    )


def test_nothing_is_missing_if_all_are_installed():
    assert all(missing_extra(extra, "x") is None for extra in LIBRARIES)


# Sources and commands


@pytest.fixture
def netcdf_file(tmp_path):
    """Two dates of two by two cells."""
    coordinates = {"time": np.array(["2020-01-01", "2020-01-11"], "datetime64[ns]"), "y": [51.5, 50.5], "x": [4.5, 5.5]}
    values = xr.DataArray(np.ones((2, 2, 2), np.float32), coords=coordinates, dims=("time", "y", "x"), name="NDVI")
    values.attrs["grid_mapping"] = "crs"
    path = tmp_path / "made.nc"
    values.to_netcdf(path, engine="h5netcdf")
    return path


def test_check_names_the_extra_that_a_source_needs(netcdf_file, tmp_path, monkeypatch):
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(COLLECTION.format("kind: netcdf, href: made.nc"))
    monkeypatch.setitem(sys.modules, "h5netcdf", None)

    done = CliRunner().invoke(app, ["check", str(configuration)])

    assert done.exit_code == 1
    assert "NetCDF needs h5netcdf, which is not installed: pip install 'chronotile[netcdf]'" in done.output


def test_a_zarr_store_with_a_rare_codec_names_the_extra(tmp_path, monkeypatch):
    root = zarr.open_group(tmp_path / "rare.zarr", mode="w", zarr_format=2)
    filters = [FixedScaleOffset(offset=0, scale=10, dtype="f4", astype="i2")]
    root.create_array("NDVI", data=np.ones((2, 4, 4), np.float32), chunks=(1, 4, 4), filters=filters)
    for name, values in {"time": [0, 10], "y": [4.5, 3.5, 2.5, 1.5], "x": [1.5, 2.5, 3.5, 4.5]}.items():
        root.create_array(name, data=np.array(values, np.float64))
        root[name].attrs["_ARRAY_DIMENSIONS"] = [name]
    root["NDVI"].attrs["_ARRAY_DIMENSIONS"] = ["time", "y", "x"]
    root["time"].attrs["units"] = "days since 2020-01-01"
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(COLLECTION.format("kind: zarr, href: rare.zarr"))
    assert "pip install" not in CliRunner().invoke(app, ["check", str(configuration)]).output
    monkeypatch.setitem(sys.modules, "zarr", None)

    done = CliRunner().invoke(app, ["check", str(configuration)])

    assert done.exit_code == 1
    assert "needs zarr, which is not installed: pip install 'chronotile[zarr]'" in done.output


@pytest.mark.parametrize("href", ["s3://bucket/a.tif", "https://host.invalid/a.tif"])
def test_a_source_elsewhere_names_the_extra(monkeypatch, href):
    monkeypatch.setitem(sys.modules, "obstore", None)

    with pytest.raises(UnsupportedSource, match=r"obstore, which is not installed: pip install 'chronotile\[s3\]'"):
        place_of(href)


def test_a_worker_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(ConfigurationError, match=r"cryptography.* pip install 'chronotile\[dask\]'"):
        connect(None, processes=1, memory_bytes=1 << 30)


def test_optimise_requires_the_extra_before_it_starts(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(MissingExtra, match=r"distributed, which is not installed: pip install 'chronotile\[dask\]'"):
        optimise(["absent.nc"], tmp_path / "cube.zarr", Options(dask="tcp://x"))
    assert not (tmp_path / "cube.zarr").exists()


def test_verify_requires_the_extra_before_it_starts(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)

    with pytest.raises(MissingExtra, match=r"xarray, which is not installed: pip install 'chronotile\[zarr\]'"):
        verify_cube(["absent.nc"], tmp_path / "cube.zarr", Options())
