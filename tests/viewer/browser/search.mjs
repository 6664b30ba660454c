/** Scenarios of the search: `node search.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { answerStatus, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { brokenRules, hear, linkValue, noticeTexts, whenAtRest, whenNotice, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

/** @param {Page} page */
const field = (page) => page.getByRole("combobox", { name: "Search a place or coordinates" });

/** @param {Page} page */
const options = (page) => page.getByRole("listbox", { name: "Places found" }).getByRole("option");

/** Where the map is, as the link says. @param {Page} page */
async function viewOf(page) {
	await whenAtRest(page);
	return (linkValue(page, "view") ?? "").split(",").map(Number);
}

await runAsCalled([
	[
		"22 a place is found by its name, in any of its languages, and shown with a mark",
		async ({ open, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await field(page).fill("anvers");
			await options(page).first().waitFor();
			await page.screenshot({ path: join(outDir, "search.png") });
			assert.match(
				(await options(page).first().textContent()) ?? "",
				/^Anvers \(Antwerpen\)\s*Flanders, Belgium · town$/,
			);
			await options(page).first().click();
			await page.getByAltText("Anvers (Antwerpen)").or(page.locator(".found-mark")).first().waitFor();

			const [lon, lat, zoom] = await viewOf(page);
			assert.ok(Math.abs(lon - 4.4) < 0.05 && Math.abs(lat - 51.22) < 0.05 && zoom >= 10, `${lon}, ${lat}, ${zoom}`);
			assert.equal(await field(page).inputValue(), "Anvers (Antwerpen)");
			await field(page).fill("");
			await page.locator(".found-mark").waitFor({ state: "detached" });
		},
	],
	...["51.2, 4.4", "4.4E 51.2N", "51°12'N 4°24'E"].map(
		(words) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`22 coordinates are a place: ${words}`,
				async ({ open }) => {
					const { page } = await open({ search: "?layer=ndvi" });
					await whenShown(page);
					await field(page).fill(words);
					await page.getByRole("option", { name: /^51.2° N, 4.4° E/ }).waitFor();
					await field(page).press("Enter");
					await page.locator(".found-mark").waitFor();

					assert.deepEqual((await viewOf(page)).slice(0, 2), [4.4, 51.2]);
				},
			]),
	),
	[
		"22 the list is gone through, taken and left by keys alone, and said to who does not see it",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await page.keyboard.press("/");
			await page.keyboard.type("lond");
			await options(page).nth(2).waitFor();
			assert.equal(await field(page).getAttribute("aria-expanded"), "true");
			const active = () => field(page).getAttribute("aria-activedescendant");
			const chosen = () =>
				page.locator("#search-results [role=option][aria-selected=true]").evaluateAll((all) => all.map(({ id }) => id));
			assert.deepEqual(await chosen(), [await active()]);
			const [first] = await chosen();
			await page.keyboard.press("ArrowDown");
			assert.deepEqual(await chosen(), [await active()]);
			assert.notEqual(await active(), first);
			await page.keyboard.press("ArrowUp");
			assert.equal(await active(), first);
			await page.keyboard.press("ArrowUp");
			assert.equal(await active(), await options(page).last().getAttribute("id"));
			assert.deepEqual(await brokenRules(page), []);

			await page.keyboard.press("Escape");
			assert.ok(await options(page).first().isHidden());
			assert.deepEqual([await field(page).getAttribute("aria-expanded"), await active()], ["false", null]);
			assert.equal(await field(page).inputValue(), "lond");

			await page.keyboard.type("on");
			await page.getByRole("option", { name: /London England, United Kingdom/ }).waitFor();
			const whenHeard = await hear(page);
			await page.keyboard.press("Enter");
			await whenHeard("The map shows London");
			const [lon, lat] = await viewOf(page);
			assert.ok(Math.abs(lon + 0.13) < 0.05 && Math.abs(lat - 51.5) < 0.05);
		},
	],
	[
		"22 what is not found is said, with what can be written",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await field(page).fill("qqqq <b>");
			await page.locator("#search-message").getByText("Nothing is called “qqqq <b>”.").waitFor();
			assert.equal(await field(page).getAttribute("aria-expanded"), "false");
			assert.deepEqual(await brokenRules(page), []);
			await field(page).press("Enter");
			assert.equal(await page.locator(".found-mark").count(), 0);
		},
	],
	[
		"22 without the names of places coordinates are still found",
		async ({ open }) => {
			const { page } = await open({
				search: "?layer=ndvi",
				allowed: FAILED_REQUEST,
				routes: { "/data/large\\.json": answerStatus(503) },
			});
			await whenShown(page);
			await field(page).fill("51.2, 4.4");
			await page.getByRole("option", { name: /^51.2° N, 4.4° E/ }).waitFor();
			await whenNotice(page, /names of places could not be loaded/);
		},
	],
	[
		"22 names of places that could not be loaded are there for the next search",
		async ({ open }) => {
			let isAway = true;
			const { page } = await open({
				search: "?layer=ndvi",
				allowed: FAILED_REQUEST,
				routes: { "/data/large\\.json": (route) => (isAway ? answerStatus(503)(route) : route.fallback()) },
			});
			await whenShown(page);
			await field(page).fill("anvers");
			await page.locator("#search-message").getByText("Nothing is called “anvers”.").waitFor();
			isAway = false;
			await field(page).fill("gand");
			await page.getByRole("option", { name: /Gent.* Flanders, Belgium/ }).waitFor();

			assert.doesNotMatch((await noticeTexts(page)).join(), /coordinates can still be searched/);
		},
	],
	[
		"22 the names of places are loaded by who searches, once",
		async ({ open }) => {
			const { page, requests } = await open({ search: "?layer=ndvi&overlay=false" });
			await whenShown(page);
			const asked = () => requests.filter((url) => url.includes("data/large.json")).length;
			assert.equal(asked(), 0);
			await field(page).fill("ghe");
			await options(page).first().waitFor();
			await field(page).fill("gent");
			await page.getByRole("option", { name: /Gent.* Flanders, Belgium/ }).waitFor();
			assert.equal(asked(), 1);
		},
	],
]);
