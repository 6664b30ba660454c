"""Images of Sentinel-2 products, grouped by tile and level: every band at the finest resolution that most have."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from chronotile.archive.discovery.names import ANY, TIME, VARIABLE, FileName, NameGroup
from chronotile.readers.raster.sentinel2 import IMAGE, SAFE

_LEVEL = re.compile(r"_MSI(L1C|L2A)_")


class _TileSeries(NamedTuple):
    """Properties that the images of a group have in common."""

    tile: str
    level: str
    has_resolutions: bool
    """Whether images are in folders by resolution."""


def split_products(paths: Sequence[Path]) -> tuple[list[NameGroup], list[Path]]:
    """Return groups of the images of Sentinel-2 products, and the files outside of products.

    Quality masks, previews and copies in other resolutions belong to no group.
    """
    series, other_paths = defaultdict[_TileSeries, list[re.Match[str]]](list), list[Path]()
    for path in paths:
        product = next((part for part in path.parts[:-1] if part.endswith(SAFE)), None)
        image, level = IMAGE.fullmatch(path.as_posix()), _LEVEL.search(product or "")
        if image is not None and level is not None:
            series[_TileSeries(image["tile"], level[1], image["metres"] is not None)].append(image)
        elif product is None:
            other_paths.append(path)
    return [_group(common, images) for common, images in sorted(series.items())], other_paths


def _group(common: _TileSeries, images: Sequence[re.Match[str]]) -> NameGroup:
    folders = {image["product"].rpartition("/")[0] for image in images}
    start = "".join(f"{folder}/" for folder in folders if folder) if len(folders) == 1 else f"{ANY}{ANY}/"
    images_folder = f"GRANULE/{ANY}/IMG_DATA" + (f"/R{ANY}" if common.has_resolutions else "")
    name = f"{common.tile}_{TIME}_{VARIABLE}.jp2"
    pattern = f"{start}{ANY}_MSI{common.level}_{ANY}{SAFE}/{images_folder}/{name}"
    metres = _common_resolutions(images)
    chosen = sorted((image for image in images if metres[image["band"]] == image["metres"]), key=lambda image: image[0])
    return NameGroup(
        pattern, tuple(FileName(Path(image[0]), pattern, image["time"], image["variable"]) for image in chosen)
    )


def _common_resolutions(images: Sequence[re.Match[str]]) -> dict[str, str | None]:
    # The most frequent resolution, or the finest of the most frequent ones.
    counts = Counter((image["band"], image["metres"]) for image in images)
    return dict(sorted(counts, key=lambda key: (counts[key], -int(key[1] or 0))))
