"""Files with misleading names: in a folder and by name they are served by their content."""

import json
import shutil

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from chronotile.cli.main import app
from chronotile.core.errors import ConfigurationError
from tests.readers.zarr.reference_files import references_to, write_files, write_json
from tests.scenes import Scene, make_dataset, save_netcdf

SCENE = Scene()


def numbers_of(archive):
    (layer,) = archive.services.catalogue.layers
    reader = archive.services.readers[layer.collection]
    grid = layer.main_variable.grid
    return np.stack(
        [
            reader.read_cell(layer.main_variable.name, indexes=range(len(layer.times)), row=row, column=column).numbers
            for row, column in ((0, 0), (grid.height - 1, 3))
        ]
    )


def is_scene(archive):
    return np.array_equal(numbers_of(archive), [SCENE.cube()[:, 0, 0], SCENE.cube()[:, SCENE.height - 1, 3]])


@pytest.mark.parametrize("name", ["a.h5", "a.he5", "a.HDF5", "a.hdf"])
def test_netcdf_4_is_served_with_any_file_name(open_at, tmp_path, name):
    save_netcdf(make_dataset(SCENE), tmp_path / "a.nc").rename(tmp_path / name)

    assert is_scene(open_at(tmp_path))
    assert is_scene(open_at(tmp_path / name))


def test_hdf5_without_dimensions_is_refused_in_one_line(open_at, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/numbers"] = np.ones((4, 5))

    with pytest.raises(ConfigurationError) as refused:
        open_at(tmp_path)

    (line,) = refused.value.mistakes
    assert line.startswith("a.h5: ")


@pytest.mark.parametrize("is_named", [True, False], ids=["by name", "in a folder"])
def test_hdf4_is_refused_with_the_command_that_helps(open_at, tmp_path, is_named):
    (tmp_path / "MOD13.hdf").write_bytes(b"\x0e\x03\x13\x01" + bytes(200))

    with pytest.raises(ConfigurationError, match=r"HDF4 is not supported; .*gdal_translate -sds FILE.hdf OUT.tif"):
        open_at(tmp_path / "MOD13.hdf" if is_named else tmp_path)


@pytest.mark.parametrize("version", [0, 1])
def test_references_of_kerchunk_are_served_in_a_folder_and_by_name(open_at, tmp_path, version):
    (tmp_path / ".data").mkdir()  # else its files are served, too
    refs = references_to(write_files(tmp_path / ".data", SCENE), address=lambda path: f".data/{path.name}")
    if version == 1:
        write_json(tmp_path / "refs.json", refs)
    else:
        (tmp_path / "refs.json").write_text(json.dumps(refs))
    (tmp_path / "outline.json").write_text(json.dumps({"type": "FeatureCollection", "features": []}))

    assert is_scene(open_at(tmp_path))
    assert is_scene(open_at(tmp_path / "refs.json"))


def test_references_on_the_command_line_are_no_configuration_to_be_written_first(tmp_path):
    write_json(tmp_path / "refs.json", references_to(write_files(tmp_path, SCENE)))

    answer = CliRunner().invoke(app, ["layers", str(tmp_path / "refs.json")])

    assert (answer.exit_code, "refs.NDVI" in answer.stdout) == (0, True), answer.output


def test_metadata_of_a_store_that_were_copied_are_no_references(open_at, tmp_path):
    made = make_dataset(SCENE).assign_attrs(title="x")
    made.to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=True)
    shutil.copy(tmp_path / "a.zarr" / ".zmetadata", tmp_path / "metadata.json")

    assert [each.id for each in open_at(tmp_path).services.catalogue.collections] == ["a"]
