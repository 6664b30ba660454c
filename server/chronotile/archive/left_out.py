"""What a configuration leaves out of its files: bands of no variable, and files that no pattern matches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from chronotile.archive.discovery.walk import kind_of
from chronotile.errors import ChronotileError, UnsupportedSource
from chronotile.model.source import Finding, SourceSpec
from chronotile.readers.files import find_files, passed_over
from chronotile.readers.foreign import opening
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.raster.bands import Band, bands_of
from chronotile.readers.raster.dated_bands import band_times_of
from chronotile.readers.raster.pool import HandlePool
from chronotile.yaml_source import listed

_NAMED = 3
"""Files or bands that are named; of more only their number is told."""


def left_out_bands(specs: Iterable[SourceSpec]) -> Iterator[Finding]:
    """Yield a finding for each group of raster files with bands that are in no variable."""
    for spec in specs:
        if spec.kind != "cog" or spec.times is not None:
            continue
        for word, paths in _files(spec).items():
            try:
                with opening("it"), HandlePool(max_idle=0).lend(paths[0]) as handle:
                    if band_times_of(handle.dataset).series:
                        continue  # whose reader tells what it leaves out
                    bands = bands_of(handle.dataset)
            except UnsupportedSource:
                continue  # which its reader tells
            yield from _band_findings(spec, word, bands)


def _band_findings(spec: SourceSpec, word: str | None, bands: Sequence[Band]) -> Iterator[Finding]:
    asked = [each for each in spec.variables.values() if word is None or (each.name or each.id) == word]
    if not asked and word is None:
        return
    plain = [band for band in bands if not band.is_alpha]
    served = {each.band for each in asked if each.band is not None}
    names = {each.name or each.id for each in asked if each.band is None}
    served |= {band.number for band in bands if band.name in names}
    if not served or (word is not None and names):
        served.add(bands[0].number)
    rest = [
        f"{band.number} ({band.title})" if band.title else str(band.number)
        for band in plain
        if band.number not in served
    ]
    if not rest:
        return
    if word is None:
        yield Finding(
            "note",
            spec.collection,
            f"bands {listed(rest, most=_NAMED)} are no variable: name them with band: to serve them",
        )
    else:
        example = f"{word}_{rest[0].split()[0]}: {{name: {word}, band: {rest[0].split()[0]}}}"
        shown = listed(rest, most=_NAMED)
        message = f"of its {len(plain)} bands {shown} are not served; name them as variables, such as {example}"
        yield Finding("warning", f"{spec.collection}: {word}", message)


def files_passed_over(specs: Mapping[str, SourceSpec]) -> Iterator[Finding]:
    """Yield what lies beside the files of a configuration and is read by none of its collections."""
    local = {name: spec for name, spec in specs.items() if spec.kind in {"cog", "netcdf"}}
    files = {name: [path for paths in _files(spec).values() for path in paths] for name, spec in local.items()}
    taken = {path for paths in files.values() for path in paths}
    seen: set[Path] = set()
    for name, paths in files.items():
        folders = {Path(path).parent for path in paths if local_path(path) is not None} - seen
        seen |= folders
        others = [each for folder in sorted(folders) for each in _data_in(folder) if str(each) not in taken]
        if others:
            names = listed([each.name for each in others], most=_NAMED)
            message = (
                f"{_counted(len(others), 'other file')} of data in the folder of its files, which no href of the "
                f"configuration matches: {names}; widen href, or make it a collection"
            )
            yield Finding("note", name, message)
        side = passed_over(local[name])
        if side:
            names = listed([base_name(each) for each in side], most=_NAMED)
            message = f"passed over: {names}: of a format that goes beside rasters"
            yield Finding("note", name, message)


def _files(spec: SourceSpec) -> dict[str | None, tuple[str, ...]]:
    """The files of a source, those of another machine too; none where it cannot be opened, which its reader tells."""
    try:
        return {word: paths for word, paths in find_files(spec).items() if paths}
    except (ChronotileError, OSError):
        return {}


def _data_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and kind_of(path) in {"raster", "netcdf"})
    except OSError:
        return []


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
