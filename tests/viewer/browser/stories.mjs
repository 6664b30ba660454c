/** Saved views and stories. `node stories.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { centreOf, FIXTURES } from "./formula.mjs";
import { answerJson, runAsCalled } from "./harness.mjs";
import { brokenRules, linkValue, typeInto, whenAtRest, whenLinkSays, whenNotice, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

const { lon, lat } = centreOf({ row: 100, column: 100 });
const { dates } = FIXTURES.ndvi;
const FIRST = `?layer=ndvi&date=${dates[20]}&view=${lon.toFixed(5)},${lat.toFixed(5)},12&style=numbers`;
const SECOND = `?layer=lai16&date=${dates[30]}&view=${lon.toFixed(5)},${lat.toFixed(5)},11&compare=swipe&layer2=ndvi&date2=${dates[10]}&split=0.4&pt=${lon.toFixed(5)},${lat.toFixed(5)}`;
const EVIL = "<img src=x onerror=alert(1)>";
const STORY = {
	type: "chronotile-story",
	version: 1,
	title: "Two views",
	views: [
		{ title: "May", text: `First note ${EVIL}`, link: FIRST },
		{ title: "Compared", text: "Second note", link: SECOND },
	],
};

/** @param {Page} page */
async function openSaved(page) {
	await page.locator("#share-button").click();
	await page.getByRole("button", { name: "Saved views" }).click();
	await page.getByRole("heading", { name: "Saved views" }).waitFor();
}

/** Waits until the link has these parameters and they are shown. @param {Page} page @param {string} search */
async function whenLinkIs(page, search) {
	for (const [key, value] of new URLSearchParams(search)) {
		if (key !== "view") await whenLinkSays(page, key, value);
	}
	const numbers = (/** @type {string | null} */ text) => (text ?? "").split(",").map(Number);
	const wanted = numbers(new URLSearchParams(search).get("view"));
	await page.waitForFunction(
		(view) =>
			(new URLSearchParams(window.location.search).get("view") ?? "")
				.split(",")
				.every((each, at) => Math.abs(Number(each) - view[at]) < 1e-4),
		wanted,
	);
}

