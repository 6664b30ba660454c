/** The years of a place in its chart, and its heat map. `node years.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parseCsv } from "../../../viewer/areas/formats/csv.js";
import { centreOf, FIXTURES, valueAt } from "./formula.mjs";
import { FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { brokenRules, linkValue, until, whenLinkSays, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page @typedef {import("./harness.mjs").Opened} Opened */

const CELL = { row: 100, column: 100 };
const POINT = Object.values(centreOf(CELL))
	.map((degrees) => degrees.toFixed(6))
	.join();
const { dates } = FIXTURES.ndvi_years;
/** A date of 2019 with a value, and its index. */
const AT = dates.findIndex((date, t) => date > "2019-06-01" && valueAt("ndvi_years", t, CELL) !== null);
const SEARCH = `?layer=ndvi_years&pt=${POINT}&chart=years`;

/**
 * Values of the cell in the years that have one within so many days of a date's day, the highest first.
 * @param {string} date
 * @param {number} within
 */
function valuesNear(date, within) {
	const days = (/** @type {string} */ one, /** @type {string} */ other) =>
		Math.round((Date.parse(`2000-${one.slice(5)}`) - Date.parse(`2000-${other.slice(5)}`)) / 86_400_000);
	const found = ["2018", "2019", "2020"].flatMap((year) => {
		const near = dates
			.flatMap((each, t) =>
				each.startsWith(year) ? [{ away: days(each, date), value: valueAt("ndvi_years", t, CELL) }] : [],
			)
			.filter(({ away, value }) => value !== null && Math.abs(away) <= within)
			.sort((one, other) => Math.abs(one.away) - Math.abs(other.away) || one.away - other.away);
		return near.length > 0 ? [{ year, value: Number(near[0].value) }] : [];
	});
	return found.sort((one, other) => other.value - one.value);
}

/** Waits until the drawing or the heat map is shown. @param {Page} page */
const whenDrawn = (page) => page.locator(".years-picture svg path").first().waitFor({ state: "attached" });

/** Returns the years of the table and their values, in its order. @param {Page} page */
const tableRows = (page) =>
	page
		.locator(".years-table tbody tr")
		.evaluateAll((rows) => rows.map((row) => [row.children[0].textContent, row.children[1].firstChild?.textContent]));

/**
 * @param {(options: import("./harness.mjs").OpenOptions) => Promise<Opened>} open
 * @param {string} more
 * @param {import("./harness.mjs").OpenOptions} [options]
 */
async function openYears(open, more, options = {}) {
	const opened = await open({ search: `${SEARCH}&date=${dates[AT]}${more}`, ...options });
	await whenShown(opened.page);
	await whenDrawn(opened.page);
	return opened;
}

/** Returns the box of the drawing on the page. @param {Page} page */
async function boxOf(page) {
	const box = await page.locator(".years-picture").boundingBox();
	assert.ok(box);
	return box;
}

