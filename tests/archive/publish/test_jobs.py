"""`chronotile publish JOB`: results become a served collection that states their origin."""

import json
import urllib.request
from contextlib import closing

import numpy as np
import pytest

from chronotile import __version__
from chronotile.app.settings import load_settings
from chronotile.archive.archive_ids import archive_id_at
from chronotile.archive.open import open_archive
from chronotile.archive.publish.jobs import LEFT_OUT, public_inputs
from chronotile.core.model.job import Execution, Result
from chronotile.core.model.time.instants import system_clock
from chronotile.jobs.processes.execute import execute, plan_execution
from chronotile.jobs.queue.service import JobService
from tests.archive.publish.published import check, read
from tests.running import PATIENCE_S, serving
from tests.scenes import Scene, write_cogs

SCENE = Scene()
POINTS = {"type": "MultiPoint", "coordinates": [[3.0029, 51.0007]]}


@pytest.fixture
def place(tmp_path):
    """Return a configuration of a made scene."""
    spec = write_cogs(tmp_path / "source", SCENE)
    (tmp_path / "c.yaml").write_text(
        "collections:\n"
        "  made:\n"
        "    {title: Made of a formula, license: CC-BY-4.0, attribution: The maker, keywords: [vegetation],\n"
        f"     source: {{kind: cog, href: '{spec.href}', time_pattern: '_(?P<time>\\d{{8}})'}},\n"
        "     variables: {NDVI: {layer: NDVI}}}\n"
    )
    return tmp_path / "c.yaml"


@pytest.fixture
def finish(place, tmp_path, run):
    """Return `finish(process, inputs)`: the id of a finished job; `results` replaces its results."""
    del run  # sets the folder of jobs
    settings = load_settings(config=place)
    id_ = archive_id_at(place, environment={})

    def do(process, results=None, **inputs):
        folder = tmp_path / "made"
        folder.mkdir()
        execution = Execution(process=process, inputs=inputs)
        with (
            closing(open_archive(place, environment={}, clock=system_clock)) as archive,
            closing(JobService(settings.jobs_folder(id_), archive=id_)) as jobs,
        ):
            if results is None:
                plan = plan_execution(execution, archive.services)
                results = execute(execution, archive.services, folder, plan=plan)
            job, _files = jobs.store_execution(execution, results, folder, user=None)
            return job.id

    return do


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["GTiff", "NetCDF", "zarr"])
def test_an_export_becomes_a_collection_that_is_served(format_, finish, run, place, tmp_path):
    job = finish("export", layer="NDVI", format=format_)

    done = run("publish", job, "--to", tmp_path / "out", "--config", place)

    assert done.exit_code == 0, done.output
    check(tmp_path / "out")
    collection = read(tmp_path / "out" / "collection.json")
    assert collection["id"] == f"export-{job[:12]}"
    assert collection["license"] == "CC-BY-4.0"
    assert collection["keywords"] == ["export", "vegetation"]
    assert collection["extent"]["temporal"]["interval"][0][0] == "2020-01-01T00:00:00Z"
    environment = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with serving("serve", tmp_path / "out", "--workers", "1", **environment) as (_process, address, _lines):
        with urllib.request.urlopen(f"{address}/layers", timeout=PATIENCE_S) as answer:
            (layer,) = json.load(answer)["layers"]
        url = f"{address}/timeseries/{layer['id']}/point?x=500205&y=5649895&crs=EPSG:32631"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            found = json.load(answer)["values"]
    assert found == pytest.approx([int(SCENE.number(t, 10, 20)) * 0.004 - 0.08 for t in range(len(SCENE.days))])