await runAsCalled([
	[
		"views are saved, named, ordered, kept over a visit, removed, and played by keys",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `${FIRST}&language=en` });
			await whenShown(page);
			await openSaved(page);
			await page.getByRole("button", { name: "Save this view" }).click();
			await typeInto(page.getByLabel("Title of the view"), "One");
			await typeInto(page.getByLabel("Notes"), `Read this.\n${EVIL}`);
			await page.getByRole("button", { name: "Save this view" }).click();
			await typeInto(page.getByLabel("Title of the view").nth(1), "Two");
			await page.getByRole("button", { name: "Move up: " }).nth(1).click();
			await typeInto(page.getByLabel("Title of the story"), "Mine");
			await page.getByLabel("Title of the story").blur();
			assert.equal(await page.getByLabel("Title of the view").first().inputValue(), "Two");
			assert.deepEqual(await brokenRules(page), []);
			await page.screenshot({ path: join(outDir, "stories.png") });

			await page.goto(`${page.url().split("?")[0]}?language=en&layer=lai16`);
			await whenShown(page);
			await openSaved(page);
			assert.deepEqual(
				await page
					.getByLabel("Title of the view")
					.evaluateAll((all) => all.map((each) => /** @type {HTMLInputElement} */ (each).value)),
				["Two", "One"],
			);
			await page.locator(".story-handing").getByRole("button", { name: "Play" }).click();
			const card = page.getByRole("region", { name: "Mine" });
			await card.getByRole("heading", { name: "Two" }).waitFor();
			await whenLinkIs(page, FIRST);
			await page.keyboard.press("PageDown");
			await card.getByRole("heading", { name: "One" }).waitFor();
			assert.equal(await card.locator(".story-text").textContent(), `Read this.\n${EVIL}`);
			assert.equal(await card.locator("img").count(), 0);
			await page.keyboard.press("PageUp");
			await card.getByRole("heading", { name: "Two" }).waitFor();
			await card.getByRole("button", { name: "Next view" }).click();
			await whenAtRest(page, "#map");
			assert.deepEqual(await brokenRules(page), []);
			await page.screenshot({ path: join(outDir, "story.png") });
			await card.getByRole("button", { name: "End the story" }).press("Escape");
			await card.waitFor({ state: "detached" });

			await openSaved(page);
			await page.getByRole("button", { name: "Remove: Two" }).click();
			assert.equal(await page.getByLabel("Title of the view").count(), 1);
		},
	],
	[
		"a story from a file of the server restores its views, a comparison too, and its link opens it",
		async ({ open }) => {
			const routes = { "/told/story\\.json$": answerJson(STORY) };
			const { page } = await open({ search: "?language=en&story=told/story.json", routes });
			await whenShown(page);
			const card = page.getByRole("region", { name: "Two views" });
			await card.getByRole("heading", { name: "May" }).waitFor();
			await whenLinkIs(page, `${FIRST}&story=told/story.json`);
			await card.getByRole("button", { name: "Next view" }).click();
			await whenLinkIs(page, SECOND);
			await page.locator("#compare-bar:not([hidden])").waitFor();
			await card.getByRole("button", { name: "Previous view" }).click();
			await whenLinkIs(page, FIRST);
			await whenLinkSays(page, "compare", null);
			await whenLinkSays(page, "pt", null);
			await card.getByRole("button", { name: "Keep these views" }).click();
			await whenNotice(page, /saved views/);
			await card.getByRole("button", { name: "End the story" }).click();
			await whenLinkSays(page, "story", null);

			await openSaved(page);
			await page.locator(".story-handing #story-link").waitFor();
			await page.waitForFunction(
				() => /** @type {HTMLInputElement} */ (document.getElementById("story-link")).value !== "",
			);
			const address = await page.locator("#story-link").inputValue();
			const { search, hash } = new URL(address);
			assert.match(hash, /^#story=[\w-]+$/);
			const second = await open({ search: `${search}&language=en${hash}` });
			await whenShown(second.page);
			const other = second.page.getByRole("region", { name: "Two views" });
			await other.getByRole("heading", { name: "May" }).waitFor();
			await whenLinkIs(second.page, FIRST);
			await other.getByRole("button", { name: "Next view" }).click();
			await whenLinkIs(second.page, SECOND);
		},
	],
	[
		"a file is saved, dropped and chosen; one that is none is told, and the card fits a phone",
		async ({ open, outDir }) => {
			const { page } = await open({ search: `${FIRST}&language=en`, width: 390, height: 844 });
			await whenShown(page);
			const file = join(outDir, "given.json");
			await writeFile(file, JSON.stringify(STORY));
			const drop = (/** @type {string} */ content) =>
				page.evaluate((text) => {
					const data = new DataTransfer();
					data.items.add(new File([text], "story.json", { type: "application/json" }));
					document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
				}, content);
			await page.waitForFunction(() => document.querySelector("#areas-panel")?.childElementCount !== 0);
			await drop(await readFile(file, "utf8"));
			const card = page.getByRole("region", { name: "Two views" });
			await card.getByRole("heading", { name: "May" }).waitFor();
			await card.getByRole("button", { name: "Next view" }).click();
			await whenLinkIs(page, SECOND);
			await whenAtRest(page, "#map");
			assert.deepEqual(await brokenRules(page), []);
			await page.screenshot({ path: join(outDir, "story-phone.png") });
			await card.getByRole("button", { name: "End the story" }).click();
			assert.equal(linkValue(page, "story"), null);
			await drop(JSON.stringify({ ...STORY, views: [] }));
			await whenNotice(page, /no saved views/);
		},
	],
]);
