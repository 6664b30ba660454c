"""Published folders as others read them: validated, with checksums computed apart."""

import hashlib
import json
import re
from pathlib import Path

import pystac
import pytest
from pystac.validation import JsonSchemaSTACValidator, RegisteredValidator
from typer.testing import CliRunner

from chronotile.cli.main import app
from tests.protocols.catalogue.stac.extension_schemas import extension_faults
from tests.protocols.ogcapi.records.record_schemas import RECORD, faults

CONFIGURATION = """collections:
  s2:
    title: Scenes of a country
    license: CC-BY-4.0
    attribution: Made for tests
    source: {{kind: stac, href: '{href}'}}
    time: {{group: solar_day}}
    mosaic: {{order_by: eo:cloud_cover}}
    variables: {{B04: {{}}, B08: {{}}, NDVI: {{formula: "(B08 - B04) / (B08 + B04)"}}}}
"""


class CoreValidator(JsonSchemaSTACValidator):
    """Validates by the schemas that pystac includes, not by those of extensions."""

    def validate_extension(self, *_arguments, **_named):
        """Return nothing."""


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return `run(*arguments)`: the result of a command with index and jobs in a folder of this test."""
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def read(path: Path):
    return json.loads(path.read_bytes())


def documents(folder: Path) -> list[Path]:
    """Return all documents of STAC, without those of the Open Science Catalogue."""
    found = (
        path
        for path in folder.rglob("*.json")
        if path.is_file() and not {"open-science-catalogue", "data"} & {*path.relative_to(folder).parts}
    )
    return [path for path in found if path.name != "record.json"]


def validate(folder: Path) -> list[pystac.Item]:
    """Open a folder with pystac, which validates each document; return its items."""
    RegisteredValidator.set_validator(CoreValidator())
    catalogue = pystac.Catalog.from_file(str(folder / "catalog.json"))
    items = list(catalogue.get_items(recursive=True))
    catalogue.validate()
    assert catalogue.validate_all() == len(items)
    return items


def check(folder: Path) -> list[pystac.Item]:
    """Check the whole content of a published folder; return its items."""
    items = validate(folder)
    for path in documents(folder):
        assert extension_faults(read(path)) == [], path
        check_links(path, folder)
        check_assets(path)
    check_record(read(folder / "record.json"))
    check_product(folder / "open-science-catalogue")
    left = [path.name for path in folder.rglob("*") if path.name.endswith((".part", ".publishing"))]
    assert left == []
    assert not (folder / "publishing.json").exists()
    return items


def check_links(path: Path, folder: Path) -> None:
    """Links lead to files below the folder."""
    for link in read(path)["links"]:
        if link["rel"] != "license":
            target = (path.parent / link["href"]).resolve()
            assert target.is_file(), (path, link)
            assert target.is_relative_to(folder.resolve())


def check_assets(path: Path) -> None:
    """Assert that files of assets have the size and checksum of their documents; those in a folder are listed."""
    for asset in read(path).get("assets", {}).values():
        file = path.parent / asset["href"]
        assert "://" not in asset["href"]
        if file.is_dir():
            check_folder(file)
            continue
        data = file.read_bytes()
        assert asset["file:size"] == len(data)
        assert asset["file:checksum"] == "1220" + hashlib.sha256(data).hexdigest()


def check_folder(folder: Path) -> None:
    """Assert that the list of a folder has the checksums of all its files."""
    listed = {}
    for line in folder.with_name(f"{folder.name}.sha256").read_text().splitlines():
        digest, _space, name = line.partition("  ")
        listed[name] = digest
    found = {
        f"{folder.name}/{path.relative_to(folder)}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert listed == found


def check_record(record) -> None:
    """OGC API Records 1.0, table 8 and its requirements class record-core."""
    assert faults(record, RECORD) == []
    assert record["conformsTo"] == ["http://www.opengis.net/spec/ogcapi-records-1/1.0/req/record-core"]
    assert record["properties"]["type"] == "dataset"
    if record["time"] is not None:
        assert len(record["time"]["interval"]) == 2
    for theme in record["properties"].get("themes", ()):
        assert theme["scheme"]
        assert all(each["id"] for each in theme["concepts"])


def check_product(root: Path) -> None:
    """Check the constraints of the Open Science Catalogue's validation that concern one product."""
    (product,) = (root / "products").glob("*/collection.json")
    found = read(product)
    check_of_catalogue(found, product)
    assert found["type"] == "Collection"
    assert "https://stac-extensions.github.io/osc/v1.0.0/schema.json" in found["stac_extensions"]
    assert found["osc:type"] == "product"
    assert found["osc:status"] in {"planned", "ongoing", "completed"}
    assert found["osc:project"]
    assert not any(":" in word for word in found["keywords"])
    assert all((root / "variables" / name / "catalog.json").is_file() for name in found["osc:variables"])
    for parameter in found.get("cf:parameter", ()):
        assert parameter["name"]
    for path in (root / "variables").glob("*/catalog.json"):
        assert read(path)["type"] == "Catalog"
        check_of_catalogue(read(path), path)


def check_of_catalogue(document, path: Path) -> None:
    """Check the common constraints of products and variables."""
    links = {link["rel"]: link for link in document["links"]}
    assert document["stac_version"] == "1.0.0"
    assert document["title"]
    assert document["id"] == path.parent.name == re.sub("[^a-z0-9]+", "-", document["id"])
    assert links["root"]["href"] == "../../catalog.json"
    assert links["parent"]["href"] == "../catalog.json"
    assert links["via"]["href"]
    assert "https://stac-extensions.github.io/themes/v1.0.0/schema.json" in document["stac_extensions"]
    (theme,) = document["themes"]
    assert theme["scheme"] == "https://github.com/stac-extensions/osc#theme"
    assert theme["concepts"]
