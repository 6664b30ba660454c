"""The application made from settings."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app import create_app_from_environment
from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.core.errors import ConfigurationError
from chronotile.readers.caches.byte_cache import CacheSizes
from tests.scenes import Scene, write_cogs, write_tif

SCENE = Scene()


@pytest.fixture
def configuration(tmp_path):
    """Return a configuration of one collection that opens and another that fails."""
    write_cogs(tmp_path, SCENE)
    file = tmp_path / "chronotile.yaml"
    file.write_text(
        """
collections:
  good: {source: {kind: cog, href: "NDVI_*.tif"}, variables: {NDVI: {layer: NDVI}}}
  gone: {source: {kind: zarr, href: absent.zarr}, variables: {LAI: {layer: LAI}}}
"""
    )
    return file


def test_application_serves_working_sources_and_logs_the_others(configuration, caplog):
    with TestClient(create_app(Settings(config=configuration))) as client:
        layers = client.get("/layers").json()["layers"]

    assert [layer["id"] for layer in layers] == ["NDVI"]
    assert "gone: left out: absent.zarr does not exist" in caplog.text


def test_application_of_a_folder_serves_its_data(configuration):
    with TestClient(create_app(Settings(config=configuration.parent))) as client:
        layers = client.get("/layers").json()["layers"]

    assert [layer["id"] for layer in layers] == ["ndvi.NDVI"]


def test_wrong_configuration_fails_with_all_mistakes(configuration):
    configuration.write_text(configuration.read_text().replace("layer:", "layr:"))

    with pytest.raises(ConfigurationError) as caught:
        create_app(Settings(config=configuration))

    assert len(caught.value.mistakes) == 2


def test_worker_makes_its_application_from_the_environment(configuration, monkeypatch):
    monkeypatch.setenv("CHRONOTILE_CONFIG", str(configuration))

    with TestClient(create_app_from_environment()) as client:
        answer = client.get("/tiles/NDVI/WebMercatorQuad/0/0/0.png")

    assert answer.status_code == 200


@pytest.mark.slow
def test_importing_the_application_loads_no_heavy_library():
    heavy = {"xarray", "zarr", "pandas", "dask", "scipy", "h5py", "pyarrow", "exactextract", "obstore"}
    script = f"import sys; import chronotile.app.application; print({heavy} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


@pytest.mark.slow
def test_errors_of_gdal_are_reported_only_by_us(tmp_path):
    code = """
        import logging, sys
        from chronotile.core.logs import configure_logging
        from chronotile.core.errors import DateUnreadable
        from chronotile.readers.library_errors import cause_text
        from chronotile.readers.kinds import open_source
        from chronotile.core.model.source import SourceSpec
        from chronotile.core.model.space.grid import Window
        configure_logging("info")
        reader = open_source(SourceSpec(collection="c", kind="cog", href=sys.argv[1]))
        try:
            reader.read_window("band1", index=0, level=0, window=Window(0, 512, 0, 512))
        except DateUnreadable as error:
            logging.getLogger("chronotile").warning("%s", cause_text(error))
    """
    path = write_tif(tmp_path / "a.tif", np.random.default_rng(1).integers(0, 250, (512, 512), "uint8"), Scene())
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(4096))

    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)], capture_output=True, text=True, check=False
    )

    (line,) = [line for line in ran.stderr.splitlines() if " WARNING " in line or " INFO " in line or " ERROR " in line]
    assert "chronotile: ZIPDecode" in line
    assert "a.tif, band 1: IReadBlock failed" in line


def test_readers_cache_up_to_the_settings(configuration):
    with TestClient(create_app(Settings(config=configuration, cache_bytes=16 << 20))) as client:
        kept = client.app.state.chronotile.services.reader_caches

    assert kept.sizes.bytes == 13 << 20


def test_rasters_get_the_memory_not_used_by_arrays():
    sizes = CacheSizes(20 << 20)

    alone, sizes.has_arrays = sizes.raster_bytes, True

    assert (alone, sizes.raster_bytes, sizes.array_bytes) == (20 << 20, 15 << 20, 5 << 20)


def test_all_caches_of_a_process_fit_into_one_budget(configuration):
    with TestClient(create_app(Settings(config=configuration, cache_bytes=16 << 20))) as client:
        lines = client.get("/metrics").text.splitlines()
        kept = client.app.state.chronotile.services.reader_caches

    bounds = dict(line.rsplit(" ", 1) for line in lines if line.startswith("chronotile_cache_max_bytes"))
    payloads, plans = (float(bounds[f'chronotile_cache_max_bytes{{cache="{name}"}}']) for name in ("payloads", "plans"))
    assert payloads + plans + kept.sizes.bytes == 16 << 20


def test_answers_are_cached_up_to_the_settings(configuration):
    with TestClient(create_app(Settings(config=configuration, payload_bytes=0))) as client:
        metrics = client.get("/metrics").text

    assert 'chronotile_cache_max_bytes{cache="payloads"} 0.0' in metrics
