/**
 * Pages of other sites, served from another origin than the server's, and their drawings.
 *
 * @typedef {import("./harness.mjs").Bench} Bench
 * @typedef {import("./harness.mjs").Page} Page
 * @typedef {{ own: Record<string, string>, beside: (path: string) => string, allowed?: RegExp }} Site texts of its
 *   own files,
 *   where each other file is, and console errors that the check provokes
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const MEDIA_TYPES = { html: "text/html", js: "text/javascript", mjs: "text/javascript", css: "text/css" };

/** Serves a page and the files next to it on a separate port. @param {Site} site */
async function serve({ own, beside }) {
	const server = createServer(async ({ url = "/" }, response) => {
		const path = new URL(url, "http://localhost").pathname.slice(1) || "index.html";
		const body = own[path] ?? (await readFile(beside(path), "utf8").catch(() => null));
		const kind = /** @type {keyof typeof MEDIA_TYPES} */ (path.split(".").at(-1));
		response
			.writeHead(body === null ? 404 : 200, { "content-type": MEDIA_TYPES[kind] ?? "text/plain" })
			.end(body ?? "");
	});
	await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
	const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
	return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

/**
 * Opens and checks a page, with all addresses that it has fetched, including those before `look`.
 * @param {Bench} bench @param {Site} site @param {(page: Page, fetched: string[]) => Promise<void>} look
 */
export async function withOwnPage({ open }, { own, beside, allowed }, look) {
	const { page: viewer, faults } = await open();
	const page = await viewer.context().newPage();
	page.on("pageerror", (error) => faults.push(String(error)));
	page.on("console", (message) => {
		if (message.type() === "error" && !allowed?.test(message.text())) faults.push(message.text());
	});
	/** @type {string[]} */
	const fetched = [];
	page.on("requestfinished", (request) => fetched.push(request.url()));
	const { url, close } = await serve({ own: { "favicon.ico": "", ...own }, beside });
	try {
		await page.goto(url);
		await look(page, fetched);
	} finally {
		await page.close();
		close();
	}
}

/**
 * Returns the colours of the page at some positions, as red, green and blue.
 * @param {Page} page
 * @param {{ x: number, y: number }[]} places
 */
export async function drawnAt(page, places) {
	const picture = (await page.screenshot()).toString("base64");
	return page.evaluate(
		async ([source, wanted]) => {
			const image = new Image();
			image.src = `data:image/png;base64,${source}`;
			await image.decode();
			const context = /** @type {any} */ (new OffscreenCanvas(image.width, image.height).getContext("2d"));
			context.drawImage(image, 0, 0);
			return wanted.map(({ x, y }) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)]);
		},
		/** @type {const} */ ([picture, places]),
	);
}

/**
 * Returns the number of colours in the picture of a part of the page.
 * @param {Page} page
 * @param {import("playwright-core").Locator} part
 */
export async function countColours(page, part) {
	const picture = (await part.screenshot()).toString("base64");
	return page.evaluate(async (source) => {
		const image = new Image();
		image.src = `data:image/png;base64,${source}`;
		await image.decode();
		const context = /** @type {any} */ (new OffscreenCanvas(image.width, image.height).getContext("2d"));
		context.drawImage(image, 0, 0);
		return new Set(new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer)).size;
	}, picture);
}
