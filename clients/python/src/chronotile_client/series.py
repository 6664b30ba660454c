"""Series of points and areas as tables."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

import numpy as np

from chronotile_client.errors import InvalidRequest, LimitExceeded
from chronotile_client.exchange import Exchange, Request, fetch
from chronotile_client.layers import LayerInfo
from chronotile_client.locations import Areas, Box, Place, Points
from chronotile_client.notes import OUTSIDE, notices_of_notes, notices_of_seasons, reason_without_cells
from chronotile_client.times import time_index

if TYPE_CHECKING:
    import pandas as pd

Member = TypeVar("Member")
Document = Mapping[str, Any]

FIRST_BATCH: Final = 20_000
"""Points or areas of the first request: the default of the server's `max_features`."""
UNITS_OF_ANOMALIES: Final = frozenset({"z", "percentile"})
"""Kinds of anomalies in the names of columns, as in CSV: `anomaly_z`."""
GEOMETRY: Final = "geometry"
"""The parameter in errors about areas."""
JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """A series of a layer."""

    layer: LayerInfo
    where: Points | Areas | Box | Place
    params: Mapping[str, str]
    """Parameters of the query: `datetime` and the analyses."""

    @property
    def path(self) -> str:
        """The common path of all requests for series of this layer."""
        return f"timeseries/{quote(self.layer.id, safe='')}"


def fetch_series(query: SeriesQuery) -> "Exchange[pd.DataFrame]":
    """Return the table of a series, see `Layer.series`."""
    where = query.where
    if isinstance(where, Points) and where.is_single:
        (lon, lat), *_ = where.positions
        params = {"lon": repr(lon), "lat": repr(lat), **query.params}
        answer = yield from fetch(Request(path=f"{query.path}/point", params=params))
        document = answer.document()
        feature = {"total": 1, "analysis": {"value": document.get("analysis", {})}}
        yield from notices_of_seasons([feature], None, "points", has_time="datetime" in query.params)
        return _table_of_point(document, query.layer)
    if isinstance(where, (Box, Place)):
        named = {"bbox": where.text} if isinstance(where, Box) else {"place": where.id}
        answer = yield from fetch(Request(path=f"{query.path}/area", params={**named, **query.params}))
        documents: Sequence[Document] = [answer.document()]
    elif isinstance(where, Points):
        documents = yield from _in_batches(where.positions, lambda batch: _points_request(query, batch))
    else:
        documents = yield from _in_batches(where.geometries, lambda batch: _areas_request(query, batch))
    ids = None if isinstance(where, (Box, Place)) or where.is_single else where.ids
    kind = "points" if isinstance(where, Points) else "areas"
    features = [feature for document in documents for feature in document["features"]]
    yield from notices_of_notes(features, ids, kind)
    yield from notices_of_seasons(features, ids, kind, has_time="datetime" in query.params)
    return _table_of_features(documents, query, ids=ids)


def _points_request(query: SeriesQuery, positions: Sequence[Any]) -> Request:
    body = {"layers": [query.layer.id], "points": positions}
    return _post("timeseries/points", body, query.params)


def _areas_request(query: SeriesQuery, geometries: Sequence[Any]) -> Request:
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    return _post(f"{query.path}/areas", {"type": "FeatureCollection", "features": features}, query.params)


def _post(path: str, body: object, params: Mapping[str, str]) -> Request:
    return Request(path=path, method="POST", params=params, body=json.dumps(body).encode(), headers=JSON)


def _in_batches(
    members: Sequence[Member], request: Callable[[Sequence[Member]], Request]
) -> Exchange[Sequence[Document]]:
    """Request members together, in smaller batches if the server refuses too many.

    Raises:
        InvalidRequest: All members are outside the layer, or one is not accepted.
        LimitExceeded: A single member exceeds the limit.
    """
    found: dict[int, Document] = {}
    refused: dict[int, tuple[Sequence[Member], InvalidRequest]] = {}
    start, size = 0, FIRST_BATCH
    while start < len(members):
        batch = members[start : start + size]
        try:
            answer = yield from fetch(request(batch))
        except LimitExceeded as error:
            if len(batch) == 1:
                raise
            size = _smaller(len(batch), error)
            continue
        except InvalidRequest as error:
            if error.parameter != GEOMETRY or len(batch) == len(members):
                raise
            refused[start] = batch, error
        else:
            document = answer.document()
            found[start] = document["results"][0] if "results" in document else document
        start += len(batch)
    if not refused:
        return list(found.values())
    inside = _inside(members, found)
    for first, (batch, refusal) in refused.items():
        found[first] = yield from _with_one_inside(batch, inside, request, refusal)
    return [document for _, document in sorted(found.items())]


