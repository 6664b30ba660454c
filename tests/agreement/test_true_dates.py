"""Times in names of files and on several axes are the expected ones, in every protocol and a job.

The times follow by construction: `tests/odd_archives/dated_names.py` and `time_axes.py`.
"""

import csv
import io
import json
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import rasterio
import rasterio.warp
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.archive.discovery.drafts import time_pattern_of
from chronotile.archive.discovery.names import Looks, group_names
from chronotile.core.model.source import DimensionStep, SourceSpec, VariableSpec
from chronotile.readers.dated_files import times_in_names
from chronotile.readers.kinds import open_source
from tests.odd_archives import dated_names
from tests.odd_archives.dated_names import FAMILIES, named_files
from tests.odd_archives.time_axes import KINDS, timed_file, write_timed
from tests.running import until
from tests.sampling import IS_FULL
from tests.zarr_stores import open_store

ALIKE = Looks(holds_times=lambda _path: False, are_alike=lambda _paths: True, are_of_one_place=lambda _paths: True)
NAMED = [(family, seed) for family in FAMILIES for seed in range(16 if IS_FULL else 1)]
TIMED = [(kind, seed) for kind in KINDS for seed in range(170 if IS_FULL else 12)]


def spans_of(names):
    """Return the start and end of each name that discovery groups into one collection, by its `time_pattern`."""
    (group,) = group_names([Path(name) for name in names], ALIKE)
    paths = [f"/data/{name.path}" for name in group.names]
    spans = times_in_names(paths, time_pattern_of(group, Path("/data")))
    return {Path(path).name: (text_of(span.start), text_of(span.end)) for path, _text, span in spans}


def text_of(instant):
    return str(instant)[:19]


@pytest.mark.parametrize(("family", "seed"), NAMED)
def test_names_of_a_family_give_their_dates(family, seed):
    made = named_files(family, seed)

    found = spans_of(made.names)

    expected = {
        name: (f"{start:%Y-%m-%dT%H:%M:%S}", f"{end:%Y-%m-%dT%H:%M:%S}")
        for name, (start, end) in zip(made.names, made.steps, strict=True)
    }
    assert found == expected


def test_dekads_by_number_of_two_variables_have_their_dates():
    days = {"1": "01", "2": "11", "3": "21"}

    found = spans_of([f"{variable}_201906_{number}.tif" for variable in ("NDVI", "LAI") for number in days])

    assert {name: start for name, (start, _end) in found.items()} == {
        f"{variable}_201906_{number}.tif": f"2019-06-{day}T00:00:00"
        for variable in ("NDVI", "LAI")
        for number, day in days.items()
    }


def spec_of(path, select, kind="netcdf"):
    steps = tuple(DimensionStep(dimension=name, value=value) for name, value in select.items())
    return SourceSpec(collection="made", kind=kind, href=str(path), variables={"v": VariableSpec(id="v", select=steps)})


@pytest.mark.parametrize(("kind", "seed"), TIMED)
def test_times_of_axes_are_read_with_their_values(tmp_path, kind, seed):
    made = timed_file(kind, seed)
    write_timed(made, tmp_path / "made.nc")

    with_times = open_source(spec_of(tmp_path / "made.nc", made.select))

    times = with_times.info.variables["v"].times
    cells = with_times.read_cell("v", indexes=range(len(times)), row=2, column=3).numbers
    with_times.close()
    assert [f"{text_of(start)}Z" for start in times.starts] == made.names
    assert cells.tolist() == made.values


CONFIGURATION = """
collections:
  made:
    source: {kind: KIND, href: "made.*"}
    variables: {v: {layer: V, select: SELECT}}
"""


def write_names(folder, case):
    family, seed = case
    dated_names.maker_of(family, seed)(folder)
    return folder


def write_axes(folder, case):
    kind, seed, suffix = case
    made = timed_file(kind, seed)
    write_timed(made, folder / f"made{suffix}")
    path = folder / "chronotile.yaml"
    text = CONFIGURATION.replace("KIND", "zarr" if suffix == ".zarr" else "netcdf").replace("made.*", f"made{suffix}")
    path.write_text(text.replace("SELECT", json.dumps(made.select)))
    return path


def truth_of_names(case):
    made = named_files(*case)
    return [f"{start}Z" for start in made.starts], [float(n) for n in range(1, len(made.names) + 1)]


def truth_of_axes(case):
    made = timed_file(*case[:2])
    return made.names, made.values


SERVED = [
    *((write_names, truth_of_names, (family, 1)) for family in FAMILIES),
    *(
        (write_axes, truth_of_axes, (kind, seed, suffix))
        for kind in KINDS
        for seed in (1, 2)
        for suffix in (".nc", ".zarr")
    ),
]


@pytest.fixture
def client(tmp_path):
    """Return a function that serves the files of a maker."""
    opened = []

    def serve(write, case):
        data = tmp_path / "data"
        data.mkdir()
        app = create_app(Settings(config=write(data, case), jobs_dir=tmp_path / "jobs"))
        opened.append(TestClient(app))
        return opened[0].__enter__()

    yield serve
    opened[0].__exit__(None, None, None)


