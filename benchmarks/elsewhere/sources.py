"""The ten sources with their failures, and the configurations of a server with them and of one without."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, rmtree

import numpy as np
import rasterio
from affine import Affine
from rasterio.io import MemoryFile
from rasterio.shutil import copy as copy_raster

from benchmarks.soak.archive import NODATA, NORTH, RESOLUTION_M, SIDE, WEST, Archive
from tests.faulty_source import Fault, FaultySource, faulty_source

LOCAL_DATES = 12
REFUSED, REPLACED = "refuses connections", "replaces its file every second"
KINDS: Mapping[str, tuple[str, str | Fault]] = {
    "E0": ("cog", REFUSED),
    "E1": ("zarr", REFUSED),
    "E2": ("cog", Fault.HANG),
    "E3": ("zarr", Fault.HANG),
    "E4": ("cog", Fault.UNAVAILABLE),
    "E5": ("zarr", Fault.UNAVAILABLE),
    "E6": ("cog", Fault.CUT),
    "E7": ("zarr", Fault.HANG_IN_BODY),
    "E8": ("cog", Fault.IGNORE_RANGE),
    "E9": ("cog", REPLACED),
}
"""Kind and failure of each source, by layer."""
VERSIONS = (0, 1)
"""Versions of each COG: initially, and after its file was replaced; a Zarr store does not change."""
DATE = "20200601"

SERVICE = "service: {title: Elsewhere}\ncollections:\n"
STACK = """  local:
    source: {kind: cog, href: "stack/ndvi_*.tif", time_pattern: '_(?P<time>\\d{8})'}
    variables: {NDVI: {layer: LOCAL, scale: 0.004, offset: -0.08, styles: [ndvi]}}
"""
COLLECTION = """  {id}:
    source: {{kind: {kind}, href: "{href}"{more}}}
    variables: {{NDVI: {{layer: {layer}, scale: 0.004, offset: -0.08, styles: [ndvi]}}}}
"""
PATTERN = ", time_pattern: '_(?P<time>\\d{8})'"


@dataclass(frozen=True)
class Elsewhere:
    """A source with a separate host."""

    layer: str
    kind: str
    wrong: str | Fault
    host: FaultySource
    versions: tuple[Path, ...]
    """The files or stores that it has had, kept for reference."""

    @property
    def name(self) -> str:
        """The name of its file or store."""
        return f"ndvi_{DATE}.tif" if self.kind == "cog" else "ndvi.zarr"

    @property
    def told(self) -> str:
        """Description of the source and its failure."""
        return f"{self.kind}, {self.wrong if isinstance(self.wrong, str) else self.wrong.name.lower()}"

    def fail(self) -> None:
        """Start to fail; `replace` replaces the files if necessary."""
        if isinstance(self.wrong, Fault):
            self.host.switch(self.wrong)
        elif self.wrong is REFUSED:
            self.host.refuse()

    def replace(self, version: int) -> None:
        """Put another version in the place of the file."""
        self.host.replace(self.name, self.versions[version].read_bytes())


@contextmanager
def ten_sources(folder: Path) -> Iterator[list[Elsewhere]]:
    """Write ten sources and yield them, served correctly, each by a separate host."""
    with ExitStack() as stack:
        found = []
        for number, (layer, (kind, wrong)) in enumerate(KINDS.items()):
            place = folder / layer
            (place / "served").mkdir(parents=True)
            versions = tuple(_write(place, kind, number, version) for version in VERSIONS[: 1 + (kind == "cog")])
            host = stack.enter_context(faulty_source(place / "served"))
            each = Elsewhere(layer, kind, wrong, host, versions)
            if kind == "cog":
                each.replace(0)
            else:
                copytree(versions[0], place / "served" / each.name)
            found.append(each)
        yield found


def write_local(folder: Path) -> Archive:
    """Write the local layer."""
    archive = Archive(folder)
    archive.stack.mkdir(parents=True)
    for date in range(LOCAL_DATES):
        archive.write_date(date)
    return archive


def write_configurations(folder: Path, sources: list[Elsewhere]) -> tuple[Path, Path]:
    """Return the configuration without the sources, and the configuration with them.

    Both have the local layer and, as layers of local files, each version of each source, for the expected pixels.
    """
    references = "".join(
        _collection(f"{each.layer}_{version}", each.kind, str(path))
        for each in sources
        for version, path in enumerate(each.versions)
    )
    remote = "".join(_collection(each.layer, each.kind, each.host.url_of(each.name)) for each in sources)
    without, beside = folder / "without.yaml", folder / "with.yaml"
    without.write_text(SERVICE + STACK + references)
    beside.write_text(SERVICE + STACK + references + remote)
    return without, beside


def _collection(layer: str, kind: str, href: str) -> str:
    more = PATTERN if kind == "cog" else ""
    return COLLECTION.format(id=f"c-{layer.lower()}", kind=kind, href=href, more=more, layer=layer)


def _write(place: Path, kind: str, number: int, version: int) -> Path:
    """Write the data of a source into a folder that no server serves."""
    target = place / f"v{version}"
    target.mkdir()
    numbers = np.random.default_rng(10 * number + version).integers(0, 250, (SIDE, SIDE), dtype=np.uint8)
    return _write_cog(target, numbers) if kind == "cog" else _write_zarr(target, numbers)


def _write_cog(target: Path, numbers: np.ndarray) -> Path:
    profile = {
        "driver": "GTiff", "width": SIDE, "height": SIDE, "count": 1, "dtype": "uint8", "nodata": NODATA,
        "crs": "EPSG:32631", "transform": Affine(RESOLUTION_M, 0, WEST, 0, -RESOLUTION_M, NORTH),
    }  # fmt: skip
    path = target / f"ndvi_{DATE}.tif"
    with MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(numbers, 1)
        with rasterio.Env(GDAL_NUM_THREADS=1):
            copy_raster(memory.name, path, driver="COG", compress="deflate", blocksize=256)
    return path


def _write_zarr(target: Path, numbers: np.ndarray) -> Path:
    import xarray  # noqa: PLC0415

    path = target / "ndvi.zarr"
    middles = (np.arange(SIDE) + 0.5) * RESOLUTION_M
    attributes = {"_FillValue": np.uint8(NODATA), "grid_mapping": "spatial_ref"}
    dataset = xarray.Dataset(
        {
            "NDVI": (("time", "y", "x"), numbers[np.newaxis], attributes),
            "spatial_ref": ((), 0, {"crs_wkt": rasterio.crs.CRS.from_epsg(32631).to_wkt()}),
        },
        {"time": [np.datetime64("2020-06-01", "ns")], "y": NORTH - middles, "x": WEST + middles},
    )
    rmtree(path, ignore_errors=True)
    dataset.to_zarr(path, zarr_format=2, consolidated=True, encoding={"NDVI": {"chunks": (1, 256, 256)}})
    return path
