"""Options of `chronotile optimise` for collections of items."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from chronotile.cli.opening import open_archive, progress_bar, settings_of
from chronotile.core.errors import InvalidParameter

if TYPE_CHECKING:
    from chronotile.core.model.items import MosaicRule
    from chronotile.core.model.source import TargetGrid
    from chronotile.core.model.space.boxes import BBox
    from chronotile.core.model.time.instants import TimeSpan
    from chronotile.optimise.mosaics import MosaicRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionOptions:
    """Unparsed options of `optimise` for collections of items."""

    config: str | None
    collection: str
    variables: tuple[str, ...]
    crs: str | None
    resolution: float | None
    mosaic: "MosaicRule | None"
    times: Path | None
    bbox: str | None = None

    def request(self) -> "MosaicRequest":
        """Return the options as a request.

        Raises:
            InvalidParameter: The value of an option is not accepted.
        """
        from chronotile.optimise.mosaics import MosaicRequest

        return MosaicRequest(
            collection=self.collection,
            variables=self.variables,
            target=target_grid(self.crs, self.resolution),
            bbox=None if self.bbox is None else parse_bbox(self.bbox),
            rule=self.mosaic,
            spans=None if self.times is None else read_times(self.times),
        )


def target_grid(crs: str | None, resolution: float | None) -> "TargetGrid | None":
    """Return the grid of two options.

    Raises:
        InvalidParameter: One is missing, or the resolution is not above 0.
    """
    from chronotile.core.model.source import TargetGrid
    from chronotile.core.model.space.crs import crs_of

    if (crs is None) != (resolution is None):
        raise InvalidParameter("--crs and --resolution belong together: name both, or neither", locator="crs")
    if crs is None or resolution is None:
        return None
    if resolution <= 0:
        raise InvalidParameter(f"--resolution must be above 0, got {resolution:g}", locator="resolution")
    return TargetGrid(crs=crs_of(crs).name, resolution=resolution)


def run_on_collection(collection_options: CollectionOptions, step: str, run: Callable[..., T]) -> T:
    """Return the result of `run` for a collection.

    Args:
        collection_options: The collection.
        step: Text of the progress bar.
        run: Called with the archive, the request, `open_index` and `progress`.
    """
    from chronotile.app.configured_archive import index_opener
    from chronotile.app.process_setup import keep_freed_memory

    keep_freed_memory()
    request = collection_options.request()
    settings = settings_of(config=collection_options.config)
    archive = open_archive(settings, "warning")
    try:
        with progress_bar(step) as progress:
            return run(archive, request, open_index=index_opener(settings), progress=progress)
    finally:
        archive.close()


def parse_bbox(text: str) -> "BBox":
    """Return the box `west,south,east,north`; west > east crosses the antimeridian.

    Raises:
        InvalidParameter: The text is not such a box.
    """
    from chronotile.core.model.space.boxes import BBox

    try:
        box = BBox(*map(float, text.split(",")))
    except (TypeError, ValueError):
        box = None
    if box is None or not (
        -180 <= box.xmin <= 180
        and -180 <= box.xmax <= 180
        and -90 <= box.ymin < box.ymax <= 90
        and box.xmin != box.xmax
    ):
        raise InvalidParameter(
            f"--bbox {text[:60]!r} is not a box; accepted is west,south,east,north in degrees: 2.5,49.5,6.4,51.5",
            locator="bbox",
        )
    return box


def read_times(file: Path) -> "tuple[TimeSpan, ...]":
    """Return the spans of a file with one instant or interval per line; empty lines and comments (#) are skipped.

    Raises:
        InvalidParameter: The file cannot be read, or a line is not an instant or interval.
    """
    from chronotile.core.model.time.parser import parse_time

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidParameter(f"--times: {file.name} cannot be read: {reason}", locator="times") from error
    spans = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            parts = parse_time(text).parts
        except InvalidParameter as error:
            raise InvalidParameter(
                f"--times: line {number} of {file.name}: {error.message}", locator="times"
            ) from error
        if len(parts) != 1 or parts[0].period is not None:
            raise InvalidParameter(
                f"--times: line {number} of {file.name} is {text[:40]!r}; accepted is one instant or interval, such as "
                "2024-06-01 or 2024-06/2024-08",
                locator="times",
            )
        spans.append(parts[0].span)
    if not spans:
        raise InvalidParameter(f"--times: {file.name} has no instant or interval", locator="times")
    return tuple(spans)
