/**
 * Maps of periods in a browser: `node periods.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`, over the archive of `served.py`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { centreOf, FIXTURES, valueAt } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";
import { brokenRules, inspect, linkValue, ofData, until, whenAtRest, whenLinkSays, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("./formula.mjs").Cell} Cell */

const LAYER = "ndvi_years";
const { dates } = FIXTURES[LAYER];
/** The whole layer, one cell per pixel. */
const WHOLE = `layer=${LAYER}&view=3.77930,51.01375,12`;
const CELLS = [4, 77, 130, 201].flatMap((row) => [9, 100, 250].map((column) => ({ row, column })));
/** Tolerance for values on the map that are marked as approximate. */
const NEAR = 1e-4;

/** Returns the values of a cell at the dates that start with a text. @param {string} period @param {Cell} cell */
const valuesIn = (period, cell) =>
	dates
		.flatMap((date, t) => (date.startsWith(period) ? [valueAt(LAYER, t, cell)] : []))
		.filter((value) => value !== null);

/** @type {Record<string, (values: number[]) => number | null>} */
const REDUCERS = {
	latest: (values) => values.at(-1) ?? null,
	max: (values) => (values.length > 0 ? Math.max(...values) : null),
	median: (values) => {
		const sorted = values.toSorted((one, other) => one - other);
		const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
		return low === undefined ? null : (low + high) / 2;
	},
};

/**
 * Returns the readout of a cell: the value of a side, and the whole text.
 * @param {Page} page
 * @param {Cell} cell
 * @param {string} [side]
 */
async function readAt(page, cell, side = "a") {
	const answer = await page.waitForFunction(
		([lon, lat, of]) => {
			/** @type {any} */ (window).parts.pointer.value = { lon, lat };
			const row = document.querySelector(`#readout .reading[data-side=${of}]`);
			const words = row?.textContent ?? "…";
			return words.includes("…") ? null : { value: row?.getAttribute("data-value") ?? "", words };
		},
		/** @type {const} */ ([centreOf(cell).lon, centreOf(cell).lat, side]),
	);
	return /** @type {{ value: string, words: string }} */ (await answer.jsonValue());
}

/** @param {string} told @param {number | null} expected @param {string} what @param {number} [tolerance] */
function assertNear(told, expected, what, tolerance = 1e-9) {
	if (expected === null || told === "") assert.equal(told, expected === null ? "" : String(expected), what);
	else assert.ok(Math.abs(Number(told) - expected) <= tolerance, `${what}: ${told}, not ${expected}`);
}

/** @param {Page} page */
const menuOf = (page) => page.getByRole("dialog", { name: "Dates or periods" });

/** @param {Page} page */
const openMenu = async (page) => {
	await page.locator("#period-button").click();
	await menuOf(page).waitFor();
};

/** Shows periods by the menu. @param {Page} page @param {string} slot @param {string} [method] */
async function choose(page, slot, method) {
	if (!(await menuOf(page).isVisible())) await openMenu(page);
	await menuOf(page).getByRole("radio", { name: slot, exact: true }).check();
	if (method) await menuOf(page).getByRole("radio", { name: method, exact: true }).check();
	await page.keyboard.press("Escape");
}

/**
 * Returns the anomalies of the months of a year, from the server's series.
 * @param {string} base
 * @param {Cell} cell
 * @param {string} year
 */
async function anomaliesOf(base, cell, year) {
	const { lon, lat } = centreOf(cell);
	const query = `lon=${lon}&lat=${lat}&datetime=${year}&step=P1M&anomaly=abs`;
	const answer = await (await fetch(new URL(`timeseries/${LAYER}/point?${query}`, base))).json();
	return /** @type {(number | null)[]} */ (answer.analysis.anomaly);
}

