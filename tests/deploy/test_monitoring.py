"""Alerts and dashboard use metrics that the server has, with the labels that it gives them."""

import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.protocols.site.ops.siblings import merge_metrics
from tests.scenes import Scene, write_cogs

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "chronotile.json"
TESTS_OF_RULES = Path(__file__).with_name("alerts_tests.yml")
LABELS_OF_PROMETHEUS = {"instance", "job", "le"}
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}


def alerts():
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: [rule["expr"]] for rule in group["rules"]}


def panels():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    shown = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in shown}


EXPRESSIONS = alerts() | panels()


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    """Return the labels of each metric of a server, by name."""
    folder = tmp_path_factory.mktemp("monitoring")
    write_cogs(folder, Scene())
    with TestClient(create_app(Settings(config=folder, cache_dir=folder / "cache"))) as client:
        client.get("/layers")
        text = client.get("/metrics").text
    families = list(text_string_to_metric_families(merge_metrics({"0": text, "1": text}).decode()))
    labels = {each.name + ending: set() for each in families for ending in ENDINGS.get(each.type, ("",))}
    for sample in (sample for each in families for sample in each.samples):
        labels[sample.name] = labels.get(sample.name, set()) | set(sample.labels)
    return labels


@pytest.mark.parametrize("expressions", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_metrics_are_those_of_the_server(metrics, expressions):
    named = {name for each in expressions for name in re.findall(r"\bchronotile_\w+", each)}

    assert named <= metrics.keys()


@pytest.mark.parametrize("expressions", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_labels_are_those_of_the_server(metrics, expressions):
    known = set.union(*metrics.values()) | LABELS_OF_PROMETHEUS
    grouped = {
        name.strip() for each in expressions for by in re.findall(r"\bby \(([^)]*)\)", each) for name in by.split(",")
    }
    matched = {name for each in expressions for name in re.findall(r"[{,]\s*(\w+)\s*(?:=~|!=|=)", each)}

    assert grouped | matched <= known


def test_panels_do_not_overlap():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    places = [panel["gridPos"] for panel in dashboard["panels"]]

    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    assert all(place["x"] + place["w"] <= 24 for place in places)
    rows = sorted((place["y"], place["x"], place["w"], place["h"]) for place in places)
    assert all(
        below >= y + h if below != y else beside >= x + w for (y, x, w, h), (below, beside, _, _) in pairwise(rows)
    )


@pytest.mark.slow
@pytest.mark.client("promtool")
def test_alerts_fire_when_they_should(tmp_path):
    rules = tmp_path / "tests.yml"
    rules.write_text(TESTS_OF_RULES.read_text(encoding="utf-8").replace("ALERTS", str(RULES)), encoding="utf-8")

    done = subprocess.run(["promtool", "test", "rules", rules], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test_in_which_it_fires():
    tests = yaml.safe_load(TESTS_OF_RULES.read_text(encoding="utf-8"))["tests"]
    fired = {case["alertname"] for each in tests for case in each["alert_rule_test"] if case["exp_alerts"]}

    assert alerts().keys() == fired


@pytest.mark.slow
@pytest.mark.client("promtool")
def test_prometheus_accepts_its_configuration():
    done = subprocess.run(
        ["promtool", "check", "config", RULES.with_name("prometheus.yml")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.client("promtool")
def test_queries_of_the_dashboard_are_parsed_by_prometheus(tmp_path):
    """Prometheus parses them as rules, with Grafana's variables filled in."""
    queries = [query for each in panels().values() for query in each]
    filled = [each.replace("$__rate_interval", "1m").replace("$instance", ".*") for each in queries]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(filled)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    done = subprocess.run(
        ["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
