"""Images of Sentinel-2 products, grouped by tile and level: every band at the finest resolution that most have."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from chronotile.archive.discovery.names import ANY, TIME, VARIABLE, FileName, NameGroup
from chronotile.readers.hrefs import image_of
from chronotile.readers.raster.sentinel2 import PRODUCT


class _TileSeries(NamedTuple):
    """Properties that the images of a group have in common."""

    tile: str
    level: str
    has_resolutions: bool
    """Whether images are in folders by resolution."""


def split_products(paths: Sequence[Path], root: Path = Path()) -> tuple[list[NameGroup], list[Path]]:
    """Return groups of the images of Sentinel-2 products, and the files outside of products.

    Quality masks, previews and copies in other resolutions belong to no group.

    Args:
        paths: Paths of the files in the folder.
        root: Absolute path of the folder, which may be a product.
    """
    is_product = PRODUCT.fullmatch(root.name) is not None
    series, other_paths = defaultdict[_TileSeries, list[re.Match[str]]](list), list[Path]()
    for path in paths:
        full = root.name / path if is_product else path
        product = next((match for part in full.parts[:-1] if (match := PRODUCT.fullmatch(part))), None)
        image = image_of(full.as_posix())
        if product is None:
            other_paths.append(path)
        elif image is not None:
            series[_TileSeries(image["tile"], product[1], image["metres"] is not None)].append(image)
    groups = [_group(common, images, is_product=is_product) for common, images in sorted(series.items())]
    return groups, other_paths


def _group(common: _TileSeries, images: Sequence[re.Match[str]], *, is_product: bool) -> NameGroup:
    folders = {image["product"].rpartition("/")[0] for image in images}
    start = "".join(f"{folder}/" for folder in folders if folder) if len(folders) == 1 else f"{ANY}{ANY}/"
    images_folder = f"GRANULE/{ANY}/IMG_DATA" + (f"/R{ANY}" if common.has_resolutions else "")
    name = f"{common.tile}_{TIME}_{VARIABLE}.jp2"
    product = "" if is_product else f"{start}{ANY}_MSI{common.level}_{ANY}.SAFE/"
    pattern = f"{product}{images_folder}/{name}"
    metres = _common_resolutions(images)
    chosen = sorted((image for image in images if metres[image["band"]] == image["metres"]), key=lambda image: image[0])
    names = [
        FileName(
            Path(image[0][len(image["product"]) + 1 :] if is_product else image[0]),
            pattern,
            image["time"],
            image["variable"],
        )
        for image in chosen
    ]
    return NameGroup(pattern, tuple(names))


def _common_resolutions(images: Sequence[re.Match[str]]) -> dict[str, str | None]:
    # The most frequent resolution of each band, or the finest of the most frequent ones.
    counts = Counter((image["band"], image["metres"]) for image in images)
    return dict(sorted(counts, key=lambda key: (counts[key], -int(key[1] or 0))))
