/**
 * Scenarios 1, 9, 35 to 38 and 42 of the viewer: pictures and values of the map. `node canvas.mjs BASE_URL OUT_DIR
 * [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { cellAt, centreOf, exact, FIXTURES, flagOf, lastNumberAt, numberAt, POLAR_CELLS, valueAt } from "./formula.mjs";
import { answerStatus, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { inspect, stoppable, until } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("./harness.mjs").Check} Check */
/** @typedef {import("./formula.mjs").Point} Point */
/** @typedef {import("./formula.mjs").Cell} Cell */

const MIB = 2 ** 20;
const round = (/** @type {number} */ degrees) => Number(degrees.toFixed(5));

/** Ten cells of the layers of 256 cells at Ghent, some of them cloudy at some dates. @type {Cell[]} */
const CELLS = Array.from({ length: 10 }, (_, at) => ({ row: 11 + 23 * at, column: (17 + 71 * at) % 236 }));

/** Returns the centre of a cell, as in links. @param {Cell} cell @returns {Point} */
function placeOf(cell) {
	const { lon, lat } = centreOf(cell);
	return { lon: round(lon), lat: round(lat) };
}

/**
 * Waits until the map shows its date, and makes the viewer's modules available to code that runs in the page.
 * @param {Page} page
 */
async function whenShown(page) {
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
	await inspect(page);
}

/** @param {string} layer @param {Cell} cell @param {number} zoom @param {string} [more] */
function linkTo(layer, cell, zoom, more = "") {
	const { lon, lat } = placeOf(cell);
	return `?layer=${layer}&view=${lon},${lat},${zoom}&overlay=false&bgLayer=None${more}`;
}

/**
 * Returns the pixel of the page for a point, and the top of the map.
 * @param {Page} page
 * @param {Point} point
 * @returns {Promise<{ x: number, y: number, mapTop: number }>}
 */
const onPage = (page, { lon, lat }) =>
	page.evaluate(
		([east, north]) => {
			const { maps } = /** @type {any} */ (window).parts;
			const [map] = maps.peek();
			const { x, y } = map
				.project([north, east])
				.subtract(map.getPixelOrigin())
				.add(map.latLngToContainerPoint(map.layerPointToLatLng([0, 0])));
			const frame = map.getContainer().getBoundingClientRect();
			return { x: frame.x + Math.floor(x), y: frame.y + Math.floor(y), mapTop: frame.top };
		},
		[lon, lat],
	);

/**
 * Returns the readout with the pointer at a point: the unformatted value, "" if there is none, and the text.
 * @param {Page} page
 * @param {Point} point
 * @returns {Promise<{ value: string, words: string }>}
 */
async function hover(page, point) {
	const { x, y, mapTop } = await onPage(page, point);
	await page.mouse.move(x - 3, y - 3);
	await page.mouse.move(x, y);
	// Waits until the page has handled the pointer: the readout of the previous point may still be visible.
	const reading = await page.waitForFunction(
		([left, top, before]) => {
			const { pointer, maps } = /** @type {any} */ (window).parts;
			const [map] = maps.peek();
			const at = pointer.peek();
			const row = /** @type {HTMLElement | null} */ (document.querySelector("#readout .reading"));
			if (!at || !row || row.querySelector("strong")?.textContent?.includes("…")) return null;
			const box = map.getContainer().getBoundingClientRect();
			if (box.top !== before) return "moved";
			const found = map.latLngToContainerPoint([at.lat, at.lon]);
			const world = 256 * 2 ** map.getZoom();
			const off = box.left + found.x - left - 0.5;
			const across = off - world * Math.round(off / world);
			if (Math.abs(across) >= 1 || Math.abs(box.top + found.y - top - 0.5) >= 1) return null;
			return { value: row.dataset.value ?? "", words: row.textContent ?? "" };
		},
		/** @type {const} */ ([x, y, mapTop]),
	);
	const said = /** @type {"moved" | { value: string, words: string }} */ (await reading.jsonValue());
	// A notice above the map has appeared or disappeared, and has moved the map.
	return said === "moved" ? hover(page, point) : said;
}

/**
 * Returns the pixel of the data at a point: red, green, blue, alpha; null if there is no tile.
 * @param {Page} page
 * @param {Point} point
 */
async function pixelAt(page, point) {
	const { x, y } = await onPage(page, point);
	return page.evaluate(
		([left, top]) => {
			for (const canvas of /** @type {NodeListOf<HTMLCanvasElement>} */ (
				document.querySelectorAll(".data-tiles canvas")
			)) {
				const box = canvas.getBoundingClientRect();
				const [across, down] = [(left + 0.5 - box.x) / box.width, (top + 0.5 - box.y) / box.height];
				if (across < 0 || across >= 1 || down < 0 || down >= 1 || canvas.width < 2) continue;
				const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
				return [
					...context.getImageData(Math.floor(across * canvas.width), Math.floor(down * canvas.height), 1, 1).data,
				];
			}
			return null;
		},
		[x, y],
	);
}

/**
 * Waits until the pixel of the data at a point has a colour.
 * @param {Page} page
 * @param {Point} point
 * @param {number[]} expected
 */
