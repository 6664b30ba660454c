/**
 * Pictures and values of the map beyond the native zoom: `node cells.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`, with
 * the archive of `test_cells.py`. Expected values are the series of the server, which are computed with PROJ from
 * the cells of the source.
 */
import assert from "node:assert/strict";
import { makeRandom } from "../random.js";
import { FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { inspect, nextFrame, ofData, until, whenAtRest, whenCounted } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("./harness.mjs").Check} Check */
/**
 * @typedef
 *   {{ lon: number, lat: number, colour: number[] | null, hovered: string, clicked: number | null, point: number[] }}
 *   Found
 */

const NATIVE_ZOOM = 12;
const ZOOMS = [0, 1, 2, 3, 4, 5];
/** Number of points at each zoom of each of three layers: 1,008 together. */
const PLACES = 56;
/** Requests for series at a time. */
const AT_ONCE = 6;
const CENTRE = "3.74,51.03";
/** Distance from the edges of the map, which buttons and scales cover. */
const EDGE_PX = 90;

/** @param {Page} page */
async function whenShown(page) {
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
	await inspect(page);
}

/**
 * Signals an intended movement through time, and waits until the dates around are loaded.
 * @param {Page} page
 * @param {number} least
 */
async function whenLoaded(page, least) {
	await page.evaluate(() => {
		/** @type {any} */ (window).parts.intent.value += 1;
	});
	await page.waitForFunction((count) => {
		const loaded = /** @type {any} */ (window).parts.loadedTimes.peek();
		return [...loaded.values()].filter((each) => each === "full").length >= count;
	}, least);
}

/**
 * Whether a pixel of the page shows the map, and not the readout or a mark above it.
 * @param {Page} page
 * @param {number} x
 * @param {number} y
 */
const isOnMap = (page, x, y) =>
	page.evaluate(
		([left, top]) => document.elementFromPoint(left, top)?.matches("#map, .leaflet-pane, .data-tiles canvas") ?? false,
		/** @type {const} */ ([x, y]),
	);

/**
 * Returns picture and readout of the map at one pixel of the page, at the same moment, and the point of a click there.
 * @param {Page} page
 * @param {number} x
 * @param {number} y
 * @returns {Promise<Found>}
 */
async function look(page, x, y) {
	await page.mouse.move(x, y);
	// The browser updates the page with its next frame.
	const seen = await page.waitForFunction(
		([left, top]) => {
			const { pointer, maps, cubesOf, sideA } = /** @type {any} */ (window).parts;
			const [map] = maps.peek();
			const at = pointer.peek();
			const words = document.querySelector("#readout .reading strong")?.textContent ?? "…";
			if (!at || words.includes("…")) return null;
			const box = map.getContainer().getBoundingClientRect();
			const { x: east, y: south } = map.latLngToContainerPoint([at.lat, at.lon]);
			if (Math.abs(box.left + east - left - 0.5) >= 1 || Math.abs(box.top + south - top - 0.5) >= 1) return null;
			const colourAt = () => {
				for (const canvas of /** @type {NodeListOf<HTMLCanvasElement>} */ (
					document.querySelectorAll(".data-tiles canvas")
				)) {
					const place = canvas.getBoundingClientRect();
					const [across, down] = [(left + 0.5 - place.x) / place.width, (top + 0.5 - place.y) / place.height];
					if (across < 0 || across >= 1 || down < 0 || down >= 1 || canvas.width < 2) continue;
					const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
					const [column, row] = [Math.floor(across * canvas.width), Math.floor(down * canvas.height)];
					return [...context.getImageData(column, row, 1, 1).data];
				}
				return null;
			};
			const hovered = document.querySelector("#readout .reading")?.getAttribute("data-value") ?? "";
			// The click must find all dates loaded, if there are values.
			if (hovered !== "" && cubesOf(sideA).seriesAt(at) === null) return null;
			return { ...at, colour: colourAt(), hovered };
		},
		/** @type {const} */ ([x, y]),
	);
	await page.mouse.click(x, y);
	const taken = await page.evaluate(() => {
		const { places, lines, sideA } = /** @type {any} */ (window).parts;
		const table = lines.peek().at(-1)?.table;
		const at = table?.times.indexOf(sideA.instant.peek().text) ?? -1;
		return {
			clicked: at < 0 ? null : table.columns.value[at],
			point: places.peek().at(-1).geometry.coordinates,
		};
	});
	return { .../** @type {any} */ (await seen.jsonValue()), ...taken };
}

/**
 * Waits until the chart has the server's answer, and the map its size: an empty chart is smaller.
 * @param {Page} page
 */
async function whenAnswered(page) {
	await page.waitForFunction(() => {
		const states = [...document.querySelectorAll("#chart .place-state")];
		return states.length > 0 && states.every((state) => state.getAttribute("data-kind") !== "loading");
	});
	await nextFrame(page);
}

/**
 * Returns the value of each point at a date, from the server's series.
 * @param {string} base
 * @param {string} layer
 * @param {string} datetime
 * @param {Found[]} found
 */
