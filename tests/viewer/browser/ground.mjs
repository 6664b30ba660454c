/** Scenarios of base maps and overlays: `node ground.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PbfWriter } from "pbf";
import { runAsCalled } from "./harness.mjs";
import { brokenRules, linkValue, until, whenFocused, whenLinkSays, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

/**
 * Makes the tile of zoom 1 with Ghent: water, land as a square around the middle of Ghent, and a road through it.
 * @returns {Uint8Array}
 */
function makeTile() {
	const MAX = 4096;
	const at = (/** @type {number} */ lon, /** @type {number} */ lat) => [
		Math.round((lon / 180) * MAX),
		Math.round((1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) * MAX),
	];
	const zigzag = (/** @type {number} */ value) => (value << 1) ^ (value >> 31);
	const [x, y] = at(3.73, 51.04);
	const square = [9, zigzag(x - 40), zigzag(y - 40), 26, zigzag(80), 0, 0, zigzag(80), zigzag(-80), 0, 15];
	const pbf = new PbfWriter();
	const layer = (/** @type {string} */ name, /** @type {number} */ type, /** @type {number[]} */ geometry) =>
		pbf.writeMessage(
			3,
			(_, writer) => {
				writer.writeStringField(1, name);
				writer.writeMessage(
					2,
					(_of, feature) => {
						feature.writePackedVarint(2, [0, 0]);
						feature.writeVarintField(3, type);
						feature.writePackedVarint(4, geometry);
					},
					null,
				);
				writer.writeStringField(3, "kind");
				writer.writeMessage(4, (_of, value) => value.writeStringField(1, name === "roads" ? "highway" : name), null);
				writer.writeVarintField(5, MAX);
				writer.writeVarintField(15, 2);
			},
			null,
		);
	layer("earth", 3, square);
	layer("roads", 2, [9, zigzag(x - 40), zigzag(y), 10, zigzag(80), 0]);
	return pbf.finish();
}

/** Makes a `.pmtiles` file (version 3, uncompressed) with the same tile for all five tiles of zooms 0 and 1. */
function makeFile() {
	const tile = makeTile();
	const directory = new PbfWriter();
	for (const each of [1, 0, 5, tile.length, 1]) directory.writeVarint(each);
	const root = directory.finish();
	const metadata = new TextEncoder().encode("{}");
	const file = new Uint8Array(127 + root.length + metadata.length + tile.length);
	const view = new DataView(file.buffer);
	file.set(new TextEncoder().encode("PMTiles"));
	file[7] = 3;
	const starts = [127, 127 + root.length, 0, 127 + root.length + metadata.length];
	const lengths = [root.length, metadata.length, 0, tile.length];
	for (const [index, start] of starts.entries()) {
		view.setBigUint64(8 + 16 * index, BigInt(start), true);
		view.setBigUint64(16 + 16 * index, BigInt(lengths[index]), true);
	}
	for (const [at, count] of /** @type {[number, bigint][]} */ ([
		[72, 5n],
		[80, 1n],
		[88, 1n],
	]))
		view.setBigUint64(at, count, true);
	file.set([1, 1, 1, 1, 0, 1], 96);
	for (const [index, degrees] of [-180, -85, 180, 85].entries()) view.setInt32(102 + 4 * index, degrees * 1e7, true);
	file.set(root, 127);
	file.set(metadata, starts[1]);
	file.set(tile, starts[3]);
	return file;
}

const FILE = makeFile();
const OF_FILE = {
	id: "here",
	title: "Map of here",
	kind: "pmtiles",
	href: "viewer/maps/here.pmtiles",
	layers: null,
	attribution: "The operator",
	max_zoom: 19,
	opacity: 1,
};
const OF_WMS = {
	...OF_FILE,
	id: "names",
	title: "Names",
	kind: "wms",
	href: "/other/wms",
	layers: "a,b",
	opacity: 0.5,
};

/**
 * @param {import("./harness.mjs").Bench} bench
 * @param {Record<string, unknown>} more of the configuration
 * @param {import("./harness.mjs").OpenOptions} [options]
 */
async function openWith({ base, open }, more, options = {}) {
	const config = await (await fetch(new URL("viewer/config.json", base))).json();
	/** @type {string[]} */
	const maps = [];
	const opened = await open({
		search: "?layer=ndvi",
		...options,
		routes: {
			"/config\\.json": (route) => route.fulfill({ json: { ...config, ...more } }),
			"/maps/here\\.pmtiles": (route) => {
				const [, first, last] =
					route
						.request()
						.headers()
						.range?.match(/^bytes=(\d+)-(\d+)$/) ?? [];
				const [start, end] = [Number(first), Math.min(FILE.length, Number(last) + 1)];
				const headers = {
					"content-range": `bytes ${start}-${end - 1}/${FILE.length}`,
					etag: '"one"',
					"content-type": "application/vnd.pmtiles",
				};
				return route.fulfill({ status: 206, headers, body: Buffer.from(FILE.slice(start, end)) });
			},
			"/other/wms": (route) => {
				maps.push(route.request().url());
				const pixel =
					"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
				return route.fulfill({ contentType: "image/png", body: Buffer.from(pixel, "base64") });
			},
		},
	});
	await whenShown(opened.page);
	return { ...opened, maps };
}

