/**
 * Functions for scenarios of several parts.
 *
 * @typedef {import("./harness.mjs").Page} Page
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { setTimeout as passed } from "node:timers/promises";

/** Makes the state of the viewer available as `parts` to code that runs in the page later. @param {Page} page */
export const inspect = (page) =>
	page.evaluate(async () => {
		const link = /** @type {HTMLLinkElement} */ (document.querySelector("link[href*='/wanted-']"));
		/** @type {any} */ (window).parts ??= await import(link.href);
	});

/** Opens another address of the server at `base`, which can be stopped and started again. @param {string} base */
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

/**
 * Replaces the text of a field by typing: in Firefox, filling a field in one step sends no event.
 * @param {import("playwright-core").Locator} field
 * @param {string} text
 */
export async function typeInto(field, text) {
	await field.selectText();
	await field.pressSequentially(text);
}

/** Waits until the first pictures are on the map and the address is updated. @param {Page} page */
export async function whenShown(page) {
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor();
	await page.waitForFunction(() => new URLSearchParams(window.location.search).has("view"));
	await whenAddressKnown(page);
}

/** @param {Page} page @param {string} key */
export const linkValue = (page, key) => new URL(page.url()).searchParams.get(key);

/** @param {Page} page @param {string} key @param {string | null} value null: that it says nothing */
export async function whenLinkSays(page, key, value) {
	await page.waitForFunction(
		([name, wanted]) => new URLSearchParams(window.location.search).get(name ?? "") === wanted,
		[key, value],
	);
	await whenAddressKnown(page);
}

/**
 * Waits until this process has received the address of the page, which comes on another channel than answers of the
 * page.
 * @param {Page} page
 */
const whenAddressKnown = (page) =>
	until(page, async () => page.url() === (await page.evaluate(() => window.location.href)));

/**
 * Waits until texts of the page have been constant for longer than the viewer waits before it writes its address.
 * The page measures this in its own frames and timers: movements of the map depend on them, and they stop when it is
 * stalled.
 * @param {Page} page @param {...string} selectors whose places are looked at too, beside the address
 */
export async function whenAtRest(page, ...selectors) {
	await page.evaluate(async (watched) => {
		const [TURNS, TURN_MS] = [10, 100];
		const read = () => {
			const boxes = watched.map((selector) =>
				[...document.querySelectorAll(selector)].map((element) => element.getBoundingClientRect()),
			);
			return JSON.stringify([window.location.search, boxes]);
		};
		for (let [before, turns] = [read(), 0]; turns < TURNS; turns += 1) {
			await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, TURN_MS)));
			const now = read();
			if (now !== before) [before, turns] = [now, -1];
		}
	}, selectors);
	await whenAddressKnown(page);
}

/**
 * Takes pictures of the page until two are equal.
 * @param {Page} page
 * @param {import("playwright-core").PageScreenshotOptions} [options]
 */
export async function stillPicture(page, options) {
	for (let before = /** @type {Buffer} */ (Buffer.alloc(0)); ; ) {
		await whenAtRest(page, "#map");
		const picture = await page.screenshot(options);
		if (picture.equals(before)) return picture;
		before = picture;
	}
}

/**
 * Records spoken texts from now on, because they are soon replaced; returns a function that waits for a text.
 * @param {Page} page
 */
export async function hear(page) {
	await page.evaluate(() => {
		/** @type {any} */ (window).heard = [];
		const place = /** @type {Element} */ (document.querySelector("#spoken"));
		new MutationObserver(() => /** @type {any} */ (window).heard.push(place.textContent)).observe(place, {
			childList: true,
		});
	});
	return (/** @type {string} */ words) =>
		page.waitForFunction(
			(wanted) => /** @type {any} */ (window).heard.some((/** @type {string} */ told) => told.includes(wanted)),
			words,
		);
}

/** Waits until the page has drawn. @param {Page} page */
export const nextFrame = (page) =>
	page.evaluate(
		() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(null)))),
	);

/**
 * Waits until a condition of this process holds, for example about sent requests.
 * @param {Page} page whose frames are waited for in between
 * @param {() => boolean | Promise<boolean>} holds
 * @param {() => string} [toldAs]
 */
export async function until(page, holds, toldAs = () => String(holds)) {
	const LIMIT_MS = 60_000;
	for (const late = performance.now() + LIMIT_MS; !(await holds()); ) {
		if (performance.now() > late) throw new Error(`it never came to be: ${toldAs()}`);
		await nextFrame(page);
	}
}

/**
 * Waits until the server has counted the valid cells of all dates of a layer. Pages that are opened before request
 * them again after a delay, also if their clock is set forward.
 * @param {string} base @param {string} layer
 */
export async function whenCounted(base, layer) {
	const [LIMIT_MS, BETWEEN_MS] = [60_000, 100];
	for (const late = performance.now() + LIMIT_MS; ; await passed(BETWEEN_MS)) {
		const { valid_shares_pending: pending } = await (await fetch(new URL(`layers/${layer}/times`, base))).json();
		if (pending === 0) return;
		if (performance.now() > late) throw new Error(`${pending} dates of ${layer} are never counted`);
	}
}

/**
 * Does something while the clock of the page is stopped: a pressed pointer does not count as held, even if this
 * process is slow.
 * @param {Page} page @param {() => Promise<unknown>} act
 */
export async function inNoTime(page, act) {
	const AHEAD_MS = 60_000;
	await page.clock.install();
	await page.clock.pauseAt((await page.evaluate(() => Date.now())) + AHEAD_MS);
	await act();
	await page.clock.resume();
}

/** Shows a layer, as the user chooses it in the panel. @param {Page} page @param {string} id */
export async function chooseLayer(page, id) {
	await page.locator("#layer").click();
	await page.locator(`.layer-choice[data-layer="${id}"]`).click();
}

/** @param {Page} page */
export const noticeTexts = (page) => page.locator("#notices li span").allTextContents();

/** Waits until a message with this text is shown. @param {Page} page @param {RegExp} words */
export const whenNotice = (page, words) => page.locator("#notices li span").filter({ hasText: words }).waitFor();

/** Waits until there is no message. @param {Page} page */
export const whenNoNotices = (page) => until(page, async () => (await noticeTexts(page)).length === 0);

/** Waits until the focused element has this id. @param {Page} page @param {string} id */
export const whenFocused = (page, id) => page.waitForFunction((wanted) => document.activeElement?.id === wanted, id);

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * Returns the accessibility rules that the page violates, with the elements.
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
export async function brokenRules(page) {
	await page.evaluate(axe);
	return page.evaluate(async () => {
		/** @type {any} */
		const { axe: checker } = window;
		const { violations } = await checker.run({
			runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
			resultTypes: ["violations"],
		});
		return violations.map(
			(/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => node.html).join(" | ")}`,
		);
	});
}

/**
 * Returns all requests except those of the viewer's files, which the browser may fetch at any time: its icon late,
 * on a busy machine.
 * @param {string[]} requests
 */
export const ofData = (requests) => requests.filter((url) => !url.includes("/viewer/"));
