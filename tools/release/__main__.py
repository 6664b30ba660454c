"""Build the files of a release twice and compare them: `python -m tools.release FOLDER --build-python PYTHON`."""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SUMS = "SHA256SUMS"
CHANGING = ("serialNumber", "timestamp")
"""Members of a bill of materials that differ from run to run."""

BUILD_TOOLS = ("esbuild",)
"""Packages that build the viewer and are no part of it."""

Json = dict[str, Any]


def build(source: Path, target: Path, *, build_python: Path, epoch: str) -> list[Path]:
    """Build wheel and source archive of a project with the time stamp `epoch`; return their files.

    Raises:
        CalledProcessError: They cannot be built.
    """
    command = [str(build_python), "-m", "hatchling", "build", "-d", str(target), "-t", "sdist", "-t", "wheel"]
    subprocess.run(  # noqa: S603 -- a program of ours
        command, cwd=source, env={**os.environ, "SOURCE_DATE_EPOCH": epoch}, check=True, stdout=subprocess.DEVNULL
    )
    return sorted(target.iterdir())


def build_reproducibly(project: Path, target: Path, *, build_python: Path, epoch: str) -> str:
    """Write wheel and source archive of a project into `target`; return the name of both, with the version.

    They are built from the clone, and again from the source archive: both have the same bytes.

    Raises:
        SystemExit: They have not.
    """
    with tempfile.TemporaryDirectory() as temporary:
        built = build(project, Path(temporary, "built"), build_python=build_python, epoch=epoch)
        archive = next(each for each in built if each.name.endswith(".tar.gz"))
        with tarfile.open(archive) as opened:
            # Python 3.11.3 and before have no filters.
            opened.extraction_filter = getattr(tarfile, "data_filter", None)
            opened.extractall(temporary)  # noqa: S202 -- of an archive that was built above
        name = archive.name.removesuffix(".tar.gz")
        again = build(Path(temporary, name), Path(temporary, "again"), build_python=build_python, epoch=epoch)
        _compare(built, again)
        for each in built:
            shutil.copy(each, target)
    return name