await runAsCalled([
	[
		"each method gives the values of its formula, with how many they are made of",
		async ({ open }) => {
			for (const [method, reduce] of Object.entries(REDUCERS)) {
				const { page } = await open({ search: `?${WHOLE}&date=2019-05&slot=month&reducer=${method}` });
				await whenShown(page);
				await inspect(page);
				for (const cell of CELLS) {
					const values = valuesIn("2019-05", cell);
					const { value, words } = await readAt(page, cell);
					assertNear(value, reduce(values), `${method} at ${JSON.stringify(cell)}`);
					if (values.length > 1) assert.ok(words.endsWith(`, ${values.length} values`), words);
				}
			}
		},
	],
	[
		"anomalies are those of the server's series, and a difference from what is usual is one",
		async ({ base, open, outDir }) => {
			const { page } = await open({ search: `?${WHOLE}&date=2019-05&slot=month&reducer=anomaly` });
			await whenShown(page);
			await inspect(page);
			assert.equal(
				await page.locator("#status").textContent(),
				"NDVI of three years, May 2019 minus usual May 2018–2020",
			);
			for (const cell of CELLS) {
				const [expected] = (await anomaliesOf(base, cell, "2019")).slice(4);
				assertNear((await readAt(page, cell)).value, expected, JSON.stringify(cell), NEAR);
			}
			await page.screenshot({ path: join(outDir, "anomaly.png") });
			const other = await open({ search: `?${WHOLE}&date=2019-05&slot=month&reducer=median&compare=diff&date2=usual` });
			await other.page.locator("[data-shown-b=shown]").waitFor();
			await inspect(other.page);
			for (const cell of CELLS.slice(0, 4)) {
				const [a, b, difference] = [
					await readAt(other.page, cell, "a"),
					await readAt(other.page, cell, "b"),
					await readAt(other.page, cell, "difference"),
				];
				const medians = ["2018", "2019", "2020"].map((year) => REDUCERS.median(valuesIn(`${year}-05`, cell)));
				const known = medians.filter((value) => value !== null);
				const usual = known.reduce((sum, value) => sum + value, 0) / known.length;
				assertNear(b.value, usual, "usual", NEAR);
				assertNear(difference.value, Number(a.value) - usual, "difference", NEAR);
			}
			await whenLinkSays(other.page, "date2", "usual");
			const title = "NDVI of three years: May 2019, median − usual May 2018–2020";
			await until(other.page, async () =>
				((await other.page.textContent("body")) ?? "").replaceAll("\u00a0", " ").includes(title),
			);
		},
	],
	[
		"beside a single date stands what is usual in its dekad",
		async ({ open }) => {
			const { page } = await open({ search: `?${WHOLE}&date=2019-05-06&compare=side&date2=usual` });
			await page.locator("[data-shown-b=shown]").waitFor();
			await inspect(page);
			for (const cell of CELLS.slice(0, 4)) {
				const days = ["2018", "2019", "2020"].flatMap((year) =>
					valuesIn(`${year}-05-0`, cell).concat(valuesIn(`${year}-05-10`, cell)),
				);
				const usual = days.reduce((sum, value) => sum + value, 0) / days.length;
				assertNear((await readAt(page, cell, "b")).value, usual, JSON.stringify(cell), NEAR);
			}
		},
	],
	[
		"the menu of a comparison has what is usual, and the way back",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?${WHOLE}&date=2019-05-06&compare=swipe` });
			await page.locator("[data-shown-b=shown]").waitFor();
			await whenLinkSays(page, "date2", "2018-05-06");
			const menu = page.getByRole("button", { name: "A year back" }).first();
			await menu.click();
			await page.getByRole("button", { name: "Usual", exact: true }).click();
			await whenLinkSays(page, "date2", "usual");
			await page.locator(".half[data-side=b]", { hasText: /usual 1\s*–\s*10 May 2018–2020/ }).waitFor();
			assert.deepEqual(await brokenRules(page), []);
			await page.screenshot({ path: join(outDir, "usual.png") });
			await page.getByRole("slider", { name: /^Date/ }).press("ArrowRight");
			await whenLinkSays(page, "date", "2019-05-11");
			await page.locator(".half[data-side=b]", { hasText: /usual 11\s*–\s*20 May 2018–2020/ }).waitFor();
			await page
				.locator(".compare-bar, #compare-bar")
				.getByRole("button", { name: "Usual", exact: true })
				.first()
				.click();
			await page.getByRole("button", { name: "A year back", exact: true }).click();
			await whenLinkSays(page, "date2", "2018-05-11");
		},
	],
	[
		"of a year that is loaded, periods ask for nothing; keys and the menu go from one to the next",
		async ({ open, outDir }) => {
			const { page, requests } = await open({ search: `?${WHOLE}&date=2019-05-06` });
			await whenShown(page);
			const slider = page.getByRole("slider", { name: /^Date/ });
			await slider.hover();
			await page.locator(".strip[data-full='73']").waitFor();
			await whenAtRest(page);
			const before = ofData(requests).length;
			await choose(page, "Month", "median");
			await whenLinkSays(page, "reducer", "median");
			assert.equal(linkValue(page, "date"), "2019-05-01");
			await page.locator(".strip[data-full='12']").waitFor();
			assert.equal(await page.locator("#status").textContent(), "NDVI of three years, May 2019, median");
			await slider.press("ArrowRight");
			await whenLinkSays(page, "date", "2019-06-01");
			assert.match(String(await slider.getAttribute("aria-valuetext")), /^June 2019, median, \d+ ?% with data$/);
			await page.getByRole("button", { name: "Jun 2019" }).click();
			await menuOf(page).getByRole("button", { name: "Aug 2019" }).click();
			await whenLinkSays(page, "date", "2019-08-01");
			assert.deepEqual(
				ofData(requests)
					.slice(before)
					.filter((url) => url.includes("/cubes/")),
				[],
			);
			await page.screenshot({ path: join(outDir, "month.png") });
			await page.goBack();
			await whenLinkSays(page, "date", "2019-06-01");
			await choose(page, "Date");
			await whenLinkSays(page, "slot", null);
			assert.equal(linkValue(page, "date"), "2019-05-31");
		},
	],
	[
		"playing goes through periods, and a link opens what it was taken from",
		async ({ open }) => {
			const { page } = await open({ search: `?${WHOLE}&date=2019-01&slot=season&reducer=max` });
			await whenShown(page);
			assert.equal(
				await page.locator("#status").textContent(),
				"NDVI of three years, December 2018 – February 2019, maximum",
			);
			await page.getByRole("button", { name: "Play", exact: true }).click();
			await page.waitForFunction(() => document.querySelector("#status")?.textContent?.includes("June – August 2019"));
			await page.getByRole("button", { name: "Pause" }).click();
			await whenAtRest(page);
			const { search } = new URL(page.url());
			assert.match(search, /&date=20\d\d-\d\d-01&.*&slot=season&reducer=max/);
			const again = await open({ search });
			await whenShown(again.page);
			await whenAtRest(again.page);
			assert.equal(new URL(again.page.url()).search, search);
		},
	],
	[
		"without a date the period is the one that holds the newest clear date, where the server is asked for it",
		async ({ open }) => {
			const year = dates[0].slice(0, 4);
			const change =
				(/** @type {(body: any) => void} */ how) => async (/** @type {import("playwright-core").Route} */ route) => {
					// The server may close an idle connection.
					const response = await route.fetch({ maxRetries: 3 });
					const json = await response.json();
					how(json);
					await route.fulfill({ response, json });
				};
			const clear = change(({ times }) => {
				times.clear = dates.findLast((date) => date.startsWith(year));
			});
			const times = change(({ valid_shares }) => valid_shares.fill(null));
			const search = `?${WHOLE}&slot=year&reducer=max`;
			const { page } = await open({
				search,
				routes: { [`^/layers/${LAYER}/times`]: times, [`^/layers/${LAYER}$`]: clear },
			});
			await whenShown(page);
			await until(page, () => linkValue(page, "date") !== null);
			assert.equal(linkValue(page, "date")?.slice(0, 4), year);

			// The module that makes periods may be loaded after the date.
			/** @type {() => void} */
			let answer = () => {};
			const isAnswered = new Promise((resolve) => {
				answer = () => resolve(null);
			});
			const { page: other } = await open({
				search,
				routes: {
					[`^/layers/${LAYER}/times`]: times,
					[`^/layers/${LAYER}$`]: async (route) => {
						await clear(route);
						answer();
					},
					"/js/wanted-": async (route) => {
						await isAnswered;
						await route.continue();
					},
				},
			});
			await whenShown(other);
			await until(other, () => linkValue(other, "date") !== null);
			assert.equal(linkValue(other, "date")?.slice(0, 4), year);
		},
	],
	[
		"classes and composites have no medians; the server paints composites of periods",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=classes&slot=month&reducer=median&date=2019-01" });
			await whenShown(page);
			await whenLinkSays(page, "reducer", null);
			await openMenu(page);
			assert.equal(await menuOf(page).getByRole("radio", { name: "median" }).isVisible(), false);
			const { page: other, requests } = await open({ search: "?layer=rgb&slot=month&reducer=clearest&date=2019-01" });
			await whenShown(other);
			await choose(other, "Month", "newest clear value");
			await until(other, () => requests.some((url) => url.includes("datetime=2019-01-01%2F2019-01-31")));
			assert.equal(
				requests.some((url) => /reducer=(median|max)|anomaly/.test(url)),
				false,
			);
		},
	],
	[
		"the menu is usable by keyboard, on a phone and in dark, and breaks no rule",
		async ({ open, outDir }) => {
			for (const [name, form] of /** @type {const} */ ([
				["wide", { width: 1440, height: 900 }],
				["phone", { width: 390, height: 844, scheme: "dark" }],
				["landscape", { width: 844, height: 390 }],
			])) {
				const { page } = await open({ search: `?${WHOLE}&date=2019-05-06`, ...form });
				await whenShown(page);
				await page.locator("#period-button").focus();
				await page.keyboard.press("Enter");
				await menuOf(page).waitFor();
				await page.keyboard.press("ArrowRight");
				await whenLinkSays(page, "slot", "dekad");
				assert.deepEqual(await brokenRules(page), []);
				await page.screenshot({ path: join(outDir, `menu-${name}.png`) });
				await page.keyboard.press("Escape");
				await page.waitForFunction(() => document.activeElement?.id === "period-button");
				assert.equal(await page.locator("#period-button").textContent(), "Dekad");
			}
		},
	],
]);
