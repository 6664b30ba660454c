/**
 * That maps of a page of another origin show a private layer with a key alone: `node private.mjs BASE_URL OUT_DIR`,
 * with the JSON of PRIVATE_MAP: keys, the tile that is shown, its box in degrees and the colours of some of its pixels.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FAILED_REQUEST, runAsCalled } from "../../viewer/browser/harness.mjs";
import { drawnAt, withOwnPage } from "../../viewer/browser/own-origin.mjs";
import { until } from "../../viewer/browser/tools.mjs";

/** @typedef {import("../../viewer/browser/harness.mjs").Bench} Bench */
/** @typedef {import("../../viewer/browser/harness.mjs").Page} Page */

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const { CHRONOTILE_JS_PACKAGE = "", CHRONOTILE_WIDGET = "" } = process.env;
const { keys, zoom, bbox, places } = JSON.parse(process.env.PRIVATE_MAP ?? "");
const [KEY, SECOND_KEY] = keys;
const BACKGROUND = [0, 255, 0];
const TILES = "tiles/SECRET/WebMercatorQuad/{z}/{x}/{y}.png";
const CENTRE = [(bbox[0] + bbox[2]) / 2, (bbox[1] + bbox[3]) / 2];
/** Messages of browsers and MapLibre about refused requests. */
const REFUSED = new RegExp(`${FAILED_REQUEST.source}|AJAXError`);
const ENDED = "window.isDrawn = true;";

/** @param {string} path */
function installed(path) {
	if (path.startsWith("widget/")) return join(CHRONOTILE_WIDGET, path.slice("widget/".length));
	if (!path.startsWith("node_modules/chronotile/")) return join(REPOSITORY, path);
	return join(CHRONOTILE_JS_PACKAGE, path.slice("node_modules/chronotile/".length));
}

