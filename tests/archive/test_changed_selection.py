"""Answers and ETags change when the configuration selects another part of the same file."""

from pathlib import Path

import numpy as np
import pytest
import xarray
from affine import Affine
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.upkeep import Upkeep
from chronotile.archive.live_archive import LiveArchive
from tests.scenes import Scene, write_tif

SHAPE = (20, 30)
FIRST = np.arange(600).reshape(SHAPE).astype("uint8")
SECOND = FIRST[::-1]
ADDRESSES = (
    "/tiles/made.value/WorldCRS84Quad/3/8/1.png?range=0,255&ramp=viridis",
    "/timeseries/made.value/point?lon=10.5&lat=50.5",
    "/ogcapi/collections/made/coverage?f=GTiff",
    "/wms?service=WMS&version=1.3.0&request=GetMap&layers=made.value&crs=CRS:84&bbox=10,50,11,51"
    "&width=16&height=16&styles=&format=image/png",
)


def write_bands(folder: Path) -> str:
    scene = Scene(crs="EPSG:4326", transform=Affine(0.1, 0, 10, 0, -0.1, 51.5))
    write_tif(folder / "made_20200101.tif", np.stack([FIRST, SECOND]), scene)
    return "kind: cog, href: 'made_*.tif', time_pattern: '_(?P<time>\\d{8})'"


def write_arrays(folder: Path) -> str:
    coordinates = {"lat": 51.45 - 0.1 * np.arange(SHAPE[0]), "lon": 10.05 + 0.1 * np.arange(SHAPE[1])}
    depths = xarray.DataArray(np.stack([FIRST, SECOND]), {"depth": [1.0, 2.0], **coordinates}, ("depth", "lat", "lon"))
    arrays = {"A": depths[0].drop_vars("depth"), "B": depths[1].drop_vars("depth"), "deep": depths}
    file = folder / "made.nc"
    for group in ("one", "two"):
        dataset = xarray.Dataset({"same": arrays["A" if group == "one" else "B"]})
        dataset.to_netcdf(file, group=group, mode="a" if file.exists() else "w", engine="h5netcdf")
    xarray.Dataset(arrays).to_netcdf(file, mode="a", engine="h5netcdf")
    return "kind: netcdf, href: made.nc"


FORMULA = "stored: {{name: {}}}, value: {{formula: 'stored + 1', units: m}}"
CHANGES = {
    "band": (write_bands, "", "value: {band: 1}", "", "value: {band: 2}"),
    "array": (write_arrays, "", "value: {name: A}", "", "value: {name: B}"),
    "step": (
        write_arrays,
        "",
        "value: {name: deep, select: {depth: 1}}",
        "",
        "value: {name: deep, select: {depth: 2}}",
    ),
    "group": (write_arrays, ", group: one", "value: {name: same}", ", group: two", "value: {name: same}"),
    "operand of a formula": (write_arrays, "", FORMULA.format("A"), "", FORMULA.format("B")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_selection_has_other_answers_and_validators(tmp_path, open_at, change):
    write, group, variables, other_group, other_variables = CHANGES[change]
    source, file = write(tmp_path), tmp_path / "chronotile.yaml"

    def configure(group: str, variables: str) -> None:
        file.write_text(f"collections: {{made: {{source: {{{source}{group}}}, variables: {{{variables}}}}}}}")

    configure(group, variables)
    live = LiveArchive(open_at(file), file)
    upkeep = Upkeep(live, watch_s=0)
    with TestClient(application(live.services, ServerOptions(upkeep=upkeep))) as client:
        before = [client.get(address) for address in ADDRESSES]
        assert [(answer.status_code, answer.text[:200]) for answer in before if answer.status_code != 200] == []
        configure(other_group, other_variables)
        upkeep.refresh_on_signal()
        after = [
            client.get(address, headers={"If-None-Match": old.headers["ETag"]})
            for address, old in zip(ADDRESSES, before, strict=True)
        ]
    with TestClient(application(open_at(file).services)) as client:
        fresh = [client.get(address) for address in ADDRESSES]

    assert [answer.status_code for answer in after] == [200] * len(ADDRESSES)
    assert [answer.content for answer in after] == [answer.content for answer in fresh]
    assert [x for x, new, old in zip(ADDRESSES, after, before, strict=True) if new.content == old.content] == []
