"""The command line: its output and exit statuses."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chronotile import __version__
from chronotile.app.process_setup import MAX_FILES
from chronotile.app.settings import Settings
from chronotile.cli.main import app
from chronotile.core.machine import this_machine
from tests.places import write_places
from tests.running import PATIENCE_S, PROGRAM, answer_of, is_shown, serving, until, workers_of
from tests.scenes import Scene, write_cogs

SCENE = Scene()


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return `run(*arguments)`: the result of a command, in an empty folder, with any free port."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CHRONOTILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHRONOTILE_PORT", "0")  # whoever else listens on this machine
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def data(tmp_path) -> Path:
    """Return a folder of dated rasters and a table."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_cogs(folder, SCENE)
    (folder / "notes.csv").touch()
    return folder


@pytest.fixture
def configuration(data) -> Path:
    """Return a configuration of that folder."""
    file = data.parent / "made.yaml"
    file.write_text(
        'collections: {made: {source: {kind: cog, href: "data/NDVI_*.tif"}, variables: {NDVI: {layer: NDVI}}}}'
    )
    return file


def test_version_is_printed(run):
    assert run("--version").output == f"chronotile {__version__}\n"


@pytest.mark.slow
def test_package_is_a_program():
    command = [sys.executable, "-m", "chronotile", "--version"]

    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)

    assert result.stdout == f"chronotile {__version__}\n"


def test_service_url_in_the_variable_of_the_port_stops_no_command(run, configuration, monkeypatch):
    monkeypatch.setenv("CHRONOTILE_PORT", "tcp://10.96.0.17:8000")

    assert run("layers", configuration).exit_code == 0


@pytest.mark.slow
def test_server_logs_once_that_it_ignores_the_address_of_a_service(configuration, tmp_path):
    link = "tcp://10.96.0.17:8000"

    with (tmp_path / "log").open("w") as log, serving("serve", configuration, log=log, CHRONOTILE_PORT=link):
        pass

    assert (tmp_path / "log").read_text().count(f"CHRONOTILE_PORT={link!r} is not a port and is ignored") == 1


def test_help_names_the_commands(run):
    assert all(name in run("--help").output for name in ("demo", "serve", "check", "layers"))


@pytest.mark.slow
def test_help_loads_nothing_heavy():
    script = (
        "import sys, contextlib\n"
        "from chronotile.cli.main import app\n"
        "with contextlib.suppress(SystemExit): app(['--help'])\n"
        "heavy = 'numpy pydantic starlette rasterio tensorstore pyproj shapely pandas xarray scipy zarr sqlalchemy'\n"
        "print(set(heavy.split()) & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "set()"


def test_threads_are_bounded_before_numpy_is_imported(run, monkeypatch, configuration):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GDAL_NUM_THREADS"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)

    run("layers", configuration)

    assert [os.environ[name] for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GDAL_NUM_THREADS")] == ["1"] * 3


@pytest.mark.parametrize(
    "arguments", [["serve", "--port", "70000"], ["serve", "--workers", "0"], ["nothing"], ["check", "a", "b"], []]
)
def test_wrong_usage_ends_with_2(run, arguments):
    assert run(*arguments).exit_code == 2


def test_help_mentions_that_written_configurations_are_served(run):
    assert "then serve it" in " ".join(run("serve", "--help").output.split())


def test_layers_are_listed_with_times_extent_and_styles(run, configuration):
    result = run("layers", configuration)

    assert result.exit_code == 0
    assert re.search(
        r"NDVI  5 times 2020-01-01 to 2020-02-11  lon 3 to 3\.\d+, lat 50\.9989 to 51\.0016  40 x 30 px in EPSG:32631  "
        r"styles ndvi",
        result.output,
    )


def test_skipped_collections_are_printed_after_the_layers(run, configuration):
    gone = "gone: {source: {kind: zarr, href: no.zarr}, variables: {LAI: {}}}"
    configuration.write_text(configuration.read_text().replace("{made:", f"{{{gone}, made:"))

    result = run("layers", configuration)

    assert result.exit_code == 0
    assert "NDVI  5 times" in result.output
    assert "gone: left out; run chronotile check for the reason" in result.output.splitlines()


def test_layers_of_a_folder_are_listed(run, data):
    assert "ndvi.NDVI" in run("layers", data).output


@pytest.mark.slow
@pytest.mark.parametrize("command", ["layers", "check", "serve"])
def test_configuration_is_that_of_the_environment_or_the_usual_one(run, command):
    output = run(command).output

    assert output.startswith("chronotile: config/chronotile.yaml cannot be read: ")
    assert output.count("config/chronotile.yaml") == 1
    assert "name a folder or file of data (chronotile serve FOLDER) or another configuration" in output
    assert "without any of your own: chronotile demo" in output


def test_configuration_of_the_environment_is_read(run, configuration, monkeypatch):
    monkeypatch.setenv("CHRONOTILE_CONFIG", str(configuration))

    assert run("layers").exit_code == 0


def test_check_of_good_data_ends_with_0(run, data):
    result = run("check", data)

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "note     notes.csv: skipped: a table, not a raster",
        "1 collection, 1 layer: 0 errors, 0 warnings, 1 note",
    ]


def test_check_lists_the_served_place_sets_before_the_summary(run, configuration):
    write_places(configuration.parent / "squares.geojson")
    sets = "{squares: {href: squares.geojson, id: code, label: name}, unlabelled: {href: squares.geojson, id: code}}"
    configuration.write_text(f"{configuration.read_text()}\nplaces: {sets}\n")

    result = run("check", configuration)

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "places.squares  3 places  label name  lon 4.5 to 4.8, lat 50.8 to 50.9  OGC:CRS84",
        "places.unlabelled  3 places  label code  lon 4.5 to 4.8, lat 50.8 to 50.9  OGC:CRS84",
        "1 collection, 1 layer: 0 errors, 0 warnings, 0 notes",
    ]


