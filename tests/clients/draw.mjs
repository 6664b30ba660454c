/**
 * Draws the pages of `pages/` in Chromium: `node draw.mjs` reads lines `{"page": "leaflet.js", "base": …}` and
 * answers each with a line, the JSON from the page's `draw`. It ends with its input, or with an error.
 */
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { FLAGS, findChromium } from "../viewer/browser/harness.mjs";

const folder = join(dirname(fileURLToPath(import.meta.url)), "pages");
const bundles = new Map();

async function bundle(page) {
	const { outputFiles } = await build({
		entryPoints: [join(folder, page)],
		bundle: true,
		write: false,
		logLevel: "error",
	});
	return outputFiles[0].text;
}

async function draw(browser, { page, ...options }) {
	if (!bundles.has(page)) bundles.set(page, await bundle(page));
	const tab = await browser.newPage({ deviceScaleFactor: 1 });
	const faults = [];
	tab.on("pageerror", (error) => faults.push(String(error)));
	tab.on("requestfailed", (request) => {
		const reason = request.failure()?.errorText;
		// A page that goes on to another time cancels its pending pictures.
		if (reason !== "net::ERR_ABORTED") faults.push(`${request.url()}: ${reason}`);
	});
	tab.setDefaultTimeout(30_000);
	await tab.addScriptTag({ content: bundles.get(page) });
	const drawn = tab.evaluate((what) => window.draw(what), options);
	const late = new Promise((_, reject) => setTimeout(() => reject(new Error("nothing drawn in 60 s")), 60_000).unref());
	const answer = { ...(await Promise.race([drawn, late])), faults };
	await tab.close();
	return answer;
}

const browser = await chromium.launch({ executablePath: await findChromium(), args: FLAGS });
try {
	for await (const line of createInterface({ input: process.stdin })) {
		process.stdout.write(`${JSON.stringify(await draw(browser, JSON.parse(line)))}\n`);
	}
} finally {
	await browser.close();
}
