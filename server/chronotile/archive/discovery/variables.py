"""Variables in raster files, from file names, descriptions of bands and colours."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rasterio.enums import ColorInterp

from chronotile.archive.discovery.drafts import Draft
from chronotile.archive.discovery.names import Looks, as_id, band_in, is_known, strip_suffix, variable_in
from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan
from chronotile.readers.cf.axes import MAX_LISTED_STEPS
from chronotile.readers.dates import find_time
from chronotile.readers.library_errors import opening
from chronotile.readers.raster.band_times import UNNAMED, BandSeries, BandTimes, band_times_of
from chronotile.readers.raster.bands import Band, bands_of
from chronotile.readers.raster.handle import FileLayout, RasterHandle
from chronotile.readers.raster.message_choice import SeriesByName, members_message
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.raster.sentinel2 import is_in_product

_Result = TypeVar("_Result")

_COLOURS = {ColorInterp.red: "RED", ColorInterp.green: "GREEN", ColorInterp.blue: "BLUE"}
_MEANINGLESS = re.compile(r"(band|layer|lyr|b)?[-_. ]?\d*", re.IGNORECASE)
"""Descriptions without information, such as `Band 1`."""
_RESOLUTION = re.compile(r"_\d{2}m$")
"""End of the names of images of Sentinel-2."""

RGB_NAMES = (("red", "green", "blue"), ("b04", "b03", "b02"), ("b4", "b3", "b2"))
"""Variables that form a true-colour picture."""


@dataclass(frozen=True, slots=True)
class RasterVariables:
    """The content of a group of raster files."""

    variables: tuple[VariableSpec, ...]
    band_times: tuple[TimeSpan, ...] = ()
    """Times in descriptions of bands, for a file with one band per time."""
    findings: tuple[Finding, ...] = ()


def raster_variables(draft: Draft) -> RasterVariables:
    """Return the variables of the files, named by the files' names or by their bands.

    Raises:
        UnsupportedSource: No file can be opened.
    """
    if draft.variables:
        is_product = is_in_product(draft.first.as_posix())
        ids = {name: _RESOLUTION.sub("", name) if is_product else name for name in draft.variables}
        return RasterVariables(tuple(VariableSpec(id=i, name=None if i == n else n) for n, i in ids.items()))
    first = _first(draft)
    bands, colours = first.bands, first.colours
    if first.band_times.series:
        return _series_variables(draft, first)
    if len(bands) == 1:
        return RasterVariables((VariableSpec(id=_name_of_one(draft, bands[0].title)),))
    names = distinct([_band_name(band, colour) for band, colour in zip(bands, colours, strict=True)])
    variables = [VariableSpec(id=name, band=band.number) for name, band in zip(names, bands, strict=True)]
    return RasterVariables(tuple(variables))


def true_colour_of(names: Iterable[str]) -> tuple[str, str, str] | None:
    """Return the variables that are red, green and blue by their names; `None` if any is missing."""
    by_name = {name.lower(): name for name in names}
    for red, green, blue in RGB_NAMES:
        if red in by_name and green in by_name and blue in by_name:
            return by_name[red], by_name[green], by_name[blue]
    return None


def looks_below(root: Path) -> Looks:
    """Return checks of the raster files below a folder."""
    return Looks(
        holds_times=lambda path: holds_dated_bands(root / path),
        are_alike=lambda paths: _are_alike([root / path for path in paths]),
        are_of_one_place=lambda paths: _are_of_one_place([root / path for path in paths]),
    )


def holds_dated_bands(path: Path) -> bool:
    """Return whether the bands of a file have times."""
    return bool(_inspect(path, lambda handle: band_times_of(handle).series))


def _inspect(path: Path, look: Callable[[RasterHandle], _Result]) -> _Result | None:
    """Return the result of `look` for a raster file; `None` if the file cannot be opened."""
    try:
        with opening("it"), HandlePool(max_idle=0).lend(str(path)) as handle:
            return look(handle)
    except UnsupportedSource:
        return None


def _are_alike(paths: Sequence[Path]) -> bool:
    # Whether raster files have the same grid, and bands with the same descriptions.
    layouts = _layouts(paths)
    return bool(layouts) and all(
        layout.matches(layouts[0][0]) and described == layouts[0][1] for layout, described in layouts
    )


def _are_of_one_place(paths: Sequence[Path]) -> bool:
    """Return whether raster files cover the same area, to a pixel of the coarsest file."""
    layouts = [layout for layout, _described in _layouts(paths)]
    corners = [(*layout.transform @ (0, 0), *layout.transform @ (layout.width, layout.height)) for layout in layouts]
    step = max((abs(layout.transform.a) + abs(layout.transform.b) for layout in layouts), default=0.0)
    return len({str(layout.crs) for layout in layouts}) == 1 and all(
        abs(value - expected) <= step
        for position in corners
        for value, expected in zip(position, corners[0], strict=True)
    )


def _layouts(paths: Sequence[Path]) -> list[tuple[FileLayout, tuple[str | None, ...]]]:
    """Return grid and band descriptions of each file; empty if any cannot be opened."""
    layouts = list[tuple[FileLayout, tuple[str | None, ...]]]()
    for path in paths:
        layout = _inspect(path, lambda handle: (handle.layout, handle.dataset.descriptions))
        if layout is None:
            return []
        layouts.append(layout)
    return layouts


def sole_series(path: Path) -> TimeDomain | None:
    """Return the ordered times of the bands of a file if all bands are times of one variable; else `None`."""

    def look(handle: RasterHandle) -> TimeDomain | None:
        series = band_times_of(handle).series
        is_sole = len(series) == 1 and series[0].bands == tuple(range(1, handle.dataset.count + 1))
        return series[0].times if is_sole else None

    return _inspect(path, look)


@dataclass(frozen=True, slots=True)
class _FirstFile:
    """The bands of the first file that opens."""

    bands: tuple[Band, ...]
    colours: list[ColorInterp]
    band_times: BandTimes


def _series_variables(draft: Draft, first: _FirstFile) -> RasterVariables:
    """Return variables with bands as times, and for a single file without other bands the times, for review."""
    series, findings = _drop_large_ensembles(first.band_times.series, draft)
    if len(series) > 1 or series[0].name is not None:
        ids = distinct([as_id(s.name or "") or _name_of_one(draft, None) for s in series])
        return RasterVariables(
            tuple(VariableSpec(id=id_, name=x.name or UNNAMED) for id_, x in zip(ids, series, strict=True)),
            findings=findings,
        )
    variables = (VariableSpec(id=_name_of_one(draft, None)),)
    if len(draft.files) > 1 or series[0].bands != tuple(band.number for band in first.bands):
        return RasterVariables(variables)
    times = series[0].times
    return RasterVariables(variables, tuple(map(TimeSpan, times.starts, times.ends)))


def _drop_large_ensembles(series: Sequence[BandSeries], draft: Draft) -> tuple[list[BandSeries], tuple[Finding, ...]]:
    """Return the series without ensembles of many members, whose members the configuration must name.

    Raises:
        UnsupportedSource: No series is left.
    """
    ensembles = SeriesByName(series).ensembles
    many = {name: members for name, members in ensembles.items() if len(members) > MAX_LISTED_STEPS}
    reasons = [members_message(members) for members in many.values()]
    accepted = [s for s in series if s.ensemble not in many]
    if not accepted:
        raise UnsupportedSource("; ".join(reasons))
    return accepted, tuple(Finding("warning", draft.files[0].name, f"{LEFT_OUT}{reason}") for reason in reasons)


def _first(draft: Draft) -> _FirstFile:
    """Return the first file that opens."""
    pool = HandlePool(max_idle=0)
    first: UnsupportedSource | None = None
    for path in draft.files:
        try:
            with opening("it"), pool.lend(str(draft.root / path)) as handle:
                bands = bands_of(handle.dataset)
                return _FirstFile(bands, list(handle.dataset.colorinterp), band_times_of(handle))
        except UnsupportedSource as error:
            first = first or error
    raise first or UnsupportedSource("there is no file")


def _name_of_one(draft: Draft, description: str | None) -> str:
    """Return the name of the only variable: a known word of its description or file name, else the description."""
    text = description if description and _is_informative(description, draft) else ""
    variable = variable_in(text, draft.text, *reversed(draft.files[0].parts[:-1]), draft.root.name)
    return variable or band_in(text, draft.text) or (as_id(text) if text else "") or "band1"


def _is_informative(description: str, draft: Draft) -> bool:
    # Whether a description is informative; R writes the name of the file into it.
    is_name = strip_suffix(draft.files[0].name) in description
    return not (_MEANINGLESS.fullmatch(description) or find_time(description) or is_name)


def _band_name(band: Band, colour: ColorInterp) -> str:
    title = band.title or ""
    if title and not (_MEANINGLESS.fullmatch(title) and not is_known(title)):
        return as_id(title) or f"band{band.number}"
    return _COLOURS.get(colour, f"band{band.number}")


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names, adding its position to each repeated name."""
    counts = Counter(names)
    return [f"{name}_{index}" if counts[name] > 1 else name for index, name in enumerate(names, start=1)]
