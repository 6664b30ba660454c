/**
 * Configured maps as Leaflet layers: tiles, WMS, and files of vector tiles (`.pmtiles`), which the browser draws.
 *
 * @typedef {import("../base/api.js").BaseMap} BaseMap
 */
import { fetchFinestZoom, rootUrl } from "../base/api.js";
import { language } from "../base/text.js";
import { DomUtil, GridLayer, TileLayer } from "../vendor/leaflet.js";

/** Beyond the last zoom of its tiles a base map is enlarged. */
const MAX_ZOOM = 24;
/** Above the data. */
const NAMES = "overlays";

/**
 * @param {BaseMap} of
 * @param {string} pane
 * @param {boolean} isDark
 * @returns {Promise<import("leaflet").GridLayer[]>} the lowest first
 */
export async function makeMapLayers({ kind, href, layers, max_zoom, opacity }, pane, isDark) {
	const common = { maxNativeZoom: max_zoom, maxZoom: MAX_ZOOM, opacity, pane };
	if (kind === "pmtiles") return drawFile(new URL(href, rootUrl()).href, common, isDark);
	if (kind !== "wms") return [new TileLayer(href, common)];
	const isAbove = pane === NAMES;
	const asked = {
		layers: layers ?? "",
		format: isAbove ? "image/png" : "image/jpeg",
		transparent: isAbove,
		version: "1.3.0",
	};
	return [new TileLayer.WMS(href, { ...common, maxNativeZoom: MAX_ZOOM, ...asked })];
}

/**
 * Makes the layers of a file: the map, and its names above the data.
 * @param {string} url
 * @param {{ pane: string, maxZoom: number, opacity: number }} options
 * @param {boolean} isDark
 */
async function drawFile(url, { pane, maxZoom, opacity }, isDark) {
	// The library reads Leaflet from this global.
	Object.assign(globalThis, { L: { DomUtil, GridLayer } });
	const { leafletLayer } = await import("../vendor/protomaps-leaflet.js");
	const maxDataZoom = await fetchFinestZoom(url, new AbortController().signal);
	const options = {
		url,
		maxDataZoom,
		flavor: isDark ? "dark" : "light",
		lang: language(),
		maxZoom,
		opacity,
		noWrap: false,
	};
	/** @type {any[]} */
	const [ground, names] = [leafletLayer({ ...options, pane }), leafletLayer({ ...options, pane: NAMES })];
	ground.labelRules = [];
	ground.clearLayout();
	names.paintRules = [];
	names.backgroundColor = undefined;
	names.views = ground.views;
	if (pane === NAMES) ground.backgroundColor = undefined;
	return [ground, names];
}
