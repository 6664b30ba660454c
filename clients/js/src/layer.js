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
 * @typedef {{ value: number | null, isApproximate: boolean }} Reading `value` is null where there is none;
 *   `isApproximate` is
 *   whether it is not exactly the cell's, such as a mean of several cells below native zoom
 * @typedef {import("./credential.js").Token} Token
 * @typedef {{ style?: string, loader?: CubeLoader, signal?: AbortSignal, token?: Token }} OpenOptions `style` is one
 *   of the layer's styles
 * @typedef {{
 *   id: string, title: string, units: string | null, bbox: [number, number, number, number],
 *   attribution: string | null, revision: string, times: { default: string | null }, links: { rel: string }[],
 * }} Metadata
 */
import { makeTable } from "../../../viewer/base/colours.js";
import { resolveDate } from "../../../viewer/base/dates.js";
import { CubeSource } from "../../../viewer/ctc1/source.js";
import { boxOfTile, covers } from "../../../viewer/map/extent.js";
import { Credential } from "./credential.js";
import { CubeLoader } from "./cube-loader.js";
import { fetchJson, urlOf } from "./request.js";
import { fetchTimes, instantsOf } from "./times.js";

export { RequestError } from "./request.js";

const MATRIX_SET = "WebMercatorQuad";
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
	#credential;

	/**
	 * @param {string} server @param {Metadata} metadata
	 * @param
	 *   {{ dates: import("./times.js").Times, legend: Legend, zooms: { minzoom: number, maxzoom: number },
	 *   loader: CubeLoader, credential: Credential | null }}
	 *   found
	 */
	constructor(server, metadata, { dates, legend, zooms, loader, credential }) {
		const { times, ends } = dates;
		/** Address of the server. */
		this.server = server;
		this.id = metadata.id;
		this.title = metadata.title;
		this.units = metadata.units;
		/** West, south, east and north, in degrees. */
		this.bbox = metadata.bbox;
		/** As HTML. @type {string} */
		this.attribution = escapeHtml(metadata.attribution ?? "");
		/** All dates, RFC 3339: the starts of their days and periods. */
		this.times = times;
		/** For each date the first instant after its day or period; null of an exact instant. */
		this.ends = ends;
		const found = times.indexOf(metadata.times.default ?? "");
		/** Index of the date to begin with: the layer's default, else the last one; 0 of a layer without time. */
		this.defaultIndex = Math.max(0, found >= 0 ? found : times.length - 1);
		/** Whether its numbers come as cube tiles; those of composites do not. */
		this.hasCubes = metadata.links.some(({ rel }) => rel === "cubes");
		this.legend = legend;
		this.minZoom = zooms.minzoom;
		this.maxZoom = zooms.maxzoom;
		this.#credential = credential;
		const tiles = urlOf(server, `cubes/${encodeURIComponent(this.id)}/${MATRIX_SET}/`).href;
		loader.sign(tiles, credential);
		this.source = new CubeSource({
			template: `${tiles}{z}/{x}/{y}.ctc`,
			times: times.length > 0 ? times : [null],
			revision: metadata.revision,
			loader,
		});
	}

	/** What its requests are signed with, which elements take with the layer. */
	get credential() {
		return this.#credential;
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

	/**
	 * Index of the date that a year, month, day or instant (`2024`, `2024-06`, `2024-06-01`, `2024-06-01T10:00:00Z`)
	 * stands for: the first that begins in it, else the one whose day or period contains it, else the nearest, which is
	 * the first or the last date for what is before or after all. -1 of a text that is no date, and of a layer without
	 * time.
	 * @param {string} date
	 */
	indexOf(date) {
		return resolveDate(instantsOf(this), date).index;
	}

	/**
	 * The values of a place over time.
	 * @param {Place} place
	 * @param {{ datetime?: string, signal?: AbortSignal }} [options]
	 * @returns {Promise<Series>}
	 */
	series({ lon, lat }, { datetime = "", signal } = {}) {
		return fetchJson(
			urlOf(this.server, `timeseries/${encodeURIComponent(this.id)}/point`, { lon, lat, datetime }),
			signal,
			this.#credential,
		);
	}
}

/**
 * What the map shows at a place: the value of what `sample` of a cube layer found, as the server writes it; null while
 * it is not loaded. The cell's own value is in `series`.
 * @param {Sample | null} sample @returns {Reading | null}
 */
export function sampleValue(sample) {
	if (!sample || sample.isPreview) return null;
	const { cube, frame, cell } = sample;
	if (frame < 0) return { value: null, isApproximate: false };
	const number = cube.numbersAt(frame)[cell];
	return { value: cube.exactValueOf(number), isApproximate: cube.isApproximate || cube.beyond(number) !== 0 };
}

/**
 * Opens a layer of a server.
 * @param {string} server its address, such as `https://maps.example`
 * @param {string} id of the layer, or an alias
 * @param {OpenOptions} [options]
 * @returns {Promise<Layer>}
 * @throws {import("./request.js").RequestError} the server does not answer, or has no such layer or style
 */
export async function openLayer(server, id, { style = "", loader = sharedLoader(), signal, token } = {}) {
	const path = encodeURIComponent(id);
	const credential = token === undefined ? null : new Credential(token, urlOf(server, "").origin);
	const [metadata, dates, legend, zooms] = await Promise.all([
		fetchJson(urlOf(server, `layers/${path}`), signal, credential),
		fetchTimes(server, id, signal, credential),
		fetchJson(urlOf(server, `tiles/${path}/legend.json`, { style }), signal, credential),
		fetchJson(urlOf(server, `tiles/${path}/${MATRIX_SET}/tilejson.json`, { style }), signal, credential),
	]);
	return new Layer(server, metadata, { dates, legend, zooms, loader, credential });
}
