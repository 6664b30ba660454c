/** The cube layer of MapLibre beyond the plain map: `node maplibre.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cellAt, centreOf, FIXTURES, numberAt, valueAt } from "../../viewer/browser/formula.mjs";
import { runAsCalled } from "../../viewer/browser/harness.mjs";
import { drawnAt, withOwnPage } from "../../viewer/browser/own-origin.mjs";
import { until } from "../../viewer/browser/tools.mjs";

/** @typedef {import("../../viewer/browser/harness.mjs").Page} Page */

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const PACKAGE = process.env.CHRONOTILE_JS_PACKAGE ?? join(REPOSITORY, "clients/js");
const LAST = FIXTURES.ndvi.dates.length - 1;
/** A cell whose neighbours have the same number, so that a rotated map shows it too. */
const CELL = { row: 300, column: 410 };

/** @param {string} base @param {string} script run once `map` and `cubes` are there */
const pageOf = (base, script) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>MapLibre</title>
<link rel="stylesheet" href="./node_modules/maplibre-gl/dist/maplibre-gl.css">
<script type="importmap">{ "imports": {
	"maplibre-gl": "./node_modules/maplibre-gl/dist/maplibre-gl.mjs",
	"chronotile": "./node_modules/chronotile/dist/index.js",
	"chronotile/maplibre": "./node_modules/chronotile/dist/maplibre.js"
} }</script>
<body style="margin: 0"><div id="frame" style="width: 512px; height: 512px"></div><script type="module">
	import { Map as MapLibreMap } from "maplibre-gl";
	import { openLayer, sampleValue } from "chronotile";
	import { makeCubeLayer } from "chronotile/maplibre";
	const layer = await openLayer(${JSON.stringify(base)}, "ndvi", { style: "numbers" });
	const map = new MapLibreMap({ container: "frame", style: { version: 8, sources: {}, layers: [
		{ id: "ground", type: "background", paint: { "background-color": "#ff0000" } } ] },
		bounds: layer.bbox, attributionControl: false, fadeDuration: 0, maxPitch: 85 });
	const cubes = makeCubeLayer({ id: "ndvi", ...layer.cubes });
	cubes.painter.set({ index: ${LAST} });
	await map.once("load");
	map.addLayer(cubes);
	Object.assign(window, { map, cubes, layer, sampleValue });
	${script}
</script></body></html>`;

/** @param {string} path */
const installed = (path) =>
	path.startsWith("node_modules/chronotile/")
		? join(PACKAGE, path.slice("node_modules/chronotile/".length))
		: join(REPOSITORY, path);

/** @param {string} base @param {string} [script] */
const siteOf = (base, script = "") => ({
	own: { "index.html": pageOf(base.replace(/\/$/, ""), script) },
	beside: installed,
});

/** Returns the pixel of a point on the map. @param {Page} page @param {{ lon: number, lat: number }} place */
const pixelOf = (page, { lon, lat }) =>
	page.evaluate(
		(at) => {
			const { x, y } = /** @type {any} */ (window).map.project(at);
			return { x: Math.floor(x), y: Math.floor(y) };
		},
		/** @type {[number, number]} */ ([lon, lat]),
	);

/**
 * Waits until the pixel of a cell has its grey, mixed with the ground.
 * @param {Page} page
 * @param {{ row: number, column: number }} cell
 * @param {number} [opacity]
 */
async function whenDrawn(page, cell, opacity = 1) {
	await page.waitForFunction(() => "map" in window);
	const grey = /** @type {number} */ (numberAt("ndvi", LAST, cell));
	const expected = [opacity * grey + (1 - opacity) * 255, opacity * grey, opacity * grey];
	/** @type {number[]} */
	let drawn = [];
	const isRight = async () => {
		[drawn] = await drawnAt(page, [await pixelOf(page, centreOf(cell))]);
		return drawn.every((band, index) => Math.abs(band - expected[index]) <= 1);
	};
	await until(page, isRight, () => `${JSON.stringify(cell)} is drawn: ${JSON.stringify({ expected, drawn })}`);
}

await runAsCalled([
	[
		"the layer follows opacity, removal and return",
		(bench) =>
			withOwnPage(bench, siteOf(bench.base), async (page) => {
				await whenDrawn(page, CELL);
				await page.evaluate(() => /** @type {any} */ (window).cubes.setOpacity(0.5));
				await whenDrawn(page, CELL, 0.5);
				await page.evaluate(() => /** @type {any} */ (window).map.removeLayer("ndvi"));
				await whenDrawn(page, CELL, 0);
				await page.evaluate(() => {
					const { map, cubes } = /** @type {any} */ (window);
					cubes.setOpacity(1);
					map.addLayer(cubes);
				});
				await whenDrawn(page, CELL);
			}),
	],
	[
		"on the globe, turned and from the side, each cell is where MapLibre projects it",
		(bench) =>
			withOwnPage(bench, siteOf(bench.base), async (page) => {
				await whenDrawn(page, CELL);
				// Each cell is many pixels then.
				const { lon, lat } = centreOf(CELL);
				await page.evaluate(
					([x, y]) => /** @type {any} */ (window).map.jumpTo({ center: [x, y], zoom: 16, bearing: 33, pitch: 50 }),
					[lon, lat],
				);
				await whenDrawn(page, CELL);
				await whenDrawn(page, { ...CELL, column: CELL.column + 2 });
				await page.evaluate(() => /** @type {any} */ (window).map.setProjection({ type: "globe" }));
				await whenDrawn(page, CELL);
				await page.evaluate(() => /** @type {any} */ (window).map.jumpTo({ zoom: 9, pitch: 0, bearing: 0 }));
				await page.waitForFunction(() => {
					const { cubes } = /** @type {any} */ (window);
					return (
						cubes.painter.current.length > 0 && cubes.painter.current.every((/** @type {any} */ cell) => cell.isShown)
					);
				});
				const [drawn] = await drawnAt(page, [await pixelOf(page, { lon, lat })]);
				assert.ok(drawn[0] === drawn[1] && drawn[1] === drawn[2], `a grey of the layer, not the ground: ${drawn}`);
			}),
	],
	[
		"values of places are known where the map shows them",
		(bench) =>
			withOwnPage(bench, siteOf(bench.base), async (page) => {
				await whenDrawn(page, CELL);
				const place = centreOf(CELL);
				const shown = await page.evaluate(
					([at, index]) => {
						const { cubes, sampleValue } = /** @type {any} */ (window);
						return sampleValue(cubes.sample(at, index));
					},
					/** @type {const} */ ([place, LAST]),
				);
				const value = valueAt("ndvi", LAST, cellAt(place));
				assert.deepEqual(shown, { value, isApproximate: false });

				// Three levels up a pixel is the mean of 64 cells, but the series is still that of one.
				const [mean, series] = await page.evaluate(
					async ([at, index]) => {
						const { map, cubes, layer, sampleValue } = /** @type {any} */ (window);
						map.jumpTo({ zoom: map.getZoom() - 3 });
						// The cell of the level before is shown until the map has drawn the new one.
						let reading = null;
						while (!reading?.isApproximate) {
							await map.once("render");
							reading = sampleValue(cubes.sample(at, index));
						}
						const { values } = await layer.series(at, { datetime: layer.times[index] });
						return [reading, values];
					},
					/** @type {const} */ ([place, LAST]),
				);
				assert.equal(mean.isApproximate, true);
				assert.deepEqual(series, [value]);
			}),
	],
]);
