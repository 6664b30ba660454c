"""Raster files, read with rasterio: each by its own scale, offset, nodata and band descriptions."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from chronotile.audit.dates_in_names import time_in, time_of
from chronotile.audit.grib import GribTruth, is_grib
from chronotile.audit.sentinel2 import images_in_zips, meaning_in_product
from chronotile.audit.truth import NEAR_PX, Cells, NumberMeaning, OtherPlace, StoredTruth, found_paths, override_meaning
from chronotile.core.errors import UnsupportedSource, raised_instead
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.types import Float64Array, InstantArray, NumberArray

SUFFIXES = (
    *(".tif", ".tiff", ".jp2", ".img", ".vrt", ".png", ".jpg", ".asc", ".bil", ".dat"),
    *(".grb", ".grib", ".grb2", ".grib2"),
)
YEAR = re.compile(r"(?<![0-9A-Za-z])\d{4}(?![0-9A-Za-z])")


def truth_of_files(spec: SourceSpec, variable: VariableSpec) -> "RasterTruth | GribTruth":
    """Return the independent reader of a variable in raster files.

    Raises:
        UnsupportedSource: The audit cannot read the files.
    """
    pattern = spec.href.replace("{variable}", variable.name or variable.id)
    zipped_paths = list(images_in_zips(pattern))
    matches = [*found_paths(pattern), *zipped_paths]
    file_paths = spec.files or (path for path in matches if path not in spec.left_out)
    paths = sorted(path for path in file_paths if Path(path).suffix.lower() in SUFFIXES)
    if not paths:
        raise UnsupportedSource("no raster file is found for it by its suffix")
    if spec.times is None and not zipped_paths and all(map(is_grib, paths)):
        return GribTruth(variable, paths)
    return RasterTruth(spec, variable, paths)


class RasterTruth(StoredTruth):
    """One variable of raster files. A date is a file, or a band, by configured times or by descriptions of bands."""

    def __init__(self, spec: SourceSpec, variable: VariableSpec, paths: Sequence[str]) -> None:
        self._spec = spec
        self._variable = variable
        self._paths = paths
        self._bands = dated_bands(spec, variable, self._paths)
        """File and band by date, for files whose bands are dates."""
        self._dated = self._files_by_time()

    has_known_dates = False
    """File names have more forms of dates than the audit understands."""

    def cells(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Cells:
        """Return numbers (y, x) with their encoding."""
        with self._band(instant, index) as (dataset, band):
            require_centres(dataset.transform, x, y)
            numbers, inside = cells_at(dataset, band, x, y)
            nodata = dataset.nodatavals[band - 1]
            stored_meaning = meaning_in_product(dataset.name) or NumberMeaning(
                scale=dataset.scales[band - 1],
                offset=dataset.offsets[band - 1],
                nodata=() if nodata is None else (nodata,),
            )
            is_dated = bool(self._bands) or self._spec.times is not None  # bands are times, and none is an alpha band
            has_alpha = is_dated and ColorInterp.alpha in dataset.colorinterp
            if MaskFlags.per_dataset in dataset.mask_flag_enums[band - 1] and not has_alpha:
                inside &= cells_at(dataset, band, x, y, is_mask=True)[0] != 0
            title = dataset.descriptions[band - 1]
            origin = f"band {band}{f' ({title})' if title else ''} of {Path(dataset.name).name}"
        return Cells(numbers, override_meaning(stored_meaning, self._variable), inside, origin)

    def has(self, instant: np.datetime64) -> bool:
        """Return whether a file name or band description has the date."""
        return instant in (self._bands or self._dated)

    def date_by(self, files: Mapping[np.datetime64, str]) -> None:
        """Set the dates of files whose names are not understood."""
        self._dated = dict(files)

    @contextmanager
    def _band(self, instant: np.datetime64 | None, index: int) -> Iterator[tuple[Any, int]]:
        """Yield an open file and the number of its band."""
        if self._bands and instant is not None:
            if instant not in self._bands:
                raise UnsupportedSource(f"no band of a file that could be read has the date {instant}")
            path, number = self._bands[instant]
            with reading(path) as dataset:
                yield dataset, number
            return
        with reading(self._path(instant)) as dataset:
            yield dataset, self._number(dataset, instant, index)

    def _path(self, instant: np.datetime64 | None) -> str:
        if instant is None or len(self._paths) == 1:
            return self._paths[0]
        try:
            return self._dated[instant]
        except KeyError:
            raise UnsupportedSource(f"no file's name has the date {instant}") from None

    def _files_by_time(self) -> dict[np.datetime64, str]:
        """Return the first file of each date; dates in names override those of folders."""
        files: dict[np.datetime64, str] = {}
        for path in self._paths:
            time = time_in(path, self._spec.time_pattern)
            if time is not None:
                files.setdefault(time, path)
        return files

    def _number(self, dataset: Any, instant: np.datetime64 | None, index: int) -> int:  # noqa: ANN401 -- rasterio has no types
        """Return the band by configuration, by its description in this file, or the only band."""
        if self._spec.times is not None:
            return index + 1
        if self._variable.band is not None:
            return self._usual_band(dataset, self._variable.band)
        names = {self._variable.name, self._variable.id}
        described = [number for number, text in enumerate(dataset.descriptions, 1) if text and _plain(text) in names]
        described += [number for number, text in enumerate(dataset.descriptions, 1) if text in names]
        if described:
            return described[0]
        if dataset.count == 1:
            return 1
        numbered = re.fullmatch(r"(?:.*[^0-9])?band_?(\d+)", self._variable.name or self._variable.id)
        is_certain = instant is None or len(self._paths) > 1 or instant in self._dated
        if is_certain and numbered and 1 <= int(numbered[1]) <= dataset.count:
            return int(numbered[1])
        raise UnsupportedSource("no band description names it")

    def _usual_band(self, dataset: Any, number: int) -> int:  # noqa: ANN401 -- as above
        """Return the band with the description that band `number` has in most files."""
        usual = self._usual_descriptions
        title = usual[number - 1] if number <= len(usual) else None
        if title is None or usual.count(title) > 1 or dataset.descriptions.count(title) != 1:
            return number
        return int(dataset.descriptions.index(title)) + 1

    @cached_property
    def _usual_descriptions(self) -> tuple[str | None, ...]:
        """The band descriptions of most files."""
        counts = Counter[tuple[str | None, ...]]()
        for path in self._paths:
            with suppress(UnsupportedSource), reading(path) as dataset:
                counts[dataset.descriptions] += 1
        return max(counts, key=lambda count: counts[count], default=())


def dated_bands(spec: SourceSpec, variable: VariableSpec, paths: Sequence[str]) -> dict[np.datetime64, tuple[str, int]]:
    """Return the first file and band of each date, if bands are dates by configuration or by their descriptions."""
    if spec.times is not None:
        return _listed_bands(spec.times.instants, paths) if len(paths) > 1 else {}
    bands: dict[np.datetime64, tuple[str, int]] = {}
    if any(v.band is not None for v in spec.variables.values()):
        return bands
    names = {v.name or v.id for v in spec.variables.values()}
    for path, descriptions in _descriptions(paths):
        described = _described_dates(descriptions, variable.name or variable.id)
        if not bands and (not described or names & set(descriptions)):
            return {}
        for number, time in described.items():
            bands.setdefault(time, (path, number))
    return bands


def _descriptions(paths: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the band descriptions of each readable file."""
    for path in paths:
        with suppress(UnsupportedSource), reading(path) as dataset:
            yield path, [text or "" for text in dataset.descriptions]


