"""The same cube from the workers of a Dask cluster."""

from contextlib import contextmanager

import numpy as np
import pytest
import xarray

from chronotile.optimise.collections import optimise_collection
from chronotile.optimise.mosaics import MosaicRequest
from chronotile.optimise.options import Options
from tests.optimise.conftest import numbers_of
from tests.running import ANY_HTTP_PORT
from tests.scenes_archive.indexed import LATTICE, indexed
from tests.scenes_archive.plan import TINY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a real scheduler with two worker processes, spawned: tensorstore does not survive a fork."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    import dask
    from distributed import LocalCluster

    dask.config.set(
        {
            "distributed.worker.multiprocessing-method": "spawn",
            "temporary-directory": str(tmp_path_factory.mktemp("dask")),
        }
    )
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, scheduler_kwargs=ANY_HTTP_PORT) as cluster:
        yield cluster.scheduler_address


def test_cluster_writes_the_same_as_threads(scheduler, tifs, write, verify, target, scene):
    write(tifs, dask=scheduler)

    verify(tifs)

    np.testing.assert_array_equal(numbers_of(target), scene.cube())


def test_cluster_appends_and_replaces(scheduler, tifs, write, target, scene, rewrite_date):
    write(tifs[:6], dask=scheduler)
    expected = scene.cube()
    expected[1] = rewrite_date(tifs[1], scene, 1)

    report = write(tifs, dask=scheduler)

    assert (report.added, report.replaced) == (1, 1)
    np.testing.assert_array_equal(numbers_of(target), expected)


def test_cluster_writes_collections_of_scenes(scheduler, tmp_path):
    scenes = indexed(TINY, tmp_path, more=LATTICE)
    request = MosaicRequest(collection="scenes", variables=("CELL",))

    with closing_archive(scenes) as archive:
        for name, dask in (("threads.zarr", None), ("cluster.zarr", scheduler)):
            options = Options(layout="both", block=4, threads=1, dask=dask)
            optimise_collection(archive, request, tmp_path / name, options, open_index=scenes.open_index)

    threads, cluster = (xarray.open_zarr(tmp_path / f"{name}.zarr", chunks=None) for name in ("threads", "cluster"))
    assert np.isfinite(threads["CELL"].values).any()
    xarray.testing.assert_equal(threads, cluster)


@contextmanager
def closing_archive(scenes):
    archive = scenes.opened()
    try:
        yield archive
    finally:
        archive.close()
        archive.services.reader_caches.items.close()
