/** Checks that the example pages of clients/js work: `node examples.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cellAt, FIXTURES, numberAt, valueAt } from "../../viewer/browser/formula.mjs";
import { runAsCalled } from "../../viewer/browser/harness.mjs";
import { drawnAt, withOwnPage } from "../../viewer/browser/own-origin.mjs";
import { until } from "../../viewer/browser/tools.mjs";

/** @typedef {import("../../viewer/browser/harness.mjs").Page} Page */
/** @typedef {import("../../viewer/browser/harness.mjs").Check} Check */

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
/** Folder of the built package; by default that of the working tree. */
const PACKAGE = process.env.CHRONOTILE_JS_PACKAGE ?? join(REPOSITORY, "clients/js");
const { dates: DATES } = FIXTURES.ndvi;
const LAST = DATES.length - 1;
/** Cells with values at the checked dates. */
const CELLS = [
	{ row: 100, column: 90 },
	{ row: 300, column: 410 },
	{ row: 440, column: 200 },
];
const CLICKED = CELLS[1];

/** Returns a path as npm installs it. @param {string} path */
const installed = (path) =>
	path.startsWith("node_modules/chronotile/")
		? join(PACKAGE, path.slice("node_modules/chronotile/".length))
		: join(REPOSITORY, path);

/**
 * Returns an example with this server and its layer, whose style paints number n as the grey n; `window.cubes` is
 * its cube layer.
 * @param {string} base
 * @param {string} name
 */
async function readExample(base, name) {
	const page = await readFile(join(REPOSITORY, "clients/js/examples", `${name}.html`), "utf8");
	assert.ok(page.split("\n").length <= 60, "an example has less than 60 lines");
	return page
		.replace("http://127.0.0.1:8000", base.replace(/\/$/, ""))
		.replace('openLayer(server, "NDVI")', 'openLayer(server, "ndvi", { style: "numbers" })')
		.replace("const cubes =", "const cubes = window.cubes =");
}

/** Whether all dates are decoded and no request is pending; runs in the page. @param {number} count */
function isYearLoaded(count) {
	const { source, dataTiles, shown } = /** @type {any} */ (window).cubes.painter;
	const loaded = [...source.loaded(dataTiles, shown).values()];
	return loaded.length === count && loaded.every((how) => how === "full") && source.loader.pending === 0;
}

/**
 * Returns the pixels of CELLS. The layer has four tiles, and the map has the same height and centre.
 * @param {Page} page
 */
async function placesOf(page) {
	const map = await page.locator("#map").boundingBox();
	assert.ok(map);
	const [left, top] = [Math.round(map.x + map.width / 2) - 256, Math.round(map.y + map.height / 2) - 256];
	return CELLS.map(({ row, column }) => ({ x: left + column, y: top + row }));
}

/** @param {Page} page @param {{ x: number, y: number }[]} places @param {number} date index */
async function whenDrawn(page, places, date) {
	const expected = CELLS.map((cell) => numberAt("ndvi", date, cell)).map((number) => number ?? 255);
	/** @type {number[][]} */
	let drawn = [];
	const isRight = async () => {
		drawn = await drawnAt(page, places);
		return drawn.every((bands, index) => bands.every((band) => band === expected[index]));
	};
	await until(page, isRight, () => `date ${date} is drawn: ${JSON.stringify({ expected, drawn })}`);
}

/** @param {Page} page */
const chartOf = (page) =>
	page.locator("chronotile-chart").evaluate((element) => {
		const { series, shadowRoot } = /** @type {any} */ (element);
		const title = shadowRoot.querySelector("[part=title]").textContent;
		return { series, title, drawings: shadowRoot.querySelectorAll("[part=plot] svg.plot-drawing").length };
	});

/** @param {Page} page */
const legendOf = (page) =>
	page.locator("chronotile-legend").evaluate((element) => {
		const root = /** @type {ShadowRoot} */ (element.shadowRoot);
		const bar = /** @type {HTMLCanvasElement} */ (root.querySelector("canvas"));
		const { data } = /** @type {CanvasRenderingContext2D} */ (bar.getContext("2d")).getImageData(0, 0, bar.width, 1);
		const ticks = [...root.querySelectorAll("[part=ticks] span")].map((tick) => tick.textContent);
		return { title: root.querySelector("[part=title]")?.textContent, ends: [data[0], data.at(-4)], ticks };
	});

