/**
 * A viewer that `chronotile publish --viewer` wrote, from a server of files. `node published.mjs BASE_URL OUT_DIR
 * [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { centreOf, FIXTURES, valueAt } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";
import {
	brokenRules,
	inspect,
	until,
	whenAtRest,
	whenLinkSays,
	whenNoNotices,
	whenNotice,
	whenShown,
} from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

const CELL = { row: 100, column: 100 };
/** In the middle of the second field of `served.py`. */
const IN_FIELD = centreOf({ row: 40, column: 100 });
const PLACE = centreOf(CELL);
const AT = `${PLACE.lon.toFixed(6)},${PLACE.lat.toFixed(6)}`;
const PATH = "viewer/index.html";
/**
 * A cell is a pixel at zoom 12. Its middle would lie between two pixels of the map; a quarter from its corner, the pixel
 * a quarter beyond the middle of the map is in the cell, whether the map has an even or an odd number of pixels.
 */
const CORNER = centreOf({ row: CELL.row - 0.25, column: CELL.column - 0.25 });
const VIEW = `${CORNER.lon.toFixed(6)},${CORNER.lat.toFixed(6)},12`;
const SEARCH = `?language=en&style=numbers&bgLayer=None&overlay=false&view=${VIEW}`;
const { dates } = FIXTURES.ndvi;

/** Waits until all lines of the chart are drawn, and returns them. @param {Page} page @param {number} count */
async function linesOf(page, count) {
	await inspect(page);
	const found = await page.waitForFunction((wanted) => {
		const lines = /** @type {any} */ (window).parts.lines.peek();
		const isDone = lines.length === wanted && lines.every((/** @type {any} */ { phase }) => phase !== "loading");
		return (
			isDone &&
			lines.map((/** @type {any} */ { phase, table, error }) => ({
				phase,
				columns: table?.columns,
				why: String(error?.message),
			}))
		);
	}, count);
	return /** @type {Promise<{ phase: string, columns: Record<string, (number | null)[]>, why: string }[]>} */ (
		found.jsonValue()
	);
}

/**
 * Waits until the readout has the value of the cell in the middle of the map.
 * @param {Page} page
 * @param {number | null} value
 */
async function whenRead(page, value) {
	let found = /** @type {string | undefined} */ ("");
	const isSo = async () => {
		found = (await page.locator("#readout .reading").first().getAttribute("data-value")) ?? "";
		return value === null ? found === "" : Math.abs(Number(found) - value) < 1e-9 && found !== "";
	};
	await until(page, isSo, () => `the readout has ${found}, not ${value}`);
}

