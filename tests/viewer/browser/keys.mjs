/**
 * Keys on the map, in each state and form of the page: `node keys.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`, over the
 * archive of `served.py`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { FIXTURES } from "./formula.mjs";
import { runAsCalled } from "./harness.mjs";
import { brokenRules, linkValue, nextFrame, noticeTexts, typeInto, until, whenLinkSays, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

const { dates } = FIXTURES.ndvi;
const VIEW = "view=3.77930,51.01375,12";
const SEARCH = `?layer=ndvi&date=${dates[8]}&${VIEW}`;
const PHONE = { width: 390, height: 844 };

/** A date of the layer of three years. */
const YEAR_DATE = "2019-02-10";

/** Waits until both sides are on the map. @param {Page} page */
const whenCompared = (page) =>
	page
		.locator("html:not([data-loading]) .map-frame[data-compare][data-shown-b=shown] .side-card:not([hidden])")
		.first()
		.waitFor();

/** Returns the texts of the visible legends. @param {Page} page */
const keyTexts = (page) =>
	page.locator(".map-frame .key:visible").evaluateAll((keys) => keys.map((key) => key.textContent ?? ""));

/** @param {Page} page @param {number} count @param {RegExp} [words] */
async function whenKeys(page, count, words = /-0\.08.*0\.92/) {
	await until(page, async () => (await keyTexts(page)).filter((told) => words.test(told)).length === count);
}

/**
 * Whether an element is entirely within another one on the page.
 * @param {Page} page
 * @param {string} inner
 * @param {string} outer
 */
const isWithin = (page, inner, outer) =>
	page.evaluate(
		([one, other]) => {
			const [a, b] = [one, other].map((each) => document.querySelector(each)?.getBoundingClientRect());
			return !!a && !!b && a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
		},
		[inner, outer],
	);

/** Colours of the middle row of a key's bar, at its ends. @param {Page} page @param {string} key */
const endsOf = (page, key) =>
	page.locator(`${key} canvas`).evaluate((canvas) => {
		const bar = /** @type {HTMLCanvasElement} */ (canvas);
		const context = /** @type {CanvasRenderingContext2D} */ (bar.getContext("2d"));
		return [0, bar.width - 1].map((x) => [...context.getImageData(x, 0, 1, 1).data.slice(0, 3)]);
	});

