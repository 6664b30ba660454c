"""The configuration that `--write-config` writes for a folder serves the same layers as the folder."""

import os

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from chronotile.archive.open import is_configuration, open_archive
from chronotile.core.errors import ConfigurationError
from chronotile.core.model.time.instants import format_instant
from tests.odd_archives.every import EVERY
from tests.odd_archives.files import NUMBERS, write_tif


def served(archive) -> dict[str, list[str]]:
    """Return the times of each layer."""
    return {layer.id: list(map(format_instant, layer.times.instants)) for layer in archive.services.catalogue.layers}


def vrts(folder, days):
    """One VRT a day over files of that folder."""
    for day in days:
        source = write_tif(folder / "parts" / f"part_{day}.dat", NUMBERS + int(day[-2:]))
        rasterio.shutil.copy(source, folder / f"ndvi_{day}.vrt", driver="VRT")


@pytest.mark.parametrize("name", ["data", "da[1]ta {x}"])
def test_skipped_files_are_written_as_such(tmp_path, open_at, name):
    vrts(tmp_path / name, ["20200101", "20200111"])
    outside = write_tif(tmp_path / "outside.tif")
    rasterio.shutil.copy(outside, tmp_path / name / "ndvi_20200121.vrt", driver="VRT")

    found = open_at(tmp_path / name)
    (tmp_path / "new").mkdir()
    written = tmp_path / "new" / "written.yaml"
    written.write_text(found.discovery.text(written.parent))

    assert served(found) == {"ndvi.ndvi": ["2020-01-01T00:00:00Z", "2020-01-11T00:00:00Z"]}
    assert served(open_at(written)) == served(found)
    section = found.discovery.values(written.parent)["collections"]["ndvi"]["source"]
    assert section["without"] == [f"../{name}/ndvi_20200121.vrt"]


def test_stores_have_no_files_to_be_without(tmp_path, open_at):
    vrts(tmp_path, ["20200101"])
    place = tmp_path / "chronotile.yaml"
    place.write_text(
        "collections: {n: {source: {kind: zarr, href: ndvi_20200101.vrt, without: [a.vrt]}, variables: {v: {}}}}"
    )

    with pytest.raises(ConfigurationError, match="without belongs to kinds cog and netcdf"):
        open_at(place)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_written_configuration_serves_the_layers_and_dates_of_its_folder(tmp_path, name):
    folder = tmp_path / "data"
    folder.mkdir()
    EVERY[name](folder)
    for each in filter(is_configuration, folder.iterdir()):
        each.unlink()

    def opened(at):
        return open_archive(at, environment=os.environ, clock=lambda: np.datetime64("2024-03-01", "ns"))

    found = opened(folder)
    written = tmp_path / "written.yaml"
    written.write_text(found.discovery.text(tmp_path))
    again = opened(written)

    assert served(again) == served(found)
    again.close()
    found.close()