def pack_reproducibly(package: Path, target: Path) -> None:
    """Build an npm package, by its `build.mjs`, and write its archive into `target`.

    Raises:
        SystemExit: Built again, it has other bytes.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary, name) for name in ("built", "again")]
        for folder in folders:
            folder.mkdir()
            _printed([_program("node"), package / "build.mjs"])
            _printed([_program("npm"), "pack", package, "--ignore-scripts", "--pack-destination", folder])
        _compare(*(sorted(folder.iterdir()) for folder in folders))
        for each in folders[0].iterdir():
            shutil.copy(each, target)


def _compare(built: Iterable[Path], again: Iterable[Path]) -> None:
    for first, second in zip(built, again, strict=True):
        if (first.name, digest(first)) != (second.name, digest(second)):
            sys.exit(f"{first.name} is not reproducible: built again, its bytes differ")


def release(target: Path, *, build_python: Path, epoch: str) -> None:
    """Write all files of a release into `target` after all are built, and replace the files of an earlier release.

    Raises:
        SystemExit: A file of the second build has other bytes, or `target` contains other files.
    """
    if target.exists() and any(target.iterdir()) and not (target / SUMS).is_file():
        sys.exit(f"{target} has files of something else; name an empty folder")
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary, "release")
        made.mkdir()
        build_reproducibly(ROOT / "clients" / "python", made, build_python=build_python, epoch=epoch)
        pack_reproducibly(ROOT / "clients" / "js", made)
        _give_away(each for each in made.iterdir() if each.suffix in {".whl", ".tgz"})
        name = build_reproducibly(ROOT, made, build_python=build_python, epoch=epoch)
        _write(made / f"{name}.python.cdx.json", python_bill(build_python, epoch))
        _write(made / f"{name}.viewer.cdx.json", viewer_bill())
        sums = [f"{digest(each)}  {each.name}\n" for each in sorted(made.iterdir())]
        (made / SUMS).write_text("".join(sums), "utf-8")
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(made, target)


def _give_away(packages: Iterable[Path]) -> None:
    """Replace the packages in `clients/dist`, which the server offers to clients."""
    shutil.rmtree(ROOT / "clients" / "dist", ignore_errors=True)
    (ROOT / "clients" / "dist").mkdir()
    for each in packages:
        shutil.copy(each, ROOT / "clients" / "dist")


def python_bill(build_python: Path, epoch: str) -> Json:
    """Return the CycloneDX document of the base and all extras, as installed here, without the tools of development."""
    command = [build_python, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--output-format", "JSON"]
    bill = json.loads(
        _printed([*command, "--pyproject", ROOT / "pyproject.toml", sys.executable], SOURCE_DATE_EPOCH=epoch)
    )
    distributions = needed_distributions("chronotile", ("all",))
    return _kept(bill, {each["bom-ref"] for each in bill["components"] if _name(each["name"]) in distributions})


def viewer_bill() -> Json:
    """Return the CycloneDX document of the libraries that are built into the viewer, of `package-lock.json`."""
    bill = json.loads(_printed([_program("npm"), "sbom", "--sbom-format", "cyclonedx", "--package-lock-only"]))
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    built_in = {name: version for name, version in package["dependencies"].items() if name not in BUILD_TOOLS}
    edges = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    waiting, needed = [f"{name}@{version}" for name, version in built_in.items()], set[str]()
    while waiting:
        ref = waiting.pop()
        if ref not in needed:
            needed.add(ref)
            waiting += edges[ref]
    bill["metadata"]["component"]["name"] = package["name"]
    return _kept(bill, needed)


def needed_distributions(name: str, extras: tuple[str, ...]) -> set[str]:
    """Return the names of all direct and indirect dependencies of a distribution with extras, as installed here."""
    waiting, seen = [(name, extras)], set[tuple[str, tuple[str, ...]]]()
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            for text in metadata.requires(each[0]) or ():
                wanted = Requirement(text)
                if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *each[1])):
                    waiting.append((_name(wanted.name), tuple(sorted(wanted.extras))))
    return {_name(each) for each, _ in seen} - {name}


def _kept(bill: Json, needed: set[str]) -> Json:
    """The document with some of its components, without parts that differ between runs."""
    root = bill["metadata"]["component"]["bom-ref"]
    bill["components"] = [each for each in bill["components"] if each["bom-ref"] in needed]
    bill["dependencies"] = [
        {**each, "dependsOn": sorted(needed.intersection(each.get("dependsOn", ())))}
        for each in bill["dependencies"]
        if each["ref"] in {*needed, root}
    ]
    for name in CHANGING:
        bill.pop(name, None)
        bill["metadata"].pop(name, None)
    return bill


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def _program(name: str) -> str:
    return shutil.which(name) or sys.exit(f"{name} is missing: install Node 20 with npm")


def _printed(command: Iterable[object], **environment: str) -> bytes:
    done = subprocess.run(  # noqa: S603 -- programs that the Makefile installs
        [str(each) for each in command], cwd=ROOT, env=os.environ | environment, check=True, stdout=subprocess.PIPE
    )
    return done.stdout


def _write(path: Path, document: Json) -> None:
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", "utf-8")


def digest(path: Path) -> str:
    """Return the SHA-256 checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _epoch() -> str:
    """SOURCE_DATE_EPOCH, else the time of the commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return given
    git = shutil.which("git") or sys.exit(
        "git is missing: set SOURCE_DATE_EPOCH to the seconds that files are dated by"
    )
    return _printed([git, "log", "-1", "--format=%ct"]).decode().strip()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build-python", type=Path, required=True, help="has hatchling and cyclonedx-bom")
    arguments = parser.parse_args()
    release(arguments.folder, build_python=arguments.build_python.absolute(), epoch=_epoch())
    for each in sorted(arguments.folder.iterdir()):
        print(f"{each}  {each.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