async function seriesOf(base, layer, datetime, found) {
	/** @type {(number | null)[]} */
	const values = [];
	for (let first = 0; first < found.length; first += AT_ONCE) {
		const some = found.slice(first, first + AT_ONCE).map(async ({ lon, lat }) => {
			const query = new URLSearchParams({ lon: String(lon), lat: String(lat), datetime });
			const answer = await fetch(new URL(`timeseries/${layer}/point?${query}`, base));
			// Outside of the layer there is no series.
			return answer.ok ? (await answer.json()).values[0] : null;
		});
		values.push(...(await Promise.all(some)));
	}
	return values;
}

/** @param {string} layer @param {number} finer @returns {[string, Check]} */
const placesCheck = (layer, finer) => [
	`${layer} at native zoom + ${finer}: colour, hover and click are the cell of the series`,
	async ({ base, open }) => {
		const search = `?layer=${layer}&view=${CENTRE},${NATIVE_ZOOM + finer}&style=numbers&overlay=false&bgLayer=None`;
		// Outside of the layer there is no series, and the browser logs an error.
		const { page } = await open({ search, allowed: FAILED_REQUEST });
		await whenShown(page);
		await whenLoaded(page, 12);
		const middle = await page.locator("#map").boundingBox();
		assert.ok(middle);
		// The first click opens the chart, which makes the map smaller.
		await page.mouse.click(middle.x + middle.width / 2, middle.y + middle.height / 2);
		await whenAtRest(page, "#map");
		await whenShown(page);
		await whenLoaded(page, 12);
		const box = await page.locator("#map").boundingBox();
		assert.ok(box);
		const { number } = makeRandom(100 * finer + layer.length);
		/** @type {Found[]} */
		const found = [];
		while (found.length < PLACES) {
			await whenAnswered(page);
			const x = Math.floor(box.x + EDGE_PX + number() * (box.width - 2 * EDGE_PX));
			const y = Math.floor(box.y + EDGE_PX + number() * (box.height - 2 * EDGE_PX));
			if (await isOnMap(page, x, y)) found.push(await look(page, x, y));
		}
		const datetime = await page.evaluate(() => /** @type {any} */ (window).parts.sideA.instant.peek().text);
		const expected = await seriesOf(base, layer, datetime, found);

		for (const [at, { lon, lat, colour, hovered, clicked, point }] of found.entries()) {
			const value = expected[at];
			const where = `${layer} + ${finer} at ${lon}, ${lat}`;
			const grey = value === null ? null : Math.round((value + 0.08) / 0.004);
			assert.equal(hovered, value === null ? "" : String(value), `hover, ${where}`);
			assert.equal(clicked, value, `click, ${where}`);
			assert.deepEqual(colour, grey === null ? [0, 0, 0, 0] : [grey, grey, grey, 255], `colour, ${where}`);
			assert.deepEqual(point, [lon, lat]);
		}
		assert.ok(expected.filter((value) => value !== null).length > PLACES / 2);
	},
];

/** @param {Page} page */
const slider = (page) => page.getByRole("slider", { name: /^Date/ });

