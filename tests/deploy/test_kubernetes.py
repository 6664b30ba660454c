"""Kubernetes accepts the manifests of deploy/kubernetes, and they fit the image."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from chronotile.catalog.load import load_configuration
from chronotile.protocols.site.ops.routes import operations_of
from chronotile.readers.kinds import kind_options
from tests.certificates import write_certificates
from tests.running import PATIENCE_S, listening_addresses, until
from tests.strict import find_program

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
MANIFESTS = {path.stem: list(yaml.safe_load_all(path.read_text(encoding="utf-8"))) for path in FOLDER.glob("*.yaml")}
DOCUMENTS = {
    f"{file}-{each['kind']}-{each['metadata']['name']}": each for file in MANIFESTS for each in MANIFESTS[file]
}
DEPLOYMENTS = {name: each for name, each in DOCUMENTS.items() if each["kind"] == "Deployment"}
CLAIMS = {"chronotile-data", "chronotile-state"}


def pod_of(deployment):
    return deployment["spec"]["template"]["spec"]


def container_of(deployment):
    (container,) = pod_of(deployment)["containers"]
    return container


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_member_is_valid_in_kubernetes(document):
    validator = pytest.importorskip("kubernetes_validate")

    validator.validate(document, "1.31", strict=True)


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_deployment_selects_its_pods(deployment):
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("name", [name for name, each in DOCUMENTS.items() if each["kind"] == "Service"])
def test_service_selects_pods_of_its_file_and_a_port_that_they_name(name):
    service, file = DOCUMENTS[name]["spec"], name.partition("-")[0]
    pods = [each["spec"]["template"] for each in MANIFESTS[file] if each["kind"] == "Deployment"]

    (pod,) = [pod for pod in pods if service["selector"].items() <= pod["metadata"]["labels"].items()]
    (port,) = service["ports"]
    opened = pod["spec"]["containers"][0]["ports"]
    target = port.get("targetPort", port["port"])
    assert target in {each[key] for each in opened for key in ("name", "containerPort")}


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_pod_runs_as_the_user_of_the_image_with_no_rights(deployment):
    (user, group) = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[
        0
    ]
    security, own = pod_of(deployment)["securityContext"], container_of(deployment)["securityContext"]

    assert (security["runAsUser"], security["runAsGroup"], security["runAsNonRoot"]) == (int(user), int(group), True)
    assert own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert pod_of(deployment)["enableServiceLinks"] is False


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_mounts_of_a_pod_exist_and_are_writable(deployment):
    pod, container = pod_of(deployment), container_of(deployment)
    volumes = {each["name"]: each for each in pod["volumes"]}
    claims = {
        each["persistentVolumeClaim"]["claimName"] for each in volumes.values() if "persistentVolumeClaim" in each
    }

    assert {each["name"] for each in container["volumeMounts"]} == volumes.keys()
    assert claims <= CLAIMS
    assert not claims or pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


def test_claims_and_configuration_are_made_by_the_server():
    made = {(each["kind"], each["metadata"]["name"]) for each in MANIFESTS["server"]}

    assert {("PersistentVolumeClaim", name) for name in CLAIMS} | {("ConfigMap", "chronotile")} <= made


def test_probes_of_the_server_use_existing_routes():
    container = container_of(DEPLOYMENTS["server-Deployment-chronotile"])
    probes = [container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    paths = {each.path for each in operations_of()}

    assert {probe["path"] for probe in probes} <= paths
    assert {probe["port"] for probe in probes} <= {each["name"] for each in container["ports"]}
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 600


def test_configuration_of_the_manifest_is_accepted(tmp_path):
    (data,) = (each["data"] for each in MANIFESTS["server"] if each["kind"] == "ConfigMap")
    (tmp_path / "chronotile.yaml").write_text(data["chronotile.yaml"], encoding="utf-8")

    loaded = load_configuration(tmp_path / "chronotile.yaml", kinds=kind_options(), environment={})

    assert list(loaded.collections) == ["ndvi"]


@pytest.mark.parametrize("file", ["worker", "dask"])
def test_worker_has_the_table_the_folder_and_the_data_of_the_server(file):
    server, worker = DEPLOYMENTS["server-Deployment-chronotile"], DEPLOYMENTS[f"{file}-Deployment-chronotile-worker"]
    shared = ("CHRONOTILE_JOBS_DIR", "CHRONOTILE_DATABASE_URL")

    assert environment_of(worker, shared) == environment_of(server, shared)
    assert without_certificates(container_of(worker)["volumeMounts"]) == container_of(server)["volumeMounts"]
    assert without_certificates(pod_of(worker)["volumes"]) == pod_of(server)["volumes"]


def without_certificates(volumes):
    return [each for each in volumes if each["name"] != "tls"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_pod_has_limits_and_no_key_to_the_cluster(deployment):
    assert pod_of(deployment)["automountServiceAccountToken"] is False
    assert "memory" in container_of(deployment)["resources"]["limits"]


def test_server_trusts_no_other_pod_and_is_reachable_from_named_namespaces_only():
    (trusted,) = [
        each["value"]
        for each in container_of(DEPLOYMENTS["server-Deployment-chronotile"])["env"]
        if each["name"] == "CHRONOTILE_FORWARDED_ALLOW_IPS"
    ]
    policy = DOCUMENTS["server-NetworkPolicy-chronotile"]["spec"]

    assert trusted == "127.0.0.1"
    assert policy["podSelector"]["matchLabels"] == {"app": "chronotile"}
    assert all("namespaceSelector" in each for rule in policy["ingress"] for each in rule["from"])


def environment_of(deployment, names):
    return {each["name"]: each for each in container_of(deployment)["env"] if each["name"] in names}


@pytest.mark.slow
def test_dask_speaks_tls_alone_and_has_no_http_server_for_others(tmp_path, monkeypatch):
    """The manifest's commands run at a local address; any other listener of theirs would listen there too."""
    write_certificates(tmp_path / "tls")
    arguments = {
        name: container_of(DEPLOYMENTS[f"dask-Deployment-{name}"])["args"]
        for name in ("dask-scheduler", "dask-workers")
    }
    for name in ("dask-scheduler", "dask-workers", "chronotile-worker"):
        for each in container_of(DEPLOYMENTS[f"dask-Deployment-{name}"])["env"]:
            if each["name"].startswith("DASK_"):
                monkeypatch.setenv(each["name"], each["value"].replace("/etc/dask", str(tmp_path / "tls")))
    scheduler = _with(arguments["dask-scheduler"], ("8786", "0"))
    with running([*scheduler, "--host", "127.0.0.1"], tmp_path / "scheduler.log", r"Scheduler at:\s+(tls://\S+)") as (
        first,
        at,
    ):
        worker = _with(arguments["dask-workers"], ("tls://dask-scheduler:8786", at), ("/tmp", str(tmp_path)))
        with running([*worker, "--host", "127.0.0.1"], tmp_path / "worker.log", "(Registered to)") as (second, _):
            opened = {address.ip for pid in (first, second) for address in listening_addresses(pid)}
            answers = {
                name: subprocess.run(
                    [sys.executable, "-c", ASK, address, patience_s],
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                for name, address, patience_s, environment in (
                    ("with certificates", at, "180", dict(os.environ)),
                    ("plain", at.replace("tls://", "tcp://"), "10", without_dask(os.environ)),
                    ("without certificates", at, "10", without_dask(os.environ)),
                )
            }

    assert opened == {"127.0.0.1"}
    assert {name: answer.stdout for name, answer in answers.items()} == {
        "with certificates": "42\n",
        "plain": "",
        "without certificates": "",
    }


ASK = """
import sys
from distributed import Client
with Client(sys.argv[1], timeout=float(sys.argv[2]), set_as_default=False) as client:
    print(client.submit(lambda: 42).result())
"""


def without_dask(environment):
    return {name: each for name, each in environment.items() if not name.startswith("DASK_")}


def _with(arguments, *replaced):
    for old, new in replaced:
        arguments = [new if each == old else each for each in arguments]
    return arguments


@contextmanager
def running(command, log, sign) -> Iterator[tuple[int, str]]:
    """Run a process that has written a sign into its log: its id and the rest of the sign."""
    with log.open("w") as file:
        process = subprocess.Popen([find_program(command[0]), *command[1:]], stdout=file, stderr=subprocess.STDOUT)
    try:
        yield process.pid, until(lambda: re.search(sign, log.read_text()))[1]
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