async function whenPixelIs(page, point, expected) {
	/** @type {number[] | null} */
	let found = null;
	const isSo = async () => {
		found = await pixelAt(page, point);
		return String(found) === String(expected);
	};
	await until(page, isSo, () => `${expected} at ${JSON.stringify(point)}, but it is ${found}`);
}

/** Returns the grey of a number in the style `numbers`; transparent for null. @param {number | null} number */
const greyOf = (number) => (number === null ? [0, 0, 0, 0] : [number, number, number, 255]);

/** Shows a date, as the time axis does. @param {Page} page @param {number} index @param {boolean} [isMoving] */
const goTo = (page, index, isMoving = false) =>
	page.evaluate(
		([at, moving]) => {
			const state = /** @type {any} */ (window).parts;
			state.isMoving.value = moving;
			state.chooseTime(at);
		},
		/** @type {const} */ ([index, isMoving]),
	);

/**
 * Signals an intended movement through time, and waits until all dates around are loaded.
 * @param {Page} page
 * @param {"preview" | "full"} how
 * @param {number} count
 */
async function whenLoaded(page, how, count) {
	await page.evaluate(() => {
		const state = /** @type {any} */ (window).parts;
		state.intent.value += 1;
	});
	await page.waitForFunction(
		([wanted, least]) => {
			const { loadedTimes } = /** @type {any} */ (window).parts;
			return [...loadedTimes.peek().values()].filter((each) => each === wanted || each === "full").length >= least;
		},
		/** @type {const} */ ([how, count]),
	);
}

/** Waits for two frames, after which all requested changes are painted. @param {Page} page */
const whenPainted = (page) =>
	page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null)))));

/** @param {string[]} requests */
const cubesOf = (requests) => requests.filter((url) => url.includes(".ctc"));

/** Returns the requests of pictures of layers; the logo is not one. @param {string[]} requests */
const picturesOf = (requests) => requests.filter((url) => /\/tiles\/.*\.png/.test(url));

/** @param {string} base @param {string} layer @param {Point} point */
async function serverValues(base, layer, { lon, lat }) {
	const answer = await fetch(new URL(`timeseries/${layer}/point?lon=${lon}&lat=${lat}`, base));
	return /** @type {(number | null)[]} */ ((await answer.json()).values);
}

/** @param {string} layer @param {number} zoom @param {number[]} dates @returns {[string, Check]} */
const hoverCheck = (layer, zoom, dates) => [
	`9 hovering ${layer} at zoom ${zoom} tells its values, those of the server`,
	async ({ base, open }) => {
		const { page } = await open({ search: linkTo(layer, { row: 128, column: 128 }, zoom) });
		await whenShown(page);
		for (const date of dates) {
			await goTo(page, date);
			await whenShown(page);
			for (const cell of zoom > 12
				? CELLS.filter(({ row, column }) => Math.hypot(row - 128, column - 128) < 60)
				: CELLS) {
				const { value, words } = await hover(page, placeOf(cell));
				const expected = valueAt(layer, date, cell);
				assert.equal(
					value,
					expected === null ? "" : String(expected),
					`${layer}, date ${date}, ${JSON.stringify(cell)}`,
				);
				assert.equal((await serverValues(base, layer, placeOf(cell)))[date], expected);
				if (expected === null) assert.match(words, /no data|cloud|snow/);
			}
		}
	},
];

