/**
 * The viewer in Chromium with a map of 1024 x 768 pixels, and measurements inside the page.
 *
 * @typedef {import("playwright-core").Browser} Browser
 * @typedef {import("playwright-core").Page} Page
 */
import { chromium } from "playwright-core";
import { FLAGS, findChromium } from "../../tests/viewer/browser/harness.mjs";
import { HEIGHT_PX, middleOf, WIDTH_PX } from "./screens.mjs";

const TIMEOUT_MS = 60_000;

export const openBrowser = async () => chromium.launch({ executablePath: await findChromium(), args: FLAGS });

/** Records long tasks and slow events, and the moments when the map and its first picture appear. */
function watch() {
	const seen = /** @type {any} */ (window);
	seen.seen = { tasks: [], events: [], largestMs: 0, appMs: 0, shownMs: 0 };
	const observe = (/** @type {string} */ type, /** @type {(entry: any) => void} */ note, more = {}) =>
		new PerformanceObserver((list) => {
			for (const entry of list.getEntries()) note(entry);
		}).observe({ type, buffered: true, ...more });
	observe("longtask", ({ startTime, duration }) => seen.seen.tasks.push({ startTime, duration }));
	observe("event", ({ interactionId, duration }) => interactionId && seen.seen.events.push(duration), {
		durationThreshold: 16,
	});
	observe("largest-contentful-paint", ({ startTime }) => {
		seen.seen.largestMs = startTime;
	});
	const look = () => {
		const now = performance.now();
		if (!seen.seen.appMs && document.querySelector("#map.leaflet-container, #map .leaflet-container"))
			seen.seen.appMs = now;
		if (document.querySelector("#status[data-phase=shown]")) seen.seen.shownMs = now;
		else requestAnimationFrame(look);
	};
	if (window === window.top) requestAnimationFrame(look);
}

/** A page in a new browser context. @param {Browser} browser @param {{ width?: number, height?: number }} [size] */
export async function openPage(browser, { width = 1400, height = 1100 } = {}) {
	const context = await browser.newContext({ viewport: { width, height }, locale: "en-GB" });
	const page = await context.newPage();
	page.setDefaultTimeout(TIMEOUT_MS);
	await page.addInitScript(watch);
	return page;
}

/** Size of the window in which the viewer's map has 1024 x 768 pixels. @param {Browser} browser @param {string} base */
export async function windowSize(browser, base) {
	const size = { width: 1400, height: 1100 };
	const page = await openPage(browser, size);
	await page.goto(`${base}viewer/`);
	await whenShown(page);
	for (let round = 0; round < 3; round++) {
		const map = await page.locator("#map").boundingBox();
		if (!map) throw new Error("the viewer has no map");
		size.width += WIDTH_PX - Math.round(map.width);
		size.height += HEIGHT_PX - Math.round(map.height);
		await page.setViewportSize(size);
		await nextFrame(page);
	}
	await page.context().close();
	return size;
}

/** @param {string} layer @param {string} date @param {import("./screens.mjs").Screen} screen */
export function linkTo(layer, date, screen) {
	const { lon, lat, zoom } = middleOf(screen);
	return `viewer/?layer=${layer}&date=${date}&view=${lon},${lat},${zoom}`;
}

/** Waits for the picture of the date, and stores the viewer's state in `window.parts` for later evaluations. @param {Page} page */
export async function whenShown(page) {
	await page.locator("html:not([data-loading]) #status[data-phase=shown]").waitFor({ state: "attached" });
	await page.evaluate(async () => {
		const link = /** @type {HTMLLinkElement} */ (document.querySelector("link[href*='/wanted-']"));
		/** @type {any} */ (window).parts = await import(link.href);
	});
}

/** @param {Page} page */
export const nextFrame = (page) =>
	page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null)))));

/** Waits until the user can move through `count` dates. @param {Page} page @param {"preview" | "full"} how @param {number} count */
export const whenLoaded = (page, how, count) =>
	page.waitForFunction(
		([wanted, least]) => {
			const { loadedTimes } = /** @type {any} */ (window).parts;
			return [...loadedTimes.peek().values()].filter((each) => each === wanted || each === "full").length >= least;
		},
		/** @type {const} */ ([how, count]),
		{ polling: 20 },
	);

/** The records of the page. @param {Page} page @returns {Promise<{ tasks: { startTime: number, duration: number }[], events: number[], largestMs: number, appMs: number, shownMs: number }>} */
export const seenBy = (page) => page.evaluate(() => /** @type {any} */ (window).seen);
