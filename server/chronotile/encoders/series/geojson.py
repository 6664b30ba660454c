"""Series as GeoJSON (RFC 7946): features that carry them, in one document or one per line."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from itertools import chain

from chronotile.encoders.covjson_parts import ANY_LANGUAGE, Json
from chronotile.encoders.document_parts import join_parts, with_list
from chronotile.encoders.instants import dump_json, json_instants
from chronotile.encoders.series.covjson import column_parameter
from chronotile.encoders.series.json import cells_json, edges_json
from chronotile.encoders.series.outlines import geometry_json
from chronotile.encoders.series.table import Column, Rows, SeriesTable
from chronotile.model.geometry.area import Area
from chronotile.model.grid import WHOLE_CIRCLE
from chronotile.model.request import Point
from chronotile.model.time.instants import InstantArray, format_instant

UNBOUNDED = "../.."
"""The time of what has none."""


def encode_series_geojson(table: SeriesTable) -> Iterator[bytes]:
    """Yield a FeatureCollection part by part; `times` and other shared members stand beside `features`."""
    features = chain.from_iterable(_features(table, rows, {}) for rows in table.batches())
    yield from with_list(dump_json({"type": "FeatureCollection", **_shared(table)}), "features", features)


def encode_series_ndjson(table: SeriesTable) -> Iterator[bytes]:
    """Yield one feature a line, each complete: its properties include the times and other shared members."""
    shared = _shared(table)
    lines = (feature + b"\n" for rows in table.batches() for feature in _features(table, rows, shared))
    yield from join_parts(lines)


def encode_layers_geojson(table: SeriesTable, *, endpoint_of: Callable[[Point | Area], str]) -> Generator[bytes]:
    """Yield a FeatureCollection of EDR (OGC 19-086r6 §8.2.3) with a feature a place, part by part.

    Its property `values` has a list for each layer with a value, or `null`, for each of `times`; without times there
    are not features.

    Args:
        table: One column a layer.
        endpoint_of: Gives the URL that answers for one of the places.
    """
    parameters = [_parameter(column, table) for column in table.columns]
    head = {"type": "FeatureCollection", **table.credits.texts, "parameters": parameters}
    features = _features_of_layers(table, endpoint_of) if table.times.size else ()
    yield from with_list(dump_json(head), "features", features)


def interval_text(times: InstantArray) -> str:
    """Return from when to when some instants reach, in the words of `datetime`."""
    return f"{format_instant(times[0])}/{format_instant(times[-1])}" if times.size > 1 else format_instant(times[0])


def _shared(table: SeriesTable) -> Json:
    shared: Json = {"layer": table.title, "units": table.units, "times": json_instants(table.times)}
    if table.edges:
        shared["edges"] = edges_json(table)
    return shared | table.credits.texts


def _features(table: SeriesTable, rows: Rows, shared: Json) -> Iterable[bytes]:
    """Properties that the client sent come first, so that none of them hides a series."""
    reasons = None if rows.codes is None else rows.reasons(None)
    columns = {column.name: column.json(rows.values[column.name]) for column in table.columns}
    for row, place in enumerate(rows.places):
        properties: Json = {**((place.properties if isinstance(place, Area) else None) or {}), **shared}
        properties["series"] = {name: each[row] for name, each in columns.items()}
        if reasons is not None:
            properties["reasons"] = reasons[row].tolist()
        if table.has_counts:
            properties |= cells_json(rows, row)
            if rows.notes[row] is not None:
                properties["note"] = rows.notes[row]
        yield _feature(place, properties)


def _features_of_layers(table: SeriesTable, endpoint_of: Callable[[Point | Area], str]) -> Iterable[bytes]:
    shared: Json = {"parameter-name": [column.name for column in table.columns]}
    if table.has_time:
        shared = {"datetime": interval_text(table.times), **shared, "times": json_instants(table.times)}
    else:
        shared = {"datetime": UNBOUNDED, **shared}
    for rows in table.batches():
        values = table.at_all_times(rows)
        columns = {column.name: column.json(values[column.name]) for column in table.columns}
        for row, place in enumerate(rows.places):
            own = {"label": _label(place), "edrqueryendpoint": endpoint_of(place)}
            series = {name: each[row] for name, each in columns.items()}
            yield _feature(_without_turns(place), {**shared, **own, "values": series})


def _feature(place: Point | Area, properties: Json) -> bytes:
    identity = {} if place.id is None else {"id": place.id}
    return dump_json({"type": "Feature", **identity, "geometry": geometry_json(place), "properties": properties})


def _label(place: Point | Area) -> str:
    if isinstance(place, Point):
        return f"{place.x:.10g} {place.y:.10g}"
    return str((place.properties or {}).get("label", place.id))


def _without_turns(place: Point | Area) -> Point | Area:
    """A point in CRS84 with its longitude from -180 to 180 (RFC 7946 §4)."""
    if isinstance(place, Area):
        return place
    (longitude, latitude), half = place.degrees, WHOLE_CIRCLE / 2
    turns = 0 if -half <= longitude <= half else (longitude + half) // WHOLE_CIRCLE
    return Point(x=longitude - turns * WHOLE_CIRCLE, y=latitude)


def _parameter(column: Column, table: SeriesTable) -> Json:
    """A parameter of CoverageJSON with plain texts, as the descriptions of collections have them (§8.1.4)."""
    parameter = {"id": column.name, **column_parameter(column, table)}
    observed = parameter["observedProperty"]
    parameter["observedProperty"] = {**observed, "label": _text(observed["label"])}
    if "categories" in observed:
        labelled = [{**each, "label": _text(each["label"])} for each in observed["categories"]]
        parameter["observedProperty"]["categories"] = labelled
    if "description" in parameter:
        parameter["description"] = _text(parameter["description"])
    return parameter


def _text(texts: Mapping[str, str]) -> str:
    """The text for any language, else the first."""
    return texts.get(ANY_LANGUAGE) or next(iter(texts.values()))