/** @param {string[]} requests */
const yearsOf = (requests) => new Set(requests.flatMap((url) => url.match(/datetime=(\d{4})-01-01\//)?.[1] ?? []));

/** In so many steps the pointer is dragged, each after so long by the clock of the page. */
const [STEPS, STEP_MS] = [60, 16];

/**
 * Stops the clock of the page: it only continues on request. A dragged pointer then rests exactly when its moves say
 * so, even if this process is slow.
 * @param {Page} page
 */
async function stopClock(page) {
	const AHEAD_MS = 60_000;
	await page.clock.install();
	await page.clock.pauseAt((await page.evaluate(() => Date.now())) + AHEAD_MS);
}

/**
 * Returns the position of a day on the strip, which is linear in time: half a slot is before the first date and
 * after the last one.
 * @param {Page} page
 * @param {string} day
 */
async function placeOf(page, day) {
	const [SIDE_PX, BARS_PX, DATES] = [8, 30, 219];
	const box = await slider(page).boundingBox();
	assert.ok(box);
	const [first, last, at] = ["2018-01-01", "2020-12-26", day].map((each) => Date.parse(each));
	const slot = (box.width - 2 * SIDE_PX) / DATES;
	return { x: box.x + SIDE_PX + (0.5 + ((DATES - 1) * (at - first)) / (last - first)) * slot, y: box.y + BARS_PX };
}

/** No request may be sent during this time: requests at rest are sent immediately. */
const QUIET_MS = 1000;

await runAsCalled([
	...["utm", "laea", "degrees"].flatMap((layer) => ZOOMS.map((finer) => placesCheck(layer, finer))),
	[
		"zooming in asks for nothing where the tiles of the native zoom are there",
		async ({ open }) => {
			const search = `?layer=laea&view=${CENTRE},${NATIVE_ZOOM}&style=numbers&overlay=false&bgLayer=None`;
			const { page, requests } = await open({ search });
			await whenShown(page);
			await whenLoaded(page, 12);
			const before = requests.length;
			for (const finer of [1, 3, 5, 2]) {
				await page.evaluate((zoom) => {
					/** @type {any} */ (window).parts.maps.peek()[0].setZoom(zoom, { animate: false });
				}, NATIVE_ZOOM + finer);
				await whenShown(page);
			}
			assert.deepEqual(
				requests.slice(before).filter((url) => url.includes("/cubes/")),
				[],
			);
		},
	],
	[
		"dragging a loaded year beyond the native zoom asks nothing, at rest neither, and the year beside it waits until the pointer is released",
		async ({ base, open }) => {
			await whenCounted(base, "years");
			const search = `?layer=years&date=2019-07-05&view=${CENTRE},${NATIVE_ZOOM + 3}&style=numbers&overlay=false&bgLayer=None`;
			const { page, requests } = await open({ search });
			await whenShown(page);
			await slider(page).waitFor();
			await whenLoaded(page, 73);
			const [from, to] = [await placeOf(page, "2019-07-05"), await placeOf(page, "2019-12-27")];
			const before = requests.length;
			await page.mouse.move(from.x, from.y);
			await stopClock(page);
			await page.mouse.down();
			for (let step = 1; step <= STEPS; step += 1) {
				await page.mouse.move(from.x + ((to.x - from.x) * step) / STEPS, to.y);
				await page.clock.runFor(STEP_MS);
			}
			const during = ofData(requests.slice(before));
			await page.clock.resume();
			await until(page, () => page.evaluate(() => !(/** @type {any} */ (window).parts.isDragged.peek())));
			await page.waitForTimeout(QUIET_MS);
			const atRest = ofData(requests.slice(before));
			await page.mouse.up();
			await until(page, () => yearsOf(requests).has("2020"));

			assert.deepEqual(during, []);
			assert.deepEqual(atRest, []);
			assert.deepEqual([...yearsOf(requests.slice(before))], ["2020"]);
		},
	],
	[
		"dragging a year that is not there asks nothing, at rest for that year alone, and for the one beside it when released",
		async ({ base, open }) => {
			await whenCounted(base, "years");
			const search = `?layer=years&date=2019-12-20&view=${CENTRE},${NATIVE_ZOOM + 1}&style=numbers&overlay=false&bgLayer=None`;
			const { page, requests } = await open({ search });
			await whenShown(page);
			await slider(page).waitFor();
			const [from, to] = [await placeOf(page, "2019-11-22"), await placeOf(page, "2019-12-27")];
			await stopClock(page);
			const before = requests.length;
			// Without pointing at the strip first, or resting at the pressed position, which would load the year.
			await page.evaluate((start) => {
				const STILL_PX = 3;
				const strip = /** @type {HTMLElement} */ (document.querySelector("[data-part=slider]"));
				strip.setPointerCapture = () => {};
				const send = (/** @type {string} */ kind, /** @type {number} */ x) =>
					strip.dispatchEvent(new PointerEvent(kind, { clientX: x, pointerId: 1, button: 0, bubbles: true }));
				/** @type {any} */ (window).send = send;
				send("pointerdown", start);
				send("pointermove", start + STILL_PX);
			}, from.x);
			const send = (/** @type {string} */ kind, /** @type {number} */ x) =>
				page.evaluate(([name, next]) => /** @type {any} */ (window).send(name, next), /** @type {const} */ ([kind, x]));
			for (let step = 1; step <= STEPS; step += 1) {
				await send("pointermove", from.x + ((to.x - from.x) * step) / STEPS);
				await page.clock.runFor(STEP_MS);
			}
			const during = ofData(requests.slice(before));
			await page.clock.resume();
			await page.locator('.strip[data-full="73"]').waitFor();
			await page.waitForTimeout(QUIET_MS);
			const atRest = yearsOf(requests.slice(before));
			await send("pointerup", to.x);
			await until(page, () => yearsOf(requests).has("2020"));

			assert.deepEqual(during, []);
			assert.deepEqual([...atRest], ["2019"]);
			assert.deepEqual([...yearsOf(requests.slice(before))], ["2019", "2020"]);
		},
	],
	[
		"a mouse that rests on the strip has a preview of the year below it loaded, and no more of it",
		async ({ base, open }) => {
			await whenCounted(base, "years");
			const search = `?layer=years&date=2019-07-05&view=${CENTRE},${NATIVE_ZOOM + 1}&style=numbers&overlay=false&bgLayer=None`;
			const { page, requests } = await open({ search });
			await whenShown(page);
			await slider(page).waitFor();
			await whenLoaded(page, 73);
			const before = requests.length;
			const { x, y } = await placeOf(page, "2020-07-03");
			await page.mouse.move(x, y);
			await until(page, () => yearsOf(requests).has("2020"));
			await page.waitForTimeout(QUIET_MS);

			const asked = ofData(requests.slice(before));
			assert.deepEqual([...yearsOf(asked)], ["2020"]);
			assert.deepEqual(
				asked.filter((url) => new URL(url).searchParams.get("res") !== "2"),
				[],
			);
		},
	],
]);