/** @param {string} script */
const pageOf = (script) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>A private layer</title>
<link rel="stylesheet" href="./node_modules/ol/ol.css">
<link rel="stylesheet" href="./node_modules/maplibre-gl/dist/maplibre-gl.css">
<style>body { margin: 0; background: rgb(${BACKGROUND}) } #map { width: 256px; height: 256px }</style>
<script type="importmap">{ "imports": {
	"ol/": "./node_modules/ol/", "rbush": "./node_modules/rbush/index.js", "quickselect": "./node_modules/quickselect/index.js",
	"maplibre-gl": "./node_modules/maplibre-gl/dist/maplibre-gl.mjs",
	"chronotile": "./node_modules/chronotile/dist/index.js", "chronotile/chart": "./node_modules/chronotile/dist/chart.js",
	"chronotile/openlayers": "./node_modules/chronotile/dist/openlayers.js"
} }</script>
<div id="map"></div><script type="module">${script}</script></html>`;

/**
 * Returns a page with OpenLayers and pictures of a server.
 * @param {string} server
 * @param {string} key of the header; "" without
 */
const openLayers = (server, key) => `
	import TileLayer from "ol/layer/Tile.js";
	import OpenLayersMap from "ol/Map.js";
	import { transformExtent } from "ol/proj.js";
	import XYZ from "ol/source/XYZ.js";
	import View from "ol/View.js";
	const source = new XYZ({ url: "${server}${TILES}", crossOrigin: "anonymous", interpolate: false, transition: 0 });
	if ("${key}") source.setTileLoadFunction(async (tile, src) => {
		const answer = await fetch(src, { headers: { Authorization: "Bearer ${key}" } });
		if (answer.ok) tile.getImage().src = URL.createObjectURL(await answer.blob());
		else tile.setState(3);
	});
	const view = new View({ constrainResolution: false });
	const map = new OpenLayersMap({ target: "map", controls: [], view, layers: [new TileLayer({ source })], pixelRatio: 1 });
	view.fit(transformExtent(${JSON.stringify(bbox)}, "EPSG:4326", "EPSG:3857"));
	map.once("rendercomplete", () => { ${ENDED} });`;

/**
 * Returns a page with MapLibre and pictures of a server.
 * @param {string} server
 * @param {string} key of the header; "" without
 */
const mapLibre = (server, key) => `
	import { Map as MapLibreMap } from "maplibre-gl";
	const map = new MapLibreMap({
		container: "map", center: ${JSON.stringify(CENTRE)}, zoom: ${zoom - 1}, attributionControl: false, fadeDuration: 0,
		style: { version: 8, sources: {}, layers: [] },
		transformRequest: (url) => "${key}" && url.startsWith("${server}")
			? { url, headers: { Authorization: "Bearer ${key}" } } : { url },
	});
	await map.once("load");
	map.addSource("secret", { type: "raster", tileSize: 256, tiles: ["${server}${TILES}"] });
	map.addLayer({ id: "secret", type: "raster", source: "secret",
		paint: { "raster-fade-duration": 0, "raster-resampling": "nearest" } });
	${ENDED}`;

/**
 * Returns a page with the cube layer of the package, and the chart next to it.
 * @param {string} server
 * @param {string} token an expression
 */
const cubes = (server, token) => `
	import { openLayer } from "chronotile";
	import "chronotile/chart";
	import { makeCubeLayer } from "chronotile/openlayers";
	import Layer from "ol/layer/Layer.js";
	import OpenLayersMap from "ol/Map.js";
	import { transformExtent } from "ol/proj.js";
	import View from "ol/View.js";
	const layer = await openLayer("${server}", "SECRET", { token: ${token} });
	const cubes = makeCubeLayer(Layer, layer.cubes);
	cubes.painter.set({ index: layer.defaultIndex });
	const view = new View({ constrainResolution: false });
	const map = new OpenLayersMap({ target: "map", controls: [], view, layers: [cubes], pixelRatio: 1 });
	view.fit(transformExtent(${JSON.stringify(bbox)}, "EPSG:4326", "EPSG:3857"));
	const chart = document.body.appendChild(document.createElement("chronotile-chart"));
	chart.source = layer;
	chart.show({ lon: ${CENTRE[0]}, lat: ${CENTRE[1]} });
	${ENDED}
	window.shown = JSON.stringify(layer) + chart.outerHTML;`;

/** Returns a page with the calls of anywidget, and the answers of Python. @param {string} server */
const widgetPage = (server) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>A notebook</title>
<link rel="stylesheet" href="widget/map.css"><style>body { margin: 0 } #map { width: 512px }</style><div id="map"></div>
<script type="module">
	import widget from "./widget/map.js";
	const state = { server: "${server}", layer: "SECRET", has_token: true, layer_style: "", height: 512, date: "", dates: [],
		center: ${JSON.stringify(CENTRE)}, zoom: ${zoom}, bounds: null, point: null, value: null, error: "" };
	const listeners = new Set();
	window.asked = [];
	const model = {
		get: (name) => state[name],
		set: (name, value) => { state[name] = value; },
		save_changes: () => { window.saved = JSON.stringify(state); },
		on: (event, run) => event === "msg:custom" && listeners.add(run),
		off: (event, run) => listeners.delete(run),
		send({ refused }) {
			window.asked.push(refused);
			queueMicrotask(() => { for (const run of [...listeners]) run({ token: "${KEY}" }); });
		},
	};
	widget.render({ model, el: document.querySelector("#map") });
	${ENDED}
</script></html>`;

/** @param {number[]} one @param {number[]} other */
const isNear = (one, other) => one.every((band, index) => Math.abs(band - other[index]) <= 3);

/**
 * Waits until the pixels have these colours.
 * @param {Page} page
 * @param {number[][]} expected
 * @param {number} [margin] of the tile, in pixels
 */
async function whenDrawn(page, expected, margin = 0) {
	await page.waitForFunction(() => "isDrawn" in window);
	const pixels = places.map((/** @type {{ x: number, y: number }} */ { x, y }) => ({ x: x + margin, y: y + margin }));
	/** @type {number[][]} */
	let drawn = [];
	const isRight = async () => {
		drawn = await drawnAt(page, pixels);
		return drawn.every((each, index) => isNear(each, expected[index]));
	};
	await until(page, isRight, () => `the pixels are drawn: ${JSON.stringify({ expected, drawn })}`);
}