/** @param {string} name @returns {[name: string, check: Check]} */
const example = (name) => [
	`the example of ${name} has dates, legend, attribution and a chart`,
	async (bench) => {
		const own = { "index.html": await readExample(bench.base, name) };
		await withOwnPage(bench, { own, beside: installed }, async (page) => {
			/** @type {string[]} */
			const requested = [];
			page.on("request", (request) => requested.push(request.url()));
			const slider = page.locator("#date");
			await page.locator("#when").getByText(DATES[LAST]).waitFor();
			const places = await placesOf(page);
			await whenDrawn(page, places, LAST);
			await page.getByText("Formulas, made for tests").waitFor();

			await slider.dispatchEvent("pointerdown");
			await slider.fill("40");
			await slider.dispatchEvent("pointerup");
			await whenDrawn(page, places, 40);
			await page.waitForFunction(isYearLoaded, DATES.length);
			const before = requested.length;
			for (const date of [0, 24, 72, 56]) {
				await slider.fill(String(date));
				await whenDrawn(page, places, date);
			}
			assert.deepEqual(requested.slice(before), [], "time moves without requests");

			await page.mouse.click(places[1].x, places[1].y);
			await until(
				page,
				async () => (await chartOf(page)).series !== null,
				() => "the chart has a series",
			);
			const { series, title, drawings } = await chartOf(page);
			// The corner of the pixel, which is between four cells.
			const cell = cellAt({ lon: series.point[0], lat: series.point[1] });
			assert.ok(Math.max(Math.abs(cell.row - CLICKED.row), Math.abs(cell.column - CLICKED.column)) <= 1);
			const expected = DATES.map((_, date) => valueAt("ndvi", date, cell));
			assert.deepEqual(series.values, expected);
			assert.equal(title, `NDVI of 2019, ${DATES[56]}: ${expected[56] ?? "nodata"}`);
			assert.equal(drawings, 1);
			const legend = await legendOf(page);
			assert.equal(legend.title, "NDVI of 2019");
			assert.deepEqual(legend.ends, [0, 250]);
			assert.ok(legend.ticks.includes("0.4"), `ticks ${legend.ticks}`);

			await page.locator("chronotile-chart .plot-over").click({ position: { x: 2, y: 40 } });
			await page.locator("#when").getByText(DATES[0]).waitFor();
			await whenDrawn(page, await placesOf(page), 0);
		});
	},
];

const INLINED = /openLayer\("http:\/\/127\.0\.0\.1:8000", "NDVI"\)/;
const OWN_WORKER = `new CubeLoader({ makeWorker: () =>
	new Worker("./node_modules/chronotile/dist/worker.js", { type: "module" }) })`;

/** Reads the page and the scripts of the README: for Leaflet, and the replacements for OpenLayers and MapLibre. */
async function readReadme() {
	const readme = await readFile(join(REPOSITORY, "clients/js/README.md"), "utf8");
	const [, page = ""] = readme.match(/```html\n(.*?)\n```/s) ?? [];
	const [leaflet, openlayers, maplibre] = [...readme.matchAll(/```js\n(.*?)\n```/gs)].map(([, script]) => script);
	assert.match(leaflet, INLINED);
	return { page, scripts: { leaflet, openlayers, maplibre } };
}

/** Returns the first example of the README on a page whose policy allows no workers from blobs. @param {string} base */
async function readFirst(base) {
	const { page, scripts } = await readReadme();
	const server = base.replace(/\/$/, "");
	const opened = `openLayer("${server}", "ndvi", { style: "numbers", loader: ${OWN_WORKER} })`;
	const script = `import { CubeLoader } from "chronotile";\n${scripts.leaflet.replace(INLINED, opened)}`;
	const index = `<!doctype html><html lang="en"><meta charset="utf-8"><title>README</title>
		<meta http-equiv="Content-Security-Policy" content="default-src 'self' 'unsafe-inline' data:; connect-src ${server}; worker-src 'self'">
		${page}</html>`;
	return { "index.html": index, "page.js": script };
}

/**
 * Returns the first example of the README with the map of another library, and the import map of its example page.
 * @param {string} base
 * @param {"openlayers" | "maplibre"} name
 */
