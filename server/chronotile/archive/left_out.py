"""Files beside those of a configuration that no collection reads."""

import os
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from chronotile.archive.describe import counted
from chronotile.errors import ChronotileError
from chronotile.model.source import Finding, SourceSpec
from chronotile.readers.files import find_skipped
from chronotile.readers.hrefs import base_name
from chronotile.readers.kinds import kind_of_path, kind_of_spec
from chronotile.yaml_source import list_names

_NAMED = 3
"""Files that are named; of more only the number is given."""


def files_passed_over(specs: Mapping[str, SourceSpec]) -> Iterator[Finding]:
    """Yield what lies beside the files of a configuration and is read by none of its collections."""
    of_files = {name: spec for name, spec in specs.items() if kind_of_spec(spec).options.is_of_files}
    files = {name: _files(spec) for name, spec in of_files.items()}
    taken = {path for paths in files.values() for path in paths}
    seen: set[Path] = set()
    for name, paths in files.items():
        folders = {Path(folder) for folder in {os.path.dirname(path) for path in paths} if "://" not in folder} - seen  # noqa: PTH120 -- of each of very many files
        seen |= folders
        others = [each for folder in sorted(folders) for each in _data_in(folder, taken)]
        if others:
            names = list_names([each.name for each in others], most=_NAMED)
            message = (
                f"{counted(len(others), 'other file')} of data in the folder of its files, which no href of the "
                f"configuration matches: {names}; widen href, or make it a collection"
            )
            yield Finding("note", name, message)
        side = find_skipped(of_files[name])
        if side:
            names = list_names([base_name(each) for each in side], most=_NAMED)
            message = f"passed over: {names}: a format that accompanies rasters"
            yield Finding("note", name, message)


def _files(spec: SourceSpec) -> list[str]:
    """The files of a source, those of another machine too; none where it cannot be opened, which its reader reports."""
    try:
        return kind_of_spec(spec).files(spec)
    except (ChronotileError, OSError):
        return []


def _data_in(folder: Path, taken: Container[str]) -> list[Path]:
    """The files of data of a folder that are not taken; each of these costs a look at it, the names do not."""
    try:
        with os.scandir(folder) as entries:
            others = [each for each in entries if os.path.join(folder, each.name) not in taken]  # noqa: PTH118 -- as above
            return sorted(path for each in others if _is_of_files(path := folder / each.name) and each.is_file())
    except OSError:
        return []


def _is_of_files(path: Path) -> bool:
    """Whether it is data by its name; hidden files are being written, mostly."""
    kind = None if path.name.startswith(".") else kind_of_path(path)
    return kind is not None and kind.options.is_of_files
