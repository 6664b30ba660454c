/**
 * The common time axis of chart and strip, and the content of the chart in links and files. `node chart-axis.mjs
 * BASE_URL OUT_DIR [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parseCsv } from "../../../viewer/areas/formats/csv.js";
import { centreOf, FIXTURES, valueAt } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";
import { brokenRules, inspect, linkValue, until, whenAtRest, whenLinkSays } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

const CELL = { row: 100, column: 100 };
const { lon, lat } = centreOf(CELL);
const PT = `pt=${lon.toFixed(5)},${lat.toFixed(5)}`;
const SECOND = centreOf({ row: 40, column: 100 });
const TWO = `${PT};${SECOND.lon.toFixed(5)},${SECOND.lat.toFixed(5)}`;

/** @param {Page} page */
async function whenShown(page) {
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
	await page.waitForFunction(() => new URLSearchParams(window.location.search).has("view"));
}

/** @param {Page} page @param {number} [count] */
async function whenDrawn(page, count = 1) {
	await page.locator("#chart .plot-over").waitFor();
	await page.waitForFunction(
		(wanted) => document.querySelectorAll('.place-state[data-kind="exact"]').length === wanted,
		count,
	);
	await whenAtRest(page, "#chart .plot-over", ".strip canvas");
}

/** @param {Page} page @param {string} selector */
const boxOf = async (page, selector) =>
	/** @type {{ x: number, y: number, width: number, height: number }} */ (await page.locator(selector).boundingBox());

/** Room for half a knob on each side of the strip's dates. */
const SIDE_PX = 8;

/** Whether the plot has the edges of the strip's dates. @param {Page} page */
async function areAligned(page) {
	const [plot, strip] = [await boxOf(page, "#chart .plot-over"), await boxOf(page, ".strip canvas")];
	const ends = [plot.x - strip.x - SIDE_PX, plot.x + plot.width - strip.x - strip.width + SIDE_PX];
	return ends.every((off) => Math.abs(off) <= 1);
}

/** @param {Page} page @param {RegExp} choice */
async function save(page, choice) {
	await page.locator("#chart").getByRole("button", { name: "Download", exact: true }).click();
	const [download] = await Promise.all([
		page.waitForEvent("download"),
		page.locator(".chart-download").getByRole("button", { name: choice }).click(),
	]);
	return { name: download.suggestedFilename(), content: await readFile(await download.path()) };
}

