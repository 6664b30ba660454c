/** That the pages of docs/reference/cube-tiles-in-your-page.md do what they say: `node own-page.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { FIXTURES, valueAt } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";
import { until } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Bench} Bench */
/** @typedef {import("./harness.mjs").Page} Page */

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const LEAFLET = dirname(createRequire(import.meta.url).resolve("leaflet"));
const MEDIA_TYPES = { html: "text/html", js: "text/javascript", css: "text/css" };
/** Of the pages' colours. @type {[number, number[]][]} */
const STOPS = [
	[-0.08, [0xf7, 0xf2, 0xdf]],
	[0.4, [0xa3, 0xad, 0x3c]],
	[0.92, [0x00, 0x44, 0x1b]],
];
const LAST = FIXTURES.ndvi.dates.length - 1;
const CELLS = [
	{ row: 100, column: 90 },
	{ row: 300, column: 410 },
	{ row: 470, column: 200 },
];

/** The example in a language of the page, with this server and its layer. @param {string} base @param {"html" | "js"} kind */
async function readExample(base, kind) {
	const page = await readFile(join(REPOSITORY, "docs/reference/cube-tiles-in-your-page.md"), "utf8");
	const [, example] = page.match(new RegExp(`\`\`\`${kind}\n(.*?)\n\`\`\``, "s")) ?? [];
	assert.ok(example, `no example in ${kind}`);
	return example.replaceAll("https://maps.example", base.replace(/\/$/, "")).replaceAll("NDVI", "ndvi");
}

/** @param {string} example */
async function bundle(example) {
	const { outputFiles } = await build({
		stdin: { contents: example, resolveDir: REPOSITORY },
		bundle: true,
		external: ["./ctc1/*"],
		format: "esm",
		write: false,
		logLevel: "error",
	});
	return outputFiles[0].text;
}

/**
 * Serves a page, its files beside it, on a port of its own: another origin than the server's.
 * @param {Record<string, string>} own its files
 */
async function serve(own) {
	const server = createServer(async ({ url = "/" }, response) => {
		const path = new URL(url, "http://localhost").pathname.slice(1) || "index.html";
		const folder = path.startsWith("ctc1/") ? join(REPOSITORY, "viewer") : LEAFLET;
		const body = own[path] ?? (await readFile(join(folder, path), "utf8").catch(() => null));
		const kind = /** @type {"html" | "js" | "css"} */ (path.split(".").at(-1));
		response
			.writeHead(body === null ? 404 : 200, { "content-type": MEDIA_TYPES[kind] ?? "text/plain" })
			.end(body ?? "");
	});
	await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
	const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
	return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

/** Opens such a page, and looks at it. @param {Bench} bench @param {Record<string, string>} own @param {(page: Page) => Promise<void>} look */
async function withOwn({ open }, own, look) {
	const { page: viewer, faults } = await open();
	const page = await viewer.context().newPage();
	page.on("pageerror", (error) => faults.push(String(error)));
	page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
	const { url, close } = await serve({ "favicon.ico": "", ...own });
	try {
		await page.goto(url);
		await look(page);
	} finally {
		await page.close();
		close();
	}
}

/** What the page draws at some places, as red, green and blue. @param {Page} page @param {{ x: number, y: number }[]} places */
async function drawnAt(page, places) {
	const picture = (await page.screenshot()).toString("base64");
	return page.evaluate(
		async ([source, wanted]) => {
			const image = new Image();
			image.src = `data:image/png;base64,${source}`;
			await image.decode();
			const context = /** @type {any} */ (new OffscreenCanvas(image.width, image.height).getContext("2d"));
			context.drawImage(image, 0, 0);
			return wanted.map(({ x, y }) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)]);
		},
		/** @type {const} */ ([picture, places]),
	);
}

/** @param {number | null} value */
function colourOf(value) {
	if (value === null) return null;
	const above = STOPS.findIndex(([stop]) => stop >= value);
	const [[low, from], [high, to]] = [STOPS[above - 1], STOPS[above]];
	return from.map((band, index) => Math.round(band + ((value - low) / (high - low)) * (to[index] - band)));
}

/** Goes through the dates as a user does, and looks at each. @param {Page} page @param {{ x: number, y: number }[]} places */
async function checkDates(page, places) {
	const isRight = async (/** @type {number} */ date) => {
		const drawn = await drawnAt(page, places);
		const expected = CELLS.map((cell) => colourOf(valueAt("ndvi", date, cell)));
		return expected.every((colour, index) => colour === null || colour.join() === drawn[index].join());
	};
	const whenRight = async (/** @type {number} */ date) => {
		const isSo = () => isRight(date);
		await until(page, isSo, () => `date ${date} is drawn`);
	};
	await whenRight(LAST);
	const date = page.locator("#date");
	await date.dispatchEvent("pointerdown");
	for (const index of [0, 40, 72]) {
		await date.fill(String(index));
		await whenRight(index);
	}
}

await runAsCalled([
	[
		"the page with Leaflet goes through dates, and tells values",
		async (bench) => {
			await withOwn(bench, { "index.html": await readExample(bench.base, "html") }, async (page) => {
				await page.locator("#when").getByText("2019-12-27").waitFor();
				const map = await page.locator("#map").boundingBox();
				assert.ok(map);
				// Four tiles of zoom 12 fill the frame's height; its middle is theirs.
				const places = CELLS.map(({ row, column }) => ({
					x: Math.round(map.x + map.width / 2) - 256 + column,
					y: Math.round(map.y + map.height / 2) - 256 + row,
				}));
				await checkDates(page, places);
				for (const [index, { x, y }] of places.entries()) {
					await page.mouse.move(x, y);
					const value = valueAt("ndvi", LAST, CELLS[index]);
					const words = value === null ? "no data" : String(value);
					await page.waitForFunction((wanted) => document.querySelector("#value")?.textContent === wanted, words);
				}
			});
		},
	],
	[
		"the page with OpenLayers goes through dates",
		async (bench) => {
			const own = {
				"index.html": `<!doctype html><body style="margin: 0"><div id="map" style="width: 512px; height: 512px"></div>
					<input id="date" type="range" min="0"><script type="module" src="page.js"></script>`,
				"page.js": await bundle(await readExample(bench.base, "js")),
			};
			await withOwn(bench, own, (page) =>
				checkDates(
					page,
					CELLS.map(({ row, column }) => ({ x: column, y: row })),
				),
			);
		},
	],
]);
