"""A kind of source added by the instructions of docs/design/adding-a-kind.md: folders of `.npy` files."""

import io
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.archive.check import check_archive
from chronotile.archive.open import open_archive, refresh_archive
from chronotile.audit.archive import Audit, audit_archive
from chronotile.core.errors import ConfigurationError
from chronotile.core.model.space.grid import Window
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.readers.kinds import KINDS, open_source
from tests.docs.blocks import blocks_of
from tests.docs.site import DOCS
from tests.scenes import make_spec

(CODE,) = (each for each in blocks_of(DOCS / "design" / "adding-a-kind.md") if each.language == "python")
DAYS = ("2020-06-01", "2020-06-11", "2020-06-21")
CELL = (4.0005, 50.9995)
"""Longitude and latitude of the middle of the first cell."""


def numbers(index: int) -> np.ndarray:
    return (np.arange(12 * 16).reshape(12, 16) + 10 * index).astype("uint8")


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Return a folder of the kind, in a folder of data."""
    added = ModuleType("kind")
    exec(compile(CODE.text, str(CODE), "exec"), added.__dict__)
    monkeypatch.setitem(KINDS, "npy", added.NpyKind())
    folder = tmp_path / "data" / "heights"
    folder.mkdir(parents=True)
    about = {"variable": "NDVI", "days": DAYS, "cell": 0.001, "west": 4.0, "north": 51.0}
    (folder / added.SIDECAR).write_text(json.dumps(about))
    for index, day in enumerate(DAYS):
        np.save(folder / f"{day}.npy", numbers(index))
    return folder


def open_at(place: Path):
    return open_archive(place, environment={}, clock=lambda: np.datetime64("2020-07-01", "ns"))


def test_a_folder_of_data_is_searched_for_it(source):
    archive = open_at(source.parent)

    (layer,) = archive.services.catalogue.collections[0].layers
    assert (layer.id, len(layer.times)) == ("heights.NDVI", 3)
    assert archive.discovery.values(source.parent)["collections"]["heights"]["source"] == {
        "kind": "npy",
        "href": "heights",
    }


def test_configuration_may_use_the_kind_without_optional_keys(source, tmp_path):
    file = tmp_path / "chronotile.yaml"
    file.write_text("collections: {h: {source: {kind: npy, href: data/heights}, variables: {NDVI: {layer: NDVI}}}}")

    layers = [layer.id for layer in open_at(file).services.catalogue.collections[0].layers]
    file.write_text(file.read_text().replace("layer: NDVI", "band: 1"))

    assert layers == ["NDVI"]
    with pytest.raises(
        ConfigurationError, match="band belongs to sources of kind cog or stac; in kind npy name the array"
    ):
        open_at(file)


def test_its_maps_and_series_are_served(source):
    with TestClient(create_app(Settings(config=source.parent))) as client:
        tile = client.get("/tiles/heights.NDVI/WebMercatorQuad/15/16748/10970.png", params={"datetime": DAYS[0]})
        series = client.get("/timeseries/heights.NDVI/point", params={"lon": CELL[0], "lat": CELL[1]})

    assert tile.status_code == 200
    assert np.asarray(Image.open(io.BytesIO(tile.content)).convert("RGBA"))[..., 3].any()
    assert series.json()["values"] == [0, 0.1, 0.2]


def test_defaults_read_blocks_and_scattered_cells(source):
    reader = open_source(make_spec("npy", source))
    rows, columns = np.array([11, 0, 3]), np.array([2, 15, 3])

    block = reader.read_block("NDVI", indexes=[2, 0], window=Window(1, 4, 2, 9), along="space")
    cells = reader.read_cells("NDVI", indexes=[2, 0], rows=rows, columns=columns)

    np.testing.assert_array_equal(block.numbers, np.stack([numbers(2), numbers(0)])[:, 1:4, 2:9])
    np.testing.assert_array_equal(cells.numbers, np.stack([numbers(2), numbers(0)])[:, rows, columns])
    assert [piece.info.grid.width for piece in reader.sample_pieces("NDVI", 0)] == [16]


def test_its_state_changes_with_its_files(source, tmp_path):
    file = tmp_path / "chronotile.yaml"
    file.write_text("collections: {h: {source: {kind: npy, href: data/heights}}}")
    archive = open_at(file)

    same = refresh_archive(archive, file, environment={}, clock=archive.services.clock)
    np.save(source / f"{DAYS[0]}.npy", numbers(3))
    newer = refresh_archive(archive, file, environment={}, clock=archive.services.clock)

    assert same is archive
    assert newer.state.sources != archive.state.sources
    assert newer.services.is_local == {"h"}


def test_kind_is_checked_and_audited_as_far_as_described(source):
    archive, audit = open_at(source.parent), Audit(seed=1)

    findings = [finding.message for finding in check_archive(archive)]
    lines = list(audit_archive(archive, audit, samples=1))

    assert findings == []
    assert lines == ["not audited: heights.NDVI, NDVI: sources of kind npy are not read apart yet"]


def test_a_cube_is_made_of_it(source, tmp_path):
    report = optimise([str(source)], tmp_path / "cube.zarr", Options(threads=1))

    cube = open_source(make_spec("zarr", tmp_path / "cube.zarr"))
    block = cube.read_block("NDVI", indexes=[0, 1, 2], window=Window(0, 12, 0, 16), along="time")
    np.testing.assert_array_equal(block.numbers, np.stack([numbers(index) for index in range(3)]))
    assert report.added == 3
