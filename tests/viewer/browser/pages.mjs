/**
 * Scenarios of the server's other pages: landing page, API reference, collections of OGC API. `node pages.mjs
 * BASE_URL OUT_DIR [PART_OF_A_NAME]`. All requests go to the server (`harness.mjs`).
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runAsCalled } from "./harness.mjs";
import { brokenRules, until } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Check} Check */
/** @typedef {import("./harness.mjs").Page} Page */

const COLLECTION = "ogcapi/collections/ndvi?f=html";

/**
 * Waits until a picture is loaded, and returns its number of opaque pixels.
 * @param {Page} page
 * @param {string} selector
 */
async function opaquePixels(page, selector) {
	await page.locator(selector).scrollIntoViewIfNeeded();
	await page.waitForFunction((each) => {
		const image = /** @type {HTMLImageElement} */ (document.querySelector(each));
		return image.complete && image.naturalWidth > 0;
	}, selector);
	return page.locator(selector).evaluate((element) => {
		const image = /** @type {HTMLImageElement} */ (element);
		const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
		const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
		context.drawImage(image, 0, 0);
		const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
		return data.filter((value, index) => index % 4 === 3 && value === 255).length;
	});
}

/** Waits until the chart of a collection is drawn, and returns the message of the page. @param {Page} page */
async function whenCharted(page) {
	await page.locator("#chart .plot-drawing").waitFor();
	await until(page, async () => /\d+ values of \d+ dates/.test((await page.locator("#said").textContent()) ?? ""));
	return /** @type {string} */ (await page.locator("#said").textContent());
}

/** Whether the page is wider than the window. @param {Page} page */
const isTooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);

/** On a busy machine, drawing a reference of hundreds of operations takes minutes. */
const WHOLE_MS = 240_000;

/** Pages, and an element that exists when they are complete. @type {Record<string, { path: string, whole: string }>} */
const PAGES = {
	"the landing page": { path: "", whole: "button.copy:visible" },
	"the API reference": { path: "docs", whole: "main#operations .opblock" },
	"the API reference of OGC API": { path: "ogcapi/openapi?f=html", whole: "main#operations .opblock" },
	"a collection": { path: COLLECTION, whole: "#chart .plot-drawing" },
	"a collection of colours": { path: "ogcapi/collections/rgb?f=html", whole: "#map" },
};

