"""The examples of docs/reference/jobs.md are what they are said to be."""

import re
from pathlib import Path

import pytest
import yaml

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "jobs.md").read_text(encoding="utf-8")


def examples(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_manifest_of_kubernetes_is_whole():
    (manifest,) = examples("yaml")
    documents = list(yaml.safe_load_all(manifest))

    assert [each["kind"] for each in documents] == ["Service", "Deployment", "Deployment", "Deployment"]
    pods = [each["spec"]["template"] for each in documents[1:]]
    assert [each["spec"]["selector"]["matchLabels"] for each in documents[1:]] == [
        each["metadata"]["labels"] for each in pods
    ]
    assert documents[0]["spec"]["selector"] == pods[0]["metadata"]["labels"]


@pytest.mark.parametrize("script", examples("python"), ids=["SLURM", "HTCondor"])
def test_scripts_of_batch_systems_compile(script):
    compile(script, "script", "exec")
