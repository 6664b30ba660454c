/**
 * Checks that examples/page works as its README describes, opened from disk: `node example-page.mjs BASE_URL OUT_DIR
 * [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { cellAt, FIXTURES, valueAt } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";
import { until } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Bench} Bench */
/** @typedef {import("./harness.mjs").Page} Page */

const EXAMPLE = new URL("../../../examples/page/", import.meta.url);
const SERVER = '"http://localhost:8000"';
const LEAFLET = dirname(createRequire(import.meta.url).resolve("leaflet"));
const CDN = "https://unpkg.com/leaflet@1.9.4/dist/";
const DATES = FIXTURES.ndvi.dates;

/**
 * Makes a copy of the example for another server, as its README describes; returns the address of the page.
 * @param {string} base
 */
async function copyFor(base) {
	const folder = await mkdtemp(join(tmpdir(), "example-"));
	const script = await readFile(new URL("page.js", EXAMPLE), "utf8");
	assert.equal(script.split(SERVER).length, 2);
	await writeFile(join(folder, "page.js"), script.replace(SERVER, JSON.stringify(base.replace(/\/$/, ""))));
	await copyFile(new URL("index.html", EXAMPLE), join(folder, "index.html"));
	return folder;
}

/**
 * Opens the page from disk, with Leaflet of the CDN from node_modules.
 * @param {Bench} bench
 * @param {string} layer
 * @param {(page: Page, faults: string[]) => Promise<void>} look
 */
async function withPage({ base, open }, layer, look) {
	const { page: viewer, faults } = await open();
	const page = await viewer.context().newPage();
	page.on("pageerror", (error) => faults.push(String(error)));
	await page.route(`${CDN}*`, async (route) => {
		const name = route.request().url().slice(CDN.length);
		const body = await readFile(join(LEAFLET, name));
		const contentType = name.endsWith(".css") ? "text/css" : "text/javascript";
		await route.fulfill({ body, contentType, headers: { "access-control-allow-origin": "*" } });
	});
	const folder = await copyFor(base);
	try {
		await page.goto(`${pathToFileURL(join(folder, "index.html"))}?${new URLSearchParams({ layer })}`);
		await look(page, faults);
	} finally {
		await page.close();
		await rm(folder, { recursive: true });
	}
}

/** Addresses of the tiles on the map. @param {Page} page */
const tiles = (page) =>
	page
		.locator("img.leaflet-tile-loaded")
		.evaluateAll((all) => all.map((each) => /** @type {HTMLImageElement} */ (each).src));

await runAsCalled([
	[
		"the example shows a map with title, legend, attribution and the newest date",
		async (bench) => {
			await withPage(bench, "ndvi", async (page) => {
				await page
					.locator("#when")
					.getByText(String(DATES.at(-1)))
					.waitFor();
				await until(page, async () => (await tiles(page)).some((each) => each.includes(`datetime=${DATES.at(-1)}`)));
				const width = await page.locator("#legend").evaluate(async (/** @type {HTMLImageElement} */ image) => {
					await image.decode();
					return image.naturalWidth;
				});
				assert.ok(width > 10);
			});
		},
	],
	[
		"a date of the slider is the date of the tiles",
		async (bench) => {
			await withPage(bench, "ndvi", async (page) => {
				await page
					.locator("#when")
					.getByText(String(DATES.at(-1)))
					.waitFor();
				await page.locator("#date").fill("3");
				assert.equal(await page.locator("#when").textContent(), DATES[3]);
				await until(page, async () => {
					const shown = await tiles(page);
					return shown.length > 0 && shown.every((each) => each.includes(`datetime=${DATES[3]}`));
				});
			});
		},
	],
	[
		"a click on the map draws the values of the place, and one on the chart chooses a date",
		async (bench) => {
			await withPage(bench, "ndvi", async (page) => {
				await page
					.locator("#when")
					.getByText(String(DATES.at(-1)))
					.waitFor();
				await page.locator("#date").fill("3");
				const map = await page.locator("#map").boundingBox();
				assert.ok(map);
				await page.mouse.click(map.x + map.width / 2 - 20, map.y + map.height / 2 + 20);
				const about = page.locator("#about");
				await about.getByText(`on ${DATES[3]}`).waitFor();
				const [lat, lon, value] = String(await about.textContent()).split(/[,:] | on /);
				const cell = cellAt({ lon: Number(lon), lat: Number(lat) });
				assert.equal(value, String(valueAt("ndvi", 3, cell) ?? "no value"));
				const drawn = await page.locator("#chart path").getAttribute("d");
				const gaps = DATES.filter((_, t) => valueAt("ndvi", t, cell) === null).length;
				assert.equal((drawn?.match(/[ML]/g) ?? []).length, DATES.length - gaps);

				const box = await page.locator("#chart").boundingBox();
				assert.ok(box);
				await page.mouse.click(box.x + 1, box.y + box.height / 2);
				assert.equal(await page.locator("#when").textContent(), DATES[0]);
			});
		},
	],
	[
		"an unknown layer is an error in words",
		async (bench) => {
			await withPage(bench, "nothing", async (page) => {
				await page.locator("#problem").getByText("nothing").waitFor();
			});
		},
	],
]);
