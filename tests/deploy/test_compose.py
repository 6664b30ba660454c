"""The files docker-compose.yml of the root and of examples fit the image, the configuration and each other."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from chronotile.cli.main import app
from tests.scenes import Scene, write_cogs

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "docker-compose.yml", *sorted((ROOT / "examples").glob("*/docker-compose.yml"))]
OWN_DATA = ROOT / "examples" / "own-data"
OF_THE_USER = {"data", "cubes"}
"""Folders that the user brings."""


def services_of(file):
    return yaml.safe_load(file.read_text(encoding="utf-8"))["services"]


SERVICES = {
    f"{file.parent.name}-{name}": (file, service) for file in FILES for name, service in services_of(file).items()
}
OURS = {name: each for name, each in SERVICES.items() if each[1]["image"] == "chronotile"}


def mounts_of(service):
    """Return by path in the container: its default source, and whether it is read-only."""
    mounts = (re.sub(r"\$\{\w+:-(.*?)\}", r"\1", each).split(":") for each in service.get("volumes", []))
    return {place: (source, flags == ["ro"]) for source, place, *flags in mounts}


@pytest.mark.parametrize(("file", "service"), SERVICES.values(), ids=SERVICES)
def test_mounted_folders_exist(file, service):
    folders = [source for source, _ in mounts_of(service).values() if source.startswith(".")]

    assert all((file.parent / each).exists() or Path(each).name in OF_THE_USER for each in folders)


@pytest.mark.parametrize(("file", "service"), SERVICES.values(), ids=SERVICES)
def test_named_volumes_and_services_exist(file, service):
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    volumes = {source for source, _ in mounts_of(service).values() if source[0] not in "./"}

    assert volumes <= document["volumes"].keys()
    assert set(service.get("depends_on", [])) <= document["services"].keys()


@pytest.mark.parametrize(("file", "service"), OURS.values(), ids=OURS)
def test_root_is_read_only_except_for_mounts(file, service):
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (state,) = re.findall(r"^VOLUME (\S+)$", image, re.MULTILINE)

    assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    assert state in mounts_of(service) or "optimise" in service["entrypoint"]
    assert f"XDG_CACHE_HOME={state}/" in image


@pytest.mark.parametrize("file", [ROOT / "docker-compose.yml", OWN_DATA / "docker-compose.yml"], ids=["demo", "own"])
def test_whom_the_server_believes_shares_its_network_and_is_the_cache_alone(file):
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    services = document["services"]
    (network,) = document["networks"]["front"]["ipam"]["config"]

    assert services["server"]["environment"]["CHRONOTILE_FORWARDED_ALLOW_IPS"] == network["subnet"]
    assert {name for name, each in services.items() if "front" in each["networks"]} == {"server", "cache"}


@pytest.mark.parametrize("file", [ROOT / "docker-compose.yml", OWN_DATA / "docker-compose.yml"], ids=["demo", "own"])
def test_services_have_limits_and_no_rights_and_answer_this_machine_alone(file):
    services = services_of(file)

    for each in services.values():
        assert {"mem_limit", "pids_limit"} <= each.keys()
        assert (each["read_only"], each["cap_drop"], each["security_opt"]) == (
            True,
            ["ALL"],
            ["no-new-privileges:true"],
        )
        assert all(port.startswith("${CHRONOTILE_ADDRESS:-127.0.0.1}:") for port in each.get("ports", []))


@pytest.mark.parametrize(("file", "service"), OURS.values(), ids=OURS)
def test_commands_are_those_of_chronotile(file, service):
    command = (
        re.sub(r"\$\{\w+:?-(.*?)\}", r"\1", service["command"])
        if "entrypoint" not in service
        else "chronotile optimise"
    )
    program, name, *_arguments = shlex.split(command)

    assert program == "chronotile"
    assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0


def test_worker_of_own_data_shares_the_volumes_of_the_server():
    services = services_of(OWN_DATA / "docker-compose.yml")
    server, worker = services["server"], services["worker"]

    assert worker["volumes"] == server["volumes"]
    assert worker["environment"].items() >= server["environment"].items()
    assert worker["command"].split()[2:] == server["command"].split()[2:]


def test_only_optimise_writes_next_to_the_data():
    services = services_of(OWN_DATA / "docker-compose.yml")
    place = "/srv/chronotile/cubes"

    assert {name: mounts_of(services[name])[place][1] for name in ("server", "worker", "optimise")} == {
        "server": True,
        "worker": True,
        "optimise": False,
    }
    assert all(mounts_of(services[name])["/srv/chronotile/data"][1] for name in ("server", "worker", "optimise"))


def test_own_data_are_served_from_files_and_then_from_the_cube(tmp_path, monkeypatch):
    """The README has the same commands."""
    text = (OWN_DATA / "config" / "chronotile.yaml").read_text(encoding="utf-8")
    for folder in ("config", "data", "cubes"):
        (tmp_path / folder).mkdir()
    write_cogs(tmp_path / "data", Scene())
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke

    (tmp_path / "config" / "chronotile.yaml").write_text(text, encoding="utf-8")
    from_files = run(app, ["check", "config/chronotile.yaml"])
    optimised = run(app, ["optimise", "new", "data", "cubes/ndvi.zarr", "--workers", "1"])
    head, commented = text.partition("  ndvi:")[0], re.findall(r"^  # (?=ndvi:|  )(.*)$", text, re.MULTILINE)
    of_cube = "\n".join([head, *(f"  {line}" for line in commented)])
    (tmp_path / "config" / "chronotile.yaml").write_text(of_cube, encoding="utf-8")
    from_cube = run(app, ["check", "config/chronotile.yaml"])
    layers = run(app, ["layers", "config/chronotile.yaml"])

    assert [each.exit_code for each in (from_files, optimised, from_cube)] == [0, 0, 0], from_cube.output
    assert "NDVI" in layers.output


def test_grafana_finds_its_dashboard_and_prometheus():
    folder = ROOT / "examples" / "grafana"
    services = services_of(folder / "docker-compose.yml")
    grafana, prometheus = services["grafana"], services["prometheus"]
    (source,) = yaml.safe_load((folder / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "provisioning/dashboards/chronotile.yml").read_text())["providers"]
    dashboard = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])

    assert source["url"] == "http://prometheus:9090"
    assert str(dashboard.parent) == provider["options"]["path"]
    assert (folder / mounts_of(grafana)[str(dashboard.parent)][0] / dashboard.name).is_file()
    assert (folder / mounts_of(prometheus)["/etc/prometheus"][0] / "prometheus.yml").is_file()
    (job,) = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["server:8000"]}]
