"""Plans of maps: overview level, resampling and windows with which a variable is read for the requested grid.

The resampling is that of the layer. `plan_warp`, `plan_strips` and `plan_mosaic` choose the level
(`core.warp.level_choice.level_for`).
"""

from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import Grid
from chronotile.core.warp.plan import plan_warp
from chronotile.core.warp.strips import plan_strips, strips_of
from chronotile.pipeline.maps.resolve import MapPlan, MapTarget
from chronotile.pipeline.mosaic_plans import plan_mosaic


def plan_map(grid: Grid, target: MapTarget, variable: VariableInfo) -> MapPlan | None:
    """Return the plan of a variable on the grid, or `None` if they share no pixel. The target stores its plans.

    Large grids are planned in strips. Other plans are cached, since a tile has the same plan at every date.
    """
    if variable.name not in target.plans:
        resampling = target.layer.resampling
        with target.watch.step("warp"):
            if variable.is_mosaic:
                target.plans[variable.name] = plan_mosaic(grid, variable, resampling)
            elif len(strips_of(grid)) > 1:
                target.plans[variable.name] = plan_strips(variable.levels, grid, resampling=resampling)
            else:
                target.plans[variable.name] = target.services.caches.plans.get_or_make(
                    (variable.levels, grid, resampling), lambda: plan_warp(variable.levels, grid, resampling=resampling)
                )
    return target.plans[variable.name]
