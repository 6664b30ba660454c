/**
 * Checks that the pages of docs/reference/cube-tiles-in-your-page.md work: `node own-page.mjs BASE_URL OUT_DIR
 * [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { FIXTURES, valueAt } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";
import { drawnAt, withOwnPage } from "./own-origin.mjs";
import { until } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const LEAFLET = dirname(createRequire(import.meta.url).resolve("leaflet"));
/** Returns the file for a path next to the page: its folder of modules, and Leaflet. @param {string} path */
const besidePage = (path) => join(path.startsWith("ctc1/") ? join(REPOSITORY, "viewer") : LEAFLET, path);
/** Colours of the pages. @type {[number, number[]][]} */
const STOPS = [
	[-0.08, [0xf7, 0xf2, 0xdf]],
	[0.4, [0xa3, 0xad, 0x3c]],
	[0.92, [0x00, 0x44, 0x1b]],
];
const LAST = FIXTURES.ndvi.dates.length - 1;
const CELLS = [
	{ row: 100, column: 90 },
	{ row: 300, column: 410 },
	{ row: 470, column: 200 },
];

/** Returns the modules of the page and its document, with this server and its layer. @param {string} base */
async function readExamples(base) {
	const page = await readFile(join(REPOSITORY, "docs/reference/cube-tiles-in-your-page.md"), "utf8");
	const examples = [...page.matchAll(/```(?:html|js)\n(.*?)\n```/gs)].map(([, example]) =>
		example.replaceAll("https://maps.example", base.replace(/\/$/, "")).replaceAll("NDVI", "ndvi"),
	);
	assert.equal(examples.length, 3);
	const [shared, leaflet, openlayers] = examples;
	return { shared, leaflet, openlayers };
}

/** @param {string} example */
async function bundle(example) {
	const { outputFiles } = await build({
		stdin: { contents: example, resolveDir: REPOSITORY },
		bundle: true,
		external: ["./ctc1/*", "./cubes.js"],
		format: "esm",
		write: false,
		logLevel: "error",
	});
	return outputFiles[0].text;
}

/** @param {number | null} value */
function colourOf(value) {
	if (value === null) return null;
	const above = STOPS.findIndex(([stop]) => stop >= value);
	const [[low, from], [high, to]] = [STOPS[above - 1], STOPS[above]];
	return from.map((band, index) => Math.round(band + ((value - low) / (high - low)) * (to[index] - band)));
}

/**
 * Goes through the dates like a user, and checks each.
 * @param {Page} page
 * @param {{ x: number, y: number }[]} places
 */
async function checkDates(page, places) {
	const isRight = async (/** @type {number} */ date) => {
		const drawn = await drawnAt(page, places);
		const expected = CELLS.map((cell) => colourOf(valueAt("ndvi", date, cell)));
		return expected.every((colour, index) => colour === null || colour.join() === drawn[index].join());
	};
	const whenRight = async (/** @type {number} */ date) => {
		const isSo = () => isRight(date);
		await until(page, isSo, () => `date ${date} is drawn`);
	};
	await whenRight(LAST);
	const date = page.locator("#date");
	await date.dispatchEvent("pointerdown");
	for (const index of [0, 40, 72]) {
		await date.fill(String(index));
		await whenRight(index);
	}
}

await runAsCalled([
	[
		"the page with Leaflet goes through dates, and tells values",
		async (bench) => {
			const { shared, leaflet } = await readExamples(bench.base);
			const own = { "index.html": leaflet, "cubes.js": shared };
			await withOwnPage(bench, { own, beside: besidePage }, async (page) => {
				await page.locator("#when").getByText("2019-12-27").waitFor();
				const map = await page.locator("#map").boundingBox();
				assert.ok(map);
				// Four tiles of zoom 12 fill the frame's height, with the same centre.
				const places = CELLS.map(({ row, column }) => ({
					x: Math.round(map.x + map.width / 2) - 256 + column,
					y: Math.round(map.y + map.height / 2) - 256 + row,
				}));
				await checkDates(page, places);
				for (const [index, { x, y }] of places.entries()) {
					await page.mouse.move(x, y);
					const value = valueAt("ndvi", LAST, CELLS[index]);
					const words = value === null ? "no data" : String(value);
					await page.waitForFunction((wanted) => document.querySelector("#value")?.textContent === wanted, words);
				}
			});
		},
	],
	[
		"the page with OpenLayers goes through dates",
		async (bench) => {
			const { shared, openlayers } = await readExamples(bench.base);
			const own = {
				"index.html": `<!doctype html><body style="margin: 0"><div id="map" style="width: 512px; height: 512px"></div>
					<input id="date" type="range" min="0"><script type="module" src="page.js"></script>`,
				"page.js": await bundle(openlayers),
				"cubes.js": shared,
			};
			await withOwnPage(bench, { own, beside: besidePage }, (page) =>
				checkDates(
					page,
					CELLS.map(({ row, column }) => ({ x: column, y: row })),
				),
			);
		},
	],
]);
