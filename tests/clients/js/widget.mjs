/** Checks that the traits of the notebook map work: `node widget.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cellAt, centreOf, FIXTURES, numberAt, valueAt } from "../../viewer/browser/formula.mjs";
import { FAILED_REQUEST, runAsCalled } from "../../viewer/browser/harness.mjs";
import { drawnAt, withOwnPage } from "../../viewer/browser/own-origin.mjs";
import { until } from "../../viewer/browser/tools.mjs";

/** @typedef {import("../../viewer/browser/harness.mjs").Page} Page */

const WIDGET =
	process.env.CHRONOTILE_WIDGET ??
	fileURLToPath(new URL("../../../clients/python/src/chronotile_client/widget", import.meta.url));
const { dates: DATES } = FIXTURES.ndvi;
const LAST = DATES.length - 1;
const CELLS = [
	{ row: 100, column: 90 },
	{ row: 300, column: 410 },
	{ row: 440, column: 200 },
];
const TIMES = DATES.map((date) => `${date}T00:00:00Z`);

/**
 * Returns a page like anywidget's: the module from a blob, and a model that records changes instead of Jupyter's.
 * @param {string} base @param {Record<string, unknown>} state
 */
const pageOf = (base, state) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A notebook</title><link rel="stylesheet" href="map.css">
<body style="margin: 0"><div id="output" style="width: 800px"></div><script type="module">
	const listeners = new Map();
	const state = { server: ${JSON.stringify(base)}, layer: "ndvi", layer_style: "numbers", height: 512, date: "", dates: [],
		center: null, zoom: null, bounds: null, point: null, value: null, error: "", ...${JSON.stringify(state)} };
	const saved = [];
	const model = {
		get: (name) => state[name],
		set(name, value) {
			if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
			state[name] = value;
			for (const run of [...(listeners.get("change:" + name) ?? [])]) run();
		},
		save_changes: () => saved.push({ ...state }),
		on: (event, run) => listeners.set(event, (listeners.get(event) ?? new Set()).add(run)),
		off: (event, run) => listeners.get(event)?.delete(run),
	};
	const text = await (await fetch("map.js")).text();
	const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
	const { default: widget } = await import(url);
	const el = document.querySelector("#output");
	const end = await widget.render({ model, el });
	Object.assign(window, { model, state, saved, end });