class Asked:
    """Answers of the protocols for the only layer, at a cell in its middle."""

    def __init__(self, client, tmp_path):
        self.client, self.folder = client, tmp_path
        (self.layer,) = client.get("/layers").json()["layers"]
        self.id = quote(self.layer["id"], safe="")
        west, south, east, north = self.layer["bbox"]
        is_axes = self.layer["id"] == "V"
        self.lon, self.lat = (4.4, 51.7) if is_axes else ((west + east) / 2, (south + north) / 2)

    def get(self, path, **parameters):
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer

    def times_of_lists(self):
        """Return the times of each protocol that lists them."""
        point = self.get(f"/timeseries/{self.id}/point", lon=self.lon, lat=self.lat).json()
        coords = f"POINT({self.lon} {self.lat})"
        position = self.get(f"/ogcapi/collections/{self.id}/position", coords=coords).json()
        store = open_store(self.client, f"/zarr/{self.id}")
        extent = self.get(f"/ogcapi/collections/{self.id}", f="json").json()["extent"]["temporal"]["interval"][0]
        listed = self.get(f"/layers/{self.id}/times").json()["times"]
        return {
            "layers": listed,
            "series": point["times"],
            "EDR": position["domain"]["axes"]["t"]["values"],
            "zarr": [f"{text_of(each)}Z" for each in store["time"].values],
            "OGC API": [extent[0], *listed[1:]],
            "STAC": until(self.times_of_items),
        }

    def times_of_items(self):
        name = self.get("/stac/collections").json()["collections"][0]["id"]
        answer = self.client.get(f"/stac/collections/{name}/items", params={"limit": 100})
        found = answer.json().get("features", []) if answer.status_code == 200 else []
        return sorted(
            (each["properties"]["datetime"] or each["properties"]["start_datetime"]).replace(".000Z", "Z")
            for each in found
        )

    def values_of_series(self):
        """Return the values of each protocol that has all times in one answer."""
        point = self.get(f"/timeseries/{self.id}/point", lon=self.lon, lat=self.lat).json()
        inputs = {"layers": [self.layer["id"]], "points": [[self.lon, self.lat]]}
        job = self.client.post("/ogcapi/processes/time-series/execution", json={"inputs": inputs})
        lines = [line for line in job.text.splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        store = open_store(self.client, f"/zarr/{self.id}")
        name = next(name for name, array in store.data_vars.items() if array.ndim == 3)
        y, x = store[name].dims[-2:]
        return {
            "series": point["values"],
            "job": [float(row["value"]) for row in rows],
            "zarr": store[name]
            .values.reshape(len(rows), store.sizes[y], store.sizes[x])[:, *self.cell(store, y, x)]
            .tolist(),
        }

    def cell(self, store, y, x):
        """Return the row and column of the point of the other requests."""
        coverage = self.get(f"/ogcapi/collections/{self.id}/coverage", f="geotiff", datetime=self.last)
        with rasterio.MemoryFile(coverage.content) as memory, memory.open() as file:
            own = rasterio.warp.transform("EPSG:4326", file.crs, [self.lon], [self.lat])
        return int(np.abs(store[y].values - own[1][0]).argmin()), int(np.abs(store[x].values - own[0][0]).argmin())

    @property
    def last(self):
        return self.get(f"/layers/{self.id}/times").json()["times"][-1]

    def values_at(self, time):
        """Return the value of each protocol for one requested time."""
        west, south = self.lon - 0.02, self.lat - 0.02
        box = f"{west},{south},{west + 0.04},{south + 0.04}"
        wms = self.get(
            "/wms", service="WMS", version="1.3.0", request="GetFeatureInfo", layers=self.layer["id"], styles="",
            query_layers=self.layer["id"], crs="CRS:84", width=101, height=101, bbox=box, i=50, j=50,
            format="image/png", info_format="application/json", time=time,
        )  # fmt: skip
        zoom = 16
        x = (self.lon + 180) / 360 * 2**zoom
        y = (1 - np.arcsinh(np.tan(np.radians(self.lat))) / np.pi) / 2 * 2**zoom
        wmts = self.get(
            "/wmts", service="WMTS", version="1.0.0", request="GetFeatureInfo", layer=self.layer["id"], style="default",
            format="image/png", tilematrixset="WebMercatorQuad", tilematrix=zoom, tilerow=int(y), tilecol=int(x),
            i=int(x % 1 * 256), j=int(y % 1 * 256), infoformat="application/json", time=time,
        )  # fmt: skip
        tile = self.get(f"/tiles/{self.id}/WebMercatorQuad/{zoom}/{int(x)}/{int(y)}.npy", datetime=time)
        point = self.get(f"/timeseries/{self.id}/point", lon=self.lon, lat=self.lat, datetime=time).json()
        wcs = self.get(
            "/wcs", service="WCS", version="2.0.1", request="GetCoverage", coverageid=self.layer["id"],
            format="image/tiff", subset=f'time("{time}")',
        )  # fmt: skip
        with rasterio.MemoryFile(wcs.content) as memory, memory.open() as file:
            (own,) = file.sample(
                zip(*rasterio.warp.transform("EPSG:4326", file.crs, [self.lon], [self.lat]), strict=True)
            )
        return [
            wms.json()["features"][0]["properties"]["value"],
            wmts.json()["features"][0]["properties"]["value"],
            float(np.load(io.BytesIO(tile.content))[..., int(y % 1 * 256), int(x % 1 * 256)].ravel()[0]),
            *point["values"],
            float(own[0]),
        ]


@pytest.mark.slow  # the server lists items a second after its start
@pytest.mark.parametrize(
    ("write", "truth", "case"), SERVED, ids=lambda each: str(each) if isinstance(each, tuple) else ""
)
def test_every_protocol_has_the_dates_of_its_files(client, tmp_path, write, truth, case):
    asked = Asked(client(write, case), tmp_path)
    names, values = truth(case)

    assert asked.times_of_lists() == dict.fromkeys(("layers", "series", "EDR", "zarr", "OGC API", "STAC"), names)
    assert asked.values_of_series() == dict.fromkeys(("series", "job", "zarr"), pytest.approx(values))
    assert [asked.values_at(name) for name in names] == [pytest.approx([value] * 5) for value in values]