def _inside(members: Sequence[Member], found: Mapping[int, Document]) -> Member | None:
    """Return the member with the smallest positive number of cells, or None."""
    cells = {
        start + number: int(np.max(feature["total"], initial=0))
        for start, document in found.items()
        for number, feature in enumerate(document["features"])
    }
    smallest = min((number for number, count in cells.items() if count), key=cells.__getitem__, default=None)
    return None if smallest is None else members[smallest]


def _with_one_inside(
    batch: Sequence[Member],
    inside: Member | None,
    request: Callable[[Sequence[Member]], Request],
    refusal: InvalidRequest,
) -> Exchange[Document]:
    """Request a refused batch again together with a member inside the layer, and return the result without that member.

    The server refuses areas outside only if all areas of a request are outside. Other faults are raised here.
    """
    if inside is None:
        raise refusal
    documents, start, size = list[Document](), 0, len(batch)
    while start < len(batch):
        part = batch[start : start + size]
        try:
            answer = yield from fetch(request([*part, inside]))
        except LimitExceeded as error:
            if len(part) == 1:
                raise refusal from error
            size = _smaller(len(part), error)
            continue
        document = answer.document()
        documents.append({**document, "features": document["features"][:-1]})
        start += len(part)
    return {**documents[0], "features": [feature for each in documents for feature in each["features"]]}


