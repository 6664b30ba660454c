"""The wrapper that runs commands like the service, and the shipped units."""

import os
import pwd
import re
import subprocess
from configparser import ConfigParser
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.running import PATIENCE_S, PROGRAM, serving
from tests.scenes import Scene, write_cogs

SYSTEMD = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
FOLDERS = "XDG_CACHE_HOME=/var/cache XDG_STATE_HOME=/var/lib"
PRINT_ENVIRONMENT = """#!/bin/sh
echo "$@"
pwd
env
"""


@pytest.fixture
def run_admin(tmp_path):
    """Return `run_admin(variables, *arguments)`: the output lines of a command below the wrapper."""
    program, environment, wrapper = (tmp_path / name for name in ("chronotile", "environment", "chronotile-admin"))
    program.write_text(PRINT_ENVIRONMENT)
    program.chmod(0o755)
    paths = {
        "user=chronotile": f"user={pwd.getpwuid(os.getuid()).pw_name}",
        "/opt/chronotile/bin/chronotile": str(program),
        "/etc/chronotile/environment": str(environment),
        "/srv/chronotile": str(tmp_path),
        FOLDERS: f"XDG_CACHE_HOME={tmp_path}/cache XDG_STATE_HOME={tmp_path}/lib",
    }
    for name in ("cache", "lib"):
        (tmp_path / name).mkdir()
    script = (SYSTEMD / "chronotile-admin").read_text()
    for shipped, used in paths.items():
        assert shipped in script
        script = script.replace(shipped, used)
    wrapper.write_text(script)

    def run(variables, *arguments):
        environment.write_text(variables)
        done = subprocess.run(["sh", wrapper, *arguments], capture_output=True, text=True, check=True, env=os.environ)
        return done.stdout.splitlines()

    return run


@pytest.mark.slow
def test_wrapper_passes_arguments_and_state_of_the_service(run_admin, tmp_path):
    lines = run_admin("", "keys", "create", "ann b")

    assert lines[:2] == ["keys create ann b", str(tmp_path)]
    assert f"XDG_STATE_HOME={tmp_path}/lib" in lines
    assert "CHRONOTILE_CONFIG=/etc/chronotile/chronotile.yaml" in lines


@pytest.mark.slow
def test_wrapper_makes_folders_before_the_first_start(run_admin, tmp_path):
    run_admin("", "restore", "/backups/chronotile-a-20260101T000000Z.tar")

    folders = [tmp_path / name / "chronotile" for name in ("cache", "lib")]
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o755, 0o755]
    assert [folder.stat().st_uid for folder in folders] == [os.getuid()] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CHRONOTILE_WORKERS=4", "CHRONOTILE_WORKERS=4"),
        ('CHRONOTILE_A="b c"', "CHRONOTILE_A=b c"),
        ("CHRONOTILE_A='b c'", "CHRONOTILE_A=b c"),
        ("CHRONOTILE_A=$(id) `id` $HOME", "CHRONOTILE_A=$(id) `id` $HOME"),
        ("CHRONOTILE_DATABASE_URL=postgresql://u:p=q@h/n?a=b", "CHRONOTILE_DATABASE_URL=postgresql://u:p=q@h/n?a=b"),
    ],
)
def test_wrapper_reads_variables_as_systemd_does(run_admin, line, expected):
    assert expected in run_admin(f"# comment\n\n{line}\n", "jobs", "list")


CONFIGURATION = """
access: {{default: {{see: [public]}}, operate: [key:ann]}}
collections: {{ndvi: {{source: {{kind: cog, href: "{data}/NDVI_*.tif"}}, variables: {{NDVI: {{}}}}}}}}
"""