/** Returns the middle of the map. @param {Page} page */
async function middle(page) {
	const box = await page.locator("#map").boundingBox();
	assert.ok(box);
	return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

await runAsCalled([
	[
		"a drag through a year asks for nothing, and values under the pointer are those of the formula",
		async ({ open, outDir }) => {
			const { page, requests } = await open({ path: PATH, search: `${SEARCH}&date=${dates[40]}` });
			await whenShown(page);
			const slider = page.getByRole("slider", { name: /^Date/ });
			await slider.hover({ position: { x: 20, y: 20 } });
			await page.locator(`.strip[data-full="${dates.length}"]`).waitFor();
			const box = await slider.boundingBox();
			assert.ok(box);
			const before = requests.length;
			await page.mouse.move(box.x + box.width * 0.6, box.y + 20);
			await page.mouse.down();
			for (const share of [0.7, 0.4, 0.2, 0.3])
				await page.mouse.move(box.x + box.width * share, box.y + 20, { steps: 5 });
			const dragged = requests.slice(before);
			await page.mouse.up();

			assert.deepEqual(dragged, []);
			const { x, y } = await middle(page);
			for (const t of [20, 21, 30]) {
				await page.goto(`${page.url().split("?")[0]}${SEARCH}&date=${dates[t]}`);
				await whenShown(page);
				await page.mouse.move(x - 3, y);
				await page.mouse.move(x + 0.25, y + 0.25);
				await whenRead(page, valueAt("ndvi", t, CELL));
			}
			await page.screenshot({ path: join(outDir, "published.png") });
			assert.deepEqual(await brokenRules(page), []);
		},
	],
	[
		"the chart of a point has all values of its cell, that of a place its means, and what needs a server says so",
		async ({ open, outDir }) => {
			const pt = `&pt=${AT}&chart=1&places=fields&date=${dates[40]}`;
			const { page } = await open({ path: PATH, search: `${SEARCH}${pt}` });
			await whenShown(page);
			const [{ columns }] = await linesOf(page, 1);
			const expected = dates.map((_, t) => valueAt("ndvi", t, CELL));
			assert.deepEqual(columns.value, expected);

			await inspect(page);
			await page.evaluate(
				({ lon, lat }) => /** @type {any} */ (window).parts.chooser.peek()({ lon, lat }, false),
				IN_FIELD,
			);
			await page.waitForFunction(() => /** @type {any} */ (window).parts.places.peek()[0]?.geometry.type === "Polygon");
			const [ofPlace] = await linesOf(page, 1);
			await page.screenshot({ path: join(outDir, "published-place.png") });
			assert.equal(ofPlace.phase, "ready", ofPlace.why);
			const means = dates.map((_, t) => {
				const cells = Array.from({ length: 1600 }, (_, at) => ({
					row: 20 + Math.floor(at / 40),
					column: 80 + (at % 40),
				}));
				const values = cells.map((cell) => valueAt("ndvi", t, cell)).filter((value) => value !== null);
				return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
			});
			for (const [t, mean] of means.entries()) {
				const found = ofPlace.columns.mean[t];
				assert.ok(
					mean === null || found === null ? mean === found : Math.abs(found - mean) < 1e-6,
					`${dates[t]}: ${found}, not ${mean}`,
				);
			}

			await page.evaluate(() => {
				const ring = [
					[3.7, 51.01],
					[3.71, 51.01],
					[3.71, 51.02],
					[3.7, 51.01],
				];
				/** @type {any} */ (window).parts.choosePlace({ type: "Polygon", coordinates: [ring] }, "Drawn", false);
			});
			await page.waitForFunction(() => /** @type {any} */ (window).parts.places.peek()[0]?.name === "Drawn");
			const [drawn] = await linesOf(page, 1);
			assert.match(drawn.why, /needs a server/);
			await page.getByText("This needs a server").first().waitFor();
			await page.locator("#info-button").click();
			await page.getByText("Reference system").waitFor();
			assert.equal(await page.getByText("Addresses for other programs").count(), 0);
		},
	],
	[
		"maps of periods have the values of all their dates; what files cannot tell is not offered, or says so",
		async ({ open }) => {
			const june = dates.flatMap((date, t) => (date.startsWith("2019-06") ? (valueAt("ndvi", t, CELL) ?? []) : []));
			const { page } = await open({ path: PATH, search: `${SEARCH}&date=2019-06-05&slot=month&reducer=max` });
			await whenShown(page);
			const { x, y } = await middle(page);
			await page.mouse.move(x - 3, y);
			await page.mouse.move(x + 0.25, y + 0.25);
			await whenRead(page, Math.max(...june));
			await page.locator("#period-button").click();
			await page.locator("#periods input[value=clearest]").waitFor({ state: "hidden" });
			await page.getByRole("radio", { name: "Season" }).check();
			await whenNotice(page, /needs a server/);
			await page.getByRole("radio", { name: "Year" }).check();
			await whenNoNotices(page);
		},
	],
	[
		"on a phone other zooms and layers' information come from files too",
		async ({ open }) => {
			const search = `?language=en&view=${AT},9&places=fields&date=${dates[40]}`;
			const { page } = await open({ path: PATH, search, width: 390, height: 844 });
			await whenShown(page);
			await whenAtRest(page, "#map");
			await page.locator("#map").press("+");
			await whenLinkSays(page, "view", new URL(page.url()).searchParams.get("view"));
			await page.locator("#find-button").waitFor({ state: "hidden" });
		},
	],
]);
