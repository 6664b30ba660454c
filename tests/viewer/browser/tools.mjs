/**
 * What scenarios of several parts ask of a page.
 *
 * @typedef {import("./harness.mjs").Page} Page
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { setTimeout as passed } from "node:timers/promises";

/** Hands what is evaluated in the page later the state of the viewer, as `parts`. @param {Page} page */
export const inspect = (page) =>
	page.evaluate(async () => {
		const link = /** @type {HTMLLinkElement} */ (document.querySelector("link[href*='/wanted-']"));
		/** @type {any} */ (window).parts ??= await import(link.href);
	});

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

/**
 * Types text in place of what a field has: in Firefox, one that is filled in one step does not tell of a change.
 * @param {import("playwright-core").Locator} field
 * @param {string} text
 */
export async function typeInto(field, text) {
	await field.selectText();
	await field.pressSequentially(text);
}

/** Until the first pictures are on the map and the address says so. @param {Page} page */
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
 * Until this process knows the address that the page has: it is told on another way than what the page answers.
 * @param {Page} page
 */
const whenAddressKnown = (page) =>
	until(page, async () => page.url() === (await page.evaluate(() => window.location.href)));

/**
 * Until what is read in the page has stayed the same for longer than the viewer waits before it writes its address. The
 * page counts that in its own frames and timers: a movement of the map goes on with them, and they stop when it is
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
 * A picture of the page when it is the same as the one before it.
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
 * Hears from now on what is spoken, which soon gives way to the next words; gives back what waits until something was.
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

/** Lets the page draw what it has to. @param {Page} page */
export const nextFrame = (page) =>
	page.evaluate(
		() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(null)))),
	);

/**
 * Until something holds of what this process knows, such as the requests that were made.
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
 * Until the server has counted the valid cells of all dates of a layer. A page that is opened before asks for them
 * again after a while, also when its clock is set forward.
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
 * Does something while the clock of the page stands still: a pointer that is down is not held then, however late the
 * next word of this process comes.
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

/** Until there is such a message. @param {Page} page @param {RegExp} words */
export const whenNotice = (page, words) => page.locator("#notices li span").filter({ hasText: words }).waitFor();

/** Until there is no message. @param {Page} page */
export const whenNoNotices = (page) => until(page, async () => (await noticeTexts(page)).length === 0);

/** Until what has the focus has this id. @param {Page} page @param {string} id */
export const whenFocused = (page, id) => page.waitForFunction((wanted) => document.activeElement?.id === wanted, id);

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Names of the accessibility rules that the page breaks, and where. @param {Page} page @returns {Promise<string[]>} */
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
 * Requests but those of the viewer's own files, which the browser fetches when it likes: its icon late, on a busy
 * machine.
 * @param {string[]} requests
 */
export const ofData = (requests) => requests.filter((url) => !url.includes("/viewer/"));
