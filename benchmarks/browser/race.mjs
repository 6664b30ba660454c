/**
 * The race: from the move of the map to a new place until the user can move through all dates of a year there. The
 * viewer loads cubes; the competitor is Leaflet with one layer of palette PNG tiles per date, all loaded beforehand, the
 * best possible case of classic tiles. Each has a separate server and browser context.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { percentile } from "./figures.mjs";
import { openLink } from "./link.mjs";
import { linkTo, openPage, whenLoaded, whenShown } from "./pages.mjs";
import { HEIGHT_PX, middleOf, WIDTH_PX } from "./screens.mjs";
import { cpuSeconds, startServer } from "./server.mjs";

/** @type {Record<string, [path: string, type: string]>} */
const FILES = {
	"/": ["rival/index.html", "text/html"],
	"/rival.js": ["rival/rival.js", "text/javascript"],
	"/leaflet.js": ["../../viewer/vendor/leaflet.js", "text/javascript"],
	"/leaflet.css": ["../../viewer/vendor/leaflet.css", "text/css"],
};

/** Serves the competitor's page, outside of the measured line. @returns {Promise<{ base: string, close: () => void }>} */
const serveRival = () =>
	new Promise((resolve) => {
		const server = createServer(({ url = "/" }, answer) => {
			const file = FILES[new URL(url, "http://page/").pathname];
			if (!file) return void answer.writeHead(404).end();
			answer.writeHead(200, { "Content-Type": file[1] }).end(readFileSync(new URL(file[0], import.meta.url)));
		}).listen(0, "127.0.0.1", () => {
			const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
			resolve({ base: `http://127.0.0.1:${port}/`, close: () => void server.close() });
		});
	});

/** @typedef {import("./pages.mjs").Browser} Browser @typedef {import("./measure.mjs").Season} Season @typedef {{ latencyMs: number, megabits: number }} Line */

/** @param {Browser} browser @param {import("./server.mjs").Ground} ground @param {{ width: number, height: number }} size @param {Season} season @param {Line} line */
export async function raceCubes(browser, ground, size, { layer, dates, screens }, line) {
	const server = await startServer(ground);
	const link = await openLink(server.port, line);
	const page = await openPage(browser, size);
	await page.goto(link.base + linkTo(layer, dates[0], screens[0]));
	await whenShown(page);
	await page.waitForTimeout(1500);
	const [bytes, cpu, start] = [link.bytes(), cpuSeconds(server.pid), performance.now()];
	await page.evaluate((view) => {
		const { destination, intent } = /** @type {any} */ (window).parts;
		destination.value = { view };
		intent.value += 1;
	}, middleOf(screens[1]));
	await whenLoaded(page, "preview", dates.length);
	const preview = { ms: performance.now() - start, bytes: link.bytes() - bytes, cpu_s: cpuSeconds(server.pid) - cpu };
	await whenLoaded(page, "full", dates.length);
	const full = { ms: performance.now() - start, bytes: link.bytes() - bytes, cpu_s: cpuSeconds(server.pid) - cpu };
	await page.context().close();
	await link.close();
	await server.stop();
	return { preview, full };
}

/** @param {Browser} browser @param {import("./server.mjs").Ground} ground @param {Season} season @param {Line} line */
export async function racePictures(browser, ground, { layer, dates, screens }, line) {
	const server = await startServer(ground);
	const [link, rival] = [await openLink(server.port, line), await serveRival()];
	const page = await openPage(browser, { width: WIDTH_PX, height: HEIGHT_PX });
	const tiles = `${link.base}tiles/${layer}/WebMercatorQuad/{z}/{x}/{y}.png?datetime={date}`;
	await page.goto(`${rival.base}?${new URLSearchParams({ tiles, dates: dates.join() })}`);
	const show = (/** @type {import("./screens.mjs").Screen} */ screen) =>
		page.evaluate((view) => /** @type {any} */ (window).rival.show(view), middleOf(screen));
	await show(screens[0]);
	await page.waitForTimeout(1500);
	const [bytes, cpu, start] = [link.bytes(), cpuSeconds(server.pid), performance.now()];
	await show(screens[1]);
	await page.evaluate(() => /** @type {any} */ (window).rival.loadAll());
	const full = { ms: performance.now() - start, bytes: link.bytes() - bytes, cpu_s: cpuSeconds(server.pid) - cpu };
	/** @type {number[]} */
	const frames = await page.evaluate(() => /** @type {any} */ (window).rival.moveThrough(2));
	const seconds = frames.reduce((sum, each) => sum + each, 0) / 1000;
	await page.context().close();
	rival.close();
	await link.close();
	await server.stop();
	return { full, frames_per_s: frames.length / seconds, frame_p95_ms: percentile(frames, 0.95) };
}
