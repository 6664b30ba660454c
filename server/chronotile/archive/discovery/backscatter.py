"""Layers of radar backscatter in decibels; files of gamma0 and sigma0 usually contain linear power."""

import re
from collections.abc import Iterator, Mapping

from chronotile.core.finding import Finding
from chronotile.core.model.expression import can_be_named
from chronotile.core.model.source import VariableInfo
from chronotile.readers.stac.drafts import DraftSection

RANGE_DB = (-25, 0)
"""Range of the styles, for land at both polarisations and for their ratio."""
RATIO = "VH_VV_DB"
COMPOSITE = "VV_VH_RATIO"
MAX_POWER = 10_000.0
"""Backscatter of 40 dB; greater values are amplitudes or digital numbers."""
_BACKSCATTER = re.compile(r"(?:^|[^a-z])(?:vv|vh|hh|hv|gamma_?0|sigma_?0)(?:$|[^a-z])")
_VV = re.compile("(?:^|_)vv$")
_UNITS = {"", "1", "linear", "power", "linear_power", "m2/m2", "m2_m-2"}


def decibel_layers(infos: Mapping[str, VariableInfo]) -> tuple[dict[str, DraftSection], dict[str, DraftSection]]:
    """Return formulas of the variables in decibels, and a composite of VV, VH and their ratio if both exist."""
    power = [name for name, info in infos.items() if can_be_named(name) and _is_power(info)]
    formulas = {f"{name}_DB": f"10 * log10({name})" for name in power}
    names = {name.lower(): name for name in power}
    pairs = [(name, names.get(f"{lower[:-2]}vh")) for lower, name in names.items() if _VV.search(lower)]
    vv, vh = next(filter(all, pairs), (None, None))
    if vv and vh:
        formulas[RATIO] = f"10 * log10({vh} / {vv})"
        composite: DraftSection = {
            "variables": [f"{vv}_DB", f"{vh}_DB", RATIO],
            "range": list(RANGE_DB),
        }
        composites = {COMPOSITE: composite}
    else:
        composites = {}
    sections: dict[str, DraftSection] = {
        name: {"formula": formula, "units": "dB", "range": list(RANGE_DB)}
        for name, formula in formulas.items()
        if name not in infos
    }
    return sections, composites


def decibel_findings(sections: Mapping[str, DraftSection]) -> Iterator[Finding]:
    """Yield a note if there are layers in decibels, as linear power is a guess."""
    if sections:
        message = "values are taken for linear power; the other layers have the values of the files"
        yield Finding("note", ", ".join(sections), message)


def _is_power(info: VariableInfo) -> bool:
    low, high = info.observed_range or (-1.0, -1.0)
    return (
        _BACKSCATTER.search(info.name.lower()) is not None
        and info.encoding.dtype.startswith("float")
        and info.encoding.units.lower().replace(" ", "_") in _UNITS
        and 0 <= low < high <= MAX_POWER
    )
