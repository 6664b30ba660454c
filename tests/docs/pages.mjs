/**
 * Checks in Chromium that the pages of docs/how-to work: `node pages.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`.
 * Libraries are next to a page as `npm install` places them; the origin of the page differs from the server's.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runAsCalled } from "../viewer/browser/harness.mjs";
import { drawnAt, withOwnPage } from "../viewer/browser/own-origin.mjs";
import { until } from "../viewer/browser/tools.mjs";

/** @typedef {import("../viewer/browser/harness.mjs").Page} Page */
/** @typedef {import("../viewer/browser/harness.mjs").Check} Check */

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Returns the code block of a how-to in a language, with this server.
 * @param {string} base
 * @param {string} name
 * @param {string} language
 */
async function readBlock(base, name, language) {
	const text = await readFile(join(REPOSITORY, "docs/how-to", `${name}.md`), "utf8");
	const [, block] = text.match(new RegExp(`\`\`\`${language}\\n(.*?)\\n\`\`\``, "s")) ?? [];
	assert.ok(block, `no ${language} in ${name}.md`);
	return block.replaceAll("http://127.0.0.1:8000", base.replace(/\/$/, ""));
}

/** @param {string} base @param {string} name */
const siteOf = async (base, name) => ({
	own: { "index.html": await readBlock(base, name, "html"), "chart.js": await readBlock(base, "leaflet", "js") },
	beside: (/** @type {string} */ path) => join(REPOSITORY, path),
});

/**
 * Waits until the map shows another picture than before, and returns it.
 * @param {Page} page
 * @param {Buffer} [before]
 */
async function picture(page, before = Buffer.alloc(0)) {
	let now = before;
	const isAnother = async () => {
		now = await page.locator("#map").screenshot();
		return !now.equals(before);
	};
	await until(page, isAnother, () => "the map changes");
	return now;
}

/** @param {string} url @param {RequestInit} [init] */
const getJson = async (url, init) => (await fetch(url, init)).json();

/** @param {Page} page @param {string[]} ids */
const texts = (page, ids) => Promise.all(ids.map((id) => page.locator(`#${id}`).textContent()));

/** Returns the path of a part of the chart. @param {Page} page @param {string} id */
const drawn = (page, id) => page.locator(`#${id}`).getAttribute("d");

/**
 * Asserts that the chart has the values of its point, and marks a date.
 * @param {Page} page
 * @param {string} base
 * @param {string} day
 */
async function checkChart(page, base, day) {
	const [about] = await texts(page, ["about"]);
	const [, lon, lat, value] = about?.match(/^longitude (\S+), latitude (\S+): (.+) on /) ?? [];
	const { times, values } = await getJson(`${base}timeseries/NDVI/point?lon=${lon}&lat=${lat}`);
	const known = values.filter((/** @type {number | null} */ each) => each !== null);
	const index = times.findIndex((/** @type {string} */ time) => time.startsWith(day));
	assert.equal(value, String(values[index] ?? "no value"));
	assert.match(about ?? "", new RegExp(` on ${day}; ${known.length} of 72 dates have a value$`));
	const labels = [Math.min(...known), Math.max(...known), "2022-01-01", "2023-12-21"].map(String);
	assert.deepEqual(await texts(page, ["low", "high", "first", "last"]), labels);
	const [begin, end, when] = [times[0], times.at(-1), times[index]].map(Date.parse);
	assert.equal(await drawn(page, "mark"), `M ${(70 + (920 * (when - begin)) / (end - begin)).toFixed(1)} 10 V 210`);
	assert.equal((await drawn(page, "line"))?.match(/[ML]/g)?.length, known.length);
}

/** Returns a point of the layer that never has a value. @param {string} base */
async function waterPlace(base) {
	const [west, south, east, north] = (await getJson(`${base}layers/NDVI`)).bbox;
	const shares = Array.from({ length: 40 }, (_, index) => (index + 0.5) / 40);
	const points = shares.flatMap((x) => shares.map((y) => [west + x * (east - west), south + y * (north - south)]));
	const body = JSON.stringify({ layers: ["NDVI"], points });
	const headers = { "content-type": "application/json" };
	const { results } = await getJson(`${base}timeseries/points`, { method: "POST", headers, body });
	const index = results[0].features.findIndex(
		(/** @type {any} */ { note, series }) => !note && series.mean.every((/** @type {unknown} */ each) => each === null),
	);
	assert.ok(index >= 0, "a place of water");
	const [lon, lat] = /** @type {[number, number]} */ (points[index]);
	return { lon, lat };
}