@pytest.fixture
def host(tmp_path):
    """Return a host whose service has a configuration, variables and state in `tmp_path`."""
    data = tmp_path / "data"
    for each in (data, tmp_path / "backups"):
        each.mkdir()
    write_cogs(data, Scene())
    (tmp_path / "chronotile.yaml").write_text(CONFIGURATION.format(data=data))
    paths = {
        "user=chronotile": f"user={pwd.getpwuid(os.getuid()).pw_name}",
        "/opt/chronotile/bin/chronotile": str(PROGRAM),
        "/etc/chronotile": str(tmp_path),
        "/srv/chronotile": str(tmp_path),
        FOLDERS: f"XDG_CACHE_HOME={tmp_path} XDG_STATE_HOME={tmp_path}",
    }
    script = (SYSTEMD / "chronotile-admin").read_text()
    for shipped, used in paths.items():
        assert shipped in script
        script = script.replace(shipped, used)
    (tmp_path / "chronotile-admin").write_text(script)
    return tmp_path


def admin(host, *arguments, status=0):
    """Return the output of a command below the wrapper."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHRONOTILE_")}
    done = subprocess.run(
        ["sh", host / "chronotile-admin", *arguments], capture_output=True, text=True, check=False, env=kept
    )
    assert done.returncode == status, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.client("initdb", "postgres")
def test_commands_of_operators_from_a_key_to_a_restored_backup(host, postgresql):
    first, second = (f'CHRONOTILE_DATABASE_URL="{postgresql.make_database()}"\n' for _ in range(2))
    (host / "environment").write_text(first)

    checked = admin(host, "check")
    key = admin(host, "keys", "create", "ann").splitlines()[-1]
    admin(host, "backup", "--to", str(host / "backups"))
    (host / "environment").write_text(second)  # the database is lost
    lost = admin(host, "keys", "list")
    (backup,) = (host / "backups").glob("*.tar")
    admin(host, "restore", str(backup))
    restored = admin(host, "keys", "list")
    variables = dict([second.strip().replace('"', "").split("=", 1)])
    with serving(
        "serve",
        host / "chronotile.yaml",
        "--workers",
        1,
        XDG_STATE_HOME=str(host),
        XDG_CACHE_HOME=str(host),
        **variables,
    ) as served:
        metrics = Request(f"{served[1]}/metrics", headers={"Authorization": f"Bearer {key}"})
        answer = urlopen(metrics, timeout=PATIENCE_S)

    assert "0 errors" in checked
    assert ("ann" in lost, "ann" in restored) == (False, True)
    assert answer.status == 200


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "commands-beside-a-service.md"
COMMANDS = re.findall(r"^chronotile-admin (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def running(host):
    """Start the service of the host, and return the host."""
    state = {"XDG_STATE_HOME": str(host), "XDG_CACHE_HOME": str(host)}
    with serving("serve", host / "chronotile.yaml", "--workers", 1, **state):
        yield host


@pytest.mark.slow
@pytest.mark.every_case
def test_commands_of_the_how_to_run_while_the_server_runs(running):
    backups = running / "backups"
    commands = [command.replace("/var/lib/chronotile-backups", str(backups)) for command in COMMANDS]

    outputs = {command.split(" -")[0]: admin(running, *command.split()) for command in commands}

    assert outputs.keys() == {"check", "keys create ann", "keys list", "backup"}
    assert outputs["keys create ann"].startswith("ctk_")
    assert "ann" in outputs["keys list"]
    (backup,) = backups.glob("*.tar")
    admin(running, "restore", str(backup), "--replace", status=1)


@pytest.mark.slow
def test_each_command_prints_its_archive_and_state(host):
    command = ["sh", host / "chronotile-admin", "keys", "create", "ann"]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    line = r"archive \S+ \(.+/chronotile.yaml\), state in SQLite in .+/chronotile/archives/\S+/jobs\n"
    assert re.fullmatch(line, done.stderr)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_share_user_variables_state_and_database(unit):
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(unit)
    service = parser["Service"]

    assert service["User"] == "chronotile"
    assert service["EnvironmentFile"] == "-/etc/chronotile/environment"
    assert service["Environment"] == "XDG_CACHE_HOME=%C XDG_STATE_HOME=%S"
    assert service["StateDirectory"].split()[0] == "chronotile"
    assert "postgresql.service" in parser["Unit"]["After"].split()  # a backup at the start of the host needs it
    assert re.match(r"/opt/chronotile/bin/chronotile \w+ /etc/chronotile/chronotile.yaml", service["ExecStart"])
