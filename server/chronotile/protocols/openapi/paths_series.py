"""`/timeseries` in OpenAPI."""

from chronotile.encoders.series.media_types import SERIES_MEDIA_TYPES
from chronotile.model.request import WEIGHTS
from chronotile.model.series.analysis import (
    ANOMALY_KINDS,
    FILL_METHODS,
    OUTLIERS,
    PHENOLOGY_METHODS,
    SLOT_KINDS,
    TREND_METHODS,
)
from chronotile.protocols.common.openapi import (
    COUNT,
    NUMBER,
    TEXT,
    WHOLE,
    Json,
    body,
    enum_of,
    in_path,
    in_query,
    operation,
    ref,
)
from chronotile.protocols.openapi.examples import Examples

SERIES, TERRASCOPE = "Series", "Terrascope's time-series service"
DATETIME = "An instant, interval, interval with period, or list; otherwise the whole time domain"
SMALL = ("0", "1")

ANALYSIS: tuple[Json, ...] = (
    in_query("step", "`dekad`, or a period such as `P1M`: one value a period, before all else"),
    in_query("smooth", "A smooth curve through the values", enum_of(("whittaker", "savgol"))),
    in_query("lambda", "Of Whittaker: stiffness in cubic days", NUMBER),
    in_query("outliers", "Of Whittaker: what becomes of values far from the curve", enum_of(OUTLIERS)),
    in_query("window", "Of Savitzky-Golay: days", NUMBER),
    in_query("order", "Of Savitzky-Golay: order of the polynomial", WHOLE),
    in_query("fill", "The values with their gaps filled", enum_of(FILL_METHODS)),
    in_query("climatology", "What is normal for the time of the year: `mean`, `median`, or `p0` to `p100`"),
    in_query("climatology_by", "What a year is cut into", enum_of(SLOT_KINDS)),
    in_query("reference", "The times that normals are taken from, in any form of `datetime`; otherwise all"),
    in_query("anomaly", "How each value lies to what is normal", enum_of(ANOMALY_KINDS)),
    in_query("trend", "Slope a year and its significance", enum_of(TREND_METHODS)),
    in_query("phenology", "Start, peak and end of each season", enum_of(PHENOLOGY_METHODS)),
    in_query("threshold", "Of `phenology=threshold`: share of the rise and of the fall", NUMBER),
)


