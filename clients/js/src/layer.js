/**
 * A layer of a chronotile server: its metadata, dates, colours, cube tiles and time series.
 *
 * @typedef {import("../../../viewer/ctc1/decode.js").Header} Header
 * @typedef {import("../../../viewer/ctc1/loader.js").Tile} Tile
 * @typedef {import("../../../viewer/ctc1/source.js").Sample} Sample
 * @typedef {{ lon: number, lat: number }} Place in degrees
 * @typedef {{
 *   layer: string, units: string | null, point: [number, number],
 *   times: (string | null)[], values: (number | null)[], reasons: (string | null)[],
 * }} Series `reasons` say why there is no value: `nodata`, `masked` or the name of a flag such as `cloud`
 * @typedef {{
 *   title: string, units: string | null, type: string, range?: [number, number], below?: string, above?: string,
 *   nodata?: string, stops?: { value: number, color: string }[], labels?: { value: number, text: string }[],
 *   classes?: { value: number, color: string, label: string }[], flags?: { name: string, color: string }[],
 * }} Legend as `legend.json` has it
 * @typedef {{ style?: string, loader?: CubeLoader, signal?: AbortSignal }} OpenOptions `style` is one of the layer's styles
 * @typedef {{
 *   id: string, title: string, units: string | null, bbox: [number, number, number, number],
 *   attribution: string | null, revision: string, times: { default: string | null }, links: { rel: string }[],
 * }} Metadata
 */
import { makeTable } from "../../../viewer/base/colours.js";
import { CubeSource } from "../../../viewer/ctc1/source.js";
import { boxOfTile, covers } from "../../../viewer/map/extent.js";
import { CubeLoader } from "./cube-loader.js";
import { fetchJson, urlOf } from "./request.js";

export { RequestError } from "./request.js";

const MATRIX_SET = "WebMercatorQuad";
const MOST_TIMES = 1000;
const AS_STYLED = { range: null, ramp: null, isReversed: false, isLog: false };

/** @type {CubeLoader | null} */
let shared = null;

/** One loader for all layers of a page, so that together they keep to its bounds. */
function sharedLoader() {
	shared ??= new CubeLoader();
	return shared;
}

/** Text as HTML: map libraries write attributions as such. @param {string} text */
const escapeHtml = (text) =>
	text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign] ?? sign);

/** A layer that is open. `openLayer` makes it. */
export class Layer {
	/**
	 * @param {string} server @param {Metadata} metadata
	 * @param {{ times: string[], legend: Legend, zooms: { minzoom: number, maxzoom: number }, loader: CubeLoader }} found
	 */
	constructor(server, metadata, { times, legend, zooms, loader }) {
		this.server = server;
		this.id = metadata.id;
		this.title = metadata.title;
		this.units = metadata.units;
		/** West, south, east and north, in degrees. */
		this.bbox = metadata.bbox;
		/** As HTML. @type {string} */
		this.attribution = escapeHtml(metadata.attribution ?? "");
		/** All dates, RFC 3339. */
		this.times = times;
		const found = times.indexOf(metadata.times.default ?? "");
		/** Index of the date to begin with: the layer's default, else the last one; 0 of a layer without time. */
		this.defaultIndex = Math.max(0, found >= 0 ? found : times.length - 1);
		/** Whether its numbers come as cube tiles; those of composites do not. */
		this.hasCubes = metadata.links.some(({ rel }) => rel === "cubes");
		this.legend = legend;
		this.minZoom = zooms.minzoom;
		this.maxZoom = zooms.maxzoom;
		this.source = new CubeSource({
			template: `${urlOf(server, `cubes/${encodeURIComponent(this.id)}/${MATRIX_SET}/`)}{z}/{x}/{y}.ctc`,
			times: times.length > 0 ? times : [null],
			revision: metadata.revision,
			loader,
		});
	}

	/** Options for `makeCubeLayer` of any of the three map libraries. @throws {Error} the layer has no cube tiles */
	get cubes() {
		if (!this.hasCubes) throw new Error(`layer ${this.id} has no cube tiles: show its pictures, /tiles/${this.id}`);
		return {
			source: this.source,
			tableOf: (/** @type {Header} */ header) => makeTable(this.legend, AS_STYLED, header),
			covers: (/** @type {Tile} */ tile) => covers(this.bbox, boxOfTile(tile)),
			minZoom: this.minZoom,
			maxNativeZoom: this.maxZoom,
			attribution: this.attribution,
		};
	}

	/** Index of the date nearest to a text such as `2024-06` or `2024-06-01T10:00:00Z`; -1 if it is no date. @param {string} date */
	indexOf(date) {
		const exact = this.times.findIndex((time) => time === date || time.slice(0, 10) === date);
		const hasZone = !date.includes("T") || /(Z|[+-]\d\d:\d\d)$/.test(date);
		const wanted = Date.parse(hasZone ? date : `${date}Z`);
		if (exact >= 0 || Number.isNaN(wanted)) return exact;
		const distances = this.times.map((time) => Math.abs(Date.parse(time) - wanted));
		return distances.indexOf(Math.min(...distances));
	}

	/** The values of a place over time. @param {Place} place @param {{ datetime?: string, signal?: AbortSignal }} [options] @returns {Promise<Series>} */
	series({ lon, lat }, { datetime = "", signal } = {}) {
		return fetchJson(
			urlOf(this.server, `timeseries/${encodeURIComponent(this.id)}/point`, { lon, lat, datetime }),
			signal,
		);
	}
}

/** The value of what `sample` of a cube layer found, as the server writes it; null without one. @param {Sample | null} sample */
export function sampleValue(sample) {
	if (!sample || sample.isPreview || sample.frame < 0) return null;
	return sample.cube.exactValueOf(sample.cube.numbersAt(sample.frame)[sample.cell]);
}

/** All dates of a layer, page by page. @param {string} server @param {string} id @param {AbortSignal} [signal] @returns {Promise<string[]>} */
async function fetchTimes(server, id, signal) {
	const url = urlOf(server, `layers/${encodeURIComponent(id)}/times`, { limit: MOST_TIMES });
	/** @type {string[]} */
	const times = [];
	while (true) {
		const page = await fetchJson(url, signal);
		times.push(...page.times);
		if (page.next === null || page.times.length === 0) return times;
		// Behind a proxy the host of the link may be one that the page cannot reach.
		url.search = new URL(page.next, url).search;
	}
}

/**
 * Opens a layer of a server.
 * @param {string} server its address, such as `https://maps.example` @param {string} id of the layer, or an alias @param {OpenOptions} [options]
 * @returns {Promise<Layer>}
 * @throws {import("./request.js").RequestError} the server does not answer, or has no such layer or style
 */
export async function openLayer(server, id, { style = "", loader = sharedLoader(), signal } = {}) {
	const path = encodeURIComponent(id);
	const [metadata, times, legend, zooms] = await Promise.all([
		fetchJson(urlOf(server, `layers/${path}`), signal),
		fetchTimes(server, id, signal),
		fetchJson(urlOf(server, `tiles/${path}/legend.json`, { style }), signal),
		fetchJson(urlOf(server, `tiles/${path}/${MATRIX_SET}/tilejson.json`, { style }), signal),
	]);
	return new Layer(server, metadata, { times, legend, zooms, loader });
}
