/**
 * Files of many areas, their table, and the report of a place. `node area-sets.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { zipSync } from "../../../viewer/vendor/fflate.js";
import { dbfOf, PRJ, shpOf, shxOf } from "../shapefile.js";
import { centreOf, FIXTURES, valueAt } from "./formula.mjs";
import { answerJson, answerStatus, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { brokenRules, linkValue, until, whenAtRest, whenLinkSays, whenNotice, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

const DATE = 31;
const MIDDLE = centreOf({ row: 128, column: 128 });
const VIEW = `${MIDDLE.lon.toFixed(5)},${MIDDLE.lat.toFixed(5)},13`;
const SEARCH = `?language=en&layer=ndvi&style=numbers&date=${FIXTURES.ndvi.dates[DATE]}&view=${VIEW}`;
/** Squares of so many cells, from one to the next, in rows of so many. */
const [SIZE, STEP, ACROSS] = [6, 16, 15];

/** Returns the first row and column of a square. @param {number} number */
const cornerOf = (number) => ({ row: 4 + STEP * Math.floor(number / ACROSS), column: 4 + STEP * (number % ACROSS) });

/** Returns a ring just outside the centres of its cells. @param {number} number */
function ringOf(number) {
	const { row, column } = cornerOf(number);
	const [north, south, west, east] = [row - 0.4, row + SIZE - 0.6, column - 0.4, column + SIZE - 0.6];
	const corners = [
		[south, west],
		[south, east],
		[north, east],
		[north, west],
		[south, west],
	];
	return corners.map(([down, right]) => {
		const { lon, lat } = centreOf({ row: down, column: right });
		return [lon, lat];
	});
}

/** @param {number} count */
const fileOf = (count) =>
	JSON.stringify({
		type: "FeatureCollection",
		features: Array.from({ length: count }, (_, number) => ({
			type: "Feature",
			properties: { name: `Square ${number}` },
			geometry: { type: "Polygon", coordinates: [ringOf(number)] },
		})),
	});

/** Values of the cells of a square that have one. @param {number} number @param {number} t */
function valuesOf(number, t) {
	const { row, column } = cornerOf(number);
	const cells = Array.from({ length: SIZE * SIZE }, (_, at) => ({
		row: row + Math.floor(at / SIZE),
		column: column + (at % SIZE),
	}));
	return cells.map((cell) => valueAt("ndvi", t, cell)).filter((value) => value !== null);
}

/** @param {number[]} values */
const average = (values) =>
	values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {number} number @param {number} t */
const meanOf = (number, t) => average(valuesOf(number, t));

/** Returns the mean of the means of some dates. @param {number} number @param {(date: string) => boolean} isIn */
function meanOver(number, isIn) {
	const means = FIXTURES.ndvi.dates.flatMap((date, t) => (isIn(date) ? [meanOf(number, t)] : []));
	return average(means.filter((mean) => mean !== null));
}

/** Whether a date is in the season of these tests. @param {string} date */
const isInSummer = (date) => /^\d{4}-0[678]/.test(date);
/** @param {string} date */
const isInSpring = (date) => /^\d{4}-0[345]/.test(date);

/** Returns the dekad of a date, in any year. @param {string} date */
const dekadOf = (date) => `${date.slice(5, 7)} ${Math.min(2, Math.floor((Number(date.slice(8, 10)) - 1) / 10))}`;

/** Returns the mean minus that of all dates of the same dekad. @param {number} number @param {number} t */
function anomalyOf(number, t) {
	const [mean, slot] = [meanOf(number, t), dekadOf(FIXTURES.ndvi.dates[t])];
	const usual = meanOver(number, (date) => dekadOf(date) === slot);
	return mean === null || usual === null ? null : mean - usual;
}

/** @param {import("./harness.mjs").Bench["open"]} open @param {import("./harness.mjs").OpenOptions} [options] */
async function openAreas(open, options = {}) {
	const opened = await open({ search: SEARCH, ...options });
	await whenShown(opened.page);
	await opened.page.locator(".areas-head").waitFor({ state: "attached" });
	await whenAtRest(opened.page, "#map");
	return opened;
}

/** @param {Page} page @param {string} name @param {Uint8Array | string} content */
async function upload(page, name, content) {
	const choosing = page.waitForEvent("filechooser");
	await page.getByRole("button", { name: /^Upload a file/ }).click();
	await (await choosing).setFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(content) });
}