def _described_dates(descriptions: Sequence[str], variable: str) -> dict[int, np.datetime64]:
    """Return the dates of one variable by band, if most bands have dates."""
    dates = {number: time for number, text in enumerate(descriptions, 1) if (time := time_of(text)) is not None}
    if 2 * len(dates) <= len(descriptions) or len(set(dates.values())) < 2:
        return {}
    if len(set(dates.values())) == len(dates):
        return dates
    variable_dates = {
        number: time
        for number, time in dates.items()
        if re.fullmatch(rf"(.*[\W_])?{re.escape(variable)}([\W_].*)?", descriptions[number - 1])
    }
    if len(set(variable_dates.values())) != len(variable_dates) or not variable_dates:
        raise UnsupportedSource("band descriptions repeat a date without naming the variable")
    return variable_dates


def _listed_bands(times: InstantArray, paths: Sequence[str]) -> dict[np.datetime64, tuple[str, int]]:
    """Return the bands with the configured times: those of the year in each file's name, else consecutive times."""
    years = [tuple(YEAR.findall(Path(path).stem)) for path in paths]
    have_years = len(set(years)) == len(paths) and all(len(e) == 1 for e in years)
    if any(time_of(Path(path).name) is not None for path in paths) or (any(years) and not have_years):
        raise UnsupportedSource("its file names do not each contain one year")
    bands: dict[np.datetime64, tuple[str, int]] = {}
    start = 0
    for path, year in zip(paths, years, strict=True):
        with reading(path) as dataset:
            count = dataset.count
        is_in_file = (
            times.astype("datetime64[Y]") == np.datetime64(year[0], "Y") if year else slice(start, start + count)
        )
        file_times = times[is_in_file]
        start += count
        if len(file_times) == count:
            bands |= {time: (path, number) for number, time in enumerate(file_times, 1)}
    return bands


