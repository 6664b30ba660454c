"""Collections of items on a requested grid and by a requested rule, for jobs that write them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from chronotile.core.errors import InvalidParameter, OutsideData, require_at_most
from chronotile.core.model.collection import Composite, Layer
from chronotile.core.model.items import MosaicRule
from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.boxes import BBox, reach_in
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.jobs.processes.inputs import layers_of, locate_errors, trims_of
from chronotile.jobs.processes.process import Inputs, optional
from chronotile.optimise.mosaics import ORDERED_RULES, box_within
from chronotile.pipeline.coverage.grid import MAX_SIDE
from chronotile.pipeline.services import Services
from chronotile.readers.lattices import Lattice, whole_lattice
from chronotile.readers.mosaic_reader import MosaicReader
from chronotile.readers.reader import Reader

CRS_INPUT = optional(
    "CRS",
    "Of scenes and tiles: the CRS of the cube, a code such as EPSG:3035 or its URI; with resolution. "
    "Default: the grid of the collection.",
    {"type": "string", "maxLength": 200},
)
RESOLUTION = optional(
    "Resolution",
    "Of scenes and tiles: the side of a cell in units of crs, a number above 0. Edges are multiples of it.",
    {"type": "number", "minimum": 0},
)
MOSAIC = optional(
    "Rule of the mosaic",
    "Of scenes and tiles: how overlapping pieces are combined. latest and least_nodata are accepted where "
    "the collection is configured with them. Default: the rule of the collection.",
    {"type": "string", "enum": list(get_args(MosaicRule))},
)
INPUTS = {"crs": CRS_INPUT, "resolution": RESOLUTION, "mosaic": MOSAIC}


def view_of(inputs: Inputs, services: Services) -> tuple[Inputs, Services]:
    """Return inputs and services in which the collection of a layer has the grid and rule of the inputs `INPUTS`.

    A requested grid ends at the `bbox`, which is removed from the returned inputs.

    Raises:
        InvalidParameter: Inputs do not fit together, or do not fit the layer.
        OutsideData: The box contains no items.
        UnsupportedCrs: The CRS is unknown.
        LimitExceeded: The grid has too many columns or rows.
        SourceUnavailable: The source or its index is unreachable.
    """
    names = [name for name in INPUTS if name in inputs]
    if not names:
        return inputs, services
    with locate_errors({}):
        layer = services.catalogue.layer(layers_of(inputs)[0])
        if not layer.main_variable.is_mosaic:
            raise InvalidParameter(
                f"{names[0]} is accepted for layers of scenes and tiles alone; leave it out for {layer.id}",
                locator=names[0],
            )
        reader = _replace_rule(services.mosaic_reader(layer), layer, inputs.get("mosaic"))
        lattice = _lattice(inputs, services)
        if lattice is None:
            return inputs, _replace_reader(services, layer.collection, reader)
        grid = _grid(lattice, _extent(layer, services), inputs, services)
    inputs_without_box = {name: value for name, value in inputs.items() if name != "bbox"}
    return inputs_without_box, _replace_reader(services, layer.collection, reader.replace_grid(grid))


def _replace_rule(reader: MosaicReader, layer: Layer, rule: MosaicRule | None) -> MosaicReader:
    if rule is None:
        return reader
    if rule in ORDERED_RULES and reader.mosaic_rule(layer.main_variable.name) != rule:
        raise InvalidParameter(
            f"mosaic {rule} needs the items in another order than the index has; accepted are first, max, mean and "
            "median",
            locator="mosaic",
        )
    return reader.replace_rule(rule)


def _lattice(inputs: Inputs, services: Services) -> Lattice | None:
    if ("crs" in inputs) != ("resolution" in inputs):
        lacking = "resolution" if "crs" in inputs else "crs"
        raise InvalidParameter("crs and resolution belong together: give both, or neither", locator=lacking)
    if "crs" not in inputs:
        return None
    if not inputs["resolution"] > 0:
        raise InvalidParameter("resolution is a number above 0, in units of crs", locator="resolution")
    crs = services.catalogue.crs_for_map(inputs["crs"])
    return whole_lattice((), TargetGrid(crs=crs.name, resolution=float(inputs["resolution"])))


def _extent(layer: Layer, services: Services) -> BBox:
    index = services.reader_caches.items
    extent = None if index is None else index.extent(layer.collection)
    if extent is None:
        raise OutsideData(f"layer {layer.id} has no items", locator="layer")
    return extent


def _grid(lattice: Lattice, extent: BBox, inputs: Inputs, services: Services) -> NativeGrid:
    """Return the part of the extent in the bbox, with the cells of `chronotile optimise new` for a box in CRS84."""
    trims = trims_of(inputs, services)
    trim = trims[0] if trims else None
    shared = box_within(extent, trim.box if trim is not None and trim.crs == CRS84 else None)
    box = None if shared is None else reach_in(shared, CRS84, lattice.crs)
    if box is not None and trim is not None and trim.crs != CRS84:
        box = box.common(reach_in(trim.box, trim.crs, lattice.crs))
    if box is None or box.xmin >= box.xmax or box.ymin >= box.ymax:
        edges = ",".join(f"{edge:.6g}" for edge in extent)
        raise OutsideData(f"bbox holds none of the items, which lie in {edges}", locator="bbox")
    side = max(box.xmax - box.xmin, box.ymax - box.ymin) / lattice.width
    fewer = "request a smaller bbox or coarser cells"
    require_at_most("cells per side", int(min(side, 1 << 62)), MAX_SIDE, alternative=fewer, locator="resolution")
    return lattice.grid(box)


def _replace_reader(services: Services, collection: str, reader: Reader) -> Services:
    """Return services with another reader of a collection, and its layers with the variables of that reader."""
    catalogue = services.catalogue
    collections = tuple(
        replace(item, layers=_replace_variables(item.layers, reader)) if item.id == collection else item
        for item in catalogue.collections
    )
    readers = {**services.readers, collection: reader}
    return replace(services, readers=readers, catalogue=replace(catalogue, collections=collections))


def _replace_variables(layers: Sequence[Layer], reader: Reader) -> tuple[Layer, ...]:
    variables = reader.info.variables

    def replace_variable(layer: Layer) -> Layer:
        content = layer.content
        if isinstance(content, Composite) or content.name not in variables:
            return layer
        variable = variables[content.name]
        return replace(layer, content=replace(content, levels=variable.levels, encoding=variable.encoding))

    return tuple(map(replace_variable, layers))