await runAsCalled([
	[
		"1 an empty link shows the first layer at its default date, from cubes, and nothing else is asked for",
		async ({ base, open }) => {
			const { page, requests } = await open();
			await whenShown(page);
			const [first] = (await (await fetch(new URL("layers", base))).json()).layers;

			assert.ok((await page.title()).startsWith(first.title));
			await page.locator("#legend-body").getByText("0.2").first().waitFor();
			const cubes = cubesOf(requests);
			assert.equal(cubes.length, 4, "one cube a tile of the layer");
			assert.ok(cubes.every((url) => new URL(url).searchParams.get("datetime") === first.times.default));
			assert.ok(cubes.every((url) => new URL(url).searchParams.get("rev") === first.revision));
			assert.deepEqual(picturesOf(requests), []);
		},
	],
	hoverCheck("ndvi", 12, [0, 5, 11]),
	hoverCheck("ndvi", 15, [5]),
	hoverCheck("lai16", 12, [2]),
	hoverCheck("classes", 12, [3]),
	hoverCheck("flagged", 12, [5]),
	hoverCheck("static", 12, [0]),
	[
		"9 a flag is told by its name, classes by theirs, and a rounded value with ≈",
		async ({ open }) => {
			const cloud = CELLS.find(({ row, column }) => flagOf(5, row, column) === "cloud") ?? CELLS[0];
			const { page } = await open({ search: linkTo("flagged", cloud, 12) });
			await whenShown(page);
			await goTo(page, 5);
			await whenShown(page);
			assert.match((await hover(page, placeOf(cloud))).words, /cloud/);

			const floats = await open({ search: linkTo("fapar_float", cloud, 12) });
			await whenShown(floats.page);
			await goTo(floats.page, 1);
			await whenShown(floats.page);
			const clear = CELLS.find((cell) => valueAt("fapar_float", 1, cell) !== null) ?? CELLS[0];
			const { value, words } = await hover(floats.page, placeOf(clear));
			assert.match(words, /≈/);
			assert.ok(Math.abs(Number(value) - Number(valueAt("fapar_float", 1, clear))) < 0.0005);
		},
	],
	[
		"9 a mean of cells says of how much ground, and after a tap it is the value of the cell, as in the chart",
		async ({ open }) => {
			const search = linkTo("ndvi", { row: 120, column: 130 }, 10, "&date=2019-01-01");
			const at = placeOf({ row: 122, column: 134 });
			const desk = await open({ search });
			await whenShown(desk.page);
			assert.match((await hover(desk.page, at)).words, /≈ .*, mean of (96|97) m/);

			const { page } = await open({ search, width: 390, height: 844 });
			await whenShown(page);
			const session = await page.context().newCDPSession(page);
			await session.send("Emulation.setTouchEmulationEnabled", { enabled: true, maxTouchPoints: 1 });
			await session.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [await onPage(page, at)] });
			await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
			await page.waitForFunction(() => new URLSearchParams(window.location.search).has("pt"));
			const row = page.locator("#readout .reading").filter({ hasNotText: "≈" });
			await row.waitFor({ state: "attached" });
			const point = new URLSearchParams(await page.evaluate(() => window.location.search)).get("pt") ?? "";
			const [lon, lat] = point.split(",").map(Number);
			assert.equal(await row.getAttribute("data-value"), String(valueAt("ndvi", 0, cellAt({ lon, lat }))));
		},
	],
	[
		"9 where the layer is not there is no data, and the readout goes with the pointer",
		async ({ open }) => {
			const { page } = await open({ search: linkTo("ndvi", { row: 20, column: 20 }, 12) });
			await whenShown(page);
			assert.match((await hover(page, placeOf({ row: -60, column: -60 }))).words, /no data/);
			await page.mouse.move(5, 5);
			await page.locator("#readout").waitFor({ state: "hidden" });
		},
	],
	[
		"9 with the keyboard the middle of the map is told, and Enter takes it",
		async ({ open }) => {
			const cell = { row: 120, column: 130 };
			const { page } = await open({ search: linkTo("static", cell, 13) });
			await whenShown(page);
			await page.locator("#map").focus();
			await page.keyboard.press("ArrowRight");
			await page.locator("#readout").waitFor();
			const { place, value } = await page.evaluate(() => {
				const { pointer } = /** @type {any} */ (window).parts;
				const row = document.querySelector("#readout .reading");
				return { place: pointer.peek(), value: row instanceof HTMLElement ? row.dataset.value : null };
			});
			assert.equal(value, String(valueAt("static", 0, cellAt(place))));
			await page.keyboard.press("Enter");
			await page.waitForFunction(() => new URLSearchParams(window.location.search).has("pt"));
		},
	],
	[
		"27 gaps show the last clear value, across years too, and the readout tells its date",
		async ({ open }) => {
			const { page } = await open({
				search: linkTo("ndvi_years", { row: 128, column: 128 }, 12, "&style=numbers&gaps=last"),
			});
			await whenShown(page);
			for (const date of [73, 75, 146 + 11]) {
				await goTo(page, date);
				await page.waitForFunction((index) => {
					const { sideA } = /** @type {any} */ (window).parts;
					const { cubesOf } = /** @type {any} */ (window).parts;
					const cubes = cubesOf(sideA);
					return cubes.isAllFilled() && cubes.layer.painter.shown === index;
				}, date);
				await whenPainted(page);
				for (const cell of CELLS) {
					await whenPixelIs(page, placeOf(cell), greyOf(lastNumberAt("ndvi_years", date, cell)));
					const { value, words } = await hover(page, placeOf(cell));
					const number = Number(lastNumberAt("ndvi_years", date, cell));
					assert.equal(value, String(exact(number * 0.004 - 0.08)));
					assert.equal(/last clear value of/.test(words), numberAt("ndvi_years", date, cell) === null);
				}
			}
		},
	],
	[
		"27 what is counted on the map leaves filled values out, and says so in words too",
		async ({ open }) => {
			const DATE = 75;
			const { page } = await open({
				search: linkTo("ndvi_years", { row: 128, column: 128 }, 12, "&style=numbers&gaps=last"),
			});
			await whenShown(page);
			await goTo(page, DATE);
			await page.waitForFunction((index) => {
				const { cubesOf, sideA } = /** @type {any} */ (window).parts;
				return cubesOf(sideA).isAllFilled() && cubesOf(sideA).layer.painter.shown === index;
			}, DATE);
			const cells = Array.from({ length: 256 * 256 }, (_, at) => ({ row: at >> 8, column: at & 255 }));
			const values = cells.flatMap((cell) => valueAt("ndvi_years", DATE, cell) ?? []);
			const filled = cells.map((cell) => Number(lastNumberAt("ndvi_years", DATE, cell)) * 0.004 - 0.08);
			const meanOf = (/** @type {number[]} */ all) => all.reduce((sum, value) => sum + value, 0) / all.length;
			const inWords = (/** @type {number} */ mean) => String(Number(mean.toPrecision(3)));
			assert.ok(values.length < cells.length && inWords(meanOf(values)) !== inWords(meanOf(filled)));

			const counted = await page.evaluate((index) => {
				const { cubesOf, sideA } = /** @type {any} */ (window).parts;
				return cubesOf(sideA).histogram(index);
			}, DATE);

			assert.deepEqual([counted.valid, counted.total], [values.length, cells.length]);
			assert.ok(Math.abs(counted.mean - meanOf(values)) < 1e-9);
			await page.getByText(`On the map: mean ≈ ${inWords(meanOf(values))}`, { exact: true }).waitFor();
		},
	],
	[
		"35 a tile that fails is counted with the reason, the others stay, and Try again works",
		async ({ open }) => {
			let isDown = true;
			const { page } = await open({
				search: linkTo("ndvi", { row: 256, column: 256 }, 12, "&style=numbers&date=2019-01-01"),
				allowed: FAILED_REQUEST,
				routes: {
					"/2090/1370\\.ctc": (route) =>
						isDown
							? route.fulfill({
									status: 500,
									contentType: "application/problem+json",
									body: JSON.stringify({ title: "Failed", detail: "The disc is on fire.", status: 500 }),
								})
							: route.continue(),
				},
			});
			await page.getByText(/one of 4 map tiles|1 of 4 map tiles/i).waitFor();
			await whenShown(page);
			assert.match((await page.locator("#notices").textContent()) ?? "", /The disc is on fire/);
			assert.equal(await page.locator(".cube-failed").count(), 1);
			const good = { row: 300, column: 300 };
			await whenPixelIs(page, placeOf(good), greyOf(numberAt("ndvi", 0, good)));
			const bad = { row: 100, column: 100 };
			assert.equal((await pixelAt(page, placeOf(bad)))?.[3], 0);

			isDown = false;
			await page.getByRole("button", { name: "Try again" }).click();
			await page.locator(".cube-failed").waitFor({ state: "detached" });
			await whenPainted(page);
			await whenPixelIs(page, placeOf(bad), greyOf(numberAt("ndvi", 0, bad)));
			await page.getByText(/map tiles/).waitFor({ state: "detached" });
		},
	],
	[
		"35 a tile whose date fails keeps the picture of the date before, struck out",
		async ({ open }) => {
			let isDown = true;
			const { page } = await open({
				search: linkTo("ndvi", { row: 256, column: 256 }, 12, "&style=numbers&date=2019-01-01"),
				allowed: FAILED_REQUEST,
				routes: {
					"/2090/1370\\.ctc\\?datetime=2019-01-06": (route) =>
						isDown ? answerStatus(500, "The disc is on fire.")(route) : route.continue(),
				},
			});
			await whenShown(page);
			await goTo(page, 1);
			await page.locator("canvas.cube-failed").waitFor();
			await whenShown(page);
			const struck = await page.locator("canvas.cube-failed").evaluate((canvas) => {
				const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
				const context = /** @type {CanvasRenderingContext2D} */ (/** @type {any} */ (canvas).getContext("2d"));
				const words = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
				return words.filter((word) => word === 0xff6e6e6e).length / words.length;
			});
			assert.ok(struck > 0.1 && struck < 0.6, `${struck} of the tile is struck out`);
			const good = { row: 300, column: 300 };
			await whenPixelIs(page, placeOf(good), greyOf(numberAt("ndvi", 1, good)));
			isDown = false;
			await page.getByRole("button", { name: "Try again" }).click();
			await page.locator(".cube-failed").waitFor({ state: "detached" });
			for (const bad of CELLS.slice(0, 3)) await whenPixelIs(page, placeOf(bad), greyOf(numberAt("ndvi", 1, bad)));
		},
	],
	[
		"36 at rest a screen of two pixels to one has a pixel of data for each of its own, until time moves",
		async ({ open }) => {
			const cell = { row: 122, column: 134 };
			const { page, requests } = await open({
				search: linkTo("ndvi", { row: 120, column: 130 }, 10, "&date=2019-01-01"),
			});
			const session = await page.context().newCDPSession(page);
			const screen = { width: 1280, height: 800, deviceScaleFactor: 2, mobile: false };
			await session.send("Emulation.setDeviceMetricsOverride", screen);
			await page.reload();
			await whenShown(page);
			/** Returns the canvas pixels per page pixel; those of the coarse tiles if these are visible too. */
			const ratio = () =>
				page.evaluate(() => {
					const layers = [...document.querySelectorAll(".data-tiles")];
					const seen = layers.filter((layer) => /** @type {HTMLElement} */ (layer).style.opacity !== "0");
					const all = seen.flatMap((layer) => [...layer.querySelectorAll("canvas")]);
					return Math.min(...all.filter(({ width }) => width > 1).map((one) => one.width / one.clientWidth));
				});
			await until(page, async () => (await ratio()) === 2);
			const fine = requests.filter((url) => /\/11\/\d+\/\d+\.ctc/.test(url));
			assert.ok(fine.length > 0 && fine.every((url) => url.includes("datetime=2019-01-01T")), String(fine));
			const { value, words } = await hover(page, placeOf(cell));
			assert.match(words, /≈ .*, mean of 48 m/);
			// The middle of a page pixel is between four pixels of the screen.
			const means = [120, 122].flatMap((row) =>
				[132, 134].map((column) => {
					const four = [0, 1, 2, 3].map((at) =>
						valueAt("ndvi", 0, { row: row + (at >> 1), column: column + (at & 1) }),
					);
					const known = four.filter((each) => each !== null);
					return known.reduce((sum, each) => sum + each, 0) / known.length;
				}),
			);
			assert.ok(
				means.some((mean) => Math.abs(Number(value) - mean) <= 0.004),
				`${value}, not of ${means}`,
			);

			await goTo(page, 1, true);
			await until(page, async () => (await ratio()) === 1);
			await goTo(page, 1);
			await until(page, async () => (await ratio()) === 2);
			await session.send("Emulation.clearDeviceMetricsOverride");
		},
		"screens of two pixels to one",
	],
	...["cut short", "of another tile", "no cube at all"].map(
		(how) =>
			/** @type {[string, Check]} */ ([
				`35 an answer that is ${how} is an error and never wrong pixels`,
				async ({ base, open }) => {
					const { page } = await open({
						search: linkTo("ndvi", { row: 256, column: 256 }, 12, "&style=numbers&date=2019-01-01"),
						allowed: FAILED_REQUEST,
						routes: {
							"/2090/1370\\.ctc": async (route) => {
								const url = route
									.request()
									.url()
									.replace("/2090/1370", how === "of another tile" ? "/2091/1370" : "/2090/1370");
								const body = Buffer.from(await (await fetch(url)).arrayBuffer());
								const cut = how === "cut short" ? body.subarray(0, body.length - 40) : body;
								const sent = how === "no cube at all" ? Buffer.from("<html></html>") : cut;
								return route.fulfill({ contentType: "application/vnd.chronotile.cube", body: sent });
							},
						},
					});
					await page.getByText(/one of 4 map tiles|1 of 4 map tiles/i).waitFor();
					await whenShown(page);
					assert.match((await page.locator("#notices").textContent()) ?? "", /could not be read/);
					assert.equal((await pixelAt(page, placeOf({ row: 100, column: 100 })))?.[3], 0);
					assert.ok(base);
				},
			]),
	),
	[
		"35 without the server, dates that are loaded can still be scrubbed, and it is said",
		async ({ base, open }) => {
			const server = await stoppable(base);
			const { page, requests } = await open({
				at: server.at,
				search: linkTo("ndvi_years", { row: 128, column: 128 }, 12, "&style=numbers&date=2019-06-05"),
				allowed: /Failed to load resource|ERR_CONNECTION_REFUSED/,
			});
			await whenShown(page);
			await whenLoaded(page, "full", 73);
			await server.stop();
			const before = requests.length;
			for (let date = 92; date < 128; date += 5) {
				await goTo(page, date, true);
				await whenPainted(page);
				const cell = CELLS[date % 10];
				await whenPixelIs(page, placeOf(cell), greyOf(numberAt("ndvi_years", date, cell)));
			}
			assert.deepEqual(cubesOf(requests.slice(before)), []);
			await goTo(page, 127);
			const { x, y } = await onPage(page, placeOf(CELLS[5]));
			await page.mouse.click(x, y);
			await page.locator("#chart").getByText("The server cannot be reached").waitFor();
			assert.doesNotMatch((await page.locator("#notices").textContent()) ?? "", /part|could not be loaded/);

			await goTo(page, 10);
			await page.getByText(/Dates already loaded can still be viewed/).waitFor();
			await server.start();
			await page.getByText(/Dates already loaded can still be viewed/).waitFor({ state: "detached" });
			await whenShown(page);
			await whenPainted(page);
			const clear = CELLS.find((cell) => numberAt("ndvi_years", 10, cell) !== null) ?? CELLS[0];
			await whenPixelIs(page, placeOf(clear), greyOf(numberAt("ndvi_years", 10, clear)));
			await page.close();
			await server.stop();
		},
	],
	[
		"36 while time moves the preview stands in, at rest the full date does, and what is left behind is not loaded",
		async ({ open }) => {
			/** @type {(() => void)[]} */
			const held = [];
			const { page, requests } = await open({
				search: linkTo("ndvi", { row: 256, column: 256 }, 12, "&style=numbers"),
				routes: {
					// Years of full cells are loaded last.
					"\\.ctc\\?datetime=2019-01-01/2019-12-31&rev": (route) =>
						new Promise((done) => held.push(() => done(route.continue().catch(() => {})))),
				},
			});
			/** @type {string[]} */
			const stopped = [];
			page.on("requestfailed", (request) => stopped.push(request.url()));
			await whenShown(page);
			await whenLoaded(page, "preview", 73);
			assert.ok(cubesOf(requests).some((url) => url.includes("res=2")));
			const cell = { row: 128, column: 129 };
			const mean =
				[128, 129]
					.flatMap((row) => [128, 129].map((column) => Number(numberAt("ndvi", 24, { row, column }))))
					.reduce((sum, each) => sum + each) / 4;
			await goTo(page, 24, true);
			let preview = await pixelAt(page, placeOf(cell));
			const isMean = async () => {
				preview = await pixelAt(page, placeOf(cell));
				return preview !== null && Math.abs(preview[0] - mean) <= 0.5;
			};
			await until(page, isMean, () => `${preview} is not the mean of four cells, ${mean}`);
			assert.equal(
				await page.evaluate(() => {
					const { sideA } = /** @type {any} */ (window).parts;
					const { cubesOf: reading } = /** @type {any} */ (window).parts;
					return reading(sideA).histogram(24);
				}),
				null,
				"numbers are read from a preview",
			);

			await goTo(page, 24, false);
			await whenShown(page);
			await whenPainted(page);
			await whenPixelIs(page, placeOf(cell), greyOf(numberAt("ndvi", 24, cell)));

			await until(
				page,
				() => held.length > 0,
				() => "no full year was asked for",
			);
			const waiting = cubesOf(requests).filter((url) => /12-31&rev/.test(url)).length;
			await page.evaluate(() => {
				const { maps } = /** @type {any} */ (window).parts;
				maps.peek()[0].panBy([3000, 0], { animate: false });
			});
			await page.waitForFunction(() => {
				const { loader } = /** @type {any} */ (window).parts;
				return loader.pending === 0;
			});
			for (const let_go of held) let_go();
			await whenPainted(page);
			const least = Math.min(waiting, 4);
			await until(
				page,
				() => stopped.length >= least,
				() => `${least} of ${waiting} were stopped, but ${stopped.length}`,
			);
		},
	],
	[
		"35 a picture that fails is told with the reason, and Try again works",
		async ({ open }) => {
			let isDown = true;
			const { page } = await open({
				search: linkTo("rgb", { row: 128, column: 128 }, 12),
				allowed: FAILED_REQUEST,
				routes: {
					"/12/2090/1370\\.png": (route) =>
						isDown
							? route.fulfill({
									status: 503,
									contentType: "application/problem+json",
									body: JSON.stringify({ title: "Failed", detail: "The source is away.", status: 503 }),
								})
							: route.continue(),
				},
			});
			await page.getByText(/1 of one map tile could not be loaded. The server says: The source is away/).waitFor();
			isDown = false;
			await page.getByRole("button", { name: "Try again" }).click();
			await page.locator("#notices li").waitFor({ state: "detached" });
			const isShown = () =>
				[...document.querySelectorAll(".data-tiles img")].some(
					(tile) => /** @type {HTMLImageElement} */ (tile).naturalWidth === 256,
				);
			await page.waitForFunction(isShown);
		},
	],
	[
		"36 pictures of a new date replace the old ones when they are complete, and those of the dates around follow",
		async ({ open }) => {
			let release = () => {};
			const held = new Promise((resolve) => {
				release = () => resolve(null);
			});
			const { page, requests } = await open({
				search: linkTo("rgb", { row: 128, column: 128 }, 13, "&date=2019-01-01"),
				routes: {
					"\\.png\\?datetime=2019-01-31": (route) => held.then(() => route.continue()).catch(() => {}),
				},
			});
			await whenShown(page);
			await page.waitForFunction(
				() => performance.getEntriesByType("resource").filter(({ name }) => name.includes("2019-01-21T")).length > 0,
			);
			const asked = picturesOf(requests).map((url) => new URL(url).searchParams.get("datetime"));
			assert.deepEqual(
				[...new Set(asked)].map((when) => when?.slice(0, 10)),
				["2019-01-01", "2019-01-06", "2019-01-11", "2019-01-16", "2019-01-21"],
			);

			const sources = () =>
				page
					.locator(".data-tiles img.leaflet-tile-loaded")
					.evaluateAll((tiles) => tiles.map((tile) => /** @type {HTMLImageElement} */ (tile).src));
			await goTo(page, 6);
			await page.locator("#status[data-phase=loading]").waitFor({ state: "attached" });
			await page.waitForFunction(() => document.querySelectorAll(".data-tiles").length === 2);
			assert.ok(
				(await sources()).some((url) => url.includes("2019-01-01")),
				"the map is empty while the next date loads",
			);
			release();
			await whenShown(page);
			await until(page, async () => (await sources()).every((url) => !url.includes("2019-01-01")));
		},
	],
	...["one", "static", "long"].map(
		(layer) =>
			/** @type {[string, Check]} */ ([
				`37 the map shows ${layer}`,
				async ({ open }) => {
					const cell = { row: 31, column: 40 };
					const last = Math.max(0, FIXTURES[layer].dates.length - 1);
					const date = FIXTURES[layer].dates[last];
					const { page } = await open({
						search: linkTo(layer, cell, 13, `&style=numbers${date ? `&date=${date}` : ""}`),
					});
					await whenShown(page);
					await whenPainted(page);
					await whenPixelIs(page, placeOf(cell), greyOf(numberAt(layer, last, cell)));
				},
			]),
	),
	[
		"37 a layer of 1,000 dates is loaded window by window as the date comes near",
		async ({ open }) => {
			const cell = { row: 31, column: 40 };
			const { page, requests } = await open({ search: linkTo("long", cell, 13, "&style=numbers&date=2012-06-01") });
			await whenShown(page);
			await whenLoaded(page, "full", 80);
			const windows = () =>
				new Set(
					cubesOf(requests)
						.map((url) => new URL(url).searchParams.get("datetime"))
						.filter((when) => when?.includes("/")),
				);
			assert.deepEqual([...windows()], ["2012-01-01/2012-12-31"]);
			const december = FIXTURES.long.dates.indexOf(
				FIXTURES.long.dates.filter((day) => day < "2012-12-20").at(-1) ?? "",
			);
			await goTo(page, december);
			await whenLoaded(page, "full", 160);
			assert.deepEqual([...windows()], ["2012-01-01/2012-12-31", "2013-01-01/2013-12-31"]);
			for (const step of [1, 5, 9]) {
				await goTo(page, december + step, true);
				await whenPainted(page);
				await whenPixelIs(page, placeOf(cell), greyOf(numberAt("long", december + step, cell)));
			}
		},
	],
	[
		"2 a base map of the configuration lies under the data, with its attribution, and a link names it",
		async ({ base, open }) => {
			const streets = {
				id: "streets",
				title: "Streets",
				href: "/tiles/classes/WebMercatorQuad/{z}/{x}/{y}.png",
				attribution: "© <b>Streets</b> contributors",
				max_zoom: 12,
			};
			const config = await (await fetch(new URL("viewer/config.json", base))).json();
			const { page } = await open({
				search: "?layer=ndvi&bgLayer=streets&overlay=false",
				routes: { "/config\\.json": (route) => route.fulfill({ json: { ...config, base_maps: [streets] } }) },
			});
			await whenShown(page);
			await page.waitForFunction(() => {
				const tiles = /** @type {HTMLImageElement[]} */ ([...document.querySelectorAll(".leaflet-land-pane img")]);
				return tiles.some(({ naturalWidth, src }) => naturalWidth === 256 && src.includes("/classes/"));
			});
			assert.equal(await page.locator("#ground-credit").textContent(), streets.attribution);
			assert.equal(await page.locator("#notices li").count(), 0);
			assert.equal(new URL(page.url()).searchParams.get("bgLayer"), "streets");
		},
	],
	[
		"2 a base map of which no tile comes is named, and our own land lies in its place",
		async ({ base, open }) => {
			const streets = {
				id: "streets",
				title: "Streets of nowhere",
				href: "/tiles/no-such-layer/WebMercatorQuad/{z}/{x}/{y}.png",
				attribution: "© Streets",
				max_zoom: 12,
			};
			const config = await (await fetch(new URL("viewer/config.json", base))).json();
			const { page } = await open({
				search: "?layer=ndvi&bgLayer=streets&overlay=false",
				allowed: FAILED_REQUEST,
				routes: { "/config\\.json": (route) => route.fulfill({ json: { ...config, base_maps: [streets] } }) },
			});
			await whenShown(page);
			await page.locator("#notices li").filter({ hasText: "Streets of nowhere" }).waitFor();
			// Until there is land.
			await page.waitForFunction(() =>
				[.../** @type {NodeListOf<HTMLCanvasElement>} */ (document.querySelectorAll(".leaflet-land-pane canvas"))].some(
					(canvas) => {
						const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(
							0,
							0,
							canvas.width,
							canvas.height,
						);
						return data.some((byte) => byte !== 0);
					},
				),
			);
			assert.doesNotMatch((await page.locator("#ground-credit").textContent()) ?? "", /Streets/);
			assert.equal(new URL(page.url()).searchParams.get("bgLayer"), "streets");
		},
	],
	[
		"38 a layer across 180 degrees opens on its data",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=dateline&overlay=false" });
			await whenShown(page);
			const { lon, zoom } = await page.evaluate(() => /** @type {any} */ (window).parts.view.peek());
			assert.ok(zoom >= 6, `zoom ${zoom}`);
			assert.ok(Math.abs(lon) > 177, `longitude ${lon}`);
			const box = await page.locator("#map").boundingBox();
			assert.ok(box);
			await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
			await page.locator("#readout .reading strong").first().filter({ hasNotText: "…" }).waitFor();
			assert.notEqual(await page.locator("#readout .reading").first().getAttribute("data-value"), "");
		},
	],
	[
		"38 a layer across 180 degrees is whole, on both sides and in one view",
		async ({ open }) => {
			const places = [
				{ lon: 179.5, lat: -17 },
				{ lon: -179.5, lat: -17.2 },
			];
			for (const centre of ["180,-17.1", "-180,-17.1", "179,-17.1"]) {
				const { page } = await open({ search: `?layer=dateline&view=${centre},8&overlay=false` });
				await whenShown(page);
				for (const place of places) {
					const { value } = await hover(
						page,
						centre.startsWith("-") && place.lon > 0
							? { ...place, lon: place.lon - 360 }
							: !centre.startsWith("-") && place.lon < 0
								? { ...place, lon: place.lon + 360 }
								: place,
					);
					assert.notEqual(value, "", `no value at ${JSON.stringify(place)} from ${centre}`);
				}
			}
		},
	],
	[
		"38 a layer of the far north in another CRS is not cut",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=polar&overlay=false" });
			await whenShown(page);
			for (const { lon, lat, row, column } of POLAR_CELLS) {
				const { value } = await hover(page, { lon, lat });
				assert.notEqual(value, "", `no value at row ${row}, column ${column}`);
			}
			for (const { lon, lat, row, column } of POLAR_CELLS) {
				await page.evaluate(
					([east, north]) => {
						const { maps } = /** @type {any} */ (window).parts;
						maps.peek()[0].setView([north, east], 9, { animate: false });
					},
					[lon, lat],
				);
				await whenShown(page);
				await page.waitForFunction(
					(at) => {
						const { sideA } = /** @type {any} */ (window).parts;
						const { cubesOf: reading } = /** @type {any} */ (window).parts;
						return reading(sideA).numbersAt(at, sideA.timeIndex.peek()) !== null;
					},
					{ lon, lat },
				);
				const { value, words } = await hover(page, { lon, lat });
				const last = FIXTURES.polar.dates.length - 1;
				if (!words.includes("≈")) assert.equal(value, String(valueAt("polar", last, { row, column })));
			}
		},
	],
	[
		"36 dates that cannot be had, or of which the map shows nothing, are not waited for",
		async ({ open }) => {
			const { page } = await open({
				search: linkTo("ndvi", { row: 256, column: 256 }, 12),
				allowed: FAILED_REQUEST,
				routes: { "\\.ctc\\?datetime=2019-01-01/2019-12-31&rev": answerStatus(400, "Too much.") },
			});
			await whenShown(page);
			const wait = () =>
				page.evaluate(async () => {
					const { sideA, cubesOf: reading } = /** @type {any} */ (window).parts;
					return reading(sideA)
						.whenLoaded([40], AbortSignal.timeout(50_000))
						.then(
							() => "told",
							() => "waited",
						);
				});
			assert.equal(await wait(), "told");
			await page.evaluate(() => {
				const { maps } = /** @type {any} */ (window).parts;
				maps.peek()[0].setView([-40, 100], 12, { animate: false });
			});
			assert.equal(await wait(), "told");
		},
	],
	[
		"42 cubes keep to their bounds of memory, and nothing grows round after round",
		async ({ open }) => {
			const { page } = await open({ search: linkTo("ndvi_years", { row: 128, column: 128 }, 13) });
			await whenShown(page);
			await whenLoaded(page, "full", 73);
			const cap = 24 * MIB;
			const client = await page.context().newCDPSession(page);
			const heapAfter = async () => {
				await client.send("HeapProfiler.collectGarbage");
				const { usedSize, backingStorageSize = 0 } = /** @type {any} */ (await client.send("Runtime.getHeapUsage"));
				// The memory for cubes is limited, and its content depends on the last ones.
				return (
					usedSize + backingStorageSize - (await page.evaluate(() => /** @type {any} */ (window).parts.loader.bytes))
				);
			};
			const roundOf = () =>
				page.evaluate(async (bytes) => {
					const { maps } = /** @type {any} */ (window).parts;
					const { loader, cubesOf: reading } = /** @type {any} */ (window).parts;
					const { sideA, chooseTime } = /** @type {any} */ (window).parts;
					loader.maxBytes = bytes;
					let most = 0;
					for (const zoom of [13, 14, 12, 15, 11]) {
						maps.peek()[0].setZoom(zoom, { animate: false });
						for (const date of [5, 80, 150]) {
							chooseTime(date);
							await reading(sideA)
								.whenLoaded([date], AbortSignal.timeout(20_000))
								.catch(() => {});
							most = Math.max(most, loader.bytes);
						}
					}
					return most;
				}, cap);
			await roundOf();
			/** @type {number[]} */
			const most = [];
			// The smallest of three rounds: pending requests and memory that is not yet released are no growth.
			const leastOf = async () => {
				/** @type {number[]} */
				const heaps = [];
				for (let time = 0; time < 3; time++) {
					most.push(await roundOf());
					heaps.push(await heapAfter());
				}
				return Math.min(...heaps);
			};
			const before = await leastOf();
			for (let time = 0; time < 8; time++) most.push(await roundOf());
			let more = (await heapAfter()) - before;
			const isNoMore = async () => {
				if (more >= 3 * MIB) {
					most.push(await roundOf());
					more = (await heapAfter()) - before;
				}
				return more < 3 * MIB;
			};
			// A leak grows in every round; pending requests and memory that is not yet released are less in a later round.
			await until(page, isNoMore, () => `${more / MIB} MiB more after eight rounds`);
			assert.ok(Math.max(...most) <= cap * 1.3, `${Math.max(...most) / MIB} MiB`);
		},
	],
]);
