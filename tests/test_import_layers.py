"""The import contracts of `.importlinter`, tried on a package that breaks every contract."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.every_case]

CONTRACTS = Path(__file__).parents[1] / ".importlinter"

ALLOWED = {
    "app/upkeep.py": "import chronotile.app.settings",
    "app/workers/supervisor.py": "import chronotile.app.application",
    "archive/publish/bucket.py": "import obstore, chronotile.archive.live_archive",
    "archive/live_archive.py": "",
    "jobs/queue/table.py": "import chronotile.core.database",
    "core/database.py": "",
    "core/stats/means.py": "",
    "app/application.py": "import chronotile.app.settings, starlette.routing",
    "catalog/load.py": "import pydantic, yaml, chronotile.core.model.space.grid",
    "pipeline/encoders/picture/values.py": "import rasterio.io",
    "pipeline/encoders/vector/mvt.py": "import mapbox_vector_tile",
    "archive/discovery/discover.py": "import xarray, chronotile.readers.raster.stack, chronotile.pipeline.maps.render",
    "audit/arrays.py": "import xarray, chronotile.readers.kinds",
    "readers/kinds.py": "",
    "optimise/run.py": "import dask, chronotile.archive.discovery.discover",
    "jobs/runner/cluster.py": "import distributed",
    "jobs/processes/echo.py": "import chronotile.pipeline.maps.render",
    "protocols/catalogue/stac/routes.py": "import starlette.responses",
    "protocols/data/zarr/routes.py": "import starlette.responses",
    "protocols/ogcapi/adapter.py": "import pygeoapi.api",
    "protocols/places/routes.py": "import starlette.responses",
    "protocols/site/openapi/routes.py": "import chronotile.protocols.maps.wms.routes",
    "protocols/timeseries/routes.py": "import chronotile.protocols.common.query.kvp",
    "protocols/wcs/routes.py": "import starlette.responses",
    "protocols/wps/routes.py": "import starlette.responses",
    "protocols/maps/wms/params.py": "import pydantic, chronotile.protocols.common.query.kvp",
    "protocols/maps/wms/routes.py": "import starlette.responses, jinja2, chronotile.pipeline.maps.render",
    "readers/raster/stack.py": "import rasterio, tensorstore, chronotile.core.errors",
    "core/sections.py": "import pydantic, chronotile.core.yaml_source",
    "app/settings.py": "import pydantic_settings",
    "pipeline/styling/load.py": "import yaml, pydantic, chronotile.core.sections",
    "core/yaml_source.py": "import yaml, chronotile.core.errors",
}
FORBIDDEN = {
    "app/upkeep.py": "import chronotile.app.workers.supervisor",
    "archive/live_archive.py": "import chronotile.archive.publish.bucket",
    "archive/publish/bucket.py": "import rasterio",
    "jobs/queue/table.py": "import chronotile.jobs.processes.echo",
    "protocols/volumes/routes.py": "",
    "readers/raster/stack.py": "import chronotile.core.stats.means",
    "core/errors.py": "import chronotile.core.model",
    "extra.py": "",
    "archive/source_states.py": "import chronotile.archive.open",
    "archive/open.py": "",
    "audit/truth.py": "import chronotile.readers.raster.stack",
    "catalog/search.py": "import chronotile.readers.raster.stack, jinja2",
    "pipeline/encoders/cube_tile/ctc1.py": "import tensorstore",
    "http/run.py": "import chronotile.protocols.maps.wms",
    "core/model/space/grid.py": "import rasterio.crs",
    "pipeline/encoders/series/csv.py": "import chronotile.pipeline.encoders.picture.values",
    "pipeline/maps/render.py": "import chronotile.app.settings, dask.array, chronotile.pipeline.series.point",
    "pipeline/series/point.py": "",
    "jobs/processes/trend.py": "import chronotile.jobs.processes.echo",
    "protocols/common/query/kvp.py": "import chronotile.protocols.maps.wms, pygeoapi",
    "readers/zarr/arrays.py": "import chronotile.readers.raster.stack",
    "jobs/runner/tasks.py": "import chronotile.jobs.runner.cluster",
    "protocols/maps/tiles/routes.py": "import chronotile.protocols.maps.wms.params, chronotile.app.application, yaml",
    "pipeline/styling/legend.py": "import pydantic, chronotile.catalog.search",
}


@pytest.fixture(scope="module")
def lint_imports(tmp_path_factory):
    def lint(sources):
        folder = tmp_path_factory.mktemp("imports")
        shutil.copy(CONTRACTS, folder)
        for name, text in sources.items():
            path = folder / "chronotile" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for package in {parent for name in sources for parent in Path("chronotile", name).parents[:-1]}:
            (folder / package / "__init__.py").touch()
        command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
        environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200", "TERM": "dumb"}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return lint


@pytest.fixture(scope="module")
def complaints(lint_imports):
    return lint_imports(ALLOWED | FORBIDDEN).stdout


EVERY_MODULE = """
import importlib, pkgutil
import chronotile

