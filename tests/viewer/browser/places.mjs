/** Places as vector tiles in the colour of their value. `node places.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { centreOf, FIXTURES, valueAt } from "./formula.mjs";
import { answerStatus, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { brokenRules, inspect, linkValue, until, whenAtRest, whenLinkSays, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

const DATE = 31;
const MIDDLE = centreOf({ row: 95, column: 100 });
const SEARCH = `?language=en&style=numbers&view=${MIDDLE.lon.toFixed(5)},${MIDDLE.lat.toFixed(5)},13&places=fields`;
/** Cells on each side of a field of `served.py`, and from one to the next. */
const [SIZE, STEP, FIRST] = [40, 60, 20];

/** Returns the first row and column of a field. @param {number} field */
const cornerOf = (field) => ({ row: FIRST + STEP * Math.floor(field / 3), column: FIRST + STEP * (field % 3) });

/**
 * Returns the mean of the layer's formula over a field.
 * @param {string} layer
 * @param {number} field
 * @param {number} t
 */
function meanOf(layer, field, t) {
	const { row, column } = cornerOf(field);
	const cells = Array.from({ length: SIZE * SIZE }, (_, at) => ({
		row: row + Math.floor(at / SIZE),
		column: column + (at % SIZE),
	}));
	const values = cells.map((cell) => valueAt(layer, t, cell)).filter((value) => value !== null);
	return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** @param {number} field */
const middleOf = (field) => {
	const { row, column } = cornerOf(field);
	return centreOf({ row: row + SIZE / 2, column: column + SIZE / 2 });
};

/**
 * Returns the position of a point in the window.
 * @param {Page} page
 * @param {{ lon: number, lat: number }} place
 * @returns {Promise<[number, number]>}
 */
async function pixelOf(page, { lon, lat }) {
	const box = await page.locator("#map").boundingBox();
	const [viewLon, viewLat, zoom] = (linkValue(page, "view") ?? "").split(",").map(Number);
	assert.ok(box);
	const world = 256 * 2 ** zoom;
	const y = (/** @type {number} */ degrees) =>
		Math.log(Math.tan(Math.PI / 4 + (degrees * Math.PI) / 360)) / (2 * Math.PI);
	return [
		box.x + box.width / 2 + ((lon - viewLon) / 360) * world,
		box.y + box.height / 2 - (y(lat) - y(viewLat)) * world,
	];
}

/** Returns red, green, blue, alpha of the vector tile under a place. @param {Page} page @param {number} field */
async function colourOf(page, field) {
	const [x, y] = await pixelOf(page, middleOf(field));
	return page.evaluate(
		([left, top]) => {
			for (const canvas of document.querySelectorAll("canvas")) {
				if (!canvas.closest(".leaflet-places-pane")) continue;
				const box = canvas.getBoundingClientRect();
				if (left < box.left || left >= box.right || top < box.top || top >= box.bottom) continue;
				const scale = canvas.width / box.width;
				const context = canvas.getContext("2d");
				return [...(context?.getImageData((left - box.left) * scale, (top - box.top) * scale, 1, 1).data ?? [])];
			}
			return [];
		},
		[x, y],
	);
}

/**
 * Waits until a field has the colour of a value.
 * @param {Page} page
 * @param {number} field
 * @param {number | null} value
 */
async function whenColoured(page, field, value) {
	const grey = value === null ? 0 : (value + 0.08) / 0.004;
	const wanted = value === null ? [0, 0, 0, 0] : [grey, grey, grey, 255];
	let found = /** @type {number[]} */ ([]);
	const isSo = async () => {
		found = await colourOf(page, field);
		return found.length === 4 && found.every((part, at) => Math.abs(part - wanted[at]) <= 1.01);
	};
	await until(page, isSo, () => `field ${field} is ${found}, not ${wanted}`);
}

/**
 * @param {import("./harness.mjs").Bench["open"]} open
 * @param {string} layer
 * @param {string} [more]
 * @param {import("./harness.mjs").OpenOptions} [options]
 */
async function openPlaces(open, layer, more = "", options = {}) {
	const opened = await open({ ...options, search: `${SEARCH}&layer=${layer}${more}` });
	await whenShown(opened.page);
	await opened.page.locator("#places").waitFor();
	await whenAtRest(opened.page, "#map");
	return opened;
}

/** Returns requests of the server's sets of places; names of towns are a file of the viewer. @param {string[]} urls */
const ofPlaces = (urls) => urls.filter((url) => new URL(url).pathname.startsWith("/places"));

await runAsCalled([
	[
		"places have the colour of their mean at the date, and other dates ask for no tiles and no values",
		async ({ open, outDir }) => {
			const { page, requests } = await openPlaces(open, "ndvi", `&date=${FIXTURES.ndvi.dates[DATE]}`);
			for (const field of [0, 1, 2, 3, 4, 5]) await whenColoured(page, field, meanOf("ndvi", field, DATE));
			await page.screenshot({ path: join(outDir, "places.png") });
			const before = requests.length;
			for (const t of [DATE - 1, DATE - 2, DATE - 3]) {
				await page.locator("#timeline [data-part=previous]").click();
				await whenLinkSays(page, "date", FIXTURES.ndvi.dates[t]);
				for (const field of [0, 4]) await whenColoured(page, field, meanOf("ndvi", field, t));
			}

			assert.deepEqual(ofPlaces(requests.slice(before)), []);
		},
	],
	[
		"a place without a value at a date has no colour",
		async ({ open }) => {
			const cloudy = 11;
			const { page } = await openPlaces(open, "ndvi", `&date=${FIXTURES.ndvi.dates[cloudy - 1]}`);
			await whenColoured(page, 2, meanOf("ndvi", 2, cloudy - 1));
			await page.locator("#timeline [data-part=next]").click();
			assert.equal(meanOf("ndvi", 2, cloudy), null);
			await whenColoured(page, 2, null);
		},
	],
	[
		"on a map with two sides places are outlined: their colours would be those of one, which is no paler than the other",
		async ({ open }) => {
			const { page } = await openPlaces(open, "ndvi", `&date=${FIXTURES.ndvi.dates[DATE]}`);
			const whenOpaque = (/** @type {number[]} */ opacities) =>
				page.waitForFunction(
					(wanted) =>
						[...document.querySelectorAll(".leaflet-tile-pane")]
							.map((pane) => getComputedStyle(pane).opacity)
							.join() === wanted,
					opacities.join(),
				);
			await whenColoured(page, 0, meanOf("ndvi", 0, DATE));
			await whenOpaque([0.25]);

			await page.locator("#compare-button").click();
			await whenColoured(page, 0, null);
			await whenOpaque([1]);

			await page.locator(".modes").selectOption("side");
			await whenColoured(page, 0, meanOf("ndvi", 0, DATE));
			await whenOpaque([0.25, 1]);

			await page.locator("#compare-button").click();
			await whenColoured(page, 0, meanOf("ndvi", 0, DATE));
			await whenOpaque([0.25]);
		},
	],
	[
		"another range colours places anew at once",
		async ({ open }) => {
			const { page, requests } = await openPlaces(open, "ndvi", `&date=${FIXTURES.ndvi.dates[0]}`);
			const mean = meanOf("ndvi", 1, 0) ?? 0;
			await whenColoured(page, 1, mean);
			const before = requests.length;
			await inspect(page);
			await page.evaluate((value) => {
				const state = /** @type {any} */ (window).parts;
				state.colouring.value = { ...state.colouring.peek(), range: [value, value + 1] };
			}, mean);
			await whenColoured(page, 1, -0.08);

			assert.deepEqual(ofPlaces(requests.slice(before)), []);
		},
	],
	[
		"name and mean of the place under the pointer, or in the middle, are told",
		async ({ open }) => {
			const { page } = await openPlaces(open, "ndvi", `&date=${FIXTURES.ndvi.dates[DATE]}`);
			await whenColoured(page, 4, meanOf("ndvi", 4, DATE));
			await page.mouse.move(...(await pixelOf(page, middleOf(4))));
			const mean = Number(meanOf("ndvi", 4, DATE)?.toPrecision(4));
			await page
				.locator(".place-tip")
				.filter({ hasText: `Field 4 Mean: ${mean}` })
				.waitFor();
			await page.mouse.move(...(await pixelOf(page, centreOf({ row: 65, column: 65 }))));
			await page.locator(".place-tip").waitFor({ state: "hidden" });
			await page.locator("#map").focus();
			await page.keyboard.press("Shift");
			await page.locator(".place-tip").filter({ hasText: "Field 4" }).waitFor();
		},
	],
	[
		"a click on a place makes it one of the chart; beside it, a point is chosen; the link keeps both",
		async ({ open, outDir }) => {
			const { page } = await openPlaces(open, "ndvi", `&date=${FIXTURES.ndvi.dates[DATE]}`);
			await whenColoured(page, 4, meanOf("ndvi", 4, DATE));
			await page.mouse.click(...(await pixelOf(page, middleOf(4))));
			await page.locator("#chart .place-name").filter({ hasText: "Field 4" }).waitFor();
			await page.locator('#chart .place-state[data-kind="exact"]').waitFor();
			await whenAtRest(page, "#map");
			assert.ok(linkValue(page, "aoi")?.startsWith("Field"), `${linkValue(page, "aoi")}`);
			await page.screenshot({ path: join(outDir, "place-chosen.png") });

			await page.keyboard.down("Shift");
			await page.mouse.click(...(await pixelOf(page, centreOf({ row: 65, column: 115 }))));
			await page.keyboard.up("Shift");
			await page.waitForFunction(() => document.querySelectorAll("#chart .place-name").length === 2);
			await whenAtRest(page);
			assert.ok(linkValue(page, "pt"));
		},
	],
	[
		"a set is chosen in the panel, is in the link, and goes again",
		async ({ open }) => {
			const { page, requests } = await open({ search: SEARCH.replace("&places=fields", "") });
			await whenShown(page);
			await page.locator("#places").waitFor();
			assert.ok(!requests.some((url) => url.includes(".mvt")), "tiles were asked for that nobody wants");
			await page.getByLabel("Coloured places").selectOption("fields");
			await whenLinkSays(page, "places", "fields");
			await page.locator(".leaflet-places-pane canvas").first().waitFor();
			assert.deepEqual(await brokenRules(page), []);
			await page.getByLabel("Coloured places").selectOption("");
			await whenLinkSays(page, "places", null);
			await page.locator(".leaflet-places-pane canvas").first().waitFor({ state: "detached" });
		},
	],
	[
		"classes and colours have no mean: places are outlined, and the panel says why",
		async ({ open }) => {
			for (const layer of ["classes", "rgb"]) {
				const { page } = await openPlaces(open, layer);
				await page.getByText(/has no values to average: only the outlines of the places are shown/).waitFor();
				await whenColoured(page, 0, null);
			}
		},
	],
	[
		"a layer without time colours places too",
		async ({ open }) => {
			const { page } = await openPlaces(open, "static");
			await whenColoured(page, 3, meanOf("static", 3, 0));
		},
	],
	[
		"when values or tiles fail the reason is told; where many dates are too much one is asked for",
		async ({ open }) => {
			const allowed = FAILED_REQUEST;
			const failing = { routes: { "/places/fields/values": answerStatus(503, "The store is away.") }, allowed };
			const { page } = await openPlaces(open, "ndvi", "", failing);
			await page.getByText("No values: The server says: The store is away.").waitFor();
			await page.locator("[data-regions]").waitFor({ state: "detached" });

			const { page: other } = await openPlaces(open, "ndvi", "", {
				routes: { "\\.mvt": answerStatus(503, "The places are away.") },
				allowed,
			});
			await other.getByText("Fields could not be loaded everywhere: The server says: The places are away.").waitFor();

			const date = `&date=${FIXTURES.ndvi.dates[DATE]}`;
			const { page: small } = await openPlaces(open, "ndvi", date, {
				routes: {
					"/places/fields/values": (route) => {
						const [from, to] = (new URL(route.request().url()).searchParams.get("datetime") ?? "").split("/");
						return from === to ? route.continue() : answerStatus(400, "Too much at once.")(route);
					},
				},
				allowed,
			});
			await whenColoured(small, 4, meanOf("ndvi", 4, DATE));
		},
	],
]);
