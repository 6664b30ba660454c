/**
 * What scenarios of several parts ask of a page.
 *
 * @typedef {import("./harness.mjs").Page} Page
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";

/** A further address of the server at `base`; there it can be stopped, and started again. @param {string} base */
export async function stoppable(base) {
	const { hostname, port } = new URL(base);
	/** @type {Set<import("node:net").Socket>} */
	const open = new Set();
	const listener = createServer((client) => {
		const server = connect(Number(port), hostname);
		for (const [one, other] of [
			[client, server],
			[server, client],
		]) {
			open.add(one);
			one.on("error", () => other.destroy());
			one.on("close", () => open.delete(one));
			one.pipe(other);
		}
	});
	const start = async (/** @type {number} */ at) => {
		listener.listen(at, hostname);
		await once(listener, "listening");
		return /** @type {import("node:net").AddressInfo} */ (listener.address()).port;
	};
	const own = await start(0);
	return {
		at: `http://${hostname}:${own}/`,
		stop: async () => {
			listener.close();
			for (const each of open) each.destroy();
			await once(listener, "close");
		},
		start: () => start(own),
	};
}

/** Until the first pictures are on the map and the address says so. @param {Page} page */
export async function whenShown(page) {
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor();
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
