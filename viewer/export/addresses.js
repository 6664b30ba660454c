/**
 * Addresses on the server and lines of code with which other programs get the current view. Pure.
 *
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/permalink.js").BBox} BBox
 * @typedef {import("../base/state.js").Colouring} Colouring
 * @typedef {{
 *   root: string, layer: Layer, name: string, style: string, colouring: Colouring, instant: string | null, period:
 *     { reducer: string | null, anomaly: string | null }, bbox: BBox,
 *   metres: [west: number, south: number, east: number, north: number], width: number, height: number,
 *   centre: { z: number, x: number, y: number }, wms: string | null, wmts: string | null,
 *   difference: { later: string, earlier: string | null, colouring: Colouring } | null,
 * }} Shown `root` is the server's address with a slash at the end; `name` is the name of the layer on the server, with
 *   clear pixels only or with all; `bbox` in degrees, `metres` of Web Mercator; `centre` is the tile in the middle;
 *   `difference` is of two dates of the layer, or of a date and the normal, if one is shown; `wms` and `wmts` are the
 *   addresses of these services without a query, null if they are not served
 * @typedef {"wms" | "wmts" | "xyz" | "tilejson" | "coverage" | "curl" | "python"} CopyKind
 * @typedef {{ kind: CopyKind, text: string, isWithoutColours: boolean }} Copy `isWithoutColours` is true if the
 *   service has no parameters for the changed colours
 */

import { formatWkt } from "../areas/formats/wkt.js";

const MATRIX_SET = "WebMercatorQuad";
/** Parts of a degree that are written: a tenth of a metre. */
const DECIMALS = 6;

/**
 * Returns a query with readable commas, colons and slashes.
 * @param {Record<string, string | number | null>} parameters null and empty ones are omitted
 */
export function queryOf(parameters) {
	const query = new URLSearchParams();
	for (const [name, value] of Object.entries(parameters)) {
		if (value !== null && value !== "") query.set(name, String(value));
	}
	return query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%2F", "/");
}

/** @param {BBox} bbox @param {number} [decimals] */
export const bboxText = (bbox, decimals = DECIMALS) => bbox.map((edge) => Number(edge.toFixed(decimals))).join(",");

/** Returns the parameters of tiles and films for changed colours. @param {Colouring} colouring */
const colourParameters = ({ range, ramp, isReversed, isLog }) => ({
	ramp,
	range: range?.join(",") ?? null,
	reversed: isReversed ? "true" : null,
	logarithmic: isLog ? "true" : null,
});

/**
 * Returns the date and colours of pictures: of one date, or of a difference.
 * @param {Shown} shown
 */
const pictured = ({ instant, colouring, difference }) =>
	difference
		? { time: difference.later, earlier: difference.earlier, colouring: difference.colouring }
		: { time: instant, earlier: null, colouring };

/**
 * Returns the name of a style with its ramp in WMS: `ndvi/viridis`, reversed `ndvi/viridis-inv`.
 * @param {string} style
 * @param {Colouring} colouring
 */
const wmsStyle = (style, { ramp, isReversed }) =>
	ramp || isReversed ? `${style}/${ramp ?? style}${isReversed ? "-inv" : ""}` : style;

/** Returns the parameters of WMS and WMTS for date and method of periods. @param {Shown} shown */
function timeParameters(shown) {
	const { time, earlier } = pictured(shown);
	return { TIME: time, DIFFERENCE: earlier, REDUCER: shown.period.reducer, ANOMALY: shown.period.anomaly };
}

/** @param {Shown} shown */
function wmsAddress(shown) {
	const { wms, name, style, metres, width, height } = shown;
	const { colouring } = pictured(shown);
	const query = queryOf({
		SERVICE: "WMS",
		VERSION: "1.3.0",
		REQUEST: "GetMap",
		LAYERS: name,
		STYLES: wmsStyle(style, colouring),
		CRS: "EPSG:3857",
		BBOX: bboxText(metres, 2),
		WIDTH: width,
		HEIGHT: height,
		FORMAT: "image/png",
		TRANSPARENT: "TRUE",
		...timeParameters(shown),
		COLORSCALERANGE: colouring.range?.join(",") ?? null,
		LOGSCALE: colouring.isLog ? "true" : null,
	});
	return `${wms}?${query}`;
}

/** @param {Shown} shown */
function wmtsAddress(shown) {
	const { wmts, name, style, centre } = shown;
	const query = queryOf({
		SERVICE: "WMTS",
		VERSION: "1.0.0",
		REQUEST: "GetTile",
		LAYER: name,
		STYLE: style,
		FORMAT: "image/png",
		TILEMATRIXSET: MATRIX_SET,
		TILEMATRIX: centre.z,
		TILEROW: centre.y,
		TILECOL: centre.x,
		...timeParameters(shown),
	});
	return `${wmts}?${query}`;
}