def series_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of our own series."""
    layer = in_path("layer", "Id or alias of a layer that has values", example=examples.layer)
    datetime = in_query("datetime", DATETIME, example=examples.times or None)
    written = in_query("format", "Otherwise `Accept` decides", enum_of(list(SERIES_MEDIA_TYPES)))
    crs = in_query("crs", "Of the coordinates, x before y: one the service offers, or the layer's own; otherwise CRS84")
    reducers = in_query(
        "reducers",
        "`mean`, `min`, `max`, `std`, `median`, `count`, `valid_share`, `sum`, `p10` and its like, `histogram:16`; "
        "several with commas; otherwise `mean`",
        example="mean,p10,p90",
    )
    least = in_query("min_valid", "The least share of cells with a value for which there is a reduced one", NUMBER)
    point = [
        in_query("lon", "Longitude in degrees", NUMBER, example=examples.longitude),
        in_query("lat", "Latitude in degrees", NUMBER, example=examples.latitude),
        in_query("x", "In place of `lon`, in `crs`", NUMBER),
        in_query("y", "In place of `lat`, in `crs`", NUMBER),
    ]
    weights = in_query(
        "weights", "Which cells an area has and what each counts for; otherwise `pixel`", enum_of(WEIGHTS)
    )
    paging = [
        in_query("limit", "At most so many times; the header `Link` names the next page", COUNT),
        in_query("cursor", "Where the page begins, as `Link` has it"),
    ]
    dry = in_query("dry_run", "`true` tells what the answer would take", enum_of(("true", "false")))
    of_area = [layer, crs, datetime, reducers, weights, least, dry, written, *paging, *ANALYSIS]
    bbox = in_query("bbox", "West, south, east, north, in place of a geometry")
    place = in_query("place", "A named place, as `set/id`, in place of a geometry", example=_place(examples))
    boxed = in_query(
        "bbox", "West, south, east, north, in place of `place`", example=None if examples.place else _box(examples)
    )
    told = {"anyOf": [ref("AreaSeries"), ref("SeriesCost")]}
    points = {"layers": [examples.layer], "points": [[examples.longitude, examples.latitude]]}
    return {
        "/timeseries/{layer}/point": {
            "get": operation(
                "getPointSeries",
                "What happened at a place: the values of its native cell, and why there is none where there is none",
                tag=SERIES,
                parameters=[layer, *point, crs, datetime, written, *paging, *ANALYSIS],
                answers=_in_all_formats(ref("PointSeries")),
            )
        },
        "/timeseries/{layer}/area": {
            "get": operation(
                "getPlaceSeries",
                "What happened in a named place or a box: the values of its cells, reduced to one an instant",
                tag=SERIES,
                parameters=[*of_area, place, boxed],
                answers=_in_all_formats(told),
            ),
            "post": operation(
                "postAreaSeries",
                "What happened in an area: the values of its cells, reduced to one an instant",
                tag=SERIES,
                parameters=[*of_area, _without_example(place), bbox],
                posted=body(ref("Geometry"), examples.polygon, required=False),
                answers=_in_all_formats(told),
                refusals=("BadRequest", "NotFound", "TooLarge", "Unavailable"),
            ),
        },
        "/timeseries/{layer}/areas": {
            "post": operation(
                "postAreasSeries",
                "What happened in many areas, read in one pass",
                tag=SERIES,
                parameters=of_area,
                posted=body(ref("FeatureCollection"), examples.features),
                answers=_in_all_formats(told),
                refusals=("BadRequest", "NotFound", "TooLarge", "Unavailable"),
            )
        },
        "/timeseries/points": {
            "post": operation(
                "postPointsSeries",
                "What happened at many places, in many layers",
                tag=SERIES,
                parameters=[in_query("datetime", f"{DATETIME}; here or in the body"), written, *ANALYSIS],
                posted=body(ref("PointsRequest"), points),
                answers=_in_all_formats(ref("PointsSeries")),
                refusals=("BadRequest", "NotFound", "TooLarge", "Unavailable"),
            )
        },
    }


def _place(examples: Examples) -> str | None:
    return f"{examples.place_set}/{examples.place}" if examples.place else None


def _box(examples: Examples) -> str | None:
    longitudes, latitudes = ([position[axis] for position in examples.ring] for axis in (0, 1))
    return f"{min(longitudes)},{min(latitudes)},{max(longitudes)},{max(latitudes)}" if examples.ring else None


def _without_example(parameter: Json) -> Json:
    return {name: said for name, said in parameter.items() if name != "example"}


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
    shared = [
        layer,
        in_query("startDate", "The first day, included", example=f"{examples.times}-01-01" if examples.times else None),
        in_query("endDate", "The last day, included", example=f"{examples.times}-12-31" if examples.times else None),
        in_query("maxValids", "`-1`: only dates with a value; `n`: the latest n of those", WHOLE),
        in_query("inclCount", "`0` leaves the counts out", enum_of(SMALL)),
        in_query("inclStDev", "`1` adds the standard deviation", enum_of(SMALL)),
        in_query("zoom", "Without effect: counts are of native pixels", WHOLE),
    ]
    degrees = [
        in_query(name, "In degrees", NUMBER, example=value, required=True)
        for name, value in (("lon", examples.longitude), ("lat", examples.latitude))
    ]
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
    paths = {
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
                parameters=[*shared, *degrees],
                answers={"application/json": ref("TerrascopeSeries")},
            )
        },
    }
    for name, (posted, schema, what) in bodies.items():
        paths[f"{base}/{{layer}}/{name}"] = {
            "post": operation(
                f"postTerrascope{name.capitalize()}_{suffix}",
                f"The series of {what}",
                tag=TERRASCOPE,
                parameters=shared,
                posted=posted,
                answers={"application/json": ref(schema)},
                refusals=("BadRequest", "NotFound", "TooLarge", "Unavailable"),
            )
        }
    return paths
