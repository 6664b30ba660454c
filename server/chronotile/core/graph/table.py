"""All processes by name. Processes that read data are added by the caller."""

from collections.abc import Mapping

from chronotile.core.graph.arrays import ARRAYS
from chronotile.core.graph.cells import CELLS
from chronotile.core.graph.dates import DATES
from chronotile.core.graph.dimensions import DIMENSIONS
from chronotile.core.graph.kernels import KERNELS
from chronotile.core.graph.numbers import NUMBERS
from chronotile.core.graph.periods import PROCESSES_IN_TIME
from chronotile.core.graph.polygons import POLYGONS
from chronotile.core.graph.reducers import REDUCERS
from chronotile.core.graph.space import SPACE
from chronotile.core.graph.texts import TEXTS
from chronotile.core.graph.values import GraphProcess

PROCESSES: Mapping[str, GraphProcess] = {
    **NUMBERS,
    **REDUCERS,
    **ARRAYS,
    **TEXTS,
    **DATES,
    **DIMENSIONS,
    **CELLS,
    **PROCESSES_IN_TIME,
    **SPACE,
    **POLYGONS,
    **KERNELS,
}