/** @type {[string, Check][]} */
const checks = [
	[
		"the landing page shows pixels of a layer",
		async ({ open }) => {
			const { page } = await open({ path: "" });

			assert.ok((await opaquePixels(page, 'img[src="layers/ndvi/preview.png"]')) > 1000);
		},
	],
	[
		"a button copies the address beside it and says so",
		async ({ open }) => {
			const { page } = await open({ path: "" });
			await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
			const button = page.getByRole("button", { name: "Copy the address of WMTS" });
			await button.click();

			await page.locator("#copied", { hasText: "Copied" }).waitFor({ state: "attached" });
			assert.match(await page.evaluate(() => navigator.clipboard.readText()), /\/wmts\?SERVICE=WMTS/);
		},
	],
	[
		"layers are found by a word",
		async ({ open }) => {
			const { page } = await open({ path: "" });
			await page.getByRole("searchbox").fill("fapar");
			await page.getByRole("button", { name: "Find" }).click();
			await page.getByRole("status").filter({ hasText: "1 found" }).waitFor();

			assert.deepEqual(await page.locator(".layers h4").allTextContents(), ["FAPAR of floats"]);
		},
	],
	[
		"a card leads to the viewer at its layer",
		async ({ open }) => {
			const { page } = await open({ path: "" });
			await page.getByRole("link", { name: /^Viewer.*LAI of 16 bits$/ }).click();
			await page.waitForURL(/\/viewer\/\?/);

			assert.equal(new URL(page.url()).searchParams.get("layer"), "lai16");
		},
	],
	[
		"a request of the API reference is sent to this server, and its answer shown",
		async ({ open, base }) => {
			const { page } = await open({ path: "docs" });
			const operation = page.locator("#operations-Layers-getLayer");
			await operation.locator(".opblock-summary-control").click();
			await operation.getByPlaceholder("layer").fill("lai16");
			await operation.getByRole("button", { name: "Execute" }).click();
			const answer = operation.locator(".live-responses-table");
			await answer.waitFor();

			assert.equal(await operation.locator(".request-url pre").textContent(), new URL("layers/lai16", base).href);
			assert.match((await answer.textContent()) ?? "", /LAI of 16 bits/);
		},
	],
	[
		"a picture that a request of the API reference returns is shown",
		async ({ open }) => {
			const { page } = await open({ path: "docs" });
			const operation = page.locator("#operations-Tiles-getTile");
			await operation.locator(".opblock-summary-control").click();
			await operation.getByRole("button", { name: "Execute" }).click();

			assert.ok((await opaquePixels(page, ".live-responses-table img")) > 0);
		},
	],
	[
		"a request of the API reference of OGC API is answered",
		async ({ open }) => {
			const { page } = await open({ path: "ogcapi/openapi?f=html" });
			const operation = page.locator('[id$="-getConformance"]');
			await operation.locator(".opblock-summary-control").click();
			await operation.getByRole("button", { name: "Execute" }).click();
			const answer = operation.locator(".live-responses-table");
			await answer.waitFor();

			assert.match((await answer.textContent()) ?? "", /conformsTo/);
		},
	],
	[
		"a collection shows pixels, and a click on them the series of that place",
		async ({ open, base }) => {
			const { page } = await open({ path: COLLECTION });
			const before = await whenCharted(page);
			assert.ok((await opaquePixels(page, "#map")) > 1000);
			const box = await page.locator("#map").boundingBox();
			assert.ok(box);
			await page.mouse.click(box.x + box.width * 0.25, box.y + box.height * 0.75);
			await until(page, async () => (await page.locator("#said").textContent()) !== before);
			const said = await whenCharted(page);

			const [lon, lat] = await Promise.all(["Longitude", "Latitude"].map((each) => page.getByLabel(each).inputValue()));
			const answer = await fetch(new URL(`timeseries/ndvi/point?lon=${lon}&lat=${lat}`, base));
			const { values } = await answer.json();
			const known = values.filter((/** @type {number | null} */ value) => value !== null);
			const numbers = `${known.length} values of ${values.length} dates, from ${Math.min(...known)} to ${Math.max(...known)}`;
			assert.ok(said.startsWith(numbers), `${said} is not ${numbers}`);
		},
	],
	[
		"a click on the chart of a collection shows the map of that date",
		async ({ open }) => {
			const { page, requests } = await open({ path: COLLECTION });
			await whenCharted(page);
			await page.locator("#chart .plot-over").click({ position: { x: 40, y: 60 } });
			await until(page, async () => requests.some((url) => /preview\.png\?.*datetime=/.test(url)));

			const shown = requests.filter((url) => /preview\.png\?.*datetime=/.test(url)).at(-1) ?? "";
			const day = (await page.locator("#date").textContent()) ?? "";
			assert.equal(new URL(shown).searchParams.get("datetime")?.slice(0, 10), day);
			assert.ok((await opaquePixels(page, "#map")) > 1000);
		},
	],
	[
		"the date of the map of a collection is named, and stepped through by buttons",
		async ({ open }) => {
			const { page } = await open({ path: COLLECTION });
			await whenCharted(page);
			await page.locator("#date", { hasText: /^\d{4}-\d\d-\d\d$/ }).waitFor();
			const newest = (await page.locator("#date").textContent()) ?? "";
			await page.getByRole("button", { name: "Earlier" }).click();

			assert.ok(((await page.locator("#date").textContent()) ?? "") < newest);
		},
	],
	[
		"a place outside a collection is refused in words",
		async ({ open }) => {
			const { page } = await open({ path: COLLECTION, allowed: /Failed to load resource/ });
			await whenCharted(page);
			await page.getByLabel("Longitude").fill("100");
			await page.getByRole("button", { name: "Show the series" }).click();

			await page.locator("#said", { hasText: /outside|extent/ }).waitFor();
			assert.ok(await page.locator("#chart").isHidden());
		},
	],
	...Object.entries(PAGES).flatMap(([name, { path, whole }]) =>
		/** @type {["light" | "dark", number][]} */ ([
			["light", 1280],
			["dark", 390],
		]).map(
			([scheme, width]) =>
				/** @type {[string, Check]} */ ([
					`axe finds nothing wrong with ${name}, ${scheme}, ${width} pixels wide`,
					async ({ open, outDir }) => {
						const { page } = await open({ path, width, scheme });
						await page.locator(whole).first().waitFor({ timeout: WHOLE_MS });
						await page.screenshot({ path: join(outDir, `${name.replaceAll(" ", "-")}-${scheme}.png`) });

						assert.deepEqual(await brokenRules(page), []);
						assert.ok(!(await isTooWide(page)), "the page is wider than the window");
					},
				]),
		),
	),
];

await runAsCalled(checks);