const SECRET = places.map((/** @type {{ rgb: number[] }} */ { rgb }) => rgb);
const NOTHING = places.map(() => BACKGROUND);

/**
 * @param {Bench} bench
 * @param {string} script
 * @param {number[][]} expected
 * @param {(page: Page) => Promise<void>} [look]
 */
const shows = (bench, script, expected, look = async () => {}) =>
	withOwnPage(
		bench,
		{ own: { "index.html": pageOf(script) }, beside: installed, allowed: REFUSED },
		async (page, fetched) => {
			const hasAsked = async () => fetched.some((url) => url.includes("SECRET"));
			await until(page, hasAsked, () => "the layer was requested");
			await whenDrawn(page, expected);
			await look(page);
		},
	);

/**
 * @param {string} name
 * @param {(server: string, key: string) => string} scriptOf
 * @returns {[string, (bench: Bench) => Promise<void>][]}
 */
const pictures = (name, scriptOf) => [
	[`${name} with a header`, (bench) => shows(bench, scriptOf(bench.base, KEY), SECRET)],
	[`${name} with a key in the path`, (bench) => shows(bench, scriptOf(`${bench.base}k/${KEY}/`, ""), SECRET)],
	[`${name} without a key`, (bench) => shows(bench, scriptOf(bench.base, ""), NOTHING)],
];

/** Whether the chart has values. @param {Page} page */
const hasSeries = (page) =>
	page.locator("chronotile-chart").evaluate((chart) => /** @type {any} */ (chart).series?.values.length === 3);

await runAsCalled([
	...pictures("OpenLayers", openLayers),
	...pictures("MapLibre", mapLibre),
	[
		"the cube layer and the chart with a key",
		(bench) =>
			shows(bench, cubes(bench.base, `"${KEY}"`), SECRET, async (page) => {
				await until(
					page,
					() => hasSeries(page),
					() => "the chart has its values",
				);
				const shown = await page.evaluate(() => /** @type {any} */ (window).shown);
				assert.ok(!shown.includes(KEY), "the key is in no document or element");
			}),
	],
	[
		"the cube layer without a key",
		(bench) => {
			const failing = `import { openLayer } from "chronotile";
				openLayer("${bench.base}", "SECRET").catch(({ status }) => { window.isDrawn = status; });`;
			return shows(bench, failing, NOTHING, async (page) => {
				assert.equal(await page.evaluate(() => /** @type {any} */ (window).isDrawn), 404);
			});
		},
	],
	[
		"the cube layer with a function whose tokens are refused, one of them only by the worker's first requests",
		(bench) => {
			const token = `(refused) => ({ ctk_wrong: "${KEY}", "${KEY}": "${SECOND_KEY}" })[refused] ?? "ctk_wrong"`;
			const waiting = cubes(bench.base, token).replace(
				"const cubes =",
				"await new Promise((resolve) => { window.goOn = resolve; });\n\tconst cubes =",
			);
			const own = { "index.html": pageOf(waiting) };
			return withOwnPage(bench, { own, beside: installed, allowed: REFUSED }, async (page) => {
				await page.waitForFunction(() => "goOn" in window);
				await page.route("**/cubes/**", async (route) => {
					const headers = await route.request().allHeaders();
					const isFirst = headers.authorization === `Bearer ${KEY}`;
					await route.continue(isFirst ? { headers: { ...headers, authorization: "Bearer ctk_wrong" } } : {});
				});
				await page.evaluate(() => /** @type {any} */ (window).goOn());
				await whenDrawn(page, SECRET);
			});
		},
	],
	[
		"the map of notebooks, which asks Python for tokens by messages",
		(bench) => {
			const own = { "index.html": widgetPage(bench.base) };
			return withOwnPage(bench, { own, beside: installed, allowed: REFUSED }, async (page) => {
				await whenDrawn(page, SECRET, 128);
				const { asked, saved } = await page.evaluate(() => {
					const { asked, saved } = /** @type {any} */ (window);
					return { asked, saved };
				});
				assert.deepEqual(asked, [""]);
				assert.match(saved, /SECRET/);
				assert.ok(!saved.includes("ctk_"), "the state has no token");
			});
		},
	],
]);
