/** Scenarios 10 to 14 of the viewer: values of places over time. `node chart.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { copyFile, readFile } from "node:fs/promises";
import { parseCsv } from "../../../viewer/areas/formats/csv.js";
import { encodeGeometry } from "../../../viewer/areas/formats/polyline.js";
import { parseWkt } from "../../../viewer/areas/formats/wkt.js";
import { cellAt, centreOf, FIXTURES, valueAt } from "./formula.mjs";
import { FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { brokenRules, chooseLayer, linkValue, until, whenAtRest, whenFocused, whenLinkSays } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** Precision of values up to 1: statistics are written as shortest decimals of their float32. */
const FLOAT32_STEP = 6e-8;

/** @typedef {import("./formula.mjs").Point} Point */
/** @typedef {[west: number, south: number, east: number, north: number]} Box */

const round = (/** @type {number} */ degrees) => Number(degrees.toFixed(5));

/** Centres of cells of `ndvi`, as a link names them. @type {Point[]} */
const POINTS = [
	{ row: 100, column: 100 },
	{ row: 40, column: 300 },
	{ row: 400, column: 210 },
].map((cell) => ({ lon: round(centreOf(cell).lon), lat: round(centreOf(cell).lat) }));
const PT = POINTS.map(({ lon, lat }) => `${lon},${lat}`).join(";");

/**
 * Returns a box of whole cells of the layers at Ghent.
 * @param {number} row
 * @param {number} column
 * @param {number} size
 */
function areaOf(row, column, size) {
	const [from, to] = [
		centreOf({ row: row - 0.5, column: column - 0.5 }),
		centreOf({ row: row + size - 0.5, column: column + size - 0.5 }),
	];
	const [west, east, north, south] = [from.lon, to.lon, from.lat, to.lat];
	return {
		type: "Polygon",
		coordinates: [
			[
				[west, south],
				[east, south],
				[east, north],
				[west, north],
				[west, south],
			],
		],
	};
}

/**
 * Returns the formula's values in that box at a date.
 * @param {string} layer
 * @param {number} t
 * @param {number} row
 * @param {number} column
 * @param {number} size
 */
function valuesIn(layer, t, row, column, size) {
	const cells = Array.from({ length: size * size }, (_, at) => ({
		row: row + Math.floor(at / size),
		column: column + (at % size),
	}));
	return cells.map((cell) => valueAt(layer, t, cell)).filter((value) => value !== null);
}

const meanOf = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {Page} page */
async function whenShown(page) {
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
}

/**
 * Opens a page with the first point in the middle of the map; returns its position on the page.
 * @param {import("./harness.mjs").Bench["open"]} open
 */
async function openAtPoint(open) {
	const [{ lon, lat }] = POINTS;
	const { page } = await open({ search: `?layer=ndvi&view=${lon},${lat},14` });
	await whenShown(page);
	const box = await page.locator("#map").boundingBox();
	assert.ok(box);
	return { page, box };
}

/** @param {Page} page @param {number} count */
const whenExact = (page, count) =>
	page.waitForFunction(
		(wanted) => document.querySelectorAll('.place-state[data-kind="exact"]').length === wanted,
		count,
	);

/** Returns the parameter of a link for an area. @param {string} name @param {ReturnType<typeof areaOf>} area */
const aoi = (name, area) =>
	`&aoi=${encodeURIComponent(`${encodeURIComponent(name)}~${encodeGeometry(/** @type {any} */ (area))}`)}`;

const FIELD_0 = aoi("Field 0", areaOf(20, 20, 40));

/** Returns the rows of the chart's table. @param {Page} page @returns {Promise<string[][]>} */
async function readTable(page) {
	await page.getByRole("tab", { name: "Table" }).click();
	return page
		.locator(".chart-table tbody tr")
		.evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent ?? "")));
}

/** Chooses in the menu of a place. @param {Page} page @param {number} index of its chip @param {RegExp} words */
async function chooseOfPlace(page, index, words) {
	await page
		.locator(".place")
		.nth(index)
		.getByRole("button", { name: /^Menu of/ })
		.click();
	await page.locator(".place-menu:popover-open").getByRole("button", { name: words }).click();
}