@contextmanager
def reading(path: str) -> Iterator[Any]:
    """Open a file with rasterio."""
    unreadable = UnsupportedSource(f"{Path(path).name} cannot be read by rasterio")
    with raised_instead(RasterioError, unreadable), rasterio.open(path) as dataset:
        yield dataset


def _plain(text: str) -> str:
    # Returns a description in the form of an id.
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text.strip()).strip("-")


def require_centres(transform: Affine, x: Float64Array, y: Float64Array) -> None:
    """Require that points are the centres of cells.

    Raises:
        OtherPlace: A point is not.
    """
    columns, rows = (np.asarray(e) for e in ~transform @ (x, y))
    apart = np.maximum(np.abs(columns % 1 - 0.5), np.abs(rows % 1 - 0.5))
    worst = np.unravel_index(int(apart.argmax()), apart.shape)
    if apart[worst] > NEAR_PX:
        at, there = (x[worst], y[worst]), transform @ (np.floor(columns[worst]) + 0.5, np.floor(rows[worst]) + 0.5)
        raise OtherPlace(
            f"its cells are served {apart[worst]:.2f} of a pixel away from those of its source, at "
            f"{at[0]:.10g} {at[1]:.10g} instead of {there[0]:.10g} {there[1]:.10g}"
        )


def cells_at(
    dataset: Any,  # noqa: ANN401 -- as above
    band: int,
    x: Float64Array,
    y: Float64Array,
    *,
    is_mask: bool = False,
) -> tuple[NumberArray, Any]:
    """Return the pixels that contain the points, and a mask of the points inside.

    Raises:
        UnsupportedSource: No point is inside.
    """
    inverse = ~dataset.transform
    columns = np.floor(inverse.a * x + inverse.b * y + inverse.c).astype(int)
    rows = np.floor(inverse.d * x + inverse.e * y + inverse.f).astype(int)
    inside = (columns >= 0) & (columns < dataset.width) & (rows >= 0) & (rows < dataset.height)
    if not inside.any():
        raise UnsupportedSource("its pixels are not at the positions of the served pixels")
    top, first_column = rows[inside].min(), columns[inside].min()
    window = Window(first_column, top, columns[inside].max() - first_column + 1, rows[inside].max() - top + 1)
    read = dataset.read_masks(band, window=window) if is_mask else dataset.read(band, window=window)
    places = np.clip(rows - top, 0, read.shape[0] - 1), np.clip(columns - first_column, 0, read.shape[1] - 1)
    return read[places], inside
