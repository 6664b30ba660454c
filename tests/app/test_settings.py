"""Settings of a process from its environment."""

from pathlib import Path

import pytest

from chronotile.app.settings import PREFIX, SUPERVISOR_BYTES, WORKER_BYTES, Settings, ignored_variables, load_settings
from chronotile.core.errors import ConfigurationError
from chronotile.core.machine import Machine


@pytest.fixture
def environment(monkeypatch):
    """Return `environment(NAME=value)`, which sets the only `CHRONOTILE_*` variables."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)

    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)

    return put


def test_defaults_are_those_of_the_contract(environment):
    settings = load_settings()

    assert (settings.config, settings.host, settings.port) == (Path("config/chronotile.yaml"), "127.0.0.1", 8000)


def test_environment_configures_the_process(environment):
    environment(CONFIG="elsewhere.yaml", HOST="0.0.0.0", PORT="9000", WORKERS="3", SERIES_THREADS="7")

    settings = load_settings()

    assert (settings.config, settings.host, settings.port) == (Path("elsewhere.yaml"), "0.0.0.0", 9000)
    assert (settings.workers, settings.threads["series"]) == (3, 7)


def test_places_of_items_are_a_list(environment):
    environment(SOURCE_PREFIXES=" s3://bucket/, https://data.example.org/s2 ,")

    assert load_settings().source_places == ("s3://bucket/", "https://data.example.org/s2")


def test_arguments_override_the_environment(environment):
    environment(PORT="9000", HOST="0.0.0.0")

    settings = load_settings(port=8001, host=None)

    assert (settings.port, settings.host) == (8001, "0.0.0.0")


def test_empty_and_unknown_variables_are_passed_over(environment, monkeypatch):
    environment(PORT="")
    monkeypatch.setenv("CHRONOTILE_TEST_SOMETHING", "else")

    assert load_settings().port == 8000


def test_prefixes_are_separated_by_commas(environment):
    environment(INPUT_PREFIXES=" https://example.org/a/, http://example.org/b ,", SUBSCRIBER_PREFIXES="https://c/")

    assert load_settings().input_places == ("https://example.org/a/", "http://example.org/b")
    assert load_settings().subscriber_places == ("https://c/",)
    assert load_settings().sld_places == ()


def test_all_wrong_variables_are_reported(environment):
    environment(PORT="70000", WORKERS="many", LOG_LEVEL="loud")

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert [line.partition(":")[0] for line in caught.value.mistakes] == [
        "CHRONOTILE_PORT",
        "CHRONOTILE_WORKERS",
        "CHRONOTILE_LOG_LEVEL",
    ]


def test_variable_that_is_no_integer_is_reported_with_an_example(environment):
    environment(CACHE_BYTES="64MiB", PORT="http")

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert caught.value.mistakes == (
        "CHRONOTILE_PORT: should be a whole number, got 'http'",
        "CHRONOTILE_CACHE_BYTES: should be a whole number of bytes, such as 67108864, got '64MiB'",
    )


def test_misspelt_variables_are_reported():
    names = ("CACHE_BYTE", "CACHE_BYTES", "WORKER_ARGS", "FAILPOINTS", "TEST_STRICT", "WATCHS")
    told = ignored_variables({f"{PREFIX}{name}": "1" for name in names} | {"CACHE_BYTE": "1"})

    assert told == [
        "CHRONOTILE_CACHE_BYTE is unknown and has no effect; use CHRONOTILE_CACHE_BYTES",
        "CHRONOTILE_WATCHS is unknown and has no effect; use CHRONOTILE_WATCH_S",
    ]


def test_address_that_kubernetes_sets_for_a_service_is_no_port(environment):
    environment(PORT="tcp://10.96.0.17:8000")

    assert load_settings().port == 8000
    assert load_settings(port=9000).port == 9000
    assert ignored_variables({"CHRONOTILE_PORT": "tcp://10.96.0.17:8000"}) == [
        "CHRONOTILE_PORT='tcp://10.96.0.17:8000' is not a port and is ignored: Kubernetes sets it for a Service named "
        "chronotile; enableServiceLinks: false in the pod prevents it"
    ]


def test_other_variables_that_kubernetes_sets_for_a_service_are_passed_over(environment):
    links = {
        "CHRONOTILE_SERVICE_HOST": "10.96.0.17",
        "CHRONOTILE_SERVICE_PORT": "8000",
        "CHRONOTILE_SERVICE_PORT_HTTP": "8000",
        "CHRONOTILE_PORT_8000_TCP": "tcp://10.96.0.17:8000",
        "CHRONOTILE_PORT_8000_TCP_PROTO": "tcp",
        "CHRONOTILE_PORT_8000_TCP_PORT": "8000",
        "CHRONOTILE_PORT_8000_TCP_ADDR": "10.96.0.17",
    }
    environment(**{name.removeprefix(PREFIX): value for name, value in links.items()})

    assert load_settings().port == 8000
    assert ignored_variables(links) == []


def test_settings_reach_another_process_by_its_environment(environment, monkeypatch):
    settings = Settings(config=Path("a.yaml"), port=8001, picture_threads=2, forwarded_allow_ips="*")

    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)

    assert load_settings() == settings


@pytest.mark.parametrize(
    ("cores", "memory_bytes", "count"),
    [
        pytest.param(4, 8 << 30, 4, id="one a core"),
        pytest.param(16, 2 << 30, 4, id="as far as memory goes beside caches and supervisor"),
        pytest.param(16, 1 << 30, 2, id="two in 1 GiB"),
        pytest.param(2, 128 << 20, 1, id="at least one"),
        pytest.param(5000, 8 << 40, 1024, id="at most as many as may be told"),
    ],
)
def test_workers_are_counted(cores, memory_bytes, count):
    assert Settings().workers_on(Machine(cores=cores, memory_bytes=memory_bytes)) == count


@pytest.mark.parametrize(("workers", "quick_slots"), [(None, 9), (1, 9), (4, 3), (8, 2), (64, 1)])
def test_quick_work_is_shared_out_over_the_cores(workers, quick_slots):
    assert Settings(workers=workers).quick_slots_on(Machine(cores=8, memory_bytes=8 << 30)) == quick_slots


@pytest.mark.parametrize("memory_bytes", [600 << 20, 1 << 30, 3 << 30, 16 << 30, 1 << 40])
def test_workers_that_are_counted_fit_into_the_memory_with_caches_and_supervisor(memory_bytes):
    machine = Machine(cores=64, memory_bytes=memory_bytes)

    count = Settings().workers_on(machine)

    supervisor_bytes = 0 if count == 1 else SUPERVISOR_BYTES
    assert count * WORKER_BYTES + supervisor_bytes + Settings().cache_on(machine) <= memory_bytes


def test_configured_number_of_workers_is_used():
    assert Settings(workers=3).workers_on(Machine(cores=1, memory_bytes=1 << 30)) == 3


@pytest.mark.parametrize(
    ("settings", "memory_bytes", "kept"),
    [
        pytest.param(Settings(workers=4), 1 << 30, 128 << 20, id="an eighth of the memory"),
        pytest.param(Settings(), 1 << 30, 128 << 20, id="of one process too"),
        pytest.param(Settings(workers=4), 64 << 30, 2 << 30, id="at most 2 GiB"),
        pytest.param(Settings(workers=2, cache_bytes=1 << 30), 1 << 30, 1 << 30, id="told"),
    ],
)
def test_caches_of_all_workers_have_one_budget(settings, memory_bytes, kept):
    assert settings.cache_on(Machine(cores=4, memory_bytes=memory_bytes)) == kept


def test_each_worker_has_its_part_of_the_budget():
    machine = Machine(cores=4, memory_bytes=16 << 30)

    alone = Settings(cache_bytes=16 << 20).cache_shares(machine)
    beside_three = Settings(cache_bytes=64 << 20, workers=4).cache_shares(machine)

    assert sum(alone) == 16 << 20
    assert beside_three == alone


def test_configured_memory_of_answers_is_divided_too():
    settings = Settings(workers=4, payload_bytes=4000)

    assert settings.cache_shares(Machine(cores=4, memory_bytes=16 << 30)).payloads == 1000


def test_every_setting_stands_in_the_reference_with_its_default():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "command-line.md").read_text("utf-8")

    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith(f"| `{PREFIX}")}
    assert set(rows) == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert [
        name
        for name, field in Settings.model_fields.items()
        if field.default is not None and f"| `{field.default}` |" not in rows[f"{PREFIX}{name.upper()}"]
    ] == []


@pytest.mark.parametrize(
    ("told", "folder"),
    [
        pytest.param("/caches", Path("/caches/chronotile"), id="told"),
        pytest.param("", Path("/home/a/.cache/chronotile"), id="not told"),
        pytest.param("caches", Path("/home/a/.cache/chronotile"), id="relative, which is not allowed"),
    ],
)
def test_caches_on_disk_lie_among_the_users(environment, monkeypatch, told, folder):
    environment()
    monkeypatch.setenv("XDG_CACHE_HOME", told)
    monkeypatch.setenv("HOME", "/home/a")

    assert load_settings().disk_cache("previews") == (folder / "previews", 2 << 30)
    assert load_settings().disk_cache("blocks") == (folder / "blocks", 4 << 30)


def test_caches_on_disk_share_one_folder_and_one_size(environment):
    environment(CACHE_DIR="/fast", DISK_CACHE_BYTES="1100")

    caches = {name: load_settings().disk_cache(name) for name in ("previews", "mosaics", "blocks", "cubes")}

    assert caches == {
        "previews": (Path("/fast/previews"), 200),
        "mosaics": (Path("/fast/mosaics"), 400),
        "blocks": (Path("/fast/blocks"), 400),
        "cubes": (Path("/fast/cubes"), 100),
    }


def test_variable_of_one_disk_cache_is_refused_with_that_of_all(environment):
    environment(PREVIEW_DIR="/previews", MOSAIC_DIR="", CUBE_BYTES="0", CUBE_FILES="/cubes", PORT="http")

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert caught.value.mistakes == (
        "CHRONOTILE_CUBE_BYTES is not used any more; set CHRONOTILE_DISK_CACHE_BYTES for all caches on disk",
        "CHRONOTILE_PREVIEW_DIR is not used any more; set CHRONOTILE_CACHE_DIR, in which each cache has a folder",
        "CHRONOTILE_PORT: should be a whole number, got 'http'",
    )


def test_jobs_are_stored_in_the_data_folder_of_the_user(environment, monkeypatch):
    environment()
    monkeypatch.setenv("XDG_STATE_HOME", "/kept")

    assert load_settings().jobs_folder("belgium-1f") == Path("/kept/chronotile/archives/belgium-1f/jobs")
    assert load_settings().jobs_folder("flanders") == Path("/kept/chronotile/archives/flanders/jobs")


def test_jobs_are_stored_in_the_configured_folder(environment):
    environment(JOBS_DIR="/jobs")

    assert load_settings().jobs_folder("belgium-1f") == Path("/jobs")


@pytest.mark.parametrize("token", ["tok", "x" * 23, f"{'x' * 24},y", ",".join(["x" * 24] * 3)])
def test_short_or_many_tokens_are_refused_and_not_shown(environment, token):
    environment(WRITE_TOKEN=token)

    with pytest.raises(ConfigurationError, match="one token of at least 24 bytes is needed") as refused:
        load_settings()
    assert f"{token!r}" not in str(refused.value)


def test_two_tokens_are_separated_by_a_comma():
    assert Settings(write_token=f"{'x' * 24}, {'y' * 24}").write_tokens == ("x" * 24, "y" * 24)
