"""Tiles, dates and passes of a made archive of scenes, and the expected value of each pixel."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property, lru_cache

import numpy as np
import pyproj
from affine import Affine

from tests.scenes_archive import ground

RESOLUTION_M = 10
MEETING = {31: 712_700, 32: 287_300}
"""x of longitude 6, the border between the two UTM zones, at latitude 50.5."""
MIDDLE_Y = 5_598_600
STEP_OF = {"B04": 1, "B08": 1, "SCL": 2, "CELL": 1}
"""Side of a cell of each asset, in cells of 10 m."""
BANDS = ("B04", "B08")
SCALE, OFFSET = 0.0001, -0.1
"""Encoding of the bands. Before the change of the baseline, the offset is 0 and numbers are 1,000 less."""
SHIFT = 1_000
STRIP_OVERLAP_M = 300
"""Two strips of one pass over one tile overlap by this."""
CRS84 = "OGC:CRS84"
CELLS_AT_ONCE = 1_300_000
"""Cells per step when a raster is made."""


@dataclass(frozen=True)
class Frame:
    """Cells of 10 m of one zone, without a file: a tile of the archive, or the uncut raster."""

    id: str
    zone: int
    x: int
    """West edge in metres."""
    y: int
    """North edge in metres."""
    width: int
    """In cells of 10 m."""
    height: int

    @property
    def crs(self) -> str:
        return f"EPSG:{32600 + self.zone}"

    @property
    def box(self) -> tuple[int, int, int, int]:
        """West, south, east, north in metres of the zone."""
        return self.x, self.y - self.height * RESOLUTION_M, self.x + self.width * RESOLUTION_M, self.y

    def transform(self, asset: str) -> Affine:
        """Return the transform of the cells of an asset."""
        side = RESOLUTION_M * STEP_OF[asset]
        return Affine(side, 0, self.x, 0, -side, self.y)

    def shape(self, asset: str) -> tuple[int, int]:
        """(y, x)."""
        return -(-self.height // STEP_OF[asset]), -(-self.width // STEP_OF[asset])

    def centres(self, asset: str) -> tuple[np.ndarray, np.ndarray]:
        """x and y (y, x) of the cells of an asset."""
        side = RESOLUTION_M * STEP_OF[asset]
        rows, columns = self.shape(asset)
        return np.meshgrid(
            self.x + (np.arange(columns) + 0.5) * side, self.y - (np.arange(rows) + 0.5) * side, copy=False
        )

    def snapped(self, asset: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centres of the cells that hold places of the zone, and whether they are cells of the frame."""
        side = RESOLUTION_M * STEP_OF[asset]
        columns, rows = np.floor((x - self.x) / side), np.floor((self.y - y) / side)
        height, width = self.shape(asset)
        is_inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        return self.x + (columns + 0.5) * side, self.y - (rows + 0.5) * side, is_inside


