"""Workflows of the forge: they call targets of the Makefile, with pinned actions and no more rights than they need."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def steps_of(file):
    return [step for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflow_calls_targets_of_the_makefile(file):
    targets = set(re.findall(r"(?m)^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text()))
    called = re.findall(r"\bmake ([a-z0-9-]+)", "\n".join(step.get("run", "") for step in steps_of(file)))

    assert called != []
    assert set(called) <= targets


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_of_workflow_have_a_version(file):
    actions = [step["uses"] for step in steps_of(file) if "uses" in step]

    assert [action for action in actions if not re.fullmatch(r"actions/[a-z-]+@v\d+", action)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflow_may_only_read_unless_it_attaches_files(file):
    workflow = yaml.safe_load(file.read_text())
    rights = {name: job.get("permissions", {}) for name, job in workflow["jobs"].items()}

    assert workflow["permissions"] == {"contents": "read"}
    assert {name: right for name, right in rights.items() if right} in ({}, {"release": {"contents": "write"}})


def test_release_attaches_all_files_of_dist():
    commands = [step.get("run", "") for step in steps_of(ROOT / ".github/workflows/release.yml")]

    assert any(command.startswith("make dist ") and "IMAGE=docker" in command for command in commands)
    assert any(re.match(r"gh release create .* dist/\*", command) for command in commands)