/** @param {Page} page */
async function openMenu(page) {
	await page.locator("#ground-button").click();
	await page.locator("#background").waitFor();
}

/** Colours of the first pixels of tiles on a pane. @param {Page} page @param {string} pane */
const coloursOn = (page, pane) =>
	page.locator(`.leaflet-${pane}-pane canvas`).evaluateAll((all) =>
		all.map((canvas) => {
			const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
			if (width === 0) return "";
			const context = /** @type {CanvasRenderingContext2D} */ (
				/** @type {HTMLCanvasElement} */ (canvas).getContext("2d")
			);
			return [...context.getImageData(width / 3, height / 5, 1, 1).data].join();
		}),
	);

await runAsCalled([
	[
		"57 a file of vector tiles is the default background, drawn here, and nothing is asked elsewhere",
		async (bench) => {
			const more = { base_maps: [OF_FILE], default_base_map: "here" };
			const { page, requests } = await openWith(bench, more);
			assert.equal(linkValue(page, "bgLayer") ?? "here", "here");
			await page.getByText("The operator").waitFor();
			// Earth of the light flavour.
			await until(page, async () => (await coloursOn(page, "land")).includes("226,223,218,255"));
			await page.screenshot({ path: join(bench.outDir, "pmtiles.png") });

			const { origin } = new URL(bench.base);
			assert.deepEqual(
				requests.filter((url) => /^https?:/.test(url) && new URL(url).origin !== origin),
				[],
			);
		},
	],
	[
		"57 the library of vector tiles is loaded by who wants it alone",
		async (bench) => {
			const { page, requests } = await openWith(bench, { base_maps: [OF_FILE] });
			const asked = () => requests.filter((url) => url.includes("vectors")).length;
			assert.equal(asked(), 0);
			await openMenu(page);
			await page.locator("#background").selectOption("here");
			await until(page, async () => (await coloursOn(page, "land")).includes("226,223,218,255"));
			assert.ok(asked() > 0);
			await whenLinkSays(page, "bgLayer", "here");
		},
	],
	[
		"57 overlays lie above the data, half dense as configured, are in the link and go again",
		async (bench) => {
			const { page, maps } = await openWith(bench, { overlays: [OF_WMS] }, { search: "?layer=ndvi&overlays=names" });
			await page.locator(".leaflet-overlays-pane img").first().waitFor();
			assert.match(maps[0], /LAYERS=a(,|%2C)b.*|layers=a(,|%2C)b/i);
			assert.match(maps[0], /transparent=true/i);
			const [pane, data] = await page.evaluate(() =>
				["overlays", "tile"].map((name) =>
					Number(getComputedStyle(/** @type {Element} */ (document.querySelector(`.leaflet-${name}-pane`))).zIndex),
				),
			);
			assert.ok(pane > data);
			assert.equal(
				await page
					.locator(".leaflet-overlays-pane .leaflet-layer")
					.evaluate((layer) => getComputedStyle(layer).opacity),
				"0.5",
			);
			await openMenu(page);
			await page.getByLabel("Names", { exact: true }).uncheck();
			await page.locator(".leaflet-overlays-pane img").first().waitFor({ state: "detached" });
			await until(page, async () => linkValue(page, "overlays") === null);
		},
	],
	...[
		{ width: 1440, height: 900 },
		{ width: 390, height: 844 },
		{ width: 844, height: 390 },
	].map(
		(size) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`57 the menu of the ground is used by keys, within ${size.width} × ${size.height}`,
				async (bench) => {
					const { page } = await openWith(bench, { base_maps: [OF_FILE], overlays: [OF_WMS] }, size);
					await page.locator("#ground-button").focus();
					await page.keyboard.press("Enter");
					await page.locator("#background").waitFor();
					const box = await page.locator("#ground-menu").boundingBox();
					assert.ok(box && box.x >= 0 && box.y >= 0 && box.y + box.height <= size.height, JSON.stringify(box));
					assert.deepEqual(await brokenRules(page), []);
					await page.keyboard.press("Tab");
					await whenFocused(page, "background");
					await page.keyboard.press("Tab");
					await page.keyboard.press("Space");
					await whenLinkSays(page, "overlay", "false");
					await page.keyboard.press("Escape");
					await page.locator("#ground-menu").waitFor({ state: "hidden" });
					await whenFocused(page, "ground-button");
				},
			]),
	),
	[
		"57 beyond zoom 9 finer land and coasts come by region, and none are drawn from the file of the world",
		async ({ open, outDir }) => {
			const { page, requests } = await open({ search: "?layer=ndvi&view=3.6,51.42,11" });
			await whenShown(page);
			await until(page, () => Promise.resolve(requests.some((url) => /data\/ground\/8_5\.json/.test(url))));
			await until(page, async () => {
				const lines = await page.locator(".leaflet-outlines-pane canvas").evaluateAll((all) =>
					all.some((canvas) => {
						const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
						const context = /** @type {any} */ (canvas).getContext("2d");
						return context.getImageData(0, 0, width, height).data.some((/** @type {number} */ each) => each > 0);
					}),
				);
				return lines;
			});
			await page.screenshot({ path: join(outDir, "coast.png") });
		},
	],
]);