await runAsCalled([
	[
		"the key is on the map whether the panel is there, is folded, or Find is in its place, and opens what changes colours",
		async ({ open }) => {
			const { page } = await open({ search: SEARCH });
			await whenShown(page);
			await whenKeys(page, 1);
			await page.locator(".map-keys .key").click();
			assert.ok(await page.evaluate(() => document.activeElement?.closest("#legend-body") !== null));
			for (const button of ["panel-button", "find-button"]) {
				await page.locator(`#${button}`).click();
				await page.locator("#legend-body").waitFor({ state: "hidden" });
				await whenKeys(page, 1);
				await page.locator(".map-keys .key").focus();
				await page.keyboard.press("Enter");
				await page.locator(".key-editor #legend-body .legend-plot").waitFor();
				assert.deepEqual(await brokenRules(page), []);
				await page.keyboard.press("Escape");
				await page.locator("#panel #legend-body").waitFor({ state: "attached" });
				assert.ok(await page.evaluate(() => document.activeElement?.matches(".map-keys .key")));
			}
		},
	],
	[
		"the key is that of the colours as they are changed",
		async ({ open }) => {
			const { page } = await open({ search: `${SEARCH}&style=numbers` });
			await whenShown(page);
			await until(page, async () => (await endsOf(page, ".map-keys .key"))[0][0] < 10);
			await page.locator("#palette-a").click();
			await page.getByRole("button", { name: "Reversed" }).click();
			await until(page, async () => (await endsOf(page, ".map-keys .key"))[0][0] > 240);
			await page.keyboard.press("Escape");
			await typeInto(page.locator("#legend-body .legend-number[data-end=high]"), "0.5");
			await page.keyboard.press("Enter");
			await whenKeys(page, 1, /-0\.08.*0\.5$/);
		},
	],
	...["light", "dark"].map(
		(scheme) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`on a phone, and in a page within another one, the key is in sight and covers no words, ${scheme}`,
				async ({ open, outDir }) => {
					for (const [name, more] of [
						["phone", ""],
						["embed", "&embed=1"],
					]) {
						const { page } = await open({
							...PHONE,
							scheme: /** @type {"light" | "dark"} */ (scheme),
							search: SEARCH + more,
						});
						await whenShown(page);
						await whenKeys(page, 1);
						assert.ok(await isWithin(page, ".map-keys", "#map-frame"));
						const [key, attribution] = await Promise.all(
							[".map-keys", ".attribution"].map((each) => page.locator(each).boundingBox()),
						);
						assert.ok(key && attribution && key.y + key.height <= attribution.y);
						assert.deepEqual(await brokenRules(page), []);
						await page.screenshot({ path: join(outDir, `keys-${name}-${scheme}.png`) });
					}
				},
			]),
	),
	[
		"each layer that is shown has its key, and that is edited for itself",
		async ({ open }) => {
			const { page } = await open({ search: `${SEARCH}&layers=ndvi:1,dekads:0.6` });
			await whenShown(page);
			await page.locator(".map-keys .key.small").waitFor();
			assert.equal((await keyTexts(page)).length, 2);
			await page.locator("#extras .extra > .key").waitFor();
			await page.locator(".map-keys .key.small").click();
			const high = page.locator(".key-editor .legend-number[data-end=high]");
			await typeInto(high, "0.123");
			await high.press("Enter");
			await page.keyboard.press("Escape");
			await until(page, async () => (await keyTexts(page)).filter((told) => told.includes("0.123")).length === 1);
			assert.equal(linkValue(page, "max"), null);

			await page.getByRole("button", { name: /^Hide / }).click();
			await until(page, async () => (await keyTexts(page)).length === 1);
		},
	],
	[
		"in a comparison each side has its own key at its date, and the map none",
		async ({ open, outDir }) => {
			const { page } = await open({
				search: `${SEARCH}&style=numbers&reversed=1&compare=swipe&style2=numbers&date2=${dates[0]}`,
			});
			await whenCompared(page);
			await until(page, async () => (await endsOf(page, ".side-card.a:not([hidden]) .key"))[0][0] > 240);
			await until(page, async () => (await endsOf(page, ".side-card.b .key"))[0][0] < 10);
			assert.equal((await keyTexts(page)).length, 2);
			assert.match((await page.locator(".side-card.b .side-tag").textContent()) ?? "", /1 Jan 2019/);
			await page.screenshot({ path: join(outDir, "keys-compare.png") });
			await page.locator(".modes").selectOption("side");
			await page.locator(".map.beside").waitFor();
			assert.equal((await keyTexts(page)).length, 2);
		},
	],
	[
		"a difference is the later date less the earlier one, whichever is A, on the key, in the readout and in copied addresses",
		async ({ open }) => {
			const { page } = await open({
				search: `?layer=ndvi&date=${dates[0]}&date2=${dates[8]}&compare=diff&${VIEW}&style=numbers&style2=numbers`,
			});
			await whenCompared(page);
			const words = /10 Feb 2019\s−\s1 Jan 2019/;
			await whenKeys(page, 1, words);
			await whenKeys(page, 1, /less.*more.*no data/);
			await page.locator(".compare-bar .menu").click();
			await page.getByRole("button", { name: "Swap A and B" }).click();
			await whenLinkSays(page, "date", dates[8]);
			await whenKeys(page, 1, words);
			const map = await page.locator("#map").boundingBox();
			assert.ok(map);
			await page.mouse.move(map.x + map.width / 2, map.y + map.height / 2);
			await page.locator("#readout [data-side=difference]").getByText(words).waitFor();

			await page.locator("#export-button").click();
			await page.getByRole("tab", { name: "Copy as" }).click();
			const addresses = page.locator(".export-copies input");
			await addresses.first().waitFor();
			const [wms] = await addresses.evaluateAll((all) =>
				all.map((each) => /** @type {HTMLInputElement} */ (each).value),
			);
			const query = new URL(wms).searchParams;
			assert.deepEqual([query.get("TIME")?.slice(0, 10), query.get("DIFFERENCE")?.slice(0, 10)], [dates[8], dates[0]]);
		},
	],
	[
		"A and B change places whichever has its dates first",
		async ({ open }) => {
			for (const last of [0, 1]) {
				/** @type {import("playwright-core").Route[]} */
				const asked = [];
				let isSwapping = false;
				const hold = (/** @type {import("playwright-core").Route} */ route) =>
					isSwapping ? void asked.push(route) : route.continue();
				const { page } = await open({
					search: `?layer=ndvi&date=${dates[0]}&date2=${dates[8]}&compare=swipe&${VIEW}&style=numbers&style2=numbers`,
					routes: { "^/layers/ndvi/times": hold },
				});
				await whenCompared(page);
				isSwapping = true;
				await page.locator(".compare-bar .menu").click();
				await page.getByRole("button", { name: "Swap A and B" }).click();
				await until(page, () => asked.length === 2);
				const answer = page.waitForResponse(/times/);
				await asked[1 - last].continue();
				await (await answer).finished();
				await nextFrame(page);
				await asked[last].continue();
				await whenLinkSays(page, "date", dates[8]);
				await whenCompared(page);
				await whenLinkSays(page, "date2", dates[0]);
			}
		},
	],
	[
		"two years of a layer are named on the key, which the picture that is saved has too",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi_years&date=${YEAR_DATE}&compare=diff` });
			await whenCompared(page);
			await whenKeys(page, 1, /2019\s−\s2018/);
			await page.locator("#export-button").click();
			const preview = page.locator(".export-preview canvas");
			await preview.waitFor();
			await until(page, () =>
				preview.evaluate((canvas) => {
					const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
					const context = /** @type {CanvasRenderingContext2D} */ (
						/** @type {HTMLCanvasElement} */ (canvas).getContext("2d")
					);
					// The key's purple lower end, in the lower left corner.
					const { data } = context.getImageData(
						0,
						Math.floor(height * 0.7),
						Math.floor(width * 0.3),
						Math.floor(height * 0.3),
					);
					return data.some((_, at) => at % 4 === 0 && data[at] > data[at + 1] + 20 && data[at + 2] > data[at + 1] + 60);
				}),
			);
		},
	],
	[
		"the sentence's halves choose layer and date, and another layer keeps the date of A",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi_years&date=${YEAR_DATE}&compare=swipe` });
			await whenCompared(page);
			const half = (/** @type {string} */ side) => page.locator(`.half[data-side=${side}]`);
			await half("b").getByText("10 Feb 2018").waitFor();
			await half("b").focus();
			await page.keyboard.press("Enter");
			await page.locator("#layer-b").click();
			assert.deepEqual(await brokenRules(page), []);
			await page.locator('#layer-b-list .layer-choice[data-layer="fapar_float"]').click();
			await whenLinkSays(page, "layer2", "fapar_float");
			await whenLinkSays(page, "date2", YEAR_DATE);
			await page.locator("#layer-b").click();
			await page.locator('#layer-b-list .layer-choice[data-layer="ndvi_years"]').click();
			await whenLinkSays(page, "date2", "2018-02-10");
			await page.keyboard.press("Escape");

			await half("a").click();
			await page.locator(".calendar:popover-open").getByLabel("Date", { exact: true }).fill("2019-03-02");
			await page.keyboard.press("Enter");
			await whenLinkSays(page, "date", "2019-03-02");
			await whenLinkSays(page, "date2", "2018-03-02");
		},
	],
	[
		"B is at the same date or a year back by the menu, which names what it is",
		async ({ open }) => {
			const { page } = await open({ search: `?layer=ndvi_years&date=${YEAR_DATE}&compare=swipe&date2=2018-06-05` });
			await whenCompared(page);
			const menu = page.locator(".compare-bar .menu");
			await menu.getByText("Another date").waitFor();
			for (const [name, date] of [
				["A year back", "2018-02-10"],
				["Same date", YEAR_DATE],
			]) {
				await menu.focus();
				await page.keyboard.press("Enter");
				await page.locator(".compare-menu").getByRole("button", { name }).press("Enter");
				await menu.getByText(name).waitFor();
				await whenLinkSays(page, "date2", date);
			}
		},
	],
	[
		"places in the colours of their mean are seen over the layer, which gives way",
		async ({ open }) => {
			const { page } = await open({ search: `${SEARCH}&places=fields` });
			await whenShown(page);
			const opacity = () => page.locator("#map .leaflet-tile-pane").evaluate((pane) => getComputedStyle(pane).opacity);
			await until(page, async () => (await opacity()) === "0.25");
			await page.getByLabel("Coloured places").selectOption("");
			await until(page, async () => (await opacity()) === "1");
		},
	],
	[
		"all that the panel has is in sight in a window of 768 px",
		async ({ open }) => {
			const { page } = await open({ search: SEARCH, width: 1366, height: 768 });
			await whenShown(page);
			await whenKeys(page, 1);
			assert.equal(await page.locator("#zoom-button").count(), 0);
			// Base maps and drawing tools are on the map in another way.
			const missing = await page.evaluate(() => {
				const panel = /** @type {HTMLElement} */ (document.querySelector("#panel"));
				for (const other of panel.querySelectorAll(".ground")) other.remove();
				return panel.scrollHeight - panel.clientHeight;
			});
			assert.ok(missing <= 0, `${missing} px are below the window`);
			assert.deepEqual(await noticeTexts(page), []);
		},
	],
]);
