"""Groups of a NetCDF file or Zarr store that are not served, and how they could be."""

from collections.abc import Iterable
from dataclasses import dataclass

from chronotile.model.source import Finding
from chronotile.yaml_source import list_names

MOST_LISTED = 5
"""Variables of a group that are named."""

SWATH = (
    "group {path} is a swath: each of its pixels has its own latitude and longitude; resample its variables to a grid "
    """first (gdalwarp -geoloc -t_srs EPSG:4326 'NETCDF:"IN.nc":/{path}/VARIABLE' OUT.tif)"""
)


@dataclass(frozen=True, slots=True)
class Group:
    """A group with its arrays of two dimensions or more."""

    path: str
    """From the root; empty for the root itself."""
    arrays: tuple[str, ...]
    is_swath: bool = False
    """Whether it has a latitude for each pixel."""


def group_findings(groups: Iterable[Group], remedy: str) -> tuple[Finding, ...]:
    """Return a warning for each group that holds arrays; of a swath for that group alone, as others are parts of it.

    Args:
        groups: Those that are not served.
        remedy: How one is served; `{path}` is the group's.
    """
    groups = list(groups)
    swaths = sorted((group for group in groups if group.is_swath), key=lambda group: len(group.path))
    if swaths:
        return (Finding("warning", swaths[0].path, SWATH.format(path=swaths[0].path)),)
    return tuple(_finding(group, remedy) for group in groups if group.arrays)


def _finding(group: Group, remedy: str) -> Finding:
    names = list_names(group.arrays, most=MOST_LISTED)
    where = f"group {group.path}" if group.path else "the root group"
    message = f"{where} is not served, with its variables {names}; {remedy.format(path=group.path)}"
    return Finding("warning", group.path or "/", message)
