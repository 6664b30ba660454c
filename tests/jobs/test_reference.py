"""The examples of docs/reference/jobs.md match their descriptions."""

import json
import re
from pathlib import Path

import yaml

from chronotile.demo.archive import CONFIGURATION

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "jobs.md").read_text(encoding="utf-8")


def examples(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_rights_in_a_bucket_are_whole():
    (policy,) = map(json.loads, examples("json"))

    objects, listing = policy["Statement"]
    assert objects["Resource"] == f"{listing['Resource']}/{listing['Condition']['StringLike']['s3:prefix']}"


(SLURM,) = examples("python")


def test_slurm_script_compiles():
    compile(SLURM, "script", "exec")


def test_slurm_script_runs_in_any_shell_without_http_port():
    assert "source " not in SLURM  # of bash alone; jobs of HTCondor are run by /bin/sh
    assert SLURM.count('"127.0.0.1:0"') == 2


def test_slurm_script_speaks_tls_on_one_interface():
    assert "require_encryption=True" in SLURM
    assert 'protocol="tls://"' in SLURM
    assert "interface=" in SLURM


def test_the_worker_of_docker_compose_does_the_jobs_of_its_server():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    server, worker = services["server"], services["worker"]

    assert worker["volumes"] == server["volumes"]
    folders = {each["environment"]["CHRONOTILE_JOBS_DIR"] for each in (server, worker)}
    assert folders == {"/var/lib/chronotile/jobs"}  # another one would leave behind the jobs of before an upgrade
    made = f"{re.search('demo --dir ([^}]+)', server['command'])[1]}/{CONFIGURATION}"
    assert worker["command"] == f"chronotile worker ${{CHRONOTILE_WORKER_ARGS-{made}}}"


def test_image_has_the_extras_that_the_documents_list():
    installing = (ROOT / "docs/reference/installing.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"\(\.\./how-to/production\.md\) usually needs `([\w,]+)`\.", installing)

    (made,) = re.findall(r"^IMAGE_EXTRAS := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == ",".join(made.split())