</script></body></html>`;

/** Returns the state in Python after the module of the page has run. @param {Page} page @returns {Promise<any>} */
const stateOf = async (page) => (await page.waitForFunction(() => /** @type {any} */ (window).state)).jsonValue();

/** Sets a trait as Python does. @param {Page} page @param {string} name @param {unknown} value */
const setTrait = (page, name, value) =>
	page.evaluate(
		([trait, wanted]) => /** @type {any} */ (window).model.set(trait, wanted),
		/** @type {const} */ ([name, value]),
	);

/** @param {Page} page */
async function placesOf(page) {
	const map = await page.locator(".leaflet-container").boundingBox();
	assert.ok(map);
	const [left, top] = [Math.round(map.x + map.width / 2) - 256, Math.round(map.y + map.height / 2) - 256];
	return CELLS.map(({ row, column }) => ({ x: left + column, y: top + row }));
}

/** @param {Page} page @param {number} date index */
async function whenDrawn(page, date) {
	const places = await placesOf(page);
	const expected = CELLS.map((cell) => numberAt("ndvi", date, cell) ?? 0xdd);
	/** @type {number[][]} */
	let drawn = [];
	const isRight = async () => {
		drawn = await drawnAt(page, places);
		return drawn.every((bands, index) => bands.every((band) => band === expected[index]));
	};
	await until(page, isRight, () => `date ${date} is drawn: ${JSON.stringify({ expected, drawn })}`);
}

/** @param {Page} page @param {(state: any) => boolean} isSo @param {string} what */
const whenState = (page, isSo, what) =>
	until(
		page,
		async () => isSo(await stateOf(page)),
		() => what,
	);

/** @param {string} base @param {Record<string, unknown>} [state] */
const siteOf = (base, state = {}) => ({
	own: { "index.html": pageOf(base.replace(/\/$/, ""), state) },
	beside: (/** @type {string} */ path) => join(WIDGET, path),
});

await runAsCalled([
	[
		"a slider in a notebook moves time without requests, and Python sees the date",
		(bench) =>
			withOwnPage(bench, siteOf(bench.base), async (page) => {
				/** @type {string[]} */
				const requested = [];
				page.on("request", (request) => requested.push(request.url()));
				await whenDrawn(page, LAST);
				const { dates, date, error } = await stateOf(page);
				assert.deepEqual(dates, TIMES);
				assert.deepEqual([date, error], [TIMES[LAST], ""]);
				await page.getByText("Formulas, made for tests").waitFor();
				await page.locator("chronotile-legend").getByText("NDVI of 2019").waitFor();
				const zoomIn = page.locator(".leaflet-control-zoom-in");
				await zoomIn.scrollIntoViewIfNeeded();
				const isOnTop = await zoomIn.evaluate((button) => {
					const { x, y, width, height } = button.getBoundingClientRect();
					const root = /** @type {Document | ShadowRoot} */ (button.getRootNode());
					return button.contains(root.elementFromPoint(x + width / 2, y + height / 2));
				});
				assert.ok(isOnTop, "the legend covers the buttons of the zoom");

				const slider = page.getByRole("slider", { name: "Date" });
				await slider.dispatchEvent("pointerdown");
				await slider.fill("40");
				await slider.dispatchEvent("pointerup");
				await whenDrawn(page, 40);
				// Until the whole year is decoded, a new date is requested alone.
				let next = 41;
				const isQuiet = async () => {
					const count = requested.length;
					for (const index of [next, next + 1, next + 2, next + 3].map((each) => each % LAST)) {
						await slider.fill(String(index));
						await whenDrawn(page, index);
						assert.equal((await stateOf(page)).date, TIMES[index]);
					}
					next += 4;
					return requested.length === count;
				};
				await until(page, isQuiet, () => `four new dates need no request: ${requested.slice(-4)}`);
			}),
	],
	[
		"what Python sets is shown: date, place, view",
		(bench) =>
			withOwnPage(bench, siteOf(bench.base, { date: "2019-03" }), async (page) => {
				// 2 March is nearer to the beginning of March than 25 February.
				const march = DATES.indexOf("2019-03-02");
				await whenState(page, ({ date }) => date === TIMES[march], "the nearest date is shown");
				await whenDrawn(page, march);
				await setTrait(page, "date", DATES[24]);
				await whenDrawn(page, 24);
				assert.equal((await stateOf(page)).date, TIMES[24]);
				await setTrait(page, "date", "no date");
				assert.equal((await stateOf(page)).date, TIMES[24]);

				const { lon, lat } = centreOf(CELLS[1]);
				await setTrait(page, "point", [lon, lat]);
				const value = valueAt("ndvi", 24, CELLS[1]);
				await whenState(page, (state) => state.value === value, `the value is ${value}`);
				await setTrait(page, "date", DATES[0]);
				const first = valueAt("ndvi", 0, CELLS[1]);
				await whenState(page, (state) => state.value === first, `the value is ${first}`);

				const { center, zoom } = await stateOf(page);
				assert.equal(zoom, 12);
				await setTrait(page, "center", [center[0] + 0.05, center[1]]);
				await whenState(
					page,
					({ bounds }) => Math.abs((bounds[0] + bounds[2]) / 2 - center[0] - 0.05) < 1e-3,
					"the map moved",
				);
				await setTrait(page, "zoom", 11);
				await whenState(page, ({ bounds }) => bounds[2] - bounds[0] > 0.5, "the map is at another zoom");
			}),
	],
	[
		"a click is a place, with its value",
		(bench) =>
			withOwnPage(bench, siteOf(bench.base), async (page) => {
				await whenDrawn(page, LAST);
				const [, { x, y }] = await placesOf(page);
				await page.mouse.click(x, y);
				await whenState(page, ({ point }) => point !== null, "the place is known");
				const { point } = await stateOf(page);
				const cell = cellAt({ lon: point[0], lat: point[1] });
				assert.ok(Math.max(Math.abs(cell.row - CELLS[1].row), Math.abs(cell.column - CELLS[1].column)) <= 1);
				const value = valueAt("ndvi", LAST, cell);
				await whenState(page, (state) => state.value === value, `the value is ${value}`);
			}),
	],
	[
		"below the layer's zoom the value stays that of the cell",
		(bench) =>
			withOwnPage(bench, siteOf(bench.base), async (page) => {
				await whenDrawn(page, LAST);
				await setTrait(page, "zoom", 9);
				const { lon, lat } = centreOf(CELLS[1]);
				await setTrait(page, "point", [lon, lat]);
				const value = valueAt("ndvi", LAST, CELLS[1]);
				await whenState(page, (state) => state.value === value, `the value is ${value}`);
				await setTrait(page, "date", DATES[0]);
				const first = valueAt("ndvi", 0, CELLS[1]);
				await whenState(page, (state) => state.value === first, `the value is ${first}`);
			}),
	],
	[
		"what is wrong is written in place of the map, and a right layer mends it",
		(bench) =>
			withOwnPage(bench, { ...siteOf(bench.base, { layer: "nothing" }), allowed: FAILED_REQUEST }, async (page) => {
				await whenState(page, ({ error }) => error.includes("layer 'nothing' is not known"), "the error is known");
				await page.getByText("layer 'nothing' is not known").waitFor();
				await setTrait(page, "layer", "ndvi");
				await whenDrawn(page, LAST);
				assert.equal((await stateOf(page)).error, "");
				await page.evaluate(() => /** @type {any} */ (window).end());
				assert.equal(await page.locator(".leaflet-pane").count(), 0, "the view is ended");
			}),
	],
]);