await runAsCalled([
	[
		"one axis: chart and strip have the same edges, and what zooms or moves one does so with the other",
		async ({ open, outDir }) => {
			const { page, requests } = await open({
				search: `?layer=ndvi_years&date=2019-06-05&${PT}`,
				width: 1440,
				height: 900,
			});
			await whenShown(page);
			await whenDrawn(page);
			assert.ok(await areAligned(page));
			const plot = await boxOf(page, "#chart .plot-over");
			const strip = await boxOf(page, ".strip canvas");
			assert.ok(
				strip.y >= plot.y + plot.height && strip.y - plot.y - plot.height < 20,
				"the chart stands on the strip",
			);
			const sheet = await boxOf(page, "#sheet");
			assert.ok(sheet.height <= 280, `so much of 900 pixels: ${sheet.height}`);

			await page.mouse.move(plot.x + plot.width / 2, plot.y + 30);
			await page.mouse.wheel(0, -400);
			await page.locator('.strip[data-is-zoomed="true"]').waitFor();
			await until(page, async () => linkValue(page, "period") !== null);
			assert.ok(await areAligned(page));
			await page.getByRole("button", { name: "All dates" }).click();
			await whenLinkSays(page, "period", null);

			await page.locator(".strip-slider").hover({ position: { x: 300, y: 20 } });
			await page.mouse.wheel(0, -400);
			await until(page, async () => linkValue(page, "period") !== null);
			await page.getByRole("button", { name: "All dates" }).click();
			await whenAtRest(page, "#chart .plot-over");

			const mark = await boxOf(page, ".plot-mark");
			const before = requests.length;
			await page.mouse.move(mark.x + 1, plot.y + 40);
			await page.mouse.down();
			await page.mouse.move(mark.x + 60, plot.y + 40, { steps: 6 });
			assert.deepEqual(
				requests.slice(before).filter((url) => /cubes|timeseries|tiles/.test(url)),
				[],
			);
			await page.mouse.up();
			await until(page, async () => (linkValue(page, "date") ?? "") > "2019-06-05");
			await page.screenshot({ path: `${outDir}/one-axis.png` });
		},
	],
	[
		"a link reproduces tab, curve, usual range and period, and Back returns to them",
		async ({ open }) => {
			const asked = `layer=ndvi_years&date=2019-06-05&curve=whittaker&normal=1&period=2019-01-01/2019-12-31&${PT}`;
			const { page } = await open({ search: `?${asked}` });
			await whenShown(page);
			await whenDrawn(page);
			const first = page.url();
			for (const [key, value] of Object.entries({ curve: "whittaker", normal: "1", period: "2019-01-01/2019-12-31" }))
				assert.equal(linkValue(page, key), value);
			await page.getByRole("tab", { name: "Table" }).click();
			await whenLinkSays(page, "chart", "table");
			await page.locator(".chart-table tbody button").first().click();
			await whenLinkSays(page, "date", "2018-01-01");
			await page.getByRole("tab", { name: "Time" }).click();
			await whenLinkSays(page, "chart", null);
			await page.goBack();
			await whenLinkSays(page, "date", "2019-06-05");
			await page.locator('[role="tab"][aria-selected="true"]').getByText("Table").waitFor();

			const again = await open({ search: new URL(first).search });
			await whenShown(again.page);
			await whenDrawn(again.page);
			assert.equal(new URL(again.page.url()).search, new URL(first).search);
			for (const tab of ["years", "statistics", "table"]) {
				const of = await open({ search: `?layer=ndvi&chart=${tab}&${PT}` });
				await whenShown(of.page);
				await of.page.locator(`#chart-view-${tab}:not([hidden])`).waitFor();
				await whenAtRest(of.page);
				assert.equal(linkValue(of.page, "chart"), tab);
			}
		},
	],
	[
		"a link with a place and no view opens in the same way, however large the page is",
		async ({ open }) => {
			/** @type {(string | null)[]} */
			const views = [];
			for (const [more, width, height] of /** @type {[string, number, number][]} */ ([
				["", 1440, 900],
				["&compare=swipe", 1440, 900],
				["&chart=statistics", 1024, 600],
			])) {
				const { page } = await open({ search: `?layer=ndvi&${PT}${more}`, width, height });
				await whenShown(page);
				await whenAtRest(page, "#map");
				views.push(linkValue(page, "view"));
			}
			assert.equal(new Set(views).size, 1, `${views}`);
			assert.ok(views[0]?.startsWith(`${Number(lon.toFixed(5))},${Number(lat.toFixed(5))},`));
		},
	],
	[
		"files hold what the chart shows: curve, usual range, the period alone, what was measured, and a drawing of it",
		async ({ open }) => {
			const { page } = await open({
				search: `?layer=ndvi_years&curve=whittaker&normal=1&period=2019-01-01/2019-12-31&${PT}`,
			});
			await whenShown(page);
			await whenDrawn(page);
			await page.locator(".chart-message").getByText("Calculating").waitFor({ state: "hidden" });
			await inspect(page);
			await page.evaluate(() => {
				/** @type {any} */ (window).parts.measured.value = [
					{ name: "Plot 7", unit: "1", times: [Date.UTC(2019, 4, 2), Date.UTC(2020, 4, 2)], values: [0.25, 0.5] },
				];
			});
			await page.locator(".place.measured").getByText("Plot 7").waitFor();
			const csv = await save(page, /^CSV/);
			assert.match(csv.name, /^ndvi_years_.*_2019-01-01_2019-12-\d\d\.csv$/);
			const [head, ...rows] = parseCsv(csv.content.toString("utf8")).map(({ cells }) =>
				Object.fromEntries(cells.entries()),
			);
			const columns = Object.values(head);
			const column = (/** @type {string} */ name) => columns.indexOf(name);
			for (const name of ["smooth", "usual_p10", "usual_p90"]) assert.ok(column(name) > 0, name);
			const own = rows.filter((row) => row[column("statistic")] === "value");
			const shown = FIXTURES.ndvi_years.dates.flatMap((date, t) => (date.startsWith("2019") ? [t] : []));
			assert.equal(own.length, shown.length);
			for (const [at, t] of shown.entries()) {
				const expected = valueAt("ndvi_years", t, CELL);
				assert.equal(own[at][column("value")], expected === null ? "" : String(expected));
				assert.ok(own[at][column("smooth")] !== "");
			}
			assert.deepEqual(
				rows.filter((row) => row[column("statistic")] === "measured").map((row) => row[column("value")]),
				["0.25"],
			);
			const svg = (await save(page, /^SVG/)).content.toString("utf8");
			const found = await page.evaluate((source) => {
				const drawing = new DOMParser().parseFromString(source, "image/svg+xml");
				const texts = [...drawing.querySelectorAll("text")].map(({ textContent }) => textContent);
				return { root: drawing.documentElement.localName, paths: drawing.querySelectorAll("path").length, texts };
			}, svg);
			assert.equal(found.root, "svg");
			assert.ok(found.paths >= 3 && found.texts.some((words) => words?.startsWith("Plot 7")), JSON.stringify(found));
			const png = await save(page, /^PNG/);
			assert.match(png.name, /\.png$/);
			assert.equal(png.content.subarray(1, 4).toString("latin1"), "PNG");
			assert.ok(png.content.length > 5000);
		},
		"downloads",
	],
	[
		"a file of what was measured has its line, chip and rows, and values beside the layer's dates are told",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi_years&${PT}` });
			await whenShown(page);
			await whenDrawn(page);
			const [chooser] = await Promise.all([
				page.waitForEvent("filechooser"),
				page.getByRole("button", { name: /^Upload a file/ }).click(),
			]);
			const source = "Datum;Plot 7 (1)\n02.05.2019;0,25\n14.06.2019;0,5\n01.03.2031;0,75\n";
			await chooser.setFiles({ name: "plot.csv", mimeType: "text/csv", buffer: Buffer.from(source) });
			await page.locator(".place.measured").getByText("Plot 7").waitFor();
			await page
				.locator(".chart-message[data-kind=note]")
				.getByText("1 value before 1 January 2018 or after 26 December 2020 has no place in the chart.")
				.waitFor();
			await page.screenshot({ path: `${outDir}/measured.png` });
			const [head, ...rows] = parseCsv((await save(page, /^CSV/)).content.toString("utf8")).map(({ cells }) => cells);
			const measured = rows.filter((cells) => cells[head.indexOf("statistic")] === "measured");
			assert.deepEqual(
				measured.map((cells) => [cells[head.indexOf("date")].slice(0, 10), cells[head.indexOf("value")]]),
				[
					["2019-05-02", "0.25"],
					["2019-06-14", "0.5"],
				],
			);
			assert.ok((await save(page, /^SVG/)).content.toString("utf8").includes("Plot 7"));
		},
		"downloads",
	],
	[
		"on a phone that lies on its side the strip is in sight, and of a place that is chosen all of the chart",
		async ({ open, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi", width: 844, height: 390 });
			await whenShown(page);
			const isInSight = async (/** @type {string} */ selector) => {
				const box = await page.locator(selector).first().boundingBox();
				return box !== null && box.height > 30 && box.y >= 0 && box.y + box.height <= 390;
			};
			for (const selector of ["#timeline .date", ".strip canvas"]) assert.ok(await isInSight(selector), selector);
			await page.screenshot({ path: `${outDir}/lying-low.png` });
			await page.mouse.click(420, 150);
			await whenDrawn(page);
			for (const selector of ["#timeline .date", ".strip canvas", ".plot-over", ".chart-tabs"])
				assert.ok(await isInSight(selector), selector);
			assert.ok(await areAligned(page));
			assert.deepEqual(await brokenRules(page), []);
			await page.screenshot({ path: `${outDir}/lying-high.png` });
		},
	],
	[
		"two layers have their own colours, lines and named axes",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `?layer=ndvi&compare=opacity&layer2=lai16&${TWO}` });
			await whenShown(page);
			await whenDrawn(page, 2);
			assert.equal(await page.getByText(/does not exist for this layer/).count(), 0);
			await page.screenshot({ path: `${outDir}/two-layers.png` });
			const svg = (await save(page, /^SVG/)).content.toString("utf8");
			const { strokes, titles } = await page.evaluate((source) => {
				const drawing = new DOMParser().parseFromString(source, "image/svg+xml");
				const lines = [...drawing.querySelectorAll("path[stroke]")];
				return {
					strokes: lines.map((line) => `${line.getAttribute("stroke")} ${line.getAttribute("stroke-dasharray")}`),
					titles: [...drawing.querySelectorAll("text")].map(({ textContent }) => textContent ?? ""),
				};
			}, svg);
			assert.equal(strokes.length, 4);
			assert.equal(new Set(strokes).size, 2);
			assert.ok(
				titles.some((words) => /NDVI of 2019/.test(words)) && titles.some((words) => /LAI of 16 bits/.test(words)),
			);
		},
		"downloads",
	],
	[
		"each tab and menu keeps the rules of accessibility, on a phone too, and keys reach all",
		async ({ open, outDir }) => {
			for (const [width, height, scheme] of /** @type {[number, number, "light" | "dark"][]} */ ([
				[1440, 900, "light"],
				[390, 844, "dark"],
			])) {
				const { page } = await open({ search: `?layer=ndvi_years&curve=whittaker&${TWO}`, width, height, scheme });
				await whenShown(page);
				await whenDrawn(page, 2);
				assert.deepEqual(await brokenRules(page), []);
				await page.screenshot({ path: `${outDir}/chart-${width}.png` });
				await page.locator(".place .icon").first().focus();
				await page.keyboard.press("Enter");
				await page.locator(".place-menu:popover-open").waitFor();
				assert.deepEqual(await brokenRules(page), []);
				await page.keyboard.press("Escape");
				await page.getByRole("button", { name: "Curves", exact: true }).focus();
				await page.keyboard.press("Enter");
				await page.locator(".chart-curves:popover-open").waitFor();
				assert.deepEqual(await brokenRules(page), []);
				await page.keyboard.press("Escape");
				await page.getByRole("tab", { name: "Time" }).focus();
				for (const tab of ["Years", "Statistics", "Table"]) {
					await page.keyboard.press("ArrowRight");
					await page.locator('[role="tab"][aria-selected="true"]').getByText(tab).waitFor();
					if (tab !== "Years") assert.deepEqual(await brokenRules(page), []);
				}
			}
		},
	],
]);
