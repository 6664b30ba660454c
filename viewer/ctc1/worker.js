/**
 * Fetches and decodes cubes in a separate thread, so that the page remains responsive. The browser decompresses gzip.
 *
 * @typedef
 *   {{ id: number, url: string, cache: RequestCache, headers?: Record<string, string>, held?: Held[] } | { id: number,
 *   stop: true }}
 *   Order
 *   `held` are cubes of the page of which the one of `url` is made
 * @typedef {{ url: string, header: import("./decode.js").Header, numbers: import("./decode.js").Numbers }} Held
 * @typedef {{ message: string, status: number, isCube: boolean }} Failure status 0 if there was no answer; `isCube` if
 *   the answer is a damaged cube
 * @typedef {{
 *   header: import("./decode.js").Header | null, numbers: import("./decode.js").Numbers | null, counts?:
 *     Uint8Array<ArrayBuffer>,
 * }} Delivery
 *   null if the tile has no data at any date
 * @typedef {Delivery | { failure: Failure }} Found
 * @typedef {Found & { id: number }} Answer
 */
import { CubeError, decodeCube } from "./decode.js";
import { orderOf, reduceCubes, sourcesOf } from "./reduce.js";

/** @type {Map<number, AbortController>} */
const running = new Map();

/** @param {Response} response @returns {Promise<string>} */
async function readDetail(response) {
	const body = await response.json().catch(() => null);
	const detail = body?.detail ?? body?.title;
	return typeof detail === "string" ? detail : "";
}

const NOTHING = { header: null, numbers: null };

/**
 * Makes a cube of periods from those of dates; missing ones are fetched.
 * @param {string} url
 * @param {RequestInit} options
 * @param {Held[]} held
 * @returns {Promise<Found>}
 */
async function reduce(url, options, held) {
	/** @type {Held[]} */
	const parts = [...held];
	for (const source of sourcesOf(url).filter((each) => !held.some((part) => part.url === each))) {
		const answer = await run(source, options);
		if ("failure" in answer) return answer;
		if (answer.header && answer.numbers) parts.push({ url: source, header: answer.header, numbers: answer.numbers });
	}
	return reduceCubes(url, parts) ?? NOTHING;
}

/** Decompresses files that a file server sends without `Content-Encoding`. @param {Uint8Array<ArrayBuffer>} bytes */
async function unpacked(bytes) {
	if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
	const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
	return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {string} url @param {RequestInit} options @returns {Promise<Found>} */
async function run(url, options) {
	let status = 0;
	try {
		const response = await fetch(url, options);
		status = response.status;
		if (!response.ok) return { failure: { message: await readDetail(response), status, isCube: false } };
		if (status === 204) return NOTHING;
		const bytes = await unpacked(new Uint8Array(await response.arrayBuffer()));
		// A file server cannot answer 204: an empty file stands for a tile without data.
		if (bytes.length === 0) return NOTHING;
		const { header, numbers } = decodeCube(bytes);
		return { header, numbers };
	} catch (error) {
		const isCube = error instanceof CubeError;
		// A body that breaks off is the network's fault.
		return { failure: { message: String(/** @type {Error} */ (error).message), status: isCube ? status : 0, isCube } };
	}
}

/** @param {Order} order */
async function follow(order) {
	if ("stop" in order) {
		running.get(order.id)?.abort();
		return;
	}
	const { id, url, cache, headers, held = [] } = order;
	const stopping = new AbortController();
	running.set(id, stopping);
	const options = { cache, headers, signal: stopping.signal };
	const answer = await (orderOf(url) ? reduce(url, options, held) : run(url, options));
	running.delete(id);
	if (stopping.signal.aborted) return;
	const parcels =
		"numbers" in answer ? [answer.numbers, answer.counts].flatMap((each) => (each ? [each.buffer] : [])) : [];
	self.postMessage({ id, ...answer }, { transfer: parcels });
}

self.addEventListener("message", ({ data }) => void follow(data));
