/**
 * What the viewer asks of the server; the only module that fetches. Paths are relative to the page, because the server
 * may live under a path prefix.
 *
 * @typedef {import("./permalink.js").BBox} BBox
 * @typedef {import("./permalink.js").Point} Point
 * @typedef {{ id: string, title: string }} Style
 * @typedef {{ first: string | null, last: string | null, count: number, default: string | null }} Times
 * @typedef {{
 *   id: string, title: string, collection: string, variable: string | null, units: string | null, bbox: BBox,
 *   attribution: string | null, styles: Style[], revision: string, times: Times,
 * }} Layer
 * @typedef {{ times: string[], valid_shares: (number | null)[], total: number, next: string | null }} TimesPage
 * @typedef {{ minzoom: number, maxzoom: number }} TileJson
 * @typedef {{
 *   title: string, units: string | null, type: string, range?: [number, number],
 *   stops?: { value: number, color: string }[], labels?: { value: number, text: string }[],
 *   classes?: { value: number, color: string, label: string }[], flags?: { name: string, color: string }[],
 * }} Legend
 * @typedef {{
 *   layer: string, units: string | null, point: [number, number],
 *   times: (string | null)[], values: (number | null)[], reasons: (string | null)[],
 * }} Series
 */
import { text } from "./text.js";

const ROOT = new URL("../", document.baseURI);
const MATRIX_SET = "WebMercatorQuad";

/** A question that the server did not answer, and why, in words for people. */
export class Problem extends Error {
	/** @param {string} message @param {number} [status] 0 when nothing came back */
	constructor(message, status = 0) {
		super(message);
		this.status = status;
	}
}

/** @param {Response} response @returns {Promise<Problem>} */
async function readProblem(response) {
	const body = await response.json().catch(() => null);
	const detail = body?.detail ?? body?.title;
	return new Problem(typeof detail === "string" ? detail : text.serverSaid(response.status), response.status);
}

/** @param {URL | string} url @param {AbortSignal} signal @returns {Promise<Response>} */
async function ask(url, signal) {
	const answer = await fetch(url, { signal }).catch((error) => {
		throw signal.aborted ? error : new Problem(text.unreachable);
	});
	if (!answer.ok) throw await readProblem(answer);
	return answer;
}

/** @param {URL | string} url @param {AbortSignal} signal @returns {Promise<any>} */
async function askJson(url, signal) {
	const answer = await ask(url, signal);
	return answer.json().catch((error) => {
		throw signal.aborted ? error : new Problem(text.unreadable);
	});
}

/** @param {string} path @param {Record<string, string | number | null>} [parameters] those that are null or empty are left out */
function urlOf(path, parameters = {}) {
	const url = new URL(path, ROOT);
	for (const [key, value] of Object.entries(parameters)) {
		if (value !== null && value !== "") url.searchParams.set(key, String(value));
	}
	return url;
}

/** @param {AbortSignal} signal @returns {Promise<Layer[]>} */
export const fetchLayers = async (signal) => (await askJson(urlOf("layers"), signal)).layers;

/** The layer of that id or alias. @param {string} id @param {AbortSignal} signal @returns {Promise<Layer>} */
export const fetchLayer = (id, signal) => askJson(urlOf(`layers/${encodeURIComponent(id)}`), signal);

/**
 * All dates of a layer and the share of each that has data, page by page.
 * @param {Layer} layer @param {AbortSignal} signal
 * @returns {Promise<{ times: string[], validShares: (number | null)[] }>}
 */
export async function fetchTimes(layer, signal) {
	/** @type {{ times: string[], validShares: (number | null)[] }} */
	const all = { times: [], validShares: [] };
	const url = urlOf(`layers/${encodeURIComponent(layer.id)}/times`, { limit: 1000 });
	while (true) {
		/** @type {TimesPage} */
		const page = await askJson(url, signal);
		all.times.push(...page.times);
		all.validShares.push(...page.valid_shares);
		if (page.next === null || page.times.length === 0) return all;
		// Only the question is taken from the link: behind a proxy its host may be one that we cannot reach.
		url.search = new URL(page.next, url).search;
	}
}

/** @param {Layer} layer @param {string} style @param {string | null} datetime @param {AbortSignal} signal @returns {Promise<TileJson>} */
export const fetchTileJson = (layer, style, datetime, signal) =>
	askJson(urlOf(`tiles/${encodeURIComponent(layer.id)}/${MATRIX_SET}/tilejson.json`, { style, datetime }), signal);

/** URL template of the pictures of a layer at one instant. @param {Layer} layer @param {string} style @param {string | null} datetime */
export function tileTemplate(layer, style, datetime) {
	const { href, search } = urlOf(`tiles/${encodeURIComponent(layer.id)}/${MATRIX_SET}/`, {
		datetime,
		style,
		rev: layer.revision,
	});
	return `${href.slice(0, href.length - search.length)}{z}/{x}/{y}.png${search}`;
}

/** Why a picture could not be loaded, which an image element does not tell. @param {string} url @param {AbortSignal} signal */
export async function fetchTileProblem(url, signal) {
	try {
		await ask(url, signal);
		return null;
	} catch (error) {
		return error instanceof Problem ? error.message : null;
	}
}

/** @param {Layer} layer @param {string} style @param {AbortSignal} signal @returns {Promise<Legend>} */
export const fetchLegend = (layer, style, signal) =>
	askJson(urlOf(`tiles/${encodeURIComponent(layer.id)}/legend.json`, { style }), signal);

/** @param {Layer} layer @param {Point} point @param {string | null} [format] */
const seriesUrl = (layer, { lon, lat }, format = null) =>
	urlOf(`timeseries/${encodeURIComponent(layer.id)}/point`, { lon, lat, format });

/** @param {Layer} layer @param {Point} point @param {AbortSignal} signal @returns {Promise<Series>} */
export const fetchSeries = (layer, point, signal) => askJson(seriesUrl(layer, point), signal);

/** Where the same series can be had as a file. @param {Layer} layer @param {Point} point */
export const seriesCsvUrl = (layer, point) => seriesUrl(layer, point, "csv").href;

/** A file of the viewer itself. @param {string} path @param {AbortSignal} signal @returns {Promise<any>} */
export const fetchOwn = (path, signal) => askJson(new URL(path, import.meta.url), signal);