@dataclass(frozen=True)
class Scene:
    """One item: a tile, or the part of it that a pass has seen, at a date."""

    frame: Frame
    date: int
    """Counted from 0 in the plan."""
    day: str
    strip: str
    """Observed part: `all`, or the part `west` or `east` of the line of the pass."""
    plan: "Plan"
    rank: int = 0
    """Number that is added, times ten, to the numbers of the bands if pieces differ in their numbers."""

    @cached_property
    def id(self) -> str:
        part = {"all": 0, "west": 0, "east": 1}[self.strip]
        return f"S2_{self.frame.id}_{self.stamp}_{part}"

    @property
    def stamp(self) -> str:
        """Time in the form of file names."""
        return f"{self.datetime[:19].replace('-', '').replace(':', '')}"

    @cached_property
    def datetime(self) -> str:
        """With fractions of a second, as the products have them."""
        if self.plan.is_simultaneous:
            return f"{self.day}T10:46:12Z"
        seconds = 12 + int(self.frame.id[-1] == "B") * 3 + 14 * int(self.strip == "east") + 20 * (self.frame.zone == 32)
        return f"{self.day}T10:46:{seconds:02}.024Z"

    @property
    def has_offset(self) -> bool:
        """Whether the bands' numbers have the offset."""
        return self.date >= self.plan.baseline

    def encoding(self, asset: str) -> tuple[float, float]:
        """Scale and offset."""
        if asset not in BANDS:
            return 1.0, 0.0
        return SCALE, OFFSET if self.has_offset else 0.0

    def value(self, asset: str, number: int) -> Decimal:
        """Return the exact value of a digital number."""
        scale, offset = self.encoding(asset)
        return int(number) * Decimal(str(scale)) + Decimal(str(offset))

    def numbers_at(self, asset: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return digital numbers of the cells at points of the zone; 0 outside the frame."""
        x, y, is_inside = self.frame.snapped(asset, x, y)
        return np.where(is_inside, self._at_centres(asset, x, y), 0)

    def numbers(self, asset: str) -> np.ndarray:
        """(y, x) of all cells."""
        dtype = "uint8" if asset == "SCL" else "uint16"
        height, width = self.frame.shape(asset)
        count = CELLS_AT_ONCE // width
        alike = "SCL" if STEP_OF[asset] == 2 else "B04"
        tops = range(0, height, count)
        return np.concatenate(
            [self._numbers(asset, *_rows_on_ground(self.frame, alike, top, count)).astype(dtype) for top in tops]
        )

    @cached_property
    def cloud_cover(self) -> float:
        """Clouded fraction of the observed cells, in percent."""
        x, y = self._grid_of_samples()
        classes = self._at_centres("SCL", x, y)
        seen = np.count_nonzero(classes)
        return round(100 * np.count_nonzero(classes >= ground.CLOUD) / seen, 2) if seen else 100.0

    @cached_property
    def nodata_share(self) -> float:
        """Share that was not seen, in percent."""
        x, y = self._grid_of_samples()
        return round(100 * float(np.mean(self._at_centres("SCL", x, y) == 0)), 2)

    def _grid_of_samples(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y of every tenth cell of 20 m."""
        x, y = self.frame.centres("SCL")
        return x[::10, ::10], y[::10, ::10]

    def _at_centres(self, asset: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Digital numbers at centres of cells, in the zone's metres."""
        return self._numbers(asset, x, y, *on_ground(self.frame.crs, x, y))

    def _numbers(self, asset: str, x: np.ndarray, y: np.ndarray, here_x: np.ndarray, here_y: np.ndarray) -> np.ndarray:
        """Return digital numbers at points, also given by their coordinates on the ground."""
        side_m = self.plan.ground_m
        if asset == "SCL":
            numbers = ground.scene_class(here_x, here_y, date=self.date, side_m=side_m)
        elif asset == "CELL":
            column, row = np.floor(x / RESOLUTION_M), np.floor(y / RESOLUTION_M)
            numbers = ground.cell_number(
                column.astype("int64"), row.astype("int64"), zone=self.frame.zone, date=self.date
            )
        else:
            numbers = ground.reflectance(here_x, here_y, asset=asset, date=self.date, side_m=side_m)
            numbers = numbers + 10 * self.rank + (SHIFT if self.has_offset else 0)
        return np.where(self.plan.is_seen(here_x, here_y, date=self.date, strip=self.strip), numbers, 0)


Order = Callable[[Scene], tuple[object, ...]]
"""Key that sorts the pieces; ends with the id."""


def by_id(scene: Scene) -> tuple[object, ...]:
    """Sort by id alone."""
    return (scene.id,)


def by_cloud_cover(scene: Scene) -> tuple[object, ...]:
    """Sort by cloud cover, ascending."""
    return scene.cloud_cover, scene.id


@dataclass(frozen=True)
class Chosen:
    """Piece and digital number that a mosaic shows at each point."""

    asset: str
    pieces: tuple[Scene, ...]
    """In their order."""
    piece: np.ndarray
    """(...,): position in `pieces`; -1 without a piece."""
    numbers: np.ndarray
    """(...,): digital numbers; 0 without a value."""

    @property
    def values(self) -> np.ndarray:
        """(...,); NaN without a value."""
        encodings = np.array([scene.encoding(self.asset) for scene in self.pieces] + [(np.nan, np.nan)])
        return self.numbers * encodings[self.piece, 0] + encodings[self.piece, 1]

    def texts(self) -> list[float | None]:
        """Return the values as exact decimals, as in text formats."""
        return [
            None if piece < 0 else float(self.pieces[piece].value(self.asset, number))
            for piece, number in zip(self.piece.tolist(), self.numbers.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class Plan:
    """Tiles and dates of an archive. Scenes of one date agree where they overlap, unless `has_own_numbers`."""

    days: tuple[str, ...]
    columns: int = 5
    """Tiles of each zone from west to east."""
    rows: int = 3
    tile_px: int = 1_098
    step_px: int = 1_000
    """Tiles begin every so many cells, so that neighbours overlap."""
    ground_m: int = 8_000
    """Side of the squares inside which the bands are constant; a multiple of 40."""
    block_px: int = 256
    """Side of the blocks of files of zone 31; files of zone 32 have twice this side."""
    overviews: int = 2
    baseline: int = 12
    """From this date on the bands have an offset."""
    assets: tuple[str, ...] = ("B04", "B08", "SCL", "CELL")
    is_simultaneous: bool = False
    """Whether all scenes of a date have one time; else the time group `solar_day` makes them one instant."""
    has_own_numbers: bool = False
    """Whether the band numbers differ between scenes, so that rules of mosaics differ."""
    states_encoding: bool = True
    """Whether the files state scale and offset; else the items do alone, as Sentinel-2's do."""

    def tiles(self) -> tuple[Frame, ...]:
        """All, by id."""
        return tuple(sorted(self._tiles(), key=lambda tile: tile.id))

    def uncut(self, zone: int) -> Frame:
        """Return the raster of one zone that holds all tiles of both."""
        corners = [(tile.crs, *tile.box) for tile in self.tiles()]
        boxes = [
            pyproj.Transformer.from_crs(crs, f"EPSG:{32600 + zone}", always_xy=True).transform_bounds(*box)
            for crs, *box in corners
        ]
        west, south = (int(min(box[i] for box in boxes) // 1_000 * 1_000) for i in (0, 1))
        east, north = (int(max(box[i] for box in boxes) // 1_000 * 1_000) + 1_000 for i in (2, 3))
        return Frame(f"{zone}UNCUT", zone, west, north, (east - west) // RESOLUTION_M, (north - south) // RESOLUTION_M)

    def uncut_scene(self, zone: int, date: int) -> Scene:
        """Return the uncut raster at a date."""
        seen = {"full": "all", "split": "all"}.get(self.kind(date), self.kind(date))
        return Scene(self.uncut(zone), date, self.days[date], seen, self)

    def scenes(self, date: int) -> tuple[Scene, ...]:
        """Return all items of a date, by id."""
        return _scenes(self, date)

    def all_scenes(self) -> Iterator[Scene]:
        """All items."""
        for date in range(len(self.days)):
            yield from self.scenes(date)

    def kind(self, date: int) -> str:
        """Return the part that the pass of a date saw: all, all in two strips, or one side of a line."""
        return ("full", "split", "full", "west", "split", "east")[date % 6]

    def is_seen(self, x: np.ndarray, y: np.ndarray, *, date: int, strip: str) -> np.ndarray:
        """Return whether the strip of a pass has seen places of the ground."""
        if strip == "all":
            return np.ones(np.shape(x), dtype=bool)
        overlap_m = STRIP_OVERLAP_M / 2 if self.kind(date) == "split" else 0
        beyond_m = x - self.line_x(y, date)
        return beyond_m < overlap_m if strip == "west" else beyond_m >= -overlap_m

    def mosaic(
        self,
        asset: str,
        x: np.ndarray,
        y: np.ndarray,
        *,
        date: int,
        crs: str = CRS84,
        order: Order = by_id,
        scenes: tuple["Scene", ...] | None = None,
    ) -> "Chosen":
        """Return the first piece with a value at each point, by nearest cell.

        Args:
            asset: Key of the asset.
            x: (...,), in the CRS; longitude of CRS84.
            y: (...,).
            date: Counted from 0.
            crs: CRS of the points.
            order: Key that sorts the pieces.
            scenes: Available scenes; `None` means all of the date.
        """
        pieces = tuple(sorted(self.scenes(date) if scenes is None else scenes, key=order))
        numbers, piece = np.zeros(np.shape(x), dtype="int64"), np.full(np.shape(x), -1)
        places = {
            zone: [np.asarray(each) for each in _between(crs, zone).transform(x, y)]
            for zone in {scene.frame.crs for scene in pieces}
        }
        for position, scene in enumerate(pieces):
            zone_x, zone_y = places[scene.frame.crs]
            is_open = (piece < 0) & scene.frame.snapped(asset, zone_x, zone_y)[2]
            here = scene.numbers_at(asset, zone_x[is_open], zone_y[is_open])
            numbers[is_open], piece[is_open] = here, np.where(here != 0, position, -1)
        return Chosen(asset, pieces, piece, numbers)

    def combined(
        self, asset: str, x: np.ndarray, y: np.ndarray, *, date: int, rule: str, crs: str = CRS84, order: Order = by_id
    ) -> np.ndarray:
        """Return the statistic at points over all pieces that contain the centre of the cell; NaN without one.

        The cell is that of the first piece with a value. For the arguments see `mosaic`.
        """
        chosen = self.mosaic(asset, x, y, date=date, crs=crs, order=order)
        combined = np.full(np.shape(x), np.nan)
        for position, first in enumerate(chosen.pieces):
            is_first = chosen.piece == position
            if not is_first.any():
                continue
            own = _between(crs, first.frame.crs).transform(x[is_first], y[is_first])
            centres = first.frame.snapped(asset, *(np.asarray(each) for each in own))[:2]
            values = np.full((len(chosen.pieces), is_first.sum()), np.nan)
            for row, scene in zip(values, chosen.pieces, strict=True):
                numbers = scene.numbers_at(asset, *_between(first.frame.crs, scene.frame.crs).transform(*centres))
                scale, offset = scene.encoding(asset)
                row[...] = np.where(numbers != 0, numbers * scale + offset, np.nan)
            combined[is_first] = getattr(np, f"nan{rule}")(values, axis=0)
        return combined

    def truth(self, asset: str, x: np.ndarray, y: np.ndarray, *, date: int, crs: str) -> np.ndarray:
        """Return values of the uncut raster of the zone `crs` at points; NaN outside."""
        scene = self.uncut_scene(int(crs[-2:]), date)
        numbers = scene.numbers_at(asset, np.asarray(x), np.asarray(y))
        scale, offset = scene.encoding(asset)
        return np.where(numbers != 0, numbers * scale + offset, np.nan)

    def line_x(self, y: np.ndarray, date: int) -> np.ndarray:
        """x of the slanted line of a pass at y of the ground."""
        reach_m = self.columns * self.step_px * RESOLUTION_M
        return MEETING[31] + (date * 37 % 5 - 2) / 3 * reach_m - 0.2 * (y - MIDDLE_Y)

    def _tiles(self) -> Iterator[Frame]:
        step_m, tile_m = self.step_px * RESOLUTION_M, self.tile_px * RESOLUTION_M
        north = MIDDLE_Y + (self.rows * step_m) // 200 * 100
        east = MEETING[31] + tile_m // 200 * 100
        wests = {31: east - tile_m - (self.columns - 1) * step_m, 32: MEETING[32] - tile_m // 200 * 100}
        for zone, west in wests.items():
            for row in range(self.rows):
                for column in range(self.columns):
                    yield Frame(
                        f"{zone}U{'ABCDEFGH'[column]}{'ABCDEFGH'[row]}",
                        zone,
                        west + column * step_m,
                        north - row * step_m,
                        self.tile_px,
                        self.tile_px,
                    )


@cache
def _between(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def on_ground(crs: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of a zone in the CRS of the ground, by PROJ."""
    return (x, y) if crs == ground.GROUND else ground.to_ground(crs).transform(x, y)


@lru_cache(maxsize=4)
def _rows_on_ground(frame: Frame, asset: str, top: int, count: int) -> tuple[np.ndarray, ...]:
    """Return x and y of the cells of some rows, in the zone and on the ground.

    The rows are cached because PROJ takes ten times as long as the formula.
    """
    x, y = (each[top : top + count] for each in frame.centres(asset))
    return x, y, *on_ground(frame.crs, x, y)


@cache
def _scenes(plan: Plan, date: int) -> tuple[Scene, ...]:
    strips = {"full": ("all",), "split": ("west", "east")}.get(plan.kind(date), (plan.kind(date),))
    seen = []
    for tile in plan.tiles():
        whole = [Scene(tile, date, plan.days[date], strip, plan) for strip in strips]
        partial = [scene for scene in whole if scene.nodata_share < 100]
        complete = [scene for scene in partial if len(strips) == 2 and scene.nodata_share == 0]
        seen += complete[:1] or partial
    seen.sort(key=lambda scene: scene.id)
    if plan.has_own_numbers:
        seen = [Scene(s.frame, s.date, s.day, s.strip, plan, rank) for rank, s in enumerate(seen)]
    return tuple(seen)


def days_of(count: int, *, first: str = "2021-11-03", every: int = 5) -> tuple[str, ...]:
    """So many days, every so many."""
    start = np.datetime64(first, "D")
    return tuple(str(start + np.timedelta64(every * number, "D")) for number in range(count))


SMALL = Plan(
    days=days_of(6, every=25), columns=2, rows=2, tile_px=244, step_px=220, ground_m=2_000, block_px=128, baseline=4
)
"""8 tiles of two zones on 6 dates: made in seconds."""
TINY = Plan(
    days=days_of(4, every=25),
    columns=1,
    rows=2,
    tile_px=120,
    step_px=100,
    ground_m=200,
    block_px=128,
    baseline=2,
    has_own_numbers=True,
)
"""Two tiles in each zone on four dates, the last two with an offset of the bands; vary it with `replace`."""
FULL = Plan(days=days_of(24, every=7))
"""30 tiles of two zones on 24 dates."""
