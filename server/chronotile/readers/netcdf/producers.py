"""HDF5 files that describe grids and values in their producer's way, and not by CF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.readers.cf.axes import COVERAGE
from chronotile.readers.netcdf.cf_description import CfDescription, text_of
from chronotile.readers.netcdf.hdf_eos import INFORMATION, read_hdf_eos
from chronotile.readers.netcdf.odim import CONVENTION, DATA, read_odim
from chronotile.readers.netcdf.proba_v import LEVELS, ProbaV

if TYPE_CHECKING:
    import h5py
    import xarray

_TIMES = (
    (("RangeBeginningDate", "RangeBeginningTime"), ("RangeEndingDate", "RangeEndingTime")),  # names of HDF-EOS
    (("OBSERVATION_START_DATE", "OBSERVATION_START_TIME"), ("OBSERVATION_END_DATE", "OBSERVATION_END_TIME")),
)
"""Attributes of the root with date and time of start and end."""


class Convention(Protocol):
    """Notation of a producer for grids and values."""

    def describe(self, group: str, name: str, array: "xarray.Variable") -> CfDescription | None:
        """Return the description of an array by CF; `None` if its producer does not describe it."""
        ...


@dataclass(frozen=True, slots=True)
class Producer:
    """The description of the arrays and times of one file."""

    convention: Convention
    times: Mapping[str, str] = field(default_factory=dict)
    """Global attributes of ACDD about the time."""

    def as_cf(self, group: str, dataset: "xarray.Dataset") -> tuple["xarray.Dataset", list[Finding]]:
        """Return a group as CF would describe it, and notes on interpretations.

        An array is left out if its description is damaged, contradicts it, or is not understood.

        Raises:
            UnsupportedSource: All described arrays are left out.
        """
        import xarray

        variables, notes, faults = {}, list[Finding](), list[UnsupportedSource]()
        sizes, is_any_described = dict[str, int](), False
        for key, stored in dataset.variables.items():
            try:
                description = self.convention.describe(group, str(key), stored)
            except UnsupportedSource as error:
                faults.append(error)
                notes.append(Finding("warning", str(key), f"{LEFT_OUT}{error.message}"))
                continue
            variables[key] = stored
            if description is not None:
                is_any_described = True
                variables[key] = variable = stored.copy(deep=False)
                names = _names_by_size(dict(zip(description.dims, stored.shape, strict=True)), sizes)
                variable.dims, variable.attrs = tuple(names.values()), dict(description.attrs)
                if {"y", "x"} <= names.keys():
                    variable.attrs["spatial:dimensions"] = [names["y"], names["x"]]
                notes += [Finding("note", str(key), description.note)] if description.note else []
        if faults and not is_any_described:
            raise faults[0]
        described = xarray.Dataset(variables, attrs={**(self.times if not group else {}), **dataset.attrs})
        described.set_close(dataset.close)
        return described, notes


def producer_of(file: "h5py.File", shapes: Mapping[str, Mapping[str, Sequence[int]]]) -> Producer | None:
    """Return the description of a file by its producer; `None` for all other files.

    Args:
        file: The file.
        shapes: Arrays by path of the group and by name; soft and external links are not among them.
    """
    if "StructMetadata.0" in shapes.get(INFORMATION, ()):
        return Producer(read_hdf_eos(file, [*shapes[INFORMATION]]), _times_of(file))
    if any(level in file for level in LEVELS):
        return Producer(ProbaV(), _times_of(file))
    if CONVENTION not in text_of(file.attrs.get("Conventions")):
        return None
    radar = read_odim(file, [group for group, arrays in shapes.items() if DATA in arrays])
    return Producer(radar, radar.times)


def _names_by_size(lengths: Mapping[str, int], sizes: dict[str, int]) -> dict[str, str]:
    # Arrays of a group may differ in size, and xarray allows one size per name. `sizes` has the sizes so far.
    return {dim: dim if sizes.setdefault(dim, n) == n else f"{dim}_{n}" for dim, n in lengths.items()}


def _times_of(file: "h5py.File") -> dict[str, str]:
    for ends in _TIMES:
        texts = ["T".join(text_of(file.attrs.get(name)) for name in names) for names in ends]
        if all(len(text) > 1 for text in texts):
            return dict(zip(COVERAGE, texts, strict=True))
    return {}
