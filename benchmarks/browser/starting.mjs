/** The viewer's start over a slow line: scripts, bytes, and the moments when its parts appear. */
import { get } from "node:http";
import { median } from "./figures.mjs";
import { FAR, openLink } from "./link.mjs";
import { linkTo, openPage, seenBy } from "./pages.mjs";

const ROUNDS = 3;
const SETTLED_MS = 1000;
/** Number of the largest files that are listed by name. */
const LARGEST = 8;
const IMPORT = /(?:^|[;}\s])(?:import|export)\s*(?:[\w*{}\s,$]*?\bfrom\s*)?["'](\.[^"']+)["']/g;

/**
 * Bytes of an answer, and the time until its last byte.
 * @param {string} url @returns {Promise<{ bytes: number, ms: number, status: number }>}
 */
export const ask = (url, accept = "gzip") =>
	new Promise((resolve, reject) => {
		const start = performance.now();
		get(url, { headers: { "Accept-Encoding": accept } }, (answer) => {
			let bytes = 0;
			answer.on("data", (part) => {
				bytes += part.length;
			});
			answer.on("end", () => resolve({ bytes, ms: performance.now() - start, status: answer.statusCode ?? 0 }));
		}).on("error", reject);
	});

/** @param {string} url */
export const askText = async (url) => (await fetch(url)).text();

/** The scripts that start the viewer and their imports, with bytes as sent. @param {string} base */
export async function startGraph(base) {
	const page = await askText(`${base}viewer/`);
	const run = [...page.matchAll(/<script [^>]*src="([^"]*)"/g)];
	const waiting = run.map(([, path]) => new URL(path, `${base}viewer/`).href);
	const known = new Set(waiting);
	let bytes = 0;
	for (let url = waiting.pop(); url; url = waiting.pop()) {
		bytes += (await ask(url)).bytes;
		for (const [, path] of (await askText(url)).matchAll(IMPORT)) {
			const { href } = new URL(path, url);
			if (!known.has(href)) waiting.push(href);
			known.add(href);
		}
	}
	const sheets = [...page.matchAll(/href="([^"]*\.css)"/g)].map(([, path]) => new URL(path, `${base}viewer/`).href);
	let frame = (await ask(`${base}viewer/`)).bytes;
	for (const sheet of sheets) frame += (await ask(sheet)).bytes;
	return { scripts: known.size, javascript_bytes: bytes, page_and_styles_bytes: frame };
}

/**
 * @param {import("./pages.mjs").Browser} browser @param {import("./server.mjs").Server} server
 * @param {{ width: number, height: number }} size @param {import("./measure.mjs").Season} season
 */
export async function measureStart(browser, server, size, { layer, dates, screens }) {
	/** @type {Record<string, number>[]} */
	const rounds = [];
	/** @type {{ path: string, bytes: number }[]} */
	let largest = [];
	for (let round = 0; round < ROUNDS; round++) {
		const link = await openLink(server.port, FAR);
		const page = await openPage(browser, size);
		await page.goto(link.base + linkTo(layer, dates[40], screens[0]));
		await page.locator("#status[data-phase=shown]").waitFor({ state: "attached" });
		const { appMs, shownMs } = await seenBy(page);
		const early = link.bytes(shownMs + (await page.evaluate(() => performance.timeOrigin)));
		await page.waitForTimeout(SETTLED_MS);
		const { largestMs } = await seenBy(page);
		const asked = await page.evaluate(
			(until) =>
				/** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType("resource"))
					.filter(({ startTime }) => startTime < until)
					.map(({ name, encodedBodySize }) => ({ path: new URL(name).pathname, bytes: encodedBodySize })),
			shownMs,
		);
		const scripts = asked.filter(({ path }) => path.endsWith(".js")).map(({ bytes }) => bytes);
		largest = asked.sort((one, other) => other.bytes - one.bytes).slice(0, LARGEST);
		const javascript = scripts.reduce((sum, each) => sum + each, 0);
		rounds.push({ appMs, shownMs, largestMs, early, settled: link.bytes(), javascript, scripts: scripts.length });
		await page.context().close();
		await link.close();
	}
	const middle = (/** @type {string} */ key) => median(rounds.map((each) => each[key]));
	return {
		...(await startGraph(server.base)),
		app_ms: middle("appMs"),
		shown_ms: middle("shownMs"),
		largest_ms: middle("largestMs"),
		first_view_bytes: middle("early"),
		settled_bytes: middle("settled"),
		scripts_until_shown: middle("scripts"),
		script_bytes_until_shown: middle("javascript"),
		largest,
	};
}