def test_check_of_a_wrong_configuration_reports_every_mistake_and_ends_with_1(run, configuration):
    configuration.write_text("collections:\n  a: {source: {kind: cog, hrf: x}}\n  b: 1\n")

    result = run("check", configuration)

    assert result.exit_code == 1
    keys = [line.split(": ")[2] for line in result.output.splitlines()]
    assert keys == ["collections.a.source.href", "collections.a.source.hrf", "collections.b"]


def test_check_ends_with_1_if_a_source_does_not_open(run, configuration):
    text = "\n  gone: {source: {kind: zarr, href: absent.zarr}}\n"
    configuration.write_text(
        'collections:\n  made: {source: {kind: cog, href: "data/NDVI_*.tif"}, variables: {NDVI: {}}}' + text
    )

    result = run("check", configuration)

    assert result.exit_code == 1
    assert "error    gone: left out: absent.zarr does not exist" in result.output


@pytest.mark.slow
def test_port_in_use_is_one_line(run, configuration):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", configuration, "--port", taken.getsockname()[1])

    assert result.exit_code == 1
    assert re.fullmatch(r"chronotile: cannot listen on 127.0.0.1 port \d+: .*\n", result.output)


@pytest.mark.slow
def test_missing_folder_is_reported_before_a_port_in_use(run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", tmp_path / "nope", "--port", taken.getsockname()[1])

    assert result.exit_code == 1
    assert "nope does not exist; name a folder or file of data" in result.output
    assert "cannot listen" not in result.output


def test_wrong_variable_of_the_environment_is_one_line(run, configuration, monkeypatch):
    monkeypatch.setenv("CHRONOTILE_WORKERS", "many")

    result = run("serve", configuration)

    assert result.exit_code == 1
    assert result.output.startswith("chronotile: CHRONOTILE_WORKERS: ")


@pytest.mark.slow
def test_configuration_is_not_written_from_a_configuration(run, configuration):
    assert run("serve", configuration, "--port", "0", "--write-config", "new.yaml").exit_code == 2


def test_file_that_exists_is_not_written_over(run, data, configuration):
    result = run("serve", data, "--port", "0", "--write-config", configuration)

    assert result.exit_code == 1
    assert "exists already" in result.output


client = pytest.mark.client(str(PROGRAM))


@client
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
@pytest.mark.parametrize("workers", [1, 2])
def test_server_answers_and_ends_with_0(configuration, number, workers):
    with serving("serve", configuration, "--workers", workers) as (process, address, _lines):
        assert answer_of(f"{address}/health/ready") == 200
        process.send_signal(number)

        assert process.wait(timeout=PATIENCE_S) == 0


@client
@pytest.mark.slow
def test_server_chooses_its_workers_by_the_machine_and_reports_it(configuration, tmp_path):
    machine = this_machine()
    count = Settings().workers_on(machine)
    with (tmp_path / "log").open("w") as log, serving("serve", configuration, log=log) as (process, _address, _lines):
        assert len(workers_of(process) or [process]) == count

    (line,) = [line for line in (tmp_path / "log").read_text().splitlines() if " workers: " in line]
    assert line.partition(" workers: ")[2] == (
        f"{count} (by cores and memory), cache: {Settings().cache_on(machine) >> 20} MiB (by memory), "
        f"cores: {machine.cores}, memory: {machine.memory_bytes >> 20} MiB"
    )


@client
@pytest.mark.slow
def test_on_one_core_one_process_answers(configuration):
    with on_one_core(), serving("serve", configuration) as (process, _address, _lines):
        assert workers_of(process) == []


@contextmanager
def on_one_core() -> Iterator[None]:
    """Limit programs that start in the block to one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def few_open_files() -> Iterator[None]:
    """Processes started in the block may open few files, unless they raise the limit; this process keeps its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(128, highest + 64), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@client
@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_server_and_workers_may_have_as_many_files_open_as_the_system_lets_them(configuration, workers):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    with few_open_files(), serving("serve", configuration, "--workers", workers) as (process, _address, _lines):
        pids = [process.pid, *workers_of(process)]
        allowed = [resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids]

    assert allowed == [(min(hard, MAX_FILES), hard)] * len(pids)


@client
@pytest.mark.slow
def test_server_prints_its_data_and_its_url(data):
    with serving("serve", data, "--workers", 1) as (_process, address, lines):
        printed = "".join(lines)

        assert "ndvi.NDVI  5 times 2020-01-01 to 2020-02-11" in printed
        assert "notes.csv: skipped: a table" in printed
        assert f"viewer        {address}/viewer/" in printed


@client
@pytest.mark.slow
def test_written_configuration_is_served(data, tmp_path):
    written = tmp_path / "config" / "chronotile.yaml"
    with serving("serve", data, "--write-config", written, "--workers", 1):
        pass

    with serving("serve", written, "--workers", 1) as (_process, address, _lines):
        assert answer_of(f"{address}/tiles/ndvi.NDVI/WebMercatorQuad/0/0/0.png") == 200


@client
@pytest.mark.slow
def test_address_and_port_come_from_the_environment(configuration):
    with serving("serve", configuration, CHRONOTILE_HOST="localhost", CHRONOTILE_WORKERS="1") as (
        _process,
        address,
        _lines,
    ):
        assert address.startswith("http://localhost:")


@client
@pytest.mark.slow
def test_client_that_connects_after_the_urls_are_printed_is_answered(configuration):
    with serving("serve", configuration, "--workers", 1) as (_process, address, _lines):
        tile = f"{address}/tiles/NDVI/WebMercatorQuad/14/8328/5482.png"

        with urllib.request.urlopen(tile, timeout=PATIENCE_S) as answer:
            assert answer.status == 200


@client
@pytest.mark.slow
def test_hangup_reads_the_configuration_again_and_preserves_the_last_good_one(configuration):
    text = configuration.read_text()
    with serving("serve", configuration, "--workers", 1, CHRONOTILE_WATCH_S="0") as (process, address, _lines):
        title = f"{address}/?f=json"
        assert answer_of(title) == 200

        configuration.write_text("services: {}\n" + text)
        process.send_signal(signal.SIGHUP)
        configuration.write_text("service: {title: New}\n" + text)
        process.send_signal(signal.SIGHUP)

        until(lambda: is_shown(title, b'"New"'))
        assert process.poll() is None


def test_cube_tiles_of_closed_years_are_written(run, configuration, tmp_path):
    command = ("optimise", "cube-tiles", configuration, tmp_path / "cubes", "--zooms", "12-13")
    written = run(*command, "--workers", 1)

    again = run(*command, "--years", "2020")
    assert written.exit_code == again.exit_code == 0, written.output
    files = [path.relative_to(tmp_path / "cubes") for path in (tmp_path / "cubes").rglob("2020-res1.ctc.gz")]
    assert {path.parts[:3] for path in files} == {("NDVI", "WebMercatorQuad", zoom) for zoom in ("12", "13")}
    assert f"{2 * len(files)} files written" in written.output
    assert f"{2 * len(files)} files existed" in again.output


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("cube-tiles", "--layout"),
        ("cube-tiles", "--dtype"),
        ("new", "--zooms"),
        ("update", "--layout"),
        ("update", "--classes"),
        ("update", "--bbox"),
        ("verify", "--memory"),
        ("verify", "--resume"),
    ],
)
def test_optimise_refuses_options_of_another_command(run, configuration, command, option):
    result = run("optimise", command, configuration, "dest.zarr", option, "map")

    assert result.exit_code == 2
    assert f"No such option: {option}" in " ".join(result.output.split())


def test_invalid_zoom_is_reported_in_one_line(run, configuration):
    result = run("optimise", "cube-tiles", configuration, "dest", "--zooms", "9-3")

    assert (result.exit_code, result.output) == (
        1,
        "chronotile: --zooms takes a number or two with a hyphen, got '9-3'\n",
    )
