/**
 * What scenarios of several parts ask of a page.
 *
 * @typedef {import("./harness.mjs").Page} Page
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

/** Until the first pictures are on the map and the address says so. @param {Page} page */
export async function whenShown(page) {
	await page.locator("#status[data-phase=shown]").waitFor();
	await page.waitForFunction(() => new URLSearchParams(window.location.search).has("view"));
}

/** @param {Page} page @param {string} key */
export const linkValue = (page, key) => new URL(page.url()).searchParams.get(key);

/** @param {Page} page @param {string} key @param {string | null} value null: that it says nothing */
export const whenLinkSays = (page, key, value) =>
	page.waitForFunction(
		([name, wanted]) => new URLSearchParams(window.location.search).get(name ?? "") === wanted,
		[key, value],
	);

/** Until the address has not changed for as long as the viewer may wait before it writes it. @param {Page} page */
export async function whenLinkRests(page) {
	const WAIT_MS = 700;
	for (let before = ""; before !== page.url(); ) {
		before = page.url();
		await page.waitForTimeout(WAIT_MS);
	}
}

/** Shows a layer, as the user chooses it in the panel. @param {Page} page @param {string} id */
export async function chooseLayer(page, id) {
	await page.locator("#layer").click();
	await page.locator(`.layer-choice[data-layer="${id}"]`).click();
}

/** @param {Page} page */
export const noticeTexts = (page) => page.locator("#notices li span").allTextContents();

/** @param {Page} page */
export const focusedId = (page) => page.evaluate(() => document.activeElement?.id ?? "");

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Names of the accessibility rules that the page breaks, and where. @param {Page} page @returns {Promise<string[]>} */
export async function brokenRules(page) {
	await page.evaluate(axe);
	return page.evaluate(async () => {
		/** @type {any} */
		const { axe: checker } = window;
		const { violations } = await checker.run({
			runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
		});
		return violations.map(
			(/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => node.html).join(" | ")}`,
		);
	});
}