/**
 * Returns the grey of the map's places under the middle of a square; -1 if nothing is drawn.
 * @param {Page} page
 * @param {number} number
 */
async function greyOf(page, number) {
	const { row, column } = cornerOf(number);
	const { lon, lat } = centreOf({ row: row + SIZE / 2 - 0.5, column: column + SIZE / 2 - 0.5 });
	const box = await page.locator("#map").boundingBox();
	const [viewLon, viewLat, zoom] = (linkValue(page, "view") ?? "").split(",").map(Number);
	assert.ok(box);
	const world = 256 * 2 ** zoom;
	const y = (/** @type {number} */ degrees) =>
		Math.log(Math.tan(Math.PI / 4 + (degrees * Math.PI) / 360)) / (2 * Math.PI);
	const at = [
		box.x + box.width / 2 + ((lon - viewLon) / 360) * world,
		box.y + box.height / 2 - (y(lat) - y(viewLat)) * world,
	];
	return page.evaluate(([left, top]) => {
		for (const canvas of document.querySelectorAll(".leaflet-places-pane canvas")) {
			const edges = canvas.getBoundingClientRect();
			if (left < edges.left || left >= edges.right || top < edges.top || top >= edges.bottom) continue;
			const scale = /** @type {HTMLCanvasElement} */ (canvas).width / edges.width;
			const context = /** @type {HTMLCanvasElement} */ (canvas).getContext("2d");
			const [red, , , alpha] =
				context?.getImageData((left - edges.left) * scale, (top - edges.top) * scale, 1, 1).data ?? [];
			return alpha === 255 ? red : -1;
		}
		return -2;
	}, at);
}

/**
 * Waits until a square has the grey of a value.
 * @param {Page} page
 * @param {number} number
 * @param {number | null} value
 */
async function whenGrey(page, number, value) {
	const wanted = value === null ? -1 : (value + 0.08) / 0.004;
	let found = 0;
	const isSo = async () => {
		found = await greyOf(page, number);
		return Math.abs(found - wanted) <= 1.01;
	};
	await until(page, isSo, () => `square ${number} is ${found}, not ${wanted}`);
}

/** Cells of the table's rows as text. @param {Page} page */
const tableOf = (page) =>
	page.evaluate(() =>
		[...document.querySelectorAll(".area-table tbody tr")].map((row) =>
			[...row.children].map((cell) => cell.textContent ?? ""),
		),
	);

/** Waits until the table is complete. @param {Page} page */
const whenTableIsThere = (page) =>
	page.waitForFunction(() => {
		const words = document.querySelector(".area-table [role=status]")?.textContent;
		return words === "" && document.querySelector(".area-table tbody tr td:nth-child(3)")?.textContent !== "–";
	});

