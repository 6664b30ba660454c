"""Requests of routes that the fuzzer's valid requests omit, and requests about things in an index.

`{L}` stands for a layer, `{C}` for its collection, `{I}` and `{P}` for an item of it and its product, `{S}` for places.
"""

MAP = "SERVICE=WMS&VERSION=1.3.0&STYLES=&CRS=CRS:84&BBOX=3,50,7,51&WIDTH=40&HEIGHT=30&FORMAT=image/png"
BOX = "CRS=EPSG:4326&BBOX=3,50,7,51&WIDTH=40&HEIGHT=30"
TILE = "SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&STYLE=&FORMAT=image/png&TILEMATRIXSET=WebMercatorQuad"

OF_ALL = (
    *(
        "/",
        "/?f=html",
        "/layers",
        "/places",
        "/openapi.json",
        "/viewer/config.json",
        "/viewer",
        "/viewer/maps/none.pmtiles",
        "/viewer/logo.png",
        "/clients",
        "/clients/",
    ),
    *("/clients/none", "/ogcapi", "/ogcapi/?f=html", "/ogcapi/openapi", "/ogcapi/collections", "/ogcapi/styles?f=html"),
    *("/ogcapi/collections?limit=1&offset=1", "/ogcapi/collections?f=html", "/ogcapi/styles", "/ogcapi/map/tiles"),
    *("/ogcapi/tiles", "/ogcapi/tiles/WebMercatorQuad", "/ogcapi/map/tiles/WebMercatorQuad"),
    *("/ogcapi/map/tiles/WebMercatorQuad/9/171/262", "/ogcapi/styles/greys/legend", "/ogcapi/styles/greys/metadata"),
    *("/ogcapi/styles/greys/map/tiles", "/ogcapi/styles/greys/map/tiles/WebMercatorQuad"),
    *("/ogcapi/styles/greys/map/tiles/WebMercatorQuad/9/171/262", "/ogcapi/jobs", "/ogcapi/jobs?f=html"),
    *(f"/ogcapi/collections/{name}" for name in ("_collections", "_items")),
    *(f"/ogcapi/collections/{name}/queryables" for name in ("_collections", "_items")),
    *(f"/ogcapi/collections/{name}/sortables" for name in ("_collections", "_items")),
    *("/ogcapi/collections/_collections/items", "/ogcapi/collections/_collections/items?q=hidden"),
    *("/ogcapi/collections/_items/items", "/ogcapi/collections/_items/items?limit=3"),
    *(
        "/stac",
        "/stac/conformance",
        "/stac/collections",
        "/stac/search",
        "/stac/search?limit=3",
        "/stac/search?limit=999",
    ),
    *("/stac/search?filter=eo:cloud_cover<50", "/stac/search?sortby=-datetime&limit=5", "/stac/search?bbox=0,40,9,60"),
    *("/stac/queryables", "/stac/aggregations", "/stac/changes", "/stac/changes?limit=2"),
    "/stac/aggregate?aggregations=total_count,datetime_frequency,collection_frequency,cloud_cover_frequency",
    *("/products", "/odata/v1", "/odata/v1/$metadata", "/odata/v1/Products?$count=true&$top=2", "/odata/v1/Attributes"),
    *("/opensearch", "/opensearch/collections", "/opensearch/products?count=3", "/opensearch/products?count=0"),
    *("/opensearch/collections?start=2000-01-01", "/opensearch/products?httpAccept=application/atom%2Bxml"),
    *("/odata/v1/Products/$count", "/odata/v1/Products?$orderby=ContentDate/Start desc&$top=3&$expand=Attributes"),
    *("/wms?SERVICE=WMS&REQUEST=GetCapabilities", "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities", "/wmts/1.0.0/"),
    *(f"/wcs?SERVICE=WCS&VERSION={version}&REQUEST=GetCapabilities" for version in ("2.0.1", "1.1.1", "1.0.0")),
    *(f"/wcs?SERVICE=WCS&VERSION={version}&REQUEST=DescribeCoverage" for version in ("1.1.1", "1.0.0")),
    *(f"/wps?SERVICE=WPS&VERSION={version}&REQUEST=GetCapabilities" for version in ("2.0.0", "1.0.0")),
    *(f"/wps?SERVICE=WPS&VERSION={version}&REQUEST=DescribeProcess&IDENTIFIER=ALL" for version in ("2.0.0", "1.0.0")),
    *("/timeseries/v1.0/ts", "/timeseries/v1.1/ts", "/timeseries/v1.1/ts/", "/metrics", "/cog/info?url=a", "/nothing"),
    *("/usage", "/usage?f=csv", "/signin", "/signin/callback?code=a&state=b", "/signin/session"),
)
OF_ONE = (
    *(
        "/layers/{L}",
        "/layers/{L}/times",
        "/layers/{L}/preview.png",
        "/layers/{L}.qlr",
        "/zarr/{L}",
        "/zarr/{L}/zarr.json",
    ),
    *("/zarr/{L}/time/zarr.json", "/animations/{L}.gif?width=20", "/cubes/{L}/WebMercatorQuad/12/2116/1370.ctc"),
    *("/tiles/{L}/WebMercatorQuad/12/2116/1370.png", "/tiles/{L}/WebMercatorQuad/12/2116/1370@2x.png"),
    *("/tiles/{L}/WebMercatorQuad/tilejson.json", "/tiles/{L}/legend.png", "/viewer/?layers={L}", "/?q={L}"),
    *(
        "/timeseries/{L}/point?lon=6&lat=50.5",
        "/timeseries/{L}/area?place={S}/S1",
        "/timeseries/NDVI/area?place={S}/S1",
    ),
    *(
        f"/timeseries/v1.{version}/ts/{{L}}/point{end}?lon=6&lat=50.5&startDate=2021-01-01&endDate=2022-03-01"
        for version in (0, 1)
        for end in ("", "/")
    ),
    *("/places/{S}", "/places/{S}/values?layer={L}", "/places/{S}/tiles/WebMercatorQuad/9/262/171.mvt"),
    *("/ogcapi/collections/{L}", "/ogcapi/collections/{C}", "/ogcapi/collections/{C}?f=html"),
    *(
        "/ogcapi/collections/{L}/position?coords=POINT(6+50.5)",
        "/ogcapi/collections/{L}/coverage?width=9&height=9&f=png",
    ),
    *("/ogcapi/collections/{L}/schema", "/ogcapi/collections/{L}/map?width=20", "/ogcapi/collections/{L}/map/tiles"),
    *("/ogcapi/collections/{L}/styles", "/ogcapi/collections/{L}/styles/greys", "/ogcapi/collections/{L}/legend"),
    *("/ogcapi/collections/{L}/styles/greys/metadata", "/ogcapi/collections/{L}/styles/greys/map/tiles"),
    "/ogcapi/collections/{L}/styles/greys/map/tiles/WebMercatorQuad",
    *(
        "/ogcapi/collections/{L}/locations",
        "/ogcapi/collections/NDVI/locations/{S}:S1",
        "/ogcapi/collections/{L}/items",
    ),
    *("/ogcapi/collections/_collections/items/{C}", "/ogcapi/collections/_collections/items?ids={C}"),
    *("/ogcapi/collections/_items/items/{P}", "/ogcapi/collections/_items/items?ids={P}"),
    *("/ogcapi/collections/_items/items?externalIds={I}", "/ogcapi/map?collections=NDVI,{L}&width=20"),
    *("/ogcapi/tiles/WebMercatorQuad/9/171/262?collections={S}&f=mvt", "/ogcapi/map/tiles?collections={L}"),
    *("/stac/collections/{C}", "/stac/collections/{C}/items?limit=2", "/stac/collections/{C}/items/{I}"),
    *("/stac/collections/{C}/queryables", "/stac/collections/{C}/aggregations", "/stac/collections/{C}/feed.atom"),
    *(
        "/stac/collections/{C}/aggregate?aggregations=total_count",
        "/stac/search?ids={I}",
        "/stac/changes?collections={C}",
    ),
    *("/stac/search?collections={C}", "/stac/search?collections={C},scenes", "/stac/search?filter=collection='{C}'"),
    *("/products/{C}/{I}", "/products/{P}", "/products/{P}/nodes", "/products/{P}/nodes/{I}"),
    *("/odata/v1/Products({P})", "/odata/v1/Products({P})/$value", "/odata/v1/Products({P})/Nodes"),
    *("/odata/v1/Products({P})/Nodes({I})", "/odata/v1/Products({P})/Attributes", "/odata/v1/Products({P})/Assets"),
    *("/opensearch?collection={C}", "/opensearch/products?collection={C}", "/opensearch/products?uid={I}"),
    *("/opensearch/collections?uid={C}",),
    *("/odata/v1/Attributes({C})", "/odata/v1/Products?$filter=Collection/Name eq '{C}'"),
    *("/odata/v1/Products?$filter=Name eq '{I}'&$count=true", "/odata/v1/Products?$filter=Id eq {P}"),
    f"/wms?{MAP}&REQUEST=GetMap&LAYERS={{L}}",
    f"/wms?{MAP}&REQUEST=GetFeatureInfo&LAYERS={{L}}&QUERY_LAYERS={{L}}&I=3&J=3&INFO_FORMAT=application/json",
    *("/wms?SERVICE=WMS&VERSION=1.1.1&REQUEST=DescribeLayer&LAYERS={L}", "/wmts/1.0.0/WMTSCapabilities.xml?layers={L}"),
    f"/wmts?{TILE}&LAYER={{L}}&TILEMATRIX=12&TILEROW=1370&TILECOL=2116",
    *(f"/wcs?SERVICE=WCS&VERSION=2.0.1&REQUEST=DescribeCoverage&COVERAGEID={names}" for names in ("{L}", "NDVI,{C}")),
    "/wcs?SERVICE=WCS&VERSION=2.0.1&REQUEST=GetCoverage&COVERAGEID={L}&FORMAT=image/tiff",
    "/wcs?SERVICE=WCS&VERSION=1.1.1&REQUEST=DescribeCoverage&IDENTIFIERS={L}",
    "/wcs?SERVICE=WCS&VERSION=1.1.1&REQUEST=GetCoverage&IDENTIFIER={L}&FORMAT=image/tiff&BOUNDINGBOX=3,50,7,51",
    "/wcs?SERVICE=WCS&VERSION=1.0.0&REQUEST=DescribeCoverage&COVERAGE={L}",
    f"/wcs?SERVICE=WCS&VERSION=1.0.0&REQUEST=GetCoverage&COVERAGE={{L}}&{BOX}&FORMAT=GeoTIFF",
    *(f"/wps?SERVICE=WPS&VERSION=2.0.0&REQUEST={name}&JOBID={{P}}" for name in ("GetStatus", "GetResult", "Dismiss")),
    "/wps?SERVICE=WPS&VERSION=1.0.0&REQUEST=Execute&IDENTIFIER=time-series&DATAINPUTS=layers={L};points=[6.0,50.5]",
    "/wps?SERVICE=WPS&VERSION=1.0.0&REQUEST=Execute&IDENTIFIER=zonal-statistics&DATAINPUTS=layer=NDVI;places={S}",
    *(f"/ogcapi/collections/{{S}}{path}" for path in ("", "/items", "/items?f=html", "/items?limit=1", "/queryables")),
    *(
        "/ogcapi/collections/{S}/items/S1",
        "/ogcapi/collections/{S}/items?f=fgb",
        "/ogcapi/collections/{S}/items?f=gpkg",
    ),
    "/ogcapi/collections/{S}/items?value=NDVI&datetime=2020-06-01",
    "/ogcapi/collections/squares/items?value={L}&datetime=2020-06-01",
)
POINT = {"type": "Point", "coordinates": [6.0, 50.5]}
POLYGON = {"type": "Polygon", "coordinates": [[[6.0, 50.5], [6.01, 50.5], [6.01, 50.51], [6.0, 50.5]]]}
FIELDS = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": POLYGON}]}
OF_TERRASCOPE = {
    "geometry": POINT,
    "geometries": {"type": "GeometryCollection", "geometries": [POLYGON]},
    "features": FIELDS,
}
WITH_BODY = {
    "POST /stac/search": {"collections": ["{C}", "scenes"], "limit": 2},
    "POST /stac/aggregate": {"aggregations": ["total_count"], "collections": ["{C}"]},
    "POST /stac/collections/{C}/aggregate": {"aggregations": ["total_count"]},
    "POST /stac/collections/{C}/items": {"type": "Feature", "id": "{I}"},
    "PUT /stac/collections/{C}/items/{I}": {"type": "Feature", "id": "{I}"},
    "PATCH /stac/collections/{C}/items/{I}": {"properties": {}},
    "DELETE /stac/collections/{C}/items/{I}": None,
    "POST /layers/{L}/items": {"type": "Feature", "id": "{I}"},
    "DELETE /layers/{L}/items/{I}": None,
    "DELETE /ogcapi/jobs/{P}": None,
    "POST /ogcapi/jobs/{P}/share": None,
    "DELETE /ogcapi/jobs/{P}/share": None,
    "POST /ogcapi/processes/time-series/estimate": {"inputs": {"layers": ["{L}"], "points": [[6.0, 50.5]]}},
    "POST /signin/renew": None,
    "POST /wcs": None,
    "POST /wps": None,
    "POST /signout": None,
    "POST /places/shapes": None,
    "POST /odata/v1/Products/OData.CSC.FilterList": {"FilterProducts": [{"Name": "{I}"}]},
    "POST /timeseries/points": {"layers": ["NDVI", "{L}"], "points": [[6.0, 50.5]]},
    "POST /timeseries/{L}/areas": FIELDS,
    "POST /ogcapi/processes/time-series/execution": {"inputs": {"layers": ["{L}"], "points": [[6.0, 50.5]]}},
    "POST /ogcapi/processes/zonal-statistics/execution": {"inputs": {"layer": "NDVI", "places": "{S}"}},
    **{
        f"POST /timeseries/v1.{version}/ts/{{L}}/{kind}{end}?startDate=2021-01-01&endDate=2022-03-01": body
        for version in (0, 1)
        for kind, body in OF_TERRASCOPE.items()
        for end in ("", "/")
    },
}