for each in pkgutil.walk_packages(chronotile.__path__, "chronotile."):
    if not each.name.endswith("__main__"):
        importlib.import_module(each.name)
        print(each.name)
"""


def test_every_module_can_be_imported():
    found = subprocess.run([sys.executable, "-c", EVERY_MODULE], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stderr
    assert {"chronotile.cli.main", "chronotile.cli.worker", "chronotile.jobs.runner.cluster"} <= set(
        found.stdout.split()
    )


def test_contracts_let_every_layer_do_its_work(lint_imports):
    result = lint_imports(
        ALLOWED
        | {
            "core/model/space/grid.py": "",
            "core/errors.py": "",
            "pipeline/maps/render.py": "",
            "protocols/common/query/kvp.py": "",
        }
    )

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "complaint",
    [
        "- chronotile.extra\n",
        "- chronotile.protocols.volumes\n",
        "chronotile.app.upkeep -> chronotile.app.workers.supervisor",
        "chronotile.archive.live_archive -> chronotile.archive.publish.bucket",
        "chronotile.archive.publish.bucket -> rasterio",
        "chronotile.jobs.queue.table -> chronotile.jobs.processes.echo",
        "chronotile.pipeline.styling.legend -> chronotile.catalog.search",
        "chronotile.readers.raster.stack -> chronotile.core.stats.means",
        "chronotile.archive.source_states -> chronotile.archive.open",
        "chronotile.audit.truth -> chronotile.readers.raster.stack",
        "chronotile.catalog.search -> chronotile.readers.raster.stack",
        "chronotile.catalog.search -> jinja2",
        "chronotile.pipeline.encoders.cube_tile.ctc1 -> tensorstore",
        "chronotile.pipeline.encoders.series.csv -> chronotile.pipeline.encoders.picture.values",
        "chronotile.core.errors -> chronotile.core.model",
        "chronotile.http.run -> chronotile.protocols.maps.wms",
        "chronotile.core.model.space.grid -> rasterio",
        "chronotile.pipeline.maps.render -> chronotile.app.settings",
        "chronotile.pipeline.maps.render -> chronotile.pipeline.series.point",
        "chronotile.pipeline.maps.render -> dask",
        "chronotile.jobs.processes.trend -> chronotile.jobs.processes.echo",
        "chronotile.protocols.common.query.kvp -> chronotile.protocols.maps.wms",
        "chronotile.protocols.common.query.kvp -> pygeoapi",
        "chronotile.protocols.maps.tiles.routes -> chronotile.app.application",
        "chronotile.protocols.maps.tiles.routes -> chronotile.protocols.maps.wms.params",
        "chronotile.protocols.maps.tiles.routes -> yaml",
        "chronotile.jobs.runner.tasks -> chronotile.jobs.runner.cluster",
        "chronotile.readers.zarr.arrays -> chronotile.readers.raster.stack",
        "chronotile.pipeline.styling.legend -> pydantic",
    ],
)
def test_contracts_name_the_import_that_breaks_them(complaints, complaint):
    assert complaint in complaints