await runAsCalled([
	[
		"a zipped shapefile, GPX and tables with positions are areas",
		async ({ open }) => {
			const { page } = await openAreas(open);
			const { lon, lat } = MIDDLE;
			const ring = ringOf(100).toReversed();
			const shp = shpOf([ring]);
			const files = { "a.shp": shp, "a.shx": shxOf(shp), "a.prj": Buffer.from(PRJ), "a.dbf": dbfOf("NAAM", ["Weide"]) };
			await upload(page, "a.zip", zipSync(files));
			await whenNotice(page, /^One area was read from a\.zip\.$/);
			const track = ring.slice(0, -1).map(([x, y]) => `<trkpt lat="${y}" lon="${x}"/>`);
			const gpx = `<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1"><wpt lat="${lat}" lon="${lon}"><name>Post</name></wpt>
				<trk><name>Walk</name><trkseg>${track.join("")}<trkpt lat="${ring[0][1] + 1e-5}" lon="${ring[0][0]}"/></trkseg></trk>
				<trk><name>Way</name><trkseg>${track.slice(0, 2).join("")}</trkseg></trk></gpx>`;
			await upload(page, "a.gpx", gpx);
			await whenNotice(page, /^2 areas were read from a\.gpx\. Feature \d is a line/);
			const decimal = (/** @type {number} */ value) => value.toFixed(6).replace(".", ",");
			await upload(page, "a.csv", `Naam;Breedtegraad;Lengtegraad\nPaal;${decimal(lat)};${decimal(lon)}\n`);
			await whenNotice(page, /^One area was read from a\.csv\.$/);

			const stored = await page.evaluate(
				() => JSON.parse(window.localStorage.getItem("chronotile.areas") ?? "").features,
			);
			const told = stored.map((/** @type {any} */ { properties, geometry }) => `${properties.name} ${geometry.type}`);
			assert.deepEqual(told.sort(), ["Paal Point", "Post Point", "Walk Polygon", "Weide Polygon"]);
		},
	],
	[
		"a GeoPackage is the server's to read, and its refusal is told; a measured series is no area",
		async ({ open }) => {
			const geometry = { type: "Polygon", coordinates: [ringOf(100)] };
			const found = {
				type: "FeatureCollection",
				features: [{ type: "Feature", properties: { name: "Akker" }, geometry }],
			};
			const { page } = await openAreas(open, { routes: { "/places/shapes": answerJson(found) } });
			await upload(page, "a.gpkg", "SQLite format 3\0");
			await whenNotice(page, /^One area was read from a\.gpkg\.$/);
			await page.getByText("Akker").first().waitFor();
			await upload(page, "a.csv", "date;LAI\n2019-06-01;1,5\n2019-06-11;2,5\n");
			await whenNotice(page, /^One measured series was read from a\.csv/);

			const refusing = {
				routes: { "/places/shapes": answerStatus(400, "The file has no CRS.") },
				allowed: FAILED_REQUEST,
			};
			const { page: other } = await openAreas(open, refusing);
			await upload(other, "a.gpkg", "SQLite format 3\0");
			await whenNotice(
				other,
				/^a\.gpkg was not read: The server could not read it\. The server says: The file has no CRS\.$/,
			);
		},
	],
	[
		"a file of many areas is a set in the colours of any statistic of any period",
		async ({ open, outDir }) => {
			const { page } = await openAreas(open);
			await upload(page, "squares.geojson", fileOf(225));
			await whenNotice(page, /^225 places of squares\.geojson are shown as a set/);
			await whenAtRest(page, "#map");
			for (const number of [0, 112, 224]) await whenGrey(page, number, meanOf(number, DATE));
			await page.locator("#timeline [data-part=previous]").click();
			await whenLinkSays(page, "date", FIXTURES.ndvi.dates[DATE - 1]);
			await whenGrey(page, 100, meanOf(100, DATE - 1));
			await page.getByLabel("What their colour shows").selectOption("max");
			await whenGrey(page, 100, valuesOf(100, DATE - 1).length > 0 ? Math.max(...valuesOf(100, DATE - 1)) : null);
			await page.getByLabel("What their colour shows").selectOption("mean");
			await page.getByLabel("Over which time").selectOption("month");
			const month = FIXTURES.ndvi.dates[DATE - 1].slice(0, 7);
			for (const number of [7, 118])
				await whenGrey(
					page,
					number,
					meanOver(number, (date) => date.startsWith(month)),
				);
			await page.getByLabel("Over which time").selectOption("season");
			for (const number of [7, 118]) await whenGrey(page, number, meanOver(number, isInSpring));
			await page.getByLabel("What their colour shows").selectOption("anomaly");
			await page.locator(".map-keys .key", { hasText: "Anomaly" }).waitFor();
			assert.deepEqual(await brokenRules(page), []);
			await page.screenshot({ path: join(outDir, "set-of-a-file.png") });
			for (const [width, height] of [
				[1440, 900],
				[1366, 768],
			]) {
				await page.setViewportSize({ width, height });
				const box = await page.getByRole("heading", { name: /^Areas/ }).boundingBox();
				assert.ok(box && box.y + box.height < height, `Areas are below the fold of ${width} x ${height}`);
			}
			assert.equal(linkValue(page, "places"), null);
			await page.getByLabel("Coloured places").selectOption("");
			await page.locator(".leaflet-places-pane canvas").first().waitFor({ state: "detached" });
		},
	],
	[
		"while the map shows periods, places have the mean of the dates of the same period",
		async ({ open }) => {
			const { page } = await openAreas(open, { search: `${SEARCH}&slot=season&reducer=max` });
			await upload(page, "squares.geojson", fileOf(225));
			await whenAtRest(page, "#map");
			for (const number of [7, 118]) await whenGrey(page, number, meanOver(number, isInSummer));
			assert.equal(await page.getByLabel("Over which time").inputValue(), "season");
			await page.getByText("The places have the mean of all dates of the period.").waitFor();
			await page.getByRole("button", { name: "Table of the areas" }).click();
			await whenTableIsThere(page);
			for (const [name, mean] of await tableOf(page)) {
				const expected = meanOver(Number(name.replace("Square ", "")), isInSummer);
				assert.ok(expected === null ? mean === "–" : Math.abs(Number(mean) - expected) < 1e-3, `${name} ${mean}`);
			}
		},
	],
	[
		"a set of the server is in the link with its statistic and period",
		async ({ open }) => {
			const { page } = await openAreas(open, { search: `${SEARCH}&places=fields&statistic=anomaly&span=season` });
			await page.locator(".map-keys .key", { hasText: "Anomaly" }).waitFor();
			assert.deepEqual([linkValue(page, "statistic"), linkValue(page, "span")], ["anomaly", "season"]);
			await page.locator(".map-keys .key", { hasText: "Anomaly" }).click();
			await page.locator(".key-editor").getByLabel("What their colour shows").selectOption("mean");
			await whenLinkSays(page, "statistic", null);
			await page.locator(".map-keys .key", { hasText: "Anomaly" }).waitFor({ state: "detached" });
			await page.keyboard.press("Escape");
			await page.getByLabel("Over which time").selectOption("date");
			await whenLinkSays(page, "span", null);
		},
	],
	[
		"the table has the numbers of each area, in the order of any; rows choose places, by keys too; the file has all",
		async ({ open, outDir }) => {
			const { page } = await openAreas(open);
			await upload(page, "squares.geojson", fileOf(225));
			await page.locator(".leaflet-places-pane canvas").first().waitFor();
			await page.getByRole("button", { name: "Table of the areas" }).click();
			await whenTableIsThere(page);
			const anomalies = Array.from({ length: 225 }, (_, number) => anomalyOf(number, DATE));
			const lowest = Math.min(...anomalies.filter((each) => each !== null));
			const rows = await tableOf(page);
			assert.equal(rows.length, 200);
			assert.ok(Math.abs(Number(rows[0][2].replace("−", "-")) - lowest) < 1e-3, `${rows[0]} is not ${lowest}`);
			const first = Number(rows[0][0].replace("Square ", ""));
			assert.ok(Math.abs(Number(rows[0][1]) - (meanOf(first, DATE) ?? 0)) < 1e-3, `${rows[0]}`);
			assert.equal(rows[0][5], `${Math.round((100 * valuesOf(first, DATE).length) / SIZE ** 2)}%`);
			await page.getByRole("button", { name: "More rows" }).click();
			assert.equal((await tableOf(page)).length, 225);
			assert.deepEqual(await brokenRules(page), []);
			await page.screenshot({ path: join(outDir, "area-table.png") });

			const [file] = await Promise.all([
				page.waitForEvent("download"),
				page.getByRole("button", { name: "Save the table as CSV" }).click(),
			]);
			assert.match(file.suggestedFilename(), /^ndvi_squares\.geojson_2019-\d\d-\d\d\.csv$/);
			const [head, ...lines] = (await readFile(await file.path(), "utf8")).slice(1).trim().split("\r\n");
			assert.equal(head, "id,name,mean,anomaly,p10,p90,valid_share,hectares,unit,layer,time");
			for (const line of lines) {
				const [id, , mean, anomaly] = line.split(",");
				const number = Number(id) - 1;
				const near = (/** @type {string} */ text, /** @type {number | null} */ value) =>
					value === null ? text === "" : Math.abs(Number(text) - value) < 1e-6;
				assert.ok(near(mean, meanOf(number, DATE)) && near(anomaly, anomalies[number]), line);
			}

			await page.getByRole("button", { name: "Mean", exact: true }).focus();
			await page.keyboard.press("Enter");
			await page.locator('.area-table th[aria-sort="descending"] button', { hasText: "Mean" }).waitFor();
			await page.keyboard.press("Enter");
			await page.locator('.area-table th[aria-sort="ascending"] button', { hasText: "Mean" }).waitFor();
			const [lowestName] = (await tableOf(page))[0];
			await page.locator(".area-table tbody button").first().focus();
			await page.keyboard.press("Enter");
			await page.locator("#chart").getByText(lowestName).first().waitFor();
			await page.locator(".area-table tbody button").first().focus();
			await page.keyboard.press("Escape");
			await page.locator(".area-table").waitFor({ state: "detached" });
		},
		"downloads",
	],
	[
		"the table follows the date when it is asked to, and has room on a phone",
		async ({ open, outDir }) => {
			const { page } = await openAreas(open, { width: 390, height: 844, scheme: "dark" });
			await page.evaluate(
				(features) => {
					window.localStorage.setItem("chronotile.areas", features);
				},
				fileOf(12).replaceAll(
					/"type":"Feature",/g,
					() => `"type":"Feature","id":"area-${Math.floor(Math.random() * 1e9)}",`,
				),
			);
			await page.reload();
			await whenShown(page);
			for (const height of ["middle", "high"]) {
				await page.locator(".sheet-handle").click();
				await page.locator(`.sheet[data-stop=${height}]`).waitFor();
			}
			const table = page.getByRole("button", { name: "Table of the areas" });
			await table.scrollIntoViewIfNeeded();
			await table.click();
			await whenTableIsThere(page);
			await page.screenshot({ path: join(outDir, "area-table-phone.png") });
			assert.deepEqual(await brokenRules(page), []);
			await page.locator("#timeline [data-part=previous]").click();
			await page.getByRole("button", { name: "Update" }).click();
			await whenTableIsThere(page);
			const [row] = await tableOf(page);
			const number = Number(row[0].replace("Square ", ""));
			assert.ok(Math.abs(Number(row[1]) - (meanOf(number, DATE - 1) ?? 0)) < 1e-3, `${row}`);
		},
	],
	[
		"a link opens the report of a place: one page to print, and the same as a picture",
		async ({ open, outDir }) => {
			const { lon, lat } = centreOf({ row: 130, column: 130 });
			const { page } = await open({ search: `${SEARCH}&pt=${lon.toFixed(6)},${lat.toFixed(6)}&report=1` });
			await page.locator(".report-paper image").waitFor();
			const value = valueAt("ndvi", DATE, { row: 130, column: 130 });
			assert.ok(value !== undefined);
			const means = FIXTURES.ndvi.dates.flatMap((_, t) => valueAt("ndvi", t, { row: 130, column: 130 }) ?? []);
			const mean = (average(means) ?? 0).toPrecision(3);
			await page
				.locator(".report-paper text", { hasText: new RegExp(`^${Number(mean)}$`) })
				.first()
				.waitFor();
			await page.waitForFunction(() =>
				document.querySelector(".report-paper image")?.getAttribute("href")?.startsWith("data:image/png"),
			);
			for (const scheme of /** @type {const} */ (["light", "dark"])) {
				await page.emulateMedia({ colorScheme: scheme });
				assert.deepEqual(await brokenRules(page), []);
			}
			await page.screenshot({ path: join(outDir, "report.png") });
			const [file] = await Promise.all([
				page.waitForEvent("download"),
				page.getByRole("button", { name: "Save as PNG" }).click(),
			]);
			assert.match(file.suggestedFilename(), /^ndvi_51\..*_2019-\d\d-\d\d\.png$/);
			const png = await readFile(await file.path());
			assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1654, 2340]);

			await page.evaluate(() => {
				window.print = () => {
					document.documentElement.toggleAttribute(
						"data-printed",
						document.documentElement.hasAttribute("data-report"),
					);
				};
			});
			await page.getByRole("button", { name: "Print or save as PDF" }).click();
			await page.locator("html[data-printed]").waitFor();
			await page.evaluate(() => document.documentElement.toggleAttribute("data-report", true));
			const pdf = await page.pdf({ preferCSSPageSize: true });
			assert.equal(pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length, 1);
			await page.evaluate(() => document.documentElement.toggleAttribute("data-report", false));
			await page.keyboard.press("Escape");
			await whenLinkSays(page, "report", null);
			// Also if it loads the part that shows it.
			const { page: other } = await open({ search: `${SEARCH}&pt=${lon.toFixed(6)},${lat.toFixed(6)}` });
			for (const each of [page, other]) {
				await each.getByRole("button", { name: "Report of the place in the chart" }).click();
				await whenLinkSays(each, "report", "1");
			}
		},
		"downloads",
	],
]);
