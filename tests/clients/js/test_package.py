"""The npm package from `npm pack`: its files, its imports, its types, and its decoder in Node."""

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[2]
ENTRIES = {"index", "leaflet", "openlayers", "maplibre", "chart", "legend", "worker"}
LIBRARIES = ("@types", "leaflet", "maplibre-gl", "ol", "rbush", "@mapbox", "@maplibre", "gl-matrix", "geotiff")
TSCONFIG = {
    "compilerOptions": {
        "lib": ["es2023", "dom", "dom.iterable"],
        "module": "nodenext",
        "noEmit": True,
        "skipLibCheck": True,
        "strict": True,
        "target": "es2022",
        "types": [],
    },
    "include": ["sample.ts"],
}
pytestmark = [pytest.mark.slow, pytest.mark.client("node")]


def run(*command, cwd):
    """Return the output of the command; if it fails, its errors are in the message."""
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A new folder with the package and the map libraries in node_modules."""
    project = tmp_path_factory.mktemp("project")
    source = project / "source"
    source.mkdir()
    for name in ("package.json", "README.md"):
        shutil.copy(REPOSITORY / "clients/js" / name, source)
    shutil.copytree(REPOSITORY / "clients/js/examples", source / "examples")
    run("node", REPOSITORY / "clients/js/build.mjs", source, cwd=REPOSITORY)
    run("npm", "pack", source, "--ignore-scripts", "--pack-destination", project, cwd=REPOSITORY)
    (archive,) = project.glob("*.tgz")
    modules = project / "node_modules"
    modules.mkdir()
    with tarfile.open(archive) as tar:
        # Python 3.11.3 and before have no filters.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(modules)
    (modules / "package").rename(modules / "chronotile")
    for name in filter(lambda name: (REPOSITORY / "node_modules" / name).exists(), LIBRARIES):
        (modules / name).symlink_to((REPOSITORY / "node_modules" / name).resolve())
    (project / "package.json").write_text('{"type": "module"}')
    return project


def test_package_has_its_entries_types_examples_and_licences_alone(packed):
    package = packed / "node_modules/chronotile"
    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    top = {name for name in files if "/" not in name}
    modules = {Path(name).stem for name in files if re.fullmatch(r"dist/[^/]+\.js", name)}

    assert "scripts" not in json.loads((package / "package.json").read_text())
    assert top == {"package.json", "README.md", "LICENSE"}
    assert {name for name in modules if not name.startswith("shared-")} == ENTRIES
    assert {name for name in files if name.startswith("examples/")} == {
        "examples/leaflet.html", "examples/openlayers.html", "examples/maplibre.html",
    }  # fmt: skip
    assert not [name for name in files if name.startswith("dist/types/") and not name.endswith(".d.ts")]


def test_build_that_fails_leaves_no_modules(tmp_path):
    (tmp_path / "LICENSE").mkdir()

    ran = subprocess.run(
        ["node", REPOSITORY / "clients/js/build.mjs", tmp_path],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip

    assert ran.returncode != 0
    assert [path.name for path in tmp_path.iterdir()] == ["LICENSE"]


def test_make_builds_the_libraries_of_the_viewer_before_the_package():
    commands = run("make", "--dry-run", "--always-make", "client-js", "NPM=npm", cwd=REPOSITORY).splitlines()

    steps = ["npm ci --no-audit --no-fund", "npm run vendor", "node clients/js/build.mjs"]
    found = [[each.strip() for each in commands].index(step) for step in steps]
    assert found == sorted(found)


def test_package_is_publishable_and_every_export_exists(packed):
    package = packed / "node_modules/chronotile"
    manifest = json.loads((package / "package.json").read_text())
    targets = [
        target
        for entry in manifest["exports"].values()
        for target in (entry.values() if isinstance(entry, dict) else [entry])
    ]

    assert (manifest["name"], manifest["version"]) == ("chronotile", "0.1.0")
    assert "private" not in manifest
    assert [target for target in targets if not (package / target).is_file()] == []


def test_package_weighs_less_than_a_picture(packed):
    (archive,) = packed.glob("*.tgz")

    assert archive.stat().st_size < 100_000


def test_no_module_imports_more_than_the_package_contains(packed):
    dist = packed / "node_modules/chronotile/dist"
    imported = {
        target
        for module in dist.glob("*.js")
        for target in re.findall(r'(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"', module.read_text())
    }

    assert {target for target in imported if not target.startswith("./")} == set()
    assert [target for target in imported if not (dist / target).is_file()] == []


def test_types_hold_a_page_in_typescript(packed):
    (packed / "sample.ts").write_text((FOLDER / "sample.ts").read_text())
    (packed / "tsconfig.json").write_text(json.dumps(TSCONFIG))

    run(REPOSITORY / "node_modules/.bin/tsc", "--project", packed, cwd=packed)


def test_package_can_be_imported_without_a_page(packed):
    script = """
        import { decodeCube, CubeError } from "chronotile";
        import "chronotile/chart";
        import "chronotile/legend";
        import "chronotile/maplibre";
        try { decodeCube(new Uint8Array(3)); } catch (error) { console.log(error instanceof CubeError, error.message); }
    """

    said = run("node", "--input-type=module", "--eval", script, cwd=packed)

    assert said.strip() == "true not a cube tile: it does not begin with CTC1"
