"""`/timeseries` in OpenAPI."""

from chronotile.encoders.series.media_types import SERIES_MEDIA_TYPES
from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.openapi import TEXT, Json, body, in_path, operation, ref
from chronotile.protocols.common.query.parameter import documents
from chronotile.protocols.timeseries import area_params, params, points_params, terrascope_params

SERIES, TERRASCOPE = "Series", "Terrascope's time-series service"
REFUSALS_OF_BODIES = ("BadRequest", "NotFound", "TooLarge", "Unavailable")


def series_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of our own series."""
    layer = in_path("layer", "Id or alias of a layer that has values", example=examples.layer)
    point = {**_shared(examples), "lon": examples.longitude, "lat": examples.latitude}
    points = {"layers": [examples.layer], "points": [[examples.longitude, examples.latitude]]}
    return {
        "/timeseries/{layer}/point": {
            "get": operation(
                "getPointSeries",
                "Time series of a place: the values of its native cell, with a reason for each missing value",
                tag=SERIES,
                parameters=[layer, *documents(params.OF_POINT, point)],
                answers=_in_all_formats(ref("PointSeries")),
            )
        },
        **_area_paths(examples, layer),
        "/timeseries/points": {
            "post": operation(
                "postPointsSeries",
                "Time series of many places and layers",
                tag=SERIES,
                parameters=documents(points_params.OF_POINTS),
                posted=body(ref("PointsRequest"), points),
                answers=_in_all_formats(ref("PointsSeries")),
                refusals=REFUSALS_OF_BODIES,
            )
        },
    }


def _shared(examples: Examples) -> dict[str, object]:
    return {"datetime": examples.times or None, "reducers": "mean,p10,p90"}


def _area_paths(examples: Examples, layer: Json) -> dict[str, Json]:
    shared = _shared(examples)
    place = {"place": _place(examples)} if examples.place else {"bbox": _box(examples)}
    described = {"anyOf": [ref("AreaSeries"), ref("SeriesCost")]}
    return {
        "/timeseries/{layer}/area": {
            "get": operation(
                "getPlaceSeries",
                "Time series of a named place or a box: the values of its cells, reduced to one per instant",
                tag=SERIES,
                parameters=[layer, *documents(area_params.OF_AREA, {**shared, **place})],
                answers=_in_all_formats(described),
            ),
            "post": operation(
                "postAreaSeries",
                "Time series of an area: the values of its cells, reduced to one per instant",
                tag=SERIES,
                parameters=[layer, *documents(area_params.OF_AREA, shared)],
                posted=body(ref("Geometry"), examples.polygon, required=False),
                answers=_in_all_formats(described),
                refusals=REFUSALS_OF_BODIES,
            ),
        },
        "/timeseries/{layer}/areas": {
            "post": operation(
                "postAreasSeries",
                "Time series of many areas, read in one pass",
                tag=SERIES,
                parameters=[layer, *documents(area_params.OF_AREAS, shared)],
                posted=body(ref("FeatureCollection"), examples.features),
                answers=_in_all_formats(described),
                refusals=REFUSALS_OF_BODIES,
            )
        },
    }


def _place(examples: Examples) -> str:
    return f"{examples.place_set}/{examples.place}"


def _box(examples: Examples) -> str | None:
    longitudes, latitudes = ([position[axis] for position in examples.ring] for axis in (0, 1))
    return f"{min(longitudes)},{min(latitudes)},{max(longitudes)},{max(latitudes)}" if examples.ring else None


def _in_all_formats(schema: Json) -> dict[str, Json]:
    text = {"text/csv": TEXT}
    return {media_type: text.get(media_type, {}) for media_type in SERIES_MEDIA_TYPES.values()} | {
        "application/json": schema
    }


def terrascope_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of Terrascope's service, in both versions."""
    return {path: entry for version in ("v1.0", "v1.1") for path, entry in _of_version(version, examples).items()}


def _of_version(version: str, examples: Examples) -> dict[str, Json]:
    base, suffix = f"/timeseries/{version}/ts", version.replace(".", "_")
    layer = in_path("layer", "Product: id or alias of a layer", example=examples.layer)
    days = {"startDate": f"{examples.times}-01-01", "endDate": f"{examples.times}-12-31"} if examples.times else {}
    degrees = {"lon": examples.longitude, "lat": examples.latitude}
    return {
        base: {
            "get": operation(
                f"getTerrascopeLayers_{suffix}",
                "The layers that have series, with their dates",
                tag=TERRASCOPE,
                answers={"application/json": ref("TerrascopeLayers")},
                refusals=("Unavailable",),
            )
        },
        f"{base}/{{layer}}/point": {
            "get": operation(
                f"getTerrascopePoint_{suffix}",
                "The series of a point",
                tag=TERRASCOPE,
                parameters=[
                    layer,
                    *documents(terrascope_params.OF_POINT, {**days, **degrees}, required=("lon", "lat")),
                ],
                answers={"application/json": ref("TerrascopeSeries")},
            )
        },
        **_terrascope_bodies(version, layer, examples, days),
    }


def _terrascope_bodies(version: str, layer: Json, examples: Examples, days: dict[str, str]) -> dict[str, Json]:
    collection = {"type": "GeometryCollection", "geometries": [examples.polygon]}
    bodies = {
        "geometry": (body(ref("Geometry"), examples.feature), "TerrascopeSeries", "the geometry of a body"),
        "geometries": (body(ref("Geometry"), collection), "TerrascopeSeriesOfMany", "each geometry of a collection"),
        "features": (
            body(ref("FeatureCollection"), examples.features),
            "TerrascopeSeriesOfMany",
            "each feature of a collection",
        ),
    }
    return {
        f"/timeseries/{version}/ts/{{layer}}/{name}": {
            "post": operation(
                f"postTerrascope{name.capitalize()}_{version.replace('.', '_')}",
                f"The series of {what}",
                tag=TERRASCOPE,
                parameters=[layer, *documents(terrascope_params.OF_SERIES, days)],
                posted=posted,
                answers={"application/json": ref(schema)},
                refusals=REFUSALS_OF_BODIES,
            )
        }
        for name, (posted, schema, what) in bodies.items()
    }