/** @param {Shown} shown @param {string} file */
function tilesAddress(shown, file) {
	const { time, earlier, colouring } = pictured(shown);
	const { root, name, period, style } = shown;
	const query = queryOf({ datetime: time, ...period, difference: earlier, style, ...colourParameters(colouring) });
	return `${root}tiles/${encodeURIComponent(name)}/${MATRIX_SET}/${file}?${query}`;
}

/** @param {Shown} shown */
export const xyzTemplate = (shown) => tilesAddress(shown, "{z}/{x}/{y}.png");

/**
 * Returns the address of a layer's values as a file, on the native grid.
 * @param {string} root
 * @param {Layer} layer
 * @param {{ bbox: BBox, datetime: string | null, format: "GTiff" | "NetCDF" }} what
 */
export const coverageAddress = (root, { id }, { bbox, datetime, format }) =>
	`${root}ogcapi/collections/${encodeURIComponent(id)}/coverage?${queryOf({ bbox: bboxText(bbox), datetime, f: format })}`;

/** Addresses may be 8 kB long behind most proxies. */
const LONGEST_AREA = 6000;

/**
 * Returns the address of a layer's values in an area, without cells outside of it; null if it would be too long.
 * @param {string} root @param {Layer} layer
 * @param {{ geometry: import("../base/state.js").Geometry, datetime: string | null, format: "GTiff" | "NetCDF" }} what
 */
export function areaAddress(root, { id }, { geometry, datetime, format }) {
	const query = queryOf({ coords: formatWkt(geometry), datetime, f: format === "GTiff" ? "GeoTIFF" : format });
	if (query.length > LONGEST_AREA) return null;
	return `${root}ogcapi/collections/${encodeURIComponent(id)}/area?${query}`;
}

/**
 * Returns the address of an animation made by the server.
 * @param {Shown} shown @param {{ extension: string, datetime: string, step: number, fps: number }} film
 */
export function animationAddress({ root, name, style, colouring, metres, width, height }, { extension, ...film }) {
	const query = queryOf({
		crs: "EPSG:3857",
		bbox: bboxText(metres, 2),
		width,
		height,
		...film,
		step: film.step === 1 ? null : film.step,
		style,
		...colourParameters(colouring),
	});
	return `${root}animations/${encodeURIComponent(name)}.${extension}?${query}`;
}

/** Returns a file name that is valid on all systems. @param {Layer} layer @param {string | null} instant */
export const stemOf = ({ id }, instant) => [id, instant?.slice(0, 10)].filter(Boolean).join("_");

/** @param {Shown} shown @param {string} coverage */
const pythonLines = ({ layer, instant }, coverage) => `import io
import urllib.request

import rasterio

# ${layer.title}${instant ? `, ${instant}` : ""}: numbers on the native grid
url = ${JSON.stringify(coverage)}
with urllib.request.urlopen(url) as answer, rasterio.open(io.BytesIO(answer.read())) as file:
    numbers = file.read(1, masked=True)
    values = numbers * file.scales[0] + file.offsets[0]
    print(file.crs, file.bounds, values.mean())
`;

/**
 * Returns all addresses and code with which other programs show or read the view.
 * @param {Shown} shown
 * @returns {Copy[]}
 */
export function copiesOf(shown) {
	const { layer, instant, wms, wmts } = shown;
	const { colouring } = pictured(shown);
	const isChanged = colouring.isReversed || colouring.isLog || colouring.ramp !== null || colouring.range !== null;
	/** @type {(kind: CopyKind, text: string, isWithoutColours?: boolean) => Copy} */
	const copy = (kind, text, isWithoutColours = false) => ({ kind, text, isWithoutColours });
	const pictures = [
		...(wms === null ? [] : [copy("wms", wmsAddress(shown))]),
		...(wmts === null ? [] : [copy("wmts", wmtsAddress(shown), isChanged)]),
		copy("xyz", xyzTemplate(shown)),
		copy("tilejson", tilesAddress(shown, "tilejson.json")),
	];
	if (layer.variable === null) return pictures;
	const coverage = coverageAddress(shown.root, layer, { bbox: shown.bbox, datetime: instant, format: "GTiff" });
	return [
		...pictures,
		copy("coverage", coverage),
		copy("curl", `curl -o ${stemOf(layer, instant)}.tif "${coverage}"`),
		copy("python", pythonLines(shown, coverage)),
	];
}