async function readOther(base, name) {
	const { scripts } = await readReadme();
	const opened = `openLayer("${base.replace(/\/$/, "")}", "ndvi", { style: "numbers" })`;
	const parts = scripts.leaflet.replace(INLINED, opened).split("\n\n");
	const others = parts.map((part) => (part.includes("makeCubeLayer(") ? scripts[name] : part));
	const script = others.join("\n\n").replace(/import .* from ".*\/?leaflet";\n/g, "");
	assert.ok(!script.includes("atlng"), `nothing of Leaflet is left:\n${script}`);
	const page = await readExample(base, name);
	return {
		"index.html": page.replace(
			/(<script type="module">).*(<\/script>)/s,
			() => `<script type="module">${script}</script>`,
		),
	};
}

await runAsCalled([
	...["leaflet", "openlayers", "maplibre"].map(example),
	[
		"the page of the README works with a worker of the page's own",
		async (bench) => {
			const own = await readFirst(bench.base);
			await withOwnPage(bench, { own, beside: installed }, async (page) => {
				await page.getByText("Formulas, made for tests").waitFor();
				const places = await placesOf(page);
				await whenDrawn(page, places, LAST);
				await page.locator("input").fill("40");
				await whenDrawn(page, places, 40);
				await page.mouse.click(places[0].x, places[0].y);
				const hasSeries = async () => (await chartOf(page)).series !== null;
				await until(page, hasSeries, () => "the chart has a series");
				assert.match((await chartOf(page)).title, new RegExp(DATES[40]));
			});
		},
	],
	.../** @type {const} */ (["openlayers", "maplibre"]).map(
		(name) =>
			/** @type {[string, Check]} */ ([
				`the map of ${name} in the README shows the layer, its attribution and a chart`,
				async (bench) => {
					await withOwnPage(bench, { own: await readOther(bench.base, name), beside: installed }, async (page) => {
						const places = await placesOf(page);
						await whenDrawn(page, places, LAST);
						await page.getByText("Formulas, made for tests").waitFor({ state: "attached" });
						await page.locator("#date").fill("40");
						await whenDrawn(page, places, 40);
						await page.mouse.click(places[0].x, places[0].y);
						const hasSeries = async () => (await chartOf(page)).series !== null;
						await until(page, hasSeries, () => "the chart has a series");
					});
				},
			]),
	),
	[
		"a chart marks the period that contains its date, with and without a layer that is open",
		async (bench) => {
			const server = bench.base.replace(/\/$/, "");
			const script = `import "chronotile/chart"; import { openLayer } from "chronotile";
				const layer = await openLayer("${server}", "dekads");
				document.querySelectorAll("chronotile-chart")[1].source = layer;`;
			const page = (await readReadme()).page.replace("<chronotile-legend></chronotile-legend>", "").replace(
				"<chronotile-chart>",
				`<chronotile-chart server="${server}" layer="dekads" lon="3.73" lat="51.055" date="2023-06-30"></chronotile-chart>
					<chronotile-chart lon="3.73" lat="51.055" date="2023-06-30">`,
			);
			const own = { "index.html": `<!doctype html><html lang="en"><title>Charts</title>${page}`, "page.js": script };
			await withOwnPage(bench, { own, beside: installed }, async (opened) => {
				const charts = opened.locator("chronotile-chart");
				for (const at of [0, 1]) {
					for (const [date, start] of [
						["2023-06-30", "2023-06-21"],
						["2023-06-20", "2023-06-11"],
						["2023-06-11T00:00:00Z", "2023-06-11"],
						["2031", "2023-08-21"],
					]) {
						await charts.nth(at).evaluate((chart, text) => chart.setAttribute("date", text), date);
						await charts
							.nth(at)
							.locator("[part=title]", { hasText: `Dekads of 2023, ${start}: ` })
							.waitFor();
					}
					if (at === 0) await charts.first().screenshot({ path: join(bench.outDir, "chart.png") });
					await charts.nth(at).evaluate((chart) => chart.setAttribute("date", "nonsense"));
					await charts
						.nth(at)
						.locator("[part=title]", { hasText: /^Dekads of 2023$/ })
						.waitFor();
				}
			});
		},
	],
]);