@pytest.mark.slow
def test_result_describes_its_origin(finish, run, place, tmp_path):
    job = finish("time-series", layers="NDVI", points=POINTS, format="csv")

    done = run("publish", job, "--to", tmp_path / "out", "--config", place, "--title", "A series")

    assert done.exit_code == 0, done.output
    check(tmp_path / "out")
    collection = read(tmp_path / "out" / "collection.json")
    (provider,) = (each for each in collection["providers"] if "processor" in each["roles"])
    execution = provider["processing:expression"]["expression"]
    assert collection["title"] == "A series"
    assert collection["extent"]["temporal"]["interval"] == [["2020-01-01T00:00:00Z", "2020-02-11T00:00:00Z"]]
    assert provider["processing:software"] == {"chronotile": __version__}
    assert provider["processing:lineage"].endswith("made of made")
    assert (execution["process"], execution["inputs"]["layers"]) == ("time-series", "NDVI")
    assert execution["sources"][0]["count"] == len(SCENE.days)
    assert read(tmp_path / "out" / "record.json")["properties"]["created"] == execution["finished"]
    assert str(tmp_path) not in (tmp_path / "out" / "collection.json").read_text()


def test_results_that_are_values_are_documents(finish, run, place, tmp_path):
    job = finish("histogram", results={"histogram": Result(value={"counts": [1, 2]})}, layer="NDVI")

    run("publish", job, "--to", tmp_path / "out", "--config", place)

    check(tmp_path / "out")
    assert read(tmp_path / "out" / "data" / "histogram.json") == {"counts": [1, 2]}


def test_published_again_nothing_is_copied(finish, run, place, tmp_path):
    job = finish("echo", results={"string": Result(value="a")}, string="a")
    run("publish", job, "--to", tmp_path / "out", "--config", place)

    done = run("publish", job, "--to", tmp_path / "out", "--config", place)

    assert "0 files (0 bytes) copied" in done.output


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("absent", (), "there is no collection 'absent'; there are made, and jobs by their ids"),
        ("0" * 32, (), "has no jobs in SQLite in "),
        ("made", ("--datetime", "2020"), "--datetime, --bbox and --filter are for collections of scenes or tiles"),
        ("made", ("--theme", "sea"), "--theme 'sea' is not one of atmosphere, cryosphere"),
        ("made", ("--url", "example.org"), "--url 'example.org' is not an address"),
        ("made", ("--bbox", "1,2"), "--bbox '1,2' is not a box"),
        ("made", ("--datetime", "2020-01-01,2020-01-11"), "is not one instant or interval"),
        ("made", ("--filter", "what is"), "is not valid CQL2"),
        ("made", ("--to", "s3://Bucket"), "--to must be a folder or like s3://bucket/prefix"),
    ],
)
def test_unsupported_input_is_refused_in_one_line(name, options, message, run, place, tmp_path):
    done = run("publish", name, "--to", tmp_path / "out", "--config", place, *options)

    assert done.exit_code == 1, done.output
    assert message in done.output
    assert len(done.output.splitlines()) == 1


def test_a_job_without_results_is_refused(run, place, tmp_path):
    id_ = archive_id_at(place, environment={})
    with closing(JobService(load_settings(config=place).jobs_folder(id_), archive=id_)) as jobs:
        job = jobs.submit(Execution(process="echo", inputs={}), user=None)

    done = run("publish", job.id, "--to", tmp_path / "out", "--config", place)

    assert done.exit_code == 1
    assert f"the job {job.id} has no results: it is accepted" in done.output


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("NDVI", "NDVI"),
        ([1.5, "2020-01/2020-02"], [1.5, "2020-01/2020-02"]),
        ("https://me:secret@example.org/a.json?token=secret#a", "https://example.org/a.json"),
        ("s3://bucket/key", LEFT_OUT),
        ("file:///etc/passwd", LEFT_OUT),
        ("/data/fields.geojson", LEFT_OUT),
        ("../fields.geojson", LEFT_OUT),
        ("C:\\fields.geojson", LEFT_OUT),
        ("http://[", LEFT_OUT),
        ({"href": "/data/a", "type": "x/y"}, {"href": LEFT_OUT, "type": "x/y"}),
        ({"coordinates": np.zeros((500, 2)).tolist()}, LEFT_OUT),
    ],
)
def test_inputs_are_shown_without_paths_and_secrets(value, shown):
    assert public_inputs({"input": value}) == {"input": shown}