def _smaller(size: int, error: LimitExceeded) -> int:
    """Return the number of members that the limit allows; half of the refused number if the error lacks the limit."""
    if error.allowed and error.asked and error.asked > error.allowed:
        return max(1, min(size - 1, int(size * error.allowed / error.asked)))
    return max(1, size // 2)


def _table_of_point(document: Document, layer: LayerInfo) -> "pd.DataFrame":
    import pandas as pd

    columns: dict[str, Any] = {
        "value": np.array(document["values"], dtype=float),
        "reason": document["reasons"],
    }
    analysis = dict(document.get("analysis", {}))
    columns |= _columns_of_times(analysis, len(columns["value"]), kind=_anomaly_of(document))
    table = pd.DataFrame(columns, index=time_index(document["times"]))
    table.attrs = _attributes(document, layer) | ({"analysis": analysis} if analysis else {})
    return table


def _table_of_features(
    documents: Sequence[Document], query: SeriesQuery, *, ids: Sequence[object] | None
) -> "pd.DataFrame":
    """Return one table with the series of all features; `ids` are their ids, None for a single feature."""
    features = [(feature, document) for document in documents for feature in document["features"]]
    is_of_points = isinstance(query.where, Points)
    parts, analyses = [], []
    for number, (feature, document) in enumerate(features):
        columns, analysis = (_point_columns if is_of_points else _area_columns)(feature, document)
        if isinstance(query.where, Points):
            lon, lat = query.where.positions[number]
            columns = {"longitude": lon, "latitude": lat, **columns}
        if ids is not None:
            columns = {"id": ids[number], **columns}
        parts.append(columns)
        analyses.append(analysis)
    table = _stacked(parts, [document["times"] for _, document in features])
    table.attrs = _attributes(documents[0], query.layer)
    if any(analyses):
        table.attrs["analysis"] = analyses[0] if ids is None else _by_id(ids, analyses)
    return table


def _by_id(ids: Sequence[object], analyses: Sequence[Document]) -> Mapping[object, Document] | Sequence[Document]:
    """Return analyses by id, or in order if ids repeat or cannot be keys, such as lists from GeoJSON."""
    try:
        found = dict(zip(ids, analyses, strict=True))
    except TypeError:
        return analyses
    return found if len(found) == len(ids) else analyses


def _stacked(parts: Sequence[Mapping[str, Any]], times: Sequence[Sequence[str | None]]) -> "pd.DataFrame":
    """Concatenate parts to one table; a scalar of a part is repeated for all of the part's times."""
    import pandas as pd

    lengths = [len(each) for each in times]
    names = list(dict.fromkeys(name for part in parts for name in part))
    columns = {}
    for name in names:
        pieces = [part.get(name) for part in parts]
        if any(isinstance(piece, np.ndarray) for piece in pieces):
            filled = [np.full(n, None) if piece is None else piece for piece, n in zip(pieces, lengths, strict=True)]
            columns[name] = np.concatenate(filled)
        else:
            columns[name] = pd.Series(pieces).repeat(lengths).to_numpy()
    index = time_index([time for each in times for time in each])
    return pd.DataFrame(columns, index=index)


def _point_columns(feature: Document, document: Document) -> tuple[dict[str, Any], dict[str, Any]]:
    count = len(document["times"])
    analysis = dict(feature.get("analysis", {}).get("mean", {}))
    reasons = _commonest_reasons(feature, count) if np.any(feature["total"]) else np.full(count, OUTSIDE, dtype=object)
    columns = {"value": _numbers(feature["series"]["mean"]), "reason": reasons}
    return columns | _columns_of_times(analysis, count, kind=_anomaly_of(document)), analysis


def _area_columns(feature: Document, document: Document) -> tuple[dict[str, Any], dict[str, Any]]:
    count, kind = len(document["times"]), _anomaly_of(document)
    columns: dict[str, Any] = {}
    for reducer, values in feature["series"].items():
        columns |= dict(_reducer_columns(reducer, values))
    valid = np.array(feature["valid"], dtype=np.int64)
    is_missing = np.logical_or.reduce([valid == 0, *map(np.isnan, columns.values())])
    analysis = {reducer: dict(found) for reducer, found in feature.get("analysis", {}).items()}
    for reducer, found in analysis.items():
        columns |= {f"{reducer}.{name}": each for name, each in _columns_of_times(found, count, kind=kind).items()}
    total = np.broadcast_to(np.array(feature["total"], dtype=np.int64), (count,))
    reasons = _commonest_reasons(feature, count)
    if not total.any():
        reasons[:] = reason_without_cells(feature)
    reasons[~is_missing] = None
    columns |= {"valid": valid, "total": total, "reason": reasons}
    if note := feature.get("note"):
        columns["note"] = note
    return columns, analysis


def _reducer_columns(reducer: str, values: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield a reducer's column, or the columns of a histogram's bins, numbered from 0 as in CSV."""
    if not reducer.startswith("histogram:"):
        yield reducer, _numbers(values)
        return
    bins = int(reducer.split(":")[1])
    table = np.array([[None] * bins if each is None else each for each in values], dtype=float).reshape(-1, bins)
    for number in range(bins):
        yield f"{reducer}.{number}", table[:, number]


def _columns_of_times(analysis: dict[str, Any], count: int, *, kind: str | None) -> dict[str, Any]:
    """Move members with one value per time from an analysis to columns, named as in CSV; `kind` is the anomaly's."""
    anomaly = f"anomaly_{kind}" if kind in UNITS_OF_ANOMALIES else "anomaly"
    names = {"counts": "count", "smooth": "smooth", "fill": "fill", "climatology": "climatology", "anomaly": anomaly}
    found = {name for name in names if isinstance(analysis.get(name), list) and len(analysis[name]) == count}
    return {names[name]: _numbers(analysis.pop(name)) for name in names if name in found}


def _anomaly_of(document: Document) -> str | None:
    """Return the kind of anomalies in a document, or None."""
    kind: str | None = document.get("methods", {}).get("anomaly")
    return kind


def _commonest_reasons(feature: Document, count: int) -> Any:  # noqa: ANN401 -- an array of texts and None
    """Return for each time the most frequent reason of cells without a value, None if all cells have a value."""
    reasons = feature.get("reasons", {})
    if not reasons:
        return np.full(count, None)
    names = np.array([*reasons, None], dtype=object)
    counts = np.array(list(reasons.values()))
    return names[np.where(counts.any(axis=0), counts.argmax(axis=0), len(reasons))]


def _numbers(values: Sequence[Any]) -> Any:  # noqa: ANN401 -- an array of floats
    return np.array(values, dtype=float)


def _attributes(document: Document, layer: LayerInfo) -> dict[str, Any]:
    kept = {name: document[name] for name in ("methods", "edges") if name in document}
    return {
        "layer": document["layer"],
        "title": layer.title,
        "units": document["units"],
        "attribution": layer.attribution,
        **kept,
    }