/**
 * Returns the downloaded file of the chart, and its name.
 * @param {Page} page
 * @param {string} [menu]
 * @param {RegExp} [choice]
 */
async function saveChart(page, menu = "Download", choice = /^CSV/) {
	await page.locator("#chart").getByRole("button", { name: menu, exact: true }).click();
	const [download] = await Promise.all([
		page.waitForEvent("download"),
		page.locator(".chart-download").getByRole("button", { name: choice }).click(),
	]);
	return { name: download.suggestedFilename(), path: await download.path() };
}

/** Returns the dates of a layer in the fixtures' order, in the format of the table. @param {string} layer */
const datesOf = (layer) =>
	FIXTURES[layer].dates.map((date) =>
		new Date(date).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" }),
	);

/**
 * Answers as a server with a small limit does while a question is too much.
 * @param {string} limit
 * @param {number} allowed
 * @param {(url: URL, body: string) => boolean} isTooMuch
 */
const limitedTo = (limit, allowed, isTooMuch) => (/** @type {import("./harness.mjs").Route} */ route) => {
	const request = route.request();
	if (!isTooMuch(new URL(request.url()), request.postData() ?? "")) return route.fallback();
	const detail = `${limit}: at most ${allowed}, more requested; request less`;
	return route.fulfill({
		status: 400,
		contentType: "application/problem+json",
		body: JSON.stringify({ type: "limit-exceeded", title: "Limit exceeded", status: 400, detail, limit, allowed }),
	});
};