/** @param {string} name @returns {[name: string, check: Check]} */
const map = (name) => [
	`the page on ${name} has dates, a legend, the attribution and a chart`,
	async (bench) => {
		const site = { ...(await siteOf(bench.base, name)), allowed: /\b40[04]\b/ };
		await withOwnPage(bench, site, async (page, fetched) => {
			const whenTiles = (/** @type {string} */ day) =>
				until(
					page,
					async () => fetched.some((url) => url.includes("/tiles/NDVI/WebMercatorQuad/") && url.includes(day)),
					() => `tiles of ${day}`,
				);
			await page.locator("#when").getByText("2023-12-21").waitFor();
			await page.getByText("Synthetic data made by chronotile").first().waitFor();
			await page.waitForFunction(
				() => /** @type {HTMLImageElement} */ (document.querySelector("#legend")).naturalWidth > 0,
			);
			await whenTiles("2023-12-21");
			const newest = await picture(page);

			await page.locator("#date").fill("15");
			await page.locator("#when").getByText("2022-06-01").waitFor();
			await whenTiles("2022-06-01");
			await picture(page, newest);

			await page.locator("#map").click();
			await page.getByText(/on 2022-06-01; \d+ of 72 dates have a value$/).waitFor();
			await page.screenshot({ path: join(bench.outDir, `${name}.png`), fullPage: true });
			await checkChart(page, bench.base, "2022-06-01");
			await page.locator("#date").fill("71");
			await checkChart(page, bench.base, "2023-12-21");

			// Tiles of a date that the layer does not have.
			const told = page.waitForEvent("console", (message) => message.text().includes("404"));
			await page.route("**/tiles/NDVI/WebMercatorQuad/*/**", (route) =>
				route.continue({ url: route.request().url().replace("2022-03-01", "2019-03-01") }),
			);
			await page.locator("#date").fill("6");
			await told;
			await page.unroute("**/tiles/NDVI/WebMercatorQuad/*/**");
			await page.locator("#date").fill("71");

			// The server's answers of other places than the clicked one.
			const [west, , , north] = (await getJson(`${bench.base}layers/NDVI`)).bbox;
			for (const [place, words] of /** @type {const} */ ([
				[await waterPlace(bench.base), /no value on 2023-12-21; 0 of 72 dates have a value$/],
				[
					{ lon: west + 0.001, lat: north - 0.001 },
					/not a rectangle in longitude and latitude and does not fill this box$/,
				],
				[{ lon: west - 1, lat: north }, /the point lies outside layer NDVI, which reaches from .* in latitude$/],
			])) {
				await page.route("**/timeseries/**", (route) =>
					route.continue({ url: `${bench.base}timeseries/NDVI/point?lon=${place.lon}&lat=${place.lat}` }),
				);
				await page.locator("#map").click();
				await page.locator("#about").getByText(words).waitFor();
				assert.deepEqual([await drawn(page, "line"), await texts(page, ["low", "high"])], ["", ["", ""]]);
				await page.unroute("**/timeseries/**");
			}
		});
	},
];

/** Colours as `red,green,blue` by their CSS names `#rrggbb`. @param {string} colour */
const numbersOf = (colour) => String([1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));

/**
 * Clicks a field, and asserts that the page shows its value and has drawn it in the colour of this value.
 * @param {Page} page
 * @param {string} base
 * @param {string} day
 */
