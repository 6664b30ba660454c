"""The seasons of series as a separate table."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from chronotile_client.times import time_index

if TYPE_CHECKING:
    import pandas as pd

PHENOLOGY: Final = "phenology"
DATES: Final = ("start", "peak", "end")
Labels = dict[str, object]


def seasons(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the seasons that `phenology` found in a series of one or several places, one row per season.

    Args:
        table: A result of `Layer.series` with `phenology`.

    Returns:
        The columns `id` (with several places), `reducer` (for areas), `season` (from 1, per place and reducer),
        `start`, `peak` and `end` as dates, `length` in days, `amplitude` and `peak_value` in the units of the layer.

    Raises:
        ValueError: The series was requested without `phenology`.
    """
    import pandas as pd

    found = list(_found(table))
    if not found:
        raise ValueError("the table has no seasons; request the series with phenology='threshold'")
    parts = []
    for labels, columns in found:
        dates = {name: time_index(columns[name]) for name in DATES}
        parts.append(pd.DataFrame({"season": range(1, len(columns["start"]) + 1), **columns, **dates}).assign(**labels))
    names = list(dict.fromkeys(name for labels, _columns in found for name in labels))
    joined = pd.concat(parts, ignore_index=True)
    return joined[[*names, *(name for name in joined.columns if name not in names)]]


def _found(table: "pd.DataFrame") -> Iterator[tuple[Labels, Mapping[str, Any]]]:
    """Yield the seasons of each place and reducer, with the labels that identify them."""
    for labels, analysis in _by_place(table):
        if PHENOLOGY in analysis:
            yield labels, analysis[PHENOLOGY]
            continue
        for reducer, of_reducer in analysis.items():
            if isinstance(of_reducer, Mapping) and PHENOLOGY in of_reducer:
                yield {**labels, "reducer": reducer}, of_reducer[PHENOLOGY]


def _by_place(table: "pd.DataFrame") -> Iterator[tuple[Labels, Mapping[str, Any]]]:
    analysis = table.attrs.get("analysis", {})
    if "id" not in table.columns:
        yield {}, analysis
    elif isinstance(analysis, Mapping):
        yield from (({"id": id_}, each) for id_, each in analysis.items())
    else:  # in the order of the places, which all have the same number of times
        ids = table["id"].iloc[:: len(table) // len(analysis)]
        yield from (({"id": id_}, each) for id_, each in zip(ids, analysis, strict=True))