await runAsCalled([
	[
		"the years at the map's day are ranked, with the values of the formula, and asked for once",
		async ({ open }) => {
			const { page, requests } = await openYears(open, "");
			const expected = valuesNear(dates[AT], 5);

			const found = await tableRows(page);

			assert.deepEqual(
				found.slice(0, expected.length),
				expected.map(({ year, value }) => [year, String(Number(value.toPrecision(4)))]),
			);
			const now = expected.find(({ year }) => year === "2019");
			const told = await page.locator(".years-picture").getAttribute("aria-valuetext");
			assert.match(told ?? "", new RegExp(`2019 has ${Number(now?.value.toPrecision(4))}`));
			assert.equal(requests.filter((url) => url.includes("phenology=")).length, 1);
			// 2018 has no season, and the table shows it.
			const starts = await page.locator(".years-table tbody td:nth-child(3)").allInnerTexts();
			assert.ok(starts.includes("") && starts.some((start) => start !== ""));
			assert.match(await page.locator(".years-table").innerText(), /A year has no season where/);
			assert.deepEqual(await brokenRules(page), []);
		},
	],
	[
		"arrows go through dates and years, and the drawing tells where",
		async ({ open }) => {
			const { page } = await openYears(open, "");
			await page.locator(".years-picture").focus();

			await page.keyboard.press("ArrowRight");
			await whenLinkSays(page, "date", dates[AT + 1]);
			await page.keyboard.press("ArrowDown");
			await until(page, async () => (linkValue(page, "date") ?? "").startsWith("2020"));

			const told = await page.locator(".years-picture").getAttribute("aria-valuetext");
			assert.match(told ?? "", /2020/);
		},
	],
	[
		"a drag moves the map through its year, and asks for no values",
		async ({ open }) => {
			const { page, requests } = await openYears(open, "");
			const { x, y, width, height } = await boxOf(page);
			await page.mouse.move(x + width * 0.5, y + height - 6);
			await page.mouse.down();
			const before = requests.length;
			for (let share = 0.5; share <= 0.75; share += 0.025) await page.mouse.move(x + width * share, y + height - 6);
			assert.deepEqual(
				requests.slice(before).filter((url) => url.includes("timeseries")),
				[],
			);
			await page.mouse.up();

			await until(page, async () => (linkValue(page, "date") ?? "") > "2019-08-01");
			assert.ok((linkValue(page, "date") ?? "") < "2019-12-01");
		},
	],
	[
		"a year of the table becomes side B at the same day",
		async ({ open }) => {
			const { page } = await openYears(open, "");

			await page.locator(".years-table button", { hasText: "2020" }).click();

			await whenLinkSays(page, "compare", "swipe");
			await until(page, async () => (linkValue(page, "date2") ?? "").startsWith("2020"));
			const away = Date.parse(linkValue(page, "date2") ?? "") - Date.parse(dates[AT].replace("2019", "2020"));
			assert.ok(Math.abs(away) <= 3 * 86_400_000);
			assert.equal(linkValue(page, "date"), dates[AT]);
		},
	],
	[
		"what is chosen is in the link, and a link brings it back",
		async ({ open }) => {
			const { page } = await openYears(open, "&years=anomaly&from_month=7&fit=1");

			assert.equal(await page.locator("[data-show=anomaly]").getAttribute("aria-pressed"), "true");
			assert.match((await page.locator(".years-table caption").textContent()) ?? "", /2018\/19|2019\/20/);
			await page.locator("[data-show=cumulative]").click();
			await whenLinkSays(page, "years", "cumulative");
			await page.locator(".years-controls select").last().selectOption("1");
			await whenLinkSays(page, "from_month", null);
			await page.locator("[data-show=value]").click();
			await whenLinkSays(page, "years", null);
			await page.locator(".years-controls input").uncheck();
			await whenLinkSays(page, "fit", null);
		},
	],
	[
		"files have the values and the drawing that are seen",
		async ({ open }) => {
			const { page } = await openYears(open, "");
			const save = async (/** @type {string} */ kind) => {
				await page.getByRole("button", { name: "Download", exact: true }).click();
				const button = page.locator(".chart-download button", { hasText: kind });
				const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
				return readFile(await download.path());
			};

			const rows = parseCsv(String(await save("CSV"))).map(({ cells }) => cells);
			const drawing = String(await save("SVG"));
			const picture = await save("PNG");

			for (const words of [
				"2018",
				"2019",
				"2020",
				"NDVI of three years (1)",
				"Grey band: 10th to 90th percentile of all years",
				"Broken line",
			])
				assert.ok(drawing.includes(words));
			assert.equal(picture.subarray(1, 4).toString(), "PNG");
			assert.deepEqual(rows[0].slice(0, 3), ["year", "day", "value"]);
			const found = new Map(rows.slice(1).map(([year, day, value]) => [`${year}-${day}`, value]));
			assert.deepEqual(
				dates.map((date) => found.get(date)),
				dates.map((_, t) => String(valueAt("ndvi_years", t, CELL) ?? "")),
			);
		},
		"downloads",
	],
	[
		"the heat map has means of dekads, keys go from one to the next, and a press chooses the date",
		async ({ open }) => {
			const { page } = await openYears(open, "&years=dekads");
			const row = page.locator(".years-table tbody tr", { hasText: "2019" }).first();
			const told = await row.locator("td").allTextContents();
			const ofDekad = dates.flatMap((date, t) =>
				/^2019-06-(0|10)/.test(date) ? [valueAt("ndvi_years", t, CELL)] : [],
			);
			const known = ofDekad.filter((value) => value !== null);
			const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
			assert.equal(told.length, 36);
			if (known.length > 0) assert.match(told[15], new RegExp(`1 – 10 June 2019: ${Number(mean.toPrecision(4))}`));
			await page.locator(".years-picture").focus();
			await page.keyboard.press("ArrowRight");
			await until(page, async () => linkValue(page, "date") !== dates[AT]);
			const { x, y, width } = await boxOf(page);
			await page.mouse.click(x + width * 0.98, y + 25);
			await until(page, async () => (linkValue(page, "date") ?? "").startsWith("2018-12"));
			assert.deepEqual(await brokenRules(page), []);
		},
	],
	[
		"on a phone, in the dark, nothing is cut and no rule is broken",
		async ({ open }) => {
			const { page } = await openYears(open, "", { width: 390, height: 844, scheme: "dark" });

			const { width } = await boxOf(page);
			assert.ok(width > 300 && width <= 390);
			assert.deepEqual(await brokenRules(page), []);
		},
	],
	[
		"classes, layers without time and those of one date say why there are no years; a fault of the server is told",
		async ({ open }) => {
			for (const layer of ["classes", "one"]) {
				const { page } = await open({ search: `?layer=${layer}&pt=${POINT}&chart=years` });
				await page.locator(".years-message", { hasText: "Years are compared" }).waitFor();
			}
			const routes = { "phenology=": (/** @type {any} */ route) => route.fulfill({ status: 500, body: "{}" }) };
			const { page } = await open({ search: SEARCH, routes, allowed: FAILED_REQUEST });
			await page.locator(".years-message", { hasText: "The analysis failed" }).waitFor();
		},
	],
]);