async function checkField(page, base, day) {
	const { stops } = await getJson(`${base}tiles/NDVI/legend.json`);
	const known = new Set(stops.map((/** @type {{ color: string }} */ { color }) => numbersOf(color)));
	const box = /** @type {{ x: number, y: number, width: number, height: number }} */ (
		await page.locator("#map").boundingBox()
	);
	const centres = Array.from({ length: 1600 }, (_, index) => ({
		x: Math.round(box.x + (box.width * ((index % 40) + 0.5)) / 40),
		y: Math.round(box.y + (box.height * (Math.floor(index / 40) + 0.5)) / 40),
	}));
	const around = [0, -2, 2].flatMap((dx) => [0, -2, 2].map((dy) => [dx, dy]));
	const findInside = async () => {
		const points = centres.flatMap(({ x, y }) => around.map(([dx = 0, dy = 0]) => ({ x: x + dx, y: y + dy })));
		const colours = (await drawnAt(page, points)).map(String);
		return centres.findIndex((_, index) => {
			const [colour = "", ...others] = colours.slice(around.length * index, around.length * (index + 1));
			return known.has(colour) && others.every((other) => other === colour);
		});
	};
	await until(
		page,
		async () => (await findInside()) >= 0,
		() => `a coloured field on ${day}`,
	);
	const place = /** @type {{ x: number, y: number }} */ (centres[await findInside()]);
	await page.locator("#about").evaluate((element) => element.replaceChildren());
	await page.mouse.click(place.x, place.y);
	await page
		.locator("#about")
		.getByText(/^.+: \d/)
		.waitFor();
	const [about] = await texts(page, ["about"]);
	const [id, value] = /** @type {string} */ (about).split(": ");
	const query = `place=fields/${id}&datetime=${day}&weights=auto`;
	const { features } = await getJson(`${base}timeseries/NDVI/area?${query}`);
	assert.equal(Number(value), features[0].series.mean[0], about ?? "");
	const stop = stops.filter((/** @type {{ value: number }} */ each) => each.value <= Number(value)).at(-1);
	assert.equal(String((await drawnAt(page, [place]))[0]), numbersOf(stop.color), about ?? "");
}

/** @param {string} name @param {number} index @returns {[name: string, check: Check]} */
const fields = (name, index) => [
	`the page of fields with ${name} has values, colours and dates`,
	async (bench) => {
		const text = await readFile(join(REPOSITORY, "docs/how-to/coloured-fields.md"), "utf8");
		const html = [...text.matchAll(/```html\n(.*?)\n```/gs)][index]?.[1] ?? "";
		assert.ok(html.includes(name), `page ${index} is made with ${name}`);
		const site = {
			own: { "index.html": html, "fields.js": await readBlock(bench.base, "coloured-fields", "js") },
			beside: (/** @type {string} */ path) => join(REPOSITORY, path),
		};
		await withOwnPage(bench, site, async (page) => {
			await page.locator("#when").getByText("2023-12-21").waitFor();
			await page.getByText("Synthetic data made by chronotile").first().waitFor();
			for (const [date, day, words] of /** @type {const} */ ([
				["16", "2023-06-11", "Click a field."],
				["26", "2023-09-21", ": "],
			])) {
				const before = await picture(page);
				await page.locator("#date").fill(date);
				await page.locator("#when").getByText(day).waitFor();
				await picture(page, before);
				await page.locator("#about").getByText(words).waitFor();
				await checkField(page, bench.base, day);
			}
			await page.screenshot({ path: join(bench.outDir, `fields-${index}.png`), fullPage: true });
		});
	},
];

/** @type {[string, Check][]} */
const checks = [
	...["leaflet", "ol/dist", "maplibre"].map(fields),
	...["leaflet", "openlayers", "maplibre"].map(map),
	[
		"the page with the viewer in a frame shows the layer, with the parts that the page lists",
		async (bench) => {
			const text = await readFile(join(REPOSITORY, "docs/how-to/embed-the-viewer.md"), "utf8");
			assert.match(text, /map with its legend, date and time axis, and a link to the whole viewer/);
			await withOwnPage(bench, await siteOf(bench.base, "embed-the-viewer"), async (page) => {
				const viewer = page.frameLocator("iframe");
				await viewer.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor();
				await viewer.getByText("11 June 2023").first().waitFor();
				await viewer.locator(".map-keys .key:visible").getByText("0.92").first().waitFor();
				await viewer.locator("#timeline:visible").waitFor();
				await viewer.locator("a.open-full:visible[href*='layer=NDVI']").waitFor();
				await page.screenshot({ path: join(bench.outDir, "embed-the-viewer.png"), fullPage: true });
			});
		},
	],
];

await runAsCalled(checks);
