/**
 * That the pages of docs/how-to do what they show, in Chromium: `node pages.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`.
 * Libraries are beside a page as `npm install` puts them there; the page's origin is not the server's.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runAsCalled } from "../viewer/browser/harness.mjs";
import { withOwnPage } from "../viewer/browser/own-origin.mjs";
import { until } from "../viewer/browser/tools.mjs";

/** @typedef {import("../viewer/browser/harness.mjs").Page} Page */
/** @typedef {import("../viewer/browser/harness.mjs").Check} Check */

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

/** The page of a how-to, with this server. @param {string} base @param {string} name */
async function readPage(base, name) {
	const text = await readFile(join(REPOSITORY, "docs/how-to", `${name}.md`), "utf8");
	const [, page] = text.match(/```html\n(.*?)\n```/s) ?? [];
	assert.ok(page, `no page in ${name}.md`);
	return page.replaceAll("http://127.0.0.1:8000", base.replace(/\/$/, ""));
}

/** @param {string} base @param {string} name */
const siteOf = async (base, name) => ({
	own: { "index.html": await readPage(base, name) },
	beside: (/** @type {string} */ path) => join(REPOSITORY, path),
});

/** Until the map shows another picture than before; gives it back. @param {Page} page @param {Buffer} [before] */
async function picture(page, before = Buffer.alloc(0)) {
	let now = before;
	const isAnother = async () => {
		now = await page.locator("#map").screenshot();
		return !now.equals(before);
	};
	await until(page, isAnother, () => "the map changes");
	return now;
}

/** @param {string} name @returns {[name: string, check: Check]} */
const map = (name) => [
	`the page on ${name} has dates, a legend, the attribution and a chart`,
	async (bench) => {
		await withOwnPage(bench, await siteOf(bench.base, name), async (page) => {
			/** @type {string[]} */
			const drawn = [];
			page.on("requestfinished", (request) => {
				if (request.url().includes("/tiles/NDVI/WebMercatorQuad/")) drawn.push(request.url());
			});
			await page.locator("#when").getByText("2023-12-21").waitFor();
			await page.getByText("Synthetic data made by chronotile").first().waitFor();
			await page.waitForFunction(
				() => /** @type {HTMLImageElement} */ (document.querySelector("#legend")).naturalWidth > 0,
			);
			await until(
				page,
				async () => drawn.some((url) => url.includes("2023-12-21")),
				() => "tiles of the newest date",
			);
			const newest = await picture(page);

			await page.locator("#date").fill("15");
			await page.locator("#when").getByText("2022-06-01").waitFor();
			await until(
				page,
				async () => drawn.some((url) => url.includes("2022-06-01")),
				() => "tiles of a June",
			);
			await picture(page, newest);

			await page.locator("#map").click();
			await page.getByText(/\d+ of 72 dates have a value/).waitFor();
			await page.screenshot({ path: join(bench.outDir, `${name}.png`) });
			assert.match((await page.locator("#line").getAttribute("d")) ?? "", /^M [\d.]+ [\d.]+ h 0 .*L /);
		});
	},
];

/** @type {[string, Check][]} */
const checks = [
	...["leaflet", "openlayers", "maplibre"].map(map),
	[
		"the page with the viewer in a frame shows the layer",
		async (bench) => {
			await withOwnPage(bench, await siteOf(bench.base, "embed-the-viewer"), async (page) => {
				const viewer = page.frameLocator("iframe");
				await viewer.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor();
				await viewer.getByText("11 June 2023").first().waitFor();
			});
		},
	],
];

await runAsCalled(checks);