await runAsCalled([
	[
		"10 a click gives the values of the place, exactly those of the formula, and gaps are gaps",
		async ({ open }) => {
			const { page, box } = await openAtPoint(open);
			await page.mouse.click(box.x + box.width / 2 + 40, box.y + box.height / 2 - 30);
			await page.locator("#chart .chart-plot .plot-drawing").waitFor();
			await whenExact(page, 1);
			const rows = await readTable(page);
			await page.waitForFunction(() => new URLSearchParams(window.location.search).has("pt"));
			await whenAtRest(page);

			const [x, y] = (linkValue(page, "pt") ?? "").split(",").map(Number);
			const cell = cellAt({ lon: x, lat: y });
			const expected = FIXTURES.ndvi.dates.map((_, t) => valueAt("ndvi", t, cell));
			assert.deepEqual(
				rows.map(([, value]) => (value === "no data" ? null : Number(value))),
				expected.map((value) => (value === null ? null : Number(value.toFixed(9)))),
			);
			assert.ok(expected.includes(null));
		},
	],
	[
		"10 before the server answers, the chart has what the map has loaded, and says so",
		async ({ open }) => {
			const [{ lon, lat }] = POINTS;
			/** @type {() => void} */
			let answer = () => {};
			const isLate = new Promise((resolve) => {
				answer = () => resolve(null);
			});
			const { page } = await open({
				search: `?layer=ndvi&view=${lon},${lat},14`,
				routes: { "/timeseries/": (route) => isLate.then(() => route.fallback()) },
			});
			await whenShown(page);
			await page.locator("#timeline .strip-slider").hover();
			await page.locator('#timeline .strip[data-full="73"]').waitFor();
			await whenAtRest(page, "#map");
			const box = await page.locator("#map").boundingBox();
			assert.ok(box);
			await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
			await page.locator('.place-state[data-kind="loading"]').getByText("from the map").waitFor();
			await page.locator("#chart .chart-plot .plot-drawing").waitFor();
			const before = await readTable(page);
			answer();
			await whenExact(page, 1);

			assert.equal(before.length, 73);
			assert.deepEqual(before, await readTable(page));
			const cell = cellAt({ lon, lat });
			const expected = FIXTURES.ndvi.dates.map((_, t) => valueAt("ndvi", t, cell));
			assert.deepEqual(
				before.map(([, value]) => value),
				expected.map((value) => (value === null ? "no data" : String(Number(value.toPrecision(9))))),
			);
		},
	],
	[
		"11 three points and an area share a chart: numbers and colours of their own, names, hiding, removing",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&pt=${PT}${FIELD_0}` });
			await whenShown(page);
			await whenExact(page, 4);
			const rows = page.locator(".place");
			assert.deepEqual(await rows.locator(".place-badge").allTextContents(), ["1", "2", "3", "4"]);
			const colours = await rows
				.locator(".place-badge span")
				.evaluateAll((all) => all.map((badge) => getComputedStyle(badge).backgroundColor));
			assert.equal(new Set(colours).size, 4);

			await chooseOfPlace(page, 0, /^Rename/);
			await page.getByRole("textbox", { name: "Name of the place" }).fill("Oak <b>1</b>");
			await page.keyboard.press("Enter");
			assert.equal(await rows.nth(0).locator(".place-name").textContent(), "Oak <b>1</b>");
			await rows
				.nth(1)
				.getByRole("button", { name: /^2 .*, shown$/ })
				.click();
			assert.equal(await rows.nth(1).getByRole("button", { name: /^2 / }).getAttribute("aria-pressed"), "false");
			await chooseOfPlace(page, 2, /^Remove/);
			assert.deepEqual(await rows.locator(".place-badge").allTextContents(), ["1", "2", "4"]);
			await page.getByRole("tab", { name: "Table" }).click();
			assert.deepEqual(await page.locator(".chart-table thead th").allTextContents(), [
				"Date",
				"1 Oak <b>1</b>",
				"4 Field 0",
				"Cells with a value",
			]);
		},
	],
	[
		"11 the point chosen last gives way to the next one, unless it is kept",
		async ({ open }) => {
			const { page, box } = await openAtPoint(open);
			const click = async (/** @type {number} */ x, /** @type {number} */ count) => {
				await page.mouse.click(box.x + x, box.y + 100);
				await page.waitForFunction((wanted) => document.querySelectorAll(".place").length === wanted, count);
				await whenExact(page, count);
			};
			await click(200, 1);
			const before = await page.locator(".place-name").textContent();
			await click(300, 1);
			await page.waitForFunction((was) => document.querySelector(".place-name")?.textContent !== was, before);
			await whenExact(page, 1);
			await chooseOfPlace(page, 0, /^Keep/);
			await click(400, 2);
		},
	],
	[
		"12 the series of an area is that of the formula: mean and count",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&view=${POINTS[0].lon},${POINTS[0].lat},12${FIELD_0}` });
			await whenShown(page);
			await whenExact(page, 1);
			const rows = await readTable(page);

			assert.equal(rows.length, 73);
			for (const [t, [, mean, count]] of rows.entries()) {
				const values = valuesIn("ndvi", t, 20, 20, 40);
				assert.equal(Number(count.replaceAll(",", "")), values.length);
				if (values.length > 0) assert.ok(Math.abs(Number(mean) - meanOf(values)) < 1e-4, `${t}: ${mean}`);
			}
		},
	],
	[
		"12 statistics of an area are those of the formula at the date of the map, and its histogram has every value",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-02-15&pt=${PT}${FIELD_0}` });
			await whenShown(page);
			await whenExact(page, 4);
			await page.getByRole("tab", { name: "Statistics" }).click();
			await page.locator('.histogram[data-stale="false"]').waitFor();
			const values = valuesIn("ndvi", 9, 20, 20, 40).sort((one, other) => one - other);
			const mean = meanOf(values);
			const std = Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
			const at = (/** @type {number} */ share) => {
				const place = share * (values.length - 1);
				const below = values[Math.floor(place)];
				return below + (place % 1) * (values[Math.ceil(place)] - below);
			};
			const cells = await page.locator(".statistics-part").first().locator("tbody td").allTextContents();
			const expected = [mean, std, values[0], at(0.1), at(0.5), at(0.9), values[values.length - 1]];
			assert.ok(values.length > 0 && values.length < 1600);
			assert.deepEqual(cells, [
				...expected.map((value) => String(Number(value.toPrecision(4)))),
				values.length.toLocaleString("en-GB"),
				`${Math.round((100 * values.length) / 1600)}%`,
			]);
			const counts = await page
				.locator(".histogram-bar")
				.evaluateAll((bars) => bars.map((bar) => Number(bar.dataset.count)));
			assert.equal(
				counts.reduce((sum, count) => sum + count, 0),
				values.length,
			);
			assert.deepEqual(await brokenRules(page), []);
			await page.screenshot({ path: `${outDir}/statistics.png` });
		},
	],
	[
		"27 statistics of an area leave out the values that fill its gaps on the map",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-02-15&gaps=last${FIELD_0}` });
			await whenShown(page);
			await whenExact(page, 1);
			await page.getByRole("tab", { name: "Statistics" }).click();
			await page.locator('.histogram[data-stale="false"]').waitFor();
			const values = valuesIn("ndvi", 9, 20, 20, 40);
			const cells = await page.locator(".statistics-part").first().locator("tbody td").allTextContents();

			assert.ok(values.length > 0 && values.length < 1600);
			assert.equal(cells[0], String(Number(meanOf(values).toPrecision(4))));
			assert.equal(cells[7], values.length.toLocaleString("en-GB"));
		},
	],
	[
		"12 an area of a layer of classes has the commonest class, and the share of each",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=classes&date=2019-01-06${aoi("Blocks", areaOf(0, 0, 24))}` });
			await whenShown(page);
			await whenExact(page, 1);
			const values = valuesIn("classes", 1, 0, 0, 24);
			const counts = Array.from({ length: 12 }, (_, value) => values.filter((each) => each === value).length);
			await page.getByRole("tab", { name: "Statistics" }).click();
			await page.locator(".histogram").waitFor();

			assert.deepEqual(
				await page.locator(".histogram-bar").evaluateAll((bars) => bars.map((bar) => Number(bar.dataset.count))),
				counts,
			);
			const labels = ["", "saturated or defective", "dark area", "cloud shadow", "vegetation", "not vegetated"];
			const commonest = labels[counts.indexOf(Math.max(...counts))];
			await page.locator(".place-value").getByText(commonest, { exact: true }).waitFor();
		},
	],
	[
		"13 a click on the chart sets the date of the map, and the date of the map moves the chart's mark",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&date=2019-06-05&pt=${PT}` });
			await whenShown(page);
			await whenExact(page, 3);
			await whenAtRest(page, "#chart .plot-over");
			const plot = await page.locator("#chart .plot-over").boundingBox();
			assert.ok(plot);
			const markAt = async () => ((await page.locator(".plot-mark").boundingBox())?.x ?? 0) - plot.x;
			const before = await markAt();
			assert.ok(before > plot.width * 0.3 && before < plot.width * 0.6, `${before}`);
			await page.mouse.click(plot.x + 2, plot.y + 20);
			await whenLinkSays(page, "date", "2019-01-01");
			await until(page, async () => (await markAt()) < 20);
			await page.getByRole("slider", { name: /^Date/ }).press("End");
			await whenLinkSays(page, "date", "2019-12-27");
			await until(page, async () => (await markAt()) > plot.width - 20);
			await page.locator(".place-date").getByText("27 Dec 2019", { exact: true }).waitFor();
		},
	],
	[
		"13 in a comparison of two dates the list has the values of both, and the map its room",
		async ({ open, outDir }) => {
			const [point] = POINTS;
			const { page } = await open({
				height: 710,
				search: `?layer=ndvi&date=2019-01-01&date2=2019-02-10&compare=swipe&pt=${point.lon},${point.lat}`,
			});
			await whenExact(page, 1);
			await page.locator("#compare-bar .modes").waitFor();
			const cell = cellAt(point);
			const [a, b] = [0, 8].map((t) => {
				const value = valueAt("ndvi", t, cell);
				return value === null ? "no data" : Number(value.toPrecision(9));
			});
			await page.locator(".place-value").getByText(`A ${a} · B ${b}`, { exact: true }).waitFor();
			// The chart shrinks: no part of it is below the window.
			await page.waitForFunction(() => {
				const stage = document.querySelector(".stage");
				return stage && stage.scrollHeight === stage.clientHeight;
			});
			await page.screenshot({ path: `${outDir}/compared-chart.png` });
			await page.waitForFunction(() => (document.querySelector("#map")?.getBoundingClientRect().height ?? 0) >= 360);
		},
	],
	[
		"13 in a comparison the other layer has its own lines, values and mark",
		async ({ open }) => {
			const [point] = POINTS;
			const place = `pt=${point.lon},${point.lat}`;
			const { page } = await open({
				search: `?layer=ndvi&date=2019-01-01&compare=opacity&layer2=lai16&date2=2019-02-10&${place}`,
			});
			await whenShown(page);
			await page.locator(".place-value").getByText(" · ").waitFor();
			await whenExact(page, 1);

			const cell = cellAt(point);
			const [a, b] = [valueAt("ndvi", 0, cell), valueAt("lai16", 8, cell)].map((value) =>
				Number((value ?? 0).toPrecision(9)),
			);
			await page.locator(".place-value").getByText(`A ${a} · B ${b}`, { exact: true }).waitFor();
			await page.locator(".place-date").getByText("1 Jan 2019 · 10 Feb 2019", { exact: true }).waitFor();
			assert.match((await page.locator("#chart-title").textContent()) ?? "", /^NDVI of 2019.*, LAI of 16 bits/);
			await page.waitForFunction(() => {
				const marks = [...document.querySelectorAll(".plot-mark")].map((mark) => mark.getBoundingClientRect().x);
				return marks.length === 2 && marks[1] > marks[0] && document.querySelectorAll(".plot-dot").length === 2;
			});
		},
	],
	[
		"13 a period is dragged or typed, all dates come back, and the drawer is made taller by keys",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi_years&pt=${PT.split(";")[0]}` });
			await whenShown(page);
			await whenExact(page, 1);
			await whenAtRest(page, "#chart .plot-over");
			const plot = await page.locator("#chart .plot-over").boundingBox();
			assert.ok(plot);
			const y = plot.y + 30;
			await page.mouse.move(plot.x + plot.width * 0.25, y);
			await page.mouse.down();
			await page.mouse.move(plot.x + plot.width * 0.5, y, { steps: 4 });
			await page.mouse.up();
			await page.getByRole("button", { name: "All dates" }).click();
			await page.getByRole("button", { name: "Curves", exact: true }).click();
			assert.equal(await page.getByLabel("First day shown").inputValue(), "1 Jan 2018");
			await page.getByLabel("First day shown").fill("1 January 2019");
			await page.getByLabel("Last day shown").fill("2019-12-31");
			await page.keyboard.press("Enter");
			await whenLinkSays(page, "period", "2019-01-01/2019-12-31");
			await page.keyboard.press("Escape");
			await page.getByRole("tab", { name: "Statistics" }).click();
			await page.getByText("1 January 2019 to 27 December 2019").waitFor();

			const handle = page.getByRole("separator", { name: "Height of the chart" });
			const before = Number(await handle.getAttribute("aria-valuenow"));
			await handle.press("ArrowUp");
			assert.equal(Number(await handle.getAttribute("aria-valuenow")), before + 24);
			assert.equal((await page.locator(".chart-body").boundingBox())?.height, before + 24);
		},
	],
	[
		"13 a curve and the usual range are the server's, and a link keeps what is drawn of areas",
		async ({ open }) => {
			const { page, requests } = await open({ search: `?layer=ndvi_years&pt=${PT.split(";")[0]}&agg=p25${FIELD_0}` });
			await whenShown(page);
			await whenExact(page, 2);
			await page.getByRole("button", { name: "Curves", exact: true }).click();
			await page.getByRole("combobox", { name: "Curve" }).selectOption("whittaker");
			await page.getByLabel("Usual range of all years").check();
			const asked = () =>
				requests
					.map((url) => new URL(url))
					.filter(({ pathname }) => pathname.includes("/timeseries/"))
					.map(({ searchParams }) => searchParams.get("smooth") ?? searchParams.get("climatology"))
					.filter((each) => each !== null);
			await until(
				page,
				() => asked().length >= 6,
				() => `six questions, not ${asked()}`,
			);
			await page.locator(".chart-message").getByText("Calculating").waitFor({ state: "hidden" });
			assert.deepEqual(asked().sort(), ["p10", "p10", "p90", "p90", "whittaker", "whittaker"]);
			assert.equal(await page.getByRole("combobox", { name: "Areas" }).inputValue(), "p25");
			assert.equal(linkValue(page, "agg"), "p25");
			await page.getByRole("combobox", { name: "Areas" }).selectOption("median");
			await whenLinkSays(page, "agg", "median");
		},
	],
	[
		"13 a folded drawer stays folded in a link, and closing it takes the places out",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&pt=${PT}&chart=0` });
			await whenShown(page);
			await page.locator("#chart h2").waitFor();
			assert.ok(await page.locator(".chart-body").isHidden());
			await page.getByRole("button", { name: "Collapse the chart" }).click();
			await whenExact(page, 3);
			await whenLinkSays(page, "chart", null);
			await page.getByRole("button", { name: /^Close the chart/ }).click();
			await whenAtRest(page);

			assert.equal(linkValue(page, "pt"), null);
			await whenFocused(page, "map");
		},
	],
	[
		"14 the table has the dates and the numbers of the chart, and a date in it is shown on the map",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&pt=${PT}` });
			await whenShown(page);
			await whenExact(page, 3);
			const rows = await readTable(page);

			assert.deepEqual(
				rows.map(([date]) => date),
				datesOf("ndvi"),
			);
			for (const [index, point] of POINTS.entries()) {
				const expected = FIXTURES.ndvi.dates.map((_, t) => valueAt("ndvi", t, cellAt(point)));
				assert.deepEqual(
					rows.map((row) => row[index + 1]),
					expected.map((value) => (value === null ? "no data" : String(Number(value.toPrecision(9))))),
				);
			}
			await page.getByRole("button", { name: "15 February 2019" }).click();
			await whenLinkSays(page, "date", "2019-02-15");
			assert.equal(await page.locator('.chart-table [aria-current="date"] th').textContent(), "15 February 2019");
			assert.deepEqual(await brokenRules(page), []);
		},
	],
	[
		"14 of a thousand dates the table has the first ones, and the rest when it is wanted",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=long&date=2010-01-01&pt=3.7,51.06" });
			await whenShown(page);
			await whenExact(page, 1);
			const first = await readTable(page);
			assert.equal(first.length, 250);
			await page.getByRole("button", { name: "750 more dates" }).click();
			const all = await readTable(page);

			assert.deepEqual(
				all.map(([date]) => date),
				datesOf("long"),
			);
			assert.deepEqual(all.slice(0, 250), first);
		},
	],
	[
		"14 without lines to draw there are only the places: of a layer without time, of one date, of a place without values",
		async ({ open }) => {
			const still = await open({ search: `?layer=static&pt=${PT.split(";")[0]}` });
			await whenExact(still.page, 1);
			const expected = valueAt("static", 0, cellAt(POINTS[0]));
			await still.page
				.locator(".place-value")
				.getByText(String(Number((expected ?? 0).toPrecision(9))), { exact: true })
				.waitFor();
			await still.page.locator(".chart-plot").waitFor({ state: "hidden" });
			await still.page.waitForFunction(
				() => (document.querySelector("#chart")?.getBoundingClientRect().height ?? 999) < 130,
			);

			const { lon, lat } = centreOf({ row: 100, column: 250 });
			const empty = await open({ search: `?layer=flagged&pt=${round(lon)},${round(lat)}` });
			await whenShown(empty.page);
			await empty.page.getByText("None of the 12 dates has a value here.").waitFor();
			await empty.page.locator(".place-value").getByText("no data", { exact: true }).waitFor();
		},
	],
	[
		"14 the file stands alone: identity, geometry, date, exact value, count and unit of every place",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&pt=${PT}${aoi('=Field "0", north', areaOf(20, 20, 40))}` });
			await whenShown(page);
			await whenExact(page, 4);
			const { name, path } = await saveChart(page);
			assert.match(name, /^ndvi_.*_2019\.csv$/);
			const [head, ...rows] = parseCsv(await readFile(path, "utf8")).map(({ cells }) => cells);

			const places = ["id", "name", "geometry", "date", "value"];
			assert.deepEqual(head, [...places, "p10", "p90", "count", "unit", "layer", "statistic"]);
			assert.equal(rows.length, 4 * 73);
			for (const [t, [, , geometry, date, value, , , count]] of rows.slice(0, 73).entries()) {
				const expected = valueAt("ndvi", t, cellAt(POINTS[0]));
				assert.equal(geometry, `POINT (${POINTS[0].lon} ${POINTS[0].lat})`);
				assert.equal(date, `${FIXTURES.ndvi.dates[t]}T00:00:00Z`);
				assert.deepEqual([value, count], expected === null ? ["", "0"] : [String(expected), "1"]);
			}
			const area = rows.slice(3 * 73);
			const [shape] = parseWkt(area[0][2]);
			assert.equal(shape.type, "Polygon");
			assert.equal(encodeGeometry(/** @type {any} */ (shape)), encodeGeometry(/** @type {any} */ (areaOf(20, 20, 40))));
			assert.deepEqual([area[0][1], area[0][9], area[0][10]], ['=Field "0", north', "ndvi", "mean"]);
			for (const [t, [, , , , value, , , count]] of area.entries()) {
				const values = valuesIn("ndvi", t, 20, 20, 40);
				assert.equal(Number(count), values.length);
				assert.ok(
					values.length === 0 ? value === "" : Math.abs(Number(value) - meanOf(values)) < FLOAT32_STEP,
					`${t}: ${value}`,
				);
			}
		},
	],
	[
		"14 with decimal commas the file has the same values, between semicolons",
		async ({ open }) => {
			const { page } = await open({ search: `?language=de&layer=ndvi&pt=${PT}` });
			await whenShown(page);
			await whenExact(page, 3);
			const save = async () => readFile((await saveChart(page, "Herunterladen")).path, "utf8");
			const plain = parseCsv(await save()).map(({ cells }) => cells);
			await page.getByRole("button", { name: "Herunterladen", exact: true }).click();
			await page.getByRole("checkbox", { name: "CSV mit Dezimalkomma und Semikolon" }).check();
			await page.keyboard.press("Escape");
			const text = await save();

			assert.match(text, /^id;name;geometry;date;value;count;unit;layer;statistic\r\n/);
			const written = parseCsv(text).map(({ cells }) => cells);
			const withPoints = written.map((cells) => cells.map((cell, at) => (at === 4 ? cell.replace(",", ".") : cell)));
			assert.deepEqual(withPoints, plain);
			assert.ok(written.slice(1).every(([, , , , value]) => /^(-?\d+(,\d+)?)?$/.test(value)));
			assert.ok(written.some(([, , , , value]) => value.includes(",")));
		},
	],
	[
		"14 the file, read again, gives the same places",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&pt=${PT}${FIELD_0}` });
			await whenShown(page);
			await whenExact(page, 4);
			const file = `${outDir}/values.csv`;
			await copyFile((await saveChart(page)).path, file);
			const fresh = await open({ search: "?layer=ndvi" });
			await whenShown(fresh.page);
			const [chooser] = await Promise.all([
				fresh.page.waitForEvent("filechooser"),
				fresh.page.getByRole("button", { name: /^Upload a file/ }).click(),
			]);
			await chooser.setFiles(file);
			await fresh.page.locator("#areas-panel").getByText("Field 0").waitFor();

			const named = await page.locator(".place-name").allTextContents();
			const read = await fresh.page.locator("#areas-panel li").allTextContents();
			assert.equal(read.length, 4);
			for (const name of named)
				assert.ok(
					read.some((words) => words.includes(name)),
					`${name}: ${read}`,
				);
		},
	],
	[
		"14 an area that is too much for the server says so and can be asked for one year, or with fewer corners",
		async ({ open }) => {
			const tooLong = await open({
				search: `?layer=ndvi_years&date=2019-06-05${FIELD_0}`,
				allowed: FAILED_REQUEST,
				routes: { "/area\\?": limitedTo("max_area_values", 1000, (url) => !url.searchParams.has("datetime")) },
			});
			await whenShown(tooLong.page);
			await tooLong.page.getByText(/^No values: The server says: max_area_values: at most 1000/).waitFor();
			await tooLong.page.getByRole("button", { name: "Only 2019" }).click();
			await tooLong.page.getByText("exact, 2019 only").waitFor();
			const rows = await readTable(tooLong.page);
			assert.equal(rows.length, 73);

			const [ring] = areaOf(20, 20, 40).coordinates;
			const fine = ring
				.slice(1)
				.flatMap(([x, y], side) =>
					Array.from({ length: 50 }, (_, step) => [
						ring[side][0] + ((x - ring[side][0]) * step) / 50,
						ring[side][1] + ((y - ring[side][1]) * step) / 50,
					]),
				);
			const tooFine = await open({
				search: `?layer=ndvi${aoi("Fine", { type: "Polygon", coordinates: [[...fine, ring[0]]] })}`,
				allowed: FAILED_REQUEST,
				routes: { "/area\\?": limitedTo("max_vertices", 20, (_url, body) => body.length > 2000) },
			});
			await whenShown(tooFine.page);
			await tooFine.page.getByRole("button", { name: "Simplify the outline" }).click();
			await tooFine.page.getByText("with a simplified outline").waitFor();
			const [[, mean]] = await readTable(tooFine.page);
			assert.ok(Math.abs(Number(mean.replace("≈ ", "")) - meanOf(valuesIn("ndvi", 0, 20, 20, 40))) < 1e-4);
			assert.match(mean, /^≈ /);
		},
	],
	[
		"14 a series that fails says why, the others stay, and Try again works",
		async ({ open }) => {
			let isAway = true;
			const { page } = await open({
				search: `?layer=ndvi&pt=${PT}${FIELD_0}`,
				allowed: FAILED_REQUEST,
				routes: { "/area\\?": (route) => (isAway ? route.abort() : route.fallback()) },
			});
			await whenShown(page);
			await page.getByText("No values: The server cannot be reached. Check the connection.").waitFor();
			await whenExact(page, 3);
			isAway = false;
			await page.locator("#chart").getByRole("button", { name: "Try again" }).click();
			await whenExact(page, 4);
		},
	],
	[
		"14 a place outside the layer is explained in words, and the others stay",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi&pt=${PT};-150,-50` });
			await whenShown(page);
			await page
				.locator('.place-state[data-kind="note"]')
				.getByText(/outside the layer/)
				.waitFor();
			await whenExact(page, 3);
			const alone = await open({ search: "?layer=ndvi&pt=-150,-50", allowed: FAILED_REQUEST });
			await alone.page
				.locator("#chart")
				.getByText(/^No values: .*outside layer/)
				.waitFor();
		},
	],
	[
		"14 a layer of colours without values says so, asks for none, and keeps the place",
		async ({ open }) => {
			const { page, requests } = await open({ search: `?layer=rgb&pt=${PT}` });
			await page.getByText(/^Three colours has colours but no values/).waitFor();
			assert.ok(!requests.some((url) => url.includes("/timeseries/")));

			await chooseLayer(page, "ndvi");
			await page.locator("#chart .chart-plot .plot-drawing").waitFor();
			await whenExact(page, 3);
		},
	],
]);
